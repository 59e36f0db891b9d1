"""Strategies that live by stops and brackets, for drills of what protects a position."""

from __future__ import annotations

from contextlib import suppress
from math import isnan

from lanner.core.errors import InvalidStopLoss, InvalidTakeProfit
from lanner.drill.turns import Turns
from lanner.model.market import Quote
from lanner.model.reports import Fill
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import Param


class Stopper(Strategy):
    """Go in at market now and then, grow at times, and leave by stops of every kind."""

    name = "drill_stopper"
    every = Param(12, 1, 1000)
    size = Param(0.2, 0.0, 10.0)
    near = Param(5.0, 0.1, 1000.0, help="distance of the stops in basis points")

    def on_start(self) -> None:
        """Begin to count."""
        self.turns = Turns(self.every)

    def on_quote(self, quote: Quote) -> None:
        """Go in when there is nothing; else change something, or leave."""
        name = quote.instrument_id
        if not self.turns.come(name) or isnan(self.price(name)):
            return
        chance = self.rng.random()
        held = float(self.position_of(name).qty)
        if held == 0.0:
            short = not _is_spot(self, name) and chance < 0.5
            self.target(-self.size if short else self.size, instrument=name)
        elif chance < 0.2:
            self.target(self.size * (1.5 if held > 0 else -1.5), instrument=name)
        elif chance < 0.3:
            self.close(name)
        elif chance < 0.4:
            self.stops.remove_all(name)
        else:
            self._protect(name)

    def on_fill(self, fill: Fill) -> None:
        """Protect what is held."""
        if self.position_of(fill.instrument_id).qty and fill.tag == "target":
            self._protect(fill.instrument_id)

    def _protect(self, name: str) -> None:
        stops, rng, near = self.stops, self.rng, self.near
        with suppress(InvalidStopLoss, InvalidTakeProfit):
            chance = rng.random()
            part = 0.5 if rng.random() < 0.3 else 1
            far = f"{near * (0.5 + rng.random()) / 100:.4f}%"
            if chance < 0.4:
                stops.set_stop_loss(far, partial_close_pct=part, instrument=name)
            elif chance < 0.5:
                stops.set_stop_loss(far, order_type="limit", instrument=name)
            elif chance < 0.7:
                kind = "limit" if rng.random() < 0.5 else "market"
                stops.set_take_profit(far, order_type=kind, partial_close_pct=part, instrument=name)
            elif chance < 0.9:
                stops.set_trailing_stop(far, partial_close_pct=part, instrument=name)
            else:
                action = "reduce" if rng.random() < 0.5 else "close"
                stops.set_time_stop(after=f"{rng.integer(1, 10)}s", action=action, instrument=name)


class Bracketer(Strategy):
    """Go in with limit and market orders that bring stops, targets and trailing stops with them."""

    name = "drill_bracketer"
    every = Param(12, 1, 1000)
    size = Param(0.15, 0.0, 10.0)
    near = Param(5.0, 0.1, 1000.0, help="distance of the exits in basis points")

    def on_start(self) -> None:
        """Begin to count."""
        self.turns = Turns(self.every)

    def on_quote(self, quote: Quote) -> None:
        """Go in when there is nothing; else grow, leave, or take an order back."""
        name = quote.instrument_id
        if not self.turns.come(name) or isnan(self.price(name)):
            return
        chance = self.rng.random()
        held = float(self.position_of(name).qty)
        open_orders = [one for one in self.open_orders if one.instrument_id == name]
        if held == 0.0 and not open_orders:
            self._enter(name, self.size)
        elif held and chance < 0.3:
            self._enter(name, self.size * 1.5, sign=1 if held > 0 else -1)
        elif chance < 0.45:
            self.close(name)
        elif open_orders and chance < 0.6:
            self.cancel(open_orders[self.rng.integer(0, len(open_orders))])
        elif open_orders and chance < 0.7:
            self.cancel_all(name)

    def _enter(self, name: str, size: float, sign: int = 0) -> None:
        rng, price = self.rng, self.price(name)
        spot = _is_spot(self, name)
        side = sign or (1 if spot or rng.random() < 0.5 else -1)
        distance = [f"{self.near * (0.5 + rng.random()) / 100:.4f}%" for _ in range(3)]
        stop = distance[0] if rng.random() < 0.7 else None
        take = distance[1] if rng.random() < 0.7 else None
        trail = distance[2] if rng.random() < 0.3 else None
        px = None if rng.random() < 0.5 else price * (1.0 - side * 1e-4 * rng.random())
        self.target(side * size, px=px, stop=stop, take=take, trail=trail, instrument=name)


def _is_spot(strategy: Strategy, name: str) -> bool:
    return next(one.is_spot for one in strategy.instruments if one.id == name)
