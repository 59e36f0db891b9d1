"""Does a signal decide the same in both its forms: over whole columns, and bar by bar in the engine?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lanner.core.errors import LannerError
from lanner.research.evaluate import SignalProgram
from lanner.research.probes import Finding, built, one_line
from lanner.research.probes_stage import Outcome, Stage
from lanner.research.probes_watch import Surroundings
from lanner.research.simulate import Simulator, StackedGuardsError
from lanner.research.sweep import read_market, why_not_arrays
from lanner.research.variants import Task
from lanner.strategy.vector import SignalStrategy, signal_array

if TYPE_CHECKING:
    import polars as pl

    from lanner.backtest.result import BacktestResult
    from lanner.engine.engine import Engine
    from lanner.strategy.base import Strategy

Wanted = tuple[int, str, float]
"""When a position was asked for (UNIX ns), of which instrument, and its weight."""


def check_vector(stage: Stage) -> Outcome:
    """Compare what the array form of a signal wants with what the event run asked for, bar for bar."""
    outcome = Outcome("vector")
    if not issubclass(stage.cls, SignalStrategy):
        outcome.done, outcome.note = False, "only for signal functions"
        return outcome
    if stage.world.base.since_ns is not None:
        outcome.done, outcome.note = False, "compared over whole data only, without --since"
        return outcome
    frames = _signal_frames(stage)
    if frames is None:
        outcome.done, outcome.note = False, f"needs bars of {stage.world.timeframe} themselves"
        return outcome
    asked: list[Wanted] = []
    trial = stage.attempt(hooks=[_listener(asked)])
    try:
        wanted = [item for name, frame in frames.items() for item in _from_array(stage, name, frame)]
    except LannerError as error:
        outcome.findings.append(_finding(stage, None, "weights for every bar", one_line(error)))
        return outcome
    bars = sum(frame.height for frame in frames.values())
    outcome.note = f"array form against event run, {bars:,} bars, {len(wanted):,} changes"
    _compare(stage, sorted(wanted), sorted(asked), outcome)
    if not outcome.findings and trial.result is not None:
        _compare_fills(stage, trial.result, outcome)
    return outcome


def _compare_fills(stage: Stage, result: BacktestResult, outcome: Outcome) -> None:
    """Play the signal with the array engine, as a sweep does, and compare what was filled."""
    from lanner.kernels import available

    spec = stage.world.base
    if not available() or why_not_arrays(spec, stage.cls):
        return
    with Surroundings().active():
        cls = stage.load()
        program = SignalProgram(cls, [dict(stage.params)])
        market = read_market(spec)
        task = Task("array", cls, market, spec, np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
        weights = program.columns(market.columns).weights(0)
    try:
        made = Simulator(market, task.rules()).run(weights)
    except StackedGuardsError:
        return  # several brackets at once: a sweep leaves such a variant to the event engine
    tick, lot = market.instrument.tick_float, market.instrument.lot_float
    events = [(fill.ts, fill.side, round(fill.qty / lot), round(fill.px / tick)) for fill in result.fills]
    opened, closed = market.columns["ts_open"], market.ts
    arrays = [
        (
            int(opened[row["bar"]]) + 1 if row["at"] == 0 else int(closed[row["bar"]]),
            int(row["side"]),
            int(row["lots"]),
            int(row["px"]),
        )
        for row in made.fills
    ]
    outcome.note += f", {len(events):,} fills by both engines"
    for number in range(max(len(events), len(arrays))):
        left = arrays[number] if number < len(arrays) else None
        right = events[number] if number < len(events) else None
        if left != right:
            ts = min(item[0] for item in (left, right) if item is not None)
            outcome.findings.append(_finding(stage, ts, _fill_text(left), _fill_text(right)))
            return


def _fill_text(fill: tuple[int, int, int, int] | None) -> str:
    from lanner.strategy.errors import moment

    if fill is None:
        return "no fill"
    side = "BUY" if fill[1] > 0 else "SELL"
    return f"{side} {fill[2]} lots at {fill[3]} ticks, {moment(fill[0])}"


def _compare(stage: Stage, wanted: list[Wanted], asked: list[Wanted], outcome: Outcome) -> None:
    for number in range(max(len(wanted), len(asked))):
        left = wanted[number] if number < len(wanted) else None
        right = asked[number] if number < len(asked) else None
        if left != right:
            ts = min(item[0] for item in (left, right) if item is not None)
            outcome.findings.append(_finding(stage, ts, _text(left), _text(right)))
            return


def _finding(stage: Stage, ts: int | None, expected: str, found: str) -> Finding:
    return Finding(
        "vector",
        "error",
        "the signal over whole columns and the run bar by bar want different positions",
        expected=expected,
        found=found,
        fix="Leave on_bar and on_start of a signal as they are, and let the function depend on nothing but "
        "bars and its parameters.",
        bar=stage.bar(ts),
        ts=ts,
    )


def _text(item: Wanted | None) -> str:
    from lanner.strategy.errors import moment

    return "no change" if item is None else f"weight {item[2]:g} of {item[1]} at {moment(item[0])}"


def _listener(asked: list[Wanted]) -> object:
    def listen(engine: Engine, strategy: Strategy) -> None:
        own = strategy.target

        def target(weight: float, **options: object) -> object:
            name = str(options.get("instrument") or strategy.instrument.id)
            asked.append((engine.clock.now, name, weight))
            return own(weight, **options)  # type: ignore[arg-type]

        vars(strategy)["target"] = target

    return listen


def _signal_frames(stage: Stage) -> dict[str, pl.DataFrame] | None:
    """Return the played bars of the signal's timeframe by instrument; None when the engine has to build them."""
    streams = zip(stage.world.base.streams, stage.world.frames, strict=True)
    frames = {
        stream.instrument_id: frame
        for stream, frame in streams
        if stream.kind == "bars" and stream.spec == stage.world.timeframe
    }
    return frames if set(frames) == set(stage.world.base.instruments) else None


def _from_array(stage: Stage, name: str, frame: pl.DataFrame) -> list[Wanted]:
    """Return the changes of position that the array form wants, by the rule that a signal is traded with."""
    with Surroundings().active():
        strategy = built(stage.load(), dict(stage.params))
        assert isinstance(strategy, SignalStrategy)
        weights = signal_array(strategy, frame)
    instruments = stage.world.base.instruments
    least = -1.0 if strategy.allow_short and not instruments[name].is_spot else 0.0
    share = 1.0 / len(instruments)
    followed, wanted = 0.0, []
    for ts, weight in zip(frame["ts_event"].to_numpy().astype(np.int64).tolist(), weights, strict=True):
        if weight == followed or weight != weight:
            continue
        followed = weight
        wanted.append((ts, name, max(weight, least) * share))
    return wanted
