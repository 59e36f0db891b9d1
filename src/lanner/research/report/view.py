"""What the page of a sweep says in words and tables, as plain text ready for the template (which escapes all of it)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lanner.analysis import show_minutes, with_sign
from lanner.backtest.report.view import data_rows, day, pretty, span, tone_of
from lanner.research.report.proof import (
    cautions,
    checks,
    measures,
    number_of,
    reasons,
    verdict_line,
    verdict_word,
)
from lanner.research.report.words import (
    NOT_DEFINED,
    axis_text,
    best_variant,
    objective_label,
    params_text,
    score_lines,
    score_text,
    speed_texts,
    statistic_text,
    value_text,
)
from lanner.research.sweep_result import ForwardStep, SweepResult, Variant

_SIGNED = frozenset({"total_return", "annualized_return"})


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold one assumption; `flatters` says that reality is likely to be worse than this."""

    name: str
    value: str
    flatters: bool
    text: str


def claims(result: SweepResult) -> list[Claim]:
    """Return the assumptions of the runs."""
    return [
        Claim(
            str(item.get("name", "?")), str(item.get("value", "")), bool(item.get("flatters")),
            str(item.get("text", "")),
        )
        for item in result.assumptions
    ]  # fmt: skip


def _text(name: str, variant: Variant | ForwardStep) -> str:
    text = statistic_text(name, variant.statistics)
    return with_sign(text, variant.statistics.get(name)) if name in _SIGNED else text


def tiles(result: SweepResult) -> list[dict[str, str]]:
    """Return the headline numbers of the best variant."""
    best = best_variant(result)
    if best is None:
        return []
    label = objective_label(result.objective)
    rows = [
        (f"Best {label}", score_text(best.score, result.objective), f"of {result.done:,} tried", "", ""),
        ("Total return", _text("total_return", best), "fitted, not foretold", "total_return", "total_return"),
        ("CAGR", _text("annualized_return", best), "", "annualized_return", "annualized_return"),
        ("Sharpe", _text("sharpe", best), "annualised", "", "sharpe"),
        ("Max drawdown", _text("max_drawdown", best), "from a peak", "", "max_drawdown"),
        ("Profit factor", _text("profit_factor", best), "gains ÷ losses", "", "profit_factor"),
        ("Win rate", _text("win_rate", best), f"of {_text('trades', best)} trades", "", "win_rate"),
        ("In market", _text("exposure", best), f"fees {_text('fees', best)}", "", "time_in_market"),
        ("End equity", _text("end_equity", best), result.currency, "", "final_equity"),
    ]
    # What the score says already is not said twice.
    rows = [row for row in rows if row[4] != result.objective or row[4] == "max_drawdown"][:8]
    found = []
    for name, value, note, toned, metric in rows:
        tone = tone_of(number_of(best.statistics.get(toned))) if toned else ""
        found.append(
            {"label": name, "value": value, "note": note or "per year", "tone": tone, "metric": metric}
        )
    return found


def windows(result: SweepResult) -> list[dict[str, str]]:
    """Return the steps of the walk-forward as rows."""
    if result.walk_forward is None:
        return []
    return [
        {
            "train": f"{day(step.train[0])} → {day(step.train[1])}",
            "test": f"{day(step.test[0])} → {day(step.test[1])}",
            "params": params_text(step.params),
            "train_score": score_text(step.train_score, result.objective),
            "test_score": score_text(step.test_score, result.objective),
            "tone": tone_of(number_of(step.test_score)),
            "return": _text("total_return", step),
            "return_tone": tone_of(number_of(step.statistics.get("total_return"))),
            "drawdown": _text("max_drawdown", step),
            "trades": _text("trades", step),
        }
        for step in result.walk_forward.windows
    ]


def importance(result: SweepResult) -> list[dict[str, object]]:
    """Return how strongly each parameter moves with the score, the strongest first; bars have zero in the middle."""
    rows = [(name, number_of(value)) for name, value in result.correlations.items()]
    rows.sort(key=lambda row: -abs(row[1]) if row[1] is not None else 1.0)
    return [
        {
            "name": name,
            "text": NOT_DEFINED if value is None else with_sign(f"{value:.2f}".replace("-", "−"), value),
            "left": 50.0 if value is None or value >= 0 else round(50.0 + 50.0 * max(-1.0, value), 2),
            "width": 0.0 if value is None else round(50.0 * min(1.0, abs(value)), 2),
            "tone": tone_of(value),
        }
        for name, value in rows
    ]


def sweep_facts(result: SweepResult) -> list[tuple[str, str, str]]:
    """Return what pins the search down: (label, short text, full text)."""
    rate, volume = speed_texts(result)
    return [
        ("seed", str(result.seed), str(result.seed)),
        ("code", result.code_hash[:12] or NOT_DEFINED, result.code_hash),
        ("data", result.data_hash[:12] or NOT_DEFINED, result.data_hash),
        ("result", result.result_hash[:12] or NOT_DEFINED, result.result_hash),
        ("speed", f"{volume} M combo·bars/s", f"{rate} combinations/s over {result.seconds:.3f} s"),
        ("run", result.run_id, result.run_id),
        ("lanner", result.version or NOT_DEFINED, result.version),
        ("made", _made(result.created_at), result.created_at),
    ]


def _made(text: str) -> str:
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text or NOT_DEFINED


def subtitle(result: SweepResult) -> list[str]:
    """Return the pieces of the line under the title."""
    rate, _ = speed_texts(result)
    count = f"{result.done:,} combinations"
    if result.done < result.combinations:
        count = f"{result.done:,} of {result.combinations:,} combinations"
    return [
        span(result.since_ns, result.until_ns),
        show_minutes((result.until_ns - result.since_ns) / 60e9),
        f"{result.bars:,} bars",
        f"{result.method} search",
        f"{result.engine} engine",
        f"{count} in {show_minutes(result.seconds / 60.0)} ({rate}/s)",
    ]


def badges(result: SweepResult) -> list[str]:
    """Return what went otherwise than planned, in a few words each."""
    found = []
    if result.done + result.failed < result.combinations:
        found.append("stopped early")
    if result.failed:
        found.append(f"{result.failed:,} failed")
    return found


def sweep_view(result: SweepResult) -> dict[str, object]:
    """Return everything the template needs, all of it plain text still to be escaped."""
    rows = data_rows(result.data)
    assumed = claims(result)
    best = best_variant(result)
    return {
        "kind": "sweep",
        "title": result.name or result.strategy,
        "strategy": result.strategy if result.name and result.name != result.strategy else "",
        "instruments": result.instruments,
        "timeframe": result.timeframe,
        "subtitle": subtitle(result),
        "badges": badges(result),
        "objective": objective_label(result.objective),
        "objectives": [objective_label(name) for name in result.objectives],
        "axes": [(axis.name, axis_text(axis)) for axis in result.axes],
        "constraints": result.constraints,
        "word": verdict_word(result),
        "line": verdict_line(result),
        "reasons": reasons(result),
        "cautions": cautions(result),
        "proofs": checks(result),
        "measures": measures(result),
        "flattering": [item for item in assumed if item.flatters],
        "neutral": [item for item in assumed if not item.flatters],
        "warnings": result.warnings,
        "data": rows,
        "all_synthetic": all(row["synthetic"] for row in rows),
        "synthetic": any(row["synthetic"] for row in rows),
        "problem_count": sum(len(item) for row in rows if isinstance(item := row["problems"], list)),
        "facts": sweep_facts(result),
        "tiles": tiles(result),
        "best": [(name, value_text(value)) for name, value in best.params.items()] if best else [],
        "top_count": len(result.top),
        "walk": result.walk_forward is not None,
        "walk_kind": result.walk_forward.kind.partition("_")[0] if result.walk_forward else "",
        "windows": windows(result),
        "importance": importance(result),
        "scores": score_lines(result),
        "pairs": len(result.heats),
        "dimensions": len(result.axes),
        "sampled": bool(result.sample or result.top),
        "config": pretty(result.config),
    }
