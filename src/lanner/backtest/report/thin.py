"""Make long series small enough for a page without losing what a reader looks for: the peaks and the falls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def thin_indices(series: list[Floats], limit: int) -> NDArray[np.int64]:
    """Return at most `limit` indices, ascending, that keep the extremes of every series.

    The samples are cut into buckets of equal length; of each bucket the first and last sample and the lowest and
    highest of each series stay. The first and the last sample of all always stay.
    """
    size = series[0].size
    if size <= limit:
        return np.arange(size, dtype=np.int64)
    # Extremes often coincide with each other or with a bucket's ends: try many small buckets first.
    for share in range(2, 2 + 2 * len(series)):
        kept = _keep(series, max(1, limit // share))
        if kept.size <= limit:
            return kept
    return _keep(series, max(1, limit // (2 + 2 * len(series))))


def _keep(series: list[Floats], buckets: int) -> NDArray[np.int64]:
    size = series[0].size
    edges = np.linspace(0, size, min(buckets, size) + 1).astype(np.int64)
    kept = [edges[:-1], edges[1:] - 1]
    spans = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    for values in series:
        # A sample that is not a number is never an extreme.
        low = np.where(np.isfinite(values), values, np.inf)
        high = np.where(np.isfinite(values), values, -np.inf)
        kept.append(np.array([start + int(np.argmin(low[start:stop])) for start, stop in spans]))
        kept.append(np.array([start + int(np.argmax(high[start:stop])) for start, stop in spans]))
    return np.unique(np.concatenate(kept)).astype(np.int64)
