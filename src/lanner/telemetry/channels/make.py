"""Make the channels of the settings; a secret that is missing stops the start, not the first emergency."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lanner.core.errors import ConfigError
from lanner.telemetry.channels.channel import Channel
from lanner.telemetry.channels.console import ConsoleChannel
from lanner.telemetry.channels.logfile import ALERTS_FILE, LogChannel
from lanner.telemetry.secrets import Redactor
from lanner.telemetry.settings import ChannelConfig


def make_channel(
    name: str,
    config: ChannelConfig,
    folder: Path,
    redactor: Redactor,
    environment: Mapping[str, str] | None = None,
) -> Channel:
    """Return a channel; its secrets become known to the redactor. ``folder`` is where the log file goes.

    Raise ``ConfigError`` for a secret or an address that cannot be used.
    """
    secrets = {}
    for key, secret in config.secrets().items():
        try:
            secrets[key] = secret.reveal(environment)
        except ConfigError as error:
            raise ConfigError(
                f"alerts.channels.{name}.{key}: {error.what}", found=error.found, fix=error.fix
            ) from None
    redactor.learn(secrets.values())
    if config.type == "console":
        return ConsoleChannel(name)
    if config.type == "log":
        keep = 3 if config.keep is None else config.keep
        file = ALERTS_FILE if name == "log" else f"alerts-{name}.jsonl"  # one writer a file
        return LogChannel(name, folder / file, max_mb=config.max_mb or 5.0, keep=keep)
    if config.type == "webhook":
        from lanner.telemetry.channels.webhook import WebhookChannel

        headers = {
            key.removeprefix("headers."): value
            for key, value in secrets.items()
            if key.startswith("headers.")
        }
        return WebhookChannel(name, secrets["url"], headers=headers, timeout_s=config.timeout_s)
    from lanner.telemetry.channels.services import ServiceChannel, service_url

    url, where = service_url(config, secrets)
    return ServiceChannel(name, config.type, url, where)
