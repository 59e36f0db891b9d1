"""Match the fills of one position: every exit with the oldest entry that is still open (first in, first out).

A pair is an entry order and an exit order, so an entry that is closed in two steps makes two pairs.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass

from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled
from lanner.portfolio.positions import CoinFees


@dataclass(slots=True)
class OpenEntry:
    """The part of an entry fill that is not closed yet."""

    order: Order
    ts: int
    px_ticks: int
    lots: int
    fee_per_lot: float
    slip_per_lot: int
    number: int


@dataclass(slots=True)
class Pair:
    """What is known of one entry order and exit order together."""

    entry: Order
    exit: Order | None
    side: int
    entry_ts: int
    exit_ts: int = 0
    lots: int = 0
    entry_sum: int = 0
    exit_sum: int = 0
    fees: float = 0.0
    slippage: int = 0
    first_fill: int = 0
    last_fill: int = 1 << 62

    def net(self, instrument: Instrument) -> float:
        """Return what a closed pair made after fees, funding aside."""
        unit = float(instrument.tick * instrument.lot * instrument.multiplier)
        return self.side * (self.exit_sum - self.entry_sum) * unit - self.fees


class Matcher:
    """Match fills as they come; ``waiting`` are the open entries, ``pairs`` what was closed, in that order."""

    __slots__ = ("_coin_fees", "_owed", "pairs", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[OpenEntry] = deque()
        self.pairs: dict[tuple[str, str], Pair] = {}
        self._coin_fees = CoinFees()
        self._owed = 0.0

    def take(self, number: int, fill: OrderFilled, order: Order) -> None:
        """Take the next fill, the ``number``-th of all."""
        side, waiting = int(fill.side), self.waiting
        taken = self._coin_fees.take(fill.base_fee, order.instrument.lot) if fill.base_fee else 0
        lots = fill.lots - taken
        self._owed += float(fill.fee)
        if lots <= 0:  # the fee took all that was bought
            return
        fee, self._owed = self._owed / lots, 0.0
        slip = side * (fill.px_ticks - fill.ref_ticks)
        while lots and waiting and waiting[0].order.side != side:
            entry = waiting[0]
            closed = min(lots, entry.lots)
            pair = self._pair(entry, order)
            pair.exit_ts = fill.ts_event
            pair.last_fill = number
            pair.lots += closed
            pair.entry_sum += closed * entry.px_ticks
            pair.exit_sum += closed * fill.px_ticks
            pair.fees += closed * (entry.fee_per_lot + fee)
            pair.slippage += closed * (entry.slip_per_lot + slip)
            lots -= closed
            entry.lots -= closed
            if not entry.lots:
                waiting.popleft()
        if lots:
            waiting.append(OpenEntry(order, fill.ts_event, fill.px_ticks, lots, fee, slip, number))

    def _pair(self, entry: OpenEntry, exit_order: Order) -> Pair:
        key = (entry.order.order_id, exit_order.order_id)
        pair = self.pairs.get(key)
        if pair is None:
            pair = self.pairs[key] = Pair(entry.order, exit_order, int(entry.order.side), entry.ts)
            pair.first_fill = entry.number
        return pair

    def take_done(self) -> list[Pair]:
        """Return the pairs whose orders have both ended, and give them up here."""
        done = {
            key: pair
            for key, pair in self.pairs.items()
            if pair.entry.is_final and pair.exit is not None and pair.exit.is_final
        }
        for key in done:
            del self.pairs[key]
        return list(done.values())

    def copy(self) -> Matcher:
        """Return a matcher that goes on from here by itself."""
        other = Matcher()
        other.waiting = deque(map(copy, self.waiting))
        other.pairs = {key: copy(pair) for key, pair in self.pairs.items()}
        other._coin_fees = CoinFees()
        other._coin_fees.qty, other._coin_fees.lots = self._coin_fees.qty, self._coin_fees.lots
        other._owed = self._owed
        return other
