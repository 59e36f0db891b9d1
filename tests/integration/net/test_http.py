"""The HTTP client against servers that refuse, stall, break off and garble."""

from __future__ import annotations

import asyncio
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from lanner.core.errors import ConfigError
from lanner.net.errors import ConnectFailed, RateLimited, Unanswered
from lanner.net.http import HttpClient
from lanner.net.http_settings import RetryPolicy, Timeouts
from lanner.net.ratelimit import Priority, RateLimiter
from lanner.net.tls import TlsSettings
from lanner.net.wallclock import wall_ns
from tests.integration.net.servers import Serve, answer, make_certificates, raw_server, read_request

PATIENT = Timeouts(connect_s=60.0, answer_s=60.0, deadline_s=120.0)
SHORT = Timeouts(connect_s=60.0, answer_s=1.0, deadline_s=120.0)
"""For servers that never answer: long enough for a busy machine to hand a request over."""
SOON = RetryPolicy(attempts=2, base_s=0.01, cap_s=0.02)


@asynccontextmanager
async def client(base: str, **settings: object) -> AsyncIterator[HttpClient]:
    made = HttpClient(base, **{"timeouts": PATIENT, "retries": SOON, **settings})  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses connections: bound, never listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_refused_connection_is_connect_failed_and_tried_again_even_for_an_order(
    closed_port: int,
) -> None:
    async with client(f"http://127.0.0.1:{closed_port}") as http:
        with pytest.raises(ConnectFailed):
            await http.request("POST", "/order", body=b"{}", idempotent=False)
        assert http.stats.requests == 3
        assert http.stats.unanswered == 0


async def test_a_listener_that_never_accepts_is_connect_failed_after_the_connect_timeout() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        full = []
        for _ in range(4):  # the backlog of 0 still lets one or two in
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
            full.append(filler)
        base = f"http://127.0.0.1:{server.getsockname()[1]}"
        once = RetryPolicy(attempts=1, base_s=0.01)
        async with client(base, timeouts=Timeouts(connect_s=0.5), retries=once) as http:
            with pytest.raises(ConnectFailed, match="time-out"):
                await http.request("GET", "/", idempotent=True)
        for filler in full:
            filler.close()


async def test_an_order_that_meets_silence_is_unanswered_and_sent_once() -> None:
    got = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        await asyncio.sleep(60)

    async with raw_server(swallow) as server, client(server.http, timeouts=SHORT) as http:
        with pytest.raises(Unanswered, match="silence"):
            await http.request("POST", "/order", body=b"buy", idempotent=False)
    assert len(got) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_kept_connection_that_breaks_on_the_next_request_never_repeats_it(method: str) -> None:
    got = []

    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer())
        got.append(await read_request(reader))  # then hang up without a word

    async with raw_server(one_answer) as server, client(server.http) as http:
        assert (await http.request("GET", "/first", idempotent=True)).status == 200
        with pytest.raises(Unanswered):
            await http.request(method, "/order", idempotent=False)
        assert server.connections == 1
    assert len(got) == 1


async def test_a_question_that_meets_silence_is_asked_again() -> None:
    asked = 0

    async def deaf_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await read_request(reader)
        if asked == 3:
            writer.write(answer(body=b"at last"))
            await writer.drain()

    async with raw_server(deaf_at_first) as server, client(server.http) as http:
        assert (await http.request("GET", "/time", idempotent=True)).body == b"at last"
        assert http.stats.retries == 2


async def test_silence_is_not_forgotten_when_the_next_attempt_finds_no_connection() -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        stop.set()

    stop = asyncio.Event()
    async with raw_server(die) as server:
        base = server.http
        http = HttpClient(base, timeouts=PATIENT, retries=RetryPolicy(attempts=2, base_s=0.2))
        asking = asyncio.create_task(http.request("GET", "/time", idempotent=True))
        await stop.wait()
    with pytest.raises(Unanswered):
        await asking
    assert http.stats.connect_failed > 0
    await http.close()


async def test_an_answer_that_breaks_off_is_unanswered_and_tells_the_status() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(body=b"0123456789")[:-5])
        await writer.drain()

    async with raw_server(half) as server, client(server.http) as http:
        with pytest.raises(Unanswered) as caught:
            await http.request("POST", "/order", idempotent=False)
        assert caught.value.status == 200


async def test_an_answer_that_trickles_is_unanswered_after_its_time() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in answer(body=bytes(2_000)):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        whole.set()

    whole = asyncio.Event()
    async with raw_server(trickle) as server, client(server.http, timeouts=SHORT) as http:
        with pytest.raises(Unanswered):
            await http.request("POST", "/order", idempotent=False)
        assert not whole.is_set()


async def test_the_deadline_cuts_an_attempt_short_and_what_was_sent_stays_unanswered() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(120)

    class Parts:
        method, path, query, body, headers = "GET", "/", "", b"", dict[str, str]()

    async with raw_server(swallow) as server, client(server.http) as http, asyncio.timeout(30):
        with pytest.raises(Unanswered):
            await http.send(Parts, idempotent=True, deadline_s=1.0)


async def test_a_garbled_answer_is_unanswered() -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"\x00\x17\x03 not http at all\r\n\r\n")
        await writer.drain()

    async with raw_server(garble) as server, client(server.http) as http:
        with pytest.raises(Unanswered):
            await http.request("POST", "/order", idempotent=False)


async def test_a_client_closed_in_mid_request_leaves_it_unanswered() -> None:
    asked = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await asyncio.sleep(10)

    async with raw_server(swallow) as server:
        http = HttpClient(server.http, timeouts=PATIENT)
        asking = asyncio.create_task(http.request("POST", "/order", idempotent=False))
        await asked.wait()
        await http.close()
        with pytest.raises(Unanswered):
            await asking
        with pytest.raises(ConnectFailed, match="closed"):
            await http.request("GET", "/", idempotent=True)


Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def app(handler: Handler, tls: object = None) -> AsyncIterator[str]:
    """Serve every path and method with one handler, on a real aiohttp server."""
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)  # type: ignore[arg-type]
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_signed_query_arrives_byte_for_byte() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.Response(
            body=await request.read(), headers={"X-Key": request.headers.get("X-MBX-APIKEY", "")}
        )

    query = "symbol=BTCUSDT&note=a%20b%2Bc%2f%C3%A9&signature=ab%3D%3D"
    async with app(handler) as base, client(base + "/api") as http:
        got = await http.request(
            "POST",
            "/v3/order",
            query=query,
            body=b"x=1&y=%2F",
            headers={"X-MBX-APIKEY": "k"},
            idempotent=False,
        )
    assert seen == [f"/api/v3/order?{query}"]
    assert (got.status, got.body, got.headers["x-key"]) == (200, b"x=1&y=%2F", "k")
    assert 0 < got.ts_sent < got.ts_recv < wall_ns()


async def test_connections_are_kept_and_used_again() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async with app(handler) as base, client(base) as http:
        for _ in range(20):
            await http.request("GET", "/", idempotent=True)
        assert http.stats.connections == 1


async def test_server_errors_are_asked_again_only_for_idempotent_requests() -> None:
    count = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=503)

    async with app(handler) as base, client(base) as http:
        assert (await http.request("POST", "/order", idempotent=False)).status == 503
        assert count == 1
        assert (await http.request("GET", "/", idempotent=True)).status == 503
        assert count == 4


async def test_a_request_is_built_anew_for_each_sending() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.query_string)
        return web.Response(status=503 if len(seen) < 3 else 200)

    class Parts:
        method, path, body, headers = "GET", "/", b"", dict[str, str]()

        def __init__(self, nonce: int) -> None:
            self.query = f"nonce={nonce}"

    nonces = iter(range(100))
    async with app(handler) as base, client(base) as http:
        done = await http.send(lambda: Parts(next(nonces)), idempotent=True)
    assert done.status == 200
    assert seen == ["nonce=0", "nonce=1", "nonce=2"]


async def test_a_429_is_waited_out_by_everybody_and_the_question_asked_again() -> None:
    times: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        times.append(time.monotonic())
        if len(times) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response(text="ok")

    async with app(handler) as base, client(base) as http:
        first = asyncio.create_task(http.request("GET", "/", idempotent=True))
        while not http.stats.told_to_wait:
            await asyncio.sleep(0.01)
        cancel = await http.request("DELETE", "/order", priority=Priority.CANCEL, idempotent=False)
        assert cancel.status == 200
        assert (await first).status == 200
    assert times[1] - times[0] >= 0.95
    assert len(times) == 3


async def test_a_429_that_names_no_wait_is_waited_out_ever_longer_and_a_bounded_number_of_times() -> None:
    times: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        times.append(time.monotonic())
        return web.Response(status=429, text="null")

    policy = RetryPolicy(limited=3, wait_s=0.1, wait_cap_s=0.3)
    async with app(handler) as base, client(base, retries=policy) as http:
        assert (await http.request("GET", "/", idempotent=True)).status == 429
    waits = [after - before for before, after in pairwise(times)]
    assert len(waits) == 3
    assert all(wait >= least * 0.95 for wait, least in zip(waits, (0.1, 0.2, 0.3), strict=True))


async def test_a_429_to_an_order_is_an_answer_and_the_order_is_not_sent_again() -> None:
    count = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=429, headers={"Retry-After": "600"})

    async with app(handler) as base, client(base) as http:
        assert (await http.request("POST", "/order", idempotent=False)).status == 429
        assert count == 1
        assert 500 < http.limiter.status().blocked_s <= 600


async def test_a_418_stops_everything_for_its_time() -> None:
    count = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=418, headers={"Retry-After": "600"})

    async with app(handler) as base, client(base) as http:
        assert (await http.request("GET", "/", idempotent=True)).status == 418
        with pytest.raises(RateLimited, match="418") as caught:
            await http.request("DELETE", "/order", priority=Priority.CANCEL, idempotent=False)
        assert 500 < caught.value.wait_s <= 600
    assert count == 1


async def test_the_venues_headers_feed_the_limiter() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(headers={"X-MBX-USED-WEIGHT-1M": "1190"})

    limiter = RateLimiter({"weight": (1200, 60.0)})
    async with app(handler) as base:
        async with client(base, limiter=limiter, usage_headers={"x-mbx-used-weight-1m": "weight"}) as http:
            await http.request("GET", "/", costs={"weight": 2}, idempotent=True)
        assert limiter.try_acquire({"weight": 20}) > 0
        assert limiter.try_acquire({"weight": 10}) == 0


async def test_tls_verifies_by_default_and_believes_an_authority_of_ones_own(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="secret")

    certificates = make_certificates(tmp_path)
    async with app(handler, certificates.server) as base:
        async with client(base) as http:
            with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
                await http.request("GET", "/", idempotent=False)
        async with client(base, tls=TlsSettings(ca_file=certificates.ca_file)) as http:
            assert (await http.request("GET", "/", idempotent=True)).body == b"secret"
        async with client(base, tls=TlsSettings(verify=False)) as http:
            assert (await http.request("GET", "/", idempotent=True)).body == b"secret"


async def test_tls_refuses_a_certificate_for_another_host(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="secret")

    certificates = make_certificates(tmp_path, host="venue.example")
    trusting = TlsSettings(ca_file=certificates.ca_file)
    async with app(handler, certificates.server) as base, client(base, tls=trusting) as http:
        with pytest.raises(ConnectFailed, match=r"(?i)mismatch|not valid for"):
            await http.request("GET", "/", idempotent=False)


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.transport.abort()


async def _garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 999999 what\r\nno colon here\r\n\r\n")
    await writer.drain()


async def _break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    await writer.drain()


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.sleep(10)


@pytest.mark.parametrize("serve", [_refuse, _garble, _break_off, _say_nothing])
async def test_neither_errors_nor_logs_tell_query_or_headers(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    async with raw_server(serve) as server, client(server.http, timeouts=SHORT) as http:
        with pytest.raises(Unanswered) as caught:
            await http.request(
                "POST", "/order", query="signature=abcdef", headers={"X-Key": "uvwxyz"}, idempotent=False
            )
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "abcdef" not in told.replace('query="signature=abcdef"', "")
    assert "uvwxyz" not in told.replace('headers={"X-Key": "uvwxyz"}', "")
    assert "/order" in str(caught.value)


async def test_an_address_that_cannot_be_used_is_a_mistake_in_the_settings() -> None:
    async with client("http://") as http:
        with pytest.raises(ConfigError, match="cannot be used") as caught:
            await http.request("GET", "/order", query="signature=abcdef", idempotent=True)
        assert "abcdef" not in str(caught.value)
