"""Rows of the ledger for people: tables, times in UTC; and for programs: exact numbers as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lanner.cli.output import table

Rows = Sequence[Mapping[str, Any]]


def told(value: Any) -> Any:
    """Return rows as JSON shall have them: what is exact stays exact, as text."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {key: told(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [told(entry) for entry in value]
    return value


def moment(ns: int | None) -> str:
    """Return a time as people read it."""
    return "" if ns is None else f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def lasted(seconds: float | None) -> str:
    """Return a duration in the two largest units."""
    if seconds is None:
        return ""
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {whole % 60:02}s"


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.8f}".rstrip("0").rstrip(".") if isinstance(value, Decimal) else f"{value:,.2f}"


def orders_table(rows: Rows) -> str:
    """Lay out orders."""
    head = ["time (UTC)", "order", "strategy", "instrument", "side", "type", "qty", "filled", "px", "status"]
    lines = [
        [
            moment(row["ts_init"]),
            row["order_id"],
            row["strategy"],
            row["instrument"],
            row["side"],
            row["type"],
            _number(row["qty"]),
            _number(row["cum_qty"]),
            _price(row),
            row["status"] + (f" ({row['reason']})" if row["reason"] else ""),
        ]
        for row in rows
    ]
    return table(head, lines, right="678")


def _price(row: Mapping[str, Any]) -> str:
    """Return at what an order was filled, else what it asks for; a price that wakes it stands in front."""
    if row["avg_px"] is not None:
        return _number(row["avg_px"])
    limit = _number(row["px"])
    return f"stop {_number(row['stop_px'])} {limit}".rstrip() if row["stop_px"] is not None else limit


def fills_table(rows: Rows) -> str:
    """Lay out fills."""
    head = ["time (UTC)", "trade", "order", "strategy", "instrument", "side", "qty", "px", "fee", "role"]
    lines = [
        [
            moment(row["ts_event"]),
            row["trade_id"],
            row["order_id"],
            row["strategy"],
            row["instrument"],
            row["side"],
            _number(row["qty"]),
            _number(row["px"]),
            _number(row["fee"]),
            row["liquidity"].lower(),
        ]
        for row in rows
    ]
    return table(head, lines, right="678")


def equity_table(rows: Rows) -> str:
    """Lay out equity points."""
    lines = [[moment(row["ts"]), _number(row["equity"])] for row in rows]
    return table(["time (UTC)", "equity"], lines, right="1")


def events_table(rows: Rows) -> str:
    """Lay out events."""
    lines = [[moment(row["ts"]), row["level"], row["topic"], row["text"]] for row in rows]
    return table(["time (UTC)", "level", "topic", "what"], lines)


def ledger_text(found: Mapping[str, Any]) -> str:
    """Say where the ledger is and what it holds."""
    size = "" if found["bytes"] is None else f", {found['bytes'] / 1e6:,.1f} MB"
    counts = "\n".join(f"  {name:<12} {count:>12,}" for name, count in sorted(found["rows"].items()))
    return f"{found['ledger']} (schema {found['schema']}{size})\n{counts}"


def session_text(found: Mapping[str, Any]) -> str:
    """Show one session's row."""
    lines = {
        "Session": f"{found['session']} ({found['mode']}), {found['state']}"
        + (f": {found['reason']}" if found["reason"] else ""),
        "Strategies": ", ".join(found["strategies"]),
        "Instruments": ", ".join(found["instruments"]),
        "Started": moment(found["started_ns"]),
        "Ended": moment(found["ended_ns"]),
        "Duration": lasted(found["duration_s"]),
        "Capital": f"{_number(found['capital'])} {found['currency']}",
        "Equity": _number(found["equity"]),
        "P&L": _number(found["pnl"]),
        "Fees": _number(Decimal(found["fees"])),
        "Funding": _number(Decimal(found["funding"])),
        "Orders": f"{found['orders']:,}",
        "Fills": f"{found['fills']:,}",
        "Events": f"{found['events']:,}",
        "Rows": _rows(found),
    }
    return "\n".join(f"{name:<12} {text}".rstrip() for name, text in lines.items())


def _rows(found: Mapping[str, Any]) -> str:
    if found["state"] == "running":
        return "growing: the session runs, or broke off"
    if found["complete"]:
        return "complete"
    return "not known to be complete (`lanner ledger rebuild` makes them so)"


def sessions_table(sessions: Rows) -> str:
    """Lay out sessions with what the ledger knows of them."""
    head = [
        "session",
        "mode",
        "state",
        "started (UTC)",
        "lasted",
        "P&L",
        "orders",
        "fills",
        "strategy",
        "instruments",
    ]
    lines = [
        [
            entry["session"],
            entry.get("mode", "?"),
            entry.get("state", "?"),
            moment(entry.get("started_ns"))[:19],
            lasted(entry.get("duration_s")),
            ""
            if entry.get("pnl") is None
            else f"{entry['pnl']:+,.2f} {entry.get('currency') or ''}".rstrip(),
            "" if entry.get("orders") is None else f"{entry['orders']:,}",
            "" if entry.get("fills") is None else f"{entry['fills']:,}",
            ", ".join(name.rpartition("/")[2] for name in entry.get("strategies", [])),
            ", ".join(entry.get("instruments", [])) or entry.get("error", ""),
        ]
        for entry in sessions
    ]
    return table(head, lines, right="567")
