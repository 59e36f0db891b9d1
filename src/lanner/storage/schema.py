"""Column schemas of the catalog's six kinds of market data, and how each kind is cut into files."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lanner.core.errors import ConfigError
from lanner.model.timeframes import DAY_NS, TIMEFRAMES_NS

_TIMES: dict[str, pl.DataType] = {"ts_event": pl.Int64(), "ts_recv": pl.Int64()}
_F = pl.Float64()
_I = pl.Int64()

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "bars": {
        "ts_open": _I,
        **_TIMES,
        "open": _F,
        "high": _F,
        "low": _F,
        "close": _F,
        "volume": _F,
        "quote_volume": _F,
        "trades": _I,
        "taker_buy_volume": _F,
    },
    "trades": {**_TIMES, "px": _F, "qty": _F, "aggressor": pl.Int8(), "trade_id": pl.String()},
    "quotes": {**_TIMES, "bid_px": _F, "bid_qty": _F, "ask_px": _F, "ask_qty": _F, "seq": _I},
    "book": {
        **_TIMES,
        "seq": _I,
        "first_seq": _I,
        "prev_seq": _I,
        "snapshot": pl.Boolean(),
        "side": pl.Int8(),
        "px": _F,
        "qty": _F,
        "last": pl.Boolean(),
    },
    "mark": {**_TIMES, "mark_px": _F, "index_px": _F, "last_px": _F, "open_interest": _F},
    "funding": {**_TIMES, "rate": _F, "interval_ns": _I, "predicted": pl.Boolean()},
}
"""Kind → column → type. Every kind is sorted by ``ts_event``, stable in the order of arrival."""

KINDS = tuple(SCHEMAS)
NULLABLE: dict[str, frozenset[str]] = {
    "bars": frozenset({"quote_volume", "trades", "taker_buy_volume"}),
    "book": frozenset({"prev_seq"}),
    "mark": frozenset({"mark_px", "index_px", "last_px", "open_interest"}),
    "funding": frozenset({"interval_ns"}),
}


class DatasetKey(NamedTuple):
    """Name one data set: kind, instrument and (for bars) the bar specification."""

    kind: str
    instrument_id: str
    spec: str = ""

    @property
    def folder(self) -> str:
        """Return the name of the folder that holds the files: the specification, or ``all``."""
        return self.spec or "all"

    @property
    def ref(self) -> str:
        """Return what a user writes after ``--data``: ``BTC-USDT.BINANCE@1h`` or ``…@trades``."""
        return f"{self.instrument_id}@{self.spec or self.kind}"


def check_kind(kind: str) -> str:
    """Return the kind when it exists, else raise ``ConfigError``."""
    if kind not in SCHEMAS:
        raise ConfigError("unknown kind of market data", expected=", ".join(KINDS), found=repr(kind))
    return kind


def conform(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Bring a frame to the columns and types of its kind; missing nullable columns become null.

    Raises ``ConfigError`` when a column that must exist is missing.
    """
    schema = SCHEMAS[check_kind(kind)]
    nullable = NULLABLE.get(kind, frozenset())
    missing = [name for name in schema if name not in frame.columns and name not in nullable]
    if missing:
        raise ConfigError(
            f"a frame of {kind} lacks columns", expected=", ".join(schema), found=f"no {', '.join(missing)}"
        )
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    )


def completed(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Bring rows that an older version stored to the columns of today."""
    return frame if frame.columns == list(SCHEMAS[kind]) else conform(frame, kind)


def partition_unit(kind: str, spec: str) -> str:
    """Return how a data set is cut into files: ``year`` (bars of a day and more), ``month`` or ``day``."""
    if kind in ("mark", "funding"):
        return "month"
    if kind != "bars":
        return "day"
    return "year" if TIMEFRAMES_NS.get(spec, 0) >= DAY_NS else "month"


def partition_id(kind: str, spec: str) -> pl.Expr:
    """Return the expression for each row's partition as a number: 2024, 202408 or 20240809."""
    time = pl.from_epoch(pl.col("ts_open" if kind == "bars" else "ts_event"), time_unit="ns").dt
    year = time.year().cast(pl.Int32)
    unit = partition_unit(kind, spec)
    if unit == "year":
        return year
    month = year * 100 + time.month()
    return month if unit == "month" else month * 100 + time.day()


def partition_label(partition: int) -> str:
    """Return a partition's number as the start of its file name: ``2024``, ``2024-08``, ``2024-08-09``."""
    text = str(partition)
    return "-".join(part for part in (text[:4], text[4:6], text[6:8]) if part)
