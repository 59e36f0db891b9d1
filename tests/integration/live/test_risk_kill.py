"""Losses of a running session: the risk rules ask for the kill switch, the session runs it, a replay agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.live.conftest import Lanner, Venue

pytestmark = pytest.mark.timeout(180)

STUBBORN = '''
import lanner as ln


class Stubborn(ln.Strategy):
    """Be long, whatever happens, and keep an order far below the market."""

    def on_quote(self, quote):
        if not self.n:
            self.buy(0.01, quote.bid_px * 0.5)
        self.n += 1
        self.target(0.5)

    def on_start(self):
        self.n = 0
'''


@pytest.fixture
def stubborn(tmp_path: Path) -> str:
    path = tmp_path / "stubborn.py"
    path.write_text(STUBBORN)
    return str(path)


@pytest.mark.parametrize("mode", [pytest.param("paper", marks=pytest.mark.nightly), "live"])
def test_a_loss_above_the_threshold_runs_the_kill_switch_and_its_replay_is_the_same(
    lanner: Lanner, venue: Venue, stubborn: str, mode: str
) -> None:
    real = ["--live", "--confirm", "trade binance-spot", "--no-watchdog"] if mode == "live" else []
    told = lanner.trade(
        mode, stubborn, "-i", "BTC-USDT@binance", "--url", venue.url, *real,
        "--set", "risk.kill_switch_threshold=0.01", "--session", f"loss-{mode}",
        until=lambda told: told["trading"] == "HALTED" and not told["positions"] and not told["open_orders"],
    )  # fmt: skip
    assert told["trading"] == "HALTED"
    assert "kill switch's threshold" in told["reason"]
    assert told["open_orders"] == 0
    assert not told["positions"]
    again = lanner.json("replay", f"loss-{mode}")
    assert again["faithful"], again["differences"]
    assert again["state_hash"] == told["state_hash"]
    refused = lanner.run(
        mode,
        stubborn,
        "-i",
        "BTC-USDT@binance",
        "--url",
        venue.url,
        *real,
        "--session",
        f"loss-{mode}",
        code=6,
    )
    assert "lanner resume" in refused
