"""Environment variables: where things lie, and what the documentation says of them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from lanner.cli.main import main
from lanner.cli.render.errors import wants_colour
from lanner.cli.render.progress import wants_progress
from lanner.core.errors import ConfigError
from lanner.storage.environment import (
    KEYS_PREFIX,
    cache_limit,
    default_cache,
    default_catalog,
    default_runs,
    parse_size,
    reference_table,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "environment.md"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_folders_lie_in_the_home_unless_they_are_named(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (default_catalog(), default_runs(), default_cache()) == (
        own_home / "catalog",
        own_home / "runs",
        own_home / "cache",
    )
    for name, place in (("CATALOG", default_catalog), ("RUNS", default_runs), ("CACHE", default_cache)):
        monkeypatch.setenv(f"LANNER_{name}", str(tmp_path / name))
        assert place() == tmp_path / name


def test_a_backtest_uses_the_catalog_the_runs_and_the_cache_that_are_named(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CATALOG", "RUNS", "CACHE"):
        monkeypatch.setenv(f"LANNER_{name}", str(tmp_path / name.lower()))
    words = ["data", "synth", "bars", "--instrument", "A-USDT.MADE", "--days", "20", "--timeframe", "1h"]
    assert main([*words, "--quiet"]) == 0
    assert main(["data", "export", "A-USDT.MADE@1h", str(tmp_path / "a.csv"), "--quiet"]) == 0
    for data in ("A-USDT.MADE@1h", str(tmp_path / "a.csv")):
        capsys.readouterr()
        assert main(["backtest", "dual_ma", "--data", data, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["orders"] > 0
    assert len(list((tmp_path / "runs").iterdir())) == 2
    assert list((tmp_path / "catalog" / "passports").iterdir())
    assert list((tmp_path / "cache" / "files").iterdir())
    assert not list(own_home.iterdir())


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500_000_000), ("2 GB", 2_000_000_000), ("1.5g", 1_500_000_000), ("0", 0), ("12KiB", 12_000)],
)
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1XB", "ten"])
def test_what_is_no_size_is_none(text: str) -> None:
    assert parse_size(text) is None


def test_a_cache_size_that_is_none_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANNER_CACHE_SIZE", "huge")
    with pytest.raises(ConfigError, match="LANNER_CACHE_SIZE is not a size"):
        cache_limit()


@pytest.mark.parametrize(
    ("wish", "no_color", "terminal", "piped"),
    [
        ("", "", True, False),
        ("", "1", False, False),
        ("always", "1", True, True),
        ("never", "", False, False),
        ("sometimes", "", True, False),
    ],
)
def test_colours_follow_the_wish_then_no_color_then_the_terminal(
    wish: str, no_color: str, terminal: bool, piped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANNER_COLOR", wish)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colour(Terminal()) is terminal
    assert wants_colour(io.StringIO()) is piped


def test_a_summary_is_coloured_when_that_is_wished(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        [
            "data",
            "synth",
            "bars",
            "--instrument",
            "A-USDT.MADE",
            "--days",
            "20",
            "--timeframe",
            "1h",
            "--quiet",
        ]
    )
    words = ["backtest", "dual_ma", "--data", "A-USDT.MADE@1h"]
    capsys.readouterr()
    assert main(words) == 0
    assert "\x1b[" not in capsys.readouterr().out
    monkeypatch.setenv("LANNER_COLOR", "always")
    assert main(words) == 0
    assert "\x1b[" in capsys.readouterr().out


def test_progress_bars_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    assert wants_progress()
    monkeypatch.setenv("LANNER_PROGRESS", "never")
    assert not wants_progress()


def test_the_page_of_variables_holds_the_table_of_the_code() -> None:
    assert reference_table() in PAGE.read_text(encoding="utf-8")


def test_the_page_of_variables_names_each_that_the_sources_read() -> None:
    sources = (PAGE.parents[2] / "src").rglob("*.py")
    read = {
        name
        for path in sources
        for name in re.findall(r"LANNER_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))
    }
    page = PAGE.read_text(encoding="utf-8")
    assert "LANNER_HOME" in read
    keys = KEYS_PREFIX.rstrip("_")  # LANNER_KEYS__<PRODUCT>__…: the page names the pattern
    assert KEYS_PREFIX in page
    assert {name for name in read if f"`{name}`" not in page} - {keys} == {"LANNER_SHARED_DATA"}
