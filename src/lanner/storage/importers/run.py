"""Import files into a catalog: detect, read, check, settle, commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import polars as pl

from lanner.core.errors import ConfigError, DataError, LannerError
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import Instrument, check_instrument_id, to_decimal
from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.catalog import Catalog
from lanner.storage.commit import Addition, commit
from lanner.storage.files import told_as_data_error
from lanner.storage.importers.detect import detect
from lanner.storage.importers.grid import Grid
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer, namer_for, names_of
from lanner.storage.importers.registry import format_named
from lanner.storage.importers.source import SourceFile, open_sources
from lanner.storage.importers.table import Options
from lanner.storage.passport import Passport, Rejection, SourceRecord
from lanner.storage.schema import DatasetKey
from lanner.storage.staging import Staging


@dataclass(slots=True)
class Watcher:
    """Where an import reports while it runs; all are optional."""

    on_bytes: Callable[[int], None] | None = None
    on_rows: Callable[[int], None] | None = None
    on_phase: Callable[[str], None] | None = None
    on_reject: Callable[[Rejection], None] | None = None


@dataclass(slots=True)
class Imported:
    """One data set after an import."""

    passport: Passport
    rows_read: int
    rows_new: int


@dataclass(slots=True)
class ImportResult:
    """What an import did."""

    datasets: list[Imported]
    formats: dict[str, str]
    rows_read: int
    rejected: int
    rejections: list[Rejection]
    notes: list[str]
    instruments: list[Instrument] = field(default_factory=list)
    dry_run: bool = False


def import_files(
    paths: Sequence[Path],
    catalog: Catalog,
    *,
    format: str = "auto",
    options: Options | None = None,
    strict: bool = False,
    replace: bool = False,
    dry_run: bool = False,
    watcher: Watcher | None = None,
) -> ImportResult:
    """Import files into a catalog; all of them, or none when anything fails.

    Raises ``NotFoundError`` for a missing file, ``ConfigError`` for a wrong option and ``DataError`` for
    a file that cannot be used.
    """
    options, watcher = options or Options(), watcher or Watcher()
    _check(options)
    if format != "auto":
        format_named(format)
    sources = [source for path in paths for source in open_sources(path)]
    with told_as_data_error(catalog.root), Staging(catalog.root) as staging:
        intake = Intake(staging, strict=strict, on_reject=watcher.on_reject)
        formats: dict[str, str] = {}
        inverse: set[str] = set()
        stored = names_of(catalog.instrument_ids())
        for source in sources:
            namer = _read_one(source, intake, format, options, watcher, formats, stored)
            inverse |= namer.inverse
        intake.complete()
        if watcher.on_phase is not None:
            watcher.on_phase("writing")
        additions = [_addition(key, intake) for key in intake.records if intake.staging.rows.get(key)]
        instruments = _instruments(catalog, intake, additions, options, inverse)
        if dry_run:
            done = [Imported(addition.passport, staging.rows[addition.key], 0) for addition in additions]
        else:
            done = [
                Imported(item.passport, item.rows_staged, item.passport.rows - item.rows_before)
                for item in commit(catalog, staging, additions, replace=replace, instruments=instruments)
            ]
    return ImportResult(
        datasets=done,
        formats=formats,
        rows_read=intake.rows,
        rejected=intake.rejected_total,
        rejections=[row for record in _one_record_each(intake) for row in record.rejections],
        notes=intake.notes,
        instruments=instruments,
        dry_run=dry_run,
    )


def _one_record_each(intake: Intake) -> list[SourceRecord]:
    """Return one record for each source: rejected rows are the same in all data sets of a source."""
    by_source: dict[int, SourceRecord] = {}
    for records in intake.records.values():
        by_source |= {number: record for number, record in records.items() if number not in by_source}
    return [by_source[number] for number in sorted(by_source)]


def _check(options: Options) -> None:
    if options.instrument:
        check_instrument_id(options.instrument)
    if options.timeframe and options.timeframe not in TIMEFRAMES_NS:
        raise ConfigError(
            "unknown --timeframe", expected=", ".join(TIMEFRAMES_NS), found=repr(options.timeframe)
        )
    if options.stamp not in ("open", "close"):
        raise ConfigError("unknown --stamp", expected="open or close", found=repr(options.stamp))
    for name in ("tick", "lot"):
        text = getattr(options, name)
        if text and to_decimal(text, f"--{name}") <= 0:
            raise ConfigError(f"--{name} must be positive", expected="a number > 0, e.g. 0.01", found=text)


def _read_one(
    source: SourceFile,
    intake: Intake,
    format: str,
    options: Options,
    watcher: Watcher,
    formats: dict[str, str],
    stored: dict[tuple[str, str, bool], str],
) -> Namer:
    name = format if format != "auto" else detect(source)
    formats[source.name] = name
    namer = namer_for(source.path, source.stem, options.instrument, stored)
    source.progress = _progress(intake, watcher)
    intake.begin(source, name)
    try:
        format_named(name).reader()(source, intake, namer, options)
    except LannerError:
        raise
    except (ValueError, ArithmeticError, LookupError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{source.name} cannot be read as {name}",
            found=f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}",
            fix="Check the file, or name its type with --format.",
        ) from error
    intake.finish()
    if not options.instrument:
        for instrument_id in dict.fromkeys(namer.seen.values()):
            intake.note(namer.note_text(instrument_id))
            for key in intake.records:
                if key.instrument_id == instrument_id:
                    intake.infer(key, "instrument", instrument_id)
    return namer


def _progress(intake: Intake, watcher: Watcher) -> Callable[[int], None]:
    def report(count: int) -> None:
        if watcher.on_bytes is not None:
            watcher.on_bytes(count)
        if watcher.on_rows is not None:
            watcher.on_rows(intake.rows)

    return report


def _addition(key: DatasetKey, intake: Intake) -> Addition:
    return Addition(key, intake.passport(key), dict(intake.records[key]))


def _instruments(
    catalog: Catalog, intake: Intake, additions: list[Addition], options: Options, inverse: set[str]
) -> list[Instrument]:
    """Return the instruments to store: new ones, and known ones whose tick or lot the user names."""
    out = []
    for instrument_id in dict.fromkeys(addition.key.instrument_id for addition in additions):
        grid = intake.grid(instrument_id)
        mine = [addition.passport for addition in additions if addition.key.instrument_id == instrument_id]
        known = catalog.instrument(instrument_id)
        if instrument_id in inverse:
            text = (
                "This is an inverse contract (settled in its base currency): backtests on it are refused yet."
            )
            for passport in mine:
                passport.warnings.append(text)
            continue
        if known is not None and not (options.tick or options.lot):
            if known.symbol:
                _check_grid(known, grid, mine)
                continue
            known_again = _refine(catalog, known, grid.tick if grid.known else None)
            if known_again is not None:
                out.append(known_again)
            continue
        if not grid.known and not options.tick:
            continue
        tick = to_decimal(options.tick, "--tick") if options.tick else grid.tick
        lot = to_decimal(options.lot, "--lot") if options.lot else grid.lot
        for passport in mine:
            if not options.tick:
                passport.inferred["tick"] = f"{tick:f}"
            if not options.lot:
                passport.inferred["lot"] = f"{lot:f}"
        out.append(build_instrument(instrument_id, tick, lot))
    return out


def _check_grid(told: Instrument, grid: Grid, passports: list[Passport]) -> None:
    """Say when prices lie between the ticks that the venue tells: it had another tick when they were made."""
    if not grid.known or grid.tick >= told.tick:
        return
    for passport in passports:
        passport.warnings.append(
            f"Some prices have steps of {grid.tick:f}, finer than the venue's tick of {told.tick:f}: the venue changed "
            "the tick in between, or this is another instrument."
        )


def _refine(catalog: Catalog, known: Instrument, tick: Decimal | None) -> Instrument | None:
    """Return the instrument with a finer tick when its tick was only concluded and new data has finer prices."""
    if tick is None or tick >= known.tick:
        return None
    concluded = any(
        "tick" in passport.inferred
        for info in catalog.datasets()
        if info.instrument_id == known.id
        and (passport := catalog.passport(info.kind, info.instrument_id, info.spec)) is not None
    )
    return build_instrument(known.id, tick, known.lot) if concluded else None


def build_instrument(instrument_id: str, tick: Decimal, lot: Decimal) -> Instrument:
    """Return an instrument of which only the id, the tick and the lot are known."""
    symbol = instrument_id.rpartition(".")[0].upper()
    if symbol.endswith(("-PERP", "-SWAP")):
        return Instrument.perp(instrument_id, tick=tick, lot=lot)
    try:
        return Instrument.spot(instrument_id, tick=tick, lot=lot)
    except ConfigError:
        return Instrument(
            id=instrument_id,
            kind=InstrumentKind.SPOT,
            base=symbol,
            quote="USD",
            settle="USD",
            tick=tick,
            lot=lot,
        )
