"""The progress bar of a run: phase, simulated date, speed and time left; on terminals only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lanner.storage.environment import progress_wanted

if TYPE_CHECKING:
    from lanner.backtest.spec import Progress

_PHASES = {"read": "Reading", "backtest": "Running", "write": "Writing"}


def wants_progress() -> bool:
    """Tell whether progress bars are seen by somebody and not refused by ``LANNER_PROGRESS``."""
    return sys.stderr.isatty() and progress_wanted()


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Hand out the function that a run calls with its progress, or None where nobody would see it."""
    if quiet or not wants_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[date]}  {task.fields[speed]:>14}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    started = time.monotonic()
    with bar:
        task = bar.add_task("Starting", total=None, date="", speed="")

        def show(progress: Progress) -> None:
            bar.update(task, description=_PHASES.get(progress.phase, progress.phase.capitalize()))
            if progress.total:
                seconds = max(time.monotonic() - started, 1e-9)
                bar.update(
                    task,
                    completed=progress.done,
                    total=progress.total,
                    date=_date(progress.ts),
                    speed=f"{progress.done / seconds:,.0f} ev/s",
                )

        yield show


def _date(ts: int) -> str:
    from lanner.backtest.dates import format_time

    return format_time(ts)[:10] if ts else ""
