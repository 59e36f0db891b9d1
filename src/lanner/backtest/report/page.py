"""Write the tear sheet: one HTML file with its styles, scripts and numbers inside; it asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.backtest.report.payload import EQUITY_POINTS, page_json
from lanner.backtest.report.view import view
from lanner.storage.files import write_atomic

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult

_SCRIPTS = ("vendor/uplot.js", "vendor/lightweight-charts.js")
_OWN_SCRIPTS = ("core.js", "lines.js", "shapes.js", "candles.js", "trades.js", "page.js")
_STYLES = ("vendor/uplot.css", "static/report.css")


def _folder() -> Traversable:
    return files("lanner.backtest.report")


def _read(name: str) -> str:
    return _folder().joinpath(name).read_text(encoding="utf-8")


def _policy(scripts: list[str]) -> str:
    """Return a content security policy that runs exactly these scripts and forbids every request."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def vendored() -> list[dict[str, object]]:
    """Return the third-party parts of the page: name, version, licence, home and files with their sha256."""
    parts: list[dict[str, object]] = json.loads(_read("vendor/vendor.json"))
    return parts


def _licences() -> str:
    """Return the licence notices of the third-party parts; the full texts are in the package."""
    lines = [f"{part['name']} {part['version']}, {part['licence']}, {part['home']}" for part in vendored()]
    return "\n".join(lines)


def render_report(result: BacktestResult) -> str:
    """Return the whole page as text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [_read(name) for name in _SCRIPTS] + ["".join(_read(f"static/{name}") for name in _OWN_SCRIPTS)]
    template = environment.from_string(_read("report.html.j2"))
    return template.render(
        **view(result),
        payload=page_json(result),
        scripts=scripts,
        styles="\n".join(_read(name) for name in _STYLES),
        policy=_policy(scripts),
        licences=_licences(),
        equity_points=EQUITY_POINTS,
        equity_samples=int(result.equity.ts.size),
    )


def write_report(result: BacktestResult, path: Path) -> Path:
    """Write the page to a file, replacing it in one step, and return the path."""
    write_atomic(path, render_report(result).encode("utf-8"))
    return path
