"""What can go wrong between us and a server, told apart by what it says about the request.

::

    NetError                 no answer that could be judged
    ├── ConnectFailed        not a byte of the request has left: safe to send again
    ├── Unanswered           a byte may have left, and no whole answer came: the server may have acted on it
    └── RateLimited          not sent: our own limiter, or the server's ban, would have kept it waiting too long

An answer with an error status is an answer (``HttpAnswer.status``), not an exception.
"""

from __future__ import annotations

from lanner.core.errors import LannerError


class NetError(LannerError):
    """A request or a connection came to nothing."""


class ConnectFailed(NetError):  # noqa: N818 - an outcome's name, as codecs and gateway speak of it
    """No connection was made, so nothing was sent."""


class Unanswered(NetError):  # noqa: N818
    """The request may have left and no whole answer came. ``status`` is set when the answer broke off after it."""

    def __init__(self, what: str, *, found: object | None = None, status: int | None = None) -> None:
        self.status = status
        super().__init__(what, expected="an answer", found=found, fix="Ask the server what became of it.")


class RateLimited(NetError):  # noqa: N818
    """The request was not sent because its turn is too far away; ``wait_s`` says how far."""

    def __init__(self, what: str, *, wait_s: float, fix: str | None = None) -> None:
        self.wait_s = wait_s
        super().__init__(what, found=f"its turn comes in {wait_s:.1f} s", fix=fix)
