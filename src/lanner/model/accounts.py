"""What a venue says when it is asked about an account: balances, positions, orders and fills as it knows them.

These are answers to questions and snapshots of user streams; the engine's own reports are in ``model.reports``.
Quantities are lots and prices ticks of the instrument where they belong to orders of ours.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import msgspec

from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import FeeSchedule
from lanner.model.reports import OrderFilled


class MarginMode(IntEnum):
    """Whether a position shares the account's money (cross) or has its own (isolated)."""

    CROSS = 1
    ISOLATED = 2


class Balance(msgspec.Struct, frozen=True, gc=False):
    """One currency of an account: ``total`` = ``available`` + ``locked``; perpetual accounts lock margin."""

    currency: str
    total: Decimal
    available: Decimal
    locked: Decimal


class VenuePosition(msgspec.Struct, frozen=True, gc=False):
    """A position as the venue has it: ``lots`` is negative when short; NaN where the venue tells nothing."""

    instrument_id: str
    lots: int
    entry_px: float
    mark_px: float = float("nan")
    liquidation_px: float = float("nan")
    unrealized_pnl: float = float("nan")
    leverage: float = float("nan")
    margin_mode: MarginMode = MarginMode.CROSS
    side: Side | None = None


class BalancesReport(msgspec.Struct, frozen=True):
    """Balances told by a user stream or an answer; ``whole`` means that currencies not named are zero."""

    venue: str
    ts_event: int
    ts_recv: int
    balances: tuple[Balance, ...]
    whole: bool = False


class PositionsReport(msgspec.Struct, frozen=True):
    """Positions told by a user stream or an answer; ``whole`` means that instruments not named are flat."""

    venue: str
    ts_event: int
    ts_recv: int
    positions: tuple[VenuePosition, ...]
    whole: bool = False


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """An order as the venue has it. ``order_id`` is ours, empty for an order that is not known to be ours.

    ``client_id`` is the text that the venue was given; ``status`` is one of ACCEPTED, TRIGGERED, PARTIALLY_FILLED,
    FILLED, CANCELED, EXPIRED, REJECTED; ``avg_px`` is NaN before the first fill.
    """

    instrument_id: str
    order_id: str
    client_id: str
    venue_order_id: str
    side: Side
    type: OrderType
    lots: int
    cum_lots: int
    status: OrderStatus
    px_ticks: int | None = None
    stop_ticks: int | None = None
    avg_px: float = float("nan")
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    ts_init: int = 0
    ts_last: int = 0
    reason: str = ""


class VenueFill(msgspec.Struct, frozen=True, gc=False):
    """A fill as the venue's history has it. ``report.order_id`` is empty when the order is not known to be ours."""

    report: OrderFilled
    venue_order_id: str
    client_id: str = ""
    fee_currency: str = ""


class AccountState(msgspec.Struct, frozen=True):
    """Everything a venue says about an account at one moment.

    ``equity`` is the account's value in its settle currency, None for spot accounts.
    """

    venue: str
    ts_event: int
    balances: tuple[Balance, ...]
    positions: tuple[VenuePosition, ...] = ()
    equity: Decimal | None = None
    margin_used: Decimal | None = None


class KeyRights(msgspec.Struct, frozen=True):
    """What a key may do, None where the venue does not tell.

    ``hedge`` says that the account keeps long and short positions of an instrument apart.
    """

    read: bool | None
    trade: bool | None
    withdraw: bool | None
    ip_bound: bool | None = None
    hedge: bool | None = None


class FeeRates(msgspec.Struct, frozen=True):
    """The account's own fees for an instrument."""

    instrument_id: str
    fees: FeeSchedule
