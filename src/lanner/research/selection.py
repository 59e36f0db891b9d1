"""Is the best of many better than nothing? Tests that know the whole list the winner was picked from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError, DataError
from lanner.research.blocks import BlockMoments
from lanner.research.bootstrap import Scheme, block_length, resample_weights

# Resampled means held at a time, 32 MB of them.
_BATCH = 4_000_000
_FEWEST_ROWS = 32
_REL_EPS = 1e-12

Weights = NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class SelectionTest:
    """Hold the p-values of "the best variant earns no more than the benchmark".

    `p_value` is the one to use (Hansen's consistent one); it lies between `p_lower` and `p_upper`.
    `p_reality_check` is White's, without studentising. `judged` is the variant with the highest t-value (or the
    one asked for), `statistic` its t-value, `rows` the observations resampled.
    """

    p_value: float
    p_lower: float
    p_upper: float
    p_reality_check: float
    judged: int
    statistic: float
    variants: int
    rows: int
    resamples: int


class _Contest:
    """Hold the running maxima over chunks of variants: of the observed values and of each resample."""

    def __init__(self, resamples: int, chosen: int | None) -> None:
        self.chosen = chosen
        self.judged, self.statistic, self.top_mean = chosen or 0, 0.0, 0.0
        self.maxima = {kind: np.zeros(resamples) for kind in ("lower", "consistent", "upper", "plain")}

    def enter(self, first: int, mean: Floats, error: Floats, drawn: Floats, bad: float) -> None:
        """Add a chunk: means[c] with their standard errors, and resampled means less the observed[resamples, c]."""
        own = drawn.std(axis=0)
        where = np.flatnonzero((own > _REL_EPS * np.maximum(np.abs(mean), 1e-300)) & (error > 0.0))
        if not where.size:
            return
        mean, drawn, value = mean[where], drawn[:, where], mean[where] / error[where]
        self._observe(first + where, mean, value)
        self._raise("plain", drawn)
        drawn = drawn / own[where]
        self._raise("upper", drawn)
        # What is clearly bad cannot be the best by luck; leaving it its true mean keeps it from blunting the test.
        self._raise("consistent", drawn + np.where(value < -bad, value, 0.0))
        self._raise("lower", drawn + np.minimum(value, 0.0))

    def _observe(self, variants: NDArray[np.int64], mean: Floats, value: Floats) -> None:
        if self.chosen is not None:
            own = variants == self.chosen
            mean, value, variants = mean[own], value[own], variants[own]
        if not value.size:
            return
        top = int(np.argmax(value))
        if value[top] > self.statistic:
            self.judged, self.statistic = int(variants[top]), float(value[top])
        self.top_mean = max(self.top_mean, float(np.max(mean)))

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
) -> Weights:
    """Return all weights in a small type: they are used again for every chunk of variants."""
    kind = np.uint16 if rows < 65_536 else np.uint32
    parts = [part.astype(kind) for part in resample_weights(rows, resamples, rng, block=block, scheme=scheme)]
    return np.concatenate(parts)


def _run(
    sums: NDArray[np.floating],
    counts: Floats,
    weights: Weights,
    errors: Callable[[int, Floats, Floats], Floats],
    chosen: int | None,
) -> SelectionTest:
    """Test variants × rows of sums, `counts` bars in each row; `errors` gives the standard errors of a chunk."""
    variants, rows = sums.shape
    if chosen is not None and not 0 <= chosen < variants:
        raise ConfigError("there is no such variant", expected=f"0…{variants - 1}", found=chosen)
    if rows < _FEWEST_ROWS:
        raise DataError(
            "too few rows to resample", expected=f"at least {_FEWEST_ROWS}", found=rows,
            fix="Keep more and shorter blocks of time.",
        )  # fmt: skip
    resamples, total = weights.shape[0], float(np.sum(counts))
    bars = np.concatenate([part @ counts for part in _parts(weights)])
    contest = _Contest(resamples, chosen)
    bad = math.sqrt(2.0 * math.log(math.log(total)))
    chunk = max(1, _BATCH // resamples)
    for first in range(0, variants, chunk):
        part = np.asarray(sums[first : first + chunk], dtype=np.float64)
        mean = part.sum(axis=1) / total
        drawn = np.concatenate([piece @ part.T for piece in _parts(weights)]) / bars[:, None] - mean
        contest.enter(first, mean, errors(first, part, drawn), drawn, bad)
    return SelectionTest(
        contest.p("consistent"), contest.p("lower"), contest.p("upper"), contest.p("plain"),
        contest.judged, contest.statistic, variants, rows, resamples,
    )  # fmt: skip


def _parts(weights: Weights) -> Iterator[Floats]:
    """Yield the weights as floats, a batch at a time when they are many."""
    rows = max(1, _BATCH // weights.shape[1])
    for first in range(0, weights.shape[0], rows):
        yield weights[first : first + rows].astype(np.float64)


def superior_ability(
    performance: Floats,
    rng: np.random.Generator,
    *,
    chosen: int | None = None,
    resamples: int = 1_000,
    block: float | None = None,
    scheme: Scheme = Scheme.STATIONARY,
) -> SelectionTest:
    """Test the best of N variants from per-bar returns, bars × variants, in excess of the benchmark.

    The benchmark is 0 (cash) unless returns of another are subtracted first. `block` is the mean length of
    resampled blocks; without one it is the longest that `block_length` finds for the best ten variants. Where
    another than the best by t-value was picked, name it as `chosen`: its p-value against the best by luck.
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
    rows = matrix.shape[0]
    weights = _stored_weights(rows, resamples, rng, block, scheme)
    # Resamples vary a little too little: each gives up one mean per block.
    fair = math.sqrt(rows / max(rows - block, 1.0))
    return _run(
        matrix.T, np.ones(rows), weights, lambda _first, _part, drawn: drawn.std(axis=0) * fair, chosen
    )


def superior_ability_of_blocks(
    moments: BlockMoments,
    rng: np.random.Generator,
    *,
    chosen: int | None = None,
    resamples: int = 1_000,
) -> SelectionTest:
    """Test the best of N variants from block moments, up to a million of them in bounded memory.

    Whole blocks are resampled, at least 32 of them (64 or more are better), so a block should be longer than
    the strategies' memory. Formula and sources as `superior_ability`, with blocks of one fixed length that do
    not overlap (Carlstein 1986). Some dozens of blocks measure a variance badly, and the best of many would
    be the one whose variance came out too small; so the standard error is σ/√n of the bars, made larger where
    the blocks of this variant, or of all on average, vary more than independent bars would.
    """
    counts = moments.count.astype(np.float64)
    weights = _stored_weights(moments.blocks, resamples, rng, 1.0, Scheme.CIRCULAR)
    pooled = _mean_inflation(moments)

    def errors(first: int, part: Floats, _drawn: Floats) -> Floats:
        square = np.asarray(moments.square[first : first + part.shape[0]], dtype=np.float64)
        variance, inflation = _inflation(counts, part, square)
        return np.asarray(np.sqrt(variance / float(np.sum(counts)) * np.maximum(inflation, max(pooled, 1.0))))

    return _run(moments.total, counts, weights, errors, chosen)


def _inflation(counts: Floats, total: Floats, square: Floats) -> tuple[Floats, Floats]:
    """Return the variance per bar, and how many times as much the blocks vary as independent bars would."""
    bars = float(np.sum(counts))
    mean = total.sum(axis=1) / bars
    variance = np.maximum(square.sum(axis=1) / bars - mean * mean, 0.0)
    off = total - mean[:, None] * counts
    between = np.sum(off * off, axis=1) / bars * counts.size / (counts.size - 1.0)
    return variance, np.divide(between, variance, out=np.ones_like(variance), where=variance > 0.0)


def _mean_inflation(moments: BlockMoments) -> float:
    counts = moments.count.astype(np.float64)
    added = sum(float(np.sum(_inflation(counts, total, square)[1])) for _, total, square in moments.chunks())
    return added / moments.variants
