"""Fronts of several objectives, against the definition applied to every pair."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import DataError
from lanner.research.pareto import pareto_front, pareto_ranks


def written_out(scores: list[list[float]]) -> list[int]:
    """Return the fronts, by peeling off what nobody dominates."""
    ranks = [-1] * len(scores)
    left = set(range(len(scores)))
    level = 0
    while left:
        front = {
            i for i in left
            if not any(
                all(a >= b for a, b in zip(scores[j], scores[i], strict=True)) and scores[j] != scores[i] for j in left
            )
        }  # fmt: skip
        for i in front:
            ranks[i] = level
        left -= front
        level += 1
    return ranks


@given(
    st.integers(1, 4).flatmap(
        lambda m: st.lists(
            st.lists(st.integers(0, 5).map(float), min_size=m, max_size=m), min_size=1, max_size=30
        )
    )
)
def test_fronts_are_those_of_the_definition(scores: list[list[float]]) -> None:
    assert pareto_ranks(np.array(scores)).tolist() == written_out(scores)


def test_the_front_of_return_and_drawdown_is_the_one_seen_on_paper() -> None:
    scores = np.array(
        [[10.0, -5.0], [20.0, -10.0], [15.0, -12.0], [5.0, -1.0], [20.0, -10.0], [30.0, np.nan]]
    )
    assert pareto_front(scores).tolist() == [0, 1, 3, 4]
    assert pareto_ranks(scores).tolist() == [0, 0, 1, 0, 0, -1]
    assert pareto_ranks(scores, fronts=1).tolist() == [0, 0, -1, 0, 0, -1]


def test_a_hundred_thousand_variants_are_sorted_out_in_seconds() -> None:
    scores = np.random.default_rng(1).normal(size=(100_000, 3))
    began = time.process_time()
    front = pareto_front(scores)
    assert time.process_time() - began < 3.0
    best = scores[front]
    assert not any(np.any(np.all(best > one, axis=1)) for one in best)
    assert all(np.any(np.all(best >= one, axis=1)) for one in scores[:2_000])


def test_scores_that_are_no_matrix_are_refused() -> None:
    with pytest.raises(DataError, match="matrix"):
        pareto_front(np.zeros(3))
    assert pareto_front(np.empty((0, 2))).size == 0
