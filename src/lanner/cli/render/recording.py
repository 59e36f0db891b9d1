"""The live passport of a recording, as a table."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text


def recording_view(passport: dict[str, Any]) -> Group:
    """Draw series, latencies, gaps, connections and what is on disk."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("data set")
    for name in ("messages", "gaps", "missing", "latency p50", "p99"):
        table.add_column(name, justify="right")
    for ref, state in passport["series"].items():
        table.add_row(
            ref,
            f"{state['messages']:,}",
            Text(str(state["gaps"]), style="yellow" if state["gaps"] else ""),
            f"{state['missing_s']:.1f} s",
            _ms(state["latency_p50_ms"]),
            _ms(state["latency_p99_ms"]),
        )
    raw = passport["raw"]
    lines = [
        Text(
            f"raw frames {raw['frames']:,} · {raw['bytes'] / 1e6:,.1f} MB in {raw['files']} file(s) · "
            f"rows {passport['rows']:,} · told twice {passport['stream']['doubled'] + passport['stream']['stale']:,}",
            style="dim",
        )
    ]
    lines += [
        Text(f"{entry['name']} {entry['state']} {entry['reason']}", style="yellow")
        for entry in passport["connections"]
        if entry["state"] != "connected"
    ]
    trouble = raw["fault"] or passport["fault"]
    if trouble or raw["dropped"]:
        lines.append(Text(f"{raw['dropped']:,} frames dropped {trouble}", style="red"))
    if passport["malformed"]:
        lines.append(Text(f"{passport['malformed']:,} frames could not be understood", style="yellow"))
    return Group(table, *lines)


def print_recording(report: dict[str, Any]) -> None:
    """Print the passport at the end, and where everything is."""
    from lanner.cli.output import console

    out = console()
    out.print(recording_view(report))
    committed = ", ".join(report["committed"]) or "nothing"
    out.print(Text(f"recording in {report['folder']} · in the catalog: {committed}"))


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f} ms"
