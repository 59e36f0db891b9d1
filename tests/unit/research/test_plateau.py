"""Hills and needles on a grid of scores."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lanner.core.errors import DataError
from lanner.research.plateau import Shape, grid_of_scores, plateau_of_grid, plateau_of_scores
from tests.unit.research.noise import Floats


def test_a_broad_hill_is_a_plateau_and_a_lone_peak_a_needle() -> None:
    x, y = np.meshgrid(np.arange(9), np.arange(11), indexing="ij")
    hill: Floats = np.asarray(2.0 - 0.01 * ((x - 4) ** 2 + (y - 6) ** 2), dtype=np.float64)
    found = plateau_of_grid(hill)
    assert (found.best, found.shape, found.neighbours) == ((4, 6), Shape.PLATEAU, 8)
    assert found.ratio == pytest.approx((2.0 * 8 - 0.01 * 12) / 8 / 2.0)
    assert found.worst_ratio == pytest.approx(1.98 / 2.0)
    assert found.on_edge == ()
    noise = np.full((9, 11), 0.3)
    noise[2, 2] = 2.0
    needle = plateau_of_grid(noise)
    assert (needle.best, needle.shape) == ((2, 2), Shape.NEEDLE)
    assert needle.ratio == pytest.approx(0.15)
    noise[1:4, 1:4] = 1.2
    noise[2, 2] = 2.0
    assert plateau_of_grid(noise).shape is Shape.SLOPE


def test_neighbours_are_those_one_step_away_on_every_axis() -> None:
    rng = np.random.default_rng(1)
    scores: dict[tuple[float, ...], float] = {
        key: float(rng.normal()) + 3.0 for key in itertools.product((5, 10, 20), (1, 2, 3, 4), (0.1, 0.7))
    }
    del scores[(10, 2, 0.1)]
    scores[(10, 3, 0.7)] = 9.0
    scores[(20, 4, 0.7)] = math.nan
    near = [
        value for key, value in scores.items()
        if key != (10, 3, 0.7) and key[1] in {2, 3, 4} and not math.isnan(value)
    ]  # fmt: skip
    found = plateau_of_scores(scores)
    assert found.best == (1, 2, 1)
    assert found.neighbours == len(near) == 15
    assert found.mean == pytest.approx(np.mean(near))
    assert found.worst == pytest.approx(min(near))
    assert found.on_edge == (2,)


def test_the_steadiest_point_has_the_best_surroundings() -> None:
    scores = np.full((12, 12), 0.1)
    scores[7:10, 7:10] = 1.5
    scores[1, 1] = 2.0
    found = plateau_of_grid(scores)
    assert found.best == (1, 1)
    assert found.steadiest == (8, 8)
    assert found.steadiest_mean == pytest.approx(1.5)
    means = {
        (i, j): np.mean(scores[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2])
        for i in range(12)
        for j in range(12)
    }
    assert max(means, key=lambda point: means[point]) == (8, 8)


def test_one_parameter_is_a_grid_too_and_its_end_an_edge() -> None:
    found = plateau_of_scores({(1,): 0.1, (2,): 0.9, (3,): 1.0})
    assert (found.best, found.on_edge, found.neighbours) == ((2,), (0,), 1)
    assert found.ratio == pytest.approx(0.9)


def test_without_a_positive_score_or_a_neighbour_nothing_is_said() -> None:
    losing = plateau_of_grid(np.array([-2.0, -1.0, -3.0]))
    assert (losing.best, losing.ratio, losing.shape) == ((1,), None, Shape.UNKNOWN)
    assert losing.mean == pytest.approx(-2.5)
    alone = plateau_of_grid(np.array([np.nan, 1.0, np.nan]))
    assert (alone.neighbours, alone.mean, alone.shape) == (0, None, Shape.UNKNOWN)


def test_a_constraint_leaves_holes_and_not_zeros() -> None:
    grid, axes = grid_of_scores({(5.0, 20.0): 1.0, (10.0, 20.0): 2.0, (5.0, 10.0): 3.0})
    assert [axis.tolist() for axis in axes] == [[5.0, 10.0], [10.0, 20.0]]
    assert grid[0].tolist() == [3.0, 1.0]
    assert math.isnan(grid[1, 0])


def test_equal_neighbours_of_the_best_stay_its_neighbours() -> None:
    found = plateau_of_grid(np.array([1.0, 1.0, 1.0]))
    assert found.ratio == 1.0
    assert found.neighbours == 1


def test_what_is_no_grid_is_refused() -> None:
    with pytest.raises(DataError, match="needs scores"):
        plateau_of_scores({})
    with pytest.raises(DataError, match="needs scores"):
        plateau_of_grid(np.full(3, np.nan))
    rng = np.random.default_rng(2)
    with pytest.raises(DataError, match="no grid"):
        plateau_of_scores({tuple(rng.random(4)): 1.0 for _ in range(200)})
