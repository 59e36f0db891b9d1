"""The equity curve of a run, computed from prices and fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from lanner.analysis.records import EquityCurve
from lanner.backtest.record import Floats, Ints
from lanner.model.instruments import Instrument
from lanner.model.reports import FundingPaid, OrderFilled


@dataclass(slots=True)
class Prices:
    """One instrument's sampled prices with what turns them into the run's currency."""

    instrument: Instrument
    rate: float
    ts: Ints
    px: Floats


def equity_curve(
    prices: Sequence[Prices],
    fills: Sequence[OrderFilled],
    funding: Sequence[FundingPaid],
    start_equity: Decimal,
    since_ns: int,
    max_points: int,
) -> EquityCurve:
    """Return equity, buy-and-hold benchmark and exposure at every sampled price.

    A fill counts in the samples at or after its own time. For each instrument, profit is cash flow plus lots
    held × price; the curve is start equity plus the sum of it, minus fees, plus funding.
    """
    ts = _grid([entry.ts for entry in prices], since_ns, max_points)
    equity = np.full(len(ts), float(start_equity))
    gross = np.zeros(len(ts))
    for entry in prices:
        own = [fill for fill in fills if fill.instrument_id == entry.instrument.id]
        px = _as_of(entry, ts)
        held, cash = _flows(entry, own, ts)
        held *= px
        cash += held
        equity += _scaled(cash, entry.rate)
        gross += _scaled(np.abs(held, out=held), entry.rate)
        paid = [report for report in funding if report.instrument_id == entry.instrument.id]
        if paid:
            equity += _steps(ts, [p.ts_event for p in paid], [float(p.amount) for p in paid]) * entry.rate
        del px, held, cash
    np.divide(gross, equity, out=gross, where=equity > 0)
    gross[~(equity > 0)] = 0.0
    return EquityCurve(ts, equity, _benchmark(prices, ts, float(start_equity)), gross)


def _scaled(values: Floats, rate: float) -> Floats:
    """Multiply in place: a long run's curve has a million points, and every temporary array is 8 MB."""
    if rate != 1.0:
        values *= rate
    return values


def _grid(times: Sequence[Ints], since_ns: int, max_points: int) -> Ints:
    ts = times[0] if len(times) == 1 else np.unique(np.concatenate(times))
    if len(ts) > 1 and (np.diff(ts) <= 0).any():
        ts = np.unique(ts)
    ts = ts[ts >= since_ns]
    if len(ts) > max_points:
        ts = ts[np.linspace(0, len(ts) - 1, max_points).astype(np.int64)]
    return ts


def _as_of(entry: Prices, ts: Ints) -> Floats:
    """Return the last price at or before each time (the first one before there is any)."""
    if not len(entry.ts):
        return np.zeros(len(ts))
    return entry.px[np.maximum(np.searchsorted(entry.ts, ts, side="right") - 1, 0)]


def _flows(entry: Prices, fills: Sequence[OrderFilled], ts: Ints) -> tuple[Floats, Floats]:
    """Return the base quantity held and the cash flow (after fees, settle currency) at each time."""
    instrument = entry.instrument
    unit = instrument.tick * instrument.lot * instrument.multiplier
    lots = [int(fill.side) * fill.lots for fill in fills]
    cash = [float(-unit * (int(fill.side) * fill.lots * fill.px_ticks) - fill.fee) for fill in fills]
    times = [fill.ts_event for fill in fills]
    per_lot = float(instrument.lot * instrument.multiplier)
    return _steps(ts, times, lots) * per_lot, _steps(ts, times, cash)


def _steps(ts: Ints, times: Sequence[int], amounts: Sequence[float]) -> Floats:
    """Return the running sum of the amounts at each time."""
    if not times:
        return np.zeros(len(ts))
    totals = np.concatenate(([0.0], np.cumsum(np.asarray(amounts, dtype=np.float64))))
    return totals[np.searchsorted(np.asarray(times, dtype=np.int64), ts, side="right")]


def _benchmark(prices: Sequence[Prices], ts: Ints, start: float) -> Floats | None:
    if not prices or not len(prices[0].ts) or not len(ts):
        return None
    px = _as_of(prices[0], ts)
    return start * px / px[0] if px[0] > 0 else None
