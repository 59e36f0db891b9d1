"""The page of a sweep as text: what it holds, what it escapes, how large it grows, and what odd numbers look like."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanner.research.report import score_bins, sweep_page, write_sweep_page
from lanner.research.report.heat import MOST_CELLS, heat_maps
from lanner.research.report.payload import MOST_LINES, luckiest_score
from lanner.research.report.proof import checks, forward_numbers, measures, verdict_line
from lanner.research.report.words import axis_text, score_text, statistic_text, value_text
from lanner.research.significance import expected_maximum_sharpe
from lanner.research.sweep_result import Axis, Heat
from tests.unit.research.sweep_results import EVIL, SIX, build_sweep


def payload(page: str) -> dict[str, Any]:
    found = re.search(r'id="report-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_page_says_what_was_searched_and_how_the_verdict_fell() -> None:
    page = sweep_page(build_sweep())
    for text in ("dual_ma", "BTC-USD.COINBASE · 1h", "20,111 bars", "grid search", "vector engine", "fast &lt; slow",
                 "FAIL", "Luck is not ruled out: 2 of 5 checks failed.", "not clearly better than the luckiest",
                 "12,480", "Only 50% of the test windows made money.", "2 of 4 assumptions flatter this result",
                 "1.42 → 0.61", "412 bars had a gap before them."):  # fmt: skip
        assert text in page, text


def test_page_asks_the_network_for_nothing() -> None:
    page = sweep_page(build_sweep())
    assert "default-src 'none'" in html.unescape(page)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page) == []


def test_table_curve_and_lines_carry_the_sweep_in_order() -> None:
    result = build_sweep(kept=20)
    data = payload(sweep_page(result))
    assert data["top"]["rank"] == list(range(1, 21))
    assert data["top"]["params"][0] == [variant.params["fast"] for variant in result.top]
    assert data["top"]["score"][0] == pytest.approx(result.top[0].score)
    assert data["best"]["v"][-1] == pytest.approx(result.best_curve.equity[-1], rel=1e-6)  # type: ignore[union-attr]
    assert data["sample"]["score"][:20] == [float(f"{score:.5g}") for score in data["top"]["score"]]
    assert len(data["forward"]["train"]) == 8


def test_score_column_replaces_the_statistic_of_the_same_name() -> None:
    keys = [column["key"] for column in payload(sweep_page(build_sweep()))["top"]["columns"]]
    assert "sharpe" not in keys
    other = build_sweep(objective="total_return", objectives=["total_return"])
    keys = [column["key"] for column in payload(sweep_page(other))["top"]["columns"]]
    assert "sharpe" in keys
    assert "total_return" not in keys


def test_second_objective_and_pareto_front_are_columns() -> None:
    result = build_sweep(objectives=["sharpe", "max_drawdown"])
    for place, variant in enumerate(result.top):
        variant.scores["max_drawdown"] = -0.01 * place
        variant.front = 1 + place // 10
    top = payload(sweep_page(result))["top"]
    assert top["columns"][0]["key"] == "score:max_drawdown"
    assert top["columns"][0]["values"][5] == pytest.approx(-0.05)
    assert top["front"][0] == 1
    assert top["front"][-1] == 5


def test_hostile_names_stay_text() -> None:
    axes: dict[str, list[Any]] = {EVIL: [1, 2, 3], "mode": [EVIL, "b"]}
    result = build_sweep(
        axes, strategy=EVIL, name=EVIL, warnings=[EVIL], constraints=[EVIL],
        instruments=[EVIL], timeframe=EVIL, method=EVIL, engine=EVIL,
        config={EVIL: EVIL}, assumptions=[{"name": EVIL, "value": EVIL, "flatters": True, "text": EVIL}],
    )  # fmt: skip
    page = sweep_page(result)
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert payload(page)["axes"][0]["name"] == EVIL


def test_six_parameters_and_large_maps_stay_below_a_megabyte() -> None:
    assert len(sweep_page(build_sweep(SIX)).encode()) < 500_000
    wide: dict[str, list[Any]] = {
        "fast": list(range(300)),
        "slow": list(range(300, 700)),
        "band": [x / 7 for x in range(120)],
    }
    result = build_sweep(wide, most=30_000)
    data = payload(page := sweep_page(result))
    assert len(page.encode()) < 1_000_000
    assert sum(len(heat["xs"]) * len(heat["ys"]) for heat in data["heats"]) <= MOST_CELLS
    assert len(data["sample"]["score"]) <= MOST_LINES


def test_coarse_cells_keep_the_best_and_the_mean_of_what_they_hold() -> None:
    side = 500
    best: list[list[float | None]] = [[float(x + y) for x in range(side)] for y in range(side)]
    mean: list[list[float | None]] = [[None if x % 2 else float(x) for x in range(side)] for _ in range(side)]
    heat = heat_maps([Heat("a", "b", list(range(side)), list(range(side)), best, mean)], ["a", "b"])[0]
    step = math.ceil(side / len(heat["xs"]))
    assert heat["coarse"]
    assert heat["xs"][0] == f"0–{step - 1}"
    assert heat["best"][0][0] == 2 * (step - 1)
    assert heat["best"][-1][-1] == 2 * (side - 1)
    assert heat["mean"][0][0] == pytest.approx(np.mean([x for x in range(step) if x % 2 == 0]))


def test_untried_cells_are_null() -> None:
    heat = payload(sweep_page(build_sweep()))["heats"][0]
    fast, slow = heat["xs"].index("49"), heat["ys"].index("20")
    assert heat["best"][slow][fast] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": None, "walk_forward": None, "best_curve": None},
        {"top": [], "sample": [], "heats": [], "score_statistics": {}, "correlations": {}, "best_curve": None,
         "walk_forward": None, "verdict": None, "done": 0},
        {"seconds": 0.0, "data": [], "assumptions": [], "warnings": [], "config": {}, "created_at": ""},
        {"done": 12, "failed": 3, "combinations": 40},
        {"objective": "calmar_of_mine", "objectives": ["calmar_of_mine"]},
        {"data": [{"id": "BTC@1h", "kind": "bars", "rows": 10, "hash": "ab", "synthetic": True}]},
    ],
)  # fmt: skip
def test_unusual_sweeps_make_a_page(changes: dict[str, Any]) -> None:
    page = sweep_page(build_sweep(**changes))
    assert payload(page)["objective"]["label"]
    assert "None" not in re.sub(r"<(style|script)[^>]*>.*?</\1>", "", page, flags=re.DOTALL).replace(
        "None of", ""
    )


def test_numbers_that_are_none_nan_or_infinite_reach_no_script() -> None:
    result = build_sweep()
    result.top[0].statistics = dict.fromkeys(result.top[0].statistics, None)
    result.top[1].statistics = dict.fromkeys(result.top[1].statistics, math.nan)
    result.top[2].score = math.inf
    result.sample[0].score = math.nan
    result.heats[0].best[3][3] = math.nan
    assert result.walk_forward is not None
    result.walk_forward.windows[0].test_score = None
    result.walk_forward.windows[1].params = {}
    data = payload(sweep_page(result))
    assert data["top"]["columns"][0]["values"][:2] == [None, None]
    assert data["top"]["score"][2] is None
    assert data["forward"]["test"][0] is None


def test_interrupted_and_failed_sweeps_say_so() -> None:
    page = sweep_page(build_sweep(done=12, failed=3, combinations=40))
    assert "stopped early" in page
    assert "3 failed" in page
    assert "12 of 40 combinations" in page
    complete = sweep_page(build_sweep(done=37, failed=3, combinations=40))
    assert "stopped early" not in complete


def test_measures_and_checks_read_the_verdict() -> None:
    result = build_sweep(passed=True)
    assert [row.tone for row in checks(result)] == ["good"] * 5
    assert {row.key: row.value for row in measures(result)}["trials"] == "12,480"
    assert forward_numbers(result)["recommendation"] == "caution"
    assert verdict_line(result).startswith("Luck is an unlikely explanation")
    assert verdict_line(build_sweep(verdict=None)).startswith("Not judged")


def test_luck_of_sharpe_ratios_is_the_verdicts_in_the_unit_of_the_scores() -> None:
    result = build_sweep()
    assert result.verdict is not None
    result.verdict["evidence"] |= {"sharpe": 0.02, "expected_maximum": 0.01}
    assert luckiest_score(result, np.array([0.0, 1.0, 2.0])) == pytest.approx(result.top[0].score / 2)


def test_luck_of_other_objectives_follows_from_their_spread() -> None:
    scores = np.random.default_rng(1).normal(1.0, 0.2, 4_000)
    result = build_sweep(objective="profit_factor", trials=500, done=10)
    found = luckiest_score(result, scores)
    assert found == pytest.approx(1.0 + expected_maximum_sharpe(500, 0.04), rel=0.03)
    assert luckiest_score(build_sweep(objective="max_drawdown"), scores) is None


def test_bins_count_every_score_and_are_not_pressed_by_a_wild_one() -> None:
    scores = np.append(np.random.default_rng(2).normal(0.0, 1.0, 5_000), [999.0, math.nan])
    bins = score_bins(scores)
    assert bins is not None
    assert sum(bins.counts) == 5_001
    assert bins.edges[-1] < 20.0
    assert score_bins(np.array([math.nan])) is None
    same = score_bins(np.array([2.0, 2.0]))
    assert same is not None
    assert sum(same.counts) == 2


def test_exact_histogram_of_the_sweep_goes_before_the_sample() -> None:
    bins = score_bins(np.arange(100.0))
    found = payload(sweep_page(build_sweep(histogram=bins)))["histogram"]
    assert found["n"] == 100
    assert found["whole"]


@pytest.mark.parametrize(
    ("value", "objective", "text"),
    [
        (1.23456, "sharpe", "1.235"), (-0.05, "sharpe", "−0.050"), (0.00001234, "sharpe", "0.00001234"),
        (123456.7, "net_profit", "123,457"), (1e15, "net_profit", "1.000e+15"), (0.1234, "total_return", "12.34%"),
        (None, "sharpe", "–"), (math.nan, "sharpe", "–"), (math.inf, "sharpe", "–"), (0.0, "sharpe", "0.000"),
    ],
)  # fmt: skip
def test_scores_are_written_for_people(value: float | None, objective: str, text: str) -> None:
    assert score_text(value, objective) == text


def test_statistics_and_values_are_written_for_people() -> None:
    assert statistic_text("total_return", {"total_return": 0.5}) == "50.00%"
    assert statistic_text("trades", {"trades": 1234.0}) == "1,234"
    assert statistic_text("profit_factor", {"profit_factor": math.inf}) == "∞"
    assert statistic_text("sharpe", {}) == "–"
    assert value_text(0.1 + 0.2) == "0.3"
    assert value_text(-3) == "−3"
    assert value_text(True) == "True"
    assert axis_text(Axis("n", list(range(5, 51, 5)), "int")) == "5 … 50 (10)"
    assert axis_text(Axis("m", ["a", "b"], "choice")) == "a, b"


def test_page_is_written_to_a_file_and_equal_for_equal_sweeps(tmp_path: Path) -> None:
    path = write_sweep_page(build_sweep(), tmp_path / "sweep.html")
    assert path.read_text(encoding="utf-8") == sweep_page(build_sweep())


def test_lines_are_as_many_as_there_is_room_for() -> None:
    wide: dict[str, list[Any]] = {"fast": list(range(2, 90)), "slow": list(range(90, 180))}
    result = build_sweep(wide)
    result.sample = [variant for variant in result.sample if variant.rank > len(result.top)]
    data = payload(sweep_page(result))
    assert len(data["sample"]["score"]) == min(MOST_LINES, len(result.top) + len(result.sample))


def test_headline_does_not_say_the_score_twice() -> None:
    labels = re.findall(r'<span class="label">(.*?)</span>', sweep_page(build_sweep()))
    assert labels == ["Best Sharpe", "Total return", "CAGR", "Max drawdown", "Profit factor", "Win rate", "In market",
                      "End equity"]  # fmt: skip
