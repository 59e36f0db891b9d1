"""Does the same run give the same result? Again in this process, with another clock, other dice, another process.

The strategy is played with everything around it held still; then one thing at a time is changed. What changes the
orders names the fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.research.probes import Finding, Trial, difference, differs
from lanner.research.probes_stage import Outcome, Stage
from lanner.research.probes_watch import OTHER_CLOCK_S, OTHER_TICK_S, Surroundings, Touch

if TYPE_CHECKING:
    from lanner.research.probes_process import OtherProcesses

REPEAT_FIX = "Take time from self.now, randomness from self.rng and order from lists or sorted()."


def check_repeats(stage: Stage, others: OtherProcesses | None) -> tuple[Outcome, Outcome]:
    """Return what repeating the run shows: about determinism, and about state that outlives a run."""
    determinism, state = Outcome("determinism"), Outcome("state")
    if others is not None:
        others.ask(stage)
    again = stage.attempt()
    stage.comparable = not differs(stage.reference, again)
    if not stage.comparable:
        _unlike_itself(stage, again, determinism, state)
    else:
        _change_one_thing(stage, determinism)
        if not determinism.findings:
            second = stage.attempt(cls=stage.cls)
            if differs(stage.reference, second):
                state.findings.append(_leak(stage, second))
    answered = 0
    if others is not None and stage.ref and not state.findings:
        answered = _elsewhere(stage, others, determinism)
    where = f", in {answered} other processes" if answered else ""
    determinism.note = f"again, at another time, with other dice{where}"
    state.note = "a second run in the same process"
    return determinism, state


def _unlike_itself(stage: Stage, again: Trial, determinism: Outcome, state: Outcome) -> None:
    """Tell dice that nobody can hold still from a memory outside the run: a file, the environment, a module."""
    kept = any(touch.kind in ("write", "environment") for touch in stage.touched)
    if kept or not stage.from_file:
        state.findings.append(_leak(stage, again, "A file, the environment or a module carries it on."))
        return
    ts, first, other = difference(stage.reference, again)
    determinism.findings.append(
        Finding(
            "determinism",
            "error",
            "two runs over the same data differ",
            expected=first,
            found=other,
            fix=REPEAT_FIX,
            bar=stage.bar(ts),
            ts=ts,
        )
    )


def _change_one_thing(stage: Stage, outcome: Outcome) -> None:
    for what, around, fix in (
        (
            "the orders depend on the time of day at which the run is made",
            Surroundings(clock_s=OTHER_CLOCK_S, tick_s=OTHER_TICK_S),
            "Take the time from self.now or bar.ts_event, and use set_timer for what happens by the clock.",
        ),
        (
            "the orders depend on random numbers that nobody seeded",
            Surroundings(dice=2),
            "Draw from self.rng, which is seeded by the run's seed.",
        ),
    ):
        other = stage.attempt(around=around)
        if differs(stage.reference, other):
            ts, first, second = difference(stage.reference, other)
            touch = next(iter(clock_reads(around)), None) if "time" in what else None
            outcome.findings.append(
                Finding(
                    "determinism",
                    "error",
                    what,
                    expected=first,
                    found=second,
                    fix=fix,
                    bar=stage.bar(ts),
                    ts=ts,
                    line=touch.line if touch else None,
                )
            )


def clock_reads(around: Surroundings) -> list[Touch]:
    """Return where user code read the operating system's clock."""
    return [touch for touch in around.touched if touch.kind == "clock"]


def _leak(stage: Stage, second: Trial, more: str = "") -> Finding:
    ts, first, other = difference(stage.reference, second)
    return Finding(
        "state",
        "error",
        "something of the first run is still there in the second",
        expected=first,
        found=other,
        fix=" ".join(
            filter(None, (more, "Make it an attribute of the instance, set in on_start: self.memory = []."))
        ),
        bar=stage.bar(ts),
        ts=ts,
    )


def _elsewhere(stage: Stage, others: OtherProcesses, determinism: Outcome) -> int:
    """Compare with runs in fresh processes, whose sets and hashes are ordered otherwise; return how many answered."""
    answers = others.answers()
    if any(trial is None for _, trial in answers):
        determinism.findings.append(
            Finding(
                "determinism",
                "warning",
                "another process ended without an answer",
                expected="the same run in a fresh process",
                found="no answer",
                fix="Look whether the strategy ends the program, or needs what only this process has.",
            )
        )
    for seed, trial in answers:
        if trial is None or determinism.findings or not differs(stage.reference, trial):
            continue
        ts, first, other = difference(stage.reference, trial)
        determinism.findings.append(
            Finding(
                "determinism",
                "error",
                "another process gives other orders",
                expected=first,
                found=other,
                fix="Go through sets as sorted(...), and use no hash(), id() or process id to choose anything.",
                bar=stage.bar(ts),
                ts=ts,
                evidence={"PYTHONHASHSEED": seed},
            )
        )
    return sum(1 for _, trial in answers if trial is not None)
