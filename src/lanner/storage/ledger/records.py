"""What goes into the ledger, as small records that cost little to make, and the rows they become.

Records are made on the trading thread: they hold ticks, lots and references, and nothing is computed for them. Rows are
made where there is time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import FundingPaid, OrderFilled, PositionAdjusted
from lanner.storage.journal import SessionHead
from lanner.storage.ledger.address import redacted_address

Row = dict[str, Any]
Instruments = Mapping[str, Instrument]


class OrderSnap(msgspec.Struct, frozen=True, gc=False):
    """An order as it was at one moment."""

    order_id: str
    strategy: str
    instrument_id: str
    side: Side
    type: OrderType
    tif: TimeInForce
    lots: int
    px_ticks: int | None
    stop_ticks: int | None
    cum_lots: int
    notional: int
    fees: Decimal
    status: OrderStatus
    reason: str
    reject_code: str
    venue_order_id: str
    parent_id: str
    intent: str
    tag: str
    post_only: bool
    reduce_only: bool
    ts_init: int
    ts_last: int


class FillSnap(msgspec.Struct, frozen=True, gc=False):
    """A fill and whose it is."""

    fill: OrderFilled
    strategy: str
    tag: str


class EquityPoint(msgspec.Struct, frozen=True, gc=False):
    """What the account (strategy ``""``) or one strategy was worth."""

    strategy: str
    ts: int
    equity: float


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that people shall find later; ``event`` names it within its session."""

    event: str
    ts: int
    level: str
    topic: str
    text: str


Entry = OrderSnap | FillSnap | EquityPoint | FundingPaid | PositionAdjusted | Event


def snap(order: Order) -> OrderSnap:
    """Take an order's picture."""
    return OrderSnap(
        order.order_id,
        order.strategy_id,
        order.instrument_id,
        order.side,
        order.type,
        order.tif,
        order.lots,
        order.px_ticks,
        order.stop_ticks,
        order.cum_lots,
        order.notional,
        order.fees,
        order.status,
        order.reason,
        order.reject_code,
        order.venue_order_id,
        order.parent_id,
        order.intent,
        order.tag,
        order.post_only,
        order.reduce_only,
        order.ts_init,
        order.ts_last,
    )


# -- rows --------------------------------------------------------------------------------------------------


def rows_of(session: str, entries: Iterable[Entry], instruments: Instruments) -> dict[str, list[Row]]:
    """Return the rows of entries by table; of several for one key the last one counts."""
    tables: dict[str, dict[Any, Row]] = {}
    for entry in entries:
        table, make = _MAKERS[type(entry)]
        key, row = make(entry, instruments)
        row["session"] = session
        tables.setdefault(table, {})[key] = row
    return {table: list(rows.values()) for table, rows in tables.items()}


def _order(entry: OrderSnap, instruments: Instruments) -> tuple[Any, Row]:
    instrument = instruments[entry.instrument_id]
    lots = entry.cum_lots
    return entry.order_id, {
        "order_id": entry.order_id,
        "strategy": entry.strategy,
        "instrument": entry.instrument_id,
        "side": entry.side.name,
        "type": entry.type.name,
        "tif": entry.tif.name,
        "qty": instrument.qty(entry.lots),
        "px": None if entry.px_ticks is None else instrument.px(entry.px_ticks),
        "stop_px": None if entry.stop_ticks is None else instrument.px(entry.stop_ticks),
        "cum_qty": instrument.qty(lots),
        "avg_px": None if not lots else instrument.tick * entry.notional / lots,
        "fees": entry.fees,
        "status": entry.status.name,
        "reason": entry.reason,
        "reject_code": entry.reject_code,
        "venue_order_id": entry.venue_order_id,
        "parent_id": entry.parent_id,
        "intent": entry.intent,
        "tag": entry.tag,
        "post_only": entry.post_only,
        "reduce_only": entry.reduce_only,
        "ts_init": entry.ts_init,
        "ts_last": entry.ts_last,
    }


def _fill(entry: FillSnap, instruments: Instruments) -> tuple[Any, Row]:
    fill = entry.fill
    instrument = instruments[fill.instrument_id]
    return (fill.instrument_id, fill.trade_id, fill.order_id), {
        "instrument": fill.instrument_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "strategy": entry.strategy,
        "side": Side(fill.side).name,
        "px": instrument.px(fill.px_ticks),
        "qty": instrument.qty(fill.lots),
        "fee": fill.fee,
        "liquidity": Liquidity(fill.liquidity).name,
        "ref_px": instrument.px(fill.ref_ticks),
        "tag": entry.tag,
        "ts_event": fill.ts_event,
        "ts_recv": fill.ts_recv,
    }


def _equity(entry: EquityPoint, _instruments: Instruments) -> tuple[Any, Row]:
    return (entry.strategy, entry.ts), {"strategy": entry.strategy, "ts": entry.ts, "equity": entry.equity}


def _funding(entry: FundingPaid, _instruments: Instruments) -> tuple[Any, Row]:
    return _adjustment("funding", entry, entry.strategy_id, amount=entry.amount, rate=entry.rate)


def _adjusted(entry: PositionAdjusted, instruments: Instruments) -> tuple[Any, Row]:
    instrument = instruments[entry.instrument_id]
    return _adjustment(
        "position",
        entry,
        entry.strategy_id,
        qty=instrument.qty(entry.lots),
        px=instrument.px(entry.px_ticks),
        reason=entry.reason,
    )


def _adjustment(
    kind: str, entry: FundingPaid | PositionAdjusted, strategy: str, **more: Any
) -> tuple[Any, Row]:
    key = (kind, entry.instrument_id, strategy, entry.ts_event, entry.ts_recv)
    names = ("kind", "instrument", "strategy", "ts_event", "ts_recv")
    blank = {"amount": None, "qty": None, "px": None, "rate": None, "reason": ""}
    return key, {**dict(zip(names, key, strict=True)), **blank, **more}


def _event(entry: Event, _instruments: Instruments) -> tuple[Any, Row]:
    return entry.event, msgspec.structs.asdict(entry)


_MAKERS: dict[type, tuple[str, Callable[[Any, Instruments], tuple[Any, Row]]]] = {
    OrderSnap: ("orders", _order),
    FillSnap: ("fills", _fill),
    EquityPoint: ("equity", _equity),
    FundingPaid: ("adjustments", _funding),
    PositionAdjusted: ("adjustments", _adjusted),
    Event: ("events", _event),
}


def instruments_of(head: SessionHead) -> dict[str, Instrument]:
    """Return the instruments of a session as its journal's first record has them."""
    return {name: Instrument.from_json(text.encode()) for name, text in head.spec["instruments"].items()}


def capital_of(head: SessionHead) -> Decimal:
    """Return what a session's strategies were given together."""
    config = head.spec["config"]
    shares = [entry.get("allocation") for entry in config.get("strategies") or ()]
    cash = Decimal(str(config["cash"]))
    return cash if not shares or None in shares else cash * sum(Decimal(str(share)) for share in shares)


def session_row(head: SessionHead) -> Row:
    """Return a session's row as it is at its start."""
    config = dict(head.spec["config"])
    ledger = config.get("ledger")
    if isinstance(ledger, dict) and ledger.get("url"):
        config["ledger"] = {**ledger, "url": redacted_address(str(ledger["url"]))}
    strategies = config.get("strategies") or [{"strategy": config["strategy"]}]
    return {
        "session": head.session,
        "mode": head.mode,
        "state": "running",
        "name": config.get("name", ""),
        "strategies": json.dumps([entry["strategy"] for entry in strategies]),
        "instruments": json.dumps(list(head.spec["instruments"])),
        "currency": head.spec["currency"],
        "capital": capital_of(head),
        "version": head.version,
        "source_hash": str(head.spec.get("source_hash", "")),
        "config": json.dumps(config),
        "started_ns": head.started_ns,
        "updated_ns": head.started_ns,
        "ended_ns": None,
        "reason": "",
        "equity": None,
        "journal_seq": 0,
        "complete": False,
    }
