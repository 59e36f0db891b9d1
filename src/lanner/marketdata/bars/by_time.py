"""Time bars from trades, and coarser bars from finer ones, one message at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from lanner.core.errors import ConfigError, DataError
from lanner.marketdata.bars.grid import check_divides, time_grid
from lanner.model.market import Bar, Trade
from lanner.model.timeframes import split_series

Empty = Literal["none", "flat"]
NO_BARS: Sequence[Bar] = ()
UNTOLD = math.nan
"""A sum that one part is missing from; adding to it leaves it so, and the bar shows None."""

MAX_FLAT_BARS = 1_000_000
"""More empty bars than this in one gap are a fault of the data, not of the market."""


class _GapFiller:
    """Make the flat bars of a gap: every price is the last close, nothing traded."""

    __slots__ = ("close", "fill", "grid", "series")

    def __init__(self, series: str, empty: Empty) -> None:
        if empty not in ("none", "flat"):
            raise ConfigError("unknown rule for empty bars", expected="none or flat", found=repr(empty))
        self.series = series
        self.grid = time_grid(split_series(series)[1])
        self.fill = empty == "flat"
        self.close: float | None = None

    def between(self, first: int, stop: int) -> list[Bar]:
        """Return the flat bars that open in [first, stop), none before the first trade ever."""
        px = self.close
        if not self.fill or px is None or first >= stop:
            return []
        check_gap(self.series, first, stop, self.grid.step_ns)
        grid = self.grid
        bars = []
        for opened in grid.between(first, stop):
            closed = grid.close(opened)
            bars.append(Bar(self.series, closed, closed, opened, px, px, px, px, 0.0, 0.0, 0, 0.0))
        return bars


def told(total: float) -> float | None:
    """Return the sum, or None when a part of it was not told."""
    return None if math.isnan(total) else total


def check_gap(series: str, first: int, stop: int, step_ns: int) -> None:
    """Raise ``DataError`` when a gap is too long to be filled with flat bars."""
    if (stop - first) // step_ns > MAX_FLAT_BARS:
        raise DataError(
            f"{series}: a gap is too long to be filled with flat bars",
            expected=f"at most {MAX_FLAT_BARS:,} empty bars in a row",
            found=f"{(stop - first) // step_ns:,}",
            fix="Check the time unit of the data, or leave empty bars out.",
        )


class TimeBarBuilder:
    """Build the time bars of one series from its trades in time order.

    ``push`` and ``advance`` return the bars that this input proved complete, oldest first: a trade at
    or after the close does, and so does the clock. A trade before the open of the current bar is late:
    its bar was published and cannot change, so it is left out and counted in ``late``. A bar that
    holds no trade is left out, or with ``empty="flat"`` repeats the last close with volume 0. The volume
    bought by takers is None as soon as one trade does not tell its aggressor.
    """

    __slots__ = (
        "_count", "_end", "_gaps", "_grid", "_high", "_last", "_low", "_open", "_quote", "_start", "_taker",
        "_volume", "late", "series",
    )  # fmt: skip

    def __init__(self, series: str, *, empty: Empty = "none") -> None:
        self.series = series
        self.late = 0
        self._gaps = _GapFiller(series, empty)
        self._grid = self._gaps.grid
        self._start = self._end = self._count = 0
        self._last: Trade | None = None
        self._open = self._high = self._low = self._volume = self._quote = self._taker = 0.0

    def push(self, trade: Trade) -> Sequence[Bar]:
        """Take one trade and return the bars it proved complete (almost always none)."""
        ts = trade.ts_event
        if ts >= self._end:
            return self._roll(trade, ts)
        if ts < self._start:
            self.late += 1
            return NO_BARS
        px = trade.px
        qty = trade.qty
        if px > self._high:
            self._high = px
        elif px < self._low:
            self._low = px
        self._volume += qty
        self._quote += px * qty
        aggressor = trade.aggressor
        if aggressor > 0:
            self._taker += qty
        elif not aggressor:
            self._taker = UNTOLD
        self._count += 1
        self._last = trade
        return NO_BARS

    def advance(self, ts: int) -> Sequence[Bar]:
        """Tell the builder that no trade before ``ts`` will come any more."""
        if ts < self._end or not self._end:
            return NO_BARS
        floor = self._grid.floor(ts)
        bars = self._finish()
        bars.extend(self._gaps.between(self._end, floor))
        self._start = self._end = floor
        return bars

    def current(self) -> Bar | None:
        """Return the unfinished bar as it stands, or None when it holds no trade yet."""
        return self._bar() if self._count else None

    def flush(self) -> Sequence[Bar]:
        """Return the unfinished bar and start afresh; for the end of a data set."""
        bars = self._finish()
        self._start = self._end
        return bars

    def _roll(self, trade: Trade, ts: int) -> Sequence[Bar]:
        bars = self._finish()
        start = self._grid.floor(ts)
        if self._end:
            bars.extend(self._gaps.between(self._end, start))
        px = trade.px
        qty = trade.qty
        self._start = start
        self._end = self._grid.close(start)
        self._open = self._high = self._low = px
        self._volume = qty
        self._quote = px * qty
        self._taker = qty if trade.aggressor > 0 else 0.0 if trade.aggressor else UNTOLD
        self._count = 1
        self._last = trade
        return bars

    def _finish(self) -> list[Bar]:
        if not self._count:
            return []
        bar = self._bar()
        self._gaps.close = bar.close
        self._count = 0
        self._last = None
        return [bar]

    def _bar(self) -> Bar:
        last = self._last
        assert last is not None
        return Bar(
            self.series, self._end, max(self._end, last.ts_recv), self._start, self._open, self._high,
            self._low, last.px, self._volume, self._quote, self._count, told(self._taker),
        )  # fmt: skip


class BarAggregator:
    """Build coarser time bars from finer ones in time order, e.g. ``1h`` from ``1m``.

    The bar that closes together with the coarse bar completes it at once; when that one is missing, the
    next bar behind the edge or ``advance`` does. Missing fine bars leave the coarse bar with what there
    is. Optional measurements are summed only when every fine bar has them, else they are None.
    """

    __slots__ = (
        "_close", "_end", "_gaps", "_grid", "_high", "_low", "_open", "_parts", "_quote", "_recv", "_start",
        "_taker", "_trades", "_volume", "late", "series",
    )  # fmt: skip

    def __init__(self, source: str, spec: str, *, empty: Empty = "none") -> None:
        instrument_id, fine = split_series(source)
        check_divides(fine, spec)
        self.series = f"{instrument_id}@{spec}"
        self.late = 0
        self._gaps = _GapFiller(self.series, empty)
        self._grid = self._gaps.grid
        self._start = self._end = self._parts = self._recv = 0
        self._open = self._high = self._low = self._close = self._volume = 0.0
        self._quote: float | None = None
        self._taker: float | None = None
        self._trades: int | None = None

    def push(self, bar: Bar) -> Sequence[Bar]:
        """Take one finer bar and return the coarse bars it proved complete."""
        opened = bar.ts_open
        bars = NO_BARS
        if opened >= self._end:
            bars = self._roll(bar, opened)
        elif opened < self._start:
            self.late += 1
            return NO_BARS
        else:
            self._add(bar)
        if bar.ts_event >= self._end:
            return [*bars, *self._complete()]
        return bars

    def advance(self, ts: int) -> Sequence[Bar]:
        """Tell the aggregator that no fine bar opening before ``ts`` will come any more."""
        if ts < self._end or not self._end:
            return NO_BARS
        floor = self._grid.floor(ts)
        bars = self._complete()
        bars.extend(self._gaps.between(self._end, floor))
        self._start = self._end = floor
        return bars

    def current(self) -> Bar | None:
        """Return the unfinished coarse bar as it stands, or None when it is empty."""
        return self._bar() if self._parts else None

    def flush(self) -> Sequence[Bar]:
        """Return the unfinished coarse bar and start afresh; for the end of a data set."""
        return self._complete()

    def _roll(self, bar: Bar, opened: int) -> list[Bar]:
        bars = self._complete()
        start = self._grid.floor(opened)
        if self._end:
            bars.extend(self._gaps.between(self._end, start))
        self._start = start
        self._end = self._grid.close(start)
        self._open, self._high, self._low = bar.open, bar.high, bar.low
        self._close, self._recv = bar.close, bar.ts_recv
        self._volume, self._quote = bar.volume, bar.quote_volume
        self._trades, self._taker = bar.trades, bar.taker_buy_volume
        self._parts = 1
        return bars

    def _add(self, bar: Bar) -> None:
        self._parts += 1
        if bar.high > self._high:
            self._high = bar.high
        if bar.low < self._low:
            self._low = bar.low
        self._close = bar.close
        self._volume += bar.volume
        quote, trades, taker = bar.quote_volume, bar.trades, bar.taker_buy_volume
        self._quote = None if quote is None or self._quote is None else self._quote + quote
        self._trades = None if trades is None or self._trades is None else self._trades + trades
        self._taker = None if taker is None or self._taker is None else self._taker + taker
        self._recv = bar.ts_recv

    def _complete(self) -> list[Bar]:
        if not self._parts:
            return []
        bar = self._bar()
        self._gaps.close = bar.close
        self._parts = 0
        self._start = self._end
        return [bar]

    def _bar(self) -> Bar:
        return Bar(
            self.series, self._end, max(self._end, self._recv), self._start, self._open, self._high,
            self._low, self._close, self._volume, self._quote, self._trades, self._taker,
        )  # fmt: skip
