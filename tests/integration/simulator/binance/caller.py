"""Requests to a stage written by hand: raw bytes, so that signatures and their mistakes can be tested."""

from __future__ import annotations

import hashlib
import hmac
import http.client
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from tests.integration.simulator.binance.stage import Stage


@dataclass
class Answer:
    """What came back; header names in lower case."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """Return the venue's error code, 0 for success."""
        return int(self.body["code"]) if self.status >= 400 else 0


def sign(secret: str, payload: str) -> str:
    """Return the HMAC-SHA256 of a payload as hexadecimal text."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Caller:
    """Call a stage over HTTP."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.key, self.secret = stage.keys.api_key, stage.keys.api_secret

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self.stage.now_ns() // 10**6

    def raw(self, method: str, target: str, body: str = "", headers: dict[str, str] | None = None) -> Answer:
        """Send a request as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stage.host.port, timeout=60)
        try:
            connection.request(method, target, body or None, headers or {})
            response = connection.getresponse()
            found = response.read()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, msgspec.json.decode(found), named)
        finally:
            connection.close()

    def public(self, path: str, **params: Any) -> Answer:
        """Ask without a key."""
        return self.raw("GET", f"{path}?{urlencode(params)}" if params else path)

    def signed(self, method: str, path: str, *, headers: Any = None, **params: Any) -> Answer:
        """Ask with key and signature; ``timestamp`` is put in unless given."""
        params.setdefault("timestamp", self.now_ms())
        query = urlencode(params)
        target = f"{path}?{query}&signature={sign(self.secret, query)}"
        return self.raw(method, target, headers={"X-MBX-APIKEY": self.key, **(headers or {})})

    def keyed(self, method: str, path: str, **params: Any) -> Answer:
        """Ask with a key but no signature."""
        target = f"{path}?{urlencode(params)}" if params else path
        return self.raw(method, target, headers={"X-MBX-APIKEY": self.key})
