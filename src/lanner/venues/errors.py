"""What can go wrong with a venue, in six kinds.

::

    RETRY         nothing happened; ask again later (5xx before acceptance, refused connection)
    RATE_LIMITED  too much was asked; wait ``retry_after_s``
    REJECTED      the venue understood and said no; ``code`` is its code, ``reason`` ours
    AUTH          key, signature, permission or address
    UNANSWERED    it was sent and nothing is known: the order may or may not work
    MALFORMED     the answer cannot be understood
"""

from __future__ import annotations

from enum import IntEnum

from lanner.core.errors import LannerError


class ErrorKind(IntEnum):
    """The kinds of fault; only RETRY and RATE_LIMITED may be sent again without asking first."""

    RETRY = 1
    RATE_LIMITED = 2
    REJECTED = 3
    AUTH = 4
    UNANSWERED = 5
    MALFORMED = 6


class Reason:
    """Our words for a venue's refusal, the same for every venue. They go to ``OrderRejected.code``."""

    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    PRICE_GRID = "PRICE_GRID"
    QTY_GRID = "QTY_GRID"
    QTY_LIMITS = "QTY_LIMITS"
    PRICE_BAND = "PRICE_BAND"
    POST_ONLY = "POST_ONLY"
    REDUCE_ONLY = "REDUCE_ONLY"
    NO_LIQUIDITY = "NO_LIQUIDITY"
    WOULD_TRIGGER = "WOULD_TRIGGER"
    SELF_TRADE = "SELF_TRADE"
    TOO_MANY_ORDERS = "TOO_MANY_ORDERS"
    DUPLICATE_ID = "DUPLICATE_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    MARKET_CLOSED = "MARKET_CLOSED"
    POSITION_LIMIT = "POSITION_LIMIT"
    LEVERAGE = "LEVERAGE"
    UNSUPPORTED = "UNSUPPORTED"
    BAD_REQUEST = "BAD_REQUEST"
    CLOCK = "CLOCK"
    OTHER = "OTHER"


class VenueError(LannerError):
    """A venue's fault, translated once. ``message`` never holds a secret.

    ``code`` is the venue's own code as text (may be empty), ``reason`` one of ``Reason`` for REJECTED, and CLOCK
    where a request was not taken because of the time in it.
    """

    def __init__(
        self,
        kind: ErrorKind,
        what: str,
        *,
        code: str = "",
        reason: str = "",
        retry_after_s: float | None = None,
        fix: str | None = None,
    ) -> None:
        self.kind = kind
        self.code = code
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(what, found=f"{kind.name}{f' {code}' if code else ''}", fix=fix)
