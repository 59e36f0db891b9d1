"""Balances, positions, orders, and what became of an order, as text and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lanner.model.accounts import AccountState, VenueOrder
    from lanner.model.instruments import Instrument
    from lanner.model.orders import Order


def balances_plain(product: str, state: AccountState) -> list[dict[str, Any]]:
    """Return an account's balances as plain data."""
    return [
        {
            "product": product,
            "account": "spot" if state.equity is None else "margin",
            "currency": balance.currency,
            "total": balance.total,
            "available": balance.available,
            "locked": balance.locked,
        }
        for balance in state.balances
    ]


def positions_plain(
    product: str, state: AccountState, known: Mapping[str, Instrument]
) -> list[dict[str, Any]]:
    """Return an account's positions as plain data; those of instruments that are not known are in lots only."""
    rows = []
    for position in state.positions:
        if not position.lots:
            continue
        instrument = known.get(position.instrument_id)
        rows.append(
            {
                "product": product,
                "instrument_id": position.instrument_id,
                "side": "LONG" if position.lots > 0 else "SHORT",
                "qty": None if instrument is None else instrument.qty(abs(position.lots)),
                "lots": position.lots,
                "entry_px": position.entry_px,
                "mark_px": position.mark_px,
                "unrealized_pnl": position.unrealized_pnl,
                "liquidation_px": position.liquidation_px,
                "leverage": position.leverage,
                "margin_mode": position.margin_mode.name,
            }
        )
    return rows


def venue_order_plain(product: str, order: VenueOrder, instrument: Instrument | None) -> dict[str, Any]:
    """Return an order as its venue has it as plain data."""

    def px(ticks: int | None) -> Decimal | None:
        return None if ticks is None or instrument is None else instrument.px(ticks)

    return {
        "product": product,
        "instrument_id": order.instrument_id,
        "venue_order_id": order.venue_order_id,
        "order_id": order.order_id or order.client_id,
        "side": order.side.name,
        "type": order.type.name,
        "tif": order.tif.name,
        "px": px(order.px_ticks),
        "stop_px": px(order.stop_ticks),
        "qty": None if instrument is None else instrument.qty(order.lots),
        "cum_qty": None if instrument is None else instrument.qty(order.cum_lots),
        "avg_px": order.avg_px,
        "status": order.status.name,
        "reduce_only": order.reduce_only,
        "post_only": order.post_only,
        "ts_init": order.ts_init,
        "reason": order.reason,
    }


def order_plain(product: str, order: Order) -> dict[str, Any]:
    """Return an order of ours as plain data."""
    return {
        "product": product,
        "instrument_id": order.instrument_id,
        "order_id": order.order_id,
        "venue_order_id": order.venue_order_id,
        "side": order.side.name,
        "type": order.type.name,
        "tif": order.tif.name,
        "px": order.px,
        "stop_px": order.stop_px,
        "qty": order.qty,
        "cum_qty": order.cum_qty,
        "avg_px": order.avg_px,
        "fees": order.fees,
        "status": order.status.name,
        "reason": order.reason,
        "code": order.reject_code,
    }


def order_line(told: Mapping[str, Any]) -> str:
    """Return what became of an order in one line."""
    at = "at market" if told["px"] is None else f"at {told['px']:f}"
    stop = "" if told["stop_px"] is None else f", triggered at {told['stop_px']:f}"
    filled = ""
    if told["cum_qty"]:
        filled = f"; filled {told['cum_qty']:f}" + (f" at {told['avg_px']:.8g}" if told["avg_px"] else "")
    reason = f" ({told['reason']})" if told["reason"] and told["status"] in ("REJECTED", "UNKNOWN") else ""
    name = told["venue_order_id"] or told["order_id"]
    return (
        f"{told['status']} {name}: {told['side'].lower()} {told['qty']:f} {told['instrument_id']} "
        f"{at}{stop}{filled}{reason}"
    )


def balances_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Draw balances."""
    table = _table("product", "account", "currency", right=("total", "available", "locked"))
    for row in rows:
        amounts = (f"{row[name]:,.8f}".rstrip("0").rstrip(".") for name in ("total", "available", "locked"))
        table.add_row(row["product"], row["account"], row["currency"], *amounts)
    return table


def positions_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Draw positions, profit in green and loss in red."""
    table = _table(
        "instrument",
        "side",
        right=("quantity", "entry", "mark", "profit", "liquidation", "leverage"),
    )
    for row in rows:
        pnl = row["unrealized_pnl"]
        table.add_row(
            row["instrument_id"],
            row["side"],
            f"{row['lots']} lots" if row["qty"] is None else f"{row['qty']:f}",
            _float(row["entry_px"]),
            _float(row["mark_px"]),
            Text(_float(pnl), style="green" if pnl > 0 else "red" if pnl < 0 else ""),
            _float(row["liquidation_px"]),
            _float(row["leverage"]),
        )
    return table


def orders_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Draw working orders."""
    table = _table("id", "instrument", "side", "type", right=("price", "trigger", "quantity", "filled"))
    table.add_column("state")
    for row in rows:
        table.add_row(
            row["venue_order_id"],
            row["instrument_id"],
            Text(row["side"], style="green" if row["side"] == "BUY" else "red"),
            row["type"],
            *("" if row[name] is None else f"{row[name]:f}" for name in ("px", "stop_px", "qty", "cum_qty")),
            row["status"],
        )
    return table


def _table(*names: str, right: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _float(value: float) -> str:
    return f"{value:,.8g}" if value == value else ""
