"""The market that a strategy is checked on, held in memory so that it can be cut, changed and started later."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.backtest.memory import memory_stream
from lanner.backtest.spec import BacktestSpec, StrategyEntry, Stream
from lanner.core.errors import ConfigError, DataError
from lanner.model.instruments import Instrument
from lanner.model.timeframes import DAY_NS, TIMEFRAMES_NS, timeframe_ns
from lanner.sim.settings import FundingMode, LatencySettings, VenueSettings

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from lanner.backtest.config import BacktestConfig
    from lanner.marketdata.synth import Market
    from lanner.strategy.base import Strategy

SYNTHETIC_BARS = 1_500
SYNTHETIC_DAYS = 500
SYNTHETIC_QUOTES = 3_000
SYNTHETIC_CHANGES = 1_500
SYNTHETIC_SINCE_NS = 1_704_067_200_000_000_000  # 2024-01-01 UTC
INSTRUMENT = "BTCUSDT-PERP.CHECK"
MAX_ROWS = 200_000
HISTORY_ROWS = 5_000
"""How much of the data before the start of trading is kept to warm indicators up."""
WILD_ROWS = 64
_UNITS = {"bars": "bars", "quotes": "quotes", "trades": "trades", "book": "changes of an order book"}
PRICES = ("open", "high", "low", "close", "bid_px", "ask_px", "px", "price", "mark_px")
SIZES = ("volume", "quote_volume", "taker_buy_volume", "bid_qty", "ask_qty", "qty")


@dataclass(slots=True)
class World:
    """Data, instruments, venues and settings of a check: a specification without its strategy.

    ``frames`` stand beside ``streams`` in the same order; ``ts`` are the event times of the main stream: the finest
    bars, or the data set with the most rows.
    """

    base: BacktestSpec
    frames: list[pl.DataFrame]
    timeframe: str
    title: str
    synthetic: bool = False
    notes: list[str] = field(default_factory=list)
    catalog: str = ""

    @property
    def main(self) -> int:
        """Return the position of the data set that counts bars."""
        streams = self.base.streams
        bars = [at for at, stream in enumerate(streams) if stream.kind == "bars"]
        if bars:
            return min(bars, key=lambda at: (timeframe_ns(streams[at].spec) or 1 << 62, at))
        return max(range(len(streams)), key=lambda at: streams[at].rows)

    @property
    def ts(self) -> NDArray[np.int64]:
        """Return the event times of the main data set in UNIX ns; a change of an order book counts once."""
        frame = self.frames[self.main]
        return (frame.filter("last") if _is_book(frame) else frame)["ts_event"].to_numpy()

    @property
    def unit(self) -> str:
        """Return what the main data set has, in the plural."""
        return _UNITS.get(self.base.streams[self.main].kind, "rows")

    @property
    def played(self) -> NDArray[np.int64]:
        """Return the event times of the main data set from the start of trading on; those before warm up."""
        ts = self.ts
        return ts if self.base.since_ns is None else ts[ts >= self.base.since_ns]

    def bar_at(self, ts: int) -> int:
        """Return the index of the last bar complete at a time; the first bar that is traded is 0."""
        return int(np.searchsorted(self.played, ts, side="right")) - 1

    def spec(
        self, strategy: Strategy, frames: list[pl.DataFrame] | None = None, since: int | None = None
    ) -> BacktestSpec:
        """Return the specification of a run of one strategy, over all the data or over other frames of it."""
        vars(strategy)["timeframe"] = self.timeframe
        chosen = [frame.clone() for frame in self.frames] if frames is None else frames
        streams = [
            _stream(old, frame) for old, frame in zip(self.base.streams, chosen, strict=True) if frame.height
        ]
        since_ns = self.base.since_ns if since is None else since
        entries = [StrategyEntry(strategy, 1.0)]
        return dataclasses.replace(self.base, strategies=entries, streams=streams, since_ns=since_ns)

    def cut(self, ts: int) -> list[pl.DataFrame]:
        """Return the data as they are known at a time: nothing that began at or after it.

        A longer bar that has begun stays: it comes when it is complete, and its opening has been seen.
        """
        import polars as pl

        return [frame.filter(pl.col(_began(frame)) < ts + _instant(frame)) for frame in self.frames]

    def corrupted(self, ts: int, seed: int) -> list[pl.DataFrame]:
        """Return the data up to a time followed by a wild future of a few rows that never happened."""
        import polars as pl

        wild = []
        for number, frame in enumerate(self.frames):
            known = frame.filter(pl.col(_began(frame)) < ts + _instant(frame))
            future = frame.slice(known.height, WILD_ROWS)
            wild.append(pl.concat([known, _wild(future, np.random.default_rng([seed, number, ts % 2**32]))]))
        return wild


def _began(frame: pl.DataFrame) -> str:
    return "ts_open" if "ts_open" in frame.columns else "ts_event"


def _is_book(frame: pl.DataFrame) -> bool:
    """Tell whether rows are levels of an order book; the last one of each change is marked."""
    return "side" in frame.columns and "last" in frame.columns


def _instant(frame: pl.DataFrame) -> int:
    """Return 1 for data without a length: what happens at the very time is known then."""
    return 0 if "ts_open" in frame.columns else 1


def _wild(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Multiply prices by a random walk of ±30 % a row, all of a row alike so that high stays above low.

    A row of an order book is one level of many that stand in an order: only its quantity goes wild.
    """
    import polars as pl

    if not frame.height:
        return frame
    walk = np.exp(np.clip(np.cumsum(rng.choice([-0.3, 0.3], frame.height)), -1.5, 1.5))
    busy = np.exp(rng.normal(0.0, 1.0, frame.height))
    prices = () if _is_book(frame) else PRICES
    changes = [pl.col(name) * pl.Series(walk) for name in prices if name in frame.columns]
    changes += [
        (pl.col(name) * pl.Series(busy)).cast(frame.schema[name]) for name in SIZES if name in frame.columns
    ]
    return frame.with_columns(changes)


def _stream(old: Stream, frame: pl.DataFrame) -> Stream:
    stream = memory_stream(old.kind, old.instrument_id, frame, old.spec, synthetic=old.synthetic)
    stream.label = old.label
    return stream


def synthetic_world(
    timeframe: str, *, seed: int = 1, bars: int = SYNTHETIC_BARS, data_seed: int = 7
) -> World:
    """Return invented bars of a perpetual, enough for most rules to show themselves, at realistic fees."""
    from lanner.marketdata.synth import Market, synthesize_bars

    length = TIMEFRAMES_NS.get(timeframe, 0)
    if not length:
        raise ConfigError(
            f"there are no synthetic bars of {timeframe!r}",
            expected=f"one of {', '.join(TIMEFRAMES_NS)}",
            fix="Name real data with --data.",
        )
    market = Market()
    days = min(SYNTHETIC_DAYS, max(1, -(-bars * length // DAY_NS)))
    frame = synthesize_bars(
        timeframe, since_ns=SYNTHETIC_SINCE_NS, days=days, seed=data_seed, market=market
    ).head(bars)
    stream = memory_stream("bars", INSTRUMENT, frame, timeframe, synthetic=True)
    title = f"{frame.height:,} synthetic bars of {timeframe} (seed {data_seed})"
    return World(_base(market, [stream], seed), [frame], timeframe, title, synthetic=True)


def synthetic_ticks(
    timeframe: str, *, seed: int = 1, count: int | None = None, data_seed: int = 7, book: bool = False
) -> World:
    """Return invented quotes, or changes of an order book, with trades: for strategies that bars are too coarse for."""
    import polars as pl

    from lanner.marketdata.synth import Market, SynthPlan, synth_instrument

    market = Market()
    plan = SynthPlan(synth_instrument(INSTRUMENT, market), market, SYNTHETIC_SINCE_NS, 1, data_seed)
    kind = "book" if book else "quotes"
    told = next(plan.frames(kind))
    if book:
        changes = count or SYNTHETIC_CHANGES
        told = told.filter(pl.col("last").cum_sum().shift(1, fill_value=0) < changes)
    else:
        told = told.head(count or SYNTHETIC_QUOTES)
    last = told["ts_event"][-1]
    trades = next(plan.frames("trades")).filter(pl.col("ts_event") <= last)
    frames = [told, trades]
    streams = [
        memory_stream(kind, INSTRUMENT, frame, "", synthetic=True)
        for kind, frame in zip((kind, "trades"), frames, strict=True)
    ]
    world = World(_base(market, streams, seed), frames, timeframe, "", synthetic=True)
    world.title = f"{len(world.ts):,} synthetic {world.unit} with trades (seed {data_seed})"
    return world


def _base(market: Market, streams: list[Stream], seed: int) -> BacktestSpec:
    instrument = Instrument.perp(
        INSTRUMENT, tick=market.tick, lot=market.lot, maker="0.0002", taker="0.0005", max_leverage=5
    )
    venue = VenueSettings("CHECK", {"USDT": Decimal(10_000)}, funding=FundingMode.ASSUME_ZERO)
    return BacktestSpec(
        "check",
        "check",
        [],
        streams,
        {INSTRUMENT: instrument},
        {"CHECK": venue},
        "USDT",
        seed=seed,
        max_points=10_000,
    )


def real_world(config: BacktestConfig, cls: type[Strategy]) -> World:
    """Return the data that settings name, read into memory once; at most ``MAX_ROWS`` rows of each set are used."""
    import polars as pl

    from lanner.backtest.prepare import prepare
    from lanner.storage.environment import default_catalog

    prepared = prepare(config, run_id="check", classes=[cls])
    spec = prepared.spec
    frames, notes = [], list(prepared.notes)
    for stream in spec.streams:
        chunks = list(stream.chunks(None, spec.until_ns))
        frame = pl.concat(chunks) if chunks else None
        if frame is not None and spec.since_ns is not None:
            before = int((frame["ts_event"] < spec.since_ns).sum())
            frame = frame.slice(max(0, before - HISTORY_ROWS))
        if frame is None or not frame.height:
            raise DataError(
                f"{stream.label or stream.instrument_id}: there are no rows in the chosen span",
                fix="Change --since and --until.",
            )
        frames.append(frame)
    timeframe = spec.strategies[0].strategy.timeframe
    if any(not _is_prompt(settings) for settings in spec.venues.values()):
        notes.append("delays are left out: with them an order leaves after the bar that led to it")
    base = dataclasses.replace(
        spec,
        strategies=[],
        venues={
            name: dataclasses.replace(settings, latency=LatencySettings())
            for name, settings in spec.venues.items()
        },
        streams=[_stream(stream, frame) for stream, frame in zip(spec.streams, frames, strict=True)],
        run_id="check",
        max_points=10_000,
    )
    labels = ", ".join(stream.label or stream.instrument_id for stream in spec.streams)
    world = World(base, frames, timeframe, "", notes=notes, catalog=config.catalog or str(default_catalog()))
    _bound(world)
    if len(world.played) < 2:
        raise DataError("there is nothing to play in the chosen span", fix="Change --since and --until.")
    world.title = f"{len(world.played):,} {'rows' if not _has_bars(world) else 'bars'} of {labels}"
    return world


def _is_prompt(settings: VenueSettings) -> bool:
    return settings.latency == LatencySettings()


def _has_bars(world: World) -> bool:
    return any(stream.kind == "bars" for stream in world.base.streams)


def _bound(world: World) -> None:
    """Keep the first rows of data that are longer than a check can play many times."""
    ts = world.ts
    if len(ts) <= MAX_ROWS:
        return
    world.frames = world.cut(int(ts[MAX_ROWS]))
    streams = world.base.streams
    world.base.streams = [_stream(old, frame) for old, frame in zip(streams, world.frames, strict=True)]
    world.notes.append(f"only the first {MAX_ROWS:,} rows are played; choose others with --since and --until")


def for_process(world: World) -> dict[str, Any]:
    """Return a world as a mapping that can be pickled for another process."""
    return {
        "base": dataclasses.replace(world.base, strategies=[], streams=[]),
        "streams": [(s.kind, s.instrument_id, s.spec, s.synthetic, s.label) for s in world.base.streams],
        "frames": world.frames,
        "timeframe": world.timeframe,
    }


def from_process(parts: dict[str, Any]) -> World:
    """Return the world that another process packed."""
    streams = []
    for (kind, name, spec, synthetic, label), frame in zip(parts["streams"], parts["frames"], strict=True):
        stream = memory_stream(kind, name, frame, spec, synthetic=synthetic)
        stream.label = label
        streams.append(stream)
    base = dataclasses.replace(parts["base"], streams=streams)
    return World(base, parts["frames"], parts["timeframe"], "")
