"""What is told about managed sessions: figures, orders, balances, as plain values. Read in the session's own thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lanner.model.enums import OrderStatus
from lanner.model.orders import FINAL_STATUSES
from lanner.net.status import LinkState
from lanner.net.wallclock import wall_ns

if TYPE_CHECKING:
    from lanner.live.session import Session
    from lanner.model.instruments import Instrument
    from lanner.model.orders import Order
    from lanner.model.reports import OrderFilled
    from lanner.portfolio.totals import Totals

HISTORY = 1_000
"""So many orders are told at most."""
SAMPLES = 14_400
REFUSED = frozenset({OrderStatus.REJECTED, OrderStatus.DENIED})
_WORDS = {
    OrderStatus.DENIED: "rejected",
    OrderStatus.SUBMITTED: "submitted",
    OrderStatus.CANCELED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class LiveStats:
    """What a session has done. Times are UNIX milliseconds, money is in its currency.

    ``ticks_processed`` counts market data, ``ticks`` those of its clock. ``responsive`` is False when its loop did not
    answer, and the figures are the last known ones.
    """

    ticks_processed: int = 0
    orders_placed: int = 0
    orders_filled: int = 0
    current_pnl: float = 0.0
    start_time: int = 0
    uptime_seconds: int = 0
    uptime_ms: int = 0
    ticks: int = 0
    heartbeats_sent: int = 0
    reconnects: int = 0
    orders_cancelled: int = 0
    orders_rejected: int = 0
    total_volume: float = 0.0
    realized_pnl: float = 0.0
    unrealized_pnl: float = 0.0
    equity: float = 0.0
    last_price: float | None = None
    connection_uptime_pct: float = 100.0
    responsive: bool = True


@dataclass(frozen=True, slots=True)
class ManagerHealth:
    """How the process is: ``status`` is ``healthy``, ``degraded`` (a session broke) or ``kill_switch``."""

    status: str
    running_backtests: int
    running_strategies: int
    running_live: int
    kill_switch_active: bool
    reason: str = ""
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManagerStats:
    """How many there are and were; ``total_trades`` are filled orders."""

    total_strategies: int
    running_strategies: int
    stopped_strategies: int
    strategies_started: int
    strategies_stopped: int
    total_live: int
    running_live: int
    stopped_live: int
    live_started: int
    live_stopped: int
    total_backtests: int
    total_realized_pnl: float
    total_trades: int


@dataclass(slots=True)
class Samples:
    """What was looked at once a second: equity, its peak and worst fall, and how often all connections stood."""

    equity: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    peak: float = 0.0
    max_drawdown: float = 0.0
    looks: int = 0
    connected: int = 0

    def take(self, session: Session) -> None:
        """Look at a session."""
        equity = session.engine.portfolio.total_equity()
        self.looks += 1
        self.connected += not is_reconnecting(session)
        if equity == equity:
            self.equity.append((wall_ns(), equity))
            self.peak = max(self.peak, equity)
            if self.peak > 0:
                self.max_drawdown = max(self.max_drawdown, 1.0 - equity / self.peak)


def is_reconnecting(session: Session) -> bool:
    """Tell whether a connection is being opened again."""
    return any(status.state is LinkState.RECONNECTING for status in session.link_statuses())


@dataclass(frozen=True, slots=True)
class Picture:
    """What is taken of a session in its own thread, quickly; what follows from it is worked out in the asker's.

    ``past`` counts the orders and fills before those of the lists, which were forgotten.
    """

    orders: list[Order]
    fills: list[tuple[OrderFilled, Order]]
    past: Totals
    marks: dict[str, float]
    rates: dict[str, float]
    positions: dict[tuple[str, str], float]
    realized: float
    unrealized: float
    equity: float
    capital: float
    started_ns: int
    now_ns: int
    clock_ns: int
    counts: dict[str, int]


def picture_of(session: Session) -> Picture:
    """Take a picture of a session."""
    engine, counts = session.engine, session.counts
    portfolio = engine.portfolio
    realized, unrealized = _pnl(session)
    settles = {instrument.settle for instrument in session.plan.instruments.values()}
    return Picture(
        orders=list(engine.execution.orders.values()),
        fills=list(engine.execution.fills),
        past=engine.execution.retention.totals.copy(),
        marks=dict(engine.cache.marks),
        rates={name: float(portfolio.rate(name)) for name in settles},
        positions={key: float(position.qty) for key, position in portfolio.positions.items()},
        realized=realized,
        unrealized=unrealized,
        equity=portfolio.total_equity(),
        capital=float(sum(portfolio.capital.values())),
        started_ns=session.health.started_ns,
        now_ns=wall_ns(),
        clock_ns=engine.clock.now,
        counts={name: getattr(counts, name) for name in counts.__slots__},
    )


def stats_of(picture: Picture, samples: Samples, first: str) -> LiveStats:
    """Return what a session has done; ``first`` is its first instrument."""
    orders, counts, past = picture.orders, picture.counts, picture.past
    uptime_ms = (picture.now_ns - picture.started_ns) // 1_000_000 if picture.started_ns else 0
    return LiveStats(
        ticks_processed=counts["data"],
        orders_placed=sum(order.status is not OrderStatus.DENIED for order in orders)
        + past.count(*(FINAL_STATUSES - {OrderStatus.DENIED})),
        orders_filled=count(orders, past, OrderStatus.FILLED),
        current_pnl=picture.equity - picture.capital,
        start_time=picture.started_ns // 1_000_000,
        uptime_seconds=uptime_ms // 1_000,
        uptime_ms=uptime_ms,
        ticks=counts["ticks"],
        heartbeats_sent=counts["heartbeats"],
        reconnects=counts["reconnects"],
        orders_cancelled=count(orders, past, OrderStatus.CANCELED),
        orders_rejected=count(orders, past, *REFUSED),
        total_volume=volume_of(orders, past, picture.rates),
        realized_pnl=picture.realized,
        unrealized_pnl=picture.unrealized,
        equity=picture.equity,
        last_price=picture.marks.get(first),
        connection_uptime_pct=100.0 * samples.connected / samples.looks if samples.looks else 100.0,
    )


def count(orders: Iterable[Order], past: Totals, *statuses: OrderStatus) -> int:
    """Return how many orders are in one of these states, forgotten ones among them."""
    return past.count(*statuses) + sum(order.status in statuses for order in orders)


def volume_of(orders: Iterable[Order], past: Totals, rates: Mapping[str, float]) -> float:
    """Return what was traded in the session's currency, by forgotten orders, too."""
    before = sum(_value(one.notional, one.instrument, rates) for one in past.traded.values())
    return before + sum(order_value(order, rates) for order in orders)


def _pnl(session: Session) -> tuple[float, float]:
    """Return realised and unrealised profit in the session's currency."""
    portfolio, marks = session.engine.portfolio, session.engine.cache.marks
    realized = unrealized = 0.0
    for (_, name), position in portfolio.positions.items():
        rate = float(portfolio.rate(position.instrument.settle))
        own = float(position.money(position.realised)) * rate
        mark = marks.get(name)
        whole = own if mark is None else position.pnl_float(mark) * rate
        realized += own
        unrealized += whole - own
    return realized, unrealized


def order_value(order: Order, rates: Mapping[str, float]) -> float:
    """Return what was traded with an order, in the session's currency; ``rates`` by settlement currency."""
    return _value(order.notional, order.instrument, rates) if order.cum_lots else 0.0


def _value(notional: int, traded: Instrument, rates: Mapping[str, float]) -> float:
    unit = float(traded.tick * traded.lot * traded.multiplier)
    return notional * unit * rates.get(traded.settle, 1.0)


def order_entry(order: Order) -> dict[str, Any]:
    """Return an order as the order history tells it; times are UNIX milliseconds."""
    return {
        "timestamp": order.ts_init // 1_000_000,
        "order_id": order.order_id,
        "venue_order_id": order.venue_order_id,
        "strategy": order.strategy_id,
        "symbol": order.instrument_id,
        "side": order.side.name.lower(),
        "order_type": order.type.name.lower(),
        "quantity": float(order.qty),
        "price": None if order.px is None else float(order.px),
        "status": _WORDS.get(order.status, order.status.name.lower()),
        "filled_quantity": float(order.cum_qty),
        "average_price": None if order.avg_px is None else float(order.avg_px),
        "error": order.reason or None,
        "tag": order.tag or order.intent,
    }


def history_of(session: Session, limit: int) -> list[dict[str, Any]]:
    """Return the newest orders, newest first; at most ``HISTORY``."""
    newest = reversed(session.engine.execution.orders.values())
    return [order_entry(order) for order, _ in zip(newest, range(min(limit, HISTORY)), strict=False)]


def balance_of(session: Session) -> dict[str, Any]:
    """Return what an account holds: of a live session what the venue said last, of a paper one its own books."""
    from lanner.live.reality import RealVenues

    portfolio = session.engine.portfolio
    told: dict[str, Any] = {
        "currency": session.plan.currency,
        "initial_capital": float(sum(portfolio.capital.values())),
        "equity": portfolio.total_equity(),
        "accounts": {},
    }
    if isinstance(session.venues, RealVenues):
        told["accounts"] = {
            product: {
                one.currency: {"total": float(one.total), "available": float(one.available)}
                for one in state.balances
            }
            for product, state in session.venues.accounts.items()
        }
    return told
