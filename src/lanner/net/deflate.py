"""permessage-deflate (RFC 7692), receiving side: messages may come compressed, ours go as they are.

Not compressing what we send is within the extension, and keeps orders fast.
"""

from __future__ import annotations

import zlib

OFFER = "permessage-deflate; client_no_context_takeover"
_TAIL = b"\x00\x00\xff\xff"
_PARAMETERS = {
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
}


class BadExtensionError(ValueError):
    """The server accepted an extension that was never offered, or in a form that does not exist."""


class TooBigError(ValueError):
    """An inflated message is larger than allowed."""


class Inflater:
    """Inflate the messages of one connection, in order."""

    __slots__ = ("_fresh", "_inflate", "_limit")

    def __init__(self, limit: int, *, fresh: bool) -> None:
        self._limit = limit
        self._fresh = fresh
        self._inflate = zlib.decompressobj(wbits=-15)

    def message(self, payload: bytes) -> bytes:
        """Return a whole message's content. Raises ``zlib.error`` for garbage and ``TooBigError``."""
        inflate = self._inflate
        text = inflate.decompress(payload + _TAIL, self._limit)
        if inflate.unconsumed_tail:
            raise TooBigError(f"a message inflates to more than {self._limit} bytes")
        if self._fresh or inflate.eof:
            self._inflate = zlib.decompressobj(wbits=-15)
        return text


def agreed(answer: str | None, limit: int) -> Inflater | None:
    """Read the server's Sec-WebSocket-Extensions: None when it does not compress."""
    if not answer or not answer.strip():
        return None
    name, *parameters = (part.strip() for part in answer.split(";"))
    names = [parameter.partition("=")[0].strip() for parameter in parameters]
    if name != "permessage-deflate" or not _PARAMETERS.issuperset(names) or len(set(names)) < len(names):
        raise BadExtensionError(f"the server chose an extension that was not offered: {answer[:80]}")
    return Inflater(limit, fresh="server_no_context_takeover" in names)
