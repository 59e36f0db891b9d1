"""``StrategyRunner``: a session that runs one strategy, seen as signals, trades and parameters."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lanner.control.requests import StrategyRequest
from lanner.control.runner import LiveRunner
from lanner.control.states import LiveStatus
from lanner.control.stats import HISTORY, Picture, Samples, count, picture_of, stats_of
from lanner.model.enums import OrderStatus

if TYPE_CHECKING:
    from lanner.control.opening import FindKeys
    from lanner.live.reload import ReloadReport
    from lanner.live.session import Session
    from lanner.model.orders import Order

_EXITS = frozenset({"stop", "take", "trail", "roi"})
_YEAR_S = 365.25 * 86_400


@dataclass(frozen=True, slots=True)
class Signal:
    """One decision of a strategy: ``entry_long``, ``exit_long``, ``entry_short`` or ``exit_short``; UNIX milliseconds.

    ``price`` is the limit, or what was paid on average, None while neither is known.
    """

    timestamp: int
    signal_type: str
    symbol: str
    price: float | None
    size: float
    reason: str
    order_id: str


@dataclass(frozen=True, slots=True)
class StrategyStats:
    """What a strategy has done; ``win_rate`` in per cent, ``max_drawdown`` as a fraction, times in UNIX milliseconds.

    ``sharpe`` is of the equity's changes from second to second, over a year; None before there is enough of them.
    """

    total_signals: int = 0
    total_trades: int = 0
    winning_trades: int = 0
    losing_trades: int = 0
    current_position: float = 0.0
    realized_pnl: float = 0.0
    unrealized_pnl: float = 0.0
    max_drawdown: float = 0.0
    win_rate: float = 0.0
    sharpe: float | None = None
    last_signal_time: int | None = None
    last_price: float | None = None
    uptime_seconds: int = 0
    signals_rejected_by_risk: int = 0


class StrategyRunner(LiveRunner):
    """Run one strategy by itself; ``request`` says how."""

    def __init__(
        self,
        request: StrategyRequest,
        *,
        live: bool = False,
        confirm: str = "",
        keys: FindKeys | None = None,
        on_status: Callable[[LiveRunner, LiveStatus], None] | None = None,
    ) -> None:
        super().__init__(request.live(), live=live, confirm=confirm, keys=keys, on_status=on_status)
        self.strategy_request = request

    def get_strategy_stats(self) -> StrategyStats:
        """Return what the strategy has done."""
        return _stats(self._look(picture_of), self.samples, self.config.instruments[0])

    def get_signal_history(self, limit: int = 100) -> list[Signal]:
        """Return the newest signals, newest first; at most 1,000 are told."""
        return signals_of(self._look(picture_of))[::-1][: min(limit, HISTORY)]

    def get_params(self) -> dict[str, Any]:
        """Return the parameters as they are now."""
        return self._look(lambda session: next(iter(session.engine.desks.values())).strategy.values())

    def update_params(self, params: Mapping[str, Any]) -> ReloadReport:
        """Give the strategy new values of parameters: all of them or none; raise what is wrong with them."""

        def work(session: Session) -> Awaitable[ReloadReport]:
            return session.reload.update(next(iter(session.engine.desks)), params)

        return self.await_(work, timeout_s=30.0)


def signals_of(picture: Picture) -> list[Signal]:
    """Return what a session's strategies decided, oldest first; protective exits of positions are among them."""
    held = dict(picture.past.lots)
    fills = iter(sorted(picture.fills, key=lambda pair: pair[0].ts_recv))
    waiting = next(fills, None)
    signals = []
    place = {order_id: number for number, order_id in enumerate(one.order_id for one in picture.orders)}
    for number, order in enumerate(picture.orders):
        # where orders take no time, a fill bears the time of the order that it belongs to
        while (
            waiting is not None
            and waiting[0].ts_recv <= order.ts_init
            and place.get(waiting[1].order_id, -1) < number
        ):
            fill, filled = waiting
            key = (filled.strategy_id, filled.instrument_id)
            held[key] = held.get(key, 0) + fill.lots * int(fill.side)
            waiting = next(fills, None)
        signals.append(_signal(order, held.get((order.strategy_id, order.instrument_id), 0)))
    return signals


def _signal(order: Order, held: int) -> Signal:
    closes = order.intent in _EXITS or order.reduce_only or held * int(order.side) < 0
    long = (order.side.name == "BUY") is not closes
    price = order.px if order.px is not None else order.avg_px
    return Signal(
        order.ts_init // 1_000_000,
        f"{'exit' if closes else 'entry'}_{'long' if long else 'short'}",
        order.instrument_id,
        None if price is None else float(price),
        float(order.qty),
        order.reason or order.tag or order.intent,
        order.order_id,
    )


def _stats(picture: Picture, samples: Samples, first: str) -> StrategyStats:
    live = stats_of(picture, samples, first)
    orders = picture.orders
    closed, won, lost = picture.past.trips(picture.fills)
    position = sum(qty for (_, name), qty in picture.positions.items() if name == first)
    return StrategyStats(
        total_signals=len(orders) + sum(picture.past.orders.values()),
        total_trades=closed,
        winning_trades=won,
        losing_trades=lost,
        current_position=position,
        realized_pnl=live.realized_pnl,
        unrealized_pnl=live.unrealized_pnl,
        max_drawdown=samples.max_drawdown,
        win_rate=100.0 * won / closed if closed else 0.0,
        sharpe=_sharpe([equity for _, equity in list(samples.equity)]),
        last_signal_time=orders[-1].ts_init // 1_000_000 if orders else None,
        last_price=live.last_price,
        uptime_seconds=live.uptime_seconds,
        signals_rejected_by_risk=count(orders, picture.past, OrderStatus.DENIED),
    )


def _sharpe(equity: list[float]) -> float | None:
    """Return mean over deviation of the relative changes, over a year of seconds."""
    changes = [after / before - 1.0 for before, after in pairwise(equity) if before > 0]
    if len(changes) < 30:
        return None
    mean = math.fsum(changes) / len(changes)
    spread = math.sqrt(math.fsum((change - mean) ** 2 for change in changes) / (len(changes) - 1))
    return None if spread == 0 else mean / spread * math.sqrt(_YEAR_S)
