"""What a venue makes of an order, asked before it leaves: the same rules that write it to the wire.

A capability table knows single features. What does not go together (an iceberg that is a stop), what an instrument
lacks, and a distance that a venue does not trail by are the codec's to know; it is asked here without sending anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from lanner.model.enums import OrderType, TimeInForce
from lanner.model.features import impossible_in
from lanner.model.instruments import Instrument
from lanner.model.orders import Order, command_of
from lanner.venues.errors import Reason, VenueError
from lanner.venues.registry import order_check, product_spec

_PLAIN = frozenset({OrderType.MARKET, OrderType.LIMIT})
_REASONS = frozenset({Reason.UNSUPPORTED, Reason.REDUCE_ONLY})


def impossible_for(product: str, instrument: Instrument) -> frozenset[str]:
    """Return the features that a product does not have for an instrument."""
    spec = product_spec(product)
    found = impossible_in(spec.capabilities)
    return found | spec.spot_lacks if instrument.is_spot else found


@dataclass(frozen=True, slots=True)
class Refuser:
    """Tells why a product does not take an order, or nothing; a plain order costs nothing."""

    product: str

    def __call__(self, order: Order) -> str:
        """Return the reason, empty for an order that the product takes."""
        if order.type in _PLAIN and _is_plain(order):
            return ""
        try:
            order_check(self.product)(command_of(order), order.instrument)
        except VenueError as error:
            return error.what if error.reason in _REASONS else ""
        return ""


def _is_plain(order: Order) -> bool:
    return (
        order.tif is not TimeInForce.GTD
        and order.display_lots is None
        and not (order.reduce_only and order.instrument.is_spot)
    )
