"""What a search maximises: the objectives, from statistics of one variant or of a million at once.

Each objective names the statistics it needs. A sweep fills a table of those, one array entry per variant; a
single run fills it with `run_statistics`. Scores are always to be maximised (a drawdown counts negative) and
agree with the metric of the same name. Where the metric has no value, because its denominator is 0, a ranking
still has to place the variant:

- no variation, no loss or no drawdown, but a gain: the numerator times 10, as if the denominator were 0.1;
- no losing trade: a profit factor of 999;
- nothing happened at all: NaN, which ranks last. Doing nothing is not the safest variant.

A perfect score from two trades is still luck: pass `min_trades` to leave those unranked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lanner.analysis import returns as of_returns
from lanner.analysis import trades as of_trades
from lanner.analysis.periods import Floats
from lanner.analysis.sample import Sample
from lanner.core.errors import ConfigError, InternalFaultError

NO_LOSS_FACTOR = 999.0
_DEGENERATE = 10.0

Number = Floats | float


class Direction(StrEnum):
    """Say which way the metric behind an objective is better; its score is higher when better in any case."""

    MAXIMISE = "maximise"
    MINIMISE = "minimise"


# Statistics that accumulate bar by bar or trade by trade, and those that take the whole curve.
STREAMING = {
    "mean": "mean return per bar",
    "sigma": "sample standard deviation of returns per bar",
    "downside": "√(mean of min(r, 0)²) per bar",
    "gains": "Σ max(r, 0)",
    "losses": "Σ max(−r, 0)",
    "growth": "total return, a fraction",
    "annual": "compound annual growth rate",
    "max_drawdown": "deepest fall from a peak, a positive fraction",
    "won": "Σ profit of winning closed trades",
    "lost": "Σ |loss| of losing closed trades",
    "wins": "number of winning closed trades",
    "trades": "number of closed trades",
    "periods": "bars per year",
}
WHOLE_CURVE = {
    "tail_high": "|95th percentile| of returns",
    "tail_low": "|5th percentile| of returns",
    "straightness": "R² of a line through log equity",
}


@dataclass(frozen=True, slots=True)
class Objective:
    """Describe an objective: what it needs (names of statistics) and the function of exactly those, in order."""

    name: str
    label: str
    direction: Direction
    needs: tuple[str, ...]
    function: Callable[..., Floats]

    @property
    def streaming(self) -> bool:
        """Return whether running sums are enough, without keeping the returns."""
        return all(need in STREAMING for need in self.needs)

    def score(self, statistics: Mapping[str, Number], min_trades: int = 0) -> Floats:
        """Return the score of every variant, higher is better; NaN is not ranked.

        `statistics` maps names to numbers or to arrays of one length; `trades` is needed with `min_trades`.
        """
        wanted = (*self.needs, "trades") if min_trades > 0 else self.needs
        missing = [need for need in wanted if need not in statistics]
        if missing:
            raise InternalFaultError(f"objective {self.name} lacks statistics", expected=", ".join(missing))
        values = [np.asarray(statistics[need], dtype=np.float64) for need in self.needs]
        with np.errstate(all="ignore"):
            score = np.asarray(self.function(*values), dtype=np.float64)
        usable = np.isfinite(score)
        if min_trades > 0:
            usable = usable & (np.asarray(statistics["trades"], dtype=np.float64) >= min_trades)
        return np.where(usable, score, np.nan)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; by 0.1 where the denominator is 0, and to no value where both are."""
    plain = numerator / np.where(denominator > 0.0, denominator, 1.0)
    fallen = np.where(numerator == 0.0, np.nan, numerator * _DEGENERATE)
    return np.where(denominator > 0.0, plain, fallen)


def _sharpe(mean: Floats, sigma: Floats, periods: Floats) -> Floats:
    return _ratio(mean * periods, sigma * np.sqrt(periods))


def _sortino(mean: Floats, downside: Floats, periods: Floats) -> Floats:
    return _ratio(mean * periods, downside * np.sqrt(periods))


def _profit_factor(won: Floats, lost: Floats) -> Floats:
    plain = won / np.where(lost > 0.0, lost, 1.0)
    return np.where(lost > 0.0, plain, np.where(won > 0.0, NO_LOSS_FACTOR, np.nan))


def _win_rate(wins: Floats, trades: Floats) -> Floats:
    return np.where(trades > 0.0, wins / np.maximum(trades, 1.0), np.nan)


def _drawdown(max_drawdown: Floats, sigma: Floats) -> Floats:
    return np.where(sigma > 0.0, -max_drawdown, np.nan)


def _stability(straightness: Floats, growth: Floats) -> Floats:
    """A straight way down is as straight as one up: a loss counts negative."""
    return np.where(growth < 0.0, -straightness, straightness)


def _risk_adjusted(
    mean: Floats, sigma: Floats, periods: Floats, won: Floats, lost: Floats, wins: Floats, trades: Floats
) -> Floats:
    sharpe = np.where(sigma > 0.0, mean * np.sqrt(periods) / np.where(sigma > 0.0, sigma, 1.0), 0.0)
    factor = np.nan_to_num(np.minimum(_profit_factor(won, lost), 3.0), nan=0.0)
    return 0.5 * np.maximum(sharpe, 0.0) + 0.3 * factor / 3.0 + 0.2 * _win_rate(wins, trades)


_UP, _DOWN = Direction.MAXIMISE, Direction.MINIMISE

OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("sharpe", "Sharpe", _UP, ("mean", "sigma", "periods"), _sharpe),
        Objective("sortino", "Sortino", _UP, ("mean", "downside", "periods"), _sortino),
        Objective("calmar", "Calmar", _UP, ("annual", "max_drawdown"), _ratio),
        Objective("omega", "Omega", _UP, ("gains", "losses"), _ratio),
        Objective("tail_ratio", "Tail ratio", _UP, ("tail_high", "tail_low"), _ratio),
        Objective("stability", "Stability R²", _UP, ("straightness", "growth"), _stability),
        Objective("profit_factor", "Profit factor", _UP, ("won", "lost"), _profit_factor),
        Objective("win_rate", "Win rate", _UP, ("wins", "trades"), _win_rate),
        Objective("max_drawdown", "Max drawdown", _DOWN, ("max_drawdown", "sigma"), _drawdown),
        Objective("net_profit", "Net of closed trades", _UP, ("won", "lost"), lambda won, lost: won - lost),
        Objective("total_return", "Total return", _UP, ("growth",), lambda growth: growth),
        Objective(
            "risk_adjusted", "Risk-adjusted score", _UP,
            ("mean", "sigma", "periods", "won", "lost", "wins", "trades"), _risk_adjusted,
        ),
    )
}  # fmt: skip


def objective(name: str) -> Objective:
    """Return the objective of this name; a ConfigError lists the names there are."""
    found = OBJECTIVES.get(name)
    if found is None:
        near = get_close_matches(name, OBJECTIVES, n=1)
        raise ConfigError(
            f"there is no objective {name!r}",
            expected=f"one of {', '.join(OBJECTIVES)}",
            fix=f"Did you mean {near[0]!r}?" if near else None,
        )
    return found


def run_statistics(
    returns: Floats,
    pnl: Floats,
    *,
    periods: float | None,
    growth: float | None,
    annual: float | None,
    max_drawdown: float | None,
) -> dict[str, float]:
    """Return every statistic of one run from its returns per bar and the net profit of its closed trades.

    A statistic that is not defined for the run is NaN.
    """
    known: dict[str, float | None] = {
        "mean": float(np.mean(returns)) if returns.size else None,
        "sigma": of_returns.sigma(returns),
        "downside": float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))) if returns.size > 1 else None,
        "gains": float(np.sum(np.maximum(returns, 0.0))),
        "losses": float(np.sum(np.maximum(-returns, 0.0))),
        "growth": growth,
        "annual": annual,
        "max_drawdown": max_drawdown,
        "won": of_trades.total_profit(pnl),
        "lost": of_trades.total_loss(pnl),
        "wins": of_trades.winning_trades(pnl),
        "trades": of_trades.total_trades(pnl),
        "periods": periods,
        "straightness": of_returns.stability(returns),
    }
    high, low = np.percentile(returns, (95, 5)) if returns.size > 1 else (np.nan, np.nan)
    known["tail_high"], known["tail_low"] = abs(float(high)), abs(float(low))
    return {name: float("nan") if value is None else value for name, value in known.items()}


def sample_statistics(sample: Sample) -> dict[str, float]:
    """Return every statistic of a run that was measured for its metrics (`lanner.analysis.sample.build_sample`)."""
    return run_statistics(
        sample.returns, sample.pnl, periods=sample.periods, growth=sample.growth, annual=sample.annual,
        max_drawdown=sample.worst_fall,
    )  # fmt: skip


def ranked(scores: Floats, top: int | None = None) -> NDArray[np.int64]:
    """Return the variants from best to worst: ties in their order, unranked ones (NaN) last, `top` of them."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    return np.asarray(order if top is None else order[:top], dtype=np.int64)
