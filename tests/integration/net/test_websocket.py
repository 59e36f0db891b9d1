"""Both wires against servers that drop, stall, half-close, garble and refuse."""

from __future__ import annotations

import asyncio
import time
import zlib
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lanner.net.errors import ConnectFailed
from lanner.net.socket_settings import Heartbeat, Pings, SocketSettings
from lanner.net.status import LinkState, LinkStatus
from lanner.net.tls import TlsSettings
from lanner.net.wallclock import wall_ns
from lanner.net.websocket import WebSocket
from tests.integration.net.servers import (
    accept_socket,
    frame,
    make_certificates,
    raw_server,
    read_frame,
    read_request,
)


@pytest.fixture(params=["picows", "aiohttp"])
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Client:
    """A connection under test, and all that it said."""

    def __init__(self, url: str, wire: Any, hello: bytes = b"", **settings: Any) -> None:
        self.frames: list[tuple[bytes, int]] = []
        self.records: list[LinkStatus] = []
        self.faults: list[tuple[Exception, bytes]] = []
        self.opened = 0
        self.hello = hello
        quick: dict[str, Any] = {
            "backoff_base_s": 0.05,
            "backoff_cap_s": 0.2,
            "close_timeout_s": 0.05,
            **settings,
        }
        self.socket = WebSocket(
            SocketSettings("test", url, wire=wire, **quick),
            on_frame=self.on_frame,
            on_status=self.records.append,
            on_open=self.on_open,
            on_fault=lambda error, payload, ts: self.faults.append((error, payload)),
        )

    def on_frame(self, payload: bytes, ts_recv: int) -> None:
        self.frames.append((payload, ts_recv))
        if payload == b"raise":
            raise ValueError("the strategy is broken")

    def on_open(self, socket: WebSocket) -> None:
        self.opened += 1
        if self.hello:
            assert socket.send(self.hello)

    @property
    def payloads(self) -> list[bytes]:
        return [payload for payload, _ in self.frames]

    @property
    def states(self) -> list[LinkState]:
        return [record.state for record in self.records]

    @property
    def reasons(self) -> str:
        return " | ".join(record.reason for record in self.records)

    async def until(self, what: str, limit_s: float = 60.0) -> None:
        """Wait until an expression over `self` holds."""
        began = time.monotonic()
        while not eval(what, {}, {"self": self}):
            assert time.monotonic() - began < limit_s, f"waited in vain for {what}: {self.reasons}"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def client(url: str, wire: str, hello: bytes = b"", **settings: Any) -> AsyncIterator[Client]:
    made = Client(url, wire, hello, **settings)
    await made.socket.start()
    try:
        yield made
    finally:
        await made.socket.stop()


async def hold(reader: Reader) -> None:
    """Read until the peer goes."""
    while await reader.read(65536):
        pass


# -- coming and going ----------------------------------------------------------------------------------


async def test_messages_go_both_ways_and_a_clean_stop_says_goodbye(wire: str) -> None:
    heard: list[tuple[int, bytes]] = []

    async def echo(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        while True:
            opcode, payload = await read_frame(reader)
            heard.append((opcode, payload))
            if opcode == 8:
                writer.write(frame(payload, 8))
                return
            writer.write(frame(payload * 2, opcode))

    async with raw_server(echo) as server:
        before = wall_ns()
        async with client(server.ws, wire, b"hello") as it:
            await it.socket.wait_connected(60)
            assert it.socket.send("grün")
            assert it.socket.send(b"\x00\x01", binary=True)
            await it.until("len(self.frames) == 3")
        assert it.payloads == [b"hellohello", "grüngrün".encode(), b"\x00\x01\x00\x01"]
        assert before < it.frames[0][1] <= it.frames[1][1] < wall_ns()
    assert heard[:3] == [(1, b"hello"), (1, "grün".encode()), (2, b"\x00\x01")]
    assert heard[3] == (8, (1000).to_bytes(2, "big"))
    assert it.states == [LinkState.CONNECTING, LinkState.CONNECTED, LinkState.DISCONNECTED]
    status = it.socket.status()
    assert (status.sent, status.received, status.received_bytes) == (3, 3, 10 + 10 + 4)


async def test_a_frame_that_comes_with_the_handshake_comes_after_on_open(wire: str) -> None:
    async def eager(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer, more=frame(b"first") + frame(b"second"))
        await hold(reader)

    async with raw_server(eager) as server, client(server.ws, wire) as it:
        await it.until("len(self.frames) == 2")
        assert it.opened == 1
        assert it.payloads == [b"first", b"second"]


@pytest.mark.parametrize("end", ["close frame", "abort", "end of stream", "end inside a frame"])
async def test_a_connection_that_ends_is_made_anew_and_subscribed_again(wire: str, end: str) -> None:
    heard: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        heard.append((await read_frame(reader))[1])
        if len(heard) > 1:
            await hold(reader)
        elif end == "close frame":
            writer.write(frame((1001).to_bytes(2, "big") + b"maintenance", 8))
            await hold(reader)
        elif end == "abort":
            writer.transport.abort()
        elif end == "end inside a frame":
            writer.write(frame(b"x" * 200)[:100])

    async with raw_server(serve) as server, client(server.ws, wire, b"subscribe") as it:
        await it.until("self.opened == 2")
        await it.until("self.socket.state == 2")
        assert it.states == [
            LinkState.CONNECTING,
            LinkState.CONNECTED,
            LinkState.RECONNECTING,
            LinkState.CONNECTED,
        ]
        expected = "closed by the server: 1001 maintenance" if end == "close frame" else ""
        assert expected in it.reasons
        assert it.socket.status().reconnects == 1
        while len(heard) < 2:
            await asyncio.sleep(0.01)
    assert heard == [b"subscribe"] * 2


async def test_attempts_are_spaced_by_the_back_off_and_end_at_their_limit(wire: str) -> None:
    times: list[float] = []

    async def refuse(reader: Reader, writer: Writer) -> None:
        times.append(time.monotonic())
        await read_request(reader)
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(refuse) as server, client(server.ws, wire, attempts=4) as it:
        with pytest.raises(ConnectFailed, match="503"):
            await it.socket.wait_connected(60)
        assert it.socket.state is LinkState.FAILED
        assert "gave up after 4 attempts" in it.reasons
    gaps = [later - now for now, later in pairwise(times)]
    assert len(gaps) == 4
    assert all(gap >= least for gap, least in zip(gaps, [0.05, 0.1, 0.2, 0.2], strict=True))
    assert [record.attempts for record in it.records if record.state is LinkState.RECONNECTING] == [
        1,
        2,
        3,
        4,
    ]


async def test_a_server_that_accepts_and_hangs_up_is_not_hammered(wire: str) -> None:
    async def flap(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)

    async with raw_server(flap) as server, client(server.ws, wire, backoff_cap_s=10.0, settled_s=5.0) as it:
        await asyncio.sleep(0.9)  # 0.05 + 0.1 + 0.2 + 0.4 = 0.75
        assert server.connections <= 6
        await it.until("self.opened >= 3")


async def test_a_settled_connection_begins_its_back_off_anew(wire: str) -> None:
    async def flap(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        await asyncio.sleep(0.1)

    async with (
        raw_server(flap) as server,
        client(server.ws, wire, backoff_cap_s=10.0, settled_s=0.05, attempts=2) as it,
    ):
        await it.until("self.opened == 6")


async def test_the_servers_retry_after_is_waited_for(wire: str) -> None:
    times: list[float] = []

    async def busy(reader: Reader, writer: Writer) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            await read_request(reader)
            writer.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
        else:
            await accept_socket(reader, writer)
            await hold(reader)

    async with raw_server(busy) as server, client(server.ws, wire) as it:
        await it.socket.wait_connected(60)
    assert times[1] - times[0] >= 0.95


async def test_a_server_that_never_finishes_the_handshake_costs_one_attempt(wire: str) -> None:
    async def stall(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        await hold(reader)

    async with raw_server(stall) as server, client(server.ws, wire, connect_timeout_s=0.2, attempts=1) as it:
        with pytest.raises(ConnectFailed, match="time limit"):
            await it.socket.wait_connected(60)
        assert server.connections == 2


async def test_stopping_in_mid_handshake_leaves_nothing_behind(wire: str) -> None:
    gone = asyncio.Event()

    async def stall(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        await hold(reader)
        gone.set()

    async with raw_server(stall) as server:
        it = Client(server.ws, wire)
        await it.socket.start()
        while not server.connections:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await it.socket.stop()
        await asyncio.wait_for(gone.wait(), 60)
        assert it.socket.state is LinkState.DISCONNECTED


async def test_a_stopped_connection_can_be_started_again(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        await hold(reader)

    async with raw_server(serve) as server:
        it = Client(server.ws, wire)
        for _ in range(2):
            await it.socket.start()
            await it.socket.wait_connected(60)
            await it.socket.stop()
            assert it.socket.send(b"late") is False
        assert server.connections == 2


async def test_a_peer_that_ignores_our_goodbye_is_cut_after_the_close_timeout(wire: str) -> None:
    async def deaf(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        await asyncio.sleep(30)

    async with raw_server(deaf) as server:
        it = Client(server.ws, wire, close_timeout_s=0.2)
        await it.socket.start()
        await it.socket.wait_connected(60)
        async with asyncio.timeout(20):  # of the 30 s for which the peer says nothing
            await it.socket.stop()


# -- signs of life -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pings", [Pings.NONE, Pings.FRAME])
async def test_a_peer_that_falls_silent_is_dead_after_two_heartbeats(wire: str, pings: Pings) -> None:
    """The half-open connection: the socket stands, nothing comes."""

    async def silent(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        writer.write(frame(b"last words"))
        await hold(reader)

    settings: dict[str, Any] = {"heartbeat_s": 0.2, "heartbeat": Heartbeat(pings)}
    async with raw_server(silent) as server, client(server.ws, wire, **settings) as it:
        await it.until("self.opened == 2")
        connected, lost = it.records[1], it.records[2]
        assert "no sign of life" in lost.reason
        assert (lost.ts - connected.ts) / 1e9 > 0.4


@pytest.mark.parametrize("text", [b"", b'{"method":"ping"}'], ids=["frame", "text"])
async def test_a_peer_in_doubt_is_asked_and_given_up_without_a_sign_of_life(wire: str, text: bytes) -> None:
    """Long before its heartbeat would notice; one that answers keeps its connection."""
    heard: list[bytes] = []

    async def once_deaf(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        answers = bool(heard)
        while True:
            opcode, payload = await read_frame(reader)
            heard.append(payload)
            if opcode == 8:
                return
            if answers:
                writer.write(frame(b"pong") if text else frame(payload, 10))

    pings = Heartbeat(Pings.TEXT, text) if text else Heartbeat(Pings.FRAME)
    settings: dict[str, Any] = {"heartbeat_s": 60.0, "heartbeat": pings}
    async with raw_server(once_deaf) as server, client(server.ws, wire, **settings) as it:
        await it.until("self.opened == 1")
        it.socket.doubt(0.3)
        it.socket.doubt(0.1)  # asked already
        await it.until("self.opened == 2")
        assert "within 0.3 s" in it.reasons
        it.socket.doubt(0.3)
        await asyncio.sleep(0.8)
        assert it.opened == 2
    assert len(heard) == 3, "two pings and a goodbye"


async def test_server_pings_are_answered_with_their_payload_and_keep_the_connection(wire: str) -> None:
    pongs: list[tuple[int, bytes]] = []

    async def pinging(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        for number in range(12):
            writer.write(frame(b"ping %d" % number, 9))
            pongs.append(await read_frame(reader))
            await asyncio.sleep(0.3)
        await hold(reader)

    # it is dead after two seconds: less than the pings take together, and more than a busy machine stands still
    async with raw_server(pinging) as server, client(server.ws, wire, heartbeat_s=1.0) as it:
        while len(pongs) < 10:
            await asyncio.sleep(0.02)
        assert it.opened == 1
        assert it.socket.status().last_recv_ns is not None
    assert pongs[:10] == [(10, b"ping %d" % number) for number in range(10)]


async def test_pongs_to_our_pings_keep_a_quiet_connection_and_measure_it(wire: str) -> None:
    async def answering(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == 9:
                asked.append(payload)
                await asyncio.sleep(0.03)
                writer.write(frame(payload, 10))

    asked: list[bytes] = []
    settings: dict[str, Any] = {"heartbeat_s": 0.7, "heartbeat": Heartbeat(Pings.FRAME)}
    async with raw_server(answering) as server, client(server.ws, wire, **settings) as it:
        while len(asked) < 4:  # longer than the two heartbeats after which silence is death
            await asyncio.sleep(0.02)
        assert it.opened == 1
        latency = it.socket.status().latency_ns
        assert latency is not None
        assert latency / 1e9 >= 0.03


async def test_a_venues_own_ping_text_is_sent_and_its_pong_kept_back(wire: str) -> None:
    async def venue(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        while True:
            opcode, payload = await read_frame(reader)
            if payload == b'{"method":"ping"}':
                writer.write(frame(b'{"channel":"trades"}') + frame(b'{"channel":"pong"}'))
            elif opcode == 8:
                return

    text = Heartbeat(Pings.TEXT, b'{"method":"ping"}', lambda payload: payload == b'{"channel":"pong"}')
    settings: dict[str, Any] = {"heartbeat_s": 0.7, "heartbeat": text}
    async with raw_server(venue) as server, client(server.ws, wire, **settings) as it:
        await it.until("len(self.frames) == 3")
        assert set(it.payloads) == {b'{"channel":"trades"}'}
        assert it.opened == 1
        assert it.socket.status().latency_ns is not None


async def test_a_connection_is_renewed_before_the_venue_cuts_it(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        await hold(reader)

    settings: dict[str, Any] = {
        "heartbeat_s": 5.0,
        "max_age_s": 0.3,
        "settled_s": 0.1,
        "backoff_base_s": 200.0,
        "backoff_cap_s": 200.0,
    }
    async with raw_server(serve) as server, client(server.ws, wire, **settings) as it:
        await it.until("self.opened == 2")  # at once, without the back-off of 200 s
        assert "planned, after 0.3 s" in it.reasons


async def test_dropping_a_connection_on_purpose_ends_its_frames_at_once_and_moves_to_the_new_address(
    wire: str,
) -> None:
    paths: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        request = await accept_socket(reader, writer, more=frame(b"gap") + frame(b"too late"))
        paths.append(request.split(b" ")[1])
        await hold(reader)

    async with raw_server(serve) as server:
        it = Client(f"{server.ws}/old", wire)

        def on_frame(payload: bytes, ts_recv: int) -> None:
            it.frames.append((payload, ts_recv))
            if len(it.frames) == 1:
                it.socket.move(f"{server.ws}/new")
                it.socket.reconnect("sequence gap")
                assert it.socket.state is LinkState.RECONNECTING

        it.socket._on_frame = on_frame
        await it.socket.start()
        await it.until("len(self.frames) == 3")
        await it.socket.stop()
    assert it.payloads == [b"gap", b"gap", b"too late"]
    assert paths == [b"/old", b"/new"]
    assert "sequence gap" in it.reasons


# -- faults --------------------------------------------------------------------------------------------


async def test_a_callback_that_raises_costs_one_fault_and_not_the_connection(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        writer.write(b"".join(frame(payload) for payload in (b"a", b"raise", b"b", b"raise", b"c")))
        await hold(reader)

    async with raw_server(serve) as server, client(server.ws, wire) as it:
        await it.until("len(self.frames) == 5")
        assert it.opened == 1
        assert [(type(error), payload) for error, payload in it.faults] == [(ValueError, b"raise")] * 2
        assert it.socket.status().faults == 2


async def test_a_subscription_that_raises_is_a_fault_and_connects_anew(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        await hold(reader)

    async with raw_server(serve) as server:
        it = Client(server.ws, wire)

        def on_open(socket: WebSocket) -> None:
            it.opened += 1
            if it.opened == 1:
                raise RuntimeError("no subscriptions yet")

        it.socket._on_open = on_open
        await it.socket.start()
        await it.until("self.opened == 2")
        assert "on_open raised RuntimeError" in it.reasons
        assert it.socket.state is LinkState.CONNECTED
        await it.socket.stop()


GARBAGE = {
    "reserved opcode": frame(b"x", 3),
    "masked by the server": bytes([0x81, 0x81, 1, 2, 3, 4, 0x41]),
    "continuation of nothing": frame(b"x", 0),
    "a message inside another": frame(b"x", 1, last=False) + frame(b"y", 1),
    "compressed without agreement": frame(b"x", 1, packed=True),
    "ping in fragments": frame(b"x", 9, last=False),
    "noise": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("kind", GARBAGE)
async def test_a_stream_against_the_protocol_is_dropped_and_made_anew(wire: str, kind: str) -> None:
    if wire == "aiohttp" and kind == "masked by the server":
        pytest.skip("aiohttp forgives a server that masks")

    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        writer.write(frame(b"good"))
        await asyncio.sleep(0.02)
        writer.write(GARBAGE[kind])
        await hold(reader)

    settings: dict[str, Any] = {"backoff_base_s": 0.2, "backoff_cap_s": 5.0}
    async with raw_server(serve) as server, client(server.ws, wire, **settings) as it:
        await it.until("self.opened == 2")
        assert it.payloads[0] == b"good"
        assert it.states[:4] == [
            LinkState.CONNECTING,
            LinkState.CONNECTED,
            LinkState.RECONNECTING,
            LinkState.CONNECTED,
        ]


@pytest.mark.parametrize(
    "big",
    [frame(b"x" * 3000), frame(b"x" * 900, last=False) + frame(b"x" * 900, 0, last=False) + frame(b"x", 0)],
    ids=["one frame", "fragments"],
)
async def test_a_message_beyond_the_bound_closes_with_1009_and_connects_anew(wire: str, big: bytes) -> None:
    codes: list[int] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        if codes:
            await hold(reader)
        writer.write(frame(b"y" * 1000) + big)
        opcode, payload = await read_frame(reader)
        if opcode == 8:
            codes.append(int.from_bytes(payload[:2], "big"))

    async with raw_server(serve) as server, client(server.ws, wire, max_message_bytes=1024) as it:
        await it.until("self.opened == 2")
        assert it.payloads == [b"y" * 1000]
        assert "big" in it.reasons or "exceed" in it.reasons
    assert codes == [1009]


async def test_fragments_make_one_message_with_pings_in_between(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        writer.write(
            frame(b"one ", last=False) + frame(b"", 9) + frame(b"two ", 0, last=False) + frame(b"three", 0)
        )
        writer.write(frame(b"next"))
        await hold(reader)

    async with raw_server(serve) as server, client(server.ws, wire) as it:
        await it.until("len(self.frames) == 2")
        assert it.payloads == [b"one two three", b"next"]


# -- compression ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [True, False])
async def test_compression_is_used_where_it_is_asked_for_and_offered(wire: str, asked: bool) -> None:
    texts = [f'{{"u":{number},"bids":[["0.0024","10"]]}}' for number in range(50)]
    got: list[str] = []

    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=True)
        await socket.prepare(request)
        for text in texts:
            await socket.send_str(text)
        got.append(await socket.receive_str())
        await socket.receive()
        return socket

    application = web.Application()
    application.router.add_get("/ws", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    url = f"ws://127.0.0.1:{port}/ws"
    async with client(url, wire, b"a long subscription " * 20, compression=asked) as it:
        await it.until("len(self.frames) == 50")
        assert it.socket.status().compressed is asked
        assert [payload.decode() for payload in it.payloads] == texts
        while not got:
            await asyncio.sleep(0.01)
    assert got == ["a long subscription " * 20]
    await runner.cleanup()


async def test_a_small_frame_that_inflates_beyond_the_bound_is_refused(wire: str) -> None:
    deflate = zlib.compressobj(wbits=-15)
    bomb = (deflate.compress(bytes(5_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]

    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer, "Sec-WebSocket-Extensions: permessage-deflate")
        writer.write(frame(bomb, packed=True))
        await hold(reader)

    async with raw_server(serve) as server, client(server.ws, wire, max_message_bytes=100_000) as it:
        await it.until("self.opened == 2")
        assert it.frames == []
        assert "too big" in it.reasons


async def test_a_frame_that_cannot_be_inflated_drops_the_connection(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer, "Sec-WebSocket-Extensions: permessage-deflate")
        writer.write(frame(b"\xff\xff\xff\xff rubbish", packed=True))
        await hold(reader)

    async with raw_server(serve) as server, client(server.ws, wire) as it:
        await it.until("self.opened == 2")
        assert it.frames == []


# -- sending -------------------------------------------------------------------------------------------


async def test_sending_is_refused_without_a_connection_and_counted(wire: str) -> None:
    it = Client("ws://127.0.0.1:9/ws", wire)
    assert it.socket.send(b"x") is False
    assert it.socket.status().refused == 1


async def test_a_peer_that_does_not_read_fills_the_send_buffer_which_then_refuses(wire: str) -> None:
    async def accept_then_deaf(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(30)

    bound: dict[str, Any] = {"send_buffer_bytes": 300_000}
    async with raw_server(accept_then_deaf) as server, client(server.ws, wire, **bound) as it:
        await it.socket.wait_connected(60)
        taken = 0
        for _ in range(2_000):
            taken += it.socket.send(bytes(50_000), binary=True)
            await asyncio.sleep(0)
            if it.socket.status().refused > 20:
                break
        assert it.socket.status().refused > 20
        assert it.socket.status().sent == taken
        assert it.socket.state is LinkState.CONNECTED


async def test_subscriptions_are_paced_and_urgent_messages_go_first(wire: str) -> None:
    heard: list[tuple[float, bytes]] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == 1:
                heard.append((time.monotonic(), payload))

    async with raw_server(serve) as server, client(server.ws, wire, sends_per_s=5) as it:
        await it.socket.wait_connected(60)
        began = time.monotonic()
        for number in range(9):
            assert it.socket.send(b"subscribe %d" % number)
        assert it.socket.send(b"urgent", urgent=True)
        assert it.socket.status().queued == 5
        while len(heard) < 10:
            await asyncio.sleep(0.01)
    assert [payload for _, payload in heard][4:7] == [b"subscribe 4", b"urgent", b"subscribe 5"]
    assert heard[5][0] - began > 1.0


async def test_what_still_waited_when_the_connection_broke_is_counted_as_dropped(wire: str) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await accept_socket(reader, writer)
        await read_frame(reader)
        await asyncio.sleep(0.05)

    async with raw_server(serve) as server, client(server.ws, wire, sends_per_s=1) as it:
        await it.socket.wait_connected(60)
        for _ in range(4):
            assert it.socket.send(b"order")
        await it.until("self.opened == 2")
        assert it.socket.status().dropped == 3


# -- secrets -------------------------------------------------------------------------------------------


async def test_neither_records_nor_logs_tell_keys_in_address_or_headers(
    wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    key = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
    attempts = 0

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await read_request(reader)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        elif attempts == 2:
            await read_request(reader)
            writer.write(b"garbage\r\n\r\n")
        else:
            await accept_socket(reader, writer)
            await hold(reader)

    settings: dict[str, Any] = {"headers": {"X-MBX-APIKEY": "uvwxyz"}}
    async with raw_server(serve) as server, client(f"{server.ws}/ws/{key}?k={key}", wire, **settings) as it:
        await it.until("self.opened == 1")
        told = caplog.text + repr(it.records) + repr(it.socket.status())
    assert key not in told
    assert "uvwxyz" not in told
    assert len(it.records) >= 4


# -- TLS -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def tls_server(folder: Path, host: str = "127.0.0.1") -> AsyncIterator[tuple[str, str]]:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("over TLS")
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    certificates = make_certificates(folder, host)
    application = web.Application()
    application.router.add_get("/ws", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield f"wss://127.0.0.1:{port}/ws", certificates.ca_file
    await runner.cleanup()


async def test_tls_works_with_an_authority_of_ones_own(wire: str, tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (url, ca_file):
        settings: dict[str, Any] = {"tls": TlsSettings(ca_file=ca_file)}
        async with client(url, wire, b"x" * 100_000, **settings) as it:
            await it.until("len(self.frames) == 2")
            assert it.payloads == [b"over TLS", b"x" * 100_000]


async def test_tls_refuses_strangers_by_default(wire: str, tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (url, _), client(url, wire, attempts=1) as it:
        with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
            await it.socket.wait_connected(60)
        assert it.opened == 0


async def test_tls_refuses_a_certificate_for_another_host(wire: str, tmp_path: Path) -> None:
    async with tls_server(tmp_path, "venue.example") as (url, ca_file):
        settings: dict[str, Any] = {"tls": TlsSettings(ca_file=ca_file), "attempts": 1}
        async with client(url, wire, **settings) as it:
            with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
                await it.socket.wait_connected(60)


async def test_tls_can_be_left_unverified_only_in_so_many_words(wire: str, tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (url, _), client(url, wire, tls=TlsSettings(verify=False)) as it:
        await it.until("len(self.frames) == 1")
