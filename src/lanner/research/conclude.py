"""From what a search measured to what it means: ranking, maps, walk-forward, and the answer to "is it luck?"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.returns import simple_returns
from lanner.backtest.run import run_backtest
from lanner.core.errors import LannerError
from lanner.core.rng import Rng
from lanner.research.evaluate import SignalProgram
from lanner.research.fused import play_fused
from lanner.research.market import Floats, Market
from lanner.research.objectives import OBJECTIVES, objective, ranked
from lanner.research.overfit import WalkForwardReport, walk_forward_report
from lanner.research.pareto import pareto_ranks
from lanner.research.past import weights_of
from lanner.research.plateau import Plateau, plateau_of_scores
from lanner.research.simulate import Simulator, StackedGuardsError
from lanner.research.sweep import Found, SweepPlan
from lanner.research.sweep_result import Axis, Curve, ForwardStep, Heat, Params, Variant, WalkForward
from lanner.research.variants import compiled_runner, event_spec
from lanner.research.verdict import gather, judge

CURVE_POINTS = 2000
SAMPLE = 2000
_FEWEST_BARS = 64


def curve_of(found: Found, params: Params, start: int, stop: int) -> Floats:
    """Return the equity of a variant at each bar of a span, traded from its first bar."""
    task = found.task
    if task.engine == "compiled":
        return compiled_runner(task).run(params, log=False, start=start, stop=stop).equity
    if task.engine == "array":
        program = SignalProgram(task.strategy, [params])
        try:
            if program.logical(0) and (start, stop) == (0, len(task.market)) and not task.past:
                return play_fused(program, 0, task.market, task.rules(), sums=0).equity
            weights = weights_of(task.strategy, params, task.market, task.past, task.spec.since_ns or 0)
            return Simulator(task.market, task.rules()).run(weights, start=start, stop=stop, log=False).equity
        except StackedGuardsError:
            pass
    result = run_backtest(event_spec(task, params))
    places = np.searchsorted(np.asarray(result.equity.ts), task.market.ts, side="right") - 1
    equity = np.where(places >= 0, np.asarray(result.equity.equity)[np.maximum(places, 0)], task.capital)
    before = equity[start - 1] if start else task.capital
    return np.asarray(task.capital * equity[start:stop] / before)


def variants(found: Found, plan: SweepPlan, order: Sequence[int] | NDArray[np.int64]) -> list[Variant]:
    """Return variants in the given order with their scores and statistics."""
    own = found.statistics(0)
    scores = {name: objective(name).score(own, plan.min_trades) for name in plan.objectives}
    table = _table(own)
    fronts: NDArray[np.int64] | None = None
    if len(plan.objectives) > 1:
        fronts = np.asarray(pareto_ranks(np.stack([scores[name] for name in plan.objectives], axis=1)))
    made = []
    for rank, index in enumerate(np.asarray(order).tolist(), 1):
        made.append(
            Variant(
                rank,
                found.sets[index],
                float(scores[plan.objectives[0]][index]),
                {name: _number(column[index]) for name, column in scores.items()},
                {name: _number(column[index]) for name, column in table.items()},
                0 if fronts is None else int(fronts[index]) + 1,
            )
        )
    return made


def _table(own: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the statistics that people read."""
    names = ("sharpe", "sortino", "calmar", "profit_factor", "win_rate")
    table = {name: OBJECTIVES[name].score(own) for name in names}
    table["total_return"] = own["growth"]
    table["annualized_return"] = own["annual"]
    return table | {name: own[name] for name in ("max_drawdown", "trades", "exposure", "fees", "end_equity")}


def _number(value: float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def ranking(found: Found, plan: SweepPlan) -> NDArray[np.int64]:
    """Return the variants from best to worst: by the first objective, or by Pareto front and then by it."""
    first = found.scores(plan.objectives[0], 0, plan.min_trades)
    if len(plan.objectives) == 1:
        return ranked(first)
    every = np.stack([found.scores(name, 0, plan.min_trades) for name in plan.objectives], axis=1)
    fronts = np.asarray(pareto_ranks(every), dtype=np.float64)
    fronts[fronts < 0] = np.inf
    return np.lexsort((-np.nan_to_num(first, nan=-np.inf), fronts)).astype(np.int64)


def heats(axes: Sequence[Axis], sets: Sequence[Params], scores: Floats) -> list[Heat]:
    """Return the scores over every pair of searched parameters."""
    made = []
    for x, y in combinations(axes, 2):
        places = {axis.name: {value: place for place, value in enumerate(axis.values)} for axis in (x, y)}
        best = np.full((len(y.values), len(x.values)), -np.inf)
        total, count = np.zeros_like(best), np.zeros_like(best)
        columns = np.array([places[x.name][params[x.name]] for params in sets])
        rows = np.array([places[y.name][params[y.name]] for params in sets])
        known = ~np.isnan(scores)
        np.maximum.at(best, (rows[known], columns[known]), scores[known])
        np.add.at(total, (rows[known], columns[known]), scores[known])
        np.add.at(count, (rows[known], columns[known]), 1.0)
        mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        made.append(Heat(x.name, y.name, x.values, y.values, _cells(best), _cells(mean)))
    return made


def _cells(grid: Floats) -> list[list[float | None]]:
    return [[_number(value) for value in row] for row in grid]


def correlations(axes: Sequence[Axis], sets: Sequence[Params], scores: Floats) -> dict[str, float | None]:
    """Return the rank correlation of each searched parameter (texts by their place in the list) with the score."""
    known = np.flatnonzero(~np.isnan(scores))
    made: dict[str, float | None] = {}
    for axis in axes:
        places = {value: place for place, value in enumerate(axis.values)}
        values = np.array([float(places[sets[index][axis.name]]) for index in known.tolist()])
        made[axis.name] = _correlation(_ranks(values), _ranks(scores[known]))
    return made


def _ranks(values: Floats) -> Floats:
    """Return ranks with ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2.0)[inverse])


def _correlation(a: Floats, b: Floats) -> float | None:
    if a.size < 3 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    return _number(np.corrcoef(a, b)[0, 1])


def score_statistics(scores: Floats) -> dict[str, float | None]:
    """Return least, greatest, mean, median and deviation of the scores, and how many variants have one."""
    known = scores[~np.isnan(scores)]
    if not known.size:
        return {
            "ranked": 0.0,
            "min": None,
            "max": None,
            "mean": None,
            "median": None,
            "std": None,
            "positive": None,
        }
    return {
        "ranked": float(known.size),
        "min": float(known.min()),
        "max": float(known.max()),
        "mean": float(known.mean()),
        "median": float(np.median(known)),
        "std": float(known.std(ddof=1)) if known.size > 1 else 0.0,
        "positive": float((known > 0).mean()),
    }


# -- walk-forward ------------------------------------------------------------------------------------


class Forward(NamedTuple):
    """A walk-forward: what is shown of it, its report, and the returns out of sample beside the market's own."""

    shown: WalkForward
    report: WalkForwardReport | None
    returns: Floats
    market: Floats


def forward(found: Found, plan: SweepPlan) -> Forward | None:
    """Choose anew in every training span and judge in the span after it."""
    if not found.windows:
        return None
    task, name, market = found.task, plan.objectives[0], found.task.market
    steps: list[ForwardStep] = []
    trains, tests, growths, chosen = [], [], [], []
    curves: list[Floats] = []
    rows = len(market)
    for number, window in enumerate(found.windows):
        train_span, test_span = 1 + 2 * number, 2 + 2 * number
        least = max(1, round(plan.min_trades * window.train.size / rows)) if plan.min_trades else 0
        scores = found.scores(name, train_span, least)
        best = int(ranked(scores, 1)[0])
        held_out = math.isnan(scores[best])
        params = {} if held_out else found.sets[best]
        after = _table(found.statistics(test_span))
        sharpes = [0.0 if held_out else _number(_table(found.statistics(span))["sharpe"][best]) or 0.0
                   for span in (train_span, test_span)]  # fmt: skip
        growth = 0.0 if held_out else float(np.nan_to_num(after["total_return"][best]))
        steps.append(
            ForwardStep(
                _times(found, window.train.start, window.train.stop),
                _times(found, window.test.start, window.test.stop),
                params,
                None if held_out else _number(scores[best]),
                None if held_out else _number(found.scores(name, test_span)[best]),
                {} if held_out else {key: _number(column[best]) for key, column in after.items()},
            )
        )
        trains.append(sharpes[0])
        tests.append(sharpes[1])
        growths.append(growth)
        chosen.append(params)
        flat = np.full(window.test.size, task.capital)
        curves.append(flat if held_out else curve_of(found, params, window.test.start, window.test.stop))
    parts = [simple_returns(np.concatenate(([task.capital], curve))) for curve in curves]
    returns = np.concatenate(parts)
    held = [
        _holding(market, window.test.start - 1, part.size)
        for window, part in zip(found.windows, parts, strict=True)
    ]
    joined = task.capital * np.cumprod(1.0 + returns)
    report = None
    if all(chosen):
        report = walk_forward_report(trains, tests, growths, chosen, _ranges(plan.axes))
    ts = np.concatenate([market.ts[w.test.start : w.test.stop] for w in found.windows])[: joined.size]
    keep = _thin(joined.size)
    total = float(joined[-1] / task.capital - 1.0)
    falls = 1.0 - joined / np.maximum.accumulate(np.concatenate(([task.capital], joined)))[1:]
    made = WalkForward(
        str(plan.forward),
        steps,
        ts[keep].tolist(),
        joined[keep].tolist(),
        {
            "total_return": total,
            "max_drawdown": float(falls.max()),
            "sharpe": _mean(tests),
            "train_sharpe": _mean(trains),
        },
        {} if report is None else _plain(asdict(report)),
    )
    return Forward(made, report, np.asarray(returns), np.concatenate(held))


def _holding(market: Market, start: int, count: int) -> Floats:
    """Return what the market itself earned at so many bars after one; a ruined account's curve ends early."""
    close = market.close[start : start + count + 1]
    return np.asarray(close[1:] / close[:-1] - 1.0)


def _mean(values: Sequence[float]) -> float | None:
    return _number(float(np.mean(values)))


def _ranges(axes: Sequence[Axis]) -> dict[str, tuple[float, float]]:
    return {axis.name: (min(axis.values), max(axis.values)) for axis in axes if axis.kind in ("int", "float")}


def _times(found: Found, start: int, stop: int) -> tuple[int, int]:
    market = found.task.market
    return int(market.columns["ts_open"][start]), int(market.ts[stop - 1])


def _thin(size: int) -> NDArray[np.int64]:
    if size <= CURVE_POINTS:
        return np.arange(size)
    return np.unique(np.linspace(0, size - 1, CURVE_POINTS).astype(np.int64))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _number(value) if isinstance(value, float) else str(value) if hasattr(value, "value") else value


# -- verdict -----------------------------------------------------------------------------------------


def best_curve(found: Found, best: int) -> tuple[Curve, Floats]:
    """Return the equity of a variant beside buy and hold, thinned for drawing, and its returns bar by bar."""
    market = found.task.market
    equity = curve_of(found, found.sets[best], 0, len(market))
    keep = _thin(len(market))
    hold = found.task.capital * market.close / market.close[0]
    return Curve(market.ts[keep].tolist(), equity[keep].tolist(), hold[keep].tolist()), simple_returns(equity)


def verdict(
    found: Found,
    plan: SweepPlan,
    best: int,
    returns: Floats,
    walk: Forward | None,
    trials: int,
) -> tuple[dict[str, Any] | None, str]:
    """Return the verdict with its evidence, or why there is none."""
    blocks = len(found.task.edges) + 1
    if blocks < 16 or returns.size < _FEWEST_BARS:
        return None, f"Too little data for a verdict: {len(found.task.market):,} bars."
    members = sorted(found.blocks)
    if best not in found.blocks:
        members = [*members, best]
        found.blocks[best] = _blocks_of(found, returns)
    rng = np.random.default_rng(Rng(plan.seed).split("verdict").integer(0, 1 << 62))
    usable = None if walk is None or walk.returns.size < _FEWEST_BARS else walk
    try:
        evidence = gather(
            found.moments(members),
            returns,
            rng,
            chosen=members.index(best),
            out_of_sample=None if usable is None else usable.returns,
            market=_holding(found.task.market, 0, returns.size),
            market_out_of_sample=None if usable is None else usable.market,
            trials=trials,
        )
    except LannerError as error:
        return None, f"No verdict: {error}"
    answer = judge(
        evidence, walk_forward=None if walk is None else walk.report, plateau=_plateau(found, plan)
    )
    return _plain({**answer.as_dict(), "evidence": asdict(evidence)}), ""


def _blocks_of(found: Found, returns: Floats) -> Any:
    change = np.zeros(len(found.task.market))
    change[len(change) - returns.size :] = returns
    cuts = np.concatenate(([0], found.task.edges))
    sums = [np.add.reduceat(change, cuts), np.add.reduceat(change * change, cuts)]
    return np.stack(sums, axis=1).astype(np.float32)


def _plateau(found: Found, plan: SweepPlan) -> Plateau | None:
    """Look at the best variant's neighbours, where the search was a grid of numbers."""
    if plan.method != "grid" or any(axis.kind == "choice" for axis in plan.axes):
        return None
    scores = found.scores(plan.objectives[0], 0, plan.min_trades)
    table = {
        tuple(float(params[axis.name]) for axis in plan.axes): float(score)
        for params, score in zip(found.sets, scores, strict=True)
        if not math.isnan(score)
    }
    try:
        return plateau_of_scores(table) if len(table) > 1 else None
    except LannerError:
        return None
