"""Reports: what a venue says about our orders and account. Each is an input of the engine.

``ts_event`` is the venue's time, ``ts_recv`` ours.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from lanner.model.enums import Liquidity, Side

CONCLUDED = "adjust"
"""How the trade ids of fills begin that were concluded from an order's quantity, because no fill was told."""


class OrderAccepted(msgspec.Struct, frozen=True, gc=False):
    """The venue has the order and it is working."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    venue_order_id: str = ""


class OrderRejected(msgspec.Struct, frozen=True, gc=False):
    """The venue refused the order."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    reason: str
    code: str = ""


class OrderTriggered(msgspec.Struct, frozen=True, gc=False):
    """A stop or take-profit order reached its trigger price and is now a market or limit order."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int


class OrderFilled(msgspec.Struct, frozen=True, gc=False):
    """An execution. ``trade_id`` makes it unique; the same id is never counted twice.

    ``fee`` is in the settle currency, positive when we pay. ``ref_ticks`` is the price without slippage. ``base_fee``
    is what of the bought coin the venue kept as that fee; ``fee`` is what it is worth, not a second one.
    """

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    trade_id: str
    side: Side
    px_ticks: int
    lots: int
    fee: Decimal
    liquidity: Liquidity
    ref_ticks: int
    reason: str = ""
    base_fee: Decimal = Decimal(0)


class OrderCanceled(msgspec.Struct, frozen=True, gc=False):
    """The order stopped working before it was filled."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    reason: str = ""


class OrderExpired(msgspec.Struct, frozen=True, gc=False):
    """The order's time in force ended (IOC or FOK remainder, GTD)."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    reason: str = ""


class OrderAmended(msgspec.Struct, frozen=True, gc=False):
    """The order was changed; the fields are its state after the change.

    ``request`` is the number of the amend that this answers; 0 when the venue changed the order by itself.
    """

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    lots: int
    px_ticks: int | None
    stop_ticks: int | None
    request: int = 0


class AmendRejected(msgspec.Struct, frozen=True, gc=False):
    """The venue refused the change with this number; the order works on as it was."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    reason: str
    request: int = 0


class CancelRejected(msgspec.Struct, frozen=True, gc=False):
    """The venue refused the cancel with this number, usually because the order is final already."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    reason: str
    request: int = 0


class OrderUnanswered(msgspec.Struct, frozen=True, gc=False):
    """No answer came in time: the order may or may not be working. Made by the gateway, never guessed at."""

    order_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    reason: str = ""


class FundingPaid(msgspec.Struct, frozen=True, gc=False):
    """Funding was settled: ``amount`` is added to the balance (negative when we pay)."""

    instrument_id: str
    ts_event: int
    ts_recv: int
    amount: Decimal
    rate: float
    strategy_id: str = ""


class PositionAdjusted(msgspec.Struct, frozen=True, gc=False):
    """A strategy's position was brought to what the venue has: ``lots`` (signed) at ``px_ticks`` were not ours to see.

    Made when a comparison with the venue finds a difference that no fill explains. ``as_of`` is the venue's time up to
    which its position has counted everything: a fill of before that is told later takes it back (0: none does).
    """

    strategy_id: str
    instrument_id: str
    ts_event: int
    ts_recv: int
    lots: int
    px_ticks: int
    reason: str
    as_of: int = 0


OrderReport = (
    OrderAccepted
    | OrderRejected
    | OrderTriggered
    | OrderFilled
    | OrderCanceled
    | OrderExpired
    | OrderAmended
    | AmendRejected
    | CancelRejected
    | OrderUnanswered
)
Report = OrderReport | FundingPaid | PositionAdjusted


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution of ours, as a strategy sees it: Decimal prices and quantities."""

    order_id: str
    trade_id: str
    strategy_id: str
    instrument_id: str
    ts: int
    side: Side
    px: Decimal
    qty: Decimal
    fee: Decimal
    liquidity: Liquidity
    tag: str = ""
    position_qty: Decimal = Decimal(0)
