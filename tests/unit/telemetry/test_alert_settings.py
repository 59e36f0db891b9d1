"""The settings of alerts: defaults as specified, mistakes told, levels and routing."""

from __future__ import annotations

from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.live.alerting import told_settings
from lanner.telemetry import AlertLevel, AlertsConfig


def test_the_defaults() -> None:
    config = AlertsConfig()
    assert config.min_level == "info"
    assert config.throttle_window_ms == 60_000
    assert config.max_alerts_per_hour == 100
    assert config.max_history_size == 1000
    assert config.quiet_hours_start is None
    assert config.quiet_hours_min_level == "critical"
    assert set(config.channels) == {"console", "log"}


def test_a_mistake_is_told_without_what_stands_there() -> None:
    with pytest.raises(ValueError, match="urll") as caught:
        AlertsConfig(channels={"ops": {"type": "webhook", "urll": "https://hooks.example.org/t0ken"}})
    assert "t0ken" not in str(caught.value) + repr(caught.value)


def test_levels_lead_further_the_graver_they_are() -> None:
    config = told_settings(
        {
            "channels": {
                "telegram": {"bot_token": "x", "chat_id": 1},
                "email": {"host": "h", "sender": "a@b.c", "to": "d@e.f"},
                "ops": {"type": "webhook", "url": "x"},
            }
        },
        {},
    )
    reached = {
        level.word: {name for name in config.channels if config.goes_to(level, name)} for level in AlertLevel
    }
    assert reached["info"] == {"console", "log"}
    assert reached["warning"] == {"console", "log", "telegram", "ops"}
    assert reached["critical"] == reached["emergency"] == set(config.channels)
    assert config.channels["telegram"].rate == 30
    assert config.channels["email"].rate == 10
    assert config.channels["ops"].rate == 60
    assert config.channels["console"].rate is None


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"min_levl": "info"}, "Did you mean min_level"),
        ({"min_level": "loud"}, "debug, info, warning, critical, emergency"),
        ({"quiet_hours_start": 22}, "only one end"),
        ({"quiet_hours_start": 5, "quiet_hours_end": 5}, "without length"),
        ({"quiet_hours_start": 24, "quiet_hours_end": 5}, "at most 23"),
        ({"channels": {"Ops": {"type": "log"}}}, "small letters"),
        ({"channels": {"ops": {"type": "pigeon"}}}, "one of console, log"),
        ({"channels": {"ops": {"type": "webhook"}}}, "lacks url"),
        ({"channels": {"ops": {"type": "webhook", "url": "x", "chat_id": 3}}}, "which has no chat_id"),
        ({"channels": {"telegram": {"bot_token": "x"}}}, "lacks chat_id"),
        ({"channels": {"email": {"sender": "a@b.c", "to": "d@e.f"}}}, "lacks host"),
        (
            {"channels": {"email": {"sender": "a@b.c", "to": "d@e.f", "provider": "resend"}}},
            "lacks the api_key",
        ),
        ({"routing": {"warning": ["nobody"]}}, "'nobody'"),
        ({"routing": {"loud": ["log"]}}, "debug, info"),
    ],
)
def test_mistakes_are_told(told: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        told_settings(told, {})
    assert word in caught.value.message()


def test_the_environment_says_settings_and_secrets() -> None:
    config = told_settings(
        {"channels": {"ops": {"type": "webhook", "url": "env:X"}}},
        {
            "LANNER_ALERTS__MIN_LEVEL": "warning",
            "LANNER_ALERTS__CHANNELS__OPS__URL": "http://other",
            "LANNER_ALERTS__CHANNELS__OPS__PER_MINUTE": "5",
            "LANNER_RISK__MAX_OPEN_ORDERS": "3",
        },
    )
    assert config.min_level == "warning"
    assert config.channels["ops"].rate == 5
    assert config.channels["ops"].secrets()["url"].reveal() == "http://other"
