"""Synthetic level-2 books whose top is the quote of the same sequence number.

A book event comes four times a second where quotes changed meanwhile. Behind the best price there is a
ladder of levels whose usual size falls with the distance; a few levels change with every event, and
levels appear and vanish when the best price moves. Each day begins with a snapshot.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from lanner.marketdata.synth.market import Market, on_grid
from lanner.marketdata.synth.numbers import exp, log, normal, stream, uniform
from lanner.marketdata.synth.ticks import Day, received
from lanner.model.timeframes import DAY_NS

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

EVENT_NS = 250_000_000
LEVELS = 25
_TOUCHED = 3
"""How many levels of a side an event changes besides the best."""


class BookMaker:
    """Make book frames of consecutive days; the ladder behind the best price lives on from day to day."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market
        self._seed = seed
        self._sides: tuple[_Ladder, _Ladder] | None = None
        self._last_seq = 0

    def frame(self, day: Day) -> pl.DataFrame:
        """Return the book events of a day with the catalog's column schema."""
        quotes = day.quotes
        chosen, ts = self._events(quotes.ts)
        if self._sides is None:
            usual = float(quotes.bid_lots[0] + quotes.ask_lots[0]) * 0.5
            stride = max(1, int(quotes.ask[0] - quotes.bid[0]) // 3)
            self._sides = (_Ladder(1, stride, usual), _Ladder(-1, stride, usual))
        rows = array("q")
        for side, best, lots in (
            (0, quotes.bid[chosen], quotes.bid_lots[chosen]),
            (1, -quotes.ask[chosen], quotes.ask_lots[chosen]),
        ):
            rng = stream(self._seed, 6, day.number, side)
            self._sides[side].run(rows, rng, best.tolist(), lots.tolist())
        seq = quotes.seq[chosen]
        first_seq = np.concatenate(([self._last_seq], seq[:-1])) + 1
        self._last_seq = int(seq[-1])
        recv = received(stream(self._seed, 8, day.number), ts)
        return self._to_frame(np.array(rows, dtype=np.int64).reshape(-1, 4), ts, recv, seq, first_seq)

    def _events(self, quote_ts: Ints) -> tuple[Ints, Ints]:
        """Return the quotes that events show, and the times of the events."""
        day_start = quote_ts[0] // DAY_NS * DAY_NS
        edges = day_start + np.arange(0, DAY_NS, EVENT_NS, dtype=np.int64)
        standing = np.searchsorted(quote_ts, edges, side="right") - 1
        fresh = np.concatenate(([True], standing[1:] != standing[:-1]))
        return standing[fresh], edges[fresh]

    def _to_frame(self, rows: Ints, ts: Ints, recv: Ints, seq: Ints, first_seq: Ints) -> pl.DataFrame:
        import polars as pl

        rows = rows[np.lexsort((-rows[:, 1], rows[:, 0]))]
        event = rows[:, 0]
        return pl.DataFrame(
            {
                "ts_event": ts[event],
                "ts_recv": recv[event],
                "seq": seq[event],
                "first_seq": first_seq[event],
                "prev_seq": first_seq[event] - 1,
                "snapshot": event == 0,
                "side": rows[:, 1].astype(np.int8),
                "px": on_grid(rows[:, 2], self._market.tick),
                "qty": on_grid(rows[:, 3], self._market.lot),
                "last": np.append(event[1:] != event[:-1], True),
            }
        )


class _Ladder:
    """One side of the book. Keys are ticks for bids and negated ticks for asks, so the best is the largest.

    Behind the best price, levels stand on multiples of ``stride``.
    """

    __slots__ = ("_best", "_levels", "_profile", "_sign", "_stride")

    def __init__(self, sign: int, stride: int, usual: float) -> None:
        self._sign = sign
        self._stride = stride
        self._profile = [usual * 1.6 / (1.0 + depth / 8.0) for depth in range(2 * LEVELS)]
        self._levels: dict[int, int] = {}
        self._best: int | None = None

    def run(self, rows: array[int], rng: np.random.Generator, best: list[int], lots: list[int]) -> None:
        """Append (event, side, ticks, lots) of all events: the first one is a snapshot."""
        count = len(best) * _TOUCHED
        depth = np.minimum(-log(uniform(rng, count)) * 6.0, LEVELS - 1.0).astype(np.int64)
        factor = exp(0.7 * normal(rng, count) - 0.25)
        gone = rng.random(count) < 0.07
        depths, factors = depth.tolist(), np.where(gone, 0.0, factor).tolist()
        sign, changed = self._sign, {}
        for event, (key, quantity) in enumerate(zip(best, lots, strict=True)):
            first = event * _TOUCHED
            changed = self._move(key, factors[first])
            self._touch(changed, depths[first : first + _TOUCHED], factors[first : first + _TOUCHED])
            changed[key] = self._levels[key] = quantity
            for level, size in (self._levels if event == 0 else changed).items():
                rows.extend((event, sign, sign * level, size))

    def _move(self, best: int, factor: float) -> dict[int, int]:
        """Move the best price; return the levels that changed."""
        levels, old, stride = self._levels, self._best, self._stride
        changed: dict[int, int] = {}
        self._best = best
        if old == best:
            return changed
        if old is not None and best < old:
            for level in [level for level in levels if level > best]:
                del levels[level]
                changed[level] = 0
        elif old is not None and old % stride:
            changed[old] = 0
            levels.pop(old, None)
        top = (best - 1) // stride * stride
        for depth in range(self._rungs(top)):
            level = top - depth * stride
            if level not in levels and (depth < 4 or old is None or depth > LEVELS - 8):
                size = max(1, int(self._profile[depth] * (0.5 + (factor * (depth + 1.7)) % 1.0)))
                levels[level] = changed[level] = size
        floor = top - 2 * LEVELS * stride
        if len(levels) > 2 * LEVELS:
            for level in [level for level in levels if level < floor]:
                del levels[level]
                changed[level] = 0
        return changed

    def _touch(self, changed: dict[int, int], depths: list[int], factors: list[float]) -> None:
        levels, stride = self._levels, self._stride
        assert self._best is not None
        top = (self._best - 1) // stride * stride
        rungs = self._rungs(top)
        for depth, factor in zip(depths, factors, strict=True):
            if depth >= rungs:
                continue
            level = top - depth * stride
            size = int(self._profile[depth] * factor)
            if size:
                levels[level] = changed[level] = size
            elif levels.pop(level, 0):
                changed[level] = 0

    def _rungs(self, top: int) -> int:
        """Return how many levels fit behind the best price: bids end above zero."""
        return LEVELS if self._sign < 0 else min(LEVELS, max(0, (top - 1) // self._stride + 1))
