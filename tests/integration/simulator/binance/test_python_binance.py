"""python-binance trades against the simulated venue: spot and USD-M, by REST, WebSocket API and streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from lanner.model.enums import Side
from tests.integration.simulator.binance.clients import blocking, python_binance
from tests.integration.simulator.binance.stage import Stage

binance = pytest.importorskip("binance")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
BTC = "BTCUSDT"


def _free(client: Any, asset: str) -> float:
    return float(client.get_asset_balance(asset)["free"])


async def _until(socket: Any, wanted: Any) -> Any:
    """Read a socket until a message fits."""

    async def read() -> Any:
        while True:
            message = await socket.recv()
            if wanted(message):
                return message

    return await asyncio.wait_for(read(), 60)


def test_a_spot_order_lives_from_placing_by_partial_fill_to_its_cancel(
    spot: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, spot=spot)
    client = blocking(spot, closing)
    info = client.get_symbol_info(BTC)
    assert {row["filterType"] for row in info["filters"]} >= {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"}
    assert client.get_order_book(symbol=BTC)["bids"][0] == ["59999.00000000", "1.00000000"]
    dollars, coins = _free(client, "USDT"), _free(client, "BTC")

    order = client.order_limit_buy(symbol=BTC, quantity="0.5", price="60000")
    assert order["status"] == "NEW"
    assert order["fills"] == []
    assert _free(client, "USDT") == pytest.approx(dollars - 30_000)
    assert client.get_open_orders(symbol=BTC)[0]["orderId"] == order["orderId"]

    spot.level(BTC, Side.SELL, 6_000_000, 20_000)
    found = client.get_order(symbol=BTC, orderId=order["orderId"])
    assert (found["status"], found["executedQty"]) == ("PARTIALLY_FILLED", "0.20000000")
    fill = client.get_my_trades(symbol=BTC)[-1]
    assert (fill["isMaker"], fill["isBuyer"], fill["price"]) == (True, True, "60000.00000000")
    assert fill["commission"] == "0.00020000"

    ended = client.cancel_order(symbol=BTC, orderId=order["orderId"])
    assert (ended["status"], ended["executedQty"]) == ("CANCELED", "0.20000000")
    assert ended["origClientOrderId"] == order["clientOrderId"]
    assert client.get_open_orders() == []
    assert _free(client, "USDT") == pytest.approx(dollars - 12_000)
    assert _free(client, "BTC") == pytest.approx(coins + 0.1998)


def test_spot_market_orders_fill_at_once_by_quantity_and_by_quote(
    spot: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, spot=spot)
    client = blocking(spot, closing)
    bought = client.order_market_buy(symbol=BTC, quantity="1.5")
    assert bought["status"] == "FILLED"
    assert [row["price"] for row in bought["fills"]] == ["60001.00000000", "60002.00000000"]
    assert bought["cummulativeQuoteQty"] == "90002.00000000"
    spent = client.order_market_buy(symbol=BTC, quoteOrderQty=1000)
    assert spent["status"] == "FILLED"
    assert 999 < float(spent["cummulativeQuoteQty"]) <= 1000
    assert client.get_symbol_ticker(symbol=BTC)["price"] == "60002.00000000"
    assert client.get_klines(symbol=BTC, interval="1m")[-1][1] == "60001.00000000"
    assert client.get_aggregate_trades(symbol=BTC)[0]["q"] == "1.00000000"


def test_spot_refusals_reach_the_client_with_code_and_text(
    spot: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, spot=spot)
    client = blocking(spot, closing)
    cases: list[tuple[dict[str, str], int, str]] = [
        ({"quantity": "0.5", "price": "59000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"quantity": "0.000001", "price": "59000"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001", "price": "59000"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "1", "price": "1000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (
            {"quantity": "100", "price": "59000"},
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        ({"quantity": "1", "price": "59000", "side": "HOLD"}, -1117, "Invalid side."),
        ({"quantity": "1", "price": "59000", "type": "LIMITED"}, -1116, "Invalid orderType."),
        ({"quantity": "1", "price": "59000", "timeInForce": "EVER"}, -1115, "Invalid timeInForce."),
        (
            {"quantity": "1", "price": "60500", "type": "LIMIT_MAKER", "timeInForce": ""},
            -2010,
            "Order would immediately match and take.",
        ),
    ]
    for changes, code, text in cases:
        params = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", **changes}
        with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
            client.create_order(**{name: value for name, value in params.items() if value})
        assert (refused.value.code, refused.value.message) == (code, text), changes
    with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
        client.cancel_order(symbol=BTC, orderId=42)
    assert (refused.value.code, refused.value.status_code) == (-2011, 400)
    with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
        client.get_order(symbol=BTC, orderId=42)
    assert refused.value.code == -2013
    with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
        client.get_ticker(symbol="NOPE")
    assert refused.value.code == -1121


def test_a_spot_client_hears_its_orders_and_the_book_over_sockets(
    spot: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, spot=spot)

    async def scene() -> None:
        client = await binance.AsyncClient.create(spot.keys.api_key, spot.keys.api_secret)
        manager = binance.BinanceSocketManager(client)
        async with (
            manager.user_socket() as user,
            manager.depth_socket(BTC, interval=100) as depth,
            manager.multiplex_socket(["btcusdt@trade", "btcusdt@bookTicker"]) as several,
        ):
            snapshot = await client.get_order_book(symbol=BTC)
            placed = await client.ws_create_order(
                symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.5", price="60000"
            )
            report = await _until(user, lambda one: one["e"] == "executionReport")
            assert (report["x"], report["X"], report["i"]) == ("NEW", "NEW", placed["orderId"])
            held = await _until(user, lambda one: one["e"] == "outboundAccountPosition")
            assert {row["a"]: row["l"] for row in held["B"]}["USDT"] == "30000.00000000"
            change = await _until(depth, lambda one: ["60000.00000000", "0.50000000"] in one["b"])
            assert change["U"] == snapshot["lastUpdateId"] + 1

            await asyncio.to_thread(spot.level, BTC, Side.SELL, 6_000_000, 10_000)
            report = await _until(user, lambda one: one.get("x") == "TRADE")
            assert (report["X"], report["l"], report["m"]) == ("PARTIALLY_FILLED", "0.10000000", True)
            trade = await _until(several, lambda one: one["stream"] == "btcusdt@trade")
            assert (trade["data"]["p"], trade["data"]["m"]) == ("60000.00000000", True)
            await client.ws_cancel_order(symbol=BTC, orderId=placed["orderId"])
            report = await _until(user, lambda one: one.get("x") == "CANCELED")
            assert report["C"] == placed["clientOrderId"]
            spot.level(BTC, Side.BUY, 5_999_950, 1)
        await client.close_connection()

    asyncio.run(scene())


def test_a_threaded_manager_receives_streams(
    spot: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, spot=spot)
    heard: list[Any] = []
    manager = binance.ThreadedWebsocketManager(api_key=spot.keys.api_key, api_secret=spot.keys.api_secret)
    manager.start()
    manager.start_trade_socket(callback=heard.append, symbol=BTC)
    deadline = time.monotonic() + 60
    while not heard and time.monotonic() < deadline:
        spot.level(BTC, Side.SELL, 5_999_900, 5)
        time.sleep(0.05)
    manager.stop()
    manager.join(60)
    closing.callback(manager._loop.close)
    assert heard[0]["e"] == "trade"
    assert heard[0]["p"] == "59999.00000000"


def test_a_future_lives_from_leverage_by_position_to_its_close(
    usdm: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, usdm=usdm)
    client = blocking(usdm, closing)
    symbols = {row["symbol"]: row for row in client.futures_exchange_info()["symbols"]}
    assert symbols[BTC]["contractType"] == "PERPETUAL"
    assert client.futures_change_leverage(symbol=BTC, leverage=10)["leverage"] == 10
    assert client.futures_change_margin_type(symbol=BTC, marginType="ISOLATED")["code"] == 200
    before = float(client.futures_account()["totalWalletBalance"])

    order = client.futures_create_order(
        symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.5", price="59900"
    )
    changed = client.futures_modify_order(
        symbol=BTC, side="BUY", orderId=order["orderId"], quantity="0.4", price="60000"
    )
    assert (changed["price"], changed["origQty"]) == ("60000.00", "0.400")
    usdm.level(BTC, Side.SELL, 600_000, 100)
    found = client.futures_get_order(symbol=BTC, orderId=order["orderId"])
    assert (found["status"], found["executedQty"]) == ("PARTIALLY_FILLED", "0.100")
    assert client.futures_cancel_order(symbol=BTC, orderId=order["orderId"])["status"] == "CANCELED"

    position = client.futures_position_information(symbol=BTC)[0]
    assert (position["positionAmt"], position["entryPrice"]) == ("0.100", "60000.0")
    assert float(position["liquidationPrice"]) < 55_000
    closed = client.futures_create_order(
        symbol=BTC, side="SELL", type="MARKET", quantity="0.1", reduceOnly="true", newOrderRespType="RESULT"
    )
    assert (closed["status"], closed["avgPrice"]) == ("FILLED", "59999.00000")
    assert client.futures_position_information(symbol=BTC) == []
    fills = client.futures_account_trades(symbol=BTC)
    assert [row["maker"] for row in fills] == [True, False]
    assert float(fills[-1]["realizedPnl"]) == pytest.approx(-0.1)
    fees = sum(float(row["commission"]) for row in fills)
    after = float(client.futures_account()["totalWalletBalance"])
    assert after == pytest.approx(before - 0.1 - fees)
    kinds = [row["incomeType"] for row in client.futures_income_history()]
    assert sorted(kinds) == ["COMMISSION", "COMMISSION", "REALIZED_PNL"]


def test_conditional_orders_of_futures_trigger_and_close_the_position(
    usdm: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, usdm=usdm)
    client = blocking(usdm, closing)
    client.futures_create_order(symbol=BTC, side="BUY", type="MARKET", quantity="0.1")
    stop = client.futures_create_order(
        symbol=BTC,
        side="SELL",
        type="STOP_MARKET",
        triggerPrice="59500",
        closePosition="true",
        workingType="MARK_PRICE",
    )
    assert stop["algoStatus"] == "NEW"
    assert client.futures_get_open_orders(symbol=BTC) == []
    assert [row["algoId"] for row in client.futures_get_open_algo_orders()] == [stop["algoId"]]
    usdm.do(lambda exchange: exchange.set_mark(BTC, 594_000, 594_000, usdm.now_ns()))
    done = client.futures_get_algo_order(algoId=stop["algoId"])
    assert (done["algoStatus"], done["actualQty"]) == ("FINISHED", "0.100")
    order = client.futures_get_order(symbol=BTC, orderId=int(done["actualOrderId"]))
    assert (order["type"], order["status"]) == ("MARKET", "FILLED")
    assert client.futures_position_information(symbol=BTC) == []


def test_futures_refusals_and_batches_reach_the_client(
    usdm: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, usdm=usdm)
    client = blocking(usdm, closing)
    plain = {
        "symbol": BTC,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "59000",
    }
    cases: list[tuple[dict[str, str], int]] = [
        ({"price": "59000.05"}, -4014),
        ({"price": "59000.123"}, -1111),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.001"}, -4164),
        ({"price": "70000"}, -4016),
        ({"price": "40000"}, -4024),
        ({"quantity": "900"}, -2019),
        ({"reduceOnly": "true"}, -2022),
        ({"timeInForce": "GTX", "price": "60100"}, -5022),
        ({"timeInForce": "FOK", "quantity": "90", "price": "60001"}, -5021),
        ({"positionSide": "LONG"}, -4061),
        ({"newClientOrderId": "x" * 37}, -4015),
    ]
    for changes, code in cases:
        with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
            client.futures_create_order(**{**plain, **changes})
        assert refused.value.code == code, changes
    calls: list[tuple[Callable[[], Any], int]] = [
        (lambda: client.futures_cancel_order(symbol=BTC, orderId=1), -2011),
        (lambda: client.futures_get_order(symbol=BTC, orderId=1), -2013),
        (lambda: client.futures_change_leverage(symbol=BTC, leverage=200), -4028),
        (lambda: client.futures_change_margin_type(symbol=BTC, marginType="CROSSED"), -4046),
        (lambda: client.futures_change_position_mode(dualSidePosition="false"), -4059),
    ]
    for call, code in calls:
        with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
            call()
        assert refused.value.code == code
    rows = client.futures_place_batch_order(batchOrders=[plain, {**plain, "price": "1"}])
    assert rows[0]["status"] == "NEW"
    assert rows[1]["code"] == -4024
    assert client.futures_cancel_all_open_orders(symbol=BTC)["code"] == 200
    assert client.futures_get_open_orders() == []


def test_a_futures_client_hears_its_account_and_the_market_over_routed_sockets(
    usdm: Stage, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_binance(monkeypatch, usdm=usdm)

    async def scene() -> None:
        client = binance.AsyncClient(usdm.keys.api_key, usdm.keys.api_secret)
        manager = binance.BinanceSocketManager(client)
        streams = ["btcusdt@aggTrade", "btcusdt@markPrice@1s"]
        async with (
            manager.futures_user_socket() as user,
            manager.futures_depth_socket(BTC) as depth,
            manager.futures_multiplex_socket(streams) as market,
        ):
            placed = await client.ws_futures_create_order(
                symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="60001"
            )
            update = await _until(
                user, lambda one: one["e"] == "ORDER_TRADE_UPDATE" and one["o"]["x"] == "TRADE"
            )
            assert (update["o"]["i"], update["o"]["X"]) == (placed["orderId"], "FILLED")
            account = await _until(user, lambda one: one["e"] == "ACCOUNT_UPDATE")
            assert account["a"]["P"][0]["pa"] == "0.100"
            await _until(depth, lambda one: one["data"]["a"][0] == ["60001.00", "0.900"])
            trade = await _until(market, lambda one: one["data"]["e"] == "aggTrade")
            assert trade["data"]["q"] == "0.100"
            mark = await _until(market, lambda one: one["data"]["e"] == "markPriceUpdate")
            assert mark["data"]["p"] == "60000.00000000"
            balance = await client.ws_futures_v2_account_balance()
            assert balance[0]["asset"] == "USDT"
            held = await client.ws_futures_v2_account_position()
            assert held[0]["positionAmt"] == "0.100"
        await client.ws_future.close()
        await client.close_connection()

    asyncio.run(scene())
