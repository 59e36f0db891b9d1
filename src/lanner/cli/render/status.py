"""The status of a running session, as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

STALE_S = 10.0


def status_view(told: dict[str, Any]) -> Group:
    """Draw state, positions, feeds and connections; what needs attention is coloured."""
    return Group(_head(told), Text(""), _positions(told), Text(""), _feeds(told), *_doubts(told))


def _head(told: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column()
    trading = Text(told["trading"], style="green" if told["trading"] == "ACTIVE" else "red")
    if told["paused"]:
        trading.append(" paused", style="yellow")
    unknown = Text(str(told["unknown"]), style="red" if told["unknown"] else "")
    table.add_row(
        Text("session", style="dim"),
        f"{told['session']} ({told['mode']})",
        Text("trading", style="dim"),
        trading,
    )
    table.add_row(
        Text("equity", style="dim"),
        Text.assemble(f"{told['equity']:,.2f} {told['currency']} (", _money(told["pnl"]), ")"),
        Text("uptime", style="dim"),
        _span(told["uptime_s"]),
    )
    table.add_row(
        Text("orders", style="dim"),
        f"{told['open_orders']} open of {told['orders']}",
        Text("unknown", style="dim"),
        unknown,
    )
    offsets = ", ".join(f"{name} {value:+.0f} ms" for name, value in told["clock_offset_ms"].items())
    table.add_row(Text("fills", style="dim"), str(told["fills"]), Text("clock", style="dim"), offsets)
    return table


def _positions(told: dict[str, Any]) -> Table | Text:
    rows = told["positions_detail"]
    if not rows:
        return Text("no positions", style="dim")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("strategy")
    table.add_column("instrument")
    for name in ("quantity", "entry", "mark", "open P&L", "realised", "fees"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row["strategy"],
            row["instrument"],
            row["qty"],
            _number(row["avg_px"]),
            _number(row["mark_px"]),
            _money(row["unrealized"]),
            _money(row["realized"]),
            f"{row['fees']:,.2f}",
        )
    return table


def _feeds(told: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("feed")
    table.add_column("price", justify="right")
    table.add_column("age", justify="right")
    for name, feed in told["feeds"].items():
        age = Text(f"{feed['age_s']:.1f} s", style="red" if feed["age_s"] > STALE_S else "")
        table.add_row(name, _number(feed["px"]), age)
    for link in told["links"]:
        style = "" if link["state"] == "connected" else "red"
        table.add_row(
            Text(link["name"], style="dim"),
            Text(link["state"], style=style),
            Text(link["reason"], style="dim"),
        )
    return table


def _doubts(told: dict[str, Any]) -> list[Text]:
    lines = []
    if told["quarantined"]:
        lines.append(Text(f"in quarantine: {', '.join(told['quarantined'])}", style="red"))
    if told["reason"] and told["trading"] != "ACTIVE":
        lines.append(Text(told["reason"], style="red"))
    for name, channel in told.get("alerts", {}).get("channels", {}).items():
        if channel["failed"] or channel["dropped"]:
            lost = f"{channel['failed']} failed, {channel['dropped']} dropped"
            lines.append(Text(f"alerts by {name}: {lost}; {channel['last_error']}", style="yellow"))
    if told["last_error"]:
        lines.append(Text(f"last error: {told['last_error']}", style="red"))
    if told.get("ledger", "").startswith("down"):
        lines.append(Text(f"ledger {told['ledger']}", style="yellow"))
    lines += [Text(f"cannot be closed: {text}", style="red") for text in told.get("uncloseable", [])]
    lines += [Text(text, style="yellow") for text in told["differences"]]
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def _money(value: float) -> Text:
    return Text(f"{value:+,.2f}", style="green" if value > 0 else "red" if value < 0 else "")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
