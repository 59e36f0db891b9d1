"""Would the same trading at random times have done as well? P-values by permutation, without formulas of luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lanner.analysis.periods import Floats
from lanner.core.errors import DataError
from lanner.research.bootstrap import Statistic
from lanner.research.significance import checked

_FEWEST = 8
_BATCH = 2_000_000


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """Hold a one-sided p-value, the observed statistic, and the mean and number of those it was compared with."""

    p_value: float
    observed: float
    expected: float
    permutations: int


def _sharpe(mean: Floats, square: Floats) -> Floats:
    variance = np.maximum(square - mean * mean, 0.0)
    moving = variance > 1e-14 * np.maximum(mean * mean, 1e-300)
    return np.asarray(np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=moving))


def _correlate(positions: Floats, returns: Floats) -> Floats:
    """Return Σₜ positions[t − k]·returns[t] for every circular shift k."""
    spectrum = np.conj(np.fft.rfft(positions)) * np.fft.rfft(returns)
    return np.asarray(np.fft.irfft(spectrum, positions.size))


def shift_test(
    positions: Floats,
    market_returns: Floats,
    *,
    statistic: Statistic = Statistic.SHARPE,
    cost: float = 0.0,
) -> PermutationTest:
    """Compare positions with the same positions at every other time: each circular shift along the market.

    `positions[t]` is the exposure that earns `market_returns[t]`. Exposure, holding times and costs stay what
    they are; only the timing changes, so that a rising market alone does not look like skill. `cost` is the
    mean cost per sample, the same for every shift. All n shifts are counted, none is drawn.
    Formula: #{statistic of shift ≥ statistic observed} / n, the observed one being shift 0.
    Source: Masters (2018), "Permutation and Randomization Tests for Trading System Development".
    """
    held, market = checked(positions, _FEWEST), checked(market_returns, _FEWEST)
    if held.size != market.size:
        raise DataError(
            "positions and returns belong to the same samples",
            expected=f"{market.size} positions",
            found=held.size,
        )
    n = held.size
    gross = _correlate(held, market) / n
    means = gross - cost
    values = means
    if statistic is Statistic.SHARPE:
        # The cost is spread evenly here: Σ(x − c)² = Σx² − 2cΣx + nc².
        square = _correlate(held * held, market * market) / n
        values = _sharpe(means, square - 2.0 * cost * gross + cost * cost)
    observed = float(values[0])
    # The transform rounds: a shift that gives the same result must count as one.
    slack = 1e-9 * max(float(np.std(values)), 1e-300)
    hits = int(np.count_nonzero(values >= observed - slack))
    return PermutationTest(hits / n, observed, float(np.mean(values)), n)


def sign_flip_test(
    returns: Floats,
    rng: np.random.Generator,
    *,
    permutations: int = 1_000,
    block: int = 1,
) -> PermutationTest:
    """Compare a strategy's mean return with those after turning random samples (or blocks) around.

    Exact when returns are symmetric around 0 under the hypothesis of no skill, whatever their volatility does.
    Formula: (1 + #{mean of s·r ≥ mean of r}) / (1 + permutations), s = ±1 per block.
    Source: Fisher (1935), "The Design of Experiments", § 21.
    """
    series = checked(returns, _FEWEST)
    sums = np.add.reduceat(series, np.arange(0, series.size, max(1, block)))
    observed = float(np.sum(sums))
    # Flips that change nothing are ties, which rounding must not break.
    slack = 1e-12 * float(np.sum(np.abs(sums)))
    hits, total = 0, 0.0
    batch = max(1, _BATCH // sums.size)
    for done in range(0, permutations, batch):
        rows = min(batch, permutations - done)
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(rows, sums.size), dtype=np.int8)
        flipped = signs @ sums
        hits += int(np.count_nonzero(flipped >= observed - slack))
        total += float(np.sum(flipped))
    n = series.size
    return PermutationTest(
        (1.0 + hits) / (1.0 + permutations), observed / n, total / permutations / n, permutations
    )
