"""A search from a date on warms its indicators up on the bars before that date, as a backtest does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lanner as ln
from lanner.backtest.prepare import prepare
from lanner.backtest.run import run_backtest
from lanner.research.distributed_strategy import pickler
from lanner.research.pools import Threads
from lanner.research.ship import pack, unpack
from lanner.research.sweep import make_task, search
from lanner.research.variants import measure
from tests.unit.research.sweeps import SIGNAL, WEIGHTED, plan_for, settings, sweep

RECURSIVE = """
import lanner as ln


@ln.signal("1h")
def cross(bars, fast=5, slow=20):
    return (bars.close.ema(fast) > bars.close.ema(slow)) & (bars.close.rsi(fast) > 45)
"""
BRACKET = RECURSIVE.replace('signal("1h")', 'signal("1h", stop="1%", take="2%")')
SINCE = "2024-01-20"
RANGES: dict[str, Any] = {
    "params": ["fast=3:9:3", "slow=20:300:140"],
    "min_trades": 1,
    "walk_forward": "none",
}


@pytest.mark.parametrize(
    "source", [SIGNAL, RECURSIVE, BRACKET, WEIGHTED], ids=["sma", "ema", "bracket", "weights"]
)
def test_every_variant_is_its_own_backtest_from_that_date(tmp_path: Path, source: str) -> None:
    config = settings(tmp_path, source, since=SINCE)
    result = sweep(config, **RANGES).result
    assert result.engine == "array"
    assert len(result.top) == 9
    for variant in result.top:
        prepared = prepare(config.model_copy(update={"params": variant.params}), run_id="one")
        one = run_backtest(prepared.spec)
        assert variant.statistics["trades"] == one.metrics["total_trades"]
        assert variant.statistics["end_equity"] == pytest.approx(float(one.end_equity), rel=1e-9)


def test_the_first_bar_of_the_span_can_be_traded(tmp_path: Path) -> None:
    """A slow average of 300 bars is known at once where 300 bars lie before the date, and not without them."""
    config = settings(tmp_path, SIGNAL, since=SINCE)
    task, _ = make_task(prepare(config, run_id="x").spec, plan_for(config, **RANGES))
    assert len(task.past["close"]) >= 300
    assert task.market.columns["ts_open"][0] > task.past["ts_open"][-1]
    whole = settings(tmp_path, SIGNAL)
    assert not make_task(prepare(whole, run_id="x").spec, plan_for(whole, **RANGES))[0].past
    first = settings(tmp_path, SIGNAL, since="2024-01-01")
    assert not make_task(prepare(first, run_id="x").spec, plan_for(first, **RANGES))[0].past


def test_too_short_a_past_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    config = settings(tmp_path, RECURSIVE, since="2024-01-03")
    for variant in sweep(config, **RANGES).result.top:
        prepared = prepare(config.model_copy(update={"params": variant.params}), run_id="one")
        assert variant.statistics["trades"] == run_backtest(prepared.spec).metrics["total_trades"]


def test_threads_and_shipped_tasks_have_the_past_with_them(tmp_path: Path) -> None:
    config = settings(tmp_path, RECURSIVE, since=SINCE)
    spec, plan = prepare(config, run_id="x").spec, plan_for(config, **RANGES)
    alone = search(spec, plan)
    assert search(spec, plan, pool=Threads(2)).result_hash() == alone.result_hash()
    pytest.importorskip("ray", reason="tasks are shipped with ray's pickler")
    assert pickler() is not None
    task, _ = make_task(spec, plan)
    parcel, parts = pack(task)
    found = measure(unpack(parcel, parts.__getitem__), alone.sets)
    assert np.array_equal(found.raw, measure(task, alone.sets).raw)


def test_the_walk_forward_and_the_best_curve_begin_warm(tmp_path: Path) -> None:
    config = settings(tmp_path, SIGNAL, since=SINCE)
    result = sweep(config, params=["fast=3:9:3", "slow=20:300:70"], min_trades=1).result
    best = result.top[0]
    data = config.data
    assert config.strategy is not None
    one = ln.backtest(
        config.strategy,
        data,
        params=best.params,
        since=SINCE,
        instrument="BTC-USDT.TEST",
        timeframe="1h",
        keep=False,
    )
    assert result.best_curve is not None
    assert result.best_curve.equity[-1] == pytest.approx(float(one.result.end_equity), rel=1e-9)
    assert result.walk_forward is not None
