"""Take rows from the importers: check them, note where they come from, and hand them to the staging area."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from lanner.core.errors import DataError
from lanner.storage.importers.grid import Grid
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.validate import OHLC_REASONS, check_rows
from lanner.storage.passport import LEDGER_LIMIT, Passport, Rejection, SequenceBreak, SourceRecord
from lanner.storage.schema import DatasetKey, conform
from lanner.storage.staging import Staging

_TOO_MANY = 0.5
_SHOWN = 3
LineText = Callable[[int], str]


@dataclass(slots=True)
class Stream:
    """What the intake remembers of one data set while one source is read."""

    record: SourceRecord
    order: int = 0
    last_ts: int | None = None
    direction: int = 0


@dataclass(slots=True)
class Intake:
    """Everything one import collects. ``strict`` makes the first rejected row an error."""

    staging: Staging
    strict: bool = False
    on_reject: Callable[[Rejection], None] | None = None
    source: SourceFile | None = None
    format: str = ""
    number: int = -1
    rows: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    rejected_total: int = 0
    notes: list[str] = field(default_factory=list)
    warnings: dict[DatasetKey, list[str]] = field(default_factory=dict)
    inferred: dict[DatasetKey, dict[str, str]] = field(default_factory=dict)
    records: dict[DatasetKey, dict[int, SourceRecord]] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    _held: int = 0
    _finishers: list[Callable[[], None]] = field(default_factory=list)
    _streams: dict[DatasetKey, Stream] = field(default_factory=dict)
    _reasons: dict[str, int] = field(default_factory=dict)
    _source_rejections: list[Rejection] = field(default_factory=list)
    _source_rows: int = 0

    # -- sources -----------------------------------------------------------------------------------

    def begin(self, source: SourceFile, format_name: str) -> None:
        """Start a new source."""
        self.source, self.format = source, format_name
        self.number += 1
        self._streams, self._reasons, self._source_rejections = {}, {}, []
        self._source_rows = 0

    def finish(self) -> None:
        """Close the source; raise ``DataError`` when it gave nothing or when most of it was refused."""
        name = self._name
        refused = sum(self._reasons.values())
        if not self._source_rows and not self._held:
            raise DataError(
                f"{name}: no usable row",
                expected=f"rows of {self.format}",
                found=self._shown()
                or "; ".join(note for note in self.notes if note.startswith(name))
                or "nothing",
                fix="Check the file, or name its type with --format.",
            )
        if refused > _TOO_MANY * (refused + self._source_rows):
            raise DataError(
                f"{name}: {refused:,} of {refused + self._source_rows:,} rows cannot be used, "
                "so this is hardly the right format",
                expected=f"rows of {self.format}",
                found=self._shown(),
                fix="Name the right type with --format; nothing was imported.",
            )
        for stream in self._streams.values():
            record = stream.record
            self._source_rejections.sort(key=lambda item: item.line)
            record.rejected, record.reasons = refused, dict(self._reasons)
            record.rejections = list(self._source_rejections)
            record.ohlc_violations = sum(
                count for text, count in self._reasons.items() if text in OHLC_REASONS
            )
            record.newest_first = stream.direction < 0

    def at_end(self, source: SourceFile, action: Callable[[], None]) -> None:
        """Run an action when all sources are read; of several sources of one format the last one's counts."""
        self._finishers = [action]

    def complete(self) -> None:
        """Run what was put off until the end of the import."""
        for action in self._finishers:
            action()

    def hold(self) -> None:
        """Tell that a row is held back, so that a source without other rows is not taken for empty."""
        self._held += 1

    def release(self) -> None:
        """Tell that a row held back was written."""
        self._held -= 1

    def passport(self, key: DatasetKey) -> Passport:
        """Return the passport of a data set as far as it is known before its rows are measured."""
        return Passport(
            kind=key.kind,
            instrument_id=key.instrument_id,
            spec=key.spec,
            sources=list(self.records[key].values()),
            warnings=self.warnings.get(key, []),
            inferred=self.inferred.get(key, {}),
        )

    # -- what importers say --------------------------------------------------------------------------

    def add(self, key: DatasetKey, frame: pl.DataFrame, text: LineText | None = None) -> None:
        """Take rows of one data set in the order of the file.

        ``_line`` (for messages) and ``_order`` (for sources that know the true order) are optional columns.
        """
        if frame.is_empty():
            return
        frame = self._checked(frame, key.kind, text)
        if frame.is_empty():
            return
        stream = self._stream(key)
        self._watch_order(stream, frame["ts_event"])
        self.grid(key.instrument_id).take(frame, key.kind)
        count = frame.height
        order = (
            frame["_order"]
            if "_order" in frame.columns
            else pl.int_range(stream.order, stream.order + count, eager=True)
        )
        if stream.direction < 0:
            order = -order
        rows = conform(frame, key.kind).with_columns(
            pl.lit(self.number, dtype=pl.Int32).alias("_src"), order.cast(pl.Int64).alias("_order")
        )
        self.staging.add(key, rows)
        stream.order += count
        stream.record.rows += count
        self.rows += count
        self._source_rows += count

    def reject(self, line: int, reason: str, text: str = "") -> None:
        """Refuse one row; raise ``DataError`` in strict mode."""
        item = Rejection(self._name, line, reason, text)
        if self.strict:
            raise DataError(
                f"{item.file}, line {line}: {reason}",
                expected="a file without faults (--strict)",
                found=repr(text) if text else None,
                fix="Mend the row, or import without --strict to leave such rows out. Nothing was imported.",
            )
        self._reasons[reason] = self._reasons.get(reason, 0) + 1
        self.rejected_total += 1
        if len(self._source_rejections) < LEDGER_LIMIT:
            self._source_rejections.append(item)
        if len(self.rejected) < LEDGER_LIMIT:
            self.rejected.append(item)
        if self.on_reject is not None:
            self.on_reject(item)

    def reject_rows(self, frame: pl.DataFrame, reason: str, text: LineText | None) -> None:
        """Refuse the rows of a frame that has a ``_line`` column, with a common reason."""
        lines: Iterable[int] = frame["_line"].to_list() if "_line" in frame.columns else [0] * frame.height
        for line in lines:
            if len(self._source_rejections) < LEDGER_LIMIT:
                self.reject(line, reason, text(line) if text is not None else "")
            else:
                self.reject(line, reason)

    def note(self, text: str) -> None:
        """Tell the user something about the source once; it is not a fault."""
        message = f"{self._name}: {text}"
        if message not in self.notes:
            self.notes.append(message)

    def warn(self, key: DatasetKey, text: str) -> None:
        """Put a sentence into a data set's passport."""
        known = self.warnings.setdefault(key, [])
        if text not in known:
            known.append(text)

    def infer(self, key: DatasetKey, what: str, value: str) -> None:
        """Record something that was not told but concluded."""
        self.inferred.setdefault(key, {}).setdefault(what, value)

    def sequence(self, key: DatasetKey, ts_event: int, expected: int, found: int, rule: str) -> None:
        """Record a break in the venue's numbering."""
        record = self.record(key)
        record.sequence_breaks += 1
        if len(record.breaks) < LEDGER_LIMIT:
            record.breaks.append(SequenceBreak(ts_event, expected, found, rule))

    def record(self, key: DatasetKey) -> SourceRecord:
        """Return the record of the current source for a data set, to be counted into."""
        return self._stream(key).record

    def grid(self, instrument_id: str) -> Grid:
        """Return what is known about an instrument's price and quantity steps."""
        return self.grids.setdefault(instrument_id, Grid())

    # -- inside --------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self.source.name if self.source is not None else ""

    def _shown(self) -> str:
        first = sorted(self._source_rejections, key=lambda item: item.line)[:_SHOWN]
        listed = [f"line {item.line}: {item.reason}" for item in first]
        return "; ".join(listed)

    def _checked(self, frame: pl.DataFrame, kind: str, text: LineText | None) -> pl.DataFrame:
        verdict = check_rows(frame, kind)
        if verdict is None:
            return frame
        marked = frame.with_columns(verdict)
        for reason, rows in (
            marked.filter(pl.col("_fault").is_not_null())
            .partition_by("_fault", as_dict=True, maintain_order=True)
            .items()
        ):
            self.reject_rows(rows, str(reason[0]), text)
        return marked.filter(pl.col("_fault").is_null()).drop("_fault")

    def _stream(self, key: DatasetKey) -> Stream:
        if key not in self._streams:
            assert self.source is not None
            record = SourceRecord(
                file=self.source.name, sha256=self.source.sha256, size=self.source.size, format=self.format
            )
            self._streams[key] = Stream(record)
            self.records.setdefault(key, {})[self.number] = record
        return self._streams[key]

    def _watch_order(self, stream: Stream, times: pl.Series) -> None:
        values = times.to_numpy()
        steps = np.diff(values)
        if not stream.direction:
            up, down = int((steps > 0).sum()), int((steps < 0).sum())
            stream.direction = 0 if not up + down else (1 if up >= down else -1)
        sign = stream.direction or 1
        stream.record.out_of_order += int((steps * sign < 0).sum())
        if stream.last_ts is not None and (int(values[0]) - stream.last_ts) * sign < 0:
            stream.record.out_of_order += 1
        stream.last_ts = int(values[-1])
