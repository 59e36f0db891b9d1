"""The venue's server over real sockets: HTTP, WebSocket, order of answers and events."""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
import pytest

from tests.integration.simulator.tiny import Booth, Client, run


def test_requests_keep_their_raw_query_and_body() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        url = client.url + "/echo?b=2&a=%20x"
        import yarl

        async with client.http.post(yarl.URL(url, encoded=True), data=b"c=%2B") as answer:
            assert answer.status == 200
            assert answer.headers["X-Kind"] == "READ"
            assert await answer.json() == {"query": "b=2&a=%20x", "body": "c=%2B"}

    run(booth, scene)


def test_many_requests_go_over_one_connection_in_order() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", booth.host.port)
        request = b"POST /echo?n=%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
        writer.write(b"".join(request % number for number in range(20)))
        for number in range(20):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            assert b'"n=%d"' % number in await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()

    run(booth, scene)


def test_a_body_in_chunks_and_in_pieces_is_one_request() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", booth.host.port)
        whole = (
            b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
        )
        for start in range(0, len(whole), 7):
            writer.write(whole[start : start + 7])
            await writer.drain()
            await asyncio.sleep(0.001)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"hello world" in await reader.readuntil(b"}")
        writer.close()
        await writer.wait_closed()

    run(booth, scene)


def test_bytes_that_are_no_request_are_answered_with_400() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", booth.host.port)
        writer.write(b"nonsense\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()

    run(booth, scene)


def test_a_request_that_breaks_the_dialect_costs_one_answer_and_a_note() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        async with client.http.get(client.url + "/broken") as answer:
            assert answer.status == 500
        async with client.http.get(client.url + "/time") as answer:
            assert answer.status == 200

    run(booth, scene)
    assert len(booth.notes) == 1


def test_a_websocket_with_an_unknown_path_is_turned_away() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await client.http.ws_connect(client.url + "/elsewhere")

    run(booth, scene)


def test_the_answer_comes_before_the_private_events_it_caused() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        await client.connect()
        booth.venue.sell("b", 4, 100)
        await client.all()
        await client.send(booth.order(id=9))
        told = await client.all()
        kinds = [next(iter(message)) for message in told]
        assert kinds.index("answer") < kinds.index("user")
        assert told[kinds.index("answer")]["cum"] == 4

    run(booth, scene)


def test_pings_large_frames_and_closing_follow_the_protocol() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        socket = await client.connect()
        await client.send({"op": "ping"})
        await socket.ping(b"hello")
        for size in (100, 200, 70_000):
            await client.send({**booth.order(), "pad": "x" * size})
            assert (await client.all())[0]["book"]
        assert booth.dialect.pongs == [b"beat"]

    run(booth, scene)


def test_a_close_is_answered_with_its_own_code() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        socket = await client.connect()
        await socket.close(code=1000)
        assert socket.close_code == 1000
        async with asyncio.timeout(60):
            while booth.dialect.sessions:
                await asyncio.sleep(0.005)

    run(booth, scene)


def test_a_frame_without_mask_closes_the_session_with_1002() -> None:
    booth = Booth()

    async def scene(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", booth.host.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # the example of RFC 6455
        writer.write(b"\x81\x02{}")
        rest = await reader.read()
        assert rest.endswith(b"\x88\x02\x03\xea")
        writer.close()
        await writer.wait_closed()

    run(booth, scene)


def test_the_book_of_any_recent_number_can_be_had() -> None:
    booth = Booth()
    exchange, journal = booth.venue.exchange, booth.host.journal
    books = {}
    for number in range(2_500):
        side = booth.venue.buy if number % 2 else booth.venue.sell
        side("b", 1 + zlib.crc32(b"%d" % number) % 5, 100 + zlib.crc32(b"px%d" % number) % 9)
        if number % 97 == 0:
            for order in exchange.open_orders("b"):
                exchange.cancel("b", number, order_id=order.order_id)
        seq, bids, asks = exchange.snapshot("BTCUSDT")
        books[seq] = (bids, asks)
    for seq in list(books)[::50]:
        assert journal.at("BTCUSDT", seq) == (seq, *books[seq])
    assert journal.at("BTCUSDT", max(books) + 1) is None
