"""The same bars as the streaming builders', made from whole columns at once.

Sums run strictly from left to right (``numpy.bincount``), never pairwise, so that every bar equals
the streaming one to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.marketdata.bars.by_activity import reached
from lanner.marketdata.bars.by_time import UNTOLD, Empty, check_gap
from lanner.marketdata.bars.columns import BarColumns, TradeColumns
from lanner.marketdata.bars.grid import TimeGrid, check_divides, time_grid
from lanner.model.timeframes import TIMEFRAMES_NS, parse_activity

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


def bars_from_trades(
    trades: TradeColumns, spec: str, *, empty: Empty = "none", partial: bool = False
) -> BarColumns:
    """Build bars of any specification from trades in time order; see ``TimeBarBuilder`` for the rules.

    ``partial`` keeps the bar at the end that no later trade proved complete.
    """
    if spec in TIMEFRAMES_NS:
        return _time_bars(trades, time_grid(spec), empty, partial)
    starts, full = _activity_starts(trades, spec)
    bars = _reduce_trades(trades, starts)
    return bars if partial or full else _head(bars, len(bars) - 1)


def aggregate_bars(
    bars: BarColumns, fine: str, coarse: str, *, empty: Empty = "none", partial: bool = False
) -> BarColumns:
    """Build coarser bars from finer ones in time order; see ``BarAggregator`` for the rules."""
    check_divides(fine, coarse)
    grid = time_grid(coarse)
    opens = grid.floor_array(bars.ts_open)
    late = opens < np.maximum.accumulate(opens) if len(opens) else np.zeros(0, bool)
    if late.any():
        bars, opens = _rows(bars, ~late), opens[~late]
    starts = _starts_of(opens)
    closes = grid.close_array(opens[starts])
    made = _reduce_bars(bars, starts, opens[starts], closes)
    whole = len(bars) > 0 and bool(bars.ts_event[-1] >= closes[-1])
    filled = _fill(made, grid, empty)
    return filled if partial or whole else _head(filled, len(filled) - 1)


def resample(frame: pl.DataFrame, fine: str, coarse: str, *, empty: Empty = "none") -> pl.DataFrame:
    """Build coarser bars from a bars frame of the catalog; the unfinished bar at the end is left out."""
    return aggregate_bars(BarColumns.from_frame(frame), fine, coarse, empty=empty).to_frame()


def _time_bars(trades: TradeColumns, grid: TimeGrid, empty: Empty, partial: bool) -> BarColumns:
    opens = grid.floor_array(trades.ts_event)
    if len(opens) and bool((opens[1:] < opens[:-1]).any()):
        punctual = opens >= np.maximum.accumulate(opens)
        trades, opens = trades.take(punctual), opens[punctual]
    starts = _starts_of(opens)
    bars = _reduce_trades(trades, starts)
    first = opens[starts]
    closes = grid.close_array(first)
    bars = BarColumns(
        first, closes, np.maximum(closes, bars.ts_recv), bars.open, bars.high, bars.low, bars.close,
        bars.volume, bars.quote_volume, bars.trades, bars.taker_buy_volume,
    )  # fmt: skip
    filled = _fill(bars, grid, empty)
    return filled if partial else _head(filled, len(filled) - 1)


def _activity_starts(trades: TradeColumns, spec: str) -> tuple[Ints, bool]:
    """Return the first row of each bar, and whether the last bar is complete.

    A threshold that starts afresh in every bar cannot be found with one cumulative sum to the last bit,
    so this is a plain loop over floats: about 30 ns a trade.
    """
    kind, threshold = parse_activity(spec)
    rows = len(trades)
    if kind == "tick":
        return np.arange(0, rows, int(threshold), dtype=np.int64), rows % int(threshold) == 0
    full = reached(threshold)
    measure = trades.qty if kind == "vol" else trades.px * trades.qty
    starts = [0]
    total = 0.0
    for row, amount in enumerate(measure.tolist(), 1):
        total += amount
        if total >= full:
            starts.append(row)
            total = 0.0
    if starts[-1] == rows:
        return np.array(starts[:-1], dtype=np.int64), True
    return np.array(starts, dtype=np.int64), False


def _reduce_trades(trades: TradeColumns, starts: Ints) -> BarColumns:
    if not len(starts):
        none, zero = np.zeros(0, np.int64), np.zeros(0)
        return BarColumns(none, none, none, zero, zero, zero, zero, zero, zero, none, zero)
    px, qty = trades.px, trades.qty
    last = np.append(starts[1:], len(px)) - 1
    sums = _Sums(starts, len(px))
    return BarColumns(
        ts_open=trades.ts_event[starts],
        ts_event=trades.ts_event[last],
        ts_recv=trades.ts_recv[last],
        open=px[starts],
        high=np.maximum.reduceat(px, starts),
        low=np.minimum.reduceat(px, starts),
        close=px[last],
        volume=sums.of(qty),
        quote_volume=sums.of(px * qty),
        trades=(last + 1 - starts).astype(np.int64),
        taker_buy_volume=sums.of(
            np.where(trades.aggressor > 0, qty, np.where(trades.aggressor == 0, UNTOLD, 0.0))
        ),
    )


def _reduce_bars(bars: BarColumns, starts: Ints, opens: Ints, closes: Ints) -> BarColumns:
    if not len(starts):
        return bars
    last = np.append(starts[1:], len(bars)) - 1
    sums = _Sums(starts, len(bars))
    return BarColumns(
        ts_open=opens,
        ts_event=closes,
        ts_recv=np.maximum(closes, bars.ts_recv[last]),
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[last],
        volume=sums.of(bars.volume),
        quote_volume=None if bars.quote_volume is None else sums.of(bars.quote_volume),
        trades=None if bars.trades is None else np.add.reduceat(bars.trades, starts),
        taker_buy_volume=None if bars.taker_buy_volume is None else sums.of(bars.taker_buy_volume),
    )


class _Sums:
    """Sum a column within each bar, from left to right."""

    __slots__ = ("_bar_of_row", "_bars")

    def __init__(self, starts: Ints, rows: int) -> None:
        self._bars = len(starts)
        self._bar_of_row = np.repeat(np.arange(self._bars), np.diff(np.append(starts, rows)))

    def of(self, column: Floats) -> Floats:
        sums = np.bincount(self._bar_of_row, weights=column, minlength=self._bars)
        return sums.astype(np.float64, copy=False)


def _starts_of(opens: Ints) -> Ints:
    if not len(opens):
        return np.zeros(0, np.int64)
    return np.concatenate(([0], np.flatnonzero(opens[1:] != opens[:-1]) + 1)).astype(np.int64)


def _fill(bars: BarColumns, grid: TimeGrid, empty: Empty) -> BarColumns:
    """Put flat bars into the gaps when asked to."""
    if empty == "none" or len(bars) < 2:
        return bars
    gaps = np.flatnonzero(bars.ts_open[1:] > bars.ts_event[:-1])
    if not len(gaps):
        return bars
    opens: list[int] = []
    closes: list[float] = []
    for row in gaps.tolist():
        check_gap(grid.spec, int(bars.ts_event[row]), int(bars.ts_open[row + 1]), grid.step_ns)
        missing = grid.between(int(bars.ts_event[row]), int(bars.ts_open[row + 1]))
        opens += missing
        closes += [float(bars.close[row])] * len(missing)
    return _insert(bars, np.array(opens, dtype=np.int64), np.array(closes), grid)


def _insert(bars: BarColumns, opens: Ints, px: Floats, grid: TimeGrid) -> BarColumns:
    order = np.argsort(np.concatenate((bars.ts_open, opens)), kind="stable")
    ends = grid.close_array(opens)
    nothing = np.zeros(len(opens))
    none = np.zeros(len(opens), np.int64)
    added: tuple[NDArray[Any], ...] = (opens, ends, ends, px, px, px, px, nothing, nothing, none, nothing)
    columns = [getattr(bars, name) for name in bars.__dataclass_fields__]
    joined: list[Any] = [
        None if a is None else np.concatenate((a, b))[order] for a, b in zip(columns, added, strict=True)
    ]
    return BarColumns(*joined)


def _head(bars: BarColumns, rows: int) -> BarColumns:
    return bars.cut(0, max(0, rows))


def _rows(bars: BarColumns, keep: Any) -> BarColumns:
    columns: list[Any] = [getattr(bars, name) for name in bars.__dataclass_fields__]
    kept: list[Any] = [None if column is None else column[keep] for column in columns]
    return BarColumns(*kept)
