"""The reference page of the metrics, made from the registry so that it cannot disagree with the code.

`python -m lanner.analysis.reference > docs/reference/metrics.md` writes it anew.
"""

from __future__ import annotations

import re
import sys

from lanner.analysis.registry import METRICS, Better, Metric, Unit

_UNITS = {
    Unit.RATIO: "plain number",
    Unit.FRACTION: "fraction (0.1 is 10 %)",
    Unit.CURRENCY: "money of the result",
    Unit.COUNT: "count",
    Unit.MINUTES: "minutes",
    Unit.DAYS: "days",
}
_BETTER = {Better.HIGHER: "higher", Better.LOWER: "lower", Better.NEITHER: "–"}
_INTRODUCTION = """# Metrics

Made from the docstrings of `lanner.analysis` by `python -m lanner.analysis.reference`; edit those, not this page.

## Conventions

- **Returns** are simple: `equity[i] / equity[i-1] − 1`. They end where an account reaches zero.
- **σ** is the sample standard deviation (ddof = 1). The risk-free rate and the target return are 0.
- **P**, the number of samples per year, is 365 days over the *median* spacing of the equity curve: 8,760 for hourly
  bars, 365 for daily ones. Gaps do not change it. With `daily=True` returns are measured between the last values of
  UTC days instead, the fair choice for a curve whose samples are not evenly spaced.
- A sample stamped at midnight closes the day, month and year before it, as a bar's closing time does.
- **Drawdown** is a positive fraction of the highest equity so far. With negative equity it exceeds 1.
- **Trades** are closed round trips, `pnl` net of fees and funding. A position still open at the end counts in
  `open_trades` and in the equity, and in no other trade statistic.
- **Not defined is not zero.** A ratio without a denominator, a mean of nothing or an annual return of less than a day
  is `None` in Python, `null` in JSON and a dash on the page; never NaN, infinity or a stand-in such as 999. Where
  wins meet no loss, the profit factor and the payoff ratio are shown as ∞.
- Numbers are checked against empyrical-reloaded and quantstats on real daily returns, to a relative 1e-9.
"""


def metrics_reference() -> str:
    """Return the page as Markdown: the conventions, then one table per group."""
    groups: dict[str, list[Metric]] = {}
    for metric in METRICS.values():
        groups.setdefault(metric.group, []).append(metric)
    parts = [_INTRODUCTION]
    for group, metrics in groups.items():
        parts.append(f"## {group}\n")
        parts.append(
            "| Name | Shown as | Unit | Better | What it is | Formula | Source |\n|---|---|---|---|---|---|---|"
        )
        parts.extend(_row(metric) for metric in metrics)
        parts.append("")
    return "\n".join(parts)


def _row(metric: Metric) -> str:
    cells = (
        f"`{metric.name}`",
        _cell(metric.label),
        _UNITS[metric.unit],
        _BETTER[metric.better],
        _cell(metric.summary),
        _cell(metric.formula),
        _cell(metric.source),
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Return text that is safe in a table: bars and stars of a formula are not markup."""
    return re.sub(r"([|*<>])", r"\\\1", text)


if __name__ == "__main__":
    sys.stdout.write(metrics_reference())
