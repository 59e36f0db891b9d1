"""What ``lanner drill`` shows: a bar while it runs, then what was thrown at the engine and what did not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lanner.cli.render.progress import wants_progress

if TYPE_CHECKING:
    from lanner.drill.campaign import Campaign
    from lanner.drill.run import Outcome

MOST_SHOWN = 20


@contextmanager
def drill_progress(seeds: int, *, quiet: bool) -> Iterator[Callable[[Outcome], None] | None]:
    """Hand out the function that a campaign calls after each run, or None where nobody would see it."""
    if quiet or not wants_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("Drilling"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.speed:.1f} runs/s  {task.fields[found]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=seeds, found="")
        bad = 0

        def show(outcome: Outcome) -> None:
            nonlocal bad
            bad += bool(outcome.violations)
            bar.update(task, advance=1, found=f"{bad} failed" if bad else "")

        yield show


def print_campaign(campaign: Campaign, *, quiet: bool) -> None:
    """Print the verdict, and unless ``quiet`` what happened."""
    from lanner.cli.output import console, note

    out = console()
    bad = sorted({one["seed"] for one in campaign.violations})
    if not quiet:
        faults = ", ".join(f"{name} {count:,}" for name, count in sorted(campaign.faults.items()))
        out.print(f"faults     {faults or 'none'}", soft_wrap=True)
        out.print(
            f"played     {campaign.orders:,} orders, {campaign.fills:,} fills, {campaign.restarts:,} restarts in "
            f"{campaign.virtual_s / 3600:,.1f} virtual hours",
            soft_wrap=True,
        )
        out.print(f"speed      {campaign.runs_per_s:.1f} runs/s, {campaign.seconds:,.1f} s", soft_wrap=True)
        for one in campaign.violations[:MOST_SHOWN]:
            out.print(
                f"\nseed {one['seed']}: {one['invariant']}\n  {one['detail']}\n  {one['repeat']}",
                soft_wrap=True,
                markup=False,
            )
        if len(campaign.violations) > MOST_SHOWN:
            out.print(f"\n… and {len(campaign.violations) - MOST_SHOWN} more", soft_wrap=True)
    verdict = (
        f"{len(bad)} of {campaign.runs} runs failed" if bad else f"{campaign.runs} runs, everything held"
    )
    out.print(verdict, soft_wrap=True)
    for text in campaign.notes:
        note(text, quiet=quiet)
