"""Several objectives at once: which variants is no other better than in every respect?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import DataError


def _matrix(scores: Floats) -> Floats:
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise DataError("scores are a matrix of variants × objectives", found=f"shape {matrix.shape}")
    return matrix


def _front(points: Floats) -> NDArray[np.bool_]:
    """Return which of the points are on the front; the points are sorted, best first objective first."""
    if points.shape[1] == 1:
        return np.asarray(points[:, 0] == points[0, 0])
    if points.shape[1] == 2:
        # In this order only an earlier point can dominate, and only by its second objective.
        before = np.concatenate(([-np.inf], np.maximum.accumulate(points[:, 1])[:-1]))
        same = np.concatenate(([False], np.all(points[1:] == points[:-1], axis=1)))
        kept = points[:, 1] > before
        # An equal of a point on the front is on it too; equals stand next to each other.
        first = np.maximum.accumulate(np.where(same, 0, np.arange(points.shape[0])))
        return np.asarray(kept[first])
    left = np.arange(points.shape[0])
    front = np.zeros(points.shape[0], dtype=np.bool_)
    while left.size:
        # The first of what is left is dominated by nobody: whoever could stand before it is gone.
        here = points[left[0]]
        front[left[0]] = True
        others = points[left]
        equal = np.all(others == here, axis=1)
        front[left[equal]] = True
        left = left[np.any(others > here, axis=1)]
    return front


def pareto_front(scores: Floats) -> NDArray[np.int64]:
    """Return the variants on the front, in their order: no other is as good everywhere and better somewhere.

    `scores` are variants × objectives, higher is better; a variant with a NaN is on no front. Equal variants
    are on the front together.
    """
    return np.asarray(np.flatnonzero(pareto_ranks(scores, fronts=1) == 0), dtype=np.int64)


def pareto_ranks(scores: Floats, fronts: int | None = None) -> NDArray[np.int64]:
    """Return the front of every variant: 0 the best, 1 what is best without those, …; −1 with a NaN.

    With `fronts`, stop after that many; what is left is −1 too.
    Source: Deb et al. (2002), non-dominated sorting of NSGA-II.
    """
    matrix = _matrix(scores)
    ranks = np.full(matrix.shape[0], -1, dtype=np.int64)
    usable = np.flatnonzero(~np.any(np.isnan(matrix), axis=1))
    # Sorted by all objectives, a point can only be dominated by one before it.
    left = usable[np.lexsort(-matrix[usable][:, ::-1].T)] if usable.size else usable
    level = 0
    while left.size and (fronts is None or level < fronts):
        on_front = _front(matrix[left])
        ranks[left[on_front]] = level
        left = left[~on_front]
        level += 1
    return ranks
