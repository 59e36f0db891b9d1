"""Orders of an execution engine: from threads and over the bus, amended, asked for, looked after; on paper and live."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import lanner as ln
from lanner.control.errors import DuplicateOrderError, NotPausedError, NotRunningError, PausedError
from lanner.core.bus import EndpointNotFoundError
from lanner.core.errors import InvalidOrderError, LannerError, NotFoundError
from lanner.live.replaying import replay_session
from tests.integration.control.conftest import Market, until

pytestmark = pytest.mark.timeout(180)
NAME = "BTC-USDT.BINANCE"


class Desk:
    """A running trading engine with an execution engine, and all that its bus told of orders and engines."""

    def __init__(self, market: Market, mode: str) -> None:
        self.bus = ln.MessageBus()
        self.told: list[tuple[str, Any]] = []
        for topic in ("order.*", "execution_engine.*", "control.refused"):
            self.bus.subscribe(topic, lambda topic, event: self.told.append((topic, event)))
        settings = {
            "instruments": ["BTC-USDT@binance"],
            "mode": mode,
            "url": {"": market.url},
            "journal": {"sync": "none"},
            "recovery": {"watchdog": False},
            "risk": {"max_order_notional": 500},
        }
        self.orders = ln.ExecutionEngine(
            settings, f"desk-{mode}", live=mode == "live", confirm="trade binance-spot", keys=market.keys
        )
        self.engine = ln.LiveTradingEngine(self.bus, ln.Cache())
        self.engine.set_execution_engine(self.orders)

    def topics(self, client_id: str) -> list[str]:
        return [topic for topic, one in self.told if getattr(one, "tag", "") == client_id]

    def heard(self, topic: str) -> list[Any]:
        return [one for name, one in self.told if name == topic]


@contextmanager
def running(market: Market, mode: str = "paper") -> Iterator[Desk]:
    desk = Desk(market, mode)
    thread = threading.Thread(target=desk.engine.start)
    thread.start()
    try:
        until(lambda: desk.engine.state == "running" or not thread.is_alive())
        until(lambda: desk.orders.session.engine.cache.quote(NAME) is not None)
        yield desk
    finally:
        desk.engine.stop()
        thread.join(60)
    assert not thread.is_alive()


def rests(desk: Desk, client_id: str) -> Callable[[], bool]:
    return lambda: desk.orders.get_order_status(client_id) == ln.OrderStatus.ACCEPTED


def test_an_order_is_amended_looked_for_and_taken_back_on_paper(market: Market) -> None:
    with running(market) as desk:
        orders = desk.orders
        assert orders.state == "running"
        orders.submit_order("buy", "0.001", "30000", client_id="mine")
        with pytest.raises(DuplicateOrderError):
            orders.submit_order("buy", "0.001", "30000", client_id="mine")
        with pytest.raises(NotFoundError):
            orders.is_order_pending("nobody's")
        until(rests(desk, "mine"))
        assert [one.tag for one in orders.get_tracked_orders()] == ["mine"]
        assert not orders.get_pending_orders()

        orders.amend_order("mine", px="29000", qty="0.002")
        until(lambda: orders.order("mine").px == 29_000)
        assert float(orders.order("mine").qty) == 0.002
        for wrong in ({}, {"qty": "much"}, {"qty": -1}):
            with pytest.raises(LannerError):
                orders.amend_order("mine", **wrong)
        orders.amend_order("mine", qty=1)  # above the limit on an order's value
        until(lambda: "an amend was denied" in orders.order("mine").reason)
        assert float(orders.order("mine").qty) == 0.002

        other = orders.submit_order("sell", "0.001", "90000")
        bought = orders.submit_order("buy", "0.001")
        until(lambda: orders.get_order_status(bought) == ln.OrderStatus.FILLED)
        position = orders.get_position()
        assert position is not None
        assert float(position.qty) == pytest.approx(0.001, rel=0.02)  # the fee is taken from it
        with pytest.raises(InvalidOrderError):
            orders.amend_order(bought, qty="0.002")
        stats = orders.get_stats()
        assert (stats.filled, stats.open) == (1, 1 + orders.order(other).is_open)
        assert stats.total_volume > 0 < stats.total_commission
        assert orders.get_balance()["equity"] > 0

        assert orders.cancel_all_orders(side="sell") <= 1
        assert orders.get_order_status("mine") == ln.OrderStatus.ACCEPTED
        with pytest.raises(LannerError):
            orders.cancel_all_orders(side="both")
        assert not orders.check_timeouts(60_000).timeout_orders
        report = orders.check_timeouts(0, auto_cancel=True)
        assert orders.order("mine").order_id in report.timeout_orders
        until(lambda: orders.get_order_status("mine") == ln.OrderStatus.CANCELED)
        until(lambda: len(desk.heard("execution_engine.timeout_check")) == 2)
        folder = orders.session.folder
    assert desk.topics("mine")[0] == "order.submitted"
    assert desk.topics("mine")[-1] == "order.cancelled"
    assert orders.state == "stopped"
    assert desk.heard("execution_engine.started")
    assert desk.heard("execution_engine.stopped")
    with pytest.raises(NotRunningError):
        orders.amend_order("mine", qty=1)
    with pytest.raises(NotRunningError):
        orders.cancel_order("mine")
    _plan, engine, found = replay_session(folder)
    assert found.faithful, found.differences
    assert [float(one.px or 0) for one in engine.execution.orders.values() if one.tag == "mine"] == [29_000]


def test_a_handler_can_look_at_an_order_and_not_change_it(market: Market) -> None:
    with running(market) as desk:
        name = desk.orders.submit_order("buy", "0.001", "30000")
        until(rests(desk, name))
        events = [one for topic, one in desk.told if topic.startswith("order.")]
        assert {topic for topic, _ in desk.told} >= {"order.submitted", "order.accepted"}
        for order in events:
            with pytest.raises(AttributeError):
                order.status = ln.OrderStatus.FILLED


def test_the_bus_answers_for_orders_while_the_session_runs(market: Market) -> None:
    with running(market) as desk:
        ask = desk.bus.request
        name = ask("order.submit", {"side": "buy", "qty": "0.001", "px": "30000"})
        until(rests(desk, name))
        ask("order.modify", {"client_id": name, "px": "31000"})
        until(lambda: ask("order.query", name)["price"] == 31_000)
        ask("order.cancel", {"client_id": name})
        until(lambda: ask("order.query", {"client_id": name})["status"] == "cancelled")
    with pytest.raises(EndpointNotFoundError):
        desk.bus.request("order.query", name)


def test_a_paused_session_takes_no_new_orders_and_lets_old_ones_be_cancelled(market: Market) -> None:
    with running(market) as desk:
        orders = desk.orders
        name = orders.submit_order("buy", "0.001", "30000")
        gone = orders.submit_order("buy", "0.001", "20000")
        orders.cancel_order(gone)
        until(rests(desk, name))
        until(lambda: orders.get_order_status(gone) == ln.OrderStatus.CANCELED)
        with pytest.raises(NotPausedError):
            orders.resume()
        orders.pause()
        until(lambda: orders.state == "paused")
        with pytest.raises(PausedError):
            orders.submit_order("buy", "0.001")
        with pytest.raises(PausedError):
            orders.amend_order(name, qty="0.002")
        orders.cancel_order(name)
        until(lambda: orders.get_order_status(name) == ln.OrderStatus.CANCELED)
        orders.resume()
        until(lambda: orders.state == "running")


def test_an_order_that_the_session_never_came_to_is_none(market: Market) -> None:
    refused: list[Exception] = []

    def too_late(_reason: Any) -> None:
        try:
            desk.orders.submit_order("buy", "0.001", "30000", client_id="late")
        except NotRunningError as error:
            refused.append(error)

    with running(market) as desk:
        desk.bus.subscribe("system.shutdown", too_late)
        desk.bus.subscribe("execution_engine.stopped", too_late)
    assert len(refused) == 1
    with pytest.raises(NotFoundError):
        desk.orders.get_order_status("late")


def test_a_live_sessions_orders_are_compared_with_the_venue(market: Market) -> None:
    with running(market, "live") as desk:
        orders = desk.orders
        name = orders.submit_order("buy", "0.001", "30000")
        until(rests(desk, name))
        report = orders.recover().result(60)
        assert (report.orders_checked, report.orders_closed, report.errors) == (1, 0, []), report
        assert desk.heard("execution_engine.recovery_complete")[-1] == report.differences
        assert orders.get_balance()["accounts"]["binance-spot"]["USDT"]["total"] > 0
        orders.amend_order(name, px="29000", qty="0.002")
        until(lambda: orders.order(name).px == 29_000)
        until(rests(desk, name))
        assert float(orders.order(name).qty) == 0.002
        report = orders.recover().result(60)
        assert (report.orders_updated, report.differences, report.errors) == (0, [], []), report
        assert orders.cancel_all_orders(status="accepted") == 1
        until(lambda: orders.get_order_status(name) == ln.OrderStatus.CANCELED)
