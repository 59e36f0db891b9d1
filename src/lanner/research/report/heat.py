"""Heat maps for the page: scores over pairs of parameters, coarsened where a page cannot hold all cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lanner.backtest.report.payload import short
from lanner.research.report.words import value_text
from lanner.research.sweep_result import Heat

MOST_CELLS = 40_000
_MOST_SIDE = 160
Row = list[float | None]
Json = dict[str, Any]


def heat_maps(heats: Sequence[Heat], names: Sequence[str]) -> list[Json]:
    """Return the maps as plain values; together they hold at most about `MOST_CELLS` cells.

    A coarse cell keeps the best of its cells' best and the mean of their means, and is named after their range.
    """
    share = MOST_CELLS / max(1, len(heats))
    return [_heat(heat, names, max(4, min(_MOST_SIDE, int(math.sqrt(share))))) for heat in heats]


def _heat(heat: Heat, names: Sequence[str], side: int) -> Json:
    step_x, step_y = (math.ceil(len(values) / side) for values in (heat.xs, heat.ys))
    return {
        "x": heat.x,
        "y": heat.y,
        "ix": names.index(heat.x) if heat.x in names else -1,
        "iy": names.index(heat.y) if heat.y in names else -1,
        "xs": _labels(heat.xs, step_x),
        "ys": _labels(heat.ys, step_y),
        "xv": _starts(heat.xs, step_x),
        "yv": _starts(heat.ys, step_y),
        "best": _pool(heat.best, step_x, step_y, max),
        "mean": _pool(heat.mean, step_x, step_y, lambda found: math.fsum(found) / len(found)),
        "coarse": step_x > 1 or step_y > 1,
    }


def _labels(values: Sequence[Any], step: int) -> list[str]:
    ends = [(values[i], values[min(i + step, len(values)) - 1]) for i in range(0, len(values), max(1, step))]
    return [value_text(a) if a == b else f"{value_text(a)}–{value_text(b)}" for a, b in ends]


def _starts(values: Sequence[Any], step: int) -> list[float | int | str | None]:
    """Return the first value of each cell, by which a variant finds its cell: numbers, or texts as they are shown."""
    found: list[float | int | str | None] = []
    for value in values[:: max(1, step)]:
        if isinstance(value, float):
            found.append(short(value, 7))
        else:
            found.append(
                value if isinstance(value, int) and not isinstance(value, bool) else value_text(value)
            )
    return found


def _pool(rows: Sequence[Row], step_x: int, step_y: int, join: Any) -> list[Row]:
    pooled: list[Row] = []
    for top in range(0, len(rows), max(1, step_y)):
        block = rows[top : top + step_y]
        line: Row = []
        for left in range(0, len(block[0]), max(1, step_x)):
            found = [
                v for row in block for v in row[left : left + step_x] if v is not None and math.isfinite(v)
            ]
            line.append(short(float(join(found)), 4) if found else None)
        pooled.append(line)
    return pooled
