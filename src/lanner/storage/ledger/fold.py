"""A session's ledger entries, made again from its journal alone: no strategy is loaded and none of its code runs.

The journal holds what left and what came back. Whose order it was, and orders that never left because a limit denied
them, stand in notes beside (``who`` notes, see ``live.ledger``); a journal without them leaves the strategy empty.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from lanner.core.errors import DataError
from lanner.core.fsm import TransitionTable
from lanner.execution.late_fills import book_recognised
from lanner.execution.lifecycle import LIFECYCLE, apply_report, ask_amend, ask_cancel
from lanner.execution.unexplained import Unexplained
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, Quote, Trade
from lanner.model.orders import FINAL_STATUSES, Order
from lanner.model.reports import FundingPaid, OrderFilled, PositionAdjusted
from lanner.portfolio.portfolio import Portfolio
from lanner.storage.journal import Control, Kind, Note, Record, SessionHead, read_journal
from lanner.storage.ledger.records import (
    Entry,
    EquityPoint,
    Event,
    FillSnap,
    capital_of,
    instruments_of,
    snap,
)

WHO = "who"
"""The text of the notes that say whose orders are."""
UNTOLD = frozenset({"compared", "catch_up", "caught_up"})
"""Controls that are the house's own and of interest to nobody."""
Owner = tuple[str, str, str, str]
_STORY = frozenset({Kind.SESSION, Kind.NOTE})
_MOVES = frozenset(Kind) - {Kind.WARM, Kind.CHECKPOINT, Kind.BOOK, Kind.MARK, Kind.FUNDING, Kind.CLOCK}
_BATCH = 500
_LONGEST = 500
_EMPTY = 12
"""Bytes of a segment without records."""


@dataclass(slots=True)
class Story:
    """What a journal says about itself before its orders are read: its head, and whose orders are."""

    head: SessionHead
    capital: dict[str, Decimal] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    ts_init: dict[str, int] = field(default_factory=dict)

    def read(self, note: Note) -> None:
        """Take a ``who`` note."""
        told = note.details
        self.capital.update({name: Decimal(text) for name, text in told.get("capital", {}).items()})
        for order_id, strategy, intent, tag, parent_id, ts_init in told.get("orders", ()):
            self.owners[order_id] = (strategy, intent, tag, parent_id)
            self.ts_init[order_id] = ts_init


def read_head(folder: Path) -> SessionHead | None:
    """Return the first record of a journal, None while there is none."""
    if not any(path.stat().st_size > _EMPTY for path in folder.glob("*.journal")):
        return None
    first = next(read_journal(folder), None)
    if first is None:
        return None
    if not isinstance(first.message, SessionHead):
        raise DataError(f"the journal in {folder} does not begin with its session")
    return first.message


def read_story(folder: Path, pace: Callable[[], None] | None = None) -> Story:
    """Read a journal's head and its ``who`` notes."""
    story: Story | None = None
    for record in read_journal(folder, kinds=_STORY, pace=pace):
        if record.kind is Kind.SESSION and story is None:
            story = Story(record.message)
        elif story is not None and record.message.text == WHO:
            story.read(record.message)
    if story is None:
        raise DataError(f"the journal in {folder} does not begin with its session")
    return story


class Fold:
    """Take a journal's records in order; ``take_out`` gives the entries they led to."""

    def __init__(self, story: Story, equity_ns: int, known: Mapping[str, Owner] | None = None) -> None:
        head = story.head
        config = head.spec["config"]
        self.instruments = instruments_of(head)
        self.seq = 0
        self.last_ts = 0
        self.ended_ts: int | None = None
        self.reason = ""
        self.orders: dict[str, Order] = {}
        self.fills = 0
        self._story = story
        self._owners = {**(known or {}), **story.owners}
        self._equity_ns = equity_ns
        self._sampled = head.started_ns // equity_ns
        self._marks: dict[str, float] = {}
        self._quoted: set[str] = set()
        rates = {name: Decimal(str(rate)) for name, rate in config.get("rates", {}).items()}
        self._portfolio = Portfolio(head.spec["currency"], rates, self._marks)
        capital = story.capital or {"": capital_of(head)}
        for name, amount in capital.items():
            self._portfolio.add_strategy(name, amount)
        self._alone = next(iter(story.capital)) if len(story.capital) == 1 else ""
        self._unexplained = Unexplained()
        self._changed: dict[str, None] = {}
        self._out: list[Entry] = [EquityPoint("", head.started_ns, float(capital_of(head)))]

    @property
    def equity(self) -> float:
        """Return what the account is worth at the last prices."""
        return self._portfolio.total_equity()

    @property
    def pending(self) -> int:
        """Return how many entries wait to be taken out."""
        return len(self._out) + len(self._changed)

    def take_out(self) -> list[Entry]:
        """Return the entries since the last call; an order that changed is there once, as it is now."""
        found = [*self._out, *(snap(self.orders[order_id]) for order_id in self._changed)]
        self._out.clear()
        self._changed.clear()
        return found

    # -- records -------------------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Take one record."""
        message, kind = record.message, record.kind
        self._pass(record.ts)
        if kind is Kind.QUOTE or kind is Kind.TRADE or kind is Kind.BAR:
            self._mark(message)
        elif isinstance(message, SubmitOrder | CancelOrder | AmendOrder | Batch):
            for command in message.commands if isinstance(message, Batch) else (message,):
                self._command(command)
        elif isinstance(message, FundingPaid | PositionAdjusted):
            self._adjust(message)
        elif isinstance(message, Control):
            self._control(message, record)
        elif isinstance(message, Note):
            self._note(message)
        elif kind is not Kind.SESSION:
            self._report(message)
        self.seq = record.seq
        self.last_ts = max(self.last_ts, record.ts)

    def _pass(self, ts: int) -> None:
        """Take the equity where a record is the first one behind a point of the grid."""
        step = ts // self._equity_ns
        if step > self._sampled and self._portfolio.capital and self._marks:
            self._sampled = step
            self.sample(step * self._equity_ns)

    def sample(self, ts: int) -> None:
        """Note what account and strategies are worth."""
        self._out.append(EquityPoint("", ts, self._portfolio.total_equity()))
        if len(self._portfolio.capital) > 1:
            self._out += [
                EquityPoint(name, ts, self._portfolio.equity(name)) for name in self._portfolio.capital
            ]

    def _mark(self, message: Quote | Trade | Bar) -> None:
        name = message.instrument_id
        if isinstance(message, Quote):
            self._quoted.add(name)
            if message.mid == message.mid:  # a side that is empty leaves the last price known
                self._marks[name] = message.mid
        elif isinstance(message, Bar):
            self._marks[name] = message.close
        elif name not in self._quoted:
            self._marks[name] = message.px

    def _command(self, command: SubmitOrder | CancelOrder | AmendOrder) -> None:
        if isinstance(command, SubmitOrder):
            self._submit(command)
            return
        order = self.orders.get(command.order_id)
        if order is None or order.status in FINAL_STATUSES:
            return
        wanted = OrderStatus.PENDING_CANCEL if isinstance(command, CancelOrder) else OrderStatus.PENDING_AMEND
        if wanted is not order.status and wanted not in _steps(LIFECYCLE, order.status):
            return
        if isinstance(command, CancelOrder):
            ask_cancel(order, command.ts)
        else:
            ask_amend(order, command.lots, command.ts)
        self._changed[order.order_id] = None

    def _submit(self, command: SubmitOrder) -> None:
        order_id = command.order_id
        strategy, intent, tag, parent_id = self._owners.get(order_id, (self._alone, "", "", ""))
        order = Order(
            order_id,
            strategy,
            self.instruments[command.instrument_id],
            command.side,
            command.type,
            command.lots,
            self._story.ts_init.get(order_id, command.ts),
            px_ticks=command.px_ticks,
            stop_ticks=command.stop_ticks,
            tif=command.tif,
            post_only=command.post_only,
            reduce_only=command.reduce_only,
            parent_id=parent_id,
            intent=intent,
            tag=tag,
        )
        order.status, order.ts_last = OrderStatus.SUBMITTED, command.ts
        self.orders[order_id] = order
        self._changed[order_id] = None

    def _report(self, report: Any) -> None:
        order = self.orders.get(report.order_id)
        if order is None:
            return
        self._changed[order.order_id] = None  # a report that is no news may still bring the venue's order id
        if order.concluded is not None and isinstance(report, OrderFilled):
            report = book_recognised(order, report, self._portfolio)
            if report is None:
                return
        if apply_report(order, report) and isinstance(report, OrderFilled):
            self.fills += 1
            self._out.append(FillSnap(report, order.strategy_id, order.tag or order.intent))
            self._seat(order.strategy_id)
            back = self._unexplained.explained_by(report)
            if back is None:
                self._portfolio.apply_fill(order.strategy_id, order.instrument, report)
            else:
                self._portfolio.apply_late(order.strategy_id, order.instrument, report, back)
                self._out.append(back)

    def _adjust(self, report: FundingPaid | PositionAdjusted) -> None:
        self._out.append(report)
        instrument = self.instruments[report.instrument_id]
        if isinstance(report, FundingPaid):
            self._portfolio.apply_funding(instrument, report)
        else:
            self._seat(report.strategy_id)
            self._portfolio.adjust(instrument, report)
            self._unexplained.note(report)

    def _seat(self, strategy: str) -> None:
        if strategy not in self._portfolio.capital:
            self._portfolio.add_strategy(strategy, Decimal(0))

    def _control(self, control: Control, record: Record) -> None:
        self.ended_ts = record.ts if control.action == "stop" else None
        self.reason = control.reason
        if control.action not in UNTOLD:
            self._out.append(control_event(control, record.seq, record.ts))

    def _note(self, note: Note) -> None:
        if note.text == WHO and "denied" in note.details:
            for told in note.details["denied"]:
                order = denied_order(told, self.instruments)
                self.orders[order.order_id] = order
                self._changed[order.order_id] = None


def control_event(control: Control, seq: int, ts: int) -> Event:
    """Return what a person or a guard did as an event, named by its record of the journal."""
    level = "warning" if control.action in ("halt", "flatten", "state") else "info"
    return Event(f"journal-{seq}", ts, level, f"control.{control.action}", control_in_words(control))


def control_in_words(control: Control) -> str:
    """Say why a person or a guard did something, and with which particulars."""
    state = control.details.get("state")
    more = {key: value for key, value in control.details.items() if key not in ("state", "by", "paused")}
    text = f"{state}: {control.reason}" if state else control.reason
    if more:
        text = f"{text}: {_flat(more)}".removeprefix(": ")
    return text.removesuffix(": ")[:_LONGEST]


def _flat(details: Mapping[str, Any], before: str = "") -> str:
    """Return particulars as ``name value``, what lies deeper as ``name.name value``; what is empty is left out."""
    parts = []
    for key, value in details.items():
        if isinstance(value, Mapping):
            parts.append(_flat(value, f"{before}{key}."))
        elif value not in ("", None, []):
            told = json.dumps(value, default=str) if isinstance(value, list) else str(value)
            parts.append(f"{before}{key} {told}")
    return ", ".join(part for part in parts if part)


def denied_note(order: Order) -> dict[str, Any]:
    """Return what a journal keeps of an order that never left."""
    return {
        "order_id": order.order_id,
        "strategy_id": order.strategy_id,
        "instrument_id": order.instrument_id,
        "side": int(order.side),
        "type": int(order.type),
        "tif": int(order.tif),
        "lots": order.lots,
        "ts_init": order.ts_init,
        "ts_last": order.ts_last,
        "px_ticks": order.px_ticks,
        "stop_ticks": order.stop_ticks,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "parent_id": order.parent_id,
        "intent": order.intent,
        "tag": order.tag,
        "reason": order.reason,
        "reject_code": order.reject_code,
    }


def denied_order(told: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Order:
    """Return the order that a journal's note keeps."""
    order = Order(
        told["order_id"],
        told["strategy_id"],
        instruments[told["instrument_id"]],
        Side(told["side"]),
        OrderType(told["type"]),
        told["lots"],
        told["ts_init"],
        px_ticks=told["px_ticks"],
        stop_ticks=told["stop_ticks"],
        tif=TimeInForce(told["tif"]),
        post_only=told["post_only"],
        reduce_only=told["reduce_only"],
        parent_id=told["parent_id"],
        intent=told["intent"],
        tag=told["tag"],
    )
    order.status, order.ts_last = OrderStatus.DENIED, told["ts_last"]
    order.reason, order.reject_code = told["reason"], told["reject_code"]
    return order


def _steps(table: TransitionTable[OrderStatus], status: OrderStatus) -> Mapping[OrderStatus, str]:
    return table.steps[status]


def fold_journal(
    folder: Path,
    equity_ns: int,
    *,
    known: Mapping[str, Owner] | None = None,
    pace: Callable[[], None] | None = None,
) -> Iterator[tuple[Fold, list[Entry]]]:
    """Yield a journal's entries in pieces, with the fold that made them; the last piece may be empty."""
    story = read_story(folder, pace)
    fold = Fold(story, equity_ns, known)
    for record in read_journal(folder, kinds=_MOVES, pace=pace):
        fold.take(record)
        if fold.pending >= _BATCH:
            yield fold, fold.take_out()
    yield fold, fold.take_out()
