"""Numbers and names of a sweep as people read them: the same on the page and on the console."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lanner.analysis import METRICS, Unit, show_fraction, show_metric, show_number
from lanner.research.objectives import OBJECTIVES
from lanner.research.sweep_result import Axis, SweepResult, Variant

NOT_DEFINED = "–"
# Statistic of a variant → (metric that defines it, short heading).
STATISTICS = {
    "total_return": ("total_return", "Return"),
    "annualized_return": ("annualized_return", "CAGR"),
    "max_drawdown": ("max_drawdown", "Max DD"),
    "sharpe": ("sharpe", "Sharpe"),
    "profit_factor": ("profit_factor", "PF"),
    "win_rate": ("win_rate", "Win rate"),
    "trades": ("total_trades", "Trades"),
    "exposure": ("time_in_market", "In market"),
    "fees": ("total_commission", "Fees"),
    "end_equity": ("final_equity", "End equity"),
}
# The score of a variant without skill; objectives that cannot change sign have none.
_NEUTRAL = {"profit_factor": 1.0, "omega": 1.0, "tail_ratio": 1.0, "win_rate": None, "max_drawdown": None}
_ORDER = ("max", "q95", "q75", "median", "mean", "q25", "q05", "min", "std", "positive")
_NAMES = {
    "mean": "mean", "std": "deviation", "min": "worst", "max": "best", "q05": "5th percentile",
    "q25": "lower quartile", "q75": "upper quartile", "q95": "95th percentile", "positive": "above 0",
    "expected_maximum": "luck's best",
}  # fmt: skip
_COUNTS = frozenset({"count", "n", "ranked", "unranked"})


def objective_label(name: str) -> str:
    """Return the name of an objective for people; an unknown one speaks for itself."""
    known = OBJECTIVES.get(name)
    return known.label if known else name


def neutral_score(name: str) -> float | None:
    """Return the score that a variant without skill has, None where the objective knows no such point."""
    return _NEUTRAL.get(name, 0.0)


def is_fraction(name: str) -> bool:
    """Tell whether an objective is a fraction, which people read as a percentage."""
    return name in METRICS and METRICS[name].unit is Unit.FRACTION


def score_text(value: float | None, objective: str) -> str:
    """Return a score as text, with enough digits to tell neighbours in a ranking apart."""
    if value is None or not math.isfinite(value):
        return NOT_DEFINED
    if is_fraction(objective):
        return show_fraction(value)
    size = abs(value)
    if 0.001 <= size < 100:
        return f"{value:.3f}".replace("-", "−")
    return show_number(value, 1 if 100 <= size < 10_000 else 0 if size else 3)


def statistic_text(name: str, statistics: Mapping[str, float | None]) -> str:
    """Return one statistic of a variant as text; a dash for what is not defined."""
    value = statistics.get(name)
    if value is None or not math.isfinite(value):
        return "∞" if value == math.inf else NOT_DEFINED
    if name not in STATISTICS:
        return show_number(value)
    return show_metric(STATISTICS[name][0], {STATISTICS[name][0]: value})


def value_text(value: object) -> str:
    """Return the value of a parameter as text: numbers without noise in their last digits."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).replace("-", "−")
    return str(value)


def params_text(params: Mapping[str, object]) -> str:
    """Return a set of parameters on one line."""
    return "  ".join(f"{name}={value_text(value)}" for name, value in params.items())


def axis_text(axis: Axis) -> str:
    """Return what was searched along an axis: the range and the number of values, or the few values themselves."""
    texts = [value_text(value) for value in axis.values]
    if not texts:
        return NOT_DEFINED
    if len(texts) <= 4 or axis.kind in {"bool", "choice"}:
        return ", ".join(texts[:8]) + (f" … ({len(texts)})" if len(texts) > 8 else "")
    return f"{texts[0]} … {texts[-1]} ({len(texts)})"


def speed_texts(result: SweepResult) -> tuple[str, str]:
    """Return combinations per second, and million combinations × bars per second."""
    if result.seconds <= 0.0 or not result.done:
        return NOT_DEFINED, NOT_DEFINED
    rate = result.done / result.seconds
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}", show_number(rate * result.bars / 1e6, 1)


def score_lines(result: SweepResult) -> list[tuple[str, str]]:
    """Return the statistics of all scores as (name, text), the usual ones first."""
    found = dict(result.score_statistics)
    if found.get("ranked") == result.done:
        del found["ranked"]
    names = [name for name in _ORDER if name in found] + [name for name in found if name not in _ORDER]
    return [(_NAMES.get(name, name.replace("_", " ")), _score_line(name, result)) for name in names]


def _score_line(name: str, result: SweepResult) -> str:
    value = result.score_statistics[name]
    if value is None or not math.isfinite(value):
        return NOT_DEFINED
    if name in _COUNTS:
        return f"{value:,.0f}"
    return f"{value:.0%}" if name == "positive" else score_text(value, result.objective)


def best_variant(result: SweepResult) -> Variant | None:
    """Return the first of the ranking, None when no variant has a score."""
    return result.top[0] if result.top else None
