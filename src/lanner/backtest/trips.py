"""Round trips: every exit is matched with the oldest entry that is still open (first in, first out).

One trip is a pair of an entry order and an exit order, so an entry that is closed in two steps makes two
trips, and a simple in-and-out makes one. Fees, funding and slippage are shared by quantity. The trips'
profits add up to the position's, whatever the matching.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from lanner.analysis.records import RoundTrip
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import FundingPaid, OrderFilled
from lanner.portfolio.matching import Matcher, OpenEntry, Pair


def round_trips(
    fills: Sequence[tuple[OrderFilled, Order]],
    funding: Sequence[tuple[int, FundingPaid]],
    marks: dict[str, float],
    prices: dict[str, tuple[Any, Any, Any, Any]],
    end_ts: int,
) -> list[RoundTrip]:
    """Return the round trips of a run in the order of their exits; what is still open is valued at the mark.

    ``funding`` are payments with the number of fills that came before: at one time stamp a position may be paid
    for and closed. ``prices`` maps an instrument to its sampled times, prices, highs and lows, for the excursions.
    """
    made: list[tuple[Pair, RoundTrip]] = []
    groups: dict[tuple[str, str], list[tuple[int, OrderFilled, Order]]] = {}
    for number, (fill, order) in enumerate(fills):
        groups.setdefault((order.strategy_id, order.instrument_id), []).append((number, fill, order))
    for own in groups.values():
        instrument = own[0][2].instrument
        pairs, left = _match(own)
        mark = marks.get(instrument.id, 0.0)
        made += [(pair, _trip(pair, instrument, None, end_ts)) for pair in pairs]
        made += [(pair, _trip(pair, instrument, mark, end_ts)) for pair in _still_open(left, end_ts)]
    _share_funding(made, funding)
    trips = [trip for _, trip in made]
    trips.sort(key=lambda trip: (trip.exit_ts, trip.entry_ts, trip.instrument_id, trip.strategy_id))
    for number, trip in enumerate(trips, 1):
        trip.id = number
        if trip.instrument_id in prices:
            trip.mae, trip.mfe = _excursions(trip, *prices[trip.instrument_id])
    return trips


def _match(fills: Sequence[tuple[int, OrderFilled, Order]]) -> tuple[list[Pair], deque[OpenEntry]]:
    matcher = Matcher()
    for number, fill, order in fills:
        matcher.take(number, fill, order)
    return list(matcher.pairs.values()), matcher.waiting


def _still_open(waiting: deque[OpenEntry], end_ts: int) -> list[Pair]:
    pairs: dict[str, Pair] = {}
    for entry in waiting:
        pair = pairs.setdefault(
            entry.order.order_id,
            Pair(entry.order, None, int(entry.order.side), entry.ts, end_ts, first_fill=entry.number),
        )
        pair.lots += entry.lots
        pair.entry_sum += entry.lots * entry.px_ticks
        pair.fees += entry.lots * entry.fee_per_lot
        pair.slippage += entry.lots * entry.slip_per_lot
    return list(pairs.values())


def _trip(pair: Pair, instrument: Instrument, mark: float | None, end_ts: int) -> RoundTrip:
    unit = float(instrument.tick * instrument.lot * instrument.multiplier)
    tick = instrument.tick_float
    entry_px = instrument.px_float(pair.entry_sum) / pair.lots
    exit_px = instrument.px_float(pair.exit_sum) / pair.lots if mark is None else mark
    exit_sum = pair.exit_sum if mark is None else pair.lots * mark / tick
    gross = pair.side * (exit_sum - pair.entry_sum) * unit
    cost = pair.entry_sum * unit
    net = gross - pair.fees
    return RoundTrip(
        id=0,
        instrument_id=instrument.id,
        strategy_id=pair.entry.strategy_id,
        side=pair.side,
        entry_ts=pair.entry_ts,
        exit_ts=pair.exit_ts if mark is None else end_ts,
        entry_px=entry_px,
        exit_px=exit_px,
        qty=instrument.qty_float(pair.lots),
        pnl=net,
        pnl_gross=gross,
        fees=pair.fees,
        funding=0.0,
        slippage=pair.slippage * unit,
        return_frac=net / cost if cost else 0.0,
        entry_reason=_reason(pair.entry),
        exit_reason="still open" if pair.exit is None else _reason(pair.exit),
        open=mark is not None,
        mae=0.0,
        mfe=0.0,
    )


def _reason(order: Order) -> str:
    return order.tag or ("signal" if order.intent in ("target", "order") else order.intent)


def _share_funding(
    made: Sequence[tuple[Pair, RoundTrip]], funding: Sequence[tuple[int, FundingPaid]]
) -> None:
    """Give each payment to the trips that were open when it came, by signed quantity."""
    for after, payment in funding:
        held = [
            trip
            for pair, trip in made
            if trip.instrument_id == payment.instrument_id and pair.first_fill < after <= pair.last_fill
        ]
        net = sum(trip.side * trip.qty for trip in held)
        if not net:
            continue
        for trip in held:
            share = float(payment.amount) * trip.side * trip.qty / net
            trip.funding += share
            trip.pnl += share
            cost = trip.entry_px * trip.qty
            trip.return_frac = trip.pnl / cost if cost else 0.0


def _excursions(trip: RoundTrip, ts: Any, _px: Any, high: Any, low: Any) -> tuple[float, float]:
    """Return the worst and best open return of a trip, from the samples between entry and exit."""
    first = int(np.searchsorted(ts, trip.entry_ts, side="left"))
    last = int(np.searchsorted(ts, trip.exit_ts, side="right"))
    worst = best = trip.side * (trip.exit_px / trip.entry_px - 1)
    if last > first:
        highest, lowest = float(high[first:last].max()), float(low[first:last].min())
        up, down = highest / trip.entry_px - 1, lowest / trip.entry_px - 1
        worst = min(worst, down if trip.side > 0 else -up)
        best = max(best, up if trip.side > 0 else -down)
    return min(0.0, worst), max(0.0, best)
