"""The rows of a result as tables, one way for every format: columns are the fields of the row's class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

import numpy as np
import polars as pl

from lanner.analysis import drawdown_series
from lanner.backtest.result import BacktestResult, EquityCurve, FillRow, OrderRow, PriceSeries, RoundTrip

_TYPES: dict[object, type[pl.DataType]] = {
    int: pl.Int64,
    float: pl.Float64,
    str: pl.String,
    bool: pl.Boolean,
    float | None: pl.Float64,
}
_BARS = ("ts", "open", "high", "low", "close", "volume")


def schema_of(row_class: type) -> dict[str, type[pl.DataType]]:
    """Return the column types of a row class, in the order of its fields."""
    hints = get_type_hints(row_class)
    return {field.name: _TYPES[hints[field.name]] for field in fields(row_class)}


def rows_table(rows: list[Any], row_class: type) -> pl.DataFrame:
    """Return rows of one class as a table; an empty list still has the columns."""
    schema = schema_of(row_class)
    return pl.DataFrame({name: [getattr(row, name) for row in rows] for name in schema}, schema=schema)


def equity_table(curve: EquityCurve) -> pl.DataFrame:
    """Return the equity curve with its drawdown; the benchmark column is all null when the run has none."""
    size = curve.ts.size
    benchmark = curve.benchmark if curve.benchmark is not None else [None] * size
    return pl.DataFrame(
        {
            "ts": curve.ts,
            "equity": curve.equity,
            "drawdown": drawdown_series(curve.equity),
            "benchmark": pl.Series(benchmark, dtype=pl.Float64),
            "exposure": curve.exposure,
        }
    )


def equity_from_table(table: pl.DataFrame) -> EquityCurve:
    """Return the equity curve of a table; a benchmark that is all null is none."""
    benchmark = table["benchmark"]
    missing = benchmark.null_count() == len(benchmark)
    return EquityCurve(
        ts=table["ts"].to_numpy().astype(np.int64),
        equity=table["equity"].to_numpy().astype(np.float64),
        benchmark=None if missing else benchmark.to_numpy().astype(np.float64),
        exposure=table["exposure"].to_numpy().astype(np.float64),
    )


def series_table(series: list[PriceSeries]) -> pl.DataFrame:
    """Return the chart bars of every series in one long table."""
    parts = [
        pl.DataFrame({name: getattr(item, name) for name in _BARS}).with_columns(
            pl.lit(item.instrument_id).alias("instrument_id"), pl.lit(item.spec).alias("spec")
        )
        for item in series
        if item.ts.size
    ]
    if parts:
        return pl.concat(parts)
    texts = {"instrument_id": pl.String, "spec": pl.String}
    schema = {"ts": pl.Int64} | dict.fromkeys(_BARS[1:], pl.Float64) | texts
    return pl.DataFrame(schema=schema)


def series_from_table(table: pl.DataFrame) -> list[PriceSeries]:
    """Return the chart bars by instrument and bar size, in the order of their first rows."""
    groups = table.partition_by("instrument_id", "spec", maintain_order=True)
    return [
        PriceSeries(
            str(group["instrument_id"][0]),
            str(group["spec"][0]),
            group["ts"].to_numpy().astype(np.int64),
            *(group[name].to_numpy().astype(np.float64) for name in _BARS[1:]),
        )
        for group in groups
    ]


_TABLES: dict[str, Callable[[BacktestResult], pl.DataFrame]] = {
    "round_trips": lambda result: rows_table(result.round_trips, RoundTrip),
    "fills": lambda result: rows_table(result.fills, FillRow),
    "orders": lambda result: rows_table(result.orders, OrderRow),
    "equity": lambda result: equity_table(result.equity),
    "series": lambda result: series_table(result.series),
}
TABLE_NAMES = tuple(_TABLES)
"""The tables of a result, by the names of their files."""


def result_table(result: BacktestResult, name: str) -> pl.DataFrame:
    """Return one table of a result."""
    return _TABLES[name](result)
