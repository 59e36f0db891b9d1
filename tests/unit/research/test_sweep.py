"""Sweeps: the same numbers by arrays and by events, in one thread and in several, in one go and resumed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner
from lanner.backtest.prepare import prepare
from lanner.backtest.run import run_backtest
from lanner.core.errors import ConfigError
from lanner.research.conclude import curve_of
from lanner.research.pools import Recipe, Threads, local_pool
from lanner.research.search import Constraint, Space, make_axes
from lanner.research.sweep import SweepPlan, make_task, search
from lanner.research.sweep_result import Axis
from lanner.research.variants import measure
from lanner.storage.runs import RunStore
from lanner.strategy.registry import load_strategy
from tests.unit.research.sweeps import (
    BRACKET,
    COMPILED,
    HANDLERS,
    SIGNAL,
    WEIGHTED,
    choice,
    plan_for,
    settings,
    sweep,
    write_bars,
)

COMPARED = ("sharpe", "sortino", "calmar", "total_return", "max_drawdown", "profit_factor", "win_rate")


@pytest.mark.parametrize("source", [SIGNAL, BRACKET, WEIGHTED], ids=["signal", "bracket", "weighted"])
def test_a_variants_statistics_are_the_metrics_of_its_backtest(tmp_path: Path, source: str) -> None:
    config = settings(tmp_path, source)
    result = sweep(config, walk_forward="none").result
    assert result.engine == "array"
    assert len(result.top) == 15
    for variant in (result.top[0], result.top[-1]):
        prepared = prepare(config.model_copy(update={"params": variant.params}), run_id="one")
        metrics = run_backtest(prepared.spec).metrics
        assert variant.statistics["trades"] == metrics["total_trades"]
        for name in COMPARED:
            want, have = metrics[name], variant.statistics[name]
            assert want is not None
            assert have is not None
            assert have == pytest.approx(want, rel=1e-7, abs=1e-9), name


def test_arrays_and_events_rank_alike(tmp_path: Path) -> None:
    config = settings(tmp_path)
    arrays = sweep(config, engine="array", walk_forward="none").result
    events = sweep(config, engine="event", walk_forward="none").result
    assert [variant.params for variant in arrays.top] == [variant.params for variant in events.top]
    for ours, theirs in zip(arrays.top, events.top, strict=True):
        assert ours.score == pytest.approx(theirs.score, rel=1e-7)


def test_a_class_strategy_is_searched_by_the_event_engine(tmp_path: Path) -> None:
    data = write_bars(tmp_path)
    by_class = sweep(
        settings(tmp_path, HANDLERS, data), walk_forward="none", params=["fast=3:6:3", "slow=20"]
    ).result
    by_signal = sweep(
        settings(tmp_path, SIGNAL, data), walk_forward="none", params=["fast=3:6:3", "slow=20"]
    ).result
    assert (by_class.engine, by_signal.engine) == ("event", "array")
    assert [variant.score for variant in by_class.top] == pytest.approx(
        [variant.score for variant in by_signal.top], rel=1e-7
    )
    with pytest.raises(ConfigError, match="not a signal function"):
        sweep(settings(tmp_path, HANDLERS, data), engine="array")


def test_threads_and_processes_give_the_same_bits_as_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lanner.research.sweep.SHARD_VARIANTS", 3)
    config = settings(tmp_path)
    plan_one = choice()
    alone = sweep(config).result
    several = sweep(config, workers=3).result
    assert several.result_hash == alone.result_hash
    assert several.top == alone.top
    assert several.walk_forward == alone.walk_forward
    assert several.verdict == alone.verdict
    assert plan_one.workers == 1
    events = sweep(config, engine="event", params=["fast=3:6:3", "slow=20:30:10"]).result
    processes = sweep(config, engine="event", workers=2, params=["fast=3:6:3", "slow=20:30:10"]).result
    assert processes.result_hash == events.result_hash


def test_a_stopped_search_keeps_what_is_done_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lanner.research.sweep.SHARD_VARIANTS", 4)
    config = settings(tmp_path)
    store = RunStore(tmp_path / "runs")
    from lanner.cli.sweeping import plan_of
    from lanner.research.run_sweep import sweep_and_keep
    from lanner.research.sweep import SweepProgress

    def stop_after_eight(progress: SweepProgress) -> None:
        if progress.phase == "search" and progress.done >= 8:
            raise KeyboardInterrupt

    plan = plan_of(config, choice())
    stopped = sweep_and_keep(config, plan, store, workers=1, progress=stop_after_eight).result
    assert (stopped.done, stopped.combinations) == (8, 15)
    assert "stopped after 8 of 15" in stopped.warnings[0]
    done: list[int] = []
    resumed = sweep_and_keep(
        config, plan, store, workers=1,
        progress=lambda progress: done.append(progress.done) if progress.phase == "search" else None,
    ).result  # fmt: skip
    assert done == [12, 15], "the first eight came from the journal"
    whole = sweep_and_keep(config, plan, None, workers=1).result
    assert resumed.result_hash == whole.result_hash
    assert not list((tmp_path / "runs").glob(".sweep-*")), "a finished search leaves no journal"


def test_the_walk_forward_chooses_on_train_and_reports_test(tmp_path: Path) -> None:
    config = settings(tmp_path, SIGNAL, write_bars(tmp_path, drift=0.004))
    plan_choice = choice()
    from lanner.cli.sweeping import plan_of

    plan = plan_of(config, plan_choice)
    found = search(prepare(config, run_id="x").spec, plan)
    result = sweep(config).result
    forward = result.walk_forward
    assert forward is not None
    assert len(forward.windows) == 4
    for number, (step, window) in enumerate(zip(forward.windows, found.windows, strict=True)):
        scores = found.scores("sharpe", 1 + 2 * number, max(1, round(3 * window.train.size / 1500)))
        assert step.params == found.sets[int(np.nanargmax(scores))]
        assert step.train[1] <= step.test[0]
        curve = curve_of(found, step.params, window.test.start, window.test.stop)
        returns = np.diff(curve) / curve[:-1]
        sharpe = returns.mean() / returns.std(ddof=1) * math.sqrt(8760)
        assert step.statistics["sharpe"] == pytest.approx(sharpe, rel=1e-6)
    assert result.verdict is not None
    assert result.verdict["verdict"] in ("PASS", "FAIL")
    assert {check["name"] for check in result.verdict["checks"]} >= {
        "deflated_sharpe",
        "selection_p",
        "overfitting",
    }


def test_a_rising_market_is_no_skill_and_a_trend_that_turns_is(tmp_path: Path) -> None:
    """Long above an average in a market that only rises passes all but the question what holding would have earned."""
    searched: dict[str, Any] = {"fast": "3:15:3", "slow": "20:60:10"}
    told: dict[str, Any] = {
        "instrument": "BTC-USDT.TEST",
        "timeframe": "1h",
        "keep": False,
        "fees": {"taker": 0},
    }
    (tmp_path / "cross.py").write_text(SIGNAL, encoding="utf-8")
    rising = write_bars(tmp_path, rows=3000, rise=0.0012)
    verdict = lanner.sweep(tmp_path / "cross.py", rising, searched, **told).result.verdict
    assert verdict is not None
    assert [check["name"] for check in verdict["checks"] if not check["passed"]] == ["timing"]
    assert 0.4 < verdict["evidence"]["market_share"] < 0.9
    assert verdict["reasons"][0].startswith("Timing 0.")
    turning = write_bars(tmp_path, rows=3000, drift=0.003)
    found = lanner.sweep(tmp_path / "cross.py", turning, searched, **told)
    assert found.passed
    assert "% of the market earned, what is left" in found.report(tmp_path / "page.html").read_text(
        encoding="utf-8"
    )


def test_earlier_searches_on_the_same_data_count_as_trials(tmp_path: Path) -> None:
    config = settings(tmp_path)
    store = RunStore(tmp_path / "runs")
    first = sweep(config, store).result
    second = sweep(config, store, params=["fast=4:8:2", "slow=20:40:10"]).result
    assert first.trials == 15
    assert second.trials == 15 + 9


@pytest.mark.parametrize("method", ["random", "tpe", "nsga2"])
def test_other_methods_try_as_many_variants_as_told_and_repeat_with_the_seed(
    tmp_path: Path, method: str
) -> None:
    config = settings(tmp_path)
    asked: dict[str, Any] = {
        "method": method,
        "trials": 20,
        "params": ["fast=2:12:1", "slow=10:60:5"],
        "walk_forward": "none",
    }
    one, two = sweep(config, **asked).result, sweep(config, **asked).result
    assert one.done == 20
    assert one.result_hash == two.result_hash
    assert all(variant.params["fast"] < variant.params["slow"] for variant in one.sample)
    assert sweep(config, **asked, seed=2).result.result_hash != one.result_hash


# Every sampler and every kind of worker every day, not each with each.
@pytest.mark.parametrize(
    ("source", "method"),
    [
        pytest.param(SIGNAL, "tpe", id="threads-tpe"),
        pytest.param(HANDLERS, "nsga2", id="processes-nsga2"),
        pytest.param(SIGNAL, "nsga2", id="threads-nsga2", marks=pytest.mark.nightly),
        pytest.param(HANDLERS, "tpe", id="processes-tpe", marks=pytest.mark.nightly),
    ],
)
def test_a_sampler_keeps_all_workers_busy_and_does_not_depend_on_them(
    tmp_path: Path, source: str, method: str
) -> None:
    """A round is handed out in several shards at once; which of them is done first changes nothing."""

    class Backwards:
        """A pool whose last shard is always done first."""

        def __init__(self) -> None:
            self.rounds: list[int] = []

        def measure(self, task: Any, shards: Any) -> Any:
            every = list(shards)
            self.rounds.append(len(every))
            for number, sets in reversed(every):
                yield number, measure(task, sets)

    config = settings(tmp_path, source)
    ranges = ["fast=2:12:1", "slow=10:60:5"]
    asked: dict[str, Any] = {"method": method, "trials": 24, "params": ranges, "walk_forward": "none"}
    alone = sweep(config, **asked).result
    assert sweep(config, **asked, workers=2).result.result_hash == alone.result_hash
    pool = Backwards()
    found = search(prepare(config, run_id="x").spec, plan_for(config, **asked), pool=pool)
    assert found.result_hash() == alone.result_hash
    assert pool.rounds == [8, 8, 8]


def test_several_objectives_give_a_pareto_front(tmp_path: Path) -> None:
    result = sweep(
        settings(tmp_path), objectives=["total_return", "max_drawdown"], walk_forward="none"
    ).result
    front = [variant for variant in result.top if variant.front == 1]
    assert front
    for one in front:
        for other in result.top:
            better = [
                (other.scores[name] or -9.0) > (one.scores[name] or -9.0)
                for name in ("total_return", "max_drawdown")
            ]
            assert not all(better)


@pytest.mark.parametrize("objective", ["tail_ratio", "stability", "omega", "risk_adjusted", "net_profit"])
def test_every_kind_of_objective_can_be_searched(tmp_path: Path, objective: str) -> None:
    result = sweep(settings(tmp_path), objectives=[objective], walk_forward="none").result
    scores = [variant.score for variant in result.top]
    assert scores == sorted(scores, reverse=True)


def test_axes_are_read_as_written() -> None:
    cls = load_strategy("dual_ma")
    axes, fixed = make_axes(cls, {"fast": "5:20:5", "slow": "30", "ma_type": "sma,ema"})
    assert axes == [Axis("fast", [5, 10, 15, 20], "int"), Axis("ma_type", ["sma", "ema"], "choice")]
    assert fixed == {"slow": 30}


@pytest.mark.parametrize(
    ("searched", "message"),
    [
        ({"quick": "1:3"}, "has no parameter 'quick'"),
        ({"fast": "10"}, "there is nothing to search"),
        ({"fast": "9:3"}, "--param fast is not a range"),
        ({"fast": "3:9:0"}, "--param fast is not a range"),
        ({"fast": "3:x"}, "--param fast is not a range"),
        ({"fast": "5,5"}, "lists a value twice"),
        ({"fast": "0:5"}, "parameter 'fast' is not legal"),
        ({"fast": "2:2000000000"}, "too many values"),
    ],
)
def test_a_bad_range_is_refused(searched: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_axes(load_strategy("dual_ma"), searched)


@pytest.mark.parametrize(
    "text",
    ["fast <", "__import__('os')", "fast.real < 3", "[1]", "quick < slow", "fast ** 9 < slow", "fast(3)"],
)
def test_a_condition_is_nothing_but_a_condition(text: str) -> None:
    with pytest.raises(ConfigError, match="--where"):
        Constraint.parse(text, ["fast", "slow"])


def test_conditions_hold_for_every_combination() -> None:
    axes = [Axis("a", [1, 2, 3], "int"), Axis("b", [1, 2, 3], "int")]
    conditions = [Constraint.parse("a < b <= 3 and not (a == 2 or b - a > 1)", ["a", "b"])]
    assert Space(axes, {"c": 7}, conditions).grid() == [{"c": 7, "a": 1, "b": 2}]
    with pytest.raises(ConfigError, match="no combination"):
        Space(axes, {}, [Constraint.parse("a > 5", ["a", "b"])]).grid()


def test_a_variant_that_cannot_be_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    result = sweep(
        settings(tmp_path, HANDLERS), where=[], params=["fast=49:50:1", "slow=20"], engine="event"
    ).result
    assert result.failed == 0
    config = settings(tmp_path, SIGNAL)
    made = sweep(config, params=["fast=0:4:2", "slow=20"], where=[]).result
    assert (made.done, made.failed) == (3, 1)
    assert "were refused" in made.warnings[0]


def test_pools_suit_the_engine(tmp_path: Path) -> None:
    config = settings(tmp_path)
    plan = SweepPlan([Axis("fast", [3, 5], "int")], {})
    assert isinstance(local_pool("array", 4, None), Threads)
    task = Recipe(config, plan).task()
    assert task.engine == make_task(prepare(config, run_id="x").spec, plan)[0].engine == "array"


def test_a_sweep_in_a_notebook_is_the_one_of_the_command_line(tmp_path: Path) -> None:
    data = write_bars(tmp_path)
    config = settings(tmp_path, SIGNAL, data)
    command = sweep(config).result
    script = str(tmp_path / "strategy.py")
    told: dict[str, Any] = {
        "where": "fast<slow", "min_trades": 3, "windows": 4, "train": 0.6,
        "instrument": "BTC-USDT.TEST", "timeframe": "1h",
    }  # fmt: skip
    by_file = lanner.sweep(
        script, data, {"fast": range(3, 13, 3), "slow": [10, 20, 30, 40]}, keep=False, **told
    )
    assert by_file.result.result_hash == command.result_hash
    assert by_file.best == command.top[0].params
    assert by_file.table.height == len(command.top)
    assert by_file.passed is False
    cls = load_strategy(script)
    by_table = lanner.sweep(
        cls, pl.read_csv(data), {"fast": "3:12:3", "slow": "10:40:10"}, keep=False, **told
    )
    assert by_table.result.result_hash == command.result_hash
    page = by_table.report(tmp_path / "page.html")
    assert "BTC-USDT.TEST" in page.read_text(encoding="utf-8")


def test_a_strategy_without_a_timeframe_is_swept_on_the_one_of_the_data(tmp_path: Path) -> None:
    source = HANDLERS.replace('    timeframe = "1h"\n', "").replace(
        'self.bars("1h")', "self.bars(self.timeframe)"
    )
    data = write_bars(tmp_path)
    ranges: dict[str, Any] = {"params": ["fast=3:6:3", "slow=20"], "walk_forward": "none"}
    without = sweep(settings(tmp_path, source, data), **ranges).result
    named = sweep(settings(tmp_path, HANDLERS, data), **ranges).result
    assert [variant.score for variant in without.top] == [variant.score for variant in named.top]


def test_a_compiled_strategy_is_swept_compiled_with_the_numbers_of_its_events(tmp_path: Path) -> None:
    config = settings(tmp_path, COMPILED)
    compiled = sweep(config, walk_forward="none").result
    events = sweep(config, walk_forward="none", engine="event").result
    assert (compiled.engine, events.engine) == ("compiled", "event")
    assert [variant.params for variant in compiled.top] == [variant.params for variant in events.top]
    for ours, theirs in zip(compiled.top, events.top, strict=True):
        for name in COMPARED:
            assert ours.statistics[name] == pytest.approx(theirs.statistics[name], rel=1e-7, abs=1e-9), name
    whole = sweep(config, workers=2).result
    assert whole.result_hash == sweep(config, workers=1).result.result_hash
    assert whole.walk_forward is not None
