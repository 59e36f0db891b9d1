"""What the risk checks share: the value of an order, comparison with a limit, and the words of a denial."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.checks import Denial
from lanner.risk.rules import ScopedRules

NAN = float("nan")
TOLERANCE = 1e-9
"""Sums of floats are above a limit only when they are so by more than their rounding."""


def above(found: float, most: Decimal | None) -> bool:
    """Tell whether something is above a limit; what cannot be computed (NaN) is."""
    return most is not None and not found <= float(most) * (1 + TOLERANCE)


def price_of(order: Order, marks: Mapping[str, float]) -> float | None:
    """Return the price at which an order counts: its own, or the mark; a sale below the market fills at the market."""
    mark = marks.get(order.instrument_id, NAN)
    own = order.px or order.stop_px
    if own is None:
        return mark if mark == mark else None
    if order.type is OrderType.LIMIT and order.side is Side.SELL and mark == mark:
        return max(float(own), mark)
    return float(own)


def unit_of(instrument: Instrument, portfolio: Portfolio) -> float:
    """Return what a lot is worth in the run's currency at a price of one."""
    return float(instrument.lot * instrument.multiplier * portfolio.rate(instrument.settle))


def value_of(order: Order, marks: Mapping[str, float], portfolio: Portfolio) -> float | None:
    """Return the value of an order in the run's currency, None without any price."""
    px = price_of(order, marks)
    return None if px is None else unit_of(order.instrument, portfolio) * order.lots * px


def denied(told: ScopedRules, limit: str, allowed: str, found: str, reason: str, kind: str) -> Denial:
    """Return a denial that names the scope of its rule."""
    path = limit if not told.name else f"{told.kind.plural}.{told.name}.{limit}"
    return Denial(path, allowed, found, f"{told.label}{reason}", kind)
