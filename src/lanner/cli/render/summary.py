"""What a run says on the terminal: one screen, readable in colour, without colour and in a log file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.table import Table
    from rich.text import Text

    from lanner.backtest.result import BacktestResult

WIDTH = 100
_BLOCKS = "▁▂▃▄▅▆▇█"
# Four columns of label and metric; one row of the table per line here.
_GRID = (
    ("total_return", "sharpe", "total_trades", "time_in_market"),
    ("annualized_return", "sortino", "win_rate", "average_hold_time_minutes"),
    ("benchmark_return", "calmar", "profit_factor", "turnover"),
    ("max_drawdown", "omega", "expectancy", "maker_share"),
    ("max_drawdown_duration_days", "volatility", "average_profit", "best_month"),
    ("ulcer_index", "value_at_risk", "average_loss", "worst_month"),
)
COMPARED = (
    "total_return", "annualized_return", "max_drawdown", "sharpe", "sortino", "calmar", "volatility", "total_trades",
    "win_rate", "profit_factor", "expectancy", "time_in_market", "turnover", "total_commission", "final_equity",
)  # fmt: skip


def render_summary(result: BacktestResult, report: Path | None = None) -> Group:
    """Return the summary of a run for a rich console: at most 25 lines, at most 100 columns."""
    from rich.console import Group

    parts: list[RenderableType] = [*_title(result), _curve_line(result), _grid(result), _money_line(result)]
    parts += _trust_lines(result)
    if report is not None:
        parts.append(_line(("  Report  ", "dim"), (str(report), "bold"), clip=False))
    return Group(*parts)


def summary_text(result: BacktestResult, report: Path | None = None, *, color: bool = False) -> str:
    """Return the summary as text of at most 100 columns, with escape codes only when `color` is set."""
    import io

    from rich.console import Console

    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDTH, force_terminal=color, no_color=not color, highlight=False,
                      color_system="standard" if color else None)  # fmt: skip
    console.print(render_summary(result, report))
    return buffer.getvalue()


def _line(*pieces: tuple[str, str], clip: bool = True) -> Text:
    from rich.text import Text

    # Pieces are user text in part: Text reads no markup in them, and what would move the cursor is blanked.
    clean = [("".join(c if c.isprintable() else " " for c in piece), style) for piece, style in pieces]
    text = Text.assemble(*clean, no_wrap=True, overflow="ellipsis" if clip else "fold")
    if not clip:
        text.no_wrap = False
    return text


def _title(result: BacktestResult) -> list[Text]:
    from lanner.backtest.report.view import span
    from lanner.backtest.result import named_params

    instruments = ", ".join(result.instruments[:3]) + (
        f" and {len(result.instruments) - 3} more" if len(result.instruments) > 3 else ""
    )
    params = "  ".join(f"{name}={value}" for name, value in named_params(result.params).items())
    return [
        _line((result.name or result.strategy, "bold"), (f"  {instruments}", "cyan")),
        _line((f"  {span(result.since_ns, result.until_ns)}", ""), (f"  {params}", "dim")),
    ]


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a line of blocks that rises and falls with the values, `width` characters at most."""
    import math

    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return ""
    step = max(1.0, len(known) / width)
    count = min(width, len(known))
    picked = [known[min(len(known) - 1, int((index + 1) * step) - 1)] for index in range(count)]
    low, high = min(picked), max(picked)
    if high == low:
        return _BLOCKS[3] * count
    return "".join(_BLOCKS[min(7, int((value - low) / (high - low) * 8))] for value in picked)


def _curve_line(result: BacktestResult) -> Text:
    from lanner.backtest.report.view import cents

    style = "green" if result.attribution.total > 0 else "red" if result.attribution.total < 0 else ""
    start, end = cents(result.start_equity), f"{cents(result.end_equity)} {result.currency}"
    room = max(10, WIDTH - len(start) - len(end) - 6)
    return _line(
        (f"  {start} ", "dim"), (sparkline(result.equity.equity.tolist(), room), style), (f" {end}", "bold")
    )


def _grid(result: BacktestResult) -> Table:
    from rich.table import Table
    from rich.text import Text

    from lanner.analysis import METRICS
    from lanner.backtest.report.view import metric_text

    table = Table(box=None, show_header=False, padding=(0, 0), pad_edge=False)
    for column in range(len(_GRID[0])):
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        if column + 1 < len(_GRID[0]):
            table.add_column(width=2)
    for names in _GRID:
        cells: list[RenderableType] = []
        for index, name in enumerate(names):
            label = METRICS[name].label
            cells.append(Text(f"  {label} " if index == 0 else f"{label} ", style="dim"))
            cells.append(Text(metric_text(name, result.metrics), style=_style(name, result)))
            if index + 1 < len(names):
                cells.append("")
        table.add_row(*cells)
    return table


def _style(name: str, result: BacktestResult) -> str:
    value = result.metrics.get(name)
    if name in ("total_return", "annualized_return") and value:
        return "bold green" if value > 0 else "bold red"
    if name == "max_drawdown" and value:
        return "bold red"
    return "bold"


def _money_line(result: BacktestResult) -> Text:
    from lanner.backtest.report.view import cents

    parts = result.attribution
    pieces = [
        f"{name} {cents(amount, sign=True)}"
        for name, amount in (
            ("price", parts.price),
            ("slippage", parts.slippage),
            ("fees", parts.fees),
            ("funding", parts.funding),
        )
    ]
    return _line(
        ("  Profit ", "dim"), (cents(parts.total, sign=True), "bold"), (" = " + "  ".join(pieces), "")
    )


def _trust_lines(result: BacktestResult) -> list[Text]:
    """Return the lines about how far the numbers can be believed, and what pins the run down."""
    lines: list[Text] = []
    flattering = [item for item in result.assumptions if item.flatters]
    if flattering:
        names = "; ".join(f"{item.name}: {item.value}" for item in flattering)
        count = f"{len(flattering)} of {len(result.assumptions)} assumptions flatter"
        lines.append(_line(("  ▲ ", "yellow"), (count, "yellow"), (f"  {names}", "dim")))
    named = any("synthetic" in f"{item.value} {item.text}" for item in flattering)
    if not named and any(entry.get("synthetic") for entry in result.data):
        lines.append(
            _line(("  ▲ ", "yellow"), ("synthetic data", "yellow"), ("  made by a generator", "dim"))
        )
    lines += _data_lines(result)
    shown = result.warnings if len(result.warnings) <= 3 else result.warnings[:2]
    lines += [_line(("  ▲ ", "yellow"), (warning, "")) for warning in shown]
    if len(shown) < len(result.warnings):
        more = f"and {len(result.warnings) - len(shown)} more warnings"
        lines.append(_line(("    ", ""), (more, "dim")))
    rate = f"{result.events_per_second:,.0f}/s" if result.events_per_second else "–"
    lines.append(
        _line(
            ("  Run ", "dim"), (result.run_id, ""),
            (f"  {result.events:,} events, {rate}, {len(result.orders):,} orders, {len(result.fills):,} fills", "dim"),
            (f"  state {result.state_hash[:12]}", "dim"),
        )
    )  # fmt: skip
    return lines


def _data_lines(result: BacktestResult) -> list[Text]:
    """Return one line per data set with problems, three at most and then how many more there are."""
    troubled = [
        (str(entry.get("id", "?")), [str(item) for item in problems])
        for entry in result.data
        if isinstance(problems := entry.get("problems"), (list, tuple)) and problems
    ]
    shown = troubled if len(troubled) <= 3 else troubled[:2]
    lines = [
        _line(("  ▲ ", "yellow"), (f"{len(items)} data problem{'s' if len(items) != 1 else ''}", "yellow"),
              (f"  {name}: {'; '.join(items)}", "dim"))
        for name, items in shown
    ]  # fmt: skip
    if len(shown) < len(troubled):
        lines.append(
            _line(("    ", ""), (f"and {len(troubled) - len(shown)} more data sets with problems", "dim"))
        )
    return lines


def render_compare(results: Sequence[BacktestResult], names: Sequence[str] = COMPARED) -> Table:
    """Return runs side by side for a rich console: the best value of each row is marked, and what differs is named."""
    from rich.table import Table
    from rich.text import Text

    from lanner.analysis import compare_metrics
    from lanner.backtest.report.view import metric_text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=None)
    table.add_column("", style="dim", no_wrap=True)
    for result in results:
        table.add_column(Text(result.run_id), justify="right", overflow="fold")
    for label, texts in _differences(results):
        table.add_row(label, *(Text(text) for text in texts))
    for row in compare_metrics([result.metrics for result in results], names):
        cells = [
            Text(
                metric_text(row.metric.name, result.metrics) + (" *" if index in row.best else ""),
                style="bold green" if index in row.best else "",
            )
            for index, result in enumerate(results)
        ]
        table.add_row(row.metric.label, *cells)
    return table


def _differences(results: Sequence[BacktestResult]) -> list[tuple[str, list[str]]]:
    """Return what was run, and each parameter whose value is not the same in all runs."""
    from lanner.backtest.report.view import span
    from lanner.backtest.result import named_params

    rows = [
        ("strategy", [result.name or result.strategy for result in results]),
        ("instruments", [", ".join(result.instruments) for result in results]),
        ("period", [span(result.since_ns, result.until_ns) for result in results]),
        ("data", [result.data_hash[:12] for result in results]),
        ("state", [result.state_hash[:12] for result in results]),
    ]
    rows = [row for row in rows if row[0] == "strategy" or len(set(row[1])) > 1]
    params = [named_params(result.params) for result in results]
    for name in dict.fromkeys(name for own in params for name in own):
        values = [str(own.get(name, "–")) for own in params]
        if len(set(values)) > 1:
            rows.append((name, values))
    return rows


def print_summary(result: BacktestResult, report: Path | None = None, console: Console | None = None) -> None:
    """Print the summary, never wider than 100 columns; into a pipe or a file always 100 wide and without colour."""
    if console is None:
        from lanner.cli.output import console as console_of_results

        console = console_of_results()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(render_summary(result, report), width=min(WIDTH, console.width), highlight=False)
