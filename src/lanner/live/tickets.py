"""Orders as people type them: checked against the instrument's grid, and never changed to something else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from lanner.core.errors import ConfigError
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument, Rounding, to_decimal
from lanner.model.orders import Order

BY_HAND = "cli"
"""The strategy that orders by hand belong to, and how their ids begin."""
MANUAL = "manual"
"""What they are for, in the ledger."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What somebody wants to order, as it was typed. Without a price it must say ``market``."""

    side: Side
    qty: str
    px: str | None = None
    market: bool = False
    stop_px: str | None = None
    post_only: bool = False
    ioc: bool = False
    reduce_only: bool = False

    @property
    def type(self) -> OrderType:
        """Return the order type that the ticket stands for; a contradiction is a ``ConfigError``."""
        if self.market == (self.px is not None):
            raise ConfigError(
                "a price and --market exclude each other" if self.market else "the order has no price",
                expected="QTY PRICE for a limit order, or QTY --market",
            )
        if self.post_only and (self.market or self.ioc or self.stop_px is not None):
            raise ConfigError(
                "only a limit order that rests can be post-only",
                fix="Leave out --post-only, or --market, --ioc and --stop-px.",
            )
        if self.ioc and (self.market or self.stop_px is not None):
            raise ConfigError("--ioc is for limit orders", fix="A market order ends at once anyway.")
        if self.stop_px is not None:
            return OrderType.STOP_MARKET if self.market else OrderType.STOP_LIMIT
        return OrderType.MARKET if self.market else OrderType.LIMIT


def order_of(ticket: Ticket, instrument: Instrument, order_id: str, ts: int) -> Order:
    """Return the order that a ticket asks for; one that is off the grid is refused with the nearest legal value."""
    kind = ticket.type
    lots = _lots(instrument, ticket.qty)
    px_ticks = None if ticket.px is None else _ticks(instrument, ticket.px, "price")
    stop_ticks = None if ticket.stop_px is None else _ticks(instrument, ticket.stop_px, "trigger price")
    _check_value(instrument, lots, px_ticks, reduce_only=ticket.reduce_only)
    return Order(
        order_id,
        BY_HAND,
        instrument,
        ticket.side,
        kind,
        lots,
        ts,
        px_ticks=px_ticks,
        stop_ticks=stop_ticks,
        tif=TimeInForce.IOC if ticket.ioc else TimeInForce.GTC,
        post_only=ticket.post_only,
        reduce_only=ticket.reduce_only,
        intent=MANUAL,
        tag=BY_HAND,
    )


def new_order_id(ts: int, process: int, number: int) -> str:
    """Return the id of the so-manieth order of a process: it sorts by time, and every venue takes its form.

    Two processes of one machine never share one; two machines only in the same millisecond with the same process id,
    and a venue refuses the second then.
    """
    stamp = datetime.fromtimestamp(ts // 1_000_000_000, UTC)
    return f"{BY_HAND}-{stamp:%y%m%d%H%M%S}{ts // 1_000_000 % 1000:03d}-{process:x}-{number}"


def _number(text: str, what: str) -> Decimal:
    number = to_decimal(text.replace("_", ""), what)
    if number <= 0:
        raise ConfigError(f"the {what} must be positive", expected="a number > 0", found=text)
    return number


def _lots(instrument: Instrument, text: str) -> int:
    wanted = _number(text, "quantity")
    lots = instrument.floor_lots(wanted)
    if instrument.qty(lots) != wanted or lots < instrument.min_lots:
        nearest = lots + (2 * (wanted - instrument.qty(lots)) > instrument.lot)
        nearest = max(instrument.min_lots, nearest)
        raise ConfigError(
            f"{instrument.id}: the venue does not take a quantity of {text}",
            expected=f"steps of {instrument.lot:f}, at least {instrument.qty_text(instrument.min_lots)}",
            fix=f"The nearest is {instrument.qty_text(nearest)}.",
        )
    most = instrument.max_qty
    if most is not None and wanted > most:
        raise ConfigError(
            f"{instrument.id}: the quantity is too large", expected=f"at most {most:f}", found=text
        )
    return lots


def _ticks(instrument: Instrument, text: str, what: str) -> int:
    wanted = _number(text, what)
    ticks = instrument.quantise_px(max(wanted, instrument.tick), Rounding.NEAREST)
    if instrument.px(ticks) != wanted:
        rule = instrument.price_rule.significant_figures
        figures = f", {rule} significant figures" if rule else ""
        raise ConfigError(
            f"{instrument.id}: the venue does not take a {what} of {text}",
            expected=f"steps of {instrument.tick:f}{figures}",
            fix=f"The nearest is {instrument.px_text(ticks)}.",
        )
    return ticks


def _check_value(instrument: Instrument, lots: int, px_ticks: int | None, *, reduce_only: bool) -> None:
    """Refuse an order that is worth too little; what a market order is worth only the venue knows."""
    if px_ticks is None or reduce_only or not instrument.min_notional:
        return
    unit = instrument.px(px_ticks) * instrument.multiplier
    if instrument.qty(lots) * unit < instrument.min_notional:
        least = -(-instrument.min_notional // (unit * instrument.lot))
        raise ConfigError(
            f"{instrument.id}: the order is worth too little",
            expected=f"at least {instrument.min_notional:f} {instrument.settle}",
            found=f"{(instrument.qty(lots) * unit).normalize():f}",
            fix=f"At this price the least quantity is {instrument.qty_text(int(least))}.",
        )
