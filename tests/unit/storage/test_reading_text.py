"""Times, CSV dialects, column names, instrument names and grids are recognised from what files say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import DataError
from lanner.storage.importers.columns import guess_kind, roles_of
from lanner.storage.importers.dialect import sniff
from lanner.storage.importers.grid import Grid
from lanner.storage.importers.names import name_instrument, namer_for, split_symbol, tardis_market
from lanner.storage.importers.source import open_sources
from lanner.storage.importers.times import fit_time, unit_of

WAYS = {
    "2020-01-02": "2020-01-02T00:00:00",
    "2020-01-02 03:04": "2020-01-02T03:04:00",
    "2020-01-02 03:04:05": "2020-01-02T03:04:05",
    "2020-01-02T03:04:05": "2020-01-02T03:04:05",
    "2020-01-02T03:04:05Z": "2020-01-02T03:04:05",
    "2020-01-02T03:04:05.678Z": "2020-01-02T03:04:05.678",
    "2020-01-02 03:04:05+02:00": "2020-01-02T01:04:05",
    "2020-01-02 03:04:05.678000+00:00": "2020-01-02T03:04:05.678",
    "2020-01-02 03:04 UTC": "2020-01-02T03:04:00",
    "2020-01-02 03-PM": "2020-01-02T15:00:00",
    "2020-01-02 12-AM": "2020-01-02T00:00:00",
    "20200102 03:04": "2020-01-02T03:04:00",
    "20200102 03:04:05": "2020-01-02T03:04:05",
    "20200102": "2020-01-02T00:00:00",
    "20200102030405": "2020-01-02T03:04:05",
    "2020/01/02 03:04:05": "2020-01-02T03:04:05",
    "2020.01.02 03:04": "2020-01-02T03:04:00",
    "31.01.2020 03:04:05.678": "2020-01-31T03:04:05.678",
    "31/01/2020 03:04": "2020-01-31T03:04:00",
    "01/31/2020": "2020-01-31T00:00:00",
    "02-Jan-2020": "2020-01-02T00:00:00",
    "Jan 2, 2020": "2020-01-02T00:00:00",
    "1577934245": "2020-01-02T03:04:05",
    "1577934245.678": "2020-01-02T03:04:05.678",
    "1577934245678": "2020-01-02T03:04:05.678",
    "1577934245678000": "2020-01-02T03:04:05.678",
    "1577934245678000000": "2020-01-02T03:04:05.678",
}


def read(texts: list[str]) -> list[int | None]:
    reader = fit_time(texts, "test")
    frame = pl.DataFrame({"t": texts}).select(pl.col("t").cast(reader.dtype, strict=False))
    return frame.select(reader.expr("t")).to_series().to_list()


def epoch_ns(iso: str) -> int:
    delta = datetime.fromisoformat(iso).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta // timedelta(microseconds=1)) * 1000


@pytest.mark.parametrize("text", WAYS)
def test_a_time_is_read_however_it_is_written(text: str) -> None:
    assert read([text]) == [epoch_ns(WAYS[text])]


def test_an_unreadable_time_among_readable_ones_is_missing_not_wrong() -> None:
    assert read(["2020-01-02", "soon", "2020-01-04"]) == [
        epoch_ns("2020-01-02"),
        None,
        epoch_ns("2020-01-04"),
    ]
    exact = epoch_ns("2020-01-02T03:04:05.678")
    assert read(["1577934245678", "never", "1577934245678"]) == [exact, None, exact]


@pytest.mark.parametrize("text", ["", "next week", "12:30", "12"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        fit_time([text], "file.csv, column 'time'")


@given(st.integers(min_value=10**8, max_value=4 * 10**9))
def test_the_unit_of_a_whole_number_follows_from_its_size(seconds: int) -> None:
    for power, unit in ((1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns")):
        assert unit_of(seconds * power) == unit
        assert read([str(seconds * power)]) == [seconds * 10**9]


@given(st.integers(min_value=10**17, max_value=4 * 10**18))
def test_decimal_seconds_keep_every_nanosecond(ns: int) -> None:
    assert read([f"{ns // 10**9}.{ns % 10**9:09d}"]) == [ns]


@pytest.mark.parametrize(
    ("text", "separator", "names", "header", "rows"),
    [
        ("a,b\n1,2\n3,4\n", ",", ["a", "b"], True, 2),
        ("a;b;c\n1,5;2,5;3,5\n", ";", ["a", "b", "c"], True, 1),
        ("1\t2\t3\n4\t5\t6\n", "\t", ["column_1", "column_2", "column_3"], False, 2),
        ("see https://example.org\na,b,c\n1,2,3\n", ",", ["a", "b", "c"], True, 1),
        ("a|b|a\n1|2|3\n", "|", ["a", "b", "a_2"], True, 1),
        ('"a","b,c"\n"1","2"\n', ",", ["a", "b,c"], True, 1),
    ],
)
def test_the_dialect_of_a_csv_file_is_found(
    text: str, separator: str, names: list[str], header: bool, rows: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    dialect = sniff(open_sources(path)[0])
    assert (dialect.separator, dialect.names, dialect.header, len(dialect.sample)) == (
        separator,
        names,
        header,
        rows,
    )


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ("Open Time,Open,High,Low,Close,Volume", "bars"),
        ("unix,date,symbol,open,high,low,close,Volume BTC,Volume USD", "bars"),
        ("T,o,h,l,c,v", "bars"),
        ("timestamp,price,amount,side", "trades"),
        ("time,px,sz,side,tid", "trades"),
        ("timestamp,bid,ask", "quotes"),
        ("ts_event,bid_px,bid_qty,ask_px,ask_qty", "quotes"),
        ("calc_time,funding_interval_hours,last_funding_rate", "funding"),
        ("time,mark_price,index_price", "mark"),
        ("name,age", None),
    ],
)
def test_the_kind_of_a_table_is_guessed_from_its_columns(names: str, kind: str | None) -> None:
    assert guess_kind(names.split(",")) == kind


def test_volume_by_currency_is_told_apart() -> None:
    both = roles_of(["date", "open", "high", "low", "close", "Volume BTC", "Volume USD"], "bars").columns
    assert (both["volume"], both["quote_volume"]) == ("Volume BTC", "Volume USD")
    one = roles_of(["date", "open", "high", "low", "close", "volume_btc", "volume"], "bars").columns
    assert (one["volume"], one["quote_volume"]) == ("volume_btc", "volume")


@pytest.mark.parametrize(
    ("symbol", "venue", "perp", "expected", "inverse"),
    [
        ("BTCUSDT", "BINANCE", False, "BTC-USDT.BINANCE", False),
        ("BTCUSDT", "BINANCE", True, "BTCUSDT-PERP.BINANCE", False),
        ("BTCUSD_PERP", "BINANCE", True, "BTCUSD-PERP.BINANCE", True),
        ("BTCUSD_240927", "BINANCE", True, "BTCUSD-240927.BINANCE", True),
        ("BTC-USDT", "OKX", False, "BTC-USDT.OKX", False),
        ("BTC-USDT-SWAP", "OKX", False, "BTCUSDT-PERP.OKX", False),
        ("BTC-USD-SWAP", "OKX", False, "BTCUSD-PERP.OKX", True),
        ("BTC", "HYPERLIQUID", True, "BTC-PERP.HYPERLIQUID", False),
        ("kPEPE", "HYPERLIQUID", True, "kPEPE-PERP.HYPERLIQUID", False),
        ("BTC-PERPETUAL", "DERIBIT", True, "BTC-PERP.DERIBIT", True),
        ("XBTUSD", "BITMEX", True, "XBTUSD-PERP.BITMEX", True),
        ("ETH/BTC", "KRAKEN", False, "ETH-BTC.KRAKEN", False),
    ],
)
def test_a_venues_symbol_becomes_the_houses_id(
    symbol: str, venue: str, perp: bool, expected: str, inverse: bool
) -> None:
    named = name_instrument(symbol, venue, perp)
    assert (named.id, named.inverse) == (expected, inverse)


@pytest.mark.parametrize(
    ("name", "symbol", "venue", "timeframe"),
    [
        ("Coinbase_BTCUSD_1h.csv", "BTC-USD", "COINBASE", "1h"),
        ("Binance_ETHUSDT_d.csv", "ETH-USDT", "BINANCE", "1d"),
        ("BTCUSDT-1m-2024-01.csv", "BTC-USDT", "BINANCE", "1m"),
        ("BTCUSDT-trades-2024-01-05.csv", "BTC-USDT", "BINANCE", ""),
        ("LTC_BTC-5m.feather", "LTC-BTC", "", "5m"),
        ("kraken_XBTEUR_60m.csv", "XBT-EUR", "KRAKEN", "1h"),
        ("prices.csv", "", "", ""),
    ],
)
def test_a_file_name_tells_symbol_venue_and_timeframe(
    name: str, symbol: str, venue: str, timeframe: str
) -> None:
    namer = namer_for(Path(name), name, "")
    assert (namer.symbol, namer.venue, namer.timeframe) == (symbol, venue, timeframe)


def test_symbols_are_split_and_tardis_exchanges_known() -> None:
    assert split_symbol("1INCHUSDT") == ("1INCH", "USDT")
    assert split_symbol("GOOG") == ("GOOG", "")
    assert split_symbol("XBTUSD") == ("XBT", "USD")
    assert split_symbol("BTCTUSD") == ("BTC", "TUSD")
    assert tardis_market("binance-futures") == ("BINANCE", True)
    assert tardis_market("coinbase") == ("COINBASE", False)
    assert tardis_market("new.venue") == ("NEW-VENUE", False)


def grid_of(prices: list[float], quantities: list[float], kind: str = "trades") -> Grid:
    grid = Grid()
    grid.take(pl.DataFrame({"px": prices, "qty": quantities}), kind)
    return grid


def test_tick_and_lot_follow_from_the_decimals() -> None:
    grid = grid_of([100.01, 100.2, 101.0], [0.001, 0.25, 3.0])
    assert (grid.tick, grid.lot) == (Decimal("0.01"), Decimal("0.001"))


def test_many_prices_show_a_tick_that_is_no_power_of_ten() -> None:
    assert grid_of([1000 + 0.5 * i for i in range(200)], [1.0] * 200).tick == Decimal("0.5")
    assert grid_of([1000 + 25.0 * i for i in range(200)], [1.0] * 200).tick == Decimal("25")


def test_few_prices_are_not_trusted_for_a_coarse_tick() -> None:
    assert grid_of([100.0, 150.0, 200.0], [10.0] * 3).tick == Decimal(1)


def test_noise_of_float_arithmetic_is_not_taken_for_decimals() -> None:
    assert grid_of([0.04088000000000001, 0.1 + 0.2], [124.41876474999998, 1.0]).tick == Decimal("0.00001")


def test_a_lot_from_bar_volumes_is_fine_enough_to_trade() -> None:
    grid = Grid()
    price = {name: [50_000.0] for name in ("open", "high", "low", "close")}
    grid.take(pl.DataFrame({**price, "volume": [1413.0]}), "bars")
    assert grid.lot * Decimal("50000") <= 1
