"""Write a data set's rows to one file for other programs."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from lanner.core.errors import ConfigError, DataError
from lanner.storage.open_data import Dataset


def export_rows(
    dataset: Dataset, path: Path, *, since_ns: int | None = None, until_ns: int | None = None
) -> int:
    """Write the rows of [since, until) and return their number; the file appears complete or not at all.

    The ending decides the format: ``.csv``, ``.csv.gz``, ``.parquet`` or ``.arrow``. Times are nanoseconds.
    """
    ending = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    if ending not in (".csv", ".csv.gz", ".parquet", ".arrow"):
        raise ConfigError(
            "cannot tell the format of the export",
            expected=".csv, .csv.gz, .parquet or .arrow",
            found=path.name,
        )
    frames = dataset.catalog.scan(
        dataset.kind, dataset.instrument_id, dataset.spec, since_ns=since_ns, until_ns=until_ns
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    rows = 0
    try:
        if ending.startswith(".csv"):
            opener = gzip.open if ending == ".csv.gz" else open
            with opener(temporary, "wb") as file:
                for frame in frames:
                    file.write(frame.write_csv(include_header=not rows).encode())
                    rows += frame.height
        else:
            whole = list(frames)
            rows = sum(frame.height for frame in whole)
            if rows:
                joined = pl.concat(whole)
                if ending == ".parquet":
                    joined.write_parquet(temporary, compression="zstd")
                else:
                    joined.write_ipc(temporary)
        if not rows:
            raise DataError(
                f"{dataset.ref} has no rows in that span", fix="`lanner data describe` shows its span."
            )
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}", found=error.strerror or error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def parse_time(text: str, name: str) -> int | None:
    """Return a time given as ``2024``, ``2024-06``, ``2024-06-01`` or ISO 8601 in nanoseconds, None if empty."""
    if not text:
        return None
    for form in ("%Y", "%Y-%m", "%Y-%m-%d"):
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(moment.timestamp()) * 1_000_000_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{name} is not a time", expected="e.g. 2024-06-01 or 2024-06-01T12:00", found=repr(text)
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000) * 1000
