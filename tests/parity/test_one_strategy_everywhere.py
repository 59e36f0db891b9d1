"""One strategy, the same orders: in research arrays, backtest, paper, live against the simulator, and replay.

Sessions run against the venue simulator in one process and in virtual time, so nothing here depends on the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lanner.live.parity import ParityReport, compare_session
from lanner.live.parity.runs import play
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.storage.journal import read_journal
from tests.integration.live.stage import Stage, on_stage

TIMERS = '''
import lanner as ln


class Timers(ln.Strategy):
    """Be long or flat by turns, decided by one timer; another one takes back what rests far from the market."""

    def on_start(self):
        self.quotes()
        self.turns = 0
        self.set_timer("turn", every="1s")

    def on_timer(self, timer):
        if self.price() != self.price():
            return
        self.turns += 1
        if self.turns % 4 == 1:
            self.buy(0.01)
            self.buy(0.01, round(self.price() * 0.97, 1), tag="far")
        elif self.turns % 4 == 3:
            self.cancel_all()
            self.close()
'''

STOPS = '''
import lanner as ln


class Stops(ln.Strategy):
    """Buy, protect with everything there is, and begin again when the time stop has closed it."""

    def on_start(self):
        self.quotes()
        self.set_timer("enter", every="1s")

    def on_timer(self, timer):
        if self.price() == self.price() and self.position.is_flat and not self.open_orders:
            self.buy(0.02)

    def on_fill(self, fill):
        if fill.side is ln.Side.BUY and not self.stops.active():
            self.stops.set_stop_loss("3%")
            self.stops.set_take_profit("4%", partial_close_pct=0.5)
            self.stops.set_trailing_stop("6%")
            self.stops.set_time_stop(after="4s", action="reduce")
            self.stops.set_time_stop(after="6s", name="out")
'''

BRACKETS = '''
import lanner as ln


class Brackets(ln.Strategy):
    """Enter with a stop and a target that are far away; leave by a timer."""

    def on_start(self):
        self.quotes()
        self.turns = 0
        self.set_timer("turn", every="1s")

    def on_timer(self, timer):
        if self.price() != self.price():
            return
        self.turns += 1
        if self.turns % 5 == 1:
            self.buy(0.01, stop="3%", take="3%", tag="in")
        elif self.turns % 5 == 4:
            self.close()
'''

SEVERAL = '''
import lanner as ln


class Several(ln.Strategy):
    """Be in one of the instruments, by turns; the quotes of both decide when."""

    def on_start(self):
        self.seen = {}
        self.turns = 0
        self.set_timer("turn", every="1s")

    def on_quote(self, quote):
        self.seen[quote.instrument_id] = quote

    def on_timer(self, timer):
        if len(self.seen) < 2:
            return
        self.turns += 1
        if self.turns % 2:
            held, other = list(self.instruments)[:: 1 if self.turns % 4 == 1 else -1]
            self.close(other.id)
            self.buy(0.02, instrument=held.id)
'''

TRAILING = '''
import lanner as ln


class Trailing(ln.Strategy):
    """Buy, and ask for what the venue has not: a trailing stop of its own, and a change of a stop that waits."""

    def on_start(self):
        self.quotes()
        self.turns = 0
        self.set_timer("turn", every="1s")

    def on_timer(self, timer):
        self.turns += 1
        if self.turns == 2:
            self.buy(0.02)
        elif self.turns == 4:
            self.sell(0.02, trail="1%", reduce_only=True)
            self.stop = self.sell(0.02, stop_px=round(self.price() * 0.95), reduce_only=True)
        elif self.turns == 6:
            self.amend(self.stop, stop_px=round(self.price() * 0.96))
'''


STRATEGIES = {"timers": TIMERS, "stops": STOPS, "brackets": BRACKETS, "several": SEVERAL}
NAMES = {
    "binance-spot": ["BTC-USDT.BINANCE", "ETH-USDT.BINANCE"],
    "binance-usdm": ["BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE"],
    "hyperliquid": ["BTC-PERP.HYPERLIQUID", "ETH-PERP.HYPERLIQUID"],
}


def run(
    folder: Path,
    product: str,
    name: str,
    mode: str,
    seconds: float = 25.0,
    source: str = "",
    **settings: Any,
) -> Session:
    """Run a strategy against the simulator of a product, and return its session."""
    path = folder / f"{name}.py"
    path.write_text(source or STRATEGIES[name])
    sessions: list[Session] = []

    async def whole(stage: Stage) -> None:
        instruments = NAMES[product][: 2 if name == "several" else 1]
        plan = await stage.plan(path, instruments, mode, **settings)
        sessions.append(await stage.trade(plan, f"{name}-{mode}", seconds))

    on_stage(folder, product, whole, vol=0.3)
    return sessions[0]


def orders(engine: Any) -> list[tuple[Any, ...]]:
    """Return what was asked for, in order."""
    return [
        (o.ts_init, o.instrument_id, o.side, o.type, o.lots, o.px_ticks, o.stop_ticks, o.intent, o.tag)
        for o in engine.execution.orders.values()
    ]


def wanted(report: ParityReport, side: str) -> list[tuple[Any, ...]]:
    """Return what one side of each pair of orders asked for, prices aside that follow from fills."""
    found = [getattr(pair, side) for pair in report.pairs if pair not in report.alone]
    return [(o.instrument_id, o.side, o.type, o.lots, o.intent, o.tag, o.parent_id != "") for o in found]


def assert_replayed(session: Session) -> None:
    _, engine, told = replay_session(session.folder)
    assert told.faithful, told.differences
    assert engine.hash.hexdigest() == session.engine.hash.hexdigest()
    assert orders(engine) == orders(session.engine)


@pytest.mark.parametrize("product", ["binance-usdm", "binance-spot"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_paper_backtest_and_replay_give_the_same_orders(name: str, product: str, tmp_path: Path) -> None:
    session = run(tmp_path, product, name, "paper", latency={"entry": 3, "response": 2})
    assert len(session.engine.execution.orders) >= 8
    assert_replayed(session)
    again = play(session.plan, session.id, read_journal(session.folder / "journal"))
    assert orders(again) == orders(session.engine)
    report = compare_session(session.folder)
    assert report.identical
    assert (report.gap, report.alone) == (0, [])


@pytest.mark.parametrize("product", NAMES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_live_against_the_simulator_gives_the_orders_of_its_backtest(
    name: str, product: str, tmp_path: Path
) -> None:
    session = run(tmp_path, product, name, "live")
    assert len(session.engine.execution.orders) >= 8
    assert_replayed(session)
    report = compare_session(session.folder)
    # how often a trailing stop moves depends on how soon the venue answers
    assert {pair.either.intent for pair in report.alone} <= {"trailing_stop"}
    assert len(wanted(report, "session")) >= 8
    assert wanted(report, "session") == wanted(report, "backtest")
    assert report.explained


@pytest.mark.parametrize(("product", "denied"), [("hyperliquid", 1), ("binance-usdm", 0)])
def test_the_backtests_side_may_do_no_more_than_the_venue(product: str, denied: int, tmp_path: Path) -> None:
    for mode in ("paper", "live"):
        session = run(tmp_path, product, "trailing", mode, 10.0, TRAILING)
        report = compare_session(session.folder)
        for side in ("session", "backtest"):
            found = [getattr(pair, side) for pair in report.pairs]
            assert [o.status.name for o in found].count("DENIED") == denied
        changes = [r.kind.name for r in read_journal(session.folder / "journal") if "AMEND" in r.kind.name]
        assert changes == ([] if product == "binance-usdm" else ["AMEND", "AMENDED"])
        assert report.explained
