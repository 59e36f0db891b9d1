"""Tell a session's engine what was sold beside it, when it comes back after its watchdog ended it.

Perpetuals are compared with the venue anyway; of a spot account nobody but the report knows what the sale belonged to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.live.kill_reports import last_report, put_away, sales_name
from lanner.model.reports import PositionAdjusted

if TYPE_CHECKING:
    from lanner.live.session import Session


def adopt_sales(session: Session) -> None:
    """Book the sales of the last kill report once, as adjustments of the positions that they closed."""
    told = last_report(session.folder)
    if told is None:
        return
    text = sales_name(told["started_ns"])
    done = any(getattr(report, "reason", "") == text for report in session.engine.reports)
    for name, (lots, notional) in ({} if done else told["sold"]).items():
        _adjust(session, name, lots, max(1, round(notional / lots)), text)
    put_away(session.folder, told["started_ns"])


def _adjust(session: Session, name: str, lots: int, px_ticks: int, text: str) -> None:
    positions = session.engine.portfolio.positions.items()
    held = [(position.lots, key[0]) for key, position in positions if key[1] == name and position.lots > 0]
    for has, strategy_id in sorted(held, reverse=True):
        part = min(has, lots)
        if part > 0:
            now = session.now()
            session.report(PositionAdjusted(strategy_id, name, now, now, -part, px_ticks, text))
            lots -= part
