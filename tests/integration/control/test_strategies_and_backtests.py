"""Strategies by themselves, and backtests in processes of their own, under the same manager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.control.errors import (
    BacktestAlreadyExistsError,
    BacktestNotFinishedError,
    BacktestNotFoundError,
    InvalidGridCountError,
    InvalidPriceRangeError,
    MissingGridPricesError,
    StrategyAlreadyExistsError,
    StrategyNotFoundError,
)
from lanner.control.manager import EngineManager
from lanner.control.states import BacktestStatus, LiveStatus
from lanner.core.errors import ConfigError, RiskRefusedError
from tests.integration.control.conftest import Market, until

pytestmark = pytest.mark.timeout(180)
HOUR_MS = 3_600_000
STEPS = """
import lanner as ln


class Steps(ln.Strategy):
    rest = ln.Param(0, 0, 1000, help="milliseconds to rest at each bar")

    def on_start(self):
        self.n = 0
        print("printed by a strategy")

    def on_bar(self, bar):
        import time

        time.sleep(self.rest / 1000)
        self.n += 1
        self.target(1 if self.n % 4 < 2 else 0)
"""


def test_a_strategy_is_told_as_signals_trades_and_parameters(
    manager: EngineManager, market: Market, work: Callable[[str], str]
) -> None:
    request = {
        "strategy_id": "s",
        "strategy": work("flip"),
        "exchange": "binance",
        "symbol": "BTC/USDT",
        "params": {"every": 3},
        "check_interval_ms": 100,
        "url": {"": market.url},
        "settings": {"journal": {"sync": "none"}},
    }
    manager.start_strategy(request)
    with pytest.raises(StrategyAlreadyExistsError):
        manager.start_strategy(request)
    until(lambda: manager.get_strategy_stats("s").total_trades >= 3)
    stats = manager.get_strategy_stats("s")
    assert stats.winning_trades + stats.losing_trades <= stats.total_trades
    assert stats.win_rate == pytest.approx(100 * stats.winning_trades / stats.total_trades)
    assert stats.last_signal_time is not None
    signals = manager.get_strategy_signal_history("s", 50)
    assert {one.signal_type for one in signals} == {"entry_long", "exit_long"}
    assert signals[-1].signal_type == "entry_long"
    assert manager.get_strategy_params("s") == {"every": 3, "size": 0.5}
    assert manager.update_strategy_params("s", {"size": 0.2}).applied
    with pytest.raises(ConfigError):
        manager.update_strategy_params("s", {"size": 0.3, "every": 0})
    assert manager.get_strategy_params("s") == {"every": 3, "size": 0.2}
    manager.pause_strategy("s")
    assert manager.get_strategy_status("s") is LiveStatus.PAUSED
    manager.resume_strategy("s")
    assert manager.get_health().running_strategies == 1
    until(lambda: manager.list_strategies()[0]["status"] == "running")
    result = manager.activate_kill_switch("over", close_positions=False)
    assert result.strategies_stopped == 1
    manager.deactivate_kill_switch("the test goes on")
    manager.stop_strategy("s")
    with pytest.raises(StrategyNotFoundError):
        manager.get_strategy_stats("s")
    with pytest.raises(RiskRefusedError, match="live=True"):
        manager.start_strategy({**request, "strategy_id": "t", "mode": "mainnet"})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, MissingGridPricesError),
        ({"upper_price": 5, "lower_price": 9}, InvalidPriceRangeError),
        ({"upper_price": 9, "lower_price": 5, "grid_count": 1}, InvalidGridCountError),
        ({"upper_price": 9, "lower_price": 5, "grid_count": 101}, InvalidGridCountError),
    ],
)
def test_a_grid_needs_its_range(
    manager: EngineManager, fields: dict[str, Any], error: type[ConfigError]
) -> None:
    request = {"session_id": "g", "strategy_type": "grid", "exchange": "binance", "symbol": "BTC", **fields}
    with pytest.raises(error) as caught:
        manager.start_live(request)
    assert caught.value.as_dict()["code"] == error.__name__.removesuffix("Error")


@pytest.fixture
def backtest(tmp_path: Path) -> dict[str, Any]:
    strategy = tmp_path / "steps.py"
    strategy.write_text(STEPS)
    rows = [
        f"{1_704_067_200_000 + n * HOUR_MS},{100 + n % 7},{102 + n % 7},{99 + n % 7},{101 + n % 7},5"
        for n in range(200)
    ]
    data = tmp_path / "bars.csv"
    data.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    return {
        "strategy": str(strategy),
        "symbol": "BTC-USDT.TEST",
        "timeframe": "1h",
        "data_file": str(data),
        "commission": 0.001,
    }


def test_a_backtest_runs_beside_and_keeps_its_result(
    manager: EngineManager, backtest: dict[str, Any]
) -> None:
    name = manager.start_backtest(backtest, "first")
    with pytest.raises(BacktestAlreadyExistsError):
        manager.start_backtest(backtest, "first")
    assert manager.wait_backtest(name, 60) is BacktestStatus.COMPLETED, manager.list_backtests()
    result = manager.get_backtest_result(name)
    detailed = manager.get_backtest_detailed_result(name)
    assert detailed.run_id == result.run_id
    assert result.total_trades == result.winning_trades + result.losing_trades > 10
    assert result.net_profit == pytest.approx(float(detailed.end_equity - detailed.start_equity))
    assert result.total_commission > 0
    progress = manager.get_backtest_progress(name)
    assert progress.progress == 1
    assert progress.total_bars >= 200
    manager.remove_backtest(name)
    with pytest.raises(BacktestNotFoundError):
        manager.get_backtest_status(name)


def test_backtests_wait_for_their_turn_and_can_be_cancelled(market: Market, backtest: dict[str, Any]) -> None:
    manager = EngineManager(backtests_at_once=1)
    slow = manager.start_backtest({**backtest, "params": {"rest": 1000}}, "slow")
    waiting = manager.start_backtest(backtest, "waiting")
    until(lambda: manager.get_backtest_status(slow) is BacktestStatus.RUNNING)
    until(lambda: manager.get_backtest_progress(slow).elapsed_seconds > 0)
    assert manager.get_backtest_status(waiting) is BacktestStatus.QUEUED
    with pytest.raises(BacktestNotFinishedError):
        manager.get_backtest_result(slow)
    assert manager.cancel_backtest(waiting) is BacktestStatus.CANCELLED
    assert manager.cancel_backtest(slow) is BacktestStatus.CANCELLED
    broken = manager.start_backtest({**backtest, "strategy": "no_such_strategy"})
    assert manager.wait_backtest(broken, 60) is BacktestStatus.FAILED
    assert "no_such_strategy" in manager.list_backtests()[-1]["last_error"]


DIES = """
import os
import stat

import lanner as ln


class Dies(ln.Strategy):
    \"\"\"End the process in the middle of a line that it tells.\"\"\"

    def on_start(self):
        for number in range(3, 64):
            try:
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    os.write(number, b'{"tell": "resu')
            except OSError:
                pass
        os._exit(9)
"""


def test_a_backtest_whose_process_dies_in_the_middle_of_a_line_has_failed(
    manager: EngineManager, backtest: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    name = manager.start_backtest({**backtest, "strategy": str(tmp_path / "dies.py")})
    assert manager.wait_backtest(name, 60) is BacktestStatus.FAILED
    assert "exit code 9" in manager.list_backtests()[-1]["last_error"]
