"""What the ledger's events say: each thing that a session's bus tells, in a few words for people."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

from lanner.core.errors import LannerError
from lanner.execution.stops import StopEvent
from lanner.live.kill_reports import done_in_words
from lanner.live.killswitch import KillReport
from lanner.live.reload import ConfigReloaded
from lanner.model.signals import ALERT_LEVELS, StrategyAlert
from lanner.net.status import LinkState, LinkStatus
from lanner.storage.ledger.writer import LedgerState

LONGEST = 500
_LEVELS = {
    "system.fault": "critical",
    "risk.kill_switch": "critical",
    "risk.kill_wanted": "critical",
    "risk.kill_report": "critical",
    "risk.trouble": "error",
    "risk.stop.failed": "error",
    "risk.stop.uncloseable": "critical",
    "risk.stop.missing": "error",
    "ledger.down": "error",
    "config.reload_failed": "error",
    "data_engine.error": "warning",
    "data_engine.gap": "warning",
    "system.reconnecting": "warning",
    "system.disconnected": "warning",
    **{f"alert.{level}": level for level in ALERT_LEVELS if level in ("warning", "critical")},
    "alert.emergency": "critical",
}
STOPPED = "stopped"
"""Why a connection ends that we end ourselves."""


def level_of_event(topic: str, event: Any) -> str:
    """Return how grave an event is: ``info``, ``warning``, ``error`` or ``critical``."""
    if isinstance(event, LinkStatus):
        if event.state is LinkState.FAILED:
            return "error"
        if event.state is LinkState.RECONNECTING:
            return "warning"
        return "info" if event.reason == STOPPED else _LEVELS.get(topic, "info")
    return _LEVELS.get(topic, "info")


def words_of(event: Any) -> str:
    """Return an event in few words, on one line; nothing where there is nothing to say."""
    return " ".join(_words(event).split())[:LONGEST]


def _words(event: Any) -> str:
    if isinstance(event, LannerError):
        return event.message()
    if isinstance(event, BaseException):
        return f"{type(event).__name__}: {event}"
    if isinstance(event, LedgerState):
        return event.error or f"{event.written} rows written, {event.dropped} entries dropped on the way"
    if isinstance(event, LinkStatus):
        reason = "" if event.reason in ("", "start") else f" ({event.reason})"
        return f"{event.name}: {event.state.name.lower()}{reason}"
    if isinstance(event, KillReport):
        end = "flat" if event.flat else f"NOT FLAT: {'; '.join([*event.left, *event.errors])}"
        return f"{event.reason}: {done_in_words(event.as_dict())}, {end} after {event.seconds:.1f} s"
    if isinstance(event, ConfigReloaded):
        changes = [f"{row.place} {_value(row.before)} -> {_value(row.after)}" for row in event.changes]
        return f"{', '.join(changes)} (from {event.config_path})"
    if isinstance(event, StrategyAlert):
        return f"{event.strategy_id}: {event.message}"
    if isinstance(event, StopEvent):
        return _stop(event)
    if isinstance(event, list | tuple):
        return "; ".join(map(str, event))
    if hasattr(event, "instrument_id") and hasattr(event, "feed"):
        return f"{event.feed} of {event.instrument_id}: {event.reason}"
    return _plain(event)


def _value(value: Any) -> str:
    return "none" if value in (None, "") else str(value)


def _stop(event: StopEvent) -> str:
    text = f"{event.strategy_id}: {event.kind.replace('_', ' ')} of {event.instrument_id}"
    if event.name:
        text += f" {event.name!r}"
    if event.px == event.px:
        text += f" at {event.px:,.10g}"
    if event.order_id:
        text += f", order {event.order_id}"
    return text + (f": {event.reason}" if event.reason else "")


def _plain(event: Any) -> str:
    """Return what a record without words of its own holds, field by field."""
    names: list[str] = []
    if isinstance(event, msgspec.Struct):
        names = list(event.__struct_fields__)
    elif is_dataclass(event) and not isinstance(event, type):
        names = [one.name for one in fields(event)]
    if not names:
        return str(event)
    told = {name: getattr(event, name) for name in names}
    return ", ".join(f"{name} {value}" for name, value in told.items() if value not in ("", None, [], {}))
