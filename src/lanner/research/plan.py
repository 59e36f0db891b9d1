"""From what a user says of a search to its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lanner.core.errors import ConfigError
from lanner.research.objectives import objective
from lanner.research.samplers import METHODS
from lanner.research.search import Constraint, make_axes
from lanner.research.splits import SplitKind
from lanner.research.sweep import SweepPlan
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import declared

ENGINES = ("auto", "array", "event")
FORWARDS = {str(kind).split("_")[0]: kind for kind in SplitKind if kind is not SplitKind.FIXED_RATIO}


def make_plan(
    cls: type[Strategy],
    params: Mapping[str, str],
    *,
    fixed: Mapping[str, Any] | None = None,
    where: Sequence[str] = (),
    method: str = "grid",
    trials: int = 1000,
    objectives: Sequence[str] = ("sharpe",),
    min_trades: int = 10,
    top: int = 20,
    engine: str = "auto",
    walk_forward: str = "rolling",
    windows: int = 8,
    train: float = 0.7,
    gap: int = 0,
    seed: int = 1,
) -> SweepPlan:
    """Return the plan of a search, or raise what is wrong with it; ``params`` are read as ``make_axes`` says."""
    axes, given = make_axes(cls, params)
    for name in objectives:
        objective(name)
    _one_of("search method", method, ("grid", "random", *METHODS))
    _one_of("engine", engine, ENGINES)
    _one_of("walk-forward", walk_forward, (*FORWARDS, "none"))
    for what, value, least in (("trials", trials, 1), ("top", top, 1), ("min-trades", min_trades, 0)):
        if value < least:
            raise ConfigError(f"--{what} is too small", expected=f"at least {least}", found=value)
    return SweepPlan(
        axes=axes,
        fixed={**(fixed or {}), **given},
        constraints=[Constraint.parse(text, list(declared(cls))) for text in where],
        method=method,
        trials=trials,
        objectives=list(objectives),
        min_trades=min_trades,
        top=top,
        engine=engine,
        forward=FORWARDS.get(walk_forward),
        windows=windows,
        train_ratio=train,
        gap=gap,
        seed=seed,
    )


def _one_of(what: str, word: str, words: Iterable[str]) -> None:
    if word not in words:
        raise ConfigError(f"unknown {what}", expected=", ".join(words), found=repr(word))


def spoken(values: object) -> str:
    """Return a parameter's values as the command line writes them: a range, a list, or one value."""
    if isinstance(values, str):
        return values
    if isinstance(values, range):
        if values.step < 1 or not len(values):
            raise ConfigError(
                "a range of parameters goes up", expected="range(low, high, step)", found=repr(values)
            )
        return f"{values[0]}:{values[-1]}:{values.step}"
    if isinstance(values, Iterable):
        return ",".join(str(value) for value in values)
    return str(values)
