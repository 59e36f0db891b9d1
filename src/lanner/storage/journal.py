"""The journal: everything that went into a session's engine, and everything that left it, in order, on disk.

A journal is a folder of segment files. A segment begins with a magic and its version; then come records::

    length u32 · crc32 u32 · sequence u64 · logical time i64 · kind u8 · payload (MessagePack)

The checksum covers everything behind it. A record is in the hands of the operating system before ``append`` returns,
so a crash of the process loses nothing; what a crash of the machine may lose depends on ``Sync``. A torn record at the
end of the last segment is what a crash leaves behind: it is cut off and reported. Damage anywhere else is an error.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec

from lanner.core.errors import ConfigError, DataError, NotFoundError
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.model.reports import FundingPaid, OrderReport, PositionAdjusted
from lanner.net.wallclock import mono_ns
from lanner.storage.files import sync_folder

MAGIC = b"LANNERJ1"
VERSION = 1
_HEAD = struct.Struct("<8sI")
_RECORD = struct.Struct("<II")
_BODY = struct.Struct("<QqB")
MAX_PAYLOAD = 64 * 1024 * 1024
PACE = 100


class Sync(StrEnum):
    """When records are forced to the disk itself: what a power cut may lose.

    ``none``: whatever the system had not written yet (seconds). ``interval``: at most the last second. ``intents``: no
    order that left is ever lost, market data of the last second may be. ``always``: nothing.
    """

    NONE = "none"
    INTERVAL = "interval"
    INTENTS = "intents"
    ALWAYS = "always"


class Kind(IntEnum):
    """What a record holds. The numbers are on disk: they never change."""

    SESSION = 1
    CONTROL = 2
    CHECKPOINT = 3
    NOTE = 4
    CLOCK = 5
    WARM = 6
    BAR = 16
    QUOTE = 17
    TRADE = 18
    BOOK = 19
    MARK = 20
    FUNDING = 21
    SUBMIT = 32
    CANCEL = 33
    AMEND = 34
    BATCH = 35
    FUNDING_PAID = 48
    ACCEPTED = 49
    REJECTED = 50
    TRIGGERED = 51
    FILLED = 52
    CANCELED = 53
    EXPIRED = 54
    AMENDED = 55
    AMEND_REJECTED = 56
    CANCEL_REJECTED = 57
    UNANSWERED = 58
    POSITION_ADJUSTED = 59


class SessionHead(msgspec.Struct, frozen=True):
    """The first record of a session: what is needed to build its engine again."""

    session: str
    mode: str
    version: str
    started_ns: int
    spec: dict[str, Any]


class Control(msgspec.Struct, frozen=True):
    """Something a person or a guard did: start, pause, resume, kill, stop, reload, adopt …, with its particulars."""

    action: str
    reason: str = ""
    details: dict[str, Any] = {}


class Checkpoint(msgspec.Struct, frozen=True):
    """The fingerprint of the engine after the record before this one."""

    state_hash: str
    inputs: int


class Note(msgspec.Struct, frozen=True):
    """Something that is told but is no input: a gap, a lost connection, a frame that could not be understood."""

    text: str
    details: dict[str, Any] = {}


class ClockMoved(msgspec.Struct, frozen=True):
    """The clock moved without an input, so that timers could fire."""

    ts: int


class Warm(msgspec.Struct, frozen=True):
    """A bar of the time before the session, which only moves indicators."""

    bar: Bar


_REPORTS = dict(zip(get_args(OrderReport), range(Kind.ACCEPTED, Kind.UNANSWERED + 1), strict=True))
TYPES: dict[type, Kind] = {
    SessionHead: Kind.SESSION,
    Control: Kind.CONTROL,
    Checkpoint: Kind.CHECKPOINT,
    Note: Kind.NOTE,
    ClockMoved: Kind.CLOCK,
    Warm: Kind.WARM,
    Bar: Kind.BAR,
    Quote: Kind.QUOTE,
    Trade: Kind.TRADE,
    BookUpdate: Kind.BOOK,
    MarkPrice: Kind.MARK,
    FundingRate: Kind.FUNDING,
    SubmitOrder: Kind.SUBMIT,
    CancelOrder: Kind.CANCEL,
    AmendOrder: Kind.AMEND,
    FundingPaid: Kind.FUNDING_PAID,
    PositionAdjusted: Kind.POSITION_ADJUSTED,
    **{report: Kind(number) for report, number in _REPORTS.items()},
}
COMMAND_KINDS = frozenset({Kind.SUBMIT, Kind.CANCEL, Kind.AMEND, Kind.BATCH})
INPUT_KINDS = frozenset(kind for kind in Kind if kind >= Kind.BAR and kind not in COMMAND_KINDS)


class Record(NamedTuple):
    """One record as it is read back."""

    seq: int
    ts: int
    kind: Kind
    message: Any


@dataclass(slots=True)
class Torn:
    """What was cut from the end of a journal: a record that a crash left unfinished."""

    segment: str
    offset: int
    bytes: int


_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_NUMBERED: dict[Kind, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(message) for message, kind in TYPES.items()
}
_BATCH_PART = {kind: message for message, kind in TYPES.items() if kind in COMMAND_KINDS}


class JournalWriter:
    """Append records to a journal; go on where it ended.

    Raises ``OSError`` when the disk takes nothing more: whoever writes before acting must then not act.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: Sync = Sync.INTENTS,
        segment_bytes: int = 64_000_000,
        interval_s: float = 1.0,
    ) -> None:
        self.folder = folder
        self.torn: Torn | None = None
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._interval_ns = int(interval_s * 1e9)
        self._synced = mono_ns()
        self._dirty = False
        folder.mkdir(parents=True, exist_ok=True)
        self.seq, self.torn = _mend(folder)
        self._file = -1
        self._size = 0
        self._open_segment()

    def append(self, message: Any, ts: int) -> int:
        """Write a message and return its sequence number."""
        kind = TYPES.get(type(message))
        if kind is None:
            return self._append_batch(message, ts)
        return self._put(kind, ts, _encode(message))

    def sync(self) -> None:
        """Force everything to the disk."""
        if self._dirty:
            os.fdatasync(self._file)
            self._dirty = False
        self._synced = mono_ns()

    def sync_if_due(self) -> None:
        """Force to the disk what has waited for longer than the interval; call it now and then."""
        if self._dirty and self._sync is not Sync.NONE and mono_ns() - self._synced >= self._interval_ns:
            self.sync()

    def close(self) -> None:
        """Force everything to the disk and end."""
        if self._file >= 0:
            self.sync()
            os.close(self._file)
            self._file = -1

    def cut(self, seq: int) -> None:
        """Take the records from this one on out for good; the next one gets its number."""
        self.close()
        for path in reversed(_segments(self.folder)):
            ends = [end for number, _, _, _, end in _scan(path, last=True) if number < seq]
            if ends:
                with path.open("r+b") as file:
                    file.truncate(ends[-1])
                    os.fsync(file.fileno())
                break
            path.unlink()
        sync_folder(self.folder)
        self.seq = seq - 1
        self._open_segment()

    def _append_batch(self, message: Any, ts: int) -> int:
        if not isinstance(message, Batch):
            raise ConfigError("not a message for a journal", found=type(message).__name__)
        parts = [(int(TYPES[type(command)]), msgspec.to_builtins(command)) for command in message.commands]
        return self._put(Kind.BATCH, ts, _encode((parts, message.ts)))

    def _put(self, kind: Kind, ts: int, payload: bytes) -> int:
        seq = self.seq + 1
        body = _BODY.pack(seq, ts, kind) + payload
        data = _RECORD.pack(len(body), zlib.crc32(body)) + body
        if self._size + len(data) > self._segment_bytes and self._size > _HEAD.size:
            self._turn_over()
        written = os.write(self._file, data)
        if written != len(data):
            os.ftruncate(self._file, self._size)
            raise OSError(28, "the disk took only a part of a journal record")
        self._size += written
        self.seq = seq
        self._dirty = True
        if self._sync is Sync.ALWAYS or (self._sync is Sync.INTENTS and kind in COMMAND_KINDS):
            self.sync()
        return seq

    def _turn_over(self) -> None:
        self.sync()
        os.close(self._file)
        self._open_segment(fresh=True)

    def _open_segment(self, *, fresh: bool = False) -> None:
        segments = _segments(self.folder)
        if segments and not fresh:
            path = segments[-1]
        else:
            number = int(segments[-1].stem) + 1 if segments else 1
            path = self.folder / f"{number:06d}.journal"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        if self._size == 0:
            os.write(self._file, _HEAD.pack(MAGIC, VERSION))
            self._size = _HEAD.size
            sync_folder(self.folder)


def has_begun(folder: Path) -> bool:
    """Tell whether anything was ever written into a journal: one that could not be begun is nobody's loss."""
    return any(path.stat().st_size > _HEAD.size for path in _segments(folder))


def read_journal(
    folder: Path,
    *,
    after: int = 0,
    kinds: frozenset[Kind] | None = None,
    pace: Callable[[], None] | None = None,
) -> Iterator[Record]:
    """Yield the records of a journal in order, those behind ``after``; only some kinds of them where asked.

    ``pace`` is called every ``PACE`` records, so that who reads beside a running session can let it go first.
    A torn record at the very end is left out; damage anywhere else raises ``DataError`` with its place.
    """
    segments = _segments(folder)
    if not segments:
        raise NotFoundError(f"no journal in {folder}", expected="*.journal files")
    while len(segments) > 1 and 0 < _first_seq(segments[1]) <= after + 1:
        del segments[0]
    expected = 1
    for index, path in enumerate(segments):
        for seq, ts, kind, payload, _ in _scan(path, last=index == len(segments) - 1):
            if index == 0 and expected == 1:
                expected = seq  # older segments may have been retired
            if seq != expected:
                raise DataError(f"{path.name}: records are missing", expected=f"record {expected}", found=seq)
            expected += 1
            if pace is not None and seq % PACE == 0:
                pace()
            if seq > after and (kinds is None or kind in kinds):
                yield Record(seq, ts, Kind(kind), _decode(kind, payload))


def _decode(kind: int, payload: bytes) -> Any:
    if kind == Kind.BATCH:
        parts, ts = msgspec.msgpack.decode(payload)
        commands: tuple[Any, ...] = tuple(
            msgspec.convert(fields, _BATCH_PART[Kind(number)]) for number, fields in parts
        )
        return Batch(commands, ts)
    return _NUMBERED[Kind(kind)].decode(payload)


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def _first_seq(path: Path) -> int:
    """Return the sequence number of a segment's first record, 0 where there is none."""
    with path.open("rb") as file:
        file.seek(_HEAD.size + _RECORD.size)
        body = file.read(_BODY.size)
    return int(_BODY.unpack(body)[0]) if len(body) == _BODY.size else 0


def _scan(path: Path, *, last: bool) -> Iterator[tuple[int, int, int, bytes, int]]:
    """Yield sequence, time, kind, payload and end offset of each whole record."""
    data = path.read_bytes()
    if len(data) < _HEAD.size:
        if last:
            return
        raise DataError(
            f"{path.name} is not a journal segment", expected="a head", found=f"{len(data)} bytes"
        )
    magic, version = _HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise DataError(
            f"{path.name} is not a journal of this version",
            expected=f"{MAGIC.decode()} version {VERSION}",
            found=f"{magic!r} version {version}",
        )
    at, size, crc32 = _HEAD.size, len(data), zlib.crc32
    view, least = memoryview(data), _BODY.size
    while at < size:
        start = at + _RECORD.size
        length, crc = _RECORD.unpack_from(data, at) if start <= size else (0, 0)
        end = start + length
        if length < least or length > MAX_PAYLOAD or end > size or crc32(view[start:end]) != crc:
            if last and _is_tail(data, at):
                return
            raise DataError(
                f"{path.name} is damaged at byte {at}: {_fault(data, at)}",
                fix="Restore the file from a backup; what comes after it cannot be trusted.",
            )
        seq, ts, kind = _BODY.unpack_from(data, start)
        at = end
        yield seq, ts, kind, data[start + least : end], end


def _fault(data: bytes, at: int) -> str:
    """Return what is wrong with the record at an offset, or nothing."""
    if at + _RECORD.size > len(data):
        return "the head of a record is incomplete"
    length, crc = _RECORD.unpack_from(data, at)
    end = at + _RECORD.size + length
    if length < _BODY.size or length > MAX_PAYLOAD:
        return f"a record of {length} bytes is impossible"
    if end > len(data):
        return "a record is incomplete"
    if zlib.crc32(data[at + _RECORD.size : end]) != crc:
        return "a checksum does not match"
    return ""


def _is_tail(data: bytes, at: int) -> bool:
    """Tell whether a faulty record is the last thing in the file: only then a crash explains it.

    A crash leaves a piece of one record, or zeros where the file had grown already. A whole record behind the fault
    says that something in the middle was changed.
    """
    rest = data[at:]
    if not rest.strip(b"\0"):
        return True
    return all(_fault(data, at + offset) for offset in range(1, min(len(rest), MAX_PAYLOAD)))


def _mend(folder: Path) -> tuple[int, Torn | None]:
    """Find the last sequence number and cut a torn record from the end of the last segment."""
    segments = _segments(folder)
    if not segments:
        return 0, None
    seq, torn = 0, None
    for path in reversed(
        segments
    ):  # the newest that has a record says where to go on; readers check the others
        last = path is segments[-1]
        end = _HEAD.size
        size = path.stat().st_size
        for number, _, _, _, place in _scan(path, last=last):
            seq, end = number, place
        if last and size > max(end, 0):
            if size < _HEAD.size:
                path.unlink()
                return _mend(folder)
            if path.stat().st_size != size:
                raise ConfigError(
                    f"{path} is being written by another process",
                    fix="End the session that runs, or wait for it.",
                )
            torn = Torn(path.name, end, size - end)
            with path.open("r+b") as file:
                file.truncate(end)
                os.fsync(file.fileno())
        if seq:
            break
    return seq, torn
