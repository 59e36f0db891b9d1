"""Orders that no session's engine sent are in the ledger: by hand, and by a kill switch from outside."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live.conftest import Lanner, Venue
from tests.integration.live.test_watchdog import HOLDER, start
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.timeout(180)

BTC = "BTC-USDT@binance"
YES = ("--live", "--confirm", "trade binance-spot")


@pytest.fixture
def desk(lanner: Lanner, venue: Venue) -> Lanner:
    lanner.environment = {**lanner.environment, "LANNER_URL": venue.url}
    return lanner


def rows(lanner: Lanner, what: str, session: str = "manual") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lanner.json("ledger", what, session)[what]
    return found


def everything(lanner: Lanner, session: str = "manual") -> dict[str, list[dict[str, Any]]]:
    return {what: rows(lanner, what, session) for what in ("orders", "fills", "events")}


def wait_for_orders(lanner: Lanner, session: str) -> None:
    """Wait until the thread of a command that has ended has written."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with (
            suppress(sqlite3.OperationalError),  # it is being made
            closing(sqlite3.connect(f"file:{lanner.home}/ledger.db?mode=ro", uri=True)) as ledger,
        ):
            asked = "SELECT count(*) FROM orders WHERE session = ? AND intent = 'kill-switch' AND status = 'FILLED'"
            if ledger.execute(asked, [session]).fetchone()[0]:
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_orders_by_hand_are_in_the_ledger_and_are_made_again_from_their_log(desk: Lanner) -> None:
    low = str(int(desk.json("price", BTC)["mid"] * 0.9))
    bought = desk.json("buy", BTC, "0.01", "--market", *YES)
    resting = desk.json("buy", BTC, "0.02", low, "--post-only", *YES)
    desk.json("cancel", BTC, resting["order_id"], "--live")
    first, second = rows(desk, "orders")
    assert (first["order_id"], first["status"], first["intent"]) == (bought["order_id"], "FILLED", "manual")
    assert (first["strategy"], first["side"], first["type"]) == ("cli", "BUY", "MARKET")
    assert float(first["cum_qty"]) == 0.01
    assert float(first["avg_px"]) == pytest.approx(bought["avg_px"])
    assert float(first["fees"]) > 0
    assert (second["order_id"], second["status"]) == (resting["order_id"], "CANCELED")
    assert (second["post_only"], float(second["qty"]), float(second["px"])) == (True, 0.02, float(low))
    fills = rows(desk, "fills")
    assert {fill["order_id"] for fill in fills} == {bought["order_id"]}
    assert sum(float(fill["qty"]) for fill in fills) == pytest.approx(0.01)
    [event] = rows(desk, "events")
    assert (event["topic"], resting["order_id"] in event["text"]) == ("manual.cancel", True)
    assert desk.json("sessions")["sessions"] == [], "orders by hand are no session"

    kept = everything(desk)
    (desk.home / "ledger.db").unlink()
    [rebuilt] = desk.json("ledger", "rebuild", "manual")["rebuilt"]
    assert (rebuilt["orders"], rebuilt["fills"]) == (2, len(fills))
    assert everything(desk) == kept
    desk.json("ledger", "rebuild", "--all")
    assert everything(desk) == kept


def test_a_ledger_that_is_away_holds_no_order_up_and_gets_it_later(desk: Lanner) -> None:
    away = Lanner(desk.home, {**desk.environment, "LANNER_LEDGER__URL": "sqlite:////proc/nowhere/ledger.db"})
    bought = away.json("buy", BTC, "0.01", "--market", *YES)
    assert bought["status"] == "FILLED"
    wrong = Lanner(desk.home, {**desk.environment, "LANNER_LEDGER__URL": "mysql://db/lanner"})
    assert wrong.json("buy", BTC, "0.01", "--market", *YES)["status"] == "FILLED"
    sold = desk.json("sell", BTC, "0.02", "--market", *YES)
    names = [row["order_id"] for row in rows(desk, "orders")]
    assert (len(names), names[0], names[-1]) == (3, bought["order_id"], sold["order_id"])


def test_what_became_of_a_resting_order_by_hand_is_asked_for_by_the_next_look(desk: Lanner) -> None:
    deadline = time.monotonic() + PATIENCE_S
    order_id = ""
    while not order_id:
        best = f"{desk.json('price', BTC)['bid_px']:.2f}"
        tried = desk.json("buy", BTC, "0.01", best, *YES)["order_id"]
        for _ in range(5):
            time.sleep(0.5)
            desk.json("orders", BTC)
            [row] = [row for row in rows(desk, "orders") if row["order_id"] == tried]
            if row["status"] == "FILLED":
                order_id = tried
                break
        else:  # the market went up: nobody will come down to it
            assert time.monotonic() < deadline, tried
            desk.ask("cancel", BTC, tried, "--live")  # refused where it has filled at last
    mine = [float(fill["qty"]) for fill in rows(desk, "fills") if fill["order_id"] == order_id]
    assert sum(mine) == pytest.approx(0.01)


def test_the_prompts_orders_are_in_the_ledger(desk: Lanner) -> None:
    words = [f"buy {BTC} 0.01 --market --confirm 'trade binance-spot'", f"sell {BTC} 0.01 --market", "exit"]
    process = desk.start("repl", "--live", "--confirm", "trade binance-spot", stdin=-1)
    out, err = process.communicate("\n".join(words) + "\n", timeout=PATIENCE_S)
    assert process.returncode == 0, (out, err)
    assert [(row["side"], row["status"]) for row in rows(desk, "orders")] == [
        ("BUY", "FILLED"),
        ("SELL", "FILLED"),
    ]


def test_what_a_kill_from_outside_sells_belongs_to_the_session_that_it_ended(
    desk: Lanner, venue: Venue, tmp_path: Path
) -> None:
    holder = tmp_path / "holder.py"
    holder.write_text(HOLDER)
    process = start(desk, venue, str(holder), "ended", "--no-watchdog")
    until(lambda: desk.ask("ledger", "orders", "ended").get("orders"), "the session in its ledger")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    told = desk.json("kill", "ended", "--reason", "a test")
    assert told["flat"], told
    wait_for_orders(desk, "ended")
    [sale] = [row for row in rows(desk, "orders", "ended") if row["intent"] == "kill-switch"]
    assert (sale["strategy"], sale["side"], sale["status"]) == ("kill-switch", "SELL", "FILLED")
    sold = [fill for fill in rows(desk, "fills", "ended") if fill["order_id"] == sale["order_id"]]
    assert sum(float(fill["qty"]) for fill in sold) == pytest.approx(float(sale["cum_qty"]))
    [event] = [one for one in rows(desk, "events", "ended") if one["topic"] == "risk.kill_report"]
    assert "a test" in event["text"]

    desk.json("ledger", "rebuild", "ended")
    rebuilt = everything(desk, "ended")
    assert sale in rebuilt["orders"]
    assert all(fill in rebuilt["fills"] for fill in sold)
    assert event in rebuilt["events"]
    (desk.home / "ledger.db").unlink()
    desk.json("ledger", "rebuild")
    assert everything(desk, "ended") == rebuilt
    assert json.loads((desk.home / "sessions" / "ended" / "kill-report.json").read_text())["flat"]


def test_no_session_takes_the_name_of_the_orders_by_hand(desk: Lanner, strategy: str) -> None:
    told = desk.run("paper", strategy, "-i", BTC, "--session", "manual", code=4)
    assert "cannot be called 'manual'" in told
