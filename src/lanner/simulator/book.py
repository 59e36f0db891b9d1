"""The venue's order book: price levels of queued orders, best price first, first come first served.

A level is a doubly linked list through the orders themselves, so a cancel costs the same at any place. The keys
of a side are kept sorted with the best price *last*: bids by ticks, asks by ticks negated.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from lanner.simulator.orders import SimOrder


class Level:
    """The orders at one price; ``lots`` is what can be seen of them."""

    __slots__ = ("count", "head", "lots", "tail", "ticks")

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.lots = 0
        self.count = 0
        self.head: SimOrder | None = None
        self.tail: SimOrder | None = None

    def append(self, order: SimOrder) -> None:
        """Queue an order at the end; its ``shown`` lots count."""
        order.prev = self.tail
        order.next = None
        if self.tail is None:
            self.head = order
        else:
            self.tail.next = order
        self.tail = order
        self.lots += order.shown
        self.count += 1

    def remove(self, order: SimOrder) -> None:
        """Take an order out, wherever it stands."""
        before, after = order.prev, order.next
        if before is None:
            self.head = after
        else:
            before.next = after
        if after is None:
            self.tail = before
        else:
            after.prev = before
        order.prev = order.next = None
        self.lots -= order.shown
        self.count -= 1


class BookSide:
    """One side; ``sign`` is 1 for bids and −1 for asks, keys are ``sign * ticks``."""

    __slots__ = ("changed", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.changed: set[int] = set()
        """Ticks whose visible lots changed since the last ``BookChanged``."""

    def best(self) -> Level | None:
        """Return the best level, or ``None``."""
        return self.levels[self.keys[-1]] if self.keys else None

    def add(self, order: SimOrder) -> None:
        """Queue an order at its price."""
        ticks = order.ticks
        key = self.sign * ticks
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(ticks)
            keys = self.keys
            if not keys or key > keys[-1]:
                keys.append(key)
            else:
                insort(keys, key)
        level.append(order)
        order.on_book = True
        self.changed.add(ticks)

    def remove(self, order: SimOrder) -> None:
        """Take an order out of its level."""
        key = self.sign * order.ticks
        level = self.levels[key]
        level.remove(order)
        order.on_book = False
        self.changed.add(order.ticks)
        if level.head is None:
            del self.levels[key]
            if self.keys[-1] == key:
                self.keys.pop()
            else:
                del self.keys[bisect_left(self.keys, key)]

    def top(self, depth: int) -> list[tuple[int, int]]:
        """Return up to ``depth`` (ticks, visible lots), best first."""
        keys = self.keys[-depth:] if depth else self.keys
        levels = self.levels
        return [(level.ticks, level.lots) for level in (levels[key] for key in reversed(keys))]


class OrderBook:
    """Both sides of one market. ``seq`` is the number of its last ``BookChanged``."""

    __slots__ = ("asks", "bids", "seq", "ts_ns")

    def __init__(self) -> None:
        self.bids = BookSide(1)
        self.asks = BookSide(-1)
        self.seq = 1
        self.ts_ns = 0

    def side(self, side: int) -> BookSide:
        """Return the side on which orders of a direction rest."""
        return self.bids if side > 0 else self.asks

    def best_bid(self) -> tuple[int, int] | None:
        """Return (ticks, visible lots) of the highest bid."""
        level = self.bids.best()
        return None if level is None else (level.ticks, level.lots)

    def best_ask(self) -> tuple[int, int] | None:
        """Return (ticks, visible lots) of the lowest ask."""
        level = self.asks.best()
        return None if level is None else (level.ticks, level.lots)

    def top(self, depth: int = 0) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return bids and asks as (ticks, visible lots), best first; depth 0 is all."""
        return self.bids.top(depth), self.asks.top(depth)

    def count(self, side: int, ticks: int) -> int:
        """Return how many orders rest at a price."""
        level = self.side(side).levels.get(ticks if side > 0 else -ticks)
        return 0 if level is None else level.count

    def take_changes(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Return the levels changed since the last call as they are now, and forget them."""
        bids, asks = self.bids, self.asks
        lower: tuple[tuple[int, int], ...] = ()
        upper: tuple[tuple[int, int], ...] = ()
        if bids.changed:
            held = bids.levels
            lower = tuple((t, held[t].lots if t in held else 0) for t in sorted(bids.changed, reverse=True))
            bids.changed.clear()
        if asks.changed:
            held = asks.levels
            upper = tuple((t, held[-t].lots if -t in held else 0) for t in sorted(asks.changed))
            asks.changed.clear()
        return lower, upper
