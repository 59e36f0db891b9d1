"""Statistics of a run: metrics with stated conventions, drawdowns, monthly returns, attribution of profit."""

from lanner.analysis.attribution import WaterfallStep, attribute, is_exact, waterfall
from lanner.analysis.breakdown import Slice, break_down
from lanner.analysis.compare import ComparisonRow, compare_metrics
from lanner.analysis.drawdown import Drawdown, drawdown_series, drawdowns
from lanner.analysis.metrics import compute_metrics
from lanner.analysis.months import MonthlyRow, monthly_returns
from lanner.analysis.present import (
    show_fraction,
    show_metric,
    show_minutes,
    show_number,
    show_value,
    with_sign,
)
from lanner.analysis.records import Attribution, EquityCurve, FillRow, RoundTrip
from lanner.analysis.registry import METRICS, Better, Metric, Unit

__all__ = [
    "METRICS",
    "Attribution",
    "Better",
    "ComparisonRow",
    "Drawdown",
    "EquityCurve",
    "FillRow",
    "Metric",
    "MonthlyRow",
    "RoundTrip",
    "Slice",
    "Unit",
    "WaterfallStep",
    "attribute",
    "break_down",
    "compare_metrics",
    "compute_metrics",
    "drawdown_series",
    "drawdowns",
    "is_exact",
    "monthly_returns",
    "show_fraction",
    "show_metric",
    "show_minutes",
    "show_number",
    "show_value",
    "waterfall",
    "with_sign",
]
