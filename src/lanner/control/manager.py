"""``EngineManager``: every session, strategy and backtest of one process, by id, and one kill switch for all.

It can be called from any thread; the command line and the API share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lanner.control.backtest_shelf import BacktestShelf
from lanner.control.emergency import STOP_S as KILL_STOP_S
from lanner.control.emergency import KillSwitchResult, kill_all
from lanner.control.errors import (
    LiveAlreadyExistsError,
    LiveNotFoundError,
    StrategyAlreadyExistsError,
    StrategyNotFoundError,
)
from lanner.control.killswitch import UNTOLD
from lanner.control.requests import BacktestRequest, LiveRequest, StrategyRequest
from lanner.control.runner import LiveRunner
from lanner.control.shelf import Fleet, Shelf
from lanner.control.states import LiveStatus
from lanner.control.stats import ManagerHealth, ManagerStats
from lanner.control.strategies import StrategyRunner
from lanner.control.thread import START_S, STOP_S

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.control.backtests import BacktestProgress, BacktestSummary
    from lanner.control.opening import FindKeys
    from lanner.control.states import BacktestStatus
    from lanner.control.stats import LiveStats
    from lanner.control.strategies import Signal, StrategyStats
    from lanner.control.trading_engine import LiveTradingEngine
    from lanner.live.config import SessionConfig
    from lanner.live.reload import ReloadReport


class EngineManager:
    """Hold the runners; see the module. In a ``with`` block its end stops everything.

    ``keys`` finds keys by product (default: the stored ones, by name). ``backtests_at_once`` bounds how many backtests
    run beside each other; more wait.
    """

    def __init__(
        self,
        *,
        keys: FindKeys | None = None,
        backtests_at_once: int | None = None,
        on_status: Callable[[LiveRunner, LiveStatus], None] | None = None,
    ) -> None:
        self._keys = keys
        self._on_status = on_status
        self._fleet = Fleet()
        self._live = Shelf[LiveRunner](self._fleet, "session", LiveAlreadyExistsError, LiveNotFoundError)
        self._strategies = Shelf[StrategyRunner](
            self._fleet, "running strategy", StrategyAlreadyExistsError, StrategyNotFoundError
        )
        self._backtests = BacktestShelf(backtests_at_once)

    def __enter__(self) -> EngineManager:
        """Return the manager; the end of the block stops everything."""
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    # -- sessions ------------------------------------------------------------------------------------------

    def start_live(
        self,
        request: LiveRequest | SessionConfig | Mapping[str, Any],
        session_id: str = "",
        *,
        engine: LiveTradingEngine | None = None,
        live: bool = False,
        confirm: str = "",
        wait: bool = True,
        timeout_s: float = START_S,
    ) -> LiveRunner:
        """Start a session and wait until it trades; raise what kept it from that.

        With an ``engine`` it runs inside that; see ``LiveRunner``.
        Real orders need ``live=True`` and the phrase that names what is traded (``trade binance-spot``).
        """
        if isinstance(request, Mapping):
            request = LiveRequest.of(dict(request))
        runner = LiveRunner(
            request,
            engine,
            session_id=session_id,
            live=live,
            confirm=confirm,
            keys=self._keys,
            on_status=self._on_status,
        )
        return self._live.begin(runner, wait=wait, timeout_s=timeout_s)

    def stop_live(self, session_id: str, *, timeout_s: float = STOP_S) -> None:
        """End a session in order and forget it."""
        self._live.finish(self._live.of(session_id), timeout_s)

    def pause_live(self, session_id: str, reason: str = "paused") -> None:
        """Let a session's strategies rest."""
        self._live.of(session_id).pause(reason)

    def resume_live(self, session_id: str, reason: str = "resumed") -> None:
        """Let a paused session's strategies work again."""
        self._live.of(session_id).resume(reason)

    def get_live_status(self, session_id: str) -> LiveStatus:
        """Return where a session is."""
        return self._live.of(session_id).get_status()

    def get_live_stats(self, session_id: str) -> LiveStats:
        """Return what a session has done."""
        return self._live.of(session_id).get_stats()

    def get_live_order_history(self, session_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return a session's newest orders."""
        return self._live.of(session_id).get_order_history(limit)

    def submit_live_order(
        self,
        session_id: str,
        side: str,
        quantity: float | str,
        price: float | str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Send an order by hand; see ``LiveRunner.submit_order``."""
        return self._live.of(session_id).submit_order(side, quantity, price, **options)

    def amend_live_order(
        self,
        session_id: str,
        order_id: str,
        quantity: float | str | None = None,
        price: float | str | None = None,
        stop_price: float | str | None = None,
    ) -> dict[str, Any]:
        """Ask for another quantity or price of a session's working order; see ``LiveRunner.amend_order``."""
        return self._live.of(session_id).amend_order(order_id, quantity, price, stop_price)

    def cancel_live_order(self, session_id: str, order_id: str) -> dict[str, Any]:
        """Ask for a session's order back."""
        return self._live.of(session_id).cancel_order(order_id)

    def cancel_all_live_orders(self, session_id: str, symbol: str | None = None) -> int:
        """Ask for all of a session's orders back; return how many there were."""
        return self._live.of(session_id).cancel_all_orders(symbol)

    def subscribe_live(self, session_id: str, symbol: str) -> str:
        """Let market data of a further instrument come onto a session's bus; return its id."""
        return self._live.of(session_id).subscribe(symbol)

    def unsubscribe_live(self, session_id: str, symbol: str) -> bool:
        """Undo ``subscribe_live``."""
        return self._live.of(session_id).unsubscribe(symbol)

    def reload_live(self, session_id: str, *changes: str, dry_run: bool = False) -> ReloadReport:
        """Change a running session's parameters and limits; see ``LiveRunner.reload``."""
        return self._live.of(session_id).reload(*changes, dry_run=dry_run)

    def list_live(self) -> list[dict[str, Any]]:
        """Return the sessions that there are."""
        return self._live.entries()

    def live_runner(self, session_id: str) -> LiveRunner:
        """Return a session's runner; ``LiveNotFoundError`` where there is none."""
        return self._live.of(session_id)

    # -- strategies ----------------------------------------------------------------------------------------

    def start_strategy(
        self,
        request: StrategyRequest | Mapping[str, Any],
        *,
        live: bool = False,
        confirm: str = "",
        wait: bool = True,
        timeout_s: float = START_S,
    ) -> StrategyRunner:
        """Start a strategy by itself: a session with the limits of a ``StrategyRequest``."""
        if isinstance(request, Mapping):
            request = StrategyRequest.of(dict(request))
        runner = StrategyRunner(
            request, live=live, confirm=confirm, keys=self._keys, on_status=self._on_status
        )
        return self._strategies.begin(runner, wait=wait, timeout_s=timeout_s)

    def stop_strategy(self, strategy_id: str, *, timeout_s: float = STOP_S) -> None:
        """End a strategy in order and forget it."""
        self._strategies.finish(self._strategies.of(strategy_id), timeout_s)

    def pause_strategy(self, strategy_id: str, reason: str = "paused") -> None:
        """Let a strategy rest."""
        self._strategies.of(strategy_id).pause(reason)

    def resume_strategy(self, strategy_id: str, reason: str = "resumed") -> None:
        """Let a paused strategy work again."""
        self._strategies.of(strategy_id).resume(reason)

    def get_strategy_status(self, strategy_id: str) -> LiveStatus:
        """Return where a strategy is."""
        return self._strategies.of(strategy_id).get_status()

    def get_strategy_stats(self, strategy_id: str) -> StrategyStats:
        """Return what a strategy has done."""
        return self._strategies.of(strategy_id).get_strategy_stats()

    def get_strategy_signal_history(self, strategy_id: str, limit: int = 100) -> list[Signal]:
        """Return a strategy's newest signals, newest first."""
        return self._strategies.of(strategy_id).get_signal_history(limit)

    def update_strategy_params(self, strategy_id: str, params: Mapping[str, Any]) -> ReloadReport:
        """Give a running strategy new values of parameters; all of them or none."""
        return self._strategies.of(strategy_id).update_params(params)

    def get_strategy_params(self, strategy_id: str) -> dict[str, Any]:
        """Return the parameters that a strategy has now."""
        return self._strategies.of(strategy_id).get_params()

    def list_strategies(self) -> list[dict[str, Any]]:
        """Return the strategies that there are."""
        return self._strategies.entries()

    # -- backtests -----------------------------------------------------------------------------------------

    def start_backtest(self, request: BacktestRequest | Mapping[str, Any], backtest_id: str = "") -> str:
        """Start a backtest in a process of its own and return its id; more than there is room for wait."""
        if isinstance(request, Mapping):
            request = BacktestRequest.of(dict(request))
        return self._backtests.start(request, backtest_id)

    def cancel_backtest(self, backtest_id: str) -> BacktestStatus:
        """End a backtest before its end; one that is over stays as it is."""
        return self._backtests.of(backtest_id).cancel()

    def get_backtest_status(self, backtest_id: str) -> BacktestStatus:
        """Return where a backtest is."""
        return self._backtests.of(backtest_id).get_status()

    def get_backtest_progress(self, backtest_id: str) -> BacktestProgress:
        """Return how far a backtest is."""
        return self._backtests.of(backtest_id).get_progress()

    def get_backtest_result(self, backtest_id: str) -> BacktestSummary:
        """Return the figures of a finished backtest."""
        return self._backtests.of(backtest_id).get_result()

    def get_backtest_detailed_result(self, backtest_id: str) -> BacktestResult:
        """Return all that a finished backtest made."""
        return self._backtests.of(backtest_id).get_detailed_result()

    def wait_backtest(self, backtest_id: str, timeout_s: float | None = None) -> BacktestStatus:
        """Wait until a backtest is over."""
        return self._backtests.of(backtest_id).join(timeout_s)

    def remove_backtest(self, backtest_id: str) -> None:
        """Forget a backtest, ending it where it still runs; what it kept in the run store stays."""
        self._backtests.remove(backtest_id)

    def list_backtests(self) -> list[dict[str, Any]]:
        """Return the backtests that there are."""
        return self._backtests.entries()

    # -- everything ----------------------------------------------------------------------------------------

    def activate_kill_switch(
        self,
        reason: str,
        *,
        cancel_orders: bool = True,
        close_positions: bool = True,
        stop_s: float = KILL_STOP_S,
    ) -> KillSwitchResult:
        """Stop all trading of all sessions at once, and start nothing more until ``deactivate_kill_switch``.

        Closing positions implies cancelling orders. It outlives this process, and holds for every process that starts
        sessions from the same home folder. Each session stays latched by itself as well, until somebody resumes it.
        ``stop_s`` bounds how long is waited for a session to end by itself.
        """
        reason = reason or UNTOLD
        with self._fleet.lock:
            fault = self._fleet.set_killed(reason)
            targets = self._fleet.runners()
        result = kill_all(
            targets, reason, cancel_orders=cancel_orders, close_positions=close_positions, stop_s=stop_s
        )
        if fault:
            result.errors.insert(0, fault)
        with self._fleet.lock:
            self._live.stopped += result.live_stopped
            self._strategies.stopped += result.strategies_stopped
        return result

    def deactivate_kill_switch(self, reason: str) -> bool:
        """Let sessions be started again, and say why; tell whether the kill switch was active."""
        return self._fleet.clear_killed(reason)

    @property
    def kill_switch_reason(self) -> str:
        """Return why the kill switch is active, or nothing."""
        return self._fleet.killed()

    def get_health(self) -> ManagerHealth:
        """Return how the process is."""
        broken = tuple(one.id for one in self._fleet.runners() if one.is_broken)
        killed = self.kill_switch_reason
        return ManagerHealth(
            "kill_switch" if killed else "degraded" if broken else "healthy",
            sum(one.is_running for one in self._backtests.runners()),
            self._strategies.count_active(),
            self._live.count_active(),
            bool(killed),
            killed,
            broken,
        )

    def get_stats(self) -> ManagerStats:
        """Return how many there are and were, and what they made together."""
        with self._fleet.lock:
            runners = self._fleet.runners()
            live, strategies = len(self._live.runners), len(self._strategies.runners)
            running_live, running_strategies = self._live.count_active(), self._strategies.count_active()
            pnl, trades = self._fleet.past_pnl, self._fleet.past_trades
        for runner in runners:
            stats = runner.get_stats()
            pnl += stats.realized_pnl
            trades += stats.orders_filled
        return ManagerStats(
            total_strategies=strategies,
            running_strategies=running_strategies,
            stopped_strategies=strategies - running_strategies,
            strategies_started=self._strategies.started,
            strategies_stopped=self._strategies.stopped,
            total_live=live,
            running_live=running_live,
            stopped_live=live - running_live,
            live_started=self._live.started,
            live_stopped=self._live.stopped,
            total_backtests=len(self._backtests.runners()),
            total_realized_pnl=pnl,
            total_trades=trades,
        )

    def stop_all_live(self, *, timeout_s: float = STOP_S) -> list[str]:
        """End all sessions in order, beside each other; return what went wrong, in words."""
        return self._live.stop_all(timeout_s)

    def stop_all_strategies(self, *, timeout_s: float = STOP_S) -> list[str]:
        """End all strategies in order, beside each other; return what went wrong, in words."""
        return self._strategies.stop_all(timeout_s)

    def stop_all(self, *, timeout_s: float = STOP_S) -> list[str]:
        """End everything in order, for the end of the process; return what went wrong, in words."""
        for runner in self._backtests.runners():
            runner.cancel()
        return self.stop_all_live(timeout_s=timeout_s) + self.stop_all_strategies(timeout_s=timeout_s)
