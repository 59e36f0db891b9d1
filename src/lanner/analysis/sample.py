"""One run as arrays: computed once, read by every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.drawdown import max_drawdown
from lanner.analysis.months import month_values, monthly_returns
from lanner.analysis.periods import (
    DAYS_PER_YEAR,
    Floats,
    Times,
    last_of_each_day,
    median_spacing_ns,
    periods_per_year,
    years_between,
)
from lanner.analysis.records import EquityCurve, FillRow, RoundTrip
from lanner.analysis.returns import annualized_return, simple_returns, total_return


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold the arrays of one run.

    `ts`, `equity` and `benchmark` begin with the start equity; `returns` and `periods` are those of the
    chosen sampling. Trip arrays are of closed trips in the order of their exits; `periods` is None when the
    curve has too few points to have a spacing.
    """

    ts: Times
    equity: Floats
    exposure: Floats
    returns: Floats
    benchmark_returns: Floats | None
    periods: float | None
    start_equity: float
    years: float
    growth: float | None
    annual: float | None
    worst_fall: float | None
    daily: Floats
    monthly: Floats
    pnl: Floats
    side: NDArray[np.int64]
    entry_ts: Times
    exit_ts: Times
    return_frac: Floats
    mae: Floats
    mfe: Floats
    open_trips: int
    traded: float
    fees: float
    maker_share: float | None
    benchmark_growth: float | None


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _with_start(curve: EquityCurve, start_equity: float) -> tuple[Times, Floats, Floats | None]:
    """Put the start equity in front when the curve begins after the first change of value."""
    ts = np.asarray(curve.ts, dtype=np.int64)
    equity = np.asarray(curve.equity, dtype=np.float64)
    benchmark = None if curve.benchmark is None else np.asarray(curve.benchmark, dtype=np.float64)
    if equity.size == 0 or equity[0] == start_equity:
        return ts, equity, benchmark
    before = int(ts[0] - (median_spacing_ns(ts) or 0.0))
    ts, equity = np.insert(ts, 0, before), np.insert(equity, 0, start_equity)
    return ts, equity, None if benchmark is None else np.insert(benchmark, 0, start_equity)


def _benchmark_returns(benchmark: Floats | None, returns: Floats) -> Floats | None:
    if benchmark is None or not np.all(np.isfinite(benchmark)):
        return None
    series = simple_returns(benchmark)
    # A ruined account stops early; the comparison stops with it.
    return series[: returns.size] if series.size >= returns.size else None


def build_sample(
    curve: EquityCurve,
    round_trips: Sequence[RoundTrip],
    fills: Sequence[FillRow],
    start_equity: float,
    *,
    fees: float | None = None,
    days_per_year: float = DAYS_PER_YEAR,
    daily: bool = False,
) -> Sample:
    """Turn the rows of a run into arrays.

    `daily` measures returns between the last values of UTC days instead of between the samples of the curve.
    `fees` is the total paid in the result's currency; without it the fees of the fills are summed.
    """
    ts, equity, benchmark = _with_start(curve, start_equity)
    days = last_of_each_day(ts[1:]) + 1 if ts.size > 1 else np.empty(0, dtype=np.int64)
    if ts.size:
        days = np.insert(days, 0, 0)
    pick = days if daily else np.arange(ts.size)
    returns = simple_returns(equity[pick])
    closed = sorted((trip for trip in round_trips if not trip.open), key=lambda trip: (trip.exit_ts, trip.id))
    notional = [abs(fill.px * fill.qty) for fill in fills]
    makers = sum(size for size, fill in zip(notional, fills, strict=True) if fill.liquidity == "maker")
    years = years_between(int(ts[0]), int(ts[-1]), days_per_year) if ts.size else 0.0
    growth = total_return(start_equity, float(equity[-1])) if equity.size else None
    traded = float(sum(notional))
    return Sample(
        ts=ts,
        equity=equity,
        exposure=np.asarray(curve.exposure, dtype=np.float64),
        returns=returns,
        benchmark_returns=_benchmark_returns(None if benchmark is None else benchmark[pick], returns),
        periods=periods_per_year(ts[pick], days_per_year),
        start_equity=start_equity,
        years=years,
        growth=growth,
        annual=None if growth is None else annualized_return(growth, years),
        worst_fall=max_drawdown(equity),
        daily=simple_returns(equity[days]),
        monthly=month_values(monthly_returns(ts, equity)),
        pnl=_floats([trip.pnl for trip in closed]),
        side=np.array([trip.side for trip in closed], dtype=np.int64),
        entry_ts=np.array([trip.entry_ts for trip in closed], dtype=np.int64),
        exit_ts=np.array([trip.exit_ts for trip in closed], dtype=np.int64),
        return_frac=_floats([trip.return_frac for trip in closed]),
        mae=_floats([trip.mae for trip in closed]),
        mfe=_floats([trip.mfe for trip in closed]),
        open_trips=len(round_trips) - len(closed),
        traded=traded,
        fees=float(sum(fill.fee for fill in fills)) if fees is None else fees,
        maker_share=makers / traded if traded > 0.0 else None,
        benchmark_growth=None
        if benchmark is None or not benchmark.size or not np.isfinite(benchmark[-1])
        else total_return(float(benchmark[0]), float(benchmark[-1])),
    )
