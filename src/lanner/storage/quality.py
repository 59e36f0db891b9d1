"""Measure one partition of a data set: gaps, spikes, crossed quotes, missing ids, latency, content hash."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lanner.model.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES_NS
from lanner.storage.passport import LEDGER_LIMIT, QUANTILES, Gap
from lanner.storage.schema import DatasetKey

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SPIKE_FLOOR = 0.05
_SPIKE_FACTOR = 15.0
_WICK_RATIO = 1.5
_SILENCE_FLOOR_NS = MINUTE_NS
_SILENCE_FACTOR = 20


def measure(frame: pl.DataFrame, key: DatasetKey) -> dict[str, Any]:
    """Return the fields of ``PartitionStats`` that depend on the rows, which are sorted by time."""
    times = frame["ts_event"].to_numpy()
    stats: dict[str, Any] = {
        "rows": frame.height,
        "start_ns": int(times[0]),
        "end_ns": int(times[-1]),
        "content_hash": content_hash(frame),
        **latency(frame.filter("last") if key.kind == "book" else frame),
    }
    if key.kind == "bars":
        stats |= _measure_bars(frame, key)
    else:
        stats |= silences(times)
    if key.kind == "quotes":
        stats |= _measure_quotes(frame)
    if key.kind == "trades":
        stats["outliers"] = spikes(frame["px"].to_numpy())
        stats |= missing_ids(frame, key)
    return stats


def content_hash(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of the rows' values, column by column, independent of file layout."""
    digest = hashlib.sha256()
    for column in frame.get_columns():
        digest.update(f"{column.name}:{column.dtype}:{len(column)};".encode())
        if column.null_count():
            digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if column.dtype == pl.String:
            digest.update(column.str.len_bytes().fill_null(0).to_numpy().tobytes())
            digest.update("".join(column.fill_null("").to_list()).encode())
        elif column.dtype == pl.Float64:
            digest.update((column.fill_null(0.0).to_numpy() + 0.0).tobytes())
        else:
            digest.update(column.cast(pl.Int64).fill_null(0).to_numpy().tobytes())
    return digest.hexdigest()


def combine_hashes(parts: list[tuple[str, str]]) -> str:
    """Return the hash of a data set from its partitions' names and hashes, in order."""
    digest = hashlib.sha256()
    for label, value in parts:
        digest.update(f"{label}={value};".encode())
    return digest.hexdigest()


def latency(frame: pl.DataFrame) -> dict[str, Any]:
    """Return row count and quantiles of ``ts_recv − ts_event`` where both are known (they differ)."""
    delays = frame["ts_recv"].to_numpy() - frame["ts_event"].to_numpy()
    known = delays[delays != 0]
    if not len(known):
        return {}
    values = np.quantile(known, QUANTILES, method="inverted_cdf")
    return {"latency_rows": len(known), "latency_ns": [int(value) for value in values]}


def bar_gaps(opens: Ints, spec: str) -> tuple[list[Gap], int, int]:
    """Return the ledger of gaps between open times (cut at the limit), their number and the missing bars."""
    step = TIMEFRAMES_NS.get(spec, 0)
    if not step or len(opens) < 2:
        return [], 0, 0
    if spec == "1M":
        months = opens.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
        missing = np.diff(months) - 1
    else:
        missing = np.diff(opens) // step - 1
    where = np.flatnonzero(missing > 0)
    ledger = [Gap(int(opens[i]), int(opens[i + 1]), int(missing[i])) for i in where[:LEDGER_LIMIT]]
    return ledger, len(where), int(missing[where].sum())


def _measure_bars(frame: pl.DataFrame, key: DatasetKey) -> dict[str, Any]:
    opens = frame["ts_open"].to_numpy()
    ledger, count, missing = bar_gaps(opens, key.spec)
    body_high = np.maximum(frame["open"].to_numpy(), frame["close"].to_numpy())
    body_low = np.minimum(frame["open"].to_numpy(), frame["close"].to_numpy())
    short = TIMEFRAMES_NS.get(key.spec, 0) < DAY_NS
    wicks = (frame["high"].to_numpy() > _WICK_RATIO * body_high) | (
        frame["low"].to_numpy() * _WICK_RATIO < body_low
    )
    return {
        "first_open_ns": int(opens[0]),
        "last_open_ns": int(opens[-1]),
        "gaps": ledger,
        "gap_count": count,
        "missing_rows": missing,
        "zero_volume": int((frame["volume"] == 0).sum()),
        "outliers": spikes(frame["close"].to_numpy()) + int(wicks.sum()) * short,
    }


def spikes(prices: Floats) -> int:
    """Count isolated prices: far from both neighbours, which agree with each other.

    Far means more than 5 % and more than 15 times the median absolute log return; the neighbours agree
    when they differ by less than a third of that distance.
    """
    if len(prices) < 3:
        return 0
    returns = np.diff(np.log(prices))
    return int(spike_mask(returns, spike_limit(float(np.median(np.abs(returns))))).sum())


def spike_limit(usual: float) -> float:
    """Return how far a spike is at least, given the median absolute log return."""
    return max(_SPIKE_FLOOR, _SPIKE_FACTOR * usual)


def spike_mask(returns: Floats, limit: float) -> npt.NDArray[np.bool_]:
    """Mark the pairs of neighbouring log returns between which a price stands alone."""
    before, after = returns[:-1], returns[1:]
    away = np.minimum(np.abs(before), np.abs(after))
    back = np.abs(before + after)
    alone: npt.NDArray[np.bool_] = (before * after < 0) & (away > limit) & (back < away / 3)
    return alone


def _measure_quotes(frame: pl.DataFrame) -> dict[str, Any]:
    bid, ask = frame["bid_px"].to_numpy(), frame["ask_px"].to_numpy()
    return {"crossed": int((bid > ask).sum()), "locked": int((bid == ask).sum())}


def silences(times: Ints) -> dict[str, Any]:
    """Return stretches without events: over a minute and over 20 times the 99.9th percentile interval."""
    if len(times) < 3:
        return {}
    steps = np.diff(times)
    limit = silence_limit(float(np.quantile(steps, 0.999, method="lower")))
    where = np.flatnonzero(steps > limit)
    ledger = [Gap(int(times[i]), int(times[i + 1])) for i in where[:LEDGER_LIMIT]]
    return {"gaps": ledger, "gap_count": len(where)}


def silence_limit(usual: float) -> float:
    """Return how long a silence is at least, given the 99.9th percentile of the intervals."""
    return max(_SILENCE_FLOOR_NS, _SILENCE_FACTOR * usual)


COUNTED_IDS = frozenset({"BINANCE", "COINBASE"})
"""Venues that number the public trades of an instrument 1, 2, 3 …"""


def missing_ids(frame: pl.DataFrame, key: DatasetKey) -> dict[str, Any]:
    """Return how many trade numbers lack between the first and the last, for venues that count trades."""
    if key.instrument_id.rpartition(".")[2] not in COUNTED_IDS:
        return {}
    numbers = frame["trade_id"].cast(pl.Int64, strict=False)
    if numbers.null_count():
        return {}
    ordered = numbers.unique().sort().to_numpy()
    absent = int(ordered[-1] - ordered[0] + 1 - len(ordered))
    return {"missing_ids": absent, "first_id": int(ordered[0]), "last_id": int(ordered[-1])}
