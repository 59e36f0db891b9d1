"""Orders as the venue's answers and news tell of them: every story ends in the right reports, each told once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from lanner.model.accounts import VenueOrder
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side, TimeInForce
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
from lanner.venues.codec import Notice
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.own import HOLD_NS, WITHHOLD_NS
from lanner.venues.hyperliquid.spec import STATUSES
from lanner.venues.keys import Keys
from tests.unit.venues.hyperliquid.conftest import SECRET, make_codec

ETH = "ETH-PERP.HYPERLIQUID"
MS = 1_000_000
Submit = Callable[..., SubmitOrder]


def ok(*statuses: Any, kind: str = "order") -> bytes:
    """Return an answer to an action."""
    told = {"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}
    return json.dumps(told).encode()


def posted(payload: Any, kind: str = "action", request: int = 1) -> bytes:
    """Return an answer as a socket brings it."""
    data = {"id": request, "response": {"type": kind, "payload": payload}}
    return json.dumps({"channel": "post", "data": data}).encode()


def fill(oid: int, size: str, tid: int, **more: Any) -> dict[str, Any]:
    """Return a fill of ETH at 2000.1."""
    return {
        "coin": "ETH",
        "px": "2000.1",
        "sz": size,
        "side": "B",
        "time": 1_700_000_000_000 + tid,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0xaa",
        "oid": oid,
        "crossed": False,
        "fee": "0.03",
        "tid": tid,
        "feeToken": "USDC",
        **more,
    }


def fills(*rows: dict[str, Any], snapshot: bool = False) -> bytes:
    """Return a userFills frame."""
    data: dict[str, Any] = {"user": "0x1", "fills": list(rows)}
    return json.dumps(
        {"channel": "userFills", "data": {**data, **({"isSnapshot": True} if snapshot else {})}}
    ).encode()


def update(
    codec: HyperliquidCodec, oid: int, status: str, left: str, order_id: str = "O-1", **more: Any
) -> bytes:
    """Return an orderUpdates frame of an order of 0.5 ETH."""
    order = {
        "coin": "ETH",
        "side": "B",
        "limitPx": "2000.1",
        "sz": left,
        "oid": oid,
        "timestamp": 1_700_000_000_000,
        "origSz": "0.5",
        "cloid": codec.client_id(order_id) if order_id else None,
        **more,
    }
    row = {"order": order, "status": status, "statusTimestamp": 1_700_000_000_500}
    return json.dumps({"channel": "orderUpdates", "data": [row]}).encode()


def kinds(told: Sequence[object]) -> list[str]:
    """Return the names of messages."""
    return [type(item).__name__ for item in told]


def placed(codec: HyperliquidCodec, submit: Submit, oid: int = 77, **more: Any) -> None:
    """Place an order that rests."""
    (call,) = codec.order(submit(**more))
    assert kinds(call.answer(200, ok({"resting": {"oid": oid}}), 1)) == ["OrderAccepted"]


# -- placing -------------------------------------------------------------------------------------------


def test_a_resting_order_is_accepted_once_however_often_it_is_told(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    (call,) = codec.order(submit())
    (report,) = call.answer(0, posted(json.loads(ok({"resting": {"oid": 77}}))), 5)
    assert report == OrderAccepted("O-1", ETH, 5, 5, "77")
    assert list(codec.decode(update(codec, 77, "open", "0.5"), 6)) == []


def test_the_answer_over_a_socket_names_its_request(codec: HyperliquidCodec) -> None:
    frame = posted(json.loads(ok({"resting": {"oid": 77}})), request=12)
    (answer,) = codec.decode(frame, 5)
    assert (answer.request_id, answer.body) == ("12", frame)  # type: ignore[union-attr]


def test_fills_come_with_ids_fees_and_liquidity(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    (report,) = codec.decode(fills(fill(77, "0.2", 5, crossed=True, fee="-0.01")), 9)
    assert report == OrderFilled(
        "O-1",
        ETH,
        1_700_000_000_005 * MS,
        9,
        "1700000000005-ETH-5",
        Side.BUY,
        200_010,
        2_000,
        Decimal("-0.01"),
        Liquidity.TAKER,
        200_010,
    )


def test_a_snapshot_repeats_nothing_that_was_told(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    codec.decode(fills(fill(77, "0.2", 5)), 9)
    told = codec.decode(fills(fill(77, "0.2", 5), fill(77, "0.1", 6), snapshot=True), 10)
    assert [report.lots for report in told if isinstance(report, OrderFilled)] == [1_000]
    event = {"channel": "user", "data": {"fills": [fill(77, "0.1", 6)]}}
    assert list(codec.decode(json.dumps(event).encode(), 11)) == []


def test_the_same_number_at_another_time_is_another_fill(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    first = codec.decode(fills(fill(77, "0.1", 5)), 9)
    second = codec.decode(fills(fill(77, "0.1", 5, time=1_700_000_009_000)), 10)
    assert kinds([*first, *second]) == ["OrderFilled", "OrderFilled"]


def test_a_fill_before_the_answer_waits_for_it(codec: HyperliquidCodec, submit: Submit) -> None:
    (call,) = codec.order(submit())
    assert list(codec.decode(fills(fill(77, "0.5", 5)), 9)) == []
    told = call.answer(200, ok({"filled": {"oid": 77, "totalSz": "0.5", "avgPx": "2000.1"}}), 10)
    assert kinds(told) == ["OrderAccepted", "OrderFilled"]


def test_a_fill_before_the_answer_is_told_by_the_update_too(codec: HyperliquidCodec, submit: Submit) -> None:
    codec.order(submit())
    codec.decode(fills(fill(77, "0.5", 5)), 9)
    told = codec.decode(update(codec, 77, "filled", "0.0"), 10)
    assert kinds(told) == ["OrderAccepted", "OrderFilled"]


def test_a_fill_that_tells_our_own_id_needs_not_wait(codec: HyperliquidCodec, submit: Submit) -> None:
    codec.order(submit())
    told = codec.decode(fills(fill(77, "0.5", 5, cloid=codec.client_id("O-1"))), 9)
    assert kinds(told) == ["OrderAccepted", "OrderFilled"]


def test_the_rest_of_an_ioc_order_expires_after_its_fills(codec: HyperliquidCodec, submit: Submit) -> None:
    codec.decode(b'{"channel":"orderUpdates","data":[]}', 1)
    (call,) = codec.order(submit(tif=TimeInForce.IOC))
    told = call.answer(200, ok({"filled": {"oid": 77, "totalSz": "0.2", "avgPx": "2000.1"}}), 10)
    assert kinds(told) == ["OrderAccepted"]
    later = codec.decode(fills(fill(77, "0.2", 5)), 11)
    assert kinds(later) == ["OrderFilled", "OrderExpired"]
    assert list(codec.decode(update(codec, 77, "canceled", "0.3"), 12)) == []


def test_a_refusal_is_told_once_with_our_word_for_it(codec: HyperliquidCodec, submit: Submit) -> None:
    (call,) = codec.order(submit())
    (report,) = call.answer(200, ok({"error": "Insufficient margin to place order. asset=1"}), 3)
    assert isinstance(report, OrderRejected)
    assert (report.code, report.reason) == (
        Reason.INSUFFICIENT_FUNDS,
        "Insufficient margin to place order. asset=1",
    )
    assert list(codec.decode(update(codec, 77, "perpMarginRejected", "0.5"), 4)) == []


def test_one_refusal_for_a_batch_holds_for_each_order(codec: HyperliquidCodec, submit: Submit) -> None:
    batch = Batch((submit("A"), submit("B"), submit("C")), 0)
    (call,) = codec.order(batch)
    told = call.answer(200, ok({"error": "Price must be divisible by tick size. asset=1"}), 3)
    assert [(type(r), r.order_id) for r in told] == [(OrderRejected, name) for name in "ABC"]
    (call,) = codec.order(Batch((submit("D"), submit("E")), 0))
    told = call.answer(200, b'{"status":"err","response":"Too many open orders"}', 3)
    assert [getattr(r, "code", "") for r in told] == [Reason.TOO_MANY_ORDERS] * 2


def test_each_order_of_a_batch_gets_its_own_answer(codec: HyperliquidCodec, submit: Submit) -> None:
    (call,) = codec.order(Batch((submit("A"), submit("B"), submit("C")), 0))
    told = call.answer(
        200, ok({"resting": {"oid": 1}}, {"error": "Invalid TP/SL price."}, "waitingForFill"), 3
    )
    assert kinds(told) == ["OrderAccepted", "OrderRejected", "OrderAccepted"]
    assert told[2].venue_order_id == ""  # type: ignore[union-attr]


def test_what_an_answer_does_not_speak_of_is_unanswered(codec: HyperliquidCodec, submit: Submit) -> None:
    (call,) = codec.order(Batch((submit("A"), submit("B")), 0))
    told = call.answer(200, ok({"resting": {"oid": 1}}), 3)
    assert kinds(told) == ["OrderAccepted", "OrderUnanswered"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"status":"err","response":"User or API Wallet 0xab does not exist."}', OrderRejected),
        (429, b"null", OrderRejected),
        (422, b"Failed to deserialize the JSON body into the target type", OrderRejected),
        (500, b"", OrderUnanswered),
        (502, b"<html>bad gateway</html>", OrderUnanswered),
        (504, b"", OrderUnanswered),
        (200, b"garbage", OrderUnanswered),
        (200, b'{"status":"ok","response":"what?"}', OrderUnanswered),
        (0, posted("429 Too Many Requests: too many inflight posts", "error"), OrderRejected),
        (0, posted("504 Gateway Timeout", "error"), OrderUnanswered),
        (0, b'{"channel":"post","data":{"id":1}}', OrderUnanswered),
    ],
)
def test_only_what_proves_that_nothing_happened_is_a_rejection(
    codec: HyperliquidCodec, submit: Submit, status: int, body: bytes, kind: type
) -> None:
    (call,) = codec.order(submit())
    (report,) = call.answer(status, body, 3)
    assert type(report) is kind


def test_an_order_that_was_unanswered_is_found_working_by_its_update(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    (call,) = codec.order(submit())
    assert kinds(call.unanswered("silence", 3)) == ["OrderUnanswered"]
    assert list(codec.decode(update(codec, 77, "open", "0.5"), 9)) == [
        OrderAccepted("O-1", ETH, 1_700_000_000_500 * MS, 9, "77")
    ]


def test_a_fault_before_sending_refuses_each_part_by_its_kind(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    placed(codec, submit)
    error = VenueError(ErrorKind.RETRY, "not sent")
    (cancel,) = codec.order(CancelOrder("O-1", ETH, 0, 3))
    assert cancel.refused(error, 1) == [CancelRejected("O-1", ETH, 1, 1, "not sent", 3)]
    (amend,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=4))
    assert amend.refused(error, 1) == [AmendRejected("O-1", ETH, 1, 1, "not sent", 4)]


# -- ends ----------------------------------------------------------------------------------------------


def test_a_cancel_waits_for_the_fills_that_came_before_it(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    codec.decode(b'{"channel":"orderUpdates","data":[]}', 1)
    (call,) = codec.order(CancelOrder("O-1", ETH, 0, 1))
    assert call.answer(200, ok("success", kind="cancel"), 2) == []
    assert list(codec.decode(update(codec, 77, "canceled", "0.3"), 3)) == []
    told = codec.decode(fills(fill(77, "0.2", 5)), 4)
    assert kinds(told) == ["OrderFilled", "OrderCanceled"]


def test_a_cancel_waits_no_longer_than_the_hold(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    codec.decode(update(codec, 77, "canceled", "0.3"), 100)
    assert list(codec.decode(b'{"channel":"pong"}', 99 + HOLD_NS))[1:] == []
    assert kinds(codec.decode(b'{"channel":"pong"}', 100 + HOLD_NS)) == ["Notice", "OrderCanceled"]
    late = codec.decode(fills(fill(77, "0.2", 5)), 200 + HOLD_NS)
    assert kinds(late) == ["OrderFilled"]


def test_a_cancel_is_told_at_once_where_no_stream_is_heard(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    (call,) = codec.order(CancelOrder("O-1", ETH, 0, 1))
    assert kinds(call.answer(200, ok("success", kind="cancel"), 2)) == ["OrderCanceled"]


def test_a_refused_cancel_names_its_request(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    (call,) = codec.order(CancelOrder("O-1", ETH, 0, 7))
    text = "Order was never placed, already canceled, or filled. asset=1"
    assert call.answer(200, ok({"error": text}, kind="cancel"), 2) == [
        CancelRejected("O-1", ETH, 2, 2, text, 7)
    ]


def test_every_status_of_the_venue_ends_or_moves_the_order_as_its_table_says(submit: Submit) -> None:
    assert len(STATUSES) == 29
    expected = {
        OrderStatus.CANCELED: OrderCanceled,
        OrderStatus.REJECTED: OrderRejected,
        OrderStatus.TRIGGERED: OrderTriggered,
    }
    for status, (meaning, reason) in STATUSES.items():
        codec = make_codec(Keys("wallet", SECRET))
        codec.order(submit())
        told = codec.decode(update(codec, 77, status, "0.5"), 9)
        if meaning in expected:
            last = told[-1]
            assert type(last) is expected[meaning], status
            if isinstance(last, OrderRejected):
                assert (last.code, last.reason) == (reason, status)
        elif meaning is OrderStatus.ACCEPTED:
            assert kinds(told) == ["OrderAccepted"]


def test_a_trigger_is_told_once(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit, type=OrderType.STOP_MARKET, stop_ticks=210_000, px_ticks=None)
    assert kinds(codec.decode(update(codec, 77, "triggered", "0.5"), 9)) == ["OrderTriggered"]
    assert list(codec.decode(update(codec, 77, "triggered", "0.5"), 10)) == []


# -- changes -------------------------------------------------------------------------------------------


def test_a_change_moves_the_order_to_a_new_number_and_swallows_the_end_of_the_old_one(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    placed(codec, submit)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=2))
    assert list(codec.decode(update(codec, 77, "canceled", "0.5"), 3)) == []
    told = call.answer(200, ok({"resting": {"oid": 78}}), 4)
    assert told == [OrderAmended("O-1", ETH, 4, 4, 5_000, 200_020, None, 2)]
    assert list(codec.decode(update(codec, 78, "open", "0.5", limitPx="2000.2"), 5)) == []
    assert kinds(codec.decode(fills(fill(78, "0.1", 5)), 6)) == ["OrderFilled"]
    assert list(codec.decode(update(codec, 77, "canceled", "0.5"), 7)) == []


def test_a_change_may_be_told_by_the_stream_before_its_answer(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    placed(codec, submit)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=2))
    told = codec.decode(update(codec, 78, "open", "0.5", limitPx="2000.2"), 3)
    assert [report for report in told if isinstance(report, OrderAmended)] == [
        OrderAmended("O-1", ETH, 1_700_000_000_500 * MS, 3, 5_000, 200_020, None, 2)
    ]
    assert call.answer(200, ok({"resting": {"oid": 78}}), 4) == []


def test_the_first_number_of_a_changed_order_may_come_after_its_second_one(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    (placing,) = codec.order(submit())
    assert kinds(codec.decode(update(codec, 78, "open", "0.5"), 2)) == ["OrderAccepted"]
    assert kinds(placing.answer(200, ok({"resting": {"oid": 77}}), 3)) == []
    assert list(codec.decode(update(codec, 77, "open", "0.5"), 4)) == []
    assert list(codec.decode(update(codec, 77, "canceled", "0.5"), 5)) == []
    assert kinds(codec.decode(update(codec, 78, "canceled", "0.5"), 6)) == ["OrderCanceled"]


def test_the_refused_successor_of_an_order_is_not_its_end(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=2))
    assert kinds(call.answer(200, ok({"error": "Order has invalid size."}), 3)) == ["AmendRejected"]
    assert list(codec.decode(update(codec, 78, "rejected", "0.5"), 4)) == []
    assert kinds(codec.decode(fills(fill(77, "0.5", 5)), 5)) == ["OrderFilled"]


def test_a_refused_change_tells_the_end_that_it_held_back(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=2))
    codec.decode(update(codec, 77, "canceled", "0.5"), 3)
    told = call.answer(200, ok({"error": "Cannot modify canceled or filled order"}), 4)
    assert kinds(told) == ["AmendRejected", "OrderCanceled"]


def test_an_end_is_not_withheld_for_ever_by_a_change_that_nobody_answers(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    placed(codec, submit)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=2))
    assert kinds(call.unanswered("silence", 2)) == ["OrderUnanswered"]
    assert list(codec.decode(update(codec, 77, "canceled", "0.5"), 3)) == []
    assert kinds(codec.decode(b'{"channel":"pong"}', 2 + WITHHOLD_NS)) == ["Notice"]
    assert kinds(codec.decode(b'{"channel":"pong"}', 3 + WITHHOLD_NS)) == ["Notice", "OrderCanceled"]
    assert kinds(codec.decode(b'{"channel":"pong"}', 9 + WITHHOLD_NS)) == ["Notice"]


def test_a_partly_filled_order_is_changed_to_what_is_left_and_told_as_a_whole(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    placed(codec, submit)
    codec.decode(fills(fill(77, "0.2", 5)), 3)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, lots=6_000, request=2))
    sent = json.loads(call.request(1, 2).body)["action"]["modifies"][0]["order"]
    assert sent["s"] == "0.4"
    (report,) = call.answer(200, ok({"resting": {"oid": 78}}), 4)
    assert isinstance(report, OrderAmended)
    assert report.lots == 6_000
    told = codec.decode(update(codec, 78, "canceled", "0.4", origSz="0.4"), 5)
    assert kinds(told) == ["OrderCanceled"]


def test_a_fill_that_raced_a_change_makes_the_order_larger(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    (call,) = codec.order(AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=2))
    call.answer(200, ok({"resting": {"oid": 78}}), 4)
    told = codec.decode(fills(fill(77, "0.1", 5)), 5)
    assert kinds(told) == ["OrderFilled", "OrderAmended"]
    assert (told[1].lots, told[1].request) == (6_000, 0)  # type: ignore[union-attr]


def test_a_change_to_less_than_is_filled_is_refused_before_it_leaves(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    placed(codec, submit)
    codec.decode(fills(fill(77, "0.2", 5)), 3)
    with pytest.raises(VenueError):
        codec.order(AmendOrder("O-1", ETH, 0, lots=2_000, request=2))


# -- after a restart, strangers, the rest ----------------------------------------------------------------


def test_after_a_restart_remembered_orders_are_told_from_strangers(codec: HyperliquidCodec) -> None:
    codec.remember(["old-1"])
    told = codec.decode(update(codec, 5, "open", "0.5", "old-1"), 9)
    assert kinds(told) == ["OrderAccepted"]
    (stranger,) = codec.decode(update(codec, 6, "open", "0.3", ""), 9)
    assert isinstance(stranger, VenueOrder)
    assert (
        stranger.order_id,
        stranger.venue_order_id,
        stranger.lots,
        stranger.cum_lots,
        stranger.status,
    ) == (
        "",
        "6",
        5_000,
        2_000,
        OrderStatus.PARTIALLY_FILLED,
    )
    assert list(codec.decode(fills(fill(6, "0.1", 8)), 10)) == []


def test_ended_orders_of_which_no_news_are_wanted_are_forgotten_as_others_end(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    gone: set[str] = set()
    codec.forget_when(gone.__contains__)
    placed(codec, submit, oid=1, order_id="O-works")
    for oid in range(100, 150):
        placed(codec, submit, oid=oid, order_id=f"O-{oid}")
        assert kinds(codec.decode(update(codec, oid, "canceled", "0.5", f"O-{oid}"), 9)) == ["OrderCanceled"]
        gone.add(f"O-{oid - 5}")
    own = codec._orders
    assert [name for name in own._by_id if name != "O-works"] == [f"O-{oid}" for oid in range(144, 150)]
    assert len(own._by_oid) == len(own._names) == 7
    assert list(codec.decode(fills(fill(120, "0.1", 8)), 10)) == []


def test_after_a_restart_open_orders_tell_the_terms_that_a_change_needs(codec: HyperliquidCodec) -> None:
    codec.remember(["old-1"])
    early = codec.decode(fills(fill(5, "0.2", 8)), 3)
    assert list(early) == []
    row = {
        "coin": "ETH",
        "side": "B",
        "limitPx": "2000.1",
        "sz": "0.3",
        "oid": 5,
        "timestamp": 1,
        "origSz": "0.5",
        "cloid": codec.client_id("old-1"),
        "tif": "Alo",
        "reduceOnly": False,
        "orderType": "Limit",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
    }
    past = codec.open_orders()
    assert json.loads(past.build(1, 2).body)["type"] == "historicalOrders"
    assert past.parse(b"[]", 4) is None
    assert past.then is not None
    (order,) = past.then.parse(json.dumps([row]).encode(), 4)
    assert (order.order_id, order.lots, order.cum_lots, order.post_only) == ("old-1", 5_000, 2_000, True)
    assert kinds(codec.decode(b'{"channel":"pong"}', 5)) == ["Notice", "OrderAccepted", "OrderFilled"]
    (call,) = codec.order(AmendOrder("old-1", ETH, 0, px_ticks=200_020, request=1))
    sent = json.loads(call.request(1, 2).body)["action"]["modifies"][0]
    assert (sent["oid"], sent["order"]["s"], sent["order"]["t"]) == (5, "0.3", {"limit": {"tif": "Alo"}})


def test_after_a_restart_a_changed_orders_numbers_are_recalled(codec: HyperliquidCodec) -> None:
    codec.remember(["old-1"])
    codec.decode(fills(fill(5, "0.2", 8), fill(6, "0.1", 9), snapshot=True), 3)

    def past(oid: int, status: str, size: str, left: str) -> dict[str, Any]:
        order = {
            "coin": "ETH",
            "side": "B",
            "limitPx": "2000.1",
            "sz": left,
            "oid": oid,
            "timestamp": 1,
            "origSz": size,
            "cloid": codec.client_id("old-1"),
            "orderType": "Limit",
            "tif": "Gtc",
        }
        return {"order": order, "status": status, "statusTimestamp": oid}

    rows = [past(6, "open", "0.3", "0.2"), past(5, "canceled", "0.5", "0.3")]
    question = codec.fills(0)
    assert question.parse(json.dumps(rows).encode(), 4) is None
    assert question.then is not None
    page = question.then.parse(json.dumps([fill(5, "0.2", 8), fill(6, "0.1", 9)]).encode(), 5)
    assert [item.report.order_id for item in page.rows] == ["old-1", "old-1"]
    told = codec.decode(b'{"channel":"pong"}', 5)
    assert [report.lots for report in told if isinstance(report, OrderFilled)] == [2_000, 1_000]
    assert codec.fills(0).then is None
    working = codec.open_orders().parse(json.dumps([rows[0]["order"]]).encode(), 6)
    assert [(order.lots, order.cum_lots) for order in working] == [(5_000, 3_000)]
    (call,) = codec.order(AmendOrder("old-1", ETH, 0, lots=6_000, request=1))
    sent = json.loads(call.request(1, 2).body)["action"]["modifies"][0]
    assert (sent["oid"], sent["order"]["s"]) == (6, "0.3")


def test_funding_is_told_once_and_never_what_was_paid_before_listening(codec: HyperliquidCodec) -> None:
    codec.user_routes()[0].hello(1_700_000_000_000, 1, "")

    def row(time: int) -> dict[str, Any]:
        return {"time": time, "coin": "ETH", "usdc": "-3.625312", "szi": "49.1", "fundingRate": "0.0000417"}

    old, new = row(1_699_996_400_000), row(1_700_000_400_000)
    snapshot = {"channel": "userFundings", "data": {"isSnapshot": True, "user": "0x1", "fundings": [old]}}
    assert list(codec.decode(json.dumps(snapshot).encode(), 5)) == []
    news = {"channel": "userFundings", "data": {"user": "0x1", "fundings": [new]}}
    assert list(codec.decode(json.dumps(news).encode(), 6)) == [
        FundingPaid(ETH, 1_700_000_400_000 * MS, 6, Decimal("-3.625312"), 0.0000417)
    ]
    event = {"channel": "user", "data": {"funding": new}}
    assert list(codec.decode(json.dumps(event).encode(), 7)) == []


def test_conversions_of_dust_and_unknown_coins_are_notices_not_fills(codec: HyperliquidCodec) -> None:
    dust = fill(9, "0.00001", 1, coin="ETH", dir="Spot Dust Conversion")
    told = codec.decode(fills(dust, fill(9, "1", 2, coin="xyz:XYZ100")), 3)
    assert [type(item) for item in told] == [Notice, Notice]


def test_a_cancel_by_the_venue_is_told(codec: HyperliquidCodec, submit: Submit) -> None:
    placed(codec, submit)
    event = {"channel": "user", "data": {"nonUserCancel": [{"coin": "ETH", "oid": 77}]}}
    assert kinds(codec.decode(json.dumps(event).encode(), 3)) == ["OrderCanceled"]


def test_an_ioc_order_that_finds_nothing_is_refused_for_want_of_liquidity(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    (call,) = codec.order(submit(tif=TimeInForce.IOC))
    text = "Order could not immediately match against any resting orders. asset=1"
    (report,) = call.answer(200, ok({"error": text}), 2)
    assert isinstance(report, OrderRejected)
    assert report.code == Reason.NO_LIQUIDITY


def test_an_order_that_is_canceled_at_once_for_its_tif_expires(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    codec.order(submit(tif=TimeInForce.IOC))
    told = codec.decode(update(codec, 77, "canceled", "0.5"), 3)
    assert isinstance(told[-1], OrderExpired)
