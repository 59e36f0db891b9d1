"""Lists of orders: OCO, OTO, OTOCO, and Hyperliquid's take-profit/stop groups."""

from __future__ import annotations

from lanner.simulator import entry, judging, matching
from lanner.simulator.events import Exec
from lanner.simulator.orders import (
    Ack,
    EndReason,
    ListAck,
    ListKind,
    ListState,
    NewList,
    OrderList,
    Refusal,
    RejectReason,
    SimOrder,
    SimStatus,
)
from lanner.simulator.state import VenueState

WITH_PARENT = (ListKind.OTO, ListKind.OTOCO, ListKind.NORMAL_TPSL)
AS_A_WHOLE = (ListKind.OCO, ListKind.OTO, ListKind.OTOCO)
"""Lists that end together when one of their orders is cancelled."""
SIZES = {
    ListKind.OCO: (2, 2),
    ListKind.OTO: (2, 2),
    ListKind.OTOCO: (3, 3),
    ListKind.NORMAL_TPSL: (2, 3),
    ListKind.POSITION_TPSL: (1, 2),
}


def submit(state: VenueState, new: NewList) -> ListAck:
    """Judge all orders of a list, then place them; a refusal raises ``Refusal``."""
    least, most = SIZES[new.kind]
    ids = [one.client_id for one in new.orders if one.client_id]
    if not least <= len(new.orders) <= most or len(set(ids)) != len(ids):
        raise Refusal(RejectReason.BAD_LIST)
    parented = new.kind in WITH_PARENT
    live = new.orders[:1] if parented else new.orders
    for one in new.orders:
        judging.judge(state, one, money=parented, child=parented and one is not new.orders[0])
    account, market = state.need_account(new.account), state.need_market(new.market)
    if not parented and market.is_spot:
        dearest = max(live, key=lambda one: judging.spot_need(market, one))
        judging.check_money(state, account, market, dearest)
    orders = [SimOrder(one, state.order_id(), state.now_ns) for one in new.orders]
    kept = OrderList(
        list_id=state.list_id(),
        account=new.account,
        market=new.market,
        kind=new.kind,
        orders=orders,
        client_id=new.client_id,
        ts_created=state.now_ns,
        tag=new.tag,
    )
    state.keep_list(kept)
    for order in orders:
        order.list_id = kept.list_id
        state.keep(account, order)
    state.tell_list(kept, ListState.EXECUTING)
    return ListAck(kept, _place(state, kept, orders[: len(live)]))


def _place(state: VenueState, kept: OrderList, live: list[SimOrder]) -> list[Ack]:
    account, market = state.accounts[kept.account], state.markets[kept.market]
    acks = {order.order_id: Ack(order) for order in kept.orders}
    for order in kept.orders[len(live) :]:
        order.status = SimStatus.PENDING_PARENT
        state.tell(account, Exec.NEW, order)
    share = 0
    # what rests is placed first: a waiting stop then sets aside only what its sibling has not
    for order in sorted(live, key=lambda one: one.is_triggered_type):
        acks[order.order_id].fills = entry.place(state, account, market, order, share=share)
        share = max(share, order.locked)
    return list(acks.values())


def _siblings(kept: OrderList, order: SimOrder) -> list[SimOrder]:
    if kept.kind is ListKind.OTO:
        return []
    rest = kept.orders[1:] if kept.kind in WITH_PARENT else kept.orders
    return [other for other in rest if other is not order]


def woke(state: VenueState, order: SimOrder) -> None:
    """End the siblings of an order whose trigger fired, so that their money is free."""
    kept = state.lists.get(order.list_id)
    if kept is not None:
        _end_all(state, _siblings(kept, order), SimStatus.EXPIRED, EndReason.SIBLING)


def cancel_with_list(state: VenueState, order: SimOrder, reason: EndReason) -> None:
    """Cancel an order, and what its list says must go with it."""
    account, market = state.accounts[order.account], state.markets[order.market]
    status = SimStatus.EXPIRED if reason is EndReason.GTD else SimStatus.CANCELED
    matching.end_resting(state, account, market, order, status, reason)
    kept = state.lists.get(order.list_id)
    if kept is None:
        return
    if kept.kind in AS_A_WHOLE:
        _end_all(state, kept.orders, status, reason)
    elif kept.kind is ListKind.NORMAL_TPSL and order is kept.orders[0]:
        _end_all(state, kept.orders[1:], status, EndReason.PARENT)


def look_after(state: VenueState) -> None:
    """Let lists follow what happened to their orders, and stops follow positions that were closed."""
    while state.list_work or state.flattened:
        if state.flattened:
            _drop_stops_of_closed(state)
            continue
        order = state.list_work.pop(0)
        kept = state.lists.get(order.list_id)
        if kept is None or kept.state is not ListState.EXECUTING:
            continue
        if kept.kind in WITH_PARENT and order is kept.orders[0]:
            _follow_parent(state, kept, order)
        elif order.end_reason is not EndReason.SIBLING and (
            order.cum_lots or (kept.kind in AS_A_WHOLE and not order.status.is_open)
        ):
            _end_all(state, _siblings(kept, order), SimStatus.EXPIRED, EndReason.SIBLING)
        if not any(one.status.is_open for one in kept.orders):
            state.tell_list(kept, ListState.ALL_DONE)


def _follow_parent(state: VenueState, kept: OrderList, parent: SimOrder) -> None:
    children = [one for one in kept.orders[1:] if one.status is SimStatus.PENDING_PARENT]
    if parent.status is SimStatus.FILLED:
        share = 0
        for child in sorted(children, key=lambda one: one.is_triggered_type):
            if child.status is SimStatus.PENDING_PARENT:
                _activate(state, child, share)
                share = max(share, child.locked)
    elif not parent.status.is_open:
        _end_all(state, children, SimStatus.EXPIRED, EndReason.PARENT)


def _activate(state: VenueState, child: SimOrder, share: int) -> None:
    account, market = state.accounts[child.account], state.markets[child.market]
    try:
        if not child.is_triggered_type:
            judging.judge_woken(state, account, market, child)
    except Refusal as refusal:
        state.end(account, child, SimStatus.EXPIRED, entry.reason_of(refusal.reason))
        state.tell(account, Exec.REJECTED, child, reason=child.end_reason, reject=refusal.reason)
        return
    entry.place(state, account, market, child, Exec.ACTIVATED, share)


def _end_all(state: VenueState, orders: list[SimOrder], status: SimStatus, reason: EndReason) -> None:
    for order in orders:
        if order.status.is_open:
            account, market = state.accounts[order.account], state.markets[order.market]
            matching.end_resting(state, account, market, order, status, reason)


def _drop_stops_of_closed(state: VenueState) -> None:
    """Cancel waiting reduce-only orders whose position is gone, where the venue does so."""
    account_id, symbol = state.flattened.pop()
    account, market = state.accounts[account_id], state.markets[symbol]
    for order in list(account.open_orders.values()):
        waits = order.status is SimStatus.PENDING_TRIGGER and (order.reduce_only or order.close_position)
        if (
            waits
            and order.market == symbol
            and not matching.reducible(account, market, order.side, order.position_side)
        ):
            matching.end_resting(state, account, market, order, SimStatus.CANCELED, EndReason.REDUCE_ONLY)
