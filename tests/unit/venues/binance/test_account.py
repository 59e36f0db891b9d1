"""Answers about an account: balances, positions, fills and fees, field by field."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from lanner.model.accounts import MarginMode, VenueOrder
from lanner.model.commands import SubmitOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.venues.errors import ErrorKind, VenueError
from tests.unit.venues.binance.material import BTC, PERP, spot, usdm

DAY = 86_400_000_000_000


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()


def test_a_spot_account_tells_what_is_there_and_what_is_locked() -> None:
    (call,) = spot().account()
    assert call.build(1, 0).query.startswith("omitZeroBalances=true&recvWindow=5000&timestamp=1&")
    rows = [
        {"asset": "BTC", "free": "1.5", "locked": "0.5"},
        {"asset": "XYZ", "free": "0.00000000", "locked": "0.00000000"},
    ]
    state = call.parse(raw({"balances": rows, "updateTime": 7}), 9)
    (balance,) = state.balances
    assert (balance.currency, balance.total, balance.locked) == ("BTC", 2, Decimal("0.5"))
    assert (state.ts_event, state.equity) == (7_000_000, None)


def test_a_futures_account_tells_equity_and_what_margin_locks() -> None:
    wallets, _ = usdm().account()
    rows = [
        {"asset": "USDT", "walletBalance": "100", "availableBalance": "60"},
        {"asset": "BNB", "walletBalance": "0", "availableBalance": "0"},
    ]
    state = wallets.parse(raw({"assets": rows, "totalMarginBalance": "101.5", "totalInitialMargin": "40"}), 9)
    (balance,) = state.balances
    assert (balance.total, balance.available, balance.locked) == (100, 60, 40)
    assert (state.equity, state.margin_used) == (Decimal("101.5"), 40)


def test_a_position_of_the_third_version_has_its_leverage_worked_out_of_its_margin() -> None:
    row = {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "positionAmt": "-0.2",
        "entryPrice": "60000.0",
        "markPrice": "61000",
        "unRealizedProfit": "-200",
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "isolatedWallet": "0",
        "notional": "-12200",
        "positionInitialMargin": "610",
        "updateTime": 1,
    }
    _, positions = usdm().account()
    (position,) = positions.parse(raw([row, {**row, "positionAmt": "0"}]), 9).positions
    assert (position.lots, position.entry_px, position.mark_px) == (-200, 60_000.0, 61_000.0)
    assert (position.leverage, position.margin_mode, position.side) == (20.0, MarginMode.CROSS, None)
    assert math.isnan(position.liquidation_px)
    (isolated,) = positions.parse(raw([{**row, "isolatedWallet": "650"}]), 9).positions
    assert isolated.margin_mode is MarginMode.ISOLATED


FILL = {
    "symbol": "BTCUSDT",
    "id": 5,
    "orderId": 28,
    "price": "60000.00",
    "qty": "0.001",
    "commission": "0.0001",
    "commissionAsset": "BNB",
    "time": 1_700_000_000_000,
    "isBuyer": False,
    "isMaker": True,
}


def test_a_fill_of_history_names_its_order_and_a_fee_that_cannot_be_converted() -> None:
    codec = spot()
    (order,) = codec.order(SubmitOrder("o1", BTC.id, 0, Side.SELL, OrderType.LIMIT, 100, 6_000_000))
    order.answer(200, raw({"orderId": 28, "symbol": "BTCUSDT", "status": "NEW"}), 1)
    (fill,) = codec.fills(0, BTC.id).parse(raw([FILL]), DAY // 2).rows
    assert (fill.report.order_id, fill.client_id, fill.venue_order_id) == ("o1", "o1", "28")
    assert (fill.report.side, fill.report.liquidity, fill.report.lots) == (Side.SELL, Liquidity.MAKER, 100)
    assert (fill.fee_currency, fill.report.fee, fill.report.reason) == ("BNB", 0, "fee 0.0001 BNB")
    codec.fee_prices["BNB", "USDT"] = Decimal(600)
    (fill,) = codec.fills(0, BTC.id).parse(raw([FILL]), 1).rows
    assert (fill.fee_currency, fill.report.fee) == ("", Decimal("0.06"))


def test_fills_are_paged_by_the_venues_window_and_by_id() -> None:
    codec = spot()
    call = codec.fills(0, BTC.id)
    query = call.build(1, 0).query
    assert query.startswith("symbol=BTCUSDT&startTime=0&endTime=86399999&limit=1000&")
    assert call.parse(raw([FILL]), 10 * DAY).next_ns == DAY
    assert call.parse(raw([FILL]), DAY // 2).next_ns is None
    full = [{**FILL, "id": n, "time": n // 2} for n in range(1_000)]
    page = call.parse(raw(full), 10 * DAY)
    assert (len(page.rows), page.next_ns) == (998, 499_000_000)
    assert "fromId=7&" in codec.fills_from(BTC.id, 7).build(1, 0).query
    with pytest.raises(VenueError) as refused:
        codec.fills(0)
    assert refused.value.kind is ErrorKind.REJECTED


def test_spot_fees_are_the_sum_of_their_kinds() -> None:
    kinds = {
        "standardCommission": {"maker": "0.0010", "taker": "0.0010", "buyer": "0", "seller": "0"},
        "specialCommission": {"maker": "0.0001", "taker": "0.0002", "buyer": "0", "seller": "0"},
        "taxCommission": {"maker": "0.0003", "taker": "0.0003", "buyer": "0.0001", "seller": "0.0002"},
    }
    fees = spot().fees(BTC.id).parse(raw({"symbol": "BTCUSDT", **kinds}), 1).fees
    assert (fees.maker, fees.taker) == (Decimal("0.0016"), Decimal("0.0017"))


def test_orders_that_are_asked_for_are_known_well_enough_to_be_changed_after_a_restart() -> None:
    codec = usdm()
    codec.remember(["o1"])
    row = {
        "symbol": "BTCUSDT",
        "orderId": 9,
        "clientOrderId": "o1",
        "price": "60000.0",
        "origQty": "0.100",
        "executedQty": "0.040",
        "avgPrice": "59999.5",
        "status": "PARTIALLY_FILLED",
        "timeInForce": "GTX",
        "type": "LIMIT",
        "side": "SELL",
        "reduceOnly": True,
        "time": 5,
        "updateTime": 6,
    }
    (told,) = codec.open_orders().parse(raw([row]), 9)
    assert told == VenueOrder(
        PERP.id,
        "o1",
        "o1",
        "9",
        Side.SELL,
        OrderType.LIMIT,
        100,
        40,
        OrderStatus.PARTIALLY_FILLED,
        600_000,
        None,
        59_999.5,
        reduce_only=True,
        post_only=True,
        ts_init=5_000_000,
        ts_last=6_000_000,
    )
    known = codec.memory.of_order("o1")
    assert known is not None
    assert (known.side, known.lots, known.px_ticks, known.venue_order_id) == (Side.SELL, 100, 600_000, "9")


def test_a_conditional_order_that_was_finished_tells_what_became_of_it() -> None:
    codec = usdm()
    row = {
        "algoId": 7,
        "clientAlgoId": "o1",
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "BUY",
        "timeInForce": "GTC",
        "quantity": "0.002",
        "algoStatus": "FINISHED",
        "actualOrderId": "97",
        "actualPrice": "69067.6",
        "actualQty": "0.002",
        "triggerPrice": "69080.2",
        "price": "0.00",
        "createTime": 1,
        "updateTime": 2,
    }
    call = codec.find_conditional_order(PERP.id, "o1")
    told = call.parse(raw(row), 9)
    assert told is not None
    assert (told.status, told.cum_lots, told.avg_px, told.venue_order_id) == (
        OrderStatus.FILLED,
        2,
        69_067.6,
        "97",
    )
    told = call.parse(raw({**row, "actualQty": "0.001"}), 9)
    assert told is not None
    assert (told.status, told.cum_lots) == (OrderStatus.CANCELED, 1)


def test_bookings_of_funding_are_told_for_their_instrument() -> None:
    rows = [
        {
            "symbol": "BTCUSDT",
            "incomeType": "FUNDING_FEE",
            "income": "-0.37500000",
            "asset": "USDT",
            "time": 5,
        },
        {"symbol": "ETHUSDT", "incomeType": "FUNDING_FEE", "income": "1", "asset": "USDT", "time": 5},
        {"symbol": "BTCUSDT", "incomeType": "COMMISSION", "income": "-1", "asset": "USDT", "time": 5},
    ]
    (paid,) = usdm().funding_paid(0).parse(raw(rows), 9)
    assert (paid.instrument_id, paid.amount, paid.ts_event) == (PERP.id, Decimal("-0.375"), 5_000_000)
