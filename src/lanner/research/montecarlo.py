"""Deal the trades again: how lucky was their order, and what else could the same trades have brought?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError
from lanner.research.significance import checked

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_BATCH = 1_000_000


class Deal(StrEnum):
    """Name how trades are dealt: `resample` with replacement, or `shuffle` the same trades in another order."""

    RESAMPLE = "resample"
    SHUFFLE = "shuffle"


@dataclass(frozen=True, slots=True)
class TradeSimulation:
    """Hold the distribution over simulated histories of as many trades as there were.

    `final_return` and `max_drawdown` map a percentile to a fraction (a drawdown of 0.25 is −25 %); `loss` is the
    share of histories that end below their start, `ruin` of those whose equity falls to `ruin_level` of the
    start or lower. `observed_…` are those of the trades as they came; `drawdown_rank` is the share of
    histories with a smaller drawdown than the observed: near 0, the order of trades was a lucky one.
    """

    final_return: dict[int, float]
    max_drawdown: dict[int, float]
    loss: float
    ruin: float
    ruin_level: float
    observed_return: float
    observed_drawdown: float
    drawdown_rank: float
    trades: int
    histories: int


def _paths(returns: Floats) -> tuple[Floats, Floats, Floats]:
    """Return final equity, deepest drawdown and lowest equity of rows of trade returns, from equity 1."""
    # A trade cannot take more than everything; what is lost stays lost.
    equity = np.cumprod(np.maximum(1.0 + returns, 0.0), axis=1, dtype=np.float64)
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    return equity[:, -1], np.max(1.0 - equity / peak, axis=1), equity.min(axis=1)


def _deals(trades: int, rows: int, rng: np.random.Generator, deal: Deal, block: int) -> NDArray[np.int64]:
    """Return rows of trade numbers; a block keeps neighbouring trades together, around the end if need be."""
    if deal is Deal.SHUFFLE:
        order = np.argsort(rng.random((rows, -(-trades // block))), axis=1) * block
        numbers = (order[:, :, None] + np.arange(block)).reshape(rows, -1)
        # The last block may be short: its missing trades are left out wherever it comes to lie.
        return numbers[numbers < trades].reshape(rows, trades)
    first = rng.integers(0, trades, size=(rows, -(-trades // block)))
    numbers = (first[:, :, None] + np.arange(block)).reshape(rows, -1)[:, :trades]
    return np.asarray(numbers % trades, dtype=np.int64)


def simulate_trades(
    trade_returns: Floats,
    rng: np.random.Generator,
    *,
    histories: int = 1_000,
    deal: Deal = Deal.RESAMPLE,
    block: int = 1,
    ruin_level: float = 0.5,
) -> TradeSimulation:
    """Simulate histories from the returns of closed trades, each as a fraction of the account at its entry.

    Trades compound one after another; positions held at the same time are outside this model. `block` keeps
    that many neighbouring trades together, where wins and losses come in streaks.
    Source: common usage; Davison & Hinkley (1997), "Bootstrap Methods and their Application", ch. 8, for blocks.
    """
    series = checked(trade_returns, 2)
    if histories < 1 or not 1 <= block <= series.size or not 0.0 <= ruin_level < 1.0:
        raise ConfigError(
            "trades cannot be simulated like this",
            expected=f"1 or more histories, a block of 1…{series.size} trades, a ruin level from 0 to below 1",
            found=f"{histories} histories, block {block}, ruin level {ruin_level}",
        )
    final, deepest, lowest = (np.empty(histories) for _ in range(3))
    batch = max(1, _BATCH // series.size)
    for done in range(0, histories, batch):
        part = slice(done, min(done + batch, histories))
        rows = series[_deals(series.size, part.stop - done, rng, deal, block)]
        final[part], deepest[part], lowest[part] = _paths(rows)
    now_final, now_deepest, _ = _paths(series[None, :])
    drawdown = float(now_deepest[0])
    return TradeSimulation(
        final_return=_percentiles(final - 1.0),
        max_drawdown=_percentiles(deepest),
        loss=float(np.mean(final < 1.0 - 1e-12)),
        ruin=float(np.mean(lowest <= ruin_level)),
        ruin_level=ruin_level,
        observed_return=float(now_final[0]) - 1.0,
        observed_drawdown=drawdown,
        drawdown_rank=float(np.mean(deepest < drawdown - 1e-12)),
        trades=series.size,
        histories=histories,
    )


def _percentiles(values: Floats) -> dict[int, float]:
    found = np.percentile(values, PERCENTILES)
    return {name: float(value) for name, value in zip(PERCENTILES, found, strict=True)}
