"""USD-M's words: order types, statuses and refusals as they stand on the wire."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from lanner.model.enums import OrderType, TimeInForce
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import PositionSide, RejectReason, SimOrder, SimStatus

Row = dict[str, Any]

STATUS = {
    SimStatus.PENDING_PARENT: "NEW",
    SimStatus.PENDING_TRIGGER: "NEW",
    SimStatus.NEW: "NEW",
    SimStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    SimStatus.FILLED: "FILLED",
    SimStatus.CANCELED: "CANCELED",
    SimStatus.EXPIRED: "EXPIRED",
    SimStatus.EXPIRED_IN_MATCH: "EXPIRED_IN_MATCH",
    SimStatus.REJECTED: "REJECTED",
}
TIFS = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.GTC,
    "GTD": TimeInForce.GTD,
}
SIDE_TEXT = {PositionSide.BOTH: "BOTH", PositionSide.LONG: "LONG", PositionSide.SHORT: "SHORT"}
SIDE_OF = {text: side for side, text in SIDE_TEXT.items()}
PLAIN_TYPES = {"LIMIT": OrderType.LIMIT, "MARKET": OrderType.MARKET}
ALGO_TYPES = {
    "STOP": OrderType.STOP_LIMIT,
    "STOP_MARKET": OrderType.STOP_MARKET,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
    "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT_MARKET,
    "TRAILING_STOP_MARKET": OrderType.TRAILING_STOP,
}
ALL_TYPES = ("LIMIT", "MARKET", *ALGO_TYPES)
_WIRE_TYPES = {core: wire for wire, core in (*PLAIN_TYPES.items(), *ALGO_TYPES.items())}
_WIRE_TIFS = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK", TimeInForce.GTD: "GTD"}
PRICE_MATCHES = frozenset(
    {"OPPONENT", "OPPONENT_5", "OPPONENT_10", "OPPONENT_20", "QUEUE", "QUEUE_5", "QUEUE_10", "QUEUE_20"}
)

POST_ONLY_TEXT = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history"
)
FOK_TEXT = (
    "Due to the order could not be filled immediately, the FOK order has been rejected. "
    "The order will not be recorded in the order history"
)
GTD_TEXT = (
    "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
    "253402300799000 (UTC 9999-12-31 23:59:59)"
)
TEXTS = {
    RejectReason.MAX_OPEN_ORDERS: (-2025, "Reach max open order limit."),
    RejectReason.MAX_TRIGGER_ORDERS: (-4045, "Reach max stop order limit."),
    RejectReason.INSUFFICIENT_MARGIN: (-2019, "Margin is insufficient."),
    RejectReason.INSUFFICIENT_BALANCE: (-2019, "Margin is insufficient."),
    RejectReason.MAX_LEVERAGE_RATIO: (-2027, "Exceeded the maximum allowable position at current leverage."),
    RejectReason.MAX_POSITION: (-2027, "Exceeded the maximum allowable position at current leverage."),
    RejectReason.POST_ONLY_CROSSES: (-5022, POST_ONLY_TEXT),
    RejectReason.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
    RejectReason.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    RejectReason.NO_LIQUIDITY: (-2020, "Unable to fill."),
    RejectReason.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    RejectReason.POSITION_SIDE: (-4061, "Order's position side does not match user's setting."),
    RejectReason.BAD_COMBINATION: (-1014, "Unsupported order combination."),
    RejectReason.NOT_TRADING: (-4141, "Symbol is closed."),
    RejectReason.NO_CHANGE: (-5027, "No need to modify the order."),
    RejectReason.MAX_AMENDS: (-5026, "Exceed maximum modify order limit."),
    RejectReason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    RejectReason.ORDER_ENDED: (-2011, "Unknown order sent."),
    RejectReason.UNKNOWN_MARKET: (-1121, "Invalid symbol."),
    RejectReason.BAD_NUMBER: (-4003, "Quantity less than or equal to zero."),
    RejectReason.MIN_QTY: (-4004, "Quantity less than min quantity."),
    RejectReason.MAX_QTY: (-4005, "Quantity greater than max quantity."),
    RejectReason.MARKET_LOT_SIZE: (-4005, "Quantity greater than max quantity."),
    RejectReason.LOT_SIZE: (-4023, "Qty not increased by step size."),
    RejectReason.TICK_SIZE: (-4014, "Price not increased by tick size."),
    RejectReason.TRAILING_DELTA: (-2007, "Invalid callBack rate"),
    RejectReason.GTD_TIME: (-5040, GTD_TEXT),
}
FOK_REFUSAL = (-5021, FOK_TEXT)


def refusal(reason: RejectReason, market: Market | None = None, ticks: int = 0) -> ApiError:
    """Word the exchange's refusal; prices and amounts of the market are named where the venue names them."""
    found = TEXTS.get(reason)
    if found is not None:
        return ApiError(*found)
    if market is None:
        return ApiError(-2010, "NEW_ORDER_REJECTED")
    if reason == RejectReason.PRICE_RANGE:
        low = ticks < market.min_ticks
        return (
            ApiError(-4013, "Price less than min price.")
            if low
            else ApiError(-4002, "Price greater than max price.")
        )
    if reason == RejectReason.PERCENT_PRICE:
        return percent_refusal(market, ticks)
    if reason in (RejectReason.MIN_NOTIONAL, RejectReason.MAX_NOTIONAL):
        least = f"{market.min_notional_atoms / 10**12:g}"
        return ApiError(
            -4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only)."
        )
    return ApiError(-2010, "NEW_ORDER_REJECTED")


def percent_refusal(market: Market, ticks: int) -> ApiError:
    """Word a price that is too far from the mark price; a market order has none."""
    if not ticks:
        return ApiError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")
    reference = market.reference_ticks * market.tick_atoms
    if ticks > market.reference_ticks:
        most = atoms_text(int(reference * market.rules.percent_up), 2)
        return ApiError(-4016, f"Limit price can't be higher than {most}.")
    least = atoms_text(int(reference * market.rules.percent_down), 2)
    return ApiError(-4024, f"Limit price can't be lower than {least}.")


class UsdmTag(msgspec.Struct):
    """What USD-M keeps about an order beside what the exchange knows."""

    type: str
    tif: str = "GTC"
    price_match: str = "NONE"
    price_protect: bool = False
    good_till_ms: int = 0
    algo_id: int = 0
    """Set for conditional orders: the algo order behind it."""
    amendments: list[Row] = []


def tag_of(order: SimOrder) -> UsdmTag:
    """Return USD-M's notes about an order; orders that came another way get their own on first sight."""
    tag = order.tag
    if isinstance(tag, UsdmTag):
        return tag
    wire = "LIQUIDATION" if order.liquidation else _WIRE_TYPES[order.type]
    made = UsdmTag(wire, "GTX" if order.post_only else _WIRE_TIFS[order.tif])
    order.tag = made
    return made


def working_type(order: SimOrder) -> str:
    """Return which price wakes an order."""
    return "MARK_PRICE" if order.trigger_by == 2 else "CONTRACT_PRICE"


@lru_cache(maxsize=1024)
def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent if isinstance(exponent, int) else 0)


class UsdmTexts:
    """Prices with at least two decimals, quantities with the lot's."""

    def __init__(self) -> None:
        self._px: dict[tuple[str, int], str] = {}

    @staticmethod
    def decimals(market: Market) -> int:
        """Return the decimals of a market's prices."""
        return max(2, _decimals(market.instrument.tick))

    @staticmethod
    def lot_decimals(market: Market) -> int:
        """Return the decimals of a market's quantities."""
        return _decimals(market.instrument.lot)

    def px(self, market: Market, ticks: int) -> str:
        """Write a price."""
        found = self._px.get((market.symbol, ticks))
        if found is None:
            if len(self._px) > 100_000:
                self._px.clear()
            found = atoms_text(ticks * market.tick_atoms, self.decimals(market))
            self._px[market.symbol, ticks] = found
        return found

    def qty(self, market: Market, lots: int) -> str:
        """Write a quantity, which may be negative for positions."""
        return market.qty_text(lots) if lots >= 0 else f"-{market.qty_text(-lots)}"

    def average(self, market: Market, order_quote: int, lots: int) -> str:
        """Write the average price of so many lots."""
        if not lots:
            return atoms_text(0, self.decimals(market))
        return atoms_text(order_quote * 10**12 // (lots * market.lot_atoms), self.decimals(market) + 3)

    def forget(self) -> None:
        """Forget what was written, after a market's grid has changed."""
        self._px.clear()


def bad_callback() -> ApiError:
    """Refuse a trailing order's callback rate."""
    return ApiError(-2007, "Invalid callBack rate")


def need_type(kind: str) -> None:
    """Refuse an order type that USD-M does not know."""
    if kind not in ALL_TYPES:
        raise ApiError(-1116, "Invalid orderType.")


def no_such_algo() -> ApiError:
    """Refuse because there is no such conditional order."""
    return errors.no_such_order()
