"""``StopLossManager``: what ``self.stops`` does in a strategy."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.core.errors import (
    ConfigError,
    InvalidOrderError,
    InvalidStopLoss,
    InvalidTakeProfit,
    InvalidTrailingPercent,
)
from lanner.execution.exits import Level
from lanner.execution.stops import ExitType, Stop, StopEvent, StopKind, TimeAction
from lanner.model.enums import Side
from lanner.model.instruments import Instrument, Number, to_decimal
from lanner.model.orders import OrderView
from lanner.model.timeframes import SECOND_NS, length_ns
from lanner.portfolio.positions import Position
from lanner.strategy.base import Distance, as_fraction

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

_Word = TypeVar("_Word", ExitType, TimeAction)


class StopLossManager:
    """The stops of one strategy's positions: several for each, sized to what is held, until the position is gone.

    Each belongs to the position that is held in ``instrument`` (none named: the first) when it is set; setting one of
    the same kind and ``name`` again replaces it. ``partial_close_pct`` is the fraction of what is held that it closes;
    the others then protect the rest. A stop rests at the venue where the venue can keep it (``risk.stops: venue``),
    else the engine watches the price. ``callback`` is called with each ``StopEvent``.
    """

    def __init__(
        self, execution: ExecutionEngine, strategy_id: str, find: Callable[[str | None], Instrument]
    ) -> None:
        self.callback: Callable[[StopEvent], None] | None = None
        self._execution = execution
        self._stops = execution.stops
        self._strategy_id = strategy_id
        self._find = find

    # -- setting -------------------------------------------------------------------------------------------

    def set_stop_loss(
        self,
        price: Distance,
        *,
        order_type: str = "market",
        limit_px: Number | None = None,
        partial_close_pct: Number = 1,
        lock_in: bool = False,
        name: str = "",
        instrument: str | None = None,
    ) -> str:
        """Leave when the price turns against the position; return the stop's id.

        ``price`` is a price, or text like ``"2%"``: a distance from the average entry. It must lie on the losing side
        of the entry, or with ``lock_in`` of the present price; else ``InvalidStopLoss``. ``order_type``: ``market``,
        ``limit`` (at the stop's price) or ``stop_limit`` (at ``limit_px``).
        """
        traded, position, stop = self._begin(StopKind.LOSS, name, partial_close_pct, instrument)
        side = int(stop.side)
        stop.ticks = self._ticks(traded, position, price, -side, InvalidStopLoss)
        reference = self._mark(traded) if lock_in else _entry(position)
        if (reference - traded.px_float(stop.ticks)) * side <= 0:
            where = f"the {'market' if lock_in else 'entry'} at {reference:g}"
            raise InvalidStopLoss(
                "the stop loss is on the wrong side",
                expected=f"a price {'below' if side > 0 else 'above'} {where}",
                found=traded.px_text(stop.ticks),
                fix=None if lock_in else "lock_in=True allows a stop that keeps a part of the profit.",
            )
        self._with_exit(stop, order_type, limit_px)
        return self._set(stop)

    def set_take_profit(
        self,
        price: Distance,
        *,
        order_type: str = "market",
        limit_px: Number | None = None,
        partial_close_pct: Number = 1,
        name: str = "",
        instrument: str | None = None,
    ) -> str:
        """Leave with a profit at a price, or a distance from the average entry; return the stop's id.

        A price on the losing side of the entry raises ``InvalidTakeProfit``. ``order_type`` as for a stop loss; a
        ``limit`` rests in the book at its price.
        """
        traded, position, stop = self._begin(StopKind.TAKE, name, partial_close_pct, instrument)
        side = int(stop.side)
        stop.ticks = self._ticks(traded, position, price, side, InvalidTakeProfit)
        entry = _entry(position)
        if (traded.px_float(stop.ticks) - entry) * side <= 0:
            raise InvalidTakeProfit(
                "the take profit is on the wrong side",
                expected=f"a price {'above' if side > 0 else 'below'} the entry at {entry:g}",
                found=traded.px_text(stop.ticks),
            )
        self._with_exit(stop, order_type, limit_px)
        return self._set(stop)

    def set_trailing_stop(
        self,
        percent: str | float | Decimal | None = None,
        *,
        distance: Number | None = None,
        partial_close_pct: Number = 1,
        name: str = "",
        instrument: str | None = None,
    ) -> str:
        """Leave at market when the price falls back from its best; return the stop's id.

        ``percent`` is text like ``"1.5%"`` or a fraction between 0 and 1 (else ``InvalidTrailingPercent``),
        ``distance`` a price; percent counts when both are given. The best price starts at the average entry.
        """
        traded, position, stop = self._begin(StopKind.TRAIL, name, partial_close_pct, instrument)
        if percent is not None:
            fraction = float(as_fraction(percent)) if isinstance(percent, str) else float(percent)
            if not 0 < fraction < 1:
                raise InvalidTrailingPercent(
                    "the trailing distance is out of range", expected="between 0 % and 100 %", found=percent
                )
            stop.trail_frac = fraction
        else:
            stop.trail_px = math.nan if distance is None else float(distance)
            if not 0 < stop.trail_px < math.inf:
                raise InvalidTrailingPercent(
                    "a trailing stop needs a distance",
                    expected="percent, or a distance above 0",
                    found=distance,
                )
        stop.best = _entry(position)
        mark = self._mark(traded)
        stop.place()
        if mark == mark:
            stop.follow(mark, mark)
        return self._set(stop)

    def set_time_stop(
        self,
        at: int | None = None,
        *,
        after: str | None = None,
        action: str = "close",
        partial_close_pct: Number | None = None,
        name: str = "",
        instrument: str | None = None,
    ) -> str:
        """Act at a UNIX time in seconds, or ``after`` a time such as ``"4h"``; return the stop's id.

        ``action``: ``close`` sends the whole position away, ``reduce`` half of it (or ``partial_close_pct``), both at
        market; ``alert_only`` tells it on the bus (``risk.stop.alert``) and does nothing.
        """
        wanted = _one_of(TimeAction, action, "the action of a time stop")
        part = partial_close_pct if partial_close_pct is not None else 0.5 if action == "reduce" else 1
        _, _, stop = self._begin(StopKind.TIME, name, part, instrument)
        if (at is None) == (after is None):
            raise ConfigError("a time stop: say either at or after", expected='at=<UNIX s> or after="4h"')
        length = 0 if after is None else length_ns(after)
        if after is not None and not length:
            raise ConfigError(
                "a time stop: not a length of time", expected="e.g. 30s, 5m, 4h, 2d", found=after
            )
        stop.due = self._execution.clock.now + length if at is None else int(at) * SECOND_NS
        stop.action = wanted
        return self._set(stop)

    # -- taking back ---------------------------------------------------------------------------------------

    def cancel_stop_loss(self, name: str | None = None, *, instrument: str | None = None) -> int:
        """Give up the stop losses of a position (of one name, or all); return how many."""
        return self._cancel(StopKind.LOSS, name, instrument)

    def cancel_take_profit(self, name: str | None = None, *, instrument: str | None = None) -> int:
        """Give up the take profits of a position (of one name, or all); return how many."""
        return self._cancel(StopKind.TAKE, name, instrument)

    def cancel_trailing_stop(self, name: str | None = None, *, instrument: str | None = None) -> int:
        """Give up the trailing stops of a position (of one name, or all); return how many."""
        return self._cancel(StopKind.TRAIL, name, instrument)

    def cancel_time_stop(self, name: str | None = None, *, instrument: str | None = None) -> int:
        """Give up the time stops of a position (of one name, or all); return how many."""
        return self._cancel(StopKind.TIME, name, instrument)

    def remove_all(self, instrument: str | None = None) -> int:
        """Give up every stop of an instrument, or of all instruments; return how many."""
        wanted = None if instrument is None else self._find(instrument).id
        mine = [stop for stop in self._mine() if wanted in (None, stop.instrument.id) and not stop.went_off]
        for stop in mine:
            self._stops.remove(stop)
        return len(mine)

    # -- seeing --------------------------------------------------------------------------------------------

    def update_trailing_stop(self, price: Number, *, instrument: str | None = None) -> float | None:
        """Let trailing stops follow a price that the engine does not see; return where the unnamed one lies then."""
        traded = self._find(instrument)
        self._stops.follow((self._strategy_id, traded.id), float(price))
        return self.get_trailing_stop_price(instrument=instrument)

    def get_trailing_stop_price(self, name: str = "", *, instrument: str | None = None) -> float | None:
        """Return where a trailing stop goes off now, None where there is none."""
        wanted = self._find(instrument).id
        for stop in self._stops.of(self._strategy_id, wanted):
            if stop.kind is StopKind.TRAIL and stop.name == name:
                return stop.level
        return None

    def active(self, instrument: str | None = None) -> list[dict[str, Any]]:
        """Return the stops at work, as plain data: kind, name, level, part, where it is kept, its order."""
        wanted = None if instrument is None else self._find(instrument).id
        return [_plain(stop) for stop in self._mine() if wanted in (None, stop.instrument.id)]

    def get_stats(self) -> dict[str, int | bool]:
        """Return what this strategy's stops have done so far."""
        told = self._stops.stats_of(self._strategy_id)
        return {
            "stops_triggered": told.stops_triggered,
            "takes_triggered": told.takes_triggered,
            "trails_triggered": told.trails_triggered,
            "times_triggered": told.times_triggered,
            "trailing_updates": told.trailing_updates,
            "active_stops": sum(1 for _ in self._mine()),
            "resting_stops": sum(stop.order is not None and not stop.went_off for stop in self._mine()),
            "replaced": told.replaced,
            "execution_errors": told.execution_errors,
            "has_exchange": True,
        }

    def check_and_execute(
        self, price: Number | None = None, *, instrument: str | None = None
    ) -> OrderView | None:
        """Look at the stops that the engine watches, at a price (none: the last); return the exit of the first reached.

        The engine does so with every price by itself; call it for a price that it does not see, such as another
        venue's. Stops that rest at the venue are the venue's to watch.
        """
        traded = self._find(instrument)
        key = (self._strategy_id, traded.id)
        px = self._mark(traded) if price is None else float(price)
        if px != px or not self._stops.of(*key):
            return None
        now = self._execution.clock.now
        stop = self._stops.check(key, px, px, px, now)
        return None if stop is None or stop.order is None else OrderView(stop.order)

    # -- parts ---------------------------------------------------------------------------------------------

    def _begin(
        self, kind: StopKind, name: str, part: Number, instrument: str | None
    ) -> tuple[Instrument, Position, Stop]:
        traded = self._find(instrument)
        position = self._execution.portfolio.position(self._strategy_id, traded)
        if position.lots == 0:
            error = {StopKind.TAKE: InvalidTakeProfit, StopKind.LOSS: InvalidStopLoss}.get(
                kind, InvalidOrderError
            )
            raise error(
                f"{traded.id}: there is no position to protect",
                fix="Set stops in on_fill, or give the entry its own: self.buy(…, stop=…, take=…).",
            )
        share = to_decimal(part, "partial_close_pct")
        if not 0 < share <= 1:
            raise InvalidOrderError(
                "partial_close_pct is out of range", expected="a fraction above 0, at most 1", found=part
            )
        side = Side.BUY if position.lots > 0 else Side.SELL
        now = self._execution.clock.now
        stop_id = self._execution.ids.next("s")
        return traded, position, Stop(stop_id, self._strategy_id, traded, side, kind, name, share, now)

    def _ticks(
        self,
        traded: Instrument,
        position: Position,
        price: Distance,
        direction: int,
        error: type[InvalidOrderError],
    ) -> int:
        level = level_of(traded, price)
        assert level is not None
        if level.fraction is not None and not 0 < level.fraction < (1 if direction < 0 else 1000):
            raise error("the distance from the entry is out of range", expected="more than 0 %", found=price)
        entry = position.avg_px
        assert entry is not None
        return level.at(traded, entry, direction)

    def _with_exit(self, stop: Stop, order_type: str, limit_px: Number | None) -> None:
        stop.exit = _one_of(ExitType, order_type, "the order type of a stop")
        if (limit_px is not None) != (stop.exit is ExitType.STOP_LIMIT):
            raise InvalidOrderError(
                f"a stop of type {stop.exit}", expected="limit_px with stop_limit only", found=limit_px
            )
        if limit_px is not None:
            stop.px_ticks = stop.instrument.quantise_px(limit_px)

    def _set(self, stop: Stop) -> str:
        self._stops.set(stop)
        return stop.stop_id

    def _cancel(self, kind: StopKind, name: str | None, instrument: str | None) -> int:
        found = [
            stop
            for stop in self._stops.of(self._strategy_id, self._find(instrument).id)
            if stop.kind is kind and name in (None, stop.name) and not stop.went_off
        ]
        for stop in found:
            self._stops.remove(stop)
        return len(found)

    def _mark(self, traded: Instrument) -> float:
        return self._execution.portfolio.marks.get(traded.id, math.nan)

    def _mine(self) -> list[Stop]:
        return [stop for stop in self._stops if stop.strategy_id == self._strategy_id]


def level_of(traded: Instrument, distance: Distance | None) -> Level | None:
    """Return a stop or target as the execution engine wants it: a fraction of the entry, or a price in ticks."""
    if distance is None:
        return None
    if isinstance(distance, str) and not distance.strip().replace(".", "", 1).isdigit():
        return Level(fraction=as_fraction(distance))
    return Level(ticks=traded.quantise_px(Decimal(distance) if isinstance(distance, str) else distance))


def _entry(position: Position) -> float:
    avg = position.avg_px
    assert avg is not None
    return float(avg)


def _plain(stop: Stop) -> dict[str, Any]:
    resting = stop.order is not None and not stop.went_off
    return {
        "stop_id": stop.stop_id,
        "kind": stop.kind.value,
        "name": stop.name,
        "instrument": stop.instrument.id,
        "level": None if stop.kind is StopKind.TIME else stop.level,
        "at_ns": stop.due or None,
        "part": float(stop.part),
        "kept_by": "venue" if resting else "engine",
        "order_id": None if stop.order is None else stop.order.order_id,
        "triggered": stop.went_off,
    }


def _one_of(kind: type[_Word], word: str, what: str) -> _Word:
    try:
        return kind(word)
    except ValueError:
        raise InvalidOrderError(what, expected=", ".join(kind), found=repr(word)) from None
