"""The console of a sweep: its size, its words, what it does with text of users, and the live view."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lanner.cli.render.sweep import sweep_progress, sweep_text
from lanner.cli.render.sweep_progress import SweepView
from lanner.research.sweep import SweepProgress
from tests.unit.research.sweep_results import SIX, build_sweep

REPORT = Path("~/.lanner/runs/20261121-0042-dual-ma-sweep/report.html")
CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "six parameters": {"axes": SIX, "passed": True},
    "one parameter": {"axes": {"period": list(range(2, 60))}},
    "long names": {"axes": {"a" * 90: [1, 2], "b" * 90: ["c" * 90, "d"]}, "strategy": "s" * 200},
    "nothing found": {"top": [], "sample": [], "score_statistics": {}, "correlations": {}, "verdict": None,
                      "walk_forward": None},
    "stopped": {"done": 12, "failed": 7, "combinations": 100_000, "windows": 0},
    "noisy": {"warnings": ["w " * 90] * 30, "instruments": ["A-USDT.X"] * 30},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", [80, 100])
def test_text_fits_40_lines_and_the_width(case: str, width: int) -> None:
    lines = sweep_text(build_sweep(**CASES[case]), width, colour=False).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= width


def test_text_names_the_best_the_scores_the_walk_forward_and_the_verdict() -> None:
    result = build_sweep()
    text = sweep_text(result, 100, colour=False, report=REPORT)
    for word in ("dual_ma", "BTC-USD.COINBASE 1h", "407 combinations in 1.84 s", "M combo·bars/s", "only fast < slow",
                 f"{result.top[9].score:.3f}", "median", "8 rolling windows", "Sharpe train → test 1.42 → 0.61",
                 "FAIL  Luck is not ruled out: 2 of 5 checks failed.", "12,480 trials", "p-value 0.184",
                 "▲ Only 50% of the test windows made money.", "2 of 4 assumptions flatter", str(REPORT)):  # fmt: skip
        assert word in text, word
    assert f"{result.top[10].score:.3f}  +" not in text
    assert "\x1b" not in text


def test_best_variants_stand_in_the_order_of_their_rank() -> None:
    result = build_sweep()
    lines = sweep_text(result, 100, colour=False).splitlines()
    rows = [line.split() for line in lines if line.split()[:1] and line.split()[0] in {"1", "2", "10"}]
    assert [row[1] for row in rows] == [str(result.top[place].params["fast"]) for place in (0, 1, 9)]


def test_parameters_share_a_column_where_each_has_no_room() -> None:
    text = sweep_text(build_sweep(SIX), 80, colour=False)
    assert "fast=" in text
    assert "fast=" not in sweep_text(build_sweep(), 80, colour=False)


def test_colour_only_adds_escape_codes() -> None:
    assert "\x1b[" in sweep_text(build_sweep(), 100, colour=True)


def test_text_of_users_cannot_style_or_move_the_terminal() -> None:
    axes: dict[str, list[Any]] = {"x\x1b[2J": [1, 2]}
    text = sweep_text(build_sweep(axes, name="[red]x[/] \x1b[2J\r"), 100, colour=False)
    assert "[red]x[/]" in text
    assert "\x1b" not in text


def test_numbers_that_are_not_defined_are_dashes() -> None:
    result = build_sweep()
    result.top[0].statistics = dict.fromkeys(result.top[0].statistics, None)
    row = next(
        line for line in sweep_text(result, 100, colour=False).splitlines() if line.startswith("   1 ")
    )
    assert row.split()[-4:] == ["–", "–", "–", "–"]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(view: SweepView, width: int = 110) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=width).print(view)
    return buffer.getvalue()


def test_view_shows_speed_time_left_and_the_five_best() -> None:
    clock = Clock()
    view = SweepView(clock)
    assert "Starting" in shown(view)
    best = tuple((2.0 - place / 10, {"fast": place, "slow": 50}) for place in range(8))
    view.update(SweepProgress("search", 100, 1_000, 1e8, 1.0, best))
    clock.now += 1.0
    view.update(SweepProgress("search", 300, 1_000, 3e8, 2.0, best))
    text = shown(view)
    assert "300/1,000" in text
    assert "150/s" in text
    assert "150.0 M combo·bars/s" in text
    assert view.seconds_left() == pytest.approx(3.5)
    assert "ETA 0:04" in text
    assert "fast=4" in text
    assert "fast=5" not in text


def test_view_counts_the_time_left_down_between_updates_and_forgets_old_speed() -> None:
    clock = Clock()
    view = SweepView(clock)
    for done in (0, 10, 20, 30):
        view.update(SweepProgress("search", done, 1_030, 0.0, 1.0))
        clock.now += 10.0
    assert view.seconds_left() == pytest.approx(1_000 - 10.0)
    clock.now += 20.0
    view.update(SweepProgress("search", 530, 1_030, 0.0, 1.0))
    assert view.seconds_left() == pytest.approx(30.0)


def test_view_keeps_what_was_reached_in_the_phases_after_the_search() -> None:
    view = SweepView(Clock())
    view.update(SweepProgress("search", 300, 300, 3e8, 2.0, ((1.5, {"fast": 3}),)))
    view.update(SweepProgress("conclude", 0, 0, 0.0, 0.0))
    text = shown(view)
    assert "Judging" in text
    assert "300/300" in text
    assert "fast=3" in text
    assert view.seconds_left() is None


def test_view_is_silent_without_a_terminal_and_when_told_to_be() -> None:
    with sweep_progress(quiet=False) as show:
        assert show is None
    with sweep_progress(quiet=True, console=Console(file=io.StringIO(), force_terminal=True)) as show:
        assert show is None


def test_live_view_draws_on_a_terminal_and_leaves_nothing_behind() -> None:
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, width=110)
    with sweep_progress(quiet=False, console=console) as show:
        assert show is not None
        show(SweepProgress("search", 5, 10, 1e6, 1.0, ((0.5, {"x\x1b[2J": 1}),)))
    text = buffer.getvalue()
    assert "5/10" in text
    assert "\x1b[2J" not in text
    assert text.rstrip().endswith("\x1b[2K")
