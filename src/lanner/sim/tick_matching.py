"""How orders meet quotes and trades. The published rules are in ``docs/reference/fill-specification.md``.

What we take is gone: liquidity that one of our orders consumed is not offered to the next until the venue
shows a new quote.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lanner.model.enums import Liquidity, OrderType, TimeInForce
from lanner.model.market import Quote, Trade
from lanner.model.reports import OrderExpired
from lanner.sim.orders import SimOrder
from lanner.sim.settings import LimitOn
from lanner.sim.slippage import slipped

if TYPE_CHECKING:
    from lanner.sim.venue import InstrumentBook, SimVenue

_TAKES = (OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT)


def arrive(venue: SimVenue, book: InstrumentBook, order: SimOrder, ts: int) -> None:
    """Let a new order meet the market as it stands; without quotes it waits for the next trade."""
    if book.mode == "quotes" and book.has_quote:
        _meet_quote(venue, book, order, ts)


def on_quote(venue: SimVenue, book: InstrumentBook, quote: Quote) -> None:
    """Show a quote to the book and let working orders meet it."""
    see_quote(book, quote)
    venue.expire_due(book, quote.ts_event)
    if book.has_quote and book.mode == "quotes":
        for order in list(book.orders.values()):
            if order.order_id in book.orders:  # its sibling's fill may have ended it
                _meet_quote(venue, book, order, quote.ts_event)


def see_quote(book: InstrumentBook, quote: Quote) -> None:
    """Take note of the best bid and ask; a side that is shown anew is whole again."""
    instrument = book.instrument
    tick, lot = instrument.tick_float, instrument.lot_float
    bid = round(quote.bid_px / tick) if quote.bid_qty > 0 else 0
    ask = round(quote.ask_px / tick) if quote.ask_qty > 0 else 0
    bid_depth = int(quote.bid_qty / lot + 1e-9)
    ask_depth = int(quote.ask_qty / lot + 1e-9)
    if bid != book.bid_ticks or bid_depth != book.depth_bid:
        book.taken_bid.clear()
    if ask != book.ask_ticks or ask_depth != book.depth_ask:
        book.taken_ask.clear()
    book.bid_ticks, book.ask_ticks, book.depth_bid, book.depth_ask = bid, ask, bid_depth, ask_depth
    if bid and ask:
        book.last_ticks = (bid + ask) // 2


def renew(book: InstrumentBook, quotes: Iterable[Quote]) -> None:
    """Take note of quotes until what we took on either side has come back."""
    for quote in quotes:
        see_quote(book, quote)
        if not (book.taken_bid or book.taken_ask):
            return


def on_trade(venue: SimVenue, book: InstrumentBook, trade: Trade) -> None:
    """Let working orders meet a public trade."""
    instrument = book.instrument
    px = max(1, round(trade.px / instrument.tick_float))
    if book.mode == "trades":
        book.last_ticks = px
    venue.expire_due(book, trade.ts_event)
    left = int(trade.qty / instrument.lot_float * venue.settings.fills.participation + 1e-9)
    for order in list(book.orders.values()):
        if order.order_id in book.orders:
            left -= _meet_trade(venue, book, order, trade, px, left)


# -- quotes ------------------------------------------------------------------------------------------


def _meet_quote(venue: SimVenue, book: InstrumentBook, order: SimOrder, ts: int) -> None:
    buys = order.side > 0
    opposite = book.ask_ticks if buys else book.bid_ticks
    if order.waits_for_trigger:
        # a stop is triggered by the side it would trade against
        if not _triggers(order, opposite):
            return
        venue.triggered(order, ts)
    if order.kind is OrderType.MARKET:
        if _ends_unfilled(venue, order, _reach(venue, book, buys, None), ts):
            return
        _walk(venue, book, order, None, ts)
        if order.order_id in book.orders:
            venue.end(order, ts, OrderExpired, "market order: the liquidity in reach is used up")
        return
    limit = order.px_ticks
    if limit is None:
        return
    if order.resting:
        touched = opposite <= limit if buys else opposite >= limit
        through = opposite < limit if buys else opposite > limit
        if through or (touched and venue.settings.fills.limit_on is LimitOn.TOUCH):
            lots = _offered(venue, book, opposite, buys)
            if lots > 0:
                _note(book, buys, opposite, venue.fill(order, book, lots, limit, limit, Liquidity.MAKER, ts))
        return
    if opposite <= limit if buys else opposite >= limit:
        if _ends_unfilled(venue, order, _reach(venue, book, buys, limit), ts):
            return
        _walk(venue, book, order, limit, ts)
    _end_immediate(venue, book, order, ts)
    order.resting = True


def _walk(venue: SimVenue, book: InstrumentBook, order: SimOrder, limit: int | None, ts: int) -> None:
    """Take level by level, best first, as far as the limit and the settings allow."""
    buys = order.side > 0
    best = book.ask_ticks if buys else book.bid_ticks
    for step in range(venue.settings.fills.walk_ticks + 1):
        level = best + step * order.side
        if level < 1 or (limit is not None and (level > limit if buys else level < limit)):
            return
        lots = _offered(venue, book, level, buys)
        if lots > 0:
            _note(book, buys, level, venue.fill(order, book, lots, level, best, Liquidity.TAKER, ts))
        if order.order_id not in book.orders:
            return


def _offered(venue: SimVenue, book: InstrumentBook, level: int, buys: bool) -> int:
    """Return what a level still offers; levels behind the best are assumed to hold as much as the best."""
    depth = book.depth_ask if buys else book.depth_bid
    taken = book.taken_ask if buys else book.taken_bid
    return int(depth * venue.settings.fills.participation) - taken.get(level, 0)


def _reach(venue: SimVenue, book: InstrumentBook, buys: bool, limit: int | None) -> int:
    """Return the lots that a taker could get now, as far as his limit and the settings allow."""
    best = book.ask_ticks if buys else book.bid_ticks
    side = 1 if buys else -1
    steps = venue.settings.fills.walk_ticks
    if limit is not None:
        steps = min(steps, abs(limit - best))
    levels = [best + side * step for step in range(steps + 1)]
    return sum(max(0, _offered(venue, book, level, buys)) for level in levels if level >= 1)


def _ends_unfilled(venue: SimVenue, order: SimOrder, lots: int, ts: int) -> bool:
    """End a fill-or-kill order that cannot be filled whole; tell whether that happened."""
    if order.tif is not TimeInForce.FOK or lots >= order.leaves:
        return False
    venue.end(order, ts, OrderExpired, "FOK: not filled whole at once")
    return True


def _note(book: InstrumentBook, buys: bool, level: int, lots: int) -> None:
    taken = book.taken_ask if buys else book.taken_bid
    taken[level] = taken.get(level, 0) + lots


def _triggers(order: SimOrder, px: int) -> bool:
    if order.kind is OrderType.TRAILING_STOP:
        level = order.trailing_stop_ticks
        if level is not None and (px >= level if order.side > 0 else px <= level):
            return True
        order.follow(px)
        return False
    level = order.stop_ticks
    if level is None:
        return False
    if order.kind in _TAKES:
        return px <= level if order.side > 0 else px >= level
    return px >= level if order.side > 0 else px <= level


# -- trades ------------------------------------------------------------------------------------------


def _meet_trade(
    venue: SimVenue, book: InstrumentBook, order: SimOrder, trade: Trade, px: int, left: int
) -> int:
    """Return how many lots of the print the order used."""
    ts = trade.ts_event
    if book.mode == "trades":
        if order.waits_for_trigger and _triggers(order, px):
            venue.triggered(order, ts)
            return 0  # a triggered order meets the next print, not the one that triggered it
        if order.kind is OrderType.MARKET and left > 0:
            if _ends_unfilled(venue, order, left, ts):
                return 0
            used = venue.fill(
                order, book, left, _taker_px(venue, book, order, trade, px, left), px, Liquidity.TAKER, ts
            )
            _end_immediate(venue, book, order, ts)
            return used
    if order.kind is not OrderType.LIMIT or order.px_ticks is None or left <= 0:
        return 0
    limit = order.px_ticks
    through = px < limit if order.side > 0 else px > limit
    hits_us = trade.aggressor in (0, -order.side)
    touched = px == limit and hits_us and venue.settings.fills.limit_on is LimitOn.TOUCH
    used = 0
    if (through or touched) and (book.mode == "trades" or order.resting):
        if _ends_unfilled(venue, order, left, ts):
            return 0
        if order.resting or order.post_only:
            used = venue.fill(order, book, left, limit, limit, Liquidity.MAKER, ts)
        else:
            # a limit that was marketable when it came gets the market's price, slipped up to its own
            paid = _taker_px(venue, book, order, trade, px, left)
            paid = min(paid, limit) if order.side > 0 else max(paid, limit)
            used = venue.fill(order, book, left, paid, px, Liquidity.TAKER, ts)
    if book.mode == "trades":
        order.resting = True
        _end_immediate(venue, book, order, ts)
    return used


def _taker_px(
    venue: SimVenue, book: InstrumentBook, order: SimOrder, trade: Trade, px: int, left: int
) -> int:
    volume = int(trade.qty / book.instrument.lot_float + 1e-9)
    return slipped(px, order.side, venue.settings.slippage, min(left, order.leaves), volume)


def _end_immediate(venue: SimVenue, book: InstrumentBook, order: SimOrder, ts: int) -> None:
    if order.tif in (TimeInForce.IOC, TimeInForce.FOK) and order.order_id in book.orders:
        venue.end(order, ts, OrderExpired, f"{order.tif.name}: not filled at once")
