"""What happens at other parameters: at the ends of their ranges, at every choice, and one step away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.core.errors import ConfigError, LannerError
from lanner.research.probes import Finding, Trial, one_line
from lanner.research.probes_stage import Outcome, Stage

if TYPE_CHECKING:
    from lanner.strategy.parameters import Param

MATERIAL = 0.02
"""A return, as a fraction, that is not just noise around zero."""
EXPLODES, MANY = 3.0, 20
"""How many times more orders is an explosion, and from how many orders on it counts."""
STEP = 0.1
"""One step of a parameter that declares none, as a fraction of its value."""
LIMIT = 60
"""How many other values are tried at most."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What one other value of one parameter gave."""

    name: str
    value: object
    total_return: float | None
    orders: int

    def as_dict(self) -> dict[str, object]:
        """Return the row of the table."""
        return {
            "param": self.name,
            "value": self.value,
            "return": self.total_return,
            "orders": self.orders,
        }


def check_parameters(stage: Stage) -> tuple[Outcome, Outcome]:
    """Return what the legal ends of the parameters' ranges do, and what one step to either side does."""
    ends, stability = Outcome("parameters"), Outcome("stability")
    declared = stage.cls.parameters()
    if not declared:
        for outcome in (ends, stability):
            outcome.done, outcome.note = False, "no parameters"
        return ends, stability
    now = {name: stage.params.get(name, param.default) for name, param in declared.items()}
    now = {name: declared[name].parse(value) for name, value in now.items()}
    tried = refused = 0
    for name, param in declared.items():
        for value in _ends(param, now[name]):
            if tried >= LIMIT:
                break
            tried += 1
            try:
                trial = stage.trial(params={**stage.params, name: value})
            except ConfigError:
                refused += 1
                continue
            except LannerError as error:
                trial = Trial([], error)
            if trial.error is not None and not isinstance(trial.error, ConfigError):
                ends.findings.append(_breaks(name, value, param, trial.error))
    ends.note = f"{tried} ends and choices" + (f", {refused} refused in words" if refused else "")
    _stability(stage, declared, now, stability)
    return ends, stability


def _breaks(name: str, value: object, param: Param[Any], error: LannerError) -> Finding:
    return Finding(
        "parameters",
        "error",
        f"the legal value {name}={value} breaks the strategy",
        expected=f"a run for {param.describe()}",
        found=one_line(error),
        fix="Narrow the range of the Param, or refuse the value in check_params with ln.require.",
        evidence={"param": name, "value": value},
    )


def _ends(param: Param[Any], now: object) -> Iterator[object]:
    if param.choices is not None:
        yield from (choice for choice in param.choices if choice != now)
    elif param.type is bool:
        yield not now
    elif param.type is not str:
        yield from (end for end in (param.low, param.high) if end is not None and end != now)


def _steps(param: Param[Any], now: Any) -> Iterator[Any]:
    """Yield the values one step below and above the present one, as far as they are legal."""
    if param.type not in (int, float) or param.choices is not None:
        return
    step = param.step or (max(1, round(abs(now) * STEP)) if param.type is int else abs(now) * STEP)
    if not step:
        return
    for value in (now - step, now + step):
        if (param.low is None or value >= param.low) and (param.high is None or value <= param.high):
            yield value


def _stability(stage: Stage, declared: dict[str, Param[Any]], now: dict[str, Any], outcome: Outcome) -> None:
    base = _neighbour("", "", stage.reference)
    rows: list[Neighbour] = []
    for name, param in declared.items():
        for value in _steps(param, now[name]):
            if len(rows) >= LIMIT:
                break
            try:
                trial = stage.trial(params={**stage.params, name: value})
            except LannerError:
                continue  # refused, or broken: that is the other check's to say
            if trial.error is None:
                rows.append(_neighbour(name, value, trial))
    luck = _luck(stage.reference)
    flips = [row for row in rows if _flips(base, row, luck)]
    bursts = [row for row in rows if _bursts(base, row)]
    outcome.note = f"{len(rows)} values one step away"
    if not rows:
        outcome.done = False
        outcome.note = "no numeric parameters to move"
    for what, found in (
        ("one step of a parameter turns the result round", flips),
        ("one step of a parameter multiplies or ends the orders", bursts),
    ):
        if found:
            outcome.findings.append(
                Finding(
                    "stability",
                    "warning",
                    what,
                    expected=f"about {_percent(base.total_return)} and {base.orders} orders",
                    found="; ".join(
                        f"{row.name}={_short(row.value)}: {_percent(row.total_return)}, {row.orders} orders"
                        for row in found[:4]
                    ),
                    fix="Look for a plateau of parameters, not a peak: a good rule survives its neighbours.",
                    evidence={"table": [row.as_dict() for row in rows]},
                )
            )


def _neighbour(name: str, value: object, trial: Trial) -> Neighbour:
    result = trial.result
    total = None if result is None else result.metrics.get("total_return")
    return Neighbour(name, value, total, sum(1 for decision in trial.decisions if decision.side))


def _luck(trial: Trial) -> float:
    """Return the standard error of the whole return, as a fraction, were the round trips drawn by lot."""
    result = trial.result
    if result is None or len(result.round_trips) < 2:
        return 0.0
    gains = np.array([float(trip.pnl) for trip in result.round_trips])
    return float(gains.std(ddof=1) * np.sqrt(len(gains)) / float(result.start_equity))


def _flips(base: Neighbour, row: Neighbour, luck: float) -> bool:
    """Tell whether the result changes its sign by more than chance would move it."""
    one, two = base.total_return, row.total_return
    if one is None or two is None or one * two >= 0:
        return False
    return min(abs(one), abs(two)) >= MATERIAL and abs(one - two) > luck


def _bursts(base: Neighbour, row: Neighbour) -> bool:
    low, high = sorted((base.orders, row.orders))
    return high >= MANY and high > EXPLODES * max(low, 1)


def _percent(value: float | None) -> str:
    return "no return" if value is None else f"{100 * value:+.1f} %"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
