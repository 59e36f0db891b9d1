"""The numbers behind the charts of a sweep's page, as small JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lanner.analysis import METRICS, Unit
from lanner.backtest.report.frame import safe_json
from lanner.backtest.report.payload import EQUITY_POINTS, seconds, short, shorts
from lanner.backtest.report.thin import thin_indices
from lanner.research.report.bins import score_bins
from lanner.research.report.heat import heat_maps
from lanner.research.report.proof import number_of
from lanner.research.report.words import (
    STATISTICS,
    best_variant,
    is_fraction,
    neutral_score,
    objective_label,
    value_text,
)
from lanner.research.significance import expected_maximum_sharpe
from lanner.research.sweep_result import Axis, Curve, SweepResult, Variant

MOST_LINES = 2_000
Json = dict[str, Any]


def sweep_json(result: SweepResult) -> str:
    """Return the page's data as JSON that is safe inside a script element."""
    words = [_Words(axis, [*result.sample, *result.top]) for axis in result.axes]
    return safe_json(
        {
            "currency": result.currency,
            "objective": {
                "name": result.objective,
                "label": objective_label(result.objective),
                "fraction": is_fraction(result.objective),
                "neutral": neutral_score(result.objective),
            },
            "axes": [word.as_json() for word in words],
            "top": _top(result, words),
            "sample": _sample(result, words),
            "heats": heat_maps(result.heats, [axis.name for axis in result.axes]),
            "histogram": _histogram(result),
            "best": _curve(result.best_curve),
            "forward": _forward(result),
            "metrics": {
                name: [metric.label, metric.summary, metric.formula, metric.source.replace("`", "")]
                for name, metric in METRICS.items()
                if name in {known for known, _ in STATISTICS.values()}
            },
        }
    )


class _Words:
    """Number the values of one axis: numbers stand for themselves, all else for its place in the list of texts."""

    def __init__(self, axis: Axis, variants: Sequence[Variant]) -> None:
        self.axis = axis
        self.numeric = axis.kind in {"int", "float"}
        self.texts = [] if self.numeric else [value_text(value) for value in axis.values]
        if not self.numeric:
            seen = (value_text(variant.params.get(axis.name)) for variant in variants)
            self.texts = list(dict.fromkeys([*self.texts, *seen]))

    def code(self, variant: Variant) -> float | int | None:
        value = variant.params.get(self.axis.name)
        if not self.numeric:
            return self.texts.index(value_text(value))
        if isinstance(value, int):
            return value
        return short(float(value), 7) if isinstance(value, float) else None

    def as_json(self) -> Json:
        return {"name": self.axis.name, "kind": self.axis.kind, "texts": None if self.numeric else self.texts}


def _sample(result: SweepResult, words: list[_Words]) -> Json:
    """Return a spread of all variants and the best ones, at most as many lines as the chart draws well."""
    first = result.top[:MOST_LINES]
    count = min(len(result.sample), MOST_LINES - len(first))
    spread = np.linspace(0, len(result.sample) - 1, count).round().astype(int).tolist() if count else []
    picked = [*first, *(result.sample[place] for place in spread)]
    keys = {tuple(sorted((name, str(value)) for name, value in v.params.items())): v for v in picked}
    variants = list(keys.values())
    return {
        "params": [[word.code(variant) for variant in variants] for word in words],
        "score": [short(variant.score, 5) for variant in variants],
    }


def _top(result: SweepResult, words: list[_Words]) -> Json:
    several = len(result.objectives) > 1
    others = [name for name in result.objectives if name != result.objective] if several else []
    same = result.objective if result.objective != "max_drawdown" else ""
    kinds = {Unit.FRACTION: "fraction", Unit.COUNT: "count"}
    columns: list[Json] = [
        {"key": f"score:{name}", "label": objective_label(name), "unit": "fraction" if is_fraction(name) else "score",
         "title": f"Score of the objective {objective_label(name)}",
         "values": shorts((_none(v.scores.get(name)) for v in result.top), 6)}
        for name in others
    ]  # fmt: skip
    for name, (metric, label) in STATISTICS.items():
        if metric == same or f"score:{metric}" in {column["key"] for column in columns}:
            continue
        values = shorts((_none(v.statistics.get(name)) for v in result.top), 8)
        if any(value is not None for value in values):
            unit = kinds.get(METRICS[metric].unit, "number")
            columns.append({"key": name, "label": label, "unit": unit, "metric": metric, "values": values})
    return {
        "rank": [variant.rank for variant in result.top],
        "front": [variant.front for variant in result.top] if several else None,
        "params": [[word.code(variant) for variant in result.top] for word in words],
        "score": [short(variant.score, 8) for variant in result.top],
        "columns": columns,
    }


def _none(value: float | None) -> float:
    return math.nan if value is None else float(value)


def luckiest_score(result: SweepResult, scores: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Return the best score to expect from as many trials without skill, None where that has no meaning.

    Of Sharpe ratios the verdict has measured it, per bar; else the spread of the scores around the neutral one is
    taken for luck (Bailey & López de Prado 2014).
    """
    measured = _measured_luck(result)
    if measured is not None:
        return measured
    neutral = neutral_score(result.objective)
    trials = max(result.trials, result.done)
    if neutral is None or scores.size < 3 or trials < 2:
        return None
    # Perfect scores of variants with a handful of trades would stand for most of the spread.
    low, high = np.percentile(scores, (0.5, 99.5))
    variance = float(np.var(np.clip(scores, low, high), ddof=1))
    return neutral + expected_maximum_sharpe(trials, variance) if variance > 0.0 else None


def _measured_luck(result: SweepResult) -> float | None:
    """Return the verdict's expected maximum in the unit of the scores: the best one's Sharpe ratio is known in both."""
    evidence, best = (result.verdict or {}).get("evidence"), best_variant(result)
    if result.objective != "sharpe" or best is None or not isinstance(evidence, dict):
        return None
    per_bar, luck = number_of(evidence.get("sharpe")), number_of(evidence.get("expected_maximum"))
    if not per_bar or luck is None or not math.isfinite(best.score):
        return None
    return luck * best.score / per_bar


def _histogram(result: SweepResult) -> Json | None:
    scores = np.array([variant.score for variant in result.sample or result.top], dtype=np.float64)
    scores = scores[np.isfinite(scores)]
    best = best_variant(result)
    bins = result.histogram or score_bins(scores)
    if bins is None or not bins.counts:
        return None
    return {
        "edges": shorts(bins.edges, 6),
        "counts": list(bins.counts),
        "n": sum(bins.counts),
        "median": short(float(np.median(scores)), 5) if scores.size else None,
        "best": short(best.score, 6) if best else None,
        "luck": None if (luck := luckiest_score(result, scores)) is None else short(luck, 6),
        "whole": result.histogram is not None,
    }


def _curve(curve: Curve | None) -> Json | None:
    if curve is None or len(curve.ts) < 2:
        return None
    equity = np.asarray(curve.equity, dtype=np.float64)
    series = [equity]
    if len(curve.benchmark) == equity.size:
        series.append(np.asarray(curve.benchmark, dtype=np.float64))
    keep = thin_indices(series, EQUITY_POINTS)
    return {
        "t": seconds(np.asarray(curve.ts, dtype=np.int64)[keep]),
        "v": shorts(equity[keep], 7),
        "b": shorts(series[1][keep], 7) if len(series) > 1 else None,
    }


def _forward(result: SweepResult) -> Json | None:
    walk = result.walk_forward
    if walk is None:
        return None
    return {
        "curve": _curve(Curve(walk.ts, walk.equity, [])),
        "train": shorts((_none(window.train_score) for window in walk.windows), 6),
        "test": shorts((_none(window.test_score) for window in walk.windows), 6),
        "starts": [window.test[0] // 1_000_000_000 for window in walk.windows],
    }
