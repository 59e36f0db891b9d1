"""Returns by calendar month and year in UTC, compounded inside each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lanner.analysis.periods import Floats, Times


@dataclass(frozen=True, slots=True)
class MonthlyRow:
    """Hold one calendar year: twelve monthly returns (None where the run was not) and the year's own."""

    year: int
    months: tuple[float | None, ...]
    total: float


def monthly_returns(ts: Times, equity: Floats) -> list[MonthlyRow]:
    """Return the table of monthly returns, oldest year first; partial months count as they are.

    A sample stamped exactly at midnight belongs to the day, month and year that it closes. Each month runs
    from the last value of the month before it, so the table compounds to the total return. Formula: last
    value of the month / last value before the month − 1.
    """
    if ts.size < 2 or equity[0] <= 0.0:
        return []
    # The first sample is the starting value and belongs to no period of its own.
    stamps = (ts[1:] - 1).astype("datetime64[ns]")
    month = stamps.astype("datetime64[M]").astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(month)), month.size - 1)
    values = equity[1:][last]
    before = np.concatenate(([equity[0]], values[:-1]))
    table: dict[int, list[float | None]] = {}
    ends: dict[int, float] = {}
    for index, base, value in zip(month[last].tolist(), before.tolist(), values.tolist(), strict=True):
        year = 1970 + index // 12
        table.setdefault(year, [None] * 12)[index % 12] = value / base - 1.0 if base > 0.0 else None
        ends[year] = value
    rows: list[MonthlyRow] = []
    base = float(equity[0])
    for year in sorted(table):
        rows.append(MonthlyRow(year, tuple(table[year]), ends[year] / base - 1.0 if base > 0.0 else -1.0))
        base = ends[year]
    return rows


def month_values(rows: list[MonthlyRow]) -> Floats:
    """Return the monthly returns of a table as one array, in the order of time."""
    return np.array([value for row in rows for value in row.months if value is not None], dtype=np.float64)
