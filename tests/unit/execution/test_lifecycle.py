"""The life of an order: every step of the table, every step that is not in it, and reports in any order."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from lanner.core.errors import InternalFaultError, TransitionError
from lanner.execution.lifecycle import (
    LIFECYCLE,
    apply_report,
    ask_amend,
    ask_cancel,
    can_amend,
    move,
    resting_status,
)
from lanner.execution.reference import MEANINGS, lifecycle_reference
from lanner.model.enums import OrderStatus, OrderType
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
        one = order(10, S.ACCEPTED)
        one.cum_lots, one.triggered = cum, triggered
        number = ask_cancel(one, 0)
        assert apply_report(one, report(CancelRejected, reason="too late", request=number))
        assert one.status is back is resting_status(one)


def test_a_refused_cancel_of_an_order_in_doubt_does_not_prove_that_the_venue_has_it() -> None:
    one = order(10, S.SUBMITTED)
    apply_report(one, report(OrderUnanswered, reason="silence"))
    number = ask_cancel(one, 0)
    apply_report(one, report(CancelRejected, reason="not sent: there is no connection", request=number))
    assert one.status is S.UNKNOWN
    number = ask_cancel(one, 0)
    apply_report(one, report(OrderAccepted, venue_order_id="7"))
    apply_report(one, report(CancelRejected, reason="too late", request=number))
    assert one.status is S.ACCEPTED


def amended(lots: int, request: int, ts: int = 1) -> OrderAmended:
    made: OrderAmended = report(OrderAmended, ts, lots=lots, px_ticks=5, stop_ticks=None, request=request)
    return made


def test_an_answer_to_the_amend_leaves_a_pending_cancel_pending() -> None:
    one = order(10, S.ACCEPTED)
    first, second = ask_amend(one, 12, 0), ask_amend(one, 14, 0)
    ask_cancel(one, 0)
    apply_report(one, amended(12, first))
    assert (one.status, one.lots, one.px_ticks) == (S.PENDING_CANCEL, 12, 5)
    apply_report(one, report(AmendRejected, reason="no", request=second))
    assert one.status is S.PENDING_CANCEL


def test_a_refused_cancel_leaves_an_unanswered_amend_pending() -> None:
    one = order(10, S.ACCEPTED)
    amend, cancel = ask_amend(one, 12, 0), ask_cancel(one, 0)
    apply_report(one, report(CancelRejected, reason="busy", request=cancel))
    assert one.status is S.PENDING_AMEND
    apply_report(one, amended(12, amend))
    assert (one.status, one.lots) == (S.ACCEPTED, 12)


@pytest.mark.parametrize("turn", [(0, 1), (1, 0)])
def test_of_two_amends_the_last_answer_ends_the_waiting_and_the_newer_state_stays(
    turn: tuple[int, int],
) -> None:
    one = order(10, S.ACCEPTED)
    answers = [amended(12, ask_amend(one, 12, 0), ts=5), amended(14, ask_amend(one, 14, 0), ts=6)]
    apply_report(one, answers[turn[0]])
    assert one.status is S.PENDING_AMEND
    assert one.worst_lots == 14
    apply_report(one, answers[turn[0]])
    assert one.status is S.PENDING_AMEND, "an answer told twice answers once"
    apply_report(one, answers[turn[1]])
    assert (one.status, one.lots, one.worst_lots) == (S.ACCEPTED, 14, 14)


def test_a_change_by_the_venue_itself_answers_no_request() -> None:
    one = order(10, S.ACCEPTED)
    number = ask_amend(one, 12, 0)
    apply_report(one, amended(4, 0))
    assert (one.status, one.lots) == (S.PENDING_AMEND, 4)
    apply_report(one, report(AmendRejected, reason="gone", request=number))
    assert one.status is S.ACCEPTED
    assert not apply_report(one, report(AmendRejected, reason="gone", request=number))


def test_silence_ends_the_waiting_and_a_late_answer_is_still_news() -> None:
    one = order(10, S.ACCEPTED)
    number = ask_amend(one, 15, 0)
    apply_report(one, report(OrderUnanswered, reason="timeout"))
    assert (one.status, one.worst_lots) == (S.UNKNOWN, 15), "the amend may have arrived"
    apply_report(one, report(OrderAccepted))
    assert one.status is S.ACCEPTED
    apply_report(one, amended(15, number))
    assert (one.status, one.lots, one.worst_lots) == (S.ACCEPTED, 15, 15)


def test_the_reason_and_the_code_of_a_rejection_are_kept() -> None:
    one = order(10, S.SUBMITTED)
    apply_report(one, report(OrderRejected, reason="too small", code="MIN_QTY"))
    assert (one.reason, one.reject_code) == ("too small", "MIN_QTY")


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
    one = order(10, S.ACCEPTED)
    number = ask_cancel(one, 0)
    apply_report(one, report(OrderTriggered))
    assert one.status is S.PENDING_CANCEL
    apply_report(one, report(CancelRejected, reason="too late", request=number))
    assert one.status is S.TRIGGERED


@pytest.mark.parametrize("status", [S.ACCEPTED, S.TRIGGERED, S.PARTIALLY_FILLED])
def test_a_venue_may_reject_what_it_accepted(status: OrderStatus) -> None:
    one = order(10, status, type=OrderType.STOP_MARKET, stop_ticks=900)
    assert apply_report(one, report(OrderRejected, reason="no liquidity when it was triggered"))
    assert one.status is S.REJECTED


# -- any order of reports --------------------------------------------------------------------------


class OrderLife(RuleBasedStateMachine):
    """Throw fills, duplicates and late or reordered answers at one order; a model counts what is true."""

    sent = Bundle("sent")

    @initialize(lots=st.integers(1, 20))
    def begin(self, lots: int) -> None:
        self.order: Order = order(lots)
        move(self.order, S.SUBMITTED, 0)
        self.trades: dict[str, OrderFilled] = {}
        self.waiting: dict[int, str] = {}
        self.asked: dict[int, str] = {}

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

    @rule()
    def silent(self) -> None:
        self.send(report(OrderUnanswered, reason="r"))
        self.waiting.clear()

    @rule(what=st.sampled_from(["cancel", "amend"]))
    def we_ask(self, what: str) -> None:
        if what == "cancel" and S.PENDING_CANCEL in LIFECYCLE.steps[self.order.status]:
            number = ask_cancel(self.order, 1)
        elif what == "amend" and can_amend(self.order):
            number = ask_amend(self.order, self.order.lots + 1, 1)
        else:
            return
        assert number not in self.asked
        self.asked[number] = self.waiting[number] = what

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), says_yes=st.booleans(), more=st.integers(0, 5))
    def answered_perhaps_again_and_in_any_order(self, data: st.DataObject, says_yes: bool, more: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.asked)))
        what = self.asked[number]
        if what == "cancel":
            self.send(report(CancelRejected, reason="r", request=number))
        elif says_yes:
            lots = self.order.cum_lots + more
            self.send(report(OrderAmended, lots=lots, px_ticks=3, stop_ticks=None, request=number))
        else:
            self.send(report(AmendRejected, reason="r", request=number))
        self.waiting.pop(number, None)

    @rule(more=st.integers(0, 5), ts=st.integers(2, 9))
    def changed_by_the_venue(self, more: int, ts: int) -> None:
        lots = self.order.cum_lots + more
        self.send(report(OrderAmended, ts, lots=lots, px_ticks=3, stop_ticks=None))

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

    @invariant()
    def the_order_is_pending_exactly_while_a_request_is_unanswered(self) -> None:
        if self.order.is_final or self.order.status is S.UNKNOWN:
            return
        pending = set(self.waiting.values())
        expected = S.PENDING_CANCEL if "cancel" in pending else S.PENDING_AMEND if pending else None
        found = self.order.status if self.order.status in (S.PENDING_CANCEL, S.PENDING_AMEND) else None
        assert found is expected

    @invariant()
    def the_worst_case_is_never_below_what_is_left(self) -> None:
        assert self.order.worst_lots >= self.order.leaves_lots

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
