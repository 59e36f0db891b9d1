"""Bring the rows of one partition into order and drop what repeats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.schema import SCHEMAS

EXISTING = -1
"""The ``_src`` of rows that are already in the catalog."""


@dataclass(slots=True)
class Settled:
    """Rows of one partition in their final order, and what was dropped by source number."""

    frame: pl.DataFrame
    exact: dict[int, int] = field(default_factory=dict)
    conflicting: dict[int, int] = field(default_factory=dict)


class Seen(Protocol):
    """What was seen of the partition before these rows."""

    def again(self, ids: pl.Series) -> pl.Series:
        """Return for each trade id whether it came before."""
        ...


def settle(
    frame: pl.DataFrame, kind: str, spec: str = "", *, named: bool = True, seen: Seen | None = None
) -> Settled:
    """Sort by ``ts_event`` (stable in the order of sources and arrival) and drop repetitions.

    Bars by time are known by their open time and funding by its time: of rows with the same name the first of the
    newly imported ones stays. A trade is dropped when id, time, price, quantity and side were there before; another
    trade under a known id stays and is counted as conflicting. Rows without a name (quotes, book, mark, trades
    without id, bars by activity, of which several may open at one time) are dropped only when another source
    already brought the same row as often.

    ``frame`` may be a part of a partition that holds all rows of its times: then ``named`` tells whether all trades
    of the partition have ids, and ``seen`` knows the ids before.
    """
    ordered = _sort(frame)
    columns = list(SCHEMAS[kind])
    by_activity = kind == "bars" and spec != "" and spec not in TIMEFRAMES_NS
    if kind in ("bars", "funding") and not by_activity:
        name = ["ts_open"] if kind == "bars" else ["ts_event", "predicted"]
        return _by_name(ordered, name, columns)
    if kind == "trades" and named and (ordered["trade_id"] != "").all():
        told = [column for column in columns if column != "ts_recv"]
        return _count_conflicts(_by_name(ordered, told, told, keep=[*columns, "_src"]), columns, seen)
    return Settled(_by_count(ordered, columns).select(columns))


def _sort(frame: pl.DataFrame) -> pl.DataFrame:
    keys = ["ts_event", "_src", "_order"]
    if frame["_src"].n_unique() == 1 and frame["ts_event"].is_sorted() and frame["_order"].is_sorted():
        return frame
    return frame.sort(keys)


def _by_name(
    frame: pl.DataFrame, name: list[str], columns: list[str], keep: list[str] | None = None
) -> Settled:
    keep = keep or columns
    mask = frame.select(pl.struct(name).is_duplicated()).to_series()
    if not mask.any():
        return Settled(frame.select(keep))
    indexed = frame.with_row_index("_row")
    doubtful = indexed.filter(mask).sort(pl.col("_src") == EXISTING, "_src", "_order")
    marked = doubtful.with_columns(
        (pl.int_range(pl.len()).over(name) == 0).alias("_keep"),
        (pl.int_range(pl.len()).over(columns) == 0).alias("_new"),
        (pl.col("_src") == pl.col("_src").first().over(columns)).alias("_inside"),
    )
    kept = pl.concat([indexed.filter(~mask), marked.filter("_keep").select(indexed.columns)]).sort("_row")
    dropped = marked.filter(~pl.col("_keep"))
    newest = int(frame["_src"].max())  # type: ignore[arg-type]
    settled = Settled(kept.select(keep))
    for source, fresh, inside, count in dropped.group_by("_src", "_new", "_inside").len().rows():
        if fresh:
            owner = newest if source == EXISTING else source
            settled.conflicting[owner] = settled.conflicting.get(owner, 0) + count
        elif inside and source != EXISTING:
            # A row that another file brought too is an overlap of the files, not a fault of this one.
            settled.exact[source] = settled.exact.get(source, 0) + count
    return settled


def _count_conflicts(settled: Settled, columns: list[str], seen: Seen | None) -> Settled:
    """Count the trades whose id an earlier trade of another price, size or time already has."""
    ids = settled.frame["trade_id"]
    repeated = ~ids.is_first_distinct() if seen is None else seen.again(ids)
    again = settled.frame.filter(repeated & (pl.col("_src") != EXISTING))
    for source, count in again.group_by("_src").len().rows():
        settled.conflicting[source] = settled.conflicting.get(source, 0) + count
    settled.frame = settled.frame.select(columns)
    return settled


def _by_count(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    if frame["_src"].n_unique() == 1:
        return frame
    counted = frame.with_columns(pl.int_range(pl.len()).over([*columns, "_src"]).alias("_occurrence"))
    return counted.unique(subset=[*columns, "_occurrence"], keep="first", maintain_order=True)
