"""permessage-deflate, judged by zlib used as a server uses it."""

from __future__ import annotations

import zlib

import pytest

from lanner.net.deflate import BadExtensionError, Inflater, TooBigError, agreed


def packed(*messages: bytes, fresh: bool = False, window: int = 15, final: bool = False) -> list[bytes]:
    """Compress as RFC 7692 says: sync flush, without the last four bytes."""
    deflate = zlib.compressobj(wbits=-window)
    out = []
    for message in messages:
        data = deflate.compress(message)
        if final:
            # A last block is legal too; the empty stored block after it makes the tail whole.
            out.append(data + deflate.flush(zlib.Z_FINISH) + b"\x00")
        else:
            out.append((data + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4])
        if fresh or final:
            deflate = zlib.compressobj(wbits=-window)
    return out


MESSAGES = [b'{"u":%d,"b":"%s"}' % (index, b"0.01" * index) for index in range(50)] + [b"", b"x"]


@pytest.mark.parametrize("window", [9, 12, 15])
@pytest.mark.parametrize("fresh", [False, True])
def test_messages_come_out_as_they_went_in(window: int, fresh: bool) -> None:
    answer = "permessage-deflate" + ("; server_no_context_takeover" if fresh else "")
    inflater = agreed(f"{answer}; server_max_window_bits={window}", 1_000_000)
    assert inflater is not None
    got = [inflater.message(data) for data in packed(*MESSAGES, fresh=fresh, window=window)]
    assert got == MESSAGES


def test_messages_that_end_their_deflate_stream_are_followed_by_others() -> None:
    inflater = Inflater(1_000_000, fresh=False)
    assert [inflater.message(data) for data in packed(*MESSAGES[:5], final=True)] == MESSAGES[:5]


def test_a_bomb_is_stopped_at_the_limit() -> None:
    (bomb,) = packed(bytes(50_000_000))
    with pytest.raises(TooBigError):
        Inflater(1_000_000, fresh=False).message(bomb)


def test_a_message_of_exactly_the_limit_passes() -> None:
    (data,) = packed(b"ab" * 500)
    assert len(Inflater(1000, fresh=False).message(data)) == 1000


def test_garbage_is_an_error() -> None:
    with pytest.raises(zlib.error):
        Inflater(1000, fresh=False).message(b"\xff\xff\xff\xff garbage")


def test_no_header_means_no_compression() -> None:
    assert agreed(None, 1000) is None
    assert agreed(" ", 1000) is None


@pytest.mark.parametrize(
    "answer",
    [
        "x-webkit-deflate-frame",
        "permessage-deflate; surprise",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ],
)
def test_an_extension_that_was_not_offered_is_refused(answer: str) -> None:
    with pytest.raises(BadExtensionError):
        agreed(answer, 1000)
