"""A position as it is at one moment, for whoever watches."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from lanner.portfolio.positions import Position, PositionView


class PositionSnapshot(msgspec.Struct, frozen=True, gc=False):
    """What a strategy holds of an instrument, at the time ``ts``; it never changes.

    ``side`` is ``long``, ``short`` or ``flat``, ``qty`` signed. ``mark_px`` is the last price, NaN before the first
    one. Money is in the settle currency, profits without fees and funding.
    """

    strategy_id: str
    instrument_id: str
    ts: int
    side: str
    qty: Decimal
    avg_px: Decimal | None
    mark_px: float
    unrealised: float
    realised: Decimal
    fees: Decimal
    funding: Decimal


def snapshot(position: Position, strategy_id: str, mark_px: float, ts: int) -> PositionSnapshot:
    """Return a position as it is now."""
    view = PositionView(position, mark_px)
    return PositionSnapshot(
        strategy_id,
        position.instrument.id,
        ts,
        "long" if view.is_long else "short" if view.is_short else "flat",
        view.qty,
        view.avg_px,
        mark_px,
        view.unrealised,
        view.realised,
        view.fees,
        view.funding,
    )
