"""``--clock recorded``: data reach a strategy when the recording says that they were received."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog
from tests.integration.conftest import Run

FIRST = """\
import lanner as ln


class First(ln.Strategy):
    seen = 0

    def on_{kind}(self, message):
        self.seen += 1
        if self.seen in (100, 200):
            self.buy("0.01")
"""
REAL = "market/hftbacktest/usdm_btcusdt_20240808.gz"


@pytest.fixture
def synthetic(work: Path, lanner: Run) -> str:
    """Return a day of synthetic quotes, which arrive some milliseconds after the venue made them."""
    (work / "first.py").write_text(FIRST.format(kind="quote"))
    assert lanner("data", "synth", "quotes", "--days", "1", "--quiet")[0] == 0
    return "BTC-USDT.SYNTH@quotes"


def sent(lanner: Run, folder: Path, *words: str) -> list[int]:
    """Run and return when each order was sent."""
    code, _, err = lanner("backtest", "first.py", *words, "--output", str(folder), "--no-report", "--quiet")
    assert code == 0, err
    times: list[int] = pl.read_parquet(folder / "orders.parquet")["ts_init"].to_list()
    return times


@pytest.mark.nightly
def test_orders_answer_data_when_it_was_received(synthetic: str, work: Path, lanner: Run) -> None:
    rows = pl.concat(list(Catalog(default_catalog()).scan("quotes", "BTC-USDT.SYNTH", ""))).head(5_000)
    assert (rows["ts_recv"] > rows["ts_event"]).all()
    received = sorted(rows["ts_recv"].to_list())
    recorded = sent(lanner, work / "recorded", "--data", synthetic, "--clock", "recorded")
    assert recorded == [received[99], received[199]]
    venue = sent(lanner, work / "venue", "--data", synthetic)
    assert venue == [rows["ts_event"][99], rows["ts_event"][199]]


@pytest.mark.nightly
def test_the_report_says_whose_clock_it_was(synthetic: str, lanner: Run, own_home: Path) -> None:
    code, out, _ = lanner("backtest", "first.py", "--data", synthetic, "--clock", "recorded", "--json")
    assert code == 0
    found = json.loads(out)
    assert not [text for text in found["warnings"] if "clock" in text or "receive" in text]
    stored = json.loads((own_home / "runs" / found["run_id"] / "result.json").read_text())
    rows = {row["name"]: (row["value"], row["flatters"]) for row in stored["assumptions"]}
    assert rows["clock"] == ("recorded", False)
    assert rows["latency"] == ("feed as recorded", False)
    code, _, err = lanner("runs", "rerun", found["run_id"])
    assert code == 0, err


def test_a_recorder_behind_the_venue_is_named_with_its_offset(
    shared_data: Path, work: Path, lanner: Run
) -> None:
    (work / "first.py").write_text(FIRST.format(kind="trade"))
    assert lanner("data", "import", str(shared_data / REAL), "--quiet")[0] == 0
    data = ("--data", "BTCUSDT-PERP.BINANCE@trades", "--funding", "assume-zero")
    code, out, _ = lanner("backtest", "first.py", *data, "--clock", "recorded", "--json")
    assert code == 0
    assert json.loads(out)["warnings"][0] == (
        "BTCUSDT-PERP.BINANCE@trades: the recording clock is behind the venue's: all 21,313 rows received up to "
        "1.272 s before the venue's time; they arrived at the venue's time, without a delay"
    )
    times = [sent(lanner, work / clock, *data, "--clock", clock) for clock in ("recorded", "venue")]
    assert times[0] == times[1]  # nothing is received before it happens


def test_bars_without_receive_times_are_named(work: Path, lanner: Run) -> None:
    words = ("backtest", "cross.py", "--data", "btc.csv", "--instrument", "BTC-USDT.TEST")
    code, out, _ = lanner(*words, "--clock", "recorded", "--json")
    assert code == 0
    assert [text for text in json.loads(out)["warnings"] if "no receive times were recorded" in text]
    plain = json.loads(lanner(*words, "--json")[1])
    assert not [text for text in plain["warnings"] if "receive" in text]
    assert plain["state_hash"] == json.loads(out)["state_hash"]


def test_a_delay_of_the_feed_beside_recorded_times_is_refused(work: Path, lanner: Run) -> None:
    words = ("backtest", "cross.py", "--data", "btc.csv", "--clock", "recorded")
    code, _, err = lanner(*words, "--set", "latency.feed=5")
    assert code == 4
    assert "both clock: recorded and latency.feed are given" in err
    assert lanner(*words, "--instrument", "BTC-USDT.TEST", "--set", "latency.entry=5", "--quiet")[0] == 0
