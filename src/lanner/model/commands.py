"""Commands: what the engine tells a venue. They leave the engine only after the order is registered."""

from __future__ import annotations

import msgspec

from lanner.model.enums import GroupKind, OrderType, Side, TimeInForce


class SubmitOrder(msgspec.Struct, frozen=True, gc=False):
    """Place an order. Prices are ticks, quantities lots of the instrument."""

    order_id: str
    instrument_id: str
    ts: int
    side: Side
    type: OrderType
    lots: int
    px_ticks: int | None = None
    stop_ticks: int | None = None
    trail_ticks: int | None = None
    trail_frac: float | None = None
    tif: TimeInForce = TimeInForce.GTC
    expire_ts: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    display_lots: int | None = None
    fit: bool = False
    group_id: str = ""
    group_kind: GroupKind = GroupKind.NONE


class CancelOrder(msgspec.Struct, frozen=True, gc=False):
    """Take a working order back. ``request`` numbers the order's requests; a refusal names it."""

    order_id: str
    instrument_id: str
    ts: int
    request: int = 0


class AmendOrder(msgspec.Struct, frozen=True, gc=False):
    """Change a working order; ``None`` leaves a field as it is. ``lots`` is the new total quantity.

    ``request`` numbers the order's requests; the answer names it.
    """

    order_id: str
    instrument_id: str
    ts: int
    lots: int | None = None
    px_ticks: int | None = None
    stop_ticks: int | None = None
    request: int = 0


class Batch(msgspec.Struct, frozen=True):
    """Several commands for one venue that travel together; each is answered by itself."""

    commands: tuple[SubmitOrder | CancelOrder | AmendOrder, ...]
    ts: int

    @property
    def instrument_id(self) -> str:
        """Return an instrument of the venue that the batch goes to."""
        return self.commands[0].instrument_id

    @property
    def kind(self) -> type[SubmitOrder | CancelOrder | AmendOrder]:
        """Return what the batch is handled like: an order if it holds one, else an amend, else a cancel."""
        kinds = {type(command) for command in self.commands}
        return next(kind for kind in (SubmitOrder, AmendOrder, CancelOrder) if kind in kinds)


Command = SubmitOrder | CancelOrder | AmendOrder | Batch
