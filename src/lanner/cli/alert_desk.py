"""What ``lanner alerts`` does: channels tried one beside the other, and the alerts of a session from its files."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from lanner.core.errors import ConfigError, LannerError, NotFoundError
from lanner.net.wallclock import mono_ns, wall_ns
from lanner.telemetry import Alert, AlertCategory, AlertLevel, AlertsConfig, ChannelConfig, Redactor
from lanner.telemetry.channels import ALERTS_FILE, make_channel, read_alerts
from lanner.telemetry.settings import level_of

_SLACK_S = 2.0


def settings_of(file: Path | None, session: str) -> AlertsConfig:
    """Return the settings of alerts from a file, from a session's journal, or from the environment alone."""
    from lanner.backtest.config_file import read_yaml
    from lanner.control.opening import session_folder
    from lanner.live.alerting import told_settings
    from lanner.live.build import plan_of
    from lanner.live.replaying import read_head

    if file is not None and session:
        raise ConfigError("a settings file and --session exclude each other", fix="Leave one of them out.")
    if session:
        kept = plan_of(read_head(session_folder(session))).config.alerts
        return told_settings(kept.model_dump(mode="json", exclude_none=True), source=f"session {session}")
    if file is None:
        return told_settings({})
    values, _lines = read_yaml(file.expanduser())
    section = values.get("alerts") or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{file.name}: alerts is wrong", expected="keys and values")
    return told_settings(section, source=f"{file.name}, alerts")


def try_channels(config: AlertsConfig, only: str) -> list[dict[str, Any]]:
    """Send one alert through each channel at the same time; return what came of it."""
    from lanner.storage.environment import default_home

    chosen = {name: one for name, one in config.channels.items() if one.enabled and only in ("", name)}
    if not chosen:
        raise NotFoundError(
            f"there is no channel {only!r}" if only else "no channel is switched on",
            expected=f"one of: {', '.join(config.channels)}",
            fix="Channels are described in the how-to on alerts.",
        )
    attempts = [_Attempt(name, one, default_home()) for name, one in chosen.items()]
    return [attempt.answer() for attempt in attempts]


class _Attempt:
    """One channel's answer, which is waited for no longer than its time-out and a little."""

    def __init__(self, name: str, config: ChannelConfig, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._redactor = Redactor()
        self._result: dict[str, Any] = {"channel": name, "type": config.type, "where": "", "ok": False}
        self._ms = 0.0
        self._error = "no answer in time"
        self._thread = threading.Thread(target=self._run, args=(name,), daemon=True)
        self._thread.start()

    def answer(self) -> dict[str, Any]:
        """Return what the channel said."""
        self._thread.join(2 * self._config.timeout_s + _SLACK_S)
        if self._error:
            return {**self._result, "ok": False, "error": self._redactor(self._error)}
        return {**self._result, "ok": True, "ms": round(self._ms, 1)}

    def _run(self, name: str) -> None:
        try:
            channel = make_channel(name, self._config, self._folder, self._redactor)
            self._result["where"] = channel.where
            began = mono_ns()
            channel.deliver(_test_alert())
            self._ms = (mono_ns() - began) / 1e6
            self._error = ""
        except LannerError as error:
            self._error = error.message()
        except Exception as error:  # noqa: BLE001 - the answer of a channel is to be shown, whatever it is
            self._error = str(error) or type(error).__name__


def _test_alert() -> Alert:
    return Alert(
        "alerts.test",
        AlertLevel.INFO,
        AlertCategory.SYSTEM_CONNECTED,
        "Test alert",
        "This channel of Lanner's alerts works.",
        wall_ns(),
        "lanner alerts test",
    )


def alerts_of(session: str, level: str, limit: int) -> list[Alert]:
    """Return the alerts that a session and its watchdog wrote down, oldest first."""
    from lanner.control.opening import session_folder
    from lanner.live.alerting import WATCHDOG_FILE

    folder = session_folder(session)
    if not folder.is_dir():
        raise NotFoundError(f"no session {session!r}", fix="`lanner sessions` lists them.")
    least = level_of(level)
    found = [alert for name in (ALERTS_FILE, WATCHDOG_FILE) for alert in read_alerts(folder / name)]
    found = sorted((alert for alert in found if alert.level >= least), key=lambda alert: alert.timestamp)
    return found[-limit:] if limit > 0 else found
