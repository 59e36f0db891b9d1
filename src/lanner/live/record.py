"""Record market data of a product: raw frames as evidence, rows for the catalog, a ledger of gaps, a live passport.

With two connections each frame is written from both, and the rows are merged by the venue's numbers, so that what one
of them misses the other one brings.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.model.market import MarketData
from lanner.model.streams import StreamEvent, StreamGap
from lanner.net.status import LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.storage.recorder import FrameWriter
from lanner.storage.schema import DatasetKey
from lanner.storage.spool import Spool, commit_folder, key_of
from lanner.venues.codec import Feed, Inbound, Malformed, Notice, NoticeKind, Subscription
from lanner.venues.market_gateway import MarketGateway

if TYPE_CHECKING:
    from lanner.storage.catalog import Catalog
    from lanner.venues.link import Link

WRITE_S = 2.0
_LATENCIES = 2_048
_MERGED = (Feed.BOOK, Feed.TRADES, Feed.QUOTES)


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How a recording is kept. ``folder`` is its own; sizes are bytes, times seconds."""

    folder: Path
    connections: int = 2
    rotate_bytes: int = 256_000_000
    rotate_s: float = 3600.0
    commit_s: float = 600.0
    min_free_bytes: int = 500_000_000
    raw: bool = True
    rows: bool = True


@dataclass(slots=True)
class SeriesState:
    """What is known of one data set while it is recorded."""

    messages: int = 0
    first_ns: int = 0
    last_ns: int = 0
    gaps: int = 0
    missing_ns: int = 0
    latencies: deque[int] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def as_dict(self) -> dict[str, Any]:
        """Return the live passport's entry; latencies in milliseconds, as the two clocks have them."""
        delays = sorted(self.latencies)
        return {
            "messages": self.messages,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "gaps": self.gaps,
            "missing_s": self.missing_ns / 1e9,
            "latency_p50_ms": delays[len(delays) // 2] / 1e6 if delays else None,
            "latency_p99_ms": delays[len(delays) * 99 // 100] / 1e6 if delays else None,
        }


class Recording:
    """Record subscriptions of one product until ``stop``; see the module. ``passport`` says how it stands.

    ``on_data`` is shown every message that is recorded, in order.
    """

    def __init__(
        self,
        link: Link,
        catalog: Catalog,
        options: RecordOptions,
        *,
        on_data: Callable[[MarketData], None] | None = None,
    ) -> None:
        self._link = link
        self._on_data = on_data
        self._catalog = catalog
        self._options = options
        self._series: dict[DatasetKey, SeriesState] = {}
        self._malformed = 0
        self._started_ns = wall_ns()
        self._ledger = options.folder / "gaps.jsonl"
        self._entries: deque[dict[str, Any]] = deque(maxlen=100_000)
        self._faults = ""
        options.folder.mkdir(parents=True, exist_ok=True)
        self._writers: dict[str, FrameWriter] = {}
        source = f"{link.codec.endpoints.stream} ({link.codec.spec.product})"
        self._source = source
        self._spool = Spool(options.folder / "spool", source=source)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gateway = MarketGateway(
            link,
            on_data=self._data,
            on_event=self._event,
            on_other=self._other,
            on_status=self._status,
            tap=self._tap if options.raw else None,
            connections=options.connections,
        )

    # -- life ----------------------------------------------------------------------------------------------

    async def run(
        self,
        subscriptions: Sequence[Subscription],
        stop: asyncio.Event,
        *,
        on_tick: Callable[[], None] | None = None,
    ) -> list[DatasetKey]:
        """Record until ``stop`` is set, then commit everything; returns the data sets that grew.

        What an earlier recording in the same folder left behind is committed first. ``on_tick`` is called after each
        round of writing.
        """
        self._loop = asyncio.get_running_loop()
        grown = set(await asyncio.to_thread(self._commit))
        await self._gateway.start(subscriptions)
        committed = self._loop.time()
        try:
            while not stop.is_set():
                try:
                    async with asyncio.timeout(WRITE_S):
                        await stop.wait()
                except TimeoutError:
                    pass
                await self._write()
                if self._loop.time() - committed >= self._options.commit_s:
                    committed = self._loop.time()
                    grown.update(await asyncio.to_thread(self._commit))
                if on_tick is not None:
                    on_tick()
        finally:
            await self._gateway.stop()
            await self._write()
            for writer in self._writers.values():
                await asyncio.to_thread(writer.close)
            grown.update(await asyncio.to_thread(self._commit))
            await self._write()
        return sorted(grown)

    def passport(self) -> dict[str, Any]:
        """Return the live passport: series, gaps, connections, disk."""
        counts = [writer.counts for writer in self._writers.values()]
        return {
            "product": self._link.codec.spec.product,
            "started_ns": self._started_ns,
            "updated_ns": wall_ns(),
            "series": {key.ref: state.as_dict() for key, state in sorted(self._series.items())},
            "malformed": self._malformed,
            "stream": {
                "frames": self._gateway.stream.counts.frames,
                "gaps": self._gateway.stream.counts.gaps,
                "doubled": self._gateway.stream.counts.doubled,
                "stale": self._gateway.stream.counts.stale,
            },
            "raw": {
                "frames": sum(count.lines for count in counts),
                "bytes": sum(count.bytes for count in counts),
                "files": sum(count.files for count in counts),
                "dropped": sum(count.dropped for count in counts),
                "fault": next((count.fault for count in counts if count.fault), ""),
            },
            "rows": self._spool.rows,
            "fault": self._faults,
            "connections": [
                {"name": status.name, "state": status.state.name.lower(), "reason": status.reason}
                for status in self._gateway.status()
            ],
        }

    def synchronised(self, instrument_id: str) -> bool:
        """Tell whether an instrument's book is whole now."""
        return self._gateway.stream.synchronised(instrument_id)

    # -- what comes: no I/O here ---------------------------------------------------------------------------

    def _tap(self, connection: str, frame: bytes, ts_recv: int) -> None:
        answer = connection.startswith(("http://", "https://"))
        name = f"{self._link.codec.spec.product}-rest" if answer else connection.replace("#", "-")
        writer = self._writers.get(name)
        if writer is None:
            writer = self._writers[name] = self._writer(name)
        writer.answer(connection, frame, ts_recv) if answer else writer.frame(frame, ts_recv)

    def _writer(self, name: str) -> FrameWriter:
        options = self._options
        return FrameWriter(
            options.folder / "raw",
            name,
            clock=wall_ns,
            rotate_bytes=options.rotate_bytes,
            rotate_s=options.rotate_s,
            min_free_bytes=options.min_free_bytes,
            on_loss=lambda lines, reason: self._from_thread(
                {"kind": "dropped", "connection": name, "frames": lines, "reason": reason}
            ),
        )

    def _data(self, message: MarketData) -> None:
        key = key_of(message)
        state = self._series.get(key)
        if state is None:
            state = self._series[key] = SeriesState(first_ns=message.ts_event)
        state.messages += 1
        state.last_ns = message.ts_event
        state.latencies.append(message.ts_recv - message.ts_event)
        if self._options.rows:
            self._spool.add(message)
        if self._on_data is not None:
            self._on_data(message)

    def _event(self, event: StreamEvent) -> None:
        kind = {"quotes": "quotes", "trades": "trades", "book": "book", "mark": "mark", "funding": "funding"}
        series = [
            state
            for key, state in self._series.items()
            if key.instrument_id == event.instrument_id and key.kind == kind.get(event.feed, "bars")
        ]
        if isinstance(event, StreamGap):
            for state in series:
                state.gaps += 1
            self._enter({"kind": "gap", **_plain(event)})
        else:
            for state in series:
                state.missing_ns += event.ts_to - event.ts_from
            self._enter({"kind": "healed", **_plain(event)})

    def _other(self, message: Inbound) -> None:
        if isinstance(message, Malformed):
            self._malformed += 1
            self._enter(
                {
                    "kind": "malformed",
                    "reason": message.reason,
                    "frame": message.frame.decode(errors="replace"),
                }
            )
        elif isinstance(message, Notice) and message.kind is NoticeKind.REFUSED:
            self._enter({"kind": "refused", "reason": message.text})

    def _status(self, status: LinkStatus) -> None:
        self._enter(
            {
                "kind": "connection",
                "name": status.name,
                "state": status.state.name.lower(),
                "reason": status.reason,
            }
        )

    def _enter(self, entry: dict[str, Any]) -> None:
        self._entries.append({"ts": wall_ns(), **entry})

    def _from_thread(self, entry: dict[str, Any]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._enter, entry)

    # -- the disk: in threads ------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Write rows, ledger and passport; on a full disk keep them and try again the next time."""
        taken = self._spool.take()
        entries, self._entries = self._entries, deque(maxlen=self._entries.maxlen)
        try:
            await asyncio.to_thread(self._to_disk, taken, list(entries))
        except OSError as error:
            self._faults = error.strerror or str(error)
            self._spool.put_back(taken)
            self._entries.extendleft(reversed(entries))
            self._shed()
        else:
            self._faults = ""

    def _to_disk(self, taken: dict[DatasetKey, list[tuple[Any, ...]]], entries: list[dict[str, Any]]) -> None:
        if taken:
            self._spool.write(taken)
        if entries:
            with self._ledger.open("a") as ledger:
                ledger.writelines(json.dumps(entry) + "\n" for entry in entries)
        draft = self._options.folder / "passport.json.part"
        draft.write_text(json.dumps(self.passport(), indent=1))
        draft.replace(self._options.folder / "passport.json")

    def _shed(self) -> None:
        """Give rows up that memory cannot hold while the disk is full, and say so in the ledger."""
        if self._spool.waiting > MAX_WAITING_ROWS:
            lost = sum(map(len, self._spool.take().values()))
            self._enter({"kind": "dropped", "rows": lost, "reason": self._faults})

    def _commit(self) -> list[DatasetKey]:
        return commit_folder(self._spool.folder, self._catalog, self._source)


MAX_WAITING_ROWS = 2_000_000
"""So many rows wait in memory for a disk that is full; more are given up."""


def _plain(event: StreamEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}
