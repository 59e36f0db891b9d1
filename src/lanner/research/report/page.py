"""Write the page of a sweep: one HTML file with all it needs inside; it asks the network for nothing."""

from __future__ import annotations

from pathlib import Path

from lanner.backtest.report.frame import render_page
from lanner.research.report.payload import sweep_json
from lanner.research.report.view import sweep_view
from lanner.research.sweep_result import SweepResult
from lanner.storage.files import write_atomic

_SCRIPTS = (
    "core.js", "plots.js", "scale.js", "curves.js", "spread.js", "heat.js", "parallel.js", "board.js", "page.js",
)  # fmt: skip
_STYLES = ("vendor/uplot.css", "static/report.css", "static/sweep.css")


def sweep_page(result: SweepResult) -> str:
    """Return the whole page as text."""
    return render_page(
        "sweep.html.j2",
        sweep_view(result),
        payload=sweep_json(result),
        vendor=("vendor/uplot.js",),
        scripts=[f"static/{name}" for name in _SCRIPTS],
        styles=_STYLES,
        package="lanner.research.report",
    )


def write_sweep_page(result: SweepResult, path: Path) -> Path:
    """Write the page to a file, replacing it in one step, and return the path."""
    write_atomic(path, sweep_page(result).encode("utf-8"))
    return path
