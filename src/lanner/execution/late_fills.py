"""Fills that were concluded from an order's quantity, and the venue's own word on them when it comes at last.

A venue may count lots as filled whose fill it does not tell for long: its list lags, its stream is held up. Such lots
are concluded. What it tells of them later names the same lots: it corrects price and fee, and is not counted again. Who
cannot be sure takes a fill for one that was concluded; a lot too few is found by the next comparison with the venue, a
lot too many would stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lanner.model.orders import Concluded, Order
from lanner.model.reports import CONCLUDED, OrderFilled

if TYPE_CHECKING:
    from lanner.portfolio.portfolio import Portfolio

CLOCKS_NS = 60_000_000_000
"""A fill that is so much later than the conclusion is another one, however venue's and own clock differ."""


def note_concluded(order: Order, fill: OrderFilled) -> None:
    """Remember the lots of a concluded fill until the venue tells them itself."""
    if fill.trade_id.startswith(CONCLUDED):
        known = order.concluded or Concluded()
        known.lots += fill.lots
        known.notional += fill.px_ticks * fill.lots
        known.fee += fill.fee
        known.base_fee += fill.base_fee
        known.until = fill.ts_recv + CLOCKS_NS
        order.concluded = known


def book_recognised(order: Order, fill: OrderFilled, portfolio: Portfolio) -> OrderFilled | None:
    """Return what of a fill is new; for lots that were concluded, correct what order and position have paid."""
    known = order.concluded
    if (
        known is None
        or fill.trade_id in order.trade_ids
        or fill.trade_id.startswith(CONCLUDED)
        or fill.ts_event > known.until
    ):
        return fill
    lots = min(fill.lots, known.lots)
    notional, fee = known.notional * lots // known.lots, known.fee * lots / known.lots
    base_fee = known.base_fee * lots / known.lots
    told_fee, told_base_fee = fill.fee * lots / fill.lots, fill.base_fee * lots / fill.lots
    known.lots -= lots
    known.notional -= notional
    known.fee -= fee
    known.base_fee -= base_fee
    if not known.lots:
        order.concluded = None
    paid = fill.px_ticks * lots - notional
    order.notional += paid
    order.fees += told_fee - fee
    portfolio.correct(order.strategy_id, order.instrument, order.side, paid, told_fee - fee)
    if told_base_fee != base_fee:
        position = portfolio.position(order.strategy_id, order.instrument)
        position.give_up(told_base_fee - base_fee, fill.px_ticks, fill.ts_event)
    if lots == fill.lots:
        order.remember(fill.trade_id)
        return None
    left = fill.lots - lots
    return msgspec.structs.replace(
        fill, lots=left, fee=fill.fee - told_fee, base_fee=fill.base_fee - told_base_fee
    )
