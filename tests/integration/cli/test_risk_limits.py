"""Limits from the command line: a denied order is recorded, or ends the run with exit code 6."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from tests.integration.conftest import Run

ARGS = ("backtest", "cross.py", "--data", "btc.csv", "--instrument", "BTC-USDT.TEST", "--no-report")
LIMIT = ("--set", "risk.max_order_notional=1000")

RAISES = '''\
import lanner as ln


class Raises(ln.Strategy):
    """Send an order that fits, and make it too large."""

    def on_start(self):
        self.bars("1h")
        self.order_ = None

    def on_bar(self, bar):
        if self.order_ is None:
            self.order_ = self.buy(1, 50)
        elif self.order_.status.name == "ACCEPTED":
            assert not self.amend(self.order_, qty=100)
            assert "an amend was denied: order value 5000" in self.order_.reason
'''


def test_denied_orders_are_recorded_with_the_limits_name_and_the_run_goes_on(
    work: Path, lanner: Run, own_home: Path
) -> None:
    code, out, _ = lanner(*ARGS, *LIMIT, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["fills"] == 0
    assert any("denied by the risk limits" in warning for warning in found["warnings"])
    orders = pl.read_parquet(own_home / "runs" / found["run_id"] / "orders.parquet")
    assert set(orders["status"]) == {"denied"}
    assert set(orders["reject_code"]) == {"MAX_ORDER_NOTIONAL"}


def test_on_deny_stop_ends_the_run_with_exit_code_6_and_names_order_limit_and_value(
    work: Path, lanner: Run, own_home: Path
) -> None:
    code, out, err = lanner(*ARGS, *LIMIT, "--set", "risk.on_deny=stop")
    assert code == 6
    assert out == ""
    assert "the run was stopped: order o-o1 of Cross (BUY " in err
    assert "above the limit of 1000" in err
    assert "risk.max_order_notional: at most 1000" in err
    assert "risk.on_deny: record" in err
    assert not (own_home / "runs").exists() or not list((own_home / "runs").iterdir()), "nothing is kept"


def test_on_deny_stop_in_a_settings_file_is_told_to_programs_too(work: Path, lanner: Run) -> None:
    (work / "run.yaml").write_text(
        "strategy: cross.py\ndata: [btc.csv]\ninstrument: BTC-USDT.TEST\n"
        "risk: {max_position_notional: 500, on_deny: stop}\n"
    )
    code, out, _ = lanner("backtest", "run.yaml", "--json")
    found = json.loads(out)
    assert (code, found["exit_code"], found["error"]) == (6, 6, "RiskRefusedError")
    assert found["expected"] == "risk.max_position_notional: at most 500"
    assert float(found["found"]) > 500


def test_on_deny_stop_lets_a_run_within_its_limits_end_as_ever(work: Path, lanner: Run) -> None:
    plain = json.loads(lanner(*ARGS, "--json")[1])
    guarded = json.loads(lanner(*ARGS, "--set", "risk.on_deny=stop", "--json")[1])
    assert guarded["state_hash"] == plain["state_hash"]


def test_an_unknown_word_for_on_deny_is_a_wrong_setting(work: Path, lanner: Run) -> None:
    code, _, err = lanner(*ARGS, "--set", "risk.on_deny=explode")
    assert code == 4
    assert "record" in err
    assert "stop" in err


def test_an_amend_beyond_a_limit_is_denied_and_counted(work: Path, lanner: Run) -> None:
    (work / "raises.py").write_text(RAISES)
    words = ("backtest", "raises.py", *ARGS[2:], *LIMIT)
    code, out, err = lanner(*words, "--json")
    assert code == 0, out + err
    assert any("amends were denied by the risk limits" in text for text in json.loads(out)["warnings"])
    code, _, err = lanner(*words, "--set", "risk.on_deny=stop")
    assert code == 6
    assert "an amend was denied: " in err
