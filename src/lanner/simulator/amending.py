"""Changing an order that works or waits."""

from __future__ import annotations

from lanner.simulator import entry, judging, ledger, matching
from lanner.simulator.accounts import Account
from lanner.simulator.events import Exec
from lanner.simulator.markets import Market
from lanner.simulator.orders import (
    Ack,
    EndReason,
    NewOrder,
    Refusal,
    RejectReason,
    SimOrder,
    SimStatus,
)
from lanner.simulator.state import VenueState


def amend(
    state: VenueState,
    order: SimOrder,
    ticks: int | None,
    lots: int | None,
    trigger_ticks: int | None,
    new_client_id: str | None,
) -> Ack:
    """Change an order, or raise ``Refusal`` and leave it as it was."""
    account, market = state.accounts[order.account], state.markets[order.market]
    ticks = order.ticks if ticks is None else ticks
    lots = order.lots if lots is None else lots
    trigger = order.trigger_ticks if trigger_ticks is None else trigger_ticks
    if (ticks, lots, trigger) == (order.ticks, order.lots, order.trigger_ticks) and new_client_id is None:
        raise Refusal(RejectReason.NO_CHANGE)
    if market.rules.max_amends and order.amends >= market.rules.max_amends:
        raise Refusal(RejectReason.MAX_AMENDS)
    if lots <= order.cum_lots and not order.close_position:
        matching.end_resting(state, account, market, order, SimStatus.CANCELED, EndReason.USER)
        return Ack(order)
    _judge(state, account, market, order, ticks, lots, trigger)
    order.amends += 1
    if new_client_id is not None:
        order.client_id = new_client_id
        account.by_client_id[new_client_id] = order
    if order.status in (SimStatus.PENDING_TRIGGER, SimStatus.PENDING_PARENT):
        return _change_waiting(state, account, market, order, ticks, lots, trigger)
    if ticks == order.ticks and lots <= order.lots:
        less = order.lots - lots
        ledger.release(state, account, market, order, less)
        matching.reduce_resting(state, market, order, less)
        order.lots = lots
        state.tell(account, Exec.AMENDED, order)
        return Ack(order)
    market.book.side(order.side).remove(order)
    state.book_moved(market)
    ledger.release(state, account, market, order)
    order.ticks, order.lots = ticks, lots
    state.tell(account, Exec.AMENDED, order)
    return Ack(order, fills=entry.work(state, account, market, order))


def _judge(
    state: VenueState,
    account: Account,
    market: Market,
    order: SimOrder,
    ticks: int,
    lots: int,
    trigger: int,
) -> None:
    """Judge the order as it would be, with its own money given back."""
    rest = lots - order.cum_lots
    new = NewOrder(
        account=order.account,
        market=order.market,
        side=order.side,
        type=order.type,
        tif=order.tif,
        lots=lots,
        ticks=ticks,
        trigger_ticks=trigger,
        trigger_by=order.trigger_by,
        trail_bps=order.trail_bps,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        close_position=order.close_position,
        position_side=order.position_side,
        display_lots=order.display_lots,
    )
    judging.judge(state, new, money=False, child=order.status is SimStatus.PENDING_PARENT)
    if account.house:
        return
    new.lots = rest
    held = order.locked
    ledger.release(state, account, market, order)
    try:
        judging.check_money(state, account, market, new)
    finally:
        _hold_again(account, market, order, held)


def _hold_again(account: Account, market: Market, order: SimOrder, held: int) -> None:
    """Set the same money aside as before."""
    if not held:
        return
    order.locked = held
    if market.is_spot:
        account.balance(ledger.asset_of(market, order.side)).locked += held
    else:
        ledger.expose(account, market, order, held)


def _change_waiting(
    state: VenueState,
    account: Account,
    market: Market,
    order: SimOrder,
    ticks: int,
    lots: int,
    trigger: int,
) -> Ack:
    held = order.locked > 0
    ledger.release(state, account, market, order)
    order.ticks, order.lots, order.trigger_ticks = ticks, lots, trigger
    if held:
        ledger.hold(state, account, market, order)
    state.tell(account, Exec.AMENDED, order)
    if order.status is SimStatus.PENDING_TRIGGER:
        state.triggers[market.symbol].add(order)
        state.price_moved(market)
    return Ack(order)
