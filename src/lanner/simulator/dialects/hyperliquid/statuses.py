"""The venue's words for what became of an order."""

from __future__ import annotations

from lanner.model.enums import OrderType
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.orders import EndReason, RejectReason, SimOrder, SimStatus

REJECTS: dict[RejectReason, tuple[str, str]] = {
    RejectReason.TICK_SIZE: (spec.TICK, "tickRejected"),
    RejectReason.BAD_NUMBER: (spec.INVALID_PRICE, "rejected"),
    RejectReason.LOT_SIZE: (spec.INVALID_SIZE, "rejected"),
    RejectReason.MIN_QTY: (spec.INVALID_SIZE, "rejected"),
    RejectReason.MAX_QTY: (spec.INVALID_SIZE, "rejected"),
    RejectReason.MARKET_LOT_SIZE: (spec.INVALID_SIZE, "rejected"),
    RejectReason.PRICE_RANGE: (spec.INVALID_PRICE, "rejected"),
    RejectReason.PERCENT_PRICE: (spec.ORACLE, "oracleRejected"),
    RejectReason.MIN_NOTIONAL: (spec.MIN_TRADE_NTL, "minTradeNtlRejected"),
    RejectReason.MAX_NOTIONAL: (spec.INVALID_SIZE, "rejected"),
    RejectReason.MAX_OPEN_ORDERS: (spec.TOO_MANY_ORDERS, "rejected"),
    RejectReason.MAX_TRIGGER_ORDERS: (spec.TOO_MANY_ORDERS, "rejected"),
    RejectReason.MAX_POSITION: (spec.MAX_POSITION, "perpMaxPositionRejected"),
    RejectReason.MAX_LEVERAGE_RATIO: (spec.MAX_POSITION, "perpMaxPositionRejected"),
    RejectReason.INSUFFICIENT_BALANCE: (spec.SPOT_BALANCE, "insufficientSpotBalanceRejected"),
    RejectReason.INSUFFICIENT_MARGIN: (spec.PERP_MARGIN, "perpMarginRejected"),
    RejectReason.POST_ONLY_CROSSES: (spec.BAD_ALO_PX, "badAloPxRejected"),
    RejectReason.WOULD_TRIGGER: (spec.BAD_TRIGGER_PX, "badTriggerPxRejected"),
    RejectReason.REDUCE_ONLY: (spec.REDUCE_ONLY, "reduceOnlyRejected"),
    RejectReason.NO_LIQUIDITY: (spec.NO_LIQUIDITY, "marketOrderNoLiquidityRejected"),
    RejectReason.DUPLICATE_CLIENT_ID: (spec.DUPLICATE_CLOID, "rejected"),
    RejectReason.NOT_TRADING: (spec.HALTED, "rejected"),
}

ENDS: dict[EndReason, str] = {
    EndReason.SELF_TRADE: "selfTradeCanceled",
    EndReason.REDUCE_ONLY: "reduceOnlyCanceled",
    EndReason.MARGIN: "marginCanceled",
    EndReason.LIQUIDATION: "liquidatedCanceled",
    EndReason.SIBLING: "siblingFilledCanceled",
    EndReason.COUNTDOWN: "scheduledCancel",
    EndReason.MARKET_CLOSED: "delistedCanceled",
    EndReason.POST_ONLY: "badAloPxRejected",
    EndReason.NO_LIQUIDITY: "marketOrderNoLiquidityRejected",
    EndReason.FILTER: "rejected",
}
NON_USER_ENDS = frozenset(
    {
        EndReason.SELF_TRADE,
        EndReason.REDUCE_ONLY,
        EndReason.MARGIN,
        EndReason.LIQUIDATION,
        EndReason.SIBLING,
        EndReason.COUNTDOWN,
        EndReason.MARKET_CLOSED,
    }
)
"""Ends that the user did not ask for; ``userEvents`` tells them as ``nonUserCancel``."""

ORDER_TYPES = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP_MARKET: "Stop Market",
    OrderType.STOP_LIMIT: "Stop Limit",
    OrderType.TAKE_PROFIT_MARKET: "Take Profit Market",
    OrderType.TAKE_PROFIT_LIMIT: "Take Profit Limit",
}


def words_of(reason: RejectReason) -> tuple[str, str]:
    """Return (error text, order status) of a refusal."""
    return REJECTS.get(reason, (spec.INVALID_SIZE, "rejected"))


def status_of(order: SimOrder) -> str:
    """Return an order's status in the venue's words."""
    status = order.status
    if status.is_open:
        woken = order.is_triggered_type and status in (SimStatus.NEW, SimStatus.PARTIALLY_FILLED)
        return "triggered" if woken else "open"
    if status is SimStatus.FILLED:
        return "filled"
    reason = order.end_reason
    if reason in (EndReason.IOC, EndReason.FOK, EndReason.SLIPPAGE):
        return "canceled" if order.cum_lots else "iocCancelRejected"
    if status is SimStatus.REJECTED:
        return ENDS.get(reason, "rejected")
    if order.cum_lots and reason is EndReason.NO_LIQUIDITY:
        return "canceled"
    return ENDS.get(reason, "canceled")
