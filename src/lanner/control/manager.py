"""``EngineManager``: every session, strategy and backtest of one process, by id, and one kill switch for all.

It can be called from any thread; the command line and the API share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.control.backtests import BacktestRunner, Slots
from lanner.control.emergency import KillSwitchResult, kill_all
from lanner.control.errors import (
    BacktestAlreadyExistsError,
    BacktestNotFoundError,
    KillSwitchActiveError,
    LiveAlreadyExistsError,
    LiveNotFoundError,
    StrategyAlreadyExistsError,
    StrategyNotFoundError,
)
from lanner.control.requests import BacktestRequest, LiveRequest, StrategyRequest
from lanner.control.runner import START_S, STOP_S, LiveRunner
from lanner.control.states import ALIVE, LiveStatus
from lanner.control.stats import ManagerHealth, ManagerStats
from lanner.control.strategies import StrategyRunner
from lanner.core.errors import LannerError
from lanner.net.wallclock import wall_ns

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.control.backtests import BacktestProgress, BacktestSummary
    from lanner.control.opening import FindKeys
    from lanner.control.states import BacktestStatus
    from lanner.control.stats import LiveStats
    from lanner.control.strategies import Signal, StrategyStats
    from lanner.live.config import SessionConfig
    from lanner.live.reload import ReloadReport

R = TypeVar("R", bound=LiveRunner)


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
        self._lock = threading.RLock()
        self._live: dict[str, LiveRunner] = {}
        self._strategies: dict[str, StrategyRunner] = {}
        self._backtests: dict[str, BacktestRunner] = {}
        self._slots = Slots(backtests_at_once)
        self._killed = ""
        self._counts = {
            "strategies_started": 0,
            "strategies_stopped": 0,
            "live_started": 0,
            "live_stopped": 0,
        }
        self._past_pnl = 0.0
        self._past_trades = 0

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
        live: bool = False,
        confirm: str = "",
        wait: bool = True,
        timeout_s: float = START_S,
    ) -> LiveRunner:
        """Start a session and wait until it trades; raise what kept it from that.

        Real orders need ``live=True`` and the phrase that names what is traded (``trade binance-spot``).
        """
        if isinstance(request, Mapping):
            request = LiveRequest.of(dict(request))
        runner = LiveRunner(
            request, session_id, live=live, confirm=confirm, keys=self._keys, on_status=self._on_status
        )
        self._begin(self._live, runner, LiveAlreadyExistsError, "live_started")
        return self._wait(self._live, runner, wait, timeout_s)

    def stop_live(self, session_id: str, *, timeout_s: float = STOP_S) -> None:
        """End a session in order and forget it."""
        self._finish(self._live, self._of_live(session_id), "live_stopped", timeout_s)

    def pause_live(self, session_id: str, reason: str = "paused") -> None:
        """Let a session's strategies rest."""
        self._of_live(session_id).pause(reason)

    def resume_live(self, session_id: str, reason: str = "resumed") -> None:
        """Let a paused session's strategies work again."""
        self._of_live(session_id).resume(reason)

    def get_live_status(self, session_id: str) -> LiveStatus:
        """Return where a session is."""
        return self._of_live(session_id).get_status()

    def get_live_stats(self, session_id: str) -> LiveStats:
        """Return what a session has done."""
        return self._of_live(session_id).get_stats()

    def get_live_order_history(self, session_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return a session's newest orders."""
        return self._of_live(session_id).get_order_history(limit)

    def submit_live_order(
        self,
        session_id: str,
        side: str,
        quantity: float | str,
        price: float | str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Send an order by hand; see ``LiveRunner.submit_order``."""
        return self._of_live(session_id).submit_order(side, quantity, price, **options)

    def cancel_live_order(self, session_id: str, order_id: str) -> dict[str, Any]:
        """Ask for a session's order back."""
        return self._of_live(session_id).cancel_order(order_id)

    def cancel_all_live_orders(self, session_id: str, symbol: str | None = None) -> int:
        """Ask for all of a session's orders back; return how many there were."""
        return self._of_live(session_id).cancel_all_orders(symbol)

    def subscribe_live(self, session_id: str, symbol: str) -> str:
        """Let market data of a further instrument come onto a session's bus; return its id."""
        return self._of_live(session_id).subscribe(symbol)

    def unsubscribe_live(self, session_id: str, symbol: str) -> bool:
        """Undo ``subscribe_live``."""
        return self._of_live(session_id).unsubscribe(symbol)

    def reload_live(self, session_id: str, *changes: str, dry_run: bool = False) -> ReloadReport:
        """Change a running session's parameters and limits; see ``LiveRunner.reload``."""
        return self._of_live(session_id).reload(*changes, dry_run=dry_run)

    def list_live(self) -> list[dict[str, Any]]:
        """Return the sessions that there are."""
        with self._lock:
            return [_entry(runner) for runner in self._live.values()]

    def live_runner(self, session_id: str) -> LiveRunner:
        """Return a session's runner; ``LiveNotFoundError`` where there is none."""
        return self._of_live(session_id)

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
        self._begin(self._strategies, runner, StrategyAlreadyExistsError, "strategies_started")
        return self._wait(self._strategies, runner, wait, timeout_s)

    def stop_strategy(self, strategy_id: str, *, timeout_s: float = STOP_S) -> None:
        """End a strategy in order and forget it."""
        self._finish(self._strategies, self._of_strategy(strategy_id), "strategies_stopped", timeout_s)

    def pause_strategy(self, strategy_id: str, reason: str = "paused") -> None:
        """Let a strategy rest."""
        self._of_strategy(strategy_id).pause(reason)

    def resume_strategy(self, strategy_id: str, reason: str = "resumed") -> None:
        """Let a paused strategy work again."""
        self._of_strategy(strategy_id).resume(reason)

    def get_strategy_status(self, strategy_id: str) -> LiveStatus:
        """Return where a strategy is."""
        return self._of_strategy(strategy_id).get_status()

    def get_strategy_stats(self, strategy_id: str) -> StrategyStats:
        """Return what a strategy has done."""
        return self._of_strategy(strategy_id).get_strategy_stats()

    def get_strategy_signal_history(self, strategy_id: str, limit: int = 100) -> list[Signal]:
        """Return a strategy's newest signals, newest first."""
        return self._of_strategy(strategy_id).get_signal_history(limit)

    def update_strategy_params(self, strategy_id: str, params: Mapping[str, Any]) -> ReloadReport:
        """Give a running strategy new values of parameters; all of them or none."""
        return self._of_strategy(strategy_id).update_params(params)

    def get_strategy_params(self, strategy_id: str) -> dict[str, Any]:
        """Return the parameters that a strategy has now."""
        return self._of_strategy(strategy_id).get_params()

    def list_strategies(self) -> list[dict[str, Any]]:
        """Return the strategies that there are."""
        with self._lock:
            return [_entry(runner) for runner in self._strategies.values()]

    # -- backtests -----------------------------------------------------------------------------------------

    def start_backtest(self, request: BacktestRequest | Mapping[str, Any], backtest_id: str = "") -> str:
        """Start a backtest in a process of its own and return its id; more than there is room for wait."""
        if isinstance(request, Mapping):
            request = BacktestRequest.of(dict(request))
        with self._lock:
            name = backtest_id or self._free_backtest_id()
            if name in self._backtests:
                raise BacktestAlreadyExistsError(f"there is a backtest {name!r} already")
            runner = self._backtests[name] = BacktestRunner(name, request, self._slots)
            runner.start()
        return name

    def cancel_backtest(self, backtest_id: str) -> BacktestStatus:
        """End a backtest before its end; one that is over stays as it is."""
        return self._of_backtest(backtest_id).cancel()

    def get_backtest_status(self, backtest_id: str) -> BacktestStatus:
        """Return where a backtest is."""
        return self._of_backtest(backtest_id).get_status()

    def get_backtest_progress(self, backtest_id: str) -> BacktestProgress:
        """Return how far a backtest is."""
        return self._of_backtest(backtest_id).get_progress()

    def get_backtest_result(self, backtest_id: str) -> BacktestSummary:
        """Return the figures of a finished backtest."""
        return self._of_backtest(backtest_id).get_result()

    def get_backtest_detailed_result(self, backtest_id: str) -> BacktestResult:
        """Return all that a finished backtest made."""
        return self._of_backtest(backtest_id).get_detailed_result()

    def wait_backtest(self, backtest_id: str, timeout_s: float | None = None) -> BacktestStatus:
        """Wait until a backtest is over."""
        return self._of_backtest(backtest_id).join(timeout_s)

    def remove_backtest(self, backtest_id: str) -> None:
        """Forget a backtest, ending it where it still runs; what it kept in the run store stays."""
        runner = self._of_backtest(backtest_id)
        runner.cancel()
        with self._lock:
            self._backtests.pop(backtest_id, None)

    def list_backtests(self) -> list[dict[str, Any]]:
        """Return the backtests that there are."""
        with self._lock:
            return [runner.entry() for runner in self._backtests.values()]

    # -- everything ----------------------------------------------------------------------------------------

    def activate_kill_switch(
        self, reason: str, *, cancel_orders: bool = True, close_positions: bool = True
    ) -> KillSwitchResult:
        """Stop all trading of all sessions at once, and start nothing more until ``deactivate_kill_switch``.

        Closing positions implies cancelling orders. Each session stays latched by itself as well, until somebody
        resumes it with a reason.
        """
        with self._lock:
            self._killed = reason or "no reason told"
            targets: list[LiveRunner] = [*self._live.values(), *self._strategies.values()]
        result = kill_all(targets, self._killed, cancel_orders=cancel_orders, close_positions=close_positions)
        with self._lock:
            self._counts["live_stopped"] += result.live_stopped
            self._counts["strategies_stopped"] += result.strategies_stopped
        return result

    def deactivate_kill_switch(self) -> bool:
        """Let sessions be started again; tell whether the kill switch was active."""
        with self._lock:
            was, self._killed = bool(self._killed), ""
            return was

    @property
    def kill_switch_reason(self) -> str:
        """Return why the kill switch is active, or nothing."""
        with self._lock:
            return self._killed

    def get_health(self) -> ManagerHealth:
        """Return how the process is."""
        with self._lock:
            runners: list[LiveRunner] = [*self._live.values(), *self._strategies.values()]
            broken = tuple(one.id for one in runners if one.is_broken)
            status = "kill_switch" if self._killed else "degraded" if broken else "healthy"
            return ManagerHealth(
                status,
                sum(one.is_running for one in self._backtests.values()),
                sum(one.is_active for one in self._strategies.values()),
                sum(one.is_active for one in self._live.values()),
                bool(self._killed),
                self._killed,
                broken,
            )

    def get_stats(self) -> ManagerStats:
        """Return how many there are and were, and what they made together."""
        with self._lock:
            live, strategies = list(self._live.values()), list(self._strategies.values())
            backtests, counts = len(self._backtests), dict(self._counts)
            pnl, trades = self._past_pnl, self._past_trades
        for runner in (*live, *strategies):
            stats = runner.get_stats()
            pnl += stats.realized_pnl
            trades += stats.orders_filled
        running_live = sum(one.is_active for one in live)
        running_strategies = sum(one.is_active for one in strategies)
        return ManagerStats(
            total_strategies=len(strategies),
            running_strategies=running_strategies,
            stopped_strategies=len(strategies) - running_strategies,
            total_live=len(live),
            running_live=running_live,
            stopped_live=len(live) - running_live,
            total_backtests=backtests,
            total_realized_pnl=pnl,
            total_trades=trades,
            **counts,
        )

    def stop_all_live(self, *, timeout_s: float = STOP_S) -> list[str]:
        """End all sessions in order, beside each other; return what went wrong, in words."""
        return self._stop_all(self._live, "live_stopped", timeout_s)

    def stop_all_strategies(self, *, timeout_s: float = STOP_S) -> list[str]:
        """End all strategies in order, beside each other; return what went wrong, in words."""
        return self._stop_all(self._strategies, "strategies_stopped", timeout_s)

    def stop_all(self, *, timeout_s: float = STOP_S) -> list[str]:
        """End everything in order, for the end of the process; return what went wrong, in words."""
        with self._lock:
            backtests = list(self._backtests.values())
        for runner in backtests:
            runner.cancel()
        return self.stop_all_live(timeout_s=timeout_s) + self.stop_all_strategies(timeout_s=timeout_s)

    # -- parts ---------------------------------------------------------------------------------------------

    def _begin(self, runners: dict[str, R], runner: R, exists: type[LannerError], count: str) -> None:
        with self._lock:
            if self._killed:
                raise KillSwitchActiveError(
                    "the kill switch is active", found=self._killed, fix="Deactivate it first."
                )
            for one in (self._live.get(runner.id), self._strategies.get(runner.id)):
                if one is not None and one.get_status() in ALIVE:
                    raise exists(f"there is a session {runner.id!r} already", found=one.get_status().value)
            self._live.pop(runner.id, None)
            self._strategies.pop(runner.id, None)
            runners[runner.id] = runner
            self._counts[count] += 1
            runner.start(wait=False)

    def _wait(self, runners: dict[str, R], runner: R, wait: bool, timeout_s: float) -> R:
        if not wait:
            return runner
        try:
            runner.wait_started(timeout_s)
        except LannerError:
            with self._lock:
                if (
                    runners.get(runner.id) is runner and not runner.is_alive
                ):  # one that hangs may still wake up
                    del runners[runner.id]
            raise
        return runner

    def _finish(self, runners: dict[str, R], runner: R, count: str, timeout_s: float) -> None:
        """Stop a runner and forget it; one that does not answer is kept, so that it is not forgotten."""
        if runner.is_alive:
            runner.stop(timeout_s=timeout_s)
        stats = runner.get_stats()
        with self._lock:
            if runners.get(runner.id) is runner:
                del runners[runner.id]
                self._counts[count] += not self._killed
                self._past_pnl += stats.realized_pnl
                self._past_trades += stats.orders_filled

    def _stop_all(self, runners: dict[str, R], count: str, timeout_s: float) -> list[str]:
        with self._lock:
            targets = list(runners.values())
        errors: list[str] = []

        def end(runner: R) -> None:
            try:
                self._finish(runners, runner, count, timeout_s)
            except LannerError as error:
                errors.append(f"{runner.id}: {error.message()}")

        if targets:
            with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="stop") as pool:
                list(pool.map(end, targets))
        return errors

    def _of_live(self, session_id: str) -> LiveRunner:
        with self._lock:
            found = self._live.get(session_id)
        if found is None:
            raise LiveNotFoundError(f"no session {session_id!r}", expected=_names(self._live))
        return found

    def _of_strategy(self, strategy_id: str) -> StrategyRunner:
        with self._lock:
            found = self._strategies.get(strategy_id)
        if found is None:
            raise StrategyNotFoundError(
                f"no strategy {strategy_id!r} runs", expected=_names(self._strategies)
            )
        return found

    def _of_backtest(self, backtest_id: str) -> BacktestRunner:
        with self._lock:
            found = self._backtests.get(backtest_id)
        if found is None:
            raise BacktestNotFoundError(f"no backtest {backtest_id!r}", expected=_names(self._backtests))
        return found

    def _free_backtest_id(self) -> str:
        stem = f"backtest-{wall_ns() // 1_000_000}"
        number, name = 1, stem
        while name in self._backtests:
            number += 1
            name = f"{stem}-{number}"
        return name


def _names(known: Mapping[str, object]) -> str:
    return f"one of {', '.join(known)}" if known else "(there is none)"


def _entry(runner: LiveRunner) -> dict[str, Any]:
    config = runner.config
    return {
        "session_id": runner.id,
        "status": runner.get_status().value,
        "mode": config.mode,
        "strategies": [entry.strategy for entry in config.entries()],
        "instruments": list(config.instruments),
        "folder": str(Path(runner.folder)),
        "last_error": runner.last_error,
    }
