"""The parts of a check: cutting data, choosing bars, comparing runs, files that hold the played prices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lanner.research.lookahead import chosen_cuts
from lanner.research.lookahead_files import price_file, show_until
from lanner.research.probes import Decision, Trial, differs, first_difference, play
from lanner.research.probes_check import CHECKS, check_strategy
from lanner.research.probes_stage import Stage
from lanner.research.probes_world import WILD_ROWS, World, synthetic_world
from lanner.strategy.base import Strategy
from lanner.strategy.library import BUILT_IN


@pytest.fixture(scope="module")
def world() -> World:
    """Return some days of hourly bars."""
    return synthetic_world("1h", bars=200)


def decision(ts: int, text: str = "BUY 1") -> Decision:
    return Decision(ts, "X", 1, text, 1.0)


# -- cutting ------------------------------------------------------------------------------------------


def test_a_cut_keeps_the_bars_that_are_complete(world: World) -> None:
    ts = int(world.ts[50])
    (frame,) = world.cut(ts)
    assert frame.height == 51
    assert frame["ts_event"][-1] == ts


def test_a_longer_bar_that_has_begun_survives_the_cut(world: World) -> None:
    coarse = world.frames[0].gather_every(4).with_columns(ts_event=pl.col("ts_open") + 4 * 3_600 * 10**9)
    two = World(world.base, [world.frames[0], coarse], "1h", "")
    ts = int(world.ts[49])
    fine, long = two.cut(ts)
    assert fine["ts_event"][-1] == ts
    assert long["ts_open"][-1] < ts < long["ts_event"][-1]


def test_another_future_leaves_the_past_as_it_is(world: World) -> None:
    ts = int(world.ts[50])
    (known,), (wild,) = world.cut(ts), world.corrupted(ts, 1)
    assert wild.head(known.height).equals(known)
    future = wild.slice(known.height)
    real = world.frames[0].slice(known.height, WILD_ROWS)
    assert future.height == WILD_ROWS
    assert (future["high"] >= future["low"]).all()
    assert (future["close"] / real["close"] - 1).abs().min() > 0.2  # type: ignore[operator]
    assert world.corrupted(ts, 1)[0].equals(wild)
    assert not world.corrupted(ts, 2)[0].equals(wild)


def test_few_bars_are_all_cut_and_of_many_half_are_spread_evenly() -> None:
    assert chosen_cuts([3, 5, 8], 3, 1) == [3, 5, 8]
    times = list(range(1000))
    cuts = chosen_cuts(times, 40, 1)
    assert len(cuts) == 40
    assert cuts == sorted(set(cuts))
    assert cuts[0] == 0
    assert cuts[-1] == 999
    assert max(np.diff(cuts)) <= 53
    assert cuts == chosen_cuts(times, 40, 1) != chosen_cuts(times, 40, 2)
    assert chosen_cuts(times, 1, 1) == [0]


# -- comparing ----------------------------------------------------------------------------------------


def test_the_first_difference_is_found() -> None:
    one = [decision(1), decision(2), decision(3)]
    assert first_difference(one, list(one)) is None
    assert first_difference(one, one[:2]) == (one[2], None)
    assert first_difference(one[:1], one) == (None, one[1])
    other = [decision(1), decision(2, "SELL 1"), decision(3)]
    assert first_difference(one, other) == (one[1], other[1])


def test_runs_differ_by_orders_by_state_or_by_failing() -> None:
    from lanner.core.errors import StrategyError

    same = Trial([decision(1)], None, "a")
    assert not differs(same, Trial([decision(1)], None, "a"))
    assert differs(same, Trial([decision(2)], None, "a"))
    assert differs(same, Trial([decision(1)], None, "b"))
    assert differs(same, Trial([decision(1)], StrategyError("x"), "a"))


@pytest.mark.parametrize("cls", [cls for cls in BUILT_IN if cls.name != "grid"], ids=lambda cls: cls.name)
def test_writing_commands_down_changes_nothing_of_the_run(cls: type[Strategy], world: World) -> None:
    from lanner.backtest.run import run_backtest

    plain = run_backtest(world.spec(cls()))
    trial = play(world.spec(cls()))
    assert trial.state_hash == plain.state_hash
    assert len([item for item in trial.decisions if item.side]) == len(plain.orders)


# -- files that hold the played prices -----------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 3])
def test_a_file_is_recognised_by_its_prices_and_shown_up_to_a_bar(
    world: World, tmp_path: Path, before: int
) -> None:
    path = tmp_path / "any name.csv"
    frame = world.frames[0].select("ts_event", "open", "close")
    earlier = frame.head(before).with_columns(pl.col("open") * 2, pl.col("close") * 2)
    pl.concat([earlier, frame]).write_csv(path)
    found = price_file(str(path), world)
    assert found is not None
    assert (found.offset, found.head) == (before, 1)
    folder = tmp_path / "shown"
    folder.mkdir()
    shown = pl.read_csv(show_until(found, int(world.ts[10]), folder))
    assert shown.height == before + 11
    assert shown["ts_event"][-1] == int(world.ts[10])


def test_parquet_is_shown_up_to_a_bar_as_well(world: World, tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    world.frames[0].write_parquet(path)
    found = price_file(str(path), world)
    assert found is not None
    folder = tmp_path / "shown"
    folder.mkdir()
    assert pl.read_parquet(show_until(found, int(world.ts[10]), folder)).height == 11


def test_the_opens_of_gapless_bars_are_not_taken_for_the_closes(world: World, tmp_path: Path) -> None:
    closes = world.frames[0]["close"]
    path = tmp_path / "gapless.csv"
    pl.DataFrame({"open": closes.shift(1).fill_null(1.0), "close": closes}).write_csv(path)
    found = price_file(str(path), world)
    assert found is not None
    assert found.offset == 0


def test_a_file_of_other_numbers_is_not_recognised(world: World, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("day,good\n1,0\n2,1\n3,0\n")
    assert price_file(str(path), world) is None
    assert price_file(str(tmp_path / "missing.csv"), world) is None
    (tmp_path / "text.bin").write_bytes(b"\0\1\2")
    assert price_file(str(tmp_path / "text.bin"), world) is None


# -- the whole ----------------------------------------------------------------------------------------


def test_a_class_that_no_file_holds_can_be_checked(world: World) -> None:
    class Careful(Strategy):
        def on_start(self) -> None:
            self.average = self.bars().sma(10)

        def on_bar(self, bar: object) -> None:
            if self.average.rising:
                self.target(0.9)
            elif self.average.falling:
                self.target(0)

    report = check_strategy(Careful, world=world, budget=5)
    assert report.ok
    # The venue is asked only when somebody names one.
    assert [outcome.check for outcome in report.outcomes] == [check for check in CHECKS if check != "venue"]
    assert report.as_dict()["ok"] is True


def test_the_budget_bounds_the_cuts(world: World) -> None:
    report = check_strategy("dual_ma", world=world, budget=4)
    (outcome,) = [item for item in report.outcomes if item.check == "look-ahead"]
    assert outcome.note.startswith("4 of ")


def test_a_strategy_of_short_bars_gets_them() -> None:
    class Short(Strategy):
        timeframe = "1h"

        def on_start(self) -> None:
            self.average = self.bars("5m").sma(5)

        def on_bar(self, bar: object) -> None:
            self.target(0.9 if self.average.rising else 0)

    report = check_strategy(Short, budget=1)
    assert report.data.startswith("1,500 synthetic bars of 5m")


def test_the_strategy_is_loaded_anew_for_every_trial(world: World, tmp_path: Path) -> None:
    (tmp_path / "memory.py").write_text("SEEN = []\n")
    path = tmp_path / "mine.py"
    path.write_text(
        "import lanner as ln\nimport memory\n\n\nclass Mine(ln.Strategy):\n    def on_start(self):\n"
        "        memory.SEEN.append(1)\n        self.bars()\n        self.count = len(memory.SEEN)\n\n"
        "    def on_bar(self, bar):\n        self.target(0.1 * self.count)\n"
    )
    from lanner.strategy.registry import load_strategy

    stage = Stage(world, load_strategy(str(path)), str(path))
    assert not differs(stage.trial(), stage.trial())
    assert differs(stage.trial(), stage.trial(cls=stage.cls))
