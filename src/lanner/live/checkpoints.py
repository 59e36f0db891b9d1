"""Checkpoints on disk: what a session's engine was after one record of its journal, for a fast start.

A file holds a magic, its version, a head, the frozen state (``snapshot``) and a checksum of everything before it. It is
written beside its place and renamed, so a crash leaves a whole file or none. A file is only believed when its checksum
is right, when the software is the one that wrote it, and when the journal's own record of that moment bears the same
fingerprint; else the one before it is tried, and at last the journal is played from its beginning.
"""

from __future__ import annotations

import hashlib
import platform
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

import lanner
from lanner.core.errors import DataError, LannerError
from lanner.storage.files import write_atomic
from lanner.strategy.base import Strategy
from lanner.strategy.sources import source_hash

MAGIC = b"LANNERC1"
VERSION = 1
SUFFIX = ".checkpoint"
_FRONT = struct.Struct("<8sII")
_CRC = struct.Struct("<I")


class CheckpointHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says of itself: its moment in the journal, the fingerprint there, and who wrote it.

    ``facts`` are the engine's state in few words, compared after it has been read back.
    """

    session: str
    seq: int
    ts: int
    saved_ns: int
    inputs: int
    commands: int
    state_hash: str
    software: str
    facts: bytes


class ChecksumMismatchError(DataError):
    """A checkpoint is damaged."""


class UnsupportedVersionError(DataError):
    """A checkpoint was written by another version of the format."""


@dataclass(slots=True)
class Kept:
    """One checkpoint as it is read back."""

    path: Path
    head: CheckpointHead
    state: bytes


class CheckpointStore:
    """The checkpoints of one session: the newest ``keep`` of them, none older than ``max_age_s`` but the newest.

    ``durable`` ones are on the disk itself when they have been written; others may not outlive a power cut.
    """

    def __init__(
        self, folder: Path, *, keep: int = 10, max_age_s: float = 86_400.0, durable: bool = True
    ) -> None:
        self.folder = folder
        self._durable = durable
        self._keep = keep
        self._max_age_ns = int(max_age_s * 1e9)

    def save(self, head: CheckpointHead, state: bytes) -> Path:
        """Write a checkpoint; raise ``OSError`` when the disk takes nothing more."""
        packed = msgspec.msgpack.encode(head)
        front = _FRONT.pack(MAGIC, VERSION, len(packed))
        crc = zlib.crc32(state, zlib.crc32(packed, zlib.crc32(front)))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{head.seq:020d}{SUFFIX}"
        data = b"".join((front, packed, state, _CRC.pack(crc)))
        if self._durable:
            write_atomic(path, data)
        else:
            draft = path.with_suffix(".part")
            draft.write_bytes(data)
            draft.replace(path)
        return path

    def prune(self, now_ns: int) -> None:
        """Remove what is too many or too old."""
        for index, path in enumerate(self.paths()):
            age = now_ns - path.stat().st_mtime_ns
            if index >= self._keep or (index > 0 and age > self._max_age_ns):
                path.unlink(missing_ok=True)

    def paths(self) -> list[Path]:
        """Return the files, newest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True)

    def newest_first(self, problems: list[str]) -> Iterator[Kept]:
        """Yield the checkpoints that can be read; why others cannot is added to ``problems``."""
        for path in self.paths():
            try:
                yield read_checkpoint(path)
            except (DataError, OSError) as error:
                problems.append(
                    f"{path.name}: {error.message() if isinstance(error, LannerError) else error}"
                )


def read_checkpoint(path: Path) -> Kept:
    """Read one checkpoint; raise ``ChecksumMismatchError`` or ``UnsupportedVersionError``."""
    data = path.read_bytes()
    body, tail = data[: -_CRC.size], data[-_CRC.size :]
    if len(data) < _FRONT.size + _CRC.size or zlib.crc32(body) != _CRC.unpack(tail)[0]:
        raise ChecksumMismatchError("a checkpoint is damaged: its checksum does not match", found=path.name)
    magic, version, length = _FRONT.unpack_from(body)
    if magic != MAGIC or version != VERSION:
        raise UnsupportedVersionError(
            "a checkpoint of another version",
            expected=f"version {VERSION}",
            found=f"{magic!r} version {version}",
        )
    start = _FRONT.size
    try:
        head = msgspec.msgpack.decode(body[start : start + length], type=CheckpointHead)
    except msgspec.DecodeError as error:
        raise ChecksumMismatchError("the head of a checkpoint cannot be read", found=str(error)) from error
    return Kept(path, head, body[start + length :])


def software_of(strategies: Sequence[type[Strategy]]) -> str:
    """Return a fingerprint of everything that must be the same for a frozen state to mean the same."""
    return f"{_house()}/{source_hash(strategies)[:32]}"


@cache
def _house() -> str:
    """Return a fingerprint of Python, the packages whose objects are frozen, and our own files as they are now."""
    from importlib.metadata import version

    root = Path(lanner.__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    parts = [lanner.__version__, platform.python_implementation(), platform.python_version()]
    parts += [f"{name} {version(name)}" for name in ("msgspec", "numpy")]
    digest.update("|".join(parts).encode())
    for path in sorted(root.rglob("*.py")):
        stat = path.stat()
        digest.update(f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
