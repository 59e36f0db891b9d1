"""Which average is above, told without computing either: the answer of the averages themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

import lanner as ln
from lanner.indicators import SMA, arrays
from lanner.kernels.crossing import PIECE, above, working_memory
from lanner.research.evaluate import SignalProgram


def average(x: Any, period: int) -> Any:
    """Return the average as the indicator has it; a length of 0 means the values."""
    if period == 0:
        return x
    out = np.empty_like(x)
    arrays.runner(SMA, (period,)).run([x], [out])
    return out


def prices(kind: str, rows: int) -> Any:
    walk = 100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.001, rows)))
    made = {
        "walk": walk,
        "cents": np.round(walk * 0.01, 2),  # averages that are equal again and again
        "flat": np.full(rows, 0.1),
        "steps": np.round(walk / 5) * 0.5,
        "tiny beside huge": np.where(np.arange(rows) % 977 == 0, 1e12, walk),
    }
    return made[kind]


@pytest.mark.parametrize("kind", ["walk", "cents", "flat", "steps", "tiny beside huge"])
@pytest.mark.parametrize("rows", [1, 5, 50, 300, PIECE + 1, 2 * PIECE + 777])
def test_every_answer_is_that_of_the_averages(kind: str, rows: int) -> None:
    x = prices(kind, rows)
    for one, two in ((5, 20), (20, 5), (1, 3), (0, 20), (50, 200), (7, 7), (300, 0), (1, 0)):
        out = np.full(rows, 9, np.int8)
        assert above(x, one, two, 0, rows, working_memory(one, two), out)
        np.testing.assert_array_equal(out, average(x, one) > average(x, two))


def test_pieces_continue_each_other() -> None:
    x = prices("cents", 3_000)
    whole = average(x, 10) > average(x, 35)
    room, found = working_memory(10, 35), []
    for start in range(0, 3_000, 700):
        out = np.zeros(min(700, 3_000 - start), np.int8)
        assert above(x, 10, 35, start, start + len(out), room, out)
        found.append(out)
    np.testing.assert_array_equal(np.concatenate(found), whole)


@pytest.mark.parametrize("gap", [np.nan, np.inf])
@pytest.mark.parametrize("rows", [200, 20_000])
def test_a_series_with_a_gap_gets_the_signal_of_its_averages(gap: float, rows: int) -> None:
    @ln.signal("1h")
    def cross(bars: Any, fast: int = 5, slow: int = 20) -> Any:
        return bars.close.sma(fast) > bars.close.sma(slow)

    x = prices("walk", rows)
    x[rows * 3 // 4] = gap
    program, want = SignalProgram(cross), average(x, 5) > average(x, 20)
    np.testing.assert_array_equal(program.columns({"close": x}).signals_int8(0), want)
    pieces = [piece.copy() for _, _, (piece,) in program.blocks_int8([0], {"close": x}, 4_096)]
    np.testing.assert_array_equal(np.concatenate(pieces), want)
