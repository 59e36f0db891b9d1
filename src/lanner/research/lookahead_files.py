"""Files that hold the very prices that are played: found by their content, and shown only up to a bar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lanner.core.errors import LannerError
from lanner.research.probes_world import World

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

TEXT = (".csv", ".tsv", ".txt")
TABLES = (".parquet", ".pq")
MAX_BYTES = 50_000_000
ALIKE = 20
"""How many prices in a row must be the same before a file counts as holding the data that are played."""


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A file with the played prices: its row ``offset`` is the first row of the main data set."""

    path: str
    offset: int
    head: int
    ts: NDArray[np.int64]


def price_file(path: str, world: World) -> PriceFile | None:
    """Return how a file lines up with the main data set; None when it holds something else or cannot be read."""
    frame = _table(Path(path))
    main = world.frames[world.main]
    if frame is None or "close" not in main.columns:
        return None
    closes = main["close"].to_numpy()
    places = []
    for name, kind in frame.schema.items():
        if kind.is_numeric():
            offset = _aligned(frame[name].cast(float, strict=False).to_numpy(), closes)
            if offset is not None:
                # where each open is the close before, the opens fit as well, one row on
                places.append(("close" not in name.lower(), abs(offset), offset))
    if not places:
        return None
    return PriceFile(path, min(places)[2], _head(Path(path), frame.height), world.ts)


def show_until(file: PriceFile, ts: int, folder: Path) -> str:
    """Write the part of a file that is known at a time (UNIX ns) into a folder and return its path."""
    rows = file.offset + int(np.searchsorted(file.ts, ts, side="right"))
    source = Path(file.path)
    target = folder / source.name
    if source.suffix.lower() in TABLES:
        frame = _table(source)
        assert frame is not None
        frame.head(rows).write_parquet(target)
    else:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        target.write_text("".join(lines[: file.head + rows]), encoding="utf-8")
    return str(target)


def _table(path: Path) -> pl.DataFrame | None:
    import polars as pl

    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        if path.suffix.lower() in TABLES:
            return pl.read_parquet(path)
        if path.suffix.lower() in TEXT:
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            return pl.read_csv(path, separator=separator, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError, LannerError):
        return None
    return None


def _head(path: Path, rows: int) -> int:
    """Return how many lines of a text file stand before its rows."""
    if path.suffix.lower() in TABLES:
        return 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        return max(0, sum(1 for line in lines if line.strip()) - rows)


def _aligned(column: NDArray[np.float64], closes: NDArray[np.float64]) -> int | None:
    """Return the row of a column at which the closes begin (negative: before its first row)."""
    probe = min(ALIKE, len(closes), len(column))
    if probe < 2:
        return None
    starts = np.flatnonzero(np.isclose(column[: len(column) - probe + 1], closes[0], rtol=1e-9))
    for start in starts:
        if np.allclose(column[start : start + probe], closes[:probe], rtol=1e-9):
            return int(start)
    for start in np.flatnonzero(np.isclose(closes[: len(closes) - probe + 1], column[0], rtol=1e-9)):
        if np.allclose(closes[start : start + probe], column[:probe], rtol=1e-9):
            return -int(start)
    return None
