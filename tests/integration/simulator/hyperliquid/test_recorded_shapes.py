"""Every recorded or documented answer of a kind that we serve has the shape of ours: the same keys, the same types."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import websocket
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]

from tests.integration.simulator.hyperliquid.local_venue import LocalVenue, limit, place, trigger, wait_for

NUMBER = re.compile(r"-?\d+(\.\d+)?")
LEGACY = {"maxTradeSzs": "position", "liquidationMarkPx": "fills", "builderFee": ""}
"""Keys that old or special answers have and ours need not."""


def kind_of(value: Any) -> str:
    """Return what a client's parser would take a value for."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "number text" if NUMBER.fullmatch(value.strip()) else "text"
    return {int: "int", float: "int", list: "list", dict: "object"}.get(type(value), "null")


def compare(theirs: Any, ours: Any, path: str = "$") -> list[str]:
    """Return where ours lacks something of theirs or has another type."""
    expected, found = kind_of(theirs), kind_of(ours)
    if "null" in (expected, found):
        return []
    if expected != found:
        return [f"{path}: theirs is {expected} {theirs!r}, ours {found} {ours!r}"]
    faults: list[str] = []
    if isinstance(theirs, dict):
        for key, value in theirs.items():
            if key in ours:
                faults += compare(value, ours[key], f"{path}.{key}")
            elif value is not None and key not in LEGACY:
                faults.append(f"{path}.{key} is missing")
    elif isinstance(theirs, list) and theirs and ours:
        pairs = isinstance(theirs[0], (dict, list)) and len({kind_of(one) for one in theirs}) == 1
        if pairs and not _is_tuple(theirs):
            for at, one in enumerate(theirs):
                best = min((compare(one, mine, f"{path}[{at}]") for mine in ours), key=len)
                faults += best
        else:
            for at, (one, mine) in enumerate(zip(theirs, ours, strict=False)):
                faults += compare(one, mine, f"{path}[{at}]")
    return faults


def _is_tuple(rows: list[Any]) -> bool:
    return any(isinstance(row, list) and row and not isinstance(row[0], (list, dict)) for row in rows) and (
        not all(isinstance(row, list) for row in rows)
    )


@pytest.fixture(scope="module")
def busy() -> Iterator[LocalVenue]:
    """Return a venue in which one user has done a bit of everything."""
    venue = LocalVenue().start()
    user = venue.wallets[0].address
    venue.act({"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 10})
    venue.statuses(place(limit(1, True, "3001", "1", "Ioc")))
    venue.statuses(place(limit(0, True, "60010", "0.5", "Ioc", c="0x" + "ab" * 16)))
    venue.statuses(place(limit(10_000, True, "0.201", "500", "Ioc")))
    parent = limit(0, True, "59000", "0.1")
    children = (
        trigger(0, False, "70000", "0.1", "66000", "tp"),
        trigger(0, False, "50000", "0.1", "58000", "sl"),
    )
    venue.statuses(place(parent, *children, grouping="normalTpsl"))
    venue.act({"type": "createSubAccount", "name": "Test"})
    twap = {"a": 2, "b": True, "s": "100", "r": False, "m": 5, "t": False}
    venue.act({"type": "twapOrder", "twap": twap})
    name = next(
        account.account_id for account in venue.exchange.accounts.values() if account.address == user.lower()
    )

    def work(exchange: Any, now: int) -> None:
        exchange.deposit(name, "USDC", Decimal(5), now)
        exchange.set_funding_rate("ETH", Decimal("0.0000125"), now)
        exchange.settle_funding("ETH", now)

    venue.do(work)
    Exchange(venue.wallets[0], venue.url).usd_class_transfer(1.5, to_perp=False)
    Exchange(venue.wallets[0], venue.url).approve_builder_fee(venue.wallets[1].address.lower(), "0.01%")
    wait_for(lambda: venue.info("userTwapSliceFills", user=user.lower()))
    yield venue
    venue.stop()


def answer(venue: LocalVenue, kind: str) -> Any:
    """Ask the venue what the fixture was the answer to."""
    more: dict[str, Any] = {"user": venue.wallets[0].address.lower(), "coin": "BTC", "startTime": 0}
    if kind == "fundingHistory":
        more["coin"] = "ETH"
    if kind == "activeAssetData isolated":
        kind, more["coin"] = "activeAssetData", "ETH"
    if kind == "candleSnapshot":
        now = int(time.time() * 1_000)
        more = {"req": {"coin": "BTC", "interval": "15m", "startTime": now - 10**7, "endTime": now}}
    if kind == "borrowLendReserveState":
        more["token"] = 0
    if kind == "tokenDetails":
        more["tokenId"] = "0xc1fb593aeffbeb02f85e0308e9956a90"
    if kind == "userRole agent":
        kind, more["user"] = "userRole", venue.dialect.venue.users.all()[0].perp.agents.__iter__().__next__()
    if kind == "userRole sub":
        kind, more["user"] = "userRole", venue.dialect.venue.users.all()[0].subs[0].address
    return venue.info(kind, **more)


DOCUMENTED = {
    "info-endpoint": {
        "Retrieve mids for all coins": "allMids",
        "Retrieve a user's open orders >": "openOrders",
        "additional frontend info": "frontendOpenOrders",
        "Retrieve a user's fills >": "userFills",
        "Retrieve a user's fills by time": "userFillsByTime",
        "Query user rate limits": "userRateLimit",
        "L2 book snapshot": "l2Book",
        "Candle snapshot": "candleSnapshot",
        "TWAP slice fills": "userTwapSliceFills",
        "user's subaccounts": "subAccounts",
        "vault deposits": "userVaultEquities",
        "staking summary": "delegatorSummary",
        "Query borrow/lend user state": "borrowLendUserState",
        "Query borrow/lend reserve state": "borrowLendReserveState",
        "Query all borrow/lend reserve states": "allBorrowLendReserveStates",
        "Query approved builders": "approvedBuilders",
    },
    "info-endpoint__perpetuals": {
        "Retrieve all perpetual dexs": "perpDexs",
        "Retrieve perpetuals metadata": "meta",
        "Retrieve perpetuals asset contexts": "metaAndAssetCtxs",
        "perpetuals account summary": "clearinghouseState",
        "Retrieve historical funding rates": "fundingHistory",
        "open interest caps": "perpsAtOpenInterestCap",
        "Perp Deploy Auction": "perpDeployAuctionStatus",
        "Active Asset Data": "activeAssetData",
        "Perp Market Status": "perpDexStatus",
    },
    "info-endpoint__spot": {
        "token balances": "spotClearinghouseState",
        "Spot Pair Deploy Auction": "spotPairDeployAuctionStatus",
        "information about a token": "tokenDetails",
        "Retrieve outcome metadata": "outcomeMeta",
    },
}


def documented() -> list[Any]:
    return [
        pytest.param(page, title, kind, id=f"{page}:{kind}")
        for page, rows in DOCUMENTED.items()
        for title, kind in rows.items()
    ]


@pytest.mark.parametrize(("page", "title", "kind"), documented())
def test_documented_answers_have_our_shape(
    busy: LocalVenue, shared_data: Path, page: str, title: str, kind: str
) -> None:
    examples = json.loads((shared_data / f"fixtures/hyperliquid/official_docs/{page}.json").read_text())
    chosen = [one for one in examples if title in f"{one['section']} >"]
    assert chosen
    ours = answer(busy, kind)
    if kind == "allMids":
        ours = {"APE": ours["BTC"], "ARB": ours["ETH"]}
    for one in chosen:
        theirs = one["payload"]
        asked = kind
        if kind == "activeAssetData" and theirs["leverage"]["type"] == "isolated":
            asked = "activeAssetData isolated"
        if kind == "metaAndAssetCtxs" and "marginMode" in theirs[0]["universe"][0]:
            continue  # a dex of builders, which this venue has none of
        if kind == "meta":
            theirs = {**theirs, "universe": theirs["universe"][:2]}
        if kind == "metaAndAssetCtxs":
            theirs = [{**theirs[0], "universe": theirs[0]["universe"][:2]}, theirs[1]]
        found = answer(busy, asked) if asked != kind else ours
        assert compare(theirs, found) == []


RECORDED = {
    "python_sdk_cassettes/test_get_frontend_open_orders.json",
    "python_sdk_cassettes/test_get_l2_snapshot.json",
    "python_sdk_cassettes/test_get_user_state.json",
    "python_sdk_cassettes/test_portfolio.json",
    "python_sdk_cassettes/test_user_non_funding_ledger_updates_with_end_time.json",
    "python_sdk_cassettes/test_user_rate_limit.json",
    "python_sdk_cassettes/test_user_twap_slice_fills.json",
    "python_sdk_cassettes/test_user_vault_equities.json",
}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_answers_have_our_shape(busy: LocalVenue, shared_data: Path, name: str) -> None:
    for exchange in json.loads((shared_data / "fixtures/hyperliquid" / name).read_text()):
        theirs = exchange["response"]
        assert compare(theirs, answer(busy, exchange["request"]["type"])) == []


OTHERS = {
    "jkorf/Endpoints/Spot/Trading/GetUserTrades.json": "userFills",
    "jkorf/Endpoints/Spot/Trading/GetOpenOrders.json": "openOrders",
    "jkorf/Endpoints/Spot/Trading/GetOpenOrdersExtended.json": "frontendOpenOrders",
    "jkorf/Endpoints/Spot/ExchangeData/GetKlines.json": "candleSnapshot",
    "jkorf/Endpoints/Spot/ExchangeData/GetOrderBook.json": "l2Book",
    "jkorf/Endpoints/Spot/ExchangeData/GetAssetInfo.json": "tokenDetails",
    "jkorf/Endpoints/Spot/Account/GetSubAccounts.json": "subAccounts",
    "jkorf/Endpoints/Spot/Account/GetAccountLedger.json": "userNonFundingLedgerUpdates",
    "jkorf/Endpoints/Spot/Account/GetRateLimits.json": "userRateLimit",
    "jkorf/Endpoints/Futures/ExchangeData/GetFundingRateHistory.json": "fundingHistory",
    "jkorf/Endpoints/Futures/Account/GetAccountInfo.json": "clearinghouseState",
    "nautilus/http_l2_book_btc.json": "l2Book",
    "nautilus/http_l2_book_snapshot.json": "l2Book",
    "nautilus/http_meta_perp_sample.json": "meta",
    "nautilus/http_recent_trades_btc.json": "recentTrades",
    "nautilus/http_user_fills_dust_conversion.json": "userFills",
    "nautilus/http_clearinghouse_state_negative_total_raw_usd.json": "clearinghouseState",
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_answers_that_other_clients_are_tested_with_have_our_shape(
    busy: LocalVenue, shared_data: Path, name: str
) -> None:
    theirs = json.loads((shared_data / "fixtures/hyperliquid" / name).read_text())
    if isinstance(theirs, dict) and "response" in theirs:
        theirs = theirs["response"]
    if name.endswith("GetAccountLedger.json"):
        # what a transaction is called there is a stand-in
        theirs = [{key: value for key, value in row.items() if key != "hash"} for row in theirs]
    if name.endswith("recent_trades_btc.json"):
        theirs = [{**row, "users": ["0x1", "0x2"]} for row in theirs]
    assert compare(theirs, answer(busy, OTHERS[name])) == []


def test_roles_have_the_documented_shapes(busy: LocalVenue, shared_data: Path) -> None:
    examples = json.loads((shared_data / "fixtures/hyperliquid/official_docs/info-endpoint.json").read_text())
    roles = {one["payload"]["role"]: one["payload"] for one in examples if "role" in one["section"]}
    assert set(answer(busy, "userRole agent")) == set(roles["agent"])
    assert set(answer(busy, "userRole agent")["data"]) == set(roles["agent"]["data"])
    assert set(answer(busy, "userRole sub")["data"]) == set(roles["subAccount"]["data"])
    assert busy.info("userRole", user="0x" + "9" * 40) == roles["missing"]


def test_action_answers_have_the_documented_shapes(busy: LocalVenue, shared_data: Path) -> None:
    examples = json.loads(
        (shared_data / "fixtures/hyperliquid/official_docs/exchange-endpoint.json").read_text()
    )
    resting, small, filled = (one["payload"] for one in examples[:3])
    first = busy.act(place(limit(0, True, "59000", "0.01")))
    oid = first["response"]["data"]["statuses"][0]["resting"]["oid"]
    twap = {"a": 2, "b": True, "s": "100", "r": False, "m": 5, "t": False}
    running = busy.act({"type": "twapOrder", "twap": twap})
    number = running["response"]["data"]["status"]["running"]["twapId"]
    ours = [
        first,
        busy.act(place(limit(0, True, "59000", "0.0001"))),
        busy.act(place(limit(0, True, "60100", "0.01"))),
        busy.act({"type": "cancel", "cancels": [{"a": 0, "o": oid}]}),
        busy.act({"type": "cancel", "cancels": [{"a": 0, "o": oid}]}),
        running,
        busy.act({"type": "twapOrder", "twap": {**twap, "m": 1}}),
        busy.act({"type": "twapCancel", "a": 2, "t": number}),
        busy.act({"type": "twapCancel", "a": 2, "t": number}),
    ]
    assert len(ours) == len(examples)
    for theirs, mine in zip((one["payload"] for one in examples), ours, strict=True):
        assert compare(theirs, mine) == []
    assert ours[1] == small
    assert set(resting["response"]["data"]["statuses"][0]) == {"resting"}
    assert set(filled["response"]["data"]["statuses"][0]["filled"]) == {"totalSz", "avgPx", "oid"}
    for at in (3, 4, 6, 7, 8):
        assert ours[at] == examples[at]["payload"]


FRAMES = {
    "jkorf/Subscriptions/Prices.json": {"type": "allMids"},
    "jkorf/Subscriptions/Klines.json": {"type": "candle", "coin": "BTC", "interval": "1m"},
    "jkorf/Subscriptions/BookTicker.json": {"type": "bbo", "coin": "BTC"},
    "nautilus/ws_book_data.json": {"type": "l2Book", "coin": "BTC"},
    "nautilus/ws_allmids.json": {"type": "allMids"},
}


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_recorded_frames_have_our_shape(busy: LocalVenue, shared_data: Path, name: str) -> None:
    theirs = json.loads((shared_data / "fixtures/hyperliquid" / name).read_text())
    if isinstance(theirs, list):
        theirs = next(row["payload"] for row in theirs if row["dir"] == "server_sends_expected_parsed")
    elif "channel" not in theirs:
        theirs = {"channel": "l2Book", "data": theirs}
    socket = websocket.create_connection(busy.ws_url, timeout=60)
    socket.send(json.dumps({"method": "subscribe", "subscription": FRAMES[name]}))
    assert socket.recv() == "Websocket connection established."
    while (mine := json.loads(socket.recv()))["channel"] != FRAMES[name]["type"]:
        pass
    socket.close()
    if "mids" in theirs["data"]:
        theirs["data"]["mids"] = {"BTC": "1.0", "PURR/USDC": "0.1"}
    assert compare(theirs, mine) == []


def test_recorded_order_and_fill_frames_have_our_shape(busy: LocalVenue, shared_data: Path) -> None:
    recorded = json.loads(
        (
            shared_data
            / "fixtures/hyperliquid/hummingbot/hyperliquid__test_hyperliquid_user_stream_data_source.json"
        ).read_text()
    )
    theirs = {
        value["channel"]: value for key, value in recorded.items() if ".result_" in key and "channel" in value
    }
    socket = websocket.create_connection(busy.ws_url, timeout=60)
    assert socket.recv() == "Websocket connection established."
    user = busy.wallets[0].address
    for kind in ("orderUpdates", "userFills", "trades"):
        wish = {"type": kind, "coin": "BTC"} if kind == "trades" else {"type": kind, "user": user}
        socket.send(json.dumps({"method": "subscribe", "subscription": wish}))
    busy.statuses(place(limit(0, True, "60100", "0.01", "Ioc", c="0x" + "cd" * 16)))
    ours: dict[str, Any] = {}
    while len(ours) < 3:
        frame = json.loads(socket.recv())
        snapshot = isinstance(frame.get("data"), dict) and frame["data"].get("isSnapshot")
        if frame.get("channel") in ("orderUpdates", "userFills", "trades") and not snapshot:
            ours[frame["channel"]] = frame
    socket.close()
    assert compare(theirs["orderUpdates"], ours["orderUpdates"]) == []
    assert compare(theirs["userFills"], ours["userFills"]) == []
    perps = json.loads(
        next(
            (shared_data / "fixtures/hyperliquid/hummingbot").glob("*perpetual*data_source.json")
        ).read_text()
    )
    assert compare(perps["test_listen_for_trades_successful.trade_event"], ours["trades"]) == []
