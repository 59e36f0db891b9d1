"""Delays: constant, normal and never below zero, linear between points (specification E.7)."""

from __future__ import annotations

import statistics

import pytest

from lanner.core.errors import ConfigError
from lanner.core.rng import Rng
from lanner.sim.latency import delay_model
from lanner.sim.settings import Latency, LatencyKind

MS = 1_000_000


def test_a_constant_delay_is_the_same_at_every_time() -> None:
    delay = delay_model(Latency(mean_ns=5 * MS), Rng(1))
    assert {delay(ts) for ts in (0, 1, 10**18)} == {5 * MS}


def test_a_normal_delay_has_its_mean_and_sigma() -> None:
    delay = delay_model(Latency(LatencyKind.NORMAL, 10 * MS, 2 * MS), Rng(7))
    drawn = [delay(0) for _ in range(20_000)]
    assert statistics.fmean(drawn) == pytest.approx(10 * MS, rel=0.01)
    assert statistics.pstdev(drawn) == pytest.approx(2 * MS, rel=0.03)


def test_a_normal_delay_is_never_negative_and_all_of_what_would_be_is_zero() -> None:
    delay = delay_model(Latency(LatencyKind.NORMAL, 0, MS), Rng(7))
    drawn = [delay(0) for _ in range(2_000)]
    assert min(drawn) == 0
    assert 800 < sum(1 for one in drawn if one == 0) < 1_200


def test_equal_seeds_draw_equal_delays_and_others_do_not() -> None:
    latency = Latency(LatencyKind.NORMAL, 10 * MS, 2 * MS)

    def draw(seed: int) -> list[int]:
        delay = delay_model(latency, Rng(seed))
        return [delay(0) for _ in range(50)]

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize(
    ("ts", "wanted"), [(0, 10), (100, 10), (150, 20), (199, 29), (200, 30), (250, 20), (300, 10), (999, 10)]
)
def test_a_delay_between_points_is_linear_and_holds_its_ends(ts: int, wanted: int) -> None:
    points = ((100, 10), (200, 30), (300, 10))
    assert delay_model(Latency(LatencyKind.INTERPOLATED, points=points), Rng(1))(ts) == wanted


def test_two_points_at_one_time_are_a_step() -> None:
    delay = delay_model(
        Latency(LatencyKind.INTERPOLATED, points=((0, 10), (5, 10), (5, 20), (9, 20))), Rng(1)
    )
    assert [delay(ts) for ts in (4, 5, 6)] == [10, 20, 20]


def test_no_points_are_no_delay() -> None:
    latency = Latency(LatencyKind.INTERPOLATED)
    assert latency.is_zero
    assert delay_model(latency, Rng(1))(123) == 0


@pytest.mark.parametrize("bad", [{"mean_ns": -1}, {"sigma_ns": -1}, {"points": ((0, -1),)}])
def test_a_negative_delay_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="must not be negative"):
        Latency(**bad)  # type: ignore[arg-type]


def test_points_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="out of order"):
        Latency(LatencyKind.INTERPOLATED, points=((5, 1), (4, 1)))
