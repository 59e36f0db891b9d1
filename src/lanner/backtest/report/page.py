"""Write the tear sheet: one HTML file with its styles, scripts and numbers inside; it asks the network for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lanner.backtest.report.frame import render_page
from lanner.backtest.report.payload import EQUITY_POINTS, page_json
from lanner.backtest.report.view import view
from lanner.storage.files import write_atomic

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult

_VENDOR = ("vendor/uplot.js", "vendor/lightweight-charts.js")
_SCRIPTS = ("core.js", "plots.js", "lines.js", "shapes.js", "candles.js", "trades.js", "page.js")
_STYLES = ("vendor/uplot.css", "static/report.css")


def render_report(result: BacktestResult) -> str:
    """Return the whole page as text."""
    values = view(result) | {
        "kind": "backtest",
        "equity_points": EQUITY_POINTS,
        "equity_samples": int(result.equity.ts.size),
    }
    return render_page(
        "report.html.j2",
        values,
        payload=page_json(result),
        vendor=_VENDOR,
        scripts=[f"static/{name}" for name in _SCRIPTS],
        styles=_STYLES,
    )


def write_report(result: BacktestResult, path: Path) -> Path:
    """Write the page to a file, replacing it in one step, and return the path."""
    write_atomic(path, render_report(result).encode("utf-8"))
    return path
