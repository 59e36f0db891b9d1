"""Market data and questions: what the venue's messages become."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from lanner.core.errors import ConfigError, NotFoundError
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.venues.codec import Feed, Notice, NoticeKind, Subscription
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import HYPERLIQUID
from tests.unit.venues.hyperliquid.conftest import META, SPOT_META, make_codec

ETH = "ETH-PERP.HYPERLIQUID"
MS = 1_000_000
MINUTE_NS = 60_000 * MS


def frame(channel: str, data: Any) -> bytes:
    """Return a frame as the venue writes it, without spaces."""
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":")).encode()


def candle(t: int, **more: Any) -> dict[str, Any]:
    """Return a minute of ETH."""
    base = {
        "t": t,
        "T": t + 59_999,
        "s": "ETH",
        "i": "1m",
        "o": "10",
        "c": "11",
        "h": "12",
        "l": "9",
        "v": "5",
        "n": 3,
    }
    return {**base, **more}


# -- instruments ---------------------------------------------------------------------------------------


def test_instruments_have_the_venues_grids_and_our_names() -> None:
    codec = HyperliquidCodec(HYPERLIQUID.mainnet)
    perps = codec.instruments_call().parse(json.dumps(META).encode(), 0)
    assert [item.id for item in perps] == ["BTC-PERP.HYPERLIQUID", ETH, "kPEPE-PERP.HYPERLIQUID"]
    btc = perps[0]
    assert (btc.tick, btc.lot, btc.max_leverage, btc.symbol) == (
        Decimal("0.1"),
        Decimal("0.00001"),
        40,
        "BTC",
    )
    assert (btc.maintenance_margin, btc.min_notional) == (Decimal("0.0125"), 10)
    assert btc.quantise_px(98_765.4) == 987_650
    assert btc.funding_interval_ns == 3_600_000 * MS
    second = codec.instruments_call().then
    assert second is not None
    spots = second.parse(json.dumps(SPOT_META).encode(), 0)
    assert [(item.id, item.symbol) for item in spots] == [
        ("PURR-USDC.HYPERLIQUID", "PURR/USDC"),
        ("HYPE-USDC.HYPERLIQUID", "@107"),
        ("HYPE:5-USDC.HYPERLIQUID", "@5"),
    ]
    assert (spots[1].tick, spots[1].lot) == (Decimal("0.000001"), Decimal("0.01"))


def test_a_delisted_instrument_keeps_its_place_in_the_numbering(codec: HyperliquidCodec) -> None:
    told = codec.decode(frame("bbo", {"coin": "OLD", "time": 1, "bbo": [None, None]}), 1)
    assert told[0].instrument_id == "OLD-PERP.HYPERLIQUID"  # type: ignore[union-attr]
    assert codec.instrument("OLD-PERP.HYPERLIQUID").lot == Decimal("0.1")


def test_an_instrument_with_a_grid_that_the_venue_cannot_have_is_refused(codec: HyperliquidCodec) -> None:
    with pytest.raises(ConfigError):
        codec.use([Instrument.perp("X-PERP.HYPERLIQUID", tick="0.5", lot="0.1", symbol="X")])
    with pytest.raises(NotFoundError):
        codec.instrument("X-PERP.HYPERLIQUID")


# -- streams -------------------------------------------------------------------------------------------


def test_best_prices_become_a_quote(codec: HyperliquidCodec) -> None:
    data = {"coin": "ETH", "time": 1_766_566_375_292, "bbo": [{"px": "23.757", "sz": "42.09", "n": 1}, None]}
    (quote,) = codec.decode(frame("bbo", data), 7)
    assert isinstance(quote, Quote)
    assert (quote.instrument_id, quote.ts_event, quote.ts_recv) == (ETH, 1_766_566_375_292 * MS, 7)
    assert (quote.bid_px, quote.bid_qty, quote.ask_qty) == (23.757, 42.09, 0.0)
    assert math.isnan(quote.ask_px)


def test_a_book_is_whole_and_best_first(codec: HyperliquidCodec) -> None:
    bids = [{"px": "10.2", "sz": "1", "n": 1}, {"px": "10.1", "sz": "2", "n": 1}]
    (book,) = codec.decode(frame("l2Book", {"coin": "@107", "time": 5, "levels": [bids, []]}), 7)
    assert book == BookUpdate(
        "HYPE-USDC.HYPERLIQUID", 5 * MS, 7, ((10.2, 1.0), (10.1, 2.0)), (), snapshot=True, first_seq=5, seq=5
    )


def test_prints_carry_the_takers_side_and_an_id_that_needs_the_time(codec: HyperliquidCodec) -> None:
    rows = [
        {
            "coin": "kPEPE",
            "side": side,
            "px": "0.01",
            "sz": "7",
            "time": 9,
            "hash": "0x1",
            "tid": 44,
            "users": ["a", "b"],
        }
        for side in "AB"
    ]
    told = codec.decode(frame("trades", rows), 3)
    assert told[0] == Trade("kPEPE-PERP.HYPERLIQUID", 9 * MS, 3, 0.01, 7.0, -1, "9-44")
    assert isinstance(told[1], Trade)
    assert told[1].aggressor == 1


def test_a_bar_leaves_when_the_next_one_begins(codec: HyperliquidCodec) -> None:
    assert list(codec.decode(frame("candle", candle(0)), 1)) == []
    assert list(codec.decode(frame("candle", candle(0, c="11.5", v="6")), 2)) == []
    (bar,) = codec.decode(frame("candle", [candle(60_000)]), 3)
    assert bar == Bar(f"{ETH}@1m", MINUTE_NS, 3, 0, 10.0, 12.0, 9.0, 11.5, 6.0, None, 3)
    assert list(codec.decode(frame("candle", candle(0)), 4)) == []


def test_an_assets_context_tells_mark_index_and_the_rate_to_come(codec: HyperliquidCodec) -> None:
    ctx = {
        "funding": "0.0000125",
        "openInterest": "1",
        "oraclePx": "14.32",
        "markPx": "14.3161",
        "midPx": "14.314",
    }
    told = codec.decode(frame("activeAssetCtx", {"coin": "ETH", "ctx": ctx}), 8)
    assert told[0] == MarkPrice(ETH, 8, 8, 14.3161, 14.32)
    assert told[1] == FundingRate(ETH, 8, 8, 0.0000125, 3_600_000 * MS, predicted=True)
    spot = {
        "dayNtlVlm": "8906.0",
        "markPx": "0.14",
        "midPx": None,
        "prevDayPx": "0.2",
        "circulatingSupply": "1",
    }
    (mark,) = codec.decode(frame("activeSpotAssetCtx", {"coin": "@107", "ctx": spot}), 8)
    assert isinstance(mark, MarkPrice)
    assert math.isnan(mark.index_px)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"channel":"pong"}', NoticeKind.PONG),
        (b"Websocket connection established.", NoticeKind.OTHER),
        (b'{ "channel" : "pong" }', NoticeKind.PONG),
        (
            b'{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo"}}}',
            NoticeKind.SUBSCRIBED,
        ),
        (
            b'{"channel":"subscriptionResponse","data":{"method":"unsubscribe","subscription":{}}}',
            NoticeKind.UNSUBSCRIBED,
        ),
        (b'{"channel":"error","data":"Invalid subscription {}"}', NoticeKind.REFUSED),
        (b'{"channel":"error","data":"Already subscribed: {}"}', NoticeKind.OTHER),
        (b'{"channel":"somethingNew","data":{"a":[1]}}', NoticeKind.OTHER),
    ],
)
def test_frames_about_the_connection_become_notices(
    codec: HyperliquidCodec, data: bytes, kind: NoticeKind
) -> None:
    (notice,) = codec.decode(data, 4)
    assert isinstance(notice, Notice)
    assert notice.kind is kind


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'{"channel":"bbo"',
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"NaN","sz":"1"},null]}}',
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"-1","sz":"1"},null]}}',
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"1","sz":"-1"},null]}}',
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"1e99","sz":"1"},null]}}',
        b'{"channel":"bbo","data":{"coin":"","time":1,"bbo":[null,null]}}',
        b'{"channel":"trades","data":[{"coin":"ETH","side":"C","px":"1","sz":"1","time":1,"tid":1}]}',
        b'{"channel":"candle","data":{"t":0,"T":59999,"s":"ETH","i":"1m","o":"1","c":"1","h":"0.5","l":"1","v":"1"}}',
        b'{"channel":"l2Book","data":{"coin":"ETH","time":-5,"levels":[[],[]]}}',
        b'\xff\xfe{"channel":"bbo"}',
    ],
)
def test_what_cannot_be_understood_is_one_well_known_fault(codec: HyperliquidCodec, data: bytes) -> None:
    if data.startswith(b'{"channel":"candle"'):
        codec.decode(data, 1)
        data = data.replace(b'"t":0,"T":59999', b'"t":60000,"T":119999')
    with pytest.raises(VenueError) as caught:
        codec.decode(data, 1)
    assert caught.value.kind is ErrorKind.MALFORMED


# -- routes --------------------------------------------------------------------------------------------


def test_wishes_become_subscriptions_each_once(codec: HyperliquidCodec) -> None:
    wishes = [
        Subscription(Feed.QUOTES, ETH),
        Subscription(Feed.BOOK, ETH),
        Subscription(Feed.BOOK, "HYPE-USDC.HYPERLIQUID", "5"),
        Subscription(Feed.BARS, "kPEPE-PERP.HYPERLIQUID", "15m"),
        Subscription(Feed.MARK, ETH),
        Subscription(Feed.FUNDING, ETH),
        Subscription(Feed.TRADES, "PURR-USDC.HYPERLIQUID"),
    ]
    (route,) = codec.routes(wishes)
    told = [json.loads(text) for text in route.hello]
    assert all(item["method"] == "subscribe" for item in told)
    assert [item["subscription"] for item in told] == [
        {"type": "bbo", "coin": "ETH"},
        {"type": "l2Book", "coin": "ETH"},
        {"type": "l2Book", "coin": "@107", "fast": True},
        {"type": "candle", "coin": "kPEPE", "interval": "15m"},
        {"type": "activeAssetCtx", "coin": "ETH"},
        {"type": "trades", "coin": "PURR/USDC"},
    ]
    assert len(route.subscriptions) == len(wishes)
    assert route.heartbeat.ping_text == b'{"method":"ping"}'


def test_more_than_a_thousand_subscriptions_take_a_second_connection(codec: HyperliquidCodec) -> None:
    routes = codec.routes([Subscription(Feed.TRADES, f"C{i}-PERP.HYPERLIQUID") for i in range(1_001)])
    assert [len(route.hello) for route in routes] == [1_000, 1]


def test_bars_that_the_venue_has_not_are_refused(codec: HyperliquidCodec) -> None:
    with pytest.raises(VenueError):
        codec.routes([Subscription(Feed.BARS, ETH, "6h")])
    with pytest.raises(VenueError) as caught:
        codec.bars(ETH, "1s", 0, 1)
    assert caught.value.reason == Reason.UNSUPPORTED


# -- history -------------------------------------------------------------------------------------------


def test_candles_are_asked_for_by_milliseconds_and_open_ones_left_out(codec: HyperliquidCodec) -> None:
    call = codec.bars(ETH, "1m", 0, 10 * MINUTE_NS)
    sent = json.loads(call.build(1, 2).body)
    assert sent == {
        "type": "candleSnapshot",
        "req": {"coin": "ETH", "interval": "1m", "startTime": 0, "endTime": 599_999},
    }
    page = call.parse(json.dumps([candle(60_000), candle(0), candle(120_000)]).encode(), 2 * MINUTE_NS)
    assert [bar.ts_open for bar in page.rows] == [0, MINUTE_NS]
    assert page.next_ns is None


def test_history_longer_than_a_page_goes_on_and_skips_what_the_venue_has_forgotten(
    codec: HyperliquidCodec,
) -> None:
    until = 100_000 * MINUTE_NS
    call = codec.bars(ETH, "1m", 0, until)
    assert json.loads(call.build(1, 2).body)["req"]["endTime"] == 5_000 * 60_000 - 1
    empty = call.parse(b"[]", until)
    assert empty.next_ns == until - 5_001 * MINUTE_NS
    full = call.parse(json.dumps([candle(0)]).encode(), until)
    assert full.next_ns == 5_000 * MINUTE_NS


def test_funding_history_goes_on_after_a_full_page(codec: HyperliquidCodec) -> None:
    hour = 3_600_000
    rows = [
        {"coin": "ETH", "fundingRate": "-0.00022196", "premium": "0", "time": i * hour} for i in range(500)
    ]
    call = codec.funding(ETH, 0, 10**18)
    page = call.parse(json.dumps(rows).encode(), 5)
    assert page.rows[0] == FundingRate(ETH, 0, 5, -0.00022196, hour * MS)
    assert page.next_ns == 499 * hour * MS + MS
    assert call.parse(json.dumps(rows[:3]).encode(), 5).next_ns is None
    with pytest.raises(VenueError):
        codec.funding("HYPE-USDC.HYPERLIQUID", 0, 1)


def test_questions_weigh_what_the_venue_says(codec: HyperliquidCodec) -> None:
    assert codec.quote(ETH).costs == {"weight": 2}
    assert codec.instruments_call().costs == {"weight": 20}
    assert codec.rights().costs == {"weight": 60}  # type: ignore[union-attr]
    assert codec.bars(ETH, "1m", 0, 600 * MINUTE_NS).costs == {"weight": 30}
    assert codec.server_time().costs == {"weight": 2}


def test_the_latest_prints_come_oldest_first(codec: HyperliquidCodec) -> None:
    rows = [{"coin": "ETH", "side": "A", "px": "1", "sz": "1", "time": time, "tid": 5} for time in (3, 1, 2)]
    page = codec.trades(ETH, 2 * MS, None).parse(json.dumps(rows).encode(), 9)
    assert [trade.ts_event for trade in page.rows] == [2 * MS, 3 * MS]


def test_an_answer_that_is_not_of_its_type_is_one_well_known_fault(codec: HyperliquidCodec) -> None:
    for call in (codec.quote(ETH), codec.instruments_call(), codec.open_orders(), codec.fills(0)):
        with pytest.raises(VenueError) as caught:
            call.parse(b'{"x": 1}', 1)
        assert caught.value.kind is ErrorKind.MALFORMED


def test_market_orders_know_prices_that_were_asked_for() -> None:
    codec = make_codec()
    book = {"coin": "ETH", "time": 1, "levels": [[{"px": "9", "sz": "1"}], [{"px": "11", "sz": "2"}]]}
    quote = codec.quote(ETH).parse(json.dumps(book).encode(), 5)
    assert (quote.mid, quote.ask_qty) == (10.0, 2.0)
