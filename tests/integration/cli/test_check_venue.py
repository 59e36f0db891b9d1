"""``lanner check --venue``: what a venue makes of each order feature that a strategy uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.here import lanner_here

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
    done = lanner_here(["check", str(path), "--venue", venue, "--budget", "1", "--json", *words])
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


AMENDS = """
import lanner as ln


class Mover(ln.Strategy):
    timeframe = "1h"

    def on_bar(self, bar):
        if not self.position.qty:
            self.buy(0.001)
        elif not self.open_orders:
            self.sell(0.001, stop_px=bar.close * 0.5, reduce_only=True)
        else:
            self.amend(self.open_orders[0], stop_px=bar.close * 0.51)
"""


def test_a_change_of_a_stop_is_impossible_where_it_will_be_denied(tmp_path: Path) -> None:
    path = tmp_path / "mover.py"
    path.write_text(AMENDS)
    code, told = check(path, "binance-usdm")
    assert code == 1
    used = {use["feature"]: use["support"] for use in told["features"]}
    assert used["amend"] == {"binance-usdm": "native"}
    assert used["amend_trigger"] == {"binance-usdm": "impossible"}


QUOTES = """
import lanner as ln


class Quoter(ln.Strategy):
    def on_start(self):
        self.seen = 0
        self.mean = self.bars("1s").sma(5)

    def on_quote(self, quote):
        self.seen += 1
        if self.seen % 50 == 0:
            if self.position.is_flat:
                self.buy(0.01, stop="1%", take="1%")
            else:
                self.close()
"""


def test_a_strategy_on_quotes_is_played_on_invented_quotes(tmp_path: Path) -> None:
    path = tmp_path / "quoter.py"
    path.write_text(QUOTES)
    code, told = check(path, "binance-spot")
    assert code == 0
    assert "3,000 synthetic quotes" in told["data"]
    used = {use["feature"]: use for use in told["features"]}
    assert used["market"]["commands"] > 0
    assert used["bracket"]["support"] == {"binance-spot": "emulated"}


BOOKS = """
import lanner as ln


class Maker(ln.Strategy):
    def on_start(self):
        self.near = 0.0

    def on_book(self, book):
        if abs(book.mid - self.near) < 5:
            return
        self.near = book.mid
        self.cancel_all()
        self.buy(0.01, px=book.best_bid, post_only=True)
        self.sell(0.01, px=book.best_ask, post_only=True)
"""


def test_a_strategy_on_order_books_is_played_on_an_invented_book(tmp_path: Path) -> None:
    path = tmp_path / "maker.py"
    path.write_text(BOOKS)
    code, told = check(path, "binance-usdm")
    assert code == 0
    assert "1,500 synthetic changes of an order book" in told["data"]
    used = {use["feature"]: use for use in told["features"]}
    assert used["post_only"]["commands"] > 10
    notes = {one["check"]: one["note"] for one in told["checks"]}
    assert "fills in 1,500 changes of an order book" in notes["activity"]
    assert " 0 fills" not in notes["activity"]
