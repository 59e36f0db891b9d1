"""Searches that learn from what they tried: Optuna's samplers, asked for shards of variants and told their scores."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from lanner.core.errors import ConfigError, LannerError
from lanner.research.market import Floats
from lanner.research.search import Space
from lanner.research.sweep import SweepPlan
from lanner.research.sweep_result import Params

METHODS = ("tpe", "nsga2", "cmaes")
FEWEST_AT_ONCE, MOST_AT_ONCE = 8, 128
ROUNDS = 16
"""How often a search at least gets to learn from what it tried."""

SHARDS = 16
"""Into how many shards a round is cut, so that every worker has something to do."""

_FRUITLESS = 200
_WORST = -1e12


class Sampler:
    """Ask Optuna for variants in rounds; a round is measured as a whole before the next is asked for.

    Rounds and shards depend on the number of trials alone, and scores are told in the order of asking: the search is
    the same however many workers measure it, and whoever of them is done first.
    """

    def __init__(self, plan: SweepPlan, space: Space, shard: int) -> None:
        if importlib.util.find_spec("optuna") is None:
            raise LannerError(
                f"--method {plan.method} needs optuna, which is not installed",
                expected="the optional part 'research'",
                fix="Run: pip install 'lanner[research]'",
            )
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.plan, self.space, self.shard = plan, space, shard
        self._names = plan.objectives
        self._study = optuna.create_study(
            directions=["maximize"] * len(self._names), sampler=_sampler(plan.method, plan.seed)
        )
        self._asked: dict[int, list[Any]] = {}
        self._seen: dict[tuple[Any, ...], list[float]] = {}
        self._told: dict[int, tuple[list[Params], Floats]] = {}

    def rounds(self) -> Iterator[list[tuple[int, list[Params]]]]:
        """Yield rounds of numbered shards until all trials are used or nothing new comes."""
        number = done = fruitless = 0
        size = max(FEWEST_AT_ONCE, min(self.plan.trials // ROUNDS, MOST_AT_ONCE))
        share = min(self.shard, -(-size // SHARDS))
        while done < self.plan.trials and fruitless < _FRUITLESS:
            sets: list[Params] = []
            trials: list[Any] = []
            while len(sets) < min(size, self.plan.trials - done) and fruitless < _FRUITLESS:
                trial = self._study.ask()
                params = self._suggest(trial)
                key = tuple(params[axis.name] for axis in self.space.axes)
                if not self.space.allowed(params):
                    self._study.tell(trial, [_WORST] * len(self._names))
                    fruitless += 1
                elif key in self._seen:
                    self._study.tell(trial, self._seen[key])
                    fruitless += 1
                else:
                    self._seen[key] = [_WORST] * len(self._names)
                    sets.append(params)
                    trials.append(trial)
                    fruitless = 0
            if sets:
                shards = []
                for start in range(0, len(sets), share):
                    self._asked[number] = trials[start : start + share]
                    shards.append((number, sets[start : start + share]))
                    number += 1
                yield shards
                done += len(sets)
                self._pass_on()

    def tell(self, number: int, sets: list[Params], scores: Floats) -> None:
        """Take the scores of a shard."""
        self._told[number] = sets, scores

    def _pass_on(self) -> None:
        """Tell Optuna the scores of a round in the order of asking; an unranked variant counts as the worst."""
        for number in sorted(self._told):
            sets, scores = self._told[number]
            for trial, params, score in zip(self._asked.pop(number), sets, scores, strict=True):
                values = [_WORST if np.isnan(value) else float(value) for value in np.atleast_1d(score)]
                self._study.tell(trial, values)
                self._seen[tuple(params[axis.name] for axis in self.space.axes)] = values
        self._told.clear()

    def _suggest(self, trial: Any) -> Params:
        chosen: Params = {}
        for axis in self.space.axes:
            if axis.kind in ("choice", "bool"):
                chosen[axis.name] = trial.suggest_categorical(axis.name, axis.values)
            else:
                chosen[axis.name] = axis.values[trial.suggest_int(axis.name, 0, len(axis.values) - 1)]
        return {**self.space.fixed, **chosen}


def _sampler(method: str, seed: int) -> Any:
    import warnings

    import optuna

    classes = {
        "tpe": optuna.samplers.TPESampler,
        "nsga2": optuna.samplers.NSGAIISampler,
        "cmaes": optuna.samplers.CmaEsSampler,
    }
    if method not in classes:
        raise ConfigError(
            "unknown search method", expected=f"grid, random, {', '.join(METHODS)}", found=repr(method)
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # a round's variants are asked for before any is measured: the liar keeps them apart
            more = {"constant_liar": True} if method == "tpe" else {}
            return classes[method](seed=seed, **more)
    except ImportError as error:
        raise LannerError(
            f"--method {method} needs a package that is not installed",
            found=str(error),
            fix="Use --method tpe.",
        ) from None
