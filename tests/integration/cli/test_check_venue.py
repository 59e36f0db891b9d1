"""``lanner check --venue``: what a venue makes of each order feature that a strategy uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(180)

CODE = """
import lanner as ln


class Trail(ln.Strategy):
    timeframe = "1h"

    def on_start(self):
        self.sma = self.bars().sma(3)

    def on_bar(self, bar):
        if not self.position.qty:
            self.target(0.5, stop="3%")
        else:
            self.sell(0.001, trail="2%", reduce_only=True)

    def on_stop(self):
        self.cancel_all()

    def never(self):
        self.buy(1, 2, display_qty=1)
"""


def check(path: Path, venue: str, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "lanner", "check", str(path), "--venue", venue, "--budget", "1"]
    done = subprocess.run([*command, "--json", *words], capture_output=True, text=True, timeout=150)
    return done.returncode, json.loads(done.stdout)


def test_each_feature_is_native_emulated_or_impossible(tmp_path: Path) -> None:
    path = tmp_path / "trail.py"
    path.write_text(CODE)
    code, told = check(path, "hyperliquid")
    assert code == 1
    used = {use["feature"]: use for use in told["features"]}
    assert used["trailing_stop"]["commands"] > 0
    assert used["trailing_stop"]["support"] == {"hyperliquid": "impossible"}
    assert used["bracket"]["support"] == {"hyperliquid": "native"}
    assert used["market"]["commands"] > 0
    assert (used["iceberg"]["commands"], used["iceberg"]["lines"]) == (0, [21])
    found = {finding["what"]: finding for finding in told["findings"] if finding["check"] == "venue"}
    assert found["hyperliquid has no trailing stop"]["severity"] == "error"
    assert found["hyperliquid has no iceberg"]["severity"] == "warning"  # the run did not come to it


@pytest.mark.nightly
def test_a_venue_with_two_products_gets_two_columns(tmp_path: Path) -> None:
    path = tmp_path / "trail.py"
    path.write_text(CODE)
    _code, told = check(path, "binance")
    used = {use["feature"]: use["support"] for use in told["features"]}
    assert used["trailing_stop"] == {"binance-spot": "native", "binance-usdm": "native"}
    assert used["reduce_only"] == {"binance-spot": "emulated", "binance-usdm": "native"}
    assert not [finding for finding in told["findings"] if "trailing" in finding["what"]]
