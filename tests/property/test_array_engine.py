"""The array engine sends and fills the same orders as the event engine, bar for bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.market import Market
from lanner.research.simulate import Protection, Simulated, Simulator, StackedGuardsError, make_rules
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    GapFill,
    LimitOn,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from lanner.storage.schema import SCHEMAS
from tests.examples import examples

HOUR = 3_600_000_000_000
START = 1_704_067_200_000_000_000
NAMES = {True: "BTC-USDT.TEST", False: "BTC-PERP.TEST"}


@dataclass(frozen=True)
class Case:
    """One drawn run."""

    spot: bool
    market: int
    rows: int
    wild: float
    levels: tuple[float, ...]
    change: float
    short: bool
    stop: str | None
    take: str | None
    taker: str
    maker: str
    slippage: Slippage
    leverage: int
    touch: bool
    gap: GapFill
    on: MarketOn
    capital: int
    min_notional: str
    min_qty: str
    funding: bool


slippages = st.sampled_from(
    [
        Slippage(SlippageModel.NONE, Decimal(0)),
        Slippage(SlippageModel.BPS, Decimal(5)),
        Slippage(SlippageModel.BPS, Decimal("0.37")),
        Slippage(SlippageModel.TICKS, Decimal(3)),
        Slippage(SlippageModel.VOLUME, Decimal("0.01")),
    ]
)
cases = st.builds(
    Case,
    spot=st.booleans(),
    market=st.integers(0, 2**32),
    rows=st.integers(3, 120),
    wild=st.sampled_from([0.001, 0.01, 0.05]),
    levels=st.sampled_from(
        [
            (0.0, 1.0),
            (0.0, 1.0, -1.0),
            (0.0, 0.25, 0.5, 1.0),
            (-1.0, -0.4, 0.3, 1.0),
            (1.0,),
            (0.0, 0.0065, 0.02),
        ]
    ),
    change=st.sampled_from([0.05, 0.3, 1.0]),
    short=st.booleans(),
    stop=st.sampled_from([None, "1%", "0.2%", "5%"]),
    take=st.sampled_from([None, "1%", "0.3%", "6%"]),
    taker=st.sampled_from(["0", "0.0005", "0.001", "0.00035", "0.0123456789"]),
    maker=st.sampled_from(["0", "0.0002", "-0.00005"]),
    slippage=slippages,
    leverage=st.sampled_from([1, 3]),
    touch=st.booleans(),
    gap=st.sampled_from(list(GapFill)),
    on=st.sampled_from([MarketOn.NEXT_OPEN, MarketOn.NEXT_OPEN, MarketOn.CLOSE]),
    capital=st.sampled_from([10_000, 57, 123_456]),
    min_notional=st.sampled_from(["0", "10", "60"]),
    min_qty=st.sampled_from(["0.001", "0.05"]),
    funding=st.booleans(),
)


def bars(case: Case) -> pl.DataFrame:
    """Bars whose volume carries the weight: (volume − 100) / 16."""
    rng = np.random.default_rng([case.market, 1])
    n = case.rows
    px = np.round(100 * np.exp(np.cumsum(rng.normal(0, case.wild, n))), 2)
    gap = np.round(px * rng.normal(0, case.wild / 3, n) * (rng.random(n) < 0.3), 2)
    opening = np.maximum(0.01, np.append(px[:1], px[:-1]) + gap).round(2)
    wick = np.round(px * case.wild * rng.random((2, n)), 2)
    chosen = rng.choice(case.levels, n)
    weight = np.empty(n)
    last = 0.0
    for index in range(n):
        last = chosen[index] if rng.random() < case.change else last
        weight[index] = last
    ts = START + HOUR * np.arange(1, n + 1)
    raw = pl.DataFrame(
        {
            "ts_event": ts,
            "ts_recv": ts,
            "ts_open": ts - HOUR,
            "open": opening,
            "high": np.maximum(opening, px) + wick[0],
            "low": np.maximum(0.01, np.minimum(opening, px) - wick[1]),
            "close": px,
            "volume": 100 + 16 * weight,
        }
    )
    return raw.select(
        pl.col(name).cast(dtype) if name in raw.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )


def payments(case: Case) -> pl.DataFrame:
    rng = np.random.default_rng([case.market, 2])
    ts = START + HOUR // 2 * np.arange(0, 2 * case.rows + 1)
    ts = ts[rng.random(len(ts)) < 0.3]
    ts = np.unique(np.concatenate(([START], ts, [START + HOUR * case.rows])))
    raw = pl.DataFrame(
        {
            "ts_event": ts,
            "ts_recv": ts,
            "rate": rng.normal(0, 1e-3, len(ts)),
            "predicted": np.zeros(len(ts), bool),
        }
    )
    return raw.select(
        pl.col(name).cast(dtype) if name in raw.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["funding"].items()
    )


def settings_of(case: Case) -> tuple[Instrument, VenueSettings]:
    fees = FeeSchedule(maker=Decimal(case.maker), taker=Decimal(case.taker))
    make = Instrument.spot if case.spot else partial(Instrument.perp, max_leverage=10)
    instrument = make(
        NAMES[case.spot],
        tick="0.01",
        lot="0.001",
        min_qty=case.min_qty,
        min_notional=case.min_notional,
        fees=fees,
    )
    venue = VenueSettings(
        name="TEST",
        balances={instrument.settle: Decimal(case.capital)},
        leverage=Decimal(case.leverage),
        slippage=case.slippage,
        fills=FillSettings(
            market_on=case.on,
            limit_on=LimitOn.TOUCH if case.touch else LimitOn.THROUGH,
            gap_fill=case.gap,
        ),
        funding=FundingMode.DATA if case.funding and not case.spot else FundingMode.ASSUME_ZERO,
    )
    return instrument, venue


def by_events(case: Case) -> BacktestResult:
    instrument, venue = settings_of(case)

    @ln.signal("1h", stop=case.stop, take=case.take, allow_short=case.short)
    def carried(bars):  # type: ignore[no-untyped-def]
        return (bars.volume - 100.0) / 16.0

    streams = [memory_stream("bars", instrument.id, bars(case), "1h")]
    if venue.funding is FundingMode.DATA:
        streams.append(memory_stream("funding", instrument.id, payments(case)))
    return run_backtest(
        BacktestSpec(
            name="twin",
            run_id="twin",
            strategies=[StrategyEntry(carried(), 1.0)],
            streams=streams,
            instruments={instrument.id: instrument},
            venues={"TEST": venue},
            currency=instrument.settle,
        )
    )


def by_arrays(case: Case) -> Simulated:
    instrument, venue = settings_of(case)
    funding = [payments(case)] if venue.funding is FundingMode.DATA else []
    market = Market.from_frames(instrument, "1h", [bars(case)], funding)
    protection = Protection.of(case.stop, case.take)
    rules = make_rules(
        instrument, venue, Decimal(case.capital), allow_short=case.short, protection=protection
    )
    weights = (market.columns["volume"] - 100.0) / 16.0
    return Simulator(market, rules).run(weights)


def fills_of(result: BacktestResult) -> list[tuple[object, ...]]:
    return [
        (fill.ts, fill.side, round(fill.qty * 1000), round(fill.px * 100), fill.liquidity, fill.fee)
        for fill in result.fills
    ]


def fills_by_arrays(made: Simulated) -> list[tuple[object, ...]]:
    market = made.market
    found: list[tuple[object, ...]] = []
    for row in made.fills:
        bar = int(row["bar"])
        at_open = row["at"] == 0
        ts = int(market.columns["ts_open"][bar]) + 1 if at_open else int(market.ts[bar])
        liquidity = "maker" if row["maker"] else "taker"
        found.append((ts, int(row["side"]), int(row["lots"]), int(row["px"]), liquidity, row["fee"] / 1e12))
    return found


def orders_of(result: BacktestResult) -> list[tuple[object, ...]]:
    ends = {"open": 0, "accepted": 0, "submitted": 0, "filled": 1, "canceled": 2, "rejected": 3}
    return [
        (
            order.side,
            round(order.qty * 1000),
            ends.get(order.status, order.status),
            round(order.cum_qty * 1000),
        )
        for order in result.orders
    ]


@settings(max_examples=examples(300), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases)
def test_arrays_and_events_fill_the_same_orders(case: Case) -> None:
    try:
        made = by_arrays(case)
    except StackedGuardsError:
        return  # several brackets at once: the event engine's work
    result = by_events(case)
    wanted = fills_of(result)
    found = fills_by_arrays(made)
    assert [fill[:5] for fill in found] == [fill[:5] for fill in wanted]
    assert [fill[5] for fill in found] == pytest.approx([fill[5] for fill in wanted], abs=1e-9)
    assert int(made.book["orders"]) == len(result.orders)
    assert made.end_equity == pytest.approx(float(result.end_equity), abs=1e-6)
    assert float(made.book["funding"]) == pytest.approx(float(result.funding), abs=1e-9)
    curve = np.asarray(result.equity.equity)
    assert np.allclose(made.equity[-len(curve) :], curve, rtol=0, atol=1e-6)
    trips = [trip for trip in result.round_trips if not trip.open]
    assert int(made.book["trades"]) == len(trips)
    won = math.fsum(trip.pnl for trip in trips if trip.pnl > 0)
    lost = math.fsum(-trip.pnl for trip in trips if trip.pnl < 0)
    assert float(made.book["won"]) == pytest.approx(won, abs=1e-6)
    assert float(made.book["lost"]) == pytest.approx(lost, abs=1e-6)
