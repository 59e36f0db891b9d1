"""What a product makes of the trades of its markets: aggregate trades and statistics of a window."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

import msgspec

from lanner.model.enums import Side
from lanner.simulator.candles import DAY, MINUTE, Candle, candle_end, candle_start
from lanner.simulator.events import PublicTrade
from lanner.simulator.markets import Market

AGGREGATES_KEPT = 10_000


class AggTrade(msgspec.Struct, gc=False):
    """Trades of one taker at one price."""

    agg_id: int
    ticks: int
    lots: int
    first_id: int
    last_id: int
    ts_ns: int
    taker: int
    aggressor: Side

    @property
    def buyer_is_maker(self) -> bool:
        """Tell whether the buyer's order rested."""
        return self.aggressor == Side.SELL


class Aggregates:
    """The aggregate trades of one market.

    Spot joins what one taker order traded at one price; USD-M joins what traded at one price and side within 100 ms.
    """

    def __init__(self, join_ns: int) -> None:
        self.join_ns = join_ns
        """0: by taker order; else the length of time in which trades are joined."""
        self.rows: deque[AggTrade] = deque(maxlen=AGGREGATES_KEPT)
        self.open: AggTrade | None = None
        self._next = 1

    def add(self, trade: PublicTrade) -> AggTrade | None:
        """Take a trade; return the aggregate that it completed."""
        taker = trade.buy_order_id if trade.aggressor == Side.BUY else trade.sell_order_id
        held = self.open
        if held is not None and self._joins(held, trade, taker):
            held.lots += trade.lots
            held.last_id = trade.trade_id
            return None
        done = self.close()
        self.open = AggTrade(
            self._next,
            trade.ticks,
            trade.lots,
            trade.trade_id,
            trade.trade_id,
            trade.ts_ns,
            taker,
            trade.aggressor,
        )
        self._next += 1
        return done

    def close(self) -> AggTrade | None:
        """End the aggregate that is open and return it."""
        done, self.open = self.open, None
        if done is not None:
            self.rows.append(done)
        return done

    def is_due(self, now_ns: int) -> bool:
        """Tell whether the open aggregate has waited long enough."""
        return self.open is not None and now_ns - self.open.ts_ns >= self.join_ns

    def _joins(self, held: AggTrade, trade: PublicTrade, taker: int) -> bool:
        if held.ticks != trade.ticks or held.aggressor != trade.aggressor:
            return False
        return trade.ts_ns - held.ts_ns < self.join_ns if self.join_ns else held.taker == taker


class Stats(msgspec.Struct, gc=False):
    """Statistics of a window of trades; prices in ticks, 0 where nothing traded."""

    open_ns: int
    close_ns: int
    open: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    lots: int = 0
    quote_atoms: int = 0
    first_id: int = -1
    last_id: int = -1
    count: int = 0
    before: int = 0
    """Last price before the window."""
    last_lots: int = 0


def window_stats(market: Market, now_ns: int, length_ns: int = DAY, *, since_ns: int = 0) -> Stats:
    """Return the statistics of the last ``length_ns`` (or since a moment), to the minute."""
    since = since_ns or now_ns - length_ns
    return _collect(market, market.candles.read("1m", since - since % MINUTE), since, now_ns)


def average_price(market: Market, now_ns: int, minutes: int = 5) -> int:
    """Return the volume-weighted average of the last minutes in atoms of the quote, the last price without trades."""
    found = _collect(market, market.candles.read("1s", now_ns - minutes * MINUTE), 0, now_ns)
    if not found.lots:
        return market.last_ticks * market.tick_atoms
    return found.quote_atoms * 10**12 // (found.lots * market.lot_atoms)


def _collect(market: Market, candles: list[Candle], since: int, now_ns: int) -> Stats:
    found = Stats(since, now_ns)
    if not candles:
        found.open = found.high = found.low = found.last = found.before = market.last_ticks
        return found
    found.open = found.before = candles[0].open
    found.high = max(one.high for one in candles)
    found.low = min(one.low for one in candles)
    found.last = candles[-1].close
    found.first_id = candles[0].first_trade_id
    found.last_id = candles[-1].last_trade_id
    for one in candles:
        found.lots += one.lots
        found.quote_atoms += one.quote_atoms
        found.count += one.trades
    if market.trades:
        found.last_lots = market.trades[-1].lots
    return found


def filled(candles: list[Candle], interval: str, until_ns: int) -> list[Candle]:
    """Put flat candles where nothing traded, up to the interval that ``until_ns`` lies in."""
    if not candles:
        return []
    found = [candles[0]]
    for one in candles[1:]:
        _bridge(found, interval, one.start_ns)
        found.append(one)
    _bridge(found, interval, candle_start(until_ns, interval) + 1)
    return found


def _bridge(found: list[Candle], interval: str, until_ns: int) -> None:
    close = found[-1].close
    start = candle_end(found[-1].start_ns, interval)
    while start < until_ns and len(found) < 100_000:
        found.append(Candle(start, close, close, close, close))
        start = candle_end(start, interval)


def rows_from(rows: deque[Any], first_id: int, wanted_id: int | None, limit: int) -> list[Any]:
    """Return up to ``limit`` rows numbered without gaps: from an id on, or the latest without one."""
    if wanted_id is None:
        start = max(0, len(rows) - limit)
    else:
        start = max(0, wanted_id - first_id)
    return list(islice(rows, start, start + limit))
