"""Candles of a market, made from its own trades: one-second and one-minute ones, the longer from the minutes."""

from __future__ import annotations

from collections import OrderedDict, deque

import msgspec

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
WEEK = 7 * DAY
FIRST_MONDAY = 4 * DAY
"""1970-01-05: weeks start on Mondays."""
SECONDS_KEPT = 7_200
MINUTES_KEPT = 100_000


class Candle(msgspec.Struct, gc=False):
    """Trades of one interval: prices in ticks, ``lots`` and ``quote_atoms`` traded, ``buy_*`` by takers who bought."""

    start_ns: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    quote_atoms: int = 0
    trades: int = 0
    buy_lots: int = 0
    buy_quote_atoms: int = 0
    first_trade_id: int = -1
    last_trade_id: int = -1


def candle_start(ts_ns: int, interval: str) -> int:
    """Return the start of the interval a moment lies in: ``1s 1m 3m … 12h 1d 3d 1w 1M``; UTC, weeks from Monday."""
    if interval == "1M":
        from datetime import UTC, datetime

        moment = datetime.fromtimestamp(ts_ns // SECOND, UTC)
        return int(moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()) * SECOND
    if interval == "1w":
        return (ts_ns - FIRST_MONDAY) // WEEK * WEEK + FIRST_MONDAY
    length = interval_ns(interval)
    return ts_ns // length * length


def interval_ns(interval: str) -> int:
    """Return the length of an interval in ns (a month counts 30 days); an unknown one raises ``ValueError``."""
    unit = {"s": SECOND, "m": MINUTE, "h": 60 * MINUTE, "d": DAY, "w": WEEK, "M": 30 * DAY}.get(interval[-1:])
    if unit is None or not interval[:-1].isdigit():
        raise ValueError(interval)
    return int(interval[:-1]) * unit


def candle_end(start_ns: int, interval: str) -> int:
    """Return the first moment after the interval that starts at ``start_ns``."""
    if interval == "1M":
        return candle_start(start_ns + 32 * DAY, "1M")
    return start_ns + interval_ns(interval)


class Candles:
    """The candles of one market. Intervals without a trade have none."""

    __slots__ = ("_minutes", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[Candle] = deque(maxlen=SECONDS_KEPT)
        self._minutes: deque[Candle] = deque(maxlen=MINUTES_KEPT)

    def add(self, ts_ns: int, trade_id: int, ticks: int, lots: int, quote_atoms: int, buy: bool) -> None:
        """Count one trade."""
        for kept, length in ((self._seconds, SECOND), (self._minutes, MINUTE)):
            start = ts_ns - ts_ns % length
            if kept and kept[-1].start_ns == start:
                candle = kept[-1]
                if ticks > candle.high:
                    candle.high = ticks
                elif ticks < candle.low:
                    candle.low = ticks
                candle.close = ticks
            else:
                candle = Candle(start, ticks, ticks, ticks, ticks, first_trade_id=trade_id)
                kept.append(candle)
            candle.lots += lots
            candle.quote_atoms += quote_atoms
            candle.trades += 1
            candle.last_trade_id = trade_id
            if buy:
                candle.buy_lots += lots
                candle.buy_quote_atoms += quote_atoms

    def read(self, interval: str, since_ns: int = 0, until_ns: int = 1 << 62, limit: int = 0) -> list[Candle]:
        """Return candles that start in [since, until], oldest first; with a limit the latest of them."""
        source = self._seconds if interval.endswith("s") else self._minutes
        first = candle_start(since_ns, interval) if since_ns > 0 else 0
        merged: OrderedDict[int, Candle] = OrderedDict()
        for candle in reversed(source):
            if candle.start_ns < first:
                break
            start = candle_start(candle.start_ns, interval)
            if start > until_ns or start < since_ns:
                continue
            found = merged.get(start)
            if found is None:
                if limit and len(merged) >= limit:
                    break
                merged[start] = msgspec.structs.replace(candle, start_ns=start)
            else:
                _put_before(found, candle)
        return list(reversed(merged.values()))

    def last(self, interval: str, now_ns: int) -> Candle | None:
        """Return the candle of the interval that ``now_ns`` lies in, if it has traded."""
        start = candle_start(now_ns, interval)
        found = self.read(interval, start, start)
        return found[0] if found else None


def _put_before(later: Candle, earlier: Candle) -> None:
    later.open = earlier.open
    later.high = max(later.high, earlier.high)
    later.low = min(later.low, earlier.low)
    later.lots += earlier.lots
    later.quote_atoms += earlier.quote_atoms
    later.trades += earlier.trades
    later.buy_lots += earlier.buy_lots
    later.buy_quote_atoms += earlier.buy_quote_atoms
    later.first_trade_id = earlier.first_trade_id
