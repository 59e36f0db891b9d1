"""What a backtest hands back: plain rows and arrays that reports, exports and the run store read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.records import Attribution, EquityCurve, FillRow, RoundTrip

__all__ = [
    "Assumption",
    "Attribution",
    "BacktestResult",
    "EquityCurve",
    "FillRow",
    "OrderRow",
    "PriceSeries",
    "RoundTrip",
    "named_params",
]


@dataclass(slots=True)
class OrderRow:
    """Hold the last known state of one order.

    `reject_code` is the venue's word for a refusal (`MIN_NOTIONAL`), or the risk limit's (`MAX_ORDER_NOTIONAL`).
    """

    order_id: str
    strategy_id: str
    instrument_id: str
    side: int
    type: str
    qty: float
    px: float | None
    stop_px: float | None
    tif: str
    status: str
    cum_qty: float
    avg_px: float | None
    ts_init: int
    ts_last: int
    reason: str
    reject_code: str = ""


@dataclass(slots=True)
class Assumption:
    """Name one modelling choice of the run; `flatters` says that reality is likely to be worse than this."""

    name: str
    value: str
    flatters: bool
    text: str


@dataclass(slots=True)
class PriceSeries:
    """Hold bars for the candle chart: open times in UNIX nanoseconds, at most 5,000 bars."""

    instrument_id: str
    spec: str
    ts: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


@dataclass(slots=True)
class BacktestResult:
    """Hold everything that one run produced and everything needed to believe it.

    `data` has one passport summary per data set: `id, kind, rows, start, end, hash, synthetic, problems`.
    `metrics` has every name of `lanner.analysis.METRICS`; None means "not defined for this run".
    """

    run_id: str
    name: str
    strategy: str
    params: dict[str, object]
    instruments: list[str]
    data: list[dict[str, object]]
    since_ns: int
    until_ns: int
    currency: str
    start_equity: Decimal
    end_equity: Decimal
    fees: Decimal
    funding: Decimal
    events: int
    seconds: float
    events_per_second: float
    equity: EquityCurve
    round_trips: list[RoundTrip]
    fills: list[FillRow]
    orders: list[OrderRow]
    attribution: Attribution
    metrics: dict[str, float | None]
    assumptions: list[Assumption]
    warnings: list[str]
    series: list[PriceSeries]
    state_hash: str
    data_hash: str
    code_hash: str
    seed: int
    config: dict[str, object]
    created_at: str
    version: str


def named_params(params: Mapping[str, object]) -> dict[str, object]:
    """Return parameters by name; those of several strategies as ``strategy.name``."""
    found: dict[str, object] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": own for inner, own in value.items()}
        else:
            found[name] = value
    return found
