"""Which facts of a session become alerts: one row a topic of the bus, and how grave each is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from lanner.core.errors import LannerError, StrategyError
from lanner.engine.emergency import TAG
from lanner.live.adjusting import REFUSED
from lanner.live.kill_reports import done_in_words
from lanner.model.signals import StrategyAlert
from lanner.net.status import LinkState, LinkStatus
from lanner.telemetry import AlertCategory, AlertDetails, AlertLevel

if TYPE_CHECKING:
    from lanner.execution.stops import StopEvent
    from lanner.live.killswitch import KillReport
    from lanner.model.accounts import VenueOrder
    from lanner.model.orders import Order

_C = AlertCategory
_L = AlertLevel
_LONGEST = 600


class Fact(NamedTuple):
    """What an alert will say; ``key`` is its id within the session."""

    key: str
    level: AlertLevel
    category: AlertCategory
    title: str
    message: str = ""
    details: AlertDetails | None = None


Told = Fact | None
Rule = Callable[[Any], Told]

_DENIALS = {
    "position_size_exceeded": _C.RISK_POSITION_EXCEEDED,
    "order_value_exceeded": _C.RISK_POSITION_EXCEEDED,
    "max_order_notional": _C.RISK_POSITION_EXCEEDED,
    "max_position_notional": _C.RISK_POSITION_EXCEEDED,
    "leverage_exceeded": _C.RISK_LEVERAGE_EXCEEDED,
    "insufficient_margin": _C.RISK_LEVERAGE_EXCEEDED,
    "daily_loss_exceeded": _C.RISK_DAILY_LOSS,
    "max_drawdown_exceeded": _C.RISK_DRAWDOWN,
    "kill_switch_active": _C.RISK_KILL_SWITCH,
}


# -- orders --------------------------------------------------------------------------------------------------


def _details(order: Order) -> AlertDetails:
    px = order.avg_px if order.cum_lots else order.px
    qty = order.cum_qty if order.cum_lots else order.qty
    return AlertDetails(order.instrument_id, None if px is None else float(px), float(qty))


def order_rejected(order: Order) -> Told:
    """The venue said no."""
    return Fact(
        f"order.rejected:{order.strategy_id}:{order.instrument_id}:{order.reject_code}",
        _L.WARNING,
        _C.TRADE_FAILED,
        f"The venue rejected an order of {order.strategy_id}",
        f"{order.side.name} {order.qty:f} {order.instrument_id} ({order.order_id}): {order.reason}",
        _details(order),
    )


def order_denied(order: Order) -> Told:
    """One of our own limits said no."""
    category = _DENIALS.get(order.reject_code.lower(), _C.TRADE_FAILED)
    return Fact(
        f"order.denied:{order.strategy_id}:{order.instrument_id}:{order.reject_code}",
        _L.WARNING,
        category,
        f"An order of {order.strategy_id} was denied",
        f"{order.side.name} {order.qty:f} {order.instrument_id} ({order.order_id}): {order.reason}",
        _details(order),
    )


def order_filled(order: Order, *, fills: bool) -> Told:
    """A protective exit did its work; other fills only where they are wanted."""
    px = "" if order.avg_px is None else f" at {float(order.avg_px):.10g}"
    text = f"{order.strategy_id}: {order.side.name} {order.cum_qty:f}{px} ({order.order_id})"
    if order.tag != TAG and order.intent in ("stop", "trail"):
        key = f"order.stop:{order.order_id}"
        return Fact(
            key, _L.WARNING, _C.TRADE_STOP_LOSS, f"Stop on {order.instrument_id}", text, _details(order)
        )
    if order.tag != TAG and order.intent in ("take", "roi"):
        key = f"order.take:{order.order_id}"
        return Fact(
            key,
            _L.INFO,
            _C.TRADE_TAKE_PROFIT,
            f"Profit taken on {order.instrument_id}",
            text,
            _details(order),
        )
    if not fills:
        return None
    key = f"order.filled:{order.order_id}"
    return Fact(key, _L.INFO, _C.TRADE_EXECUTED, f"Filled on {order.instrument_id}", text, _details(order))


def foreign_order(order: VenueOrder) -> Told:
    """An order that is not ours: the venue's own are liquidations."""
    what = f"{order.side.name} on {order.instrument_id} ({order.venue_order_id})"
    if order.reason in ("liquidation", "auto-deleveraging"):
        return Fact(
            f"liquidation:{order.instrument_id}:{order.venue_order_id}",
            _L.EMERGENCY,
            _C.TRADE_LIQUIDATION,
            f"The venue closes a position: {order.reason}",
            what,
            AlertDetails(order.instrument_id),
        )
    return Fact(
        f"foreign:{order.instrument_id}",  # another program may send many: they must not use up the hour's alerts
        _L.WARNING,
        _C.TRADE_EXECUTED,
        "An order that is not ours",
        what,
        AlertDetails(order.instrument_id),
    )


_STOPS = {
    "executed": (_L.WARNING, "A stop closed a position"),
    "failed": (_L.CRITICAL, "A stop could not do its work"),
    "uncloseable": (_L.CRITICAL, "A position cannot be closed"),
    "missing": (_L.CRITICAL, "A resting stop is not at the venue"),
    "replaced": (_L.WARNING, "A resting stop was sent again"),
    "alert": (_L.WARNING, "A time stop is due"),
}


def stop_event(event: StopEvent) -> Told:
    """A stop of the stop-loss manager went off, failed or was lost."""
    if event.what not in _STOPS:
        return None
    level, title = _STOPS[event.what]
    category = _C.TRADE_STOP_LOSS
    if "take" in event.kind and event.what == "executed":
        level, title, category = _L.INFO, "A target closed a position", _C.TRADE_TAKE_PROFIT
    text = f"{event.strategy_id}: {event.kind} on {event.instrument_id} {event.reason}".strip()
    details = AlertDetails(event.instrument_id, event.px if event.px == event.px else None)
    return Fact(f"stop.{event.what}:{event.stop_id}", level, category, title, text, details)


# -- risk ----------------------------------------------------------------------------------------------------


def kill_switch(reason: Any) -> Told:
    """The kill switch runs."""
    return Fact("kill_switch", _L.EMERGENCY, _C.RISK_KILL_SWITCH, "Kill switch", str(reason))


def kill_report(report: KillReport) -> Told:
    """The kill switch came to its end: proven flat, or not."""
    done = done_in_words(report.as_dict())
    if report.flat:
        text = f"The venue confirms that nothing is left; {done} in {report.seconds:.1f} s."
        return Fact("kill_report", _L.CRITICAL, _C.RISK_KILL_SWITCH, "Kill switch: flat", text)
    left = "; ".join([*report.left, *report.errors])
    return Fact(
        "kill_report:left", _L.EMERGENCY, _C.RISK_KILL_SWITCH, "Kill switch: NOT FLAT", f"{left}; {done}"
    )


def trouble(text: Any) -> Told:
    """A protection does not work."""
    return Fact(f"trouble:{text}", _L.CRITICAL, _C.SYSTEM_ERROR, "Trouble", str(text))


# -- connections and data ------------------------------------------------------------------------------------


def link(status: LinkStatus) -> Told:
    """A connection was made, lost, or given up."""
    if status.state is LinkState.CONNECTED:
        text = f"after {status.reconnects} reconnects" if status.reconnects else ""
        key = f"link.connected:{status.name}"
        return Fact(key, _L.INFO, _C.SYSTEM_CONNECTED, f"Connected: {status.name}", text)
    if status.state is LinkState.RECONNECTING:
        key = f"link.lost:{status.name}"
        return Fact(key, _L.WARNING, _C.SYSTEM_DISCONNECTED, f"Connection lost: {status.name}", status.reason)
    if status.state is LinkState.FAILED:
        key = f"link.failed:{status.name}"
        return Fact(
            key, _L.CRITICAL, _C.SYSTEM_DISCONNECTED, f"Connection given up: {status.name}", status.reason
        )
    return None


def notice(message: Any) -> Told:
    """What an account's stream says besides: of interest here are liquidations."""
    text = str(getattr(message, "text", message))
    if "liquidat" not in text.lower():
        return None
    return Fact(
        f"liquidation:{text}", _L.EMERGENCY, _C.TRADE_LIQUIDATION, "The venue liquidates a position", text
    )


def gap(event: Any) -> Told:
    """Market data are missing."""
    key = f"gap:{event.instrument_id}:{event.feed}"
    return Fact(
        key,
        _L.WARNING,
        _C.SYSTEM_ERROR,
        f"Data are missing: {event.feed} of {event.instrument_id}",
        event.reason,
    )


def data_error(message: Any) -> Told:
    """A frame could not be understood."""
    reason = str(getattr(message, "reason", message))
    return Fact(
        "data_error", _L.WARNING, _C.SYSTEM_ERROR, "A message of the venue was not understood", reason
    )


def reconciled(found: list[str]) -> Told:
    """A comparison with the venue found differences."""
    if not found:
        return None
    text = "; ".join(found[:8]) + (f"; and {len(found) - 8} more" if len(found) > 8 else "")
    return Fact(f"reconciled:{text}", _L.WARNING, _C.SYSTEM_ERROR, _differences(len(found)), text)


def _differences(count: int) -> str:
    return "A difference with the venue" if count == 1 else f"{count} differences with the venue"


def checkpoint_failed(reason: Any) -> Told:
    """A start would take longer: the state could not be kept."""
    return Fact(
        "checkpoint_failed", _L.WARNING, _C.SYSTEM_ERROR, "A checkpoint could not be kept", str(reason)
    )


# -- faults --------------------------------------------------------------------------------------------------


def fault(error: BaseException) -> Told:
    """Something ended the session."""
    text = error.message() if isinstance(error, LannerError) else f"{type(error).__name__}: {error}"
    if isinstance(error, StrategyError):
        return Fact("fault", _L.CRITICAL, _C.STRATEGY_ERROR, "A strategy failed; the session ends", text)
    return Fact("fault", _L.CRITICAL, _C.SYSTEM_ERROR, "The session ends by a fault", text)


def refused(error: Any) -> Told:
    """An adjustment of a running session was not taken."""
    return Fact(f"refused:{error}", _L.WARNING, _C.STRATEGY_ERROR, "A change was refused", str(error))


def reloaded(event: Any) -> Told:
    """New settings hold."""
    return Fact(
        "reloaded", _L.INFO, _C.STRATEGY_SIGNAL, "New settings hold", str(getattr(event, "source", ""))
    )


def reload_failed(reason: Any) -> Told:
    """New settings were refused; the old ones hold on."""
    return Fact("reload_failed", _L.WARNING, _C.STRATEGY_ERROR, "New settings were refused", str(reason))


def ledger_down(event: Any) -> Told:
    """The ledger cannot be written; trading goes on."""
    return Fact("ledger.down", _L.CRITICAL, _C.SYSTEM_ERROR, "The ledger cannot be written", _said(event))


def ledger_up(event: Any) -> Told:
    """The ledger is written again."""
    return Fact("ledger.up", _L.INFO, _C.SYSTEM_CONNECTED, "The ledger is written again", _said(event))


def _said(event: Any) -> str:
    return str(getattr(event, "error", "") or "")


def paused(control: Any) -> Told:
    """Somebody lets the strategies rest."""
    return Fact("paused", _L.WARNING, _C.STRATEGY_STOPPED, "The strategies are paused", control.reason)


def resumed(control: Any) -> Told:
    """Somebody lets the strategies work again."""
    return Fact("resumed", _L.INFO, _C.STRATEGY_STARTED, "The strategies work again", control.reason)


def own_words(level: AlertLevel) -> Rule:
    """Return the rule for what a strategy or somebody else wants to tell: ``bus.publish("alert.warning", "…")``."""

    def rule(event: Any) -> Told:
        text = event.message if isinstance(event, StrategyAlert) else str(event)
        head, _, rest = text.partition("\n")
        who = f"{event.strategy_id}: " if isinstance(event, StrategyAlert) else ""
        title = f"{who}{head}"
        return Fact(f"alert:{level.word}:{title}", level, _C.STRATEGY_SIGNAL, title, rest)

    return rule


RULES: dict[str, Rule] = {
    "order.rejected": order_rejected,
    "order.denied": order_denied,
    "exchange.foreign_order": foreign_order,
    "exchange.notice": notice,
    "exchange.connection": link,
    "risk.kill_wanted": kill_switch,
    "risk.kill_switch": kill_switch,
    "risk.kill_report": kill_report,
    "risk.trouble": trouble,
    "system.connected": link,
    "system.reconnecting": link,
    "system.disconnected": link,
    "system.fault": fault,
    "data_engine.gap": gap,
    "data_engine.error": data_error,
    "execution_engine.recovery_complete": reconciled,
    "system.checkpoint_failed": checkpoint_failed,
    "config.reloaded": reloaded,
    "config.reload_failed": reload_failed,
    REFUSED: refused,
    "ledger.down": ledger_down,
    "ledger.up": ledger_up,
    "control.pause": paused,
    "control.resume": resumed,
    **{f"risk.stop.{what}": stop_event for what in _STOPS},
    **{f"alert.{level.word}": own_words(level) for level in AlertLevel},
}
"""Topic → rule. ``order.filled`` is not among them: its rule depends on a setting."""

ENGINE_TOPICS = ("order.", "risk.stop.", "risk.kill_wanted")
"""What the engine says: in a replay of the past, too, when nobody wants to hear it."""


def short(text: str) -> str:
    """Return a text no longer than people read."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
