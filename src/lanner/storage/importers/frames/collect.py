"""Gather the rows that frames give, by data set, and hand them over in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import polars as pl

from lanner.storage.importers.funding import FundingTracker
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.schema import SCHEMAS, DatasetKey

_FLUSH_ROWS = 200_000
ORDER_SHIFT = 20
"""Orders are ``line << 20 | position in the line``, so that a snapshot can be put between two lines."""

Level = tuple[float, float]


@dataclass(slots=True)
class Collector:
    """What the interpreters write to. ``line`` and ``recv`` describe the frame being read."""

    intake: Intake
    namer: Namer
    line: int = 0
    recv: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _rows: dict[DatasetKey, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    _count: int = 0
    _funding: dict[DatasetKey, FundingTracker] = field(default_factory=dict)
    _mark: dict[DatasetKey, tuple[Any, ...]] = field(default_factory=dict)

    def trade(
        self, instrument_id: str, ts: int, px: float, qty: float, aggressor: int, trade_id: str
    ) -> None:
        """Add a public trade."""
        self._add(DatasetKey("trades", instrument_id), (ts, self._received(ts), px, qty, aggressor, trade_id))

    def quote(self, instrument_id: str, ts: int, bid: Level | None, ask: Level | None, seq: int = 0) -> None:
        """Add a best bid and ask; None stands for an empty side."""
        bid_px, bid_qty = bid or (float("nan"), 0.0)
        ask_px, ask_qty = ask or (float("nan"), 0.0)
        row = (ts, self._received(ts), bid_px, bid_qty, ask_px, ask_qty, seq)
        self._add(DatasetKey("quotes", instrument_id), row)

    def book(
        self,
        instrument_id: str,
        ts: int,
        bids: Iterable[Level],
        asks: Iterable[Level],
        *,
        seq: int = 0,
        first_seq: int = 0,
        prev_seq: int | None = None,
        snapshot: bool = False,
        order: int | None = None,
        recv: int | None = None,
    ) -> None:
        """Add the levels of one book message; ``order`` and ``recv`` place it elsewhere than at this line.

        ``prev_seq`` is the number of the message before, where the venue tells it.
        """
        key = DatasetKey("book", instrument_id)
        received = self._received(ts) if recv is None else recv
        place = self.line << ORDER_SHIFT if order is None else order
        levels = [(1, px, qty) for px, qty in bids] + [(-1, px, qty) for px, qty in asks]
        final = len(levels) - 1
        for index, (side, px, qty) in enumerate(levels):
            row = (ts, received, seq, first_seq, prev_seq, snapshot, side, px, qty, index == final)
            self._add(key, row, place + index)

    def bar(self, instrument_id: str, spec: str, opened: int, closed: int, values: tuple[Any, ...]) -> None:
        """Add a finished bar; values are open, high, low, close, volume, quote volume, trades, taker buy volume."""
        self._add(DatasetKey("bars", instrument_id, spec), (opened, closed, max(closed, self.recv), *values))

    def mark(
        self,
        instrument_id: str,
        ts: int,
        mark_px: float | None = None,
        index_px: float | None = None,
        last_px: float | None = None,
        open_interest: float | None = None,
    ) -> None:
        """Add what is told about mark, index and last price and open interest, when any of it changed."""
        key, values = DatasetKey("mark", instrument_id), (mark_px, index_px, last_px, open_interest)
        if self._mark.get(key) != values and any(value is not None for value in values):
            self._mark[key] = values
            self._add(key, (ts, self._received(ts), *values))

    def funding(self, instrument_id: str, ts: int, rate: float, due_ns: int) -> None:
        """Add an announced funding rate; settled rates are concluded when the announced time moves on."""
        key = DatasetKey("funding", instrument_id)
        self._funding.setdefault(key, FundingTracker()).announce(ts, self._received(ts), rate, due_ns)

    def event_time(self, ts: int | None, instrument_id: str, kind: str) -> int:
        """Return the venue's time, or the time of receipt with a warning where the venue tells none."""
        if ts is not None:
            return ts
        self.intake.warn(
            DatasetKey(kind, instrument_id),
            f"The venue sends no time with these {kind}: the time of receipt stands for it, so do not compare it "
            "with the venue's times of other data.",
        )
        return self.recv

    def flush(self) -> None:
        """Hand all rows over."""
        for key, tracker in self._funding.items():
            if key.instrument_id:
                self.intake.add(key, tracker.take())
        for key, rows in self._rows.items():
            if key.kind == "book":
                rows.sort(key=itemgetter(-1))
            columns = dict(zip((*SCHEMAS[key.kind], "_line", "_order"), zip(*rows, strict=True), strict=True))
            schema = SCHEMAS[key.kind] | {"_line": pl.Int64(), "_order": pl.Int64()}
            self.intake.add(key, pl.DataFrame(columns, schema=schema, strict=False))
        self._rows.clear()
        self._count = 0

    def _received(self, ts: int) -> int:
        return self.recv or ts

    def _add(self, key: DatasetKey, row: tuple[Any, ...], order: int | None = None) -> None:
        if not key.instrument_id:
            return
        place = (self.line << ORDER_SHIFT) + (self._count & 0x7FFFF) if order is None else order
        self._rows[key].append((*row, self.line, place))
        self._count += 1
        if self._count >= _FLUSH_ROWS:
            self.flush()


def levels(rows: Iterable[Any]) -> list[Level]:
    """Return price and quantity of levels written as ``[price, quantity, …]`` of text."""
    return [(float(row[0]), float(row[1])) for row in rows]


def ms(value: Any) -> int:
    """Return milliseconds (number or text) in nanoseconds."""
    return int(value) * 1_000_000
