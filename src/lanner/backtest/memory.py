"""Market data held in memory, as a stream of a backtest: for notebooks, demos and tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lanner.backtest.spec import ChunkSource, Stream
from lanner.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl

CHUNK_ROWS = 65_536


class MemoryChunks(ChunkSource):
    """Serve slices of one frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterator[pl.DataFrame]:
        """Return the frames of [since, until), in time order."""
        import polars as pl

        frame = self.frame
        if since_ns is not None:
            frame = frame.filter(pl.col("ts_event") >= since_ns)
        if until_ns is not None:
            frame = frame.filter(pl.col("ts_event") < until_ns)
        yield from frame.iter_slices(CHUNK_ROWS)


def memory_stream(
    kind: str, instrument_id: str, frame: pl.DataFrame, spec: str = "", *, synthetic: bool = False
) -> Stream:
    """Return a stream over a frame in the catalog's columns, sorted by time."""
    if not frame.height:
        raise DataError(f"{instrument_id}: the data set is empty", expected="at least one row", found="none")
    ts = frame["ts_event"]
    if not ts.is_sorted():
        frame = frame.sort("ts_event", maintain_order=True)
        ts = frame["ts_event"]
    digest = hashlib.blake2b(digest_size=16)
    for name in frame.columns:
        digest.update(frame[name].to_frame().hash_rows(seed=1).to_numpy().tobytes())
    return Stream(
        kind,
        instrument_id,
        spec,
        frame.height,
        int(ts[0]),
        int(ts[-1]),
        digest.hexdigest(),
        synthetic,
        None,
        MemoryChunks(frame),
    )
