"""Enumerations with explicit integer values: they go to disk and across processes."""

from __future__ import annotations

from enum import IntEnum


class Side(IntEnum):
    """Direction of an order or of a public trade's aggressor."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> Side:
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class InstrumentKind(IntEnum):
    """What is traded. Values above 2 are reserved for kinds that this version refuses."""

    SPOT = 1
    LINEAR_PERP = 2
    INVERSE_PERP = 3
    LINEAR_FUTURE = 4
    INVERSE_FUTURE = 5


class OrderType(IntEnum):
    """How an order finds its price."""

    MARKET = 1
    LIMIT = 2
    STOP_MARKET = 3
    STOP_LIMIT = 4
    TAKE_PROFIT_MARKET = 5
    TAKE_PROFIT_LIMIT = 6
    TRAILING_STOP = 7


class TimeInForce(IntEnum):
    """How long an order may work."""

    GTC = 1
    IOC = 2
    FOK = 3
    GTD = 4


class GroupKind(IntEnum):
    """How the orders of a group depend on each other."""

    NONE = 0
    OCO = 1
    OTO = 2
    BRACKET = 3


class Liquidity(IntEnum):
    """Whether a fill provided or took liquidity."""

    MAKER = 1
    TAKER = 2


class OrderStatus(IntEnum):
    """Where an order is in its life; see ``lanner.execution.lifecycle`` for the legal steps."""

    INITIALIZED = 1
    DENIED = 2
    HELD = 3
    SUBMITTED = 4
    ACCEPTED = 5
    TRIGGERED = 6
    PARTIALLY_FILLED = 7
    PENDING_AMEND = 8
    PENDING_CANCEL = 9
    UNKNOWN = 10
    REJECTED = 11
    CANCELED = 12
    EXPIRED = 13
    FILLED = 14
