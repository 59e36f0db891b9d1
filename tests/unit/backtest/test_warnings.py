"""Warnings of a run read right in singular and plural."""

from __future__ import annotations

import pytest

from lanner.backtest.assemble import _COUNTED, _counted


@pytest.mark.parametrize(
    ("what", "one", "many"),
    [
        ("both_hit", "1 bar held both a stop", "2 bars held both a stop"),
        (
            "stopped_in_entry_bar",
            "1 position was stopped in the bar of its entry",
            "2 positions were stopped in the bar of their entry",
        ),
        ("cut_by_balance", "1 order was cut to what", "2 orders were cut to what"),
        ("cut_by_volume", "1 fill was cut to the allowed", "2 fills were cut to the allowed"),
        ("rejects", "1 order was rejected", "2 orders were rejected"),
    ],
)
def test_what_happened_once_is_said_in_the_singular(what: str, one: str, many: str) -> None:
    assert _counted(1, *_COUNTED[what]).startswith(one)
    assert _counted(2, *_COUNTED[what]).startswith(many)


def test_large_counts_are_grouped() -> None:
    assert _counted(12_345, *_COUNTED["rejects"]).startswith("12,345 orders were")
