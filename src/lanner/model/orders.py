"""Orders. ``Order`` is mutable and has one owner (``lanner.execution``); everybody else holds an ``OrderView``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lanner.model.commands import SubmitOrder
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument

OPEN_STATUSES = frozenset(
    {
        OrderStatus.SUBMITTED,
        OrderStatus.ACCEPTED,
        OrderStatus.TRIGGERED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_AMEND,
        OrderStatus.PENDING_CANCEL,
        OrderStatus.UNKNOWN,
    }
)
"""States in which the venue may still fill the order, so it counts at its worst case. UNKNOWN is one."""

FINAL_STATUSES = frozenset(
    {OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED}
)
"""States in which nothing more is expected; a late fill is still believed."""

STOP_TYPES = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
TAKE_TYPES = frozenset({OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT})
TRIGGERED_TYPES = STOP_TYPES | TAKE_TYPES
STOP_INTENTS = frozenset({"stop_loss", "take_profit", "trailing_stop", "time_stop"})
"""What the orders of a position's stops are for."""
PRICED_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


class Requests:
    """What was asked of the venue about one order, and what is unanswered: cancels and amends by number.

    An order's requests are numbered 1, 2, 3 …; an answer names the number that it answers, so that one told twice
    or out of order answers nothing else. ``asked_lots`` is the largest quantity that the venue may have by now,
    ``aim_lots`` the one that was asked for last (0: none was). ``unsure``: the request left while nobody knew whether
    the venue has the order; a refusal does not prove that it has. ``refused_ns`` and ``amend_refused_ns``: when last.
    """

    __slots__ = (
        "aim_lots",
        "amend_refused_ns",
        "amended",
        "amends",
        "asked_lots",
        "cancels",
        "last",
        "refused_ns",
        "unsure",
    )

    def __init__(self) -> None:
        self.last = self.refused_ns = self.amend_refused_ns = 0
        self.unsure = False
        self.cancels: tuple[int, ...] = ()
        self.amends: tuple[int, ...] = ()
        self.asked_lots = self.aim_lots = 0
        self.amended = (0, 0)  # the venue's time of the last change, and the request that it answered


class Concluded:
    """Lots that the venue counts as filled and has told no fill of: how many, at ticks × lots, with which fees.

    A fill that it tells by ``until`` may be of them.
    """

    __slots__ = ("base_fee", "fee", "lots", "notional", "until")

    def __init__(self) -> None:
        self.lots = self.notional = self.until = 0
        self.fee = self.base_fee = Decimal(0)


class Order:
    """An order in exact units: prices in ticks, quantities in lots.

    ``notional`` is the sum of ticks × lots over the fills. ``fit`` lets the venue reduce a market order to
    what the account can pay, as venues do for orders sized in quote currency. ``intent`` tells what the order is
    for: ``order`` (sent by the strategy as it is), ``target`` (brings a position somewhere), or the role of a
    protective exit (``stop``, ``take``, ``trail``, ``roi``); ``tag`` is the strategy's own word.

    ``parent_id`` names the entry that an exit protects, or the order that this one waits for. Where
    ``parent_lots`` is set, the order waits for its parent's end and is sized by it: ``lots`` belong to that many filled
    lots of the parent. ``overtaken`` is what was filled when a newer target took its place (None: none did); what
    fills later is made good. ``reason`` says why an order was refused or ended, ``reject_code`` the same for
    programs (refusals only).
    """

    __slots__ = (
        "concluded",
        "cum_lots",
        "display_lots",
        "expire_ts",
        "fees",
        "fit",
        "group_id",
        "group_kind",
        "instrument",
        "instrument_id",
        "intent",
        "lots",
        "notional",
        "order_id",
        "overtaken",
        "parent_id",
        "parent_lots",
        "post_only",
        "px_ticks",
        "reason",
        "reduce_only",
        "reject_code",
        "requests",
        "side",
        "status",
        "stop_ticks",
        "strategy_id",
        "tag",
        "tif",
        "trade_ids",
        "trail_frac",
        "trail_ticks",
        "triggered",
        "ts_init",
        "ts_last",
        "type",
        "venue_order_id",
    )

    def __init__(
        self,
        order_id: str,
        strategy_id: str,
        instrument: Instrument,
        side: Side,
        type: OrderType,
        lots: int,
        ts_init: int,
        *,
        px_ticks: int | None = None,
        stop_ticks: int | None = None,
        trail_ticks: int | None = None,
        trail_frac: float | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        expire_ts: int | None = None,
        post_only: bool = False,
        reduce_only: bool = False,
        display_lots: int | None = None,
        fit: bool = False,
        group_id: str = "",
        group_kind: GroupKind = GroupKind.NONE,
        parent_id: str = "",
        parent_lots: int = 0,
        intent: str = "order",
        tag: str = "",
    ) -> None:
        self.order_id = order_id
        self.strategy_id = strategy_id
        self.instrument = instrument
        self.instrument_id = instrument.id
        self.side = side
        self.type = type
        self.lots = lots
        self.ts_init = ts_init
        self.ts_last = ts_init
        self.px_ticks = px_ticks
        self.stop_ticks = stop_ticks
        self.trail_ticks = trail_ticks
        self.trail_frac = trail_frac
        self.tif = tif
        self.expire_ts = expire_ts
        self.post_only = post_only
        self.reduce_only = reduce_only
        self.display_lots = display_lots
        self.fit = fit
        self.group_id = group_id
        self.group_kind = group_kind
        self.parent_id = parent_id
        self.parent_lots = parent_lots
        self.intent = intent
        self.tag = tag
        self.status = OrderStatus.INITIALIZED
        self.venue_order_id = ""
        self.cum_lots = 0
        self.notional = 0
        self.fees = Decimal(0)
        self.reason = ""
        self.reject_code = ""
        self.requests: Requests | None = None
        self.triggered = False
        self.trade_ids: tuple[str, ...] | set[str] = ()
        self.concluded: Concluded | None = None
        self.overtaken: int | None = None

    def remember(self, trade_id: str) -> None:
        """Keep a trade id; most orders have one or two fills, and a set for each would be most of their memory."""
        ids = self.trade_ids
        if isinstance(ids, set):
            ids.add(trade_id)
        elif len(ids) < 8:
            self.trade_ids = (*ids, trade_id)
        else:
            self.trade_ids = {*ids, trade_id}

    @property
    def leaves_lots(self) -> int:
        """Return the lots that are still to be filled (0 once the order is final)."""
        return 0 if self.status in FINAL_STATUSES else max(0, self.lots - self.cum_lots)

    @property
    def worst_lots(self) -> int:
        """Return the lots that may still be filled at worst: an amend under way may have raised the quantity."""
        if self.status in FINAL_STATUSES:
            return 0
        asked = 0 if self.requests is None else self.requests.asked_lots
        return max(0, max(self.lots, asked) - self.cum_lots)

    @property
    def is_open(self) -> bool:
        """Tell whether the venue may still fill the order."""
        return self.status in OPEN_STATUSES

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more is expected."""
        return self.status in FINAL_STATUSES

    @property
    def qty(self) -> Decimal:
        """Return the ordered quantity."""
        return self.instrument.qty(self.lots)

    @property
    def cum_qty(self) -> Decimal:
        """Return the filled quantity."""
        return self.instrument.qty(self.cum_lots)

    @property
    def leaves_qty(self) -> Decimal:
        """Return the quantity still to be filled."""
        return self.instrument.qty(self.leaves_lots)

    @property
    def px(self) -> Decimal | None:
        """Return the limit price."""
        return None if self.px_ticks is None else self.instrument.px(self.px_ticks)

    @property
    def stop_px(self) -> Decimal | None:
        """Return the trigger price."""
        return None if self.stop_ticks is None else self.instrument.px(self.stop_ticks)

    @property
    def avg_px(self) -> Decimal | None:
        """Return the average price of the fills."""
        return None if not self.cum_lots else self.instrument.tick * self.notional / self.cum_lots

    def __repr__(self) -> str:
        px = "" if self.px is None else f" @ {self.px:f}"
        stop = "" if self.stop_px is None else f" stop {self.stop_px:f}"
        return (
            f"<Order {self.order_id} {self.side.name} {self.qty:f} {self.instrument_id} {self.type.name}{px}{stop} "
            f"{self.status.name} filled {self.cum_qty:f}>"
        )


class OrderView:
    """A read-only window on an order; every attribute of ``Order`` can be read through it."""

    __slots__ = ("_order",)

    def __init__(self, order: Order) -> None:
        object.__setattr__(self, "_order", order)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_order"), name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"an order is changed with self.amend(...) or self.cancel(...), not by setting {name!r}"
        )

    def __reduce__(self) -> tuple[type[OrderView], tuple[Order]]:
        return OrderView, (self._order,)  # a strategy may keep it, and then it is part of a checkpoint

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OrderView) and other.order_id == self.order_id

    def __hash__(self) -> int:
        return hash(self.order_id)

    def __repr__(self) -> str:
        return repr(object.__getattribute__(self, "_order"))


def command_of(order: Order, ts: int | None = None) -> SubmitOrder:
    """Return the command that places an order, at ``ts`` or when the order was made."""
    return SubmitOrder(
        order.order_id,
        order.instrument_id,
        order.ts_init if ts is None else ts,
        order.side,
        order.type,
        order.lots,
        order.px_ticks,
        order.stop_ticks,
        order.trail_ticks,
        order.trail_frac,
        order.tif,
        order.expire_ts,
        order.post_only,
        order.reduce_only,
        order.display_lots,
        order.fit,
        order.group_id,
        order.group_kind,
    )
