"""``BacktestRunner``: one backtest in a process of its own, which takes no time from sessions and can be ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from lanner.backtest.dates import format_time
from lanner.control.errors import BacktestNotFinishedError
from lanner.control.requests import BacktestRequest
from lanner.control.states import BACKTEST_LIFE, BacktestStatus
from lanner.net.wallclock import mono_ns
from lanner.storage.environment import default_runs

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult

END_S = 5.0
OVER = BACKTEST_LIFE.final


class Slots:
    """Bound how many backtests run beside each other (default: one for each processor but one)."""

    def __init__(self, count: int | None) -> None:
        self._free = threading.Semaphore(count or max(1, (os.cpu_count() or 2) - 1))

    def take(self, timeout_s: float) -> bool:
        """Wait for a free place; tell whether there was one."""
        return self._free.acquire(timeout=timeout_s)

    def give_back(self) -> None:
        """Let the next one run."""
        self._free.release()


@dataclass(frozen=True, slots=True)
class BacktestProgress:
    """How far a backtest is: ``progress`` from 0 to 1; bars are all its events of market data."""

    progress: float = 0.0
    current_bar: int = 0
    total_bars: int = 0
    current_date: str | None = None
    trades_so_far: int | None = None
    elapsed_seconds: float = 0.0
    phase: str = ""


@dataclass(frozen=True, slots=True)
class BacktestSummary:
    """What came out of a backtest, in the words of the seed; None is a figure that the run does not define."""

    run_id: str
    total_return: float | None
    sharpe_ratio: float | None
    max_drawdown: float | None
    win_rate: float | None
    profit_factor: float | None
    total_trades: int
    winning_trades: int
    losing_trades: int
    net_profit: float
    total_commission: float


class BacktestRunner:
    """Run one backtest; the result is kept in the run store like that of ``lanner backtest``."""

    def __init__(self, backtest_id: str, request: BacktestRequest, slots: Slots) -> None:
        self.id = backtest_id
        self.request = request
        self.last_error = ""
        self._plain = request.config().to_plain()
        self._slots = slots
        self._state = BacktestStatus.QUEUED
        self._changed = threading.Condition(threading.RLock())
        self._process: subprocess.Popen[str] | None = None
        self._progress = BacktestProgress()
        self._summary: BacktestSummary | None = None
        self._started_ns = 0
        self._thread = threading.Thread(target=self._run, name=f"backtest-{backtest_id}", daemon=True)

    def start(self) -> None:
        """Queue the backtest."""
        self._thread.start()

    # -- asking --------------------------------------------------------------------------------------------

    def get_status(self) -> BacktestStatus:
        """Return where the backtest is."""
        with self._changed:
            return self._state

    @property
    def is_running(self) -> bool:
        """Tell whether it runs now."""
        return self.get_status() is BacktestStatus.RUNNING

    def get_progress(self) -> BacktestProgress:
        """Return how far it is."""
        with self._changed:
            return self._progress

    def get_result(self) -> BacktestSummary:
        """Return its figures; ``BacktestNotFinishedError`` before its end, and for one that has none."""
        with self._changed:
            if self._summary is None:
                raise BacktestNotFinishedError(
                    f"backtest {self.id} has no result", found=self.last_error or self._state.value
                )
            return self._summary

    def get_detailed_result(self) -> BacktestResult:
        """Return everything that it made, read from the run store."""
        from lanner.backtest.load import load_result
        from lanner.storage.runs import RunStore

        return load_result(RunStore(default_runs()).folder(self.get_result().run_id))

    def join(self, timeout_s: float | None = None) -> BacktestStatus:
        """Wait until it is over; return its status."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in OVER, timeout_s)
            return self._state

    def entry(self) -> dict[str, Any]:
        """Return it as plain data for lists."""
        with self._changed:
            return {
                "backtest_id": self.id,
                "status": self._state.value,
                "strategy": self.request.strategy,
                "symbol": self.request.symbol,
                "progress": self._progress.progress,
                "run_id": None if self._summary is None else self._summary.run_id,
                "last_error": self.last_error,
            }

    def cancel(self) -> BacktestStatus:
        """End it before its end; one that is over stays as it is."""
        with self._changed:
            if self._state not in OVER:
                self._move(BacktestStatus.CANCELLED)
            process, state = self._process, self._state
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
        return state

    # -- the work ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._slots.take(0.2):
            if self.get_status() is BacktestStatus.CANCELLED:
                return
        try:
            with self._changed:
                if self._state is BacktestStatus.CANCELLED:
                    return
                self._move(BacktestStatus.RUNNING)
                self._started_ns = mono_ns()
                process = self._process = _worker()
            self._follow(process)
        except OSError as error:
            self._over(BacktestStatus.FAILED, f"the backtest's process could not be used: {error}")
        finally:
            self._slots.give_back()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        """Hand the settings over and read what the process tells until it ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        listener = threading.Thread(target=_read_end, args=(process.stderr, said), daemon=True)
        listener.start()
        with process:
            try:
                process.stdin.write(json.dumps(self._plain, default=str))
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended at once; what it said tells why
            for line in process.stdout:
                if line.endswith("\n"):  # else the process died while it wrote
                    self._told(json.loads(line))
            process.wait()
            listener.join(END_S)
        if self.get_status() is BacktestStatus.RUNNING:
            text = said[-1].strip() if said else f"exit code {process.returncode}"
            self._over(BacktestStatus.FAILED, f"the backtest's process ended: {text}")

    def _told(self, message: dict[str, Any]) -> None:
        with self._changed:
            if self._state is not BacktestStatus.RUNNING:
                return
            elapsed = (mono_ns() - self._started_ns) / 1e9
            match message.get("tell"):
                case "progress":
                    done, total = int(message["done"]), int(message["total"])
                    self._progress = BacktestProgress(
                        min(1.0, done / total) if total else 0.0,
                        done,
                        total,
                        format_time(message["ts"]) if message["ts"] else None,
                        None,
                        elapsed,
                        str(message["phase"]),
                    )
                case "result":
                    self._summary = BacktestSummary(**message["summary"])
                    events = int(message["events"])
                    self._progress = BacktestProgress(
                        1.0, events, events, None, self._summary.total_trades, elapsed, "done"
                    )
                    self._over(BacktestStatus.COMPLETED, "")
                case "error":
                    self._over(BacktestStatus.FAILED, str(message["message"]))

    def _over(self, state: BacktestStatus, error: str) -> None:
        with self._changed:
            if self._state in OVER:
                return
            self.last_error = error
            self._move(state)

    def _move(self, state: BacktestStatus) -> None:
        BACKTEST_LIFE.check(self._state, state, self.id)
        self._state = state
        self._changed.notify_all()


def _worker() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lanner.control.backtest_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for whoever manages the backtest
    )


def _read_end(stream: IO[str], kept: list[str]) -> None:
    """Read what a process says and keep its last lines, so that it never waits for a reader."""
    for line in stream:
        kept.append(line)
        del kept[:-20]
