"""How orders meet a bar: first at its open, then inside its range. The published rules are in
``docs/reference/fill-specification.md``; the order of the steps here is the order there.

A bar hides the path of the price, so whenever two outcomes are possible the worse one is taken and
counted (``both_hit``), and a fill that needs a favourable path is not given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.model.enums import Liquidity, OrderType, TimeInForce
from lanner.model.market import Bar
from lanner.model.reports import OrderExpired
from lanner.sim.orders import SimOrder
from lanner.sim.settings import GapFill, LimitOn, MarketOn
from lanner.sim.slippage import slipped

if TYPE_CHECKING:
    from lanner.sim.venue import InstrumentBook, SimVenue

MAX_OPEN_ANSWERS = 100
"""How many orders may meet one open in answer to fills at that same open."""


def arrive(venue: SimVenue, book: InstrumentBook, order: SimOrder, ts: int) -> None:
    """Let a new order join the bar in progress, or fill it at the close it was decided on.

    An order decided before the bar began meets its open even when latency brings it a moment later: below
    the bar's own resolution a delay cannot be told from none. One sent in answer to a fill at the open
    meets the open too, and works through the rest of the bar. One decided in between (by a timer) waits for
    the next bar, because what was left of this bar cannot be known.
    """
    if ts < book.ts_close:
        order.in_bar = order.basis_ts <= book.ts_open or _answers_open(book, order)
        if order.in_bar:
            _at_open(venue, book, order, book.open_ticks, max(book.ts_open + 1, ts))
        return
    if (
        venue.settings.fills.market_on is MarketOn.CLOSE
        and book.last_ticks
        and order.kind is OrderType.MARKET
    ):
        _take(venue, book, order, book.last_ticks, ts)


def _answers_open(book: InstrumentBook, order: SimOrder) -> bool:
    """Tell whether an order answers a fill at the open.

    A strategy that answers every fill with a market order would trade at one open for ever, so the number of
    answers is bounded; those beyond wait for the next bar.
    """
    if order.basis_ts > book.open_activity_ts or book.open_answers >= MAX_OPEN_ANSWERS:
        return False
    book.open_answers += 1
    return True


def bar_open(
    venue: SimVenue, book: InstrumentBook, ts_open: int, ts_close: int, open_px: int, volume: int
) -> None:
    """Begin a bar: the orders that are working meet its opening price.

    The open is stamped one nanosecond after the bar's opening time, so that it follows the close of the bar
    before.
    """
    book.last_ticks = book.open_ticks = open_px
    venue.account.marks[book.instrument.id] = book.mark_ticks or open_px
    book.volume_lots = volume
    share = venue.settings.fills.bar_participation
    book.volume_left = int(volume * share) if share else -1
    book.ts_open, book.ts_close, book.open_activity_ts = ts_open, ts_close, ts_open
    book.open_answers = 0
    venue.expire_due(book, ts_open)
    for order in _sorted(book):
        if order.basis_ts <= ts_open and order.accepted_ts < ts_close and order.order_id in book.orders:
            order.in_bar = True
            _at_open(venue, book, order, open_px, max(ts_open + 1, order.accepted_ts))


def _at_open(venue: SimVenue, book: InstrumentBook, order: SimOrder, px: int, ts: int) -> None:
    if order.waits_for_trigger:
        if order.kind is OrderType.TRAILING_STOP:
            # the anchor of the previous bars decides at the open; then the open may move it
            level = order.trailing_stop_ticks
            order.follow(px)
        else:
            level = order.stop_ticks
        if level is None or not _reached(order, level, px, px):
            return
        venue.triggered(order, ts)
    if order.kind is OrderType.MARKET:
        _take(venue, book, order, px, ts)
    elif order.px_ticks is not None and _crosses(order, px):
        if order.resting or order.post_only:
            # a post-only order was in the book before the open, or the venue would have refused it
            at_limit = venue.settings.fills.gap_fill is GapFill.LIMIT
            _make(venue, book, order, order.px_ticks if at_limit else px, ts)
        else:
            _take(venue, book, order, px, ts)
    if not order.waits_for_trigger:
        _end_immediate(venue, book, order, ts)
    order.resting = True
    book.open_activity_ts = max(book.open_activity_ts, *(report.ts_event for report in venue.outbox[-4:]), ts)


def bar_range(venue: SimVenue, book: InstrumentBook, bar: Bar, high: int, low: int, close: int) -> None:
    """Let the working orders meet the bar's range: stops first, then take-profits and limits.

    Orders whose good-till-date lies inside the bar have met its open; whether the range was reached before they
    ended cannot be known, so it counts as not.
    """
    ts = bar.ts_event
    venue.expire_due(book, ts - 1)
    active = [order for order in book.orders.values() if order.in_bar]
    stops = [order for order in active if order.is_protective_stop]
    # a stop-limit that triggers in the first loop must not meet the part of the range before its trigger
    others = [order for order in active if not order.is_protective_stop]
    for order in stops:
        if order.order_id in book.orders:
            _stop_in_range(venue, book, order, high, low, close, ts)
    _count_both_hit(venue, others, book, high, low)
    for order in others:
        if order.order_id in book.orders:
            _limit_in_range(venue, book, order, high, low, ts)


def bar_after(venue: SimVenue, book: InstrumentBook, bar: Bar, high: int, low: int) -> None:
    """Let stops that were placed in answer to a fill inside this bar meet its adverse extreme.

    Whether the extreme came before or after the entry cannot be known, so it counts as after: the worse case.
    """
    for order in _sorted(book):
        if order.order_id not in book.orders or order.in_bar or not order.is_protective_stop:
            continue
        trails = order.kind is OrderType.TRAILING_STOP
        level = order.trailing_stop_ticks if trails else order.stop_ticks
        if order.basis_ts >= bar.ts_event and level is not None and _reached(order, level, high, low):
            venue.count("stopped_in_entry_bar")
            order.in_bar = True
            # a stop beyond the entry triggers where the market is, not at its own better level
            entry = book.last_ticks
            level = min(level, entry) if order.side < 0 else max(level, entry)
            _trigger_at(venue, book, order, level, bar.ts_event)


def bar_close(venue: SimVenue, book: InstrumentBook, close: int, ts: int) -> None:
    """Close the bar: orders that came during it may take part in the next one."""
    book.last_ticks = close
    book.ts_close = 0
    venue.account.marks[book.instrument.id] = book.mark_ticks or close
    for order in book.orders.values():
        order.in_bar = False
        if order.kind is OrderType.TRAILING_STOP:
            order.follow(close)
        order.resting = order.resting or (not order.waits_for_trigger and order.accepted_ts < ts)
    venue.expire_due(book, ts)


def pass_by(venue: SimVenue, book: InstrumentBook, close: int, volume: int, ts_close: int) -> None:
    """Take note of a bar that touched no order; what was taken of its volume at its open stays taken."""
    if book.ts_close != ts_close:
        share = venue.settings.fills.bar_participation
        book.volume_left = int(volume * share) if share else -1
    book.ts_close = 0
    book.volume_lots = volume
    venue.see_price(book.instrument.id, close)


# -- steps -------------------------------------------------------------------------------------------


def _stop_in_range(
    venue: SimVenue, book: InstrumentBook, order: SimOrder, high: int, low: int, close: int, ts: int
) -> None:
    if order.kind is OrderType.TRAILING_STOP:
        level = order.trailing_stop_ticks
        if level is not None and _reached(order, level, high, low):
            _trigger_at(venue, book, order, level, ts)
            return
        order.follow(high if order.side < 0 else low)
        level = order.trailing_stop_ticks
        # the best price came, and the close lies beyond the raised stop: it must have been crossed since
        if level is not None and _reached(order, level, close, close):
            _trigger_at(venue, book, order, level, ts)
        return
    level = order.stop_ticks
    if level is None or not _reached(order, level, high, low):
        return
    if order.kind is OrderType.STOP_LIMIT and order.px_ticks is not None:
        venue.triggered(order, ts)
        marketable = order.px_ticks >= level if order.side > 0 else order.px_ticks <= level
        if marketable:
            _take(venue, book, order, level, ts)
        elif _through(venue, order, order.px_ticks, close, close):
            _make(venue, book, order, order.px_ticks, ts)  # the close proves that the price came back
        _end_immediate(venue, book, order, ts)
        order.resting = True
        return
    _trigger_at(venue, book, order, level, ts)


def _limit_in_range(
    venue: SimVenue, book: InstrumentBook, order: SimOrder, high: int, low: int, ts: int
) -> None:
    if order.kind in (OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT):
        level = order.stop_ticks
        if level is None or not _take_reached(order, level, high, low):
            return
        limit = order.px_ticks
        venue.triggered(order, ts)
        if limit is None or (limit - level) * order.side >= 0:
            _take(venue, book, order, level, ts)
        elif _through(venue, order, limit, high, low):
            _make(venue, book, order, limit, ts)
        _end_immediate(venue, book, order, ts)
        order.resting = True
    elif order.kind is OrderType.LIMIT and order.px_ticks is not None:
        if _through(venue, order, order.px_ticks, high, low):
            _make(venue, book, order, order.px_ticks, ts)
        order.resting = True


def _trigger_at(venue: SimVenue, book: InstrumentBook, order: SimOrder, level: int, ts: int) -> None:
    venue.triggered(order, ts)
    if order.px_ticks is None or (order.px_ticks - level) * order.side >= 0:
        _take(venue, book, order, level, ts)
    _end_immediate(venue, book, order, ts)
    order.resting = True


def _take(venue: SimVenue, book: InstrumentBook, order: SimOrder, px: int, ts: int) -> None:
    """Execute as a taker at a price plus slippage, never beyond the order's own limit."""
    lots = _available(venue, book, order)
    if lots == 0:
        return
    paid = slipped(px, order.side, venue.settings.slippage, lots, book.volume_lots)
    if order.kind is OrderType.LIMIT and order.px_ticks is not None:
        paid = min(paid, order.px_ticks) if order.side > 0 else max(paid, order.px_ticks)
    book.last_ticks = px
    _use(book, venue.fill(order, book, lots, paid, px, Liquidity.TAKER, ts))


def _make(venue: SimVenue, book: InstrumentBook, order: SimOrder, px: int, ts: int) -> None:
    """Execute as a maker at exactly the given price."""
    lots = _available(venue, book, order)
    if lots:
        book.last_ticks = px
        _use(book, venue.fill(order, book, lots, px, px, Liquidity.MAKER, ts))


def _available(venue: SimVenue, book: InstrumentBook, order: SimOrder) -> int:
    if book.volume_left < 0:
        return order.leaves
    lots = min(order.leaves, book.volume_left)
    if order.tif is TimeInForce.FOK and lots < order.leaves:
        return 0
    if lots < order.leaves:
        venue.count("cut_by_volume")
    return lots


def _use(book: InstrumentBook, lots: int) -> None:
    if book.volume_left >= 0:
        book.volume_left -= lots


def _end_immediate(venue: SimVenue, book: InstrumentBook, order: SimOrder, ts: int) -> None:
    if order.tif in (TimeInForce.IOC, TimeInForce.FOK) and order.order_id in book.orders:
        venue.end(order, ts, OrderExpired, f"{order.tif.name}: not filled at once")


def _reached(order: SimOrder, level: int, high: int, low: int) -> bool:
    """Tell whether the price reached the trigger: stops against us, take-profits for us."""
    if order.kind in (OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT):
        return _take_reached(order, level, high, low)
    return high >= level if order.side > 0 else low <= level


def _take_reached(order: SimOrder, level: int, high: int, low: int) -> bool:
    return low <= level if order.side > 0 else high >= level


def _crosses(order: SimOrder, px: int) -> bool:
    assert order.px_ticks is not None
    return px <= order.px_ticks if order.side > 0 else px >= order.px_ticks


def _through(venue: SimVenue, order: SimOrder, limit: int, high: int, low: int) -> bool:
    """Tell whether the price went through a limit (or touched it, where that is enough)."""
    if venue.settings.fills.limit_on is LimitOn.TOUCH:
        return low <= limit if order.side > 0 else high >= limit
    return low < limit if order.side > 0 else high > limit


def _sorted(book: InstrumentBook) -> list[SimOrder]:
    """Return the orders as they came, protective stops first."""
    return sorted(book.orders.values(), key=lambda order: not order.is_protective_stop)


def _count_both_hit(
    venue: SimVenue, others: list[SimOrder], book: InstrumentBook, high: int, low: int
) -> None:
    """Count the bars in which a stop ended a group whose target also lay inside the range."""
    for order in others:
        if order.order_id in book.orders or not order.group_id or order.cum_lots:
            continue
        if order.kind is OrderType.LIMIT and order.px_ticks is not None:
            hit = _through(venue, order, order.px_ticks, high, low)
        else:
            hit = order.stop_ticks is not None and _take_reached(order, order.stop_ticks, high, low)
        if hit:
            venue.count("both_hit")
