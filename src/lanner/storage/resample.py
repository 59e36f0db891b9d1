"""Make a stored bar set out of stored trades or finer bars, with the very builders that the engine uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from lanner.core.errors import ConfigError, DataError
from lanner.marketdata.bars import BarAggregator, BarBuilder, bar_builder, check_divides
from lanner.marketdata.bars.by_time import Empty
from lanner.marketdata.rows import chunks_of
from lanner.model.market import Bar
from lanner.model.timeframes import TIMEFRAMES_NS, series_id, timeframe_ns
from lanner.storage.catalog import Catalog, DatasetInfo
from lanner.storage.open_data import Dataset
from lanner.storage.passport import Passport, SourceRecord
from lanner.storage.schema import SCHEMAS

FORMAT = "resample"
_COLUMNS = tuple(SCHEMAS["bars"])
_STEP = 16_384
"""Messages made at a time."""
_FLUSH = 100_000
"""Finished bars held before they are handed on."""


def resample_stored(
    catalog: Catalog,
    source: Dataset,
    spec: str,
    *,
    empty: Empty = "none",
    partial: bool = False,
    replace: bool = False,
    watch: Callable[[int], None] | None = None,
) -> DatasetInfo:
    """Build bars of ``spec`` from a data set of trades or finer bars and store them in a catalog.

    The bars equal those that the engine builds while it plays the source. ``empty="flat"`` fills spans without
    trades, ``partial`` keeps the bar at the end that nothing proves complete, ``watch`` is told the rows read.
    Raises ``ConfigError`` for bars that cannot be built from this source, ``DataError`` when there are such bars
    already and ``replace`` is false. One chunk of the source is in memory at a time.
    """
    builder = _builder(source, spec, empty)
    instrument_id = source.instrument_id
    held = catalog.passport("bars", instrument_id, spec)
    if held is not None and not replace:
        raise DataError(
            f"{held.ref} exists already",
            expected="a data set that does not exist",
            found=", ".join(record.file for record in held.sources[:1]) or None,
            fix="Add --replace to make it anew.",
        )
    record = SourceRecord(
        file=source.ref, sha256=source.passport.content_hash, size=source.passport.size, format=FORMAT
    )
    frames = _frames(builder, source, record, partial, watch)
    passport = Passport(
        kind="bars",
        instrument_id=instrument_id,
        spec=spec,
        synthetic=source.passport.synthetic,
        sources=[record],
        inferred={"resampled from": source.ref},
        warnings=_handed_on(source.passport),
    )
    info = catalog.write("bars", instrument_id, spec, frames, passport, replace=True)
    if source.instrument is not None and catalog.instrument(instrument_id) is None:
        catalog.save_instrument(source.instrument)
    return info


def _builder(source: Dataset, spec: str, empty: Empty) -> BarBuilder | BarAggregator:
    timeframe_ns(spec)
    series = series_id(source.instrument_id, spec)
    if source.kind == "trades":
        return bar_builder(series, empty=empty)
    if source.kind != "bars":
        raise ConfigError(
            f"bars cannot be made from {source.ref}", expected="trades or finer bars", found=source.kind
        )
    if spec not in TIMEFRAMES_NS or source.spec not in TIMEFRAMES_NS:
        raise ConfigError(
            f"{spec} bars cannot be made from {source.ref}",
            expected="trades, or bars by time on both sides",
            fix=f"Import trades and make them from {source.instrument_id}@trades.",
        )
    check_divides(source.spec, spec)
    return BarAggregator(series_id(source.instrument_id, source.spec), spec, empty=empty)


def _handed_on(passport: Passport) -> list[str]:
    """Repeat what is wrong with the source: its gaps are holes inside the bars made from it."""
    told = [
        text
        for text in passport.problems()
        if not (passport.synthetic and text.startswith("The data is synth"))
    ]
    return [f"In the source {passport.ref}: {text}" for text in told]


def _frames(
    builder: BarBuilder | BarAggregator,
    source: Dataset,
    record: SourceRecord,
    partial: bool,
    watch: Callable[[int], None] | None,
) -> Iterator[pl.DataFrame]:
    done: list[Bar] = []
    for messages in _messages(source):
        for message in messages:
            bars = builder.push(message)
            if bars:
                done.extend(bars)
        record.rows += len(messages)
        if watch is not None:
            watch(record.rows)
        if len(done) >= _FLUSH:
            yield _frame(done)
            done = []
    if partial:
        done.extend(builder.flush())
    if done:
        yield _frame(done)
    elif not record.rows:
        raise DataError(f"{source.ref} has no rows", fix="Nothing was written.")


def _messages(source: Dataset) -> Iterator[list[Any]]:
    frames = source.catalog.scan(source.kind, source.instrument_id, source.spec)
    for rows in chunks_of(source.kind, source.instrument_id, source.spec, frames):
        for start in range(0, rows.count, _STEP):
            yield rows.objects(start, min(start + _STEP, rows.count))


def _frame(bars: Sequence[Bar]) -> pl.DataFrame:
    columns: Iterable[list[object]] = ([getattr(bar, name) for bar in bars] for name in _COLUMNS)
    return pl.DataFrame(dict(zip(_COLUMNS, columns, strict=True)), schema=SCHEMAS["bars"])
