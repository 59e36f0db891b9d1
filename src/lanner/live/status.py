"""How a session stands: what status views, answers and summaries show."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lanner.core.bus import EndpointNotFoundError
from lanner.live.alerting import ALERT_STATS
from lanner.live.build import state_of
from lanner.live.reality import RealVenues
from lanner.live.rows import order_row, position_row
from lanner.model.enums import OrderStatus
from lanner.net.wallclock import wall_ns

if TYPE_CHECKING:
    from lanner.live.session import Session


def state_of_session(session: Session) -> dict[str, Any]:
    """Return how a session stands, in few words."""
    engine = session.engine
    gate = engine.execution.gate
    return {
        "session": session.id,
        "mode": session.plan.config.mode,
        "paused": session.paused,
        "trading": gate.state.name,
        "reason": gate.reason,
        "differences": session.venues.differences if isinstance(session.venues, RealVenues) else [],
        "sync_failed": session.venues.sync_failed if isinstance(session.venues, RealVenues) else "",
        "recovered": "" if session.recovered is None else session.recovered.in_words(),
        "quarantined": list(gate.quarantined),
        "uncloseable": [
            f"{engine.cache.instruments[name].qty(stuck.lots):f} {name} of {strategy_id}: {stuck.reason}"
            for (strategy_id, name), stuck in engine.execution.stops.uncloseable()
        ],
        "unknown": sum(order.status is OrderStatus.UNKNOWN for order in engine.execution.working_orders()),
        **state_of(engine),
        "currency": engine.portfolio.currency,
        "pnl": engine.portfolio.total_equity() - float(sum(engine.portfolio.capital.values())),
    }


def status_of_session(session: Session) -> dict[str, Any]:
    """Return everything that a status view shows."""
    now = wall_ns()
    engine, health = session.engine, session.health
    quotes, marks = engine.cache.quotes, engine.cache.marks
    return {
        **state_of_session(session),
        "pid": os.getpid(),
        "strategies": list(engine.desks),
        "uptime_s": (now - health.started_ns) / 1e9 if health.started_ns else 0.0,
        "feeds": {
            name: {
                "age_s": (now - ts) / 1e9,
                "px": marks.get(name),
                "spread": quotes[name].spread if name in quotes else None,
            }
            for name, ts in health.last_data_ns.items()
        },
        "positions_detail": [
            position_row(key, position, marks.get(key[1], float("nan")))
            for key, position in engine.portfolio.positions.items()
            if position.lots or position.realised
        ],
        "clock_offset_ms": health.offset_ms,
        "links": [
            {"name": one.name, "state": one.state.name.lower(), "reason": one.reason}
            for one in session.link_statuses()
        ],
        "counts": {name: getattr(session.counts, name) for name in session.counts.__slots__},
        "checkpoints": asdict(session.checkpoints.stats),
        "ledger": health.ledger,
        "reload": session.reload.as_dict(),
        "last_error": health.last_error,
        "alerts": alerts_of_session(session),
    }


def alerts_of_session(session: Session) -> dict[str, Any]:
    """Return what the session's alerts count, nothing where it has none."""
    try:
        told: dict[str, Any] = session.bus.request(ALERT_STATS, None)
    except EndpointNotFoundError:
        return {}
    return told


def orders_of_session(session: Session, *, only_open: bool) -> list[dict[str, Any]]:
    """Return orders as plain data, newest first."""
    return [
        order_row(order)
        for order in reversed(session.engine.execution.orders.values())
        if order.is_open or not only_open
    ]
