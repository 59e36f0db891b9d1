"""Make a ``BacktestSpec`` from settings: open the data, settle the instruments, build venues and strategies."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lanner.backtest.config import (
    DEFAULT_FEE,
    BacktestConfig,
    DelayConfig,
    InstrumentConfig,
    LatencyConfig,
    StrategyConfig,
)
from lanner.backtest.dates import format_time
from lanner.backtest.spec import BacktestSpec, ChunkSource, StrategyEntry, Stream
from lanner.core.errors import ConfigError, LannerError, NotFoundError
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.timeframes import TIMEFRAMES_NS, timeframe_ns
from lanner.risk.checks import RiskLimits
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    GapFill,
    Latency,
    LatencyKind,
    LatencySettings,
    LimitOn,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from lanner.storage.catalog import Catalog, default_catalog, default_home
from lanner.storage.open_data import Dataset, open_source
from lanner.strategy.base import Strategy
from lanner.strategy.errors import describe, rendered, user_lines
from lanner.strategy.registry import load_strategy

if TYPE_CHECKING:
    import polars as pl


class CatalogChunks(ChunkSource):
    """Read one data set of a catalog."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterable[pl.DataFrame]:
        """Return the frames of [since, until), in time order."""
        chosen = self._dataset
        return chosen.catalog.scan(
            chosen.kind, chosen.instrument_id, chosen.spec, since_ns=since_ns, until_ns=until_ns
        )


@dataclass(slots=True)
class Prepared:
    """A specification ready to run, the files of the strategies' source, and what the user should hear."""

    spec: BacktestSpec
    sources: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare(
    config: BacktestConfig, *, run_id: str, classes: Sequence[type[Strategy]] | None = None
) -> Prepared:
    """Open what the settings name and return the specification of the run.

    ``classes`` stands for the strategies named in the settings, for callers that hold the classes already.
    Raises ``NotFoundError`` for data, strategies and instruments that do not exist, ``ConfigError`` for the rest.
    """
    loaded = (
        [load_strategy(entry.strategy) for entry in config.entries()] if classes is None else list(classes)
    )
    entries = _entries(config.entries(), loaded)
    notes: list[str] = []
    datasets = _open_data(config, notes)
    instruments = _instruments(config, datasets, notes)
    _check_instruments(entries, instruments)
    _settle_timeframes(entries, config, datasets, notes)
    _check_leverage(config, instruments)
    currency = config.currency or _currency(config, instruments)
    _check_rates(config, instruments, currency)
    spec = BacktestSpec(
        name=config.name or "+".join(dict.fromkeys(entry.strategy.id for entry in entries)),
        run_id=run_id,
        strategies=entries,
        streams=[_stream(dataset) for dataset in datasets],
        instruments=instruments,
        venues=_venues(config, instruments, currency),
        currency=currency,
        since_ns=config.since,
        until_ns=config.until,
        detail=config.detail,
        seed=config.seed,
        risk=RiskLimits(
            max_order_notional=config.risk.max_order_notional,
            max_position_notional=config.risk.max_position_notional,
            max_open_orders=config.risk.max_open_orders,
            max_intents_per_step=config.risk.max_intents_per_step,
        ),
        rates=config.rates,
        config=config.to_plain(),
        source_hash=source_hash(loaded),
    )
    _check_span(spec)
    return Prepared(spec, source_files(loaded), notes)


# -- strategies -------------------------------------------------------------------------------------------------


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
    except Exception as error:  # noqa: BLE001 - the user's own constructor or check may raise anything
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


def source_files(classes: Iterable[type[Strategy]]) -> list[Path]:
    """Return the files that define the strategies, those of the house left out."""
    house = Path(__file__).resolve().parent.parent
    files = dict.fromkeys(path for cls in classes if (path := _file_of(cls)) is not None)
    return [path for path in files if not path.is_relative_to(house)]


def source_hash(classes: Iterable[type[Strategy]]) -> str:
    """Return a hash of the source text of the files that define the strategies."""
    digest = hashlib.sha256()
    for cls in classes:
        path = _file_of(cls)
        digest.update(cls.__qualname__.encode())
        digest.update(path.read_bytes() if path is not None else _source_of(cls))
    return digest.hexdigest()


def _file_of(cls: type[Strategy]) -> Path | None:
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file and Path(file).is_file() else None


def _source_of(cls: type[Strategy]) -> bytes:
    """Return the source of a class that no file holds (a notebook cell), empty when there is none."""
    try:
        return inspect.getsource(cls).encode()
    except (OSError, TypeError):
        return b""


# -- data and instruments ---------------------------------------------------------------------------------------


def _open_data(config: BacktestConfig, notes: list[str]) -> list[Dataset]:
    catalog = Catalog(Path(config.catalog).expanduser() if config.catalog else default_catalog())
    datasets: dict[tuple[str, str, str], Dataset] = {}
    for ref in config.data:
        source = open_source(
            ref,
            catalog=catalog,
            instrument=config.instrument,
            timeframe=config.timeframe if config.timeframe in TIMEFRAMES_NS else None,
            format=config.format or "auto",
            cache_dir=default_home() / "cache",
        )
        notes += source.notes
        for dataset in source.datasets:
            key = (dataset.kind, dataset.instrument_id, dataset.spec)
            if key in datasets:
                raise ConfigError(
                    f"the data set {dataset.ref} is given twice", expected="every data set once"
                )
            datasets[key] = dataset
    for dataset in list(datasets.values()):
        for kind, spec in _companions(config, dataset, set(datasets)):
            if dataset.catalog.passport(kind, dataset.instrument_id, spec) is None:
                continue
            extra = open_source(
                f"{dataset.instrument_id}@{spec or kind}",
                catalog=dataset.catalog,
                cache_dir=default_home() / "cache",
            )
            datasets[kind, dataset.instrument_id, spec] = extra.datasets[0]
    _check_detail(config, datasets.values())
    return list(datasets.values())


def _companions(
    config: BacktestConfig, dataset: Dataset, present: set[tuple[str, str, str]]
) -> list[tuple[str, str]]:
    """Return (kind, spec) of data that belongs to a data set: funding history, and finer bars for ``detail``."""
    wanted = [("funding", "")] if config.funding == "data" and dataset.kind != "funding" else []
    if config.detail and dataset.kind == "bars":
        wanted.append(("bars", config.detail))
    return [(kind, spec) for kind, spec in wanted if (kind, dataset.instrument_id, spec) not in present]


def _check_detail(config: BacktestConfig, datasets: Iterable[Dataset]) -> None:
    if config.detail is None:
        return
    bars: dict[str, list[str]] = {}
    for dataset in datasets:
        if dataset.kind == "bars":
            bars.setdefault(dataset.instrument_id, []).append(dataset.spec)
    for instrument_id, specs in bars.items():
        if config.detail not in specs:
            raise NotFoundError(
                f"no bars of {config.detail} of {instrument_id} to decide fills with",
                expected=f"the data set {instrument_id}@{config.detail}",
                fix=f"Import them, or leave out detail: {config.detail}.",
            )
        coarser = [spec for spec in specs if timeframe_ns(spec) > timeframe_ns(config.detail) > 0]
        if not coarser:
            raise ConfigError(
                f"detail {config.detail} is not finer than the bars of {instrument_id}",
                expected="a smaller timeframe than the strategy's",
                found=", ".join(specs),
            )


def _stream(dataset: Dataset) -> Stream:
    passport = dataset.passport
    return Stream(
        kind=dataset.kind,
        instrument_id=dataset.instrument_id,
        spec=dataset.spec,
        rows=passport.rows,
        start_ns=passport.start_ns,
        end_ns=passport.end_ns,
        content_hash=passport.content_hash,
        synthetic=passport.synthetic,
        passport=passport,
        chunks=CatalogChunks(dataset),
        label=dataset.ref,
    )


def _instruments(config: BacktestConfig, datasets: list[Dataset], notes: list[str]) -> dict[str, Instrument]:
    found: dict[str, Instrument] = {}
    for dataset in datasets:
        name = dataset.instrument_id
        if name not in found:
            found[name] = settle_instrument(
                name, dataset.instrument, config.instruments.get(name, InstrumentConfig()), config
            )
            if config.fees is None and (
                dataset.instrument is None or dataset.instrument.fees == FeeSchedule()
            ):
                fees = found[name].fees
                notes.append(
                    f"{name}: fees are not known; assumed {fees.maker:f} maker, {fees.taker:f} taker"
                )
    for name in config.instruments:
        if name not in found:
            raise _no_instrument(f"instruments: there are settings for {name}, but no data", name, found)
    return found


def settle_instrument(
    name: str, known: Instrument | None, said: InstrumentConfig, config: BacktestConfig
) -> Instrument:
    """Return what is known of an instrument with what the settings say laid over it.

    Fees: the instrument's own ``maker`` and ``taker`` settings win over ``fees`` of the run, those over the data's
    own schedule, and an instrument without any gets 10 basis points.
    """
    if known is None and (said.tick is None or said.lot is None):
        raise ConfigError(
            f"nothing is known about the instrument {name}",
            expected="its tick and lot",
            fix=f"Say `instruments: {{{name}: {{tick: 0.01, lot: 0.0001}}}}` in the settings.",
        )
    changes = said.model_dump(exclude_none=True, exclude={"kind", "maker", "taker"})
    base = known
    if base is None or (said.kind is not None and base.is_spot != (said.kind == "spot")):
        grid = {"tick": said.tick, "lot": said.lot} if base is None else {"tick": base.tick, "lot": base.lot}
        perp = said.kind == "perp" or (said.kind is None and "PERP" in name.upper())
        make = Instrument.perp if perp else Instrument.spot
        base = make(name, **grid, **({"fees": base.fees} if base is not None else {}))  # type: ignore[arg-type]
    if base.kind is InstrumentKind.LINEAR_PERP and base.max_leverage == 1 and said.max_leverage is None:
        changes["max_leverage"] = config.leverage  # 1 is what an instrument says that does not know
    return msgspec.structs.replace(base, **changes, fees=_fees(base, said, config))


def _fees(base: Instrument, said: InstrumentConfig, config: BacktestConfig) -> FeeSchedule:
    if config.fees is not None:
        maker, taker = config.fees.maker, config.fees.taker
    elif base.fees == FeeSchedule():
        maker = taker = DEFAULT_FEE
    else:
        maker, taker = base.fees.maker, base.fees.taker
    return FeeSchedule(
        said.maker if said.maker is not None else maker, said.taker if said.taker is not None else taker
    )


def _check_instruments(entries: list[StrategyEntry], instruments: dict[str, Instrument]) -> None:
    for entry in entries:
        for name in entry.instruments:
            if name not in instruments:
                raise _no_instrument(
                    f"strategy {entry.strategy.id} wants {name}, but there is no data", name, instruments
                )


def _no_instrument(what: str, name: str, known: dict[str, Instrument]) -> NotFoundError:
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return NotFoundError(
        what, expected=f"one of {', '.join(known)}", fix=f"Did you mean {near[0]}?" if near else None
    )


def _check_leverage(config: BacktestConfig, instruments: dict[str, Instrument]) -> None:
    """Refuse leverage where nothing can be bought on margin, rather than leave it without effect."""
    if config.leverage > 1 and all(instrument.is_spot for instrument in instruments.values()):
        raise ConfigError(
            f"leverage {config.leverage} has no use on spot: {', '.join(instruments)}",
            expected="leverage 1, or a perpetual such as BTC-PERP.HYPERLIQUID",
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


# -- venues -----------------------------------------------------------------------------------------------------


def _currency(config: BacktestConfig, instruments: dict[str, Instrument]) -> str:
    named = list(dict.fromkeys(name for amounts in config.cash.values() for name in amounts if name))
    settles = [instrument.settle for instrument in instruments.values()]
    return next((name for name in settles if name in named), named[0] if len(named) == 1 else settles[0])


def _check_rates(config: BacktestConfig, instruments: dict[str, Instrument], currency: str) -> None:
    """Refuse money whose worth in the run's currency nobody has told."""
    held = [name for amounts in config.cash.values() for name in amounts if name]
    settled = [instrument.settle for instrument in instruments.values()]
    for name in dict.fromkeys([*settled, *held]):
        if name != currency and name not in config.rates:
            raise ConfigError(
                f"nothing says what {name} is worth in {currency}, the currency of the run",
                expected=f"a rate for {name}",
                fix=f"Add it to the settings, e.g. `rates: {{{name}: 1}}`, or use one currency.",
            )


def _venues(
    config: BacktestConfig, instruments: dict[str, Instrument], currency: str
) -> dict[str, VenueSettings]:
    names = list(dict.fromkeys(instrument.venue for instrument in instruments.values()))
    balances = _balances(config, names, currency)
    slippage = Slippage(SlippageModel(config.slippage.model), config.slippage.value)
    fills = FillSettings(
        market_on=MarketOn(config.fills.market_on),
        limit_on=LimitOn(config.fills.limit_on),
        gap_fill=GapFill(config.fills.gap_fill),
        participation=config.fills.participation,
        bar_participation=config.fills.bar_participation,
        walk_ticks=config.fills.walk_ticks,
    )
    return {
        name: VenueSettings(
            name=name,
            balances=balances[name],
            slippage=slippage,
            latency=_latency(config.latency),
            fills=fills,
            leverage=config.leverage,
            funding=FundingMode(config.funding),
        )
        for name in names
    }


def _balances(config: BacktestConfig, venues: list[str], currency: str) -> dict[str, dict[str, Decimal]]:
    if set(config.cash) == {""}:
        if len(venues) > 1:
            raise ConfigError(
                "cash does not say at which venue it lies",
                expected=f"amounts for each of {', '.join(venues)}",
                fix=f"Say `cash: {{{', '.join(f'{name}: {{{currency}: 10000}}' for name in venues)}}}`.",
            )
        return {venues[0]: {name or currency: amount for name, amount in config.cash[""].items()}}
    for name in config.cash:
        if name not in venues:
            near = get_close_matches(name, venues, n=1, cutoff=0.5)
            raise ConfigError(
                f"cash names the venue {name!r}, which is not in the data",
                expected=f"one of {', '.join(venues)}",
                fix=f"Did you mean {near[0]}?" if near else None,
            )
    return {name: dict(config.cash.get(name, {})) for name in venues}


def _latency(config: LatencyConfig) -> LatencySettings:
    return LatencySettings(
        feed=_delay(config.feed),
        entry=_delay(config.entry),
        exchange=_delay(config.exchange),
        response=_delay(config.response),
        cancel=_delay(config.cancel) if config.cancel is not None else None,
        amend=_delay(config.amend) if config.amend is not None else None,
    )


def _delay(config: DelayConfig) -> Latency:
    return Latency(
        kind=LatencyKind(config.model),
        mean_ns=_ns(config.ms),
        sigma_ns=_ns(config.sigma_ms),
        points=tuple((ts, _ns(ms)) for ts, ms in config.points),
    )


def _ns(ms: Decimal) -> int:
    return round(ms * 1_000_000)
