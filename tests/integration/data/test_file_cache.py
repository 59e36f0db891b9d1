"""Files imported on the fly: kept for the next time, bounded in size, never taken from under a reader."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import pytest

from lanner.cli.main import main
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_cache
from lanner.storage.file_cache import FileCache
from lanner.storage.open_data import CACHED_FILES, DataSource, open_source

SECOND = 1_000_000_000


def write_bars(path: Path, first: float) -> Path:
    rows = "".join(
        f"{1_600_000_200_000 + i * 60_000},{first},{first + 1},{first - 1},{first},1\n" for i in range(3000)
    )
    path.write_text("timestamp,open,high,low,close,volume\n" + rows)
    return path


def opened(path: Path) -> DataSource:
    return open_source(str(path), catalog=Catalog(path.parent / "none"), cache_dir=default_cache())


@pytest.fixture
def cache() -> FileCache:
    return FileCache(default_cache() / CACHED_FILES)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write_bars(tmp_path / f"{name}_1m.csv", 100 + index) for index, name in enumerate("abc")]


def names(cache: FileCache) -> list[str]:
    return [name for entry in cache.entries() for name in entry.files]


def age(cache: FileCache, *names: str) -> None:
    """Set the times of use apart, the first name the oldest."""
    for entry in cache.entries():
        when = names.index(entry.files[0]) * SECOND + SECOND
        os.utime(entry.folder / ".used", ns=(when, when))


def test_the_longest_unused_file_goes_when_the_cache_is_full(
    files: list[Path], cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in files[:2]:
        opened(path)
    gc.collect()
    age(cache, "b_1m.csv", "a_1m.csv")
    size = max(entry.size for entry in cache.entries())
    monkeypatch.setenv("LANNER_CACHE_SIZE", str(int(size * 2.5)))
    opened(files[2])
    assert sorted(names(cache)) == ["a_1m.csv", "c_1m.csv"]


def test_using_a_file_again_makes_it_the_last_to_go(files: list[Path], cache: FileCache) -> None:
    for path in files:
        opened(path)
    age(cache, "a_1m.csv", "b_1m.csv", "c_1m.csv")
    opened(files[0])
    gc.collect()
    assert names(cache) == ["b_1m.csv", "c_1m.csv", "a_1m.csv"]


def test_a_file_in_use_stays_however_small_the_cache(
    files: list[Path], cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANNER_CACHE_SIZE", "0")
    source = opened(files[0])
    opened(files[1])
    [data] = source.datasets
    assert sum(frame.height for frame in data.catalog.scan("bars", data.instrument_id, "1m")) == 3000
    assert "a_1m.csv" in names(cache)
    del source, data
    gc.collect()
    cache.prune(0)
    assert names(cache) == []


def test_two_files_of_one_run_survive_a_cache_too_small_for_both(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANNER_CACHE_SIZE", "1KB")
    words = ["backtest", "dual_ma", "--data", str(files[0]), "--data", str(files[1]), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["events"] == 6000


def test_the_command_shows_and_clears_the_cache(
    files: list[Path], cache: FileCache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "cache"]) == 0
    assert "is empty" in capsys.readouterr().err
    assert main(["data", "describe", str(files[0]), "--quiet"]) == 0
    gc.collect()
    capsys.readouterr()
    assert main(["data", "cache"]) == 0
    out = capsys.readouterr().out
    assert "a_1m.csv" in out
    assert "A-USD.LOCAL@1m" in out
    assert "of at most 2,000.0 MB (LANNER_CACHE_SIZE)" in out
    assert main(["data", "cache", "--clear", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [entry["files"] for entry in said["deleted"]] == [["a_1m.csv"]]
    assert (said["entries"], said["size"], names(cache)) == ([], 0, [])


def test_a_damaged_entry_is_shown_and_can_be_cleared(
    files: list[Path], cache: FileCache, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(files[0])
    gc.collect()
    [passport] = cache.entries()[0].folder.glob("passports/*.json")
    passport.write_text("{")
    assert main(["data", "cache"]) == 0
    assert "(incomplete)" in capsys.readouterr().out
    assert len(cache.clear()) == 1


def test_a_wrong_size_is_refused_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANNER_CACHE_SIZE", "lots")
    assert main(["data", "cache"]) == 4
    assert "LANNER_CACHE_SIZE is not a size" in capsys.readouterr().err
