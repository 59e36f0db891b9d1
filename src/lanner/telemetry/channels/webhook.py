"""Alerts to an address of one's own: a POST with a JSON body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from lanner.core.errors import ConfigError
from lanner.telemetry.alerts import Alert
from lanner.telemetry.channels.channel import DeliveryError

_AGAIN = frozenset({408, 425, 429})
_LONGEST_WAIT_S = 30.0


class WebhookChannel:
    """Post each alert as one JSON object. ``timeout_s`` bounds the whole exchange; redirects are not followed.

    The address is a secret: whoever knows it may write there.
    """

    def __init__(
        self, name: str, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 4.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"alerts.channels.{name}.url is no address", expected="http://HOST/… or https://HOST/…"
            )
        self.name = name
        self.where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._url = url
        self._headers = dict(headers or {})
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    def deliver(self, alert: Alert) -> None:
        """Post one alert."""
        body = {"text": text_of(alert), **alert.as_dict()}
        try:
            status, after = asyncio.run(self._post(json.dumps(body, ensure_ascii=False).encode()))
        except TimeoutError:
            raise DeliveryError(f"no answer from {self.where} within {self._timeout.total:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise DeliveryError(f"no connection to {self.where}: {_reason(error)}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise DeliveryError(f"{self.where}: {type(error).__name__}") from None
        if not 200 <= status < 300:
            lasting = 300 <= status < 500 and status not in _AGAIN
            raise DeliveryError(f"{self.where} answered {status}", lasting=lasting, retry_after_s=after)

    async def _post(self, body: bytes) -> tuple[int, float]:
        headers = {"Content-Type": "application/json", "User-Agent": "lanner", **self._headers}
        async with (
            aiohttp.ClientSession(timeout=self._timeout) as session,
            session.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, _seconds(response.headers.get("Retry-After", ""))

    def __repr__(self) -> str:
        return f"<WebhookChannel {self.name} to {self.where}>"


def text_of(alert: Alert) -> str:
    """Return an alert in one sentence, as chat services show it."""
    head = f"[{alert.level.name}] {alert.title}"
    return f"{head}: {alert.message}" if alert.message else head


def _seconds(text: str) -> float:
    return min(float(text), _LONGEST_WAIT_S) if text.isdigit() else 0.0


def _reason(error: Any) -> str:
    inner = getattr(error, "os_error", None)
    return str(getattr(inner, "strerror", None) or type(inner or error).__name__).lower()
