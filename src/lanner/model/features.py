"""What orders may ask of a venue, by name, and which of these an order or command asks for.

A venue's capability table says of each feature whether the venue has it, whether we do it in its place, or whether
it is impossible there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache

from lanner.model.commands import AmendOrder, Batch, Command, SubmitOrder
from lanner.model.enums import GroupKind, OrderType, TimeInForce
from lanner.model.orders import Order


class Support(IntEnum):
    """How an order feature is had at a venue: by the venue, by us, or not at all."""

    NATIVE = 1
    EMULATED = 2
    IMPOSSIBLE = 3


class Feature:
    """Names of what orders and accounts may ask of a venue; the keys of a capabilities table."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_MARKET = "stop_market"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT_MARKET = "take_profit_market"
    TAKE_PROFIT_LIMIT = "take_profit_limit"
    TRAILING_STOP = "trailing_stop"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    ICEBERG = "iceberg"
    OCO = "oco"
    BRACKET = "bracket"
    AMEND = "amend"
    AMEND_TRIGGER = "amend_trigger"
    BATCH = "batch"
    CANCEL_ALL = "cancel_all"
    DEAD_MAN = "dead_man"
    LEVERAGE = "leverage"
    MARGIN_MODE = "margin_mode"
    ORDERS_BY_SOCKET = "orders_by_socket"
    USER_STREAM = "user_stream"


FEATURES = tuple(value for name, value in vars(Feature).items() if name.isupper())

TYPE_FEATURES: Mapping[OrderType, str] = {kind: kind.name.lower() for kind in OrderType}
TIF_FEATURES: Mapping[TimeInForce, str] = {tif: tif.name.lower() for tif in TimeInForce}
_GROUPS = {GroupKind.OCO: Feature.OCO, GroupKind.BRACKET: Feature.BRACKET}


def features_of_order(order: Order | SubmitOrder) -> tuple[str, ...]:
    """Return what an order asks for. A time in force counts where the order can rest."""
    is_iceberg = order.display_lots is not None
    return _features(order.type, order.tif, order.post_only, order.reduce_only, is_iceberg, order.group_kind)


@cache
def _features(
    kind: OrderType, tif: TimeInForce, post_only: bool, reduce_only: bool, is_iceberg: bool, group: GroupKind
) -> tuple[str, ...]:
    """Put the names together once for each of the few hundred kinds of orders that there are."""
    found = [TYPE_FEATURES[kind]]
    if kind is not OrderType.MARKET or tif is not TimeInForce.GTC:
        found.append(TIF_FEATURES[tif])
    asked = (
        (post_only, Feature.POST_ONLY),
        (reduce_only, Feature.REDUCE_ONLY),
        (is_iceberg, Feature.ICEBERG),
    )
    found += [feature for is_asked, feature in asked if is_asked]
    if group in _GROUPS:
        found.append(_GROUPS[group])
    return tuple(found)


def features_of(command: Command) -> Iterator[str]:
    """Return what a command asks for."""
    if isinstance(command, Batch):
        yield Feature.BATCH
        for part in command.commands:
            yield from features_of(part)
    elif isinstance(command, SubmitOrder):
        yield from features_of_order(command)
    elif isinstance(command, AmendOrder):
        yield Feature.AMEND


def impossible_in(table: Mapping[str, Support]) -> frozenset[str]:
    """Return the features that a capability table rules out."""
    return frozenset(feature for feature, support in table.items() if support is Support.IMPOSSIBLE)
