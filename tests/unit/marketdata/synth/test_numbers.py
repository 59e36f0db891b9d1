from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lanner.marketdata.synth.numbers import exp, interpolate, log, normal, stream, uniform


@given(st.lists(st.floats(-600, 600), min_size=1, max_size=30))
def test_exp_is_exp(values: list[float]) -> None:
    for ours, theirs in zip(exp(np.array(values)).tolist(), map(math.exp, values), strict=True):
        assert math.isclose(ours, theirs, rel_tol=1e-10)


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=30))
def test_log_is_log(values: list[float]) -> None:
    for ours, theirs in zip(log(np.array(values)).tolist(), map(math.log, values), strict=True):
        assert math.isclose(ours, theirs, rel_tol=1e-10, abs_tol=1e-10)


def test_normal_numbers_are_normal() -> None:
    x = normal(stream(1, 2), 400_000)
    assert abs(x.mean()) < 0.006
    assert abs(x.std() - 1.0) < 0.005
    assert abs((x**3).mean()) < 0.02
    assert abs((x**4).mean() - 3.0) < 0.06
    for sigmas, share in ((1.0, 0.158655), (2.0, 0.022750), (3.0, 0.001350)):
        assert abs((x > sigmas).mean() - share) < 5 * math.sqrt(share / len(x))
        assert abs((x < -sigmas).mean() - share) < 5 * math.sqrt(share / len(x))


def test_uniform_numbers_are_never_zero() -> None:
    assert uniform(stream(1), 100_000).min() > 0.0


def test_streams_of_different_parts_differ_and_repeat() -> None:
    assert stream(7, 1, 0).random(4).tolist() == stream(7, 1, 0).random(4).tolist()
    assert stream(7, 1, 0).random(4).tolist() != stream(7, 1, 1).random(4).tolist()
    assert stream(7, 1, 0).random(4).tolist() != stream(8, 1, 0).random(4).tolist()


def test_interpolation_meets_the_points_and_runs_straight_between_them() -> None:
    grid = np.array([1.0, 3.0, 2.0])
    assert interpolate(np.array([0.0, 0.5, 1.0, 1.75, 2.0]), grid).tolist() == [1.0, 2.0, 3.0, 2.25, 2.0]
