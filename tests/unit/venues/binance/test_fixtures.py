"""Every recorded or documented message of a kind that is used becomes the right model, field by field."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.model.accounts import (
    AccountState,
    BalancesReport,
    FeeRates,
    PositionsReport,
    VenueFill,
    VenueOrder,
)
from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.model.reports import OrderCanceled, OrderFilled
from lanner.venues.codec import Answer, Notice, NoticeKind, Page
from tests.unit.venues.binance.material import FINE, Codec, Sample, fixture_codec, samples

PRODUCTS = ("binance_spot", "binance_usdm")
FOREVER = 4_000_000_000_000_000_000
UNIT = Decimal(FINE)


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def messages(product: str, shared_data: Path) -> list[Sample]:
    folder = shared_data / "fixtures" / product
    if not folder.is_dir():
        pytest.skip(f"no recorded messages at {folder}")
    return samples(folder)


def number(text: Any) -> float:
    return float(text)


def lots(text: Any) -> int:
    return int(Decimal(str(text)) / UNIT)


# -- frames --------------------------------------------------------------------------------------------


def check_quote(body: dict[str, Any], quote: Quote) -> None:
    assert (quote.bid_px, quote.bid_qty) == (number(body["b"]), number(body["B"]))
    assert (quote.ask_px, quote.ask_qty) == (number(body["a"]), number(body["A"]))
    assert quote.seq == body["u"]
    if "E" in body:
        assert quote.ts_event == body["E"] * 1_000_000


def check_trade(body: dict[str, Any], trade: Trade) -> None:
    assert (trade.px, trade.qty) == (number(body["p"]), number(body["q"]))
    assert trade.ts_event == body["T"] * 1_000_000
    assert trade.aggressor == (-1 if body["m"] else 1)
    assert trade.trade_id == str(body["t"] if body.get("e") == "trade" else body["a"])


def check_depth(body: dict[str, Any], book: BookUpdate) -> None:
    assert [list(level) for level in book.bids] == [[number(px), number(qty)] for px, qty in body["b"]]
    assert [list(level) for level in book.asks] == [[number(px), number(qty)] for px, qty in body["a"]]
    assert (book.first_seq, book.seq, book.prev_seq) == (body["U"], body["u"], body.get("pu", 0))
    assert book.ts_event == body["E"] * 1_000_000


def check_kline(body: dict[str, Any], bar: Bar) -> None:
    k = body["k"]
    assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [number(k[key]) for key in "ohlcv"]
    assert bar.ts_open == k["t"] * 1_000_000
    assert bar.ts_event == (k["T"] + 1) * 1_000_000
    assert bar.timeframe == k["i"]
    assert (bar.trades, bar.quote_volume, bar.taker_buy_volume) == (k["n"], number(k["q"]), number(k["V"]))


def check_mark(body: dict[str, Any], mark: MarkPrice) -> None:
    assert (mark.mark_px, mark.index_px) == (number(body["p"]), number(body["i"]))


def check_balances(body: dict[str, Any], report: BalancesReport) -> None:
    rows = body.get("B") or body["a"]["B"]
    assert [one.currency for one in report.balances] == [row["a"] for row in rows]
    for one, row in zip(report.balances, rows, strict=True):
        assert one.total == (Decimal(row["wb"]) if "wb" in row else Decimal(row["f"]) + Decimal(row["l"]))
        assert one.total == one.available + one.locked


def check_order(body: dict[str, Any], order: VenueOrder) -> None:
    told: dict[str, Any] = body["o"] if isinstance(body.get("o"), dict) else body
    assert order.order_id == ""
    assert order.client_id == (told.get("C") or told.get("c") or told.get("caid", ""))
    assert order.side is (Side.BUY if told["S"] == "BUY" else Side.SELL)
    assert order.lots == lots(told["q"])
    assert order.cum_lots == lots(told.get("z") or told.get("aq") or 0)
    price = Decimal(told.get("p") or 0)
    assert order.px_ticks == (int(price / UNIT) if price else None)


CHECKS: dict[str, tuple[type, Callable[[Any, Any], None]]] = {
    "bookTicker": (Quote, check_quote),
    "trade": (Trade, check_trade),
    "aggTrade": (Trade, check_trade),
    "depthUpdate": (BookUpdate, check_depth),
    "kline": (Bar, check_kline),
    "markPriceUpdate": (MarkPrice, check_mark),
    "outboundAccountPosition": (BalancesReport, check_balances),
    "ACCOUNT_UPDATE": (BalancesReport, check_balances),
    "executionReport": (VenueOrder, check_order),
    "ORDER_TRADE_UPDATE": (VenueOrder, check_order),
    "ALGO_UPDATE": (VenueOrder, check_order),
}


def event_of(body: Any) -> dict[str, Any]:
    """Return the event inside a frame, however it is wrapped."""
    while isinstance(body, dict) and ("data" in body or "event" in body):
        body = body.get("data") or body.get("event")
    return body if isinstance(body, dict) else {}


def kind_of(event: dict[str, Any]) -> str:
    if "e" in event:
        return str(event["e"])
    return "bookTicker" if {"u", "b", "B", "a", "A"} <= event.keys() else ""


def test_every_event_of_a_kind_that_is_used_becomes_its_model(product: str, messages: list[Sample]) -> None:
    codec = fixture_codec(product, messages)
    seen: Counter[str] = Counter()
    for sample in messages:
        event = event_of(sample.body)
        kind = kind_of(event)
        if sample.path or kind not in CHECKS:
            continue
        told = codec.decode(sample.raw, 7)
        if kind == "kline" and not event["k"]["x"]:
            assert told == (), sample.name
            continue
        named = event.get("s") or event.get("o", {}).get("s", "BTCUSDT")
        if named not in codec.symbols.by_symbol:
            assert isinstance(told[0], Notice), sample.name
            continue
        model, check = CHECKS[kind]
        assert isinstance(told[0], model), (sample.name, told)
        check(event, told[0])
        seen[kind] += 1
    assert sum(seen.values()) >= 20, seen


def test_no_frame_of_a_socket_is_malformed(product: str, messages: list[Sample]) -> None:
    codec = fixture_codec(product, messages)
    count = 0
    for sample in messages:
        body = sample.body
        if sample.path or not isinstance(body, dict):
            continue
        if not ({"e", "stream", "event", "subscriptionId"} & body.keys() or {"id", "status"} <= body.keys()):
            continue
        if "method" in body or (body.get("stream") and not body.get("data")):
            continue
        told = codec.decode(sample.raw, 7)
        assert all(one is not None for one in told)
        if {"id", "status"} <= body.keys() and isinstance(body["id"], str):
            assert isinstance(told[0], Answer)
            assert told[0].request_id == body["id"]
        count += 1
    assert count > 40


def test_a_mark_price_brings_the_predicted_funding_rate(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "binance_usdm"
    messages = [one for one in samples(folder) if kind_of(event_of(one.body)) == "markPriceUpdate"]
    codec = fixture_codec("binance_usdm", messages)
    for sample in messages:
        rate = next(one for one in codec.decode(sample.raw, 7) if isinstance(one, FundingRate))
        assert rate.predicted
        assert rate.rate == float(event_of(sample.body)["r"])


# -- answers over HTTP ---------------------------------------------------------------------------------


def told_orders(rows: Any, orders: list[VenueOrder]) -> None:
    assert len(rows) == len(orders)
    for row, order in zip(rows, orders, strict=True):
        assert order.client_id == (
            row.get("clientAlgoId") or row.get("origClientOrderId") or row["clientOrderId"]
        )
        assert order.lots == lots(row.get("origQty") or row.get("quantity"))
        assert order.cum_lots == lots(row.get("executedQty") or row.get("actualQty") or 0)
        assert order.side.name == row["side"]


def told_fills(rows: Any, page: Page[VenueFill]) -> None:
    assert len(rows) == len(page.rows)
    for row, fill in zip(rows, page.rows, strict=True):
        assert (fill.report.trade_id, fill.venue_order_id) == (str(row["id"]), str(row["orderId"]))
        assert (fill.report.px_ticks, fill.report.lots) == (lots(row["price"]), lots(row["qty"]))
        assert fill.report.ts_event == row["time"] * 1_000_000
        if fill.fee_currency:
            assert fill.fee_currency == row["commissionAsset"]
            assert fill.report.fee == 0


def told_bars(rows: Any, page: Page[Bar]) -> None:
    assert len(rows) == len(page.rows)
    for row, bar in zip(rows, page.rows, strict=True):
        assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [float(x) for x in row[1:6]]
        assert (bar.ts_open, bar.ts_event) == (row[0] * 1_000_000, (row[6] + 1) * 1_000_000)
        assert (bar.quote_volume, bar.trades, bar.taker_buy_volume) == (float(row[7]), row[8], float(row[9]))


def told_trades(rows: Any, page: Page[Trade]) -> None:
    for row, trade in zip(rows, page.rows, strict=True):
        check_trade(row, trade)


def told_account(body: Any, state: AccountState) -> None:
    rows = body.get("assets") or [
        row for row in body["balances"] if float(row["free"]) or float(row["locked"])
    ]
    told = {one.currency: one.total for one in state.balances}
    for row in rows:
        total = (
            Decimal(row["walletBalance"])
            if "walletBalance" in row
            else Decimal(row["free"]) + Decimal(row["locked"])
        )
        if total:
            assert told[row["asset"]] == total
    if "totalMarginBalance" in body:
        assert state.equity == Decimal(body["totalMarginBalance"])


def told_positions(rows: Any, state: AccountState) -> None:
    open_rows = [row for row in rows if Decimal(row["positionAmt"])]
    assert len(open_rows) == len(state.positions)
    for row, position in zip(open_rows, state.positions, strict=True):
        assert position.lots == lots(row["positionAmt"])
        entry = float(row["entryPrice"])
        assert position.entry_px == entry or (entry == 0 and math.isnan(position.entry_px))
        assert position.mark_px == float(row["markPrice"])
        if "leverage" in row:
            assert position.leverage == float(row["leverage"])


def answer_checks(codec: Codec, name: str) -> dict[tuple[str, str], Callable[[Any, bytes], None]]:
    """Return what to ask and to check, by method and path."""
    account = codec.account()
    checks: dict[tuple[str, str], Callable[[Any, bytes], None]] = {}

    def both(path: str, check: Callable[[Any, bytes], None]) -> None:
        for root in ("/api/v3", "/fapi/v1"):
            checks["GET", f"{root}/{path}"] = check

    def rows(call: Any, check: Callable[[Any, Any], None]) -> Callable[[Any, bytes], None]:
        return lambda body, raw: check(body, call.parse(raw, FOREVER))

    both("klines", rows(codec.bars(name, "1m", 0, FOREVER), told_bars))
    both("aggTrades", rows(codec.trades(name, None, None), told_trades))
    both("openOrders", rows(codec.open_orders(), told_orders))
    both("allOrders", rows(codec.orders_since(name, 0), told_orders))
    both("order", rows(codec.find_order(name, "x"), lambda body, one: told_orders([body], [one])))
    both("myTrades", rows(codec.fills(0, name), told_fills))
    both("userTrades", rows(codec.fills(0, name), told_fills))
    both("time", rows(codec.server_time(), lambda body, ms: _same(ms, body["serverTime"])))
    snapshot = codec.book_snapshot(name)
    both("depth", rows(snapshot, lambda body, book: _same(book.seq, body["lastUpdateId"])))
    both("account/commission", rows(codec.fees(name), lambda _body, fees: _is(fees, FeeRates)))
    both("commissionRate", rows(codec.fees(name), _told_rate))
    for path in ("/api/v3/account", "/fapi/v2/account", "/fapi/v3/account"):
        checks["GET", path] = rows(account[0], told_account)
    if len(account) > 1:
        for path in ("/fapi/v2/positionRisk", "/fapi/v3/positionRisk"):
            checks["GET", path] = rows(account[1], told_positions)
    return checks


def _same(found: object, expected: object) -> None:
    assert found == expected


def _is(found: object, kind: type) -> None:
    assert isinstance(found, kind)


def _told_rate(body: Any, rates: FeeRates) -> None:
    assert rates.fees.maker == Decimal(body["makerCommissionRate"])
    assert rates.fees.taker == Decimal(body["takerCommissionRate"])


def test_every_answer_of_a_kind_that_is_used_becomes_its_model(product: str, messages: list[Sample]) -> None:
    codec = fixture_codec(product, messages)
    name = "BTC-USDT.BINANCE" if product == "binance_spot" else "BTCUSDT-PERP.BINANCE"
    checks = answer_checks(codec, name)
    seen: Counter[str] = Counter()
    for sample in messages:
        check = checks.get((sample.method, sample.path.partition("?")[0]))
        if check is None or (isinstance(sample.body, dict) and "code" in sample.body):
            continue
        check(sample.body, sample.raw)
        seen[sample.path] += 1
    assert len(seen) >= 6, seen


def test_bare_answers_of_the_other_source_are_read_too(shared_data: Path) -> None:
    folder = shared_data / "fixtures"
    by_name = {
        one.name.rpartition("/")[2].partition("#")[0]: one
        for product in PRODUCTS
        for one in samples(folder / product)
    }
    futures = fixture_codec("binance_usdm", list(by_name.values()))
    pages = {
        "http_futures_account_trades.json": (futures.fills(0, "ETHUSDT-PERP.BINANCE"), told_fills),
        "http_futures_market_klines.json": (
            futures.bars("BTCUSDT-PERP.BINANCE", "1w", 0, FOREVER),
            told_bars,
        ),
        "http_futures_account_positions_hedge.json": (futures.account()[1], told_positions),
        "http_futures_account_positions_one_way.json": (futures.account()[1], told_positions),
        "position_risk.json": (futures.account()[1], told_positions),
    }
    for name, (call, check) in pages.items():
        check(by_name[name].body, call.parse(by_name[name].raw, FOREVER))  # type: ignore[attr-defined, operator]
    algos = futures.open_conditional_orders()  # type: ignore[union-attr]
    told_orders(by_name["open_algo_orders.json"].body, algos.parse(by_name["open_algo_orders.json"].raw, 1))
    rates = futures.funding("BTCUSDT-PERP.BINANCE", 0, FOREVER)
    sample = by_name["http_futures_market_funding_rate.json"]
    page = rates.parse(sample.raw, 1)
    assert [(one.rate, one.ts_event, one.predicted) for one in page.rows] == [
        (float(row["fundingRate"]), row["fundingTime"] * 1_000_000, False) for row in sample.body
    ]
    sides = [
        one.side
        for one in futures.account()[1]
        .parse(by_name["http_futures_account_positions_hedge.json"].raw, 1)
        .positions
    ]
    assert sides == [Side.BUY, Side.SELL]


# -- answers to commands -------------------------------------------------------------------------------


def test_documented_answers_to_new_orders_become_reports(product: str, messages: list[Sample]) -> None:
    codec = fixture_codec(product, messages)
    count = 0
    for sample in messages:
        body = sample.body
        over_http = sample.method == "POST" and sample.path in ("/api/v3/order", "/fapi/v1/order")
        result = body if over_http else body.get("result") if isinstance(body, dict) else None
        if not isinstance(result, dict) or "orderId" not in result or "origClientOrderId" in result:
            continue
        instrument = codec.symbols.by_symbol.get(result.get("symbol", ""))
        if instrument is None or (not over_http and "status" not in body):
            continue
        order = SubmitOrder("mine", instrument.id, 0, Side.SELL, OrderType.MARKET, 10**9)
        (call,) = codec.order(order)
        reports = call.answer(200 if over_http else 0, sample.raw, 7)
        assert reports[0].venue_order_id == str(result["orderId"]), sample.name  # type: ignore[union-attr]
        fills = [one for one in reports if isinstance(one, OrderFilled)]
        assert [(one.px_ticks, one.lots, one.trade_id) for one in fills] == [
            (lots(row["price"]), lots(row["qty"]), str(row.get("tradeId"))) for row in result.get("fills", ())
        ]
        count += 1
    assert count >= (8 if product == "binance_spot" else 1)


def test_documented_answers_to_cancels_become_reports(product: str, messages: list[Sample]) -> None:
    codec = fixture_codec(product, messages)
    count = 0
    for sample in messages:
        if sample.method != "DELETE" or sample.path not in ("/api/v3/order", "/fapi/v1/order"):
            continue
        if "code" in sample.body:
            continue
        instrument = codec.symbols.by_symbol[sample.body["symbol"]]
        (call,) = codec.order(CancelOrder("mine", instrument.id, 0, 1))
        (report,) = call.answer(200, sample.raw, 7)
        assert isinstance(report, OrderCanceled)
        assert report.order_id == "mine"
        count += 1
    assert count


def test_a_logon_that_is_refused_says_why(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "binance_spot"
    codec = fixture_codec("binance_spot", samples(folder))
    (told,) = codec.decode(
        b'{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key, IP, or permissions."}}', 1
    )
    assert isinstance(told, Notice)
    assert told.kind is NoticeKind.REFUSED
    assert "-2015" in told.text


def test_positions_of_an_account_event_have_their_sides(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "binance_usdm"
    messages = samples(folder)
    codec = fixture_codec("binance_usdm", messages)
    sample = next(
        one for one in messages if one.name.startswith("nautilus/user_data_json/account_update.json")
    )
    report = next(one for one in codec.decode(sample.raw, 1) if isinstance(one, PositionsReport))
    assert [(one.lots, one.side) for one in report.positions] == [
        (0, None),
        (lots("20"), Side.BUY),
        (-lots("10"), Side.SELL),
    ]
    assert report.positions[1].entry_px == 6563.6
