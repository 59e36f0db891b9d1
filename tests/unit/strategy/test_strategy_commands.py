"""``lanner strategies`` and ``lanner new strategy``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lanner.cli.main import main
from lanner.strategy.library import BUILT_IN, SIGNALS


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def test_list_names_every_strategy_within_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "strategies")
    assert code == 0
    assert all(len(line) <= 100 for line in (out + err).split("\n"))
    for cls in (*BUILT_IN, *SIGNALS):
        assert f"{cls.name} " in out
        assert f" {cls.timeframe} " in out
    assert "fast=10, slow=20, ma_type=sma" in out
    code, out, err = run(capsys, "strategies", "--quiet")
    assert out.split() == [cls.name for cls in (*BUILT_IN, *SIGNALS)]
    assert err == ""


def test_detail_shows_ranges_and_help_within_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    for cls in BUILT_IN:
        code, out, _ = run(capsys, "strategies", cls.name)
        assert code == 0
        assert all(len(line) <= 100 for line in out.split("\n"))
        flat = " ".join(out.split())
        for name, param in cls.parameters().items():
            assert name in out
            assert param.describe() in out
            assert " ".join(param.help.split()[:3]) in flat
        assert cls.description in flat
        assert str(cls.stop_loss) in out


def test_the_command_to_run_a_strategy_is_one_that_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The defaults of grid are none: what it needs is said instead of a parameter that would be refused."""
    lines = {cls.name: run(capsys, "strategies", cls.name)[1].split("\n") for cls in BUILT_IN}
    assert "Run it: lanner backtest dual_ma --data … --param fast=10" in lines["dual_ma"]
    assert "Run it: lanner backtest grid --data … --param …" in lines["grid"]
    assert "Needs:  upper and lower as prices, e.g. --param upper=70000 --param lower=60000" in lines["grid"]


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "strategies", "--json")
    listed = json.loads(out)
    assert [entry["name"] for entry in listed["strategies"]] == [cls.name for cls in (*BUILT_IN, *SIGNALS)]
    assert listed["problems"] == []
    _, out, _ = run(capsys, "strategies", "dual_ma", "--json")
    entry = json.loads(out)
    assert entry["parameters"]["fast"] == {
        "type": "int", "default": 10, "low": 2, "high": 199, "step": None, "choices": None,
        "help": "bars in the fast average",
    }  # fmt: skip
    assert entry["parameters"]["ma_type"]["choices"] == ["sma", "ema"]
    assert entry["roi"] == {"0": "4%", "20": "2%", "60": "1%"}


def test_unknown_names_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "strategies", "dual_mo")
    assert (code, out) == (2, "")
    assert "Did you mean dual_ma?" in err


@pytest.mark.parametrize("extra", [(), ("--signal",)])
def test_new_strategy_runs_and_its_test_passes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, extra: tuple[str, ...]
) -> None:
    code, out, _ = run(capsys, "new", "strategy", "my_trend", "--dir", str(tmp_path / "made"), *extra)
    assert code == 0
    assert str(tmp_path / "made/my_trend.py") in out
    code, out, _ = run(capsys, "strategies", str(tmp_path / "made/my_trend.py"))
    assert code == 0
    assert "fast" in out
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(tmp_path / "made/test_my_trend.py"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("there", "command"), [(True, "python -m"), (False, "pip install pytest && python -m")]
)
def test_new_strategy_says_how_to_test_it(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
    command: str,
) -> None:
    monkeypatch.setattr("lanner.cli.commands.new.find_spec", lambda name: name if there else None)
    out = run(capsys, "new", "strategy", "a", "--dir", str(tmp_path))[1]
    assert f"Test it: {command} pytest {tmp_path / 'test_a.py'}\n" in out


def test_new_strategy_prints_paths(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    expected = [str(tmp_path / "a.py"), str(tmp_path / "test_a.py")]
    assert run(capsys, "new", "strategy", "a", "--dir", str(tmp_path), "--quiet")[1].split() == expected
    out = run(capsys, "new", "strategy", "b", "--dir", str(tmp_path), "--json")[1]
    assert json.loads(out) == {"strategy": str(tmp_path / "b.py"), "test": str(tmp_path / "test_b.py")}


def test_new_strategy_never_overwrites(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for kept in ("mine.py", "test_mine.py"):
        (tmp_path / "mine.py").unlink(missing_ok=True)
        (tmp_path / "test_mine.py").unlink(missing_ok=True)
        (tmp_path / kept).write_text("keep me")
        code, _, err = run(capsys, "new", "strategy", "mine", "--dir", str(tmp_path))
        assert code == 4
        assert f"{kept} is there already" in err
        assert [path.name for path in tmp_path.iterdir()] == [kept]
        assert (tmp_path / kept).read_text() == "keep me"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("2fast", "my_2fast"),
        ("my-trend", "my_trend"),
        ("class", "my_class"),
        ("a/b", "a_b"),
        ("", "my_strategy"),
    ],
)
def test_new_strategy_takes_identifiers_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, suggestion: str
) -> None:
    code, _, err = run(capsys, "new", "strategy", name, "--dir", str(tmp_path))
    assert code == 4
    assert f"For example: {suggestion}." in err
    assert list(tmp_path.iterdir()) == []


def test_new_strategy_says_when_it_cannot_write(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "new", "strategy", "mine", "--dir", str(tmp_path / "file"))
    assert code == 4
    assert "cannot write to" in err
