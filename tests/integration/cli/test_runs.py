"""``lanner runs``: what was kept can be listed, shown, compared, repeated and deleted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import lanner as ln
from tests.integration.cli.conftest import CROSS, prices
from tests.integration.conftest import Run

ARGS = ("backtest", "cross.py", "--data", "btc.csv", "--instrument", "BTC-USDT.TEST")


@pytest.fixture
def kept(work: Path, lanner: Run) -> str:
    """Run once; return the id."""
    return lanner(*ARGS, "--quiet")[1].strip()


def spoken(lanner: Run, *words: str, code: int = 0) -> dict[str, object]:
    done = lanner(*words, "--json")
    assert done[0] == code, done
    found: dict[str, object] = json.loads(done[1])
    return found


def test_a_runs_folder_holds_settings_source_result_and_report(kept: str, own_home: Path) -> None:
    folder = own_home / "runs" / kept
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"run.json", "config.yaml", "report.html", "result.json", "source/cross.py"} <= names
    assert "fills.parquet" in names
    assert (folder / "source" / "cross.py").read_text() == CROSS


def test_list_shows_the_newest_first_and_filters(kept: str, lanner: Run) -> None:
    other = lanner(*ARGS, "--name", "other", "--quiet")[1].strip()
    assert lanner("runs", "list", "--quiet")[1].split() == sorted([kept, other], reverse=True)
    assert lanner("runs", "list", "--strategy", "other", "--quiet")[1].split() == [other]
    code, out, err = lanner("runs", "list", "--limit", "1")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert "… and 1 older" in err
    found = spoken(lanner, "runs", "list")
    assert found["total"] == 2


def test_show_prints_the_summary_of_the_run_again(kept: str, lanner: Run) -> None:
    code, out, err = lanner("runs", "show")
    assert code == 0
    assert kept in out
    assert "Total return" in out
    assert err.startswith("Files: ")
    assert lanner("runs", "show", kept[:15], "--quiet")[1].strip().endswith(kept)
    found = spoken(lanner, "runs", "show", kept)
    assert found["run_id"] == kept
    assert str(found["report"]).endswith("report.html")


def test_compare_shows_the_difference_side_by_side(kept: str, lanner: Run) -> None:
    other = lanner(*ARGS, "--param", "fast=9", "--quiet")[1].strip()
    code, out, _ = lanner("runs", "compare", kept, other)
    assert code == 0
    assert "Total return" in out
    found = spoken(lanner, "runs", "compare", kept, other)
    assert found["runs"] == [kept, other]
    settings = found["settings"]
    assert isinstance(settings, dict)
    assert settings["param fast"] == ["5", "9"]
    assert spoken(lanner, "runs", "compare", kept, kept, code=4)["message"] == "there is nothing to compare"


def test_rerun_gives_the_same_state(kept: str, lanner: Run) -> None:
    code, out, _ = lanner("runs", "rerun", kept)
    assert code == 0
    assert out.startswith("The same result: ")
    found = spoken(lanner, "runs", "rerun")
    assert (found["same"], found["changed"]) == (True, {})


def test_rerun_says_that_the_code_changed_and_can_use_what_was_kept(
    kept: str, work: Path, lanner: Run
) -> None:
    (work / "cross.py").write_text(CROSS.replace("self.target(0.9", "self.target(0.5"))
    code, out, _ = lanner("runs", "rerun", kept)
    assert code == 1
    assert out.startswith("Another result: ")
    assert "the strategy's code changed" in out
    assert "the data changed" not in out
    assert spoken(lanner, "runs", "rerun", kept, "--stored-code")["same"] is True
    (work / "cross.py").unlink()
    code, out, err = lanner("runs", "rerun", kept)
    assert code == 0, err
    assert "is gone; using the copy that the run kept" in err


def test_rerun_says_that_the_data_changed(kept: str, work: Path, lanner: Run) -> None:
    (work / "btc.csv").write_text(prices(step=0.5))
    found = spoken(lanner, "runs", "rerun", kept, code=1)
    assert found["same"] is False
    assert list(found["changed"]) == ["data_hash"]  # type: ignore[call-overload]


def test_a_changed_comment_in_the_code_is_named_but_harmless(kept: str, work: Path, lanner: Run) -> None:
    (work / "cross.py").write_text(CROSS + "# a remark\n")
    code, out, _ = lanner("runs", "rerun", kept)
    assert code == 0
    assert "the strategy's code changed, without effect" in out


def test_damaged_runs_are_listed_as_such_and_never_a_traceback(
    kept: str, own_home: Path, lanner: Run
) -> None:
    folder = own_home / "runs" / kept
    (folder / "run.json").write_text('{"run_id":')
    (own_home / "runs" / "20200101-000000-empty-0000").mkdir()
    code, out, _ = lanner("runs", "list")
    assert code == 0
    assert f"{kept}  damaged: run.json is not JSON" in out
    assert "20200101-000000-empty-0000  damaged: there is no run.json" in out
    for words in (("show",), ("rerun",), ("compare", "20200101")):
        code, _, err = lanner("runs", words[0], kept, *words[1:])
        assert (code, err.split(":")[0]) == (1, "error")
    assert lanner("runs", "delete", kept, "20200101-000000-empty-0000")[0] == 0
    assert spoken(lanner, "runs", "list") == {"runs": [], "total": 0}


@pytest.mark.parametrize("name", ["result.json", "fills.parquet", "config.yaml"])
def test_a_run_that_lost_a_file_says_which(name: str, kept: str, own_home: Path, lanner: Run) -> None:
    (own_home / "runs" / kept / name).unlink()
    code, _, err = lanner("runs", "rerun" if name == "config.yaml" else "show", kept)
    assert code in (1, 2)
    assert name in err
    assert err.startswith("error: ")


def test_delete_removes_nothing_when_one_of_the_runs_does_not_exist(kept: str, lanner: Run) -> None:
    assert lanner("runs", "delete", kept, "nothing")[0] == 2
    assert lanner("runs", "list", "--quiet")[1].split() == [kept]
    assert spoken(lanner, "runs", "delete", kept)["deleted"] == [kept]
    assert lanner("runs", "list")[1] == ""


def test_two_files_of_one_name_are_both_kept_and_found_again(work: Path, lanner: Run, own_home: Path) -> None:
    for name, text in (("a", CROSS), ("b", CROSS.replace("0.9", "0.4"))):
        (work / name).mkdir()
        (work / name / "cross.py").write_text(text)
    (work / "two.yaml").write_text(
        "strategies:\n  - {strategy: a/cross.py, id: a}\n  - {strategy: b/cross.py, id: b}\n"
        "data: btc.csv\ninstrument: BTC-USDT.TEST\n"
    )
    run_id = lanner("backtest", "two.yaml", "--quiet")[1].strip()
    kept = {path.name: path.read_text() for path in (own_home / "runs" / run_id / "source").iterdir()}
    assert sorted(kept) == ["cross-2.py", "cross.py"]
    for name in ("a", "b"):
        (work / name / "cross.py").write_text("changed = True\n")
    assert spoken(lanner, "runs", "rerun", run_id, "--stored-code")["same"] is True


def test_what_was_assumed_is_in_the_json_and_in_the_record(work: Path, lanner: Run) -> None:
    notes = ["BTC-USDT.TEST: fees are not known; assumed 0.001 maker, 0.001 taker"]
    assert spoken(lanner, *ARGS)["notes"] == notes
    assert spoken(lanner, "runs", "show")["notes"] == notes


def test_what_a_strategy_logs_is_kept_with_the_runs_own_time(work: Path, lanner: Run, own_home: Path) -> None:
    (work / "cross.py").write_text(
        CROSS.replace("self.target(0)", 'self.target(0)\n            self.log("out")')
    )
    code, out, err = lanner(*ARGS)
    assert code == 0
    [log] = (own_home / "runs").glob("*/log.txt")
    lines = log.read_text().splitlines()
    assert len(lines) >= 3
    assert lines[0].startswith("2024-01-0")
    assert lines[0].endswith("  Cross  out")
    assert f"{len(lines)} lines of the strategy's log are in {log}" in err
    assert "Traceback" not in out


def arrays(fast: int, folder: Path) -> str:
    """Save an array backtest from Python as a script would; return the run's id."""
    table = pl.read_csv(folder / "btc.csv")
    close = table["close"].to_numpy()
    mean = np.convolve(close, np.ones(fast) / fast, "full")[: len(close)]
    long = np.where(np.arange(len(close)) < fast, False, close > mean)
    made = ln.from_signals(
        table, long, ~long, instrument="BTC-USDT.TEST", timeframe="1h", name=f"mean_{fast}"
    )
    return made.save().name


def test_a_saved_array_backtest_is_listed_shown_and_compared_like_any_run(
    kept: str, work: Path, lanner: Run
) -> None:
    one, other = arrays(5, work), arrays(20, work)
    assert set(lanner("runs", "list", "--quiet")[1].split()) == {kept, one, other}
    assert lanner("runs", "list", "--strategy", "mean_5", "--quiet")[1].split() == [one]
    code, out, _ = lanner("runs", "show", one)
    assert code == 0
    assert "mean_5" in out
    assert "kind=from_signals" in out
    shown = spoken(lanner, "runs", "show", other)
    assert shown["kind"] == "arrays"
    assert str(shown["report"]).endswith("report.html")
    code, out, _ = lanner("runs", "compare", one, other)
    assert code == 0
    for word in (one, other, "mean_20", "Sharpe"):
        assert word in out
    beside = json.dumps(spoken(lanner, "runs", "compare", kept, one, other))
    assert all(name in beside for name in (kept, one, other))


def test_a_saved_array_backtest_cannot_be_repeated_and_says_why(work: Path, lanner: Run) -> None:
    name = arrays(5, work)
    code, out, err = lanner("runs", "rerun", name)
    assert (code, out) == (1, "")
    assert f"the run {name} cannot be repeated" in err
    assert "arrays made in Python" in err
    assert "lanner runs compare" in err
    assert lanner("runs", "list", "--quiet")[1].split() == [name]
