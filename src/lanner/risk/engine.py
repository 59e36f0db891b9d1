"""``RiskEngine``: what an order may lead to, for the account and its parts, and what losses do to trading.

Everything is computed from what the engine knows (its clock, portfolio, market and orders), so a replay decides the
same. What only reduces a position is never refused as new exposure. What cannot be computed is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from lanner.core.clock import LogicalClock
from lanner.core.errors import ConfigError
from lanner.model.orders import Order
from lanner.portfolio.portfolio import Portfolio
from lanner.portfolio.positions import Position
from lanner.risk.checks import Denial, only_reduces
from lanner.risk.exposure import Exposure, measure
from lanner.risk.gate import Gate, TradingState
from lanner.risk.market_guards import check_market
from lanner.risk.rules import RiskRules, ScopedRules, ScopeKind
from lanner.risk.sums import above, denied, value_of

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000
LOOK_NS = 1_000_000_000
"""How often losses are looked at in the engine's time, besides after each fill."""


class Market(Protocol):
    """What the engine's cache tells about markets."""

    @property
    def marks(self) -> Mapping[str, float]:
        """Return the last prices."""

    @property
    def quotes(self) -> Mapping[str, Any]:
        """Return the last quotes."""

    @property
    def trades(self) -> Mapping[str, Any]:
        """Return the last public trades."""

    @property
    def bars(self) -> Mapping[str, Any]:
        """Return the kept bars by series."""


class _Scope:
    """One set of rules with what has to be remembered for it."""

    __slots__ = ("breach", "day_start", "drawn_down", "peak", "sent", "told")

    def __init__(self, told: ScopedRules) -> None:
        self.told = told
        self.sent: deque[int] = deque()
        self.day_start = self.peak = float("nan")
        self.breach: Denial | None = None
        self.drawn_down: Denial | None = None


class RiskEngine:
    """Hold the rules. ``check`` judges an order, ``look`` the losses, and wants to be called from ``next_look`` on.

    ``killed`` says why all trading shall end, or nothing; ``on_kill`` is told once. ``closes`` lets the engine close
    positions by itself, for drivers without a kill switch of their own.
    """

    def __init__(
        self,
        rules: Iterable[ScopedRules],
        clock: LogicalClock,
        portfolio: Portfolio,
        market: Market,
        gate: Gate,
        working: Callable[[], Iterable[Order]],
    ) -> None:
        self.next_look = 0
        self.killed = ""
        self.on_kill: Callable[[str], None] | None = None
        self.closes = True
        self.total_checks = self.rejected_orders = self.kill_switch_triggers = 0
        self._clock = clock
        self._portfolio = portfolio
        self._market = market
        self._gate = gate
        self._working = working
        self._day = -1
        self._untold = False
        self._scopes = [_Scope(told) for told in rules]

    def set_rules(self, rules: Iterable[ScopedRules]) -> None:
        """Put new rules in the place of the old ones; what is remembered of a scope that stays is kept."""
        old = {(scope.told.kind, scope.told.name): scope for scope in self._scopes}
        self._scopes = []
        for told in rules:
            scope = old.get((told.kind, told.name)) or _Scope(told)
            scope.told = told
            scope.breach = scope.drawn_down = None
            self._scopes.append(scope)
        self.next_look = 0

    def check_names(self, instruments: Iterable[str]) -> None:
        """Refuse rules for a part that is not there: they would protect nobody."""
        names = list(instruments)
        known = {
            ScopeKind.STRATEGY: list(self._portfolio.capital),
            ScopeKind.INSTRUMENT: names,
            ScopeKind.VENUE: sorted({name.rpartition(".")[2] for name in names}),
        }
        for kind, name in ((scope.told.kind, scope.told.name) for scope in self._scopes):
            if kind is not ScopeKind.ACCOUNT and name not in known[kind]:
                raise ConfigError(
                    f"risk.{kind.plural}: the run has no {kind} {name!r}",
                    expected=", ".join(known[kind]),
                    found=name,
                )

    # -- orders ----------------------------------------------------------------------------------------------

    def check(
        self, order: Order, position: Position, working: Iterable[Order], *, is_new: bool = True
    ) -> Denial | None:
        """Return why an order must not leave, or None; ``working`` are the strategy's orders of the instrument."""
        self.total_checks += 1
        denial = self._check(order, only_reduces(order, position, working), is_new=is_new)
        if denial is not None:
            self.rejected_orders += 1
        elif is_new:
            for scope in self._scopes_of(order):
                scope.sent.append(self._clock.now)
        return denial

    def _check(self, order: Order, reduces: bool, *, is_new: bool) -> Denial | None:
        if self.killed:
            return Denial("kill_switch", "nothing", "ACTIVE", self.killed, "kill_switch_active")
        for scope in self._scopes_of(order):
            denial = check_market(order, scope.told, self._market, self._clock.now, reduces=reduces)
            if denial is None and not reduces:
                denial = self._check_new(order, scope, is_new=is_new)
            if denial is not None:
                return denial
        return None

    def _check_new(self, order: Order, scope: _Scope, *, is_new: bool) -> Denial | None:
        """Judge an order that opens something."""
        rules, told = scope.told.rules, scope.told
        value = value_of(order, self._market.marks, self._portfolio)
        if value is None:
            return denied(told, "max_order_value", "a price", "none yet", "no price is known yet", "no_price")
        for name, kind in (
            ("max_position_size", "position_size_exceeded"),
            ("max_order_value", "order_value_exceeded"),
        ):
            most = getattr(rules, name)
            if above(value, most):
                return denied(
                    told, name, f"{most:f}", f"{value:.2f}", f"order value {value:.2f} above {most:f}", kind
                )
        exposure = measure(told, order, self._portfolio, self._market.marks, self._working())
        if exposure is None:
            reason = "a position has no price, so exposure cannot be computed"
            return denied(told, "max_exposure", "prices of all positions", "one without", reason, "no_price")
        return (
            self._check_exposure(scope, exposure)
            or scope.breach
            or scope.drawn_down
            or (self._check_rate(scope) if is_new else None)
            or self._check_margin(scope, exposure)
        )

    def _check_exposure(self, scope: _Scope, exposure: Exposure) -> Denial | None:
        rules, told = scope.told.rules, scope.told
        if above(exposure.symbol, rules.max_position_per_symbol):
            most, found = rules.max_position_per_symbol, exposure.symbol
            reason = f"position value {found:.2f} after this and the working orders above {most:f}"
            return denied(
                told, "max_position_per_symbol", f"{most:f}", f"{found:.2f}", reason, "position_size_exceeded"
            )
        if above(exposure.total, rules.max_exposure):
            most, found = rules.max_exposure, exposure.total
            reason = f"total exposure {found:.2f} after this and the working orders above {most:f}"
            return denied(told, "max_exposure", f"{most:f}", f"{found:.2f}", reason, "position_size_exceeded")
        if rules.max_leverage is None:
            return None
        worth = self._worth(told)
        if worth is None or worth <= 0:
            found_text = "unknown" if worth is None else f"{worth:.2f}"
            return denied(
                told,
                "max_leverage",
                "equity above 0",
                found_text,
                "there is no equity",
                "insufficient_margin",
            )
        leverage = exposure.total / worth
        if above(leverage, rules.max_leverage):
            reason = f"leverage {leverage:.2f} after this and the working orders above {rules.max_leverage:f}"
            return denied(
                told,
                "max_leverage",
                f"{rules.max_leverage:f}",
                f"{leverage:.2f}",
                reason,
                "leverage_exceeded",
            )
        return None

    def _check_rate(self, scope: _Scope) -> Denial | None:
        most, sent = scope.told.rules.max_orders_per_minute, scope.sent
        while sent and sent[0] <= self._clock.now - MINUTE_NS:
            sent.popleft()
        if most is None or len(sent) < most:
            return None
        reason = f"{len(sent)} orders within a minute (limit {most})"
        return denied(
            scope.told, "max_orders_per_minute", str(most), str(len(sent)), reason, "order_rate_exceeded"
        )

    def _check_margin(self, scope: _Scope, exposure: Exposure) -> Denial | None:
        most = scope.told.rules.max_leverage
        if most is None:
            return None
        worth = self._worth(scope.told) or 0.0
        needed = exposure.margin(float(most))
        if needed <= worth * (1 + 1e-9):
            return None
        reason = f"margin of {needed:.2f} needed with {worth:.2f} of equity"
        return denied(
            scope.told, "max_leverage", f"{worth:.2f}", f"{needed:.2f}", reason, "insufficient_margin"
        )

    def _scopes_of(self, order: Order) -> list[_Scope]:
        return [s for s in self._scopes if s.told.covers(order.strategy_id, order.instrument_id)]

    # -- losses ----------------------------------------------------------------------------------------------

    def look(self, now: int) -> None:
        """Judge the losses of the day and from the peak, and let the gate know what they allow."""
        new_day = now // DAY_NS != self._day
        self._day = now // DAY_NS
        for scope in self._scopes:
            worth = self._worth(scope.told)
            if worth is None:
                continue
            if new_day or scope.day_start != scope.day_start:
                scope.day_start, scope.breach = worth, None
            if not worth <= scope.peak:
                scope.peak = worth
            if scope.breach is None:
                scope.breach = _daily(scope, worth)
            if scope.drawn_down is None:
                scope.drawn_down = _drawdown(scope, worth)
            self._check_kill(scope, worth)
        self._settle_state()
        self.next_look = 0 if self._untold else now + LOOK_NS

    def _check_kill(self, scope: _Scope, worth: float) -> None:
        most = scope.told.rules.kill_switch_threshold
        loss = scope.day_start - worth
        if not self.killed and above(loss, most):
            self.killed = f"the day's loss of {loss:.2f} is above the kill switch's threshold of {most:f}"
            self.kill_switch_triggers += 1
            self._untold = True

    def take_kill(self) -> bool:
        """Tell once that all trading shall end from now on."""
        told, self._untold = self._untold, False
        return told

    def _settle_state(self) -> None:
        """Let the gate know what the account's losses allow."""
        if self.killed:
            wanted, reason, kind = TradingState.HALTED, self.killed, "kill_switch_active"
        else:
            account = [s for s in self._scopes if s.told.kind is ScopeKind.ACCOUNT]
            breach = next((s.breach or s.drawn_down for s in account if s.breach or s.drawn_down), None)
            wanted = TradingState.ACTIVE if breach is None else TradingState.REDUCING
            reason = "losses are within the limits" if breach is None else breach.reason
            kind = "" if breach is None else breach.kind
        if self._gate.asked_by("risk") is not wanted:
            self._gate.set(wanted, reason, by="risk", kind=kind)

    def release(self) -> None:
        """Begin anew after somebody decided to go on: losses are counted from now, nothing is latched."""
        self.killed, self._untold = "", False
        self.next_look = 0
        for scope in self._scopes:
            scope.breach = scope.drawn_down = None
            scope.day_start = scope.peak = float("nan")
        self._settle_state()

    def closes_positions(self) -> bool:
        """Tell whether the kill switch shall close what is held, too."""
        return all(scope.told.rules.close_positions_on_kill_switch for scope in self._scopes)

    def _worth(self, told: ScopedRules) -> float | None:
        """Return the worth of a scope, None when a position in it has no price: capital and its profit."""
        portfolio, marks = self._portfolio, self._market.marks
        if told.kind is ScopeKind.STRATEGY:
            total = float(portfolio.capital.get(told.name, 0))
        else:
            total = float(sum(portfolio.capital.values()))
        for (strategy_id, name), position in portfolio.positions.items():
            if not told.covers(strategy_id, name):
                continue
            mark = marks.get(name)
            if mark is None and position.lots:
                return None
            total += position.pnl_float(mark or 0.0) * float(portfolio.rate(position.instrument.settle))
        return total

    # -- for people ------------------------------------------------------------------------------------------

    def get_stats(self) -> dict[str, Any]:
        """Return what was checked and how the account stands."""
        account = ScopedRules(RiskRules())
        worth = self._worth(account)
        exposure = measure(account, None, self._portfolio, self._market.marks, ())
        whole = next((s for s in self._scopes if s.told.kind is ScopeKind.ACCOUNT), None)
        start = worth if whole is None or whole.day_start != whole.day_start else whole.day_start
        return {
            "total_checks": self.total_checks,
            "rejected_orders": self.rejected_orders,
            "rejection_rate": self.rejected_orders / self.total_checks if self.total_checks else 0.0,
            "daily_pnl": None if worth is None or start is None else worth - start,
            "current_leverage": exposure.total / worth if worth and exposure is not None else None,
            "kill_switch_active": bool(self.killed),
            "kill_switch_triggers": self.kill_switch_triggers,
        }


def _daily(scope: _Scope, worth: float) -> Denial | None:
    rules, told = scope.told.rules, scope.told
    loss = scope.day_start - worth
    if above(loss, rules.max_daily_loss):
        most = rules.max_daily_loss
        reason = f"the day's loss of {loss:.2f} is above {most:f}"
        return denied(told, "max_daily_loss", f"{most:f}", f"{loss:.2f}", reason, "daily_loss_exceeded")
    share = loss / scope.day_start if scope.day_start > 0 else 0.0
    if above(share, rules.max_daily_loss_pct):
        most = rules.max_daily_loss_pct
        reason = f"the day's loss is {share:.2%} of its first equity, above {most:.2%}"
        return denied(told, "max_daily_loss_pct", f"{most:f}", f"{share:.4f}", reason, "daily_loss_exceeded")
    return None


def _drawdown(scope: _Scope, worth: float) -> Denial | None:
    most = scope.told.rules.max_drawdown_pct
    drawdown = (scope.peak - worth) / scope.peak if scope.peak > 0 else 0.0
    if not above(drawdown, most):
        return None
    reason = f"the drawdown of {drawdown:.2%} is above {most:.2%}"
    return denied(
        scope.told, "max_drawdown_pct", f"{most:f}", f"{drawdown:.4f}", reason, "max_drawdown_exceeded"
    )
