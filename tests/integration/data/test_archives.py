"""Files as Binance's archive publishes them: with and without header, ms and µs, spot and futures."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files
from lanner.storage.importers.table import Options

T0 = 1_735_689_600_000  # 2025-01-01 UTC
KLINE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
AGG_HEAD = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
TRADE_HEAD = "id,price,qty,quote_qty,time,is_buyer_maker\n"


def klines(scale: int, count: int = 5) -> str:
    rows = []
    for index in range(count):
        opened = (T0 + index * 60_000) * scale
        closed = (T0 + index * 60_000 + 60_000) * scale - 1
        rows.append(f"{opened},100.0,101.5,99.5,100.5,12.5,{closed},1256.25,42,6.25,628.1,0\n")
    return "".join(rows)


def agg(scale: int, tail: str) -> str:
    return "".join(
        f"{900 + i},100.{i},0.5,{i},{i},{(T0 + i) * scale},{i % 2 == 0}{tail}\n".replace("True", "true")
        for i in range(4)
    )


def trades(scale: int, tail: str) -> str:
    return "".join(
        f"{900 + i},100.{i},0.5,50.0,{(T0 + i) * scale},{i % 2 == 0}{tail}\n".lower() for i in range(4)
    )


CASES = {
    "BTCUSDT-1m-2024-12.csv": (klines(1), "binance-klines", "BTC-USDT.BINANCE@1m"),
    "BTCUSDT-1m-2025-01.csv": (klines(1000), "binance-klines", "BTC-USDT.BINANCE@1m"),
    "BTCUSDT-1m-2025-02.csv": (KLINE_HEAD + klines(1), "binance-klines", "BTC-USDT.BINANCE@1m"),
    "BTCUSDT-trades-2024-12-01.csv": (trades(1, ",True"), "binance-trades", "BTC-USDT.BINANCE@trades"),
    "BTCUSDT-trades-2025-01-01.csv": (trades(1000, ",True"), "binance-trades", "BTC-USDT.BINANCE@trades"),
    "ETHUSDT-trades-2025-01-01.csv": (
        TRADE_HEAD + trades(1, ""),
        "binance-trades",
        "ETHUSDT-PERP.BINANCE@trades",
    ),
    "BTCUSDT-aggTrades-2024-12-01.csv": (agg(1, ",True"), "binance-aggtrades", "BTC-USDT.BINANCE@trades"),
    "BTCUSDT-aggTrades-2025-01-01.csv": (agg(1000, ",True"), "binance-aggtrades", "BTC-USDT.BINANCE@trades"),
    "ETHUSDT-aggTrades-2025-01-01.csv": (
        AGG_HEAD + agg(1, ""),
        "binance-aggtrades",
        "ETHUSDT-PERP.BINANCE@trades",
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_an_archive_file_is_detected_and_read(name: str, packed: bool, tmp_path: Path) -> None:
    text, format_name, ref = CASES[name]
    path = tmp_path / name
    path.write_text(text)
    if packed:
        path = path.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, text)
    catalog = Catalog(tmp_path / "catalog")
    result = import_files([path], catalog)
    assert list(result.formats.values()) == [format_name]
    [info] = catalog.datasets()
    assert info.ref == ref
    rows = pl.concat(list(catalog.scan(info.kind, info.instrument_id, info.spec)))
    if info.kind == "bars":
        assert rows["ts_open"].to_list() == [(T0 + i * 60_000) * 10**6 for i in range(5)]
        assert rows["ts_event"].to_list() == [(T0 + i * 60_000 + 60_000) * 10**6 for i in range(5)]
        first = rows.row(0, named=True)
        assert (first["quote_volume"], first["trades"], first["taker_buy_volume"]) == (1256.25, 42, 6.25)
    else:
        assert rows["ts_event"].to_list() == [(T0 + i) * 10**6 for i in range(4)]
        assert rows["aggressor"].to_list() == [-1, 1, -1, 1]
        assert rows["trade_id"].to_list() == ["900", "901", "902", "903"]


def test_archives_of_two_years_join_although_their_units_differ(tmp_path: Path) -> None:
    old = tmp_path / "BTCUSDT-1m-2024-12.csv"
    old.write_text(klines(1, count=100))
    new = tmp_path / "BTCUSDT-1m-2025-01.csv"
    new.write_text("".join(klines(1000, count=200).splitlines(keepends=True)[100:]))
    catalog = Catalog(tmp_path / "catalog")
    import_files([new, old], catalog)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    assert (passport.rows, passport.gap_count, passport.out_of_order) == (200, 0, 0)


def test_aggregated_trades_say_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2024-12-01.csv"
    path.write_text(agg(1, ",True"))
    catalog = Catalog(tmp_path / "catalog")
    import_files([path], catalog)
    assert any("Aggregated" in text for text in catalog.require("trades", "BTC-USDT.BINANCE").problems())


def test_missing_trade_numbers_show_in_the_passport(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-trades-2024-12-01.csv"
    path.write_text(
        "".join(
            line for number, line in enumerate(trades(1, ",True").splitlines(keepends=True)) if number != 2
        )
    )
    catalog = Catalog(tmp_path / "catalog")
    import_files([path], catalog)
    assert catalog.require("trades", "BTC-USDT.BINANCE").missing_ids == 1


@pytest.mark.parametrize(("stamp", "first_close"), [("open", 60_000), ("close", 0)])
def test_the_stamp_of_a_bar_is_taken_as_told(stamp: str, first_close: int, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(
        "time,open,high,low,close,volume\n" + "".join(f"{T0 + i * 60_000},1,1,1,1,1\n" for i in range(5))
    )
    catalog = Catalog(tmp_path / "catalog")
    import_files([path], catalog, options=Options(instrument="BTC-USDT.X", stamp=stamp))
    assert catalog.datasets()[0].start_ns == (T0 + first_close) * 10**6
