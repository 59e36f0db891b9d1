"""Bytes of HTTP and WebSocket, however the network cuts them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.simulator.wire_http import BadRequest, answer_bytes, take_request
from lanner.simulator.wire_ws import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    FrameReader,
    ProtocolError,
    frame,
    unmask,
)

MESSAGES = st.lists(
    st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=400), st.integers(1, 4), st.booleans()),
    max_size=8,
)


def masked(payload: bytes, opcode: int, *, final: bool = True, mask: bytes = b"\x01\x80\x00\xff") -> bytes:
    """Write a client's frame, byte by byte."""
    first = (0x80 if final else 0) | opcode
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({at % (len(data) + 1) for at in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(MESSAGES, st.lists(st.integers(0, 5_000), max_size=12))
def test_messages_arrive_whole_in_any_pieces_with_pings_between(
    messages: list[tuple[int, bytes, int, bool]], cuts: list[int]
) -> None:
    data, expected = b"", []
    for opcode, payload, parts, ping in messages:
        step = -(-len(payload) // parts) or 1
        pieces = [payload[at : at + step] for at in range(0, len(payload), step)] or [b""]
        for number, piece in enumerate(pieces):
            final = number == len(pieces) - 1
            data += masked(piece, CONTINUATION if number else opcode, final=final)
            if ping:
                data += masked(b"beat", PING)
                expected.append((PING, b"beat"))
        at = len(expected) - (1 if ping else 0)
        expected.insert(at, (opcode, payload))
    reader = FrameReader()
    seen = [message for piece in cut(data, cuts) for message in reader.feed(piece)]
    assert seen == expected


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_the_mask_is_taken_off(payload: bytes, mask: bytes) -> None:
    assert unmask(payload, mask) == bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_the_length_of_a_frame_is_written_as_briefly_as_it_may_be(size: int) -> None:
    data = frame(b"x" * size)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    assert len(data) == head + size
    assert data[0] == 0x81


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x00", 1002),  # without a mask
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x80\x80\0\0\0\0", 1002),  # goes on with nothing
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in parts
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0", 1009),
    ],
)
def test_broken_frames_close_the_session_with_the_right_code(data: bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as broken:
        FrameReader().feed(data)
    assert broken.value.code == code


@given(st.binary(max_size=200), st.booleans(), st.lists(st.integers(0, 1_000), max_size=8))
def test_a_request_is_complete_only_when_all_of_it_is_there(
    body: bytes, chunked: bool, cuts: list[int]
) -> None:
    head = b"POST /a%20b?x=%2B HTTP/1.1\r\nHost: h\r\nX-Key:  v \r\n"
    if chunked:
        half = len(body) // 2
        parts = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (body[:half], body[half:]) if one)
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"
    else:
        data = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    buffer = bytearray()
    found = []
    for piece in cut(data + data, cuts):
        buffer += piece
        while (request := take_request(buffer)) is not None:
            found.append(request)
    assert len(found) == 2
    assert not buffer
    for request in found:
        assert (request.method, request.path, request.query) == ("POST", "/a b", "x=%2B")
        assert (request.headers["x-key"], request.body, request.keep_alive) == ("v", body, True)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET /" + b"x" * 70_000, 431),
    ],
)
def test_bytes_that_are_no_request_are_refused(data: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        take_request(bytearray(data))
    assert refused.value.status == status


def test_an_answer_says_how_long_it_is_and_whether_the_connection_stays() -> None:
    data = answer_bytes(418, b"{}", {"Retry-After": "3"}, keep_alive=False)
    assert data.startswith(b"HTTP/1.1 418 I'm a ")
    assert b"\r\nContent-Length: 2\r\nConnection: close\r\nRetry-After: 3\r\n\r\n{}" in data
