"""The rows that statistics are made of: fills, round trips, the equity curve and the attribution of profit.

They live below the drivers so that a backtest, a paper session and a live session are measured by the same
code.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class RoundTrip:
    """Hold one entry and its exit, as statistics see it.

    Times are UNIX nanoseconds; `side` is 1 for long and -1 for short. `pnl` is net: `pnl_gross - fees +
    funding`, in the currency of the result. `fees` is a cost (positive when paid), `funding` a receipt
    (negative when paid), `slippage` a cost already contained in the prices. `return_frac` is `pnl` over the
    entry's cost. `mae` and `mfe` are the worst and best unrealised returns while the position was open, as
    fractions of the entry price (`mae <= 0 <= mfe`). `open` marks a position that was still held at the end
    and is valued at the last price.
    """

    id: int
    instrument_id: str
    strategy_id: str
    side: int
    entry_ts: int
    exit_ts: int
    entry_px: float
    exit_px: float
    qty: float
    pnl: float
    pnl_gross: float
    fees: float
    funding: float
    slippage: float
    return_frac: float
    entry_reason: str
    exit_reason: str
    open: bool
    mae: float
    mfe: float


@dataclass(slots=True)
class FillRow:
    """Hold one execution: `side` 1 buys, -1 sells; `liquidity` is `maker` or `taker`; `slippage` a cost."""

    ts: int
    instrument_id: str
    strategy_id: str
    order_id: str
    trade_id: str
    side: int
    px: float
    qty: float
    fee: float
    fee_currency: str
    liquidity: str
    slippage: float
    reason: str


@dataclass(slots=True)
class EquityCurve:
    """Hold the account's value through time: arrays of one length, times in UNIX nanoseconds, ascending.

    `benchmark` is buy-and-hold of the first instrument from the same start equity, or None. `exposure` is
    gross notional over equity (0 flat, 1 fully invested, above 1 leveraged).
    """

    ts: NDArray[np.int64]
    equity: NDArray[np.float64]
    benchmark: NDArray[np.float64] | None
    exposure: NDArray[np.float64]


@dataclass(slots=True)
class Attribution:
    """Split the profit of a run into its causes; costs are negative, the parts sum to `total` exactly."""

    price: Decimal
    fees: Decimal
    funding: Decimal
    slippage: Decimal
    total: Decimal
