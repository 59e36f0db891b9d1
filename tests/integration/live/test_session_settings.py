"""Where a session's settings come from, what --dry-run shows of them, and the sample that comes with them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml

from lanner.core.errors import ConfigError
from lanner.live.overrides import REDACTED, redacted, settings_from
from tests.integration.live.conftest import Lanner, Venue, fills
from tests.integration.live.test_market_commands import feed
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def settings(tmp_path: Path, strategy: str) -> Path:
    path = tmp_path / "session.yaml"
    path.write_text(
        f"strategy: {Path(strategy).name}\n"
        "instruments: [BTC-USDT@binance]\n"
        "cash: 1000\n"
        "params: {every: 9}\n"
        "risk: {max_order_notional: 700, max_open_orders: 5}\n"
    )
    return path


def test_options_win_over_the_environment_over_the_file_over_the_defaults(
    lanner: Lanner, settings: Path
) -> None:
    lanner.environment = {
        **lanner.environment,
        "LANNER_SESSION__CASH": "2000",
        "LANNER_RISK__MAX_ORDER_NOTIONAL": "300",
        "LANNER_PARAMS__EVERY": "4",
        "LANNER_RECOVERY__RECONCILE_S": "",
    }
    told = lanner.json("paper", str(settings), "--dry-run", "--cash", "3000")
    config = told["config"]
    assert float(config["cash"]) == 3000
    assert float(config["risk"]["max_order_notional"]) == 300
    assert config["risk"]["max_open_orders"] == 5
    assert config["params"] == {"every": 4}
    assert config["recovery"]["reconcile_s"] == 60
    assert told["from_environment"] == {
        "params.every": "LANNER_PARAMS__EVERY",
        "risk.max_order_notional": "LANNER_RISK__MAX_ORDER_NOTIONAL",
    }
    assert yaml.safe_load(lanner.run("live", str(settings), "--dry-run"))["mode"] == "live"
    assert not (lanner.home / "sessions").exists()


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("LANNER_RISC__MAX_ORDER_NOTIONAL", "1", "LANNER_RISK__"),
        ("LANNER_RISK__MAX_ORDER_NOTIONEL", "1", "LANNER_RISK__MAX_ORDER_NOTIONAL"),
        ("LANNER_SESSION__MODE", "live", "names no setting"),
        ("LANNER_SESSION__RISK", "1", "whole section"),
        ("LANNER_SESSION__CASH", "[1", "YAML"),
    ],
)
def test_a_variable_that_names_no_setting_is_refused(name: str, value: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from({name: value})
    assert name in caught.value.what
    assert word in caught.value.message()


def test_other_variables_are_left_alone() -> None:
    environment = {"LANNER_KEYS__BINANCE_SPOT__SECRET": "x", "LANNER_HOME": "y", "OTHER__THING": "z"}
    assert settings_from(environment) == {}
    assert settings_from({"LANNER_RISK__MAX_OPEN_ORDERS": "7"}) == {
        "risk.max_open_orders": ("LANNER_RISK__MAX_OPEN_ORDERS", 7)
    }


def test_a_wrong_value_is_told_with_its_variable(lanner: Lanner, settings: Path) -> None:
    lanner.environment = {**lanner.environment, "LANNER_RISK__MAX_ORDER_NOTIONAL": "much"}
    text = lanner.run("paper", str(settings), "--dry-run", code=4)
    assert "LANNER_RISK__MAX_ORDER_NOTIONAL is wrong" in text
    assert "'much'" in text


def test_secrets_are_masked_wherever_they_stand() -> None:
    shown = redacted(
        {
            "params": {"api_token": "abc", "fast": 3},
            "url": {"": "https://me:word@host:1/x"},
            "alerts": [{"webhook_url": "https://h/secret"}, {"password": "p"}],
            "author": "somebody",
        }
    )
    assert shown["params"] == {"api_token": REDACTED, "fast": 3}
    assert shown["url"][""] == f"https://{REDACTED}@host:1/x"
    assert shown["alerts"] == [{"webhook_url": REDACTED}, {"password": REDACTED}]
    assert shown["author"] == "somebody"


def test_a_dry_run_masks_secrets_and_takes_the_strategys_parameters(lanner: Lanner, settings: Path) -> None:
    url = "http://user:hunter2@127.0.0.1:1"
    text = lanner.run("paper", str(settings), "--dry-run", "--url", url)
    assert "hunter2" not in text
    assert REDACTED in text
    assert "every" in lanner.run("paper", str(settings), "--dry-run", "--param", "every=0", code=4)


def test_the_sample_of_a_session_is_legal_and_runs(lanner: Lanner, venue: Venue, tmp_path: Path) -> None:
    path = lanner.json("new", "session", "night", "--dir", str(tmp_path / "made"))["session"]
    config = lanner.json("paper", path, "--dry-run")["config"]
    written = yaml.safe_load(Path(path).read_text())
    assert config["instruments"] == ["BTC-USDT.BINANCE"]
    assert config["risk"]["max_open_orders"] == written["risk"]["max_open_orders"]
    told = lanner.trade("paper", path, "--url", venue.url, until=lambda told: told["counts"]["data"])
    assert told["mode"] == "paper"
    assert told["data"] > 0
    assert "there already" in lanner.run("new", "session", "night", "--dir", str(tmp_path / "made"), code=4)


@pytest.mark.nightly
def test_run_strategy_is_paper_unless_it_is_told_otherwise(
    lanner: Lanner, venue: Venue, settings: Path, strategy: str
) -> None:
    words: tuple[str, ...] = ("run-strategy", "-s", strategy, "-c", str(settings), "--url", venue.url)
    words += ("--set", "risk.max_order_notional=100000")
    told = lanner.json(*words, "--capital", "5000", "--interval", "0.5", "--duration", "0.1")
    assert told["mode"] == "paper"
    assert told["fills"] > 0
    shown = lanner.json(*words, "--dry-run", "--interval", "0.5")["config"]
    assert shown["tick_ms"] == 500
    assert lanner.json(*words, "--dry-run")["config"]["tick_ms"] == 60_000
    assert "tick_ms" not in lanner.json(*words, "--dry-run", "--interval", "0")["config"]
    assert "exclude" in lanner.run(*words, "--paper", "--live", code=4)
    assert "confirmation" in lanner.run(*words, "--live", code=6)
    real = lanner.json(*words, "--live", "--confirm", "trade binance-spot", "--duration", "0.05")
    assert real["mode"] == "live"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look for processes")
def test_a_session_that_polls_without_sleeping_trades_and_ends_when_it_is_told(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    words = ("live", strategy, "-i", "BTC-USDT@binance", "--url", venue.url, "--set", "busy_poll=true")
    process = lanner.start(*words, "--live", "--confirm", "trade binance-spot", "--session", "polls")
    lanner.until("polls", fills(1), process)
    feed(venue, on=False)
    try:
        before = processor_s(process.pid)
        # where nothing comes a session that sleeps needs a hundredth of a processor
        until(
            lambda: processor_s(process.pid) > before + 2.5, "work of a session that has nothing to do", 60.0
        )
    finally:
        feed(venue, on=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + err


def processor_s(pid: int) -> float:
    """Return how much of a processor's time a process has had."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--session", "../elsewhere"), "not an id of a session"),
        (("--session", "a/b"), "not an id of a session"),
        (("--session", ".hidden"), "not an id of a session"),
        (("--for", "-3"), "--for"),
    ],
)
def test_ids_that_are_no_names_of_folders_and_spans_below_zero_are_refused(
    lanner: Lanner, settings: Path, more: tuple[str, str], word: str
) -> None:
    told = lanner.run("paper", str(settings), *more, code=4)
    assert word in told
    assert not list(lanner.home.glob("**/*.journal"))
