"""The pages on indicators and strategies name everything there is, with the right defaults."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from lanner.strategy.base import Strategy
from lanner.strategy.library import BUILT_IN
from lanner.strategy.series import BarSeries, ScalarSeries

DOCS = Path(__file__).resolve().parents[3] / "docs/reference"


def declarations() -> list[str]:
    """Return every declaration as it is written, e.g. ``rsi(period=14)``."""
    skipped = {"add", "of", "add_bars", "bars_to_warm"}
    found = []
    for cls in (ScalarSeries, BarSeries):
        for name, method in vars(cls).items():
            if not name.startswith("_") and name not in skipped:
                signature = inspect.signature(method)
                arguments = [a for a in list(signature.parameters.values())[1:] if a.kind != a.VAR_KEYWORD]
                texts = [a.name if a.default is a.empty else f"{a.name}={a.default}" for a in arguments]
                found.append(f"`{name}({', '.join(texts)})`")
    return found


def test_every_indicator_has_its_line() -> None:
    page = (DOCS / "indicators.md").read_text()
    assert [text for text in declarations() if text not in page] == []


def test_every_indicator_says_where_others_differ() -> None:
    page = (DOCS / "indicators.md").read_text()
    table = page[page.index("## Where others differ") : page.index("## An indicator of your own")]
    named = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    assert {text.strip("`").partition("(")[0] for text in declarations()} == named


@pytest.mark.parametrize("cls", BUILT_IN, ids=lambda cls: cls.name)
def test_every_built_in_strategy_has_its_section(cls: type[Strategy]) -> None:
    page = (DOCS / "strategies.md").read_text()
    match = re.search(rf"^## {cls.name}$(.*?)^## ", page, re.M | re.S)
    assert match is not None
    section = match[1]
    assert f"Timeframe {cls.timeframe} · stop-loss {cls.stop_loss}" in section
    assert all(profit in section for profit in cls.roi.values())
    for name, param in cls.parameters().items():
        default = str(param.default).lower() if isinstance(param.default, bool) else param.default
        shown = f"{default:g}" if isinstance(default, float) else default
        assert f"| `{name}` | {shown} | {param.describe()} | {param.help} |" in section
