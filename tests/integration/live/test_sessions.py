"""Paper and live sessions against a venue simulator over real sockets, replayed, killed and continued."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.integration.live.conftest import Lanner, Venue, fills
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(180)


def trade(venue: Venue, strategy: str, *more: str) -> list[str]:
    return [strategy, "-i", "BTC-USDT@binance", "--url", venue.url, *more]


def live(venue: Venue, strategy: str, *more: str) -> list[str]:
    return ["live", *trade(venue, strategy, "--live", "--confirm", "trade binance-spot", *more)]


@pytest.mark.nightly
def test_a_paper_session_trades_and_its_replay_is_the_same(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    told = lanner.trade("paper", *trade(venue, strategy), until=fills(3))
    assert told["mode"] == "paper"
    assert told["fills"] > 0
    assert told["gaps"] == told["malformed"] == 0
    again = lanner.json("replay", told["session"])
    assert again["faithful"]
    assert again["state_hash"] == told["state_hash"]
    assert again["equity"] == told["equity"]
    assert again["commands"] == told["commands"] > 0


def test_a_live_session_trades_at_the_venue_and_its_replay_is_the_same(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    told = lanner.trade(*live(venue, strategy), until=fills(3))
    assert told["mode"] == "live"
    assert told["fills"] > 0
    assert told["reports"] >= told["fills"]
    assert told["trading"] == "ACTIVE"
    assert told["unknown"] == 0
    again = lanner.json("replay", told["session"])
    assert again["faithful"]
    assert again["state_hash"] == told["state_hash"]


def test_a_killed_live_session_is_continued_without_losing_or_doubling_a_fill(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    process = lanner.start(*live(venue, strategy, "--session", "killed", "--no-watchdog"))
    journal = lanner.home / "sessions" / "killed" / "journal" / "000001.journal"
    deadline = time.monotonic() + PATIENCE_S
    while not (journal.exists() and journal.stat().st_size > 20_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = lanner.json("replay", "killed")
    assert before["faithful"]
    assert before["orders"] > 0
    more = fills(before["fills"] + 1)
    told = lanner.trade(*live(venue, strategy, "--session", "killed"), until=more)
    assert told["orders"] >= before["orders"]
    assert told["fills"] > before["fills"]
    assert told["trading"] == "ACTIVE"
    again = lanner.json("replay", "killed")
    assert again["faithful"]
    assert again["state_hash"] == told["state_hash"]


@pytest.mark.nightly
def test_a_replay_stops_at_a_fill_and_shows_the_strategy(lanner: Lanner, venue: Venue, strategy: str) -> None:
    told = lanner.trade("paper", *trade(venue, strategy), until=fills(3))
    found = lanner.json("replay", told["session"], "--break", "on_fill", "--count", "2")
    assert " filled: " in found["stopped_at"]["event"]
    assert int(found["strategies"]["Flip"]["n"]) > 0
    assert found["inputs"] < told["inputs"]


def test_live_needs_the_flag_the_phrase_and_a_key(lanner: Lanner, venue: Venue, strategy: str) -> None:
    assert "only with --live" in lanner.run("live", *trade(venue, strategy), code=6)
    assert "confirmation" in lanner.run("live", *trade(venue, strategy, "--live"), code=6)
    wrong = ["--live", "--confirm", "yes"]
    assert "trade binance-spot" in lanner.run("live", *trade(venue, strategy, *wrong), code=6)
    nobody = Lanner(lanner.home, {})
    assert "lanner keys add" in nobody.run(*live(venue, strategy), code=2)


@pytest.mark.nightly
def test_a_strategy_that_now_decides_otherwise_is_not_continued(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    told = lanner.trade("paper", *trade(venue, strategy, "--session", "changed"), until=fills(3))
    assert told["commands"] > 0
    path = Path(strategy)
    path.write_text(path.read_text().replace("0.5 if", "0.25 if"))
    found = lanner.json("replay", "changed", code=1)
    assert not found["faithful"]
    assert "was sent" in found["differences"][0]
    refused = lanner.run("paper", *trade(venue, strategy, "--session", "changed"), code=4)
    assert "cannot be continued" in refused


def test_sessions_are_listed(lanner: Lanner, venue: Venue, strategy: str) -> None:
    lanner.run("paper", *trade(venue, strategy, "--for", "1", "--session", "first"))
    [told] = lanner.json("sessions")["sessions"]
    assert told["session"] == "first"
    assert told["instruments"] == ["BTC-USDT.BINANCE"]


def test_an_unknown_instrument_and_a_wrong_setting_are_told_before_anything_starts(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    text = lanner.run("paper", strategy, "-i", "BTC-USTD@binance", "--url", venue.url, code=2)
    assert "BTC-USDT.BINANCE" in text
    text = lanner.run("paper", *trade(venue, strategy, "--set", "journal.synk=all"), code=4)
    assert "synk" in text


def test_a_running_session_is_watched_paused_resumed_and_stopped_from_another_terminal(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    process = lanner.start("paper", *trade(venue, strategy, "--session", "door", "--json"))
    lanner.until("door", fills(1), process)
    assert "door (paper)" in lanner.run("status", "door", "--once")
    assert lanner.json("pause", "door", "--reason", "lunch")["paused"]
    before = lanner.json("status", "door")
    after = lanner.until("door", lambda told: told["counts"]["data"] > before["counts"]["data"] + 80, process)
    assert after["orders"] == before["orders"]
    assert not lanner.json("resume", "door")["paused"]
    lanner.run("paper", *trade(venue, strategy, "--session", "door"), code=4)  # it runs already
    lanner.run("stop", "door")
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "state_hash" in out
    assert lanner.json("replay", "door")["faithful"]
    assert "is not running" in lanner.run("status", "door", code=2)


def test_the_kill_switch_leaves_the_venue_flat_and_the_session_latched(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    process = lanner.start(*live(venue, strategy, "--session", "killer", "--json"))
    lanner.until("killer", fills(1), process)
    told = lanner.json("kill", "killer", "--reason", "drill")
    assert told["flat"]
    assert told["errors"] == told["left"] == []
    assert told["open_orders"] == 0
    assert told["positions"] == {}
    done, data = told["fills"], lanner.json("status", "killer")["counts"]["data"]
    later = lanner.until("killer", lambda told: told["counts"]["data"] > data + 80, process)
    assert later["trading"] == "HALTED"
    assert later["fills"] == done
    lanner.run("stop", "killer")
    process.communicate(timeout=PATIENCE_S)
    assert "drill" in lanner.run(*live(venue, strategy, "--session", "killer"), code=6)
    assert "--reason" in lanner.run("resume", "killer", code=4)
    told = lanner.json("resume", "killer", "--reason", "the drill is over")
    assert told == {"session": "killer", "running": False, "latched": False}
    again = lanner.trade(*live(venue, strategy, "--session", "killer"), until=fills(done + 1))
    assert again["trading"] == "ACTIVE"
    assert again["fills"] > done
    assert lanner.json("replay", "killer")["faithful"]
