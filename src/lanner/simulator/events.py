"""What the simulated venue tells its listeners, in the order in which it happened.

Events are handed out when the call that caused them is complete: balances, positions and book already show
the result of the whole call, while each event carries the figures of its own moment.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import msgspec

from lanner.model.enums import Side
from lanner.simulator.accounts import BalanceView, PositionView
from lanner.simulator.orders import EndReason, Fill, OrderList, RejectReason, SimOrder, SimStatus


class BookChanged(msgspec.Struct, frozen=True, gc=False):
    """Levels of one book changed. ``seq`` counts these events of one market without gaps.

    ``bids`` and ``asks`` are ``(ticks, visible lots now)``, 0 lots: the level is gone; each price once.
    """

    market: str
    ts_ns: int
    seq: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """A trade between two orders. ``trade_id`` counts up by one per market."""

    market: str
    ts_ns: int
    trade_id: int
    ticks: int
    lots: int
    aggressor: Side
    buyer: str
    seller: str
    buy_order_id: int
    sell_order_id: int


class Exec(IntEnum):
    """What happened to an order."""

    NEW = 1
    """Accepted; it works, or waits for its trigger or its parent (see ``status``)."""
    TRADE = 2
    CANCELED = 3
    EXPIRED = 4
    PREVENTED = 5
    """Self-trade prevention took ``prevented_lots`` away; the status tells whether it ended the order."""
    TRIGGERED = 6
    """A stop, take-profit or trailing order woke up and now works as a limit or market order."""
    AMENDED = 7
    REJECTED = 8
    """A triggered or child order was refused (``reject``) when it was to work."""
    ACTIVATED = 9
    """A child of a list works or waits for its trigger now that its parent has filled."""


class OrderUpdate(msgspec.Struct, frozen=True, gc=False):
    """One step of one order; ``status``, ``cum_lots``, ``cum_quote`` are those after this step."""

    account: str
    ts_ns: int
    kind: Exec
    order: SimOrder
    status: SimStatus
    cum_lots: int
    cum_quote: int
    fill: Fill | None = None
    reason: EndReason = EndReason.NONE
    reject: RejectReason = RejectReason.NONE
    prevented_lots: int = 0
    counter_order_id: int = 0
    """The other order of a self-trade that was prevented."""


class ListUpdate(msgspec.Struct, frozen=True, gc=False):
    """A list of orders was accepted or has ended."""

    account: str
    ts_ns: int
    order_list: OrderList


class ChangeReason(IntEnum):
    """Why balances or positions changed."""

    ORDER = 1
    DEPOSIT = 2
    WITHDRAW = 3
    FUNDING = 4
    MARGIN = 5
    """Isolated margin added, removed, or margin mode changed."""
    LIQUIDATION = 6


class AccountChanged(msgspec.Struct, frozen=True, gc=False):
    """Balances and positions that one call changed, as they are now; once per call and account.

    ``changes`` are differences of the total in atoms by asset.
    """

    account: str
    ts_ns: int
    reason: ChangeReason
    balances: tuple[BalanceView, ...]
    positions: tuple[PositionView, ...]
    changes: tuple[tuple[str, int], ...] = ()


class FundingPaid(msgspec.Struct, frozen=True, gc=False):
    """An account paid (negative) or received funding for one position."""

    account: str
    ts_ns: int
    market: str
    asset: str
    amount_atoms: int
    rate: Decimal
    lots: int
    """Signed position."""


class MarkChanged(msgspec.Struct, frozen=True, gc=False):
    """Mark, index or funding of a perpetual changed. Prices in ticks; ``rate`` per funding interval."""

    market: str
    ts_ns: int
    mark_ticks: int
    index_ticks: int
    rate: Decimal
    next_funding_ns: int


class AccountConfigChanged(msgspec.Struct, frozen=True, gc=False):
    """Leverage, margin mode or (``market`` empty) position mode of an account changed."""

    account: str
    ts_ns: int
    market: str
    leverage: int
    cross: bool
    hedge_mode: bool


class Liquidated(msgspec.Struct, frozen=True, gc=False):
    """The venue closed a position because its margin was used up. ``order`` is the closing order."""

    account: str
    ts_ns: int
    market: str
    side: Side
    lots: int
    ticks: int
    """Average price, rounded."""
    bankrupt_ticks: int
    order: SimOrder
    account_value_atoms: int
    cross: bool


class MarketChanged(msgspec.Struct, frozen=True, gc=False):
    """A market's rules or trading state changed (halt, step size); read the market."""

    market: str
    ts_ns: int
    trading: bool


class CountdownFired(msgspec.Struct, frozen=True, gc=False):
    """A dead-man's switch cancelled an account's orders (``market`` empty: in all markets)."""

    account: str
    ts_ns: int
    market: str
    canceled: int


ExchangeEvent = (
    BookChanged
    | PublicTrade
    | OrderUpdate
    | ListUpdate
    | AccountChanged
    | FundingPaid
    | MarkChanged
    | AccountConfigChanged
    | Liquidated
    | MarketChanged
    | CountdownFired
)
