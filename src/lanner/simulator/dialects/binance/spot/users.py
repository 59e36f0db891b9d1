"""Spot's private events: order reports, balances, lists."""

from __future__ import annotations

from typing import Any

from lanner.model.enums import Liquidity
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance.spot.words import (
    STATUS,
    Prevented,
    Row,
    list_kind,
    list_words,
    refusal,
    tag_of,
)
from lanner.simulator.dialects.binance.texts import SIDES, STP_TEXT, ZERO, SpotTexts
from lanner.simulator.dialects.binance.venue import Venue, encode
from lanner.simulator.dialects.binance.wsapi import ApiSession, WebSocketApi
from lanner.simulator.events import AccountChanged, ChangeReason, Exec, ListUpdate, OrderUpdate
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import SimOrder, SimStatus

EXECUTIONS = {
    Exec.NEW: "NEW",
    Exec.TRADE: "TRADE",
    Exec.CANCELED: "CANCELED",
    Exec.EXPIRED: "EXPIRED",
    Exec.PREVENTED: "TRADE_PREVENTION",
    Exec.TRIGGERED: "NEW",
    Exec.AMENDED: "REPLACED",
    Exec.REJECTED: "REJECTED",
    Exec.ACTIVATED: "NEW",
}
MAKER_CREDIT = 5
"""How far an order that rested and then traded lowers the unfilled order count."""


class SpotUsers:
    """Write private events to the sessions that listen to an account."""

    def __init__(self, venue: Venue, api: WebSocketApi, texts: SpotTexts, cancel_ids: dict[int, str]) -> None:
        self._venue = venue
        self._api = api
        self._texts = texts
        self._cancel_ids = cancel_ids
        self._match_id = 0

    def _listeners(self, account: str) -> list[tuple[int, ApiSession]]:
        found = []
        for state in self._api.sessions.values():
            if state.users:
                found += [(number, state) for number, heard in state.users.items() if heard == account]
        return found

    def _send(self, listeners: list[tuple[int, ApiSession]], write: Any) -> None:
        written: dict[bool, bytes] = {}
        for number, state in listeners:
            body = written.get(state.micro)
            if body is None:
                body = written[state.micro] = encode(write(1000 if state.micro else 1_000_000))
            state.session.send(b'{"subscriptionId":%d,"event":%b}' % (number, body), Kind.USER)

    # -- orders ---------------------------------------------------------------------------------------

    def on_order(self, event: OrderUpdate) -> None:
        """Take one step of an order."""
        self._note(event)
        listeners = self._listeners(event.account)
        if not listeners:
            return
        execution = self._venue.ids.execution_id()
        self._send(listeners, lambda unit: self._report(event, execution, unit))

    def _note(self, event: OrderUpdate) -> None:
        """Keep what later answers need: prevented matches, and how orders that trade lower the order count."""
        order = event.order
        if event.kind == Exec.PREVENTED and event.prevented_lots:
            self._keep_prevented(event)
        rested = order.fills and event.fill is order.fills[0] and event.fill.liquidity == Liquidity.MAKER
        if event.kind == Exec.TRADE and rested:
            self._venue.limits.count_orders(event.account, event.ts_ns, -MAKER_CREDIT)

    def _keep_prevented(self, event: OrderUpdate) -> None:
        order, other_id = event.order, event.counter_order_id
        other = self._venue.exchange.order(order.account, order_id=other_id)
        for one in tag_of(other).prevented if other is not None else ():
            if one.taker_order_id == order.order_id or one.maker_order_id == order.order_id:
                tag_of(order).prevented.append(one)
                return
        self._match_id += 1
        taker, maker = (order, other) if order.order_id > other_id else (other, order)
        tag_of(order).prevented.append(
            Prevented(
                self._match_id,
                taker.order_id if taker is not None else other_id,
                maker.order_id if maker is not None else other_id,
                maker.ticks if maker is not None else order.ticks,
                event.prevented_lots,
                event.prevented_lots if maker is order else 0,
                STP_TEXT[taker.stp if taker is not None else order.stp],
                event.ts_ns,
            )
        )

    def _report(self, event: OrderUpdate, execution: int, unit: int) -> Row:
        order, fill = event.order, event.fill
        market = self._venue.exchange.markets[order.market]
        px, qty, tag = self._texts.px, self._texts.qty, tag_of(order)
        client_id, old_id = self._client_ids(event)
        row: Row = {
            "e": "executionReport",
            "E": event.ts_ns // unit,
            "s": order.market,
            "c": client_id,
            "S": SIDES[order.side],
            "o": tag.type,
            "f": tag.tif,
            "q": qty(market, order.lots),
            "p": px(market, order.ticks),
            "P": px(market, order.trigger_ticks),
            "F": qty(market, order.display_lots),
            "g": order.list_id or -1,
            "C": old_id,
            "x": EXECUTIONS[event.kind],
            "X": STATUS[event.status],
            "r": self._reject_reason(event),
            "i": order.order_id,
            "l": ZERO if fill is None else qty(market, fill.lots),
            "z": qty(market, event.cum_lots),
            "L": ZERO if fill is None else px(market, fill.ticks),
            "n": "0" if fill is None else atoms_text(fill.fee_atoms),
            "N": None if fill is None else fill.fee_asset,
            "T": event.ts_ns // unit,
            "t": -1 if fill is None else fill.trade_id,
            "I": execution,
            "w": event.status in (SimStatus.NEW, SimStatus.PARTIALLY_FILLED) and order.is_limit,
            "m": fill is not None and fill.liquidity == Liquidity.MAKER,
            "M": fill is not None,
            "O": order.ts_created // unit,
            "Z": atoms_text(event.cum_quote),
            "Y": ZERO if fill is None else atoms_text(fill.quote_atoms),
            "Q": atoms_text(order.quote_atoms),
        }
        if event.status not in (SimStatus.PENDING_PARENT, SimStatus.PENDING_TRIGGER):
            row["W"] = order.ts_working // unit
        row["V"] = STP_TEXT[order.stp]
        self._conditional(event, row, unit)
        return row

    def _conditional(self, event: OrderUpdate, row: Row, unit: int) -> None:
        order, tag = event.order, tag_of(event.order)
        if order.trail_bps:
            row["d"] = order.trail_bps
            if order.activated:
                row["D"] = order.ts_updated // unit
        if tag.strategy_id is not None:
            row["j"] = tag.strategy_id
        if tag.strategy_type is not None:
            row["J"] = tag.strategy_type
        if event.kind == Exec.PREVENTED and tag.prevented:
            market = self._venue.exchange.markets[order.market]
            row["u"] = 1
            row["v"] = tag.prevented[-1].match_id
            row["U"] = event.counter_order_id
            row["A"] = self._texts.qty(market, order.prevented_lots)
            row["B"] = self._texts.qty(market, event.prevented_lots)
        if event.kind == Exec.EXPIRED and event.status == SimStatus.EXPIRED and event.reason:
            row["eR"] = int(event.reason)

    def _client_ids(self, event: OrderUpdate) -> tuple[str, str]:
        order = event.order
        if event.kind == Exec.CANCELED:
            return self._cancel_ids.get(order.order_id) or self._venue.ids.client_id(), order.client_id
        if event.kind == Exec.AMENDED:
            return order.client_id, tag_of(order).old_client_id
        return order.client_id, ""

    @staticmethod
    def _reject_reason(event: OrderUpdate) -> str:
        if event.kind != Exec.REJECTED:
            return "NONE"
        word = refusal(event.reject).msg
        return "INSUFFICIENT_BALANCES" if "insufficient balance" in word else "UNKNOWN_ERROR"

    # -- balances and lists -------------------------------------------------------------------------------

    def on_account(self, event: AccountChanged) -> None:
        """Take changed balances."""
        listeners = self._listeners(event.account)
        if not listeners or not event.balances:
            return
        self._send(
            listeners,
            lambda unit: {
                "e": "outboundAccountPosition",
                "E": event.ts_ns // unit,
                "u": event.ts_ns // unit,
                "B": [
                    {"a": one.asset, "f": atoms_text(one.free), "l": atoms_text(one.locked)}
                    for one in event.balances
                ],
            },
        )
        if event.reason not in (ChangeReason.DEPOSIT, ChangeReason.WITHDRAW):
            return
        for asset, delta in event.changes:
            self._send(
                listeners, lambda unit, asset=asset, delta=delta: _balance_update(event, asset, delta, unit)
            )

    def on_list(self, event: ListUpdate) -> None:
        """Take news of a list."""
        listeners = self._listeners(event.account)
        if not listeners:
            return
        found = event.order_list
        status_type, status = list_words(found)
        self._send(
            listeners,
            lambda unit: {
                "e": "listStatus",
                "E": event.ts_ns // unit,
                "s": found.market,
                "g": found.list_id,
                "c": list_kind(found),
                "l": status_type,
                "L": status,
                "r": "NONE",
                "C": found.client_id,
                "T": event.ts_ns // unit,
                "O": [_list_order(one) for one in found.orders],
            },
        )


def _list_order(order: SimOrder) -> Row:
    return {"s": order.market, "i": order.order_id, "c": order.client_id}


def _balance_update(event: AccountChanged, asset: str, delta: int, unit: int) -> Row:
    return {
        "e": "balanceUpdate",
        "E": event.ts_ns // unit,
        "a": asset,
        "d": atoms_text(delta),
        "T": event.ts_ns // unit,
    }
