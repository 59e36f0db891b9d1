"""The accounting identities hold exactly, end to end, whatever a strategy does and the market does to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lanner.backtest.run as running
from lanner.backtest.assemble import Played, assemble
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.rng import Rng
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.market import Bar
from lanner.sim.settings import FundingMode, Slippage, SlippageModel, VenueSettings
from lanner.strategy.base import Strategy

HOUR = 3_600_000_000_000
START = 1_704_067_200_000_000_000
SPOT = Instrument.spot("BTC-USDT.TEST", tick="0.01", lot="0.0001")
PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.01", lot="0.001", multiplier="0.5", max_leverage=10)
CASH = Decimal(10_000)


@dataclass(frozen=True)
class Case:
    """One drawn run: the market's seed, the strategy's seed and the venue's costs."""

    perp: bool
    market: int
    choices: int
    bars: int
    wild: float
    maker: Decimal
    taker: Decimal
    slippage: Slippage
    leverage: int

    @property
    def instrument(self) -> Instrument:
        return PERP if self.perp else SPOT


fees = st.sampled_from(["0", "0.001", "-0.0002", "0.00035", "0.0123456789"]).map(Decimal)
slippages = st.sampled_from(
    [
        Slippage(SlippageModel.NONE, Decimal(0)),
        Slippage(SlippageModel.BPS, Decimal(7)),
        Slippage(SlippageModel.TICKS, Decimal(3)),
        Slippage(SlippageModel.VOLUME, Decimal("0.1")),
    ]
)
seeds = st.integers(0, 2**32)
cases = st.builds(
    Case,
    perp=st.booleans(),
    market=seeds,
    choices=seeds,
    bars=st.integers(5, 60),
    wild=st.sampled_from([0.002, 0.02, 0.1]),
    maker=fees,
    taker=fees,
    slippage=slippages,
    leverage=st.sampled_from([1, 3, 10]),
)


class Monkey(Strategy):
    """Does something drawn by lot on every bar: orders of all kinds, flips, brackets, cancels."""

    timeframe = "1h"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.lot_of_chance = Rng(seed)

    def on_start(self) -> None:
        self.bars()

    def on_bar(self, bar: Bar) -> None:
        chance = self.lot_of_chance
        px, qty = bar.close, (1 + chance.integer(0, 400)) / 1000
        near = px * (1 + 0.02 * (chance.random() - 0.5))
        what = chance.integer(0, 12)
        side = self.buy if chance.random() < 0.5 else self.sell
        if what == 0:
            self.buy(qty)
        elif what == 1:
            self.sell(qty)
        elif what == 2:
            self.buy(qty, px * 0.99)
        elif what == 3:
            self.sell(qty, px * 1.01)
        elif what == 4:
            self.target(chance.random() * 2 - 1, stop="2%", take="3%")
        elif what == 5:
            self.target_qty(round(chance.random() * 2 - 1, 3), trail="1%")
        elif what == 6:
            self.close()
        elif what == 7:
            side(qty, stop_px=near)
        elif what == 8:
            side(qty, trail="1.5%")
        elif what == 9:
            self.cancel_all()
        elif what == 10:
            self.oco(self.sell(qty, px * 1.01), self.sell(qty, stop_px=px * 0.99))


def market(case: Case) -> pl.DataFrame:
    rng = Rng(case.market)
    tick = case.instrument.tick_float
    close, rows = 100.0, []
    for number in range(case.bars):
        opening = close * (1 + case.wild * (rng.random() - 0.5) * 0.3)
        close = max(1.0, opening * (1 + case.wild * (rng.random() - 0.5)))
        high = max(opening, close) * (1 + case.wild * rng.random() * 0.3)
        low = min(opening, close) * (1 - case.wild * rng.random() * 0.3)
        whole = [round(value / tick) * tick for value in (opening, high, low, close)]
        rows.append((START + number * HOUR, *(round(value, 2) for value in whole), 50.0 * rng.random() + 1))
    names = ["ts_open", "open", "high", "low", "close", "volume"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        (pl.col("ts_open") + HOUR).alias("ts_event"), (pl.col("ts_open") + HOUR).alias("ts_recv")
    )
    empty = {"quote_volume": pl.Float64, "trades": pl.Int64, "taker_buy_volume": pl.Float64}
    return frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())


def funding(case: Case) -> pl.DataFrame:
    rng = Rng(case.market + 1)
    times = [START + hours * HOUR for hours in range(0, case.bars + 9, 8)]
    return pl.DataFrame(
        {
            "ts_event": times,
            "ts_recv": times,
            "rate": [(rng.random() - 0.4) * 0.002 for _ in times],
            "interval_ns": [8 * HOUR] * len(times),
            "predicted": [False] * len(times),
        }
    )


def run(case: Case) -> tuple[BacktestResult, Played]:
    instrument = case.instrument
    streams = [memory_stream("bars", instrument.id, market(case), "1h", synthetic=True)]
    if case.perp:
        streams.append(memory_stream("funding", instrument.id, funding(case), synthetic=True))
    venue = VenueSettings(
        "TEST",
        {"USDT": CASH},
        fees=FeeSchedule(case.maker, case.taker),
        slippage=case.slippage,
        leverage=Decimal(case.leverage),
        funding=FundingMode.DATA,
    )
    spec = BacktestSpec(
        "monkey",
        "m",
        [StrategyEntry(Monkey(case.choices), 1.0)],
        streams,
        {instrument.id: instrument},
        {"TEST": venue},
        "USDT",
    )
    kept: list[Played] = []

    def keep(played: Played, *rest: Any) -> BacktestResult:
        kept.append(played)
        return assemble(played, *rest)

    with pytest.MonkeyPatch.context() as patch:  # the real assembly, with an eye on what it gets
        patch.setattr(running, "assemble", keep)
        return run_backtest(spec), kept[0]


def venue_equity(played: Played, instrument: Instrument) -> Fraction:
    """Return what the venue's own account is worth at the last price, from its balances alone."""
    account = played.venues["TEST"].account
    mark = Fraction(Decimal(repr(played.engine.cache.marks[instrument.id])))
    money = Fraction(account.balances["USDT"])
    if instrument.is_spot:
        return money + Fraction(account.balances.get("BTC", Decimal(0))) * mark
    position = account.position(instrument)
    size = Fraction(instrument.lot) * Fraction(instrument.multiplier) * position.lots
    return money + size * mark - Fraction(position.unit) * position.cost


@settings(max_examples=100)
@given(cases)
def test_the_engine_and_the_venue_agree_to_the_last_unit(case: Case) -> None:
    result, played = run(case)
    instrument = case.instrument
    assert Fraction(result.end_equity) == venue_equity(played, instrument)
    account = played.venues["TEST"].account
    own = played.engine.portfolio.position("Monkey", instrument)
    theirs = account.position(instrument)
    assert (own.lots, own.cost, own.realised, own.cash_flow) == (
        theirs.lots,
        theirs.cost,
        theirs.realised,
        theirs.cash_flow,
    )
    assert (own.fees, own.funding) == (account.fees_paid, account.funding_received)
    assert result.fees == account.fees_paid
    assert result.funding == account.funding_received


@settings(max_examples=30)
@given(cases)
def test_what_is_shown_adds_up_to_the_total(case: Case) -> None:
    result, _ = run(case)
    total = result.end_equity - CASH
    parts = result.attribution
    assert parts.total == total == parts.price + parts.fees + parts.funding + parts.slippage
    assert (parts.fees, parts.funding) == (-result.fees, result.funding)
    trips = result.round_trips
    assert sum(trip.pnl for trip in trips) == pytest.approx(float(total), abs=1e-6)
    assert sum(trip.funding for trip in trips) == pytest.approx(float(result.funding), abs=1e-9)
    assert sum(trip.fees for trip in trips) == pytest.approx(float(result.fees), abs=1e-7)
    assert sum(fill.fee for fill in result.fills) == pytest.approx(float(result.fees), abs=1e-7)
    assert result.equity.equity[-1] == pytest.approx(float(result.end_equity), abs=1e-6)
    assert np.isfinite(result.equity.equity).all()


@settings(max_examples=8)
@given(cases)
def test_a_run_repeated_leaves_the_same_fingerprint(case: Case) -> None:
    first, second = run(case)[0], run(case)[0]
    assert first.state_hash == second.state_hash
    assert first.end_equity == second.end_equity
    assert [vars_of(trip) for trip in first.round_trips] == [vars_of(trip) for trip in second.round_trips]


def vars_of(record: Any) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in record.__slots__)


@settings(max_examples=20)
@given(cases.filter(lambda case: not case.perp))
def test_spot_balances_never_go_below_zero(case: Case) -> None:
    instrument = case.instrument
    result, played = run(case)
    money, coins = Fraction(CASH), Fraction(0)
    for fill, order in played.engine.execution.fills:
        assert order.instrument is instrument
        size = Fraction(instrument.lot) * fill.lots * int(fill.side)
        money -= size * Fraction(instrument.px(fill.px_ticks)) + Fraction(fill.fee)
        coins += size
        assert money >= 0
        assert coins >= 0
    balances = played.venues["TEST"].account.balances
    assert (money, coins) == (Fraction(balances["USDT"]), Fraction(balances.get("BTC", Decimal(0))))
    assert result.end_equity >= 0


@settings(max_examples=15)
@given(cases)
def test_no_order_is_filled_beyond_its_size_and_no_trade_counts_twice(case: Case) -> None:
    _, played = run(case)
    fills = played.engine.execution.fills
    assert len({fill.trade_id for fill, _ in fills}) == len(fills)
    filled: dict[str, int] = {}
    for fill, order in fills:
        filled[order.order_id] = filled.get(order.order_id, 0) + fill.lots
        assert fill.lots > 0
        assert fill.side is order.side
    for name, lots in filled.items():
        order = played.engine.execution.orders[name]
        assert order.cum_lots == lots <= order.lots


def test_the_drawn_runs_do_trade() -> None:
    case = Case(True, 1, 2, 60, 0.02, Decimal("0.001"), Decimal("0.001"), Slippage(), 3)
    result, _ = run(case)
    assert len(result.fills) > 10
    assert len(result.round_trips) > 3
    assert result.funding != 0
