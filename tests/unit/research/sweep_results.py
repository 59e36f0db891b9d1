"""Sweeps made by arithmetic: scores with a hill and noise over any axes, walk-forward, verdict and assumptions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lanner.research.sweep_result import Axis, Curve, ForwardStep, Heat, SweepResult, Variant, WalkForward

START = 1_672_531_200_000_000_000
DAY = 86_400_000_000_000
TWO: dict[str, list[Any]] = {"fast": list(range(5, 51, 2)), "slow": list(range(20, 201, 10))}
SIX: dict[str, list[Any]] = {
    "fast": list(range(5, 51, 5)), "slow": list(range(20, 201, 20)), "stop": [0.01, 0.02, 0.03, 0.05],
    "risk": [0.25, 0.5, 1.0], "exit": ["signal", "time", "trail"], "long_only": [True, False],
}  # fmt: skip
EVIL = "</script><img src=x onerror=\"document.title='pwned'\">"


def kind_of(values: Sequence[Any]) -> str:
    first = values[0]
    return "bool" if isinstance(first, bool) else "choice" if isinstance(first, str) else type(first).__name__


def score_of(places: Sequence[float], noise: float, height: float) -> float:
    away = math.fsum((place - 0.45) ** 2 for place in places) / len(places)
    return height * math.exp(-6.0 * away) - 0.45 * height + noise


def statistics_of(score: float, rng: np.random.Generator) -> dict[str, float | None]:
    total = math.expm1(max(-5.0, min(40.0, 0.35 * score)))
    trades = float(rng.integers(12, 400))
    return {
        "sharpe": score, "total_return": total, "annualized_return": (1.0 + total) ** 0.44 - 1.0,
        "max_drawdown": 0.12 + 0.2 * float(rng.random()), "profit_factor": max(0.3, 1.0 + 0.3 * score),
        "win_rate": 0.35 + 0.2 * float(rng.random()), "trades": trades, "exposure": 0.3 + 0.5 * float(rng.random()),
        "fees": 11.5 * trades, "end_equity": 10_000.0 * (1.0 + total),
    }  # fmt: skip


def variants(
    axes: Mapping[str, Sequence[Any]], rng: np.random.Generator, most: int, height: float
) -> list[Variant]:
    sizes = [len(values) for values in axes.values()]
    if math.prod(sizes) > most:
        combos = sorted({tuple(row) for row in rng.integers(0, sizes, (most, len(sizes))).tolist()})
    else:
        combos = list(itertools.product(*map(range, sizes)))
    found = []
    for combo in combos:
        places = [index / max(1, len(values) - 1) for index, values in zip(combo, axes.values(), strict=True)]
        params = {name: values[index] for index, (name, values) in zip(combo, axes.items(), strict=True)}
        if {"fast", "slow"} <= params.keys() and params["fast"] >= params["slow"]:
            continue
        score = score_of(places, float(rng.normal(0.0, 0.12)), height)
        found.append(Variant(0, params, score, {"sharpe": score}, statistics_of(score, rng)))
    found.sort(key=lambda variant: -variant.score)
    for rank, variant in enumerate(found, 1):
        variant.rank = rank
    return found


def heats_of(axes: Mapping[str, Sequence[Any]], found: Sequence[Variant]) -> list[Heat]:
    maps = []
    for x, y in itertools.combinations(axes, 2):
        cells: dict[tuple[Any, Any], list[float]] = {}
        for variant in found:
            cells.setdefault((variant.params[x], variant.params[y]), []).append(variant.score)
        best = [[max(cells[a, b]) if (a, b) in cells else None for a in axes[x]] for b in axes[y]]
        mean = [[float(np.mean(cells[a, b])) if (a, b) in cells else None for a in axes[x]] for b in axes[y]]
        maps.append(Heat(x, y, list(axes[x]), list(axes[y]), best, mean))
    return maps


def walk(size: int, rng: np.random.Generator, drift: float) -> list[float]:
    return [float(value) for value in 10_000.0 * np.exp(np.cumsum(rng.normal(drift, 0.012, size)))]


def forward_of(found: Sequence[Variant], rng: np.random.Generator, count: int, days: int) -> WalkForward:
    steps, span = [], days // (count + 2)
    for index in range(count):
        chosen = found[int(rng.integers(0, min(20, len(found))))]
        train = chosen.score + float(rng.normal(0.2, 0.15))
        test = chosen.score * 0.5 + float(rng.normal(0.0, 0.5))
        begin = START + index * span * DAY
        middle = begin + 2 * span * DAY
        steps.append(
            ForwardStep((begin, middle), (middle, middle + span * DAY), chosen.params, train, test,
                        {"total_return": 0.08 * test, "max_drawdown": 0.09, "trades": 23.0})
        )  # fmt: skip
    ts = list(range(START + 2 * span * DAY, START + (count + 2) * span * DAY, DAY))
    report = {
        "detection": {"windows": count, "gap": 0.62, "variation": 0.9, "sensitivity": 0.4, "stability": 0.41,
                      "probability": 0.66, "overfit": False, "recommendation": "caution"},
        "train_sharpe": 1.42, "test_sharpe": 0.61, "consistency": 0.625, "correlation": -0.12,
        "parameter_stability": 0.71, "robust": True,
    }  # fmt: skip
    return WalkForward("rolling", steps, ts, walk(len(ts), rng, 0.0004), {"sharpe": 0.61}, report)


def verdict_of(passed: bool) -> dict[str, Any]:
    checks = [
        ("deflated_sharpe", 0.973 if passed else 0.712, 0.95, passed,
         "Deflated Sharpe 0.71 (needs 0.95): not clearly better than the luckiest of 12,480 trials."),
        ("selection_p", 0.012 if passed else 0.184, 0.05, passed,
         "Best-of-many p-value 0.184 (at most 0.05): a list without any skill has a best like this in 18.4% of cases."),
        ("out_of_sample_p", 0.041, 0.1, True, "Out-of-sample p-value 0.041 (at most 0.10): it holds up."),
        ("timing", 0.96, 0.95, True,
         "Timing 0.96 (needs 0.95): without what holding 54% of the market earned, what is left beats all luck."),
        ("overfitting", 0.21, 0.5, True,
         "Probability of overfitting 0.21 (at most 0.50): it loses money in 12% of halves."),
    ]  # fmt: skip
    rows = [
        {"name": name, "value": value, "limit": limit, "passed": good, "reason": reason}
        for name, value, limit, good, reason in checks
    ]
    return {
        "verdict": "PASS" if passed else "FAIL",
        "reasons": [row["reason"] for row in rows if row["passed"] == passed],
        "passed": passed,
        "checks": rows,
        "warnings": ["Only 50% of the test windows made money."],
        "evidence": {"probabilistic_sharpe": 0.982, "independent_trials": 38.4, "track_record_needed": 14_230.0,
                     "loss_probability": 0.12, "market_share": 0.54, "timing_out_of_sample_p": 0.061},
    }  # fmt: skip


ASSUMPTIONS = [
    {"name": "Fills", "value": "next open", "flatters": True, "text": "Orders fill at the next bar's open."},
    {"name": "Slippage", "value": "0 bps", "flatters": True, "text": "Market orders move nothing."},
    {"name": "Fees", "value": "taker 10 bps", "flatters": False, "text": "Every fill pays the taker's fee."},
    {"name": "Funding", "value": "none", "flatters": False, "text": "Spot pays no funding."},
]  # fmt: skip


def build_sweep(
    axes: Mapping[str, Sequence[Any]] | None = None,
    *,
    seed: int = 7,
    passed: bool = False,
    windows: int = 8,
    most: int = 20_000,
    height: float = 2.2,
    kept: int = 50,
    days: int = 838,
    **changes: Any,
) -> SweepResult:
    """Return a sweep over the axes; `changes` replace fields of the result."""
    axes = TWO if axes is None else axes
    rng = np.random.default_rng(seed)
    found = variants(axes, rng, most, height)
    scores = np.array([variant.score for variant in found])
    picked = sorted(rng.choice(len(found), min(len(found), 1_900), replace=False).tolist())
    fields: dict[str, Any] = {
        "run_id": "20261121-0042-dual-ma-sweep", "name": "", "strategy": "dual_ma", "method": "grid",
        "engine": "vector", "objective": "sharpe", "objectives": ["sharpe"],
        "axes": [Axis(name, list(values), kind_of(values)) for name, values in axes.items()],
        "constraints": ["fast < slow"] if {"fast", "slow"} <= axes.keys() else [],
        "instruments": ["BTC-USD.COINBASE"], "timeframe": "1h",
        "data": [{"id": "BTC-USD.COINBASE/bars/1h", "kind": "bars", "rows": 20_111, "start": START,
                  "end": START + days * DAY, "hash": "9f3ac2d8e1b04477", "synthetic": False,
                  "problems": ["3 gaps, 14 bars missing"]}],
        "since_ns": START, "until_ns": START + days * DAY, "bars": 20_111, "currency": "USD", "start_equity": 10_000.0,
        "combinations": len(found), "done": len(found), "failed": 0, "seconds": 1.84, "top": found[:kept],
        "score_statistics": {"mean": float(scores.mean()), "std": float(scores.std()), "min": float(scores.min()),
                             "median": float(np.median(scores)), "max": float(scores.max()),
                             "positive": float(np.mean(scores > 0))},
        "correlations": {name: None if kind_of(values) == "choice" else float(rng.uniform(-0.7, 0.7))
                         for name, values in axes.items()},
        "heats": heats_of(axes, found), "sample": [found[i] for i in picked],
        "best_curve": Curve([START + i * DAY for i in range(days)], walk(days, rng, 0.0011), walk(days, rng, 0.0004)),
        "walk_forward": forward_of(found, rng, windows, days) if windows else None,
        "verdict": verdict_of(passed), "trials": 12_480, "assumptions": ASSUMPTIONS,
        "warnings": ["412 bars had a gap before them."], "data_hash": "9f3ac2d8" * 8, "code_hash": "c0ffee" * 10,
        "result_hash": "5eed1e55" * 8, "seed": 7, "config": {"strategy": "dual_ma", "method": "grid"},
        "created_at": "2026-11-21T07:45:00+00:00", "version": "0.1.0",
    }  # fmt: skip
    return SweepResult(**(fields | changes))
