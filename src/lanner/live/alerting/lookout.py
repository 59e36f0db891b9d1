"""What nobody publishes but somebody has to notice: it is looked at once a second, in the session's own loop.

A condition is told when it begins and when it is over, not in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.live.alerting.facts import Fact
from lanner.model.enums import OrderStatus
from lanner.risk.gate import TradingState
from lanner.telemetry import AlertCategory, AlertDetails, AlertLevel, AlertsConfig

if TYPE_CHECKING:
    from lanner.live.session import Session

LOOK_S = 1.0
DAY_NS = 86_400_000_000_000

_C = AlertCategory
_L = AlertLevel
_STATE_KINDS = {
    "daily_loss_exceeded": _C.RISK_DAILY_LOSS,
    "max_drawdown_exceeded": _C.RISK_DRAWDOWN,
}


class Lookout:
    """Look at one session; ``look`` tells what is new since the last time."""

    def __init__(self, session: Session, config: AlertsConfig) -> None:
        self._session = session
        self._config = config
        self._begun: set[str] = set()
        self._started = False
        self._state = TradingState.ACTIVE
        self._reason = ""
        self._last_error = session.health.last_error
        self._day = -1
        self._day_start = self._peak = float("nan")

    def look(self, now_ns: int, late_s: float = 0.0) -> Iterator[Fact]:
        """Go through everything; ``late_s`` is how much later than planned this look comes."""
        if not self._session.health.started_ns:
            return
        if not self._started:
            self._started = True
            yield self._start()
        yield from self._trading_state()
        yield from self._errors()
        yield from self._orders(now_ns)
        yield from self._feeds(now_ns)
        yield from self._clocks()
        yield from self._losses(now_ns)
        yield from self._process(late_s)

    # -- conditions ------------------------------------------------------------------------------------------

    def _edge(self, there: bool, begin: Fact, over: str = "") -> Iterator[Fact]:
        """Tell the begin of a condition once, and its end where there is a word for it."""
        if there and begin.key not in self._begun:
            self._begun.add(begin.key)
            yield begin
        elif not there and begin.key in self._begun:
            self._begun.discard(begin.key)
            if over:
                yield Fact(f"{begin.key}:over", _L.INFO, begin.category, over)

    def _start(self) -> Fact:
        plan = self._session.plan
        names = ", ".join(self._session.engine.desks)
        what = "was continued" if self._session.recovered is not None else "was started"
        text = f"{plan.config.mode}: {names} on {', '.join(plan.instruments)}"
        return Fact("started", _L.INFO, _C.STRATEGY_STARTED, f"Session {self._session.id} {what}", text)

    def _trading_state(self) -> Iterator[Fact]:
        gate = self._session.engine.execution.gate
        if gate.state is self._state and gate.reason == self._reason:
            return
        changed, self._state, self._reason = gate.state is not self._state, gate.state, gate.reason
        if not changed and gate.state is TradingState.ACTIVE:
            return
        key = f"state:{gate.state.name}:{gate.reason}"
        if gate.state is TradingState.ACTIVE:
            yield Fact(key, _L.INFO, _C.SYSTEM_CONNECTED, "Trading is ACTIVE again", gate.reason)
            return
        usual = _C.RISK_KILL_SWITCH if gate.state is TradingState.HALTED else _C.SYSTEM_DISCONNECTED
        category = _STATE_KINDS.get(gate.kind, usual)
        yield Fact(key, _L.CRITICAL, category, f"Trading is {gate.state.name}", gate.reason)

    def _errors(self) -> Iterator[Fact]:
        error = self._session.health.last_error
        if error and error != self._last_error and self._session.fault is None:
            yield Fact(f"error:{error}", _L.WARNING, _C.SYSTEM_ERROR, "Something went wrong", error)
        self._last_error = error

    def _orders(self, now_ns: int) -> Iterator[Fact]:
        limit = self._config.unknown_order_s
        doubtful = set()
        for order in self._session.engine.execution.working_orders() if limit else ():
            age_s = (now_ns - order.ts_last) / 1e9
            if order.status is not OrderStatus.UNKNOWN or age_s < limit:
                continue
            key = f"unknown:{order.order_id}"
            doubtful.add(key)
            text = (
                f"{order.side.name} {order.qty:f} {order.instrument_id} of {order.strategy_id}: nobody knows "
                f"for {age_s:.0f} s whether the venue has it; the instrument is in quarantine."
            )
            details = AlertDetails(order.instrument_id, quantity=float(order.qty), threshold=limit)
            title = f"Order {order.order_id} is UNKNOWN"
            yield from self._edge(True, Fact(key, _L.CRITICAL, _C.TRADE_FAILED, title, text, details))
        for key in [one for one in self._begun if one.startswith("unknown:") and one not in doubtful]:
            self._begun.discard(key)
            title = f"Order {key.removeprefix('unknown:')} is known again"
            yield Fact(f"{key}:over", _L.INFO, _C.TRADE_FAILED, title)

    def _feeds(self, now_ns: int) -> Iterator[Fact]:
        limit = self._config.stale_feed_s
        for name, ts in self._session.health.last_data_ns.items() if limit else ():
            age_s = (now_ns - ts) / 1e9
            text = f"The last message came {age_s:.0f} s ago."
            details = AlertDetails(name, threshold=limit, actual=round(age_s, 1))
            fact = Fact(
                f"stale:{name}", _L.WARNING, _C.SYSTEM_DISCONNECTED, f"No data of {name}", text, details
            )
            yield from self._edge(age_s > limit, fact, f"Data of {name} come again")

    def _clocks(self) -> Iterator[Fact]:
        limit = self._config.clock_offset_ms
        for product, offset in self._session.health.offset_ms.items() if limit else ():
            text = f"Our clock and that of {product} are {offset:+.0f} ms apart."
            details = AlertDetails(threshold=limit, actual=round(offset, 1))
            fact = Fact(f"clock:{product}", _L.WARNING, _C.SYSTEM_PERFORMANCE, "Clock offset", text, details)
            yield from self._edge(abs(offset) > limit, fact, f"The clock of {product} is near ours again")

    def _losses(self, now_ns: int) -> Iterator[Fact]:
        """Look at the day's loss and at the fall from the highest equity, both since the session's start here."""
        portfolio = self._session.engine.portfolio
        marks = self._session.engine.cache.marks
        if any(position.lots and key[1] not in marks for key, position in portfolio.positions.items()):
            return
        worth = portfolio.total_equity()
        if worth != worth:
            return
        if now_ns // DAY_NS != self._day or self._day_start != self._day_start:
            self._day, self._day_start = now_ns // DAY_NS, worth
        if not worth <= self._peak:
            self._peak = worth
        for name, category, from_, limit in (
            ("drawdown", _C.RISK_DRAWDOWN, self._peak, self._config.drawdown),
            ("day's loss", _C.RISK_DAILY_LOSS, self._day_start, self._config.daily_loss),
        ):
            if not limit or from_ <= 0:
                continue
            share = (from_ - worth) / from_
            text = f"The {name} is {share:.2%} (alert at {limit:.2%}); equity {worth:.2f}."
            details = AlertDetails(threshold=limit, actual=round(share, 6), pnl=round(worth - from_, 8))
            fact = Fact(
                f"loss:{name}", _L.CRITICAL, category, f"The {name} is above {limit:.2%}", text, details
            )
            yield from self._edge(share > limit, fact)

    def _process(self, late_s: float) -> Iterator[Fact]:
        limit = self._config.loop_lag_ms
        if limit:
            text = f"The session's loop was {late_s * 1e3:.0f} ms late: something holds it up."
            details = AlertDetails(threshold=limit, actual=round(late_s * 1e3, 1))
            fact = Fact("lag", _L.WARNING, _C.SYSTEM_PERFORMANCE, "The session is slow", text, details)
            yield from self._edge(late_s * 1e3 > limit, fact)
        most = self._config.memory_mb
        if most:
            used = resident_mb()
            text = f"The process holds {used:.0f} MB."
            details = AlertDetails(threshold=most, actual=round(used, 1))
            fact = Fact("memory", _L.WARNING, _C.SYSTEM_MEMORY, "Much memory is used", text, details)
            yield from self._edge(used > most, fact)


def resident_mb() -> float:
    """Return the memory that this process holds, 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    import resource

    return pages * resource.getpagesize() / 1e6
