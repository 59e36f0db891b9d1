from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.marketdata.bars import check_divides, time_grid
from lanner.model.timeframes import TIMEFRAMES_NS

INSTANTS = st.integers(min_value=0, max_value=4_000_000_000_000_000_000)


def ns(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000_000


@given(spec=st.sampled_from(sorted(TIMEFRAMES_NS)), ts=INSTANTS)
def test_every_instant_lies_in_exactly_one_bar(spec: str, ts: int) -> None:
    grid = time_grid(spec)
    opened = grid.floor(ts)
    assert opened <= ts < grid.close(opened)
    assert grid.floor(opened) == opened
    assert grid.floor(grid.close(opened)) == grid.close(opened)


@given(spec=st.sampled_from(sorted(TIMEFRAMES_NS)), ts=st.lists(INSTANTS, max_size=20))
def test_arrays_and_single_instants_agree(spec: str, ts: list[int]) -> None:
    grid = time_grid(spec)
    opens = grid.floor_array(np.array(ts, dtype=np.int64))
    assert opens.tolist() == [grid.floor(t) for t in ts]
    assert grid.close_array(opens).tolist() == [grid.close(grid.floor(t)) for t in ts]


def test_weeks_start_on_monday_and_months_on_the_first() -> None:
    wednesday = ns(2024, 2, 28, 13, 37)
    assert time_grid("1w").floor(wednesday) == ns(2024, 2, 26)
    month = time_grid("1M")
    assert month.floor(wednesday) == ns(2024, 2, 1)
    assert month.close(ns(2024, 2, 1)) == ns(2024, 3, 1)
    assert month.close(ns(2023, 12, 1)) == ns(2024, 1, 1)


def test_three_day_bars_count_from_the_epoch() -> None:
    opened = time_grid("3d").floor(ns(2024, 1, 5))
    assert (datetime.fromtimestamp(opened / 1e9, UTC) - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(
        days=3
    ) == timedelta(0)


def test_months_between_two_dates_are_listed_by_the_calendar() -> None:
    opens = time_grid("1M").between(ns(2024, 1, 1), ns(2024, 4, 1))
    assert opens == [ns(2024, 1, 1), ns(2024, 2, 1), ns(2024, 3, 1)]


@pytest.mark.parametrize(
    ("fine", "coarse"), [("1h", "1m"), ("1h", "1h"), ("3m", "5m"), ("3d", "1w"), ("1w", "1M"), ("3d", "1M")]
)
def test_bars_that_would_straddle_an_edge_are_refused(fine: str, coarse: str) -> None:
    with pytest.raises(ConfigError, match=f"{coarse} bars cannot be built from {fine} bars"):
        check_divides(fine, coarse)


def test_an_activity_bar_is_not_a_time_bar() -> None:
    with pytest.raises(ConfigError, match="not a time bar"):
        time_grid("100tick")
