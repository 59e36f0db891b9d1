"""What the page says in words and tables, as plain text ready for the template (which escapes all of it)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

import numpy as np

from lanner.analysis import (
    METRICS,
    Drawdown,
    RoundTrip,
    Slice,
    Unit,
    break_down,
    drawdowns,
    monthly_returns,
    show_fraction,
    show_metric,
    show_minutes,
    show_number,
    show_value,
    waterfall,
    with_sign,
)
from lanner.analysis.periods import NS_PER_DAY
from lanner.backtest.result import BacktestResult, named_params

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Amounts of any size keep all their digits.
_WIDE = Context(prec=200)
_SIGNED = frozenset({"total_return", "annualized_return", "benchmark_return", "excess_return", "alpha"})


@dataclass(frozen=True, slots=True)
class Tile:
    """Hold one headline number; `tone` is `good`, `bad` or empty."""

    label: str
    value: str
    note: str
    tone: str
    metric: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Hold one step of the waterfall: exact text, and place and length as percentages of the axis."""

    label: str
    text: str
    left: float
    width: float
    tone: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold one cell of the heat map; `heat` runs from 0 to 1."""

    text: str
    tone: str
    heat: float


def moment(ns: int) -> datetime:
    """Return a time as a UTC datetime, cut to microseconds."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)


def day(ns: int) -> str:
    """Return the UTC date of a time."""
    return moment(ns).strftime("%Y-%m-%d")


def minute(ns: int) -> str:
    """Return the UTC date and time of day, to the minute."""
    return moment(ns).strftime("%Y-%m-%d %H:%M")


def span(since_ns: int, until_ns: int) -> str:
    """Return a period as text: dates, with the time of day when it is shorter than three days."""
    show = day if until_ns - since_ns >= 3 * NS_PER_DAY else minute
    return f"{show(since_ns)} → {show(until_ns)}"


def places(amounts: Iterable[Decimal]) -> int:
    """Return how many decimals show all these amounts in full, at least two."""
    needed = 2
    for amount in amounts:
        exponent = amount.normalize(_WIDE).as_tuple().exponent
        needed = max(needed, -exponent if isinstance(exponent, int) else 0)
    return needed


def money(amount: Decimal, *, sign: bool = False, decimals: int | None = None) -> str:
    """Return an exact amount with thousands separators: every digit it has, two decimals at least, no exponent."""
    # Unlike abs(), copy_abs() does not round to the context's 28 digits.
    text = f"{amount.copy_abs():,.{places([amount]) if decimals is None else decimals}f}"
    if amount < 0:
        return f"−{text}"
    return f"+{text}" if sign and amount > 0 else text


def cents(amount: Decimal, *, sign: bool = False) -> str:
    """Return an amount to read, not to reckon with: two decimals, or four significant digits below 0.1."""
    size = amount.copy_abs()
    text = f"{size:,.2f}" if size >= Decimal("0.1") else show_number(float(size))
    if amount < 0:
        return f"−{text}"
    return f"+{text}" if sign and amount > 0 else text


def tone_of(value: float | Decimal | None) -> str:
    """Return the tone of a gain or a loss."""
    if value is None or value == 0:
        return ""
    return "good" if value > 0 else "bad"


def metric_text(name: str, metrics: dict[str, float | None]) -> str:
    """Return one metric as text, with a plus sign where gain and loss are told apart."""
    text = show_metric(name, metrics)
    return with_sign(text, metrics.get(name)) if name in _SIGNED else text


def tiles(result: BacktestResult) -> list[Tile]:
    """Return the headline numbers, each with the number that puts it into proportion."""
    m = result.metrics

    def text(name: str) -> str:
        return metric_text(name, m)

    profit = result.attribution.total
    closed = int(m.get("total_trades") or 0)
    return [
        Tile("Profit", with_sign(_headline(profit), float(profit)), result.currency, tone_of(profit), ""),
        Tile("Total return", text("total_return"), f"benchmark {text('benchmark_return')}",
             tone_of(m.get("total_return")), "total_return"),
        Tile("CAGR", text("annualized_return"), f"volatility {text('volatility')}",
             tone_of(m.get("annualized_return")), "annualized_return"),
        Tile("Sharpe", text("sharpe"), f"Sortino {text('sortino')}", "", "sharpe"),
        Tile("Max drawdown", text("max_drawdown"), f"longest {text('max_drawdown_duration_days')}",
             "bad" if m.get("max_drawdown") else "", "max_drawdown"),
        Tile("Calmar", text("calmar"), f"ulcer {text('ulcer_index')}", "", "calmar"),
        Tile("Win rate", text("win_rate"), f"{text('winning_trades')} of {closed:,} trades", "", "win_rate"),
        Tile("Profit factor", text("profit_factor"), f"payoff {text('payoff_ratio')}", "", "profit_factor"),
    ]  # fmt: skip


def _headline(amount: Decimal) -> str:
    """Return an amount without cents where they would only make the headline long; the exact one is below."""
    return show_number(float(amount), 0 if abs(amount) >= 100_000 else 2)


def heat_map(result: BacktestResult) -> list[dict[str, object]]:
    """Return one row per year with twelve cells and the year's total; colours reach full strength at the 90th
    percentile so that one wild month does not bleach the others."""
    rows = monthly_returns(result.equity.ts, result.equity.equity)
    sizes = [abs(value) for row in rows for value in row.months if value is not None]
    months_full = max(float(np.percentile(sizes, 90)), 1e-9) if sizes else 1.0
    years_full = max((abs(row.total) for row in rows), default=1.0) or 1.0
    return [
        {
            "year": row.year,
            "months": [_cell(value, months_full) for value in row.months],
            "total": _cell(row.total, years_full),
        }
        for row in rows
    ]


def month_note(result: BacktestResult) -> str:
    """Return the line under the heat map."""
    m = result.metrics
    return (
        f"Compounded in UTC months. Best {metric_text('best_month', m)}, worst {metric_text('worst_month', m)}, "
        f"positive {metric_text('positive_months', m)}; best day {metric_text('best_day', m)}, "
        f"worst day {metric_text('worst_day', m)}."
    )


def _cell(value: float | None, full: float) -> Cell:
    if value is None:
        return Cell("", "", 0.0)
    percent = value * 100.0
    text = f"{percent:+.1f}" if abs(percent) < 100 else f"{percent:+,.0f}" if abs(percent) < 1e5 else "≫"
    return Cell(text.replace("-", "−"), tone_of(value), round(min(1.0, abs(value) / full), 3))


def waterfall_bars(result: BacktestResult) -> list[Bar]:
    """Return the bars of the attribution on one axis that holds zero and every level between."""
    steps = waterfall(result.attribution)
    levels = [0.0, *(float(step.end) for step in steps), *(float(step.start) for step in steps)]
    low, reach = min(levels), (max(levels) - min(levels)) or 1.0
    decimals = places(step.amount for step in steps)
    bars = []
    for step in steps:
        left, right = sorted((float(step.start), float(step.end)))
        tone = "total" if step.total else tone_of(step.amount)
        bars.append(
            Bar(
                step.label,
                money(step.amount, sign=True, decimals=decimals),
                round((left - low) / reach * 100, 3),
                round((right - left) / reach * 100, 3),
                tone,
            )
        )
    return bars


def metric_groups(result: BacktestResult) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """Return the metrics by group, each as (name, label, text, formula)."""
    groups: dict[str, list[tuple[str, str, str, str]]] = {}
    for name, metric in METRICS.items():
        row = (name, metric.label, metric_text(name, result.metrics), metric.formula)
        groups.setdefault(metric.group, []).append(row)
    return list(groups.items())


def worst_drawdowns(result: BacktestResult, count: int = 8) -> list[dict[str, str]]:
    """Return the deepest falls, the deepest first."""
    found = sorted(drawdowns(result.equity.ts, result.equity.equity), key=lambda fall: -fall.depth)[:count]
    return [_fall_row(fall) for fall in found]


def _fall_row(fall: Drawdown) -> dict[str, str]:
    return {
        "depth": show_fraction(-fall.depth),
        "peak": day(fall.peak_ts),
        "valley": day(fall.valley_ts),
        "recovery": "not yet" if fall.recovery_ts is None else day(fall.recovery_ts),
        "length": show_value(Unit.DAYS, fall.days),
    }


def breakdowns(result: BacktestResult) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the trips by side, exit reason, instrument and strategy; a cut of one piece is left out."""
    cuts: list[tuple[str, Callable[[RoundTrip], str]]] = [
        ("Instrument", lambda trip: trip.instrument_id),
        ("Strategy", lambda trip: trip.strategy_id),
        ("Side", lambda trip: "Long" if trip.side > 0 else "Short"),
        ("Exit reason", lambda trip: trip.exit_reason or "–"),
    ]
    tables = []
    for title, key in cuts:
        slices = break_down(result.round_trips, key)
        if len(slices) > 1:
            tables.append((title, [_slice_row(piece) for piece in slices]))
    return tables


def _slice_row(piece: Slice) -> dict[str, str]:
    infinite = piece.profit_factor is None and piece.net_profit > 0.0
    return {
        "key": piece.key,
        "trades": f"{piece.trades:,}",
        "net": with_sign(show_number(piece.net_profit), piece.net_profit),
        "tone": tone_of(piece.net_profit),
        "win_rate": "–" if piece.win_rate is None else show_fraction(piece.win_rate),
        "profit_factor": "∞"
        if infinite
        else "–"
        if piece.profit_factor is None
        else show_number(piece.profit_factor),
        "average": "–" if piece.average_return is None else show_fraction(piece.average_return),
        "costs": show_number(piece.fees + piece.slippage - piece.funding),
    }


def data_rows(data: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return the passport summaries of the data sets, with every problem each one names."""
    rows: list[dict[str, object]] = []
    for entry in data:
        problems = entry.get("problems")
        rows.append(
            {
                "id": str(entry.get("id", "?")),
                "kind": str(entry.get("kind", "")),
                "rows": _count(entry.get("rows")),
                "span": f" · {_date(entry.get('start'))} → {_date(entry.get('end'))}"
                if entry.get("start")
                else "",
                "hash": str(entry.get("hash", ""))[:12],
                "synthetic": bool(entry.get("synthetic")),
                "problems": [str(item) for item in problems] if isinstance(problems, (list, tuple)) else [],
            }
        )
    return rows


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value or "")


def _date(value: object) -> str:
    if isinstance(value, int):
        return day(value)
    return str(value)[:10] if value else "?"


def facts(result: BacktestResult) -> list[tuple[str, str, str]]:
    """Return what pins the run down: (label, short text, full text)."""
    speed = f"{result.events_per_second:,.0f}/s" if result.events_per_second else "–"
    return [
        ("seed", str(result.seed), str(result.seed)),
        ("code", result.code_hash[:12] or "–", result.code_hash),
        ("data", result.data_hash[:12] or "–", result.data_hash),
        ("state", result.state_hash[:12] or "–", result.state_hash),
        ("events", f"{result.events:,}", f"{result.events:,} in {result.seconds:.3f} s"),
        ("speed", speed, f"{speed} over {result.seconds:.3f} s"),
        ("run", result.run_id, result.run_id),
        ("lanner", result.version, result.version),
        ("made", result.created_at[:16].replace("T", " "), result.created_at),
    ]


def pretty(value: object) -> str:
    """Return settings as indented JSON; what JSON has no word for is written as text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def view(result: BacktestResult) -> dict[str, object]:
    """Return everything the template needs, all of it plain text still to be escaped."""
    rows = data_rows(result.data)
    return {
        "title": result.name or result.strategy,
        "strategy": result.strategy if result.name else "",
        "instruments": result.instruments,
        "span": span(result.since_ns, result.until_ns),
        "length": show_minutes((result.until_ns - result.since_ns) / 60e9),
        "currency": result.currency,
        "start": cents(result.start_equity),
        "end": cents(result.end_equity),
        "params": [(name, str(value)) for name, value in named_params(result.params).items()],
        "flattering": [item for item in result.assumptions if item.flatters],
        "neutral": [item for item in result.assumptions if not item.flatters],
        "warnings": result.warnings,
        "data": rows,
        "all_synthetic": all(row["synthetic"] for row in rows),
        "synthetic": any(row["synthetic"] for row in rows),
        "problem_count": sum(len(item) for row in rows if isinstance(item := row["problems"], list)),
        "facts": facts(result),
        "tiles": tiles(result),
        "months": MONTHS,
        "heat": heat_map(result),
        "month_note": month_note(result),
        "bars": waterfall_bars(result),
        "profit": money(result.attribution.total, sign=True),
        "groups": metric_groups(result),
        "falls": worst_drawdowns(result),
        "cuts": breakdowns(result),
        "config": pretty(result.config),
        "has_trades": bool(result.round_trips),
        "has_candles": any(series.ts.size for series in result.series),
        "has_equity": result.equity.ts.size > 1,
    }
