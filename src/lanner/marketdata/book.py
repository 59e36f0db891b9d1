"""The level-2 order book: exact ticks and lots inside, floats at the door.

Each side is a dict from key to lots and a sorted list of keys with the best price *last*, so that the
common changes, near the top, move next to nothing. Bids use the tick as key, asks the tick negated.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from lanner.core.errors import DataError
from lanner.model.enums import Side

if TYPE_CHECKING:
    from decimal import Decimal

    from lanner.model.instruments import Instrument
    from lanner.model.market import BookUpdate

Levels = Iterable[tuple[float, float]]
KNOWN_PRICES = 50_000
FINEST = 6
"""How many powers of ten a live book's step may become finer than the instrument's tick."""


class Slippage(NamedTuple):
    """What taking a quantity would cost: average price, its fraction off the best price, and the total."""

    avg_px: float
    slippage_frac: float
    total: float


class _BookSide:
    """One side: ``sign`` is 1 for bids and −1 for asks; keys are ``sign * ticks``, the best is the last.

    ``settle`` is set while a whole book waits to be counted out, and called by whoever looks first.
    """

    __slots__ = ("_keys", "_lots", "settle", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.settle: Callable[[], None] | None = None
        self._keys: list[int] = []
        self._lots: dict[int, int] = {}

    @property
    def keys(self) -> list[int]:
        if self.settle is not None:
            self.settle()
        return self._keys

    @property
    def lots(self) -> dict[int, int]:
        if self.settle is not None:
            self.settle()
        return self._lots

    def put_all(self, levels: Iterable[tuple[int, int]]) -> None:
        """Set levels, or remove them where ``lots`` is 0; removing an absent level is no fault."""
        held, keys = self.lots, self.keys
        for key, lots in levels:
            if lots:
                if key not in held:
                    if not keys or key > keys[-1]:
                        keys.append(key)
                    else:
                        insort(keys, key)
                held[key] = lots
            elif held.pop(key, 0):
                if keys[-1] == key:
                    keys.pop()
                else:
                    del keys[bisect_left(keys, key)]

    def replace(self, levels: dict[int, int]) -> None:
        self.settle = None  # what waited is out of date
        self._lots = levels
        self._keys = sorted(levels)


class BookView:
    """Read an order book. The view is live: it always shows the latest state.

    Prices and quantities are floats in the instrument's units; an empty side has price NaN and
    quantity 0. ``seq`` is the venue's number of the last update, ``updates`` counts those since the
    last snapshot.
    """

    __slots__ = ("_asks", "_bids", "_clock", "_lot", "_tick", "instrument_id")

    def __init__(
        self, instrument_id: str, bids: _BookSide, asks: _BookSide, clock: list[int], tick: _Step, lot: _Step
    ) -> None:
        self.instrument_id = instrument_id
        self._bids = bids
        self._asks = asks
        self._clock = clock
        self._tick = tick
        self._lot = lot

    # -- top -----------------------------------------------------------------------------------------------

    @property
    def best_bid(self) -> float:
        """Return the best bid price, NaN when there is none."""
        keys = self._bids.keys
        return keys[-1] * self._tick.numerator / self._tick.denominator if keys else math.nan

    @property
    def best_ask(self) -> float:
        """Return the best ask price, NaN when there is none."""
        keys = self._asks.keys
        return -keys[-1] * self._tick.numerator / self._tick.denominator if keys else math.nan

    @property
    def best_bid_ticks(self) -> int | None:
        """Return the best bid in ticks, None when there is none."""
        keys = self._bids.keys
        return keys[-1] if keys else None

    @property
    def best_ask_ticks(self) -> int | None:
        """Return the best ask in ticks, None when there is none."""
        keys = self._asks.keys
        return -keys[-1] if keys else None

    @property
    def bid_qty(self) -> float:
        """Return the quantity at the best bid."""
        keys = self._bids.keys
        return self._lot.value(self._bids.lots[keys[-1]]) if keys else 0.0

    @property
    def ask_qty(self) -> float:
        """Return the quantity at the best ask."""
        keys = self._asks.keys
        return self._lot.value(self._asks.lots[keys[-1]]) if keys else 0.0

    @property
    def mid(self) -> float:
        """Return (bid + ask) / 2, NaN when a side is empty."""
        return (self.best_bid + self.best_ask) * 0.5

    @property
    def spread(self) -> float:
        """Return ask − bid, NaN when a side is empty, negative when the book is crossed."""
        bids, asks = self._bids.keys, self._asks.keys
        return self._tick.value(-asks[-1] - bids[-1]) if bids and asks else math.nan

    @property
    def imbalance(self) -> float:
        """Return (bid − ask) / (bid + ask) of the quantities at the top, 0 when both sides are empty."""
        bid, ask = self.bid_qty, self.ask_qty
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    @property
    def crossed(self) -> bool:
        """Tell whether the best bid is above the best ask, which a healthy feed never shows."""
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids and asks) and bids[-1] > -asks[-1]

    @property
    def locked(self) -> bool:
        """Tell whether best bid and best ask are the same price."""
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids and asks) and bids[-1] == -asks[-1]

    # -- depth ---------------------------------------------------------------------------------------------

    def depth(self, side: Side, levels: int | None = None) -> Iterator[tuple[float, float]]:
        """Yield (price, quantity) of one side (BUY for bids) from the best outwards."""
        book_side = self._side(side)
        tick, lot, sign, held = self._tick, self._lot, book_side.sign, book_side.lots
        keys = book_side.keys
        for key in keys[: -levels - 1 : -1] if levels is not None else keys[::-1]:
            yield tick.value(sign * key), lot.value(held[key])

    def ticks(self, side: Side, levels: int | None = None) -> list[tuple[int, int]]:
        """Return (ticks, lots) of one side from the best outwards."""
        book_side = self._side(side)
        keys, held, sign = book_side.keys, book_side.lots, book_side.sign
        chosen = keys[: -levels - 1 : -1] if levels is not None else keys[::-1]
        return [(sign * key, held[key]) for key in chosen]

    def lots_at(self, side: Side, ticks: int) -> int:
        """Return the lots resting at a price, 0 when there are none."""
        book_side = self._side(side)
        return book_side.lots.get(book_side.sign * ticks, 0)

    def level_count(self, side: Side) -> int:
        """Return the number of price levels on one side."""
        return len(self._side(side).keys)

    def depth_to(self, side: Side, px: float) -> float:
        """Return the quantity of one side from the best price to ``px``, inclusive."""
        book_side = self._side(side)
        steps = px * self._tick.denominator / self._tick.numerator
        nearest = round(steps)
        ticks = (
            nearest if abs(steps - nearest) < 1e-6 else math.ceil(steps) if side > 0 else math.floor(steps)
        )
        keys, held = book_side.keys, book_side.lots
        return self._lot.value(sum(map(held.__getitem__, keys[bisect_left(keys, book_side.sign * ticks) :])))

    def slippage(self, side: Side, qty: float) -> Slippage | None:
        """Say what an order that takes ``qty`` now would pay: BUY takes the asks, SELL the bids.

        The fraction compares the average with the best price and is never negative; ``total`` is
        average times quantity. None when the book holds less than ``qty``.
        """
        wanted = self._lot.ceil(qty)
        if wanted <= 0:
            raise DataError("slippage of nothing", expected="a quantity > 0", found=qty)
        other = self._side(side.opposite)
        held, left, value = other.lots, wanted, 0
        for key in reversed(other.keys):
            part = min(left, held[key])
            value += part * key
            left -= part
            if not left:
                break
        else:
            return None
        avg_px = self._tick.value(value * other.sign) / wanted
        best = self._tick.value(other.sign * other.keys[-1])
        return Slippage(avg_px, abs(avg_px - best) / best, avg_px * qty)

    # -- identity ------------------------------------------------------------------------------------------

    @property
    def ts_event(self) -> int:
        """Return the venue time of the last change."""
        return self._clock[0]

    @property
    def ts_recv(self) -> int:
        """Return the receive time of the last change."""
        return self._clock[1]

    @property
    def seq(self) -> int:
        """Return the venue's number of the last update, 0 when it tells none."""
        return self._clock[2]

    @property
    def updates(self) -> int:
        """Return how many updates followed the last snapshot."""
        return self._clock[3]

    def _side(self, side: Side) -> _BookSide:
        return self._bids if side > 0 else self._asks

    def __repr__(self) -> str:
        return (
            f"<book {self.instrument_id} {self.bid_qty:g} @ {self.best_bid:g} | "
            f"{self.best_ask:g} @ {self.ask_qty:g}>"
        )


class L2Book(BookView):
    """Keep an order book up to date; hand ``view`` to those who may only read it.

    Quantities are counted in the instrument's lots, or in ``qty_step``: a venue that once had a finer
    lot can still show old orders of odd size. With ``refines`` a price off the grid makes the book's own step finer
    instead of an error, for live books: a venue that once had a finer tick can still show old orders. What counts in
    ticks then counts in ``step``. Such a book keeps a whole book as it came until somebody looks at it, since most
    are replaced unseen; a level that cannot be then shows up there.
    """

    __slots__ = ("_known_asks", "_known_bids", "_refines", "_waiting", "view")

    def __init__(
        self, instrument: Instrument, *, qty_step: Decimal | None = None, refines: bool = False
    ) -> None:
        tick, lot = _Step(instrument.tick), _Step(qty_step or instrument.lot)
        bids, asks, clock = _BookSide(1), _BookSide(-1), [0, 0, 0, 0]
        super().__init__(instrument.id, bids, asks, clock, tick, lot)
        self._known_bids: dict[float, int] = {}
        self._known_asks: dict[float, int] = {}
        self._refines = refines
        self._waiting: BookUpdate | None = None
        self.view = BookView(instrument.id, bids, asks, clock, tick, lot)

    def apply(self, update: BookUpdate) -> None:
        """Apply a snapshot (replaces everything) or level changes (quantity 0 removes a level).

        Raises ``DataError`` for a price off the instrument's grid or a negative quantity, and leaves the
        book as it was.
        """
        clock = self._clock
        if update.snapshot and self._refines:
            self._waiting = update
            self._bids.settle = self._asks.settle = self._settle
            clock[0], clock[1], clock[2], clock[3] = update.ts_event, update.ts_recv, update.seq, 0
            return
        if self._waiting is not None and not update.snapshot:
            self._settle()
        self._count(update)
        clock[0], clock[1], clock[2] = update.ts_event, update.ts_recv, update.seq

    def _settle(self) -> None:
        """Count out the book that waits; one that cannot be leaves none."""
        update, self._waiting = self._waiting, None
        self._bids.settle = self._asks.settle = None
        assert update is not None
        try:
            self._count(update)
        except DataError:
            self._bids.replace({})
            self._asks.replace({})
            raise

    def _count(self, update: BookUpdate) -> None:
        clock = self._clock
        try:
            if update.snapshot:
                whole_bids, whole_asks = self._whole(update.bids, 1), self._whole(update.asks, -1)
                self._bids.replace(whole_bids)
                self._asks.replace(whole_asks)
                clock[3] = 0
            else:
                bids, asks = self._levels(update.bids, 1), self._levels(update.asks, -1)
                self._bids.put_all(bids)
                self._asks.put_all(asks)
                clock[3] += 1
        except _FinerStepNeeded as need:
            self._refine(need.px)
            self._count(update)

    def put(self, side: Side, ticks: int, lots: int) -> None:
        """Set one level in exact units; 0 lots remove it."""
        book_side = self._side(side)
        book_side.put_all(((book_side.sign * ticks, lots),))

    def clear(self) -> None:
        """Forget all levels, e.g. after a gap in the sequence."""
        self._bids.replace({})
        self._asks.replace({})
        self._clock[:] = [0, 0, 0, 0]

    @property
    def step(self) -> float:
        """Return what one tick of this book is worth: the instrument's, or finer where the venue shows finer prices."""
        return self._tick.value(1)

    def _refine(self, px: float) -> None:
        """Count prices in a tenth, a hundredth … of the step, so that this one lies on the grid."""
        for power in range(1, FINEST + 1):
            factor = 10**power
            steps = px * self._tick.inverse * factor
            if abs(steps - round(steps)) < 1e-3:
                break
        else:
            raise _off_grid(px, self._tick)
        self._tick.divide(factor)
        for side in (self._bids, self._asks):
            side.replace({key * factor: lots for key, lots in side.lots.items()})
        self._known_bids.clear()
        self._known_asks.clear()

    def _whole(self, levels: Levels, sign: int) -> dict[int, int]:
        """Return the lots of each key of a whole side; the short way where all prices are known and nothing is odd."""
        known = self._known_bids if sign > 0 else self._known_asks
        inverse = self._lot.inverse
        try:
            held = {known[px]: int(qty * inverse + 0.5) for px, qty in levels}
        except (KeyError, ValueError, OverflowError):
            held = {}
        if not held or min(held.values()) <= 0:
            return {key: lots for key, lots in self._levels(levels, sign) if lots}
        return held

    def _levels(self, levels: Levels, sign: int) -> list[tuple[int, int]]:
        """Return (key, lots) of each level.

        Prices come back again and again, so their keys are remembered: a look-up costs a third of the
        arithmetic and the check of the grid.
        """
        known = self._known_bids if sign > 0 else self._known_asks
        inverse = self._lot.inverse
        exact = []
        for px, qty in levels:
            key = known.get(px)
            if key is None:
                key = self._learn(known, px, sign)
            if qty > 0.0:
                lots = int(qty * inverse + 0.5)
                exact.append((key, lots or 1))
            elif qty == 0.0:
                exact.append((key, 0))
            else:
                raise DataError(
                    "a book level's quantity is not a quantity", expected="0 to remove, else > 0", found=qty
                )
        return exact

    def _learn(self, known: dict[float, int], px: float, sign: int) -> int:
        steps = px * self._tick.inverse
        ticks = round(steps) if math.isfinite(steps) else 0
        if not -1e-3 < steps - ticks < 1e-3:
            if not self._refines or not math.isfinite(steps):
                raise _off_grid(px, self._tick)
            raise _FinerStepNeeded(px)
        if len(known) >= KNOWN_PRICES:
            known.clear()
        known[px] = sign * ticks
        return sign * ticks


class _FinerStepNeeded(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, px: float) -> None:
        self.px = px
        super().__init__(px)


def _off_grid(px: float, tick: _Step) -> DataError:
    return DataError(
        "a book level's price is off the instrument's grid",
        expected=f"a multiple of {tick.value(1):g}",
        found=px,
        fix="Give the instrument the tick that the data use.",
    )


class _Step:
    """A tick or a lot as an exact ratio, and the ways across it."""

    __slots__ = ("denominator", "inverse", "numerator")

    def __init__(self, step: Decimal) -> None:
        self.numerator, self.denominator = step.as_integer_ratio()
        self.inverse = self.denominator / self.numerator

    def divide(self, factor: int) -> None:
        """Make the step so many times smaller."""
        ratio = Fraction(self.numerator, self.denominator) / factor
        self.numerator, self.denominator = ratio.numerator, ratio.denominator
        self.inverse = self.denominator / self.numerator

    def value(self, steps: int) -> float:
        """Return so many steps as the nearest float."""
        return steps * self.numerator / self.denominator

    def ceil(self, value: float) -> int:
        """Return the smallest number of steps that covers the value, forgiving float dust."""
        return math.ceil(value * self.inverse * (1.0 - 1e-12))
