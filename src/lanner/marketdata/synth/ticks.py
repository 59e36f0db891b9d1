"""Synthetic quotes and trades that belong together, a day at a time.

Arrivals come in clusters (a branching process, the cluster form of a Hawkes process): orders arrive at a
rate that follows the rhythm of the day and the volatility, and each may set off further ones within
milliseconds or seconds. Takers lean to the side the price is about to move to, and go on in the same
direction inside a cluster. Sizes follow a power law. Every trade prints at the best price of the quote
that stands at its time, and never for more than that quote shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanner.marketdata.bars import TradeColumns
from lanner.marketdata.synth.bars import check_span
from lanner.marketdata.synth.market import Market, on_grid
from lanner.marketdata.synth.numbers import exp, interpolate, log, normal, stream, uniform
from lanner.marketdata.synth.path import Path, by_second, simulate
from lanner.model.timeframes import DAY_NS, SECOND_NS

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_ECHO = 0.7
"""Chance that a trade of a cluster is followed by another one: 1 / (1 − 0.7) trades each on average."""

_SIZE_EXPONENT = 1.6
_SHOWN = 15.0
"""Quantity at the best price, in average trades."""

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Quotes:
    """Changes of the best bid and ask, in ticks and lots."""

    ts: Ints
    recv: Ints
    bid: Ints
    ask: Ints
    bid_lots: Ints
    ask_lots: Ints
    seq: Ints


@dataclass(frozen=True, slots=True)
class Trades:
    """Prints in ticks and lots; ``side`` is the aggressor's."""

    ts: Ints
    recv: Ints
    ticks: Ints
    lots: Ints
    side: NDArray[np.int8]
    number: Ints


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a market: quotes, trades, and the day's place in the data set."""

    number: int
    quotes: Quotes
    trades: Trades


def tick_days(market: Market, *, since_ns: int, days: int, seed: int = 7) -> Iterator[Day]:
    """Yield the days of a market at tick level, about the market's trades a day and thrice as many quotes."""
    check_span(since_ns, days)
    weeks = simulate(market, seed=seed, since_ns=since_ns, days=days)
    seq = trade_number = 0
    for number, path in enumerate(by_second(weeks, seed, days)):
        rng = stream(seed, 5, number)
        start = int(path.ts[0])
        rate = _rate(market, path)
        ts, side = _arrivals(rng, path, rate)
        quotes = _quotes(rng, market, path, _quote_times(rng, ts, rate, start), seq)
        trades = _trades(rng, market, quotes, ts, side, trade_number)
        yield Day(number, _shown(quotes, trades), trades)
        seq, trade_number = int(quotes.seq[-1]), trade_number + len(ts)


def quotes_frame(quotes: Quotes, market: Market) -> pl.DataFrame:
    """Return the quotes with the catalog's column schema."""
    import polars as pl

    return pl.DataFrame(
        {
            "ts_event": quotes.ts,
            "ts_recv": quotes.recv,
            "bid_px": on_grid(quotes.bid, market.tick),
            "bid_qty": on_grid(quotes.bid_lots, market.lot),
            "ask_px": on_grid(quotes.ask, market.tick),
            "ask_qty": on_grid(quotes.ask_lots, market.lot),
            "seq": quotes.seq,
        }
    )


def trades_frame(trades: Trades, market: Market) -> pl.DataFrame:
    """Return the trades with the catalog's column schema."""
    import polars as pl

    return pl.DataFrame(
        {
            "ts_event": trades.ts,
            "ts_recv": trades.recv,
            "px": on_grid(trades.ticks, market.tick),
            "qty": on_grid(trades.lots, market.lot),
            "aggressor": trades.side,
            "trade_id": pl.Series(trades.number).cast(pl.String),
        }
    )


def trade_columns(trades: Trades, market: Market) -> TradeColumns:
    """Return the trades as columns, ready for bar building."""
    px, qty = on_grid(trades.ticks, market.tick), on_grid(trades.lots, market.lot)
    return TradeColumns(trades.ts, trades.recv, px, qty, trades.side)


# -- arrivals --------------------------------------------------------------------------------------------


def _rate(market: Market, path: Path) -> Floats:
    """Return the expected number of trades in each second."""
    busy = exp(0.75 * log(np.maximum(path.heat, 0.05)))
    return market.trades_per_day / 86_400.0 * path.season * path.season * busy


def _poisson_times(rng: np.random.Generator, rate: Floats, start: int) -> Ints:
    """Draw the times of a Poisson process whose rate is constant within each second."""
    total = np.cumsum(rate)
    mass = float(total[-1])
    count = int(mass + 8.0 * mass**0.5 + 20.0)
    at = np.cumsum(-log(uniform(rng, count)))
    at = at[at < mass]
    second = np.searchsorted(total, at, side="right")
    share = (at - (total[second] - rate[second])) / rate[second]
    return start + second * SECOND_NS + (np.clip(share, 0.0, 0.999) * SECOND_NS).astype(np.int64)


def _arrivals(rng: np.random.Generator, path: Path, rate: Floats) -> tuple[Ints, NDArray[np.int8]]:
    """Return times and aggressor sides of the day's trades."""
    start = int(path.ts[0])
    first = _poisson_times(rng, rate * (1.0 - _ECHO), start)
    echoes = np.floor(log(uniform(rng, len(first))) / float(log(np.array([_ECHO]))[0])).astype(np.int64)
    owner = np.repeat(np.arange(len(first)), echoes + 1)
    rows = len(owner)
    head = np.concatenate(([0], np.cumsum(echoes + 1)[:-1]))
    quick = rng.random(rows) < 0.6
    delay = (-log(uniform(rng, rows)) * np.where(quick, 2.0 * _MS, 600.0 * _MS)).astype(np.int64)
    delay[head] = 0
    walked = np.cumsum(delay)
    ts = first[owner] + walked - walked[head][owner]
    sign = np.where(rng.random(len(first)) < 0.5 + 0.35 * _lean(path, first - start), 1, -1)
    side = np.where(rng.random(rows) < 0.93, sign[owner], -sign[owner]).astype(np.int8)
    order = np.argsort(ts, kind="stable")
    order = order[ts[order] < start + DAY_NS]
    return ts[order], side[order]


def _lean(path: Path, at: Ints) -> Floats:
    """Return the coming five seconds' move, squeezed into (−1, 1)."""
    levels = path.levels()
    second = np.minimum(at // SECOND_NS, len(path.ts) - 5)
    move: Floats = (levels[second + 5] - levels[second]) / (path.sigma[second] * 5.0**0.5)
    lean: Floats = move / (1.0 + np.abs(move))
    return lean


def _quote_times(rng: np.random.Generator, trades: Ints, rate: Floats, start: int) -> Ints:
    """Return the times at which quotes change: the day's begin, behind each trade, and in between."""
    reactions = trades + (0.2 * _MS + rng.random(len(trades)) * 2.0 * _MS).astype(np.int64)
    others = _poisson_times(rng, rate * 1.2 + 0.4, start)
    times = np.unique(np.concatenate(([start], reactions, others)))
    return times[times < start + DAY_NS]


# -- prices and sizes ------------------------------------------------------------------------------------


def _quotes(rng: np.random.Generator, market: Market, path: Path, ts: Ints, seq: int) -> Quotes:
    seconds = (ts - path.ts[0]) / SECOND_NS
    mid = exp(interpolate(seconds, path.levels())) / market.tick_float
    second = (ts - path.ts[0]) // SECOND_NS
    mood = 0.8 + 0.6 * rng.random(len(path.ts))
    usual = mid * (market.spread_bps * 1e-4)
    spread = np.maximum(np.rint(usual * mood[second] * (0.4 + 0.6 * path.heat[second])), 1.0)
    wobble = 0.12 * spread * normal(rng, len(ts))
    bid = np.maximum(np.rint(mid + wobble - 0.5 * spread), 1.0).astype(np.int64)
    average = market.turnover / market.trades_per_day * _SHOWN / market.lot_float / market.tick_float
    bid_lots, ask_lots = (
        np.maximum(np.rint(average / mid * exp(0.9 * normal(rng, len(ts)) - 0.4)), 1.0).astype(np.int64)
        for _ in range(2)
    )
    numbers = seq + 1 + np.arange(len(ts), dtype=np.int64)
    return Quotes(ts, received(rng, ts), bid, bid + spread.astype(np.int64), bid_lots, ask_lots, numbers)


def _trades(
    rng: np.random.Generator, market: Market, quotes: Quotes, ts: Ints, side: NDArray[np.int8], number: int
) -> Trades:
    at = np.searchsorted(quotes.ts, ts, side="right") - 1
    bought = side > 0
    ticks = np.where(bought, quotes.ask[at], quotes.bid[at])
    shown = np.where(bought, quotes.ask_lots[at], quotes.bid_lots[at])
    smallest = market.turnover / market.trades_per_day * (1.0 - 1.0 / _SIZE_EXPONENT)
    power = exp(log(uniform(rng, len(ts))) * (-1.0 / _SIZE_EXPONENT))
    lots = np.rint(smallest * power / (ticks * market.tick_float) / market.lot_float)
    lots = np.minimum(np.maximum(lots, 1.0), shown).astype(np.int64)
    numbers = number + 1 + np.arange(len(ts), dtype=np.int64)
    return Trades(ts, received(rng, ts), ticks, _round_sizes(rng, lots), side, numbers)


def _round_sizes(rng: np.random.Generator, lots: Ints) -> Ints:
    """Let every eighth trade have a round size, as people's orders do."""
    unit = np.ones_like(lots)
    for power in (10, 100, 1_000, 10_000, 100_000):
        unit = np.where(lots >= 2 * power, power, unit)
    return np.where(rng.random(len(lots)) < 0.125, lots // unit * unit, lots)


def _shown(quotes: Quotes, trades: Trades) -> Quotes:
    """Let the quote behind a trade show what the trade left, where the price still stands.

    It shows at least what its own trades take, so that no trade is larger than the quote it met.
    """
    at = np.searchsorted(quotes.ts, trades.ts, side="right") - 1
    bid_lots, ask_lots = quotes.bid_lots.copy(), quotes.ask_lots.copy()
    for shown, px, mine in ((bid_lots, quotes.bid, trades.side < 0), (ask_lots, quotes.ask, trades.side > 0)):
        taken = np.zeros(len(shown), np.int64)
        largest = np.zeros(len(shown), np.int64)
        np.add.at(taken, at[mine], trades.lots[mine])
        np.maximum.at(largest, at[mine], trades.lots[mine])
        after = np.flatnonzero((taken[:-1] > 0) & (px[1:] == px[:-1])) + 1
        left = np.maximum(shown[after - 1] - taken[after - 1], 1)
        shown[after] = np.maximum(np.minimum(shown[after], left), largest[after])
    return Quotes(quotes.ts, quotes.recv, quotes.bid, quotes.ask, bid_lots, ask_lots, quotes.seq)


def received(rng: np.random.Generator, ts: Ints) -> Ints:
    """Add a feed latency of 2 ms and more; messages of one stream do not overtake each other."""
    latency = (2.0 - 3.0 * log(uniform(rng, len(ts)))) * _MS
    return np.maximum.accumulate(ts + latency.astype(np.int64))
