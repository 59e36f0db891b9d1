"""``lanner.backtest`` takes tables that lie in memory: the same result as from a file, and clear refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner as ln
from lanner.cli.main import main
from lanner.core.errors import ConfigError, DataError
from lanner.model.instruments import Instrument
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog

ID = "BTC-USDT.BINANCE"
START = datetime(2024, 1, 1, tzinfo=UTC)


def bars(count: int = 500, seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, count))), 2)
    opened = np.concatenate(([100.0], close[:-1]))
    return pl.DataFrame(
        {
            "time": [START + timedelta(hours=hour) for hour in range(count)],
            "open": opened,
            "high": np.maximum(opened, close) + 0.05,
            "low": np.minimum(opened, close) - 0.05,
            "close": close,
            "volume": np.round(rng.uniform(1, 9, count), 3),
        }
    )


def ticks(kind: str, count: int = 4000) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    px = np.round(100 + np.cumsum(rng.normal(0, 0.02, count)), 2)
    time = pl.Series("timestamp", [1_704_067_200_000 + 500 * i for i in range(count)])
    if kind == "trades":
        side = np.where(rng.random(count) < 0.5, "buy", "sell").tolist()
        return pl.DataFrame({"timestamp": time, "price": px, "amount": [0.5] * count, "side": side})
    return pl.DataFrame(
        {
            "timestamp": time,
            "bid": px - 0.01,
            "bid_size": [5.0] * count,
            "ask": px + 0.01,
            "ask_size": [5.0] * count,
        }
    )


def play(data: Any, **settings: Any) -> Any:
    given: dict[str, Any] = {"instrument": ID, "keep": False, "fast": 5, "slow": 20} | settings
    return ln.backtest("dual_ma", data, **given).result


def test_a_frame_gives_what_the_same_bars_in_a_file_give(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    bars().with_columns(pl.col("time").dt.epoch("ms")).write_csv(path)
    from_file, from_frame = play(str(path)), play(bars())
    assert from_frame.state_hash == from_file.state_hash
    assert len(from_frame.fills) > 5
    assert from_frame.data[0]["id"] == f"{ID}@1h (in memory)"
    assert from_frame.data[0]["hash"] == from_file.data[0]["hash"]


class Arrow:
    """A table of another library, known by Arrow's interface only."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(schema)


@pytest.mark.parametrize(
    "dress",
    [
        lambda frame: frame.lazy(),
        lambda frame: frame.to_dict(as_series=False),
        lambda frame: {name: frame[name].to_numpy() for name in frame.columns},
        lambda frame: frame.to_dict(),
        lambda frame: frame.reverse(),
        lambda frame: frame.rename({"time": "Date", "open": "Open", "close": "Close", "volume": "Volume"}),
        lambda frame: frame.with_columns(pl.col("time").dt.epoch("s")),
        lambda frame: frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S")),
        lambda frame: frame.with_columns(pl.col("time").dt.convert_time_zone("Asia/Tokyo")),
        Arrow,
    ],
)
def test_every_dress_of_a_table_gives_the_same_result(dress: Any) -> None:
    assert play(dress(bars())).state_hash == play(bars()).state_hash


class OnceOnQuotes(ln.Strategy):
    """Buy at the first quote."""

    def on_start(self) -> None:
        self.bought = False

    def on_quote(self, quote: ln.Quote) -> None:
        if not self.bought:
            self.bought = True
            self.buy(1)


class OnceOnTrades(ln.Strategy):
    """Buy at the first trade."""

    def on_start(self) -> None:
        self.bought = False

    def on_trade(self, trade: ln.Trade) -> None:
        if not self.bought:
            self.bought = True
            self.buy(1)


@pytest.mark.parametrize(("kind", "strategy"), [("trades", OnceOnTrades), ("quotes", OnceOnQuotes)])
def test_ticks_are_played(kind: str, strategy: type[ln.Strategy]) -> None:
    result = ln.backtest(strategy, ticks(kind), instrument=ID, keep=False).result
    assert result.events == 4000
    assert result.data[0]["kind"] == kind
    assert len(result.fills) >= 1


def test_a_frame_in_the_catalogs_own_columns_is_played() -> None:
    main(
        [
            "data",
            "synth",
            "bars",
            "--instrument",
            "A-USDT.SYNTH",
            "--days",
            "20",
            "--timeframe",
            "1h",
            "--quiet",
        ]
    )
    frame = pl.concat(list(Catalog(default_catalog()).scan("bars", "A-USDT.SYNTH", "1h")))
    stored = play("A-USDT.SYNTH@1h", instrument="A-USDT.SYNTH")
    assert play(frame, instrument="A-USDT.SYNTH").state_hash == stored.state_hash


def test_bars_and_their_funding_are_two_tables_of_a_list() -> None:
    funding = {"time": [START + timedelta(hours=8 * n) for n in range(63)], "rate": [0.0001] * 63}
    result = play([bars(), funding], instrument="BTC-PERP.HYPERLIQUID")
    assert result.funding != 0
    with pytest.raises(DataError, match="funding history is missing"):
        play(bars(), instrument="BTC-PERP.HYPERLIQUID")


def test_tables_by_instrument_are_played_together() -> None:
    result = play({ID: bars(), "ETH-USDT.BINANCE": bars(seed=8)}, instrument=None)
    assert sorted(result.instruments) == [ID, "ETH-USDT.BINANCE"]
    assert result.events == 1000


def test_a_column_of_symbols_gives_a_data_set_each() -> None:
    both = pl.concat(
        [bars().with_columns(symbol=pl.lit("BTC/USDT")), bars(seed=9).with_columns(symbol=pl.lit("ETH/USDT"))]
    )
    result = play(both, instrument=None)
    assert sorted(result.instruments) == ["BTC-USDT.LOCAL", "ETH-USDT.LOCAL"]


def test_tick_and_lot_are_the_settings_then_the_catalogs_then_concluded() -> None:
    def settled(**settings: Any) -> tuple[float, list[str]]:
        run = ln.backtest("dual_ma", bars(), instrument=ID, keep=False, **settings)
        return run.result.fills[0].px, run.notes

    assert any("tick 0.01 and lot" in text for text in settled()[1])
    Catalog(default_catalog()).save_instrument(Instrument.spot(ID, tick="0.5", lot="0.001"))
    px, notes = settled(slippage="none")
    assert px % 0.5 == 0
    assert not any("concluded" in text for text in notes)
    px, _ = settled(slippage="none", instruments={ID: {"tick": 5}})
    assert px % 5 == 0


def test_gaps_of_a_table_are_named_in_the_result() -> None:
    holed = bars().filter(
        ~pl.col("time").is_between(START + timedelta(hours=50), START + timedelta(hours=60))
    )
    problems = play(holed).data[0]["problems"]
    assert any("1 gap: 11 bars" in text for text in problems)


@pytest.mark.parametrize(
    ("table", "error", "text"),
    [
        (bars().drop("close"), ConfigError, r"the table of BTC-USDT\.BINANCE has no column for close"),
        (bars().drop("time"), ConfigError, "has no column for time"),
        (pl.DataFrame({"a": [1], "b": [2]}), ConfigError, "is no market data"),
        (bars().clear(), DataError, "holds no rows"),
        (bars().with_columns(high=pl.lit(1.0)), DataError, r"row 0 \(counted from 0\): high is below low"),
        (
            bars().with_columns(pl.col("close").cast(pl.String)).with_columns(close=pl.lit("x")),
            DataError,
            "close is missing",
        ),
        ({"time": [1, 2], "open": [1.0]}, ConfigError, "is not a table"),
        (bars(1), DataError, "cannot tell the timeframe from a single bar"),
        (7, ConfigError, "data is neither a reference nor a table"),
        ([3.5], ConfigError, "data is neither a reference nor a table"),
    ],
)
def test_what_is_no_market_data_is_refused(table: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        play(table)


def test_a_table_without_an_instrument_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not say which instrument it is"):
        ln.backtest("dual_ma", bars(), keep=False)


def test_a_kept_run_says_that_its_table_was_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    run = ln.backtest("dual_ma", bars(), instrument=ID, fast=5, slow=20)
    assert run.folder is not None
    capsys.readouterr()
    assert main(["runs", "show", run.run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][0]["id"] == f"{ID}@1h (in memory)"
    assert main(["runs", "rerun", run.run_id]) == 2
    assert "tables in memory are not kept" in capsys.readouterr().err
