"""The runners of one process by id: begun, found, ended and counted, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from lanner.control.killswitch import clear_kill_switch, kill_switch_reason, refuse, set_kill_switch
from lanner.control.runner import LiveRunner
from lanner.control.states import ALIVE
from lanner.core.errors import ConfigError, LannerError

R = TypeVar("R", bound=LiveRunner)


class Fleet:
    """What the shelves of a process share: their lock, their ids, what came of runners that are gone."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.shelves: list[Shelf[Any]] = []
        self.past_pnl = 0.0
        self.past_trades = 0
        self._unkept = ""

    def runners(self) -> list[LiveRunner]:
        """Return all runners."""
        with self.lock:
            return [runner for shelf in self.shelves for runner in shelf.runners.values()]

    # -- the kill switch -----------------------------------------------------------------------------------

    def killed(self) -> str:
        """Return why nothing is started, or nothing."""
        return self._unkept or kill_switch_reason()

    def set_killed(self, reason: str) -> str:
        """Let nothing be started any more; return what is wrong where only this process will know of it."""
        with self.lock:
            try:
                set_kill_switch(reason)
            except OSError as error:
                self._unkept = reason
                return f"the kill switch could not be kept for the time after this process: {error}"
        return ""

    def clear_killed(self, reason: str) -> bool:
        """Let runners be started again; tell whether the kill switch was set."""
        with self.lock:
            was = bool(self._unkept)
            if was and not reason.strip():
                raise ConfigError("the kill switch is taken off only with a reason")
            was |= bool(clear_kill_switch(reason))
            self._unkept = ""
            return was


class Shelf(Generic[R]):
    """Runners of one kind; ``exists`` and ``missing`` are the errors that say so, ``word`` what one is called."""

    def __init__(
        self, fleet: Fleet, word: str, exists: type[LannerError], missing: type[LannerError]
    ) -> None:
        self.runners: dict[str, R] = {}
        self.started = self.stopped = 0
        self._fleet = fleet
        self._word, self._exists, self._missing = word, exists, missing
        fleet.shelves.append(self)

    def begin(self, runner: R, *, wait: bool, timeout_s: float) -> R:
        """Start a runner; one that could not be started is forgotten again."""
        with self._fleet.lock:
            refuse(self._fleet.killed())
            for shelf in self._fleet.shelves:
                one = shelf.runners.get(runner.id)
                if one is not None and one.get_status() in ALIVE:
                    raise self._exists(
                        f"there is a session {runner.id!r} already", found=one.get_status().value
                    )
            for shelf in self._fleet.shelves:
                shelf.runners.pop(runner.id, None)
            self.runners[runner.id] = runner
            self.started += 1
            runner.start(wait=False)
        if wait:
            self._wait(runner, timeout_s)
        return runner

    def _wait(self, runner: R, timeout_s: float) -> None:
        try:
            runner.wait_started(timeout_s)
        except LannerError:
            with self._fleet.lock:
                hangs = runner.is_alive  # it may still wake up
                if self.runners.get(runner.id) is runner and not hangs:
                    del self.runners[runner.id]
                    self.started -= 1
            raise

    def of(self, name: str) -> R:
        """Return a runner by its id, or raise the error for one that is missing."""
        with self._fleet.lock:
            found = self.runners.get(name)
            if found is None:
                raise self._missing(f"no {self._word} {name!r}", expected=names(self.runners))
        return found

    def finish(self, runner: R, timeout_s: float) -> None:
        """Stop a runner and forget it; one that does not answer is kept, so that it is not forgotten."""
        runner.end(timeout_s=timeout_s)
        stats = runner.get_stats()
        with self._fleet.lock:
            if self.runners.get(runner.id) is runner:
                del self.runners[runner.id]
                self.stopped += not self._fleet.killed()
                self._fleet.past_pnl += stats.realized_pnl
                self._fleet.past_trades += stats.orders_filled

    def stop_all(self, timeout_s: float) -> list[str]:
        """End all runners in order, beside each other; return what went wrong, in words."""
        with self._fleet.lock:
            targets = list(self.runners.values())
        errors: list[str] = []

        def end(runner: R) -> None:
            try:
                self.finish(runner, timeout_s)
            except LannerError as error:
                errors.append(f"{runner.id}: {error.message()}")

        if targets:
            with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="stop") as pool:
                list(pool.map(end, targets))
        return errors

    def count_active(self) -> int:
        """Return how many trade, or would when they are resumed."""
        with self._fleet.lock:
            return sum(one.is_active for one in self.runners.values())

    def entries(self) -> list[dict[str, Any]]:
        """Return what a list shows of each runner."""
        with self._fleet.lock:
            return [_entry(runner) for runner in self.runners.values()]


def names(known: Mapping[str, object]) -> str:
    """Return what there is, in words."""
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
