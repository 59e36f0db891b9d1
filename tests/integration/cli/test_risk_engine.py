"""The risk rules from the command line, in a backtest: presets, parts of the account, and what losses lead to."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from tests.integration.conftest import Run

STUBBORN = '''\
import lanner as ln


class Stubborn(ln.Strategy):
    """Be long, whatever happens."""

    def on_start(self):
        self.bars("1h")

    def on_bar(self, bar):
        self.target(0.9)
'''


def run(lanner: Run, work: Path, home: Path, *options: str) -> tuple[dict[str, object], pl.DataFrame]:
    (work / "stubborn.py").write_text(STUBBORN)
    rows = ["time,open,high,low,close,volume"]
    for hour in range(72):
        px = 100 - hour * 0.5
        rows.append(f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z,{px},{px},{px},{px},1000000")
    (work / "falling.csv").write_text("\n".join(rows))
    code, out, err = lanner(
        "backtest", "stubborn.py", "--data", "falling.csv", "--instrument", "BTC-USDT.TEST",
        "--no-report", "--json", *options,
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    return found, pl.read_parquet(home / "runs" / found["run_id"] / "orders.parquet")


def test_a_preset_denies_what_its_limits_do_not_allow(work: Path, lanner: Run, own_home: Path) -> None:
    _, orders = run(lanner, work, own_home, "--cash", "100000", "--set", "risk.preset=conservative")
    assert set(orders["reject_code"]) == {"POSITION_SIZE_EXCEEDED"}


def test_rules_for_one_strategy_are_given_by_its_name(work: Path, lanner: Run, own_home: Path) -> None:
    rule = "risk.strategies={Stubborn: {max_order_value: 10}}"
    _, orders = run(lanner, work, own_home, "--set", rule)
    assert set(orders["reject_code"]) == {"ORDER_VALUE_EXCEEDED"}


def test_a_loss_above_the_kill_switchs_threshold_closes_everything_and_ends_trading(
    work: Path, lanner: Run, own_home: Path
) -> None:
    _, orders = run(lanner, work, own_home, "--set", "risk.kill_switch_threshold=500")
    closing = orders.filter(pl.col("order_id").str.contains("-k"))
    assert closing.height == 1
    assert closing["status"][0] == "filled"
    after = orders.filter(pl.col("ts_init") > closing["ts_init"][0])
    assert after.height > 0
    assert set(after["reject_code"]) == {"KILL_SWITCH_ACTIVE"}


def test_the_days_loss_denies_new_orders_until_midnight(work: Path, lanner: Run, own_home: Path) -> None:
    _, orders = run(lanner, work, own_home, "--set", "risk.max_daily_loss=200")
    denied = orders.filter(pl.col("reject_code") == "DAILY_LOSS_EXCEEDED")
    assert denied.height > 0
    hours = {int(ts) // 3_600_000_000_000 % 24 for ts in denied["ts_init"].cast(pl.Int64)}
    assert 0 not in hours


def test_unknown_risk_keys_are_refused(work: Path, lanner: Run, own_home: Path) -> None:
    code, _, err = lanner(
        "backtest", "cross.py", "--data", "btc.csv", "--set", "risk.max_daily_lose=1", "--no-report"
    )
    assert code == 4
    assert "max_daily_lose" in err


def test_rules_for_a_part_that_is_not_there_are_refused(work: Path, lanner: Run, own_home: Path) -> None:
    options = ("--instrument", "BTC-USDT.TEST", "--no-report", "--set")
    rule = "risk.venues={TSET: {max_exposure: 10}}"
    code, _, err = lanner("backtest", "cross.py", "--data", "btc.csv", *options, rule)
    assert code == 4
    assert "the run has no venue 'TSET'" in err
