"""The stops of a position in backtests, and against the venue simulator: resting there, lost there, watched here."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.bus import MessageBus
from lanner.drill.run import play as play_drill
from lanner.drill.scenario import Wishes, draw
from lanner.live.parity import compare_session
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.risk.checks import RiskLimits
from lanner.sim.settings import FundingMode, Slippage, SlippageModel, VenueSettings
from lanner.storage.schema import SCHEMAS
from lanner.venues.link import Link
from tests.integration.live.stage import Stage, on_stage

MINUTE = 60_000_000_000
PERP = Instrument.perp("AAA-PERP.SIM", tick="0.1", lot="0.001", max_leverage=10)
SPOT = Instrument.spot("AAA-USDT.SIM", tick="0.1", lot="0.001")

VENUE = VenueSettings(
    "SIM",
    {"USDT": Decimal(10_000)},
    slippage=Slippage(SlippageModel.NONE, Decimal(0)),
    funding=FundingMode.ASSUME_ZERO,
)

# -- backtests -----------------------------------------------------------------------------------------------


class Once(ln.Strategy):
    """Buy one on the second bar, and arm what the test wants."""

    timeframe = "1m"

    def __init__(self, arm: Any) -> None:
        super().__init__()
        self.arm = arm
        self.bars_seen = 0

    def on_start(self) -> None:
        self.bars("1m")

    def on_bar(self, bar: ln.Bar) -> None:
        self.bars_seen += 1
        if self.bars_seen == 2:
            self.buy(1)

    def on_fill(self, fill: ln.Fill) -> None:
        if fill.side is ln.Side.BUY:
            self.arm(self.stops)


def play(
    arm: Any, rows: list[tuple[float, float, float, float]], *, resident: bool = True, instrument: Any = PERP
) -> BacktestResult:
    count = len(rows)
    known = {
        "ts_open": [i * MINUTE for i in range(count)],
        "ts_event": [(i + 1) * MINUTE for i in range(count)],
        "ts_recv": [(i + 1) * MINUTE for i in range(count)],
        **{name: [row[n] for row in rows] for n, name in enumerate(("open", "high", "low", "close"))},
        "volume": [1000.0] * count,
    }
    frame = pl.DataFrame(known).select(
        pl.col(name).cast(dtype) if name in known else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )
    return run_backtest(
        BacktestSpec(
            "stops",
            "stops",
            [StrategyEntry(Once(arm), 1.0)],
            [memory_stream("bars", instrument.id, frame, "1m")],
            {instrument.id: instrument},
            {"SIM": VENUE},
            "USDT",
            risk=RiskLimits(resident_stops=resident),
        )
    )


def flat(px: float) -> tuple[float, float, float, float]:
    return px, px + 0.5, px - 0.5, px


def fills(result: BacktestResult) -> list[tuple[int, float, float]]:
    return [(fill.side, fill.qty, fill.px) for fill in result.fills]


FALL = [flat(100), flat(100), flat(100), flat(100), (100, 100, 94, 96), flat(96), flat(96)]
RISE = [
    flat(100),
    flat(100),
    flat(100),
    (100, 106, 100, 105),
    (105, 111, 105, 110),
    (110, 110, 100, 101),
    flat(101),
]


def test_a_resting_stop_fills_at_its_price_inside_a_bar() -> None:
    assert fills(play(lambda stops: stops.set_stop_loss(95), FALL)) == [(1, 1.0, 100.0), (-1, 1.0, 95.0)]


def test_a_stop_that_the_engine_watches_leaves_with_the_bar_that_reached_it() -> None:
    found = play(lambda stops: stops.set_stop_loss(95), FALL, resident=False)
    assert fills(found) == [(1, 1.0, 100.0), (-1, 1.0, 96.0)]


@pytest.mark.parametrize("instrument", [PERP, SPOT])
def test_a_partial_take_profit_leaves_a_stop_for_the_rest(instrument: Instrument) -> None:
    def arm(stops: ln.StopLossManager) -> None:
        stops.set_stop_loss("5%")
        stops.set_take_profit(105, order_type="limit", partial_close_pct=0.5)

    rows = [*RISE[:4], (105, 105, 94, 95), flat(95), flat(95)]
    sold = [fill for fill in fills(play(arm, rows, instrument=instrument)) if fill[0] < 0]
    assert [qty for _, qty, _ in sold] == [0.5, 0.5]
    assert sold[0][2] >= 105
    assert sold[1][2] == 95.0


def test_a_trailing_stop_follows_bar_by_bar() -> None:
    found = play(lambda stops: stops.set_trailing_stop(distance=4), RISE)
    assert fills(found)[-1] == (-1, 1.0, 107.0), "111 was the best price"


def test_a_time_stop_leaves_on_time() -> None:
    found = play(lambda stops: stops.set_time_stop(after="2m"), [flat(100)] * 8)
    assert [side for side, _, _ in fills(found)] == [1, -1]
    bought, sold = found.fills
    assert sold.ts - bought.ts >= 2 * MINUTE


@pytest.mark.parametrize("resident", [True, False])
def test_the_same_run_has_the_same_fingerprint(resident: bool) -> None:
    def arm(stops: ln.StopLossManager) -> None:
        stops.set_trailing_stop("3%")
        stops.set_stop_loss(98, partial_close_pct=0.3)
        stops.set_take_profit(109, partial_close_pct=0.5)

    runs = [play(arm, RISE, resident=resident) for _ in range(2)]
    assert runs[0].state_hash == runs[1].state_hash
    assert len(runs[0].fills) > 2


# -- live, against the simulator -----------------------------------------------------------------------------

GUARDED = """
import lanner as ln


class Guarded(ln.Strategy):
    def on_start(self):
        self.done = False

    def on_quote(self, quote):
        if not self.done:
            self.done = True
            self.buy(0.02)

    def on_fill(self, fill):
        if fill.side is ln.Side.BUY and not self.stops.active():
            self.stops.set_stop_loss("{stop}")
            self.stops.set_take_profit("9%", order_type="limit", partial_close_pct=0.5)
"""
PRODUCTS = {
    "binance-spot": "BTC-USDT.BINANCE",
    "binance-usdm": "BTCUSDT-PERP.BINANCE",
    "hyperliquid": "BTC-PERP.HYPERLIQUID",
}


def strategy(folder: Path, stop: str = "5%") -> Path:
    path = folder / "guarded.py"
    path.write_text(GUARDED.format(stop=stop))
    return path


def is_protected(session: Session) -> bool:
    execution = session.engine.execution
    position = next(iter(session.engine.portfolio.positions.values()), None)
    resting = [
        o
        for o in execution.orders.values()
        if o.intent == "stop_loss" and o.status is ln.OrderStatus.ACCEPTED
    ]
    return position is not None and position.lots > 0 and sum(o.leaves_lots for o in resting) == position.lots


async def take_back(link: Link, order: Order) -> None:
    """Take an order back by its number at the venue, which may change with an amend."""
    [there] = [one for one in await link.ask(link.codec.open_orders()) if one.order_id == order.order_id]
    await link.ask(link.codec.cancel_order(order.instrument_id, there.venue_order_id))


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_stop_rests_at_the_venue_and_one_that_is_lost_is_sent_again(product: str, tmp_path: Path) -> None:
    name = PRODUCTS[product]
    alarms: list[str] = []

    async def lose(stage: Stage, session: Session) -> None:
        """Take the stop back behind the session's back, as somebody at the venue's own page would."""
        await stage.until(lambda: is_protected(session))
        session.bus.subscribe("risk.stop.*", lambda topic, _: alarms.append(topic))
        stops = [o for o in session.engine.execution.orders.values() if o.intent == "stop_loss"]
        # a smaller one of before the entry's last fill may still be on its way back
        [stop] = [order for order in stops if order.status is ln.OrderStatus.ACCEPTED]
        await take_back(session.links[product], stop)
        await stage.until(lambda: not stop.is_open and is_protected(session))

    async def both(stage: Stage) -> None:
        plan = await stage.plan(strategy(tmp_path), [name])
        session = await stage.trade(plan, "guarded", 2, lambda session: lose(stage, session))
        assert alarms == ["risk.stop.missing", "risk.stop.replaced"]
        _, engine, told = replay_session(session.folder)
        assert told.faithful, told.differences
        assert engine.hash.hexdigest() == session.engine.hash.hexdigest()

    on_stage(tmp_path, product, both)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_stop_that_went_missing_while_the_session_was_down_is_placed_again(
    product: str, tmp_path: Path
) -> None:
    name = PRODUCTS[product]

    async def play(stage: Stage) -> None:
        plan = await stage.plan(strategy(tmp_path), [name])
        first = await stage.trade(plan, "guarded", 1, lambda s: stage.until(lambda: is_protected(s)))
        stop = next(
            o for o in first.engine.execution.orders.values() if o.intent == "stop_loss" and o.is_open
        )
        async with stage.reach() as link:
            link.codec.remember({stop.order_id: stop})
            await take_back(link, stop)
        bus, heard = listening()
        again = await stage.trade(plan, "guarded", 1, lambda s: stage.until(lambda: is_protected(s)), bus)
        assert "risk.stop.missing" in heard
        told = again.engine.execution.orders[stop.order_id]
        assert not told.is_open
        assert replay_session(again.folder)[2].faithful

    on_stage(tmp_path, product, play)


def listening() -> tuple[MessageBus, list[str]]:
    bus = MessageBus()
    heard: list[str] = []
    bus.subscribe("risk.stop.*", lambda topic, _: heard.append(topic))
    return bus, heard


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_stop_that_the_engine_watches_closes_the_position(mode: str, tmp_path: Path) -> None:
    name = PRODUCTS["binance-usdm"]

    async def play(stage: Stage) -> None:
        settings = {"risk": {"stops": "engine"}}
        plan = await stage.plan(strategy(tmp_path, "0.01%"), [name], mode, **settings)

        async def gone(session: Session) -> None:
            stats = session.engine.desks["Guarded"].stops.get_stats
            await stage.until(
                lambda: (
                    stats()["stops_triggered"] == 1
                    and not session.engine.portfolio.positions["Guarded", name].lots
                )
            )

        session = await stage.trade(plan, "watched", 1, gone)
        orders = session.engine.execution.orders.values()
        assert [(o.type.name, o.intent) for o in orders] == [("MARKET", "order"), ("MARKET", "stop_loss")]
        assert replay_session(session.folder)[2].faithful
        report = compare_session(session.folder)
        assert report.explained
        assert report.identical or mode == "live"

    on_stage(tmp_path, "binance-usdm", play)


DRILLED = '''
import lanner as ln


class Drilled(ln.Strategy):
    """Trade all the time, protected by stops of all kinds that go off often."""

    def on_start(self):
        self.quotes()
        self.n = 0
        self.set_timer("turn", every="1s")

    def on_timer(self, timer):
        self.n += 1
        if self.price() != self.price():
            return
        if self.position.is_flat:
            self.buy(0.02)
        elif self.n % 5 == 0:
            self.buy(0.01)
        elif self.n % 17 == 0:
            self.close()

    def on_fill(self, fill):
        if self.position.is_long and fill.side is ln.Side.BUY and not self.stops.active():
            self.stops.set_stop_loss("0.05%")
            self.stops.set_take_profit("0.05%", partial_close_pct=0.5)
            self.stops.set_take_profit("0.1%", order_type="limit", name="far")
            self.stops.set_trailing_stop("0.08%")
            self.stops.set_time_stop(after="6s", action="reduce")
'''


def test_stops_lose_nothing_whatever_the_venue_does(tmp_path: Path) -> None:
    """A dozen runs of the fault campaign; `lanner drill FILE --seeds N` plays as many as one likes."""
    path = tmp_path / "drilled.py"
    path.write_text(DRILLED)
    for seed in range(300, 312):
        outcome = play_drill(draw(seed, Wishes(strategy=str(path))))
        assert outcome.violations == [], f"seed {seed}: {outcome.told}"
