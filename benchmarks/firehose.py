"""A server that speaks just enough of Binance spot to feed a reader as fast as it takes, or at a steady rate.

`python -m benchmarks.firehose --kind ticker|depth|diff --rate 0 --count N` prints its port as JSON and serves one
reader: exchangeInfo, time and depth over HTTP, and a stream at any WebSocket path, subscribed by SUBSCRIBE or in the
URL. After a slow beginning, in which books can be joined, `count` messages follow. With a rate each message carries
the time at which it leaves (UNIX ns) where the update number stands. Standard library only; blocking sockets in
threads.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.payloads import SYMBOLS, Walk, messages

SLOW_S, SLOW_RATE = 2.0, 100
CHUNK = 64
STREAMS = {"ticker": "bookTicker", "depth": "depth20@100ms", "diff": "depth@100ms"}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return a WebSocket frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def exchange_info() -> bytes:
    """Return the reference data of the symbols."""
    rows: list[dict[str, Any]] = []
    for symbol, _, decimals, lots in SYMBOLS:
        tick, lot = f"{10.0**-decimals:.8f}", f"{10.0**-lots:.8f}"
        rows.append(
            {
                "symbol": symbol,
                "status": "TRADING",
                "baseAsset": symbol[:-4],
                "baseAssetPrecision": 8,
                "quoteAsset": "USDT",
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "orderTypes": ["LIMIT", "MARKET"],
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "permissions": ["SPOT"],
                "permissionSets": [["SPOT"]],
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": tick,
                        "maxPrice": "1000000.0",
                        "tickSize": tick,
                    },
                    {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000.0", "stepSize": lot},
                    {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True},
                ],
            }
        )
    return json.dumps(
        {"timezone": "UTC", "serverTime": 1, "rateLimits": [], "exchangeFilters": [], "symbols": rows}
    ).encode()


@dataclass
class Firehose:
    """One run: what is sent, at which rate, and how much."""

    kind: str
    rate: float
    count: int
    walk: Walk = field(default_factory=Walk)
    last: list[int] = field(default_factory=lambda: [1_000_000] * len(SYMBOLS))
    turn: int = 0

    def next(self) -> bytes:
        """Return the next message."""
        which = self.turn = (self.turn + 1) % len(SYMBOLS)
        if self.kind == "diff":
            message, self.last[which] = self.walk.diff(which, self.last[which])
            return message
        return self.walk.ticker(which) if self.kind == "ticker" else self.walk.depth(which)

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection to its end."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        while True:
            while b"\r\n\r\n" not in held:
                more = connection.recv(65_536)
                if not more:
                    return
                held += more
            head, held = held.split(b"\r\n\r\n", 1)
            key = re.search(rb"sec-websocket-key: *(\S+)", head, re.IGNORECASE)
            path = head.split(b" ")[1].decode()
            if key is None:
                self.answer(connection, path)
                continue
            accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            try:
                self.stream(connection, held, named="/ws" not in path, subscribed="@" in path)
            except OSError:
                return
            return

    def answer(self, connection: socket.socket, path: str) -> None:
        """Answer one request over HTTP."""
        body = b"{}"
        if "exchangeInfo" in path:
            body = exchange_info()
        elif path.endswith("/time"):
            body = b'{"serverTime":%d}' % (time.time_ns() // 1_000_000)
        elif "/depth" in path:
            which = next(place for place, row in enumerate(SYMBOLS) if row[0] in path)
            body = self.walk.snapshot(which, self.last[which])
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )

    # -- the stream ------------------------------------------------------------------------------------

    def stream(self, connection: socket.socket, held: bytes, *, named: bool, subscribed: bool) -> None:
        """Wait for the subscription, begin slowly, then send everything."""
        wanted = 0 if subscribed else 1
        while wanted > 0:
            held, texts = _frames(held + connection.recv(65_536))
            for text in texts:
                asked = json.loads(text)
                connection.sendall(frame(json.dumps({"result": None, "id": asked["id"]}).encode()))
                wanted -= 1
        self._listen(connection)
        wrap = _whole if named else _data_only
        fast = self._prepared(wrap) if not self.rate else []
        for _ in range(int(SLOW_S * SLOW_RATE)):
            connection.sendall(frame(wrap(self.next())))
            time.sleep(1 / SLOW_RATE)
        if self.rate:
            self._steady(connection, wrap)
        else:
            if self.kind == "diff":  # made beforehand, so numbered after the slow ones now
                fast = self._prepared(wrap)
            for chunk in fast:
                connection.sendall(chunk)
        time.sleep(1.0)

    def _prepared(self, wrap: Any) -> list[bytes]:
        if self.kind == "diff":
            return [frame(wrap(self.next())) for _ in range(self.count)] if self.turn else []
        made = [frame(wrap(one)) for one in messages(self.kind, self.count)]
        return [b"".join(made[start : start + CHUNK]) for start in range(0, len(made), CHUNK)]

    def _steady(self, connection: socket.socket, wrap: Any) -> None:
        """Send at the rate, each message stamped as it leaves."""
        cut = [wrap(self.walk.ticker(turn % len(SYMBOLS), stamp="@@")).split(b"@@") for turn in range(997)]
        step, due = 1.0 / self.rate, time.perf_counter()
        for turn in range(self.count):
            due += step
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            before, after = cut[turn % 997]
            payload = before + str(time.time_ns()).encode() + after
            connection.sendall(bytes((0x81, 126)) + struct.pack("!H", len(payload)) + payload)

    @staticmethod
    def _listen(connection: socket.socket) -> None:
        """Answer further subscriptions and pings, and read what else comes, in a thread."""

        def read() -> None:
            held = b""
            while True:
                try:
                    select.select([connection], [], [])
                    more = connection.recv(65_536)
                except (OSError, ValueError):
                    return
                if not more:
                    return
                held, texts = _frames(held + more)
                for text in texts:
                    asked = json.loads(text) if text.startswith(b"{") else {}
                    if "id" in asked:
                        connection.sendall(frame(json.dumps({"result": None, "id": asked["id"]}).encode()))

        threading.Thread(target=read, daemon=True).start()


def _whole(message: bytes) -> bytes:
    return message


def _data_only(message: bytes) -> bytes:
    """Return what is inside a combined stream's message: that is what a raw stream sends."""
    return message[message.index(b'"data":') + 7 : -1]


def _frames(held: bytes) -> tuple[bytes, list[bytes]]:
    """Take whole client frames off a buffer; texts only."""
    texts = []
    while len(held) >= 6:
        size, start = held[1] & 0x7F, 2
        if size == 126:
            size, start = struct.unpack("!H", held[2:4])[0], 4
        if len(held) < start + 4 + size:
            break
        mask, body = held[start : start + 4], held[start + 4 : start + 4 + size]
        if held[0] & 15 == 1:
            texts.append(bytes(byte ^ mask[place % 4] for place, byte in enumerate(body)))
        held = held[start + 4 + size :]
    return held, texts


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=tuple(STREAMS), required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    hose = Firehose(options.kind, options.rate, options.count)
    server = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": server.getsockname()[1]}), flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=hose.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
