"""Synthetic bars: one invented market, seen at any timeframe.

Bars of a minute and more are all made from the same one-minute path, so for one seed the hours are what
the minutes add up to. Seconds follow a bridge between the closes of those minutes. Inside a step, high
and low are drawn from the law of a Brownian bridge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from lanner.core.errors import ConfigError
from lanner.marketdata.bars import BarColumns, aggregate_bars
from lanner.marketdata.synth.market import Market, on_grid
from lanner.marketdata.synth.numbers import exp, log, normal, stream, uniform
from lanner.marketdata.synth.path import Path, by_second, simulate
from lanner.model.timeframes import DAY_NS, SECOND_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


def synthesize_bars(
    timeframe: str = "1h", *, since_ns: int, days: int, seed: int = 7, market: Market | None = None
) -> pl.DataFrame:
    """Return all bars that lie within ``days`` days from ``since_ns`` (a UTC midnight) as one frame."""
    import polars as pl

    frames = bar_frames(timeframe, since_ns=since_ns, days=days, seed=seed, market=market)
    return pl.concat(list(frames), rechunk=True)


def bar_frames(
    timeframe: str, *, since_ns: int, days: int, seed: int = 7, market: Market | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the bars in frames of some days each, with the catalog's column schema."""
    check_span(since_ns, days)
    if timeframe not in TIMEFRAMES_NS:
        raise ConfigError(
            f"synthetic bars of {timeframe!r} cannot be made",
            expected=f"one of {', '.join(TIMEFRAMES_NS)}",
            fix="Make trades, and build tick, volume or dollar bars from them.",
        )
    market = market or Market()
    fine = "1s" if timeframe == "1s" else "1m"
    if TIMEFRAMES_NS[timeframe] <= DAY_NS:
        for columns in _fine_bars(market, fine, since_ns, days, seed):
            yield (columns if timeframe == fine else aggregate_bars(columns, fine, timeframe)).to_frame()
        return
    daily = [
        aggregate_bars(columns, fine, "1d") for columns in _fine_bars(market, fine, since_ns, days, seed)
    ]
    yield coarse_bars(daily, timeframe, since_ns)


def coarse_bars(daily: Sequence[BarColumns], timeframe: str, since_ns: int) -> pl.DataFrame:
    """Build bars longer than a day from daily ones; those that the data do not cover whole are left out."""
    names = BarColumns.__dataclass_fields__
    joined = BarColumns(*(np.concatenate([getattr(part, name) for part in daily]) for name in names))
    frame = aggregate_bars(joined, "1d", timeframe).to_frame()
    return frame.filter(frame["ts_open"] >= since_ns)


def check_span(since_ns: int, days: int) -> None:
    """Raise ``ConfigError`` unless the data start at a UTC midnight and last from 1 to 7300 days."""
    if since_ns % DAY_NS or since_ns < 0:
        raise ConfigError(
            "synthetic data start at midnight UTC",
            expected="a date from 1970 on, such as 2024-01-01",
            found=datetime.fromtimestamp(since_ns // SECOND_NS, UTC).isoformat(),
        )
    if not 1 <= days <= 7300:
        raise ConfigError("the number of days is out of range", expected="1 to 7300", found=days)


def _fine_bars(market: Market, fine: str, since_ns: int, days: int, seed: int) -> Iterator[BarColumns]:
    last_close: int | None = None
    weeks = simulate(market, seed=seed, since_ns=since_ns, days=days)
    paths = weeks if fine == "1m" else by_second(weeks, seed, days)
    end = since_ns + days * DAY_NS
    for number, path in enumerate(paths):
        rng = stream(seed, 2, TIMEFRAMES_NS[fine] // SECOND_NS, number)
        columns, last_close = _chunk(market, path, rng, TIMEFRAMES_NS[fine], last_close)
        rows = int(np.searchsorted(columns.ts_open, end))
        yield columns if rows == len(columns) else columns.cut(0, rows)


def _chunk(
    market: Market, path: Path, rng: np.random.Generator, step_ns: int, last_close: int | None
) -> tuple[BarColumns, int]:
    px = exp(path.levels())
    tick = market.tick_float
    close = _ticks(px[1:], tick)
    before = _ticks(px[:1], tick) if last_close is None else np.array([last_close])
    open_ = _opens(rng, market, np.concatenate((before, close[:-1])), path.heat)
    above, below = _bridge(rng, path)
    high = np.maximum(np.maximum(open_, close), _ticks(px[:-1] * exp(above), tick))
    low = np.minimum(np.minimum(open_, close), _ticks(px[:-1] * exp(below), tick))
    lots, trades, taker = _activity(rng, market, path, px[1:], step_ns)
    volume = on_grid(lots, market.lot)
    columns = BarColumns(
        ts_open=path.ts,
        ts_event=path.ts + step_ns,
        ts_recv=path.ts + step_ns,
        open=on_grid(open_, market.tick),
        high=on_grid(high, market.tick),
        low=on_grid(low, market.tick),
        close=on_grid(close, market.tick),
        volume=volume,
        quote_volume=volume * on_grid(open_ + high + low + close, market.tick) / 4.0,
        trades=trades,
        taker_buy_volume=on_grid(taker, market.lot),
    )
    return columns, int(close[-1])


def _ticks(px: Floats, tick: float) -> Ints:
    return np.maximum(np.rint(px / tick), 1.0).astype(np.int64)


def _opens(rng: np.random.Generator, market: Market, before: Ints, heat: Floats) -> Ints:
    """Return open prices: the close before, or the other side of the spread."""
    spread = np.rint(before * (market.spread_bps * 1e-4) * heat)
    side = rng.random(len(before))
    jump = np.where(side < 0.25, -spread, np.where(side > 0.75, spread, 0.0))
    return np.maximum(before + jump.astype(np.int64), 1)


def _bridge(rng: np.random.Generator, path: Path) -> tuple[Floats, Floats]:
    """Return the highest and lowest log price inside each step, against its start.

    The maximum of a Brownian bridge from 0 to x with variance s² exceeds m with probability
    exp(−2m(m−x)/s²); inverted, m = (x + √(x² − 2s² ln u)) / 2.
    """
    move, steps = path.returns, len(path.returns)
    spread = -2.0 * path.sigma * path.sigma
    above = (move + np.sqrt(move * move + spread * log(uniform(rng, steps)))) * 0.5
    below = (move - np.sqrt(move * move + spread * log(uniform(rng, steps)))) * 0.5
    return above, below


def _activity(
    rng: np.random.Generator, market: Market, path: Path, px: Floats, step_ns: int
) -> tuple[Ints, Ints, Ints]:
    """Return lots, number of trades and lots bought by takers of each step.

    Volume rises with volatility and with the size of the move, and takers buy when the price rises.
    """
    steps = len(path.ts)
    share = step_ns / DAY_NS
    force = (
        0.75 * log(np.maximum(path.heat, 0.05)) + 0.22 * np.abs(path.shock) + 0.5 * normal(rng, steps) - 0.36
    )
    season = path.season * path.season
    lots = np.maximum(np.rint(market.turnover * share * season * exp(force) / px / market.lot_float), 1.0)
    count = np.rint(market.trades_per_day * share * season * exp(0.75 * force))
    lean = path.shock / (1.0 + np.abs(path.shock))
    bought = np.clip(0.5 + 0.2 * lean + 0.07 * normal(rng, steps), 0.0, 1.0)
    trades = np.minimum(np.maximum(count, 1.0), lots)
    return lots.astype(np.int64), trades.astype(np.int64), np.rint(lots * bought).astype(np.int64)
