"""The wire of Hyperliquid, byte by byte where clients differ: signatures, nonces, refusals, limits."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
from eth_account import Account as Wallet
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from hyperliquid.utils import signing  # type: ignore[import-untyped]

from lanner.model.enums import Side
from tests.integration.simulator.hyperliquid.local_venue import (
    HOUSE,
    LocalVenue,
    limit,
    place,
    trigger,
    wait_for,
)

HOUR = 3_600_000
DAY = 24 * HOUR
OK = {"status": "ok", "response": {"type": "default"}}
CLOID = "0x" + "0f" * 16


def user(venue: LocalVenue, who: int = 0) -> str:
    return str(venue.wallets[who].address).lower()


def order_of(venue: LocalVenue, key: int | str, who: int = 0) -> Any:
    return venue.info("orderStatus", user=user(venue, who), oid=key)


# -- signatures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mainnet", [True, False])
def test_signatures_for_both_chains_are_taken(venue: LocalVenue, mainnet: bool) -> None:
    assert venue.act({"type": "noop"}, mainnet=mainnet) == OK


def test_one_chain_alone_can_be_asked_for() -> None:
    venue = LocalVenue(chain="mainnet").start()
    try:
        assert venue.act({"type": "noop"}, mainnet=True) == OK
        refused = venue.act({"type": "noop"}, mainnet=False)["response"]
        assert refused.startswith("User or API Wallet 0x")
        assert user(venue) not in refused
    finally:
        venue.stop()


def test_action_changed_after_signing_is_a_strangers(venue: LocalVenue) -> None:
    body = venue.signed(place(limit(0, True, "59000", "0.01")))
    body["action"]["orders"][0]["s"] = "0.1"
    answer = venue.post(body).json()
    assert answer["status"] == "err"
    assert answer["response"].startswith("User or API Wallet 0x")
    assert venue.info("openOrders", user=user(venue)) == []


def test_keys_sent_in_another_order_than_signed_still_belong_to_the_signer(venue: LocalVenue) -> None:
    body = venue.signed(place(limit(0, True, "59000", "0.01")))
    shuffled = json.loads(json.dumps(body, sort_keys=True))
    assert list(shuffled["action"]) != list(body["action"])
    assert "resting" in venue.post(shuffled).json()["response"]["data"]["statuses"][0]


def test_keys_signed_in_an_order_of_ones_own_belong_to_the_signer(venue: LocalVenue) -> None:
    action = dict(sorted(place(limit(0, True, "59000", "0.01")).items()))
    assert venue.act(action)["status"] == "ok"


def test_numbers_signed_with_trailing_zeros_are_a_strangers(venue: LocalVenue) -> None:
    answer = venue.act(place(limit(0, True, "59000.0", "0.010")))
    assert answer["response"].startswith("User or API Wallet 0x")


def test_expiry_and_vault_are_part_of_what_is_signed(venue: LocalVenue) -> None:
    body = venue.signed({"type": "noop"}, expires=int(time.time() * 1_000) + HOUR)
    assert venue.post({**body, "expiresAfter": body["expiresAfter"] + 1}).json()["status"] == "err"
    assert venue.post(body).json() == OK


def test_expired_action_is_refused_and_costs_five(venue: LocalVenue) -> None:
    before = venue.info("userRateLimit", user=user(venue))["nRequestsUsed"]
    answer = venue.act(place(limit(0, True, "59000", "0.01")), expires=int(time.time() * 1_000) - 1)
    assert answer["status"] == "err"
    assert answer["response"].startswith("Action already expired")
    assert venue.info("userRateLimit", user=user(venue))["nRequestsUsed"] == before + 5


def test_agent_of_the_ready_line_may_trade_but_not_move_money(venue: LocalVenue) -> None:
    assert "resting" in venue.statuses(place(limit(0, True, "59000", "0.01")), wallet=venue.agent)[0]
    assert len(venue.info("openOrders", user=user(venue, 1))) == 1


# -- nonces -------------------------------------------------------------------------------------------------


def test_nonce_is_used_once(venue: LocalVenue) -> None:
    body = venue.signed({"type": "noop"})
    assert venue.post(body).json() == OK
    refused = venue.post(body).json()
    assert refused == {"status": "err", "response": f"Invalid nonce: duplicate nonce {body['nonce']}"}


def test_nonce_may_be_a_day_ahead_and_two_days_behind(venue: LocalVenue) -> None:
    now = int(time.time() * 1_000)
    for nonce in (now - 2 * DAY + HOUR, now + DAY - HOUR):
        assert venue.act({"type": "noop"}, nonce=nonce) == OK
    for nonce in (now - 2 * DAY - HOUR, now + DAY + HOUR):
        assert venue.act({"type": "noop"}, nonce=nonce)["response"].startswith("Invalid nonce")


def test_nonces_below_the_hundred_highest_are_refused(venue: LocalVenue) -> None:
    first = int(time.time() * 1_000) - HOUR
    for at in range(100):
        assert venue.act({"type": "noop"}, nonce=first + at) == OK
    assert venue.act({"type": "noop"}, nonce=first - 1)["status"] == "err"
    assert venue.act({"type": "noop"}, nonce=first + 100) == OK


def test_agents_count_their_own_nonces(venue: LocalVenue) -> None:
    nonce = venue.nonce()
    assert venue.act({"type": "noop"}, venue.wallets[1], nonce=nonce) == OK
    assert venue.act({"type": "noop"}, venue.agent, nonce=nonce) == OK


# -- what cannot be read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"action":{"type":"order"}}',
        b'{"action":{"type":"nothing"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}',
        b'{"action":{"type":"order","orders":[{"a":"BTC"}]},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}',
        b'{"action":{"type":"noop"},"nonce":-1.5,"signature":{"r":"0x1","s":"0x1","v":27}}',
    ],
)
def test_unreadable_actions_are_422(venue: LocalVenue, body: bytes) -> None:
    answer = requests.post(f"{venue.url}/exchange", data=body, timeout=60)
    assert answer.status_code == 422
    assert answer.text == "Failed to deserialize the JSON body into the target type"


@pytest.mark.parametrize(
    "question",
    [
        {"type": "unheardOf"},
        {},
        {"type": "clearinghouseState"},
        {"type": "clearinghouseState", "user": "0x12"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 7},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0}},
        {"type": "userFillsByTime", "user": "0x" + "0" * 40},
        {"type": "orderStatus", "user": "0x" + "0" * 40, "oid": "abc"},
    ],
)
def test_unreadable_questions_are_422(venue: LocalVenue, question: dict[str, Any]) -> None:
    answer = requests.post(f"{venue.url}/info", json=question, timeout=60)
    assert answer.status_code == 422


def test_unknown_coin_is_500_with_null(venue: LocalVenue) -> None:
    answer = requests.post(f"{venue.url}/info", json={"type": "l2Book", "coin": "NOPE"}, timeout=60)
    assert (answer.status_code, answer.text) == (500, "null")


def test_other_paths_and_methods_are_turned_away(venue: LocalVenue) -> None:
    assert requests.get(f"{venue.url}/info", timeout=60).status_code == 405
    assert requests.post(f"{venue.url}/elsewhere", json={}, timeout=60).status_code == 404


def test_impossible_signatures_are_refused_not_fatal(venue: LocalVenue) -> None:
    body = venue.signed({"type": "noop"})
    for signature in (
        {"r": "0x0", "s": "0x0", "v": 27},
        {"r": "zz", "s": "0x1", "v": 27},
        {"r": "0x1", "s": "0x1", "v": 99},
    ):
        assert venue.post({**body, "signature": signature}).json()["status"] == "err"


def test_actions_of_other_trades_are_refused_by_name(venue: LocalVenue) -> None:
    answer = venue.act({"type": "evmUserModify", "usingBigBlocks": True})
    assert answer == {"status": "err", "response": "Action is not available on this venue: evmUserModify"}
    assert venue.act({"type": "setReferrer", "code": "NOBODY"})["response"] == "Referral code not registered"


# -- orders ---------------------------------------------------------------------------------------------------


def test_one_bad_order_refuses_the_batch_with_one_error(venue: LocalVenue) -> None:
    statuses = venue.statuses(place(limit(0, True, "59000", "0.01"), limit(0, True, "1000", "0.01")))
    assert statuses == [{"error": "Order price cannot be more than 95% away from the reference price"}]
    assert venue.info("openOrders", user=user(venue)) == []


def test_refused_order_among_good_ones_is_refused_alone(venue: LocalVenue) -> None:
    statuses = venue.statuses(place(limit(0, True, "59000", "0.01"), limit(0, True, "59000", "0.0001")))
    assert "resting" in statuses[0]
    assert statuses[1] == {"error": "Order must have minimum value of $10."}


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (limit(0, True, "59000.01", "0.01"), "Order has invalid price."),
        (limit(0, True, "abc", "0.01"), "Order has invalid price."),
        (limit(0, True, "59000.5", "0.01"), "Price must be divisible by tick size."),
        (limit(0, True, "59000", "0.000001"), "Order has invalid size."),
        (limit(0, True, "59000", "0"), "Order has zero size."),
        (limit(10_000, True, "0.2", "10"), "Order must have minimum value of 10 USDC."),
        (limit(10_000, True, "0.2", "90000000"), "Order has insufficient spot balance to trade"),
        (limit(0, True, "59000", "0.01", "FrontendMarket"), "No liquidity available for market order."),
    ],
)
def test_order_errors_are_the_documented_words(venue: LocalVenue, order: dict[str, Any], words: str) -> None:
    assert venue.statuses(place(order)) == [{"error": words}]


def test_unknown_asset_and_empty_batch_refuse_the_action(venue: LocalVenue) -> None:
    assert venue.act(place(limit(99, True, "1", "20")))["status"] == "err"
    assert venue.act(place()) == {"status": "err", "response": "Orders are empty"}


def test_whole_prices_may_have_more_than_five_figures(venue: LocalVenue) -> None:
    venue.clear("BTC")
    venue.set_mark("BTC", 123_456)
    assert "resting" in venue.statuses(place(limit(0, True, "123456", "0.001")))[0]
    assert venue.statuses(place(limit(0, True, "123456.5", "0.001"))) == [
        {"error": "Price must be divisible by tick size."}
    ]


def test_refused_orders_have_ids_and_a_place_in_history(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "59000", "0.0001", c=CLOID)))
    found = order_of(venue, CLOID)
    assert found["order"]["status"] == "minTradeNtlRejected"
    assert order_of(venue, found["order"]["order"]["oid"]) == found
    assert venue.info("historicalOrders", user=user(venue))[0] == found["order"]


def test_statuses_in_history_say_why_an_order_ended(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "59000", "0.01", "Ioc")))
    venue.statuses(place(limit(0, True, "60010", "0.01", "Alo")))
    venue.statuses(place(limit(0, True, "60010", "0.01", "Ioc")))
    venue.statuses(place(limit(0, True, "59000", "0.01", reduce=True)))
    venue.statuses(place(limit(0, True, "60010", "2", "Ioc")))
    statuses = [row["status"] for row in venue.info("historicalOrders", user=user(venue))]
    assert sorted(statuses) == [
        "badAloPxRejected",
        "canceled",
        "filled",
        "iocCancelRejected",
        "reduceOnlyRejected",
    ]


def test_own_order_in_the_way_is_cancelled(venue: LocalVenue) -> None:
    mine = venue.statuses(place(limit(0, True, "59995", "0.5")))[0]["resting"]["oid"]
    filled = venue.statuses(place(limit(0, False, "59990", "0.5")))[0]["filled"]
    assert filled["avgPx"] == "59990.0"
    assert order_of(venue, mine)["order"]["status"] == "selfTradeCanceled"


def test_reduce_only_is_capped_at_the_position(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "60010", "0.1", "Ioc")))
    filled = venue.statuses(place(limit(0, False, "59000", "0.5", "Ioc", reduce=True)))[0]["filled"]
    assert filled["totalSz"] == "0.1"
    assert venue.info("clearinghouseState", user=user(venue))["assetPositions"] == []


def test_client_order_id_cannot_be_open_twice(venue: LocalVenue) -> None:
    order = limit(0, True, "59000", "0.01", c=CLOID)
    assert "resting" in venue.statuses(place(order))[0]
    assert "error" in venue.statuses(place(order))[0]
    venue.statuses({"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]})
    assert "resting" in venue.statuses(place(order))[0]


def test_cancel_needs_the_right_asset(venue: LocalVenue) -> None:
    oid = venue.statuses(place(limit(0, True, "59000", "0.01")))[0]["resting"]["oid"]
    words = {"error": "Order was never placed, already canceled, or filled."}
    assert venue.statuses({"type": "cancel", "cancels": [{"a": 1, "o": oid}]}) == [words]
    assert venue.act({"type": "cancel", "cancels": []})["status"] == "err"
    other = {"type": "cancel", "cancels": [{"a": 0, "o": oid}]}
    assert venue.statuses(other, wallet=venue.wallets[1]) == [words]
    assert venue.statuses(other) == ["success"]


# -- changing -------------------------------------------------------------------------------------------------


def test_modify_answers_default_and_gives_a_new_id(venue: LocalVenue) -> None:
    oid = venue.statuses(place(limit(0, True, "59000", "0.01", c=CLOID)))[0]["resting"]["oid"]
    assert venue.act({"type": "modify", "oid": oid, "order": limit(0, True, "58000", "0.02")}) == OK
    (order,) = venue.info("openOrders", user=user(venue))
    assert (order["limitPx"], order["sz"]) == ("58000.0", "0.02")
    assert order["oid"] != oid


def test_modify_by_client_id_keeps_nothing_of_the_old_order(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "59000", "0.01", c=CLOID)))
    new = limit(0, True, "58500", "0.01", c=CLOID)
    statuses = venue.statuses({"type": "batchModify", "modifies": [{"oid": CLOID, "order": new}]})
    assert statuses[0]["resting"]["cloid"] == CLOID
    assert len(venue.info("openOrders", user=user(venue))) == 1


def test_modify_of_an_ended_order_is_refused(venue: LocalVenue) -> None:
    change = {"oid": 424_242, "order": limit(0, True, "58000", "0.01")}
    answer = venue.act({"type": "modify", **change})
    assert answer == {"status": "err", "response": "Cannot modify canceled or filled order"}
    assert venue.statuses({"type": "batchModify", "modifies": [change]}) == [
        {"error": "Cannot modify canceled or filled order"}
    ]
    always = venue.statuses({"type": "batchModify", "modifies": [change], "a": True})
    assert "resting" in always[0]


def test_modify_never_takes_unless_it_always_places(venue: LocalVenue) -> None:
    oid = venue.statuses(place(limit(0, True, "59000", "0.01")))[0]["resting"]["oid"]
    answer = venue.act({"type": "modify", "oid": oid, "order": limit(0, True, "60010", "0.01")})
    assert answer["response"].startswith("Error placing new order during modify: Post only order would have")
    assert order_of(venue, oid)["order"]["status"] == "canceled"
    oid = venue.statuses(place(limit(0, True, "59000", "0.01")))[0]["resting"]["oid"]
    change = {"oid": oid, "order": limit(0, True, "60010", "0.01")}
    statuses = venue.statuses({"type": "batchModify", "modifies": [change], "a": True})
    assert statuses[0]["filled"]["totalSz"] == "0.01"


# -- stops ----------------------------------------------------------------------------------------------------


def test_bracket_follows_its_parent(venue: LocalVenue) -> None:
    children = (
        trigger(0, False, "65000", "0.2", "62000", "tp"),
        trigger(0, False, "50000", "0.2", "59000", "sl"),
    )
    parent = limit(0, True, "59995", "0.2")
    statuses = venue.statuses(place(parent, *children, grouping="normalTpsl"))
    assert "resting" in statuses[0]
    assert statuses[1:] == ["waitingForFill", "waitingForFill"]
    shown = venue.info("frontendOpenOrders", user=user(venue))
    assert [len(row["children"]) for row in shown] == [0, 0, 2]
    venue.sell_into_bids("BTC", 59_995, 0.2)
    venue.clear("BTC")
    shown = venue.info("frontendOpenOrders", user=user(venue))
    assert sorted(row["orderType"] for row in shown) == ["Stop Market", "Take Profit Market"]
    venue.do(lambda exchange, now: exchange.set_level(HOUSE, "BTC", Side.BUY, 620_000, 10**6, now))
    venue.set_mark("BTC", 62_000)
    wait_for(lambda: not venue.info("clearinghouseState", user=user(venue))["assetPositions"])
    history = venue.info("historicalOrders", user=user(venue))
    ended = {row["order"]["orderType"]: row["status"] for row in history if row["order"]["isTrigger"]}
    assert ended == {"Take Profit Market": "filled", "Stop Market": "siblingFilledCanceled"}


def test_stops_for_a_position_wait_and_go_with_it(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "60010", "0.2", "Ioc")))
    stops = place(
        trigger(0, False, "65000", "0.2", "62000", "tp"),
        trigger(0, False, "50000", "0.2", "59000", "sl"),
        grouping="positionTpsl",
    )
    assert venue.statuses(stops) == ["waitingForTrigger", "waitingForTrigger"]
    assert all(row["isPositionTpsl"] for row in venue.info("frontendOpenOrders", user=user(venue)))
    venue.statuses(place(limit(0, False, "59000", "0.2", "Ioc", reduce=True)))
    assert venue.info("openOrders", user=user(venue)) == []


@pytest.mark.parametrize(
    ("orders", "grouping", "words"),
    [
        ([limit(0, True, "59000", "0.1")], "normalTpsl", "Unexpected number of trigger orders"),
        (
            [trigger(0, False, "50000", "0.1", "59000", "sl")],
            "normalTpsl",
            "Main order cannot be trigger order.",
        ),
        (
            [
                limit(0, True, "59000", "0.1"),
                {**trigger(0, False, "50000", "0.1", "58000", "sl"), "r": False},
            ],
            "normalTpsl",
            "Trigger order is not reduce only.",
        ),
        (
            [limit(0, True, "59000", "0.1"), trigger(0, True, "50000", "0.1", "58000", "sl")],
            "normalTpsl",
            "Trigger order has unexpected side.",
        ),
    ],
)
def test_groups_that_make_no_sense_are_refused(
    venue: LocalVenue, orders: list[Any], grouping: str, words: str
) -> None:
    assert venue.act(place(*orders, grouping=grouping)) == {"status": "err", "response": words}


def test_stop_that_would_wake_at_once_is_refused(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "60010", "0.1", "Ioc")))
    statuses = venue.statuses(place(trigger(0, False, "50000", "0.1", "61000", "sl")))
    assert statuses == [{"error": "Invalid TP/SL price."}]


# -- other actions --------------------------------------------------------------------------------------------


def test_twap_trades_its_first_slice_and_is_cancelled(venue: LocalVenue) -> None:
    twap = {"a": 2, "b": True, "s": "55", "r": False, "m": 5, "t": False}
    number = venue.act({"type": "twapOrder", "twap": twap})["response"]["data"]["status"]["running"]["twapId"]
    (slice_,) = wait_for(lambda: venue.info("userTwapSliceFills", user=user(venue)))
    assert (slice_["twapId"], slice_["fill"]["sz"]) == (number, "5.0")  # 5 minutes are 11 slices
    assert slice_["fill"]["hash"] == "0x" + "0" * 64
    cancel = {"type": "twapCancel", "a": 2, "t": number}
    assert venue.act(cancel)["response"]["data"]["status"] == "success"
    history = [row["status"]["status"] for row in venue.info("twapHistory", user=user(venue))]
    assert history == ["terminated", "activated"]


def test_builder_is_paid_what_was_approved(venue: LocalVenue) -> None:
    builder = {"b": user(venue, 1), "f": 50}
    action = {**place(limit(0, True, "60010", "1", "Ioc")), "builder": builder}
    assert venue.act(action) == {"status": "err", "response": "Builder fee has not been approved."}
    client = Exchange(venue.wallets[0], venue.url)
    assert client.approve_builder_fee(user(venue, 1), "0.05%") == OK
    assert venue.info("maxBuilderFee", user=user(venue), builder=user(venue, 1)) == 50
    assert "filled" in venue.statuses(action)[0]
    (fill,) = venue.info("userFills", user=user(venue))
    assert fill["builderFee"] == "30.005"  # 5 bps of 60,010
    assert float(fill["fee"]) == pytest.approx(30.005 + 60_010 * 0.00045)
    held = venue.info("clearinghouseState", user=user(venue, 1))
    assert held["withdrawable"] == "1000030.005"


def test_sent_asset_arrives_and_agents_may_only_shuffle(venue: LocalVenue) -> None:
    token = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"

    def send(destination: str, who: Any) -> Any:
        nonce = venue.nonce()
        action = {
            "type": "agentSendAsset",
            "destination": destination,
            "sourceDex": "",
            "destinationDex": "spot",
            "token": token,
            "amount": "5",
            "fromSubAccount": "",
            "nonce": nonce,
        }
        return venue.act(action, who, nonce=nonce)

    assert send(user(venue, 1), venue.agent) == OK
    refused = send(user(venue, 0), venue.agent)
    assert refused["response"] == "Agent can only send asset to same user or their sub-accounts."


def test_agents_are_limited_named_and_dated(venue: LocalVenue) -> None:
    client = Exchange(venue.wallets[0], venue.url)

    def approve(name: str, address: str | None = None) -> Any:
        nonce = venue.nonce()
        action = {
            "type": "approveAgent",
            "agentAddress": (address or Wallet.create().address).lower(),
            "agentName": name,
            "nonce": nonce,
        }
        signature = signing.sign_agent(venue.wallets[0], action, False)
        return client._post_action(action, signature, nonce)

    moment = int(time.time() * 1_000) + HOUR
    address = Wallet.create().address.lower()
    assert approve(f"dated valid_until {moment}", address) == OK
    named = {row["name"]: row for row in venue.info("extraAgents", user=user(venue))}
    assert named["dated"] == {"name": "dated", "address": address, "validUntil": moment}
    assert (
        approve(f"late valid_until {moment - 2 * HOUR}")["response"] == "Agent valid_until already expired."
    )
    assert approve("again", address)["response"] == "Extra agent already used."
    assert approve("third") == OK
    refused = approve("fourth")["response"]
    assert refused == "Too many extra agents for cumulative volume traded. Current limit is 3"
    assert approve("third", "0x" + "0" * 40) == OK
    assert approve("fourth") == OK


# -- limits ---------------------------------------------------------------------------------------------------


def test_weight_of_a_minute_runs_out_with_429() -> None:
    venue = LocalVenue(limits="1").start()
    try:
        question = {"type": "userRole", "user": user(venue)}
        codes = [requests.post(f"{venue.url}/info", json=question, timeout=60).status_code for _ in range(22)]
        assert codes == [200] * 20 + [429] * 2  # 20 × 60
        answer = requests.post(f"{venue.url}/info", json=question, timeout=60)
        assert answer.text == "null"
    finally:
        venue.stop()


def test_address_budget_slows_orders_and_spares_cancels(venue: LocalVenue) -> None:
    found = venue.dialect.venue.users.all()[0]
    oid = venue.statuses(place(limit(0, True, "59000", "0.01")))[0]["resting"]["oid"]
    found.budget.used = 10_000
    assert venue.act(place(limit(0, True, "59000", "0.01")))["status"] == "ok"  # one in ten seconds
    refused = venue.act(place(limit(0, True, "59000", "0.01")))
    assert refused["response"] == (
        "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    assert venue.statuses({"type": "cancel", "cancels": [{"a": 0, "o": oid}]}) == ["success"]
    assert venue.act({"type": "reserveRequestWeight", "weight": 100})["status"] == "err"
    found.budget.used = 9_000
    assert venue.act({"type": "reserveRequestWeight", "weight": 100}) == OK
    assert venue.info("userRateLimit", user=user(venue))["nRequestsSurplus"] == 0
    assert venue.info("clearinghouseState", user=user(venue))["withdrawable"].startswith("9999")


def test_thousand_open_orders_are_enough(venue: LocalVenue) -> None:
    for start in range(0, 1_000, 250):
        batch = place(*(limit(0, True, str(50_000 - start - at), "0.001") for at in range(250)))
        assert all("resting" in status for status in venue.statuses(batch))
    assert venue.statuses(place(limit(0, True, "40000", "0.001"))) == [{"error": "Too many open orders"}]


# -- books ----------------------------------------------------------------------------------------------------


def test_books_are_aggregated_outwards(venue: LocalVenue) -> None:
    book = venue.info("l2Book", coin="BTC", nSigFigs=3)["levels"]
    assert book[0] == [{"px": "59900.0", "sz": "5.0", "n": 5}]
    assert book[1] == [{"px": "60100.0", "sz": "5.0", "n": 5}]
    book = venue.info("l2Book", coin="BTC", nSigFigs=5, mantissa=2)["levels"]
    assert [row["px"] for row in book[0]][:2] == ["59990.0", "59980.0"]
    book = venue.info("l2Book", coin="PURR/USDC", nSigFigs=2)["levels"]
    assert [row["px"] for row in book[0]] == ["0.19"]


def test_candles_come_from_the_venues_trades(venue: LocalVenue) -> None:
    venue.statuses(place(limit(0, True, "60010", "0.3", "Ioc")))
    venue.statuses(place(limit(0, False, "59990", "0.2", "Ioc")))
    now = int(time.time() * 1_000)
    request = {"coin": "BTC", "interval": "1d", "startTime": now - DAY, "endTime": now}
    (candle,) = venue.info("candleSnapshot", req=request)
    assert (candle["o"], candle["c"], candle["v"], candle["n"]) == ("60010.0", "59990.0", "0.5", 2)
    assert candle["T"] - candle["t"] == DAY - 1


def test_liquidation_is_told(venue: LocalVenue) -> None:
    venue.act({"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 40})
    venue.statuses(place(limit(0, True, "60010", "0.5", "Ioc")))
    venue.set_mark("BTC", 58_000)
    fills = venue.info("userFills", user=user(venue))
    assert fills[0]["dir"] == "Close Long"
    assert fills[0]["liquidation"]["liquidatedUser"] == user(venue)
    assert venue.info("clearinghouseState", user=user(venue))["assetPositions"] == []
    ledger = venue.info("userNonFundingLedgerUpdates", user=user(venue), startTime=0)
    assert ledger[-1]["delta"]["type"] == "liquidation"
    assert ledger[-1]["delta"]["liquidatedPositions"] == [{"coin": "BTC", "szi": "0.5"}]
