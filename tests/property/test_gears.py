"""The driver's fast gear gives the very result of showing every message to the venue first."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from lanner.backtest.driver import Driver
from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry, Stream
from lanner.core.clock import TimerEvent
from lanner.core.rng import Rng
from lanner.model.enums import OrderStatus, TimeInForce
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.market import Bar, Quote, Trade
from lanner.model.orders import OrderView
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    Latency,
    LatencySettings,
    LimitOn,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from lanner.storage.schema import SCHEMAS
from lanner.strategy.base import Strategy
from tests.examples import examples

MINUTE = 60_000_000_000
SECOND = 1_000_000_000
START = 1_704_067_200_000_000_000
NAMES = ("AAA-PERP.TEST", "BBB-PERP.TEST")


@dataclass(frozen=True)
class Case:
    """One drawn run: which data it plays, how the venue behaves, and the seeds."""

    data: tuple[str, ...]
    instruments: int
    market: int
    choices: int
    rows: int
    wild: float
    touch: bool
    entry_ns: int
    feed_ns: int
    participation: float
    on: MarketOn
    slippage: SlippageModel
    gaps: bool = False


cases = st.builds(
    Case,
    data=st.sampled_from(
        [
            ("bars",),
            ("quotes",),
            ("trades",),
            ("bars", "quotes"),
            ("quotes", "trades"),
            ("bars", "mark", "funding"),
        ]
    ),
    instruments=st.integers(1, 2),
    market=st.integers(0, 2**32),
    choices=st.integers(0, 2**32),
    rows=st.integers(20, 300),
    wild=st.sampled_from([0.0002, 0.001, 0.005]),
    touch=st.booleans(),
    entry_ns=st.sampled_from([0, 0, 5_000_000, 90 * SECOND]),
    feed_ns=st.sampled_from([0, 0, 20_000_000, 61 * SECOND]),
    participation=st.sampled_from([1.0, 0.05]),
    on=st.sampled_from(list(MarketOn)),
    slippage=st.sampled_from(list(SlippageModel)),
    gaps=st.booleans(),
)


class Sleeper(Strategy):
    """Does nothing most of the time, and now and then anything: what rests is left alone for long."""

    timeframe = "1m"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Rng(seed)

    def act(self, name: str, px: float) -> None:
        if self.chance.random() > 0.08 or px != px:
            return
        if self.chance.random() < 0.2:
            with self.batch():
                for _ in range(1 + self.chance.integer(0, 3)):
                    self.once(name, px)
        else:
            self.once(name, px)

    def once(self, name: str, px: float) -> None:
        what = self.chance.integer(0, 14)
        if what < 7:
            self.send(what, name, px)
        elif what == 7:
            self.cancel_all(name)
        elif what == 8:
            at = self.now + self.chance.integer(0, 300) * SECOND
            self.set_timer(f"t{self.chance.integer(0, 3)}", at=at)
        elif what == 9:
            self.close(instrument=name)
        elif what == 10:
            low, high = (
                self.buy("0.2", px * 0.997, instrument=name),
                self.sell("0.2", px * 1.003, instrument=name),
            )
            self.oco(low, high)
        elif orders := [order for order in self.open_orders if order.instrument_id == name]:
            self.tend(what, orders[self.chance.integer(0, len(orders))], px)

    def send(self, what: int, name: str, px: float) -> None:
        """Send a new order."""
        chance = self.chance
        qty, far = self.size(), self.far(px)
        side = self.buy if chance.random() < 0.5 else self.sell
        if what == 0:
            side(qty, instrument=name)
        elif what < 3:
            side(qty, far, instrument=name)
        elif what == 3:
            self.target(chance.random() * 2 - 1, stop="0.4%", take="0.6%", instrument=name)
        elif what == 4:
            side(qty, trail="0.3%", instrument=name)
        elif what == 5:
            side(qty, stop_px=far, instrument=name)
        else:
            expire = self.now + (1 + chance.integer(0, 40)) * MINUTE // 2
            side(qty, far, tif=TimeInForce.GTD, expire=expire, instrument=name)

    def tend(self, what: int, order: OrderView, px: float) -> None:
        """Do something with an order that works."""
        if what == 11:
            side = self.buy if self.chance.random() < 0.5 else self.sell
            scaled = self.chance.random() < 0.5
            side(self.size(), self.far(px), after=order, scaled=scaled, instrument=order.instrument_id)
        elif what == 12:
            self.cancel(order)
        elif order.status is OrderStatus.ACCEPTED and order.px is not None and order.stop_px is None:
            self.amend(order, px=self.far(px))

    def size(self) -> float:
        return (1 + self.chance.integer(0, 40)) / 100

    def far(self, px: float) -> float:
        return px * (1 + 0.01 * (self.chance.random() - 0.5))

    def on_timer(self, timer: TimerEvent) -> None:
        self.act(self.instruments[0].id, self.price(self.instruments[0].id))


class OnBars(Sleeper):
    """Sleeps over bars."""

    def on_start(self) -> None:
        for instrument in self.instruments:
            self.bars("1m", instrument.id)

    def on_bar(self, bar: Bar) -> None:
        self.act(bar.instrument_id, bar.close)


class OnQuotes(Sleeper):
    """Sleeps over quotes."""

    def on_quote(self, quote: Quote) -> None:
        self.act(quote.instrument_id, quote.mid)


class OnTrades(Sleeper):
    """Sleeps over trades."""

    def on_trade(self, trade: Trade) -> None:
        self.act(trade.instrument_id, trade.px)


def walk(case: Case, number: int, rows: int) -> np.ndarray:
    rng = np.random.default_rng([case.market, number])
    return np.round(100 * np.exp(np.cumsum(rng.normal(0, case.wild, rows + 1))), 2)


def frame(case: Case, kind: str, number: int) -> pl.DataFrame:
    rng = np.random.default_rng([case.market, number, 7])
    rows = case.rows * (4 if kind in ("quotes", "trades") else 1)
    step = MINUTE // 4 if kind in ("quotes", "trades") else MINUTE
    px = walk(case, number, rows)
    ts = START + step * np.arange(1, rows + 1)
    if kind in ("quotes", "trades"):
        ts += rng.integers(0, SECOND, rows)
    columns: dict[str, object] = {"ts_event": ts, "ts_recv": ts}
    if kind == "bars":
        wick = np.round(px[1:] * case.wild * rng.random(rows), 2)
        columns |= {
            "ts_open": ts - MINUTE,
            "open": px[:-1],
            "high": np.maximum(px[:-1], px[1:]) + wick,
            "low": np.minimum(px[:-1], px[1:]) - wick,
            "close": px[1:],
            "volume": rng.integers(1, 50, rows).astype(float),
        }
    elif kind == "quotes":
        columns |= {"bid_px": px[1:] - 0.01, "ask_px": px[1:] + 0.01}
        columns |= {side: rng.integers(1, 3, rows) / 4 for side in ("bid_qty", "ask_qty")}
        columns["seq"] = np.zeros(rows, dtype=np.int64)
    elif kind == "trades":
        columns |= {
            "px": px[1:],
            "qty": rng.integers(1, 30, rows) / 20,
            "aggressor": rng.choice([-1, 1], rows),
        }
        columns["trade_id"] = [str(i) for i in range(rows)]
    elif kind == "mark":
        columns["mark_px"] = px[1:]
    else:
        columns |= {"rate": rng.normal(0, 1e-3, rows), "predicted": rng.random(rows) < 0.9}
    raw = pl.DataFrame(columns)
    found = raw.select(
        pl.col(name).cast(dtype) if name in columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS[kind].items()
    )
    return found.filter(pl.Series((rng.random(rows) > 0.3) | (np.arange(rows) == 0))) if case.gaps else found


def specification(case: Case) -> BacktestSpec:
    names = NAMES[: case.instruments]
    fees = FeeSchedule(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
    instruments = {
        name: Instrument.perp(name, tick="0.01", lot="0.01", fees=fees, max_leverage=10) for name in names
    }
    streams: list[Stream] = [
        memory_stream(kind, name, frame(case, kind, number), "1m" if kind == "bars" else "")
        for number, name in enumerate(names)
        for kind in case.data
    ]
    kind = {"bars": OnBars, "quotes": OnQuotes, "trades": OnTrades}[case.data[0]]
    venue = VenueSettings(
        name="TEST",
        balances={"USDT": Decimal(10_000)},
        leverage=Decimal(5),
        fills=FillSettings(
            limit_on=LimitOn.TOUCH if case.touch else LimitOn.THROUGH,
            participation=case.participation,
            bar_participation=0.3 if case.participation < 1 else 0.0,
            market_on=case.on,
        ),
        slippage=Slippage(
            case.slippage, Decimal("0.01") if case.slippage is SlippageModel.VOLUME else Decimal(2)
        ),
        funding=FundingMode.DATA if "funding" in case.data else FundingMode.ASSUME_ZERO,
        latency=LatencySettings(
            entry=Latency(mean_ns=case.entry_ns),
            response=Latency(mean_ns=case.entry_ns // 3),
            feed=Latency(mean_ns=case.feed_ns),
        ),
    )
    return BacktestSpec(
        name="gears",
        run_id="gears",
        strategies=[StrategyEntry(kind(case.choices), 1.0)],
        streams=streams,
        instruments=instruments,
        venues={"TEST": venue},
        currency="USDT",
    )


QUOTE_COMES_BACK = Case(
    data=("quotes",),
    instruments=1,
    market=300,
    choices=1,
    rows=300,
    wild=0.0002,
    touch=False,
    entry_ns=5_000_000,
    feed_ns=0,
    participation=0.05,
    on=MarketOn.CLOSE,
    slippage=SlippageModel.VOLUME,
)
"""A quote that we took from changes and comes back while no order works: it is whole again."""
TWO_BARS_AT_ONCE = Case(
    data=("bars",),
    instruments=2,
    market=24387,
    choices=936,
    rows=104,
    wild=0.001,
    touch=False,
    entry_ns=0,
    feed_ns=0,
    participation=1.0,
    on=MarketOn.CLOSE,
    slippage=SlippageModel.NONE,
)
"""An order sent at the close of one instrument's bar arrives before another's bar of the same time is played."""


@settings(max_examples=examples(250), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(case=QUOTE_COMES_BACK)
@example(case=TWO_BARS_AT_ONCE)
@given(case=cases)
def test_both_gears_send_and_fill_the_same_orders(case: Case) -> None:
    fast = run_backtest(specification(case))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Driver, "_fast_loop", lambda self: None)
        slow = run_backtest(specification(case))
    assert fast.fills == slow.fills
    assert fast.orders == slow.orders
    assert fast.state_hash == slow.state_hash
    assert fast.end_equity == slow.end_equity
    assert fast.warnings == slow.warnings
    assert fast.events == slow.events
