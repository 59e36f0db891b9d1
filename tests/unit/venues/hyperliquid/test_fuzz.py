"""Damaged messages: each becomes messages that hold together, or the one fault MALFORMED; nothing else ever."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.model.accounts import Balance, VenueFill, VenueOrder, VenuePosition
from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.model.reports import FundingPaid, OrderFilled
from lanner.venues.codec import Call
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.keys import Keys
from tests.unit.venues.hyperliquid.conftest import META, SECRET, SPOT_META, make_codec

ETH = "ETH-PERP.HYPERLIQUID"
LEVEL = {"px": "2000.1", "sz": "0.5", "n": 3}
FILL = {
    "coin": "ETH",
    "px": "2000.1",
    "sz": "0.2",
    "side": "B",
    "time": 1_700_000_000_005,
    "startPosition": "0.0",
    "dir": "Open Long",
    "closedPnl": "0.0",
    "hash": "0xaa",
    "oid": 77,
    "crossed": True,
    "fee": "0.03",
    "tid": 5,
    "feeToken": "USDC",
}
ORDER = {
    "coin": "ETH",
    "side": "B",
    "limitPx": "2000.1",
    "sz": "0.3",
    "oid": 77,
    "timestamp": 1_700_000_000_000,
    "origSz": "0.5",
    "cloid": None,
    "children": [],
    "isTrigger": True,
    "triggerPx": "1900.0",
    "reduceOnly": False,
    "orderType": "Stop Limit",
    "tif": "Gtc",
}
CANDLE = {
    "t": 0,
    "T": 59_999,
    "s": "ETH",
    "i": "1m",
    "o": "10",
    "c": "11",
    "h": "12",
    "l": "9",
    "v": "5",
    "n": 3,
}
FRAMES: list[dict[str, Any]] = [
    {
        "channel": "bbo",
        "data": {"coin": "ETH", "time": 1_766_566_375_292, "bbo": [LEVEL, {**LEVEL, "px": "2000.2"}]},
    },
    {
        "channel": "l2Book",
        "data": {"coin": "@107", "time": 1_766_566_375_292, "levels": [[LEVEL, LEVEL], [LEVEL]]},
    },
    {
        "channel": "trades",
        "data": [{"coin": "ETH", "side": "B", "px": "9.1", "sz": "1", "time": 5, "tid": 7, "hash": "0x1"}],
    },
    {"channel": "candle", "data": CANDLE},
    {"channel": "candle", "data": {**CANDLE, "t": 60_000, "T": 119_999}},
    {
        "channel": "activeAssetCtx",
        "data": {
            "coin": "ETH",
            "ctx": {"markPx": "1.5", "oraclePx": "1.6", "midPx": "1.5", "funding": "0.1"},
        },
    },
    {"channel": "allMids", "data": {"mids": {"ETH": "2000.5", "BTC": "90000"}}},
    {
        "channel": "userFills",
        "data": {"isSnapshot": True, "user": "0x1", "fills": [FILL, {**FILL, "tid": 6}]},
    },
    {
        "channel": "orderUpdates",
        "data": [{"order": ORDER, "status": "open", "statusTimestamp": 1_700_000_000_500}],
    },
    {
        "channel": "orderUpdates",
        "data": [{"order": ORDER, "status": "canceled", "statusTimestamp": 1_700_000_000_500}],
    },
    {
        "channel": "userFundings",
        "data": {
            "user": "0x1",
            "fundings": [{"time": 5, "coin": "ETH", "usdc": "-3.6", "fundingRate": "0.00004"}],
        },
    },
    {"channel": "user", "data": {"nonUserCancel": [{"coin": "ETH", "oid": 77}]}},
    {"channel": "post", "data": {"id": 1, "response": {"type": "action", "payload": {"status": "ok"}}}},
    {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": {"type": "bbo"}}},
    {"channel": "error", "data": "Invalid subscription"},
    {"channel": "pong"},
]
STATE = {
    "assetPositions": [
        {
            "position": {
                "coin": "ETH",
                "szi": "0.0335",
                "entryPx": "2986.3",
                "liquidationPx": "2866.2",
                "positionValue": "100.02765",
                "unrealizedPnl": "-0.0134",
                "leverage": {"type": "isolated", "value": 20},
            }
        }
    ],
    "marginSummary": {"accountValue": "100.0", "totalMarginUsed": "4.9"},
    "withdrawable": "90.5",
    "time": 1_708_622_398_623,
}
JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    -0.0,
    2**70,
    "",
    "NaN",
    "inf",
    "-5",
    "1e9",
    "0",
    "é\ud83d",
    [],
    {},
    [[]],
    "x" * 70,
]


def fresh() -> HyperliquidCodec:
    """Return a codec with an order of ours that rests as 77."""
    codec = make_codec(Keys("wallet", SECRET))
    (call,) = codec.order(SubmitOrder("O-1", ETH, 0, Side.BUY, OrderType.LIMIT, 5_000, px_ticks=200_010))
    call.answer(
        200, b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"resting":{"oid":77}}]}}}', 1
    )
    return codec


def level_holds(px: float, qty: float) -> bool:
    """Tell whether a price level is one."""
    return 0 < px < 1e18 and 0 <= qty < 1e24


def side_holds(px: float, qty: float) -> bool:
    """Tell whether one side of a quote is a level or empty."""
    return level_holds(px, qty) or (math.isnan(px) and qty == 0)


def bar_holds(bar: Bar) -> bool:
    """Tell whether a bar's prices and times agree with each other."""
    body = (bar.open, bar.close)
    return 0 < bar.low <= min(body) <= max(body) <= bar.high < 1e18 and bar.ts_open < bar.ts_event


RULES: dict[type, Callable[[Any], bool]] = {
    Quote: lambda m: side_holds(m.bid_px, m.bid_qty) and side_holds(m.ask_px, m.ask_qty),
    BookUpdate: lambda m: all(level_holds(*level) for level in (*m.bids, *m.asks)),
    Trade: lambda m: level_holds(m.px, m.qty) and m.aggressor in (1, -1),
    Bar: lambda m: bar_holds(m) and 0 <= m.volume < 1e24,
    MarkPrice: lambda m: 0 < m.mark_px < 1e18 and (math.isnan(m.index_px) or m.index_px > 0),
    FundingRate: lambda m: math.isfinite(m.rate),
    OrderFilled: lambda m: m.px_ticks > 0 and m.lots > 0 and m.fee.is_finite(),
    FundingPaid: lambda m: m.amount.is_finite() and math.isfinite(m.rate),
    VenueOrder: lambda m: 0 <= m.cum_lots <= m.lots and (m.px_ticks is None or m.px_ticks >= 0),
    Balance: lambda m: all(x.is_finite() for x in (m.total, m.available, m.locked)),
    VenuePosition: lambda m: m.lots != 0 and (math.isnan(m.entry_px) or 0 < m.entry_px < 1e18),
}


def check(message: object) -> None:
    """Fail for a message that holds garbage."""
    rule = RULES.get(type(message))
    assert rule is None or rule(message), message
    assert 0 <= getattr(message, "ts_event", 0) < 2**63
    if isinstance(message, VenueFill):
        check(message.report)
    for name in ("balances", "positions", "rows"):
        for part in getattr(message, name, ()):
            check(part)


def decode(codec: HyperliquidCodec, frame: bytes) -> None:
    """Decode and check; a fault must be the one that is promised."""
    for message in answered(lambda: codec.decode(frame, 5)):
        check(message)


def answered(ask: Callable[[], Any], kinds: tuple[ErrorKind, ...] = (ErrorKind.MALFORMED,)) -> list[Any]:
    """Return what is told, nothing for a fault of the kinds that are promised; others go on."""
    try:
        told = ask()
    except VenueError as error:
        if error.kind in kinds:
            return []
        raise
    return list(told) if isinstance(told, list | tuple) else [told]


def mutate(value: Any, dice: random.Random) -> Any:
    """Change one place of a JSON value: replace, drop, double or swap."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key = dice.choice(sorted(value))
        way = dice.random()
        if way < 0.1:
            return {name: item for name, item in value.items() if name != key}
        if way < 0.15:
            return {**value, dice.choice(["x", "time", "px"]): dice.choice(JUNK)}
        return {**value, key: mutate(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.85:
        index = dice.randrange(len(value))
        if dice.random() < 0.15:
            return value[:index] + value[index + 1 :]
        return [*value[:index], mutate(value[index], dice), *value[index + 1 :]]
    return dice.choice(JUNK)


@pytest.mark.parametrize("index", range(len(FRAMES)), ids=[str(frame["channel"]) for frame in FRAMES])
def test_frames_with_damaged_fields_never_become_garbage(index: int) -> None:
    dice, codec = random.Random(index), fresh()
    for _ in range(400):
        value = FRAMES[index]
        for _ in range(dice.choice([1, 1, 1, 2, 4])):
            value = mutate(value, dice)
        decode(codec, json.dumps(value).encode())
        decode(codec, msgspec.json.encode(FRAMES[index]))


@pytest.mark.parametrize("index", range(len(FRAMES)), ids=[str(frame["channel"]) for frame in FRAMES])
def test_frames_with_damaged_bytes_never_become_garbage(index: int) -> None:
    dice, codec = random.Random(100 + index), fresh()
    whole = msgspec.json.encode(FRAMES[index])
    for _ in range(600):
        frame = bytearray(whole)
        for _ in range(dice.choice([1, 1, 2, 8])):
            at = dice.randrange(len(frame))
            way = dice.random()
            if way < 0.4:
                frame[at] = dice.randrange(256)
            elif way < 0.6:
                del frame[at : at + dice.randrange(1, 6)]
            elif way < 0.8:
                frame[at:at] = frame[: dice.randrange(1, 20)]
            else:
                del frame[at:]
            if not frame:
                break
        decode(codec, bytes(frame))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_answered(data: bytes) -> None:
    decode(fresh(), data)
    decode(fresh(), b'{"channel":"' + data)


def answers(codec: HyperliquidCodec) -> list[tuple[Call[Any], Any]]:
    """Return every question with an answer that is right."""
    second = codec.instruments_call().then
    assert second is not None
    found = {"status": "order", "order": {"order": ORDER, "status": "open", "statusTimestamp": 5}}
    book = {"coin": "ETH", "time": 5, "levels": [[LEVEL], [LEVEL]]}
    rates = {"userCrossRate": "0.000315", "userAddRate": "0.000105"}
    balance = {"coin": "PURR", "token": 1, "hold": "500", "total": "2000"}
    rights = codec.rights()
    assert rights is not None
    return [
        (codec.instruments_call(), META),
        (second, SPOT_META),
        (codec.quote(ETH), book),
        (codec.bars(ETH, "1m", 0, 10**15), [CANDLE]),
        (codec.trades(ETH, None, None), FRAMES[2]["data"]),
        (codec.funding(ETH, 0, 10**18), [{"coin": "ETH", "fundingRate": "-0.0002", "time": 5}]),
        (codec.account()[0], STATE),
        (codec.account()[1], {"balances": [balance]}),
        (codec.open_orders(), [ORDER, {**ORDER, "oid": 8, "children": [{**ORDER, "oid": 9}]}]),
        (codec.find_order(ETH, "O-1"), found),
        (codec.fills(0), [FILL, {**FILL, "coin": "@107", "feeToken": "HYPE"}]),
        (codec.fees(ETH), rates),
        (rights, {"role": "agent", "data": {"user": Keys("wallet", SECRET).account}}),
        (codec.server_time(), STATE),
    ]


@pytest.mark.parametrize("index", range(14))
def test_damaged_answers_to_questions_never_become_garbage(index: int) -> None:
    dice, codec = random.Random(200 + index), fresh()
    call, right = answers(codec)[index]
    call.parse(json.dumps(right).encode(), 10**15)
    for _ in range(400):
        value = mutate(right, dice)
        body, kinds = json.dumps(value).encode(), (ErrorKind.MALFORMED, ErrorKind.AUTH)
        for message in answered(lambda body=body: call.parse(body, 10**15), kinds):  # type: ignore[misc]
            check(message)


def test_damaged_answers_to_commands_always_become_a_report() -> None:
    dice, codec = random.Random(300), fresh()
    whole = {
        "status": "ok",
        "response": {
            "type": "order",
            "data": {"statuses": [{"filled": {"oid": 5, "totalSz": "0.1", "avgPx": "1"}}]},
        },
    }
    for number in range(1_500):
        command = SubmitOrder(f"X-{number}", ETH, 0, Side.BUY, OrderType.LIMIT, 5_000, px_ticks=200_010)
        (call,) = codec.order(command)
        value = mutate(whole, dice)
        body = json.dumps(value).encode()
        if number % 2:
            frame = {
                "channel": "post",
                "data": {"id": number, "response": {"type": "action", "payload": value}},
            }
            reports = call.answer(0, json.dumps(mutate(frame, dice)).encode(), 3)
        else:
            reports = call.answer(dice.choice([200, 200, 400, 429, 500]), body, 3)
        assert reports
        assert {report.order_id for report in reports} == {f"X-{number}"}
