"""From the kernels' logs to orders, fills and payments as the event engine's venue reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.orders import Order
from lanner.model.reports import FundingPaid, OrderFilled
from lanner.research.market import Market
from lanner.research.vector_play import Played

QUANTUM = Decimal("1e-12")
_TYPES = {0: OrderType.MARKET, 1: OrderType.STOP_MARKET, 2: OrderType.LIMIT, 3: OrderType.TRAILING_STOP}
_INTENTS = {0: "target", 1: "stop", 2: "take", 3: "trail"}
_STATUSES = {
    0: OrderStatus.ACCEPTED,
    1: OrderStatus.FILLED,
    2: OrderStatus.CANCELED,
    3: OrderStatus.REJECTED,
}
_AT_OPEN, _IN_RANGE, _AT_CLOSE = 0, 1, 2
_SIGNAL, _TRAIL = 0, 3
_REFUSED = "the venue refused it: quantity or value outside its limits, or nothing to reduce"


@dataclass(slots=True)
class Ledger:
    """Orders, fills with their orders, and payments with the number of fills before them, in the order of time."""

    orders: list[Order]
    fills: list[tuple[OrderFilled, Order]]
    payments: list[tuple[int, FundingPaid]]


def ledger_of(
    played: Played, markets: Mapping[str, Market], strategy_id: str, tag: str, trail: float
) -> Ledger:
    """Turn the logs of one column into a ledger; ``tag`` is the word for orders that come from what was asked."""
    made: list[tuple[tuple[int, ...], Order]] = []
    own: dict[tuple[str, int], Order] = {}
    events: list[tuple[tuple[int, ...], Any]] = []
    for number, (name, market) in enumerate(markets.items()):
        for index, row in enumerate(played.orders[name]):
            order = _order(row, market, strategy_id, tag, trail)
            own[name, index] = order
            made.append(((*_moment(row, market), number, index), order))
        for index, row in enumerate(played.fills[name]):
            events.append(((*_moment(row, market), number, index), (own[name, int(row["order"])], row)))
        events += [
            ((*_paid_at(market, k), number, k), (name, amount, k))
            for k, amount in _amounts(played, name, market)
        ]
    made.sort(key=lambda item: item[0])
    for count, (_, order) in enumerate(made, 1):
        order.order_id = f"o-o{count}"
    for name in markets:
        for index, row in enumerate(played.orders[name]):
            if row["parent"] >= 0:
                own[name, index].parent_id = own[name, int(row["parent"])].order_id
    ledger = Ledger([order for _, order in made], [], [])
    events.sort(key=lambda item: item[0])
    for _, event in events:
        if len(event) == 2:
            order, row = event
            ledger.fills.append(_fill(order, row, markets[order.instrument_id], len(ledger.fills) + 1))
        else:
            ledger.payments.append((len(ledger.fills), _payment(markets[event[0]], *event[1:])))
    return ledger


def _moment(row: Any, market: Market) -> tuple[int, int]:
    """Return when something happened, and its place among what happens at that time."""
    bar = int(row["bar"])
    if row["at"] == _AT_OPEN:
        return int(market.columns["ts_open"][bar]) + 1, 0
    return int(market.ts[bar]), 1 if row["at"] == _IN_RANGE else 3


def _paid_at(market: Market, payment: int) -> tuple[int, int]:
    bar = int(market.funding.bar[payment])
    if market.funding.at_end[payment]:
        return int(market.ts[bar]), 2
    return int(market.columns["ts_open"][bar]) + 1, 1


def _order(row: Any, market: Market, strategy_id: str, tag: str, trail: float) -> Order:
    why = int(row["why"])
    order = Order(
        "",
        strategy_id,
        market.instrument,
        Side(int(row["side"])),
        _TYPES[why],
        int(row["lots"]),
        _moment(row, market)[0],
        px_ticks=int(row["px"]) or None,
        stop_ticks=int(row["stop"]) or None,
        trail_frac=trail if why == _TRAIL else None,
        tif=TimeInForce.GTC,
        reduce_only=why != _SIGNAL,
        fit=why == _SIGNAL,
        intent=_INTENTS[why],
        tag=tag if why == _SIGNAL else "",
    )
    order.status = _STATUSES[int(row["status"])]
    if order.status is OrderStatus.REJECTED:
        order.reason, order.reject_code = _REFUSED, "REFUSED"
    if row["end_bar"] >= 0:
        order.ts_last = max(order.ts_init, int(market.ts[int(row["end_bar"])]))
    return order


def _fill(order: Order, row: Any, market: Market, number: int) -> tuple[OrderFilled, Order]:
    ts = _moment(row, market)[0]
    lots, px = int(row["lots"]), int(row["px"])
    fee = int(row["fee"]) * QUANTUM
    order.cum_lots += lots
    order.notional += lots * px
    order.fees += fee
    order.ts_last = ts
    fill = OrderFilled(
        order.order_id,
        order.instrument_id,
        ts,
        ts,
        f"{market.instrument.venue}-t{number}",
        order.side,
        px,
        lots,
        fee,
        Liquidity.MAKER if row["maker"] else Liquidity.TAKER,
        int(row["ref"]),
    )
    return fill, order


def _amounts(played: Played, name: str, market: Market) -> list[tuple[int, float]]:
    """Return the payments that an account with these fills received, as the kernel reckoned them."""
    funding, fills = market.funding, played.fills[name]
    if market.instrument.is_spot or not len(funding.bar) or not len(fills):
        return []
    # what of a bar's fills comes before its payments: those at the open, and in the range when it is paid at the end
    moment = fills["bar"] * 4 + np.where(
        fills["at"] == _AT_OPEN, 0, np.where(fills["at"] == _IN_RANGE, 2, 4 - 1)
    )
    due = funding.bar * 4 + np.where(funding.at_end == 1, 2, 0)
    held = np.r_[0, np.cumsum(fills["side"] * fills["lots"])][np.searchsorted(moment, due, side="right")]
    ticks = np.where(funding.at_end == 1, market.ticks[funding.bar, 3], market.ticks[funding.bar, 0])
    unit = float(market.instrument.tick * market.instrument.lot * market.instrument.multiplier)
    amounts = np.floor(-(held * ticks) * unit * funding.rate * 1e12) / 1e12
    return [(int(k), float(amounts[k])) for k in np.flatnonzero((held != 0) & (amounts != 0.0))]


def _payment(market: Market, amount: float, payment: int) -> FundingPaid:
    ts, _ = _paid_at(market, payment)
    paid = Decimal(round(amount * 1e12)) * QUANTUM
    return FundingPaid(market.instrument.id, ts, ts, paid, float(market.funding.rate[payment]))
