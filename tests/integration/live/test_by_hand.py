"""Trading by hand against a simulator of every dialect: each command, each answer, and answers that never come."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live.conftest import Lanner, end, serve
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(240)

INSTRUMENTS = {
    "binance-spot": "BTC-USDT@binance",
    "binance-usdm": "BTCUSDT-PERP@binance",
    "hyperliquid": "BTC-PERP@hyperliquid",
}
PLACES = {"binance-spot": "/api/v3/order", "binance-usdm": "/fapi/v1/order", "hyperliquid": "/exchange"}
"""Where orders are sent to."""


@dataclass
class Floor:
    """One simulator with all dialects: where it is, and the keys."""

    control: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    words = [word for name in INSTRUMENTS for word in ("--dialect", name)]
    process, ready = serve(*words, "--rate", "60", "--seed", "7", "--option", "hyperliquid.limits=50")
    urls = [f"{name}={told['http']}" for name, told in ready["dialects"].items()]
    environment = {"LANNER_URL": ",".join(urls)}
    for account in ready["accounts"]:
        prefix = f"LANNER_KEYS__{account['dialect'].upper().replace('-', '_')}__"
        if account["dialect"] == "hyperliquid":
            environment[f"{prefix}SECRET"] = account["agent_private_key"]
            environment[f"{prefix}ACCOUNT"] = account["wallet_address"]
        else:
            environment[f"{prefix}API_KEY"] = account["api_key"]
            environment[f"{prefix}SECRET"] = account["api_secret"]
    yield Floor(ready["control"], environment)
    end(process)


@dataclass
class Trader:
    """The command line at one product."""

    lanner: Lanner
    floor: Floor
    product: str

    @property
    def instrument(self) -> str:
        return INSTRUMENTS[self.product]

    @property
    def yes(self) -> list[str]:
        return ["--live", "--confirm", f"trade {self.product}"]

    def near(self, share: float) -> str:
        """Return a whole price near the market's."""
        return str(int(self.lanner.json("price", self.instrument)["mid"] * share))

    def json(self, command: str, *words: str, code: int = 0) -> dict[str, Any]:
        return self.lanner.json(command, self.instrument, *words, code=code)

    def order(self, side: str, *words: str, code: int = 0) -> dict[str, Any]:
        return self.json(side, *words, *self.yes, code=code)

    def fault(self, text: str) -> None:
        self.lanner.run("venue", "faults", self.floor.control, f"{text},dialect={self.product}")

    def working(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json("orders")["orders"]
        return rows

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.lanner.home / "orders.jsonl").read_text().splitlines()]


LONG = pytest.mark.nightly


@pytest.fixture(
    params=["hyperliquid", pytest.param("binance-spot", marks=LONG), pytest.param("binance-usdm", marks=LONG)]
)
def trader(request: pytest.FixtureRequest, tmp_path: Path, floor: Floor) -> Iterator[Trader]:
    lanner = Lanner(tmp_path / "home", floor.environment)
    yield Trader(lanner, floor, request.param)
    lanner.run("venue", "faults", floor.control, "--clear")
    lanner.run("cancel-all", INSTRUMENTS[request.param], "--live")


def test_an_order_is_placed_seen_and_taken_back_by_either_id(trader: Trader) -> None:
    low = trader.near(0.97)
    first = trader.order("buy", "0.01", low)
    assert first["status"] == "ACCEPTED"
    assert first["order_id"].startswith("cli-")
    [row] = trader.working()
    assert row["venue_order_id"] == first["venue_order_id"]
    assert row["order_id"] == first["order_id"]
    assert (row["side"], row["type"], row["px"], row["qty"]) == ("BUY", "LIMIT", float(low), 0.01)
    assert trader.json("orders", "--id", first["order_id"])["orders"][0]["status"] == "ACCEPTED"
    assert trader.json("cancel", first["venue_order_id"], "--live")["status"] == "CANCELED"
    again = trader.lanner.run("cancel", trader.instrument, first["venue_order_id"], "--live", code=2)
    assert "it is CANCELED" in again
    second = trader.order("buy", "0.01", low)
    assert second["order_id"] != first["order_id"]
    assert trader.json("cancel", second["order_id"], "--live")["status"] == "CANCELED"
    assert trader.working() == []


def test_market_orders_are_followed_to_their_fill_and_move_the_account(trader: Trader) -> None:
    bought = trader.order("buy", "0.01", "--market")
    assert (bought["status"], bought["cum_qty"]) == ("FILLED", 0.01)
    assert bought["avg_px"] > 0
    if trader.product == "binance-spot":
        held = {row["currency"]: row for row in trader.lanner.json("balance", trader.product)["balances"]}
        assert held["BTC"]["total"] == pytest.approx(20.01, abs=1e-4)
        assert trader.lanner.json("positions", trader.product)["positions"] == []
    else:
        [position] = trader.lanner.json("positions", trader.product)["positions"]
        assert (position["side"], position["qty"]) == ("LONG", 0.01)
        assert position["entry_px"] == pytest.approx(bought["avg_px"], rel=1e-6)
        assert "LONG" in trader.lanner.run("positions", trader.product)
    sold = trader.order("sell", "0.01", "--market", "--reduce-only")
    assert sold["status"] == "FILLED"
    assert trader.lanner.json("positions", trader.product)["positions"] == []


def test_flags_reach_the_venue(trader: Trader) -> None:
    kept = trader.order("sell", "0.005", trader.near(1.03), "--post-only")
    assert kept["status"] == "ACCEPTED"
    crossing = trader.order("sell", "0.005", trader.near(0.98), "--post-only", code=1)
    assert crossing["status"] in ("REJECTED", "EXPIRED")
    assert crossing["cum_qty"] == 0
    nothing = trader.order("buy", "0.005", trader.near(0.97), "--ioc", code=1)
    assert nothing["status"] in ("EXPIRED", "REJECTED", "CANCELED")
    if trader.product == "hyperliquid":
        trader.order("buy", "0.005", "--market")  # a stop needs something to stop
    stop = trader.order("sell", "0.005", "--market", "--stop-px", trader.near(0.97))
    assert stop["status"] == "ACCEPTED"
    types = {row["type"]: row for row in trader.working()}
    assert set(types) == {"LIMIT", "STOP_MARKET"}
    assert types["STOP_MARKET"]["stop_px"] == stop["stop_px"]
    venue = trader.product
    assert trader.lanner.json("cancel-all", venue, "--live") == {"cancelled": 2, "left": [], "errors": []}
    assert trader.working() == []


def test_what_is_off_the_grid_is_refused_with_the_nearest_legal_value(trader: Trader) -> None:
    text = trader.lanner.run("buy", trader.instrument, "0.010000001", "50000", *trader.yes, code=4)
    assert "nearest is 0.01" in text
    text = trader.lanner.run("buy", trader.instrument, "0.01", "50000.0000001", *trader.yes, code=4)
    assert "nearest is 50000." in text
    assert not (trader.lanner.home / "orders.jsonl").exists()


def test_contradictions_and_a_missing_yes_send_nothing(trader: Trader) -> None:
    at = (trader.instrument, "0.01")
    assert "no price" in trader.lanner.run("buy", *at, *trader.yes, code=4)
    assert "exclude" in trader.lanner.run("buy", *at, "50000", "--market", *trader.yes, code=4)
    assert "post-only" in trader.lanner.run("buy", *at, "--market", "--post-only", *trader.yes, code=4)
    assert "only with --live" in trader.lanner.run("buy", *at, "50000", code=6)
    assert "confirmation" in trader.lanner.run("buy", *at, trader.near(0.97), "--live", code=6)
    assert "only with --live" in trader.lanner.run("cancel", trader.instrument, "1", code=6)
    assert not (trader.lanner.home / "orders.jsonl").exists()


@pytest.mark.parametrize("fault", ["lose-answer:count=1,kind=order", "error-after-accept:count=1,kind=order"])
def test_an_order_whose_answer_is_lost_is_asked_for_and_never_sent_twice(trader: Trader, fault: str) -> None:
    trader.fault(fault)
    told = trader.order("buy", "0.01", trader.near(0.97), "--wait", "30")
    assert told["status"] == "ACCEPTED"
    [row] = trader.working()
    assert row["venue_order_id"] == told["venue_order_id"]
    assert [line["what"] for line in trader.log()] == ["sent", "told"]


def test_an_order_that_never_arrived_is_told_as_such(trader: Trader) -> None:
    trader.fault(f"lose-request:count=1,method=POST,path={PLACES[trader.product]}")
    told = trader.order("buy", "0.01", trader.near(0.97), "--wait", "30", code=1)
    assert (told["status"], told["code"]) == ("REJECTED", "NEVER_ARRIVED"), told
    assert trader.working() == []


def test_an_order_that_nobody_can_tell_of_is_unknown_and_its_id_is_kept(trader: Trader) -> None:
    trader.fault("lose-answer:count=1,kind=order")
    low = trader.near(0.97)
    told = trader.order("buy", "0.01", low, "--wait", "0", code=1)
    assert told["status"] == "UNKNOWN"
    assert [(line["what"], line["status"]) for line in trader.log()] == [
        ("sent", "SUBMITTED"),
        ("told", "UNKNOWN"),
    ]
    [found] = trader.json("orders", "--id", told["order_id"])["orders"]
    assert found["status"] == "ACCEPTED"
    assert Decimal(str(found["px"])) == Decimal(low)


def test_an_order_that_is_interrupted_is_told_to_be_under_way(trader: Trader) -> None:
    low = trader.near(0.97)
    trader.fault(f"lose-request:method=POST,path={PLACES[trader.product]}")
    process = trader.lanner.start("buy", trader.instrument, "0.01", low, *trader.yes)
    deadline = time.monotonic() + PATIENCE_S
    while not (trader.lanner.home / "orders.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "may work at the venue" in err
    assert trader.log()[0]["order_id"] in err


def test_all_orders_of_a_venue_are_taken_back_where_one_of_its_products_cannot_be_reached(
    floor: Floor, tmp_path: Path
) -> None:
    here = Lanner(tmp_path, floor.environment)
    spot = "BTC-USDT@binance"
    px = str(int(here.json("price", spot)["mid"] * 0.97))
    here.run("buy", spot, "0.001", px, "--live", "--confirm", "trade binance-spot")
    urls = dict(part.split("=", 1) for part in floor.environment["LANNER_URL"].split(","))
    broken = {**urls, "binance-usdm": "http://127.0.0.1:9"}
    half = Lanner(
        tmp_path,
        {**floor.environment, "LANNER_URL": ",".join(f"{name}={url}" for name, url in broken.items())},
    )
    told = half.json("cancel-all", "binance", "--live", code=1)
    assert told["cancelled"] == 1
    assert told["left"] == ["binance-usdm: orders unknown"]
    assert "binance-usdm" in told["errors"][0]
    assert here.json("orders", spot)["orders"] == []


def test_an_account_without_keys_and_a_wrong_instrument_are_told(floor: Floor, tmp_path: Path) -> None:
    nobody = Lanner(tmp_path, {"LANNER_URL": floor.environment["LANNER_URL"]})
    assert "lanner keys add" in nobody.run("balance", "hyperliquid", code=2)
    somebody = Lanner(tmp_path, floor.environment)
    assert "BTC-USDT.BINANCE" in somebody.run("orders", "BTC-USTD@binance", code=2)
    assert "no venue is named" in somebody.run("balance", code=4)
    rows = somebody.json("balance", "binance")["balances"]
    assert {row["product"] for row in rows} == {"binance-spot", "binance-usdm"}


def test_a_wallet_that_may_withdraw_places_no_order(floor: Floor, tmp_path: Path) -> None:
    process, ready = serve("--dialect", "hyperliquid", "--seed", "7")
    try:
        [account] = ready["accounts"]
        environment = {
            "LANNER_URL": ready["dialects"]["hyperliquid"]["http"],
            "LANNER_KEYS__HYPERLIQUID__SECRET": account["wallet_private_key"],
        }
        owner = Lanner(tmp_path, environment)
        words = ("BTC-PERP@hyperliquid", "0.01", "--market", "--live", "--confirm", "trade hyperliquid")
        assert "may withdraw" in owner.run("buy", *words, code=6)
        assert not (tmp_path / "orders.jsonl").exists()
    finally:
        end(process)


def test_an_agent_whose_account_is_not_named_places_no_order(floor: Floor, tmp_path: Path) -> None:
    process, ready = serve("--dialect", "hyperliquid", "--seed", "7")
    try:
        [account] = ready["accounts"]
        environment = {
            "LANNER_URL": ready["dialects"]["hyperliquid"]["http"],
            "LANNER_KEYS__HYPERLIQUID__SECRET": account["agent_private_key"],
        }
        words = ("BTC-PERP@hyperliquid", "0.01", "40000", "--live", "--confirm", "trade hyperliquid")
        for named in ({}, {"LANNER_KEYS__HYPERLIQUID__ACCOUNT": "0x" + "12" * 20}):
            agent = Lanner(tmp_path, {**environment, **named})
            assert f"belongs to {account['wallet_address']}" in agent.run("buy", *words, code=1)
        assert not (tmp_path / "orders.jsonl").exists()
    finally:
        end(process)


# -- the prompt ------------------------------------------------------------------------------------------


def converse(trader: Trader, lines: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    process = trader.lanner.start("repl", trader.product, *words, stdin=subprocess.PIPE)
    out, err = process.communicate("\n".join(lines) + "\n", timeout=PATIENCE_S)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_the_prompt_takes_commands_from_a_pipe_and_survives_every_error(trader: Trader) -> None:
    symbol = trader.instrument.partition("@")[0]
    low = trader.near(0.97)
    done = converse(
        trader,
        [
            "help",
            "buy",
            "nonsense 1 2",
            "buy 'unbalanced",
            f"price {symbol} --once",
            f"buy {symbol} 0.01 {low} --json",
            f"orders {symbol} --json",
            "cancel-all --json",
            "orders",
            "quit",
            "balance",
        ],
        *trader.yes,
    )
    assert done.returncode == 0
    assert "cancel-all" in done.stdout
    assert "QTY" in done.stderr or "is missing" in done.stderr
    assert "no command 'nonsense'" in done.stderr
    assert "No closing quotation".lower() in done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert told[0]["status"] == "ACCEPTED"
    assert [row["venue_order_id"] for row in told[1]["orders"]] == [told[0]["venue_order_id"]]
    assert told[2]["cancelled"] == 1
    assert "total" not in done.stdout  # nothing after quit
    assert "Traceback" not in done.stderr


def test_the_prompt_sends_no_real_order_without_live(trader: Trader) -> None:
    symbol = trader.instrument.partition("@")[0]
    done = converse(trader, [f"buy {symbol} 0.01 50000", f"orders {symbol}"])
    assert done.returncode == 0
    assert "only with --live" in done.stderr
    assert "No orders work" in done.stderr
