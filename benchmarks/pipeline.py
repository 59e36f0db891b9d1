"""Push orders into a simulated venue as fast as it answers, over one WebSocket (standard library only).

Signed `order.place` and `order.cancel` requests are written beforehand; a window of them is always under way. What
comes back is read and counted: every order must have been accepted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

WINDOW = 200
SYMBOL = "BTCUSDT"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one run did: requests answered, how many of them well, and how long that took."""

    requests: int
    accepted: int
    seconds: float


def connect(url: str) -> socket.socket:
    """Open a WebSocket without compression."""
    parts = urlsplit(url)
    made = socket.create_connection((str(parts.hostname), int(parts.port or 80)))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    made.sendall(
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += made.recv(4096)
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(head.decode(errors="replace"))
    return made


def request(number: int, method: str, params: dict[str, Any], account: dict[str, Any]) -> bytes:
    """Return a signed request as a client's frame; its mask is zero, so that masking costs nobody anything."""
    whole = {
        **params,
        "apiKey": account["api_key"],
        "recvWindow": 60_000,
        "timestamp": time.time_ns() // 1_000_000,
    }
    text = "&".join(f"{name}={whole[name]}" for name in sorted(whole))
    whole["signature"] = hmac.new(account["api_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    payload = json.dumps({"id": number, "method": method, "params": whole}, separators=(",", ":")).encode()
    return struct.pack("!BBH", 0x81, 0x80 | 126, len(payload)) + b"\0\0\0\0" + payload


def pairs(count: int, px: int, account: dict[str, Any]) -> Iterator[bytes]:
    """Yield `count` orders that come to rest, each followed, some orders later, by its cancel."""
    behind = 50
    for number in range(count + behind):
        if number < count:
            params = {
                "symbol": SYMBOL,
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.001",
                "price": str(px - number % 400),
                "newClientOrderId": f"pipe-{number}",
            }
            yield request(2 * number, "order.place", params, account)
        if number >= behind:
            wanted = {"symbol": SYMBOL, "origClientOrderId": f"pipe-{number - behind}"}
            yield request(2 * number + 1, "order.cancel", wanted, account)


def push(url: str, frames: list[bytes]) -> Pushed:
    """Send all requests, never more than a window ahead of the answers."""
    made = connect(url)
    began = time.perf_counter()
    sent = answered = accepted = 0
    held = b""
    while answered < len(frames):
        room = min(WINDOW - (sent - answered), len(frames) - sent)
        if room > WINDOW // 4 or sent == answered:
            made.sendall(b"".join(frames[sent : sent + room]))
            sent += room
        more = made.recv(1 << 18)
        if not more:
            raise RuntimeError("the venue closed the connection")
        held, payloads = _frames(held + more)
        answered += len(payloads)
        accepted += sum(
            b'"status":200' in payload[-600:] or b'"status":200' in payload[:60] for payload in payloads
        )
    made.close()
    return Pushed(len(frames), accepted, time.perf_counter() - began)


def _frames(held: bytes) -> tuple[bytes, list[bytes]]:
    found, start = [], 0
    while len(held) - start >= 2:
        size, body = held[start + 1], start + 2
        if size == 126:
            if len(held) < start + 4:
                break
            size, body = struct.unpack_from("!H", held, start + 2)[0], start + 4
        elif size == 127:
            if len(held) < start + 10:
                break
            size, body = struct.unpack_from("!Q", held, start + 2)[0], start + 10
        if len(held) < body + size:
            break
        if held[start] & 15 == 1:
            found.append(held[body : body + size])
        start = body + size
    return held[start:], found
