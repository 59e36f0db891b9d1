"""What a session meets of other programs: orders that it takes over, and positions.

An order is taken over by a record of the journal, and by what that does to the engine. Positions are booked as the
comparison with the venue finds them; a new session refuses them unless it is told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lanner.core.errors import RiskRefusedError
from lanner.execution.lifecycle import found_working
from lanner.live.accounts import ask_account
from lanner.model.commands import Command, SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce
from lanner.model.orders import Order

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.model.accounts import VenueFill, VenueOrder
    from lanner.model.instruments import Instrument
    from lanner.venues.link import Link

ADOPTED = "adopted"
"""Intent and tag of an order that was taken over."""
_KEPT = (
    "instrument_id",
    "venue_order_id",
    "lots",
    "cum_lots",
    "px_ticks",
    "stop_ticks",
    "reduce_only",
    "post_only",
)


def first_trader(engine: Engine, instrument_id: str) -> str:
    """Return the first strategy that trades an instrument, or the first one where none does."""
    traders = (
        desk.strategy_id
        for desk in engine.desks.values()
        if any(one.id == instrument_id for one in desk.instruments)
    )
    return next(traders, next(iter(engine.desks)))


async def refuse_positions(links: Mapping[str, Link], instruments: Mapping[str, Instrument]) -> None:
    """Raise ``RiskRefusedError`` where the account holds perpetuals already that a new session would trade."""
    for link in links.values():
        state = await ask_account(link)
        for position in () if state is None else state.positions:
            instrument = instruments.get(position.instrument_id)
            if instrument is not None and position.lots:
                raise RiskRefusedError(
                    f"the account holds {instrument.qty(position.lots):f} {instrument.id} already, "
                    "which this session has not traded",
                    expected="no position: the venue adds up what is held, so nobody could tell whose is whose",
                    fix="Close it, use an account of its own, or have the first strategy take it over: "
                    "recovery.foreign_positions=adopt.",
                )


def adoption(engine: Engine, order_id: str, told: VenueOrder, fills: Iterable[VenueFill]) -> dict[str, Any]:
    """Return the particulars of an order at the venue for a record that makes it one of ours.

    It becomes an order of the first strategy that trades the instrument, or of the first one where none does. ``fills``
    are those that it has had.
    """
    tick = engine.cache.instruments[told.instrument_id].tick_float
    return {
        **{name: getattr(told, name) for name in _KEPT},
        "order_id": order_id,
        "strategy": first_trader(engine, told.instrument_id),
        "side": told.side.name,
        "type": told.type.name,
        "tif": told.tif.name,
        "triggered": told.status is OrderStatus.TRIGGERED,
        "notional": round(told.avg_px / tick * told.cum_lots) if told.avg_px == told.avg_px else 0,
        "trade_ids": [fill.report.trade_id for fill in fills],
    }


def adopt(engine: Engine, told: Mapping[str, Any]) -> None:
    """Register an order that was found working; the same on the first day and in every replay."""
    order = Order(
        told["order_id"],
        told["strategy"],
        engine.cache.instruments[told["instrument_id"]],
        Side[told["side"]],
        OrderType[told["type"]],
        told["lots"],
        engine.clock.now,
        px_ticks=told["px_ticks"],
        stop_ticks=told["stop_ticks"],
        tif=TimeInForce[told["tif"]],
        reduce_only=told["reduce_only"],
        post_only=told["post_only"],
        intent=ADOPTED,
        tag=ADOPTED,
    )
    found_working(
        order,
        told["venue_order_id"],
        triggered=told["triggered"],
        cum_lots=told["cum_lots"],
        notional=told["notional"],
        trade_ids=told["trade_ids"],
    )
    engine.execution.take_over(order)


def placed(told: Mapping[str, Any], ts: int) -> list[Command]:
    """Return the command that places what was left of a taken-over order at a venue that does not have it.

    Nothing for a trailing stop, whose distance the venue did not tell.
    """
    if told["type"] == OrderType.TRAILING_STOP.name:
        return []
    return [
        SubmitOrder(
            told["order_id"],
            told["instrument_id"],
            ts,
            Side[told["side"]],
            OrderType[told["type"]],
            told["lots"] - told["cum_lots"],
            told["px_ticks"],
            told["stop_ticks"],
            tif=TimeInForce[told["tif"]],
            reduce_only=told["reduce_only"],
        )
    ]
