"""Signed requests: over HTTP as a query string, over the order socket as parameters.

Over HTTP the text that is signed is the query itself, percent-encoded first, in the order in which it is sent; over a
socket it is ``key=value`` joined by ``&``, sorted by key and not encoded. RSA and Ed25519 signatures are base64, so
that over HTTP they are percent-encoded, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from lanner.venues.codec import HttpRequest
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.keys import Keys

RECV_WINDOW_MS = 5000

_plain = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
_to_json = msgspec.json.Encoder().encode


class Signer:
    """Write requests with a key. Without one only public requests can be written."""

    __slots__ = ("_keys", "_recv_window")

    def __init__(self, keys: Keys | None, recv_window_ms: int = RECV_WINDOW_MS) -> None:
        self._keys = keys
        self._recv_window = recv_window_ms

    @property
    def keys(self) -> Keys:
        """Return the key, or raise ``VenueError`` AUTH where there is none."""
        if self._keys is None:
            raise VenueError(
                ErrorKind.AUTH,
                "this needs a key of the venue",
                fix="Store one with `lanner keys add`, or set LANNER_KEYS__…",
            )
        return self._keys

    @property
    def logs_on(self) -> bool:
        """Tell whether the key may log a connection on, so that its requests need no signature each (Ed25519)."""
        return self._keys is not None and self._keys.kind == "ed25519"

    # -- HTTP ----------------------------------------------------------------------------------------------

    def signed(self, method: str, path: str, params: Mapping[str, str], ts_ms: int) -> HttpRequest:
        """Write a signed request."""
        keys = self.keys
        query = encoded(params)
        stamp = f"recvWindow={self._recv_window}&timestamp={ts_ms}"
        query = f"{query}&{stamp}" if query else stamp
        signature = keys.sign_text(query.encode())
        return HttpRequest(
            method,
            path,
            f"{query}&signature={percent(signature)}",
            headers={"X-MBX-APIKEY": keys.api_key},
        )

    def keyed(self, method: str, path: str, params: Mapping[str, str]) -> HttpRequest:
        """Write a request that names its key and is not signed."""
        return HttpRequest(method, path, encoded(params), headers={"X-MBX-APIKEY": self.keys.api_key})

    # -- the order socket ----------------------------------------------------------------------------------

    def frame(self, request_id: str, method: str, params: Mapping[str, str], ts_ms: int) -> bytes:
        """Write a signed request for the order socket."""
        keys = self.keys
        named: dict[str, str | int] = {
            **params,
            "apiKey": keys.api_key,
            "recvWindow": self._recv_window,
            "timestamp": ts_ms,
        }
        named["signature"] = keys.sign_text(sorted_text(named).encode())
        return _to_json({"id": request_id, "method": method, "params": named})

    def stamped(self, request_id: str, method: str, params: Mapping[str, str], ts_ms: int) -> bytes:
        """Write a request for a connection that is logged on: it needs the time only."""
        return _to_json({"id": request_id, "method": method, "params": {**params, "timestamp": ts_ms}})


def percent(text: str) -> str:
    """Percent-encode a value (RFC 3986: a blank is %20)."""
    return text if _plain(text) else quote(text, safe="-._~")


def encoded(params: Mapping[str, str]) -> str:
    """Write parameters as a query, percent-encoded, in their order."""
    return "&".join([f"{name}={percent(value)}" for name, value in params.items()])


def sorted_text(params: Mapping[str, str | int]) -> str:
    """Write parameters as the order socket signs them: sorted by name, not encoded."""
    return "&".join([f"{name}={params[name]}" for name in sorted(params)])
