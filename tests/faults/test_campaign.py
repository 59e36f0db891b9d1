"""The fault campaign: a thousand runs of the live engine against a venue that misbehaves, in virtual time."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.drill.builtin import PROTECTED
from lanner.drill.campaign import make_wishes, play_seed, repeat, run_campaign
from lanner.drill.run import play
from lanner.drill.scenario import ENGINE_FAULTS, Wishes, draw
from lanner.execution.resting_stops import RestingStops
from lanner.execution.stops import Stop
from lanner.live.config import LedgerConfig
from lanner.live.heart import Heart, JournalFault
from lanner.live.ledger import attach_ledger
from lanner.live.session import Session
from lanner.model.reports import OrderFilled, Report
from lanner.simulator.faults import FAULTS
from lanner.storage.ledger.writer import LedgerState
from lanner.venues.registry import PRODUCTS

SEEDS = int(os.environ.get("LANNER_DRILL_SEEDS", "1000"))
LONG = os.environ.get("HYPOTHESIS_PROFILE") in ("nightly", "explore")
"""Whether this is the long run. Every day the thousand runs come first, and what is looked at closer is short."""


def drill(*words: str, hash_seed: str = "0") -> tuple[int, dict[str, Any]]:
    process = subprocess.run(
        [sys.executable, "-m", "lanner", "drill", *words, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=False,
    )
    assert process.stdout, process.stderr
    told: dict[str, Any] = json.loads(process.stdout)
    return process.returncode, told


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_thousand_runs_hold_every_invariant() -> None:
    # every day a quarter of them is as long as their seeds have it, up to ten minutes, and the others are short
    drawn = SEEDS if LONG else SEEDS // 4
    parts: list[tuple[str, ...]] = [("--first-seed", "1", "--seeds", str(drawn))]
    if drawn < SEEDS:
        parts.append(("--first-seed", str(drawn + 1), "--seeds", str(SEEDS - drawn), "--seconds", "14"))
    runs, faults = 0, set[str]()
    for words in parts:
        code, told = drill(*words, "--jobs", str(os.cpu_count() or 1))
        assert told["violations"] == []
        assert code == 0
        runs += told["runs"]
        faults |= set(told["faults"])
    assert runs == SEEDS
    if SEEDS >= 1000:
        assert {*FAULTS, *ENGINE_FAULTS} <= faults, "every fault of the catalogue has struck"


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
    campaign = run_campaign(
        Wishes(products=(product,), faults=tuple(faults), seconds=16.0), 1, 5 if LONG else 3
    )
    assert campaign.violations == []
    assert {fault.partition(":")[0] for fault in faults} & set(campaign.faults)


LADDER = """
import lanner as ln


class Ladder(ln.Strategy):
    def on_start(self):
        self.quotes()
        self.set_timer("ladder", every="1s")

    def on_timer(self, timer):
        mid = self.price()
        if mid != mid:
            return
        for order in self.open_orders:
            self.cancel(order)
        with self.batch():
            for rung in range(50):
                self.buy(0.001, mid * (1 - (rung + 1) * 0.3e-4))
"""


def test_a_comparison_that_waited_for_its_turn_says_nothing_about_what_moved_meanwhile(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ladder.py"
    path.write_text(LADDER)
    campaign = run_campaign(Wishes(strategy=str(path), products=("hyperliquid",)), 300_206, 1)
    assert campaign.violations == []
    assert campaign.faults["refuse-connect"] == 1
    assert campaign.faults["rate-limit"] > 50


@pytest.mark.parametrize("strategy", PROTECTED)
def test_stops_and_brackets_hold_every_invariant(strategy: str) -> None:
    campaign = run_campaign(Wishes(strategy=strategy), 1, 15 if LONG else 8)
    assert campaign.violations == []
    assert campaign.fills > 50


def test_paper_sessions_agree_with_their_simulated_venues_and_send_nothing() -> None:
    campaign = run_campaign(Wishes(paper=True), 1, 15 if LONG else 8)
    assert campaign.violations == []
    assert campaign.fills > 50
    assert "watchdog" not in campaign.faults


@pytest.mark.parametrize("fault", ["disk-full:write=60,for=8", "disk-full:write=1,for=5", "watchdog"])
def test_what_befalls_the_engine_leaves_nothing_unwritten_and_nothing_open(fault: str) -> None:
    campaign = run_campaign(Wishes(faults=(fault, "late-user-events:ms=900,p=0.7"), seconds=16.0), 1, 6)
    assert campaign.violations == []
    assert campaign.faults[fault.partition(":")[0]] >= 4


class CarelessHeart(Heart):
    """Goes on where its journal takes nothing."""

    def _write(self, message: Any, ts: int) -> None:
        try:
            super()._write(message, ts)
        except JournalFault:
            self.broken = ""


class Careless(Session):
    """A session with such a heart."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heart = CarelessHeart(self.heart.engine, self.heart.journal)


def test_an_engine_that_goes_on_without_its_journal_is_found_out() -> None:
    wishes = Wishes(faults=("disk-full:write=40,for=6",), seconds=16.0)
    campaign = run_campaign(wishes, 1, 3, make=Careless)
    assert "the journal replays" in {one["invariant"] for one in campaign.violations}


@pytest.mark.parametrize("locked", [False, True])
def test_a_ledger_changes_nothing_of_a_run_whether_it_is_there_or_not(locked: bool, tmp_path: Path) -> None:
    faults = ("lose-answer:p=0.2,kind=order", "late-user-events:ms=400,p=0.5", "close:code=1006,at=6")
    scenario = draw(3, Wishes(products=("binance-usdm",), faults=faults, seconds=16.0))
    path = tmp_path / "ledger.db"
    settings = LedgerConfig(url=f"sqlite:///{path}", wait_s=0.1, equity_s=1.0)
    states: list[LedgerState] = []

    def attach(session: Session) -> Callable[[], object]:
        handle = attach_ledger(session, settings)
        return lambda: states.append(handle.close(timeout_s=0.5 if locked else 60.0))

    with sqlite3.connect(path) as other:
        if locked:
            other.execute("BEGIN EXCLUSIVE")
        beside = play(scenario, attach)
    alone = play(scenario)
    assert beside.violations == []
    for outcome in (beside, alone):
        outcome.fingerprint = ""  # it tells which of two things came first that fall on one instant
    assert beside == alone
    assert beside.fills > 0
    assert [state.up for state in states] == [not locked]


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


class Lossy(Session):
    """Hears of no fill."""

    def report(self, report: Report) -> None:
        if not isinstance(report, OrderFilled):
            super().report(report)


def test_an_engine_that_loses_fills_is_found_out() -> None:
    campaign = run_campaign(Wishes(faults=("none",), seconds=20.0), 1, 3, make=Lossy)
    assert campaign.violations
    assert {one["invariant"] for one in campaign.violations} & {"no fill is lost or doubled", "it settles"}
    assert campaign.violations[0]["repeat"] == (
        f"lanner drill --fault none --seconds 20 --first-seed {campaign.violations[0]['seed']} --seeds 1"
    )


class Shy(RestingStops):
    """Lets a stop wait for ever behind the limit of another one."""

    def _make_way(self, firing: list[Stop], free: int) -> int:
        return 0


class Waiting(Session):
    """Places its stops like ``Shy``."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.engine.execution.stops.resting.__class__ = Shy


def test_a_stop_that_went_off_and_does_not_leave_is_found_out() -> None:
    wishes = Wishes(
        strategy="lanner.drill.protected:Stopper", params={"near": 2.0}, products=("binance-spot",),
        faults=("none",), seconds=30.0,
    )  # fmt: skip
    assert run_campaign(wishes, 13, 4).violations == []
    campaign = run_campaign(wishes, 13, 4, make=Waiting)
    assert "a stop that went off leaves" in {one["invariant"] for one in campaign.violations}


class Endless(Session):
    """Does not hear that it is to end."""

    def stop(self, reason: str = "") -> None:
        pass


def test_an_engine_that_does_not_end_when_it_is_told_to_is_found_out() -> None:
    [found] = run_campaign(Wishes(faults=("none",), seconds=12.0), 1, 1, make=Endless).violations
    assert (found["invariant"], found["detail"]) == (
        "a session ends when it is told to",
        "it still runs 60 s later",
    )


def test_every_fault_can_be_drawn_and_every_run_is_told_in_a_line() -> None:
    scenarios = [draw(seed, Wishes()) for seed in range(3000)]
    assert {name for one in scenarios for name, _ in one.faults} == set(FAULTS)
    assert {one.product for one in scenarios} == set(PRODUCTS)
    assert any(one.kill_s is not None for one in scenarios)
    assert any(one.disk is not None for one in scenarios)
    assert all(one.crashes for one in scenarios if one.watchdog)
    assert any(one.watchdog for one in scenarios)
    assert {crash.how for one in scenarios for crash in one.crashes} == {"before", "after", "torn"}
    assert all("\n" not in one.told() for one in scenarios)


def test_the_command_that_repeats_a_run_names_everything_that_was_asked_for(tmp_path: Path) -> None:
    wishes = Wishes(
        strategy="my file.py",
        params={"every": "3"},
        instruments=("BTC-PERP.HYPERLIQUID",),
        faults=("drop:p=0.1",),
    )
    assert repeat(7, Wishes(paper=True)) == "lanner drill --paper --first-seed 7 --seeds 1"
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
    assert told["orders"] > 0


def test_a_strategy_on_bars_is_drilled_until_it_has_traded() -> None:
    code, told = drill("ma_cross", "--param", "fast=5", "--param", "slow=12", "--seeds", "4")
    assert (code, told["violations"], told["notes"]) == (0, [], [])
    assert told["orders"] > 8
    code, told = drill("dual_ma", "--timeframe", "1h", "--seeds", "1")
    assert code == 4
    assert "hours of" in told["message"]
    code, told = drill("dual_ma", "--timeframe", "1h", "--seeds", "2", "--seconds", "10")
    assert (code, told["orders"]) == (0, 0)
    assert "nothing is shown about orders" in told["notes"][0]


CARELESS = """
import lanner as ln


class Careless(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        for order in self.open_orders if self.n % 3 == 0 else ():
            if self.n % 2:
                self.cancel(order)
            elif order.px is not None:
                self.amend(order, px=float(quote.bid_px) * 0.999)
        if self.n % 7 == 0:
            self.buy(0.01, quote.bid_px * 0.9995, instrument=quote.instrument_id)
        if self.n % 11 == 0:
            self.sell(0.01, instrument=quote.instrument_id)
        if self.n % 50 == 0:
            self.close(quote.instrument_id)
"""


def test_a_strategy_that_asks_nothing_of_its_orders_before_it_changes_them_runs(tmp_path: Path) -> None:
    path = tmp_path / "careless.py"
    path.write_text(CARELESS)
    code, told = drill(str(path), "--seeds", "25" if LONG else "8", "--first-seed", "4300")
    assert (code, told["violations"]) == (0, [])
    assert told["orders"] > (200 if LONG else 60)


def test_a_fault_of_the_strategy_itself_is_one_finding_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(
        "import lanner as ln\n\n\nclass Broken(ln.Strategy):\n"
        "    def on_quote(self, quote):\n        self.buy(0.01)\n        self.nothing()\n"
    )
    code, told = drill(
        str(path), "--seeds", "3", "--first-seed", "11", "--fault", "crash", "--fault", "latency"
    )
    assert code == 1
    assert [(one["seed"], one["invariant"]) for one in told["violations"]] == [
        (seed, "the strategy runs") for seed in (11, 12, 13)
    ]
    assert "has no attribute 'nothing'" in told["violations"][0]["detail"]
    assert told["restarts"] >= 0


def test_a_paper_session_goes_on_after_a_crash_between_its_venue_and_its_engine() -> None:
    assert run_campaign(Wishes(paper=True), 121_009, 1).violations == []


def test_a_stop_that_never_arrived_is_sent_again_when_the_sale_beside_it_fails() -> None:
    assert run_campaign(Wishes(), 50_090, 1).violations == []


@pytest.mark.parametrize(
    ("strategy", "seed"),
    [
        ("lanner.drill.protected:Bracketer", 7010),  # one of two stops of an entry was taken back
        ("lanner.drill.protected:Bracketer", 81_010),  # so was one whose entry paid its fee in coins
        ("lanner.drill.protected:Bracketer", 81_130),  # a fee in coins, and more was bought
        ("lanner.drill.protected:Bracketer", 81_138),  # exits made way for a sale that was refused
        ("lanner.drill.protected:Bracketer", 81_461),  # so did one beside a group that had done its work
        (
            "lanner.drill.protected:Bracketer",
            83_089,
        ),  # an exit whose cancels get lost is asked back again and again
    ],
)
def test_what_a_bracket_bought_keeps_its_stop_until_the_strategy_takes_it_back(
    strategy: str, seed: int
) -> None:
    assert run_campaign(Wishes(strategy=strategy), seed, 1).violations == []
