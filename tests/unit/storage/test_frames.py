"""Captured frames become rows: each venue's messages, sequence rules, snapshots in their place, funding settled."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lanner.marketdata.rows import messages
from lanner.model.market import BookUpdate
from lanner.storage.catalog import Catalog
from lanner.storage.importers.funding import FundingTracker
from lanner.storage.importers.run import ImportResult, import_files
from lanner.storage.importers.table import Options
from lanner.storage.schema import DatasetKey

MS = 1_000_000
T0 = 1_700_000_000_000


class Capture:
    """Write messages as a capture and import them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = Catalog(folder / "catalog")
        self.lines: list[str] = []

    def say(self, message: dict[str, Any], recv_ms: float = T0) -> None:
        self.lines.append(f"{int(recv_ms * MS)} {json.dumps(message)}")

    def take(self) -> ImportResult:
        path = self.folder / "capture.txt"
        path.write_text("\n".join(self.lines) + "\n")
        return import_files([path], self.catalog)

    def rows(self, kind: str, instrument_id: str, spec: str = "") -> pl.DataFrame:
        return pl.concat(list(self.catalog.scan(kind, instrument_id, spec)))


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return Capture(tmp_path)


def depth(
    first: int, last: int, at: int, bids: list[list[str]], asks: list[list[str]], pu: int | None = None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "e": "depthUpdate",
        "E": T0 + at,
        "s": "BTCUSDT",
        "U": first,
        "u": last,
        "b": bids,
        "a": asks,
    }
    if pu is not None:
        data |= {"T": T0 + at - 1, "pu": pu}
    return {"stream": "btcusdt@depth@100ms", "data": data}


def snapshot(last: int, bid: str = "99", ask: str = "101") -> dict[str, Any]:
    return {"lastUpdateId": last, "bids": [[bid, "1"]], "asks": [[ask, "1"]]}


def test_a_snapshot_that_arrives_late_is_put_behind_the_events_it_covers(capture: Capture) -> None:
    capture.say(depth(1, 10, 0, [["98", "1"]], []), T0 + 1)
    capture.say(depth(11, 20, 100, [["97", "1"]], []), T0 + 101)
    capture.say(depth(21, 30, 200, [["96", "1"]], []), T0 + 201)
    capture.say(snapshot(15), T0 + 250)
    capture.say(depth(31, 40, 300, [["95", "1"]], []), T0 + 301)
    capture.take()
    book = capture.rows("book", "BTC-USDT.BINANCE")
    assert book["seq"].to_list() == [10, 15, 15, 20, 30, 40]
    assert book["snapshot"].to_list() == [False, True, True, False, False, False]
    assert book["last"].to_list() == [True, False, True, True, True, True]
    assert capture.catalog.require("book", "BTC-USDT.BINANCE").warnings == []


def test_a_snapshot_that_arrives_first_waits_for_the_event_that_follows_it(capture: Capture) -> None:
    capture.say({**snapshot(15), "symbol": "BTCUSDT"}, T0 + 500)
    capture.say(depth(1, 10, 0, [["98", "1"]], []), T0 + 1)
    capture.say(depth(11, 20, 100, [["97", "1"]], []), T0 + 101)
    capture.take()
    assert capture.rows("book", "BTC-USDT.BINANCE")["seq"].to_list() == [10, 15, 15, 20]


def test_a_book_without_a_snapshot_says_so(capture: Capture) -> None:
    capture.say(depth(1, 10, 0, [["98", "1"]], []))
    capture.take()
    assert "without a snapshot" in capture.catalog.require("book", "BTC-USDT.BINANCE").problems()[-1]


def test_lost_spot_updates_break_the_sequence(capture: Capture) -> None:
    for first, last in ((1, 10), (11, 20), (25, 30), (31, 40)):
        capture.say(depth(first, last, first, [["98", "1"]], []))
    passport = capture.take().datasets[0].passport
    assert (passport.sequence_checked, passport.sequence_breaks) == (3, 1)
    assert (passport.breaks[0].expected, passport.breaks[0].found) == (21, 25)


def test_lost_futures_updates_break_the_sequence_by_pu(capture: Capture) -> None:
    for first, last, pu in ((5, 10, 1), (13, 20, 10), (25, 30, 22)):
        capture.say(depth(first, last, first, [["98", "1"]], [], pu))
    passport = capture.take().datasets[0].passport
    assert passport.instrument_id == "BTCUSDT-PERP.BINANCE"
    assert (passport.sequence_checked, passport.sequence_breaks, passport.breaks[0].expected) == (2, 1, 20)


def test_a_crossed_book_is_counted_per_event(capture: Capture) -> None:
    capture.say(depth(1, 10, 0, [["98", "1"]], []))
    capture.say(snapshot(10))
    capture.say(depth(11, 20, 100, [["102", "1"]], []))
    capture.say(depth(21, 30, 200, [["102", "0"]], []))
    assert capture.take().datasets[0].passport.crossed == 1


def test_trades_told_twice_as_trade_and_aggtrade_are_taken_once(capture: Capture) -> None:
    trade = {
        "e": "trade",
        "E": T0,
        "T": T0,
        "s": "BTCUSDT",
        "t": 7,
        "p": "100",
        "q": "2",
        "m": True,
        "M": True,
    }
    capture.say({"stream": "btcusdt@trade", "data": trade})
    again = {
        "e": "aggTrade",
        "E": T0,
        "T": T0,
        "s": "BTCUSDT",
        "a": 3,
        "p": "100",
        "q": "2",
        "m": True,
        "M": True,
    }
    capture.say({"stream": "btcusdt@aggTrade", "data": again})
    result = capture.take()
    rows = capture.rows("trades", "BTC-USDT.BINANCE")
    assert rows.select("px", "qty", "aggressor", "trade_id").rows() == [(100.0, 2.0, -1, "7")]
    assert any("told twice" in note for note in result.notes)


def test_a_quote_without_venue_time_takes_the_receipt_and_says_so(capture: Capture) -> None:
    capture.say({"u": 5, "s": "BTCUSDT", "b": "99", "B": "1", "a": "101", "A": "0"}, T0 + 7)
    capture.take()
    [row] = capture.rows("quotes", "BTC-USDT.BINANCE").rows(named=True)
    assert (row["ts_event"], row["ts_recv"], row["seq"]) == ((T0 + 7) * MS, (T0 + 7) * MS, 5)
    assert row["ask_px"] != row["ask_px"]
    assert row["ask_qty"] == 0
    assert "no time" in capture.catalog.require("quotes", "BTC-USDT.BINANCE").problems()[0]


def test_partial_depth_and_klines_and_marks_of_binance(capture: Capture) -> None:
    capture.say({"stream": "btcusdt@depth5@100ms", "data": snapshot(9)})
    bar = {
        "t": T0,
        "T": T0 + 59_999,
        "i": "1m",
        "o": "1",
        "h": "4",
        "l": "1",
        "c": "2",
        "v": "5",
        "n": 6,
        "q": "8",
        "V": "3",
    }
    for closed in (False, True):
        capture.say(
            {"stream": "x", "data": {"e": "kline", "E": T0, "s": "BTCUSDT", "k": {**bar, "x": closed}}}
        )
    capture.take()
    assert capture.rows("book", "BTC-USDT.BINANCE")["snapshot"].to_list() == [True, True]
    [row] = capture.rows("bars", "BTC-USDT.BINANCE", "1m").rows(named=True)
    assert (row["ts_open"], row["ts_event"]) == (T0 * MS, (T0 + 60_000) * MS)
    assert (row["high"], row["trades"], row["quote_volume"], row["taker_buy_volume"]) == (4.0, 6, 8.0, 3.0)


def test_funding_is_settled_when_the_announced_time_moves_on(capture: Capture) -> None:
    hour = 3_600_000
    for at, rate, due in (
        (0, "0.0001", hour),
        (10, "0.0001", hour),
        (20, "0.0002", hour),
        (hour + 5, "0.0003", 2 * hour),
    ):
        data = {
            "e": "markPriceUpdate",
            "E": T0 + at,
            "s": "BTCUSDT",
            "p": "100",
            "i": "101",
            "r": rate,
            "T": T0 + due,
        }
        capture.say({"stream": "btcusdt@markPrice", "data": data}, T0 + at)
    capture.take()
    rows = (
        capture.rows("funding", "BTCUSDT-PERP.BINANCE")
        .select("ts_event", "rate", "interval_ns", "predicted")
        .rows()
    )
    assert rows == [
        (T0 * MS, 0.0001, None, True),
        ((T0 + 20) * MS, 0.0002, None, True),
        ((T0 + hour) * MS, 0.0002, hour * MS, False),
        ((T0 + hour + 5) * MS, 0.0003, None, True),
    ]
    assert capture.rows("mark", "BTCUSDT-PERP.BINANCE").height == 1


def test_funding_that_is_never_due_stays_predicted() -> None:
    tracker = FundingTracker()
    for at in (1, 2, 3):
        tracker.announce(at, at, 0.001, 0)
    assert tracker.take()["predicted"].to_list() == [True]


def bybit(topic: str, kind: str, data: Any, at: int = 0) -> dict[str, Any]:
    return {"topic": topic, "type": kind, "ts": T0 + at, "data": data, "cts": T0 + at - 1}


def test_bybit_books_trades_and_sequence(capture: Capture) -> None:
    book = {"s": "BTCUSDT", "b": [["99", "1"]], "a": [["101", "1"]], "seq": 1}
    capture.say(bybit("orderbook.200.BTCUSDT", "snapshot", {**book, "u": 10}))
    capture.say(bybit("orderbook.200.BTCUSDT", "delta", {**book, "u": 11}, 20))
    capture.say(bybit("orderbook.200.BTCUSDT", "delta", {**book, "u": 13}, 40))
    trade = {"T": T0, "s": "BTCUSDT", "S": "Sell", "v": "0.5", "p": "99", "i": "abc"}
    capture.say(bybit("publicTrade.BTCUSDT", "snapshot", [trade]))
    capture.take()
    passport = capture.catalog.require("book", "BTCUSDT-PERP.BYBIT")
    assert (passport.sequence_checked, passport.sequence_breaks, passport.rows) == (2, 1, 6)
    assert passport.start_ns == (T0 - 1) * MS
    assert capture.rows("trades", "BTCUSDT-PERP.BYBIT")["aggressor"].to_list() == [-1]


def test_bybit_ticker_deltas_complete_the_quote_before(capture: Capture) -> None:
    full = {
        "symbol": "BTCUSDT", "bid1Price": "99", "bid1Size": "1", "ask1Price": "101", "ask1Size": "2",
        "markPrice": "100", "indexPrice": "100.5", "lastPrice": "99", "openInterest": "7", "fundingRate": "0.0001",
        "nextFundingTime": str(T0 + 1000),
    }  # fmt: skip
    capture.say(bybit("tickers.BTCUSDT", "snapshot", full))
    capture.say(bybit("tickers.BTCUSDT", "delta", {"symbol": "BTCUSDT", "ask1Price": "102"}, 10))
    capture.say(bybit("tickers.BTCUSDT", "delta", {"symbol": "BTCUSDT", "markPrice": "103"}, 20))
    capture.take()
    quotes = (
        capture.rows("quotes", "BTCUSDT-PERP.BYBIT").select("bid_px", "bid_qty", "ask_px", "ask_qty").rows()
    )
    assert quotes == [(99.0, 1.0, 101.0, 2.0), (99.0, 1.0, 102.0, 2.0)]
    marks = capture.rows("mark", "BTCUSDT-PERP.BYBIT").select("mark_px", "index_px", "open_interest").rows()
    assert marks == [(100.0, 100.5, 7.0), (103.0, 100.5, 7.0)]


def test_okx_checks_sequence_and_checksum(capture: Capture) -> None:
    arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
    crc = zlib.crc32(b"99:1:101:2")
    good = crc - (1 << 32) if crc >= 1 << 31 else crc
    whole = {
        "bids": [["99", "1", "0", "1"]],
        "asks": [["101", "2", "0", "1"]],
        "ts": str(T0),
        "checksum": good,
        "seqId": 5,
    }
    capture.say({"arg": arg, "action": "snapshot", "data": [{**whole, "prevSeqId": -1}]})
    change = {"bids": [], "asks": [], "ts": str(T0 + 1), "seqId": 9}
    capture.say({"arg": arg, "action": "update", "data": [{**change, "prevSeqId": 5, "checksum": good}]})
    capture.say({"arg": arg, "action": "update", "data": [{**change, "prevSeqId": 7, "checksum": good + 1}]})
    capture.take()
    passport = capture.catalog.require("book", "BTCUSDT-PERP.OKX")
    assert (passport.sequence_checked, passport.sequence_breaks) == (2, 1)
    assert (passport.checksums_checked, passport.checksum_failures) == (3, 1)


def test_okx_other_channels(capture: Capture) -> None:
    def tell(channel: str, data: Any, symbol: str = "BTC-USDT-SWAP") -> None:
        capture.say({"arg": {"channel": channel, "instId": symbol}, "data": [data]})

    tell("bbo-tbt", {"bids": [["99", "1", "0", "1"]], "asks": [], "ts": str(T0), "seqId": 3})
    tell("mark-price", {"instId": "BTC-USDT-SWAP", "markPx": "100", "ts": str(T0)})
    tell("candle1H", [str(T0), "1", "3", "1", "2", "10", "20", "30", "1"])
    tell("candle1H", [str(T0 + 3_600_000), "1", "3", "1", "2", "10", "20", "30", "0"])
    tell(
        "funding-rate",
        {"instId": "BTC-USDT-SWAP", "fundingRate": "0.0001", "fundingTime": str(T0 + 9), "ts": str(T0)},
    )
    tell(
        "trades",
        {"instId": "BTC-USDT-SWAP", "tradeId": "1", "px": "99", "sz": "2", "side": "buy", "ts": str(T0)},
    )
    capture.take()
    assert {(info.kind, info.rows) for info in capture.catalog.datasets()} == {
        ("quotes", 1), ("mark", 1), ("bars", 1), ("funding", 1), ("trades", 1),
    }  # fmt: skip


def test_hyperliquid_channels(capture: Capture) -> None:
    level = {"px": "99", "sz": "1", "n": 1}
    capture.say(
        {
            "channel": "l2Book",
            "data": {"coin": "BTC", "time": T0, "levels": [[level], [{**level, "px": "101"}]]},
        }
    )
    capture.say({"channel": "bbo", "data": {"coin": "BTC", "time": T0, "bbo": [level, None]}})
    context = {"markPx": "100", "oraclePx": "101", "funding": "0.00001", "openInterest": "5"}
    capture.say({"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": context}})
    for opened, close in ((T0, "1"), (T0, "2"), (T0 + 60_000, "3")):
        candle = {
            "t": opened,
            "T": opened + 59_999,
            "s": "BTC",
            "i": "1m",
            "o": "1",
            "h": "3",
            "l": "1",
            "c": close,
            "v": "4",
            "n": 2,
        }
        capture.say({"channel": "candle", "data": candle})
    capture.say({"channel": "subscriptionResponse", "data": {}})
    capture.take()
    name = "BTC-PERP.HYPERLIQUID"
    assert capture.rows("book", name).height == 2
    assert capture.rows("quotes", name)["ask_qty"].to_list() == [0.0]
    assert capture.rows("bars", name, "1m")["close"].to_list() == [2.0]
    assert capture.rows("mark", name).select("mark_px", "index_px").rows() == [(100.0, 101.0)]


@pytest.mark.parametrize(
    "head",
    [f"{T0 * MS} ", f"{T0 * 1000} ", f"{T0} ", f"{T0 / 1000:.3f}: ", f"{T0 // 1000} ", ""],
    ids=["ns", "us", "ms", "decimal seconds", "seconds", "none"],
)
def test_the_time_of_receipt_is_read_in_any_unit(head: str, tmp_path: Path) -> None:
    trade = {
        "e": "trade",
        "E": T0,
        "T": T0,
        "s": "BTCUSDT",
        "t": 7,
        "p": "100",
        "q": "2",
        "m": True,
        "M": True,
    }
    path = tmp_path / "capture.txt"
    path.write_text(head + json.dumps({"stream": "btcusdt@trade", "data": trade}) + "\n")
    catalog = Catalog(tmp_path / "catalog")
    import_files([path], catalog)
    [row] = next(iter(catalog.scan("trades", "BTC-USDT.BINANCE"))).rows(named=True)
    assert row["ts_recv"] == T0 * MS


def test_one_symbol_of_many_is_taken_when_asked(capture: Capture) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        capture.say({"u": 5, "s": symbol, "b": "99", "B": "1", "a": "101", "A": "2"})
        capture.say(
            bybit(
                "publicTrade.X",
                "snapshot",
                [{"T": T0, "s": symbol, "S": "Buy", "v": "1", "p": "9", "i": "a"}],
            )
        )
    path = capture.folder / "capture.txt"
    path.write_text("\n".join(capture.lines) + "\n")
    import_files([path], capture.catalog, options=Options(symbol="ethusdt"))
    assert {info.ref for info in capture.catalog.datasets()} == {
        "ETH-USDT.BINANCE@quotes",
        "ETHUSDT-PERP.BYBIT@trades",
    }


def test_a_line_that_was_cut_off_is_left_out_with_its_number(capture: Capture) -> None:
    trade = {
        "e": "trade",
        "E": T0,
        "T": T0,
        "s": "BTCUSDT",
        "t": 7,
        "p": "100",
        "q": "2",
        "m": True,
        "M": True,
    }
    for number in range(3):
        capture.say({"stream": "btcusdt@trade", "data": {**trade, "t": number}})
    capture.lines.append(capture.lines[0][:60])
    result = capture.take()
    assert [(item.line, item.reason.split(":")[0]) for item in result.rejections] == [
        (4, "not complete JSON")
    ]
    assert capture.rows("trades", "BTC-USDT.BINANCE").height == 3


def test_the_number_of_the_message_before_is_kept_where_the_venue_tells_it(capture: Capture) -> None:
    for first, last, pu in ((5, 10, 1), (13, 20, 10)):
        capture.say(depth(first, last, first, [["98", "1"]], [], pu))
    capture.take()
    assert capture.rows("book", "BTCUSDT-PERP.BINANCE")["prev_seq"].to_list() == [1, 10]


def test_spot_books_have_no_number_of_the_message_before(capture: Capture) -> None:
    capture.say(depth(1, 9, 0, [["98", "1"]], []))
    capture.take()
    assert capture.rows("book", "BTC-USDT.BINANCE")["prev_seq"].to_list() == [None]


def test_a_replayed_book_checks_its_sequence_by_the_numbers_that_were_kept(capture: Capture) -> None:
    for first, last, pu in ((5, 10, 1), (13, 20, 10), (25, 30, 22)):
        capture.say(depth(first, last, first, [["98", "1"]], [["99", "1"]], pu))
    capture.take()
    frame = capture.rows("book", "BTCUSDT-PERP.BINANCE")
    updates = [
        update for update in messages("book", "BTCUSDT-PERP.BINANCE", frame) if isinstance(update, BookUpdate)
    ]
    assert [(update.prev_seq, update.seq) for update in updates] == [(1, 10), (10, 20), (22, 30)]


def test_okx_books_keep_the_number_before_and_none_with_a_snapshot(capture: Capture) -> None:
    for action, seq, before in (("snapshot", 5, -1), ("update", 9, 5)):
        book = {
            "bids": [["99", "1", "0", "1"]],
            "asks": [["101", "1", "0", "1"]],
            "ts": str(T0),
            "seqId": seq,
        }
        capture.say(
            {
                "arg": {"channel": "books", "instId": "BTC-USDT"},
                "action": action,
                "data": [book | {"prevSeqId": before}],
            }
        )
    capture.take()
    assert capture.rows("book", "BTC-USDT.OKX")["prev_seq"].to_list() == [None, None, 5, 5]


def test_files_written_before_the_number_was_kept_are_still_read_and_merged(capture: Capture) -> None:
    capture.say(depth(5, 10, 0, [["98", "1"]], [], 1))
    capture.take()
    key = DatasetKey("book", "BTCUSDT-PERP.BINANCE")
    [part] = capture.catalog.require(*key).partitions
    path = capture.catalog.dataset_folder(key) / part.file
    pl.read_parquet(path).drop("prev_seq").write_parquet(path)
    assert capture.rows(*key)["prev_seq"].to_list() == [None]
    capture.lines.clear()
    capture.say(depth(13, 20, 100, [["97", "1"]], [], 10))
    capture.take()
    assert capture.rows(*key)["prev_seq"].to_list() == [None, 10]
