"""A comparison in words and numbers, for tables, pages and programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lanner.live.parity.compare import ParityReport
from lanner.live.parity.split import PARTS, Pair
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled

NAMES = {
    "latency": "Latency",
    "queue_fill": "Queue and fill price",
    "fees": "Fees",
    "funding": "Funding",
    "missed_data": "Missed data",
    "manual_action": "Manual action",
    "rest": "Rest",
}
MEANINGS = {
    "latency": "the market moved before the session's order met it",
    "queue_fill": "another price or quantity in the same market",
    "fees": "what the venue took, against what was assumed",
    "funding": "what perpetuals paid or cost",
    "missed_data": "orders while market data were missing",
    "manual_action": "pause, kill, reload, trading states, adjusted positions",
    "rest": "unexplained; must be zero",
}


def verdict(report: ParityReport) -> str:
    """Say in one sentence what came out."""
    if not report.faithful:
        return "The session cannot be repeated: its strategies now decide otherwise than they did."
    if report.identical:
        return "The session is its backtest: every order, fill and fee is the same."
    if report.explained:
        return f"The gap of {signed(report.gap)} {report.currency} is explained to the cent."
    count = len(report.unexplained)
    orders = f" and {count:,} order{'s' if count > 1 else ''}" if count else ""
    return f"{signed(report.parts['rest'])} {report.currency} of the gap{orders} are not explained."


def signed(amount: Decimal) -> str:
    """Write an amount to the cent with its sign; zero has none."""
    rounded = amount.quantize(Decimal("0.01"))
    return f"{rounded:+,.2f}" if rounded else "0.00"


def in_cents(parts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Round parts to cents so that what is shown adds up to the rounded sum.

    Each cent that rounding alone would lose or win goes to the part that was rounded farthest the other way.
    """
    cent = Decimal("0.01")
    shown = {name: amount.quantize(cent) for name, amount in parts.items()}
    missing = sum(parts.values(), Decimal(0)).quantize(cent) - sum(shown.values(), Decimal(0))
    step = cent.copy_sign(missing)
    for name in sorted(parts, key=lambda one: (shown[one] - parts[one]) * step)[: int(abs(missing) / cent)]:
        shown[name] += step
    return shown


def clock(ts: int) -> str:
    """Write a time of the day to the millisecond."""
    return f"{datetime.fromtimestamp(ts / 1e9, UTC):%H:%M:%S.%f}"[:-3]


def report_json(report: ParityReport) -> dict[str, Any]:
    """Return everything as plain data; money is a number, prices and quantities are exact text."""
    return {
        "session": report.session,
        "mode": report.mode,
        "strategies": report.strategies,
        "instruments": report.instruments,
        "currency": report.currency,
        "started_ns": report.started_ns,
        "ended_ns": report.ended_ns,
        "messages": report.messages,
        "faithful": report.faithful,
        "identical": report.identical,
        "explained": report.explained,
        "verdict": verdict(report),
        "session_equity": report.session_equity,
        "backtest_equity": report.backtest_equity,
        "gap": report.gap,
        "parts": report.parts,
        "orders": {
            "session": sum(pair.session is not None for pair in report.pairs),
            "backtest": sum(pair.backtest is not None for pair in report.pairs),
            "joined": len(report.pairs) - len(report.alone),
            "session_only": sum(pair.backtest is None for pair in report.pairs),
            "backtest_only": sum(pair.session is None for pair in report.pairs),
        },
        "fills": {
            "session": sum(len(pair.session_fills) for pair in report.pairs),
            "backtest": sum(len(pair.backtest_fills) for pair in report.pairs),
        },
        "changed": report.changed,
        "data": report.data,
        "controls": [
            {"ts": ts, "action": action, "reason": reason} for ts, action, reason in report.controls
        ],
        "gaps": [{"ts_from": begin, "ts_to": end, "what": what} for begin, end, what in report.gaps],
        "pairs": [pair_json(pair) for pair in report.pairs],
    }


def pair_json(pair: Pair) -> dict[str, Any]:
    """Return a joined order as plain data."""
    order = pair.either
    return {
        "strategy": order.strategy_id,
        "instrument": order.instrument_id,
        "side": order.side.name,
        "type": order.type.name,
        "intent": order.tag or order.intent,
        "ts": order.ts_init,
        "session": side_json(pair.session, pair.session_fills),
        "backtest": side_json(pair.backtest, pair.backtest_fills),
        "gap": pair.gap,
        "parts": {name: pair.parts[name] for name in PARTS if pair.parts[name]},
        "note": pair.note,
    }


def side_json(order: Order | None, fills: list[OrderFilled]) -> dict[str, Any] | None:
    """Return one side of a joined order; ``delay_ms`` is from the decision to the news of the last fill."""
    if order is None:
        return None
    return {
        "order_id": order.order_id,
        "ts": order.ts_init,
        "qty": f"{order.qty:f}",
        "px": None if order.px is None else f"{order.px:f}",
        "cum_qty": f"{order.cum_qty:f}",
        "avg_px": None if order.avg_px is None else float(order.avg_px),
        "fees": order.fees,
        "status": order.status.name,
        "delay_ms": (max(fill.ts_recv for fill in fills) - order.ts_init) / 1e6 if fills else None,
        "reason": order.reason,
    }
