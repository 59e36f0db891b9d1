"""Orders of the simulated venue: what is asked for, what is working, what came of it.

Prices are ``int`` ticks, quantities ``int`` lots of the market, money ``int`` atoms (1e-12 of the asset).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from lanner.model.enums import Liquidity, OrderType, Side, TimeInForce

TRIGGERED_TYPES = frozenset(
    {
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP,
    }
)
STOP_TYPES = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
LIMIT_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


class SimStatus(IntEnum):
    """Where an order is in its life. Up to ``PARTIALLY_FILLED`` it is open."""

    PENDING_PARENT = 1
    """A child of a list whose parent has not filled yet."""
    PENDING_TRIGGER = 2
    NEW = 3
    PARTIALLY_FILLED = 4
    FILLED = 5
    CANCELED = 6
    EXPIRED = 7
    """Ended by the venue's rules: IOC rest, FOK, market without liquidity, GTD, failed trigger."""
    EXPIRED_IN_MATCH = 8
    """Ended by self-trade prevention."""
    REJECTED = 9
    """Refused after a trigger or by a list; refusals at submission are an ``Ack`` without order."""

    @property
    def is_open(self) -> bool:
        """Tell whether the order can still trade or trigger."""
        return self <= SimStatus.PARTIALLY_FILLED


class EndReason(IntEnum):
    """Why an order ended, or why part of it was taken away."""

    NONE = 0
    USER = 1
    IOC = 2
    FOK = 3
    POST_ONLY = 4
    SELF_TRADE = 5
    REDUCE_ONLY = 6
    MARGIN = 7
    LIQUIDATION = 8
    SIBLING = 9
    """Another leg of the list filled or triggered."""
    PARENT = 10
    """The parent of the list ended without filling."""
    COUNTDOWN = 11
    GTD = 12
    NO_LIQUIDITY = 13
    REPLACED = 14
    MARKET_CLOSED = 15
    SLIPPAGE = 16
    FILTER = 17


class StpMode(IntEnum):
    """What happens when an order meets one of the same account (or trade group)."""

    NONE = 0
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3
    DECREMENT = 4


class TriggerBy(IntEnum):
    """Which price wakes a stop."""

    LAST = 1
    MARK = 2


class PositionSide(IntEnum):
    """Which position an order belongs to: ``BOTH`` in one-way mode, else the long or the short one."""

    BOTH = 0
    LONG = 1
    SHORT = -1


class ListKind(IntEnum):
    """How the orders of a list depend on each other."""

    OCO = 1
    """All live at once; the first that trades or triggers ends the others."""
    OTO = 2
    """``orders[0]`` works; the others appear when it has filled."""
    OTOCO = 3
    """As OTO, and the others are an OCO pair."""
    NORMAL_TPSL = 4
    """Hyperliquid: a parent (``orders[0]``) and reduce-only take-profit/stop children of fixed size, OCO."""
    POSITION_TPSL = 5
    """Hyperliquid: take-profit/stop orders whose size is the position's, OCO."""


class RejectReason(IntEnum):
    """Why the venue refuses a call; each dialect has its own code and words for each."""

    NONE = 0
    UNKNOWN_MARKET = 1
    UNKNOWN_ACCOUNT = 2
    UNKNOWN_ORDER = 3
    ORDER_ENDED = 4
    """The order exists but is no longer open."""
    BAD_NUMBER = 10
    TICK_SIZE = 11
    LOT_SIZE = 12
    MIN_QTY = 13
    MAX_QTY = 14
    MARKET_LOT_SIZE = 15
    PRICE_RANGE = 16
    """Below the lowest or above the highest price of the market."""
    PERCENT_PRICE = 17
    MIN_NOTIONAL = 18
    MAX_NOTIONAL = 19
    MAX_OPEN_ORDERS = 20
    MAX_TRIGGER_ORDERS = 21
    MAX_POSITION = 22
    ICEBERG_PARTS = 23
    TRAILING_DELTA = 24
    MAX_AMENDS = 25
    INSUFFICIENT_BALANCE = 30
    INSUFFICIENT_MARGIN = 31
    MAX_LEVERAGE_RATIO = 32
    """Position too large for the leverage chosen."""
    LEVERAGE = 33
    POST_ONLY_CROSSES = 40
    WOULD_TRIGGER = 41
    REDUCE_ONLY = 42
    NO_LIQUIDITY = 43
    DUPLICATE_CLIENT_ID = 44
    POSITION_SIDE = 45
    """The order's position side does not fit the account's position mode."""
    BAD_COMBINATION = 46
    """Fields that cannot stand together."""
    BAD_LIST = 47
    NO_CHANGE = 48
    HAS_POSITION = 49
    HAS_ORDERS = 50
    GTD_TIME = 51
    NOT_TRADING = 60
    """The market is halted or the venue in maintenance."""
    NO_PERMISSION = 61


class NewOrder(msgspec.Struct, kw_only=True, gc=False):
    """An order as asked for.

    A market order has ``lots`` or ``quote_atoms`` (spend or receive so much quote; spot). Triggered types have
    ``trigger_ticks`` or ``trail_bps`` (with ``trigger_ticks`` as activation price, 0: at once).
    ``lots`` 0 with ``close_position`` means whatever the position is when it triggers.
    """

    account: str
    market: str
    side: Side
    type: OrderType = OrderType.LIMIT
    tif: TimeInForce = TimeInForce.GTC
    lots: int = 0
    ticks: int = 0
    quote_atoms: int = 0
    trigger_ticks: int = 0
    trigger_by: TriggerBy = TriggerBy.LAST
    trail_bps: int = 0
    post_only: bool = False
    reduce_only: bool = False
    close_position: bool = False
    position_side: PositionSide = PositionSide.BOTH
    display_lots: int = 0
    """Visible part of an iceberg; 0: all of it."""
    expires_ns: int = 0
    """When a GTD order ends."""
    client_id: str = ""
    stp: StpMode = StpMode.NONE
    protect_bps: int = 0
    """How far from the best price a market order may trade, in 1/10000; 0: as far as the book goes."""
    tag: Any = None
    """The dialect's own notes, carried along untouched."""


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution of one order of an account. A trade makes two: the maker's and the taker's."""

    trade_id: int
    order_id: int
    account: str
    market: str
    side: Side
    ticks: int
    lots: int
    quote_atoms: int
    fee_atoms: int
    fee_asset: str
    liquidity: Liquidity
    ts_ns: int
    client_id: str = ""
    position_side: PositionSide = PositionSide.BOTH
    realized_atoms: int = 0
    position_before: int = 0
    """Signed lots of the position before this fill (perps)."""
    entry_before_atoms: int = 0
    liquidation: bool = False


class SimOrder:
    """A live or ended order. Read it; only the exchange writes it."""

    __slots__ = (
        "account",
        "activated",
        "amends",
        "client_id",
        "close_position",
        "cum_lots",
        "cum_quote",
        "display_lots",
        "end_reason",
        "expires_ns",
        "fees",
        "fills",
        "liquidation",
        "list_id",
        "locked",
        "lots",
        "market",
        "next",
        "on_book",
        "order_id",
        "position_side",
        "post_only",
        "prev",
        "prevented_lots",
        "protect_bps",
        "quote_atoms",
        "reduce_only",
        "shown",
        "side",
        "status",
        "stp",
        "tag",
        "ticks",
        "tif",
        "trail_best",
        "trail_bps",
        "trigger_by",
        "trigger_ticks",
        "triggered_ns",
        "ts_created",
        "ts_updated",
        "ts_working",
        "type",
    )

    def __init__(self, new: NewOrder, order_id: int, now_ns: int) -> None:
        self.order_id = order_id
        self.account = new.account
        self.market = new.market
        self.side = new.side
        self.type = new.type
        self.tif = new.tif
        self.lots = new.lots
        self.ticks = new.ticks
        self.quote_atoms = new.quote_atoms
        self.trigger_ticks = new.trigger_ticks
        self.trigger_by = new.trigger_by
        self.trail_bps = new.trail_bps
        self.post_only = new.post_only
        self.reduce_only = new.reduce_only
        self.close_position = new.close_position
        self.position_side = new.position_side
        self.display_lots = new.display_lots
        self.expires_ns = new.expires_ns
        self.client_id = new.client_id
        self.stp = new.stp
        self.protect_bps = new.protect_bps
        self.tag = new.tag
        self.status = SimStatus.NEW
        self.end_reason = EndReason.NONE
        self.cum_lots = 0
        self.cum_quote = 0
        self.fees = 0
        self.fills: list[Fill] = []
        self.prevented_lots = 0
        self.amends = 0
        self.list_id = 0
        self.liquidation = False
        self.activated = False
        self.trail_best = 0
        self.triggered_ns = 0
        self.ts_created = now_ns
        self.ts_updated = now_ns
        self.ts_working = now_ns
        # the exchange's own: money set aside, and the place in the queue of a price level
        self.locked = 0
        self.shown = 0
        self.on_book = False
        self.prev: SimOrder | None = None
        self.next: SimOrder | None = None

    @property
    def leaves(self) -> int:
        """Return the lots still to trade."""
        return self.lots - self.cum_lots - self.prevented_lots

    @property
    def is_triggered_type(self) -> bool:
        """Tell whether the order was sent as a stop, take-profit or trailing order."""
        return self.type in TRIGGERED_TYPES

    @property
    def is_limit(self) -> bool:
        """Tell whether the order has a limit price (once triggered)."""
        return self.type in LIMIT_TYPES

    def __repr__(self) -> str:
        return (
            f"SimOrder({self.order_id} {self.account} {self.market} {self.side.name} {self.type.name} "
            f"{self.cum_lots}/{self.lots}@{self.ticks} {self.status.name})"
        )


class Ack(msgspec.Struct, gc=False):
    """The answer to a call about one order: the order, or why not.

    ``fills`` are those that the call itself caused, in order.
    """

    order: SimOrder | None = None
    reason: RejectReason = RejectReason.NONE
    text: str = ""
    fills: list[Fill] = []

    @property
    def ok(self) -> bool:
        """Tell whether the call was accepted."""
        return self.reason == RejectReason.NONE


class NewList(msgspec.Struct, kw_only=True, gc=False):
    """A list of orders as asked for; see ``ListKind`` for the meaning of their places."""

    account: str
    market: str
    kind: ListKind
    orders: list[NewOrder]
    client_id: str = ""
    tag: Any = None


class ListState(IntEnum):
    """Where a list is in its life."""

    EXECUTING = 1
    ALL_DONE = 2
    REJECTED = 3


class OrderList(msgspec.Struct, kw_only=True):
    """A list of orders that the venue keeps."""

    list_id: int
    account: str
    market: str
    kind: ListKind
    orders: list[SimOrder]
    client_id: str
    ts_created: int
    state: ListState = ListState.EXECUTING
    tag: Any = None


class ListAck(msgspec.Struct):
    """The answer to a list: the list with one ``Ack`` per order, or why not."""

    order_list: OrderList | None = None
    acks: list[Ack] = []
    reason: RejectReason = RejectReason.NONE
    text: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether the list was accepted."""
        return self.reason == RejectReason.NONE


class Refusal(Exception):  # noqa: N818 - an answer on its way out, not a fault
    """Carry a refusal through the exchange's inner calls; its outer calls turn it into an ``Ack``."""

    def __init__(self, reason: RejectReason, text: str = "") -> None:
        super().__init__(text or reason.name)
        self.reason = reason
        self.text = text
