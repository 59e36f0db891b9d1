"""An order as the simulated venue keeps it."""

from __future__ import annotations

from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import PRICED_TYPES, TRIGGERED_TYPES


class SimOrder:
    """A working order. ``kind`` changes when a stop triggers: MARKET or LIMIT from then on.

    ``basis_ts`` is the time of the event that made us send it and decides in which bar it may fill first;
    ``resting`` is true once it has spent time in the book, so that its fills are a maker's.
    """

    __slots__ = (
        "accepted_ts",
        "anchor",
        "basis_ts",
        "cum_lots",
        "expire_ts",
        "fit",
        "group_id",
        "in_bar",
        "instrument",
        "kind",
        "lots",
        "order_id",
        "post_only",
        "px_ticks",
        "reduce_only",
        "resting",
        "side",
        "stop_ticks",
        "submit",
        "tif",
        "trail_frac",
        "trail_ticks",
        "venue_order_id",
    )

    def __init__(
        self, submit: SubmitOrder, instrument: Instrument, basis_ts: int, venue_order_id: str
    ) -> None:
        self.submit = submit
        self.instrument = instrument
        self.order_id = submit.order_id
        self.venue_order_id = venue_order_id
        self.side = int(submit.side)
        self.kind = submit.type
        self.lots = submit.lots
        self.cum_lots = 0
        self.px_ticks = submit.px_ticks
        self.stop_ticks = submit.stop_ticks
        self.trail_ticks = submit.trail_ticks
        self.trail_frac = submit.trail_frac
        self.anchor: int | None = None
        self.tif = submit.tif
        self.expire_ts = submit.expire_ts
        self.post_only = submit.post_only
        self.reduce_only = submit.reduce_only
        self.fit = submit.fit
        self.group_id = submit.group_id
        self.basis_ts = basis_ts
        self.accepted_ts = 0
        self.in_bar = False
        self.resting = False

    @property
    def leaves(self) -> int:
        """Return the lots still to be filled."""
        return self.lots - self.cum_lots

    @property
    def waits_for_trigger(self) -> bool:
        """Tell whether the order is a stop or take-profit that has not triggered."""
        return self.kind in TRIGGERED_TYPES

    @property
    def is_protective_stop(self) -> bool:
        """Tell whether the order leaves at a loss when it triggers (a stop, not a take-profit)."""
        return self.kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)

    def trigger(self) -> None:
        """Turn a triggered order into the market or limit order that it stands for."""
        self.kind = OrderType.LIMIT if self.kind in PRICED_TYPES else OrderType.MARKET
        self.resting = False

    @property
    def trailing_stop_ticks(self) -> int | None:
        """Return where a trailing stop stands now, or None before it has seen a price."""
        if self.anchor is None:
            return None
        if self.trail_frac is not None:
            distance = max(1, round(self.anchor * self.trail_frac))
        else:
            distance = self.trail_ticks or 1
        return self.anchor - distance if self.side == Side.SELL else self.anchor + distance

    def follow(self, ticks: int) -> None:
        """Move a trailing stop's anchor when the price is better than any before."""
        if self.anchor is None or (ticks > self.anchor if self.side == Side.SELL else ticks < self.anchor):
            self.anchor = ticks
