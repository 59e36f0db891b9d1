"""One kill switch for all sessions of a process: each is ended by itself, all of them at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lanner.control.errors import in_words
from lanner.control.runner import LiveRunner
from lanner.control.stopping import KillOutcome
from lanner.control.strategies import StrategyRunner
from lanner.core.errors import LannerError

STOP_S = 10.0


@dataclass(slots=True)
class KillSwitchResult:
    """What the manager's kill switch did: real counts, and each session's own outcome."""

    reason: str
    strategies_stopped: int = 0
    live_stopped: int = 0
    orders_cancelled: int = 0
    positions_closed: int = 0
    sessions: list[KillOutcome] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def flat(self) -> bool:
        """Tell whether it is proven of every session that nothing is left."""
        return not self.errors and all(one.flat for one in self.sessions)


def kill_all(
    targets: Sequence[LiveRunner],
    reason: str,
    *,
    cancel_orders: bool,
    close_positions: bool,
    stop_s: float = STOP_S,
) -> KillSwitchResult:
    """Run the kill switch of all sessions beside each other, then end them; one that fails holds up no other.

    ``stop_s`` bounds how long is waited for a session to end by itself.
    """
    result = KillSwitchResult(reason)
    lock = threading.Lock()

    def end(runner: LiveRunner) -> None:
        was_active = runner.is_active
        outcome, errors = _end(runner, reason, cancel_orders, close_positions, stop_s)
        with lock:
            result.errors += errors
            if outcome is not None:
                result.sessions.append(outcome)
                result.orders_cancelled += outcome.orders_cancelled
                result.positions_closed += outcome.positions_closed
            if was_active and isinstance(runner, StrategyRunner):
                result.strategies_stopped += 1
            elif was_active:
                result.live_stopped += 1

    if targets:
        with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="kill") as pool:
            list(pool.map(end, targets))
    return result


def _end(
    runner: LiveRunner, reason: str, cancel_orders: bool, close_positions: bool, stop_s: float
) -> tuple[KillOutcome | None, list[str]]:
    """Kill and stop one session; return its outcome, and what went wrong in words."""
    outcome: KillOutcome | None = None
    errors: list[str] = []
    try:
        if runner.is_active or runner.may_hold:
            outcome = runner.kill(
                reason, cancel_orders=cancel_orders, close_positions=close_positions, stop_s=stop_s
            )
    except Exception as error:  # noqa: BLE001 - a full disk, a fault of the house: the others' outcomes are to be told
        errors.append(f"{runner.id}: {in_words(error)}")
    try:
        runner.end(timeout_s=0.2 if runner.is_broken else stop_s)
    except LannerError as error:
        if outcome is None or not outcome.errors:  # of one that does not answer we have told already
            errors.append(f"{runner.id}: {error.message()}")
    return outcome, errors
