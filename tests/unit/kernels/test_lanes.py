"""What is written in LLVM's terms, judged by plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from lanner.kernels.jit import kernel
from lanner.kernels.lanes import LANES, SUMS, fetch, held_sums, lowest_bit, running_totals
from lanner.kernels.plain import _changes
from lanner.research.plain import words_of


@kernel
def held(close: Any, first: int, count: int, per_px: float, base: float, sums: Any) -> Any:
    return held_sums(close, first, count, per_px, base, sums)


@kernel
def totals_of(x: Any, first: int, count: int, centre: float, totals: Any) -> Any:
    return running_totals(x, first, count, centre, totals)


@kernel
def bit_of(word: int, values: Any) -> Any:
    fetch(values, 1)
    return lowest_bit(word)


@kernel
def changes_of(words: Any, tail: int, alike: int, start: int, stop: int, changes: Any) -> Any:
    return _changes(words, tail, alike, start, stop, changes)


def walk(rows: int) -> Any:
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.001, rows)))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 37, 200])
@pytest.mark.parametrize(("per_px", "base"), [(1.0, 5.0), (-2.0, 900.0), (0.001, 1e6)])
def test_sums_of_held_bars_are_those_of_a_loop_in_eight_lanes(count: int, per_px: float, base: float) -> None:
    close = walk(300)
    sums = np.arange(1.0, LANES * SUMS + 1.0)
    expected = sums.copy().reshape(SUMS, LANES)
    for k in range(count):
        before, now = float(close[3 + k]), float(close[4 + k])
        change = per_px * (now - before) / (base + per_px * before)
        fall = min(change, 0.0)
        for row, value in enumerate((change, change * change, fall, fall * fall)):
            expected[row, k % LANES] += value
    least, most = held(close, 3, count, per_px, base, sums)
    assert sums.tobytes() == expected.tobytes()
    assert (least, most) == (close[3 : 4 + count].min(), close[3 : 4 + count].max())


def test_sums_stay_as_they_are_where_the_account_is_ruined() -> None:
    sums = np.ones(LANES * SUMS)
    least, _ = held(walk(50), 0, 20, 1.0, -100.5, sums)
    assert math.isnan(least)
    assert (sums == 1.0).all()


@pytest.mark.parametrize("count", [8, 16, 64])
def test_running_totals_and_extremes_are_those_of_numpy(count: int) -> None:
    x, totals = walk(100), np.zeros(101)
    last, least, most = totals_of(x, 5, count, 99.0, totals)
    np.testing.assert_allclose(
        totals[1 : count + 1], np.cumsum(x[5 : 5 + count] - 99.0), rtol=1e-13, atol=1e-13
    )
    assert totals[0] == 0.0
    assert last == pytest.approx(totals[count], rel=1e-13)
    assert (least, most) == (x[5 : 5 + count].min(), x[5 : 5 + count].max())


def test_a_gap_is_seen_in_the_last_total() -> None:
    x, totals = walk(32), np.zeros(40)
    x[17] = np.nan
    assert math.isnan(totals_of(x, 0, 32, 100.0, totals)[0])


def test_the_lowest_bit_is_found() -> None:
    assert [bit_of(word, walk(3)) for word in (1, 48, -(1 << 63), -1)] == [0, 4, 63, 0]


def test_changes_are_those_between_neighbours() -> None:
    dice = np.random.default_rng(2)
    for turn in range(500):
        rows = int(dice.integers(1, 300))
        weights = np.repeat(dice.choice(np.array([0, 1, -1, 2], np.int8), rows), 1 + 6 * (turn % 2))[:rows]
        start = int(dice.integers(0, rows))
        stop = int(dice.integers(start, rows)) + 1
        followed = int(dice.choice([0, 1, -1]))
        words, tail = words_of(weights)
        room = np.zeros(400, np.int64)
        count, _ = changes_of(
            words, tail, int(np.full(8, followed, np.int8).view(np.int64)[0]), start, stop, room
        )
        before = np.r_[np.int8(followed), weights[start : stop - 1]]
        bars = np.flatnonzero(weights[start:stop] != before) + start
        assert room[:count].tolist() == [4 * int(bar) + int(weights[bar]) + 1 for bar in bars]
