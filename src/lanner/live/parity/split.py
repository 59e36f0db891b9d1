"""Split the difference of two joined orders into latency, fill price, fees, and what follows from orders before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lanner.engine.engine import Engine
from lanner.live.parity.join import Joined
from lanner.live.parity.runs import Mids, Story
from lanner.model.enums import Liquidity, OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled

ZERO = Decimal(0)
PARTS = ("latency", "queue_fill", "fees", "funding", "missed_data", "manual_action", "rest")
ASKED_BACK = "canceled on request"
"""What the simulated venue says of an order that the strategy cancelled: no news beside the status."""
_CAUSES = {
    "latency": "an earlier answer came at another time",
    "queue_fill": "an earlier fill was another one",
    "fees": "fees were others before",
    "missed_data": "market data were missing",
    "manual_action": "an order was denied before",
}


@dataclass(slots=True)
class Pair:
    """One intent on both sides, what its difference is made of, and why, in words."""

    session: Order | None
    backtest: Order | None
    session_fills: list[OrderFilled]
    backtest_fills: list[OrderFilled]
    parts: dict[str, Decimal]
    note: str = ""

    @property
    def either(self) -> Order:
        """Return the order of one side, the session's where it exists."""
        found = self.session or self.backtest
        assert found is not None
        return found

    @property
    def gap(self) -> Decimal:
        """Return the difference of the order's values, session less backtest."""
        return sum(self.parts.values(), ZERO)


def mark_of(engine: Engine, instrument_id: str) -> Decimal:
    return Decimal(repr(engine.cache.marks.get(instrument_id, 0.0)))


def _fills_by_order(engine: Engine) -> dict[str, list[OrderFilled]]:
    found: dict[str, list[OrderFilled]] = {}
    for fill, order in engine.execution.fills:
        found.setdefault(order.order_id, []).append(fill)
    return found


class Splitter:
    """Split the differences of joined orders, in the order of time: what differed first explains what follows."""

    def __init__(self, was: Engine, same: Engine, story: Story, *, live: bool) -> None:
        self._was, self._same, self._story, self._live = was, same, story, live
        self._was_fills, self._same_fills = _fills_by_order(was), _fills_by_order(same)
        self._cause: dict[str, str] = {}

    def pair(self, joined: Joined) -> Pair:
        """Return a joined order with its difference split; call it in the order of time."""
        a, b = joined.session, joined.backtest
        pair = Pair(
            a,
            b,
            self._was_fills.get(a.order_id, []) if a is not None else [],
            self._same_fills.get(b.order_id, []) if b is not None else [],
            dict.fromkeys(PARTS, ZERO),
        )
        rate = self._was.portfolio.rate(joined.either.instrument.settle)
        price = (self._worth(self._was, a) - self._worth(self._same, b)) * rate
        if a is None or b is None:
            order = joined.either
            fees = order.fees * rate if a is None else -order.fees * rate
            self._follow(pair, price + fees, f"only in the {'backtest' if a is None else 'session'}")
            return pair
        fees = (b.fees - a.fees) * rate
        pair.parts["fees"] = _fees_of_both(a, b) * rate
        price += fees - pair.parts["fees"]  # fees of lots that only one side has go with these lots
        if self._missed(a, b) and price:
            pair.parts["missed_data"] = price
            pair.note = _CAUSES["missed_data"]
        else:
            self._split_price(pair, a, b, price, rate)
        first = _first(pair, a, b)
        if first:
            self._cause.setdefault(a.strategy_id, first)
        return pair

    def _split_price(self, pair: Pair, a: Order, b: Order, price: Decimal, rate: Decimal) -> None:
        """Split a difference in price and quantity; a quantity asked for differently follows from something before."""
        if _limits(a) != _limits(b):
            self._follow(pair, price, "another price was asked")
            return
        common = min(a.cum_lots, b.cum_lots)
        latency = self._latency(pair, common) * rate
        if _asked_alike(a, b):
            pair.note = _note(a, b)
            both = price
        else:
            unit = a.instrument.lot * a.instrument.multiplier * a.instrument.tick
            both = ZERO
            if common:
                both = (
                    int(a.side)
                    * common
                    * unit
                    * rate
                    * (b.notional / Decimal(b.cum_lots) - a.notional / Decimal(a.cum_lots))
                )
            if (a.cum_lots, b.cum_lots) == (a.lots, b.lots):
                self._follow(pair, price - both, "another size was asked")
            else:  # what one side did not get is not the doing of what was asked
                both = price
                pair.note = sized_note(a, b)
        pair.parts["latency"] += latency
        pair.parts["queue_fill"] += both - latency

    def _worth(self, engine: Engine, order: Order | None) -> Decimal:
        """Return what an order's fills are worth at the last price, fees aside, in its settle currency."""
        if order is None:
            return ZERO
        instrument = order.instrument
        unit = instrument.lot * instrument.multiplier
        gained = order.cum_lots * mark_of(engine, instrument.id) - instrument.tick * order.notional
        return int(order.side) * unit * gained

    def _follow(self, pair: Pair, amount: Decimal, what: str) -> None:
        """Give what only one side has to what made it so, or to the rest when nothing differed before."""
        cause = self._reason(pair)
        pair.parts[cause or "rest"] += amount
        if cause:
            pair.note = f"{what}: {_CAUSES[cause]}"
            self._cause.setdefault(pair.either.strategy_id, cause)

    def _reason(self, pair: Pair) -> str:
        order = pair.either
        if self._missed(*(one for one in (pair.session, pair.backtest) if one is not None)):
            return "missed_data"
        return self._cause.get(order.strategy_id, "")

    def _missed(self, *orders: Order) -> bool:
        """Tell whether market data were missing while one of the orders was decided on or worked."""
        return any(
            begin <= order.ts_last and order.ts_init <= end
            for begin, end, _ in self._story.gaps
            for order in orders
        )

    def _latency(self, pair: Pair, lots: int) -> Decimal:
        """Return what it cost that the market had moved when the session's order met it.

        Only takers meet the market as it stands; who rests is filled at his own price, whenever that is.
        """
        ours, theirs = pair.session_fills, pair.backtest_fills
        instrument = pair.either.instrument
        mids = self._story.mids.get(instrument.id)
        if not lots or mids is None or not _takes(ours) or not _takes(theirs):
            return ZERO
        met = _average_mid(mids, ours, received=not self._live)
        expected = _average_mid(mids, theirs, received=True)
        if met is None or expected is None:
            return ZERO
        return int(pair.either.side) * lots * instrument.lot * instrument.multiplier * (expected - met)


def _fees_of_both(a: Order, b: Order) -> Decimal:
    """Return the difference in the fees for what both sides filled."""
    if a.cum_lots == b.cum_lots:
        return b.fees - a.fees
    common = min(a.cum_lots, b.cum_lots)
    return common * (b.fees / b.cum_lots - a.fees / a.cum_lots) if common else ZERO


def _note(a: Order, b: Order) -> str:
    """Say in words how the ends of two orders differ that were asked for alike."""
    if a.cum_lots == b.cum_lots and a.notional == b.notional:
        return "" if a.fees == b.fees else "other fees"
    if a.status is not b.status:
        unfilled = [one for one in (a, b) if one.status is not OrderStatus.FILLED]
        told = next((one.reason for one in unfilled if one.reason not in ("", ASKED_BACK)), "")
        return f"{a.status.name.lower()} in the session, {b.status.name.lower()} in the backtest" + (
            f": {told}" if told else ""
        )
    return "filled at another price" if a.cum_lots == b.cum_lots else "another quantity was filled"


def sized_note(a: Order, b: Order) -> str:
    """Say in words how two orders differ that asked for other sizes and did not both get them."""
    return "another quantity was filled" if a.cum_lots != b.cum_lots else "another size was asked"


def _asked_alike(a: Order, b: Order) -> bool:
    return (a.lots, a.reduce_only, a.post_only) == (b.lots, b.reduce_only, b.post_only)


def _limits(order: Order) -> tuple[object, ...]:
    return order.px_ticks, order.stop_ticks, order.trail_ticks, order.trail_frac


def _takes(fills: Sequence[OrderFilled]) -> bool:
    return any(fill.liquidity is not Liquidity.MAKER for fill in fills)


def _average_mid(mids: Mids, fills: Iterable[OrderFilled], *, received: bool) -> Decimal | None:
    total, lots = ZERO, 0
    for fill in fills:
        mid = mids.at(fill.ts_event, received=received)
        if mid is None:
            return None
        total += Decimal(repr(mid)) * fill.lots
        lots += fill.lots
    return total / lots


def _first(pair: Pair, a: Order, b: Order) -> str:
    """Return what a pair's difference is made of, as the reason for what follows from it."""
    if OrderStatus.DENIED in (a.status, b.status) and a.status is not b.status:
        return "manual_action"
    if pair.parts["missed_data"]:
        return "missed_data"
    latency, fill = pair.parts["latency"], pair.parts["queue_fill"]
    if latency or fill:
        return "latency" if abs(latency) >= abs(fill) else "queue_fill"
    if pair.parts["fees"]:
        return "fees"
    told_at = [
        max((f.ts_recv for f in fills), default=0) for fills in (pair.session_fills, pair.backtest_fills)
    ]
    return "latency" if told_at[0] != told_at[1] or a.ts_init != b.ts_init else ""
