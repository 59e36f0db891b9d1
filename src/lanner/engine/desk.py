"""One strategy's desk in the engine: what ``self.buy`` and the other verbs do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError, InvalidOrderError
from lanner.core.rng import Rng
from lanner.engine.shapes import check_expiry, check_shape, member_of, type_of
from lanner.execution.exits import ExitPlan, check_distances, check_levels
from lanner.execution.overtaken import overtake, reckon, too_small
from lanner.model.enums import GroupKind, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument, Number, passive, to_decimal
from lanner.model.orders import Order, OrderView
from lanner.model.signals import ALERT_LEVELS, StrategyAlert
from lanner.model.timeframes import length_ns
from lanner.portfolio.positions import Position, PositionView
from lanner.strategy.base import Distance, Strategy, as_fraction, check_stop_loss, roi_stages
from lanner.strategy.protection import StopLossManager, level_of
from lanner.strategy.series import BarSeries, QuoteSeries, TradeSeries

if TYPE_CHECKING:
    from lanner.engine.engine import Engine


class Desk:
    """Implements ``lanner.strategy.context.Context`` for one strategy."""

    def __init__(self, engine: Engine, strategy: Strategy, instruments: Sequence[Instrument]) -> None:
        self.engine = engine
        self.strategy = strategy
        self.strategy_id = strategy.id
        self.instruments = tuple(instruments)
        self.rng: Rng = engine.rng.split(f"strategy/{strategy.id}")
        self.shorts_refused = 0
        self.stops = StopLossManager(engine.execution, strategy.id, self._instrument)
        self._dusty: set[str] = set()
        self._by_id = {instrument.id: instrument for instrument in instruments}
        self.take_profit = ""
        check_stop_loss(strategy)
        self._roi = roi_stages(strategy.roi)

    # -- seeing ------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.engine.clock.now

    def position(self, instrument: str | None) -> PositionView:
        held = self._instrument(instrument)
        position = self.engine.portfolio.position(self.strategy_id, held)
        return PositionView(position, self.engine.cache.price(held.id))

    def equity(self) -> float:
        return self.engine.portfolio.equity(self.strategy_id)

    def price(self, instrument: str | None) -> float:
        return self.engine.cache.price(self._instrument(instrument).id)

    def open_orders(self, instrument: str | None) -> list[OrderView]:
        wanted = None if instrument is None else self._instrument(instrument).id
        return [OrderView(order) for order in self.engine.execution.open_orders(self.strategy_id, wanted)]

    def bars(self, timeframe: str, instrument: str | None) -> BarSeries:
        return self.engine.subscribe_bars(self.strategy, self._instrument(instrument).id, timeframe)

    def quotes(self, instrument: str | None) -> QuoteSeries:
        return self.engine.subscribe_quotes(self.strategy, self._instrument(instrument).id)

    def trades(self, instrument: str | None) -> TradeSeries:
        return self.engine.subscribe_trades(self.strategy, self._instrument(instrument).id)

    def log(self, message: str) -> None:
        self.engine.log(self.strategy_id, message)

    def alert(self, message: str, level: str) -> None:
        if level not in ALERT_LEVELS:
            raise ConfigError(
                "self.alert(…) was given no level", expected=", ".join(ALERT_LEVELS), found=repr(level)
            )
        engine = self.engine
        engine.log(self.strategy_id, f"{level}: {message}")
        if engine.bus.active:
            told = StrategyAlert(self.strategy_id, message, engine.clock.now)
            engine.bus.publish(f"alert.{level}", told)

    # -- orders ------------------------------------------------------------------------------------

    def order(
        self,
        side: Side,
        qty: Number,
        px: Number | None,
        *,
        type: OrderType | None,
        stop_px: Number | None,
        trail: Distance | None,
        tif: TimeInForce,
        expire: int | None,
        post_only: bool,
        reduce_only: bool,
        display_qty: Number | None,
        stop: Distance | None,
        take: Distance | None,
        after: OrderView | str | None,
        scaled: bool,
        instrument: str | None,
        tag: str,
    ) -> OrderView:
        traded = self._instrument(instrument)
        parent = None if after is None else self._own(after)
        if scaled and parent is None:
            raise InvalidOrderError("a scaled order", expected="after=, the order that it is sized by")
        side = member_of(Side, side, "the side of an order")
        type = member_of(OrderType, type or type_of(px, stop_px, trail), "the type of an order")
        tif = member_of(TimeInForce, tif, "tif")
        check_shape(type, px, stop_px, trail, tif, expire, post_only)
        if expire is not None:
            check_expiry(expire, self.now)
        trail_frac, trail_ticks = self._trail(traded, trail)
        order = Order(
            self.engine.ids.next("o"),
            self.strategy_id,
            traded,
            side,
            type,
            traded.quantise_qty(qty),
            self.now,
            px_ticks=None if px is None else traded.quantise_px(px, passive(side)),
            stop_ticks=None if stop_px is None else traded.quantise_px(stop_px),
            trail_frac=trail_frac,
            trail_ticks=trail_ticks,
            tif=tif,
            expire_ts=expire,
            post_only=post_only,
            reduce_only=reduce_only,
            display_lots=None if display_qty is None else traded.quantise_qty(display_qty),
            group_kind=GroupKind.NONE if parent is None else GroupKind.OTO,
            parent_id="" if parent is None else parent.order_id,
            parent_lots=parent.lots if parent is not None and scaled else 0,
            tag=_text(tag),
        )
        plan = self._plan(traded, side, order, stop, take, None, defaults=False)
        return self.engine.execution.submit(order, plan, parent)

    def target(
        self,
        weight: float,
        *,
        px: Number | None,
        stop: Distance | None,
        take: Distance | None,
        trail: Distance | None,
        instrument: str | None,
        tag: str,
    ) -> OrderView | None:
        traded = self._instrument(instrument)
        weight = _weight(weight)
        if weight == 0:
            return self._to_lots(traded, 0, px, stop, take, trail, tag)
        price = float(px) if px is not None else self.engine.cache.price(traded.id)
        if not price > 0:
            if any(mark > 0 for mark in self.engine.cache.marks.values()):
                return None  # which of several instruments is told first is the market's to say
            raise InvalidOrderError(
                f"{traded.id}: no price is known yet, so a target weight means nothing",
                fix="Set targets from on_bar, on_quote or on_trade.",
            )
        worth = max(0.0, self.equity()) / float(self.engine.portfolio.rate(traded.settle))
        lots = traded.floor_lots(abs(weight) * worth / (price * float(traded.multiplier)))
        return self._to_lots(traded, lots if weight > 0 else -lots, px, stop, take, trail, tag)

    def target_qty(
        self,
        qty: Number,
        *,
        px: Number | None = None,
        stop: Distance | None = None,
        take: Distance | None = None,
        trail: Distance | None = None,
        instrument: str | None = None,
        tag: str = "",
    ) -> OrderView | None:
        traded = self._instrument(instrument)
        number = to_decimal(qty, "target quantity")
        lots = traded.floor_lots(abs(number))
        return self._to_lots(traded, lots if number > 0 else -lots, px, stop, take, trail, tag)

    def _to_lots(
        self,
        traded: Instrument,
        wanted: int,
        px: Number | None,
        stop: Distance | None,
        take: Distance | None,
        trail: Distance | None,
        tag: str,
    ) -> OrderView | None:
        """Send the difference between what is wanted and what is held or already on its way."""
        if wanted < 0 and traded.is_spot:
            self.shorts_refused += 1
            wanted = 0
        execution = self.engine.execution
        position = self.engine.portfolio.position(self.strategy_id, traded)
        execution.wanted[self.strategy_id, traded.id] = wanted
        working = execution.open_orders(self.strategy_id, traded.id)
        if wanted != 0:
            reckon(working)
        held = position.lots + execution.pending_lots(self.strategy_id, traded.id, position.lots)
        delta = wanted - held
        if wanted == 0:
            # what still works could open again, and on spot the exits lock the very coins that are to be sold; but what
            # is leaving at market cannot be had back, and sold again it would be other coins, or a short position
            leaving = [o for o in working if o.type is OrderType.MARKET and o.side * position.lots < 0]
            execution.cancel_all(self.strategy_id, traded.id, spare_stops=not traded.is_spot, spare=leaving)
            gone = min(sum(order.leaves_lots for order in leaving), abs(position.lots))
            overtake(working, leaving, gone)
            delta = -position.lots + (gone if position.lots > 0 else -gone)
        if delta == 0 or (wanted != 0 and held != 0 and self._too_small(traded, abs(delta), px)):
            return None
        if wanted == 0 and traded.is_spot and self._too_small(traded, abs(delta), px):
            self._dusty.add(traded.id)  # the venue would refuse it, now and every time it is asked
            return None
        side = Side.BUY if delta > 0 else Side.SELL
        if traded.is_spot and 0 < wanted < position.lots:
            execution.shrink_exits(self.strategy_id, traded.id, wanted)
        order = Order(
            self.engine.ids.next("o"),
            self.strategy_id,
            traded,
            side,
            OrderType.MARKET if px is None else OrderType.LIMIT,
            abs(delta),
            self.now,
            px_ticks=None if px is None else traded.quantise_px(px, passive(side)),
            reduce_only=wanted == 0 and not traded.is_spot and traded.id not in execution.shared,
            fit=px is None,
            intent="target",
            tag=_text(tag),
        )
        if wanted == 0 and px is None:
            order.overtaken = order.lots  # it closes what there is, and nothing beyond
        opens = wanted * delta > 0
        plan = self._plan(traded, side, order, stop, take, trail, defaults=True) if opens else None
        return execution.submit(order, plan)

    def _too_small(self, traded: Instrument, lots: int, px: Number | None = None) -> bool:
        """Tell whether the venue would refuse so small an order."""
        return too_small(traded, lots, self.engine.cache.price(traded.id) if px is None else float(px))

    def dust(self) -> list[Position]:
        """Return the positions that are left because they are too small to be sold."""
        positions = self.engine.portfolio.positions
        left = [positions[self.strategy_id, name] for name in sorted(self._dusty)]
        return [p for p in left if p.lots > 0 and self._too_small(p.instrument, p.lots)]

    def oco(self, orders: Sequence[OrderView]) -> None:
        found = [self._own(view) for view in orders]
        if len(found) < 2 or len({order.instrument_id for order in found}) != 1:
            raise InvalidOrderError(
                "these orders cannot be joined",
                expected="two or more orders of one instrument",
                found=len(found),
            )
        self.engine.execution.join(found, self.engine.ids.next("g"), GroupKind.OCO)

    def batch(self) -> AbstractContextManager[None]:
        return self.engine.execution.batch()

    def cancel(self, order: OrderView | str) -> None:
        if self._is_forgotten(order):
            return  # it ended long ago
        own = self._own(order)
        self.engine.execution.take_back(own)

    def cancel_all(self, instrument: str | None) -> int:
        wanted = None if instrument is None else self._instrument(instrument).id
        return self.engine.execution.cancel_all(self.strategy_id, wanted, spare_stops=True, for_good=True)

    def amend(
        self, order: OrderView | str, *, qty: Number | None, px: Number | None, stop_px: Number | None
    ) -> bool:
        if qty is None and px is None and stop_px is None:
            raise InvalidOrderError("nothing to amend", expected="qty, px or stop_px")
        if self._is_forgotten(order):
            return False  # it ended long ago
        own = self._own(order)
        if self.engine.execution.stops.owns(own):
            raise InvalidOrderError(
                f"order {own.order_id} is kept by self.stops", fix="Set the stop again with another price."
            )
        traded = own.instrument
        return self.engine.execution.amend(
            own,
            None if qty is None else traded.quantise_qty(qty),
            None if px is None else traded.quantise_px(px, passive(own.side)),
            None if stop_px is None else traded.quantise_px(stop_px),
        )

    # -- timers ------------------------------------------------------------------------------------

    def set_timer(self, name: str, *, every: str | None, at: int | None) -> None:
        if (every is None) == (at is None):
            raise ConfigError(
                f"timer {name!r}: say either every or at", expected='every="5m" or at=<UNIX ns>'
            )
        self.engine.late.drop(self.strategy_id, name)
        if at is not None:
            self.engine.clock.set_timer(self.strategy_id, name, at)
            return
        period = length_ns(every) if isinstance(every, str) else 0
        if not period:
            raise ConfigError(
                f"timer {name!r}: not a length of time", expected="e.g. 30s, 5m, 1h", found=repr(every)
            )
        first = (self.now // period + 1) * period
        self.engine.clock.set_timer(self.strategy_id, name, first, period)

    def cancel_timer(self, name: str) -> bool:
        missed = self.engine.late.drop(self.strategy_id, name)
        return self.engine.clock.cancel_timer(self.strategy_id, name) or missed

    # -- parts -------------------------------------------------------------------------------------

    def _instrument(self, instrument: str | None) -> Instrument:
        if instrument is None:
            return self.instruments[0]
        found = self._by_id.get(instrument)
        if found is None:
            given = getattr(instrument, "id", None)
            raise ConfigError(
                f"{self.strategy_id} may not trade {instrument!r}"
                if given is None
                else f"{self.strategy_id} gave the instrument {given} where its id is meant",
                expected=f"one of {', '.join(self._by_id)}",
                fix="Add the instrument's data to the run." if given is None else "Write instrument.id.",
            )
        return found

    def _is_forgotten(self, order: OrderView | str) -> bool:
        return self.engine.execution.retention.has_forgotten(_order_or_id(order))

    def _own(self, order: OrderView | str) -> Order:
        found = self.engine.execution.find(_order_or_id(order))
        if found.strategy_id != self.strategy_id:
            raise InvalidOrderError(f"order {found.order_id} belongs to {found.strategy_id}")
        return found

    def _trail(self, traded: Instrument, trail: Distance | None) -> tuple[float | None, int | None]:
        if trail is None:
            return None, None
        if isinstance(trail, str):
            fraction = as_fraction(trail)
            if not 0 < fraction < 1:
                raise InvalidOrderError(
                    "the trailing distance is out of range", expected="between 0 % and 100 %", found=trail
                )
            return float(fraction), None
        return None, traded.quantise_px(trail)

    def set_take_profit(self, distance: str) -> None:
        """Let positions that are opened from now on be closed at a profit, whatever their age; empty: as declared."""
        self._roi = roi_stages({0: distance} if distance else self.strategy.roi)
        self.take_profit = distance

    def _plan(
        self,
        traded: Instrument,
        side: Side,
        order: Order,
        stop: Distance | None,
        take: Distance | None,
        trail: Distance | None,
        *,
        defaults: bool,
    ) -> ExitPlan | None:
        if defaults and stop is None:
            stop = self.strategy.stop_loss
        roi = self._roi if defaults and take is None else {}
        if stop is None and take is None and trail is None and not roi:
            return None
        trail_frac, trail_ticks = self._trail(traded, trail)
        plan = ExitPlan(level_of(traded, stop), level_of(traded, take), trail_frac, trail_ticks, roi)
        own_px = order.px_ticks or order.stop_ticks
        if own_px:
            check_levels(plan, side, own_px)
        else:
            check_distances(plan, side)
        return plan


def _order_or_id(order: object) -> OrderView | str:
    if isinstance(order, OrderView | str):
        return order
    raise InvalidOrderError(
        "this is not an order",
        expected="what self.buy, self.sell or self.order returned, or its order_id",
        found=repr(order),
    )


def _weight(weight: Any) -> float:
    try:
        number = float(weight)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidOrderError(
            "a target weight is not a number", expected="a fraction of equity, e.g. 0.5", found=repr(weight)
        )
    return number


def _text(tag: object) -> str:
    """Write a tag as text: people number their levels, and rows of text take no numbers."""
    return tag if isinstance(tag, str) else "" if tag is None else str(tag)


def shared_instruments(desks: Mapping[str, Desk]) -> frozenset[str]:
    """Return the instruments that several strategies may trade."""
    traders = Counter(instrument.id for desk in desks.values() for instrument in desk.instruments)
    return frozenset(name for name, count in traders.items() if count > 1)
