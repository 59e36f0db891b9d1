"""The venue's words for order types, times in force and states, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce

_T, _S = OrderType, OrderStatus

SIDES: Mapping[str, Side] = {"BUY": Side.BUY, "SELL": Side.SELL}
SIDE_WORDS: Mapping[Side, str] = {side: word for word, side in SIDES.items()}

SPOT_TYPES: Mapping[str, OrderType] = {
    "LIMIT": _T.LIMIT,
    "LIMIT_MAKER": _T.LIMIT,
    "MARKET": _T.MARKET,
    "STOP_LOSS": _T.STOP_MARKET,
    "STOP_LOSS_LIMIT": _T.STOP_LIMIT,
    "TAKE_PROFIT": _T.TAKE_PROFIT_MARKET,
    "TAKE_PROFIT_LIMIT": _T.TAKE_PROFIT_LIMIT,
}
USDM_TYPES: Mapping[str, OrderType] = {
    "LIMIT": _T.LIMIT,
    "MARKET": _T.MARKET,
    "STOP": _T.STOP_LIMIT,
    "STOP_MARKET": _T.STOP_MARKET,
    "TAKE_PROFIT": _T.TAKE_PROFIT_LIMIT,
    "TAKE_PROFIT_MARKET": _T.TAKE_PROFIT_MARKET,
    "TRAILING_STOP_MARKET": _T.TRAILING_STOP,
    "LIQUIDATION": _T.MARKET,
}
"""``TAKE_PROFIT`` is a market order on spot and a limit order on futures."""

SPOT_TYPE_WORDS: Mapping[OrderType, str] = {
    _T.LIMIT: "LIMIT",
    _T.MARKET: "MARKET",
    _T.STOP_MARKET: "STOP_LOSS",
    _T.STOP_LIMIT: "STOP_LOSS_LIMIT",
    _T.TAKE_PROFIT_MARKET: "TAKE_PROFIT",
    _T.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
    _T.TRAILING_STOP: "STOP_LOSS",
}
USDM_TYPE_WORDS: Mapping[OrderType, str] = {
    kind: word for word, kind in USDM_TYPES.items() if word != "LIQUIDATION"
}

TIFS: Mapping[str, TimeInForce] = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTD": TimeInForce.GTD,
    "GTX": TimeInForce.GTC,
    "GTE_GTC": TimeInForce.GTC,
    "RPI": TimeInForce.GTC,
}
MAKER_TIFS = frozenset({"GTX", "RPI"})

STATES: Mapping[str, OrderStatus] = {
    "NEW": _S.ACCEPTED,
    "PENDING_NEW": _S.ACCEPTED,
    "PENDING_CANCEL": _S.ACCEPTED,
    "NEW_INSURANCE": _S.ACCEPTED,
    "NEW_ADL": _S.ACCEPTED,
    "PARTIALLY_FILLED": _S.PARTIALLY_FILLED,
    "FILLED": _S.FILLED,
    "CANCELED": _S.CANCELED,
    "REJECTED": _S.REJECTED,
    "EXPIRED": _S.EXPIRED,
    "EXPIRED_IN_MATCH": _S.EXPIRED,
}
ALGO_STATES: Mapping[str, OrderStatus] = {
    "NEW": _S.ACCEPTED,
    "TRIGGERING": _S.TRIGGERED,
    "TRIGGERED": _S.TRIGGERED,
    "CANCELED": _S.CANCELED,
    "REJECTED": _S.REJECTED,
    "EXPIRED": _S.EXPIRED,
}

EXPIRY_REASONS: Mapping[str, str] = {
    "0": "",
    "1": "self-trade prevention",
    "2": "the rest of an IOC order",
    "3": "self-trade prevention, the rest of an IOC order",
    "4": "another reduce-only order left nothing to reduce",
    "5": "the account was liquidated",
    "6": "its condition was not met",
    "7": "the symbol was delisted",
    "8": "the rest of a stop order in a moving market",
    "9": "the market order found no more orders",
}
"""Why a futures order expired, by the venue's number."""


def side_of(text: str) -> Side:
    """Return the side that a word means."""
    found = SIDES.get(text)
    if found is None:
        raise ValueError(f"{text!r} is no side")
    return found


def status_of(text: str, *, filled: bool) -> OrderStatus:
    """Return the state that a word means; what works on and has fills is partially filled."""
    found = STATES.get(text)
    if found is None:
        raise ValueError(f"{text!r} is no state of an order")
    return _S.PARTIALLY_FILLED if found is _S.ACCEPTED and filled else found


def type_of(table: Mapping[str, OrderType], text: str, original: str | None = None) -> OrderType:
    """Return the type that a word means; ``original`` is the type before a trigger."""
    found = table.get(original or text) or table.get(text)
    if found is None:
        raise ValueError(f"{text!r} is no type of an order")
    return found


def expiry_of(reason: str | int | None) -> str:
    """Return in words why an order expired, where the venue tells."""
    if reason is None:
        return ""
    text = str(reason)
    return EXPIRY_REASONS.get(text, text)
