"""Turn staged rows into the catalog's files and passports, all data sets of an import together."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lanner.core.errors import DataError
from lanner.model.instruments import Instrument
from lanner.storage import external
from lanner.storage.catalog import Catalog
from lanner.storage.files import folder_lock, sync_file, sync_folder, uninterrupted
from lanner.storage.measuring import measure_chunks
from lanner.storage.passport import (
    LEDGER_LIMIT,
    QUANTILES,
    Gap,
    LatencyStats,
    PartitionStats,
    Passport,
    SourceRecord,
)
from lanner.storage.quality import bar_gaps, combine_hashes, measure
from lanner.storage.schema import DatasetKey, completed, partition_label
from lanner.storage.settle import EXISTING, settle
from lanner.storage.staging import Staging

_ROW_GROUP = 131_072


@dataclass(slots=True)
class Addition:
    """What an import adds to one data set: a passport with sources, warnings and what was inferred.

    ``sources`` maps the staged ``_src`` numbers to the records whose duplicate counts are completed here.
    """

    key: DatasetKey
    passport: Passport
    sources: dict[int, SourceRecord] = field(default_factory=dict)


@dataclass(slots=True)
class Done:
    """One data set after the commit: its passport and how many of the staged rows were new."""

    passport: Passport
    rows_staged: int
    rows_before: int


def commit(
    catalog: Catalog,
    staging: Staging,
    additions: Sequence[Addition],
    *,
    replace: bool = False,
    instruments: Sequence[Instrument] = (),
) -> list[Done]:
    """Write all partitions, then make them visible by renaming the passports; undo everything on failure."""
    with folder_lock(catalog.root):
        written: list[Path] = []
        try:
            prepared = [_prepare(catalog, staging, addition, replace, written) for addition in additions]
            drafts = [(_draft(catalog.passport_path(done.passport.key), done.passport)) for done in prepared]
            with uninterrupted():
                for draft, path in drafts:
                    draft.replace(path)
                for instrument in instruments:
                    catalog.save_instrument(instrument)
        except BaseException:
            _undo(catalog, additions, written)
            raise
        if drafts:
            sync_folder(drafts[0][1].parent)
        for done in prepared:
            _collect_leftovers(catalog, done.passport)
    return prepared


def _prepare(
    catalog: Catalog, staging: Staging, addition: Addition, replace: bool, written: list[Path]
) -> Done:
    key = addition.key
    before = None if replace else catalog.passport(key.kind, key.instrument_id, key.spec)
    parts = {} if before is None else {part.label: part for part in before.partitions}
    rows_before = sum(part.rows for part in parts.values())
    folder = catalog.dataset_folder(key)
    folder.mkdir(parents=True, exist_ok=True)
    staged = staging.rows.get(key, 0)
    for number in staging.partitions(key):
        label = partition_label(number)
        held = parts.get(label)
        large = staging.size(key, number) + (held.rows if held else 0) > external.SETTLE_ROWS
        if large and key.kind in external.STREAMED:
            parts[label] = _settle_large(staging, addition, number, held, folder, written)
            continue
        frame = staging.take(key, number)
        if held:
            frame = pl.concat([_existing(folder / held.file, key), frame])
        settled = settle(frame, key.kind, key.spec)
        _count_dropped(addition, settled.exact, settled.conflicting)
        parts[label] = _write_partition(folder, label, settled.frame, key, written)
    sync_folder(folder)
    passport = assemble(addition, before, [parts[label] for label in sorted(parts)])
    return Done(passport, staged, rows_before)


def _count_dropped(addition: Addition, exact: dict[int, int], conflicting: dict[int, int]) -> None:
    for source, record in addition.sources.items():
        record.duplicates_exact += exact.get(source, 0)
        record.duplicates_conflicting += conflicting.get(source, 0)


def _settle_large(
    staging: Staging,
    addition: Addition,
    number: int,
    held: PartitionStats | None,
    folder: Path,
    written: list[Path],
) -> PartitionStats:
    """Settle, measure and write a partition that does not fit into memory."""
    key = addition.key
    named = staging.named(key, number)
    pieces = staging.pieces(key, number)
    if held is not None:
        path = folder / held.file
        named = named and _has_names(path, key)
        pieces += external.pieces_of_file(
            path, held.rows, lambda offset, rows: _existing(path, key, offset, rows)
        )
    with tempfile.TemporaryDirectory(dir=staging.folder) as place:
        done = external.settle_pieces(pieces, key, Path(place), named=named)
        _count_dropped(addition, done.exact, done.conflicting)
        stats = measure_chunks(done.chunks, key)
        label = partition_label(number)
        rows = pl.scan_ipc(done.files)
        return _write_file(
            folder,
            label,
            stats,
            written,
            lambda path: rows.sink_parquet(path, compression="zstd", row_group_size=_ROW_GROUP),
        )


def _has_names(path: Path, key: DatasetKey) -> bool:
    if key.kind != "trades":
        return True
    return bool(pl.scan_parquet(path, glob=False).select((pl.col("trade_id") != "").all()).collect().item())


def _existing(path: Path, key: DatasetKey, offset: int = 0, rows: int | None = None) -> pl.DataFrame:
    try:
        frame = pl.scan_parquet(path, glob=False).slice(offset, rows).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"cannot read {path} of the data set {key.ref}, which the import should be merged with",
            found=error,
            fix="Import with --replace to start this data set anew.",
        ) from error
    return completed(frame, key.kind).with_columns(
        pl.lit(EXISTING, dtype=pl.Int32).alias("_src"),
        pl.int_range(offset, offset + pl.len(), dtype=pl.Int64).alias("_order"),
    )


def _write_partition(
    folder: Path, label: str, frame: pl.DataFrame, key: DatasetKey, written: list[Path]
) -> PartitionStats:
    return _write_file(
        folder,
        label,
        measure(frame, key),
        written,
        lambda path: frame.write_parquet(path, compression="zstd", row_group_size=_ROW_GROUP),
    )


def _write_file(
    folder: Path, label: str, stats: dict[str, Any], written: list[Path], write: Callable[[Path], object]
) -> PartitionStats:
    path = folder / f"{label}.{stats['content_hash'][:10]}.parquet"
    if not path.exists():
        temporary = folder / f".{path.name}.{os.getpid()}.tmp"
        written += [path, temporary]
        write(temporary)
        sync_file(temporary)
        temporary.replace(path)
    return PartitionStats(label=label, file=path.name, size=path.stat().st_size, **stats)


def _draft(path: Path, passport: Passport) -> tuple[Path, Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_bytes(passport.to_json())
    sync_file(draft)
    return draft, path


def _undo(catalog: Catalog, additions: Sequence[Addition], written: list[Path]) -> None:
    listed: set[Path] = set()
    for addition in additions:
        key = addition.key
        draft = catalog.passport_path(key)
        draft.with_name(f".{draft.name}.{os.getpid()}.tmp").unlink(missing_ok=True)
        current = catalog.passport(key.kind, key.instrument_id, key.spec)
        if current is not None:
            listed |= {catalog.dataset_folder(key) / part.file for part in current.partitions}
    for path in written:
        if path not in listed:
            path.unlink(missing_ok=True)


def _collect_leftovers(catalog: Catalog, passport: Passport) -> None:
    folder = catalog.dataset_folder(passport.key)
    listed = {part.file for part in passport.partitions}
    for path in folder.iterdir():
        if path.name not in listed:
            path.unlink(missing_ok=True)


def assemble(addition: Addition, before: Passport | None, parts: list[PartitionStats]) -> Passport:
    """Build the passport of a data set from its partitions and from everything that was ever imported."""
    given = addition.passport
    sources = list(given.sources)
    warnings, inferred = list(given.warnings), dict(given.inferred)
    synthetic = given.synthetic
    if before is not None:
        fresh = {source.sha256 for source in sources if source.sha256}
        sources = [source for source in before.sources if source.sha256 not in fresh] + sources
        warnings = before.warnings + [text for text in warnings if text not in before.warnings]
        inferred = before.inferred | inferred
        synthetic = synthetic or before.synthetic
    gaps, gap_count, missing = _all_gaps(parts, addition.key)
    quickest = _latency(parts)
    return Passport(
        kind=addition.key.kind,
        instrument_id=addition.key.instrument_id,
        spec=addition.key.spec,
        synthetic=synthetic,
        rows=sum(part.rows for part in parts),
        start_ns=parts[0].start_ns,
        end_ns=parts[-1].end_ns,
        content_hash=combine_hashes([(part.label, part.content_hash) for part in parts]),
        gap_count=gap_count,
        missing_rows=missing,
        gaps=gaps[:LEDGER_LIMIT],
        duplicates_exact=sum(source.duplicates_exact for source in sources),
        duplicates_conflicting=sum(source.duplicates_conflicting for source in sources),
        out_of_order=sum(source.out_of_order for source in sources),
        newest_first=any(source.newest_first for source in sources),
        rejected_rows=sum(source.rejected for source in sources),
        rejected_reasons=_sum_reasons(sources),
        rejections=[row for source in sources for row in source.rejections][:LEDGER_LIMIT],
        ohlc_violations=sum(source.ohlc_violations for source in sources),
        zero_volume=sum(part.zero_volume for part in parts),
        outliers=sum(part.outliers for part in parts),
        crossed=sum(part.crossed for part in parts) + sum(source.crossed_books for source in sources),
        locked=sum(part.locked for part in parts),
        missing_ids=_missing_ids(parts),
        sequence_checked=sum(source.sequence_checked for source in sources),
        sequence_breaks=sum(source.sequence_breaks for source in sources),
        breaks=[item for source in sources for item in source.breaks][:LEDGER_LIMIT],
        checksums_checked=sum(source.checksums_checked for source in sources),
        checksum_failures=sum(source.checksum_failures for source in sources),
        latency=quickest,
        clock_offset_ns=quickest.min_ns if quickest is not None and quickest.p50_ns < 0 else 0,
        inferred=inferred,
        warnings=warnings,
        sources=sources,
        partitions=parts,
    )


def _sum_reasons(sources: list[SourceRecord]) -> dict[str, int]:
    total: dict[str, int] = {}
    for source in sources:
        for reason, count in source.reasons.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _all_gaps(parts: list[PartitionStats], key: DatasetKey) -> tuple[list[Gap], int, int]:
    """Join the partitions' ledgers and add the gaps that lie across their borders."""
    ledger: list[Gap] = []
    count = missing = 0
    for index, part in enumerate(parts):
        if index and key.kind == "bars":
            border = np.array([parts[index - 1].last_open_ns, part.first_open_ns])
            found, number, absent = bar_gaps(border, key.spec)
            ledger += found
            count += number
            missing += absent
        elif index and part.start_ns - parts[index - 1].end_ns > 86_400_000_000_000:
            ledger.append(Gap(parts[index - 1].end_ns, part.start_ns))
            count += 1
        ledger += part.gaps
        count += part.gap_count
        missing += part.missing_rows
    return ledger, count, missing


def _missing_ids(parts: list[PartitionStats]) -> int:
    """Return the trades that lack by their numbers: inside partitions, and between days that follow on."""
    total = sum(part.missing_ids for part in parts)
    for before, part in pairwise(parts):
        adjacent = part.start_ns // 86_400_000_000_000 - before.end_ns // 86_400_000_000_000 == 1
        if adjacent and before.last_id and part.first_id > before.last_id + 1:
            total += part.first_id - before.last_id - 1
    return total


def _latency(parts: list[PartitionStats]) -> LatencyStats | None:
    """Merge the partitions' latency quantiles, weighted by their rows."""
    known = [part for part in parts if part.latency_rows and part.latency_ns]
    if not known:
        return None
    points = np.concatenate([np.asarray(part.latency_ns, dtype=np.float64) for part in known])
    spacing = np.gradient(np.asarray(QUANTILES))
    weights = np.concatenate([spacing * part.latency_rows for part in known])
    if len(known) == 1:
        merged = dict(zip(QUANTILES, known[0].latency_ns, strict=True))
    else:
        order = np.argsort(points, kind="stable")
        share = np.cumsum(weights[order]) / weights.sum()
        merged = {
            q: int(points[order][min(int(np.searchsorted(share, q)), len(points) - 1)]) for q in QUANTILES
        }
    return LatencyStats(
        rows=sum(part.latency_rows for part in known),
        min_ns=int(points.min()),
        p1_ns=merged[0.01],
        p50_ns=merged[0.5],
        p99_ns=merged[0.99],
        max_ns=int(points.max()),
    )
