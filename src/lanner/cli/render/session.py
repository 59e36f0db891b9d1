"""How a session stands, as text."""

from __future__ import annotations

from typing import Any

from rich.table import Table


def print_state(state: dict[str, Any]) -> None:
    """Print a session's state at its end."""
    from lanner.cli.output import console

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("session", f"{state['session']} ({state['mode']})")
    table.add_row("equity", f"{state['equity']:,.2f} {state['currency']} ({state['pnl']:+,.2f})")
    positions = ", ".join(f"{name} {qty}" for name, qty in state["positions"].items()) or "flat"
    table.add_row("positions", positions)
    table.add_row("orders", f"{state['orders']} ({state['open_orders']} open, {state['unknown']} unknown)")
    table.add_row("fills", f"{state['fills']}")
    table.add_row(
        "inputs", f"{state['inputs']:,} ({state['data']:,} of market data, {state['reports']} reports)"
    )
    trouble = [f"{state[name]} {name}" for name in ("gaps", "malformed", "reconnects") if state[name]]
    table.add_row("trouble", ", ".join(trouble) or "none")
    told = f": {state['reason']}" if state["reason"] and state["trading"] != "ACTIVE" else ""
    table.add_row("trading", state["trading"] + (" (paused)" if state["paused"] else "") + told)
    if state["recovered"]:
        table.add_row("recovered", state["recovered"])
    if state.get("uncloseable"):
        table.add_row("cannot be closed", "; ".join(state["uncloseable"]))
    if state["differences"]:
        table.add_row("last comparison", "; ".join(state["differences"]))
    table.add_row("fingerprint", state["state_hash"])
    table.add_row("journal", str(state["folder"]))
    console().print(table)
