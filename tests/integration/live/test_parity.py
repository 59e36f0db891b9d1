"""Sessions beside the backtest of what they saw: equal on paper, explained when orders met a venue of their own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from lanner.backtest.result import OrderRow
from lanner.live.build import plan_of
from lanner.live.parity import compare_session
from lanner.live.parity.runs import play
from lanner.live.replaying import read_head
from lanner.model.commands import SubmitOrder
from lanner.model.market import Quote
from lanner.storage.catalog import Catalog
from lanner.storage.journal import COMMAND_KINDS, Kind, read_journal
from lanner.storage.passport import Passport
from tests.integration.live.conftest import Lanner, Venue, fills, orders
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(180)

BRACKET = '''
import lanner as ln


class Bracket(ln.Strategy):
    """Enter on every second bar with a stop and a target; leave by a timer when neither came."""

    def on_start(self):
        bars = self.bars("1s")
        self.mean = bars.sma(3)
        self.set_timer("leave", every="1s")

    def on_bar(self, bar):
        if self.position.is_flat and bar.close != self.mean.value:
            self.buy(0.05, stop="0.02%", take="0.02%", tag="in")

    def on_timer(self, timer):
        self.cancel_all()
        self.close()
'''

MAKER = '''
import lanner as ln


class Maker(ln.Strategy):
    """Rest a limit order on each side, just inside the spread, amend the bid as the market moves, start again."""

    def on_start(self):
        self.last = self.bid = None
        self.set_timer("requote", every="1s")

    def on_timer(self, timer):
        if self.last is None:
            return
        self.cancel_all()
        self.bid = self.buy(0.01, self.last.ask_px - 0.01, tag="bid")
        if self.position.qty > 0:
            self.sell(self.position.qty, self.last.bid_px + 0.01, tag="ask")

    def on_quote(self, quote):
        self.last = quote
        if self.bid is not None and self.bid.is_open and quote.ask_px > float(self.bid.px) + 2:
            self.amend(self.bid, px=quote.ask_px - 0.01)
'''

TWO = '''
import lanner as ln


class Two(ln.Strategy):
    """Be in one of two coins, by turns."""

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n % 9 == 0:
            held, other = ("BTC-USDT.BINANCE", "ETH-USDT.BINANCE")[:: 1 if (self.n // 9) % 2 else -1]
            self.target(0.3, instrument=held)
            self.target(0, instrument=other)
'''

STRATEGIES = {"bracket": BRACKET, "maker": MAKER, "two": TWO}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write one of the strategies to a file and return its path."""

    def written(name: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(STRATEGIES[name])
        return str(path)

    return written


def trade(venue: Venue, strategy: str, *more: str) -> list[str]:
    return [strategy, "-i", "BTC-USDT@binance", "--url", venue.url, *more]


def live(venue: Venue, strategy: str, *more: str) -> list[str]:
    return ["live", *trade(venue, strategy, "--live", "--confirm", "trade binance-spot", *more)]


def assert_equal(found: dict[str, Any], orders: int) -> None:
    assert found["orders"]["session"] >= orders
    assert found["identical"]
    assert found["explained"]
    assert found["gap"] == 0
    assert set(found["parts"].values()) == {0}
    assert found["orders"]["joined"] == found["orders"]["session"] == found["orders"]["backtest"]
    assert not [pair for pair in found["pairs"] if pair["note"]]


@pytest.mark.nightly
def test_paper_on_quotes_equals_its_backtest(lanner: Lanner, venue: Venue, strategy: str) -> None:
    told = lanner.trade("paper", *trade(venue, strategy), until=orders(6))
    found = lanner.json("parity", told["session"])
    assert_equal(found, 5)
    assert found["session_equity"] == pytest.approx(told["equity"])
    assert found["fills"]["session"] == told["fills"] > 0


def test_paper_on_bars_with_brackets_and_timers_equals_its_backtest(
    lanner: Lanner, venue: Venue, write: Any
) -> None:
    told = lanner.trade(
        "paper",
        *trade(venue, write("bracket")),
        until=lambda told: told["orders"] >= 8 and told["fills"] >= 4,
    )
    found = lanner.json("parity", told["session"])
    assert_equal(found, 4)
    assert {pair["intent"] for pair in found["pairs"]} >= {"in", "stop"}  # the target has no order on spot


@pytest.mark.nightly
def test_paper_with_resting_orders_amends_and_delays_equals_its_backtest(
    lanner: Lanner, venue: Venue, write: Any
) -> None:
    delays = ["--set", "latency.entry=7", "--set", "latency.response=3", "--set", "latency.exchange=1"]
    told = lanner.trade(
        "paper",
        *trade(venue, write("maker"), *delays),
        until=lambda told: told["orders"] >= 12 and told["fills"] >= 4,
    )
    found = lanner.json("parity", told["session"])
    assert_equal(found, 6)
    assert found["fills"]["session"] > 0
    filled = [pair["session"]["delay_ms"] for pair in found["pairs"] if pair["session"]["delay_ms"]]
    assert min(filled) >= 11
    journal = read_journal(lanner.home / "sessions" / told["session"] / "journal")
    assert {Kind.AMENDED, Kind.CANCELED, Kind.FILLED} <= {record.kind for record in journal}


@pytest.mark.nightly
def test_paper_on_two_instruments_equals_its_backtest(lanner: Lanner, venue: Venue, write: Any) -> None:
    told = lanner.trade("paper", *trade(venue, write("two"), "-i", "ETH-USDT@binance"), until=orders(8))
    found = lanner.json("parity", told["session"])
    assert_equal(found, 6)
    assert {pair["instrument"] for pair in found["pairs"]} == {"BTC-USDT.BINANCE", "ETH-USDT.BINANCE"}


@pytest.mark.nightly
def test_other_fees_are_shown_as_fees(lanner: Lanner, venue: Venue, strategy: str) -> None:
    told = lanner.trade("paper", *trade(venue, strategy), until=fills(6))
    changes = ["--set", "fees.maker=0.002", "--set", "fees.taker=0.002"]
    found = lanner.json("parity", told["session"], *changes)
    assert found["explained"]
    assert not found["identical"]
    assert found["changed"] == {"fees": {"maker": 0.002, "taker": 0.002}}
    assert found["gap"] > 1
    # sizes follow from the equity: smaller orders walk less deep into the book, which is not the fees' doing
    assert found["parts"]["fees"] == pytest.approx(found["gap"], abs=0.02)
    first = found["pairs"][0]
    assert first["note"] == "other fees"
    assert first["backtest"]["fees"] == pytest.approx(2 * first["session"]["fees"])


@pytest.mark.nightly
def test_delays_that_were_assumed_are_shown_as_latency_and_fill_price(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    told = lanner.trade("paper", *trade(venue, strategy), until=orders(12))
    found = lanner.json("parity", told["session"], "--set", "latency.entry=150")
    assert found["explained"]
    assert found["parts"]["latency"] != 0
    assert found["parts"]["missed_data"] == found["parts"]["manual_action"] == 0
    assert sum(found["parts"].values()) == pytest.approx(found["gap"])
    assert sum(pair["gap"] for pair in found["pairs"]) == pytest.approx(
        found["gap"], abs=0.005
    )  # fees in coins


@pytest.mark.nightly
def test_a_live_session_is_explained_and_its_page_shows_it(
    lanner: Lanner, venue: Venue, strategy: str, tmp_path: Path
) -> None:
    told = lanner.trade(*live(venue, strategy), until=orders(8))
    page = tmp_path / "parity.html"
    found = lanner.json("parity", told["session"], "--html", str(page))
    assert found["explained"], found["verdict"]
    assert found["orders"]["joined"] >= 5
    assert abs(found["parts"]["rest"]) < 1e-9  # averages are rounded
    assert sum(found["parts"].values()) == pytest.approx(found["gap"])
    assert found["gap"] == pytest.approx(found["session_equity"] - found["backtest_equity"])
    delays = [pair["session"]["delay_ms"] for pair in found["pairs"] if pair["session"] and pair["backtest"]]
    assert any(delay and delay > 0 for delay in delays)
    text = page.read_text()
    assert found["verdict"] in text
    assert "<script src" not in text
    assert "connect-src &#39;none&#39;" in text or "connect-src 'none'" in text


def test_a_live_session_on_a_slow_and_torn_line_is_explained(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    lanner.run("venue", "faults", venue.control, "latency:ms=60", "close:p=0.02,kind=market,count=2")
    try:
        told = lanner.trade(*live(venue, strategy), until=orders(10))
    finally:
        lanner.run("venue", "faults", venue.control, "--clear")
    found = lanner.json("parity", told["session"])
    assert found["explained"], found["verdict"]
    assert found["gap"] != 0
    assert found["orders"]["joined"] >= 3
    alone = [pair for pair in found["pairs"] if not (pair["session"] and pair["backtest"])]
    assert len(alone) == found["orders"]["session_only"] + found["orders"]["backtest_only"]
    assert all(pair["note"].startswith("only in the ") for pair in alone)
    assert sum(found["parts"].values()) == pytest.approx(found["gap"])
    assert len(found["gaps"]) >= (told["gaps"] > 0)


@pytest.mark.nightly
def test_a_pause_is_shown_as_manual_action(lanner: Lanner, venue: Venue, strategy: str) -> None:
    process = lanner.start("paper", *trade(venue, strategy, "--session", "rested", "--json"))
    lanner.until("rested", fills(1), process)
    lanner.run("pause", "rested", "--reason", "lunch")
    time.sleep(2)  # some of its trades fall into the pause
    lanner.run("resume", "rested")
    lanner.run("stop", "rested")
    process.communicate(timeout=PATIENCE_S)
    found = lanner.json("parity", "rested")
    assert found["explained"], found["verdict"]
    assert [control["action"] for control in found["controls"]] == ["pause", "resume"]
    assert "lunch" in found["controls"][0]["reason"]
    assert found["parts"]["manual_action"] == pytest.approx(found["gap"])
    assert found["gap"] != 0


@pytest.mark.nightly
def test_a_strategy_that_was_changed_is_not_explained(lanner: Lanner, venue: Venue, strategy: str) -> None:
    lanner.trade("paper", *trade(venue, strategy, "--session", "edited"), until=fills(3))
    path = Path(strategy)
    path.write_text(path.read_text().replace("0.5 if", "0.25 if"))
    found = lanner.json("parity", "edited", code=1)
    assert not found["faithful"]
    assert "decide otherwise" in found["verdict"]
    assert "no session" in lanner.run("parity", "nowhere", code=2)


EIGHT = '''
import lanner as ln


class Eight(ln.Strategy):
    """Buy four times, sell a part of it four times, then rest."""

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n in (5, 10, 15, 20):
            self.buy(0.01)
        elif self.n in (105, 110, 115, 120):
            self.sell(0.005)
'''


def test_the_same_orders_in_backtest_paper_and_replay(lanner: Lanner, venue: Venue, tmp_path: Path) -> None:
    (tmp_path / "eight.py").write_text(EIGHT)
    strategy = str(tmp_path / "eight.py")
    # a backtest ends with its data, a session by the clock: nothing may be under way then
    told = lanner.trade(
        "paper", *trade(venue, strategy), until=lambda now: now["orders"] == 8 and not now["open_orders"]
    )
    folder = lanner.home / "sessions" / told["session"]
    sent = [record.message for record in read_journal(folder / "journal") if record.kind in COMMAND_KINDS]
    paper = [(c.side, c.type, c.lots, c.ts) for c in sent if isinstance(c, SubmitOrder)]
    assert len(paper) == 8
    again = lanner.json("replay", told["session"])
    assert again["faithful"]
    assert again["commands"] == len(sent)
    # the data of the journal, through the simulated venue, without the session's reports
    plan = plan_of(read_head(folder))
    engine = play(plan, told["session"], read_journal(folder / "journal"))
    assert [(o.side, o.type, o.lots, o.ts_init) for o in engine.execution.orders.values()] == paper
    # the same data as a recording in the catalog, through `lanner backtest`
    record_quotes(lanner, folder)
    out = lanner.home / "out"
    past = lanner.json(
        "backtest", strategy, "--data", "BTC-USDT.BINANCE@quotes", "--set", "slippage.model=none",
        "--set", "fees.in_base=true", "--output", str(out),
    )  # fmt: skip
    assert past["orders"] == len(paper)
    assert past["fills"] == told["fills"]
    assert past["end_equity"] == pytest.approx(told["equity"])
    rows = pl.read_parquet(out / "orders.parquet")
    assert set(rows.columns) == set(OrderRow.__annotations__)
    lot = plan.instruments["BTC-USDT.BINANCE"].lot_float
    assert rows["ts_init"].to_list() == [ts for *_, ts in paper]
    assert rows["qty"].to_list() == pytest.approx([lots * lot for _, _, lots, _ in paper])


def record_quotes(lanner: Lanner, folder: Path) -> None:
    """Put the quotes that a session's strategy saw into the catalog, at the times at which they were known.

    What came while the session was starting, as some do on a busy machine, only moved prices.
    """
    quotes = []
    rests = False
    for record in read_journal(folder / "journal"):
        if record.kind is Kind.CONTROL and record.message.action in ("catch_up", "caught_up"):
            rests = record.message.action == "catch_up"
        elif record.kind is Kind.QUOTE and not rests:
            told = msgspec.structs.replace(record.message, ts_event=record.message.ts_recv)
            quotes.append(msgspec.structs.asdict(told))
    instrument = plan_of(read_head(folder)).instruments["BTC-USDT.BINANCE"]
    catalog = Catalog(lanner.home / "catalog")
    catalog.save_instrument(instrument)
    frame = pl.DataFrame(quotes).select([name for name in Quote.__struct_fields__ if name != "instrument_id"])
    passport = Passport(kind="quotes", instrument_id=instrument.id, spec="")
    catalog.write("quotes", instrument.id, "", [frame], passport)


@pytest.mark.nightly
def test_a_comparison_can_be_made_from_python(lanner: Lanner, venue: Venue, strategy: str) -> None:
    told = lanner.trade("paper", *trade(venue, strategy), until=fills(3))
    report = compare_session(lanner.home / "sessions" / told["session"])
    assert report.identical
    assert report.gap == 0
    assert not report.alone
    assert len(report.curves["session"]) == len(report.curves["backtest"]) > 2
    assert report.curves["session"][-1][1] == pytest.approx(float(report.session_equity))


@pytest.mark.nightly
def test_a_killed_paper_session_that_is_continued_still_equals_its_backtest(
    lanner: Lanner, venue: Venue, write: Any
) -> None:
    words = trade(venue, write("maker"), "--session", "again")
    process = lanner.start("paper", *words)
    journal = lanner.home / "sessions" / "again" / "journal" / "000001.journal"
    deadline = time.monotonic() + PATIENCE_S
    while not (journal.exists() and b"bid" in journal.read_bytes() and journal.stat().st_size > 30_000):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate()
    before = lanner.json("replay", "again")
    assert before["open_orders"] > 0
    told = lanner.trade("paper", *words, until=lambda told: told["orders"] > before["orders"] + 4)
    assert told["orders"] > before["orders"]
    assert lanner.json("replay", "again")["faithful"]
    assert_equal(lanner.json("parity", "again"), 4)
