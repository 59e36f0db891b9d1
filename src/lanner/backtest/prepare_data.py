"""Open the data that settings name, and settle what is known about each instrument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lanner.backtest.config import DEFAULT_FEE, BacktestConfig, InstrumentConfig
from lanner.backtest.memory import IN_MEMORY, MemoryDataset, Tables
from lanner.backtest.spec import ChunkSource, Stream
from lanner.core.errors import ConfigError, NotFoundError
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.timeframes import TIMEFRAMES_NS, timeframe_ns
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_cache, default_catalog
from lanner.storage.open_data import Dataset, open_source

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


def open_data(config: BacktestConfig, notes: list[str], tables: Tables | None = None) -> list[Dataset]:
    """Return the data sets that settings name and those that belong to them; add what was concluded to ``notes``.

    ``tables`` holds what names that begin with ``memory:`` stand for.
    """
    catalog = Catalog(Path(config.catalog).expanduser() if config.catalog else default_catalog())
    datasets: dict[tuple[str, str, str], Dataset] = {}
    for ref in config.data:
        for dataset in _opened(ref, catalog, config, notes, tables or Tables({})):
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
                cache_dir=default_cache(),
            )
            datasets[kind, dataset.instrument_id, spec] = extra.datasets[0]
    _check_detail(config, datasets.values())
    return list(datasets.values())


def _opened(
    ref: str, catalog: Catalog, config: BacktestConfig, notes: list[str], tables: Tables
) -> Sequence[Dataset]:
    if ref.startswith(IN_MEMORY):
        return tables.open(
            ref, catalog, instrument=config.instrument or "", timeframe=config.timeframe or "", notes=notes
        )
    source = open_source(
        ref,
        catalog=catalog,
        instrument=config.instrument,
        timeframe=config.timeframe if config.timeframe in TIMEFRAMES_NS else None,
        format=config.format or "auto",
        cache_dir=default_cache(),
    )
    notes += source.notes
    return source.datasets


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


def stream_of(dataset: Dataset) -> Stream:
    """Return a data set as a stream of the run."""
    if isinstance(dataset, MemoryDataset):
        return dataset.stream()
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


def settle_instruments(
    config: BacktestConfig, datasets: list[Dataset], notes: list[str]
) -> dict[str, Instrument]:
    """Return every instrument of the data as the settings want it; add what had to be assumed to ``notes``."""
    found: dict[str, Instrument] = {}
    for dataset in datasets:
        name = dataset.instrument_id
        if name not in found:
            found[name] = settle_instrument(
                name, dataset.instrument, config.instruments.get(name, InstrumentConfig()), config
            )
            if (config.fees is None or not config.fees.tells_rates) and (
                dataset.instrument is None or dataset.instrument.fees == FeeSchedule()
            ):
                fees = found[name].fees
                notes.append(
                    f"{name}: fees are not known; assumed {fees.maker:f} maker, {fees.taker:f} taker"
                )
        one = dataset.instrument
        if one is not None and one.fees.in_base and not found[name].fees.in_base:
            note = f"{name}: all fees are taken in {one.quote}; the venue keeps those of buys in {one.base}"
            if note not in notes:
                notes.append(note)
    for name in config.instruments:
        if name not in found:
            raise no_instrument(f"instruments: there are settings for {name}, but no data", name, found)
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
    told = config.fees
    if told is not None and told.tells_rates:
        maker, taker = told.maker, told.taker
    elif base.fees == FeeSchedule():
        maker = taker = DEFAULT_FEE
    else:
        maker, taker = base.fees.maker, base.fees.taker
    return FeeSchedule(
        said.maker if said.maker is not None else maker,
        said.taker if said.taker is not None else taker,
        in_base=told is not None and told.in_base is True,
    )


def no_instrument(what: str, name: str, known: dict[str, Instrument]) -> NotFoundError:
    """Return the error for an instrument that is not in the data, naming one that is close."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return NotFoundError(
        what, expected=f"one of {', '.join(known)}", fix=f"Did you mean {near[0]}?" if near else None
    )
