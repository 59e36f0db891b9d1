"""The venue's own spot client trades against the simulated venue: REST, WebSocket API with a logon, streams."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from lanner.model.enums import Side
from tests.integration.simulator.binance.clients import official_spot
from tests.integration.simulator.binance.stage import Stage

pytestmark = [
    # Not by importing it: that takes seconds, in every process that collects the tests.
    pytest.mark.skipif(find_spec("binance_sdk_spot") is None, reason="binance_sdk_spot is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
BTC = "BTCUSDT"


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger().setLevel(logging.CRITICAL)


async def _until(rows: list[Any], wanted: Any) -> Any:
    """Wait until a row fits."""

    async def look() -> Any:
        while True:
            for row in rows:
                if wanted(row):
                    return row
            await asyncio.sleep(0.01)

    return await asyncio.wait_for(look(), 60)


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
def test_keys_of_every_kind_are_accepted_and_their_orders_live(spot: Stage, kind: str) -> None:
    rest = official_spot(spot, kind).rest_api
    assert rest.get_account().data().can_trade
    order = rest.new_order(
        symbol=BTC, side="BUY", type="LIMIT", time_in_force="GTC", price=60000, quantity=0.5
    ).data()
    assert order.status == "NEW"
    spot.level(BTC, Side.SELL, 6_000_000, 20_000)
    found = rest.get_order(symbol=BTC, order_id=order.order_id).data()
    assert (found.status, found.executed_qty) == ("PARTIALLY_FILLED", "0.20000000")
    amended = rest.order_amend_keep_priority(symbol=BTC, order_id=order.order_id, new_qty=0.4).data()
    assert (amended.amended_order.qty, amended.amended_order.status) == ("0.40000000", "PARTIALLY_FILLED")
    assert rest.order_amendments(symbol=BTC, order_id=order.order_id).data()[0].new_qty == "0.40000000"
    ended = rest.delete_order(symbol=BTC, order_id=order.order_id).data()
    assert (ended.status, ended.orig_client_order_id) == ("CANCELED", amended.amended_order.client_order_id)
    assert rest.my_trades(symbol=BTC).data()[0].qty == "0.20000000"


def test_market_data_answers_fit_the_strict_models(spot: Stage) -> None:
    rest = official_spot(spot).rest_api
    rest.new_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.5)
    assert rest.exchange_info(symbol=BTC).data().symbols[0].symbol == BTC
    assert rest.depth(symbol=BTC, limit=5).data().asks[0] == ["60001.00000000", "0.50000000"]
    assert rest.get_trades(symbol=BTC).data()[-1].qty == "0.50000000"
    assert rest.historical_trades(symbol=BTC, from_id=1).data()[0].id == 1
    assert rest.agg_trades(symbol=BTC).data()[0].p == "60001.00000000"
    assert rest.klines(symbol=BTC, interval="1m").data()[-1][5] == "0.50000000"
    assert rest.ui_klines(symbol=BTC, interval="1h").data()[-1][4] == "60001.00000000"
    assert rest.avg_price(symbol=BTC).data().price == "60001.00000000"
    assert rest.ticker24hr(symbol=BTC).data().actual_instance.count == 1
    assert rest.ticker_trading_day(symbol=BTC).data().actual_instance.volume == "0.50000000"
    assert rest.ticker(symbol=BTC, window_size="1h").data().actual_instance.last_price == "60001.00000000"
    assert rest.ticker_price(symbol=BTC).data().actual_instance.price == "60001.00000000"
    assert rest.ticker_book_ticker(symbol=BTC).data().actual_instance.bid_price == "59999.00000000"
    assert rest.rate_limit_order().data()[0].limit == 100
    assert rest.account_commission(symbol=BTC).data().standard_commission.taker == "0.00100000"


def test_order_lists_are_placed_told_and_cancelled(spot: Stage) -> None:
    rest = official_spot(spot).rest_api
    pair = rest.order_list_oco(
        symbol=BTC, side="SELL", quantity=0.1, above_type="LIMIT_MAKER", above_price=60500,
        below_type="STOP_LOSS_LIMIT", below_stop_price=59000, below_price=58900, below_time_in_force="GTC",
    ).data()  # fmt: skip
    assert [row.type for row in pair.order_reports] == ["STOP_LOSS_LIMIT", "LIMIT_MAKER"]
    spot.level(BTC, Side.BUY, 6_050_000, 11_000_000)
    states = {row.type: row.status for row in rest.all_orders(symbol=BTC).data()}
    assert states == {"STOP_LOSS_LIMIT": "EXPIRED", "LIMIT_MAKER": "FILLED"}
    assert rest.get_order_list(order_list_id=pair.order_list_id).data().list_order_status == "ALL_DONE"

    chain = rest.order_list_otoco(
        symbol=BTC, working_type="LIMIT", working_side="BUY", working_price=50000, working_quantity=0.1,
        working_time_in_force="GTC", pending_side="SELL", pending_quantity=0.1, pending_above_type="LIMIT_MAKER",
        pending_above_price=70000, pending_below_type="STOP_LOSS", pending_below_stop_price=45000,
    ).data()  # fmt: skip
    assert [row.status for row in chain.order_reports] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    assert len(rest.open_order_list().data()) == 1
    ended = rest.delete_order_list(symbol=BTC, order_list_id=chain.order_list_id).data()
    assert {row.status for row in ended.order_reports} == {"CANCELED"}
    assert rest.get_open_orders().data() == []


def test_a_replaced_order_tells_both_halves(spot: Stage) -> None:
    errors = import_module("binance_common.errors")
    rest = official_spot(spot).rest_api
    order = rest.new_order(
        symbol=BTC, side="BUY", type="LIMIT", time_in_force="GTC", price=59000, quantity=0.5
    ).data()
    both = rest.order_cancel_replace(
        symbol=BTC, side="BUY", type="LIMIT", time_in_force="GTC", price=58000, quantity=0.5,
        cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=order.order_id,
    ).data()  # fmt: skip
    assert (both.cancel_result, both.new_order_result) == ("SUCCESS", "SUCCESS")
    assert both.cancel_response.order_id == order.order_id
    with pytest.raises(errors.BadRequestError) as refused:
        rest.order_cancel_replace(
            symbol=BTC, side="BUY", type="LIMIT", time_in_force="GTC", price=58000, quantity=0.5,
            cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=order.order_id,
        )  # fmt: skip
    assert "-2022" in str(refused.value)


def test_a_logged_on_session_trades_without_signatures_and_hears_its_orders(spot: Stage) -> None:
    async def scene() -> None:
        client = official_spot(spot, "ed25519")
        session = await client.websocket_api.create_connection()
        logon = (await session.session_logon()).data().result
        assert logon.api_key == spot.keys.ed25519_api_key
        events: list[Any] = []
        stream = await session.user_data_stream_subscribe()
        stream.stream.on("message", lambda one: events.append(one.actual_instance))

        placed = await session.order_place(
            symbol=BTC, side="BUY", type="LIMIT", time_in_force="GTC", price=60000, quantity=0.5
        )
        order = placed.data().result
        assert order.status == "NEW"
        await _until(events, lambda one: getattr(one, "x", "") == "NEW" and one.i == order.order_id)
        await asyncio.to_thread(spot.level, BTC, Side.SELL, 6_000_000, 20_000)
        fill = await _until(events, lambda one: getattr(one, "x", "") == "TRADE")
        assert (fill.X, fill.l, fill.m) == ("PARTIALLY_FILLED", "0.20000000", True)
        found = (await session.order_status(symbol=BTC, order_id=order.order_id)).data().result
        assert found.executed_qty == "0.20000000"
        ended = (await session.order_cancel(symbol=BTC, order_id=order.order_id)).data().result
        assert ended.status == "CANCELED"
        await _until(events, lambda one: getattr(one, "x", "") == "CANCELED")
        assert (await session.my_trades(symbol=BTC)).data().result[0].is_maker
        assert (await session.account_status()).data().result.can_trade
        assert (await session.session_logout()).data().result.api_key is None
        await session.close_connection()

    asyncio.run(scene())


def test_streams_fit_the_strict_models(spot: Stage) -> None:
    async def scene() -> None:
        client = official_spot(spot)
        streams = await client.websocket_streams.create_connection()
        heard: dict[str, Any] = {}
        wanted: dict[str, dict[str, str]] = {
            "agg_trade": {},
            "trade": {},
            "book_ticker": {},
            "diff_book_depth": {"update_speed": "100ms"},
            "partial_book_depth": {"levels": "5", "update_speed": "100ms"},
            "kline": {"interval": "1s"},
            "mini_ticker": {},
            "ticker": {},
            "avg_price": {},
            "rolling_window_ticker": {"window_size": "1h"},
        }
        for name, more in wanted.items():
            handle = await getattr(streams, name)(symbol="btcusdt", **more)
            handle.on("message", lambda one, name=name: heard.setdefault(name, one))
            await asyncio.sleep(0.25)  # five messages a second are allowed
        for number in range(600):
            await asyncio.to_thread(spot.level, BTC, Side.SELL, 5_999_900, 5)
            await asyncio.sleep(0.1)
            if len(heard) == len(wanted) and number > 3:
                break
        assert set(heard) == set(wanted)
        assert heard["trade"].p == "59999.00000000"
        assert heard["partial_book_depth"].bids[0][0] == "59999.00000000"
        assert heard["diff_book_depth"].u >= heard["diff_book_depth"].U
        await streams.close_connection()

    asyncio.run(scene())
