"""A grid: buy a little at each level on the way down, sell each piece a little higher."""

from __future__ import annotations

from lanner.model.enums import OrderStatus, Side
from lanner.model.market import Bar
from lanner.model.orders import OrderView
from lanner.model.reports import Fill
from lanner.model.timeframes import MINUTE_NS
from lanner.strategy.base import Strategy, as_fraction, require
from lanner.strategy.parameters import Param

WORKING = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
Slot = tuple[Side, int]
"""Which side of the grid and which level."""


class Grid(Strategy):
    """Keep limit orders resting on the levels nearest to the price, each with its own target and stop.

    The levels divide lower … upper into ``grid_count`` equal steps. A level that holds nothing and lies below the
    price has a resting buy of ``order_size``, so it fills when the price crosses the level downwards; the nearest
    levels come first, as far as ``max_position`` allows if all of them filled. What fills, also part of an order, is
    protected at once: a limit ``take_profit_pct`` above (less, where the ROI table asks for less by then) and a stop
    10 % below. When it is sold the level is free again. The short side mirrors this above the price.
    """

    name = "grid"
    description = "Buy at levels on the way down, sell each piece a fixed profit higher"
    kind = "grid_trading"
    timeframe = "1m"
    stop_loss = "10%"
    roi = {0: "2%", 60: "1%"}

    upper = Param(0.0, 0.0, help="highest level, a price (required)")
    lower = Param(0.0, 0.0, help="lowest level, a price below upper (required)")
    grid_count = Param(10, 2, 100, help="steps between lower and upper; there is one level more")
    order_size = Param(0.001, 0.0, help="quantity bought at each level")
    take_profit_pct = Param(0.5, 0.0, help="profit per level in per cent")
    enable_long = Param(True, help="whether to buy below the price")
    enable_short = Param(False, help="whether to sell short above the price, where the instrument allows it")
    max_position = Param(1.0, 0.0, help="largest quantity held on one side")

    def check_params(self) -> None:
        require(
            self.upper > 0 and self.lower > 0,
            "grid needs its range",
            "upper and lower as prices, e.g. --param upper=70000 --param lower=60000",
            f"{self.upper:g}, {self.lower:g}",
        )
        require(
            self.upper > self.lower, "the range is empty", "upper > lower", f"{self.upper:g}, {self.lower:g}"
        )
        for name in ("order_size", "take_profit_pct", "max_position"):
            require(getattr(self, name) > 0, f"{name} is too small", "more than 0", getattr(self, name))

    def on_start(self) -> None:
        self.bars()
        step = (self.upper - self.lower) / self.grid_count
        self.levels = [self.lower + step * i for i in range(self.grid_count + 1)]
        self.size = self.instrument.qty(self.instrument.quantise_qty(self.order_size))
        self.sides = [Side.BUY] if self.enable_long else []
        if self.enable_short and not self.instrument.is_spot:
            self.sides.append(Side.SELL)
        self.entries: dict[Slot, OrderView] = {}
        self.exits: dict[str, dict[str, OrderView]] = {}

    def on_order(self, order: OrderView) -> None:
        if order.parent_id:  # a target or stop of one of our entries
            self.exits.setdefault(order.parent_id, {})[order.order_id] = order

    def on_fill(self, fill: Fill) -> None:
        for slot, entry in list(
            self.entries.items()
        ):  # money moved: what was refused before may be possible now
            if self.refused(entry):
                del self.entries[slot]

    def on_bar(self, bar: Bar) -> None:
        for slot, entry in list(self.entries.items()):
            if entry.is_final and not self.refused(entry) and self.held(entry) <= 0:
                del self.entries[slot]
                self.exits.pop(entry.order_id, None)
        self.lower_targets()
        for side in self.sides:
            self.place(side, bar.close)

    def place(self, side: Side, price: float) -> None:
        """Rest orders on the free levels nearest to the price, and take back those that are too far now."""
        mine = {slot: entry for slot, entry in self.entries.items() if slot[0] is side}
        room = self.max_position - float(sum(self.held(entry) for entry in mine.values()))
        passive = [i for i, level in enumerate(self.levels) if (price - level) * side > 0]
        for index in sorted(passive, key=lambda i: abs(price - self.levels[i])):
            slot = (side, index)
            entry = mine.get(slot)
            if entry is not None and (entry.is_final or entry.cum_lots):
                room -= float(entry.leaves_qty)
                continue  # refused, or at work already
            room -= float(self.size)
            if room < -1e-12 and entry is not None:
                self.cancel(entry)
            elif room >= -1e-12 and entry is None:
                self.entries[slot] = self.order(
                    side,
                    self.size,
                    self.levels[index],
                    take=f"{self.profit(0):%}",
                    stop=self.stop_loss,
                    tag=f"level {index}",
                )

    def lower_targets(self) -> None:
        """Move the targets of old entries down to what the ROI table asks for by now."""
        for (side, _), entry in self.entries.items():
            age = (self.now - entry.ts_last) // MINUTE_NS
            for order in self.exits.get(entry.order_id, {}).values():
                if order.px is not None and order.status in WORKING:
                    target = float(entry.avg_px) * (1 + side * self.profit(age))
                    if (float(order.px) - target) * side > self.instrument.tick_float:
                        self.amend(order, px=target)

    def profit(self, age: int) -> float:
        """Return the profit (a fraction) at which a piece of this age in minutes is sold."""
        stages = [float(as_fraction(profit)) for after, profit in sorted(self.roi.items()) if after <= age]
        return min([self.take_profit_pct / 100, *stages[-1:]])

    def held(self, entry: OrderView) -> float:
        """Return what an entry has bought (or sold short) and not given back."""
        back = sum(order.cum_lots for order in self.exits.get(entry.order_id, {}).values())
        return float(self.instrument.qty(entry.cum_lots - back))

    def refused(self, entry: OrderView) -> bool:
        """Tell whether nothing came of an entry because it was not allowed."""
        return entry.status in (OrderStatus.DENIED, OrderStatus.REJECTED)
