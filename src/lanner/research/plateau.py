"""Is the best set of parameters a broad hill or a needle? Look at its neighbours on the grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import DataError

_MOST_CELLS = 50_000_000
_PLATEAU, _SLOPE = 0.8, 0.5


class Shape(StrEnum):
    """Say what the surroundings of the best score look like."""

    PLATEAU = "plateau"
    SLOPE = "slope"
    NEEDLE = "needle"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Plateau:
    """Hold the best score and its neighbours, at most one step away along every axis (also diagonally).

    `ratio` and `worst_ratio` are the neighbours' mean and minimum over the best score, None when the best is
    not above 0. `shape` follows from `ratio`: from 0.8 a plateau, from 0.5 a slope, below it a needle; unknown
    without a ratio or a neighbour. `on_edge` names the axes on whose border the best lies: search wider there.
    `steadiest` is the point with the best mean of itself and its neighbours, `steadiest_mean` that mean.
    """

    best: tuple[int, ...]
    best_score: float
    neighbours: int
    mean: float | None
    worst: float | None
    ratio: float | None
    worst_ratio: float | None
    shape: Shape
    on_edge: tuple[int, ...]
    steadiest: tuple[int, ...]
    steadiest_mean: float


def _shifted(values: Floats, axis: int, fill: float) -> tuple[Floats, Floats]:
    """Return the values of the next lower and the next higher cell along an axis, `fill` beyond the border."""
    padded = np.pad(
        values, [(1, 1) if i == axis else (0, 0) for i in range(values.ndim)], constant_values=fill
    )
    size = values.shape[axis]
    lower = padded[tuple(slice(0, size) if i == axis else slice(None) for i in range(values.ndim))]
    upper = padded[tuple(slice(2, size + 2) if i == axis else slice(None) for i in range(values.ndim))]
    return lower, upper


def _box_sum(values: Floats) -> Floats:
    """Return the sum over each cell and its neighbours; one axis after the other, 3 terms each."""
    for axis in range(values.ndim):
        lower, upper = _shifted(values, axis, 0.0)
        values = values + lower + upper
    return values


def plateau_of_grid(scores: Floats) -> Plateau:
    """Examine an array of scores with one axis per parameter, in steps of the grid; higher is better.

    NaN marks points that were not run (or break a constraint); they are nobody's neighbours.
    """
    grid = np.asarray(scores, dtype=np.float64)
    known = np.isfinite(grid)
    if grid.ndim < 1 or not np.any(known):
        raise DataError("a plateau needs scores", expected="an array with a finite score", found=grid.shape)
    filled = np.where(known, grid, 0.0)
    count = _box_sum(known.astype(np.float64))
    mean = np.where(known, _box_sum(filled) / np.maximum(count, 1.0), -np.inf)
    best = _place(np.where(known, grid, -np.inf))
    steadiest = _place(mean)
    around = grid[tuple(slice(max(0, i - 1), i + 2) for i in best)]
    others = around[np.isfinite(around)]
    top = float(grid[best])
    # The best itself is taken out once; its equals stay.
    others = np.delete(others, int(np.argmax(others)))
    average = float(np.mean(others)) if others.size else None
    worst = float(np.min(others)) if others.size else None
    ratio = None if average is None or top <= 0.0 else average / top
    return Plateau(
        best=best,
        best_score=top,
        neighbours=others.size,
        mean=average,
        worst=worst,
        ratio=ratio,
        worst_ratio=None if worst is None or top <= 0.0 else worst / top,
        shape=_shape(ratio),
        on_edge=tuple(
            axis for axis, i in enumerate(best) if grid.shape[axis] > 1 and i in {0, grid.shape[axis] - 1}
        ),
        steadiest=steadiest,
        steadiest_mean=float(mean[steadiest]),
    )


def _place(values: Floats) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))


def _shape(ratio: float | None) -> Shape:
    if ratio is None:
        return Shape.UNKNOWN
    return Shape.PLATEAU if ratio >= _PLATEAU else Shape.SLOPE if ratio >= _SLOPE else Shape.NEEDLE


def grid_of_scores(
    scores: Mapping[tuple[float, ...], float],
) -> tuple[Floats, tuple[NDArray[np.float64], ...]]:
    """Lay scores by parameter values out as an array, NaN where none is given, with the values of each axis."""
    if not scores:
        raise DataError("a plateau needs scores", found="none")
    points = np.array(list(scores), dtype=np.float64)
    axes, places = [], []
    for column in points.T:
        values, place = np.unique(column, return_inverse=True)
        axes.append(values)
        places.append(place)
    shape = tuple(axis.size for axis in axes)
    cells = int(np.prod([float(size) for size in shape]))
    if cells > _MOST_CELLS:
        raise DataError(
            "these points are no grid",
            expected=f"at most {_MOST_CELLS} cells",
            found=f"{len(scores)} points, {cells} cells",
            fix="Random searches have no neighbours; search a grid around the best.",
        )
    grid = np.full(shape, np.nan)
    grid[tuple(places)] = np.fromiter(scores.values(), dtype=np.float64, count=len(scores))
    return grid, tuple(axes)


def plateau_of_scores(scores: Mapping[tuple[float, ...], float]) -> Plateau:
    """Examine scores by tuples of parameter values; neighbours are the next values that occur on each axis."""
    return plateau_of_grid(grid_of_scores(scores)[0])
