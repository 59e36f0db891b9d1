"""A result as one page of Markdown."""

from __future__ import annotations

import re

from lanner.analysis import MonthlyRow, monthly_returns, show_fraction
from lanner.backtest.report.view import MONTHS, cents, facts, metric_text, money, span
from lanner.backtest.result import BacktestResult

_HEADLINES = (
    ("Total return", "total_return"),
    ("Benchmark return", "benchmark_return"),
    ("CAGR", "annualized_return"),
    ("Volatility", "volatility"),
    ("Sharpe", "sharpe"),
    ("Sortino", "sortino"),
    ("Calmar", "calmar"),
    ("Max drawdown", "max_drawdown"),
    ("Longest drawdown", "max_drawdown_duration_days"),
    ("Closed trades", "total_trades"),
    ("Win rate", "win_rate"),
    ("Profit factor", "profit_factor"),
    ("Expectancy", "expectancy"),
    ("Time in market", "time_in_market"),
)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))


def markdown_summary(result: BacktestResult) -> str:
    """Return the summary: what was run, what it made, where that came from and what flatters it."""
    period = span(result.since_ns, result.until_ns)
    title, currency = escape(result.name or result.strategy), escape(result.currency)
    lines = [
        f"# {title} on {escape(', '.join(result.instruments))}",
        "",
        f"{period}, {cents(result.start_equity)} → {cents(result.end_equity)} {currency}",
        "",
        "| Metric | Value |",
        "|---|---:|",
        *(f"| {label} | {metric_text(name, result.metrics)} |" for label, name in _HEADLINES),
        "",
        *_attribution(result),
        *_trust(result),
        *_months(monthly_returns(result.equity.ts, result.equity.equity)),
        " · ".join(f"{label} `{text}`" for label, text, _ in facts(result) if text),
        "",
    ]
    return "\n".join(lines)


def _attribution(result: BacktestResult) -> list[str]:
    parts = result.attribution
    rows = (
        ("Price", parts.price),
        ("Slippage", parts.slippage),
        ("Fees", parts.fees),
        ("Funding", parts.funding),
    )
    return [
        f"| Profit by cause | {escape(result.currency)} |",
        "|---|---:|",
        *(f"| {label} | {money(amount, sign=True)} |" for label, amount in rows),
        f"| **Profit** | **{money(parts.total, sign=True)}** |",
        "",
    ]


def _trust(result: BacktestResult) -> list[str]:
    flattering = [item for item in result.assumptions if item.flatters]
    lines = [f"{len(flattering)} of {len(result.assumptions)} assumptions flatter this result.", ""]
    lines += [f"- **{escape(i.name)}: {escape(i.value)}.** {escape(i.text)}" for i in flattering]
    for entry in result.data:
        problems = entry.get("problems")
        for problem in problems if isinstance(problems, (list, tuple)) else []:
            lines.append(f"- Data {escape(str(entry.get('id', '?')))}: {escape(str(problem))}")
    lines += [f"- {escape(warning)}" for warning in result.warnings]
    return [*lines, ""]


def _months(rows: list[MonthlyRow]) -> list[str]:
    if not rows:
        return []
    header = f"| Year | {' | '.join(MONTHS)} | Total |"
    body = [
        f"| {row.year} | {' | '.join('' if v is None else show_fraction(v) for v in row.months)} "
        f"| {show_fraction(row.total)} |"
        for row in rows
    ]
    return [header, "|---" + "|---:" * 13 + "|", *body, ""]
