"""What the arguments of an order stand for, and which of them fit together."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeVar

from lanner.core.errors import InvalidOrderError
from lanner.model.enums import OrderType, TimeInForce
from lanner.model.instruments import Number
from lanner.model.orders import PRICED_TYPES, TAKE_TYPES
from lanner.strategy.base import Distance


def type_of(px: Number | None, stop_px: Number | None, trail: Distance | None) -> OrderType:
    """Return the order type that the given prices stand for."""
    if trail is not None:
        return OrderType.TRAILING_STOP
    if stop_px is not None:
        return OrderType.STOP_MARKET if px is None else OrderType.STOP_LIMIT
    return OrderType.MARKET if px is None else OrderType.LIMIT


Member = TypeVar("Member", bound=IntEnum)


def member_of(kind: type[Member], value: Any, what: str) -> Member:
    """Return a member of an enumeration; what is none is refused here, where the strategy's line can be shown."""
    if isinstance(value, kind):
        return value
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(member.name for member in kind)
        raise InvalidOrderError(
            f"{what} is none that there is", expected=f"one of ln.{kind.__name__}: {names}", found=repr(value)
        ) from None


def check_expiry(expire: object, now: int) -> None:
    """Refuse an end that is no time in nanoseconds; seconds or microseconds in their place are in 1970."""
    if type(expire) is not int or expire < now // 100:
        raise InvalidOrderError(
            "expire is no time in nanoseconds",
            expected=f"UNIX nanoseconds as a whole number (now is {now})",
            found=repr(expire),
            fix="E.g. expire=self.now + 60 * 1_000_000_000 for a minute.",
        )


def check_shape(
    type: OrderType,
    px: Number | None,
    stop_px: Number | None,
    trail: Distance | None,
    tif: TimeInForce,
    expire: int | None,
    post_only: bool,
) -> None:
    """Refuse combinations that no venue could understand."""
    needs_px = type in PRICED_TYPES
    needs_stop = type in TAKE_TYPES or type in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
    if needs_px != (px is not None):
        raise InvalidOrderError(
            f"a {type.name} order", expected="a limit price px" if needs_px else "no px", found=px
        )
    if needs_stop != (stop_px is not None):
        raise InvalidOrderError(
            f"a {type.name} order", expected="a stop_px" if needs_stop else "no stop_px", found=stop_px
        )
    if (type is OrderType.TRAILING_STOP) != (trail is not None):
        raise InvalidOrderError(f"a {type.name} order", expected="trail with TRAILING_STOP only", found=trail)
    if (tif is TimeInForce.GTD) != (expire is not None):
        raise InvalidOrderError("time in force", expected="expire with GTD, and only then", found=tif.name)
    if post_only and (type is not OrderType.LIMIT or tif in (TimeInForce.IOC, TimeInForce.FOK)):
        raise InvalidOrderError(
            "a post-only order", expected="a resting LIMIT order", found=f"{type.name} {tif.name}"
        )
