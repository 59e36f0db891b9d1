"""Check what an array backtest is asked for, and bring it to one shape: float or bool [bars, columns] by instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanner.core.errors import ConfigError
from lanner.research.market import Floats, Market

Table = NDArray[Any]
Bools = NDArray[np.bool_]


def by_instrument(name: str, value: Any, markets: Mapping[str, Market]) -> dict[str, Table]:
    """Return a table of two dimensions for each instrument: [bars or 1, columns or 1].

    ``value`` is a number, a column with one entry a bar, a table [bars, columns] or [1, columns], or any of these by
    instrument. Raises ``ConfigError`` for another shape.
    """
    if isinstance(value, Mapping):
        unknown = [str(key) for key in value if key not in markets]
        missing = [key for key in markets if key not in value]
        if unknown or missing:
            raise ConfigError(
                f"{name} does not name the instruments of the data",
                expected=", ".join(markets),
                found=", ".join(map(str, value)) or "none",
            )
        return {key: _table(f"{name} of {key}", value[key], len(markets[key])) for key in markets}
    tables = {key: _table(name, value, len(market)) for key, market in markets.items()}
    if len(markets) > 1 and any(table.shape[0] > 1 for table in tables.values()):
        raise ConfigError(
            f"{name} is one table for {len(markets)} instruments",
            expected="one for each",
            fix=f"Say {name}={{{', '.join(repr(key) + ': ...' for key in list(markets)[:2])}}}.",
        )
    return tables


def _table(name: str, value: Any, bars: int) -> Table:
    if hasattr(value, "to_numpy") and not isinstance(value, np.ndarray):
        value = value.to_numpy()
    try:
        table = np.asarray(value)
    except ValueError as error:
        raise ConfigError(f"{name} is not a table", expected="rows of one length", found=str(error)) from None
    if table.dtype.kind not in "biuf":
        raise ConfigError(
            f"{name} holds no numbers",
            expected="an array of numbers or of bools",
            found=f"dtype {table.dtype}",
        )
    if table.ndim == 0:
        return table.reshape(1, 1)
    fits = (len(table) == bars) if table.ndim == 1 else (table.ndim == 2 and table.shape[0] in (1, bars))
    if not fits or not table.size:
        raise ConfigError(
            f"{name} does not fit the data",
            expected=f"{bars} rows, one for each bar, or [1, columns] for one value each",
            found=f"shape {table.shape}",
        )
    return table.reshape(len(table), -1)


def as_bools(name: str, value: Any, markets: Mapping[str, Market]) -> dict[str, Bools]:
    """Return signals: bools, or numbers that are 0 or 1."""
    found: dict[str, Bools] = {}
    for key, table in by_instrument(name, value, markets).items():
        if table.dtype.kind != "b" and not ((table == 0) | (table == 1)).all():
            row, column = np.argwhere(~((table == 0) | (table == 1)))[0].tolist()
            raise ConfigError(
                f"{name} is no signal",
                expected="true and false, or 1 and 0",
                found=f"{table[row, column]} at bar {row} of {key}",
                fix="Compare, or fill what is not a number: np.nan_to_num(signal).astype(bool).",
            )
        found[key] = table.astype(np.bool_, copy=False)
    return found


def as_floats(
    name: str,
    value: Any,
    markets: Mapping[str, Market],
    *,
    least: float,
    most: float,
    nan: bool,
    above: bool = False,
) -> dict[str, Floats]:
    """Return numbers within bounds; NaN only where it has a meaning. ``above``: the least itself is none."""
    found: dict[str, Floats] = {}
    for key, table in by_instrument(name, value, markets).items():
        values = table.astype(np.float64, copy=False)
        good = (values > least) if above else (values >= least)
        good &= (values <= most) & (np.isfinite(values))
        if nan:
            good |= np.isnan(values)
        if not good.all():
            row, column = np.argwhere(~good)[0].tolist()
            bounds = f"{'more than' if above else 'at least'} {least:g}" if np.isfinite(least) else "finite"
            if np.isfinite(most):
                bounds += f" and at most {most:g}"
            raise ConfigError(
                f"{name} is out of range",
                expected=f"numbers, {bounds}" + (", or NaN" if nan else ""),
                found=f"{values[row, column]:g} at bar {row} of {key}",
            )
        found[key] = values
    return found


def count_columns(*tables: Mapping[str, Table] | None) -> int:
    """Return how many parameter columns tables have together; widths other than 1 must agree."""
    widths = {table.shape[1] for group in tables if group for table in group.values()} - {1}
    if len(widths) > 1:
        raise ConfigError(
            "the tables have different numbers of columns",
            expected="one number of columns, or 1",
            found=", ".join(map(str, sorted(widths))),
        )
    return widths.pop() if widths else 1


def column(table: Table, number: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Return one column, contiguous; a table of one column stands for all."""
    return np.ascontiguousarray(table[:, number if table.shape[1] > 1 else 0], dtype=dtype)


def full_column(table: Table, number: int, bars: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Return one column with one value a bar."""
    values = column(table, number, dtype)
    return values if len(values) == bars else np.full(bars, values[0], dtype=dtype)
