"""The live view of a sweep: one progress bar with speed and time left, and the five best so far; on terminals only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lanner.cli.render.progress import wants_progress

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType

    from lanner.research.distributed_ledger import PoolState
    from lanner.research.sweep import SweepProgress

_PHASES = {"read": "Reading", "search": "Searching", "conclude": "Judging", "write": "Writing"}
# Seconds over which the speed is measured that foretells the end.
_MEMORY = 15.0
LEADERS = 5


class SweepView:
    """Show a search on a rich console: feed it with `update`, it draws itself whenever the console asks.

    `clock` returns seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: SweepProgress | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, state: SweepProgress) -> None:
        """Take over how far the search is."""
        if state.phase != "search" and self._state is not None:
            # Later phases count nothing; what was reached stays in sight.
            last = self._state
            state = type(state)(
                state.phase, last.done, last.total, last.combo_bars, last.seconds, state.best or last.best
            )
        self._state = state
        now = self._clock()
        self._seen.append((now, state.done))
        while len(self._seen) > 2 and self._seen[0][0] < now - _MEMORY:
            self._seen.popleft()

    def seconds_left(self) -> float | None:
        """Return how long the rest takes at the speed of the last seconds, None while that is not known."""
        state = self._state
        if state is None or state.phase != "search" or state.total <= 0 or len(self._seen) < 2:
            return None
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        if last <= first or ended <= began:
            return None
        ahead = (state.total - last) * (ended - began) / (last - first)
        return max(0.0, ahead - (self._clock() - ended))

    def __rich__(self) -> Group:
        """Return the bar, and below it the leaders."""
        from rich.console import Group

        parts: list[RenderableType] = [self._bar()]
        if self._state is not None:
            if self._state.pool is not None and self._state.phase == "search":
                parts.append(_pool(self._state.pool))
            parts += [_leader(place, *entry) for place, entry in enumerate(self._state.best[:LEADERS], 1)]
        return Group(*parts)

    def _bar(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        state = self._state
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, width=9)
        table.add_column(width=26)
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        if state is None:
            table.add_row("Starting", ProgressBar(total=None, pulse=True, width=26), "", "", "", "")
            return table
        counted = state.total > 0
        bar = ProgressBar(
            total=state.total if counted else None, completed=state.done, width=26, pulse=not counted
        )
        seconds = max(state.seconds, 1e-9)
        table.add_row(
            Text(_PHASES.get(state.phase, state.phase.capitalize())),
            bar,
            Text(f"{state.done:,}/{state.total:,}" if counted else ""),
            Text(f"{state.done / seconds:,.0f}/s" if state.done else "", style="dim"),
            Text(
                f"{state.combo_bars / seconds / 1e6:,.1f} M combo·bars/s" if state.combo_bars else "",
                style="dim",
            ),
            Text(self._left(), style="cyan"),
        )
        return table

    def _left(self) -> str:
        left = self.seconds_left()
        if left is None:
            return ""
        minutes, seconds = divmod(round(left), 60)
        hours, minutes = divmod(minutes, 60)
        return f"ETA {hours}:{minutes:02}:{seconds:02}" if hours else f"ETA {minutes}:{seconds:02}"


def _pool(state: PoolState) -> RenderableType:
    """Return how the shards of a search on a cluster stand; the state lives, so this is a heart-beat too."""
    from rich.text import Text

    queued = "" if state.queued is None else f"{state.queued:,} queued, "
    lost = f", {state.lost:,} lost and sent again" if state.lost else ""
    return Text(
        f"  {queued}{state.running:,} running, {state.done:,} done{lost}; "
        f"{len(state.workers):,} workers on {state.processors:,} processors",
        style="dim",
    )


def _leader(place: int, score: float, params: dict[str, object]) -> RenderableType:
    from rich.text import Text

    from lanner.research.report.words import params_text

    clean = "".join(c if c.isprintable() else " " for c in params_text(params))
    return Text.assemble(
        (f"  {place}  ", "dim"), (f"{score:>10.3f}".replace("-", "−"), "bold"), f"  {clean}", no_wrap=True,
        overflow="ellipsis",
    )  # fmt: skip


@contextmanager
def sweep_progress(
    *, quiet: bool, console: Console | None = None
) -> Iterator[Callable[[SweepProgress], None] | None]:
    """Hand out the function that a search calls with its progress, or None where nobody would see it."""
    if quiet or (console is None and not wants_progress()):
        yield None
        return
    from rich.console import Console as Made
    from rich.live import Live

    view = SweepView()
    with Live(view, console=console or Made(stderr=True), refresh_per_second=8, transient=True):
        yield view.update
