"""How an order enters the market: judged by the rules, matched, put on the book or ended; and how stops wake."""

from __future__ import annotations

from lanner.model.enums import TimeInForce
from lanner.simulator import judging, lists, matching
from lanner.simulator.accounts import Account
from lanner.simulator.events import Exec
from lanner.simulator.judging import judge
from lanner.simulator.ledger import hold, release
from lanner.simulator.markets import Market
from lanner.simulator.orders import (
    Ack,
    EndReason,
    Fill,
    NewOrder,
    Refusal,
    RejectReason,
    SimOrder,
    SimStatus,
)
from lanner.simulator.state import VenueState


def submit(state: VenueState, new: NewOrder) -> Ack:
    """Judge and place an order; a refusal raises ``Refusal``."""
    account, market = judge(state, new)
    order = SimOrder(new, state.order_id(), state.now_ns)
    state.keep(account, order)
    return Ack(order, fills=place(state, account, market, order))


def place(
    state: VenueState,
    account: Account,
    market: Market,
    order: SimOrder,
    kind: Exec = Exec.NEW,
    share: int = 0,
) -> list[Fill]:
    """Let a judged order wait for its trigger, or work; returns its fills."""
    if order.is_triggered_type and not order.triggered_ns:
        order.status = SimStatus.PENDING_TRIGGER
        if market.is_spot:
            hold(state, account, market, order, share=share)
        state.tell(account, kind, order)
        state.triggers[market.symbol].add(order)
        state.price_moved(market)
        return []
    order.status = SimStatus.NEW
    order.ts_working = state.now_ns
    state.tell(account, kind, order)
    return work(state, account, market, order)


def work(state: VenueState, account: Account, market: Market, order: SimOrder) -> list[Fill]:
    """Match an order now and deal with what is left of it."""
    limit = order.ticks if order.is_limit else judging.protection(market, order)
    cap = matching.UNBOUNDED
    if order.reduce_only or order.close_position:
        cap = matching.reducible(account, market, order.side, order.position_side)
        if order.close_position:
            order.lots = order.cum_lots + cap
    if order.quote_atoms:
        order.lots = matching.lots_for(market, order.side, order.quote_atoms)
    if order.tif is TimeInForce.FOK:
        wanted = min(order.leaves, cap)
        if matching.available_lots(market, order, limit, wanted) < wanted:
            matching.end_resting(state, account, market, order, SimStatus.EXPIRED, EndReason.FOK)
            return []
    fills = matching.match(state, account, market, order, limit, cap=cap)
    if order.status.is_open:
        _leftover(state, account, market, order, cap - sum(fill.lots for fill in fills))
    return fills


def _leftover(state: VenueState, account: Account, market: Market, order: SimOrder, cap: int) -> None:
    """Rest what may rest, end the rest."""
    if not order.is_limit:
        reason = EndReason.REDUCE_ONLY if cap <= 0 and order.reduce_only else EndReason.NO_LIQUIDITY
        matching.end_resting(state, account, market, order, SimStatus.EXPIRED, reason)
    elif order.tif is TimeInForce.IOC:
        matching.end_resting(state, account, market, order, SimStatus.EXPIRED, EndReason.IOC)
    elif (order.reduce_only or order.close_position) and cap <= 0:
        matching.end_resting(state, account, market, order, SimStatus.EXPIRED, EndReason.REDUCE_ONLY)
    else:
        matching.rest(state, account, market, order)


# -- stops --------------------------------------------------------------------------------------------------


def run_triggers(state: VenueState) -> None:
    """Look after lists and stops until nothing moves any more."""
    while state.list_work or state.moved or state.flattened:
        lists.look_after(state)
        if not state.moved:
            continue
        symbol = next(iter(state.moved))
        market = state.moved.pop(symbol)
        for order in state.triggers[symbol].woken(market):
            if order.status is SimStatus.PENDING_TRIGGER:
                _wake(state, market, order)
                lists.look_after(state)


def _wake(state: VenueState, market: Market, order: SimOrder) -> None:
    """Turn a stop into the market or limit order it stands for."""
    account = state.accounts[order.account]
    lists.woke(state, order)
    release(state, account, market, order)
    order.triggered_ns = state.now_ns
    order.status = SimStatus.NEW
    if order.close_position:
        order.lots = matching.reducible(account, market, order.side, order.position_side)
    state.tell(account, Exec.TRIGGERED, order)
    try:
        judging.judge_woken(state, account, market, order)
    except Refusal as refusal:
        state.end(account, order, SimStatus.EXPIRED, reason_of(refusal.reason))
        state.tell(account, Exec.REJECTED, order, reason=order.end_reason, reject=refusal.reason)
        return
    work(state, account, market, order)


def reason_of(reject: RejectReason) -> EndReason:
    """Return why an order that woke in vain ended."""
    if reject is RejectReason.REDUCE_ONLY:
        return EndReason.REDUCE_ONLY
    if reject in (RejectReason.INSUFFICIENT_MARGIN, RejectReason.INSUFFICIENT_BALANCE):
        return EndReason.MARGIN
    return EndReason.POST_ONLY if reject is RejectReason.POST_ONLY_CROSSES else EndReason.FILTER
