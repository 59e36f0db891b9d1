"""A stretch of one series as columns, from which messages are made only where somebody is to hear of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lanner.core.clock import NEVER
from lanner.marketdata.merge import Stream
from lanner.marketdata.rows import Rows, chunks_of, messages
from lanner.model.market import FundingRate
from lanner.sim.quiet import OPEN, Zone
from lanner.sim.venue import InstrumentBook

Ints = NDArray[np.int64]


class ColumnBatch(Sequence[Any]):
    """Rows of bars or quotes. As a sequence it holds their messages, made anew each time one is asked for.

    ``first`` is the number of the first row in the whole series, ``payments`` what funding was told since the row
    before, by row; ``paid_rows`` are the rows that have some, ascending.
    """

    def __init__(
        self, kind: str, frame: Any, rows: Rows, first: int, funding: Sequence[FundingRate] = ()
    ) -> None:
        self.kind = kind
        self.frame = frame
        self.first = first
        self.ts: Ints = frame["ts_event"].to_numpy()
        self._rows = rows
        self._columns: dict[str, NDArray[Any]] = {}
        self.payments: dict[int, list[FundingRate]] = {}
        for rate in funding:
            self.payments.setdefault(int(np.searchsorted(self.ts, rate.ts_event)), []).append(rate)
        self.paid_rows: Ints = np.array(sorted(self.payments), dtype=np.int64)
        self.payment_count = len(funding)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column as an array."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = np.ascontiguousarray(self.frame[name].to_numpy())
        return found

    def outside(self, zone: Zone, due: int, start: int, stop: int) -> int:
        """Return the first of the rows [start, stop) that leaves a zone, or that a timer comes before."""
        until = min(zone.until, due)
        if start >= stop or (until == NEVER and zone is OPEN):
            return stop
        from lanner.kernels import triggers

        if zone is OPEN:
            return int(triggers.first_late(self.ts, until, start, stop))
        if self.kind == "quotes":
            find, names = triggers.first_outside_quotes, ("bid_px", "ask_px")
        else:
            find, names = triggers.first_outside_bars, ("low", "high")
        columns = (self.column(name) for name in names)
        return int(find(*columns, self.ts, zone.low, zone.high, until, start, stop))

    def other_quote(self, book: InstrumentBook, start: int, stop: int) -> int:
        """Return the first of the rows [start, stop) whose quote is not the one that a venue's book shows."""
        instrument = book.instrument
        tick, lot = instrument.tick_float, instrument.lot_float
        shown = (
            ("bid_px", book.bid_ticks, tick),
            ("ask_px", book.ask_ticks, tick),
            ("bid_qty", book.depth_bid, lot),
            ("ask_qty", book.depth_ask, lot),
        )
        while start < stop:
            end = min(start + 256, stop)
            differs = np.zeros(end - start, dtype=np.bool_)
            for name, steps, unit in shown:
                # one that is not within a quarter of a step may show another number of steps: the venue decides
                differs |= ~(np.abs(self.column(name)[start:end] - steps * unit) < 0.25 * unit)
            if differs.any():
                return start + int(np.argmax(differs))
            start = end
        return stop

    def __len__(self) -> int:
        return self._rows.count

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return self._rows.objects(start, stop)
        at = index + len(self) if index < 0 else index
        return self._rows.objects(at, at + 1)[0]


def column_batches(stream: Stream, funding: Sequence[Stream] = ()) -> Iterator[ColumnBatch]:
    """Yield one batch for each frame of a stream; what funding is told with the rows that come after it.

    Funding is told before a bar or quote of the same instant, and what comes after the last one concerns nobody.
    """
    told = deque(message for own in funding for frame in own.frames for message in _funding(own, frame))
    first = 0
    for frame in stream.frames:
        for rows in chunks_of(stream.kind, stream.instrument_id, stream.spec, [frame]):
            if rows.count:
                last = int(rows.ts_event[-1])
                due = []
                while told and told[0].ts_event <= last:
                    due.append(told.popleft())
                yield ColumnBatch(stream.kind, frame, rows, first, due)
                first += rows.count


def _funding(stream: Stream, frame: Any) -> list[FundingRate]:
    found: list[Any] = messages(stream.kind, stream.instrument_id, frame)
    return found
