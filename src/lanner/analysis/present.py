"""Numbers as people read them: the same text in the console, the report, Markdown and the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lanner.analysis.registry import METRICS, Unit

NOT_DEFINED = "–"
_INFINITE = "∞"
# Quotients of gains and losses: without a loss they grow without bound, which is not the same as "unknown".
_UNBOUNDED = frozenset({"profit_factor", "payoff_ratio"})


def show_number(value: float, decimals: int = 2) -> str:
    """Return a number with thousands separators, never more than about twelve characters.

    Small numbers keep four significant digits, numbers from a million on have no decimals, very large and very small
    ones turn to powers of ten.
    """
    size = abs(value)
    if size >= 1e10 or 0.0 < size < 1e-6:
        text = f"{value:.3e}"
    elif 0.0 < size < 0.1:
        text = f"{value:.{3 - math.floor(math.log10(size))}f}".rstrip("0")
    else:
        text = f"{value:,.{decimals if size < 1e6 else 0}f}"
    return _minus(text)


def show_fraction(value: float) -> str:
    """Return a fraction as a percentage: 0.1234 is 12.34%."""
    percent = value * 100.0
    size = abs(percent)
    if size >= 1e7:
        return _minus(f"{percent:.2e}%")
    if 0.0 < size < 0.01:
        return show_number(percent) + "%"
    return _minus(f"{percent:,.0f}%" if size >= 10_000 else f"{percent:,.2f}%")


def show_minutes(minutes: float) -> str:
    """Return a duration in the two units that fit it: 90 minutes is 1h 30m."""
    seconds = round(minutes * 60.0)
    if seconds < 60:
        return f"{minutes * 60.0:.3g}s"
    steps = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    for index, (unit, size) in enumerate(steps):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            if index + 1 == len(steps) or whole >= 100:
                return f"{whole:,}{unit}"
            below, small = steps[index + 1]
            part = rest // small
            return f"{whole:,}{unit} {part}{below}" if part else f"{whole:,}{unit}"
    return "0s"


def show_value(unit: Unit, value: float | None) -> str:
    """Return the text of one number of a unit; a value that is not defined is a dash."""
    if value is None or not math.isfinite(value):
        return NOT_DEFINED
    if unit is Unit.FRACTION:
        return show_fraction(value)
    if unit is Unit.COUNT:
        return f"{value:,.0f}"
    if unit is Unit.MINUTES:
        return show_minutes(value)
    if unit is Unit.DAYS:
        return show_minutes(value * 1440.0) if value < 10.0 else f"{value:,.0f}d"
    return show_number(value)


def show_metric(name: str, metrics: Mapping[str, float | None]) -> str:
    """Return the text of one metric of a run: ∞ for wins without a loss, a dash for what is not defined."""
    value = metrics.get(name)
    if value is None and name in _UNBOUNDED and (metrics.get("total_profit") or 0.0) > 0.0:
        return _INFINITE if not metrics.get("total_loss") else NOT_DEFINED
    return show_value(METRICS[name].unit, value)


def with_sign(text: str, value: float | None) -> str:
    """Put a plus sign before the text of a gain."""
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0.0 else text


def _minus(text: str) -> str:
    """Use the minus sign of typography, which is as wide as a plus; and no minus on zero."""
    if text.startswith("-") and not any(digit in "123456789" for digit in text.partition("e")[0]):
        text = text[1:]
    return text.replace("-", "−", 1) if text.startswith("-") else text
