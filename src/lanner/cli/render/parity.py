"""A comparison of a session with its backtest, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from lanner.live.parity.compare import ParityReport
from lanner.live.parity.split import PARTS
from lanner.live.parity.view import MEANINGS, NAMES, clock, in_cents, pair_json, signed, verdict

SHOWN = 12
WIDE = 160
"""Columns of the orders where there is no terminal: the reason shall stand in one line."""


def print_parity(report: ParityReport, *, quiet: bool) -> None:
    """Print the verdict, what the gap is made of, and the orders that differ."""
    from lanner.cli.output import console

    out = console()
    out.print(Text(verdict(report), style="green" if report.explained else "red"))
    if quiet:
        return
    out.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    count = f"{len(report.pairs) - len(report.alone):,} orders joined, {len(report.alone):,} on one side only"
    table.add_row("Session", f"{report.session_equity:,.2f}", f"{report.session} ({report.mode})")
    table.add_row("Backtest", f"{report.backtest_equity:,.2f}", count)
    table.add_row("Gap", signed(report.gap), report.currency, style="bold")
    shown = in_cents(report.parts)
    for name in PARTS:
        table.add_row(f"  {NAMES[name]}", signed(shown[name]), MEANINGS[name])
    out.print(table)
    _print_orders(report)


def print_sessions(found: Sequence[tuple[ParityReport, Path]]) -> None:
    """Print several comparisons in a line each, and where their pages are."""
    from lanner.cli.output import console

    out = console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Session")
    for head in ("Orders", "Fills", "Equity", "Backtest", "Gap"):
        table.add_column(head, justify="right")
    table.add_column("")
    for report, _ in found:
        orders = sum(pair.session is not None for pair in report.pairs)
        fills = sum(len(pair.session_fills) for pair in report.pairs)
        verdict_ = "equal" if report.identical else "explained" if report.explained else "NOT explained"
        table.add_row(
            report.mode,
            f"{orders:,}",
            f"{fills:,}",
            f"{report.session_equity:,.2f}",
            f"{report.backtest_equity:,.2f}",
            signed(report.gap),
            Text(verdict_, style="green" if report.explained else "red"),
        )
    out.print(table)
    for report, page in found:
        print(f"{report.mode:8} {page}")


def _print_orders(report: ParityReport) -> None:
    from lanner.cli.output import console

    differing = sorted((p for p in report.pairs if p.note or p.gap), key=lambda p: -abs(p.gap))
    if not differing:
        return
    out = console(WIDE)
    out.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    many = len(report.instruments) > 1
    for head in ("Time", "Order", "Session", "Backtest", "Gap", "Why"):
        right = head in ("Session", "Backtest", "Gap")
        table.add_column(head, justify="right" if right else "left", no_wrap=right or head == "Time")
    for pair in differing[:SHOWN]:
        told = pair_json(pair)
        table.add_row(
            clock(told["ts"]),
            f"{told['side']} {told['type']}" + (f" {told['instrument']}" if many else ""),
            _side(told["session"]),
            _side(told["backtest"]),
            signed(pair.gap),
            pair.note,
        )
    out.print(table)
    if len(differing) > SHOWN:
        out.print(Text(f"… and {len(differing) - SHOWN:,} more; --html and --json show all", style="dim"))


def _side(side: dict[str, object] | None) -> str:
    if side is None:
        return "–"
    return str(side["cum_qty"]) + ("" if side["avg_px"] is None else f" @ {side['avg_px']:,.2f}")
