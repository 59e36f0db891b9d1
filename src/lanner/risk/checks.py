"""Pre-trade checks: the house's own veto, before the venue sees an order.

What reduces a position is never refused as new exposure. What works already counts at its worst case: every
working order of the same side fills in full, one without an answer (UNKNOWN) like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from lanner.model.enums import GroupKind, OrderType, Side
from lanner.model.orders import STOP_INTENTS, Order
from lanner.portfolio.positions import Position
from lanner.risk.rules import ScopedRules

ONE = Decimal(1)


class OnDeny(StrEnum):
    """What a denied order does to the run: it is recorded and the run goes on, or the run stops."""

    RECORD = "record"
    STOP = "stop"


@dataclass(slots=True, frozen=True)
class RiskLimits:
    """Limits in the run's currency, for each strategy and instrument; None means no limit.

    ``rules`` are those of a ``RiskEngine``: they look at the account as a whole, or at a part of it. ``settings`` is
    what the limits were made of, where somebody may want to change them later. ``resident_stops`` has the stops of
    positions rest at the venue where it can keep them; else the engine watches all of them.
    """

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_open_orders: int = 200
    max_intents_per_step: int = 100
    on_deny: OnDeny = OnDeny.RECORD
    rules: tuple[ScopedRules, ...] = ()
    resident_stops: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def allow_anything(self, open_orders: int) -> bool:
        """Tell whether an order would pass whatever it is, with so many open ones."""
        return (
            open_orders < self.max_open_orders
            and self.max_order_notional is None
            and self.max_position_notional is None
        )


@dataclass(slots=True, frozen=True)
class Denial:
    """Why an order must not leave: the limit by name, what it allows, and what was found.

    ``kind`` says what was exceeded where the limit's name does not: several limits have one kind.
    """

    limit: str
    allowed: str
    found: str
    reason: str
    kind: str = ""

    @property
    def code(self) -> str:
        """Return the kind, or the limit's name, in the style of venues' reject codes."""
        return (self.kind or self.limit).upper()


def check_intents(intents: int, limits: RiskLimits) -> Denial | None:
    """Return why a strategy may want nothing more in this step, or None."""
    most = limits.max_intents_per_step
    if intents <= most:
        return None
    return Denial(
        "max_intents_per_step", str(most), str(intents), f"too many intents in one step (limit {most})"
    )


def check_order(
    order: Order,
    position: Position,
    mark: float,
    open_orders: int,
    limits: RiskLimits,
    working: Iterable[Order] = (),
    rate: Decimal = ONE,
) -> Denial | None:
    """Return why an order must not leave, or None.

    ``working`` are the strategy's orders of the instrument that may still fill; ``rate`` is the worth of one unit
    of the settle currency in the run's. A market order is valued at the last price; without any price it is denied,
    because a limit that cannot be computed must not let anything pass. ``order`` may be a working order as it would
    be after an amend; it is not counted among ``working`` then.
    """
    if limits.allow_anything(open_orders):
        return None
    after = _after(order, position, working)
    if after <= 0 or order.reduce_only:
        return None
    if open_orders >= limits.max_open_orders:
        most = limits.max_open_orders
        return Denial(
            "max_open_orders",
            str(most),
            str(open_orders),
            f"too many open orders ({open_orders}, limit {most})",
        )
    return _check_value(order, after, mark, limits, rate)


def only_reduces(order: Order, position: Position, working: Iterable[Order]) -> bool:
    """Tell whether an order cannot open anything, even if everything that works on its side fills first."""
    return order.reduce_only or _after(order, position, working) <= 0


def _after(order: Order, position: Position, working: Iterable[Order]) -> int:
    """Return the position in the order's direction after it and all that works on its side, at worst."""
    side = int(order.side)
    same_side = sum(
        other.worst_lots
        for other in working
        if other.side == side and other.order_id != order.order_id and not only_closes(other)
    )
    return position.lots * side + same_side + order.worst_lots


def _check_value(order: Order, after: int, mark: float, limits: RiskLimits, rate: Decimal) -> Denial | None:
    instrument = order.instrument
    market = Decimal(repr(mark)) if mark == mark else None
    px = order.px or order.stop_px or market
    if order.type is OrderType.LIMIT and order.side is Side.SELL and px is not None and market is not None:
        px = max(px, market)  # a sale below the market fills at the market
    if px is None:
        limit = "max_position_notional" if limits.max_order_notional is None else "max_order_notional"
        allowed = limits.max_order_notional or limits.max_position_notional
        reason = "no price is known yet, so the order's value cannot be checked"
        return Denial(limit, f"{allowed:f}", "no price yet", reason)
    unit = instrument.lot * instrument.multiplier * rate
    value = unit * order.lots * px
    most = limits.max_order_notional
    if most is not None and value > most:
        reason = f"order value {value:f} above the limit of {most:f}"
        return Denial("max_order_notional", f"{most:f}", f"{value:f}", reason)
    held = unit * after * (px if market is None else max(px, market))
    most = limits.max_position_notional
    if most is not None and held > most:
        reason = f"position value {held:f} after this and the working orders above the limit of {most:f}"
        return Denial("max_position_notional", f"{most:f}", f"{held:f}", reason)
    return None


def only_closes(order: Order) -> bool:
    """Tell whether an order cannot open anything: reduce-only, or an exit that goes with its position."""
    return order.reduce_only or order.group_kind is GroupKind.BRACKET or order.intent in STOP_INTENTS
