"""Compare what we believe with what a venue says, and write the difference as reports.

The venue wins on quantity, the journal on attribution. Nothing is guessed: an order that the venue does not know is
believed lost only when it has had time to arrive and none of its fills is known. Pure functions; the session asks the
venue and feeds the reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from lanner.model.accounts import VenueFill, VenueOrder, VenuePosition
from lanner.model.enums import Liquidity, OrderStatus, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import (
    CONCLUDED,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReport,
    OrderTriggered,
    PositionAdjusted,
)

LAG_NS = 10_000_000_000


def own_fills(order: Order, fills: Iterable[VenueFill]) -> list[OrderFilled]:
    """Return the fills of an order that it does not have yet, oldest first."""
    found = []
    for fill in fills:
        report = fill.report
        mine = report.order_id == order.order_id or (
            bool(fill.venue_order_id) and fill.venue_order_id == order.venue_order_id
        )
        if mine and report.instrument_id == order.instrument_id and report.trade_id not in order.trade_ids:
            found.append(msgspec.structs.replace(report, order_id=order.order_id))
    return sorted(found, key=lambda report: (report.ts_event, report.trade_id))


def settle_order(
    order: Order,
    told: VenueOrder | None,
    fills: Sequence[VenueFill],
    now: int,
    *,
    absence_ns: int,
    missing_ns: int = 0,
    lag_ns: int = LAG_NS,
    mark_px: float = float("nan"),
) -> list[OrderReport]:
    """Return the reports that bring an order to what the venue says of it; none when there is nothing to learn.

    ``told`` None means that the venue has never heard of it; that is believed ``absence_ns`` after it was last touched,
    or when the venue has said so for that long (``missing_ns``): asking it back again and again keeps nothing alive.
    A venue's list of fills may lag behind what it counts: a fill that is not in it is concluded ``lag_ns`` after the
    order's last change; at ``mark_px`` where the venue tells no price and the order has none.
    """
    reports: list[OrderReport] = list(own_fills(order, fills))
    filled = order.cum_lots + sum(report.lots for report in reports if isinstance(report, OrderFilled))
    name = (order.order_id, order.instrument_id)
    if told is None:
        if not reports and order.is_open and max(missing_ns, now - order.ts_last) >= absence_ns:
            reports.append(_gone(order, now))
        return reports
    ts = max(told.ts_last, order.ts_last, 0 if order.requests is None else order.requests.amended[0])
    if (
        order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
        and told.status is not OrderStatus.REJECTED
    ):
        reports.insert(0, OrderAccepted(*name, told.ts_init or ts, now, told.venue_order_id))
    if told.status is OrderStatus.TRIGGERED and not order.triggered:
        reports.append(OrderTriggered(*name, ts, now))
    if told.cum_lots > filled:
        if now - told.ts_last < lag_ns:
            return reports
        reports.append(_concluded(order, told, filled, now, mark_px))
    if told.status in _WORKING:
        if order.is_open and _is_news(order, told, now, absence_ns):
            reports.append(
                OrderAmended(*name, ts, now, told.lots, told.px_ticks, told.stop_ticks or order.stop_ticks)
            )
        return reports
    reason = told.reason or "found so when the venue was asked"
    if not order.is_final or reports:
        if told.status is OrderStatus.CANCELED:
            reports.append(OrderCanceled(*name, ts, now, reason))
        elif told.status is OrderStatus.EXPIRED:
            reports.append(OrderExpired(*name, ts, now, reason))
        elif told.status is OrderStatus.REJECTED:
            reports.append(OrderRejected(*name, ts, now, reason))
        elif told.cum_lots < order.lots:  # filled at a size that it was amended to, which was never answered
            px_ticks, stop_ticks = told.px_ticks or order.px_ticks, told.stop_ticks or order.stop_ticks
            reports.append(OrderAmended(*name, ts, now, told.cum_lots, px_ticks, stop_ticks))
    return reports


def _is_news(order: Order, told: VenueOrder, now: int, absence_ns: int) -> bool:
    """Tell whether a working order's state is to be taken over.

    After an amend that nobody answered the order counts with what was asked for, until that cannot arrive any more.
    """
    requests = order.requests
    if requests is not None and requests.asked_lots and not requests.amends:
        return now - order.ts_last >= absence_ns
    return (told.lots, told.px_ticks) != (order.lots, order.px_ticks)


def _gone(order: Order, now: int) -> OrderReport:
    """Say what became of an order that the venue does not know: one that it once had has ended there."""
    name = (order.order_id, order.instrument_id, now, now)
    if order.venue_order_id or order.cum_lots:
        return OrderCanceled(*name, "the venue does not know it any more")
    return OrderRejected(*name, "the venue has never heard of it", "NEVER_ARRIVED")


_WORKING = frozenset({OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})


def _concluded(order: Order, told: VenueOrder, filled: int, now: int, mark_px: float) -> OrderFilled:
    """Write a fill that the venue counts but never told: quantity from its count, price from its average.

    The fee is a taker's; what the venue tells later corrects both, see ``execution.late_fills``.
    """
    lots = told.cum_lots - filled
    instrument = order.instrument
    px_ticks = order.px_ticks or (round(mark_px / instrument.tick_float) if mark_px == mark_px else 0)
    if told.avg_px == told.avg_px and told.avg_px > 0:
        paid = told.avg_px / instrument.tick_float * told.cum_lots - order.notional
        px_ticks = (
            max(1, round(paid / lots))
            if filled == order.cum_lots
            else round(told.avg_px / instrument.tick_float)
        )
    fee = instrument.fees.taker * instrument.px(px_ticks) * instrument.qty(lots) * instrument.multiplier
    keeps_coin = instrument.is_spot and instrument.fees.in_base and order.side is Side.BUY
    return OrderFilled(
        order.order_id,
        order.instrument_id,
        max(told.ts_last, order.ts_last),
        now,
        f"{CONCLUDED}-{order.order_id}-{told.cum_lots}",
        order.side,
        max(1, px_ticks),
        lots,
        fee,
        Liquidity.TAKER,
        max(1, px_ticks),
        "concluded from the order's quantity at the venue",
        instrument.fees.taker * instrument.qty(lots) if keeps_coin else Decimal(0),
    )


@dataclass(slots=True)
class Difference:
    """A position that no fill explains: what we have, what the venue has."""

    instrument_id: str
    ours: int
    theirs: int
    adjusted: list[PositionAdjusted] = field(default_factory=list)


def compare_positions(
    ours: Mapping[tuple[str, str], int],
    theirs: Iterable[VenuePosition],
    instruments: Mapping[str, Instrument],
    marks: Mapping[str, float],
    now: int,
    heir: Callable[[str], str],
) -> list[Difference]:
    """Return the perpetuals whose net position differs, with the adjustments that mend them.

    ``ours`` maps (strategy, instrument) to lots. The difference goes to the strategy that has traded the instrument;
    where several have, to the one with the largest position, because that is where it is most likely missing; where
    none has, to its ``heir``. A venue nets everything, so a position that nobody counted would be closed unseen.
    """
    venue: dict[str, int] = {}
    prices: dict[str, float] = {}
    for position in theirs:
        venue[position.instrument_id] = venue.get(position.instrument_id, 0) + position.lots
        known = position.mark_px == position.mark_px
        prices[position.instrument_id] = position.mark_px if known else position.entry_px
    found = []
    for name, instrument in instruments.items():
        if instrument.is_spot:
            continue
        holders = {owner: lots for (owner, held), lots in ours.items() if held == name}
        net, told = sum(holders.values()), venue.get(name, 0)
        if net == told:
            continue
        difference = Difference(name, net, told)
        mark = marks.get(name, float("nan"))
        if mark != mark:  # at a start no price has come yet
            mark = prices.get(name, mark)
        if mark == mark:
            owner = max(holders, key=lambda key: (abs(holders[key]), key), default="") or heir(name)
            ticks = max(1, round(mark / instrument.tick_float))
            difference.adjusted.append(
                PositionAdjusted(
                    owner, name, now, now, told - net, ticks, f"the venue has {told} lots, we had {net}"
                )
            )
        found.append(difference)
    return found
