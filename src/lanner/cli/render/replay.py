"""What a replay found, as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text


def print_replay(
    report: dict[str, Any], lines: list[tuple[int, str, str]], *, stopped: str, quiet: bool
) -> None:
    """Print the verdict, the state at the end, and what the strategies logged.

    ``stopped`` says where the replay was to stop; then the strategies' own state is printed, too.
    """
    from lanner.cli.output import console

    out = console()
    if not quiet:
        for ts, name, text in lines:
            stamp = datetime.fromtimestamp(ts / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]
            out.print(Text(f"{stamp} {name}: {text}", style="dim"))
    verdict = "the same commands and fingerprints as written" if report["faithful"] else "NOT the same"
    out.print(
        Text(f"replay of {report['session']}: {verdict}", style="green" if report["faithful"] else "red")
    )
    for difference in report["differences"]:
        out.print(Text(f"  {difference}", style="red"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("inputs", f"{report['inputs']:,}")
    table.add_row("commands", f"{report['commands']:,}")
    table.add_row("checkpoints", f"{report['checkpoints']:,} compared")
    table.add_row("equity", f"{report['equity']:,.2f}")
    positions = ", ".join(f"{name} {qty}" for name, qty in report["positions"].items()) or "flat"
    table.add_row("positions", positions)
    table.add_row("fingerprint", report["state_hash"])
    out.print(table)
    if stopped:
        out.print(Text(stopped))
        for name, state in report["strategies"].items():
            own = Table(box=None, pad_edge=False, show_header=False, title=name, title_justify="left")
            own.add_column(style="dim")
            own.add_column()
            for key, value in state.items():
                own.add_row(f"  {key}", Text(value))
            out.print(own)
