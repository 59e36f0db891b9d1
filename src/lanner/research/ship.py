"""Pack a search's task for other machines, and open it there: the data by content hash, the strategy by value.

A ``Parcel`` is small and names its data; the parts it names are sent once and found again by their hash. What is
opened measures the same numbers as what was packed, or an error says what differs.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lanner.backtest.spec import BacktestSpec, ChunkSource, Stream
from lanner.research.distributed_software import check_software, software
from lanner.research.distributed_strategy import (
    ShippedStrategy,
    pack_strategy,
    pickler,
    unpack_strategy,
)
from lanner.research.market import Funding, Market
from lanner.research.variants import Seat, Task

if TYPE_CHECKING:
    import polars as pl

Part = bytes | dict[str, NDArray[Any]]
"""A piece of data: a table in Arrow's format, or the arrays of a market."""

PART_ROWS = 1 << 20
CHUNK_ROWS = 65_536
KEPT_ROWS = 4 << 20
"""Streams of up to so many rows stay decoded in a worker; longer ones are decoded again for every variant."""

_ARRAYS = ("ts", "ticks", "volume_lots")


@dataclass(slots=True, frozen=True)
class Parcel:
    """A task without its data. ``market`` and ``streams`` name the parts to fetch; ``software`` must be the same."""

    digest: str
    body: bytes
    strategy: ShippedStrategy
    market: str
    read_only: frozenset[str]
    streams: tuple[tuple[str, ...], ...]
    software: dict[str, str]


def pack(task: Task) -> tuple[Parcel, dict[str, Part]]:
    """Return a task as a parcel, and the parts that it names by their hashes."""
    cloudpickle = pickler()
    parts: dict[str, Part] = {}
    arrays = _arrays(task.market) | {f"past {name}": column for name, column in task.past.items()}
    market = _named(parts, arrays)
    streams = tuple(
        tuple(_named(parts, data) for data in _tables(stream, task.spec)) for stream in task.spec.streams
    )
    spec = replace(
        task.spec,
        strategies=[],
        log=None,
        streams=[replace(stream, chunks=ChunkSource()) for stream in task.spec.streams],
    )
    skeleton = (
        task.engine,
        task.market.instrument,
        task.market.timeframe,
        spec,
        task.spans,
        task.edges,
        task.whole_curve,
        task.seat or Seat.of(task.spec.strategies[0]),
    )
    body = cloudpickle.dumps(skeleton)
    strategy = pack_strategy(task.strategy)
    digest = hashlib.blake2b(body, digest_size=16)
    digest.update(repr((strategy, market, streams, software())).encode())
    frozen = frozenset(name for name, array in arrays.items() if not array.flags.writeable)
    return Parcel(digest.hexdigest(), body, strategy, market, frozen, streams, software()), parts


def unpack(parcel: Parcel, fetch: Callable[[str], Part]) -> Task:
    """Return the task of a parcel; ``fetch`` gets a part by its hash. Raises LannerError where software differs."""
    check_software(parcel.software)
    cloudpickle = pickler()
    strategy = unpack_strategy(parcel.strategy)
    engine, instrument, timeframe, spec, spans, edges, whole_curve, seat = cloudpickle.loads(parcel.body)
    arrays = fetch(parcel.market)
    assert isinstance(arrays, dict)
    market = _market(instrument, timeframe, arrays, parcel.read_only)
    past = {name.removeprefix("past "): array for name, array in arrays.items() if name.startswith("past ")}
    spec.streams = [
        replace(stream, chunks=ShippedChunks(names, fetch, stream.rows))
        for stream, names in zip(spec.streams, parcel.streams, strict=True)
    ]
    return Task(engine, strategy, market, spec, spans, edges, whole_curve, seat, past)


def part_size(part: Part) -> int:
    """Return the bytes of a part."""
    return len(part) if isinstance(part, bytes) else sum(array.nbytes for array in part.values())


def _named(parts: dict[str, Part], part: Part) -> str:
    """Add a part under the hash of its content and return that."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(part, bytes):
        digest.update(part)
    else:
        for name, array in part.items():
            digest.update(f"{name}{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    parts.setdefault(digest.hexdigest(), part)
    return digest.hexdigest()


# -- data --------------------------------------------------------------------------------------------


def _arrays(market: Market) -> dict[str, NDArray[Any]]:
    found = {f"column {name}": column for name, column in market.columns.items()}
    found |= {name: getattr(market, name) for name in _ARRAYS}
    funding = market.funding
    return found | {
        "funding bar": funding.bar,
        "funding at_end": funding.at_end,
        "funding rate": funding.rate,
    }


def _market(
    instrument: Any, timeframe: str, arrays: Mapping[str, NDArray[Any]], read_only: frozenset[str]
) -> Market:
    own = {name: array if name in read_only else _as_before(array) for name, array in arrays.items()}
    columns = {
        name.removeprefix("column "): array for name, array in own.items() if name.startswith("column ")
    }
    funding = Funding(own["funding bar"], own["funding at_end"], own["funding rate"])
    return Market(instrument, timeframe, columns, own["ts"], own["ticks"], own["volume_lots"], funding)


def _as_before(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array without the mark "read-only" that shared memory bears, and without a copy.

    Numba takes a read-only array for another type and would compile every kernel again. Kernels do not write into
    a market: threads share one as well.
    """
    if array.flags.writeable or not array.size:
        return array if array.flags.writeable else array.copy()
    if not (array.flags.c_contiguous and array.flags.aligned):
        return array.copy()
    import ctypes

    block = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    block.owner = array  # type: ignore[attr-defined]  # the memory lives as long as what looks at it
    return np.ndarray(array.shape, array.dtype, buffer=memoryview(block))


def _tables(stream: Stream, spec: BacktestSpec) -> Iterator[bytes]:
    """Yield the rows of a stream that a run may read, packed: bars and funding from their beginning, for warm-up."""
    import polars as pl

    early = stream.kind in ("bars", "funding")
    held: list[pl.DataFrame] = []
    rows = 0
    for frame in stream.chunks(None if early else spec.since_ns, spec.until_ns):
        held.append(frame)
        rows += frame.height
        if rows >= PART_ROWS:
            yield _packed(pl.concat(held))
            held, rows = [], 0
    if rows:
        yield _packed(pl.concat(held))


def _packed(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


class ShippedChunks(ChunkSource):
    """Serve a stream from parts that are fetched when they are first wanted."""

    def __init__(self, names: Iterable[str], fetch: Callable[[str], Part], rows: int) -> None:
        self.names = tuple(names)
        self._fetch = fetch
        self._kept: dict[str, pl.DataFrame] | None = {} if rows <= KEPT_ROWS else None

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterator[pl.DataFrame]:
        """Return the frames of [since, until), in time order."""
        import polars as pl

        for name in self.names:
            frame = self._frame(name)
            if since_ns is not None:
                frame = frame.filter(pl.col("ts_event") >= since_ns)
            if until_ns is not None:
                frame = frame.filter(pl.col("ts_event") < until_ns)
            if frame.height:
                yield from frame.iter_slices(CHUNK_ROWS)

    def _frame(self, name: str) -> pl.DataFrame:
        import polars as pl

        if self._kept is not None and name in self._kept:
            return self._kept[name]
        packed = self._fetch(name)
        assert isinstance(packed, bytes)
        frame = pl.read_ipc(io.BytesIO(packed))
        if self._kept is not None:
            self._kept[name] = frame
        return frame
