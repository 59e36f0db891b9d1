"""Answers to actions, and what the venue's refusals mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid import spec, wire

_READ = wire.reader(wire.ActionAnswer).decode
_POST = wire.reader(msgspec.defstruct("Post", [("data", wire.PostData)])).decode
_HTTP = re.compile(r"^\s*\"?(\d{3})\b")
_PHRASES = {
    429: "more was asked from this network address than one address may ask in a minute",
    **{one.value: one.phrase for one in HTTPStatus if one.value >= 500},
}
"""What a status says where the venue says only ``null``."""
_LIMITED_FIX = "Wait a minute and ask less often; all programs behind one address spend the same 1,200."


def reason_of(told: str) -> str:
    """Return our word for a refusal."""
    return next((reason for start, reason in spec.REFUSALS if told.startswith(start)), Reason.OTHER)


def refusal(told: str) -> VenueError:
    """Return the fault of a request that was refused as a whole."""
    low = told.lower()
    what = f"hyperliquid: {told[:300]}"
    if any(word in low for word in spec.LIMIT_WORDS):
        return VenueError(ErrorKind.RATE_LIMITED, what, retry_after_s=10.0)
    reason = reason_of(told)
    if reason == Reason.OTHER and any(word in low for word in spec.AUTH_WORDS):
        return VenueError(ErrorKind.AUTH, what, fix="Check the key: lanner keys check hyperliquid")
    return VenueError(ErrorKind.REJECTED, what, reason=reason)


def http_fault(status: int, headers: Mapping[str, str], body: bytes) -> VenueError | None:
    """Judge an HTTP answer; errors of actions come with status 200 as well."""
    if status == 200:
        if not body.lstrip()[:20].replace(b" ", b"").startswith(b'{"status":"err"'):
            return None
        try:
            answer = _READ(body)
        except msgspec.DecodeError as error:
            return wire.malformed(error)
        return refusal(answer.response) if isinstance(answer.response, str) else None
    told = body[:300].decode(errors="replace").strip()
    if told in ("", "null"):
        told = _PHRASES.get(status, "nothing more")
    what = f"hyperliquid answers {status}: {told}"
    code = str(status)
    if status == 429:
        after = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
        wait = float(after) if re.fullmatch(r"\d+(\.\d+)?", after) else 10.0
        return VenueError(ErrorKind.RATE_LIMITED, what, code=code, retry_after_s=wait, fix=_LIMITED_FIX)
    if status in (401, 403):
        return VenueError(ErrorKind.AUTH, what, code=code)
    if status == 503:
        return VenueError(ErrorKind.RETRY, what, code=code)
    if status >= 500 or status == 408:
        # whoever stands before the venue gave up; the venue itself may have got it
        return VenueError(ErrorKind.UNANSWERED, what, code=code)
    return VenueError(ErrorKind.REJECTED, what, code=code, reason=Reason.BAD_REQUEST)


def statuses(status: int, body: bytes) -> list[wire.Status | str]:
    """Return what became of each part of an action; raise ``VenueError`` where the answer is about the whole.

    ``status`` is the HTTP status, 0 for a frame of a socket.
    """
    try:
        inner = _inside(body) if status == 0 else body
        if status:
            fault = http_fault(status, {}, body)
            if fault is not None:
                raise fault
        answer = _READ(inner)
    except msgspec.DecodeError as error:
        raise VenueError(
            ErrorKind.UNANSWERED, f"hyperliquid: the answer cannot be understood: {error}"
        ) from None
    if isinstance(answer.response, str):
        if answer.status == "err":
            raise refusal(answer.response)
        raise VenueError(ErrorKind.UNANSWERED, f"hyperliquid: an unknown answer: {answer.response[:200]}")
    return answer.response.data.statuses if answer.response.data is not None else []


def _inside(frame: bytes) -> bytes:
    """Return the answer inside a socket's frame; errors there are texts that begin with an HTTP status."""
    response = _POST(frame).data.response
    payload = bytes(response.payload)
    if response.type != "error":
        return payload
    told = payload.decode(errors="replace").strip().strip('"')
    found = _HTTP.match(told)
    fault = http_fault(int(found[1]), {}, told.encode()) if found and found[1] != "200" else refusal(told)
    assert fault is not None
    raise fault


def done(body: bytes, _ts_recv: int) -> None:
    """Read the answer to an action of which only success matters; raise ``VenueError`` for a refusal."""
    for part in statuses(200, body):
        if not isinstance(part, str) and part.error is not None:
            raise refusal(part.error)


def canceled(body: bytes, _ts_recv: int) -> int:
    """Return how many orders an answer says are canceled; those that had ended before do not count."""
    return sum(part == "success" for part in statuses(200, body))
