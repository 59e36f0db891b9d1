"""Known-bad strategies are caught by the check that each names, and good ones are left in peace."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lanner.research.probes_check import CheckReport, check_strategy
from lanner.research.probes_process import OtherProcesses
from lanner.research.probes_world import World, synthetic_world
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog
from lanner.storage.passport import Passport

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"
BAD = sorted(path for path in (STRATEGIES / "bad").glob("*.py"))
GOOD = sorted(path for path in (STRATEGIES / "good").glob("*.py"))
EVERY_DAY = 5
"""Each fifth strategy is checked every day, all of them at night: it is the longest of the unit tests."""
BARS = 400
BUDGET = 8
BUILT_IN: dict[str, dict[str, object]] = {
    "dual_ma": {},
    "triple_ma": {"fast": 3, "medium": 8, "slow": 20},
    "rsi_mean_reversion": {},
    "bollinger_breakout": {},
    "macd_divergence": {},
    "grid": {"lower": 30_000.0, "upper": 50_000.0, "grid_count": 16, "order_size": 0.02},
}
PROVEN = {"look-ahead", "determinism", "state", "run", "vector", "parameters"}
"""Checks that do not warn but know."""


def shared_out(some: Iterable[Path | str]) -> list[Any]:
    """Return strategies as parameters; most of them wait for the night."""
    return [
        pytest.param(one, id=Path(one).stem, marks=() if number % EVERY_DAY == 0 else pytest.mark.nightly)
        for number, one in enumerate(some)
    ]


@pytest.fixture(scope="module")
def world() -> World:
    """Return some weeks of hourly bars."""
    return synthetic_world("1h", bars=BARS)


@pytest.fixture(scope="module")
def processes() -> Iterator[OtherProcesses]:
    """Keep two processes with other hash seeds for all strategies."""
    with OtherProcesses() as started:
        yield started


def caught_by(path: Path) -> str:
    words = path.read_text(encoding="utf-8").partition("\n")[0]
    assert words.startswith('"""Caught by '), path
    return words.removeprefix('"""Caught by ').partition(":")[0]


def checked(ref: str, world: World, processes: OtherProcesses, **params: object) -> CheckReport:
    return check_strategy(ref, world=world, params=params, budget=BUDGET, processes=processes)


def told(report: CheckReport) -> str:
    return "\n".join(f"{f.severity} {f.check}: {f.what}; {f.expected}; {f.found}" for f in report.findings)


def test_there_are_enough_of_both_kinds() -> None:
    assert len(BAD) >= 30
    assert len(GOOD) + len(BUILT_IN) >= 30


@pytest.mark.parametrize("path", shared_out(BAD))
def test_a_bad_strategy_is_caught_by_the_check_that_it_names(
    path: Path, world: World, processes: OtherProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANNER_TEST_LEVEL", "0")
    copy = Path(shutil.copy(path, tmp_path / path.name))
    world.frames[0].write_csv(tmp_path / "prices.csv")
    world.catalog = str(default_catalog())
    (stream,) = world.base.streams
    Catalog(default_catalog()).write(
        "bars",
        stream.instrument_id,
        stream.spec,
        iter(world.frames),
        Passport(kind="bars", instrument_id=stream.instrument_id, spec=stream.spec, synthetic=True),
    )
    report = checked(str(copy), world, processes)
    name = caught_by(path)
    proof = [finding for o in report.outcomes if o.check == name for finding in o.findings]
    hints = [finding for finding in report.findings if finding.check == name]
    assert proof if name in {o.check for o in report.outcomes} else hints, told(report)
    if name in PROVEN:
        assert "error" in {finding.severity for finding in proof}, told(report)
        assert not report.ok


@pytest.mark.parametrize("path", shared_out(GOOD))
def test_a_good_strategy_is_left_in_peace(path: Path, world: World, processes: OtherProcesses) -> None:
    assert_clean(checked(str(path), world, processes))


@pytest.mark.parametrize("name", shared_out(BUILT_IN))
def test_a_built_in_strategy_is_left_in_peace(name: str, world: World, processes: OtherProcesses) -> None:
    assert_clean(checked(name, world, processes, **BUILT_IN[name]))


def assert_clean(report: CheckReport) -> None:
    assert report.ok, told(report)
    harmless = {"stability", "activity"}
    assert {finding.check for finding in report.findings} <= harmless, told(report)
    assert report.orders > 0
