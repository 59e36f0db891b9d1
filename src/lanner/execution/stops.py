"""The stops of a position: where each of them goes off, and the order that it stands for.

A stop belongs to a position (a strategy's holding of one instrument), not to an entry as the exits of a bracket do. It
is sized by what is held at the moment, and knows nothing of venues: ``PositionStops`` has it rest there, or watches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import msgspec

from lanner.execution.refusals import MIN_NOTIONAL
from lanner.model.enums import OrderType, Side
from lanner.model.features import TYPE_FEATURES
from lanner.model.instruments import Instrument
from lanner.model.orders import Order


class StopKind(StrEnum):
    """What makes a stop go off; their order is the order in which they are looked at."""

    LOSS = "stop_loss"
    TAKE = "take_profit"
    TRAIL = "trailing_stop"
    TIME = "time_stop"


class ExitType(StrEnum):
    """What a stop sends: a market order, a limit order at its level, or a limit order at another price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_LIMIT = "stop_limit"


class TimeAction(StrEnum):
    """What a time stop does: close its part, reduce by its part, or say so and do nothing."""

    CLOSE = "close"
    REDUCE = "reduce"
    ALERT_ONLY = "alert_only"


KINDS = tuple(StopKind)
STUCK_NS = 60_000_000_000
"""How long an exit waits that the venue can never take as it is; after each further refusal twice as long."""
STUCK_DOUBLINGS = 6
WORTH_MORE = 1.01
"""By so much the price must have risen for something that was worth too little to be tried again."""
Terms = tuple[OrderType, int | None, int | None]
"""Type, limit price and trigger price of an order, in ticks."""


class StopEvent(msgspec.Struct, frozen=True):
    """What happened to a stop. ``what`` is the last word of the bus topic ``risk.stop.<what>``.

    ``armed``, ``removed``: it was set, or given up with its position. ``triggered``, ``executed``: it went off, its
    exit filled. ``failed``: its exit or resting order was refused. ``uncloseable``: the venue does not take its exit,
    now or later, so that this part of the position stays open. ``missing``, ``replaced``: its resting order was not
    at the venue any more, and was sent again. ``alert``: a time stop that shall only tell.
    """

    what: str
    stop_id: str
    name: str
    kind: str
    strategy_id: str
    instrument_id: str
    ts: int
    px: float
    order_id: str = ""
    reason: str = ""


@dataclass(slots=True)
class Stuck:
    """Why a venue does not take an exit, whatever is done: refused for so many lots, at this price, so many times."""

    code: str
    reason: str
    lots: int
    px: float
    times: int = 1

    @property
    def pause_ns(self) -> int:
        """Return how long nothing is tried again while nothing changes."""
        return STUCK_NS << min(self.times - 1, STUCK_DOUBLINGS)

    def has_changed(self, lots: int, px: float) -> bool:
        """Tell whether the venue may judge otherwise now: about another quantity, or one that is worth more."""
        return lots != self.lots or (self.code == MIN_NOTIONAL and px >= self.px * WORTH_MORE)


@dataclass(slots=True, eq=False)
class Stop:
    """One stop at work. ``side`` is that of the position, ``part`` the share of it that is closed.

    ``ticks`` is the level, ``best`` the best price since it was set (both of a trailing stop move). Where ``order`` is
    set, it rests at the venue or is the exit under way; ``asked`` is what was asked of that order last. ``went_off``
    says that there is no way back: ``owed`` lots are still to be closed. ``held_back``: the venue refused to rest it.
    ``lost`` says why its order ended that nobody asked back; nothing is sent again before ``again_at``, which is the
    farther off the more exits were refused in a row (``failures``). ``stuck``: the venue cannot take its exit.
    """

    stop_id: str
    strategy_id: str
    instrument: Instrument
    side: Side
    kind: StopKind
    name: str
    part: Decimal
    since: int
    ticks: int = 0
    exit: ExitType = ExitType.MARKET
    px_ticks: int | None = None
    trail_frac: float | None = None
    trail_px: float | None = None
    best: float = 0.0
    due: int = 0
    action: TimeAction = TimeAction.CLOSE
    order: Order | None = None
    asked: tuple[int, Terms] | None = None
    asked_at: int = 0
    went_off: bool = False
    owed: int = 0
    again_at: int = 0
    failures: int = 0
    held_back: bool = False
    lost: str = ""
    keeps_amending: bool = True
    stuck: Stuck | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return whose position it protects."""
        return self.strategy_id, self.instrument.id

    @property
    def level(self) -> float:
        """Return the price at which it goes off, exactly; NaN for a time stop."""
        if self.kind is StopKind.TIME:
            return float("nan")
        if self.kind is not StopKind.TRAIL:
            return self.instrument.px_float(self.ticks)
        side = int(self.side)
        if self.trail_frac is not None:
            return self.best * (1 - side * self.trail_frac)
        assert self.trail_px is not None
        return self.best - side * self.trail_px

    @property
    def cuts_losses(self) -> bool:
        """Tell whether it lies on the losing side of the market."""
        return self.kind in (StopKind.LOSS, StopKind.TRAIL)

    def is_leaving(self, free: int, px: float, now: int) -> bool:
        """Tell whether its exit is under way, or about to be; one that the venue cannot take waits for a change."""
        if not self.went_off or self.order is not None or self.stuck is None:
            return self.went_off
        return now >= self.again_at or self.stuck.has_changed(min(self.owed, free), px)

    def lots_of(self, held: int) -> int:
        """Return how many of the lots that are held it closes; at least one."""
        return held if self.part == 1 else max(1, int(self.part * held))

    def is_reached(self, low: float, high: float) -> bool:
        """Tell whether a range of prices reaches its level."""
        if self.kind is StopKind.TIME:
            return False
        slack = 1e-9 * self.instrument.tick_float
        below = (self.side > 0) == self.cuts_losses
        return low <= self.level + slack if below else high >= self.level - slack

    def follow(self, low: float, high: float) -> bool:
        """Move a trailing stop after the best price; tell whether it moved."""
        if self.kind is not StopKind.TRAIL:
            return False
        best = max(self.best, high) if self.side > 0 else min(self.best, low)
        moved = best != self.best
        self.best = best
        if moved:
            self.place()
        return moved

    def place(self) -> None:
        """Bring the level of a trailing stop onto the instrument's grid."""
        self.ticks = max(1, self.instrument.quantise_px(Decimal(repr(max(0.0, self.level)))))

    def resting_terms(self) -> Terms:
        """Return the order that does at the venue what the stop does here."""
        if self.kind is StopKind.TAKE:
            if self.exit is ExitType.LIMIT:
                return OrderType.LIMIT, self.ticks, None
            if self.exit is ExitType.STOP_LIMIT:
                return OrderType.TAKE_PROFIT_LIMIT, self.px_ticks, self.ticks
            return OrderType.TAKE_PROFIT_MARKET, None, self.ticks
        if self.exit is ExitType.MARKET:
            return OrderType.STOP_MARKET, None, self.ticks
        return OrderType.STOP_LIMIT, self.px_ticks or self.ticks, self.ticks

    def exit_terms(self) -> Terms:
        """Return the order that closes the position now that the stop went off."""
        if self.exit is ExitType.MARKET or self.kind in (StopKind.TRAIL, StopKind.TIME):
            return OrderType.MARKET, None, None
        return OrderType.LIMIT, self.px_ticks or self.ticks, None

    @property
    def patience(self) -> float:
        """Return what orders exits by how far the market must come for them: one at market is before all limits."""
        type_, px_ticks, _ = self.exit_terms()
        return float(self.side * (px_ticks or 0)) if type_ is OrderType.LIMIT else float("-inf")

    @property
    def waits_for_price(self) -> bool:
        """Tell whether it went off and its exit is a limit that the market may never reach again."""
        return self.went_off and self.order is not None and self.exit_terms()[0] is OrderType.LIMIT

    def follower(self, stop_id: str, now: int, entry: Decimal | None, px: Decimal | None) -> Stop | None:
        """Return the stop of what a partial one left: a trailing one begins at ``px``, a fixed one lies as far again.

        ``entry`` is the average entry of what is held; None comes back where there is no price left to stop at.
        """
        made = Stop(
            stop_id, self.strategy_id, self.instrument, self.side, self.kind, self.name, self.part, now,
            exit=self.exit, trail_frac=self.trail_frac, trail_px=self.trail_px,
        )  # fmt: skip
        if self.kind is StopKind.TRAIL:
            made.best = float(px or 0)
            made.place()
            return made
        assert entry is not None
        distance = int(self.side) * max(1, abs(self.instrument.quantise_px(entry) - self.ticks))
        made.ticks = self.ticks - distance
        made.px_ticks = None if self.px_ticks is None else self.px_ticks - distance
        return made if made.ticks > 0 and (made.px_ticks or 1) > 0 else None

    def event(self, what: str, now: int, reason: str, order: Order | None) -> StopEvent:
        """Return the news of what happened to it."""
        order_id = "" if order is None else order.order_id
        name = (self.stop_id, self.name, self.kind.value, self.strategy_id, self.instrument.id)
        return StopEvent(what, *name, now, self.level, order_id, reason)

    @property
    def is_behind(self) -> bool:
        """Tell whether it has no order, or one that lies where it was before."""
        if self.order is None:
            return self.kind is not StopKind.TIME
        return (
            self.kind is StopKind.TRAIL and self.asked is not None and self.asked[1] != self.resting_terms()
        )

    @property
    def feature(self) -> str:
        """Return what a venue must be able to do for the stop to rest there."""
        return TYPE_FEATURES[self.resting_terms()[0]]


@dataclass(slots=True)
class StopStats:
    """What one strategy's stops have done."""

    stops_triggered: int = 0
    takes_triggered: int = 0
    trails_triggered: int = 0
    times_triggered: int = 0
    trailing_updates: int = 0
    execution_errors: int = 0
    replaced: int = 0

    def count(self, kind: StopKind) -> None:
        """Count a stop that went off."""
        name = {
            StopKind.LOSS: "stops_triggered",
            StopKind.TAKE: "takes_triggered",
            StopKind.TRAIL: "trails_triggered",
            StopKind.TIME: "times_triggered",
        }[kind]
        setattr(self, name, getattr(self, name) + 1)
