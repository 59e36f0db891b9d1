"""Probability of backtest overfitting: does the best in one half of time stay good in the other half?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError, DataError
from lanner.research.blocks import BlockMoments, sharpe_of_sums

MOST_COMBINATIONS = 12_870
# Sharpe ratios held at a time, 16 MB of them.
_BATCH = 2_000_000


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Hold the result of combinatorially symmetric cross-validation, one entry per split of the blocks.

    `probability` is the share of splits in which the variant chosen in sample ranks in the lower half out of
    sample (`logits` ≤ 0). `chosen` are those variants, `in_sample` and `out_of_sample` their Sharpe ratios per
    bar. `slope` and `intercept` are of the line through those points, `loss_probability` the share of splits in
    which the chosen variant lost money out of sample.
    """

    probability: float
    logits: Floats
    chosen: NDArray[np.int64]
    in_sample: Floats
    out_of_sample: Floats
    slope: float
    intercept: float
    loss_probability: float
    variants: int


def _splits(blocks: int, most: int, rng: np.random.Generator | None) -> Floats:
    """Return rows of 0 and 1 that choose half of the blocks; all of them, or a sample without repetition."""
    half = blocks // 2
    count = math.comb(blocks, half)
    if count <= most:
        chosen = np.array(list(combinations(range(blocks), half)))
        masks = np.zeros((count, blocks))
        np.put_along_axis(masks, chosen, 1.0, axis=1)
        return masks
    if rng is None:
        raise ConfigError(
            f"{count} splits are too many", expected=f"at most {most}, or a seeded generator that draws some"
        )
    drawn: dict[bytes, None] = {}
    while len(drawn) < most:
        order = np.argsort(rng.random((most, blocks)), axis=1)
        masks = np.zeros((most, blocks), dtype=np.uint8)
        np.put_along_axis(masks, order[:, :half], 1, axis=1)
        drawn.update(dict.fromkeys(row.tobytes() for row in masks))
    rows = list(drawn)[:most]
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(most, blocks).astype(np.float64)


def _select(moments: BlockMoments, masks: Floats, size: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return per split the variant with the highest Sharpe ratio in sample, and its two Sharpe ratios."""
    splits = np.arange(masks.shape[0])
    inside, outside = masks @ moments.count, (1.0 - masks) @ moments.count
    chosen = np.zeros(splits.size, dtype=np.int64)
    top, after = np.full(splits.size, -np.inf), np.zeros(splits.size)
    for first, total, square in moments.chunks(size):
        ratio = sharpe_of_sums(inside[:, None], masks @ total.T, masks @ square.T)
        best = np.argmax(ratio, axis=1)
        better = ratio[splits, best] > top
        pick = best[better]
        chosen[better] = first + pick
        top[better] = ratio[better, pick]
        rest = 1.0 - masks[better]
        after[better] = sharpe_of_sums(
            outside[better], np.sum(rest * total[pick], axis=1), np.sum(rest * square[pick], axis=1)
        )
    return chosen, top, after


def _ranks(
    moments: BlockMoments, masks: Floats, chosen: NDArray[np.int64], after: Floats, size: int
) -> Floats:
    """Return per split the rank of the chosen variant out of sample, 1 the worst, ties in the middle."""
    rest = 1.0 - masks
    bars = (rest @ moments.count)[:, None]
    # The same number comes out of two differently shaped products with other last digits.
    slack = 1e-9 * np.maximum(np.abs(after), 1e-6)[:, None]
    rank = np.ones(masks.shape[0])
    for first, total, square in moments.chunks(size):
        ratio = sharpe_of_sums(bars, rest @ total.T, rest @ square.T) - after[:, None]
        below = np.count_nonzero(ratio < -slack, axis=1)
        ties = np.count_nonzero(np.abs(ratio) <= slack, axis=1)
        own = (chosen >= first) & (chosen < first + total.shape[0])
        rank += below + 0.5 * (ties - own)
    return rank


def overfitting_probability(
    moments: BlockMoments,
    rng: np.random.Generator | None = None,
    *,
    combinations_at_most: int = MOST_COMBINATIONS,
) -> Overfitting:
    """Split time in every way into two halves of blocks, choose in one half, look in the other.

    `moments` has an even number of blocks, 16 as a rule (`moments.merged(16)`): all 12,870 splits. With more
    splits than `combinations_at_most`, a sample of that many is drawn from `rng`. Work grows with variants ×
    splits, memory does not.
    Formula: λ = ln(ω / (1 − ω)), ω = rank out of sample / (N + 1); PBO = share of λ ≤ 0.
    Source: Bailey, Borwein, López de Prado & Zhu (2017), "The Probability of Backtest Overfitting".
    """
    if moments.blocks < 4 or moments.blocks % 2:
        raise ConfigError(
            "cross-validation halves its blocks", expected="an even number from 4", found=moments.blocks
        )
    if moments.variants < 2:
        raise DataError(
            "choosing takes variants to choose from", expected="at least 2", found=moments.variants
        )
    masks = _splits(moments.blocks, combinations_at_most, rng)
    size = max(1, _BATCH // masks.shape[0])
    chosen, before, after = _select(moments, masks, size)
    omega = _ranks(moments, masks, chosen, after, size) / (moments.variants + 1.0)
    logits = np.log(omega / (1.0 - omega))
    spread = before - before.mean()
    square = float(spread @ spread)
    slope = float(spread @ after) / square if square > 1e-24 * before.size else 0.0
    return Overfitting(
        # An exact middle rank is a logit of 0 up to rounding.
        probability=float(np.mean(logits <= 1e-12)),
        logits=logits,
        chosen=chosen,
        in_sample=before,
        out_of_sample=after,
        slope=slope,
        intercept=float(after.mean() - slope * before.mean()),
        loss_probability=float(np.mean(after < 0.0)),
        variants=moments.variants,
    )
