"""Make a ``BacktestSpec`` from settings: strategies are built here, data and venues beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lanner.backtest.config import BacktestConfig, StrategyConfig
from lanner.backtest.dates import format_time
from lanner.backtest.memory import Tables
from lanner.backtest.prepare_data import no_instrument, open_data, settle_instruments, stream_of
from lanner.backtest.prepare_venues import check_leverage, check_rates, currency_of, venues_of
from lanner.backtest.risk_limits import limits_of_risk
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.errors import ConfigError, LannerError, NotFoundError
from lanner.model.instruments import Instrument
from lanner.model.timeframes import timeframe_ns
from lanner.storage.open_data import Dataset
from lanner.strategy.base import Strategy
from lanner.strategy.errors import describe, rendered, user_lines
from lanner.strategy.registry import load_strategy
from lanner.strategy.sources import source_files, source_hash


@dataclass(slots=True)
class Prepared:
    """A specification ready to run, the files of the strategies' source, and what the user should hear."""

    spec: BacktestSpec
    sources: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare(
    config: BacktestConfig,
    *,
    run_id: str,
    classes: Sequence[type[Strategy]] | None = None,
    tables: Tables | None = None,
) -> Prepared:
    """Open what the settings name and return the specification of the run.

    ``classes`` stands for the strategies named in the settings, for callers that hold the classes already,
    ``tables`` for data that the settings name as lying in memory.
    Raises ``NotFoundError`` for data, strategies and instruments that do not exist, ``ConfigError`` for the rest.
    """
    loaded = (
        [load_strategy(entry.strategy) for entry in config.entries()] if classes is None else list(classes)
    )
    entries = _entries(config.entries(), loaded)
    notes: list[str] = []
    datasets = open_data(config, notes, tables)
    instruments = settle_instruments(config, datasets, notes)
    _check_instruments(entries, instruments)
    _settle_timeframes(entries, config, datasets, notes)
    check_leverage(config, instruments)
    currency = config.currency or currency_of(config, instruments)
    check_rates(config, instruments, currency)
    spec = BacktestSpec(
        name=config.name or "+".join(dict.fromkeys(entry.strategy.id for entry in entries)),
        run_id=run_id,
        strategies=entries,
        streams=[stream_of(dataset) for dataset in datasets],
        instruments=instruments,
        venues=venues_of(config, instruments, currency),
        currency=currency,
        since_ns=config.since,
        until_ns=config.until,
        detail=config.detail,
        seed=config.seed,
        risk=limits_of_risk(config.risk),
        rates=config.rates,
        config=config.to_plain(),
        source_hash=source_hash(loaded),
    )
    _check_span(spec)
    return Prepared(spec, source_files(loaded), notes)


def _entries(settings: Sequence[StrategyConfig], classes: Sequence[type[Strategy]]) -> list[StrategyEntry]:
    entries: list[StrategyEntry] = []
    taken: set[str] = set()
    for setting, cls in zip(settings, classes, strict=True):
        strategy = _build(cls, setting)
        if setting.id is not None and setting.id in taken:
            raise ConfigError(
                f"two strategies have the id {setting.id!r}", expected="a different id for each"
            )
        stem = setting.id or strategy.id
        number = 2
        strategy.id = stem
        while strategy.id in taken:
            strategy.id = f"{stem}-{number}"
            number += 1
        taken.add(strategy.id)
        entries.append(StrategyEntry(strategy, setting.allocation or 0.0, tuple(setting.instruments)))
    return entries


def _build(cls: type[Strategy], setting: StrategyConfig) -> Strategy:
    try:
        return cls(**setting.params)
    except LannerError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's own constructor or check may raise anything
        lines = [f"{cls.__name__} cannot be built from its parameters", *user_lines(error), describe(error)]
        raise rendered("\n".join(lines), error) from None


def _settle_timeframes(
    entries: list[StrategyEntry], config: BacktestConfig, datasets: list[Dataset], notes: list[str]
) -> None:
    """Give each strategy the timeframe of the settings; else its own, or the data's where its own cannot be made."""
    specs = [data.spec for data in datasets if data.kind == "bars" and data.spec != config.detail]
    for entry in entries:
        own = entry.strategy.timeframe
        if config.timeframe is not None:
            chosen = config.timeframe
        elif not specs or any(_can_make(own, spec) for spec in specs):
            continue
        else:
            chosen = min(specs, key=timeframe_ns)
            notes.append(f"{entry.strategy.id}: runs on {chosen}, the data has no {own}")
        vars(entry.strategy)["timeframe"] = chosen


def _can_make(wanted: str, spec: str) -> bool:
    """Tell whether bars of one timeframe can be built from those of another."""
    if wanted == spec:
        return True
    length, part = timeframe_ns(wanted), timeframe_ns(spec)
    return bool(length and part) and length > part and length % part == 0


def _check_instruments(entries: list[StrategyEntry], instruments: dict[str, Instrument]) -> None:
    for entry in entries:
        for name in entry.instruments:
            if name not in instruments:
                raise no_instrument(
                    f"strategy {entry.strategy.id} wants {name}, but there is no data", name, instruments
                )


def _check_span(spec: BacktestSpec) -> None:
    """Refuse a time span that no data set reaches."""
    market = [stream for stream in spec.streams if stream.kind != "funding"]
    start, end = min(stream.start_ns for stream in market), max(stream.end_ns for stream in market)
    if (spec.since_ns is not None and spec.since_ns > end) or (
        spec.until_ns is not None and spec.until_ns <= start
    ):
        since = format_time(spec.since_ns) if spec.since_ns is not None else "the start"
        until = format_time(spec.until_ns) if spec.until_ns is not None else "the end"
        raise NotFoundError(
            f"there is no data from {since} to {until}",
            expected=f"a span that meets {format_time(start)} to {format_time(end)}",
            fix="Change since and until, or import more data.",
        )
