"""Names of streams, as clients write them."""

from __future__ import annotations

import pytest

from lanner.simulator.dialects.binance.names import Route, Topic, parse_stream


@pytest.mark.parametrize(
    ("name", "usdm", "topic", "symbol", "spec", "every_ms"),
    [
        ("btcusdt@trade", False, Topic.TRADE, "BTCUSDT", "", 0),
        ("btcusdt@depth", False, Topic.DEPTH, "BTCUSDT", "", 1000),
        ("btcusdt@depth@100ms", False, Topic.DEPTH, "BTCUSDT", "", 100),
        ("btcusdt@depth", True, Topic.DEPTH, "BTCUSDT", "", 250),
        ("btcusdt@depth20@500ms", True, Topic.DEPTH_TOP, "BTCUSDT", "20", 500),
        ("btcusdt@kline_1M", False, Topic.KLINE, "BTCUSDT", "1M", 2000),
        ("btcusdt@kline_1m", False, Topic.KLINE, "BTCUSDT", "1m", 2000),
        ("btcusdt@kline_1s", False, Topic.KLINE, "BTCUSDT", "1s", 1000),
        ("btcusdt@kline_1d@+08:00", False, Topic.KLINE, "BTCUSDT", "1d+8", 2000),
        ("btcusdt@ticker_4h", False, Topic.ROLLING_TICKER, "BTCUSDT", "4h", 1000),
        ("btcusdt@markPrice@1s", True, Topic.MARK_PRICE, "BTCUSDT", "", 1000),
        ("btcusdt@markPrice", True, Topic.MARK_PRICE, "BTCUSDT", "", 3000),
        ("btcusdt_perpetual@continuousKline_5m", True, Topic.CONTINUOUS_KLINE, "BTCUSDT", "5m", 250),
        ("!miniTicker@arr", False, Topic.MINI_TICKER, "", "", 1000),
        ("!markPrice@arr@1s", True, Topic.MARK_PRICE, "", "", 1000),
    ],
)
def test_a_name_means_its_topic_symbol_and_pace(
    name: str, usdm: bool, topic: Topic, symbol: str, spec: str, every_ms: int
) -> None:
    found = parse_stream(name, usdm=usdm)
    assert found is not None
    assert (found.topic, found.symbol, found.spec, found.every_ms) == (topic, symbol, spec, every_ms)


@pytest.mark.parametrize(
    ("name", "usdm"),
    [
        ("BTCUSDT@trade", False),
        ("btcusdt@markPrice", False),
        ("btcusdt@avgPrice", True),
        ("btcusdt@kline_1s", True),
        ("btcusdt@depth@250ms", False),
        ("btcusdt@depth7", False),
        ("btcusdt_240329@continuousKline_5m", True),
        ("pqia91ma19a5s61cv6a81va65sdf19v8a65a1", True),
        ("!bookTicker", False),
    ],
)
def test_a_name_that_means_nothing_is_none(name: str, usdm: bool) -> None:
    assert parse_stream(name, usdm=usdm) is None


def test_each_topic_of_usdm_has_its_entrance() -> None:
    depth, mark, trade = (
        parse_stream(name, usdm=True) for name in ("btcusdt@depth", "btcusdt@markPrice", "btcusdt@trade")
    )
    assert depth is not None
    assert mark is not None
    assert trade is not None
    assert [depth.comes_from(route) for route in Route] == [True, False, False]
    assert [mark.comes_from(route) for route in Route] == [False, True, False]
    assert [trade.comes_from(route) for route in Route] == [True, True, False]
