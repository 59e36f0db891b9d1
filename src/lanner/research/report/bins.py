"""Count scores in bins for the histogram of a sweep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lanner.research.sweep_result import ScoreBins

_BINS = 48


def score_bins(scores: NDArray[np.float64]) -> ScoreBins | None:
    """Return counts of the scores, NaN left out; None when there is none.

    What lies further out than twice the span of the middle 99% is counted in the outer bins, where it would
    otherwise press all the rest into one.
    """
    known = scores[np.isfinite(scores)]
    if not known.size:
        return None
    inner, outer = (float(value) for value in np.percentile(known, (0.5, 99.5)))
    span = outer - inner
    low = max(float(known.min()), inner - span / 2.0)
    high = min(float(known.max()), outer + span / 2.0)
    if not high > low:
        middle = (low + high) / 2.0
        low, high = middle - (abs(middle) * 0.05 or 0.5), middle + (abs(middle) * 0.05 or 0.5)
    counts, edges = np.histogram(np.clip(known, low, high), min(_BINS, max(8, known.size // 6)), (low, high))
    return ScoreBins(edges.tolist(), counts.tolist())
