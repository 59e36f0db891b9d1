"""Seeded randomness, deterministic ids and state machines as tables."""

from __future__ import annotations

import statistics
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import InternalFaultError, TransitionError
from lanner.core.fsm import TransitionTable
from lanner.core.ids import IdFactory
from lanner.core.rng import Rng


def test_the_generator_gives_the_published_numbers_of_splitmix64() -> None:
    # first outputs for seed 1234567 of the reference implementation by Vigna
    rng = Rng(1234567)
    assert [rng.next_u64() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_a_seed_gives_the_same_draws_and_another_seed_others() -> None:
    def draws(seed: int) -> list[float]:
        rng = Rng(seed)
        return [rng.random(), float(rng.integer(0, 100)), rng.normal(), rng.normal(), rng.random()]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)


def test_streams_split_by_name_do_not_disturb_each_other() -> None:
    parent = Rng(3)
    before = parent.split("a").next_u64()
    parent.next_u64()
    parent.split("b").next_u64()
    assert parent.split("a").next_u64() == before
    assert len({Rng(3).split(name).next_u64() for name in ("a", "b", "a/", "")}) == 4
    assert Rng(3).split("a").next_u64() != Rng(4).split("a").next_u64()
    assert Rng(3).split("a").split("b").seed != Rng(3).split("b").split("a").seed


def test_split_streams_are_pinned_so_that_old_runs_can_be_repeated() -> None:
    assert Rng(1).split("strategy/dual_ma").next_u64() == 14194686281712499416


@given(st.integers(0, 2**64 - 1), st.integers(-1000, 1000), st.integers(1, 1000))
def test_draws_stay_in_their_range(seed: int, low: int, width: int) -> None:
    rng = Rng(seed)
    for _ in range(20):
        assert 0.0 <= rng.random() < 1.0
        assert low <= rng.integer(low, low + width) < low + width


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"empty range \[5, 5\)"):
        Rng(1).integer(5, 5)


def test_normal_draws_have_the_asked_mean_and_spread() -> None:
    rng = Rng(11)
    sample = [rng.normal(10.0, 2.0) for _ in range(20_000)]
    assert abs(statistics.fmean(sample) - 10.0) < 0.05
    assert abs(statistics.stdev(sample) - 2.0) < 0.05


def test_ids_count_from_one_by_kind_and_carry_the_prefix() -> None:
    ids = IdFactory("run7")
    assert [ids.next("o"), ids.next("o"), ids.next("g"), ids.next("o")] == [
        "run7-o1",
        "run7-o2",
        "run7-g1",
        "run7-o3",
    ]
    assert IdFactory("run8").next("o") != IdFactory("run7").next("o")


class Light(IntEnum):
    RED = 1
    GREEN = 2
    OFF = 3


LIGHTS = TransitionTable(
    "light",
    {Light.RED: {Light.GREEN: "go"}, Light.GREEN: {Light.OFF: "fuse"}, Light.OFF: {}},
    frozenset({Light.OFF}),
)


def test_an_illegal_step_names_both_states_the_subject_and_what_is_legal() -> None:
    with pytest.raises(TransitionError) as caught:
        LIGHTS.check(Light.GREEN, Light.RED, "L-5")
    text = str(caught.value)
    assert "light L-5: illegal step from GREEN to RED" in text
    assert "from GREEN: OFF" in text
    assert isinstance(caught.value, InternalFaultError)
    with pytest.raises(TransitionError, match=r"nothing \(final\)"):
        LIGHTS.check(Light.OFF, Light.RED)


def test_legal_steps_and_staying_pass() -> None:
    LIGHTS.check(Light.RED, Light.GREEN)
    LIGHTS.check(Light.OFF, Light.OFF)


def test_the_diagram_has_every_step_and_ends_in_the_final_states() -> None:
    assert LIGHTS.mermaid().splitlines() == [
        "stateDiagram-v2",
        "    RED --> GREEN: go",
        "    GREEN --> OFF: fuse",
        "    OFF --> [*]",
    ]
