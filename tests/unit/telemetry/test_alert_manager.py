"""Which alerts pass, in which order they are judged, and what is remembered of them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lanner.telemetry import Alert, AlertCategory, AlertDetails, AlertLevel, AlertManager, AlertsConfig
from lanner.telemetry.channels import read_alerts
from lanner.telemetry.manager import without_channels
from tests.unit.telemetry.conftest import Shelf

SYSTEM = AlertCategory.SYSTEM_ERROR
DAY = datetime(2026, 3, 4, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, hour: float = 12.0) -> None:
        self.now = int(DAY.timestamp() * 1e9 + hour * 3600e9)

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * 1e9)


def manager(shelf: Shelf | None = None, clock: Clock | None = None, **settings: Any) -> AlertManager:
    """Return a manager that leads to a shelf only."""
    made = AlertManager(without_channels(AlertsConfig(**settings)), clock=clock)
    if shelf is not None:
        made.add_channel(shelf, min_level=AlertLevel.DEBUG)
    return made


def test_there_are_five_levels_and_nineteen_categories() -> None:
    assert [level.word for level in AlertLevel] == ["debug", "info", "warning", "critical", "emergency"]
    assert len(AlertCategory) == 19


def test_an_alert_reaches_a_channel_with_all_its_parts(shelf: Shelf) -> None:
    alerts = manager(shelf)
    details = AlertDetails(symbol="BTC", price=1.5, threshold=0.1, actual=0.2)
    assert alerts.risk_alert(AlertCategory.RISK_DRAWDOWN, "too deep", details)
    assert alerts.close()
    [alert] = shelf.kept
    assert alert.level is AlertLevel.CRITICAL
    assert (alert.source, alert.title, alert.message) == ("RiskEngine", "Risk drawdown", "too deep")
    assert alert.details == details
    assert alert.as_dict()["details"] == {"symbol": "BTC", "price": 1.5, "threshold": 0.1, "actual": 0.2}


@pytest.mark.parametrize(
    ("category", "level"),
    [
        (AlertCategory.TRADE_LIQUIDATION, "emergency"),
        (AlertCategory.TRADE_FAILED, "warning"),
        (AlertCategory.TRADE_STOP_LOSS, "warning"),
        (AlertCategory.TRADE_TAKE_PROFIT, "info"),
        (AlertCategory.TRADE_EXECUTED, "info"),
    ],
)
def test_the_level_of_a_trade_alert_follows_from_its_category(category: AlertCategory, level: str) -> None:
    alerts = manager()
    alerts.trade_alert(category, "x")
    assert alerts.get_recent_alerts(1)[0].level.word == level


def test_an_id_passes_once_in_its_window_and_then_tells_how_often_it_was_held_back() -> None:
    clock = Clock()
    alerts = manager(clock=clock)
    assert alerts.warning(SYSTEM, "a", id="one")
    clock.pass_s(59.9)
    assert not alerts.emergency(SYSTEM, "b", id="one")
    assert alerts.warning(SYSTEM, "c", id="other")
    clock.pass_s(0.1)
    assert alerts.warning(SYSTEM, "d", id="one")
    assert alerts.get_recent_alerts(1)[0].repeats == 1
    assert alerts.get_stats()["throttled"] == 1


def test_what_was_held_back_by_its_level_or_the_hour_does_not_throttle_what_follows() -> None:
    clock = Clock(hour=23)
    alerts = manager(clock=clock, quiet_hours_start=22, quiet_hours_end=7)
    assert not alerts.alert(AlertLevel.DEBUG, SYSTEM, "a", id="one")
    assert not alerts.warning(SYSTEM, "b", id="one")
    assert alerts.critical(SYSTEM, "c", id="one")
    stats = alerts.get_stats()
    assert (stats["below_level"], stats["muted"], stats["throttled"]) == (1, 1, 0)


@pytest.mark.parametrize(("hour", "muted"), [(21.99, False), (22, True), (0, True), (6.99, True), (7, False)])
def test_quiet_hours_cross_midnight(hour: float, muted: bool) -> None:
    alerts = manager(clock=Clock(hour), quiet_hours_start=22, quiet_hours_end=7)
    assert alerts.warning(SYSTEM, "a") is not muted
    assert alerts.critical(SYSTEM, "b")


def test_quiet_hours_within_a_day() -> None:
    settings: dict[str, Any] = {
        "quiet_hours_start": 9,
        "quiet_hours_end": 17,
        "quiet_hours_min_level": "emergency",
    }
    assert not manager(clock=Clock(12), **settings).critical(SYSTEM, "a")
    assert manager(clock=Clock(12), **settings).emergency(SYSTEM, "a")
    assert manager(clock=Clock(8), **settings).info(SYSTEM, "a")
    assert manager(clock=Clock(17), **settings).info(SYSTEM, "a")


def test_the_hourly_limit_holds_is_announced_once_and_lets_emergencies_through(shelf: Shelf) -> None:
    clock = Clock()
    alerts = manager(shelf, clock, max_alerts_per_hour=3)
    assert [alerts.info(SYSTEM, f"{n}") for n in range(5)] == [True, True, True, False, False]
    assert alerts.emergency(SYSTEM, "fire")
    clock.pass_s(3600)
    assert alerts.info(SYSTEM, "later")
    alerts.close()
    assert sorted(shelf.titles) == sorted(
        ["0", "1", "2", "More than 3 alerts within an hour", "fire", "later"]
    )
    assert alerts.get_stats()["over_hourly_limit"] == 2


def test_the_history_is_bounded_newest_first_and_can_be_cleared() -> None:
    alerts = manager(max_history_size=3)
    for number in range(5):
        alerts.info(SYSTEM, f"{number}")
    assert [alert.title for alert in alerts.get_recent_alerts()] == ["4", "3", "2"]
    assert [alert.title for alert in alerts.get_recent_alerts(1)] == ["4"]
    alerts.clear_history()
    assert alerts.get_recent_alerts() == []
    assert alerts.get_stats()["total"] == 5


def test_statistics_count_by_level(shelf: Shelf) -> None:
    alerts = manager(shelf, min_level="debug")
    for level in AlertLevel:
        alerts.alert(level, SYSTEM, level.word)
    alerts.flush()
    stats = alerts.get_stats()
    assert stats["by_level"] == dict.fromkeys([level.word for level in AlertLevel], 1)
    assert (stats["total"], stats["history_size"], stats["channel_count"]) == (5, 5, 1)
    assert stats["channels"]["shelf"]["sent"] == 5
    alerts.close()


def test_routing_names_the_channels_of_a_level(tmp_path: Path) -> None:
    config = AlertsConfig.model_validate(
        {
            "channels": {
                "console": {"enabled": False},
                "log": {},
                "second": {"type": "log", "enabled": False},
            },
            "routing": {"warning": [], "emergency": ["all"]},
        }
    )
    alerts = AlertManager(config, folder=tmp_path)
    alerts.info(SYSTEM, "by its level")
    alerts.warning(SYSTEM, "nowhere")
    alerts.emergency(SYSTEM, "everywhere")
    assert alerts.close()
    told = {one.title for one in read_alerts(tmp_path / "alerts.jsonl")}
    assert told == {"by its level", "everywhere"}


def test_many_threads_may_send_at_once(shelf: Shelf) -> None:
    alerts = manager(shelf, max_alerts_per_hour=0)
    threads = [
        threading.Thread(
            target=lambda stem=stem: [alerts.info(SYSTEM, f"{stem}-{n}", id=f"{n}") for n in range(100)]
        )
        for stem in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alerts.close()
    assert len(shelf.kept) == 100
    assert alerts.get_stats()["throttled"] == 300


def test_ids_without_end_do_not_grow_the_memory_without_end() -> None:
    alerts = manager(max_alerts_per_hour=0)
    for number in range(10_000):
        alerts.info(SYSTEM, "x", id=f"{number}")
    assert len(alerts._passed_at) <= 4096


def test_a_broken_channel_leaves_the_others_alone(shelf: Shelf) -> None:
    class Broken:
        name = "broken"
        where = "nowhere"

        def deliver(self, alert: Alert) -> None:
            raise RuntimeError("with password=hunter22")

    lost: list[tuple[str, str]] = []
    alerts = AlertManager(on_loss=lambda alert, why: lost.append((alert.title, why)))
    alerts.add_channel(Broken(), attempts=1)
    alerts.add_channel(shelf)
    assert alerts.critical(SYSTEM, "x")
    assert alerts.close()
    assert shelf.titles == ["x"]
    assert lost == [("x", "broken: RuntimeError: with password=***REDACTED***")]
    assert alerts.get_stats()["channels"]["broken"]["failed"] == 1
