"""The account: what the venue's answers about it become."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from lanner.model.accounts import Balance, KeyRights, MarginMode
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import REFUSALS
from lanner.venues.keys import Keys
from tests.unit.venues.hyperliquid.conftest import SECRET, make_codec

ETH = "ETH-PERP.HYPERLIQUID"
MASTER = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"


def position(coin: str, size: str, **more: Any) -> dict[str, Any]:
    """Return a position as clearinghouseState tells it."""
    base = {
        "coin": coin,
        "entryPx": "2986.3",
        "leverage": {"type": "isolated", "value": 20, "rawUsd": "-95.059824"},
        "liquidationPx": "2866.26936529",
        "marginUsed": "4.967826",
        "positionValue": "100.02765",
        "szi": size,
        "unrealizedPnl": "-0.0134",
    }
    return {"type": "oneWay", "position": {**base, **more}}


def state(*positions: dict[str, Any]) -> bytes:
    """Return a clearinghouseState."""
    margin = {"accountValue": "100.0", "totalMarginUsed": "4.967826", "totalNtlPos": "1", "totalRawUsd": "1"}
    told = {
        "assetPositions": list(positions),
        "marginSummary": margin,
        "withdrawable": "90.5",
        "time": 1_708_622_398_623,
    }
    return json.dumps(told).encode()


def test_the_perpetual_account_has_cash_margin_and_positions(codec: HyperliquidCodec) -> None:
    perp, spot = codec.account()
    told = perp.parse(
        state(position("ETH", "-0.0335", liquidationPx=None), position("NEW", "1", unrealizedPnl="0")), 7
    )
    assert told.ts_event == 1_708_622_398_623_000_000
    assert (told.equity, told.margin_used) == (Decimal("100.0"), Decimal("4.967826"))
    (cash,) = told.balances
    assert cash == Balance("USDC", Decimal("100.0134"), Decimal("90.5"), Decimal("9.5134"))
    (held,) = told.positions
    assert (held.instrument_id, held.lots, held.entry_px, held.margin_mode) == (
        ETH,
        -335,
        2986.3,
        MarginMode.ISOLATED,
    )
    assert held.mark_px == pytest.approx(100.02765 / 0.0335)
    assert math.isnan(held.liquidation_px)
    assert json.loads(spot.build(1, 2).body)["type"] == "spotClearinghouseState"
    rows = {"balances": [{"coin": "PURR", "token": 1, "hold": "500", "total": "2000", "entryNtl": "1"}]}
    assert spot.parse(json.dumps(rows).encode(), 9).balances == (
        Balance("PURR", Decimal(2000), Decimal(1500), Decimal(500)),
    )


def test_questions_about_the_account_name_vault_or_master_never_the_agent() -> None:
    agent = Keys("wallet", SECRET, account=MASTER)
    assert json.loads(make_codec(agent).account()[0].build(1, 2).body)["user"] == MASTER
    vault = Keys("wallet", SECRET, account=MASTER, vault=VAULT)
    assert json.loads(make_codec(vault).open_orders().build(1, 2).body)["user"] == VAULT
    with pytest.raises(VenueError) as caught:
        make_codec().account()
    assert caught.value.kind is ErrorKind.AUTH


def test_the_users_route_listens_and_takes_orders_on_one_socket(codec: HyperliquidCodec, keys: Keys) -> None:
    (route,) = codec.user_routes()
    assert codec.trade_route() is None
    assert route.url("") == "wss://api.hyperliquid-testnet.xyz/ws"
    told = [json.loads(text)["subscription"] for text in route.hello(5, 6, "")]
    assert {item["type"] for item in told} == {
        "orderUpdates",
        "userFills",
        "userFundings",
        "userEvents",
        "allMids",
    }
    assert all(item["user"] == keys.account for item in told if item["type"] != "allMids")


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ({"role": "agent", "data": {"user": MASTER}}, KeyRights(True, True, False, False)),
        ({"role": "user"}, KeyRights(True, True, True, False)),
        ({"role": "missing"}, KeyRights(True, False, None, False)),
    ],
)
def test_an_agent_cannot_withdraw_a_main_wallet_can(role: dict[str, Any], rights: KeyRights) -> None:
    call = make_codec(Keys("wallet", SECRET, account=MASTER)).rights()
    assert call is not None
    assert json.loads(call.build(1, 2).body) == {
        "type": "userRole",
        "user": "0x14791697260e4c9a71f18484c9f997b308e59325",
    }
    assert call.parse(json.dumps(role).encode(), 1) == rights


@pytest.mark.parametrize("account", [MASTER, ""])
def test_an_agent_that_is_not_the_named_accounts_is_refused(account: str) -> None:
    """Without a name it would trade for its owner and look for orders and positions at its own address."""
    call = make_codec(Keys("wallet", SECRET, account=account)).rights()
    assert call is not None
    with pytest.raises(VenueError) as caught:
        call.parse(json.dumps({"role": "agent", "data": {"user": VAULT}}).encode(), 1)
    assert caught.value.kind is ErrorKind.AUTH


def test_fees_are_the_accounts_own_for_perpetuals_and_spot(codec: HyperliquidCodec) -> None:
    told = json.dumps(
        {
            "userCrossRate": "0.000315",
            "userAddRate": "-0.00001",
            "userSpotCrossRate": "0.00049",
            "userSpotAddRate": "0.00028",
        }
    ).encode()
    perp = codec.fees(ETH).parse(told, 1).fees
    assert (perp.maker, perp.taker) == (Decimal("-0.00001"), Decimal("0.000315"))
    spot = codec.fees("HYPE-USDC.HYPERLIQUID").parse(told, 1).fees
    assert (spot.maker, spot.taker) == (Decimal("0.00028"), Decimal("0.00049"))


def order_status(codec: HyperliquidCodec, status: str, **more: Any) -> bytes:
    """Return an orderStatus answer."""
    order = {
        "coin": "ETH",
        "side": "A",
        "limitPx": "2412.7",
        "sz": "0.0",
        "oid": 1,
        "timestamp": 1_724_361_546_645,
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "reduceOnly": True,
        "orderType": "Market",
        "origSz": "0.0076",
        "tif": "FrontendMarket",
        "cloid": codec.client_id("O-1"),
        **more,
    }
    told = {
        "status": "order",
        "order": {"order": order, "status": status, "statusTimestamp": 1_724_361_546_645},
    }
    return json.dumps(told).encode()


def test_an_order_is_found_by_our_id(codec: HyperliquidCodec) -> None:
    call = codec.find_order(ETH, "O-1")
    assert json.loads(call.build(1, 2).body)["oid"] == codec.client_id("O-1")
    found = call.parse(order_status(codec, "filled"), 1)
    assert found is not None
    assert (found.order_id, found.venue_order_id, found.side, found.type) == (
        "O-1",
        "1",
        Side.SELL,
        OrderType.MARKET,
    )
    assert (found.lots, found.cum_lots, found.status, found.px_ticks, found.reduce_only) == (
        76,
        76,
        OrderStatus.FILLED,
        None,
        True,
    )
    assert call.parse(b'{"status":"unknownOid"}', 1) is None
    assert json.loads(codec.find_order(ETH, "", "77").build(1, 2).body)["oid"] == 77


def test_a_stop_that_works_tells_its_trigger(codec: HyperliquidCodec) -> None:
    more = {"orderType": "Stop Market", "isTrigger": True, "triggerPx": "9.995", "sz": "0.0076", "tif": None}
    found = codec.find_order(ETH, "O-1").parse(order_status(codec, "open", **more), 1)
    assert found is not None
    assert (found.type, found.stop_ticks, found.px_ticks, found.status) == (
        OrderType.STOP_MARKET,
        1_000,
        None,
        OrderStatus.ACCEPTED,
    )


def test_fills_come_oldest_first_and_pages_overlap(codec: HyperliquidCodec) -> None:
    def row(time: int, tid: int, **more: Any) -> dict[str, Any]:
        base = {
            "coin": "ETH",
            "px": "2000.1",
            "sz": "0.1",
            "side": "B",
            "time": time,
            "oid": 5,
            "crossed": True,
            "fee": "0.09",
            "feeToken": " USDC",
            "tid": tid,
            "dir": "Open Long",
        }
        return {**base, **more}

    call = codec.fills(1_000_000)
    page = call.parse(json.dumps([row(9, 2), row(8, 1), row(9, 3, coin="nope")]).encode(), 5)
    assert [item.report.trade_id for item in page.rows] == ["8-ETH-1", "9-ETH-2"]
    assert (page.rows[0].fee_currency, page.next_ns) == ("USDC", None)
    full = call.parse(json.dumps([row(10 + i // 2, i) for i in range(2_000)]).encode(), 5)
    assert full.next_ns == 1_009 * 1_000_000
    stuck = call.parse(json.dumps([row(1, i) for i in range(2_000)]).encode(), 5)
    assert stuck.next_ns == 2_000_000


def test_a_fee_taken_in_the_coin_that_was_bought_is_told_in_its_quote(codec: HyperliquidCodec) -> None:
    row = {
        "coin": "@107",
        "px": "20",
        "sz": "1.5",
        "side": "B",
        "time": 1,
        "oid": 5,
        "crossed": True,
        "fee": "0.001",
        "feeToken": "HYPE",
        "tid": 7,
    }
    (item,) = codec.fills(0).parse(json.dumps([row]).encode(), 5).rows
    assert (item.report.fee, item.fee_currency, item.report.lots) == (Decimal("0.020"), "HYPE", 150)


DOCUMENTED = [
    ("Price must be divisible by tick size.", Reason.PRICE_GRID),
    ("Order must have minimum value of $10.", Reason.MIN_NOTIONAL),
    ("Order must have minimum value of 10 USDC.", Reason.MIN_NOTIONAL),
    ("Insufficient margin to place order.", Reason.INSUFFICIENT_FUNDS),
    ("Reduce only order would increase position.", Reason.REDUCE_ONLY),
    ("Post only order would have immediately matched, bbo was 1@2.", Reason.POST_ONLY),
    ("Order could not immediately match against any resting orders.", Reason.NO_LIQUIDITY),
    ("Invalid TP/SL price.", Reason.WOULD_TRIGGER),
    ("No liquidity available for market order.", Reason.NO_LIQUIDITY),
    ("Order would increase open interest while open interest is capped", Reason.POSITION_LIMIT),
    (
        "Order rejected due to price more aggressive than oracle while at open interest cap",
        Reason.POSITION_LIMIT,
    ),
    ("Order would increase open interest too quickly", Reason.POSITION_LIMIT),
    ("(Spot-only) Order has insufficient spot balance to trade", Reason.INSUFFICIENT_FUNDS),
    ("Order price too far from oracle", Reason.PRICE_BAND),
    ("Order would cause position to exceed margin tier limit at current leverage", Reason.POSITION_LIMIT),
    ("Order was never placed, already canceled, or filled.", Reason.UNKNOWN_ORDER),
]


@pytest.mark.parametrize(("text", "reason"), DOCUMENTED)
def test_every_documented_refusal_has_our_word(codec: HyperliquidCodec, text: str, reason: str) -> None:
    fault = codec.fault(200, {}, json.dumps({"status": "err", "response": text}).encode())
    assert fault is not None
    assert (fault.kind, fault.reason) == (ErrorKind.REJECTED, reason)
    assert any(text.startswith(start) for start, _ in REFUSALS)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"status":"err","response":"User or API Wallet 0xab does not exist."}', ErrorKind.AUTH),
        (
            200,
            b'{"status": "err", "response": "Must deposit before performing actions. User: 0x1"}',
            ErrorKind.AUTH,
        ),
        (200, b'{"status":"err","response":"Invalid nonce: too low"}', ErrorKind.AUTH),
        (
            200,
            b'{"status":"err","response":"Too many cumulative requests sent (5 > 4)"}',
            ErrorKind.RATE_LIMITED,
        ),
        (200, b'{"status":"err"}', ErrorKind.MALFORMED),
        (401, b"", ErrorKind.AUTH),
        (422, b"Failed to deserialize", ErrorKind.REJECTED),
        (429, b"", ErrorKind.RATE_LIMITED),
        (500, b"", ErrorKind.UNANSWERED),
        (502, b"", ErrorKind.UNANSWERED),
        (503, b"", ErrorKind.RETRY),
    ],
)
def test_answers_that_are_errors_are_of_one_of_six_kinds(
    codec: HyperliquidCodec, status: int, body: bytes, kind: ErrorKind
) -> None:
    fault = codec.fault(status, {"Retry-After": "7"}, body)
    assert fault is not None
    assert fault.kind is kind
    if status == 429:
        assert fault.retry_after_s == 7.0


def test_an_answer_that_is_none_is_no_fault(codec: HyperliquidCodec) -> None:
    assert codec.fault(200, {}, b'{"status":"ok","response":{"type":"default"}}') is None
    assert codec.fault(200, {}, b"[]") is None
