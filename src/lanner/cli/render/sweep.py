"""What a sweep says on the terminal: the best variants, how the scores lie, the walk-forward and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.cli.render.sweep_progress import sweep_progress

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

    from lanner.research.sweep_result import SweepResult, Variant

__all__ = ["render_sweep", "sweep_progress", "sweep_text"]

WIDTH = 100
_ROWS = 10
_MOST_REASONS = 4
_STATISTICS = ("total_return", "max_drawdown", "sharpe", "profit_factor", "trades")
_SIGNED = frozenset({"total_return", "annualized_return"})
# Below this there is no room for the parameters beside the statistics: they share one column then.
_LEAST_PARAM = 6


def sweep_text(
    result: SweepResult, width: int | None = None, *, colour: bool | None = None, report: Path | None = None
) -> str:
    """Return what a sweep found as at most 40 lines of text.

    `width` is the terminal's, at most 100, where it is not given; `colour` follows ``LANNER_COLOR``.
    """
    import io
    import sys

    from rich.console import Console

    from lanner.cli.output import console
    from lanner.cli.render.errors import wants_colour

    tinted = wants_colour(sys.stdout) if colour is None else colour
    room = min(WIDTH, console().width) if width is None else width
    buffer = io.StringIO()
    made = Console(file=buffer, width=room, force_terminal=tinted, no_color=not tinted, highlight=False,
                   color_system="standard" if tinted else None)  # fmt: skip
    made.print(render_sweep(result, room, report))
    return buffer.getvalue().rstrip("\n")


def render_sweep(result: SweepResult, width: int = WIDTH, report: Path | None = None) -> Group:
    """Return the result for a rich console of this width."""
    from rich.console import Group

    parts: list[RenderableType] = [*_title(result)]
    if result.top:
        parts += [_table(result, width), *_score_lines(result)]
    parts += [*_forward_lines(result), *_verdict_lines(result, width), *_trust_lines(result)]
    if report is not None:
        parts.append(_line(("  Report  ", "dim"), (str(report), "bold"), clip=False))
    return Group(*parts)


def _line(*pieces: tuple[str, str], clip: bool = True) -> Text:
    from rich.text import Text

    # Pieces are user text in part: Text reads no markup in them, and what would move the cursor is blanked.
    clean = [(_printable(piece), style) for piece, style in pieces]
    return Text.assemble(*clean, no_wrap=clip, overflow="ellipsis" if clip else "fold")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _title(result: SweepResult) -> list[Text]:
    from lanner.backtest.report.view import span
    from lanner.research.report.words import axis_text, objective_label, speed_texts

    rate, volume = speed_texts(result)
    count = f"{result.done:,}"
    if result.done < result.combinations:
        count = f"{result.done:,} of {result.combinations:,}"
    searched = "  ".join(f"{axis.name} {axis_text(axis)}" for axis in result.axes)
    goals = ", ".join(objective_label(name) for name in result.objectives or [result.objective])
    instruments = ", ".join(result.instruments[:3]) + (
        f" and {len(result.instruments) - 3} more" if len(result.instruments) > 3 else ""
    )
    lines = [
        _line((result.name or result.strategy, "bold"), (f"  {instruments} {result.timeframe}", "cyan"),
              (f"  {span(result.since_ns, result.until_ns)}  {result.bars:,} bars", "")),
        _line((f"  {count} combinations", "bold"),
              (f" in {result.seconds:,.2f} s, {rate}/s, {volume} M combo·bars/s", ""),
              (f"  {result.method} search, {result.engine} engine", "dim")),
        _line((f"  {goals}", "bold"), (f"  over {searched}", "dim"),
              (f"  only {', '.join(result.constraints)}" if result.constraints else "", "dim")),
    ]  # fmt: skip
    if result.done + result.failed < result.combinations:
        lines.append(
            _line(("  ▲ ", "yellow"), ("stopped early", "yellow"), ("  run it again to go on", "dim"))
        )
    return lines


def _table(result: SweepResult, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    from lanner.research.report.words import STATISTICS, objective_label, score_text

    same = result.objective if result.objective != "max_drawdown" else ""
    names = [name for name in _STATISTICS if name != same]
    rows = result.top[:_ROWS]
    heads = [objective_label(result.objective), *(STATISTICS[name][1] for name in names)]
    cells = [
        [score_text(row.score, result.objective), *(_statistic(name, row) for name in names)] for row in rows
    ]
    taken = sum(max(len(text) for text in column) + 2 for column in zip(heads, *cells, strict=True)) + 6
    params, texts = _params(result, rows, width - taken)
    table = Table(box=None, show_edge=False, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("   #", justify="right", no_wrap=True, style="dim")
    for name in params:
        table.add_column(Text(name), justify="right" if len(params) > 1 or name else "left", no_wrap=True,
                         overflow="ellipsis")  # fmt: skip
    for place, head in enumerate(heads):
        table.add_column(Text(head), justify="right", no_wrap=True, style="bold" if place == 0 else "")
    for row, shown, numbers in zip(rows, texts, cells, strict=True):
        table.add_row(
            str(row.rank), *(Text(text) for text in shown), *(Text(text, _tone(text)) for text in numbers)
        )
    return table


def _statistic(name: str, row: Variant) -> str:
    from lanner.analysis import with_sign
    from lanner.research.report.words import statistic_text

    text = statistic_text(name, row.statistics)
    return with_sign(text, row.statistics.get(name)) if name in _SIGNED else text


def _tone(text: str) -> str:
    return "green" if text.startswith("+") else "red" if text.startswith("−") else ""


def _params(result: SweepResult, rows: Sequence[Variant], room: int) -> tuple[list[str], list[list[str]]]:
    """Return headings and texts of the parameters: a column each, or all in one where there is no room."""
    from lanner.research.report.words import value_text

    names = [axis.name for axis in result.axes]
    texts = [[_printable(value_text(row.params.get(name))) for name in names] for row in rows]
    heads = [_printable(name) for name in names]
    wide = (
        sum(max(len(text) for text in column) + 2 for column in zip(heads, *texts, strict=True))
        if names
        else 0
    )
    if wide <= room:
        return heads, texts
    most = max(_LEAST_PARAM, room - 2)
    joined = ["  ".join(f"{head}={text}" for head, text in zip(heads, row, strict=True)) for row in texts]
    return [""], [[text if len(text) <= most else text[: most - 1] + "…"] for text in joined]


def _score_lines(result: SweepResult) -> list[Text]:
    from lanner.research.report.view import importance
    from lanner.research.report.words import score_lines

    lines = []
    parts = score_lines(result)
    if parts:
        lines.append(_pairs("Scores", parts))
    weights = [(str(row["name"]), str(row["text"])) for row in importance(result)]
    if weights:
        lines.append(_pairs("Importance", weights))
    return lines


def _pairs(title: str, parts: Iterable[tuple[str, str]]) -> Text:
    pieces = [(f"  {title:<13}", "dim")]
    for name, text in parts:
        pieces += [(f"{name} ", "dim"), (f"{text}  ", "")]
    return _line(*pieces)


def _forward_lines(result: SweepResult) -> list[Text]:
    from lanner.research.report.proof import measures
    from lanner.research.report.words import NOT_DEFINED, statistic_text

    walk = result.walk_forward
    if walk is None:
        return []
    pieces = [
        ("  Walk-forward ", "dim"),
        (f"{len(walk.windows)} {walk.kind.partition('_')[0]} windows", "bold"),
    ]
    for name, word in (("total_return", "unseen return"), ("max_drawdown", "max DD")):
        text = statistic_text(name, walk.statistics)
        if text != NOT_DEFINED:
            pieces += [(f"  {word} ", "dim"), (text, "")]
    found = {row.key: row for row in measures(result)}
    if "recommendation" in found:
        pieces += [("  detector advises ", "dim"), (found["recommendation"].value, "bold")]
    second = [("               ", "")]
    for key, word in (
        ("sharpe", "Sharpe train → test"), ("consistency", "profit in windows"),
        ("parameter_stability", "stability"),
    ):  # fmt: skip
        if key in found:
            second += [(f"{word} ", "dim"), (f"{found[key].value}  ", "")]
    return [_line(*pieces), *([_line(*second)] if len(second) > 1 else [])]


def _verdict_lines(result: SweepResult, width: int) -> list[Text]:
    from lanner.research.report.proof import cautions, reasons, verdict_line, verdict_word

    word = verdict_word(result)
    style = {"PASS": "bold green", "FAIL": "bold red"}.get(word, "bold yellow")
    lines = [
        _line((f"  {word or 'NO VERDICT'}  ", style), (verdict_line(result), "bold"),
              (f"  {result.trials:,} trials", "dim"))
    ]  # fmt: skip
    for reason in reasons(result)[:_MOST_REASONS]:
        lines += [_line((text, "")) for text in _wrapped(reason, width, "    ")]
    for caution in cautions(result)[:3]:
        lines += [_line((text, "yellow")) for text in _wrapped(caution, width, "    ▲ ")]
    return lines


def _wrapped(text: str, width: int, lead: str) -> list[str]:
    """Return a sentence as one or two lines; what is longer is cut."""
    import textwrap

    return textwrap.wrap(
        text,
        max(20, width - 1),
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        max_lines=2,
        placeholder=" …",
    )


def _trust_lines(result: SweepResult) -> list[Text]:
    """Return the lines about how far the numbers can be believed, and what pins the search down."""
    lines = []
    flattering = [item for item in result.assumptions if item.get("flatters")]
    if flattering:
        names = "; ".join(f"{str(item.get('name')).lower()}: {item.get('value')}" for item in flattering)
        count = f"{len(flattering)} of {len(result.assumptions)} assumptions flatter"
        lines.append(_line(("  ▲ ", "yellow"), (count, "yellow"), (f"  {names}", "dim")))
    shown = result.warnings if len(result.warnings) <= 3 else result.warnings[:2]
    if result.failed:
        lines.append(_line(("  ▲ ", "yellow"), (f"{result.failed:,} combinations failed", "yellow")))
    lines += [_line(("  ▲ ", "yellow"), (warning, "")) for warning in shown]
    if len(shown) < len(result.warnings):
        lines.append(_line((f"    and {len(result.warnings) - len(shown)} more warnings", "dim")))
    lines.append(
        _line(("  Run ", "dim"), (result.run_id, ""), (f"  seed {result.seed}", "dim"),
              (f"  result {result.result_hash[:12]}  data {result.data_hash[:12]}", "dim"))
    )  # fmt: skip
    return lines
