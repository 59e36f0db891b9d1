"""Is the declared warm-up long enough? Start later, with no more history than was declared, and watch.

Two things are compared with the run over all the data: the values of the declared indicators, bar for bar, and the
decisions that were made while both runs held a position of the same sign. Windowed indicators agree at once,
recursive ones (an EMA) after a few of their lengths; what still differs long after was never warm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lanner.research.probes import Finding, Trial
from lanner.research.probes_stage import Outcome, Stage
from lanner.strategy.errors import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lanner.engine.engine import Engine
    from lanner.indicators.base import Lines
    from lanner.strategy.base import Strategy

STARTS = (0.25, 0.4)
"""Where the later runs start, as fractions of the data."""
LENGTHS, GRACE = 10, 50
"""How many declared warm-ups, and bars beyond, a recursive indicator may take to settle."""
CLOSE = 0.01
"""How near two values of an indicator are when they agree, as a fraction of its usual range."""
CLEAR = 0.25
"""The part of a position that an order must move to count as a decision of its own."""
FEW, SHARE = 3, 0.25
"""How many decisions must differ, and which part of all, before that is no accident."""

Key = tuple[int, str, int]
"""Time (UNIX ns), instrument and side of an order."""


@dataclass(slots=True)
class Watched:
    """The declared indicators of one run: their values by series and bar time, and how much warm-up they ask for.

    ``unready`` are times at which something was sent while an indicator had no value yet.
    """

    values: dict[str, dict[int, float]] = field(default_factory=dict)
    warmup: int = 0

    def hook(self, engine: Engine, _strategy: Strategy) -> None:
        """Listen to closed bars, after the indicators have moved and before the strategy is asked."""

        def note(_topic: str, bar: object) -> None:
            series, ts = bar.series, bar.ts_event  # type: ignore[attr-defined]
            route = engine.subscriptions.bars[series]
            for number, (_, declared) in enumerate(route.owners):
                self.warmup = max(self.warmup, declared.bars_to_warm)
                fields = [indicator for other in declared.fields.values() for indicator in other.indicators]
                for at, indicator in enumerate((*declared.indicators, *declared.bar_indicators, *fields)):
                    for line in indicator.lines:
                        name = f"{type(indicator).__name__}[{number}.{at}].{line} of {series}"
                        self.values.setdefault(name, {})[ts] = _line_value(indicator, line)

        engine.bus.subscribe("bar.closed", note)


def _line_value(indicator: Lines, name: str) -> float:
    return float(indicator.line(name).value)


def check_warmup(stage: Stage) -> Outcome:
    """Return whether starting later changes indicators or decisions long after the declared warm-up."""
    outcome = Outcome("warm-up")
    full = Watched()
    whole = stage.attempt(hooks=[full.hook])
    if not stage.comparable or whole.error is not None or not whole.decisions:
        outcome.done, outcome.note = False, "not judged: no orders, or equal runs differ already"
        return outcome
    outcome.findings += _too_early(stage, whole, full)
    if stage.attempt(seed=stage.world.base.seed + 1).decisions != whole.decisions:
        outcome.note = f"{full.warmup} bars declared; orders drawn by lot cannot be compared between starts"
        return outcome
    ts = stage.world.played
    starts = [int(ts[int(len(ts) * part)]) for part in STARTS]
    allowed = 0
    for start in starts:
        later = Watched()
        trial = stage.attempt(hooks=[later.hook], since=start)
        if trial.error is not None:
            continue
        allowed = _allowance(full.warmup, int((ts >= start).sum()))
        finding = _judge(stage, start, allowed, (whole, full), (trial, later))
        if finding is not None:
            outcome.findings.append(finding)
            break
    outcome.note = f"{full.warmup} bars declared; {len(starts)} later starts"
    return outcome


def _allowance(warmup: int, bars: int) -> int:
    return min(LENGTHS * warmup + GRACE, bars // 2)


def _too_early(stage: Stage, whole: Trial, full: Watched) -> list[Finding]:
    """Name the first order that left while a declared indicator had no value yet."""
    if not full.values or not whole.decisions:
        return []
    first = min(whole.decisions, key=lambda decision: decision.ts)
    for name, values in full.values.items():
        times = np.fromiter(values, dtype=np.int64)
        numbers = np.fromiter(values.values(), dtype=np.float64)
        ready = times[~np.isnan(numbers)]
        if not len(ready) or int(ready[0]) > first.ts:
            when = "never" if not len(ready) else f"from {moment(int(ready[0]))} on"
            return [
                Finding(
                    "warm-up",
                    "warning",
                    "an order leaves before an indicator has its first value",
                    expected=f"{name.partition('[')[0]} ready ({when})",
                    found=str(first),
                    fix="Ask indicator.ready before using it in on_start, on_timer, or on bars of another series.",
                    bar=stage.bar(first.ts),
                    ts=first.ts,
                )
            ]
    return []


def _judge(
    stage: Stage, start: int, allowed: int, whole: tuple[Trial, Watched], later: tuple[Trial, Watched]
) -> Finding | None:
    """Compare what a later start gave with the whole run, from ``allowed`` bars after it."""
    ts = stage.world.played
    at = int(np.searchsorted(ts, start))
    settled = int(ts[min(len(ts) - 1, at + allowed)])
    missed, total, first = _disagreement(whole[0], later[0], settled, stage.world.ts)
    if missed < FEW or missed < SHARE * total:
        return None
    name, bars = _slowest(whole[1], later[1], start)
    declared = later[1].warmup
    if bars is None and name:
        return None  # its indicators agree: what differs is the position it came in with
    slow = bool(name)
    return Finding(
        "warm-up",
        "error" if slow else "warning",
        f"{name.partition('[')[0]} is not warm after its declared warm-up"
        if slow
        else "decisions depend on the bar at which the run starts",
        expected=f"the same orders {allowed} bars after a start at {moment(start)} as with all the history",
        found=f"{missed} of {total} orders differ"
        + (
            f"; the indicator still differs {bars} bars after the start, {declared} are declared"
            if slow
            else ""
        ),
        fix="Give the indicator the warmup that it needs, or compute it over a window."
        if slow
        else "Compute from declared indicators or a window of self.bars(), not from all bars since the start.",
        bar=stage.bar(first),
        ts=first,
        evidence={"differ": missed, "orders": total, "allowed_bars": allowed, "declared_bars": declared},
    )


def _slowest(whole: Watched, later: Watched, start: int) -> tuple[str, int | None]:
    """Return the indicator that takes longest to agree, and after how many bars; "" without any indicators.

    The number is None when all agree as soon as they may.
    """
    if not later.values:
        return "", None
    worst, longest = "", -1
    for name, values in later.values.items():
        bars = _bars_apart(whole.values.get(name, {}), values, start)
        if bars > longest:
            worst, longest = name, bars
    limit = _allowance(later.warmup, max(map(len, later.values.values())))
    return worst, longest if longest > limit else None


def _bars_apart(whole: dict[int, float], later: dict[int, float], start: int) -> int:
    """Return after how many bars two runs of an indicator agree for good."""
    times = [ts for ts in later if ts >= start and ts in whole]
    if not times:
        return 0
    one: NDArray[np.float64] = np.array([whole[ts] for ts in times])
    two: NDArray[np.float64] = np.array([later[ts] for ts in times])
    known = one[~np.isnan(one)]
    spread = float(np.subtract(*np.percentile(known, [95, 5]))) if len(known) else 0.0
    apart = np.abs(one - two) > CLOSE * max(spread, 1e-12)
    apart |= np.isnan(one) != np.isnan(two)
    return int(np.flatnonzero(apart)[-1]) + 1 if apart.any() else 0


def _disagreement(
    whole: Trial, later: Trial, settled: int, bars: NDArray[np.int64]
) -> tuple[int, int, int | None]:
    """Count orders after a time that only one of two runs sent, though both held the same sign of position.

    What answers a fill (it leaves between bars) is left out, and so are small changes of a position.
    """
    held_one, held_two = _positions(whole), _positions(later)
    one = _turns(whole, held_one, settled, bars)
    two = _turns(later, held_two, settled, bars)
    comparable = [key for key in one | two if np.sign(held_one(key)) == np.sign(held_two(key))]
    differ = sorted(key for key in comparable if (key in one) != (key in two))
    return len(differ), len(comparable), differ[0][0] if differ else None


def _turns(trial: Trial, held: Callable[[Key], float], after: int, bars: NDArray[np.int64]) -> set[Key]:
    """Return the orders at closes of bars that open, close or clearly change a position."""
    at_close = set(bars[bars > after].tolist())
    keys = set()
    for decision in trial.decisions:
        key = decision.ts, decision.instrument_id, decision.side
        if decision.side and decision.ts in at_close and decision.qty > CLEAR * abs(held(key)):
            keys.add(key)
    return keys


def _positions(trial: Trial) -> Callable[[Key], float]:
    """Return a function that gives the position right before an order; dust counts as none."""
    assert trial.result is not None
    by_instrument: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    for name in trial.result.instruments:
        fills = [fill for fill in trial.result.fills if fill.instrument_id == name]
        held = np.cumsum([0.0, *(fill.side * fill.qty for fill in fills)])
        by_instrument[name] = np.array([fill.ts for fill in fills], dtype=np.int64), held

    def before(key: Key) -> float:
        times, held = by_instrument[key[1]]
        now = float(held[int(np.searchsorted(times, key[0], side="left"))])
        return 0.0 if abs(now) < 1e-9 else now

    return before
