"""The life of an order: every step of the table, every step that is not in it, and reports in any order."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from lanner.core.errors import InternalFaultError, TransitionError
from lanner.execution.lifecycle import LIFECYCLE, apply_report, move, resting_status
from lanner.execution.reference import MEANINGS, lifecycle_reference
from lanner.model.enums import OrderStatus
from lanner.model.orders import FINAL_STATUSES, OPEN_STATUSES, Order
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    FundingPaid,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUnanswered,
)
from tests.unit.execution.orders import LEFT, PERP, fill, order, report

S = OrderStatus
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "order-lifecycle.md"


# -- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pair", list(itertools.product(S, S)), ids=lambda pair: f"{pair[0].name}-{pair[1].name}"
)
def test_each_step_is_in_the_table_or_raises_naming_both_states(pair: tuple[S, S]) -> None:
    current, target = pair
    one = order(status=current)
    if target is current or target in LIFECYCLE.steps[current]:
        move(one, target, 9)
        assert (one.status, one.ts_last) == (target, 9)
    else:
        with pytest.raises(TransitionError) as caught:
            move(one, target, 9)
        assert f"order o1: illegal step from {current.name} to {target.name}" in str(caught.value)
        assert (one.status, one.ts_last) == (current, 0), "a refused step leaves the order as it was"


def test_every_status_is_in_the_table_and_can_be_reached() -> None:
    assert set(LIFECYCLE.steps) == set(S)
    reached, ahead = {S.INITIALIZED}, [S.INITIALIZED]
    while ahead:
        for target in LIFECYCLE.steps[ahead.pop()]:
            if target not in reached:
                reached.add(target)
                ahead.append(target)
    assert reached == set(S)


def test_final_states_lead_nowhere_but_to_a_late_fill() -> None:
    for status in FINAL_STATUSES:
        assert set(LIFECYCLE.steps[status]) <= {S.FILLED}
    assert not LIFECYCLE.steps[S.FILLED]
    assert not LIFECYCLE.steps[S.DENIED], "a denied order never left, so nothing can fill it"


def test_every_open_state_can_fill_end_and_fall_silent() -> None:
    for status in OPEN_STATUSES:
        assert {S.FILLED, S.CANCELED, S.EXPIRED} <= set(LIFECYCLE.steps[status])
        assert status is S.UNKNOWN or S.UNKNOWN in LIFECYCLE.steps[status]
    assert not OPEN_STATUSES & FINAL_STATUSES


def test_an_order_without_an_answer_is_open_and_counts_with_all_that_is_left_of_it() -> None:
    one = order(10, S.SUBMITTED)
    apply_report(one, fill("t1", 3))
    apply_report(one, report(OrderUnanswered, reason="timeout"))
    assert (one.status, one.is_open, one.is_final, one.leaves_lots) == (S.UNKNOWN, True, False, 7)


@pytest.mark.parametrize("status", [S.INITIALIZED, S.HELD, S.DENIED])
def test_a_report_about_an_order_that_never_left_is_an_error(status: S) -> None:
    with pytest.raises(TransitionError, match=rf"never left.*OrderFilled.*{status.name}"):
        apply_report(order(status=status), fill("t", 1))


def test_a_report_that_is_not_about_orders_is_an_error() -> None:
    funding = FundingPaid(PERP.id, 1, 1, Decimal(1), 0.1)
    with pytest.raises(InternalFaultError, match="FundingPaid is not a report about an order"):
        apply_report(order(status=S.ACCEPTED), funding)  # type: ignore[arg-type]


# -- fills -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", LEFT, ids=lambda s: s.name)
def test_a_fill_is_believed_in_every_state_after_the_order_left(status: S) -> None:
    one = order(10, status)
    assert apply_report(one, fill("t1", 4, px=100, fee="0.5"))
    assert (one.cum_lots, one.notional, one.fees) == (4, 400, Decimal("0.5"))
    keeps = FINAL_STATUSES | {S.PENDING_AMEND, S.PENDING_CANCEL}
    assert one.status is (status if status in keeps else S.PARTIALLY_FILLED)
    assert apply_report(one, fill("t2", 6, px=110))
    assert one.status is S.FILLED
    assert one.avg_px == PERP.tick * 1060 / 10


@pytest.mark.parametrize("status", LEFT, ids=lambda s: s.name)
def test_the_same_trade_is_never_counted_twice(status: S) -> None:
    one = order(10, status)
    apply_report(one, fill("t1", 4))
    before = (one.status, one.cum_lots, one.notional, one.fees, one.ts_last)
    assert not apply_report(one, fill("t1", 4, ts=99, fee="3"))
    assert (one.status, one.cum_lots, one.notional, one.fees, one.ts_last) == before


@pytest.mark.parametrize("status", sorted(FINAL_STATUSES - {S.DENIED}), ids=lambda s: s.name)
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (OrderAccepted, {}),
        (OrderRejected, {"reason": "x"}),
        (OrderCanceled, {"reason": "x"}),
        (OrderExpired, {"reason": "x"}),
        (OrderTriggered, {}),
        (OrderAmended, {"lots": 99, "px_ticks": 1, "stop_ticks": None}),
        (AmendRejected, {"reason": "x"}),
        (CancelRejected, {"reason": "x"}),
        (OrderUnanswered, {"reason": "x"}),
    ],
)
def test_a_late_echo_tells_a_final_order_nothing(status: S, kind: type[Any], fields: dict[str, Any]) -> None:
    one = order(10, status)
    assert not apply_report(one, report(kind, **fields))
    assert (one.status, one.lots, one.reason, one.ts_last) == (status, 10, "", 0)


# -- requests and answers --------------------------------------------------------------------------


def test_an_accept_that_comes_after_the_fill_changes_nothing_but_the_venues_id() -> None:
    one = order(10, S.SUBMITTED)
    apply_report(one, fill("t1", 4))
    assert not apply_report(one, report(OrderAccepted, venue_order_id="77"))
    assert (one.status, one.venue_order_id) == (S.PARTIALLY_FILLED, "77")


def test_a_refused_cancel_puts_the_order_back_where_it_was() -> None:
    for cum, triggered, back in (
        (0, False, S.ACCEPTED),
        (0, True, S.TRIGGERED),
        (3, True, S.PARTIALLY_FILLED),
    ):
        one = order(10, S.PENDING_CANCEL)
        one.cum_lots, one.triggered = cum, triggered
        assert apply_report(one, report(CancelRejected, reason="too late"))
        assert one.status is back is resting_status(one)


def test_an_answer_to_the_amend_leaves_a_pending_cancel_pending() -> None:
    one = order(10, S.PENDING_CANCEL)
    apply_report(one, report(OrderAmended, lots=12, px_ticks=5, stop_ticks=None))
    assert (one.status, one.lots, one.px_ticks) == (S.PENDING_CANCEL, 12, 5)
    apply_report(one, report(AmendRejected, reason="no"))
    assert one.status is S.PENDING_CANCEL


@pytest.mark.parametrize("status", [S.UNKNOWN, S.SUBMITTED])
def test_an_amended_order_is_known_to_work_whatever_was_lost_before(status: S) -> None:
    one = order(10, status)
    apply_report(one, report(OrderAmended, lots=12, px_ticks=5, stop_ticks=None))
    assert (one.status, one.lots) == (S.ACCEPTED, 12)


def test_an_amend_down_to_what_is_filled_completes_the_order() -> None:
    one = order(10, S.PENDING_AMEND)
    apply_report(one, fill("t1", 6))
    assert one.status is S.PENDING_AMEND
    apply_report(one, report(OrderAmended, lots=6, px_ticks=None, stop_ticks=None))
    assert one.status is S.FILLED


def test_a_trigger_while_a_cancel_is_pending_is_remembered_for_its_refusal() -> None:
    one = order(10, S.PENDING_CANCEL)
    apply_report(one, report(OrderTriggered))
    assert one.status is S.PENDING_CANCEL
    apply_report(one, report(CancelRejected, reason="too late"))
    assert one.status is S.TRIGGERED


def test_a_venue_that_rejects_what_it_accepted_is_caught() -> None:
    one = order(10, S.ACCEPTED)
    with pytest.raises(TransitionError, match="from ACCEPTED to REJECTED"):
        apply_report(one, report(OrderRejected, reason="x"))


# -- any order of reports --------------------------------------------------------------------------


class OrderLife(RuleBasedStateMachine):
    """Throw fills, duplicates and late or reordered answers at one order; a model counts what is true."""

    sent = Bundle("sent")

    @initialize(lots=st.integers(1, 20))
    def begin(self, lots: int) -> None:
        self.order: Order = order(lots)
        move(self.order, S.SUBMITTED, 0)
        self.trades: dict[str, OrderFilled] = {}
        self.ended: S | None = None

    def send(self, what: Any) -> None:
        before = self.order.status
        apply_report(self.order, what)
        after = self.order.status
        if before in FINAL_STATUSES:
            assert after is before or after is S.FILLED

    @rule(target=sent, lots=st.integers(1, 8), px=st.integers(1, 50))
    def fresh_fill(self, lots: int, px: int) -> OrderFilled:
        made = fill(f"t{len(self.trades)}", lots, px, fee=str(px))
        self.trades[made.trade_id] = made
        self.send(made)
        return made

    @rule(again=sent)
    def duplicate_fill(self, again: OrderFilled) -> None:
        self.send(again)

    @rule(again=consumes(sent), ts=st.integers(0, 9))
    def duplicate_fill_with_another_time(self, again: OrderFilled, ts: int) -> None:
        self.send(fill(again.trade_id, again.lots + 1, again.px_ticks, ts=ts))

    @rule(kind=st.sampled_from([OrderAccepted, OrderTriggered]))
    def working(self, kind: type[Any]) -> None:
        self.send(report(kind))

    @rule(kind=st.sampled_from([AmendRejected, CancelRejected, OrderUnanswered]))
    def refused_or_silent(self, kind: type[Any]) -> None:
        self.send(report(kind, reason="r"))

    @rule(more=st.integers(0, 5))
    def amended(self, more: int) -> None:
        final = self.order.is_final
        lots = self.order.cum_lots + more
        self.send(report(OrderAmended, lots=lots, px_ticks=3, stop_ticks=None))
        assert final or self.order.lots == lots

    @rule(kind=st.sampled_from([OrderCanceled, OrderExpired]))
    def ends(self, kind: type[Any]) -> None:
        final = self.order.is_final
        self.send(report(kind, reason="end"))
        assert final or self.order.status is {OrderCanceled: S.CANCELED, OrderExpired: S.EXPIRED}[kind]

    @rule()
    def rejected(self) -> None:
        legal = self.order.is_final or S.REJECTED in LIFECYCLE.steps[self.order.status]
        if legal:
            self.send(report(OrderRejected, reason="no"))
        else:
            with pytest.raises(TransitionError):
                apply_report(self.order, report(OrderRejected, reason="no"))

    @rule(target_status=st.sampled_from([S.PENDING_CANCEL, S.PENDING_AMEND]))
    def we_ask(self, target_status: S) -> None:
        if target_status in LIFECYCLE.steps[self.order.status]:
            move(self.order, target_status, 1)

    @invariant()
    def quantities_are_the_sum_of_the_distinct_trades(self) -> None:
        trades = self.trades.values()
        assert self.order.cum_lots == sum(t.lots for t in trades)
        assert self.order.notional == sum(t.lots * t.px_ticks for t in trades)
        assert self.order.fees == sum((t.fee for t in trades), Decimal(0))

    @invariant()
    def a_full_order_is_filled_and_a_filled_order_is_full(self) -> None:
        full = self.order.cum_lots >= self.order.lots
        assert (self.order.status is S.FILLED) is full

    @invariant()
    def an_order_is_open_or_final_and_only_an_open_one_has_leaves(self) -> None:
        assert self.order.is_open is not self.order.is_final
        assert (self.order.leaves_lots > 0) is self.order.is_open


TestOrderLife = OrderLife.TestCase


# -- the page --------------------------------------------------------------------------------------


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == lifecycle_reference(), (
        "docs/reference/order-lifecycle.md is out of date; "
        "run: python -m lanner.execution.reference > docs/reference/order-lifecycle.md"
    )


def test_the_reference_page_explains_every_status_and_draws_every_step() -> None:
    page = lifecycle_reference()
    assert set(MEANINGS) == set(S)
    for status, targets in LIFECYCLE.steps.items():
        assert page.count(f"\n| `{status.name}` |") == 1
        for target in targets:
            assert f"    {status.name} --> {target.name}: " in page
