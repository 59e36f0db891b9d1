"""Judge a walk-forward: how much of what was fitted is left where it was not fitted.

Sharpe ratios in here are annualised: the detector's thresholds are meant for those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from lanner.analysis.periods import Floats
from lanner.analysis.returns import sigma
from lanner.core.errors import DataError

_FEWEST_WINDOWS = 3
# A mean Sharpe ratio this near to 0 has no coefficient of variation.
_NO_MEAN = 1e-3

Value = float | int | bool | str


class Recommendation(StrEnum):
    """Say what the detector advises."""

    PROCEED = "proceed"
    CAUTION = "caution"
    REJECT = "reject"
    INSUFFICIENT_DATA = "insufficient_data"


@dataclass(frozen=True, slots=True)
class Detection:
    """Hold what the detector measured: all but `gap` and `variation` (0…2) lie between 0 and 1."""

    windows: int
    gap: float
    variation: float
    sensitivity: float
    stability: float
    probability: float
    overfit: bool
    recommendation: Recommendation


@dataclass(frozen=True, slots=True)
class WalkForwardReport:
    """Hold a walk-forward's summary; None stands where windows or parameters are too few to say."""

    detection: Detection
    train_sharpe: float
    test_sharpe: float
    consistency: float
    correlation: float | None
    parameter_stability: float | None
    robust: bool


def _pair(
    train_sharpe: Sequence[float] | Floats, test_sharpe: Sequence[float] | Floats
) -> tuple[Floats, Floats]:
    train = np.asarray(train_sharpe, dtype=np.float64)
    test = np.asarray(test_sharpe, dtype=np.float64)
    if train.ndim != 1 or train.shape != test.shape or not train.size:
        raise DataError(
            "one train and one test Sharpe ratio per window", expected="two series of one length, not empty",
            found=f"shapes {train.shape} and {test.shape}",
        )  # fmt: skip
    if not (np.all(np.isfinite(train)) and np.all(np.isfinite(test))):
        raise DataError("Sharpe ratios of windows must be finite", expected="0 for a window without trades")
    return train, test


def detect_overfitting(
    train_sharpe: Sequence[float] | Floats, test_sharpe: Sequence[float] | Floats
) -> Detection:
    """Measure how a strategy's annualised Sharpe ratio falls and scatters from train to test windows.

    Formula: gap = mean |train − test|; variation = σ/|mean| of test, at most 2 (σ, at most 1, where the mean is
    0); sensitivity = min(1, range of train / 2); stability = 0.4·(1 − min(1, gap)) + 0.3·(1 − min(1, variation))
    + 0.3·(1 − sensitivity); probability = 0.4·min(1, gap/0.5) + 0.3·min(1, variation/0.5) + 0.3·sensitivity;
    overfit above 0.7. σ is the sample deviation. The weights are a rule of thumb, not a probability in the
    strict sense.
    """
    train, test = _pair(train_sharpe, test_sharpe)
    gap = float(np.mean(np.abs(train - test)))
    mean, scatter = abs(float(np.mean(test))), sigma(test) or 0.0
    variation = min(1.0, scatter) if mean < _NO_MEAN else min(2.0, scatter / mean)
    sensitivity = min(1.0, float(np.ptp(train)) / 2.0)
    stability = 0.4 * (1.0 - min(1.0, gap)) + 0.3 * (1.0 - min(1.0, variation)) + 0.3 * (1.0 - sensitivity)
    probability = 0.4 * min(1.0, gap / 0.5) + 0.3 * min(1.0, variation / 0.5) + 0.3 * sensitivity
    return Detection(
        windows=train.size,
        gap=gap,
        variation=variation,
        sensitivity=sensitivity,
        stability=stability,
        probability=probability,
        overfit=probability > 0.7,
        recommendation=_advise(train.size, probability, stability),
    )


def _advise(windows: int, probability: float, stability: float) -> Recommendation:
    if windows < _FEWEST_WINDOWS:
        return Recommendation.INSUFFICIENT_DATA
    if probability > 0.8 or stability < 0.3:
        return Recommendation.REJECT
    if probability > 0.5 or stability < 0.5:
        return Recommendation.CAUTION
    return Recommendation.PROCEED


def consistency(test_returns: Sequence[float] | Floats) -> float:
    """Return the share of test windows that made money.

    Formula: count(total return > 0) / windows.
    """
    values = np.asarray(test_returns, dtype=np.float64)
    if not values.size:
        raise DataError("consistency needs a test window", found="none")
    return float(np.mean(values > 0.0))


def train_test_correlation(
    train_sharpe: Sequence[float] | Floats, test_sharpe: Sequence[float] | Floats
) -> float | None:
    """Return the correlation between train and test Sharpe ratios; None below 3 windows or without variation.

    Formula: Pearson's r.
    """
    train, test = _pair(train_sharpe, test_sharpe)
    if train.size < _FEWEST_WINDOWS or not sigma(train) or not sigma(test):
        return None
    return float(np.clip(np.corrcoef(train, test)[0, 1], -1.0, 1.0))


def parameter_stability(
    chosen: Sequence[Mapping[str, Value]], ranges: Mapping[str, tuple[float, float]] | None = None
) -> float | None:
    """Return how little the chosen parameters move from window to window: 1 never, 0 from end to end each time.

    `ranges` are the searched (lowest, highest) values; a parameter without one is measured against the range of
    its own choices. Values that are not numbers count as moved or not. None below two windows or without
    parameters.
    Formula: 1 − mean over parameters and steps of |xᵢ₊₁ − xᵢ| / (highest − lowest), each at most 1.
    """
    if len(chosen) < 2 or not chosen[0]:
        return None
    moves = [_moves([window[name] for window in chosen], (ranges or {}).get(name)) for name in chosen[0]]
    return 1.0 - float(np.mean(moves))


def _moves(values: list[Value], searched: tuple[float, float] | None) -> list[float]:
    numbers = [
        float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) < len(values):
        return [float(after != before) for before, after in pairwise(values)]
    low, high = searched or (min(numbers), max(numbers))
    if high <= low:
        return [0.0] * (len(numbers) - 1)
    return [min(1.0, abs(after - before) / (high - low)) for before, after in pairwise(numbers)]


def walk_forward_report(
    train_sharpe: Sequence[float] | Floats,
    test_sharpe: Sequence[float] | Floats,
    test_returns: Sequence[float] | Floats,
    chosen: Sequence[Mapping[str, Value]] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> WalkForwardReport:
    """Summarise a walk-forward from one entry per window; `test_returns` are total returns of the test windows.

    Robust means: not overfit, more than half of the test windows profitable, mean test Sharpe ratio above 0, and
    at least three windows.
    """
    detection = detect_overfitting(train_sharpe, test_sharpe)
    profitable = consistency(test_returns)
    test_mean = float(np.mean(test_sharpe))
    enough = detection.windows >= _FEWEST_WINDOWS
    return WalkForwardReport(
        detection=detection,
        train_sharpe=float(np.mean(train_sharpe)),
        test_sharpe=test_mean,
        consistency=profitable,
        correlation=train_test_correlation(train_sharpe, test_sharpe),
        parameter_stability=parameter_stability(chosen, ranges),
        robust=enough and not detection.overfit and profitable > 0.5 and test_mean > 0.0,
    )
