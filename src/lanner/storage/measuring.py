"""Measure a partition chunk by chunk; the numbers are those of ``quality.measure``, to the last digit.

Quantiles are found exactly by counting: a histogram between the least and the greatest value, then a finer one
inside the bin that holds the rank, until a bin holds one value.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lanner.storage.passport import LEDGER_LIMIT, QUANTILES, Gap
from lanner.storage.quality import COUNTED_IDS, silence_limit, spike_limit, spike_mask
from lanner.storage.schema import SCHEMAS, DatasetKey

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Chunks = Callable[[Sequence[str]], Iterator[pl.DataFrame]]
_BINS = 65_536
_STRETCH = 1 << 26
_WIDEST_BITMAP = 1 << 30


def measure_chunks(chunks: Chunks, key: DatasetKey) -> dict[str, Any]:
    """Return what ``quality.measure`` returns for the rows that ``chunks`` gives, column by column, in order."""
    ends = [(f["ts_event"].item(0), f["ts_event"].item(-1), f.height) for f in chunks(["ts_event"])]
    rows = sum(height for _, _, height in ends)
    stats: dict[str, Any] = {
        "rows": rows,
        "start_ns": int(ends[0][0]),
        "end_ns": int(ends[-1][1]),
        "content_hash": _content_hash(chunks, key, rows),
        **_latency(chunks, key),
        **_silences(chunks, rows),
    }
    if key.kind == "quotes":
        stats |= {"crossed": 0, "locked": 0}
        for frame in chunks(["bid_px", "ask_px"]):
            bid, ask = frame["bid_px"].to_numpy(), frame["ask_px"].to_numpy()
            stats["crossed"] += int((bid > ask).sum())
            stats["locked"] += int((bid == ask).sum())
    if key.kind == "trades":
        stats["outliers"] = _spikes(chunks, rows)
        stats |= _missing_ids(chunks, key)
    return stats


def order_statistics(values: Callable[[], Iterator[Ints]], ranks: Sequence[int]) -> list[int]:
    """Return the values of given ranks (0 is the least) of numbers that are read again as often as needed."""
    low, high = _ends(values())
    found: dict[int, tuple[int, int, int]] = dict.fromkeys(ranks, (low, high, 0))
    while any(first != last for first, last, _ in found.values()):
        spans = {(first, last) for first, last, _ in found.values() if first != last}
        counts = {span: np.zeros(_BINS, dtype=np.int64) for span in spans}
        for chunk in values():
            for (first, last), histogram in counts.items():
                inside = chunk[(chunk >= first) & (chunk <= last)]
                histogram += np.bincount((inside - first) // _step(first, last), minlength=_BINS)
        for rank, (first, last, below) in found.items():
            if first == last:
                continue
            step = _step(first, last)
            running = np.cumsum(counts[first, last])
            place = int(np.searchsorted(running, rank - below, side="right"))
            start = first + place * step
            before = below + (int(running[place - 1]) if place else 0)
            found[rank] = (start, min(start + step - 1, last), before)
    return [found[rank][0] for rank in ranks]


def _step(first: int, last: int) -> int:
    return -(-(last - first + 1) // _BINS)


def _ends(values: Iterator[Ints]) -> tuple[int, int]:
    ends = [(int(chunk.min()), int(chunk.max())) for chunk in values if len(chunk)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _content_hash(chunks: Chunks, key: DatasetKey, rows: int) -> str:
    digest = hashlib.sha256()
    for name, dtype in SCHEMAS[key.kind].items():
        digest.update(f"{name}:{dtype}:{rows};".encode())
        columns = [name]
        if any(frame[name].null_count() for frame in chunks(columns)):
            _hash_nulls(digest, (frame[name].is_null().to_numpy() for frame in chunks(columns)))
        if dtype == pl.String:
            for frame in chunks(columns):
                digest.update(frame[name].str.len_bytes().fill_null(0).to_numpy().tobytes())
            for frame in chunks(columns):
                digest.update("".join(frame[name].fill_null("").to_list()).encode())
            continue
        for frame in chunks(columns):
            column = frame[name]
            if dtype == pl.Float64:
                digest.update((column.fill_null(0.0).to_numpy() + 0.0).tobytes())
            else:
                digest.update(column.cast(pl.Int64).fill_null(0).to_numpy().tobytes())
    return digest.hexdigest()


def _hash_nulls(digest: Any, parts: Iterator[npt.NDArray[np.bool_]]) -> None:
    """Pack the nulls of all chunks into bits as if they were one array."""
    rest = np.zeros(0, dtype=np.bool_)
    for part in parts:
        bits = np.concatenate((rest, part))
        whole = len(bits) // 8 * 8
        digest.update(np.packbits(bits[:whole]).tobytes())
        rest = bits[whole:]
    if len(rest):
        digest.update(np.packbits(rest).tobytes())


def _latency(chunks: Chunks, key: DatasetKey) -> dict[str, Any]:
    times = ["ts_event", "ts_recv"]

    def delays() -> Iterator[Ints]:
        for frame in chunks([*times, "last"] if key.kind == "book" else times):
            rows = frame.filter("last") if key.kind == "book" else frame
            delay = rows["ts_recv"].to_numpy() - rows["ts_event"].to_numpy()
            yield delay[delay != 0]

    count = sum(len(part) for part in delays())
    if not count:
        return {}
    ranks = [max(0, math.ceil(count * q - 1)) for q in QUANTILES]
    return {"latency_rows": count, "latency_ns": order_statistics(delays, ranks)}


def _silences(chunks: Chunks, rows: int) -> dict[str, Any]:
    if rows < 3:
        return {}

    def steps() -> Iterator[Ints]:
        return (np.diff(times) for times in _overlapping(chunks, "ts_event", 1))

    [usual] = order_statistics(steps, [math.floor((rows - 2) * 0.999)])
    limit = silence_limit(float(usual))
    ledger: list[Gap] = []
    count = 0
    for times in _overlapping(chunks, "ts_event", 1):
        where = np.flatnonzero(np.diff(times) > limit)
        count += len(where)
        room = LEDGER_LIMIT - len(ledger)
        ledger += [Gap(int(times[i]), int(times[i + 1])) for i in where[:room]]
    return {"gaps": ledger, "gap_count": count}


def _spikes(chunks: Chunks, rows: int) -> int:
    if rows < 3:
        return 0

    def sizes() -> Iterator[Ints]:
        """Give the sizes of the log returns as whole numbers that sort alike: the bits of floats of one sign do."""
        for px in _overlapping(chunks, "px", 1):
            yield np.abs(np.diff(np.log(px))).view(np.int64)

    count = rows - 1
    middle = order_statistics(sizes, sorted({(count - 1) // 2, count // 2}))
    limit = spike_limit(float(np.mean(np.array(middle, dtype=np.int64).view(np.float64))))
    return sum(
        int(spike_mask(np.diff(np.log(px)), limit).sum())
        for px in _overlapping(chunks, "px", 2)
        if len(px) > 2
    )


def _overlapping(chunks: Chunks, name: str, reach: int) -> Iterator[npt.NDArray[Any]]:
    """Yield a column's chunks, each led by the last ``reach`` values before it."""
    before: npt.NDArray[Any] | None = None
    for frame in chunks([name]):
        values = frame[name].to_numpy()
        if before is not None:
            values = np.concatenate((before, values))
        yield values
        before = values[-reach:]


def _missing_ids(chunks: Chunks, key: DatasetKey) -> dict[str, Any]:
    if key.instrument_id.rpartition(".")[2] not in COUNTED_IDS:
        return {}
    low = high = None
    for frame in chunks(["trade_id"]):
        numbers = frame["trade_id"].cast(pl.Int64, strict=False)
        if numbers.null_count():
            return {}
        values = numbers.to_numpy()
        low = int(values.min()) if low is None else min(low, int(values.min()))
        high = int(values.max()) if high is None else max(high, int(values.max()))
    assert low is not None
    assert high is not None
    span = high - low + 1
    if span > _WIDEST_BITMAP:  # numbers without order: nothing but looking at all of them helps
        distinct = len(np.unique(np.concatenate([_numbers(frame) for frame in chunks(["trade_id"])])))
    else:
        distinct = _distinct(chunks, low, span)
    return {"missing_ids": span - distinct, "first_id": low, "last_id": high}


def _numbers(frame: pl.DataFrame) -> Ints:
    return frame["trade_id"].cast(pl.Int64).to_numpy()


def _distinct(chunks: Chunks, low: int, span: int) -> int:
    """Count different ids with a mark for each possible one, a stretch of them at a time."""
    total = 0
    for start in range(low, low + span, _STRETCH):
        marks = np.zeros(min(_STRETCH, low + span - start), dtype=np.bool_)
        for frame in chunks(["trade_id"]):
            numbers = _numbers(frame) - start
            marks[numbers[(numbers >= 0) & (numbers < len(marks))]] = True
        total += int(marks.sum())
    return total
