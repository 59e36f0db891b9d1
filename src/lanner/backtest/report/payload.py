"""The numbers behind the page's charts and its trade table, as small JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lanner.analysis import METRICS, drawdown_series
from lanner.analysis.periods import NS_PER_DAY, last_of_each_day, periods_per_year
from lanner.analysis.returns import rolling_sharpe, simple_returns
from lanner.backtest.report.frame import safe_json
from lanner.backtest.report.thin import thin_indices
from lanner.backtest.result import BacktestResult, PriceSeries, RoundTrip

EQUITY_POINTS = 4_000
_ROLLING_POINTS = 1_200
_BINS = 61
Floats = NDArray[np.float64]
Json = dict[str, object]


def page_json(result: BacktestResult) -> str:
    """Return the page's data as JSON that is safe inside a script element: no `<`, `>`, `&`, only ASCII."""
    data: Json = {
        "currency": result.currency,
        "equity": _equity(result),
        "rolling": _rolling(result),
        "histograms": _histograms(result),
        "candles": [_candles(series) for series in result.series if series.ts.size],
        "trades": _trades(result.round_trips),
        "metrics": {
            name: [metric.label, metric.summary, metric.formula, metric.source.replace("`", "")]
            for name, metric in METRICS.items()
        },
    }
    return safe_json(data)


def short(value: float, digits: int = 8) -> float | None:
    """Return the value with at most so many significant digits, None when it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def shorts(values: Iterable[float], digits: int = 8) -> list[float | None]:
    """Return all values with at most so many significant digits."""
    return [short(float(value), digits) for value in values]


def seconds(ts: NDArray[np.int64]) -> list[float | int]:
    """Return UNIX seconds, whole numbers where they are whole."""
    return [value // 1000 if value % 1000 == 0 else value / 1000 for value in (ts // 1_000_000).tolist()]


def _equity(result: BacktestResult) -> Json:
    curve = result.equity
    if curve.ts.size == 0:
        return {"t": [], "v": [], "b": None, "d": [], "x": [], "kept": 0, "of": 0}
    fall = drawdown_series(curve.equity)
    keep = thin_indices([curve.equity, fall], EQUITY_POINTS)
    return {
        "t": seconds(curve.ts[keep]),
        "v": shorts(curve.equity[keep], 12),
        "b": None if curve.benchmark is None else shorts(curve.benchmark[keep]),
        "d": shorts(0.0 - fall[keep], 6),
        "x": shorts(curve.exposure[keep], 5),
        "kept": int(keep.size),
        "of": int(curve.ts.size),
    }


def _returns_for_charts(result: BacktestResult) -> tuple[NDArray[np.int64], Floats, str]:
    """Return times, returns and the name of one sample: days where there are enough of them, else the curve's."""
    curve = result.equity
    days = last_of_each_day(curve.ts)
    daily = days.size >= 30
    pick = days if daily else np.arange(curve.ts.size)
    returns = simple_returns(curve.equity[pick])
    return curve.ts[pick][1 : returns.size + 1], returns, "day" if daily else "sample"


def _rolling(result: BacktestResult) -> Json:
    ts, returns, unit = _returns_for_charts(result)
    periods = periods_per_year(ts)
    size = returns.size
    window = (90 if size >= 270 else max(10, size // 4)) if unit == "day" else max(20, size // 10)
    if periods is None or size < window + 2:
        return {"t": [], "v": [], "window": window, "unit": unit}
    values = rolling_sharpe(returns, window, periods)[window - 1 :]
    if not np.any(np.isfinite(values)):
        return {"t": [], "v": [], "window": window, "unit": unit}
    keep = thin_indices([values], _ROLLING_POINTS)
    return {
        "t": seconds(ts[window - 1 :][keep]),
        "v": shorts(values[keep], 5),
        "window": window,
        "unit": unit,
    }


def _histograms(result: BacktestResult) -> list[Json]:
    _, returns, unit = _returns_for_charts(result)
    trips = np.array([trip.return_frac for trip in result.round_trips if not trip.open], dtype=np.float64)
    named = ((f"per {unit}", returns), ("per trade", trips))
    return [found for name, values in named if (found := _histogram(name, values)) is not None]


def _histogram(name: str, values: Floats) -> Json | None:
    """Count returns in bins that meet at zero; what lies beyond the outer percentiles is in the outer bins.

    Samples without any move are left out of the bins, where they would dwarf the rest, and stay in mean and VaR.
    """
    everything = values[np.isfinite(values)]
    values = everything[everything != 0.0]
    if values.size == 0:
        return None
    low, high = np.percentile(values, (0.5, 99.5))
    reach = max(abs(float(low)), abs(float(high)), float(np.max(np.abs(values))) * 1e-6)
    spread = float(np.subtract(*np.percentile(values, (75, 25))))
    width = max(2.0 * spread / values.size ** (1 / 3), 2.0 * reach / _BINS)
    half = max(1, min(_BINS // 2, math.ceil(reach / width)))
    edges = np.arange(-half, half + 1) * (reach / half)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    used = np.flatnonzero(counts)
    first, last = int(used[0]), int(used[-1]) + 1
    return {
        "name": name,
        "edges": shorts(edges[first : last + 1], 6),
        "counts": counts[first:last].tolist(),
        "mean": short(float(np.mean(everything)), 6),
        "var": short(float(np.percentile(everything, 5)), 6),
        "n": int(values.size),
        "still": int(everything.size - values.size),
    }


def _candles(series: PriceSeries) -> Json:
    merged = _merge_same_second(series)
    return {
        "id": series.instrument_id,
        "spec": series.spec,
        "decimals": price_decimals(series.close),
        "t": (merged.ts // 1_000_000_000).tolist(),
        "o": shorts(merged.open, 10),
        "h": shorts(merged.high, 10),
        "l": shorts(merged.low, 10),
        "c": shorts(merged.close, 10),
        "v": shorts(merged.volume, 5),
    }


def _merge_same_second(series: PriceSeries) -> PriceSeries:
    """Join bars that opened in the same second, which the chart could not tell apart (tick and volume bars)."""
    seconds = series.ts // 1_000_000_000
    starts = np.concatenate(([0], np.flatnonzero(np.diff(seconds)) + 1))
    if starts.size == seconds.size:
        return series
    ends = np.append(starts[1:], seconds.size) - 1
    return PriceSeries(
        series.instrument_id,
        series.spec,
        series.ts[starts],
        series.open[starts],
        np.maximum.reduceat(series.high, starts),
        np.minimum.reduceat(series.low, starts),
        series.close[ends],
        np.add.reduceat(series.volume, starts),
    )


def price_decimals(prices: Floats) -> int:
    """Return how many decimals show these prices in full, from their tick; at most ten."""
    known = prices[np.isfinite(prices)]
    if known.size == 0:
        return 2
    scale = float(np.max(np.abs(known)))
    for decimals in range(11):
        if np.all(np.abs(np.round(known, decimals) - known) <= 1e-9 * scale * 10.0**-3):
            return decimals
    return 10


def _trades(trips: list[RoundTrip]) -> Json:
    """Return the trips as columns; texts that repeat are kept once and pointed to."""
    words: dict[str, int] = {}

    def index(text: str) -> int:
        return words.setdefault(text, len(words))

    columns: Json = {
        "id": [trip.id for trip in trips],
        "instrument": [index(trip.instrument_id) for trip in trips],
        "strategy": [index(trip.strategy_id) for trip in trips],
        "side": [trip.side for trip in trips],
        "entry": [trip.entry_ts // 1_000_000 for trip in trips],
        "exit": [trip.exit_ts // 1_000_000 for trip in trips],
        "entry_px": shorts((trip.entry_px for trip in trips), 10),
        "exit_px": shorts((trip.exit_px for trip in trips), 10),
        "qty": shorts((trip.qty for trip in trips), 10),
        "pnl": shorts(trip.pnl for trip in trips),
        "ret": shorts((trip.return_frac for trip in trips), 6),
        "fees": shorts((trip.fees for trip in trips), 6),
        "funding": shorts((trip.funding for trip in trips), 6),
        "slippage": shorts((trip.slippage for trip in trips), 6),
        "mae": shorts((trip.mae for trip in trips), 5),
        "mfe": shorts((trip.mfe for trip in trips), 5),
        "why_in": [index(trip.entry_reason) for trip in trips],
        "why_out": [index(trip.exit_reason) for trip in trips],
        "open": [int(trip.open) for trip in trips],
    }
    return {"columns": columns, "words": list(words), "days": _span_days(trips)}


def _span_days(trips: list[RoundTrip]) -> float:
    if not trips:
        return 0.0
    return (max(trip.exit_ts for trip in trips) - min(trip.entry_ts for trip in trips)) / NS_PER_DAY
