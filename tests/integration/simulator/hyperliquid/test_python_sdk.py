"""The venue's own Python client trades a whole life against the simulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from hyperliquid.info import Info  # type: ignore[import-untyped]
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]

from tests.integration.simulator.hyperliquid.local_venue import LocalVenue, wait_for

GTC: Any = {"limit": {"tif": "Gtc"}}
ALO: Any = {"limit": {"tif": "Alo"}}
IOC: Any = {"limit": {"tif": "Ioc"}}


@pytest.fixture
def info(venue: LocalVenue) -> Iterator[Info]:
    client = Info(venue.url)
    yield client
    # the client's ping thread sleeps up to 50 s; it is told to stop without being waited for
    client.ws_manager.stop_event.set()
    client.ws_manager.ws.close()


@pytest.fixture
def exchange(venue: LocalVenue) -> Exchange:
    return Exchange(venue.wallets[0], venue.url)


def one(answer: Any) -> Any:
    """Return the only status of an accepted action."""
    assert answer["status"] == "ok", answer
    (status,) = answer["response"]["data"]["statuses"]
    return status


def address(venue: LocalVenue, who: int = 0) -> str:
    return str(venue.wallets[who].address)


def test_markets_and_balances_are_told(venue: LocalVenue, info: Info) -> None:
    meta = info.meta()
    assert [coin["name"] for coin in meta["universe"]] == ["BTC", "ETH", "SOL", "HYPE"]
    assert info.name_to_asset("BTC") == 0
    assert info.name_to_asset("PURR/USDC") == 10_000
    assert info.name_to_asset("HYPE/USDC") == 10_107
    assert info.asset_to_sz_decimals[0] == 5
    state = info.user_state(address(venue))
    assert state["marginSummary"]["accountValue"] == "1000000.0"
    assert state["withdrawable"] == "1000000.0"
    spot = {row["coin"]: row for row in info.spot_user_state(address(venue))["balances"]}
    assert spot["USDC"]["total"] == "1000000.0"
    assert spot["HYPE"]["total"] == "10000.0"
    assert float(info.all_mids()["BTC"]) == 60_000
    assert float(info.all_mids()["PURR/USDC"]) == 0.2


def test_book_and_contexts_agree_with_the_venue(venue: LocalVenue, info: Info) -> None:
    book = info.l2_snapshot("BTC")
    assert [level["px"] for level in book["levels"][0]] == [f"{60_000 - 10 * at}.0" for at in range(1, 6)]
    assert book["levels"][1][0] == {"px": "60010.0", "sz": "1.0", "n": 1}
    _, contexts = info.meta_and_asset_ctxs()
    assert contexts[0]["markPx"] == "60000.0"
    assert contexts[0]["midPx"] == "60000.0"
    assert float(contexts[0]["impactPxs"][0]) == 59_990
    _, spot = info.spot_meta_and_asset_ctxs()
    assert spot[0]["midPx"] == "0.2"


def test_limit_order_rests_fills_in_part_is_changed_and_cancelled(
    venue: LocalVenue, info: Info, exchange: Exchange
) -> None:
    user = address(venue)
    oid = one(exchange.order("BTC", True, 0.4, 59_995, GTC))["resting"]["oid"]
    (order,) = info.open_orders(user)
    assert (order["coin"], order["side"], order["limitPx"], order["sz"]) == ("BTC", "B", "59995.0", "0.4")

    venue.sell_into_bids("BTC", 59_995, 0.1)
    (order,) = info.open_orders(user)
    assert (order["sz"], order["origSz"]) == ("0.3", "0.4")
    (fill,) = info.user_fills(user)
    assert (fill["px"], fill["sz"], fill["dir"], fill["crossed"]) == ("59995.0", "0.1", "Open Long", False)
    assert fill["oid"] == oid
    assert fill["fee"] == "0.899925"  # 0.015 % of 5,999.5
    position = info.user_state(user)["assetPositions"][0]["position"]
    assert (position["szi"], position["entryPx"]) == ("0.1", "59995.0")

    changed = one(exchange.modify_order(oid, "BTC", True, 0.2, 59_992, GTC))["resting"]["oid"]
    assert changed != oid
    assert info.query_order_by_oid(user, oid)["order"]["status"] == "canceled"
    (order,) = info.open_orders(user)
    assert (order["oid"], order["limitPx"], order["sz"]) == (changed, "59992.0", "0.2")

    assert one(exchange.cancel("BTC", changed)) == "success"
    assert info.open_orders(user) == []
    again = one(exchange.cancel("BTC", changed))
    assert again == {"error": "Order was never placed, already canceled, or filled."}


def test_client_order_ids_find_orders(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    cloid = Cloid.from_int(77)
    resting = one(exchange.order("ETH", False, 1.5, 3_100, ALO, cloid=cloid))["resting"]
    assert resting["cloid"] == cloid.to_raw()
    found = info.query_order_by_cloid(address(venue), cloid)
    assert found["status"] == "order"
    assert found["order"]["order"]["oid"] == resting["oid"]
    assert found["order"]["order"]["tif"] == "Alo"
    assert one(exchange.cancel_by_cloid("ETH", cloid)) == "success"
    assert info.query_order_by_cloid(address(venue), cloid)["order"]["status"] == "canceled"


def test_bulk_orders_and_bulk_cancels(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    wanted: Any = [
        {
            "coin": "BTC",
            "is_buy": True,
            "sz": 0.01,
            "limit_px": 59_000 - at,
            "order_type": GTC,
            "reduce_only": False,
        }
        for at in range(3)
    ]
    answer = exchange.bulk_orders(wanted)
    oids = [status["resting"]["oid"] for status in answer["response"]["data"]["statuses"]]
    assert len(info.open_orders(address(venue))) == 3
    cancelled = exchange.bulk_cancel([{"coin": "BTC", "oid": oid} for oid in [*oids, 999_999]])
    assert cancelled["response"]["data"]["statuses"][:3] == ["success"] * 3
    assert "error" in cancelled["response"]["data"]["statuses"][3]
    assert info.open_orders(address(venue)) == []


def test_market_open_and_close(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    filled = one(exchange.market_open("SOL", True, 20))["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("20.0", "150.1")
    state = info.user_state(address(venue))
    assert state["assetPositions"][0]["position"]["szi"] == "20.0"
    closed = one(exchange.market_close("SOL"))["filled"]
    assert (closed["totalSz"], closed["avgPx"]) == ("20.0", "149.9")
    assert info.user_state(address(venue))["assetPositions"] == []
    directions = [fill["dir"] for fill in info.user_fills(address(venue))]
    assert directions == ["Close Long", "Open Long"]
    assert info.user_fills(address(venue))[0]["closedPnl"] == "-4.0"


def test_spot_is_traded_with_spot_money(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    filled = one(exchange.order("PURR/USDC", True, 1_000, 0.201, GTC))["filled"]
    assert filled["totalSz"] == "1000.0"
    spot = {row["coin"]: row for row in info.spot_user_state(address(venue))["balances"]}
    assert spot["PURR"]["total"] == "1000999.3"  # the taker's 0.07 % is paid in what is bought
    assert float(spot["USDC"]["total"]) == pytest.approx(1_000_000 - 1_000 * 0.2001)
    (fill,) = info.user_fills(address(venue))
    assert (fill["coin"], fill["dir"], fill["feeToken"]) == ("PURR/USDC", "Buy", "PURR")
    rests = one(exchange.order("HYPE/USDC", False, 5, 41, GTC))["resting"]
    held = {row["coin"]: row["hold"] for row in info.spot_user_state(address(venue))["balances"]}
    assert held["HYPE"] == "5.0"
    assert one(exchange.cancel("HYPE/USDC", rests["oid"])) == "success"


def test_stop_order_waits_wakes_and_closes(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    user = address(venue)
    one(exchange.market_open("BTC", True, 0.5))
    stop: Any = {"trigger": {"triggerPx": 59_000, "isMarket": True, "tpsl": "sl"}}
    oid = one(exchange.order("BTC", False, 0.5, 55_000, stop, reduce_only=True))["resting"]["oid"]
    (waiting,) = info.frontend_open_orders(user)
    assert waiting["orderType"] == "Stop Market"
    assert waiting["triggerCondition"] == "Price below 59000.0"
    assert (waiting["isTrigger"], waiting["triggerPx"], waiting["limitPx"]) == (True, "59000.0", "55000.0")
    venue.set_mark("BTC", 58_999)
    assert info.user_state(user)["assetPositions"] == []
    assert info.query_order_by_oid(user, oid)["order"]["status"] == "filled"


def test_leverage_and_isolated_margin(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    user = address(venue)
    assert exchange.update_leverage(10, "ETH", is_cross=False) == {
        "status": "ok",
        "response": {"type": "default"},
    }
    one(exchange.market_open("ETH", False, 2))
    position = info.user_state(user)["assetPositions"][0]["position"]
    assert (position["leverage"]["type"], position["leverage"]["value"]) == ("isolated", 10)
    before = float(position["marginUsed"])
    assert exchange.update_isolated_margin(100, "ETH")["status"] == "ok"
    after = info.user_state(user)["assetPositions"][0]["position"]
    assert float(after["marginUsed"]) == pytest.approx(before + 100)
    assert float(after["liquidationPx"]) > float(position["liquidationPx"])
    refused = exchange.update_leverage(10, "ETH", is_cross=True)
    assert refused == {"status": "err", "response": "Cannot switch leverage type with open position."}
    assert exchange.update_leverage(99, "ETH")["response"] == "Invalid leverage value"


@pytest.mark.slow
def test_scheduled_cancel_fires(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    user = address(venue)
    soon = exchange.schedule_cancel(int(time.time() * 1_000) + 1_000)
    assert soon["status"] == "err"
    oid = one(exchange.order("BTC", True, 0.01, 59_000, GTC))["resting"]["oid"]
    assert exchange.schedule_cancel(int(time.time() * 1_000) + 8_000)["status"] == "ok"
    wait_for(lambda: info.query_order_by_oid(user, oid)["order"]["status"] == "scheduledCancel")
    assert info.open_orders(user) == []


def test_agent_wallet_trades_for_its_master(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    answer, key = exchange.approve_agent("desk")
    assert answer == {"status": "ok", "response": {"type": "default"}}
    agent = Account.from_key(key)
    (named,) = [row for row in info.extra_agents(address(venue)) if row["name"] == "desk"]
    assert named["address"] == agent.address.lower()
    assert info.user_role(agent.address) == {"role": "agent", "data": {"user": address(venue).lower()}}
    trader = Exchange(agent, venue.url, account_address=address(venue))
    one(trader.order("BTC", True, 0.01, 59_000, GTC))
    assert len(info.open_orders(address(venue))) == 1
    assert info.open_orders(agent.address) == []
    refused = trader.usd_transfer(1, address(venue, 1))
    assert refused["response"] == f"Must deposit before performing actions. User: {agent.address.lower()}"
    exchange.approve_agent("desk")
    gone = trader.order("BTC", True, 0.01, 59_000, GTC)
    assert gone["response"] == f"User or API Wallet {agent.address.lower()} does not exist."


def test_money_moves_between_purses_and_users(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    user, other = address(venue), address(venue, 1)
    assert exchange.usd_class_transfer(250.5, to_perp=False)["status"] == "ok"
    assert info.user_state(user)["withdrawable"] == "999749.5"
    assert exchange.usd_transfer(49.5, other)["status"] == "ok"
    assert info.user_state(user)["withdrawable"] == "999700.0"
    assert info.user_state(other)["withdrawable"] == "1000049.5"
    assert exchange.spot_transfer(3, other, "HYPE:0x0d01dc56dcaaca66ad901c959b4011ec")["status"] == "ok"
    kinds = [row["delta"]["type"] for row in info.user_non_funding_ledger_updates(user, 0)]
    assert kinds == ["accountClassTransfer", "internalTransfer", "spotTransfer"]
    broke = exchange.usd_transfer(10**9, other)
    assert broke == {"status": "err", "response": "Insufficient balance for token transfer"}


def test_sub_account_is_opened_funded_and_traded(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    created = exchange.create_sub_account("second")
    sub = created["response"]["data"]
    assert exchange.sub_account_transfer(sub, True, 500_000_000)["status"] == "ok"
    (shown,) = info.query_sub_accounts(address(venue))
    assert (shown["name"], shown["subAccountUser"]) == ("second", sub)
    assert shown["clearinghouseState"]["withdrawable"] == "500.0"
    for_sub = Exchange(venue.wallets[0], venue.url, vault_address=sub)
    one(for_sub.market_open("BTC", True, 0.01))
    assert info.user_state(sub)["assetPositions"][0]["position"]["szi"] == "0.01"
    assert info.user_state(address(venue))["assetPositions"] == []
    stranger = Exchange(venue.wallets[1], venue.url, vault_address=sub)
    assert stranger.market_open("BTC", True, 0.01)["response"] == f"Vault not registered: {sub}"


def test_refusals_come_in_the_venues_words(venue: LocalVenue, exchange: Exchange) -> None:
    refused = {
        "Order must have minimum value of $10.": (0.0001, 59_000, GTC, False),
        "Order could not immediately match against any resting orders.": (0.01, 59_000, IOC, False),
        "Post only order would have immediately matched, bbo was 59990.0@60010.0.": (
            0.01,
            60_010,
            ALO,
            False,
        ),
        "Reduce only order would increase position.": (0.01, 59_000, GTC, True),
        "Insufficient margin to place order.": (9_000, 59_000, GTC, False),
        "Price must be divisible by tick size.": (0.01, 59_000.5, GTC, False),
        "Order price cannot be more than 95% away from the reference price": (0.01, 100, GTC, False),
    }
    for words, (size, px, kind, reduce_only) in refused.items():
        assert one(exchange.order("BTC", True, size, px, kind, reduce_only)) == {"error": words}


def test_streams_tell_what_happens(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    user = address(venue)
    heard: dict[str, list[Any]] = {}

    def listen(**wish: Any) -> None:
        kept = heard.setdefault(wish["type"], [])
        info.subscribe(wish, kept.append)

    listen(type="l2Book", coin="BTC")
    listen(type="bbo", coin="BTC")
    listen(type="trades", coin="BTC")
    listen(type="allMids")
    listen(type="candle", coin="BTC", interval="1m")
    listen(type="activeAssetCtx", coin="BTC")
    listen(type="activeAssetData", user=user, coin="BTC")
    for kind in ("orderUpdates", "userEvents", "userFills", "userFundings", "userNonFundingLedgerUpdates"):
        listen(type=kind, user=user)
    listen(type="webData2", user=user)
    for kind in ("l2Book", "bbo", "allMids", "activeAssetCtx", "activeAssetData", "userFills", "webData2"):
        wait_for(partial(heard.__getitem__, kind))
    assert heard["userFills"][0]["data"]["isSnapshot"] is True

    one(exchange.order("BTC", True, 1.5, 60_020, IOC))
    (trades,) = wait_for(lambda: heard["trades"])
    assert [(row["px"], row["sz"], row["side"]) for row in trades["data"]] == [
        ("60010.0", "1.0", "B"),
        ("60020.0", "0.5", "B"),
    ]
    fills = wait_for(lambda: heard["userFills"][1:])[0]["data"]
    assert (fills["user"], fills["isSnapshot"]) == (user.lower(), False)
    assert [row["tid"] for row in fills["fills"]] == [row["tid"] for row in trades["data"]]
    events = wait_for(lambda: heard["userEvents"])[0]
    assert events["channel"] == "user"
    assert events["data"]["fills"] == fills["fills"]
    updates = wait_for(lambda: heard["orderUpdates"])[0]["data"]
    assert [(row["status"], row["order"]["sz"]) for row in updates] == [("open", "1.5"), ("filled", "0.0")]
    best = wait_for(lambda: heard["bbo"][1:])[0]["data"]["bbo"]
    assert best[1] == {"px": "60020.0", "sz": "0.5", "n": 1}
    candle = wait_for(lambda: heard["candle"])[0]["data"]
    assert (candle["s"], candle["i"], candle["v"], candle["n"]) == ("BTC", "1m", "1.5", 2)
    wait_for(lambda: heard["l2Book"][-1]["data"]["levels"][1][0]["px"] == "60020.0")


def test_bad_signature_is_a_stranger(venue: LocalVenue) -> None:
    stranger = Account.create()
    answer = Exchange(stranger, venue.url).order("BTC", True, 0.01, 59_000, GTC)
    assert answer == {
        "status": "err",
        "response": f"User or API Wallet {stranger.address.lower()} does not exist.",
    }


def test_fees_limits_and_funding_are_told(venue: LocalVenue, info: Info, exchange: Exchange) -> None:
    user = address(venue)
    fees = info.user_fees(user)
    assert (fees["userCrossRate"], fees["userAddRate"]) == ("0.00045", "0.00015")
    one(exchange.market_open("BTC", True, 1))
    limits = info.user_rate_limit(user)
    assert (limits["nRequestsUsed"], limits["nRequestsCap"]) == (1, 10_000 + 60_010)

    def settle(exchange: Any, now: int) -> None:
        exchange.set_funding_rate("BTC", Decimal("0.0001"), now)
        exchange.settle_funding("BTC", now)

    venue.do(settle)
    (paid,) = info.user_funding_history(user, 0)
    assert paid["delta"]["usdc"] == "-6.0"
    assert (paid["delta"]["coin"], paid["delta"]["fundingRate"]) == ("BTC", "0.0001")
    (settled,) = info.funding_history("BTC", 0)
    assert settled["fundingRate"] == "0.0001"
    position = info.user_state(user)["assetPositions"][0]["position"]
    assert position["cumFunding"]["sinceOpen"] == "6.0"
