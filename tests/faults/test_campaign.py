"""The fault campaign: a thousand runs of the live engine against a venue that misbehaves, in virtual time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.drill.campaign import make_wishes, play_seed, repeat, run_campaign
from lanner.drill.scenario import Wishes, draw
from lanner.live.session import Session
from lanner.model.reports import OrderFilled, Report
from lanner.simulator.faults import FAULTS
from lanner.venues.registry import PRODUCTS

SEEDS = int(os.environ.get("LANNER_DRILL_SEEDS", "1000"))


def drill(*words: str, hash_seed: str = "0") -> tuple[int, dict[str, object]]:
    process = subprocess.run(
        [sys.executable, "-m", "lanner", "drill", *words, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=False,
    )
    assert process.stdout, process.stderr
    told: dict[str, object] = json.loads(process.stdout)
    return process.returncode, told


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_thousand_runs_hold_every_invariant() -> None:
    code, told = drill("--seeds", str(SEEDS), "--first-seed", "1", "--jobs", str(os.cpu_count() or 1))
    assert told["violations"] == []
    assert code == 0
    assert told["runs"] == SEEDS
    if SEEDS >= 1000:
        faults = told["faults"]
        assert isinstance(faults, dict)
        assert {*FAULTS, "crash", "kill"} <= set(faults), "every fault of the catalogue has struck"


# What the campaign has found: the faults that showed it, in words what was wrong.
FOUND = {
    "a fill concluded from a quantity was counted again when it came": (
        "binance-spot",
        "fill-after-cancel:p=0.7,share=0.87",
        "error-after-accept:p=0.3,kind=order+cancel+amend,status=503",
        "late-user-events:ms=2470,p=0.3",
    ),
    "the refused cancel of an order in doubt passed for proof that it works": (
        "binance-usdm",
        "rate-limit:p=0.38,retry=3",
        "half-open:at=4.5",
    ),
    "what a crash kept from being written made the session impossible to continue": (
        "binance-spot",
        "crash:write=60,how=after",
    ),
    "a refused change of a Hyperliquid order ended it": (
        "hyperliquid",
        "error-after-accept:p=0.6,kind=amend,status=503",
        "step-size:at=8,factor=10",
    ),
    "a paused session went on trading on its timers": ("hyperliquid", "crash:write=50,how=torn"),
    "a clock compared once was trusted for ever": (
        "binance-usdm",
        "clock-skew:at=3,ms=-5170,for=9",
        "crash:write=50,how=before",
    ),
    "answers that a slow connection delivered in another order": (
        "hyperliquid",
        "latency:dist=fixed,ms=38,p=0.56",
    ),
    "a listen key that was refused once was not asked for again": (
        "binance-usdm",
        "ban:at=5.5,count=1,retry=2.3",
        "listen-key-expiry:at=6",
    ),
    "a change on its way when its order was refused left an order that nobody counted": (
        "hyperliquid",
        "step-size:at=3,factor=10",
    ),
    "a fill of a finished order, missed before a crash, was nobody's after it": (
        "binance-spot",
        "drop:p=0.3,kind=user",
        "crash:write=70,how=torn",
    ),
    "an order's earlier number took the place of its present one": (
        "hyperliquid",
        "fill-before-ack:p=0.5,ms=911",
        "partial-fill:p=0.2,share=0.87",
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_once_holds(what: str) -> None:
    product, *faults = FOUND[what]
    campaign = run_campaign(Wishes(products=(product,), faults=tuple(faults), seconds=16.0), 1, 5)
    assert campaign.violations == []
    assert {fault.partition(":")[0] for fault in faults} & set(campaign.faults)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_seed_is_a_run(product: str) -> None:
    wishes = Wishes(products=(product,), faults=("crash", "lose-answer", "late-user-events", "close", "drop"))
    first, again = play_seed(wishes, 5), play_seed(wishes, 5)
    assert first.fingerprint == again.fingerprint
    assert first == again
    assert play_seed(wishes, 6).fingerprint != first.fingerprint


def test_a_seed_is_the_same_run_in_another_process() -> None:
    told = [drill("--seeds", "3", "--first-seed", "11", hash_seed=text)[1] for text in ("1", "2")]
    for one in told:
        del one["seconds"], one["runs_per_s"]
    assert told[0] == told[1]


def test_an_engine_that_loses_fills_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Session.report

    def lossy(self: Session, report: Report) -> None:
        if not isinstance(report, OrderFilled):
            take(self, report)

    monkeypatch.setattr(Session, "report", lossy)
    campaign = run_campaign(Wishes(faults=("none",), seconds=20.0), 1, 3)
    assert campaign.violations
    assert {one["invariant"] for one in campaign.violations} & {"no fill is lost or doubled", "it settles"}
    assert campaign.violations[0]["repeat"] == (
        f"lanner drill --fault none --seconds 20 --first-seed {campaign.violations[0]['seed']} --seeds 1"
    )


def test_every_fault_can_be_drawn_and_every_run_is_told_in_a_line() -> None:
    scenarios = [draw(seed, Wishes()) for seed in range(3000)]
    assert {name for one in scenarios for name, _ in one.faults} == set(FAULTS)
    assert {one.product for one in scenarios} == set(PRODUCTS)
    assert any(one.kill_s is not None for one in scenarios)
    assert {crash.how for one in scenarios for crash in one.crashes} == {"before", "after", "torn"}
    assert all("\n" not in one.told() for one in scenarios)


def test_the_command_that_repeats_a_run_names_everything_that_was_asked_for(tmp_path: Path) -> None:
    wishes = Wishes(
        strategy="my file.py",
        params={"every": "3"},
        instruments=("BTC-PERP.HYPERLIQUID",),
        faults=("drop:p=0.1",),
    )
    assert repeat(7, wishes) == (
        "lanner drill 'my file.py' --param every=3 --instrument BTC-PERP.HYPERLIQUID --fault drop:p=0.1 "
        "--first-seed 7 --seeds 1"
    )


def test_what_does_not_exist_or_fit_is_told() -> None:
    wrong: list[tuple[Any, ...]] = [
        ("", {}, ["binance"], [], [], 0.0),
        ("", {}, [], [], ["gremlins"], 0.0),
        ("", {}, ["hyperliquid"], ["BTC-USDT@binance"], [], 0.0),
        ("", {}, [], ["BTC-USDT@binance", "BTC-PERP@hyperliquid"], [], 0.0),
    ]
    for arguments in wrong:
        with pytest.raises(ConfigError):
            make_wishes(*arguments)


def test_a_strategy_of_ones_own_is_drilled_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import lanner as ln\n\n\nclass Mine(ln.Strategy):\n    every = ln.Param(10, 1, 100)\n\n"
        "    def on_start(self):\n        self.n = 0\n\n"
        "    def on_quote(self, quote):\n        self.n += 1\n"
        "        if self.n % self.every == 0:\n            self.target(0.5 if self.n // self.every % 2 else 0)\n"
    )
    words = [
        str(path),
        "--param",
        "every=5",
        "-i",
        "BTC-PERP@hyperliquid",
        "--seeds",
        "2",
        "--fault",
        "lose-answer",
    ]
    code, told = drill(*words)
    assert (code, told["runs"], told["violations"]) == (0, 2, [])
    assert int(str(told["orders"])) > 0
