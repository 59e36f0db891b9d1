"""The summary on the terminal: its size, its words, and what it does with text of users."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lanner.backtest.result import Assumption
from lanner.cli.render.summary import print_summary, render_compare, sparkline, summary_text
from lanner.testkit.results import build_result

REPORT = Path("~/.lanner/runs/20261121-0007-dual-ma/report.html")

CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "no trades": {"trades": 0, "bars": 60},
    "one trade": {"trades": 1, "bars": 400},
    "huge money": {"start_equity": "1000000000000000.12", "bars": 900},
    "many instruments": {"instruments": tuple(f"COIN{n}-USDT.BINANCE" for n in range(9)), "bars": 300},
    "long names": {"instruments": ("A" * 150 + ".BINANCE",), "strategies": ("s" * 120,), "bars": 300},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noisy", [False, True])
def test_summary_fits_25_lines_of_100_columns(case: str, noisy: bool) -> None:
    result = build_result(**CASES[case])
    if noisy:
        result.warnings *= 20
    lines = summary_text(result, REPORT).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100


def test_summary_names_the_numbers_the_doubts_and_the_report() -> None:
    result = build_result()
    text = summary_text(result, REPORT)
    for word in ("Total return", "Sharpe", "Max drawdown", "Win rate", "3 of 8 assumptions flatter", "synthetic data",
                 "2 data problems", "412 bars had a stop", str(REPORT), "329,045.72 USDC", result.run_id):  # fmt: skip
        assert word in text, word
    assert "\x1b" not in text


def test_colour_only_adds_escape_codes() -> None:
    result = build_result(bars=2000)
    coloured = summary_text(result, REPORT, color=True)
    assert "\x1b[" in coloured


def test_text_of_users_cannot_style_or_move_the_terminal() -> None:
    result = build_result(bars=300, name="[bold red]x[/] \x1b[2J\r\n")
    text = summary_text(result)
    assert "[bold red]x[/]" in text
    assert "\x1b" not in text


def test_summary_into_a_pipe_is_100_wide_and_plain() -> None:
    buffer = io.StringIO()
    print_summary(build_result(), REPORT, Console(file=buffer, width=40))
    assert buffer.getvalue() == summary_text(build_result(), REPORT)


def test_parameters_of_several_strategies_are_named_one_by_one() -> None:
    first, second = build_result(bars=300), build_result(bars=300)
    first.params = {"Trend": {"fast": 24, "slow": 120}, "dual_ma": {"fast": 5}}
    second.params = {"Trend": {"fast": 24, "slow": 90}, "dual_ma": {"fast": 5}}
    text = summary_text(first)
    assert "Trend.fast=24  Trend.slow=120  dual_ma.fast=5" in text
    assert "{" not in text
    buffer = io.StringIO()
    Console(file=buffer, width=100).print(render_compare([first, second]))
    rows = [line.split() for line in buffer.getvalue().splitlines()]
    assert ["Trend.slow", "120", "90"] in rows
    assert not [row for row in rows if row and row[0].startswith(("Trend.fast", "dual_ma"))]


def test_the_venue_of_an_assumption_keeps_its_name() -> None:
    result = build_result(bars=300)
    result.assumptions[0] = Assumption("OKX: size limit", "none", True, "Orders are filled whole.")
    assert "OKX: size limit: none" in summary_text(result)


def test_comparison_marks_the_best_and_names_what_differs() -> None:
    first, second = build_result(seed=7, bars=4000), build_result(seed=8, bars=4000)
    second.params = {**first.params, "fast": 12}
    buffer = io.StringIO()
    Console(file=buffer, width=100).print(render_compare([first, second]))
    lines = buffer.getvalue().splitlines()
    assert next(line for line in lines if line.startswith("fast")).split() == ["fast", "10", "12"]
    assert not any(line.startswith("slow") for line in lines)
    sharpe = next(line for line in lines if line.startswith("Sharpe"))
    better = max(first.metrics["sharpe"] or 0, second.metrics["sharpe"] or 0)
    assert f"{better:.2f} *" in sharpe


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([1.0], ""), ([1.0, 1.0, 1.0], "▄▄▄"), ([0.0, 7.0], "▁█"), ([float("nan"), 0.0, 7.0], "▁█")],
)
def test_sparkline_of_few_values(values: list[float], line: str) -> None:
    assert sparkline(values, 10) == line


def test_sparkline_is_as_wide_as_asked_and_ends_with_the_last_value() -> None:
    line = sparkline([float(n) for n in range(1000)], 60)
    assert len(line) == 60
    assert (line[0], line[-1]) == ("▁", "█")
