"""Returns of many variants, kept as count, sum and sum of squares per block of time: memory without bars.

A million variants of a million bars do not fit anywhere; a million variants of 64 blocks do. Sharpe ratios over
any union of blocks follow exactly from the moments, which is all that cross-validation (`pbo`) and the test of
the best of many (`selection`) need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError, DataError

_CHUNK = 4_096
_REL_EPS = 1e-12


@dataclass(frozen=True, slots=True)
class BlockMoments:
    """Hold per-bar returns added up in S blocks of time: `count[S]`, `total[N, S]`, `square[N, S]`.

    `total` is Σ r and `square` Σ r² of the bars of a block, one row per variant. The arrays may be float32 or
    memory-mapped; they are read in chunks of variants.
    """

    count: NDArray[np.int64]
    total: NDArray[np.floating]
    square: NDArray[np.floating]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        blocks = (self.total.shape[0], self.count.size) if self.total.ndim == 2 else None
        if self.count.ndim != 1 or self.total.shape != blocks or self.square.shape != blocks:
            raise DataError(
                "block moments do not fit together",
                expected="count[S], total[N, S], square[N, S]",
                found=f"{self.count.shape}, {self.total.shape}, {self.square.shape}",
            )
        if not self.total.size or np.any(self.count < 1):
            raise DataError("block moments need a variant, and bars in every block", found=self.total.shape)

    @property
    def variants(self) -> int:
        """Return the number of variants, N."""
        return int(self.total.shape[0])

    @property
    def blocks(self) -> int:
        """Return the number of blocks, S."""
        return int(self.count.size)

    @property
    def bars(self) -> int:
        """Return the number of bars in all blocks."""
        return int(np.sum(self.count))

    def merged(self, blocks: int) -> BlockMoments:
        """Return the same moments in fewer blocks; S must be a multiple of `blocks`."""
        if blocks < 1 or self.blocks % blocks:
            raise ConfigError(
                "blocks merge into a whole part of their number",
                expected=f"a divisor of {self.blocks}",
                found=blocks,
            )
        shape = (self.variants, blocks, self.blocks // blocks)
        return BlockMoments(
            np.asarray(self.count.reshape(shape[1:]).sum(axis=1), dtype=np.int64),
            self.total.reshape(shape).sum(axis=2, dtype=np.float64),
            self.square.reshape(shape).sum(axis=2, dtype=np.float64),
        )

    def chunks(self, size: int = _CHUNK) -> Iterator[tuple[int, Floats, Floats]]:
        """Yield (first variant, total, square) of some variants at a time, as float64."""
        for first in range(0, self.variants, size):
            part = slice(first, first + size)
            yield (
                first,
                np.asarray(self.total[part], dtype=np.float64),
                np.asarray(self.square[part], dtype=np.float64),
            )

    def sharpes(self) -> Floats:
        """Return every variant's Sharpe ratio per bar over all blocks (ddof = 1), 0 where nothing varies."""
        bars = float(self.bars)
        parts = [
            sharpe_of_sums(bars, total.sum(axis=1), square.sum(axis=1)) for _, total, square in self.chunks()
        ]
        return np.concatenate(parts)

    def mean_correlation(self) -> float:
        """Return the mean correlation between two variants, measured on block sums; 0 for a single one.

        Formula: (Σ over blocks of (Σ of standardised variants)² / S − N) / (N·(N − 1)).
        """
        across = np.zeros(self.blocks)
        moving = 0
        for _, total, _ in self.chunks():
            mean = total / self.count
            centred = mean - mean.mean(axis=1, keepdims=True)
            spread = centred.std(axis=1)
            live = spread > _REL_EPS * np.maximum(np.abs(mean).max(axis=1), 1e-300)
            across += (centred[live] / spread[live, None]).sum(axis=0)
            moving += int(np.count_nonzero(live))
        if moving < 2:
            return 0.0
        return float((np.sum(across**2) / self.blocks - moving) / (moving * (moving - 1.0)))


def sharpe_of_sums(bars: Floats | float, total: Floats, square: Floats) -> Floats:
    """Return mean / σ (ddof = 1) per bar from counts, sums and sums of squares; 0 where nothing varies."""
    mean = total / bars
    variance = (square - total * mean) / (bars - 1.0)
    noise = _REL_EPS * np.maximum(square / bars, 1e-300)
    moving = variance > noise
    return np.asarray(
        np.divide(mean, np.sqrt(np.where(moving, variance, 1.0)), out=np.zeros_like(mean), where=moving)
    )


def block_edges(bars: int, blocks: int) -> NDArray[np.int64]:
    """Return the `blocks + 1` edges of blocks as equal as whole bars allow."""
    if blocks < 1 or bars < 2 * blocks:
        raise ConfigError(
            "too few bars for these blocks",
            expected=f"at least {2 * blocks} bars for {blocks} blocks",
            found=bars,
        )
    return np.asarray([math.floor(block * bars / blocks) for block in range(blocks + 1)], dtype=np.int64)


def block_moments(returns: Floats, blocks: int = 64) -> BlockMoments:
    """Add up a matrix of per-bar returns, bars × variants, in blocks of (nearly) equal length."""
    matrix = np.asarray(returns, dtype=np.float64)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or not np.all(np.isfinite(matrix)):
        raise DataError("returns are a finite matrix of bars × variants", found=f"shape {matrix.shape}")
    edges = block_edges(matrix.shape[0], blocks)
    return BlockMoments(
        np.diff(edges),
        np.ascontiguousarray(np.add.reduceat(matrix, edges[:-1], axis=0).T),
        np.ascontiguousarray(np.add.reduceat(matrix * matrix, edges[:-1], axis=0).T),
    )
