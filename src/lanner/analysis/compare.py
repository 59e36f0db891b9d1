"""Runs side by side: one row per metric, with the best run marked where one direction is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lanner.analysis.registry import METRICS, Better, Metric


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """Hold one metric of every run; `best` lists the columns that share the best value, empty on a tie of all."""

    metric: Metric
    values: tuple[float | None, ...]
    best: tuple[int, ...]

    @property
    def change(self) -> float | None:
        """Return last minus first, None when one of them is not defined."""
        first, last = self.values[0], self.values[-1]
        return None if first is None or last is None else last - first


def compare_metrics(
    runs: Sequence[Mapping[str, float | None]], names: Sequence[str] | None = None
) -> list[ComparisonRow]:
    """Return one row per metric name (all of them by default), in the order of the names."""
    rows = []
    for name in names if names is not None else list(METRICS):
        values = tuple(run.get(name) for run in runs)
        rows.append(ComparisonRow(METRICS[name], values, _best(METRICS[name], values)))
    return rows


def _best(metric: Metric, values: tuple[float | None, ...]) -> tuple[int, ...]:
    known = [value for value in values if value is not None]
    if metric.better is Better.NEITHER or len(known) < 2 or len(set(known)) == 1:
        return ()
    top = max(known) if metric.better is Better.HIGHER else min(known)
    return tuple(index for index, value in enumerate(values) if value == top)
