"""The backtests of one process by id."""

from __future__ import annotations

import threading
from typing import Any

from lanner.control.backtests import BacktestRunner, Slots
from lanner.control.errors import BacktestAlreadyExistsError, BacktestNotFoundError
from lanner.control.requests import BacktestRequest
from lanner.control.shelf import names
from lanner.net.wallclock import wall_ns


class BacktestShelf:
    """Hold backtests; ``at_once`` of them run beside each other, the others wait."""

    def __init__(self, at_once: int | None) -> None:
        self._lock = threading.Lock()
        self._runners: dict[str, BacktestRunner] = {}
        self._slots = Slots(at_once)

    def start(self, request: BacktestRequest, name: str) -> str:
        """Queue a backtest and return its id."""
        with self._lock:
            name = name or self._free_id()
            if name in self._runners:
                raise BacktestAlreadyExistsError(f"there is a backtest {name!r} already")
            runner = self._runners[name] = BacktestRunner(name, request, self._slots)
            runner.start()
        return name

    def of(self, name: str) -> BacktestRunner:
        """Return a backtest by its id."""
        with self._lock:
            found = self._runners.get(name)
            if found is None:
                raise BacktestNotFoundError(f"no backtest {name!r}", expected=names(self._runners))
        return found

    def remove(self, name: str) -> None:
        """Forget a backtest, ending it where it still runs."""
        self.of(name).cancel()
        with self._lock:
            self._runners.pop(name, None)

    def runners(self) -> list[BacktestRunner]:
        """Return all backtests."""
        with self._lock:
            return list(self._runners.values())

    def entries(self) -> list[dict[str, Any]]:
        """Return what a list shows of each."""
        return [runner.entry() for runner in self.runners()]

    def _free_id(self) -> str:
        stem = f"backtest-{wall_ns() // 1_000_000}"
        number, name = 1, stem
        while name in self._runners:
            number += 1
            name = f"{stem}-{number}"
        return name
