"""Waiting times between attempts."""

from __future__ import annotations

from random import Random

import pytest

from lanner.core.errors import ConfigError
from lanner.net.backoff import Backoff


def waits(backoff: Backoff, count: int) -> list[float | None]:
    return [backoff.next() for _ in range(count)]


def test_waits_double_from_the_base_to_the_cap() -> None:
    assert waits(Backoff(1.0, 60.0), 8) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_success_begins_anew() -> None:
    backoff = Backoff(0.5, 8.0)
    waits(backoff, 5)
    backoff.reset()
    assert waits(backoff, 2) == [0.5, 1.0]


def test_attempts_end_at_their_limit_and_zero_means_for_ever() -> None:
    assert waits(Backoff(1, 60, attempts=3), 5) == [1, 2, 4, None, None]
    assert None not in waits(Backoff(1, 60), 5_000)


def test_jitter_shortens_waits_within_its_fraction_and_repeats_with_its_seed() -> None:
    first = waits(Backoff(1, 60, jitter=0.5, rng=Random(7)), 200)
    assert first == waits(Backoff(1, 60, jitter=0.5, rng=Random(7)), 200)
    capped = [wait for wait in first[6:] if wait is not None]
    assert all(30 <= wait <= 60 for wait in capped)
    assert max(capped) - min(capped) > 20


def test_full_jitter_spreads_over_the_whole_wait() -> None:
    capped = [wait or 0.0 for wait in waits(Backoff(1, 60, jitter=1.0, rng=Random(1)), 500)[6:]]
    assert min(capped) < 3
    assert max(capped) > 57


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_s": 0},
        {"base_s": 2, "cap_s": 1},
        {"attempts": -1},
        {"jitter": 1.5, "rng": Random(1)},
        {"jitter": 0.5},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Backoff(**wrong)  # type: ignore[arg-type]
