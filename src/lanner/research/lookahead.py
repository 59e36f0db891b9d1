"""Does a strategy know what it cannot know yet? Take the future away, or put another in its place, and compare.

Cut right after a bar at which orders left, the data hold all that was known then; every order up to that bar must
come again: same time, side, quantity, price and type. A file that holds the played prices, and that the strategy
reads, is cut at the same bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from lanner.research.lookahead_files import PriceFile, price_file, show_until
from lanner.research.probes import Decision, Finding, Trial, first_difference, one_line
from lanner.research.probes_stage import Outcome, Stage
from lanner.research.probes_watch import Surroundings, Touch
from lanner.strategy.errors import moment

if TYPE_CHECKING:
    import polars as pl

ENOUGH = 3
"""How many cuts that show it are enough to be sure."""

FIX = (
    "Decide from self.bars(...) and its indicators only; whatever is computed before the run or kept outside it "
    "must not come from bars after self.now."
)


def check_lookahead(stage: Stage) -> Outcome:
    """Return whether orders change when the future is cut off or replaced, at every signal bar or a sample of them."""
    outcome = Outcome("look-ahead")
    outcome.findings += _catalog_reads(stage)
    if not stage.comparable:
        outcome.note = "not judged: equal runs differ already (see the other findings)"
        outcome.done = bool(outcome.findings)
        return outcome
    signals = signal_bars(stage)
    cuts = chosen_cuts(signals, stage.budget, stage.seed)
    if not cuts:
        outcome.note = "not judged: no orders"
        outcome.done = bool(outcome.findings)
        return outcome
    files = [found for path in _files_read(stage) if (found := price_file(path, stage.world)) is not None]
    shown: list[tuple[int, str, Decision | None, Decision | None, Trial]] = []
    done = 0
    wild = set(chosen_cuts(cuts, max(2, stage.budget // 5), stage.seed + 1))
    with TemporaryDirectory(prefix="lanner-check-") as folder:
        for ts in cuts:
            done += 1
            for what, frames in _futures(stage, ts, ts in wild):
                trial = _cut_trial(stage, ts, frames, files, Path(folder))
                pair = first_difference(stage.reference.until(ts), trial.until(ts))
                if pair is not None:
                    shown.append((ts, what, *pair, trial))
                    break
            if len(shown) >= ENOUGH:
                break
    outcome.note = f"{done} of {len(signals)} signal bars cut, {len(wild)} with another future"
    if files:
        outcome.note += f"; {len(files)} file cut too"
    if shown:
        outcome.findings.insert(0, _finding(stage, shown, done, files))
    return outcome


def signal_bars(stage: Stage) -> list[int]:
    """Return the closes (UNIX ns) of the bars after which something was decided, each once."""
    ts = stage.world.ts
    times = np.array(stage.reference.signal_times(), dtype=np.int64)
    bars = np.unique(np.searchsorted(ts, times, side="right") - 1)
    # at the last bar there is no future to take away
    return [int(ts[bar]) for bar in bars if 0 <= bar < len(ts) - 1]


def chosen_cuts(times: Sequence[int], budget: int, seed: int) -> list[int]:
    """Return all times, or when they are too many half of the budget evenly spread and the rest drawn by seed."""
    if len(times) <= budget:
        return list(times)
    spread = np.unique(np.linspace(0, len(times) - 1, max(1, budget - budget // 2)).round().astype(int))
    rest = np.setdiff1d(np.arange(len(times)), spread)
    drawn = np.random.default_rng(seed).choice(rest, min(len(rest), budget - len(spread)), replace=False)
    return [times[at] for at in sorted({*spread.tolist(), *drawn.tolist()})]


def _futures(stage: Stage, ts: int, wild: bool) -> list[tuple[str, list[pl.DataFrame]]]:
    """Return what is played after the cut: nothing, and where wanted bars that never happened."""
    futures = [("taken away", stage.world.cut(ts))]
    if wild:
        futures.append(("replaced", stage.world.corrupted(ts, stage.seed)))
    return futures


def _cut_trial(
    stage: Stage, ts: int, frames: list[pl.DataFrame], files: Sequence[PriceFile], folder: Path
) -> Trial:
    shown = {file.path: show_until(file, ts, folder) for file in files}
    return stage.attempt(frames=frames, around=Surroundings(files=shown))


def _finding(
    stage: Stage,
    shown: list[tuple[int, str, Decision | None, Decision | None, Trial]],
    done: int,
    files: Sequence[PriceFile],
) -> Finding:
    _, what, before, after, trial = shown[0]
    ts = min(decision.ts for decision in (before, after) if decision is not None)
    nothing = f"no order ({one_line(trial.error)})" if trial.error is not None else "no order"
    lines = [touch.line for touch in stage.touched if touch.kind == "file"] if files else []
    return Finding(
        "look-ahead",
        "error",
        f"an order changes when the future is {what}",
        expected=str(before) if before is not None else "no order",
        found=str(after) if after is not None else nothing,
        fix=FIX,
        bar=stage.bar(ts),
        ts=ts,
        line=lines[0] if lines else None,
        evidence={
            "cuts_that_differ": len(shown),
            "cuts": done,
            "cut_at": moment(shown[0][0]),
            "files": [file.path for file in files],
        },
    )


def _files_read(stage: Stage) -> list[str]:
    return list(dict.fromkeys(touch.what for touch in stage.touched if touch.kind == "file"))


def in_catalog(stage: Stage, touch: Touch) -> bool:
    """Tell whether a file that was read lies in the catalog that the check's own data come from."""
    if touch.kind != "file" or not stage.world.catalog:
        return False
    root = Path(stage.world.catalog).expanduser().resolve()
    return Path(touch.what).resolve().is_relative_to(root)


def _catalog_reads(stage: Stage) -> list[Finding]:
    """Name reads of the catalog while the strategy runs: there the whole future lies open."""
    lines = sorted({touch.line for touch in stage.touched if in_catalog(stage, touch)})
    if not lines:
        return []
    return [
        Finding(
            "look-ahead",
            "error",
            "the strategy reads the catalog while it runs",
            expected="market data from self.bars(), self.quotes() or self.trades()",
            found=f"data sets opened in line {', '.join(map(str, lines))}",
            fix=FIX,
            line=lines[0],
        )
    ]
