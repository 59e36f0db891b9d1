"""Pre-trade checks: what is too large or too much is denied, what reduces a position never is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.execution.lifecycle import apply_report, ask_amend
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import OPEN_STATUSES, Order
from lanner.model.reports import AmendRejected
from lanner.portfolio.positions import Position
from lanner.risk.checks import RiskLimits, check_order

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.1", multiplier="2", max_leverage=10)
NAN = float("nan")


def order(lots: int, side: Side = Side.BUY, type: OrderType = OrderType.MARKET, **more: Any) -> Order:
    return Order("o", "s", PERP, side, type, lots, 0, **more)


def check(
    one: Order,
    held: int = 0,
    mark: float = 100.0,
    open_orders: int = 0,
    working: tuple[Order, ...] = (),
    **limits: Any,
) -> str | None:
    position = Position(PERP)
    if held:
        position.apply(1 if held > 0 else -1, abs(held), 1000, 0)
    denial = check_order(one, position, mark, open_orders, RiskLimits(**limits), working)
    return None if denial is None else denial.reason


def test_without_limits_everything_passes_even_without_a_price() -> None:
    assert check(order(10**9), mark=NAN) is None


@pytest.mark.parametrize(("lots", "passes"), [(5, True), (6, False)])
def test_an_order_up_to_the_limit_passes_and_one_lot_more_does_not(lots: int, passes: bool) -> None:
    why = check(order(lots), max_order_notional=Decimal(100))  # a lot is 0.1 × 2 × 100 = 20
    assert (why is None) is passes
    if why is not None:
        assert "order value 120" in why
        assert "limit of 100" in why


def test_the_multiplier_counts_in_the_position_limit() -> None:
    limit: dict[str, Any] = {"max_position_notional": Decimal(200)}
    assert check(order(4), held=6, **limit) is None
    why = check(order(5), held=6, **limit)
    assert why is not None
    assert "position value 220" in why


def test_a_flip_is_measured_by_what_it_leads_to() -> None:
    limit: dict[str, Any] = {"max_position_notional": Decimal(200)}
    assert check(order(20, Side.SELL), held=10, **limit) is None
    assert check(order(21, Side.SELL), held=10, **limit) is not None


@pytest.mark.parametrize(
    "limits", [{"max_order_notional": Decimal(1)}, {"max_position_notional": Decimal(1)}]
)
def test_what_reduces_a_position_is_never_refused(limits: dict[str, Any]) -> None:
    assert check(order(10, Side.SELL), held=10, mark=NAN, open_orders=999, **limits) is None
    assert check(order(10, Side.BUY), held=-10, mark=NAN, open_orders=999, **limits) is None
    assert check(order(10, Side.SELL, reduce_only=True), held=0, mark=NAN, open_orders=999, **limits) is None
    assert check(order(11, Side.SELL), held=10, mark=100.0, **limits) is not None


def test_a_limit_that_cannot_be_computed_lets_nothing_pass() -> None:
    why = check(order(1), mark=NAN, max_order_notional=Decimal(10**9))
    assert why is not None
    assert "no price is known yet" in why


def test_a_priced_order_is_valued_at_its_own_price() -> None:
    limit: dict[str, Any] = {"max_order_notional": Decimal(100), "mark": NAN}
    assert check(order(5, type=OrderType.LIMIT, px_ticks=1000), **limit) is None
    assert check(order(5, type=OrderType.LIMIT, px_ticks=1001), **limit) is not None
    assert check(order(5, type=OrderType.STOP_MARKET, stop_ticks=1001), **limit) is not None


def test_a_sale_far_below_the_market_is_valued_at_the_market_because_there_it_fills() -> None:
    cheap = order(6, Side.SELL, OrderType.LIMIT, px_ticks=1)
    assert check(cheap, max_order_notional=Decimal(100)) is not None
    assert check(cheap, max_position_notional=Decimal(100)) is not None
    assert (
        check(order(5, Side.BUY, OrderType.LIMIT, px_ticks=1), mark=1e9, max_order_notional=Decimal(100))
        is None
    )


def test_too_many_open_orders_are_refused_with_both_numbers() -> None:
    assert check(order(1), open_orders=2, max_open_orders=3) is None
    assert check(order(1), open_orders=3, max_open_orders=3) == "too many open orders (3, limit 3)"


# -- what works already ----------------------------------------------------------------------------

LIMIT: dict[str, Any] = {"max_position_notional": Decimal(200)}  # ten lots at 100


def works(lots: int, side: Side = Side.BUY, status: OrderStatus = OrderStatus.ACCEPTED, **more: Any) -> Order:
    made = Order("w", "s", PERP, side, more.pop("type", OrderType.LIMIT), lots, 0, px_ticks=1000, **more)
    made.status = status
    return made


@pytest.mark.parametrize("status", sorted(OPEN_STATUSES), ids=lambda s: s.name)
def test_working_orders_of_the_side_count_in_full_whatever_they_wait_for(status: OrderStatus) -> None:
    working = (works(4, status=status), works(3, status=status))
    assert check(order(3), working=working, **LIMIT) is None
    assert check(order(4), working=working, **LIMIT) is not None


def test_only_what_is_left_of_a_working_order_counts_and_the_other_side_does_not() -> None:
    part = works(8, status=OrderStatus.PARTIALLY_FILLED)
    part.cum_lots = 5
    assert check(order(2), held=5, working=(part, works(50, Side.SELL)), **LIMIT) is None
    assert check(order(3), held=5, working=(part,), **LIMIT) is not None


def test_an_amend_under_way_counts_with_the_larger_quantity() -> None:
    growing = works(2)
    ask_amend(growing, 8, 0)
    assert check(order(2), working=(growing,), **LIMIT) is None
    assert check(order(3), working=(growing,), **LIMIT) is not None
    apply_report(growing, AmendRejected("w", PERP.id, 1, 1, "no", 1))
    assert check(order(3), working=(growing,), **LIMIT) is None


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_two_orders_that_together_would_turn_the_position_do_not_both_reduce_it(side: Side) -> None:
    held = -10 * side
    first = works(6, side)
    tight: dict[str, Any] = {"max_order_notional": Decimal(20)}
    assert check(order(6, side), held=held, **tight) is None
    assert check(order(4, side), held=held, working=(first,), **tight) is None
    assert check(order(5, side), held=held, working=(first,), **tight) is not None


@pytest.mark.parametrize("kind", [{"reduce_only": True}, {"group_kind": GroupKind.BRACKET}])
def test_exits_at_work_do_not_stand_in_the_way_of_closing_by_hand(kind: dict[str, Any]) -> None:
    exits = (works(10, Side.SELL, **kind), works(10, Side.SELL, **kind))
    assert check(order(10, Side.SELL), held=10, working=exits, max_order_notional=Decimal(1)) is None


def test_an_order_is_not_counted_twice_when_it_is_amended() -> None:
    working = works(6)
    changed = works(10)
    assert check(changed, working=(working,), **LIMIT) is None


def test_a_position_is_worth_the_higher_of_the_orders_price_and_the_last_one() -> None:
    cheap = order(1, type=OrderType.LIMIT, px_ticks=10)
    assert check(cheap, held=9, **LIMIT) is None
    assert check(cheap, held=10, **LIMIT) is not None


def test_a_rate_turns_the_value_into_the_runs_currency() -> None:
    limits = RiskLimits(max_order_notional=Decimal(100))
    assert check_order(order(5), Position(PERP), 100.0, 0, limits, rate=Decimal(1)) is None
    denial = check_order(order(5), Position(PERP), 100.0, 0, limits, rate=Decimal(2))
    assert denial is not None
    assert (denial.limit, denial.code, denial.allowed, Decimal(denial.found)) == (
        "max_order_notional",
        "MAX_ORDER_NOTIONAL",
        "100",
        Decimal(200),
    )


lots_ = st.integers(1, 30)
orders_ = st.lists(st.tuples(lots_, st.sampled_from(Side)), max_size=6)


@given(st.integers(-30, 30), orders_)
def test_no_way_in_which_orders_fill_leads_beyond_the_limit(
    held: int, wanted: list[tuple[int, Side]]
) -> None:
    working: list[Order] = []
    for number, (lots, side) in enumerate(wanted):
        one = order(lots, side)
        one.order_id = f"o{number}"
        if check(one, held=held, working=tuple(working), **LIMIT) is None:
            one.status = OrderStatus.ACCEPTED
            working.append(one)
    # ten lots are worth the limit; a position that was larger may only shrink
    buys = sum(o.lots for o in working if o.side is Side.BUY)
    sells = sum(o.lots for o in working if o.side is Side.SELL)
    assert held + buys <= max(held, 10)
    assert held - sells >= min(held, -10)
