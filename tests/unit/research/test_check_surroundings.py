"""What a trial finds around it: clock, dice, files; and that all of it is put back."""

from __future__ import annotations

import builtins
import datetime as datetime_module
import io
import os
import random
import socket
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from lanner.research.probes_watch import CLOCK_S, OTHER_CLOCK_S, OTHER_TICK_S, TICK_S, Surroundings

USER = """
import time
from datetime import date, datetime, UTC
from pathlib import Path

import numpy as np
import polars as pl

def clock(): return time.time()
def clock_ns(): return time.time_ns()
def now(): return datetime.now(UTC)
def today(): return date.today()
def is_a(thing): return isinstance(thing, datetime), isinstance(thing, date)
def read(path): return Path(path).read_text()
def frame(path): return pl.read_csv(path)
def table(path): return np.loadtxt(path, delimiter=",", skiprows=1)
def write(path): Path(path).write_text("x")
"""


@pytest.fixture
def user(tmp_path: Path) -> Any:
    """Return what executes a user's file, as it is loaded inside the surroundings."""
    path = tmp_path / "mine.py"
    path.write_text(USER)

    def load() -> ModuleType:
        module = ModuleType("mine")
        exec(compile(USER, str(path), "exec"), vars(module))
        return module

    return load


def test_user_code_sees_the_clock_that_was_set(user: Any) -> None:
    with Surroundings().active() as around:
        mine = user()
        assert CLOCK_S < mine.clock() < CLOCK_S + 1
        assert CLOCK_S < mine.clock_ns() / 1e9 < CLOCK_S + 1
        assert mine.now().year == 2026
        assert mine.now() > mine.now().replace(second=0, microsecond=0)
        assert mine.today().isoformat() in ("2025-12-31", "2026-01-01")  # by the machine's own zone
    assert {touch.what for touch in around.touched} == {
        "time.time",
        "time.time_ns",
        "datetime.now",
        "date.today",
    }
    with Surroundings(clock_s=OTHER_CLOCK_S).active():
        assert user().clock() > CLOCK_S + 86_400


def test_two_runs_read_the_same_times(user: Any) -> None:
    readings = []
    for _ in range(2):
        with Surroundings().active():
            mine = user()
            readings.append([mine.clock(), mine.clock(), mine.now()])
    assert readings[0] == readings[1]
    assert readings[0][0] < readings[0][1]


def test_dates_of_both_kinds_are_taken_for_dates(user: Any) -> None:
    moment = datetime_module.datetime(2024, 1, 1, tzinfo=datetime_module.UTC)
    with Surroundings().active():
        mine = user()
        assert mine.is_a(moment) == (True, True)
        assert mine.is_a(mine.now()) == (True, True)
        assert mine.is_a(3) == (False, False)


def test_a_file_can_be_shown_in_the_place_of_another(user: Any, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    whole.write_text("a,b\n1,2\n3,4\n")
    part.write_text("a,b\n1,2\n")
    with Surroundings(files={str(whole): str(part)}).active() as around:
        mine = user()
        assert mine.read(whole) == "a,b\n1,2\n"
        assert mine.frame(whole).height == 1
        assert mine.table(str(whole)).tolist() == [1, 2]
    assert {(touch.kind, touch.what) for touch in around.touched} == {("file", str(whole))}
    assert user().frame(whole).height == 2


def test_what_is_written_is_noted(user: Any, tmp_path: Path) -> None:
    with Surroundings().active() as around:
        user().write(tmp_path / "out.txt")
    (touch,) = around.touched
    assert (touch.kind, Path(touch.what).name, Path(touch.file).name) == ("write", "out.txt", "mine.py")
    assert touch.line == 17


def test_a_change_of_the_environment_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    with Surroundings().active() as around:
        monkeypatch.setenv("LANNER_TEST_NOTE", "1")
    assert [(touch.kind, touch.what) for touch in around.touched] == [("environment", "LANNER_TEST_NOTE")]


def test_dice_are_seeded_and_given_back() -> None:
    random.seed(3)
    before = random.getstate()
    drawn = []
    for dice in (1, 1, 2):
        with Surroundings(dice=dice).active():
            drawn.append((random.random(), float(np.random.random())))
    assert drawn[0] == drawn[1] != drawn[2]
    assert random.getstate() == before


def test_everything_is_put_back_also_after_an_error() -> None:
    names = [
        (builtins, "open"),
        (io, "open"),
        (os, "open"),
        (time, "time"),
        (datetime_module, "datetime"),
        (datetime_module, "date"),
        (pl, "read_csv"),
        (np, "load"),
    ]
    before = [getattr(owner, name) for owner, name in names]
    with Surroundings().active():
        inside = [getattr(owner, name) for owner, name in names]
    assert all(one is not other for one, other in zip(inside, before, strict=True))
    assert [getattr(owner, name) for owner, name in names] == before
    with pytest.raises(ZeroDivisionError), Surroundings().active():
        1 / 0  # noqa: B018
    assert [getattr(owner, name) for owner, name in names] == before
    assert "connect" not in vars(socket.socket)


def test_the_clock_shows_odd_and_even_microseconds() -> None:
    for tick_s in (TICK_S, OTHER_TICK_S):
        mine = Surroundings(tick_s=tick_s)
        assert {round(mine.now() * 1e6) % 2 for _ in range(20)} == {0, 1}
