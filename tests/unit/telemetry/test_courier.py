"""A channel's own thread: nobody waits for it, and what it cannot deliver is counted."""

from __future__ import annotations

import time

from lanner.telemetry import Alert, AlertCategory, AlertLevel
from lanner.telemetry.courier import Courier
from tests.unit.telemetry.conftest import Shelf
from tests.unit.telemetry.servers import until


def alert(title: str, level: AlertLevel = AlertLevel.WARNING) -> Alert:
    return Alert(title, level, AlertCategory.SYSTEM_ERROR, title, "", 1)


def closed(courier: Courier, seconds: float = 60.0) -> bool:
    courier.end(seconds)
    return courier.join()


def test_a_fault_that_passes_is_tried_again() -> None:
    shelf = Shelf(faults=2)
    courier = Courier(shelf)
    courier.put(alert("a"))
    assert courier.flush(60)
    assert shelf.titles == ["a"]
    stats = courier.stats()
    assert (stats["sent"], stats["failed"], stats["retries"], stats["last_error"]) == (1, 0, 2, "no room")
    assert closed(courier)


def test_a_fault_that_lasts_is_not_tried_again() -> None:
    shelf, lost = Shelf(faults=1, lasting=True), []
    courier = Courier(shelf, on_loss=lambda channel, one, why: lost.append((channel, one.title, why)))
    courier.put(alert("a"))
    courier.put(alert("b"))
    assert courier.flush(60)
    assert (shelf.tries, shelf.titles) == (2, ["b"])
    assert lost == [("shelf", "a", "no room")]
    assert closed(courier)


def test_nobody_waits_for_a_channel_that_hangs() -> None:
    shelf = Shelf()
    shelf.gate.clear()
    courier = Courier(shelf, queue=10)
    began = time.perf_counter()
    for number in range(1000):
        courier.put(alert(f"{number}"))
    assert time.perf_counter() - began < 60.0
    stats = courier.stats()
    assert stats["dropped"] + stats["queued"] == 1000
    assert stats["queued"] <= 11
    assert not closed(courier, 0.05)
    shelf.gate.set()


def test_a_full_queue_drops_the_least_grave_and_the_gravest_leaves_first() -> None:
    shelf, lost = Shelf(), []
    shelf.gate.clear()
    courier = Courier(shelf, queue=3, on_loss=lambda _, one, why: lost.append((one.title, why)))
    courier.put(alert("first"))
    until(lambda: courier.stats()["queued"] == 1 and not courier._heap)
    courier.put(alert("old", AlertLevel.INFO))
    courier.put(alert("young", AlertLevel.INFO))
    courier.put(alert("fire", AlertLevel.EMERGENCY))
    courier.put(alert("grave", AlertLevel.CRITICAL))
    shelf.gate.set()
    assert closed(courier)
    assert shelf.titles == ["first", "fire", "grave", "old"]
    assert lost == [("young", "the queue is full")]


def test_what_is_over_the_rate_is_told_not_sent_and_summed_up_later() -> None:
    shelf, lost = Shelf(), []
    courier = Courier(
        shelf, per_minute=2, summary_s=0.5, on_loss=lambda _, one, why: lost.append((one.title, why))
    )
    for number in range(4):
        courier.put(alert(f"{number}"))
    courier.put(alert("grave", AlertLevel.CRITICAL))
    until(lambda: len(shelf.kept) >= 3)
    courier.put(alert("fire", AlertLevel.EMERGENCY))
    assert closed(courier)
    assert shelf.titles[-1] == "fire", "emergencies know no rate"
    [summary] = [one for one in shelf.kept if one.id == "alerts.not_sent"]
    assert summary.title == "3 alerts were not sent"
    assert "shelf" in summary.message
    assert {why for _, why in lost} == {"over the channel's rate"}
    stats = courier.stats()
    assert (stats["limited"], stats["sent"]) == (3, 4)


def test_the_end_sends_the_summary_and_what_is_queued() -> None:
    shelf = Shelf()
    courier = Courier(shelf, per_minute=1, summary_s=3600)
    courier.put(alert("a"))
    courier.put(alert("b"))
    assert closed(courier)
    assert shelf.titles == ["a", "1 alerts were not sent"]
    courier.put(alert("too late"))
    assert courier.stats()["dropped"] == 1


def test_the_end_does_not_wait_for_another_attempt_beyond_its_time() -> None:
    shelf = Shelf(faults=100)
    courier = Courier(shelf, attempts=10)
    courier.put(alert("a"))
    until(lambda: shelf.tries)
    began = time.perf_counter()
    assert closed(courier, 0.2)
    assert time.perf_counter() - began < 60.0
    assert courier.stats()["failed"] == 1
