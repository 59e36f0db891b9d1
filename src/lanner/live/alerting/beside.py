"""Alerts about a session from another process: the watchdog's, which speaks when the session no longer can."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError
from lanner.live.alerting.facts import Fact, kill_report, short
from lanner.telemetry import AlertCategory, AlertLevel, AlertManager, AlertsConfig
from lanner.telemetry.channels import LogChannel

if TYPE_CHECKING:
    from lanner.live.killswitch import KillReport

WATCHDOG_FILE = "alerts-watchdog.jsonl"
"""The watchdog's own file: two processes do not rotate one."""


def told_settings(
    told: Mapping[str, Any], environment: Mapping[str, str] | None = None, *, source: str = ""
) -> AlertsConfig:
    """Return the settings of alerts from plain data, with what the environment says put over them."""
    from lanner.backtest.config_file import merge
    from lanner.backtest.mistakes import validate
    from lanner.live.overrides import settings_from

    over: dict[str, Any] = {}
    for path, (_name, value) in settings_from(os.environ if environment is None else environment).items():
        steps = path.split(".")
        if steps[0] != "alerts":
            continue
        place = over
        for step in steps[1:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = value
    config: AlertsConfig = validate(
        AlertsConfig, merge(told, over), source=source or "the settings of alerts"
    )
    return config


def secrets_for_children(config: AlertsConfig) -> dict[str, str]:
    """Return variables with the secrets that stand in the settings themselves: they are kept nowhere else.

    A watchdog that gets them in its environment can use the same channels as its session.
    """
    found = {}
    for name, channel in config.channels.items():
        stem = f"LANNER_ALERTS__CHANNELS__{name.upper()}__"
        for key, secret in channel.secrets().items():
            if not secret.is_reference and "." not in key:
                found[f"{stem}{key.upper()}"] = json.dumps(secret.reveal())
        headers = channel.headers or {}
        if any(not secret.is_reference for secret in headers.values()):
            told = {
                key: secret.shown() if secret.is_reference else secret.reveal()
                for key, secret in headers.items()
            }
            found[f"{stem}HEADERS"] = json.dumps(told)
    return found


class WatchdogAlerts:
    """What a watchdog tells, or ``who`` else ends a session from outside.

    A channel that cannot be used here is left out and named in ``problems``.
    """

    def __init__(self, folder: Path, kept: AlertsConfig, who: str = "watchdog") -> None:
        self.problems: list[str] = []
        self._who = who
        self._session = folder.name
        config = self._usable(told_settings(kept.model_dump(mode="json", exclude_none=True)))
        self._manager = AlertManager(config, source=f"{who} of {folder.name}")
        self._manager.add_channel(LogChannel("log", folder / WATCHDOG_FILE))

    def _usable(self, config: AlertsConfig) -> AlertsConfig:
        """Leave out what the session's own process writes, and channels whose secrets are not known here."""
        channels = {}
        for name, channel in config.channels.items() if config.enabled else ():
            if channel.type in ("console", "log"):
                continue
            try:
                for secret in channel.secrets().values():
                    secret.reveal()
            except LannerError as error:
                self.problems.append(f"alerts.channels.{name}: {error.message()}")
                continue
            channels[name] = channel
        routing = {
            level: [name for name in names if name in channels or name == "all"]
            for level, names in config.routing.items()
        }
        return config.model_copy(update={"channels": channels, "routing": routing})

    def tripped(self, reason: str) -> None:
        """Tell that the session is being ended, before anything else is done."""
        title = f"{self._who.capitalize()} ends session {self._session}"
        self._tell(
            Fact("watchdog", AlertLevel.EMERGENCY, AlertCategory.RISK_KILL_SWITCH, title, short(reason))
        )

    def ended(self, report: KillReport) -> None:
        """Tell what the venue says is left."""
        fact = kill_report(report)
        assert fact is not None
        self._tell(fact)

    def failed(self, error: Exception) -> None:
        """Tell that it could not be done."""
        text = error.message() if isinstance(error, LannerError) else f"{type(error).__name__}: {error}"
        title = f"The {self._who} of session {self._session} failed"
        self._tell(Fact("failed", AlertLevel.EMERGENCY, AlertCategory.RISK_KILL_SWITCH, title, short(text)))

    def _tell(self, fact: Fact) -> None:
        key = f"{self._session}:watchdog:{fact.key}"
        self._manager.alert(fact.level, fact.category, fact.title, short(fact.message), id=key)

    def close(self) -> None:
        """Give what is under way some seconds to leave."""
        self._manager.close(10.0)
