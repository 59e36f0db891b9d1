"""What a data engine is asked for, before anything is connected."""

from __future__ import annotations

import pytest

from lanner.control.data_engine import DataEngine
from lanner.core.errors import ConfigError
from lanner.venues.codec import Feed, Subscription

BTC, ETH = "BTC-USDT.BINANCE", "ETH-USDT.BINANCE"


def test_feeds_have_the_seeds_names_too_and_are_asked_for_once() -> None:
    data = DataEngine(["BTC-USDT@binance"], ["quote", "quotes", "candle"], timeframe="1m")
    assert data.wishes == [Subscription(Feed.QUOTES, BTC), Subscription(Feed.BARS, BTC, "1m")]
    data.subscribe("ETH-USDT@binance", "all")
    assert [wish.feed for wish in data.wishes[2:]] == [Feed.QUOTES, Feed.TRADES, Feed.BOOK]
    data.subscribe("BTC-USDT@binance", "all", "5m")
    assert data.wishes[-1] == Subscription(Feed.BARS, BTC, "5m")
    data.unsubscribe("BTC-USDT@binance")
    assert {wish.instrument_id for wish in data.wishes} == {ETH}


@pytest.mark.parametrize(
    ("feed", "timeframe"), [("prices", ""), ("bars", ""), ("candle", ""), ("quotes", "1m")]
)
def test_a_feed_that_cannot_be_is_refused(feed: str, timeframe: str) -> None:
    with pytest.raises(ConfigError):
        DataEngine().subscribe("BTC-USDT@binance", feed, timeframe)


def test_a_history_and_instruments_exclude_each_other() -> None:
    with pytest.raises(ConfigError):
        DataEngine(["BTC-USDT@binance"], history="data.csv")
    assert DataEngine(history="data.csv").history == ("data.csv",)
