"""Hours of ticks: a real capture of Binance USD-M, played from its quotes and from its book alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lanner.backtest.config_file import make_config
from lanner.backtest.prepare import prepare
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog
from lanner.storage.importers.run import import_files

NAME = "BTCUSDT-PERP.BINANCE"

STRATEGY = """
import lanner as ln


class Hold(ln.Strategy):
    def on_start(self):
        self.quotes()

    def on_quote(self, quote):
        if self.position.is_flat and not self.open_orders:
            self.buy("0.5")
"""


@pytest.fixture
def strategy(shared_data: Path, tmp_path: Path) -> Path:
    import_files(
        [shared_data / "market" / "hftbacktest" / "usdm_btcusdt_20240808.gz"], Catalog(default_catalog())
    )
    path = tmp_path / "hold.py"
    path.write_text(STRATEGY)
    return path


def play(strategy: Path, kind: str) -> BacktestResult:
    config = make_config(
        {
            "strategy": str(strategy),
            "data": [f"{NAME}@{kind}"],
            "cash": 1_000_000,
            "funding": "assume-zero",
            "fees": {"maker": 0, "taker": 0},
        },
        {},
    )
    return run_backtest(prepare(config, run_id="ticks").spec)


def test_the_book_alone_values_a_position_like_the_venues_own_quotes(strategy: Path) -> None:
    quotes, book = play(strategy, "quotes"), play(strategy, "book")
    assert [fill.qty for fill in book.fills] == [0.5] == [sum(fill.qty for fill in quotes.fills)]
    assert book.fills[0].px == pytest.approx(quotes.fills[0].px, rel=1e-4)
    worst, lowest = (1_000_000 - float(result.equity.equity.min()) for result in (quotes, book))
    # half a bitcoin and five minutes: the two curves see the same dip to within a few ticks
    assert lowest == pytest.approx(worst, abs=10)
    for result in (quotes, book):
        assert float(result.equity.equity[-1]) == pytest.approx(float(result.end_equity), abs=1e-6)
        assert result.end_equity != Decimal(1_000_000)
