"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.backtest.dates import format_time, parse_time
from lanner.core.errors import ConfigError

YEAR_2024 = 1_704_067_200_000_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (2024, YEAR_2024),
        ("2024", YEAR_2024),
        ("2024-01", YEAR_2024),
        ("2024-1-1", YEAR_2024),
        (date(2024, 1, 1), YEAR_2024),
        (datetime(2024, 1, 1), YEAR_2024),  # noqa: DTZ001 - without a zone it is UTC
        (datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), YEAR_2024),
        ("2024-01-01T00:00:00Z", YEAR_2024),
        ("2024-01-01T02:00:00+02:00", YEAR_2024),
        ("2024-01-01 00:00", YEAR_2024),
        (1_704_067_200, YEAR_2024),
        ("1704067200000", YEAR_2024),
        (1_704_067_200_000_000, YEAR_2024),
        (YEAR_2024, YEAR_2024),
        ("2024-02", YEAR_2024 + 31 * 86_400_000_000_000),
    ],
)
def test_years_dates_iso_times_and_unix_times_are_understood(text: object, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-13", "2024-02-30", "24", "12345", True, None, "2024-01-01T25:00"]
)
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ConfigError, match="since is not a time"):
        parse_time(text, "since")


@given(st.integers(0, 4_000_000_000).map(lambda s: s * 1_000_000_000))
def test_a_formatted_time_reads_back(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns


def test_midnight_is_written_as_a_date() -> None:
    assert format_time(YEAR_2024) == "2024-01-01"
    assert format_time(YEAR_2024 + 1_500_000_000) == "2024-01-01T00:00:01.5Z"
    assert datetime.fromtimestamp(YEAR_2024 / 1e9, UTC).year == 2024
