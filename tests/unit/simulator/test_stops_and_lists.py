"""Orders that wait for a price, lists of orders, and orders that time ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.model.enums import OrderType, Side
from lanner.simulator.events import CountdownFired, Exec, ListUpdate, OrderUpdate
from lanner.simulator.markets import Rules
from lanner.simulator.orders import (
    EndReason,
    ListAck,
    ListKind,
    ListState,
    NewList,
    NewOrder,
    RejectReason,
    SimOrder,
    SimStatus,
    TriggerBy,
)
from tests.unit.simulator.venue import BUY, GTD, IOC, PERP, SELL, SPOT, Venue

STOP, STOP_LIMIT = OrderType.STOP_MARKET, OrderType.STOP_LIMIT
TAKE, TAKE_LIMIT = OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT


def trade_at(venue: Venue, px: int, market: str = SPOT) -> None:
    """Let b and c trade one lot at a price."""
    venue.sell("b", 1, px, market=market)
    venue.buy("c", 1, px, market=market, tif=IOC)


def order_of(ack: object) -> SimOrder:
    order = ack.order  # type: ignore[attr-defined]
    assert isinstance(order, SimOrder)
    return order


@pytest.mark.parametrize(
    ("side", "kind", "wakes", "sleeps"),
    [
        (BUY, STOP, 110, 109),
        (SELL, STOP, 90, 91),
        (BUY, TAKE, 90, 91),
        (SELL, TAKE, 110, 109),
    ],
)
def test_a_stop_wakes_when_the_last_price_reaches_it(
    side: Side, kind: OrderType, wakes: int, sleeps: int
) -> None:
    venue = Venue()
    trade_at(venue, 100)
    stop = order_of(venue.send("a", side, 5, type=kind, trigger_ticks=wakes))
    assert stop.status is SimStatus.PENDING_TRIGGER
    trade_at(venue, sleeps)
    assert stop.status is SimStatus.PENDING_TRIGGER
    trade_at(venue, wakes)
    assert stop.triggered_ns > 0
    kinds = [e.kind for e in venue.events if isinstance(e, OrderUpdate) and e.order is stop]
    assert kinds[:2] == [Exec.NEW, Exec.TRIGGERED]


def test_a_stop_by_mark_price_ignores_trades() -> None:
    venue = Venue()
    venue.exchange.set_mark(PERP, 100, 100, 1)
    stop = order_of(venue.buy("a", 5, market=PERP, type=STOP, trigger_ticks=110, trigger_by=TriggerBy.MARK))
    trade_at(venue, 115, PERP)
    assert stop.status is SimStatus.PENDING_TRIGGER
    venue.exchange.set_mark(PERP, 110, 110, 9)
    assert stop.triggered_ns == 9


def test_a_stop_limit_rests_at_its_price_once_awake() -> None:
    venue = Venue()
    trade_at(venue, 100)
    stop = order_of(venue.buy("a", 5, 112, type=STOP_LIMIT, trigger_ticks=110))
    trade_at(venue, 110)
    assert (stop.status, venue.spot.best_bid) == (SimStatus.NEW, (112, 5))


def test_a_stop_whose_price_is_passed_is_refused() -> None:
    venue = Venue()
    trade_at(venue, 100)
    assert venue.buy("a", 5, type=STOP, trigger_ticks=100).reason is RejectReason.WOULD_TRIGGER


def test_where_the_venue_allows_it_such_a_stop_works_at_once() -> None:
    venue = Venue(rules=Rules(reject_immediate_trigger=False))
    trade_at(venue, 100)
    venue.sell("b", 5, 101)
    stop = order_of(venue.buy("a", 5, type=STOP, trigger_ticks=100))
    assert stop.status is SimStatus.FILLED


def test_a_trailing_stop_follows_the_price_and_wakes_on_the_way_back() -> None:
    venue = Venue()
    trade_at(venue, 1000)
    trail = order_of(venue.sell("a", 5, type=OrderType.TRAILING_STOP, trail_bps=500))
    for px in (1010, 1100, 1046):
        trade_at(venue, px)
        assert trail.status is SimStatus.PENDING_TRIGGER
    trade_at(venue, 1045)
    assert trail.triggered_ns > 0


def test_a_trailing_stop_sleeps_until_its_activation_price() -> None:
    venue = Venue()
    trade_at(venue, 1000)
    trail = order_of(venue.sell("a", 5, type=OrderType.TRAILING_STOP, trail_bps=100, trigger_ticks=1100))
    for px in (900, 1099, 950):
        trade_at(venue, px)
    assert trail.status is SimStatus.PENDING_TRIGGER
    trade_at(venue, 1100)
    trade_at(venue, 1089)
    assert trail.triggered_ns > 0


def test_a_stop_that_cannot_be_paid_when_it_wakes_expires() -> None:
    venue = Venue()
    venue.exchange.set_mark(PERP, 100, 100, 1)
    stop = order_of(
        venue.buy("a", 10**9, market=PERP, type=STOP, trigger_ticks=110, trigger_by=TriggerBy.MARK)
    )
    venue.sell("b", 5, 111, market=PERP)
    venue.exchange.set_mark(PERP, 110, 110, 9)
    assert (stop.status, stop.end_reason) == (SimStatus.EXPIRED, EndReason.MARGIN)
    assert [e.reject for e in venue.events if isinstance(e, OrderUpdate) and e.kind is Exec.REJECTED] == [
        RejectReason.INSUFFICIENT_MARGIN
    ]


# -- lists ------------------------------------------------------------------------------------------------


def leg(side: Side, lots: int, ticks: int = 0, **more: object) -> NewOrder:
    more.setdefault("type", OrderType.LIMIT if ticks else OrderType.MARKET)
    more.setdefault("market", SPOT)
    return NewOrder(account="a", side=side, lots=lots, ticks=ticks, **more)  # type: ignore[arg-type]


def send_list(venue: Venue, kind: ListKind, *orders: NewOrder) -> ListAck:
    venue.now += 1
    new = NewList(account="a", market=orders[0].market, kind=kind, orders=list(orders))
    return venue.exchange.submit_list(new, venue.now)


def oco(venue: Venue) -> tuple[SimOrder, SimOrder]:
    trade_at(venue, 100)
    ack = send_list(
        venue,
        ListKind.OCO,
        leg(SELL, 100_000, 110),
        leg(SELL, 100_000, 88, type=STOP_LIMIT, trigger_ticks=90),
    )
    assert ack.ok
    first, second = (order_of(one) for one in ack.acks)
    return first, second


def test_the_legs_of_an_oco_set_the_money_aside_once() -> None:
    venue = Venue()
    venue.exchange.deposit("a", "BTC", Decimal(0), 0)
    oco(venue)  # each leg would need all 100 BTC
    held = venue.exchange.accounts["a"].balance("BTC")
    assert (held.free, held.locked) == (0, 100 * 10**12)


def test_a_fill_of_one_leg_ends_the_other() -> None:
    venue = Venue()
    limit, stop = oco(venue)
    venue.buy("c", 10, 110)
    assert limit.status is SimStatus.PARTIALLY_FILLED
    assert (stop.status, stop.end_reason) == (SimStatus.EXPIRED, EndReason.SIBLING)


def test_the_stop_leg_takes_over_the_money_when_it_wakes() -> None:
    venue = Venue()
    limit, stop = oco(venue)
    trade_at(venue, 90)
    assert limit.status is SimStatus.EXPIRED
    assert stop.status is SimStatus.NEW
    assert venue.exchange.accounts["a"].balance("BTC").locked == 100 * 10**12
    assert venue.spot.best_ask == (88, 100_000)


def test_cancelling_a_leg_cancels_the_list() -> None:
    venue = Venue()
    limit, stop = oco(venue)
    venue.exchange.cancel("a", 99, order_id=stop.order_id)
    assert {limit.status, stop.status} == {SimStatus.CANCELED}
    assert venue.exchange.accounts["a"].balance("BTC").locked == 0
    states = [event.order_list.state for event in venue.events if isinstance(event, ListUpdate)]
    assert states[-1] is ListState.ALL_DONE


def test_the_second_order_of_an_oto_works_when_the_first_has_filled() -> None:
    venue = Venue()
    trade_at(venue, 100)
    ack = send_list(venue, ListKind.OTO, leg(BUY, 10, 99), leg(SELL, 10, 120))
    parent, child = (order_of(one) for one in ack.acks)
    venue.sell("b", 4, 99)
    assert child.status is SimStatus.PENDING_PARENT
    venue.sell("b", 6, 99)
    assert parent.status is SimStatus.FILLED
    assert (child.status, venue.spot.best_ask) == (SimStatus.NEW, (120, 10))


def test_the_children_end_with_a_parent_that_did_not_fill() -> None:
    venue = Venue()
    trade_at(venue, 100)
    ack = send_list(
        venue,
        ListKind.OTOCO,
        leg(BUY, 10, 99),
        leg(SELL, 10, 120),
        leg(SELL, 10, 80, type=STOP_LIMIT, trigger_ticks=81),
    )
    parent, *children = (order_of(one) for one in ack.acks)
    venue.exchange.cancel("a", 50, order_id=parent.order_id)
    assert [child.status for child in children] == [SimStatus.CANCELED] * 2


def test_a_list_with_one_bad_order_is_refused_as_a_whole() -> None:
    venue = Venue()
    trade_at(venue, 100)
    ack = send_list(venue, ListKind.OTO, leg(BUY, 10, 99), leg(SELL, 0, 120))
    assert ack.reason is RejectReason.MIN_QTY
    assert venue.exchange.open_orders("a") == []


def test_take_profit_and_stop_of_a_position_exclude_each_other_and_go_with_it() -> None:
    rules = Rules(cancel_stops_when_flat=True, reject_immediate_trigger=False)
    for way in ("take", "close"):
        venue = Venue(rules=rules)
        venue.exchange.set_mark(PERP, 100, 100, 1)
        venue.sell("b", 50, 100, market=PERP)
        more: dict[str, Any] = {"market": PERP, "reduce_only": True, "trigger_by": TriggerBy.MARK}
        ack = send_list(
            venue,
            ListKind.NORMAL_TPSL,
            leg(BUY, 50, 100, market=PERP),
            leg(SELL, 50, type=TAKE, trigger_ticks=120, **more),
            leg(SELL, 50, type=STOP, trigger_ticks=80, **more),
        )
        parent, take, stop = (order_of(one) for one in ack.acks)
        assert parent.status is SimStatus.FILLED
        assert {take.status, stop.status} == {SimStatus.PENDING_TRIGGER}
        venue.buy("c", 50, 119, market=PERP)
        if way == "take":
            venue.exchange.set_mark(PERP, 120, 120, 99)
            assert take.status is SimStatus.FILLED
            assert stop.end_reason is EndReason.SIBLING
        else:
            venue.sell("a", 50, market=PERP)
            assert {take.end_reason, stop.end_reason} == {EndReason.REDUCE_ONLY}


def test_an_order_for_the_whole_position_takes_its_size_when_it_wakes() -> None:
    venue = Venue()
    venue.exchange.set_mark(PERP, 100, 100, 1)
    venue.sell("b", 70, 100, market=PERP)
    venue.buy("a", 70, 100, market=PERP)
    close = order_of(
        venue.sell(
            "a", 0, market=PERP, type=STOP, trigger_ticks=90, close_position=True, trigger_by=TriggerBy.MARK
        )
    )
    venue.buy("c", 500, 88, market=PERP)
    venue.exchange.set_mark(PERP, 90, 90, 99)
    assert (close.status, close.cum_lots) == (SimStatus.FILLED, 70)


# -- time -------------------------------------------------------------------------------------------------


def test_an_order_good_till_a_date_ends_on_it() -> None:
    venue = Venue()
    order = order_of(venue.buy("a", 5, 90, tif=GTD, expires_ns=1_000))
    venue.exchange.advance(999)
    assert order.status is SimStatus.NEW
    venue.exchange.advance(5_000)
    assert (order.status, order.end_reason, order.ts_updated) == (SimStatus.EXPIRED, EndReason.GTD, 1_000)


def test_a_switch_fires_even_if_the_venues_time_passed_its_moment_otherwise() -> None:
    venue = Venue()
    order = order_of(venue.buy("a", 5, 90))
    venue.exchange.set_countdown("a", 1_000, 10)
    venue.exchange.submit(venue.new("b", BUY, 1, 90), 2_000)
    venue.exchange.advance(2_000)
    assert order.status is SimStatus.CANCELED


def test_waiting_orders_that_are_gone_leave_nothing_behind() -> None:
    venue = Venue()
    trade_at(venue, 100)
    for _ in range(3_000):
        venue.cancel(venue.buy("a", 5, type=STOP, trigger_ticks=110))
    triggers = venue.exchange._state.triggers[SPOT]
    assert sum(map(len, triggers._above.values())) < 1_000


def test_a_dead_mans_switch_cancels_everything_unless_it_is_set_anew() -> None:
    venue = Venue()
    order = order_of(venue.buy("a", 5, 90))
    other = order_of(venue.buy("b", 5, 90))
    venue.exchange.set_countdown("a", 1_000, 10)
    venue.exchange.set_countdown("a", 2_000, 900)
    venue.exchange.advance(1_500)
    assert order.status is SimStatus.NEW
    venue.exchange.advance(2_500)
    assert (order.status, order.end_reason) == (SimStatus.CANCELED, EndReason.COUNTDOWN)
    assert other.status is SimStatus.NEW
    assert [event.canceled for event in venue.events if isinstance(event, CountdownFired)] == [1]


@pytest.mark.parametrize(
    ("rules", "more", "reason"),
    [
        (Rules(min_notional=Decimal(10)), {"lots": 1, "ticks": 100}, RejectReason.MIN_NOTIONAL),
        (Rules(max_qty=Decimal(1)), {"lots": 1001, "ticks": 100}, RejectReason.MAX_QTY),
        (Rules(max_px=Decimal(60)), {"lots": 1, "ticks": 121}, RejectReason.PRICE_RANGE),
        (Rules(percent_up=Decimal("1.1")), {"lots": 1, "ticks": 111}, RejectReason.PERCENT_PRICE),
        (Rules(max_open_orders=0), {"lots": 1, "ticks": 100}, RejectReason.MAX_OPEN_ORDERS),
        (Rules(), {"lots": 20, "ticks": 100, "display_lots": 1}, RejectReason.ICEBERG_PARTS),
        (Rules(), {"lots": 0, "ticks": 100}, RejectReason.MIN_QTY),
        (Rules(), {"lots": 1, "ticks": 100, "market": "NONE"}, RejectReason.UNKNOWN_MARKET),
    ],
)
def test_each_rule_of_the_market_refuses_with_its_own_reason(
    rules: Rules, more: dict[str, object], reason: RejectReason
) -> None:
    venue = Venue(rules=rules)
    venue.spot.last_ticks = 100
    more = {"side": BUY, "market": SPOT, **more}
    ack = venue.exchange.submit(NewOrder(account="a", **more), 1)  # type: ignore[arg-type]
    assert ack.reason is reason


def test_coarser_steps_hold_for_new_orders() -> None:
    venue = Venue()
    venue.exchange.change_steps(SPOT, 1, lot_step=10)
    assert venue.spot.lot_size == Decimal("0.010")
    assert venue.buy("a", 15, 100).reason is RejectReason.LOT_SIZE
    assert venue.buy("a", 20, 100).ok
    venue.exchange.set_trading(SPOT, False, 2)
    assert venue.buy("a", 20, 100).reason is RejectReason.NOT_TRADING
