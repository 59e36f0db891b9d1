"""Run a backtest: from a ``BacktestSpec`` to a ``BacktestResult``."""

from __future__ import annotations

import gc
import hashlib
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.backtest.assemble import Played, assemble
from lanner.backtest.driver import Driver
from lanner.backtest.receipt import Receipt, receive
from lanner.backtest.record import CandleRecorder, PriceRecorder
from lanner.backtest.result import BacktestResult
from lanner.backtest.spec import BacktestSpec, Progress, Stream
from lanner.backtest.wires import Plan
from lanner.core.errors import ConfigError, DataError
from lanner.engine.engine import Engine
from lanner.engine.history import bars_needed
from lanner.marketdata.merge import Stream as MergeStream
from lanner.marketdata.merge import merge
from lanner.marketdata.rows import message_type
from lanner.model.instruments import Instrument
from lanner.model.market import BarOpen
from lanner.model.timeframes import series_id, timeframe_ns
from lanner.sim.settings import FundingMode, Latency, VenueSettings
from lanner.sim.venue import SimVenue

if TYPE_CHECKING:
    import polars as pl

    from lanner.backtest.tiers import Jumps

OnProgress = Callable[[Progress], None]


def run_backtest(
    spec: BacktestSpec, progress: OnProgress | None = None, tier: Jumps | None = None
) -> BacktestResult:
    """Play the data of a specification through its strategies and return what came of it.

    A ``tier`` plays the same run without showing the strategy what it has nothing to say to.

    Equal specifications give equal results, down to ``state_hash``. Errors in user code are raised as
    ``StrategyError`` with the user's own lines.
    """
    _check(spec)
    since, until = _bounds(spec)
    plan = _plan(spec)
    engine = _engine(spec)
    venues = _venues(spec, engine, plan)
    start_equity = _seat_strategies(spec, engine)
    for stream in spec.streams:
        if not _is_detail(spec, stream):
            engine.subscriptions.add_source(stream.kind, stream.instrument_id, stream.spec)
    check_funding(spec.instruments, spec.venues, spec.streams, since, until)
    recorders = _Recorders(spec, plan, since, until)
    driver = Driver(engine, venues, plan) if tier is None else tier.driver(engine, venues, plan)
    driver.on_book_price = recorders.note
    commands = engine.start(since)
    _warm_up(spec, engine, since)
    total = sum(_rows_between(stream, since, until) for stream in spec.streams)
    on_batch = None if progress is None else _reporter(progress, total)
    streams, receipts = _merge_streams(spec, plan, recorders, since, until)
    batches = merge(streams, by="ts_event") if tier is None else tier.batches(streams)
    seconds = _play(driver, commands, batches, on_batch, since)
    engine.stop(until)
    played = Played(
        spec, engine, venues, recorders.prices, recorders.candles, start_equity, since, until, receipts
    )
    result = assemble(played, driver.events, seconds, _code_hash(spec))
    result.created_at = datetime.now(UTC).isoformat(timespec="seconds")
    return result


def _play(
    driver: Driver,
    commands: list[Any],
    batches: Iterable[list[Any]],
    on_batch: Callable[[int, int], None] | None,
    since: int,
) -> float:
    """Play and return the processor time that it took; the collector rests while nothing makes cycles."""
    collecting = gc.isenabled()
    _GARBAGE.clear()
    gc.disable()
    started = time.process_time()
    try:
        driver.begin(commands, since)
        driver.play(batches, on_batch)
    finally:
        _GARBAGE.events += driver.events
        if collecting:
            gc.enable()
    return time.process_time() - started


class _Garbage:
    """How much earlier runs of this process may have left behind.

    Looking at every object of the process takes longer than a short run; what a short run leaves is young.
    """

    WORTH_A_LOOK = 200_000

    def __init__(self) -> None:
        self.events = 0

    def clear(self) -> None:
        """Collect the young garbage, and all of it where earlier runs were long enough to be worth it."""
        if self.events > self.WORTH_A_LOOK:
            self.events = 0
            gc.collect()
        else:
            gc.collect(1)


_GARBAGE = _Garbage()


def _reporter(progress: OnProgress, total: int) -> Callable[[int, int], None]:
    def on_batch(done: int, ts: int) -> None:
        progress(Progress("backtest", done, max(total, done), ts))

    return on_batch


# -- checking ----------------------------------------------------------------------------------------


def _check(spec: BacktestSpec) -> None:
    if not spec.streams:
        raise ConfigError("no market data", expected="at least one data set", fix="Name some with --data.")
    if not spec.strategies:
        raise ConfigError("no strategy", expected="at least one strategy")
    shares = sum(entry.allocation for entry in spec.strategies)
    if shares > 1 + 1e-9 or any(entry.allocation <= 0 for entry in spec.strategies):
        raise ConfigError(
            "the strategies' allocations do not fit",
            expected="positive shares that add up to at most 1",
            found=shares,
        )
    for stream in spec.streams:
        if stream.instrument_id not in spec.instruments:
            raise ConfigError(f"no instrument definition for {stream.instrument_id}")
    for instrument in spec.instruments.values():
        if instrument.venue not in spec.venues:
            raise ConfigError(
                f"no venue settings for {instrument.venue}", expected=f"money at {instrument.venue}"
            )
    if spec.detail and not any(_is_detail(spec, stream) for stream in spec.streams):
        raise ConfigError(
            f"there is no {spec.detail} data to resolve fills with",
            expected=f"a data set of {spec.detail} bars of a traded instrument",
            fix=f"Import it, or leave out --detail {spec.detail}.",
        )


def _bounds(spec: BacktestSpec) -> tuple[int, int]:
    """Return the run's span: what was asked for, within what the data cover."""
    # Funding and marks go with a market; a longer history of them must not stretch the run.
    market = [stream for stream in spec.streams if stream.kind not in ("funding", "mark")] or spec.streams
    first = min(stream.start_ns for stream in market)
    last = max(stream.end_ns for stream in market) + 1
    since = max(first, spec.since_ns) if spec.since_ns is not None else first
    until = min(last, spec.until_ns) if spec.until_ns is not None else last
    if since >= until:
        raise DataError(
            "there is no data in the chosen span",
            expected=f"a span that overlaps {_day(first)} to {_day(last)}",
            found=f"{_day(spec.since_ns or first)} to {_day(spec.until_ns or last)}",
            fix="Change --since and --until, or import more data.",
        )
    return since, until


def _day(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")


def check_funding(
    instruments: Mapping[str, Instrument],
    venues: Mapping[str, VenueSettings],
    streams: Iterable[Stream],
    since: int,
    until: int,
) -> None:
    """Refuse to trade perpetuals as if funding did not exist, unless that is asked for."""
    for instrument in instruments.values():
        settings = venues[instrument.venue]
        if instrument.is_spot or settings.funding is FundingMode.ASSUME_ZERO:
            continue
        own = [s for s in streams if s.kind == "funding" and s.instrument_id == instrument.id]
        slack = 2 * (instrument.funding_interval_ns or timeframe_ns("8h"))
        if (
            not own
            or min(s.start_ns for s in own) > since + slack
            or max(s.end_ns for s in own) < until - slack
        ):
            raise DataError(
                f"{instrument.id}: the funding history is missing or does not cover the run",
                expected=f"funding rates from {_day(since)} to {_day(until)}",
                found="none" if not own else f"{_day(own[0].start_ns)} to {_day(own[0].end_ns)}",
                fix="Import funding rates, or run with --funding assume-zero (the report will say so).",
            )


# -- building ----------------------------------------------------------------------------------------


def _is_detail(spec: BacktestSpec, stream: Stream) -> bool:
    return bool(spec.detail) and stream.kind == "bars" and stream.spec == spec.detail


def _plan(spec: BacktestSpec) -> Plan:
    """Decide for each instrument what decides its fills: quotes, else trades, else its finest bars."""
    plan = Plan()
    for instrument_id in spec.instruments:
        kinds = {stream.kind for stream in spec.streams if stream.instrument_id == instrument_id}
        if kinds & {"quotes", "book"}:
            plan.modes[instrument_id] = "quotes"
        elif "trades" in kinds:
            plan.modes[instrument_id] = "trades"
        else:
            plan.modes[instrument_id] = "bars"
            specs = [s.spec for s in spec.streams if s.instrument_id == instrument_id and s.kind == "bars"]
            if specs:
                finest = min(specs, key=lambda text: (timeframe_ns(text) or 1 << 62, text))
                plan.bar_series[series_id(instrument_id, finest)] = instrument_id
    # A single series of bars can be played bar by bar; beside anything else its open has a place of its own in time.
    beside = any(mode != "bars" for mode in plan.modes.values()) or any(
        stream.kind in ("funding", "mark") for stream in spec.streams
    )
    plan.opens = len(plan.bar_series) > 1 or (bool(plan.bar_series) and beside)
    plan.kinds = frozenset(message_type(stream.kind) for stream in spec.streams)
    if plan.opens:
        plan.kinds |= {BarOpen}
    if len(spec.streams) == 1 and spec.streams[0].kind == "bars":
        plan.only_series = series_id(spec.streams[0].instrument_id, spec.streams[0].spec)
    if spec.detail:
        plan.hidden = frozenset(
            series_id(s.instrument_id, s.spec) for s in spec.streams if _is_detail(spec, s)
        )
    return plan


def _engine(spec: BacktestSpec) -> Engine:
    return Engine(
        spec.instruments,
        spec.currency,
        seed=spec.seed,
        run_id="o",
        limits=spec.risk,
        rates=spec.rates,
        log=spec.log,
    )


def _venues(spec: BacktestSpec, engine: Engine, plan: Plan) -> dict[str, SimVenue]:
    venues = {}
    for name, settings in spec.venues.items():
        own = {key: instrument for key, instrument in spec.instruments.items() if instrument.venue == name}
        if own:
            _check_leverage(settings, own)
            venues[name] = SimVenue(settings, own, plan.modes, engine.rng.split(f"venue/{name}"))
    return venues


def _check_leverage(settings: VenueSettings, instruments: dict[str, Any]) -> None:
    for instrument in instruments.values():
        if not instrument.is_spot and settings.leverage > instrument.max_leverage:
            raise ConfigError(
                f"{instrument.id}: leverage {settings.leverage} is more than the instrument allows",
                expected=f"at most {instrument.max_leverage}",
                fix="Lower --leverage, or set max_leverage of the instrument in the configuration.",
            )


def _seat_strategies(spec: BacktestSpec, engine: Engine) -> Decimal:
    """Give every strategy its share of all the money, and return how much money there is."""
    total = Decimal(0)
    for name, settings in spec.venues.items():
        if any(instrument.venue == name for instrument in spec.instruments.values()):
            for currency, amount in settings.balances.items():
                total += amount * engine.portfolio.rate(currency)
    if total <= 0:
        raise ConfigError("there is no money to trade with", expected="cash > 0", found=total)
    for entry in spec.strategies:
        engine.add_strategy(entry.strategy, total * Decimal(repr(entry.allocation)), entry.instruments)
    return total


@dataclass(slots=True)
class _Recorders:
    """One price recorder for each instrument and one candle recorder where it has bars."""

    prices: dict[str, PriceRecorder]
    candles: dict[str, CandleRecorder]
    _price_streams: dict[int, str]
    _candle_streams: dict[int, str]

    def __init__(self, spec: BacktestSpec, plan: Plan, since: int, until: int) -> None:
        self.prices, self.candles = {}, {}
        self._price_streams, self._candle_streams = {}, {}
        for instrument_id in spec.instruments:
            own = [s for s in spec.streams if s.instrument_id == instrument_id]
            source = _price_source(own, plan.modes[instrument_id])
            if source is None:
                continue
            rows = _rows_between(source, since, until)
            self.prices[instrument_id] = PriceRecorder(source.kind, rows, since, until, spec.max_points)
            if source.kind != "book":  # a book's prices come from the driver, which applies the updates
                self._price_streams[id(source)] = instrument_id
            bars = [s for s in own if s.kind == "bars" and not _is_detail(spec, s)]
            if bars:
                chart = max(bars, key=lambda s: timeframe_ns(s.spec))
                self.candles[instrument_id] = CandleRecorder(
                    instrument_id, chart.spec, _rows_between(chart, since, until)
                )
                self._candle_streams[id(chart)] = instrument_id

    def note(self, instrument_id: str, ts: int, px: float) -> None:
        """Record the mid of a book that has no quotes beside it."""
        if self.prices[instrument_id].kind == "book":
            self.prices[instrument_id].note(ts, px)

    def watch(self, stream: Stream, frames: Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
        """Let a stream's frames pass the recorders that want them."""
        name = self._price_streams.get(id(stream))
        if name is not None:
            frames = self.prices[name].pass_through(frames)
        name = self._candle_streams.get(id(stream))
        if name is not None:
            frames = self.candles[name].pass_through(frames)
        return frames


def _price_source(streams: list[Stream], mode: str) -> Stream | None:
    """Return the stream that values positions: quotes, else trades, else the finest bars, else the book."""
    by_kind = {kind: [s for s in streams if s.kind == kind] for kind in ("quotes", "trades", "bars", "book")}
    if mode == "quotes":
        return (by_kind["quotes"] or by_kind["book"])[0]
    if mode == "trades" and by_kind["trades"]:
        return by_kind["trades"][0]
    if by_kind["bars"] and mode == "bars":
        return min(by_kind["bars"], key=lambda s: timeframe_ns(s.spec) or 1 << 62)
    for kind in ("quotes", "trades", "bars", "book"):
        if by_kind[kind]:
            return by_kind[kind][0]
    return None


def _rows_between(stream: Stream, since: int, until: int) -> int:
    """Estimate how many rows of a stream lie in the span, for progress and thinning."""
    span = max(1, stream.end_ns - stream.start_ns)
    part = min(stream.end_ns, until) - max(stream.start_ns, since)
    return max(1, min(stream.rows, round(stream.rows * max(0, part) / span) + 1))


# -- reading -----------------------------------------------------------------------------------------


def _merge_streams(
    spec: BacktestSpec, plan: Plan, recorders: _Recorders, since: int, until: int
) -> tuple[list[MergeStream], list[Receipt]]:
    """Return what is to be played, and what is counted of its receive times while it is read."""
    streams = []
    receipts = {id(stream): Receipt(stream.name) for stream in spec.streams}
    for stream in spec.streams:
        feed = spec.venues[spec.instruments[stream.instrument_id].venue].latency.feed
        frames = receive(stream.chunks(since, until), feed, receipts[id(stream)])
        streams.append(
            MergeStream(stream.kind, stream.instrument_id, recorders.watch(stream, frames), stream.spec)
        )
    if plan.opens:
        for series, instrument_id in plan.bar_series.items():
            source = next(
                s for s in spec.streams if s.kind == "bars" and series_id(s.instrument_id, s.spec) == series
            )
            streams.append(
                MergeStream("opens", instrument_id, _opens(source.chunks(since, until)), source.spec)
            )
    told = [receipts[id(s)] for s in spec.streams if s.kind != "funding" and not _is_detail(spec, s)]
    return streams, told


def _opens(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Turn bars into their openings."""
    import polars as pl

    for frame in frames:
        yield frame.select(
            pl.col("ts_open").alias("ts_event"),
            pl.col("ts_open").alias("ts_recv"),
            pl.col("open").alias("px"),
            "volume",
            pl.col("ts_event").alias("ts_close"),
        )


def _warm_up(spec: BacktestSpec, engine: Engine, since: int) -> None:
    """Feed the bars before the start to the indicators, where the data reach back that far."""
    if spec.since_ns is None:
        return
    for stream in spec.streams:
        if stream.kind != "bars" or _is_detail(spec, stream):
            continue
        needed = bars_needed(engine, series_id(stream.instrument_id, stream.spec))
        length = timeframe_ns(stream.spec)
        if not needed or not length or stream.start_ns >= since:
            continue
        reach = warm_up_reach(since, length, needed)
        bars: list[Any] = []
        frames = receive(stream.chunks(reach, since), Latency(), Receipt(stream.name))
        for batch in merge([MergeStream("bars", stream.instrument_id, frames, stream.spec)]):
            bars = (bars + batch)[-needed:]
        for bar in bars:
            engine.warm_bar(bar)


def warm_up_reach(since: int, length_ns: int, bars: int) -> int:
    """Return from when on bars before a start are looked at, to find so many of them: some may be missing."""
    return since - length_ns * (2 * bars + 10)


def _code_hash(spec: BacktestSpec) -> str:
    """Return a hash of the strategies' source files."""
    digest = hashlib.blake2b(digest_size=16)
    for entry in spec.strategies:
        path = _source_path(type(entry.strategy))
        if path and Path(path).is_file():
            digest.update(Path(path).read_bytes())
    digest.update(spec.source_hash.encode())
    return digest.hexdigest()


def _source_path(cls: type[Any]) -> str | None:
    """Return the file that a class was written in; None for one from a notebook cell or a prompt."""
    try:
        return getattr(cls, "source_file", None) or inspect.getsourcefile(cls)
    except (OSError, TypeError):
        return None
