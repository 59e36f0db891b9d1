"""Spot's words: order types and statuses as they stand on the wire, and how refusals of the exchange are put."""

from __future__ import annotations

from typing import Any

import msgspec

from lanner.model.enums import OrderType, TimeInForce
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.orders import Ack, ListKind, ListState, OrderList, RejectReason, SimOrder, SimStatus

STATUS = {
    SimStatus.PENDING_PARENT: "PENDING_NEW",
    SimStatus.PENDING_TRIGGER: "NEW",
    SimStatus.NEW: "NEW",
    SimStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    SimStatus.FILLED: "FILLED",
    SimStatus.CANCELED: "CANCELED",
    SimStatus.EXPIRED: "EXPIRED",
    SimStatus.EXPIRED_IN_MATCH: "EXPIRED_IN_MATCH",
    SimStatus.REJECTED: "REJECTED",
}
TIFS = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
ORDER_TYPES = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
)  # fmt: skip
CORE_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP_MARKET,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT_MARKET,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}
_WIRE_TYPES = {
    OrderType.LIMIT: "LIMIT",
    OrderType.MARKET: "MARKET",
    OrderType.STOP_MARKET: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT_MARKET: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
    OrderType.TRAILING_STOP: "STOP_LOSS",
}
_WIRE_TIFS = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK", TimeInForce.GTD: "GTC"}

FILTERS = {
    RejectReason.TICK_SIZE: "PRICE_FILTER",
    RejectReason.PRICE_RANGE: "PRICE_FILTER",
    RejectReason.LOT_SIZE: "LOT_SIZE",
    RejectReason.MIN_QTY: "LOT_SIZE",
    RejectReason.MAX_QTY: "LOT_SIZE",
    RejectReason.MARKET_LOT_SIZE: "MARKET_LOT_SIZE",
    RejectReason.PERCENT_PRICE: "PERCENT_PRICE_BY_SIDE",
    RejectReason.MIN_NOTIONAL: "NOTIONAL",
    RejectReason.MAX_NOTIONAL: "NOTIONAL",
    RejectReason.MAX_OPEN_ORDERS: "MAX_NUM_ORDERS",
    RejectReason.MAX_TRIGGER_ORDERS: "MAX_NUM_ALGO_ORDERS",
    RejectReason.MAX_POSITION: "MAX_POSITION",
    RejectReason.ICEBERG_PARTS: "ICEBERG_PARTS",
    RejectReason.TRAILING_DELTA: "TRAILING_DELTA",
    RejectReason.MAX_AMENDS: "MAX_NUM_ORDER_AMENDS",
}
ENGINE_TEXTS = {
    RejectReason.INSUFFICIENT_BALANCE: "Account has insufficient balance for requested action.",
    RejectReason.POST_ONLY_CROSSES: "Order would immediately match and take.",
    RejectReason.WOULD_TRIGGER: "Order would trigger immediately.",
    RejectReason.DUPLICATE_CLIENT_ID: "Duplicate order sent.",
    RejectReason.BAD_COMBINATION: "Unsupported order combination",
    RejectReason.NO_PERMISSION: "This symbol is not permitted for this account.",
    RejectReason.BAD_LIST: "The relationship of the prices for the orders is not correct.",
    RejectReason.NO_LIQUIDITY: "Order book liquidity is less than symbol minimum quantity.",
}


def refusal(reason: RejectReason) -> ApiError:
    """Word the exchange's refusal of a new order."""
    if reason in FILTERS:
        return errors.filter_failure(FILTERS[reason])
    if reason in ENGINE_TEXTS:
        return errors.rejected(ENGINE_TEXTS[reason])
    if reason == RejectReason.UNKNOWN_MARKET:
        return errors.bad_symbol()
    if reason == RejectReason.NOT_TRADING:
        return ApiError(-1013, "Market is closed.")
    if reason == RejectReason.BAD_NUMBER:
        return ApiError(-1013, "Invalid quantity.")
    if reason in (RejectReason.UNKNOWN_ORDER, RejectReason.ORDER_ENDED):
        return errors.cancel_rejected()
    return errors.rejected("NEW_ORDER_REJECTED")


def need_ok(ack: Ack) -> SimOrder:
    """Return the order of an answer; a refusal is raised in the venue's words."""
    if ack.order is None or not ack.ok:
        raise refusal(ack.reason)
    return ack.order


class Amendment(msgspec.Struct):
    """One change of an order that kept its priority."""

    execution_id: int
    old_client_id: str
    new_client_id: str
    old_lots: int
    new_lots: int
    ts_ns: int


class Prevented(msgspec.Struct):
    """A match with an order of the same account that did not happen."""

    match_id: int
    taker_order_id: int
    maker_order_id: int
    ticks: int
    lots: int
    maker_lots: int
    mode: str
    ts_ns: int


class SpotTag(msgspec.Struct):
    """What spot keeps about an order beside what the exchange knows."""

    type: str
    tif: str = "GTC"
    strategy_id: int | None = None
    strategy_type: int | None = None
    shows_trailing: bool = False
    old_client_id: str = ""
    """The client id before a cancel or an amendment took another."""
    amendments: list[Amendment] = []
    prevented: list[Prevented] = []


def tag_of(order: SimOrder) -> SpotTag:
    """Return spot's notes about an order; orders that came another way get their own on first sight."""
    tag = order.tag
    if isinstance(tag, SpotTag):
        return tag
    wire = "LIMIT_MAKER" if order.post_only and order.type == OrderType.LIMIT else _WIRE_TYPES[order.type]
    made = SpotTag(wire, _WIRE_TIFS[order.tif])
    order.tag = made
    return made


def list_kind(found: OrderList) -> str:
    """Return the contingency of a list as Binance names it: an OTOCO is an ``OTO`` there."""
    return "OCO" if found.kind == ListKind.OCO else "OTO"


def list_words(found: OrderList) -> tuple[str, str]:
    """Return ``listStatusType`` and ``listOrderStatus`` of a list."""
    if found.state == ListState.EXECUTING:
        return "EXEC_STARTED", "EXECUTING"
    if found.state == ListState.REJECTED:
        return "RESPONSE", "REJECT"
    return "ALL_DONE", "ALL_DONE"


Row = dict[str, Any]
