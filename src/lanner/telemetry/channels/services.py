"""Alerts to chat and mail services, through the library apprise."""

from __future__ import annotations

import html
import logging
import threading
import warnings
from typing import Any
from urllib.parse import quote, urlencode

from lanner.core.errors import ConfigError, LannerError
from lanner.telemetry.alerts import Alert, AlertLevel
from lanner.telemetry.channels.channel import DeliveryError
from lanner.telemetry.settings import ChannelConfig

_KINDS = {
    AlertLevel.DEBUG: "info",
    AlertLevel.INFO: "info",
    AlertLevel.WARNING: "warning",
    AlertLevel.CRITICAL: "failure",
    AlertLevel.EMERGENCY: "failure",
}
_COLOURS = {
    AlertLevel.DEBUG: "#6b7280",
    AlertLevel.INFO: "#0e7490",
    AlertLevel.WARNING: "#b45309",
    AlertLevel.CRITICAL: "#b91c1c",
    AlertLevel.EMERGENCY: "#a21caf",
}
_PORTS = {"starttls": 587, "ssl": 465, "none": 25}
_LOADING = threading.Lock()


class ServiceChannel:
    """One service. What the library says of a failure is told without secrets by whoever keeps the channel."""

    def __init__(self, name: str, kind: str, url: str, where: str) -> None:
        self.name = name
        self.where = where
        self._html = kind in ("telegram", "email")
        self._mail = kind == "email"
        self._said = _Listener()
        library = _library()
        self._service: Any = library.Apprise(asset=library.AppriseAsset(app_id="Lanner", app_desc="Lanner"))
        with self._said:
            known = self._service.add(url)
        if not known:
            raise ConfigError(
                f"alerts.channels.{name} cannot be used: the address is not understood",
                expected=_EXPECTED.get(kind, "a URL of a service that apprise knows"),
                fix="See https://github.com/caronc/apprise/wiki",
            )

    def deliver(self, alert: Alert) -> None:
        """Send one alert."""
        title, body = (_mail if self._mail else _chat)(alert)
        with self._said as said:
            taken = self._service.notify(
                title=title,
                body=body if self._html else _plain(alert),
                notify_type=_KINDS[alert.level],
                body_format="html" if self._html else "text",
            )
            reason = "" if taken else _reason(taken) or said.text()
        if not taken:
            raise DeliveryError(reason or f"{self.where} did not take it")

    def __repr__(self) -> str:
        return f"<ServiceChannel {self.name} to {self.where}>"


_EXPECTED = {
    "telegram": "a bot's token, 123456:ABC…, and a chat_id",
    "slack": "https://hooks.slack.com/services/…",
    "discord": "https://discord.com/api/webhooks/…",
}


def service_url(config: ChannelConfig, secrets: dict[str, str]) -> tuple[str, str]:
    """Return the library's URL of a channel, and where it leads in words without secrets."""
    waits = {"cto": f"{config.timeout_s:g}", "rto": f"{config.timeout_s:g}"}
    if config.type == "telegram":
        token = quote(secrets["bot_token"], safe=":")
        return f"tgram://{token}/{quote(str(config.chat_id))}/?{urlencode({**waits, 'format': 'html'})}", (
            f"Telegram chat {config.chat_id}"
        )
    if config.type == "email":
        return _mail_url(config, secrets, waits)
    url = secrets["url"]
    where = config.type.capitalize() if config.type != "apprise" else f"{url.partition('://')[0]}://…"
    glue = "&" if "?" in url else "?"
    return (url if config.type == "apprise" else f"{url}{glue}{urlencode(waits)}"), where


def _mail_url(config: ChannelConfig, secrets: dict[str, str], waits: dict[str, str]) -> tuple[str, str]:
    sender, to = str(config.sender), list(config.to or ())
    where = f"mail to {', '.join(to)}"
    more = urlencode({**waits, "format": "html"})
    targets = "/".join(quote(one, safe="@") for one in to)
    if config.provider not in (None, "smtp"):
        key = quote(secrets["api_key"], safe="")
        if config.provider == "mailgun":
            return f"mailgun://{sender}/{key}/{targets}/?{more}&name=Lanner", where
        return f"{config.provider}://{key}:{sender}/{targets}/?{more}", where
    security = config.security or "starttls"
    secure = security != "none"
    options = {
        "smtp": str(config.host),
        "from": sender,
        "to": ",".join(to),
        "mode": "insecure" if not secure else security,
        **waits,
        "format": "html",
    }
    login = ""
    if config.user is not None:
        login = f"{quote(config.user, safe='')}:{quote(secrets.get('password', ''), safe='')}@"
    port = config.port or _PORTS[security]
    return f"{'mailtos' if secure else 'mailto'}://{login}{config.host}:{port}/?{urlencode(options)}", where


def _plain(alert: Alert) -> str:
    lines = [alert.message, *(f"{name}: {value}" for name, value in alert.facts())]
    return "\n".join([*filter(None, lines), f"{alert.source or 'lanner'}, {alert.time}"])


def _chat(alert: Alert) -> tuple[str, str]:
    body = html.escape(_plain(alert), quote=False).replace("\n", "<br/>")
    return f"[{alert.level.name}] {_one_line(alert.title)}", body


def _mail(alert: Alert) -> tuple[str, str]:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in [*alert.facts(), ("source", alert.source or "lanner"), ("time", alert.time)]
    )
    body = (
        f'<h2 style="color:{_COLOURS[alert.level]}">{html.escape(alert.title)}</h2>'
        f"<p>{html.escape(alert.message)}</p><table>{rows}</table>"
    )
    return f"[Lanner {alert.level.name}] {_one_line(alert.title)}", body


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _reason(result: Any) -> str:
    """Return what newer versions of the library tell with the result itself."""
    logs = getattr(result, "logs", None)
    return "" if logs is None else "; ".join(entry.message for entry in logs())[:500]


class _Listener(logging.Handler):
    """Hear what the library logs in this thread, and keep it from everywhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []
        self._thread = 0

    def __enter__(self) -> _Listener:
        self._lines = []
        self._thread = threading.get_ident()
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of this thread."""
        if record.thread == self._thread and len(self._lines) < 10:
            self._lines.append(record.getMessage())

    def text(self) -> str:
        """Return what was heard, in one line."""
        return "; ".join(self._lines)[:500]


def _library() -> Any:
    with _LOADING:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # its optional parts import old modules
                import apprise

                apprise.Apprise.instantiate("json://localhost")  # loads all of them
        except ImportError:
            raise LannerError(
                "alerts to chat and mail services need the package apprise",
                fix="pip install 'lanner[alerts]'",
            ) from None
        logger = logging.getLogger("apprise")
        logger.propagate = False  # its lines hold addresses, some of which are secrets
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    return apprise
