"""Exports and the way back: exact round trips, stated shapes, clear refusals, nothing half-written."""

from __future__ import annotations

import csv
import json
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lanner.backtest.export import (
    EQUITY_HEADER,
    TRADES_HEADER,
    export_equity_csv,
    export_json,
    export_markdown,
    export_parquet,
    export_trades_csv,
    save_result,
)
from lanner.backtest.load import load_result
from lanner.backtest.result import BacktestResult
from lanner.core.errors import ConfigError, DataError, NotFoundError
from lanner.testkit.results import build_result


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return build_result(bars=1500, instruments=("BTC-PERP.HYPERLIQUID", "ETH-PERP.HYPERLIQUID"), seed=11)


def same(left: Any, right: Any, where: str = "result") -> None:
    """Compare two values of any kind, and name the place where they differ."""
    if isinstance(left, np.ndarray):
        assert left.dtype == right.dtype, where
        np.testing.assert_array_equal(left, right, err_msg=where)
    elif is_dataclass(left):
        assert type(left) is type(right), where
        for field in fields(left):
            same(getattr(left, field.name), getattr(right, field.name), f"{where}.{field.name}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            same(one, other, f"{where}[{index}]")
    else:
        assert left == right, where


def test_result_saved_in_a_folder_loads_back_exactly(result: BacktestResult, tmp_path: Path) -> None:
    same(load_result(save_result(result, tmp_path / "run")), result)


def test_json_without_rounding_loads_back_exactly(result: BacktestResult, tmp_path: Path) -> None:
    export_json(result, tmp_path / "r.json", precision=None)
    same(load_result(tmp_path / "r.json"), result)


@pytest.mark.parametrize("bars", [60, 0])
def test_an_empty_run_loads_back_exactly_from_both_forms(bars: int, tmp_path: Path) -> None:
    empty = build_result(trades=0, bars=60) if bars else _without_samples()
    export_json(empty, tmp_path / "r.json", precision=None, pretty=False)
    same(load_result(tmp_path / "r.json"), empty)
    same(load_result(save_result(empty, tmp_path / "run")), empty)


def _without_samples() -> BacktestResult:
    empty = build_result(bars=60, trades=0)
    none = np.zeros(0)
    empty.equity.ts, empty.equity.equity, empty.equity.exposure = np.zeros(0, dtype=np.int64), none, none
    empty.equity.benchmark = None
    empty.series = []
    return empty


def test_a_run_without_a_benchmark_stays_without_one(tmp_path: Path) -> None:
    plain = build_result(bars=100)
    plain.equity.benchmark = None
    export_json(plain, tmp_path / "r.json")
    assert load_result(tmp_path / "r.json").equity.benchmark is None
    assert load_result(save_result(plain, tmp_path / "run")).equity.benchmark is None


def test_money_survives_to_the_last_digit(tmp_path: Path) -> None:
    rich = build_result(bars=100)
    rich.end_equity = Decimal("123456789012345678901234567890.123456789012345678")
    export_json(rich, tmp_path / "r.json", precision=2)
    assert load_result(tmp_path / "r.json").end_equity == rich.end_equity


def test_json_has_the_sections_and_is_strict_json(result: BacktestResult, tmp_path: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    export_json(result, tmp_path / "r.json")
    document = json.loads((tmp_path / "r.json").read_text(), parse_constant=refuse)
    assert list(document)[:2] == ["metadata", "config"]
    assert {"metrics", "trades", "equity_curve"} <= set(document)
    assert document["metadata"]["strategy"] == "dual_ma"
    assert document["metadata"]["total_trades"] == len(result.round_trips) == len(document["trades"])
    assert document["config"]["initial_capital"] == "100000.00"
    assert document["metrics"]["final_equity"] == pytest.approx(float(result.end_equity), abs=0.01)
    assert set(document["equity_curve"][0]) >= {"timestamp", "equity", "drawdown"}


def test_json_options_leave_out_trades_and_curve_and_round(result: BacktestResult, tmp_path: Path) -> None:
    export_json(result, tmp_path / "r.json", include_trades=False, include_equity_curve=False, precision=3)
    document = json.loads((tmp_path / "r.json").read_text())
    assert not {"trades", "fills", "orders", "equity_curve", "series"} & set(document)
    assert document["metrics"]["sharpe"] == round(result.metrics["sharpe"] or 0.0, 3)
    loaded = load_result(tmp_path / "r.json")
    assert (loaded.round_trips, loaded.equity.ts.size) == ([], 0)


def test_pretty_json_keeps_each_trade_on_one_line(result: BacktestResult, tmp_path: Path) -> None:
    export_json(result, tmp_path / "pretty.json")
    export_json(result, tmp_path / "flat.json", pretty=False)
    pretty, flat = ((tmp_path / name).read_text() for name in ("pretty.json", "flat.json"))
    assert json.loads(pretty) == json.loads(flat)
    assert sum('"entry_px"' in line for line in pretty.splitlines()) == len(result.round_trips)
    assert flat.count("\n") == 1


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    odd = build_result(bars=100)
    odd.equity.benchmark = np.full(odd.equity.ts.size, np.nan)
    odd.equity.benchmark[0] = 1.0
    odd.params["limit"] = float("inf")
    export_json(odd, tmp_path / "r.json")
    assert "NaN" not in (tmp_path / "r.json").read_text()
    loaded = load_result(tmp_path / "r.json")
    assert loaded.params["limit"] is None
    assert loaded.equity.benchmark is not None
    assert np.isnan(loaded.equity.benchmark[1])


def test_settings_of_any_type_are_written_as_text(tmp_path: Path) -> None:
    odd = build_result(bars=100)
    odd.params = {"size": Decimal("0.10"), "path": Path("/x"), "nested": {"a": (1, Decimal(2))}}
    export_json(odd, tmp_path / "r.json")
    assert load_result(tmp_path / "r.json").params == {
        "size": "0.10",
        "path": "/x",
        "nested": {"a": [1, "2"]},
    }


def test_trades_csv_has_the_stated_header_and_one_line_per_trip(
    result: BacktestResult, tmp_path: Path
) -> None:
    export_trades_csv(result, tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines()[0] == (
        "id,entry_time,entry_price,exit_time,exit_price,size,side,pnl,pnl_percent,commission"
    )
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(result.round_trips)
    first, trip = rows[0], result.round_trips[0]
    assert tuple(first) == TRADES_HEADER
    assert float(first["pnl"]) == trip.pnl
    assert float(first["pnl_percent"]) == pytest.approx(trip.return_frac * 100)
    assert first["side"] == ("long" if trip.side > 0 else "short")
    assert np.datetime64(first["entry_time"].removesuffix("Z"), "ns").astype(np.int64) == trip.entry_ts


def test_open_position_has_no_exit_time(tmp_path: Path) -> None:
    held = build_result(bars=400, trades=2)
    held.round_trips[-1].open = True
    export_trades_csv(held, tmp_path / "t.csv", times="ms")
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert rows[-1]["exit_time"] == ""
    assert int(rows[0]["exit_time"]) == held.round_trips[0].exit_ts // 1_000_000


def test_equity_csv_has_time_equity_and_drawdown(result: BacktestResult, tmp_path: Path) -> None:
    export_equity_csv(result, tmp_path / "e.csv", times="ns")
    rows = list(csv.DictReader((tmp_path / "e.csv").read_text().splitlines()))
    assert tuple(rows[0]) == EQUITY_HEADER == ("timestamp", "equity", "drawdown")
    assert [float(row["equity"]) for row in rows] == result.equity.equity.tolist()
    assert [int(row["timestamp"]) for row in rows] == result.equity.ts.tolist()
    assert max(float(row["drawdown"]) for row in rows) == result.metrics["max_drawdown"]


def test_unknown_format_of_times_is_refused_with_the_choices(result: BacktestResult, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected iso, ms or ns; found seconds"):
        export_trades_csv(result, tmp_path / "t.csv", times="seconds")
    assert not list(tmp_path.iterdir())


def test_parquet_tables_hold_every_row(result: BacktestResult, tmp_path: Path) -> None:
    written = export_parquet(result, tmp_path / "tables")
    assert {item.file_path.stem for item in written} == {"round_trips", "fills", "orders", "equity", "series"}
    assert all(item.bytes_written == item.file_path.stat().st_size for item in written)
    fills = pl.read_parquet(tmp_path / "tables" / "fills.parquet")
    assert fills.height == len(result.fills)
    assert fills["fee"].sum() == pytest.approx(float(result.fees), abs=0.01)


def test_markdown_escapes_names_and_states_what_flatters(tmp_path: Path) -> None:
    odd = build_result(bars=1500, name="a|b *c* <script>")
    odd.assumptions[2].text = "one | two"
    export_markdown(odd, tmp_path / "r.md")
    text = (tmp_path / "r.md").read_text()
    assert r"# a\|b \*c\* \<script\> on BTC-PERP.HYPERLIQUID" in text
    assert "3 of 8 assumptions flatter this result." in text
    assert r"one \| two" in text
    assert f"| **Profit** | **{'+' if odd.attribution.total > 0 else ''}" in text or "−" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["not a readable result"]),
        ("[1, 2", ["not a readable result"]),
        ('{"metrics": {}}', ["missing required field `metadata`"]),
        (
            '{"metadata": {"format": "other", "format_version": 1}}',
            ["expected a file of the format lanner-result"],
        ),
        (
            '{"metadata": {"format": "lanner-result", "format_version": 99}}',
            ["newer Lanner", "Update Lanner"],
        ),
        (
            '{"metadata": {"format": "lanner-result", "format_version": 1}}',
            ["missing required field", "$.metadata"],
        ),
    ],
)
def test_file_that_is_no_result_is_refused_with_its_reason(
    content: str, words: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "r.json"
    file.write_text(content)
    with pytest.raises(DataError) as caught:
        load_result(file)
    for word in words:
        assert word in str(caught.value)
    assert str(file) in str(caught.value)


def test_wrong_type_in_a_row_is_named_with_its_place(result: BacktestResult, tmp_path: Path) -> None:
    export_json(result, tmp_path / "r.json", pretty=False)
    document = json.loads((tmp_path / "r.json").read_text())
    document["trades"][1]["pnl"] = "lots"
    (tmp_path / "r.json").write_text(json.dumps(document))
    with pytest.raises(
        DataError, match=r"Expected `float`, got `str` - at `\$\.trades\[1\]\.pnl`|\$\.trades\[\.\.\.\]\.pnl"
    ):
        load_result(tmp_path / "r.json")


def test_missing_result_says_how_to_list_the_stored_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="lanner runs list"):
        load_result(tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match=r"result\.json"):
        load_result(tmp_path)


def test_folder_with_a_missing_or_broken_table_is_refused(result: BacktestResult, tmp_path: Path) -> None:
    run = save_result(result, tmp_path / "run")
    table = run / "fills.parquet"
    table.write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match=r"fills\.parquet is not a readable result"):
        load_result(run)
    table.unlink()
    with pytest.raises(DataError, match=r"the table fills\.parquet"):
        load_result(run)


def test_export_replaces_a_file_in_one_step_and_leaves_nothing_behind(
    result: BacktestResult, tmp_path: Path
) -> None:
    file = tmp_path / "r.json"
    file.write_text("old")
    written = export_json(result, file)
    assert written.bytes_written == file.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_failing_export_keeps_the_old_file(result: BacktestResult, tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.mkdir()
    (file / "inside").write_text("kept")
    with pytest.raises(OSError, match="taken"):
        export_json(result, file)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert (file / "inside").read_text() == "kept"
