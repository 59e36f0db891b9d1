"""Where shards are measured: threads over kernels that let go of the interpreter, processes for Python strategies."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass

from lanner.backtest.config import BacktestConfig
from lanner.research.sweep import InThisThread, Pool, SweepPlan, make_task
from lanner.research.sweep_result import Params
from lanner.research.variants import Shard, Task, measure

AHEAD = 2
"""How many shards wait for each worker, so that memory stays bounded however large the search is."""


@dataclass(slots=True, frozen=True)
class Recipe:
    """What another process needs to make the same task for itself."""

    config: BacktestConfig
    plan: SweepPlan

    def task(self) -> Task:
        """Open the data and load the strategy again."""
        from lanner.backtest.prepare import prepare

        return make_task(prepare(self.config, run_id="sweep").spec, self.plan)[0]


def workers_or_all(workers: int | None) -> int:
    """Return how many workers to use: those asked for, else one per processor this process may use."""
    if workers is not None:
        return max(1, workers)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_pool(task_engine: str, workers: int, recipe: Recipe | None) -> Pool:
    """Return the pool that suits an engine on this machine."""
    if workers == 1:
        return InThisThread()
    if task_engine != "event":
        return Threads(workers)
    return InThisThread() if recipe is None else Processes(workers, recipe)


class Threads:
    """Measure shards in threads."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._compiled = False

    def measure(self, task: Task, shards: Iterable[tuple[int, list[Params]]]) -> Iterator[tuple[int, Shard]]:
        """Yield (number, shard) as they are done."""
        shards = iter(shards)
        if not self._compiled:
            first = next(shards, None)
            if first is None:
                return
            # the very first one alone: threads that compile the same kernel at once would wait for each other
            yield first[0], measure(task, first[1])
            self._compiled = True
        with ThreadPoolExecutor(self.workers) as executor:
            yield from _spread(lambda sets: executor.submit(measure, task, sets), self.workers, shards)


class Processes:
    """Measure shards in processes of their own, each of which opens the data once."""

    def __init__(self, workers: int, recipe: Recipe) -> None:
        self.workers, self.recipe = workers, recipe
        self._executor: ProcessPoolExecutor | None = None

    def measure(self, task: Task, shards: Iterable[tuple[int, list[Params]]]) -> Iterator[tuple[int, Shard]]:
        """Yield (number, shard) as they are done."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), _open_task, (self.recipe,)
            )
        executor = self._executor
        try:
            yield from _spread(lambda sets: executor.submit(_measure_here, sets), self.workers, iter(shards))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise

    def __del__(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)


_TASK: list[Task] = []


def _open_task(recipe: Recipe) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who collects
    _TASK[:] = [recipe.task()]


def _measure_here(sets: list[Params]) -> Shard:
    return measure(_TASK[0], sets)


def _spread(
    submit: Callable[[list[Params]], Future[Shard]], workers: int, shards: Iterator[tuple[int, list[Params]]]
) -> Iterator[tuple[int, Shard]]:
    """Keep every worker busy with a few shards waiting; on the way out what has not begun is dropped."""
    waiting: dict[Future[Shard], int] = {}
    try:
        while True:
            while len(waiting) < workers * AHEAD and (job := next(shards, None)) is not None:
                waiting[submit(job[1])] = job[0]
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()
