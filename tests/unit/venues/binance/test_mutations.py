"""Damaged frames: each becomes messages that make sense, or one fault that says it cannot be understood."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lanner.model.accounts import Balance, VenueOrder, VenuePosition
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.market import Bar, BookUpdate, MarkPrice, Quote, Trade
from lanner.model.reports import OrderFilled, OrderReport
from lanner.venues.errors import ErrorKind, VenueError
from tests.unit.venues.binance.material import BTC, PERP, Codec, fixture_codec, samples, spot, usdm
from tests.unit.venues.binance.test_order_lives import account, algo, execution, update

EVIL: tuple[Any, ...] = (
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "-1",
    "-0.5",
    "",
    "1e400",
    "x",
    None,
    True,
    [],
    {},
    -1,
    0,
    1.5,
    2**70,
    "0",
    "é",
    [["1", "2"]],
)

# ruff: noqa: ISC004
FRAMES = [
    b'{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}}',
    b'{"u":400900217,"s":"BTCUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}',
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"0.001","q":"100",'
    b'"T":1672515782136,"m":true,"M":true}}',
    b'{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":5,"p":"0.1","q":"100","f":1,"l":5,"T":1672515782136,"m":true}',
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"T":1672515782136,"s":"BTCUSDT",'
    b'"U":157,"u":160,"pu":149,"b":[["0.0024","10"],["0.0023","0"]],"a":[["0.0026","100"]]}}',
    b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}}',
    b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":{"t":1672515780000,'
    b'"T":1672515839999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015",'
    b'"v":"1000","n":100,"x":true,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}}',
    b'{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15","i":"11784.62","P":"11784.25",'
    b'"r":"0.00038167","T":1562306400000}',
    b'{"id":"o1","status":200,"result":{"orderId":1},"rateLimits":[]}',
    b'{"result":null,"id":1}',
    execution("NEW", "NEW"),
    execution("TRADE", "FILLED", l="0.001", z="0.001", L="60000", n="0.06", N="USDT", t=7),
    execution("CANCELED", "CANCELED", c="x", C="o1"),
    execution("TRADE", "FILLED", c="stranger", l="0.001", z="0.001", L="60000", t=8),
    update("NEW", "NEW"),
    update("TRADE", "FILLED", l="0.1", z="0.1", L="60000", n="0.06", N="USDT", t=7),
    update("AMENDMENT", "NEW"),
    update("TRADE", "FILLED", c="stranger", l="0.1", z="0.1", L="60000", ap="60000", t=8),
    algo("NEW"),
    algo("TRIGGERED", ai="77"),
    account(
        "ORDER",
        [{"a": "USDT", "wb": "100", "cw": "90", "bc": "1"}],
        [{"s": "BTCUSDT", "pa": "-0.2", "ep": "60000", "up": "-1.5", "mt": "cross", "iw": "0", "ps": "BOTH"}],
    ),
    b'{"e":"outboundAccountPosition","E":1564034571105,"u":1564034571073,"B":[{"a":"ETH","f":"10000.0","l":"1.0"}]}',
    b'{"e":"TRADE_LITE","E":1721895408092,"T":1721895408214,"s":"BTCUSDT","q":"0.001","p":"0","m":false,"c":"o1",'
    b'"S":"BUY","L":"64089.20","l":"0.040","t":109100866,"i":8886774}',
    b'{"e":"MARGIN_CALL","E":1587727187525,"cw":"3.16","p":[{"s":"BTCUSDT","ps":"LONG","pa":"1.327","mt":"CROSSED",'
    b'"iw":"0","mp":"187.17","up":"-1.16","mm":"1.61"}]}',
]


def codecs() -> list[Codec]:
    """Return both codecs, with an order of ours that the frames name."""
    found: list[Codec] = []
    for codec, instrument in ((spot(), BTC), (usdm(), PERP)):
        codec.order(SubmitOrder("o1", instrument.id, 0, Side.BUY, OrderType.LIMIT, 100, 600_000))
        codec.order(SubmitOrder("o2", instrument.id, 0, Side.BUY, OrderType.LIMIT, 100, 600_000))
        found.append(codec)
    found[1].user.early_fills = True  # type: ignore[union-attr]
    return found


def bytes_damaged(frame: bytes, rng: random.Random) -> bytes:
    """Damage some bytes of a frame."""
    data = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        place = rng.randrange(len(data)) if data else 0
        match rng.randrange(5):
            case 0 if data:
                data[place] = rng.randrange(256)
            case 1 if data:
                del data[place : place + rng.randrange(1, 8)]
            case 2:
                data[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 6)))
            case 3 if data:
                data[place : place + 1] = rng.choice(
                    (b"-", b"9" * 30, b'"', b"{", b"[", b"null", b"e400", b".")
                )
            case _:
                del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Name every place inside a message: its container and key."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, part in list(items):
        yield body, key
        yield from places(part)


def fields_damaged(frame: bytes, rng: random.Random) -> bytes:
    """Put an evil value into a field, or drop, double or rename it."""
    body = json.loads(frame)
    for _ in range(rng.choice((1, 1, 2))):
        found = list(places(body))
        if not found:
            break
        container, key = rng.choice(found)
        action = rng.randrange(6)
        if action == 0 and isinstance(container, dict):
            del container[key]
        elif action == 1 and isinstance(container, dict):
            container[str(key) + "_"] = container.pop(key)
        elif action == 2 and isinstance(container, list):
            container.append(deepcopy(container[key]))
        else:
            container[key] = deepcopy(rng.choice(EVIL))
    return json.dumps(body, separators=(",", ":")).encode()


def numbers(value: Any) -> Iterator[float | Decimal | int]:
    """Return every number inside a message."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float | Decimal):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from numbers(getattr(value, name))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from numbers(part)


def understood(codec: Codec, frame: bytes) -> Any:
    """Return what a frame tells, None when it cannot be understood; any other fault fails the test."""
    try:
        return codec.decode(frame, 7)
    except VenueError as error:
        if error.kind is not ErrorKind.MALFORMED:
            raise
        return None


def check_sense(message: Any) -> None:
    """Fail for a message that no venue can mean."""
    for found in numbers(message):
        if isinstance(found, Decimal):
            assert found.is_finite(), message
            assert abs(found) < 10**24, message
        elif isinstance(found, int):
            assert -(2**63) <= found < 2**63, message
        else:
            assert not math.isinf(found), message
    check = SENSE.get(type(message))
    assert check is None or check(message), message


def level(px: float, qty: float) -> bool:
    return px > 0 and qty >= 0


def maybe(px: float) -> bool:
    return px > 0 or math.isnan(px)


def side_of_quote(px: float, qty: float) -> bool:
    return level(px, qty) or (math.isnan(px) and qty == 0)


SENSE: dict[type, Any] = {
    Quote: lambda q: side_of_quote(q.bid_px, q.bid_qty) and side_of_quote(q.ask_px, q.ask_qty),
    Trade: lambda t: t.px > 0 and t.qty > 0 and t.ts_event >= 0,
    BookUpdate: lambda b: all(level(*one) for one in (*b.bids, *b.asks)) and 0 <= b.first_seq <= b.seq,
    Bar: lambda b: min(b.open, b.high, b.low, b.close) > 0 and b.volume >= 0 and b.ts_event > b.ts_open,
    MarkPrice: lambda m: m.mark_px > 0 and maybe(m.index_px),
    OrderFilled: lambda f: f.lots > 0 and f.px_ticks > 0 and bool(f.order_id),
    VenueOrder: lambda o: o.lots >= 0 and o.cum_lots >= 0 and maybe(o.avg_px),
    Balance: lambda b: b.total == b.available + b.locked,
    VenuePosition: lambda p: maybe(p.entry_px) and maybe(p.mark_px),
}
"""What must hold of each kind of message."""


@pytest.mark.parametrize("damage", [bytes_damaged, fields_damaged])
def test_a_damaged_frame_is_understood_or_refused_and_never_nonsense(damage: Any) -> None:
    rng = random.Random(20_261_121)
    outcome: Counter[str] = Counter()
    for _ in range(6_000):
        frame = damage(rng.choice(FRAMES), rng)
        for codec in codecs_once():
            told = understood(codec, frame)
            outcome["malformed"] += told is None
            for message in told or ():
                check_sense(message)
                outcome[type(message).__name__] += 1
    assert outcome["malformed"] > 1_000, outcome
    assert outcome["Quote"] > 10, outcome


_CODECS: list[Codec] = []


def codecs_once() -> list[Codec]:
    """Return codecs that live through all damage: nothing that a frame does may spoil them."""
    if not _CODECS:
        _CODECS.extend(codecs())
    return _CODECS


def test_recorded_frames_that_are_damaged_are_understood_or_refused(shared_data: Path) -> None:
    rng = random.Random(5)
    for product in ("binance_spot", "binance_usdm"):
        messages = samples(shared_data / "fixtures" / product)
        codec = fixture_codec(product, messages)
        frames = [one.raw for one in messages if isinstance(one.body, dict) and not one.path]
        for _ in range(2_000):
            damage = rng.choice((bytes_damaged, fields_damaged))
            for message in understood(codec, damage(rng.choice(frames), rng)) or ():
                check_sense(message)


def test_damaged_answers_to_commands_are_read_without_a_fault() -> None:
    rng = random.Random(6)
    seen: Counter[str] = Counter()
    bodies = [
        {"symbol": "BTCUSDT", "orderId": 28, "clientOrderId": "o1", "transactTime": 1507725176595, "price": "1.0",
         "origQty": "10.0", "executedQty": "10.0", "status": "FILLED", "type": "MARKET", "side": "SELL",
         "fills": [{"price": "4000.0", "qty": "1.0", "commission": "4.0", "commissionAsset": "USDT", "tradeId": 56}]},
        {"algoId": 5, "clientAlgoId": "o1", "algoStatus": "NEW", "updateTime": 1507725176595},
        {"code": -2010, "msg": "Account has insufficient balance for requested action."},
    ]  # fmt: skip
    for codec in codecs():
        name = "BTC-USDT.BINANCE" if codec.spec.product == "binance-spot" else PERP.id
        commands = (
            SubmitOrder("o3", name, 0, Side.BUY, OrderType.LIMIT, 100, 600_000),
            SubmitOrder("o4", name, 0, Side.SELL, OrderType.STOP_MARKET, 100, None, 500_000),
            CancelOrder("o1", name, 0, 1),
            AmendOrder("o1", name, 0, lots=50, request=2),
            Batch((CancelOrder("o1", name, 0, 1), CancelOrder("o2", name, 0, 1)), 0),
        )
        calls = [call for command in commands for call in codec.order(command)]
        for _ in range(3_000):
            body = json.dumps(rng.choice(bodies)).encode()
            damaged = rng.choice((bytes_damaged, fields_damaged))(body, rng)
            status = rng.choice((0, 200, 400, 409, 429, 500, 503))
            if status == 0:
                damaged = b'{"id":"o1","status":200,"result":' + damaged + b"}"
            for report in rng.choice(calls).answer(status, damaged, 7):
                assert isinstance(report, OrderReport)
                check_sense(report)
                seen[type(report).__name__] += 1
    assert {"OrderAccepted", "OrderRejected", "OrderUnanswered", "CancelRejected"} <= seen.keys(), seen


ROW = {
    "symbol": "BTCUSDT", "orderId": 9, "clientOrderId": "o1", "price": "60000.0", "origQty": "0.1",
    "executedQty": "0.04", "avgPrice": "59999.5", "cummulativeQuoteQty": "2400", "status": "NEW",
    "timeInForce": "GTC", "type": "LIMIT", "side": "SELL", "stopPrice": "0", "time": 5, "updateTime": 6,
}  # fmt: skip
TRADE = {
    "symbol": "BTCUSDT", "id": 5, "orderId": 28, "price": "60000.0", "qty": "0.1", "commission": "0.1", "time": 7,
    "commissionAsset": "USDT", "isBuyer": True, "isMaker": True,
}  # fmt: skip
ALGO = {
    "algoId": 7, "clientAlgoId": "o1", "orderType": "STOP_MARKET", "symbol": "BTCUSDT", "side": "BUY",
    "quantity": "0.1", "algoStatus": "FINISHED", "actualOrderId": "97", "actualPrice": "69067.6", "actualQty": "0.1",
    "triggerPrice": "69080",
    "price": "0", "timeInForce": "GTC", "createTime": 1, "updateTime": 2,
}  # fmt: skip
POSITION = {
    "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.2", "entryPrice": "60000", "markPrice": "61000",
    "unRealizedProfit": "-200", "liquidationPrice": "0", "notional": "-12200", "positionInitialMargin": "610",
}  # fmt: skip
KLINE = [60_000, "1", "2", "0.5", "1.5", "10", 119_999, "15", 3, "4", "6", "0"]
AGGREGATE = {"a": 1, "p": "1", "q": "2", "T": 5, "m": False}
DEPTH = {"lastUpdateId": 5, "E": 7, "bids": [["1", "2"]], "asks": [["3", "4"]]}
BEST = {
    "symbol": "BTCUSDT",
    "bidPrice": "4.0",
    "bidQty": "431.0",
    "askPrice": "4.1",
    "askQty": "9.0",
    "time": 5,
}
INFO = {"symbols": [{
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "contractType": "PERPETUAL",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "9000", "stepSize": "0.1"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ],
}]}  # fmt: skip


def test_damaged_answers_to_questions_are_understood_or_refused_as_one_fault() -> None:
    rng = random.Random(7)
    plain, futures = codecs()
    wallets, positions = futures.account()
    account_of_spot = {"balances": [{"asset": "BTC", "free": "1", "locked": "2"}], "updateTime": 3}
    account_of_futures = {"assets": [{"asset": "USDT", "walletBalance": "5", "availableBalance": "4"}]}
    commission = {"symbol": "BTCUSDT", "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0004"}
    rate = {"symbol": "BTCUSDT", "fundingRate": "-0.01", "fundingTime": 5}
    asked: list[tuple[Any, Any]] = [
        (plain.bars(BTC.id, "1m", 0, 2**62), [KLINE]),
        (plain.trades(BTC.id, 0, 2**62), [AGGREGATE]),
        (plain.book_snapshot(BTC.id), DEPTH),
        (plain.quote(BTC.id), BEST),
        (plain.instruments_call(), INFO),
        (futures.instruments_call(), INFO),
        (plain.account()[0], account_of_spot),
        (wallets, account_of_futures),
        (positions, [POSITION]),
        (plain.open_orders(), [ROW]),
        (futures.find_order(PERP.id, "o1"), ROW),
        (futures.open_orders().then, [ALGO]),
        (plain.fills(0, BTC.id), [TRADE]),
        (futures.fees(PERP.id), commission),
        (futures.funding(PERP.id, 0, 2**62), [rate]),
        (plain.server_time(), {"serverTime": 1_700_000_000_000}),
    ]
    outcome: Counter[str] = Counter()
    for _ in range(8_000):
        call, body = rng.choice(asked)
        damage = rng.choice((bytes_damaged, fields_damaged))
        try:
            told = call.parse(damage(json.dumps(body).encode(), rng), 2**62)
        except VenueError as error:
            outcome[error.kind.name] += 1
            continue
        check_sense(told)
        for name in ("rows", "balances", "positions"):
            for part in getattr(told, name, ()):
                check_sense(part)
        for part in told if isinstance(told, list) else ():
            check_sense(part)
        outcome["understood"] += 1
    assert outcome.keys() <= {"understood", "MALFORMED"}, outcome
    assert min(outcome.values()) > 500, outcome
