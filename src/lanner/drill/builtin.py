"""Strategies that use every verb often: what a drill runs when no other is named."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

from lanner.core.rng import Rng
from lanner.drill.turns import Turns
from lanner.marketdata.book import BookView
from lanner.model.enums import OrderStatus, Side
from lanner.model.market import Quote
from lanner.model.orders import OrderView
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import Param

_WORKS = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


class Flipper(Strategy):
    """Go in and out at market by turns, every so many quotes."""

    name = "drill_flipper"
    every = Param(12, 1, 1000)
    size = Param(0.2, 0.0, 10.0)
    protect = Param(False)

    def on_start(self) -> None:
        """Begin to count."""
        self.turns = Turns(self.every)

    def on_quote(self, quote: Quote) -> None:
        """Change sides."""
        name = quote.instrument_id
        turn = self.turns.come(name)
        if not turn or isnan(self.price(name)):
            return
        if turn % 2 == 0:
            self.target(0, instrument=name)
        elif self.protect:
            self.target(self.size, stop="0.05%", take="0.1%", instrument=name)
        else:
            self.target(self.size, instrument=name)


class Quoter(Strategy):
    """Quote both sides near the top; move quotes by amending, or by cancelling and placing anew."""

    name = "drill_quoter"
    amends = Param(True)
    width = Param(1.0, 0.0, 100.0, help="half the spread in basis points")
    value = Param(400.0, 10.0, 1e6, help="worth of a quote")
    most = Param(4000.0, 10.0, 1e7, help="worth of the largest position")

    def on_start(self) -> None:
        """Quote on a timer."""
        self.quoted: dict[tuple[str, int], OrderView] = {}
        for one in self.instruments:
            self.quotes(one.id)
        self.set_timer("quote", every="1s")

    def on_timer(self, timer: object) -> None:
        """Bring both quotes to where they belong."""
        for one in self.instruments:
            price = self.price(one.id)
            if price == price:
                for side in (Side.BUY, Side.SELL):
                    self._quote(one.id, side, price)

    def _quote(self, name: str, side: Side, price: float) -> None:
        px = price * (1.0 - side * self.width * 1e-4)
        order = self.quoted.get((name, side))
        if order is not None and order.is_open:
            if order.status not in _WORKS or abs(float(order.px) / px - 1.0) < 0.3e-4:
                return
            if self.amends:
                self.amend(order, px=px)
            else:
                self.cancel(order)
            return
        held = float(self.position_of(name).qty)
        if held * price * side < self.most and not (self.instruments[0].is_spot and side < 0 and held <= 0):
            qty = self.value / price
            if side < 0 and self.instruments[0].is_spot:
                qty = min(qty, held)
            if qty * price >= 110.0:
                self.quoted[name, side] = self.order(side, qty, px, post_only=True, instrument=name)


class Churner(Strategy):
    """Do something at random: place, amend, cancel, batch, take back everything, go flat."""

    name = "drill_churner"
    pace = Param(0.4, 0.0, 1.0, help="how likely something is done at a quote")
    value = Param(300.0, 10.0, 1e6)
    most = Param(5000.0, 10.0, 1e7)

    def on_quote(self, quote: Quote) -> None:
        """Throw dice."""
        rng = self.rng
        if rng.random() > self.pace:
            return
        chance = rng.random()
        name = quote.instrument_id
        working = [order for order in self.open_orders if order.status in _WORKS]
        if working and chance < 0.2:
            self.cancel(working[rng.integer(0, len(working))])
        elif working and chance < 0.35:
            self._amend(working[rng.integer(0, len(working))])
        elif chance < 0.38:
            self.cancel_all()
        elif chance < 0.42:
            self.target(0, instrument=name)
        elif chance < 0.52:
            with self.batch():
                self._place(name, 0.8)
                self._place(name, 2.0)
        else:
            self._place(name, 1.0)

    def _amend(self, order: OrderView) -> None:
        if order.px is not None:
            self.amend(order, px=float(order.px) * (1.0 + 2e-4 * (self.rng.random() - 0.5)))

    def _place(self, name: str, far: float) -> None:
        rng = self.rng
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        price = self.price(name)
        held = float(self.position_of(name).qty)
        qty = self.value * (0.5 + rng.random()) / price
        if len(self.open_orders) > 8 or held * price * side > self.most or price != price:
            return
        if self.instrument.is_spot and side < 0:
            qty = min(qty, held)
            if qty * price < 110.0:
                return
        if rng.random() < 0.3:
            self.order(side, qty, instrument=name)
        else:
            px = price * (1.0 - side * far * 3e-4 * (rng.random() - 0.3))
            self.order(side, qty, px, instrument=name)


class Leaner(Strategy):
    """Lean to the heavier side of the book, every so many changes of it."""

    name = "drill_leaner"
    every = Param(25, 1, 1000)
    size = Param(0.1, 0.0, 10.0)

    def on_start(self) -> None:
        """Begin to count."""
        self.turns = Turns(self.every)

    def on_book(self, book: BookView) -> None:
        """Hold something while there is more to buy from than to sell to."""
        name = book.instrument_id
        if not self.turns.come(name):
            return
        heavier = book.imbalance > 0.0 and not isnan(self.price(name))
        self.target(self.size if heavier else 0, instrument=name)


def _flipper(rng: Rng) -> dict[str, object]:
    return {
        "every": rng.integer(4, 40),
        "size": round(0.02 + 0.3 * rng.random(), 3),
        "protect": rng.random() < 0.5,
    }


def _quoter(rng: Rng) -> dict[str, object]:
    return {"amends": rng.random() < 0.5, "width": round(0.2 + 2.0 * rng.random(), 2)}


def _churner(rng: Rng) -> dict[str, object]:
    return {"pace": round(0.1 + 0.5 * rng.random(), 2)}


def _protected(rng: Rng) -> dict[str, object]:
    return {
        "every": rng.integer(3, 20),
        "size": round(0.02 + 0.2 * rng.random(), 3),
        "near": round(1.0 + 8.0 * rng.random(), 2),
    }


BUILTIN: dict[str, Callable[[Rng], dict[str, object]]] = {
    f"{__name__}:Flipper": _flipper,
    f"{__name__}:Quoter": _quoter,
    f"{__name__}:Churner": _churner,
}
"""References of the strategies, and what draws their parameters."""

PROTECTED: dict[str, Callable[[Rng], dict[str, object]]] = {
    "lanner.drill.protected:Stopper": _protected,
    "lanner.drill.protected:Bracketer": _protected,
}
"""The same of those that live by stops and brackets."""

BOOK_READER = f"{__name__}:Leaner"
"""What is drilled with faults that only befall books."""
