"""Where the venue's background market comes from: agents who trade by a seed, along an invented or a given path.

The agents are house accounts and trade through the same engine as everybody, so book, trades and candles agree.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Protocol

from lanner.core.rng import Rng
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.simulator.accounts import Account
from lanner.simulator.exchange import Exchange
from lanner.simulator.markets import Market
from lanner.simulator.orders import NewOrder

SECOND = 10**9
YEAR_S = 365 * 86_400
MAKER, TAKER = "~maker", "~taker"
DEPTH = 40
MARK_EVERY = SECOND
RATE_EVERY = 60 * SECOND

FairPath = Callable[[int], float | None]
"""The price of a market at feed time (ns since the start), or ``None`` when the path has ended."""


class Feed(Protocol):
    """Something that moves a venue's market. Feed time starts at 0 and may run faster than the venue's clock."""

    def open(self, now_ns: int) -> None:
        """Build the first book."""
        ...

    def run(self, feed_ns: int, now_ns: int, budget: int) -> int:
        """Do what is due up to a feed time, at most ``budget`` actions; returns how many were done."""
        ...

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will come."""
        ...


def add_house(exchange: Exchange) -> None:
    """Open the accounts of the background agents."""
    for name in (MAKER, TAKER):
        if name not in exchange.accounts:
            exchange.add_account(Account(name, house=True, maker=Decimal(0), taker=Decimal(0)))


class Agents:
    """A market maker and a crowd of takers in one market, around a fair price that wanders."""

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        rng: Rng,
        *,
        start_price: float,
        vol: float = 0.6,
        path: FairPath | None = None,
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._rng = rng
        self._path = path
        if path is not None:
            start_price = path(0) or start_price
        self._log_fair = math.log(start_price)
        self._vol = vol / math.sqrt(YEAR_S)
        tick = float(market.instrument.tick)
        self._tick = tick
        # levels lie about half a basis point apart, and on prices that the market's rule allows
        self._grid = max(1, round(start_price * 0.5e-4 / tick))
        figures = market.instrument.price_rule.significant_figures
        if figures:
            self._grid = max(self._grid, 10 ** max(0, len(str(round(start_price / tick))) - figures))
        least = -(-max(market.min_notional_atoms, 1) // (market.unit * max(1, round(start_price / tick))))
        # an order is typically worth a few hundred times the smallest one that is allowed
        self._typical = max(
            1.0, float(market.min_notional_atoms * 300 // (market.unit * round(start_price / tick)))
        )
        self._least = max(market.min_lots, least)
        self._bids: list[int] = []
        self._asks: list[int] = []
        self._last_ns = 0
        self._next_mark = 0
        self._next_rate = 0
        self._mood = 0.0

    @property
    def fair(self) -> float:
        """Return the price the agents believe in."""
        return math.exp(self._log_fair)

    def open(self, now_ns: int) -> None:
        """Quote the whole depth."""
        for level in range(DEPTH):
            self._quote(Side.BUY, level, now_ns)
            self._quote(Side.SELL, level, now_ns)
        self._marks(0, now_ns)

    def begin(self, feed_ns: int) -> None:
        """Let the agents' time begin earlier than at 0."""
        self._last_ns = self._next_mark = self._next_rate = feed_ns

    def act(self, feed_ns: int, now_ns: int) -> bool:
        """Do one thing; ``False`` when the path has ended."""
        if not self._move(feed_ns):
            return False
        self._marks(feed_ns, now_ns)
        chance = self._rng.random()
        if chance < 0.8:
            side = Side.BUY if self._rng.random() < 0.5 else Side.SELL
            self._quote(side, self._level(), now_ns)
        elif chance < 0.88:
            self._withdraw(now_ns)
        else:
            self._take(now_ns)
        return True

    def _move(self, feed_ns: int) -> bool:
        passed = max(0, feed_ns - self._last_ns) / SECOND
        self._last_ns = feed_ns
        if self._path is not None:
            fair = self._path(feed_ns)
            if fair is None:
                return False
            self._log_fair = math.log(fair)
            return True
        step = self._vol * math.sqrt(passed) * self._rng.normal()
        self._mood = 0.999 * self._mood + 0.03 * self._rng.normal()
        self._log_fair += step
        return True

    def _level(self) -> int:
        """Draw a level: the nearer to the top, the more often."""
        return min(DEPTH - 1, int(-math.log(1.0 - self._rng.random()) * 10))

    def _lots(self, scale: float = 1.0) -> int:
        return max(self._least, int(self._typical * scale * math.exp(self._rng.normal(-0.5, 1.0))))

    def _px(self, side: Side, level: int) -> int:
        middle = self.fair / self._tick
        grid = self._grid
        if side is Side.BUY:
            return max(grid, (math.floor(middle / grid) - level) * grid)
        return (math.floor(middle / grid) + 1 + level) * grid

    def _quote(self, side: Side, level: int, now_ns: int) -> None:
        """Put liquidity at a level, after taking back what the fair price has run over."""
        own = self._bids if side is Side.BUY else self._asks
        ticks = self._px(side, level)
        best = self._px(side, 0)
        while own and (own[-1] > best if side is Side.BUY else -own[-1] < best):
            self._set(side, abs(own.pop()), 0, now_ns)
        self._set(side, ticks, self._lots(0.5 + 0.15 * level), now_ns)
        key = ticks if side is Side.BUY else -ticks
        if key not in own:
            insort(own, key)
            if len(own) > DEPTH + 10:
                self._set(side, abs(own.pop(0)), 0, now_ns)

    def _withdraw(self, now_ns: int) -> None:
        side = Side.BUY if self._rng.random() < 0.5 else Side.SELL
        own = self._bids if side is Side.BUY else self._asks
        if len(own) > DEPTH // 2:
            key = own.pop(self._rng.integer(0, len(own)))
            self._set(side, abs(key), 0, now_ns)

    def _take(self, now_ns: int) -> None:
        buys = self._rng.random() < 0.5 + max(-0.3, min(0.3, self._mood))
        new = NewOrder(
            account=TAKER,
            market=self._market.symbol,
            side=Side.BUY if buys else Side.SELL,
            type=OrderType.MARKET,
            tif=TimeInForce.IOC,
            lots=self._lots(0.25),
        )
        self._exchange.submit(new, now_ns)

    def _set(self, side: Side, ticks: int, lots: int, now_ns: int) -> None:
        self._exchange.set_level(MAKER, self._market.symbol, side, ticks, lots, now_ns)

    def _marks(self, feed_ns: int, now_ns: int) -> None:
        if self._market.is_spot or feed_ns < self._next_mark:
            return
        self._next_mark = feed_ns + MARK_EVERY
        index = max(1, round(self.fair / self._tick))
        bid, ask = self._market.best_bid, self._market.best_ask
        middle = (bid[0] + ask[0]) // 2 if bid and ask else index
        last = self._market.last_ticks or middle
        mark = sorted((index, middle, last))[1]
        if feed_ns >= self._next_rate:
            self._next_rate = feed_ns + RATE_EVERY
            premium = (middle - index) / index
            rate = max(-0.0075, min(0.0075, 0.0001 + premium))
            self._exchange.set_funding_rate(self._market.symbol, Decimal(f"{rate:.8f}"), now_ns)
        self._exchange.set_mark(self._market.symbol, mark, index, now_ns)


class SyntheticFeed:
    """Agents in every market, acting at random moments at a rate of actions a second in all."""

    def __init__(
        self,
        exchange: Exchange,
        rng: Rng,
        *,
        rate: float,
        prices: Callable[[Market], float],
        vol: float = 0.6,
        paths: dict[str, FairPath] | None = None,
    ) -> None:
        add_house(exchange)
        self._rng = rng.split("schedule")
        known = paths or {}
        self._agents = [
            Agents(
                exchange,
                market,
                rng.split(market.symbol),
                start_price=prices(market),
                vol=vol,
                path=known.get(market.symbol),
            )
            for market in exchange.markets.values()
            if not known or market.symbol in known
        ]
        self._each = rate / max(1, len(self._agents))
        self._queue: list[tuple[int, int]] = []
        self.ended = False

    def open(self, now_ns: int) -> None:
        """Build the books."""
        for number, agents in enumerate(self._agents):
            agents.open(now_ns)
            if self._each > 0:
                heapq.heappush(self._queue, (self._wait(), number))

    def _wait(self) -> int:
        return int(-math.log(1.0 - self._rng.random()) / self._each * SECOND)

    def live_through(self, start_ns: int, end_ns: int, actions: int) -> None:
        """Trade through a stretch of the past, so that the venue opens with a tape and candles."""
        length = end_ns - start_ns
        for agents in self._agents:
            agents.begin(-length)
        for number in range(actions if self._agents else 0):
            feed_ns = -length + length * number // actions
            self._agents[self._rng.integer(0, len(self._agents))].act(feed_ns, end_ns + feed_ns)

    def run(self, feed_ns: int, now_ns: int, budget: int) -> int:
        """Do what is due."""
        done = 0
        queue = self._queue
        while queue and queue[0][0] <= feed_ns and done < budget:
            moment, number = heapq.heappop(queue)
            if self._agents[number].act(moment, now_ns):
                heapq.heappush(queue, (moment + self._wait(), number))
            done += 1
        self.ended = not queue and self._each > 0
        return done


def path_of(points: Iterator[tuple[int, float]]) -> FairPath:
    """Return a path through (ns since the start, price) points; it steps from one to the next."""
    state: list[tuple[int, float] | None] = [next(points, None)]
    price: list[float | None] = [state[0][1] if state[0] else None]

    def at(feed_ns: int) -> float | None:
        following = state[0]
        while following is not None and following[0] <= feed_ns:
            price[0] = following[1]
            following = next(points, None)
        state[0] = following
        return price[0] if following is not None else None

    return at
