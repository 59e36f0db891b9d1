"""Sweeps on other machines, without any: what is sent, what is opened, who did which shard, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lanner.backtest.prepare import prepare
from lanner.cli.render.sweep_progress import SweepView
from lanner.cli.sweeping import cluster, plan_of
from lanner.core.errors import ConfigError, LannerError
from lanner.research.distributed_ledger import Job, Ledger, PoolState, ShardFailedError
from lanner.research.distributed_software import check_software, software
from lanner.research.search import Space
from lanner.research.sweep import SweepProgress, make_task
from lanner.research.sweep_result import Params
from lanner.research.variants import Task, measure
from lanner.strategy.library import BUILT_IN
from tests.unit.research.sweeps import BRACKET, HANDLERS, SIGNAL, choice, settings, write_bars

pytest.importorskip("ray", reason="Ray is not installed: pip install 'lanner[ray]'")

from lanner.research.distributed import RayPool
from lanner.research.distributed_strategy import pack_strategy, unpack_strategy
from lanner.research.ship import pack, unpack

SHARDS: dict[int, list[Params]] = {number: [{"fast": number}] for number in range(3)}


def task_of(folder: Path, source: str, rows: int = 400) -> tuple[Task, list[Params]]:
    config = settings(folder, source, write_bars(folder, rows))
    plan = plan_of(config, choice())
    task, _ = make_task(prepare(config, run_id="sweep").spec, plan)
    return task, Space(plan.axes, plan.fixed, plan.constraints).grid()[:3]


# -- the ledger --------------------------------------------------------------------------------------


def hand_out(ledger: Ledger) -> Job:
    job = ledger.next()
    assert job is not None
    return job


def test_every_shard_is_handed_out_once_in_order() -> None:
    ledger = Ledger(SHARDS.items(), PoolState())
    jobs = [hand_out(ledger) for _ in SHARDS]
    assert [(job.number, job.attempt) for job in jobs] == [(0, 1), (1, 1), (2, 1)]
    assert ledger.next() is None
    assert (ledger.state.total, ledger.state.running, ledger.state.queued) == (3, 3, 0)


def test_a_lost_shard_is_handed_out_again_before_the_others() -> None:
    ledger = Ledger(SHARDS.items(), PoolState())
    ledger.lost(hand_out(ledger), "the worker is gone")
    again = hand_out(ledger)
    assert (again.number, again.attempt, ledger.state.lost) == (0, 2, 1)
    assert hand_out(ledger).number == 1


def test_the_second_result_of_a_shard_is_dropped() -> None:
    ledger = Ledger(SHARDS.items(), PoolState())
    first = hand_out(ledger)
    ledger.lost(first, "a machine that does not answer")
    again = hand_out(ledger)
    assert ledger.done(first, "late/1"), "it was alive after all"
    assert not ledger.done(again, "other/2")
    assert ledger.state.workers == {"late/1": 1}
    assert ledger.state.done == 1
    ledger.lost(again, "and lost after the result came")
    assert hand_out(ledger).number == 1, "a finished shard is not tried again"


def test_a_result_that_comes_late_stops_the_next_try() -> None:
    ledger = Ledger(SHARDS.items(), PoolState())
    first = hand_out(ledger)
    ledger.lost(first, "a machine that does not answer")
    assert ledger.done(first, "late/1")
    assert hand_out(ledger).number == 1


def test_three_lost_tries_fail_with_the_shard_and_the_cause() -> None:
    ledger = Ledger(SHARDS.items(), PoolState())
    for _ in range(2):
        ledger.lost(hand_out(ledger), "out of memory")
    with pytest.raises(ShardFailedError, match=r"shard 0 failed 3 times.*'fast': 0.*out of memory"):
        ledger.lost(hand_out(ledger), "out of memory")
    assert ledger.state.failed == 1


# -- the parcel --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "engine"), [(SIGNAL, "array"), (BRACKET, "array"), (HANDLERS, "event")])
def test_an_opened_parcel_measures_the_same_without_the_files(
    tmp_path: Path, source: str, engine: str
) -> None:
    task, sets = task_of(tmp_path, source)
    assert task.engine == engine
    expected = measure(task, sets)
    parcel, parts = pack(task)
    for path in tmp_path.iterdir():
        path.unlink()
    for part in parts.values():  # as shared memory gives them
        for array in part.values() if isinstance(part, dict) else ():
            array.flags.writeable = False
    opened = unpack(parcel, parts.__getitem__)
    found = measure(opened, sets)
    assert found.raw.tobytes() == expected.raw.tobytes()
    assert found.blocks.tobytes() == expected.blocks.tobytes()
    assert found.refused == expected.refused
    assert np.nanmax(expected.raw[:, 0, 8]) > 0, "there were trades"


def test_shared_memory_is_looked_at_and_not_copied(tmp_path: Path) -> None:
    task, _ = task_of(tmp_path, SIGNAL)
    parcel, parts = pack(task)
    task.market.ticks.flags.writeable = False
    opened = unpack(parcel, parts.__getitem__)
    assert opened.market.ticks.flags.writeable, "numba would compile anew for read-only arrays"
    assert np.shares_memory(opened.market.ticks, task.market.ticks)


def test_parts_bear_the_hash_of_their_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, _ = task_of(tmp_path / "a", SIGNAL)
    same, _ = task_of(tmp_path / "b", SIGNAL)
    other, _ = task_of(tmp_path / "b", SIGNAL, rows=401)
    assert set(pack(one)[1]) == set(pack(same)[1])
    assert not set(pack(one)[1]) & set(pack(other)[1])


def test_a_parcel_of_other_software_is_refused(tmp_path: Path) -> None:
    task, _ = task_of(tmp_path, SIGNAL)
    parcel, parts = pack(task)
    old = replace(parcel, software=parcel.software | {"numpy": "1.0"})
    with pytest.raises(LannerError, match=r"has other software; expected numpy 1\.0; found numpy 2"):
        unpack(old, parts.__getitem__)


def test_the_same_software_passes() -> None:
    check_software(software())
    assert set(software()) == {"Lanner", "Lanner's code", "Python", "numpy", "polars", "numba"}


# -- the strategy ------------------------------------------------------------------------------------


def test_an_installed_strategy_travels_by_its_name() -> None:
    shipped = pack_strategy(BUILT_IN[0])
    assert shipped.pickled is None
    assert unpack_strategy(shipped) is BUILT_IN[0]


def test_another_version_of_an_installed_strategy_is_refused() -> None:
    shipped = replace(pack_strategy(BUILT_IN[0]), code="0" * 64)
    with pytest.raises(LannerError, match="another version of the strategy"):
        unpack_strategy(shipped)


def test_a_strategy_that_is_not_installed_there_is_told() -> None:
    shipped = replace(pack_strategy(BUILT_IN[0]), module="nowhere_at_all")
    with pytest.raises(LannerError, match="does not have the strategy nowhere_at_all:"):
        unpack_strategy(shipped)


def test_a_strategy_that_holds_a_lock_cannot_be_sent_and_says_so(tmp_path: Path) -> None:
    source = "import threading\nLOCK = threading.Lock()\n" + HANDLERS.replace("now =", "LOCK; now =")
    task, _ = task_of(tmp_path, source)
    with pytest.raises(LannerError, match=r"Cross cannot be sent to other machines.*lock"):
        pack(task)


# -- the command -------------------------------------------------------------------------------------


def test_an_address_where_nobody_listens_is_told_at_once() -> None:
    with pytest.raises(LannerError, match=r"cannot join the Ray cluster at 127\.0\.0\.1:1"):
        RayPool("127.0.0.1:1").connect()


def test_options_of_the_cluster_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="--on is wrong"), cluster(replace(choice(), on="moon")):
        pass
    with (
        pytest.raises(ConfigError, match="--address names a Ray cluster"),
        cluster(replace(choice(), address="auto")),
    ):
        pass


def test_the_live_view_shows_how_the_shards_stand() -> None:
    state = PoolState(total=9, running=2, done=3, lost=1, processors=2, workers={"a/1": 2, "b/2": 1})
    view = SweepView()
    view.update(SweepProgress("search", 24, 72, 1e6, 2.0, (), state))
    text = "".join(str(part) for part in view.__rich__().renderables)
    assert "4 queued, 2 running, 3 done, 1 lost and sent again; 2 workers on 2 processors" in text


def test_without_ray_the_command_says_how_to_install_it() -> None:
    program = (
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'ray' else real(name, *more)\n"
        "from lanner.research.distributed import RayPool\n"
        "try:\n    RayPool()\nexcept Exception as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "pip install 'lanner[ray]'" in done.stdout, done.stderr
