"""Exposure of a scope at its worst: what is held, and whatever works fills in full on the worse side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.checks import only_closes
from lanner.risk.rules import ScopedRules
from lanner.risk.sums import price_of, unit_of


class _Sum:
    """What is held and what works of one instrument, in lots."""

    __slots__ = ("bought", "instrument", "lots", "px", "sold")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.lots = self.bought = self.sold = 0
        self.px = float("nan")

    @property
    def worst_lots(self) -> int:
        """Return the larger position that may come of it, of either side."""
        return max(abs(self.lots + self.bought), abs(self.lots - self.sold))


@dataclass(slots=True, frozen=True)
class Exposure:
    """Worst exposure in the run's currency: of the order's instrument, of all together, and by the venues' leverage."""

    symbol: float
    total: float
    by_leverage: tuple[tuple[float, float], ...]

    def margin(self, most_leverage: float) -> float:
        """Return the margin that it binds at the venues' leverage, or a lower one of ours."""
        return sum(value / min(leverage, most_leverage) for leverage, value in self.by_leverage)


def measure(
    told: ScopedRules,
    order: Order | None,
    portfolio: Portfolio,
    marks: Mapping[str, float],
    working: Iterable[Order],
) -> Exposure | None:
    """Return the exposure of a scope with an order added to it; None where something held or wanted has no price."""
    sums: dict[str, _Sum] = {}
    for (strategy_id, name), position in portfolio.positions.items():
        if position.lots and told.covers(strategy_id, name):
            sums.setdefault(name, _Sum(position.instrument)).lots += position.lots
    for one in working:
        mine = order is not None and one.order_id == order.order_id
        if not mine and not only_closes(one) and told.covers(one.strategy_id, one.instrument_id):
            _add(sums, one, marks)
    if order is not None:
        _add(sums, order, marks)
    values: dict[str, float] = {}
    for name, found in sums.items():
        mark = marks.get(name, float("nan"))
        px = mark if found.px != found.px else found.px if mark != mark else max(mark, found.px)
        if px != px:
            return None
        values[name] = unit_of(found.instrument, portfolio) * found.worst_lots * px
    return Exposure(
        0.0 if order is None else values[order.instrument_id],
        sum(values.values()),
        tuple((max(1.0, float(sums[name].instrument.max_leverage)), value) for name, value in values.items()),
    )


def _add(sums: dict[str, _Sum], order: Order, marks: Mapping[str, float]) -> None:
    found = sums.setdefault(order.instrument_id, _Sum(order.instrument))
    if order.side > 0:
        found.bought += order.worst_lots
    else:
        found.sold += order.worst_lots
    px = price_of(order, marks)
    if px is not None and not px <= found.px:
        found.px = px
