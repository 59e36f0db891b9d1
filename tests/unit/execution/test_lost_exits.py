"""Exits of brackets that end before their work is done: what the strategy took back stays away, the rest returns."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lanner.execution.exits import ExitPlan, Level
from lanner.model.commands import AmendOrder, Command, SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.features import Feature
from lanner.model.orders import Order
from lanner.model.reports import OrderCanceled, OrderExpired, OrderRejected, OrderUnanswered
from lanner.risk.gate import TradingState
from tests.unit.execution.orders import PERP
from tests.unit.execution.room import TWO_PERCENT, Desk

SECOND = 1_000_000_000
STOP = ExitPlan(stop=Level(Decimal("0.02")))


def pass_time(desk: Desk, seconds: float = 1.0) -> None:
    """Let time pass, and its timers come."""
    until = desk.clock.now + int(seconds * SECOND)
    while (timer := desk.clock.due(until)) is not None:
        desk.clock.now = timer.ts
        desk.engine.on_timer(timer)
    desk.clock.now = until


def held(desk: Desk, plan: ExitPlan = TWO_PERCENT, lots: int = 10) -> dict[str, Order]:
    """Hold what an entry with exits bought; return the exits."""
    desk.fill(desk.send(lots, plan=plan), lots)
    desk.accept()
    desk.out()
    return desk.exits()


def in_two_groups(desk: Desk) -> tuple[Order, Order, Order]:
    """Hold 4 + 6 lots of one entry, a stop for each: the venue cannot change a stop. Return entry and stops."""
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    entry = desk.send(10, plan=STOP)
    desk.fill(entry, 4)
    desk.fill(entry, 6)
    desk.accept()
    desk.out()
    first, second = (order for order in desk.engine.orders.values() if order.parent_id)
    assert (first.leaves_lots, second.leaves_lots) == (4, 6)
    return entry, first, second


def submits(commands: list[Command]) -> list[tuple[OrderType, int]]:
    return [(c.type, c.lots) for c in commands if isinstance(c, SubmitOrder)]


def covered(desk: Desk, intent: str = "stop") -> int:
    return sum(o.leaves_lots for o in desk.engine.orders.values() if o.intent == intent and o.is_open)


# -- what the strategy takes back ----------------------------------------------------------------------


def test_one_of_two_stops_that_the_strategy_took_back_does_not_return() -> None:
    desk = Desk()
    entry, first, _ = in_two_groups(desk)
    desk.engine.take_back(first)
    desk.say(OrderCanceled, first)
    pass_time(desk, 5)
    desk.engine.guards.settle(("s", PERP.id))
    assert submits(desk.out()) == []
    assert [(one.entry, lots) for one, lots in desk.engine.guards.cover.shares(("s", PERP.id))] == [
        (entry, 6)
    ]


def test_a_stop_that_was_taken_back_and_never_arrived_is_not_sent_again() -> None:
    desk = Desk()
    stop = held(desk, STOP)["stop"]
    desk.say(OrderUnanswered, stop, reason="timeout")
    desk.engine.take_back(stop)
    desk.out()
    desk.say(OrderRejected, stop, reason="never heard of", code="NEVER_ARRIVED")
    pass_time(desk, 5)
    assert desk.out() == []
    assert [lots for _, lots in desk.engine.guards.cover.shares(("s", PERP.id))] == [0]


def test_a_fee_kept_of_the_coins_is_not_protected_after_the_stop_was_taken_back() -> None:
    desk = Desk()
    entry = desk.send(10, plan=STOP)
    desk.fill(entry, 10)
    desk.portfolio.position("s", PERP).lots = 8  # two went for fees
    desk.engine.adjusted("s", PERP.id)
    desk.accept()
    desk.answer_amends()
    stop = desk.exits()["stop"]
    assert stop.leaves_lots == 8
    desk.engine.take_back(stop)
    desk.say(OrderCanceled, stop)
    desk.fill(desk.send(5), 5)
    desk.engine.guards.settle(("s", PERP.id))
    pass_time(desk, 5)
    assert covered(desk) == 0
    assert [lots for _, lots in desk.engine.guards.cover.shares(("s", PERP.id))] == [0]


def test_an_entry_that_first_closed_a_short_is_protected_for_what_is_held_and_no_more_later() -> None:
    desk = Desk()
    desk.fill(desk.send(4, Side.SELL), 4)
    held(desk, STOP)
    assert covered(desk) == 6
    desk.fill(desk.send(10), 10)
    desk.engine.guards.settle(("s", PERP.id))
    desk.answer_amends()
    assert covered(desk) == 6, "what is bought later has no exits of its own"


def test_what_an_entry_fills_after_its_exits_were_taken_back_has_exits_of_its_own() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    desk.accept()
    for order in desk.exits().values():
        desk.engine.take_back(order)
        desk.say(OrderCanceled, order)
    desk.out()
    desk.fill(entry, 6)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 6), (OrderType.LIMIT, 6)]


def test_a_stop_that_was_taken_back_stays_away_while_its_target_works_on() -> None:
    desk = Desk()
    exits = held(desk)
    desk.engine.take_back(exits["stop"])
    desk.say(OrderCanceled, exits["stop"])
    pass_time(desk, 5)
    desk.fill(desk.send(4, Side.SELL), 4)
    sent = desk.sends()
    assert (
        submits(
            [
                c
                for c in sent
                if c.order_id in {o.order_id for o in desk.engine.orders.values() if o.parent_id}
            ]
        )
        == []
    )
    assert [(c.order_id, c.lots) for c in sent if isinstance(c, AmendOrder)] == [(exits["take"].order_id, 6)]


def two_groups_one_done(desk: Desk) -> Order:
    """Hold 4 lots under the stop of a first group; the second group's target has filled. Return that stop."""
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    first = desk.exits()
    desk.fill(entry, 6)
    second = desk.exits()
    desk.accept()
    desk.engine.take_back(first["take"])
    desk.say(OrderCanceled, first["take"])
    desk.fill(second["take"], 6, 1040)
    desk.say(OrderCanceled, second["stop"])
    desk.out()
    pass_time(desk, 5)
    assert (desk.out(), first["stop"].leaves_lots) == ([], 4)
    return first["stop"]


def test_a_stop_taken_back_after_another_group_was_done_does_not_return() -> None:
    desk = Desk()
    stop = two_groups_one_done(desk)
    desk.engine.take_back(stop)
    desk.say(OrderCanceled, stop)
    pass_time(desk, 5)
    assert submits(desk.out()) == []


def test_a_stop_lost_after_another_group_was_done_returns() -> None:
    desk = Desk()
    stop = two_groups_one_done(desk)
    for _ in range(2):
        desk.say(OrderCanceled, stop, reason="gone")
        pass_time(desk, 1)
        assert submits(desk.out()) == [(OrderType.STOP_MARKET, 4)]
        stop = desk.exits()["stop"]


# -- what is lost --------------------------------------------------------------------------------------


def test_a_stop_that_the_venue_ends_unasked_is_told_and_returns_a_second_later() -> None:
    desk = Desk()
    stop = held(desk)["stop"]
    desk.say(OrderCanceled, stop, reason="the venue does not know it any more")
    assert desk.out() == [], "the fill that ended it may be heard after it"
    pass_time(desk)
    [again] = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert (again.type, again.lots, again.stop_ticks) == (OrderType.STOP_MARKET, 10, stop.stop_ticks)
    assert "risk.trouble" in desk.heard
    pass_time(desk, 5)
    assert desk.out() == [], "once is enough"


def test_a_stop_of_an_earlier_group_that_is_lost_returns() -> None:
    desk = Desk()
    _, first, _ = in_two_groups(desk)
    desk.say(OrderCanceled, first, reason="gone")
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 4)]
    assert covered(desk) == 10


def first_of_two(desk: Desk) -> dict[str, Order]:
    """Hold 4 + 6 lots of one entry with stop and target for each part; return the exits of the first."""
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    first = desk.exits()
    desk.fill(entry, 6)
    desk.out()
    return first


def test_a_stop_of_an_earlier_group_that_was_refused_comes_again_beside_its_target() -> None:
    desk = Desk()
    first = first_of_two(desk)
    desk.say(OrderRejected, first["stop"], reason="too many requests", code="RATE_LIMITED")
    desk.accept()
    pass_time(desk)
    [again] = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert (again.type, again.lots, again.group_id) == (OrderType.STOP_MARKET, 4, first["take"].group_id)
    desk.fill(desk.engine.orders[again.order_id], 4, 980)
    assert [c.order_id for c in desk.out()] == [first["take"].order_id]  # type: ignore[union-attr]


def test_a_stop_of_an_earlier_group_that_is_lost_beside_its_target_returns() -> None:
    desk = Desk()
    first = first_of_two(desk)
    desk.accept()
    for stop in (first["stop"], None):
        lost = stop or list(desk.engine.orders.values())[-1]
        desk.say(OrderCanceled, lost, reason="dropped")
        pass_time(desk)
        assert submits(desk.out()) == [(OrderType.STOP_MARKET, 4)]
    pass_time(desk, 5)
    assert desk.out() == []


def test_a_stop_of_an_earlier_group_whose_price_is_reached_leaves_at_market() -> None:
    desk = Desk()
    first = first_of_two(desk)
    desk.accept(first["take"])
    desk.say(OrderRejected, first["stop"], reason="would trigger", code="WOULD_TRIGGER")
    assert submits(desk.out()) == [(OrderType.MARKET, 4)]


def test_the_rest_of_an_earlier_groups_stop_follows_although_its_target_still_works() -> None:
    desk = Desk()
    first = first_of_two(desk)
    desk.accept()
    desk.fill(first["stop"], 1, 980)
    desk.answer_amends()
    desk.say(OrderExpired, first["stop"], reason="the liquidity in reach is used up")
    assert submits(desk.out()) == [(OrderType.MARKET, 3)]


def test_a_stop_that_is_lost_while_its_entry_fills_on_returns() -> None:
    desk = Desk()
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    desk.accept()
    desk.say(OrderCanceled, desk.exits()["stop"], reason="dropped")
    desk.fill(entry, 6)
    desk.accept()
    pass_time(desk)
    desk.accept()
    assert covered(desk) == 10


def test_a_lost_target_returns() -> None:
    desk = Desk()
    take = held(desk)["take"]
    desk.say(OrderCanceled, take, reason="self-trade prevention")
    pass_time(desk)
    [again] = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert (again.type, again.lots, again.px_ticks) == (OrderType.LIMIT, 10, take.px_ticks)


def test_a_stop_that_the_venue_ends_with_its_siblings_fill_does_not_return() -> None:
    desk = Desk()
    exits = held(desk)
    desk.say(OrderCanceled, exits["stop"], reason="one-cancels-other: its sibling filled")
    desk.fill(exits["take"], 10, 1040)
    pass_time(desk, 5)
    assert submits(desk.out()) == []


def test_a_stop_in_doubt_that_turns_out_to_be_gone_returns() -> None:
    desk = Desk()
    stop = held(desk, STOP)["stop"]
    desk.say(OrderUnanswered, stop, reason="timeout")
    desk.say(OrderCanceled, stop, reason="the venue does not know it any more")
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 10)]


def test_the_rest_of_an_earlier_groups_stop_that_found_no_more_liquidity_follows_at_market() -> None:
    desk = Desk()
    _, first, second = in_two_groups(desk)
    desk.fill(first, 1, 980)
    desk.say(OrderExpired, first, reason="the liquidity in reach is used up")
    assert submits(desk.out()) == [(OrderType.MARKET, 3)]
    assert second.leaves_lots == 6


def test_an_earlier_groups_stop_that_found_nothing_is_followed_a_second_later() -> None:
    desk = Desk()
    _, first, _ = in_two_groups(desk)
    desk.say(OrderExpired, first, reason="the liquidity in reach is used up")
    assert desk.out() == []
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.MARKET, 4)]


# -- closing that fails --------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_exits_that_made_way_for_a_sale_return_when_it_fails(shared: bool) -> None:
    desk = Desk()
    if shared:
        desk.engine.shared = frozenset({PERP.id})
    exits = held(desk)
    desk.engine.cancel_all("s", PERP.id, spare_stops=True)
    sale = desk.send(10, Side.SELL, intent="target")
    for order in exits.values():
        desk.say(OrderCanceled, order)
    desk.out()
    pass_time(desk, 5)
    assert desk.out() == [], "it may still fill"
    desk.say(OrderRejected, sale, reason="overloaded", code="RETRY")
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 10), (OrderType.LIMIT, 10)]


def test_exits_that_made_way_for_a_sale_return_a_moment_after_it_was_refused_at_once() -> None:
    desk = Desk()
    stop = held(desk, STOP)["stop"]
    desk.engine.cancel_all("s", PERP.id, spare_stops=True)
    sale = desk.send(10, Side.SELL, intent="target")
    desk.out()
    desk.say(OrderCanceled, stop)
    desk.say(OrderRejected, sale, reason="overloaded", code="RETRY")
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 10)]


def test_exits_that_made_way_for_a_sale_that_fills_stay_away() -> None:
    desk = Desk()
    exits = held(desk)
    desk.engine.cancel_all("s", PERP.id, spare_stops=True)
    sale = desk.send(10, Side.SELL, intent="target")
    for order in exits.values():
        desk.say(OrderCanceled, order)
    desk.fill(sale, 10)
    desk.out()
    pass_time(desk, 5)
    assert desk.out() == []


def test_exits_that_a_kill_switch_took_return_when_trading_goes_on_with_a_position() -> None:
    desk = Desk()
    exits = held(desk)
    desk.engine.gate.set(TradingState.HALTED, "test")
    desk.engine.cancel_all("s")
    for order in exits.values():
        desk.say(OrderCanceled, order)
    desk.out()
    pass_time(desk, 5)
    assert desk.out() == [], "halted"
    desk.engine.gate.set(TradingState.ACTIVE, "test")
    pass_time(desk, 2)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 10), (OrderType.LIMIT, 10)]


def halt(desk: Desk, state: TradingState = TradingState.HALTED) -> None:
    desk.engine.gate.set(state, "test")


def test_an_entry_that_fills_while_trading_is_halted_gets_its_exits_when_it_goes_on() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.out()
    halt(desk)
    desk.fill(entry, 10)
    pass_time(desk, 3)
    assert desk.out() == [], "a kill switch is about to close it"
    halt(desk, TradingState.ACTIVE)
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 10), (OrderType.LIMIT, 10)]


def test_a_stop_that_is_refused_while_trading_is_halted_returns_when_it_goes_on() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=STOP), 10)
    stop = desk.exits()["stop"]
    halt(desk)
    desk.say(OrderRejected, stop, reason="overloaded", code="RETRY")
    desk.out()
    pass_time(desk, 3)
    assert desk.out() == []
    halt(desk, TradingState.ACTIVE)
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 10)]


def test_what_a_full_exit_leaves_bare_while_trading_is_halted_is_covered_when_it_goes_on() -> None:
    desk = Desk()
    entry = desk.send(10, plan=STOP)
    desk.fill(entry, 4)
    desk.accept()
    desk.fill(entry, 6)
    desk.out()
    halt(desk)
    desk.fill(desk.exits()["stop"], 4, 980)  # before the venue has heard that it grows
    pass_time(desk, 3)
    assert submits(desk.out()) == []
    halt(desk, TradingState.ACTIVE)
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 6)]


def test_a_stop_that_was_to_come_again_smaller_does_so_when_trading_goes_on() -> None:
    desk = Desk()
    desk.engine.shared = frozenset({PERP.id})
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    stop = held(desk, STOP)["stop"]
    desk.fill(desk.send(4, Side.SELL), 4)
    desk.out()
    halt(desk)
    desk.say(OrderCanceled, stop)
    pass_time(desk, 3)
    assert desk.out() == []
    halt(desk, TradingState.ACTIVE)
    pass_time(desk)
    assert submits(desk.out()) == [(OrderType.STOP_MARKET, 6)]


def test_a_brackets_exit_that_was_taken_back_by_name_is_final_in_its_status() -> None:
    desk = Desk()
    stop = held(desk, STOP)["stop"]
    desk.engine.take_back(stop)
    desk.say(OrderCanceled, stop)
    assert stop.status is OrderStatus.CANCELED
    assert desk.engine.guards.cover.shares(("s", PERP.id))[0][1] == 0
