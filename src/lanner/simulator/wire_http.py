"""HTTP/1.1 on the server's side, as far as a venue's API needs it: requests out of bytes, answers into bytes."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote

import msgspec

MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {418: "I'm a teapot"}


class BadRequest(Exception):  # noqa: N818 - an answer on its way out, not a fault
    """The bytes are no request that can be answered; ``status`` says which answer they deserve."""

    def __init__(self, status: int) -> None:
        super().__init__(_REASONS.get(status, ""))
        self.status = status


class RawRequest(msgspec.Struct, gc=False):
    """A request as it came: names of headers in lower case, the path still percent-encoded in ``target``."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool

    @property
    def path(self) -> str:
        """Return the decoded path without query."""
        path = self.target.partition("?")[0]
        return unquote(path) if "%" in path else path

    @property
    def query(self) -> str:
        """Return the raw query."""
        return self.target.partition("?")[2]


def take_request(buffer: bytearray) -> RawRequest | None:
    """Cut one complete request off the front of a buffer; ``None`` while it is not all there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD:
            raise BadRequest(431)
        return None
    try:
        first, *lines = buffer[:end].decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
    except ValueError:
        raise BadRequest(400) from None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(400)
        headers[name.strip().lower()] = value.strip()
    found = _take_body(buffer, end + 4, headers)
    if found is None:
        return None
    body, used = found
    del buffer[:used]
    if "://" in target[:8]:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    wish = headers.get("connection", "").lower()
    keep = wish != "close" if version == "HTTP/1.1" else wish == "keep-alive"
    return RawRequest(method, target, headers, body, keep)


def _take_body(buffer: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _take_chunks(buffer, start)
    text = headers.get("content-length", "0")
    if not text.isdigit():
        raise BadRequest(400)
    length = int(text)
    if length > MAX_BODY:
        raise BadRequest(413)
    if len(buffer) < start + length:
        return None
    return bytes(buffer[start : start + length]), start + length


def _take_chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    parts = bytearray()
    at = start
    while True:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        try:
            size = int(bytes(buffer[at:end]).partition(b";")[0], 16)
        except ValueError:
            raise BadRequest(400) from None
        if len(parts) + size > MAX_BODY:
            raise BadRequest(413)
        at = end + 2
        if size == 0:
            close = buffer.find(b"\r\n", at)
            return None if close < 0 else (bytes(parts), close + 2)
        if len(buffer) < at + size + 2:
            return None
        parts += buffer[at : at + size]
        at += size + 2


def wants_continue(buffer: bytearray) -> bool:
    """Tell whether the client waits for ``100 Continue`` before it sends the body."""
    end = buffer.find(b"\r\n\r\n")
    return end >= 0 and b"expect: 100-continue" in buffer[:end].lower()


def answer_bytes(
    status: int,
    body: bytes,
    headers: dict[str, str],
    content_type: str = "application/json",
    *,
    keep_alive: bool = True,
    head_only: bool = False,
) -> bytes:
    """Write an answer."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head if head_only else head + body
