"""Is the best of many better than nothing? Tests that know the whole list the winner was picked from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import DataError
from lanner.research.blocks import BlockMoments
from lanner.research.bootstrap import Scheme, block_length, resample_weights

# Resampled means held at a time, 32 MB of them.
_BATCH = 4_000_000
_FEWEST_ROWS = 32


@dataclass(frozen=True, slots=True)
class SelectionTest:
    """Hold the p-values of "the best variant earns no more than the benchmark".

    `p_value` is the one to use (Hansen's consistent one); it lies between `p_lower` and `p_upper`.
    `p_reality_check` is White's, without studentising. `best` is the variant with the highest t-value,
    `statistic` that value, `rows` the observations resampled.
    """

    p_value: float
    p_lower: float
    p_upper: float
    p_reality_check: float
    best: int
    statistic: float
    variants: int
    rows: int
    resamples: int


class _Contest:
    """Hold the running maxima over chunks of variants: of the observed values and of each resample."""

    def __init__(self, resamples: int) -> None:
        self.best, self.statistic, self.top_mean = 0, 0.0, 0.0
        self.maxima = {kind: np.zeros(resamples) for kind in ("lower", "consistent", "upper", "plain")}

    def enter(self, first: int, mean: Floats, drawn: Floats, error: Floats, bad: float) -> None:
        """Add a chunk: observed means[c], resampled means minus observed[resamples, c], standard errors[c]."""
        live = error > 1e-12 * np.maximum(np.abs(mean), 1e-300)
        if not np.any(live):
            return
        where = np.flatnonzero(live)
        mean, drawn, error = mean[where], drawn[:, where], error[where]
        value = mean / error
        top = int(np.argmax(value))
        if value[top] > self.statistic:
            self.best, self.statistic = first + int(where[top]), float(value[top])
        self.top_mean = max(self.top_mean, float(np.max(mean)))
        self._raise("plain", drawn)
        drawn = drawn / error
        self._raise("upper", drawn)
        # What is clearly bad cannot be the best by luck; leaving it its true mean keeps it from blunting the test.
        self._raise("consistent", drawn + np.where(value < -bad, value, 0.0))
        self._raise("lower", drawn + np.minimum(value, 0.0))

    def _raise(self, kind: str, drawn: Floats) -> None:
        np.maximum(self.maxima[kind], drawn.max(axis=1), out=self.maxima[kind])

    def p(self, kind: str) -> float:
        """Return the share of resamples, the observed one included, in which luck did at least as well."""
        observed = self.top_mean if kind == "plain" else self.statistic
        if observed <= 0.0:
            return 1.0
        hits = int(np.count_nonzero(self.maxima[kind] >= observed))
        return (1.0 + hits) / (1.0 + self.maxima[kind].size)


def _stored_weights(
    rows: int, resamples: int, rng: np.random.Generator, block: float, scheme: Scheme
) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """Return all weights in a small type: they are used again for every chunk of variants."""
    kind = np.uint16 if rows < 65_536 else np.uint32
    parts = [part.astype(kind) for part in resample_weights(rows, resamples, rng, block=block, scheme=scheme)]
    return np.concatenate(parts)


def _run(
    sums: NDArray[np.floating],
    counts: Floats,
    rng: np.random.Generator,
    resamples: int,
    block: float,
    scheme: Scheme,
) -> SelectionTest:
    """Test variants × rows of sums, `counts` bars in each row."""
    variants, rows = sums.shape
    if rows < _FEWEST_ROWS:
        raise DataError(
            "too few rows to resample", expected=f"at least {_FEWEST_ROWS}", found=rows,
            fix="Keep more and shorter blocks of time.",
        )  # fmt: skip
    weights = _stored_weights(rows, resamples, rng, block, scheme)
    bars = np.concatenate([part @ counts for part in _parts(weights)])
    contest = _Contest(resamples)
    bad = math.sqrt(2.0 * math.log(math.log(float(np.sum(counts)))))
    # Resampled rows lose one degree of freedom; with few rows it shows.
    fair = math.sqrt(rows / max(rows - block, 1.0))
    chunk = max(1, _BATCH // resamples)
    for first in range(0, variants, chunk):
        part = np.asarray(sums[first : first + chunk], dtype=np.float64)
        mean = part.sum(axis=1) / float(np.sum(counts))
        drawn = np.concatenate([piece @ part.T for piece in _parts(weights)])
        drawn = (drawn / bars[:, None] - mean) * fair
        contest.enter(first, mean, drawn, drawn.std(axis=0), bad)
    return SelectionTest(
        contest.p("consistent"), contest.p("lower"), contest.p("upper"), contest.p("plain"),
        contest.best, contest.statistic, variants, rows, resamples,
    )  # fmt: skip


def _parts(weights: NDArray[np.uint16] | NDArray[np.uint32]) -> list[Floats]:
    """Return the weights as floats, a batch at a time when they are many."""
    rows = max(1, _BATCH // weights.shape[1])
    return [weights[i : i + rows].astype(np.float64) for i in range(0, weights.shape[0], rows)]


def superior_ability(
    performance: Floats,
    rng: np.random.Generator,
    *,
    resamples: int = 1_000,
    block: float | None = None,
    scheme: Scheme = Scheme.STATIONARY,
) -> SelectionTest:
    """Test the best of N variants from per-bar returns, bars × variants, in excess of the benchmark.

    The benchmark is 0 (cash) unless returns of another are subtracted first. `block` is the mean length of
    resampled blocks; without one it is the longest that `block_length` finds for the best ten variants.
    Formula: max over variants of mean / standard error, against the same maximum in stationary resamples
    around each variant's own mean, kept below 0 where that is under −√(2·ln ln n) standard errors.
    Source: Hansen (2005), "A Test for Superior Predictive Ability"; White (2000), "A Reality Check for Data Snooping".
    """
    matrix = np.asarray(performance, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.all(np.isfinite(matrix)):
        raise DataError("performance is a finite matrix of bars × variants", found=f"shape {matrix.shape}")
    if block is None:
        deviation = matrix.std(axis=0)
        score = np.divide(
            matrix.mean(axis=0), deviation, out=np.full(matrix.shape[1], -np.inf), where=deviation > 0.0
        )
        block = max(block_length(matrix[:, column], scheme) for column in np.argsort(-score)[:10])
    return _run(matrix.T, np.ones(matrix.shape[0]), rng, resamples, block, scheme)


def superior_ability_of_blocks(
    moments: BlockMoments, rng: np.random.Generator, *, resamples: int = 1_000
) -> SelectionTest:
    """Test the best of N variants from block moments, up to a million of them in bounded memory.

    Whole blocks are resampled, at least 32 of them (64 or more are better), so a block should be longer than
    the strategies' memory. Formula and sources as `superior_ability`, with blocks of one fixed length that do
    not overlap (Carlstein 1986).
    """
    counts = moments.count.astype(np.float64)
    return _run(moments.total, counts, rng, resamples, 1.0, Scheme.CIRCULAR)
