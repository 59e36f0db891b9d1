"""The log of orders that no session's engine sends: written to disk before an order leaves.

The ledger's rows of such orders are made from it alone (``storage.ledger.byhand``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from lanner.model.accounts import VenueOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.orders import FINAL_STATUSES, Order
from lanner.model.reports import OrderFilled
from lanner.net.wallclock import wall_ns

REMEMBERED = 2_000


class OrderLog:
    """One line for each order before it leaves, and one for what became of it; on disk before it returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: dict[str, list[str]] = {}
        self._last: dict[str, Mapping[str, Any]] = {}
        try:
            lines = path.read_text(encoding="utf-8").splitlines()[-REMEMBERED:]
        except FileNotFoundError:
            return
        for line in lines:
            try:
                told = json.loads(line)
                self._remember(told["product"], told["order_id"])
            except (ValueError, KeyError, TypeError):
                continue  # a line that a crash cut off, or one that is about no order
            self._last[told["order_id"]] = told

    def _remember(self, product: str, order_id: str) -> None:
        if order_id not in self._last:
            self.ids.setdefault(product, []).append(order_id)

    def write(self, what: str, order: Order, product: str, fills: Iterable[OrderFilled] = ()) -> None:
        """Append a line about an order, with all its fills so far."""
        self._remember(product, order.order_id)
        line = {
            "ts": wall_ns(),
            "what": what,
            "product": product,
            "order_id": order.order_id,
            "strategy": order.strategy_id,
            "intent": order.intent,
            "tag": order.tag,
            "instrument_id": order.instrument_id,
            "side": order.side.name,
            "type": order.type.name,
            "tif": order.tif.name,
            "qty": f"{order.qty:f}",
            "px": _text(order.px),
            "stop_px": _text(order.stop_px),
            "post_only": order.post_only,
            "reduce_only": order.reduce_only,
            "status": order.status.name,
            "venue_order_id": order.venue_order_id,
            "cum_qty": f"{order.cum_qty:f}",
            "avg_px": _text(order.avg_px),
            "fees": f"{order.fees:f}",
            "reason": order.reason,
            "reject_code": order.reject_code,
            "ts_init": order.ts_init,
            "ts_last": order.ts_last,
            "fills": [_fill(order.instrument, fill) for fill in fills],
        }
        self._last[order.order_id] = line
        self._append(line)

    def note(self, what: str, text: str, *, level: str = "info") -> None:
        """Append a line about something that is no order, such as a cancel of somebody else's."""
        self._append({"ts": wall_ns(), "what": what, "text": text, "level": level})

    def _append(self, line: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(0o600)
        with self.path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            cut_off = file.read(1) not in (
                b"",
                b"\n",
            )  # a crash left a part of a line: this one is not to end it
            file.write(b"\n" * cut_off + json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def told_since(self, ts: int) -> dict[str, str]:
        """Return the orders of which something was written after a time, with their instruments."""
        return {
            order_id: told["instrument_id"]
            for order_id, told in self._last.items()
            if told["ts"] > ts and "instrument_id" in told
        }

    # -- what became of them ---------------------------------------------------------------------------------

    def open_orders(
        self, product: str, instruments: Mapping[str, Instrument]
    ) -> list[tuple[Order, list[OrderFilled]]]:
        """Return the orders of a product that the log has no end of, with their fills so far, newest first."""
        return [
            order_of_line(told, instruments[told["instrument_id"]])
            for told in reversed(list(self._last.values()))
            if told["product"] == product
            and told["instrument_id"] in instruments
            and OrderStatus[told["status"]] not in FINAL_STATUSES
        ]


def order_of_line(told: Mapping[str, Any], instrument: Instrument) -> tuple[Order, list[OrderFilled]]:
    """Return an order and its fills as a line of the log has them."""
    order = Order(
        told["order_id"],
        told.get("strategy", ""),
        instrument,
        Side[told["side"]],
        OrderType[told["type"]],
        instrument.floor_lots(Decimal(told["qty"])),
        told.get("ts_init", told["ts"]),
        px_ticks=_ticks(instrument, told["px"]),
        stop_ticks=_ticks(instrument, told["stop_px"]),
        tif=TimeInForce[told.get("tif", "GTC")],
        post_only=bool(told.get("post_only")),
        reduce_only=bool(told.get("reduce_only")),
        intent=told.get("intent", ""),
        tag=told.get("tag", ""),
    )
    order.status = OrderStatus[told["status"]]
    order.ts_last = told.get("ts_last", told["ts"])
    order.venue_order_id = told["venue_order_id"]
    fills = [_filled(order, one) for one in told.get("fills", ())]
    order.trade_ids = tuple(fill.trade_id for fill in fills)
    order.cum_lots = sum(fill.lots for fill in fills)
    order.notional = sum(fill.lots * fill.px_ticks for fill in fills)
    order.fees = sum((fill.fee for fill in fills), Decimal(0))
    return order, fills


def in_words(order: VenueOrder, status: OrderStatus | None) -> str:
    """Say what became of an order that was asked back by hand."""
    name = order.order_id or order.client_id or order.venue_order_id
    became = "nobody knows what became of it" if status is None else status.name
    return f"{order.instrument_id}: order {name} (the venue's {order.venue_order_id}) asked back: {became}"


def _fill(instrument: Instrument, fill: OrderFilled) -> dict[str, Any]:
    return {
        "trade_id": fill.trade_id,
        "side": Side(fill.side).name,
        "px": f"{instrument.px(fill.px_ticks):f}",
        "qty": f"{instrument.qty(fill.lots):f}",
        "fee": f"{fill.fee:f}",
        "base_fee": f"{fill.base_fee:f}",
        "liquidity": Liquidity(fill.liquidity).name,
        "ts_event": fill.ts_event,
        "ts_recv": fill.ts_recv,
    }


def _filled(order: Order, told: Mapping[str, Any]) -> OrderFilled:
    instrument = order.instrument
    px_ticks = int(Decimal(told["px"]) / instrument.tick)
    return OrderFilled(
        order.order_id,
        instrument.id,
        told["ts_event"],
        told["ts_recv"],
        told["trade_id"],
        Side[told["side"]],
        px_ticks,
        instrument.floor_lots(Decimal(told["qty"])),
        Decimal(told["fee"]),
        Liquidity[told["liquidity"]],
        px_ticks,
        base_fee=Decimal(told.get("base_fee", "0")),
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


def _ticks(instrument: Instrument, text: str | None) -> int | None:
    return None if text is None else int(Decimal(text) / instrument.tick)
