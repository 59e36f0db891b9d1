"""Sweeps on a real Ray cluster of two nodes: killed workers and machines change nothing, the numbers are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lanner.backtest.config import BacktestConfig
from lanner.backtest.prepare import prepare
from lanner.cli.sweeping import plan_of
from lanner.research import sweep as sweeping
from lanner.research.run_sweep import SweepOutcome, sweep_and_keep
from lanner.research.sweep import Found, OnProgress, SweepPlan, search
from lanner.storage.runs import RunStore
from tests.integration.ray_cluster import TwoNodes, two_nodes
from tests.unit.research.sweeps import choice, settings, write_bars

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'lanner[ray]'")

from lanner.research.distributed import RayPool  # noqa: E402 - only where Ray is
from lanner.research.distributed_ledger import ShardFailedError  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and child processes to the collector; that is not what these tests are about
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SHARD = 8
LEADS = "THE_TESTS_LEAD_A_SEARCH"  # in the environment of whoever leads, not of the cluster's workers
SLOW = """
import os
import time
from pathlib import Path

import lanner as ln

HERE = Path({folder!r})


@ln.signal("1h")
def cross(bars, fast=5, slow=20):
    (HERE / "at_work").touch()
    time.sleep(0.01)
    if {leads!r} not in os.environ:
        try:
            (HERE / "bait").rename(HERE / f"caught-{{os.getpid()}}")
        except FileNotFoundError:
            pass
        else:
            time.sleep(3600)
    if fast == 9 and (HERE / "poison").exists():
        os.kill(os.getpid(), 9)
    return bars.close.sma(fast) > bars.close.sma(slow)
"""
FUSSY = """
import lanner as ln


@ln.signal("1h")
def cross(bars, fast=5, slow=20):
    if fast == 6:
        raise ValueError(f"not with {slow}")
    return bars.close.sma(fast) > bars.close.sma(slow)
"""
WITH_A_MODULE = """
import averages

import lanner as ln


class Cross(ln.Strategy):
    fast = ln.Param(5, 2, 50)
    slow = ln.Param(20, 5, 200)
    timeframe = "1h"

    def on_start(self):
        self.f, self.s = averages.pair(self)

    def on_bar(self, bar):
        if self.f.crossed_above(self.s):
            self.target(1.0, stop="3%")
        elif self.f.crossed_below(self.s):
            self.target(0)
"""
AVERAGES = """
def pair(strategy):
    bars = strategy.bars("1h")
    return bars.sma(strategy.fast), bars.sma(strategy.slow)
"""
GRID = {"params": ["fast=3:18:3", "slow=20:64:4"], "where": []}  # 6 × 12 variants: 9 shards


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with two_nodes() as made, RayPool(made.address) as joined:
        joined.connect()  # once for all tests, so that workers that are warm serve them all
        yield made


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "SHARD_VARIANTS", SHARD)
    monkeypatch.setattr(sweeping, "EVENT_SHARD", 2)


@pytest.fixture(autouse=True)
def whole_again(cluster: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test two nodes, whatever the one before did to the second, and however it ended."""
    monkeypatch.setenv(LEADS, "1")
    yield
    cluster.mend()


def slow_settings(folder: Path) -> BacktestConfig:
    return settings(folder, SLOW.format(folder=str(folder), leads=LEADS), write_bars(folder, 600))


def here(config: BacktestConfig, plan: SweepPlan) -> Found:
    """Search in this process."""
    return search(prepare(config, run_id="sweep").spec, plan)


def there(
    config: BacktestConfig, plan: SweepPlan, pool: RayPool, progress: OnProgress | None = None
) -> Found:
    """Search on the cluster."""
    return search(prepare(config, run_id="sweep").spec, plan, pool=pool, progress=progress)


def keep(
    config: BacktestConfig, plan: SweepPlan, store: RunStore, address: str
) -> tuple[SweepOutcome, RayPool]:
    with RayPool(address) as pool:
        return sweep_and_keep(config, plan, store, pool=lambda *_: pool), pool


def assert_same(found: Found, expected: Found) -> None:
    assert found.sets == expected.sets
    assert found.raw.tobytes() == expected.raw.tobytes()
    assert found.extra.tobytes() == expected.extra.tobytes()
    assert found.refused == expected.refused
    assert found.result_hash() == expected.result_hash()


def wait_for(what: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_killed_worker_and_then_a_killed_node_change_no_number(cluster: TwoNodes, tmp_path: Path) -> None:
    config = slow_settings(tmp_path)
    plan = plan_of(config, choice(**GRID))
    expected = here(config, plan)
    (tmp_path / "bait").touch()  # one worker takes it and stays in the middle of its shard
    with RayPool(cluster.address) as pool:

        def destroy(_: object) -> None:
            if pool.state.done == 2:
                (caught,) = tmp_path.glob("caught-*")
                os.kill(int(caught.name.partition("-")[2]), signal.SIGKILL)
            elif pool.state.done == 4:
                cluster.kill_second_node()

        found = there(config, plan, pool, destroy)
    assert_same(found, expected)
    # whether the killed node was in the middle of a shard, too, is chance; the numbers must not depend on it
    assert pool.state.lost >= 1
    assert pool.state.done == pool.state.total == sum(pool.state.workers.values()) == 9
    assert (pool.state.failed, pool.state.running, pool.state.queued) == (0, 0, 0)


def test_an_event_strategy_and_the_modules_beside_it_need_no_files_on_the_workers(
    cluster: TwoNodes, tmp_path: Path
) -> None:
    (tmp_path / "averages.py").write_text(AVERAGES)
    config = settings(tmp_path, WITH_A_MODULE, write_bars(tmp_path, 400))
    plan = plan_of(config, choice(params=["fast=3:9:3", "slow=20,30"], where=[]))
    expected = here(config, plan)
    assert expected.task.engine == "event"
    with RayPool(cluster.address) as pool:
        assert_same(there(config, plan, pool), expected)
    assert expected.statistics(0)["trades"].min() > 3


def test_what_a_strategy_raises_for_some_parameters_is_their_result_and_no_reason_to_try_again(
    cluster: TwoNodes, tmp_path: Path
) -> None:
    config = settings(tmp_path, FUSSY, write_bars(tmp_path, 600))
    plan = plan_of(config, choice(**GRID))
    expected = here(config, plan)
    with RayPool(cluster.address) as pool:
        found = there(config, plan, pool)
    assert_same(found, expected)
    assert len(found.refused) == 12
    assert "not with 20" in next(iter(found.refused.values()))
    assert pool.state.lost == 0


def test_a_shard_that_kills_three_workers_fails_the_sweep_and_the_next_run_goes_on_from_there(
    cluster: TwoNodes, tmp_path: Path
) -> None:
    config = slow_settings(tmp_path)
    plan = plan_of(config, choice(**GRID))
    expected = here(config, plan)
    store = RunStore(tmp_path / "runs")
    (tmp_path / "poison").touch()
    pool = RayPool(cluster.address)
    with pool, pytest.raises(ShardFailedError, match=r"shard \d failed 3 times.*'fast': .*Worker") as raised:
        sweep_and_keep(config, plan, store, pool=lambda *_: pool)
    assert "run the same command again" in str(raised.value)
    assert pool.state.failed == 1
    kept = len(list((tmp_path / "runs").glob(".sweep-*/*.npz")))
    assert kept == pool.state.done

    (tmp_path / "poison").unlink()
    outcome, pool = keep(config, plan, store, cluster.address)
    assert pool.state.done == 9 - kept, "what was done is not done again"
    assert outcome.result.result_hash == expected.result_hash()
    assert not list((tmp_path / "runs").glob(".sweep-*"))


def test_a_search_goes_on_after_the_program_that_led_it_was_killed(cluster: TwoNodes, tmp_path: Path) -> None:
    config = slow_settings(tmp_path)
    plan = plan_of(config, choice(**GRID))
    expected = here(config, plan)
    runs = Path(os.environ["LANNER_HOME"]) / "runs"
    program = (
        "from lanner.research import sweep as sweeping\n"
        f"sweeping.SHARD_VARIANTS = {SHARD}\n"
        "from lanner.cli.commands.sweep import sweep\n"
        f"sweep({config.entries()[0].strategy!r}, data={config.data!r}, instrument='BTC-USDT.TEST',\n"
        f"      timeframe='1h', param={GRID['params']!r}, min_trades=3, trials=20, windows=4, train=0.6,\n"
        f"      on='ray', address={cluster.address!r})\n"
    )
    (tmp_path / "bait").touch()  # so that one shard is not done before the program is killed
    driver = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_for(lambda: driver.poll() is not None or len(list(runs.glob(".sweep-*/*.npz"))) >= 2)
        assert driver.poll() is None
        wait_for(lambda: bool(list(tmp_path.glob("caught-*"))))
    finally:
        driver.kill()
        driver.wait()
    kept = len(list(runs.glob(".sweep-*/*.npz")))
    outcome, pool = keep(config, plan, RunStore(runs), cluster.address)
    assert kept >= 2
    assert pool.state.done == 9 - kept
    assert outcome.result.result_hash == expected.result_hash()


def test_ctrl_c_keeps_what_is_done_and_leaves_nothing_running(cluster: TwoNodes, tmp_path: Path) -> None:
    config = slow_settings(tmp_path)
    plan = plan_of(config, choice(**GRID))
    with RayPool(cluster.address) as pool:

        def stop(_: object) -> None:
            if pool.state.done == 3:
                raise KeyboardInterrupt

        found = there(config, plan, pool, stop)
        assert found.interrupted
        assert len(found.sets) == 3 * SHARD
        wait_for(lambda: bool(ray.available_resources().get("CPU") == 2))
        time.sleep(0.3)
        marker = (tmp_path / "at_work").stat().st_mtime_ns
        time.sleep(0.3)
        assert (tmp_path / "at_work").stat().st_mtime_ns == marker
