"""Instruments, streams, and history paged forwards."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import NotFoundError
from lanner.model.features import FEATURES
from lanner.model.market import BookUpdate, Quote
from lanner.venues.binance.spec import BINANCE_SPOT, BINANCE_USDM, STREAMS_PER_CONNECTION
from lanner.venues.binance.spot import BinanceSpotCodec
from lanner.venues.codec import Feed, Page, ProductSpec, Subscription
from lanner.venues.errors import ErrorKind, VenueError
from tests.unit.venues.binance.material import BTC, PERP, fine_instruments, spot, usdm

MS = 1_000_000
HOUR = 3_600_000 * MS


def symbol_info(**more: object) -> dict[str, object]:
    filters = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01",
            "maxPrice": "1000000.00",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "120.5", "stepSize": "0"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000", "avgPriceMins": 5},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "askMultiplierDown": "0.2"},
        {"filterType": "SOMETHING_NEW", "minQty": [1, 2]} if more.pop("odd", False) else {"filterType": "X"},
    ]
    given = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
    return {**given, "filters": filters, **more}


def told(codec: Any, *symbols: dict[str, object]) -> list[Any]:
    return codec.instruments_call().parse(json.dumps({"symbols": symbols}).encode(), 0)  # type: ignore[no-any-return]


def test_a_spot_pair_has_the_venues_grid_and_bounds() -> None:
    codec = spot()
    (found,) = told(codec, symbol_info())
    assert (found.id, found.symbol, found.settle) == ("BTC-USDT.BINANCE", "BTCUSDT", "USDT")
    assert (found.tick, found.lot) == (Decimal("0.01"), Decimal("0.00001"))
    assert (found.min_qty, found.max_qty, found.min_notional) == (Decimal("0.00001"), 9000, 5)
    assert str(found.tick) == "0.01"
    assert codec.bounds[found.id].market_max == Decimal("120.5")
    assert (codec.bounds[found.id].px_down, codec.bounds[found.id].px_up) == (Decimal("0.2"), 5)


def test_pairs_that_do_not_trade_or_that_we_cannot_name_are_left_out() -> None:
    assert told(spot(), symbol_info(status="BREAK")) == []
    assert told(spot(), symbol_info(isSpotTradingAllowed=False)) == []
    assert told(spot(), symbol_info(symbol="币安人生USDT", baseAsset="币安人生")) == []
    assert told(spot(), symbol_info(filters=[])) == []
    assert len(told(spot(), symbol_info(odd=True), symbol_info())) == 1


def test_only_perpetuals_that_trade_are_instruments_of_usdm(shared_data: Path) -> None:
    kept = symbol_info(contractType="PERPETUAL", marginAsset="USDT", maintMarginPercent="2.5000")
    dated = symbol_info(contractType="CURRENT_QUARTER", symbol="BTCUSDT_260327")
    (found,) = told(usdm(), kept, dated, symbol_info(contractType="PERPETUAL", status="SETTLING"))
    assert (found.id, found.symbol) == ("BTCUSDT-PERP.BINANCE", "BTCUSDT")
    assert (found.maintenance_margin, found.funding_interval_ns) == (Decimal("0.025"), 8 * HOUR)
    file = (
        shared_data
        / "fixtures"
        / "binance_usdm"
        / "jkorf/Endpoints/UsdFutures/ExchangeData/GetExchangeInfo.json"
    )
    body = json.loads(file.read_text())["response"]
    assert usdm().instruments_call().parse(json.dumps(body).encode(), 0)


def test_a_whole_exchange_info_is_read(shared_data: Path) -> None:
    with gzip.open(shared_data / "market" / "cryptofeed" / "BINANCE.0.gz", "rt") as content:
        body = content.readline().partition(": ")[2]
    found = {one.symbol: one for one in spot().instruments_call().parse(body.encode(), 0)}
    trading = {one["symbol"]: one for one in json.loads(body)["symbols"] if one["status"] == "TRADING"}
    trading = {name: one for name, one in trading.items() if one["isSpotTradingAllowed"]}
    assert found.keys() == trading.keys()
    for name, one in trading.items():
        rules = {rule["filterType"]: rule for rule in one["filters"]}
        assert found[name].tick == Decimal(rules["PRICE_FILTER"]["tickSize"])
        assert found[name].lot == Decimal(rules["LOT_SIZE"]["stepSize"])
        assert found[name].min_notional == Decimal(rules["MIN_NOTIONAL"]["minNotional"])


def wish(feed: Feed, spec: str = "", name: str = BTC.id) -> Subscription:
    return Subscription(feed, name, spec)


def test_spot_wishes_share_one_connection_and_its_streams_have_the_venues_names() -> None:
    wishes = [
        wish(Feed.QUOTES),
        wish(Feed.TRADES),
        wish(Feed.BOOK),
        wish(Feed.BOOK, "20"),
        wish(Feed.BARS, "1m"),
    ]
    (route,) = spot().routes(wishes)
    assert route.url == "wss://stream.binance.com:9443/stream"
    assert [json.loads(frame) for frame in route.hello] == [
        {
            "method": "SUBSCRIBE",
            "params": [
                "btcusdt@bookTicker",
                "btcusdt@trade",
                "btcusdt@depth@100ms",
                "btcusdt@depth20@100ms",
                "btcusdt@kline_1m",
            ],
            "id": 1,
        }
    ]
    assert route.subscriptions == tuple(wishes)


def test_futures_wishes_are_routed_by_path_and_a_shared_stream_is_asked_for_once() -> None:
    feeds = (Feed.QUOTES, Feed.TRADES, Feed.BOOK, Feed.MARK, Feed.FUNDING)
    routes = {route.url: route for route in usdm().routes([wish(feed, name=PERP.id) for feed in feeds])}
    streams = {url: json.loads(route.hello[0])["params"] for url, route in routes.items()}
    assert streams == {
        "wss://fstream.binance.com/public/stream": ["btcusdt@bookTicker", "btcusdt@depth@100ms"],
        "wss://fstream.binance.com/market/stream": ["btcusdt@aggTrade", "btcusdt@markPrice@1s"],
    }
    market = routes["wss://fstream.binance.com/market/stream"]
    assert [one.feed for one in market.subscriptions] == [Feed.TRADES, Feed.MARK, Feed.FUNDING]


def test_many_streams_are_spread_over_connections_and_frames() -> None:
    codec = spot()
    many = fine_instruments({f"C{n}USDT" for n in range(STREAMS_PER_CONNECTION + 50)}, perp=False)
    codec.use(many)
    first, second = codec.routes([Subscription(Feed.QUOTES, one.id) for one in many])
    assert (len(first.subscriptions), len(second.subscriptions)) == (STREAMS_PER_CONNECTION, 50)
    assert sum(len(json.loads(frame)["params"]) for frame in first.hello) == STREAMS_PER_CONNECTION
    assert max(len(frame) for frame in first.hello) < 4_096


def test_what_has_no_stream_is_refused_and_an_unknown_instrument_is_not_found() -> None:
    with pytest.raises(VenueError) as refused:
        spot().routes([wish(Feed.MARK)])
    assert refused.value.kind is ErrorKind.REJECTED
    with pytest.raises(NotFoundError):
        spot().routes([wish(Feed.QUOTES, name="X-Y.BINANCE")])


def test_finer_times_are_asked_for_and_understood() -> None:
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet, microseconds=True)
    codec.use([BTC])
    (route,) = codec.routes([wish(Feed.TRADES)])
    assert route.url.endswith("/stream?timeUnit=MICROSECOND")
    frame = b'{"e":"trade","s":"BTCUSDT","t":1,"p":"1","q":"1","T":1672515782136123,"m":true}'
    (trade,) = codec.decode(frame, 1)
    assert trade.ts_event == 1_672_515_782_136_123_000  # type: ignore[union-attr]


def test_an_empty_side_of_a_quote_has_no_price() -> None:
    frame = b'{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"0.0","B":"0.0","a":"2.0","A":"3.0"}}'
    (quote,) = spot().decode(frame, 5)
    assert isinstance(quote, Quote)
    assert quote.bid_px != quote.bid_px
    assert (quote.bid_qty, quote.ask_px, quote.ask_qty, quote.ts_event) == (0.0, 2.0, 3.0, 5)


def test_key_order_and_blanks_do_not_matter() -> None:
    data = {"a": "2.0", "A": "3.0", "s": "BTCUSDT", "b": "1.0", "B": "4.0", "u": 7}
    plain = spot().decode(json.dumps({"data": data, "stream": "btcusdt@bookTicker"}).encode(), 5)
    pretty = spot().decode(json.dumps({"stream": "btcusdt@bookTicker", "data": data}, indent=1).encode(), 5)
    assert plain == pretty == (Quote(BTC.id, 5, 5, 1.0, 4.0, 2.0, 3.0, 7),)


def test_partial_books_are_whole_books() -> None:
    frame = b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":9,"bids":[["1","2"]],"asks":[]}}'
    assert spot().decode(frame, 5) == (BookUpdate(BTC.id, 5, 5, ((1.0, 2.0),), (), True, 9, 9),)


def kline(opened_ms: int) -> list[Any]:
    return [opened_ms, "1", "2", "0.5", "1.5", "10", opened_ms + 59_999, "15", 3, "4", "6", "0"]


def test_bars_are_paged_by_their_opening_and_the_growing_one_is_left_out() -> None:
    call = spot().bars(BTC.id, "1m", 0, 2_000 * 60_000 * MS)
    request = call.build(0, 0)
    assert request.path == "/api/v3/klines"
    assert request.query == "symbol=BTCUSDT&interval=1m&startTime=0&endTime=119999999&limit=1000"
    rows = [kline(n * 60_000) for n in range(1_000)]
    page = call.parse(json.dumps(rows).encode(), 10**18)
    assert (len(page.rows), page.next_ns) == (1_000, 1_000 * 60_000 * MS)
    page = call.parse(json.dumps(rows[:3]).encode(), 2 * 60_000 * MS + 5)
    assert (len(page.rows), page.next_ns) == (2, None)


def agg(number: int, ms: int) -> dict[str, object]:
    return {"a": number, "p": "1", "q": "2", "T": ms, "m": False}


def test_trades_are_paged_by_their_start_alone_and_within_a_full_page_by_the_millisecond() -> None:
    call = usdm().trades(PERP.id, 0, 3 * HOUR)
    assert call.build(0, 0).query == "symbol=BTCUSDT&limit=1000&startTime=0"
    page = call.parse(json.dumps([agg(1, 5)]).encode(), 10**18)
    assert ([one.trade_id for one in page.rows], page.next_ns) == (["1"], 6 * MS)
    full = [agg(n, n // 2) for n in range(1_000)]
    page = call.parse(json.dumps(full).encode(), 10**18)
    assert (len(page.rows), page.next_ns) == (998, 499 * MS)
    page = call.parse(json.dumps([agg(n, 7) for n in range(1_000)]).encode(), 10**18)
    assert (len(page.rows), page.next_ns) == (1_000, 8 * MS)
    assert usdm().trades(PERP.id, None, None).parse(json.dumps(full).encode(), 1).next_ns is None


def test_trades_behind_the_end_are_left_out_and_an_empty_page_goes_on_an_hour_later() -> None:
    call = usdm().trades(PERP.id, 0, 3 * HOUR)
    late = 3 * HOUR // MS
    page = call.parse(json.dumps([agg(1, late - 1), agg(2, late), agg(3, late + 9)]).encode(), 10**18)
    assert ([one.trade_id for one in page.rows], page.next_ns) == (["1"], None)
    assert call.parse(b"[]", 10**18) == Page((), HOUR)
    assert call.parse(b"[]", HOUR - 1) == Page((), None)
    assert usdm().trades(PERP.id, 2 * HOUR, 3 * HOUR).parse(b"[]", 10**18) == Page((), None)


def test_funding_is_paged_behind_its_last_row() -> None:
    rows = [
        {"symbol": "BTCUSDT", "fundingRate": "-0.0001", "fundingTime": n, "markPrice": ""}
        for n in range(1_000)
    ]
    page = usdm().funding(PERP.id, 0, HOUR).parse(json.dumps(rows).encode(), 1)
    assert (len(page.rows), page.next_ns, page.rows[0].predicted) == (1_000, 1_000 * MS, False)
    with pytest.raises(VenueError):
        spot().funding(BTC.id, 0, HOUR)


def test_an_answer_that_cannot_be_understood_is_malformed_and_a_refusal_is_itself() -> None:
    call = spot().bars(BTC.id, "1m", 0, HOUR)
    for body in (b"", b"[[1]]", b'[["x"]]', b"<html>", b'{"a":1}', b"\xff"):
        with pytest.raises(VenueError) as found:
            call.parse(body, 1)
        assert found.value.kind is ErrorKind.MALFORMED
    with pytest.raises(VenueError) as found:
        call.parse(b'{"code":-1121,"msg":"Invalid symbol."}', 1)
    assert found.value.kind is ErrorKind.REJECTED


def test_the_listen_key_is_fetched_kept_alive_and_put_into_the_address() -> None:
    (route,) = usdm().user_routes()
    assert route.prepare is not None
    assert route.keep_alive is not None
    assert route.prepare.build(1, 1).method == "POST"
    assert route.keep_alive.build(1, 1).method == "PUT"
    token = route.prepare.parse(b'{"listenKey":"abc"}', 1)
    assert route.url(token) == "wss://fstream.binance.com/private/ws/abc"
    assert (route.keep_alive_s, route.hello(1, 1, token)) == (1_800.0, ())


@pytest.mark.parametrize("spec", [BINANCE_SPOT, BINANCE_USDM])
def test_a_products_table_is_whole_and_a_local_server_has_all_its_places(spec: ProductSpec) -> None:
    assert set(spec.capabilities) == set(FEATURES)
    local = spec.local("http://127.0.0.1:8080")
    assert (local.rest, local.stream) == ("http://127.0.0.1:8080", "ws://127.0.0.1:8080")
    assert local.trade.startswith("ws://127.0.0.1:8080/ws-")
    assert spec.local("https://h").stream == "wss://h"
    assert all(bucket.header.startswith("x-mbx-") for bucket in spec.buckets.values())


def test_rights_tell_whether_a_key_may_withdraw() -> None:
    call = spot().rights()
    assert call is not None
    body = b'{"ipRestrict":true,"enableReading":true,"enableWithdrawals":true,"enableSpotAndMarginTrading":false}'
    rights = call.parse(body, 1)
    assert (rights.read, rights.trade, rights.withdraw, rights.ip_bound) == (True, False, True, True)
