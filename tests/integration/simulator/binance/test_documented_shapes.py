"""What the simulated venue answers has the fields and kinds of values that the documents and recordings show."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lanner.model.enums import Side
from tests.integration.simulator.binance.caller import Caller, sign
from tests.integration.simulator.binance.shapes import differences
from tests.integration.simulator.binance.stage import Stage

sync = pytest.importorskip("websockets.sync.client")
BTC = "BTCUSDT"
Rows = dict[str, list[Any]]


def _documented(folder: Path, name: str) -> Rows:
    found: Rows = {}
    for row in json.loads((folder / "official_docs" / f"{name}.json").read_text()):
        if "payload" in row:
            found.setdefault(row["section"].split(" > ")[-1], []).append(row["payload"])
    return found


@pytest.fixture
def spot_folder(shared_data: Path) -> Path:
    folder = shared_data / "fixtures" / "binance_spot"
    if not folder.is_dir():
        pytest.skip(f"no recorded Binance spot material at {folder}")
    return folder


@pytest.fixture
def usdm_folder(shared_data: Path) -> Path:
    folder = shared_data / "fixtures" / "binance_usdm"
    if not folder.is_dir():
        pytest.skip(f"no recorded Binance USD-M material at {folder}")
    return folder


def _check(expected: Any, found: Any, *known: str) -> None:
    """Compare shapes; ``known`` are differences that the test gives a reason for."""
    rows = [row for row in differences(expected, found) if row not in known]
    assert rows == [], json.dumps(found)[:2000]


def test_spot_answers_by_request_have_the_documented_shape(spot: Stage, spot_folder: Path) -> None:
    docs = _documented(spot_folder, "rest-api")
    call = Caller(spot)
    path, order = "/api/v3", {"symbol": BTC, "side": "BUY"}
    market = call.signed("POST", f"{path}/order", **order, type="MARKET", quantity="0.5").body
    _check(docs["New order (TRADE)"][2], market)
    limit = {**order, "type": "LIMIT", "timeInForce": "GTC", "price": "59000", "quantity": "0.5"}
    for number, kind in enumerate(("ACK", "RESULT")):
        _check(
            docs["New order (TRADE)"][number],
            call.signed("POST", f"{path}/order", **limit, newOrderRespType=kind).body,
        )
    first = call.signed("POST", f"{path}/order", **limit).body["orderId"]
    _check(
        docs["Query order (USER_DATA)"][0],
        call.signed("GET", f"{path}/order", symbol=BTC, orderId=first).body,
    )
    _check(
        docs["Current open orders (USER_DATA)"][0], call.signed("GET", f"{path}/openOrders", symbol=BTC).body
    )
    _check(docs["All orders (USER_DATA)"][0], call.signed("GET", f"{path}/allOrders", symbol=BTC).body)
    amended = call.signed(
        "PUT", f"{path}/order/amend/keepPriority", symbol=BTC, orderId=first, newQty="0.4"
    ).body
    _check(docs["Order Amend Keep Priority (TRADE)"][0], amended)
    told = call.signed("GET", f"{path}/order/amendments", symbol=BTC, orderId=first).body
    _check(docs["Query Order Amendments (USER_DATA)"][0], told)
    replace = {**limit, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": first}
    both = call.signed("POST", f"{path}/order/cancelReplace", **replace)
    _check(docs["Cancel an Existing Order and Send a New Order (TRADE)"][0], both.body)
    failed = call.signed("POST", f"{path}/order/cancelReplace", **replace)
    assert failed.status == 400
    _check(docs["Cancel an Existing Order and Send a New Order (TRADE)"][1], failed.body)
    last = both.body["newOrderResponse"]["orderId"]
    _check(
        docs["Cancel order (TRADE)"][0], call.signed("DELETE", f"{path}/order", symbol=BTC, orderId=last).body
    )
    _check(docs["Test new order (TRADE)"][0], call.signed("POST", f"{path}/order/test", **limit).body)
    rates = call.signed("POST", f"{path}/order/test", **limit, computeCommissionRates="true").body
    _check(docs["Test new order (TRADE)"][1], rates)

    _check(docs["Check server time"][0], call.public(f"{path}/time").body)
    _check(
        docs["Exchange information"][0],
        call.public(f"{path}/exchangeInfo", symbol=BTC).body,
        ".sors: missing",
    )
    for section, where, more in (
        ("Order book", "depth", {}),
        ("Recent trades list", "trades", {}),
        ("Old trade lookup", "historicalTrades", {}),
        ("Compressed/Aggregate trades list", "aggTrades", {}),
        ("Kline/Candlestick data", "klines", {"interval": "1m"}),
        ("UIKlines", "uiKlines", {"interval": "1m"}),
        ("Current average price", "avgPrice", {}),
        ("24hr ticker price change statistics", "ticker/24hr", {}),
        ("Trading Day Ticker", "ticker/tradingDay", {}),
        ("Rolling window price change statistics", "ticker", {}),
        ("Symbol price ticker", "ticker/price", {}),
        ("Symbol order book ticker", "ticker/bookTicker", {}),
    ):
        _check(docs[section][0], call.public(f"{path}/{where}", symbol=BTC, **more).body)
    mini = call.public(f"{path}/ticker/24hr", symbol=BTC, type="MINI").body
    _check(docs["24hr ticker price change statistics"][2], mini)


def test_spot_answers_about_accounts_and_lists_have_the_documented_shape(
    spot: Stage, spot_folder: Path
) -> None:
    docs = _documented(spot_folder, "rest-api")
    call = Caller(spot)
    path = "/api/v3"
    call.signed("POST", f"{path}/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.5")
    pair = {
        "symbol": BTC, "side": "SELL", "quantity": "0.1", "aboveType": "LIMIT_MAKER", "abovePrice": "70000",
        "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "50000", "belowPrice": "49900", "belowTimeInForce": "GTC",
        "belowIcebergQty": "0.05",
    }  # fmt: skip
    placed = call.signed("POST", f"{path}/orderList/oco", **pair).body
    _check(docs["New Order list - OCO (TRADE)"][0], placed)
    old = {"symbol": BTC, "side": "SELL", "quantity": "0.1", "price": "70000", "stopPrice": "50000"}
    _check(docs["New OCO - Deprecated (TRADE)"][0], call.signed("POST", f"{path}/order/oco", **old).body)
    number = placed["orderListId"]
    told = call.signed("GET", f"{path}/orderList", orderListId=number).body
    _check(docs["Query Order list (USER_DATA)"][0], told)
    _check(docs["Query Open Order lists (USER_DATA)"][0], call.signed("GET", f"{path}/openOrderList").body)
    _check(docs["Query all Order lists (USER_DATA)"][0], call.signed("GET", f"{path}/allOrderList").body)
    ended = call.signed("DELETE", f"{path}/orderList", symbol=BTC, orderListId=number).body
    _check(docs["Cancel Order list (TRADE)"][0], ended, ".orderReports[].icebergQty: unexpected")
    working = {
        "symbol": BTC, "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "50000",
        "workingQuantity": "0.1", "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.1",
    }  # fmt: skip
    chain = call.signed("POST", f"{path}/orderList/oto", **working, pendingType="MARKET").body
    _check(docs["New Order list - OTO (TRADE)"][0], chain)
    three = {"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "70000", "pendingBelowType": "STOP_LOSS"}
    triple = call.signed(
        "POST", f"{path}/orderList/otoco", **working, **three, pendingBelowStopPrice="45000"
    ).body
    _check(docs["New Order list - OTOCO (TRADE)"][0], triple)

    _check(docs["Account information (USER_DATA)"][0], call.signed("GET", f"{path}/account").body)
    _check(docs["Account trade list (USER_DATA)"][0], call.signed("GET", f"{path}/myTrades", symbol=BTC).body)
    _check(
        docs["Query Unfilled Order Count (USER_DATA)"][0], call.signed("GET", f"{path}/rateLimit/order").body
    )
    fees = call.signed("GET", f"{path}/account/commission", symbol=BTC).body
    _check(docs["Query Commission Rates (USER_DATA)"][0], fees)
    own = {"symbol": BTC, "type": "LIMIT", "timeInForce": "GTC", "price": "60000", "quantity": "0.1"}
    resting = call.signed("POST", f"{path}/order", **own, side="BUY").body["orderId"]
    call.signed("POST", f"{path}/order", **own, side="SELL", selfTradePreventionMode="EXPIRE_MAKER")
    prevented = call.signed("GET", f"{path}/myPreventedMatches", symbol=BTC, orderId=resting).body
    assert prevented[0]["makerOrderId"] == resting
    assert prevented[0]["makerPreventedQuantity"] == "0.10000000"
    _check(docs["Query Prevented Matches (USER_DATA)"][0], prevented)


def _frames(stage: Stage, path: str, act: Any, count: int, *, timeout: float = 4) -> dict[str, Any]:
    """Return the first frame of each kind that arrives after ``act``, by event name or ``depth``/``quote``."""
    found: dict[str, Any] = {}
    with sync.connect(stage.ws + path) as socket:
        act(socket)
        while len(found) < count:
            frame = msgspec.json.decode(socket.recv(timeout=timeout))
            frame = frame.get("data", frame) if isinstance(frame, dict) else frame
            if isinstance(frame, list):
                frame = {"e": "list", "rows": frame}
            if "result" in frame:
                continue
            name = frame.get("e") or ("top" if "bids" in frame else "quote")
            found.setdefault(name, frame)
    return found


def test_spot_frames_have_the_documented_shape(spot: Stage, spot_folder: Path) -> None:
    docs = _documented(spot_folder, "web-socket-streams")
    names = ["trade", "aggTrade", "depth@100ms", "depth5@100ms", "bookTicker"]
    names += ["kline_1s", "miniTicker", "ticker", "ticker_1h", "avgPrice"]
    path = "/stream?streams=" + "/".join(f"btcusdt@{name}" for name in names)
    call = Caller(spot)

    def act(_: Any) -> None:
        call.signed("POST", "/api/v3/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.5")

    found = _frames(spot, path, act, len(names))
    for section, name in (
        ("Trade Streams", "trade"),
        ("Aggregate Trade Streams", "aggTrade"),
        ("Diff. Depth Stream", "depthUpdate"),
        ("Partial Book Depth Streams", "top"),
        ("Individual Symbol Book Ticker Streams", "quote"),
        ("Kline/Candlestick Streams for UTC", "kline"),
        ("Individual Symbol Mini Ticker Stream", "24hrMiniTicker"),
        ("Individual Symbol Ticker Streams", "24hrTicker"),
        ("Individual Symbol Rolling Window Statistics Streams", "1hTicker"),
        ("Average Price", "avgPrice"),
    ):
        _check(docs[section][0], found[name])


def test_spot_private_events_have_the_documented_shape(spot: Stage, spot_folder: Path) -> None:
    docs = _documented(spot_folder, "user-data-stream")
    call = Caller(spot)
    heard: dict[str, Any] = {}
    with sync.connect(f"{spot.ws}/ws-api/v3") as socket:
        params: dict[str, Any] = {"apiKey": call.key, "timestamp": call.now_ms()}
        params["signature"] = sign(call.secret, f"apiKey={params['apiKey']}&timestamp={params['timestamp']}")
        socket.send(json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}))
        call.signed("POST", "/api/v3/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.5")
        pair = {
            "symbol": BTC, "side": "SELL", "quantity": "0.1", "aboveType": "LIMIT_MAKER", "abovePrice": "70000",
            "belowType": "STOP_LOSS", "belowStopPrice": "50000",
        }  # fmt: skip
        call.signed("POST", "/api/v3/orderList/oco", **pair)
        spot.do(lambda exchange: exchange.deposit("test", "USDT", Decimal(100), spot.now_ns()))
        while len(heard) < 4:
            frame = msgspec.json.decode(socket.recv(timeout=60))
            if "event" in frame:
                heard.setdefault(frame["event"]["e"], frame)
    # the document's order report shows a prevented match, which this one has not
    _check(docs["Order Update"][0], heard["executionReport"], ".event.v: missing")
    _check(docs["Account Update"][0], heard["outboundAccountPosition"])
    _check(docs["Order Reject Reason"][0], heard["listStatus"])
    _check(docs["Balance Update"][0], heard["balanceUpdate"])


RECORDED = {
    "binance_connector_python/rest_api/account_api.json": (
        "account_information_v2", "account_information_v3", "futures_account_balance_v2",
        "futures_account_balance_v3", "futures_account_configuration", "get_bnb_burn_status",
        "get_current_multi_assets_mode", "get_current_position_mode", "get_income_history",
        "notional_and_leverage_brackets", "query_user_rate_limit", "symbol_configuration", "user_commission_rate",
    ),
}  # fmt: skip
ASKED = (
    "Endpoints/UsdFutures/Account/GetAccountConfiguration",
    "Endpoints/UsdFutures/Account/GetAccountInfoV3",
    "Endpoints/UsdFutures/Account/GetMarginChangeHistory",
    "Endpoints/UsdFutures/Account/GetMultiAssetsMode",
    "Endpoints/UsdFutures/Account/GetPositionInformation",
    "Endpoints/UsdFutures/ExchangeData/GetBookPrice",
    "Endpoints/UsdFutures/ExchangeData/GetFundingInfo",
    "Endpoints/UsdFutures/ExchangeData/GetFundingRates",
    "Endpoints/UsdFutures/ExchangeData/GetKlines",
    "Endpoints/UsdFutures/ExchangeData/GetOpenInterest",
    "Endpoints/UsdFutures/ExchangeData/GetOrderBook",
    "Endpoints/UsdFutures/ExchangeData/GetServerTime",
    "Endpoints/UsdFutures/Trading/GetOpenConditionalOrders",
    "Endpoints/UsdFutures/Trading/GetConditionalOrder",
    "Endpoints/UsdFutures/Trading/GetOrderEditHistory",
)
USDM_KNOWN = (
    # examples of an older date than the documents
    ".positions[].breakEvenPrice: unexpected",
    "[].notionalCoef: missing",  # only for accounts with a coefficient of their own
    # conditional orders on the order endpoint are history
    "[].activatePrice: missing",
    "[].priceRate: missing",
    # the example has one fill, hence no tier
    ".feeBurn: missing",
)


def _prepare_usdm(call: Caller) -> dict[str, Any]:
    """Bring the account into a state in which every answer has a row."""
    path = "/fapi/v1"
    call.signed("POST", f"{path}/marginType", symbol=BTC, marginType="ISOLATED")
    call.signed("POST", f"{path}/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.1")
    call.signed("POST", f"{path}/positionMargin", symbol=BTC, amount="100", type=1)
    limit = {
        "symbol": BTC,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": "59000",
        "quantity": "0.1",
    }
    order = call.signed("POST", f"{path}/order", **limit).body
    call.signed(
        "PUT",
        f"{path}/order",
        symbol=BTC,
        side="BUY",
        orderId=order["orderId"],
        price="59001",
        quantity="0.2",
    )
    stop = {
        "algoType": "CONDITIONAL",
        "symbol": BTC,
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.05",
    }
    woken = call.signed(
        "POST", f"{path}/algoOrder", **stop, triggerPrice="59900", workingType="MARK_PRICE"
    ).body
    call.stage.do(lambda exchange: exchange.set_mark(BTC, 598_000, 598_000, call.stage.now_ns()))
    call.signed("POST", f"{path}/algoOrder", **stop, triggerPrice="55000")
    call.stage.do(lambda exchange: exchange.settle_funding(BTC, call.stage.now_ns()))
    return {"orderId": order["orderId"], "algoId": woken["algoId"]}


def test_usdm_answers_have_the_recorded_shape(usdm: Stage, usdm_folder: Path) -> None:
    call = Caller(usdm)
    ids = _prepare_usdm(call)
    rows: list[tuple[str, str, Any]] = []
    for file, names in RECORDED.items():
        held = json.loads((usdm_folder / file).read_text())
        rows.extend((name, held[name]["path"], held[name]["expected_response"]) for name in names)
    for file in ASKED:
        one = json.loads((usdm_folder / "jkorf" / f"{file}.json").read_text())
        rows.append((file, one["path"], one["response"]))
    wanted: dict[str, dict[str, Any]] = {
        "/fapi/v1/klines": {"interval": "1m"},
        "/fapi/v1/algoOrder": {"algoId": ids["algoId"]},
        "/fapi/v1/orderAmendment": {"orderId": ids["orderId"]},
    }
    plural = (
        "/account",
        "/balance",
        "/income",
        "Bracket",
        "Config",
        "dual",
        "Margin",
        "rateLimit",
        "feeBurn",
        "time",
    )
    problems: dict[str, list[str]] = {}
    for name, path, expected in rows:
        params = dict(wanted.get(path, {}))
        if not any(word in path for word in plural) or path.endswith(("history", "commissionRate")):
            params.setdefault("symbol", BTC)
        found = call.signed("GET", path, **params)
        assert found.status == 200, (path, found.body)
        missed = [row for row in differences(expected, found.body) if row not in USDM_KNOWN]
        if missed:
            problems[name] = missed
    assert problems == {}


def test_usdm_orders_have_the_recorded_shape(usdm: Stage, usdm_folder: Path) -> None:
    call = Caller(usdm)
    path = "/fapi/v1/order"
    limit = {
        "symbol": BTC,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": "59000",
        "quantity": "0.1",
    }
    placed = call.signed("POST", path, **limit).body
    general = json.loads(
        (usdm_folder / "jkorf/Endpoints/UsdFutures/Trading/EditMultipleOrders.json").read_text()
    )
    modified = call.signed(
        "PUT", path, symbol=BTC, side="BUY", orderId=placed["orderId"], price="59001", quantity="0.2"
    )
    _check(general["response"][0], modified.body, ".cumQuote: unexpected")
    queried = json.loads((usdm_folder / "nautilus/http_json/order_response.json").read_text())
    _check(queried, call.signed("GET", path, symbol=BTC, orderId=placed["orderId"]).body)
    canceled = json.loads((usdm_folder / "jkorf/Endpoints/UsdFutures/Trading/CancelOrder.json").read_text())
    ended = call.signed("DELETE", path, symbol=BTC, orderId=placed["orderId"]).body
    _check(canceled["response"], ended, ".activatePrice: missing", ".priceRate: missing")
    stop = {
        "algoType": "CONDITIONAL",
        "symbol": BTC,
        "side": "SELL",
        "type": "TAKE_PROFIT",
        "quantity": "0.1",
    }
    algo = call.signed("POST", "/fapi/v1/algoOrder", **stop, triggerPrice="61000", price="61000").body
    expected = json.loads(
        (usdm_folder / "jkorf/Endpoints/UsdFutures/Trading/PlaceConditionalOrder.json").read_text()
    )
    _check(expected["response"], algo)
    info = json.loads(
        (usdm_folder / "jkorf/Endpoints/UsdFutures/ExchangeData/GetExchangeInfo.json").read_text()
    )
    found = call.public("/fapi/v1/exchangeInfo").body
    newer = ("settlePlan: missing", "autoAssetExchange: expected number")  # as the documents have it since
    rows = [row for row in differences(info["response"], found) if "unexpected" not in row]
    assert [row for row in rows if not any(one in row for one in newer)] == []


USDM_FRAMES = (
    ("nautilus/market_data_json/agg_trade_stream.json", "aggTrade", (".st: missing", ".nq: unexpected")),
    ("nautilus/market_data_json/depth_update_stream.json", "depthUpdate", (".st: missing", ".ps: missing")),
    ("nautilus/market_data_json/kline_stream_closed.json", "kline", ()),
    ("nautilus/market_data_json/mark_price_stream.json", "markPriceUpdate", (".st: missing",)),
    ("nautilus/market_data_json/ticker_stream.json", "24hrTicker", (".st: missing",)),
)


def test_usdm_frames_have_the_recorded_shape(usdm: Stage, usdm_folder: Path) -> None:
    call = Caller(usdm)

    def act(_: Any) -> None:
        call.signed("POST", "/fapi/v1/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.1")

    found = _frames(usdm, "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker", act, 2)
    names = ["aggTrade", "kline_1m", "markPrice@1s", "ticker", "miniTicker"]
    path = "/market/stream?streams=" + "/".join(f"btcusdt@{name}" for name in names)
    found.update(_frames(usdm, f"{path}/btcusdt_perpetual@continuousKline_1m", act, len(names) + 1))
    for file, name, known in USDM_FRAMES:
        _check(json.loads((usdm_folder / file).read_text()), found[name], *known)
    for file, name in (
        ("BookTicker", "bookTicker"),
        ("MiniTicker", "24hrMiniTicker"),
        ("ContKlines", "continuous_kline"),
    ):
        steps = json.loads((usdm_folder / f"jkorf/Subscriptions/UsdFutures/{file}.json").read_text())
        _check(steps[-1]["payload"]["data"], found[name])


def test_usdm_private_events_have_the_recorded_shape(usdm: Stage, usdm_folder: Path) -> None:
    call = Caller(usdm)
    key = call.keyed("POST", "/fapi/v1/listenKey").body["listenKey"]

    def act(_: Any) -> None:
        call.signed("POST", "/fapi/v1/leverage", symbol=BTC, leverage=11)
        call.signed("POST", "/fapi/v1/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.1")
        stop = {
            "algoType": "CONDITIONAL",
            "symbol": BTC,
            "side": "SELL",
            "type": "TAKE_PROFIT",
            "quantity": "0.1",
        }
        call.signed("POST", "/fapi/v1/algoOrder", **stop, triggerPrice="61000", price="61000")

    found = _frames(usdm, f"/private/stream?listenKey={key}", act, 5)
    for file, name, known in (
        ("nautilus/user_data_json/account_update.json", "ACCOUNT_UPDATE", ()),
        ("nautilus/user_data_json/algo_update_new.json", "ALGO_UPDATE", (".o.rm: missing",)),
        (
            "nautilus/user_data_json/order_update_trade.json",
            "ORDER_TRADE_UPDATE",
            (
                ".o.AP: missing",
                ".o.cr: missing",
                ".o.pm: unexpected",
                ".o.gtd: unexpected",
                ".o.er: unexpected",
            ),
        ),
    ):
        _check(json.loads((usdm_folder / file).read_text()), found[name], *known)
    for file, name in (("Leverage", "ACCOUNT_CONFIG_UPDATE"), ("TradeUpdate", "TRADE_LITE")):
        steps = json.loads((usdm_folder / f"jkorf/Subscriptions/UsdFutures/{file}.json").read_text())
        _check(steps[-1]["payload"]["data"], found[name])


def test_a_margin_call_and_a_liquidation_have_the_recorded_shape(usdm: Stage, usdm_folder: Path) -> None:
    call = Caller(usdm)
    key = call.keyed("POST", "/fapi/v1/listenKey").body["listenKey"]
    call.signed("POST", "/fapi/v1/leverage", symbol=BTC, leverage=75)
    usdm.book(BTC, 600_000, step=10, lots=500_000)
    usdm.do(lambda exchange: exchange.deposit("test", "USDT", Decimal(-990_000), usdm.now_ns()))
    placed = call.signed("POST", "/fapi/v1/order", symbol=BTC, side="BUY", type="MARKET", quantity="9")
    assert placed.status == 200, placed.body

    def slide(socket: Any) -> None:
        usdm.do(lambda exchange: exchange.set_mark(BTC, 592_700, 592_700, usdm.now_ns()))

    warned = _frames(usdm, f"/private/ws/{key}", slide, 1)["MARGIN_CALL"]
    steps = json.loads((usdm_folder / "jkorf/Subscriptions/UsdFutures/MarginUpdate.json").read_text())
    _check(steps[-1]["payload"]["data"], warned)
    usdm.level(BTC, Side.BUY, 590_000, 50_000)

    def fall(socket: Any) -> None:
        usdm.do(lambda exchange: exchange.set_mark(BTC, 590_000, 590_000, usdm.now_ns()))

    forced = _frames(usdm, "/market/ws/btcusdt@forceOrder", fall, 1)["forceOrder"]
    _check(
        json.loads((usdm_folder / "nautilus/market_data_json/liquidation_stream.json").read_text()), forced
    )
    orders = call.signed("GET", "/fapi/v1/forceOrders").body
    assert orders[0]["clientOrderId"].startswith("autoclose-")
