"""WebSocket frames on the server's side (RFC 6455): the handshake, frames out of bytes, frames into bytes."""

from __future__ import annotations

import base64
import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_MESSAGE = 4 * 1024 * 1024

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class ProtocolError(Exception):
    """The client broke the protocol; ``code`` is what the connection is closed with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def accept_key(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def is_upgrade(headers: dict[str, str]) -> bool:
    """Tell whether a request asks for a WebSocket."""
    return headers.get("upgrade", "").lower() == "websocket" and "sec-websocket-key" in headers


def upgrade_answer(headers: dict[str, str]) -> bytes:
    """Write the answer that opens a WebSocket, without extensions."""
    key = accept_key(headers["sec-websocket-key"])
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n\r\n"
    ).encode()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Write one unmasked frame."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, length)) + payload
    if length < 65_536:
        return bytes((0x80 | opcode, 126, length >> 8, length & 0xFF)) + payload
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big") + payload


def close_payload(code: int, reason: str = "") -> bytes:
    """Write the content of a close frame."""
    return code.to_bytes(2, "big") + reason.encode()[:123]


def unmask(data: bytes, mask: bytes) -> bytes:
    """Take the client's mask off."""
    length = len(data)
    if not length:
        return b""
    pattern = mask * (length // 4 + 1)
    number = int.from_bytes(data, "little") ^ int.from_bytes(pattern[:length], "little")
    return number.to_bytes(length, "little")


class FrameReader:
    """Turn a client's bytes into whole messages ``(opcode, payload)``; control frames may come between parts."""

    __slots__ = ("_buffer", "_opcode", "_parts")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._opcode = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes and return the messages that are complete now."""
        buffer = self._buffer
        buffer += data
        found: list[tuple[int, bytes]] = []
        at, size = 0, len(buffer)
        while size - at >= 2:
            first, second = buffer[at], buffer[at + 1]
            if not second & 0x80 or first & 0x70:
                raise ProtocolError(1002)
            length = second & 0x7F
            start = at + 2
            if length == 126:
                length = int.from_bytes(buffer[start : start + 2], "big")
                start += 2
            elif length == 127:
                length = int.from_bytes(buffer[start : start + 8], "big")
                start += 8
            if start > size:
                break
            if length > MAX_MESSAGE:
                raise ProtocolError(1009)
            end = start + 4 + length
            if end > size:
                break
            payload = unmask(bytes(buffer[start + 4 : end]), bytes(buffer[start : start + 4]))
            at = end
            self._take(first, payload, found)
        if at:
            del buffer[:at]
        return found

    def _take(self, first: int, payload: bytes, found: list[tuple[int, bytes]]) -> None:
        opcode, final = first & 0x0F, first & 0x80
        if opcode >= CLOSE:
            if not final or len(payload) > 125:
                raise ProtocolError(1002)
            found.append((opcode, payload))
        elif final and opcode and not self._parts:
            found.append((opcode, payload))
        else:
            if bool(opcode) == bool(self._parts):
                raise ProtocolError(1002)
            self._opcode = opcode or self._opcode
            self._parts.append(payload)
            if sum(map(len, self._parts)) > MAX_MESSAGE:
                raise ProtocolError(1009)
            if final:
                found.append((self._opcode, b"".join(self._parts)))
                self._parts = []
