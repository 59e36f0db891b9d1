"""A compiled strategy sends and fills the same orders in its own loop and in the event engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry, Stream
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.market import Market
from lanner.research.simulate import StackedGuardsError
from lanner.research.tier_compiled import CompiledRun, CompiledRunner, terms_of
from lanner.research.tier_quotes import QuoteMarket
from lanner.research.tier_replay import run_compiled_backtest
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
from lanner.strategy.compiled import CompiledStrategy, compiled
from tests.examples import examples

HOUR = 3_600_000_000_000
START = 1_704_067_200_000_000_000
NAMES = {True: "BTC-USDT.TEST", False: "BTC-PERP.TEST"}
MODULUS, FACTOR = 2_147_483_647, 48_271


def draws_on_quotes(ctx, bar, seed=1, busy=0.3, quoting=0.5, size=1.0):  # type: ignore[no-untyped-def]
    """Like ``draws``, with limits around the spread."""
    if ctx.index == 0:
        ctx.dice = seed
    ctx.dice = ctx.dice * 48271 % 2147483647
    if ctx.dice / 2147483647.0 > busy:
        return
    ctx.dice = ctx.dice * 48271 % 2147483647
    what = ctx.dice % 12
    ctx.dice = ctx.dice * 48271 % 2147483647
    chance = ctx.dice / 2147483647.0
    if what >= 6 and chance < quoting:
        ctx.dice = ctx.dice * 48271 % 2147483647
        near = bar.mid + 6.0 * bar.spread * (ctx.dice / 2147483647.0 - 0.5)
        if what < 8:
            ctx.bid(size * chance, near)
        elif what < 10:
            ctx.ask(size * chance, near)
        elif what == 10:
            ctx.bid(size * chance, bar.bid_px)
            ctx.ask(size, bar.ask_px)
        elif ctx.bid_left > 0.0:
            ctx.cancel_bid()
        else:
            ctx.cancel_ask()
    elif what == 0:
        ctx.close()
    elif what == 1:
        ctx.buy(size * chance)
    elif what == 2:
        ctx.sell(size * chance)
    elif what == 3:
        ctx.target(1.0)
    elif what == 4:
        ctx.target(-chance)
    elif what == 5:
        ctx.target(2.0 * chance - 1.0)


def draws(ctx, bar, seed=1, busy=0.3, quoting=0.5, size=1.0):  # type: ignore[no-untyped-def]  # noqa: C901
    """Ask for anything now and then; the dice are a congruential generator that lives in the state."""
    if ctx.index == 0:
        ctx.dice = seed
    ctx.dice = ctx.dice * 48271 % 2147483647
    if ctx.dice / 2147483647.0 > busy:
        return
    ctx.dice = ctx.dice * 48271 % 2147483647
    what = ctx.dice % 12
    ctx.dice = ctx.dice * 48271 % 2147483647
    chance = ctx.dice / 2147483647.0
    if what >= 6 and chance < quoting:
        ctx.dice = ctx.dice * 48271 % 2147483647
        near = bar.close * (1.0 + 0.02 * (ctx.dice / 2147483647.0 - 0.5))
        if what < 8:
            ctx.bid(size * chance, near)
        elif what < 10:
            ctx.ask(size * chance, near)
        elif what == 10:
            ctx.bid(size * chance, near)
            ctx.ask(size, near * 1.003)
        elif ctx.bid_left > 0.0:
            ctx.cancel_bid()
        elif ctx.ask_left > 0.0:
            ctx.cancel_ask()
    elif what == 0:
        ctx.close()
    elif what == 1:
        ctx.buy(size * chance)
    elif what == 2:
        ctx.sell(size * chance)
    elif what == 3:
        ctx.target(1.0)
    elif what == 4:
        ctx.target(-chance)
    elif what == 5:
        ctx.target(2.0 * chance - 1.0)
    elif what == 11 and ctx.position != 0.0 and ctx.equity > 0.0:
        ctx.sell(ctx.position / 2.0)


def turns(ctx, bar, seed=1, busy=0.3, quoting=0.5, size=1.0):  # type: ignore[no-untyped-def]
    """Go in, out or to the other side: what a bracket can go with."""
    if ctx.index == 0:
        ctx.dice = seed
    ctx.dice = ctx.dice * 48271 % 2147483647
    if ctx.dice / 2147483647.0 > busy:
        return
    ctx.dice = ctx.dice * 48271 % 2147483647
    what = ctx.dice % 3
    if what == 0:
        ctx.close()
    elif ctx.position == 0.0 or what == 1:
        ctx.target(1.0 if ctx.position <= 0.0 else -1.0)


ON_QUOTES = compiled("quotes", state={"dice": 1})(draws_on_quotes)
DRAWS = compiled("1h", state={"dice": 1})(draws)
GUARDED = {
    (stop, take): compiled("1h", state={"dice": 1}, stop=stop, take=take)(turns)
    for stop in (None, "1%", "0.2%")
    for take in (None, "1%", "3%")
}


@dataclass(frozen=True)
class Case:
    """One drawn run."""

    spot: bool
    market: int
    seed: int
    busy: float
    quoting: float
    size: float
    guarded: bool
    stop: str | None
    take: str | None
    rows: int
    wild: float
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

    @property
    def strategy(self) -> type[CompiledStrategy]:
        return GUARDED[self.stop, self.take] if self.guarded else DRAWS

    @property
    def params(self) -> dict[str, object]:
        return {"seed": self.seed, "busy": self.busy, "quoting": self.quoting, "size": self.size}


CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "spot": st.booleans(),
    "market": st.integers(0, 2**32),
    "seed": st.integers(1, MODULUS - 1),
    "busy": st.sampled_from([0.1, 0.5, 1.0]),
    "quoting": st.sampled_from([0.0, 0.7, 1.0]),
    "size": st.sampled_from([0.4, 8.0, 130.0]),
    "guarded": st.booleans(),
    "stop": st.sampled_from([None, "1%", "0.2%"]),
    "take": st.sampled_from([None, "1%", "3%"]),
    "rows": st.integers(3, 150),
    "wild": st.sampled_from([0.001, 0.01, 0.04]),
    "taker": st.sampled_from(["0", "0.0005", "0.001", "0.0123456789"]),
    "maker": st.sampled_from(["0", "0.0002", "-0.00005"]),
    "slippage": st.sampled_from(
        [
            Slippage(SlippageModel.NONE, Decimal(0)),
            Slippage(SlippageModel.BPS, Decimal(5)),
            Slippage(SlippageModel.TICKS, Decimal(3)),
            Slippage(SlippageModel.VOLUME, Decimal("0.01")),
        ]
    ),
    "leverage": st.sampled_from([1, 3]),
    "touch": st.booleans(),
    "gap": st.sampled_from(list(GapFill)),
    "on": st.sampled_from([MarketOn.NEXT_OPEN, MarketOn.NEXT_OPEN, MarketOn.CLOSE]),
    "capital": st.sampled_from([10_000, 57, 123_456]),
    "min_notional": st.sampled_from(["0", "10", "60"]),
    "min_qty": st.sampled_from(["0.001", "0.05"]),
    "funding": st.booleans(),
}
cases = st.builds(Case, **CHOICES)


def bars(case: Case) -> pl.DataFrame:
    rng = np.random.default_rng([case.market, 1])
    n = case.rows
    px = np.round(100 * np.exp(np.cumsum(rng.normal(0, case.wild, n))), 2)
    gap = np.round(px * rng.normal(0, case.wild / 3, n) * (rng.random(n) < 0.3), 2)
    opening = np.maximum(0.01, np.append(px[:1], px[:-1]) + gap).round(2)
    wick = np.round(px * case.wild * rng.random((2, n)), 2)
    ts = START + HOUR * np.arange(1, n + 1)
    return _frame(
        "bars",
        {
            "ts_event": ts,
            "ts_recv": ts,
            "ts_open": ts - HOUR,
            "open": opening,
            "high": np.maximum(opening, px) + wick[0],
            "low": np.maximum(0.01, np.minimum(opening, px) - wick[1]),
            "close": px,
            "volume": rng.integers(1, 300, n).astype(float),
        },
    )


def payments(case: Case) -> pl.DataFrame:
    rng = np.random.default_rng([case.market, 2])
    ts = START + HOUR // 2 * np.arange(0, 2 * case.rows + 1)
    ts = ts[rng.random(len(ts)) < 0.3]
    ts = np.unique(np.concatenate(([START], ts, [START + HOUR * case.rows])))
    rate = rng.normal(0, 1e-3, len(ts))
    return _frame(
        "funding", {"ts_event": ts, "ts_recv": ts, "rate": rate, "predicted": np.zeros(len(ts), bool)}
    )


def _frame(kind: str, columns: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(columns).select(
        pl.col(name).cast(dtype) if name in columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS[kind].items()
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


def spec_of(case: Case) -> BacktestSpec:
    instrument, venue = settings_of(case)
    streams = [memory_stream("bars", instrument.id, bars(case), "1h")]
    if venue.funding is FundingMode.DATA:
        streams.append(memory_stream("funding", instrument.id, payments(case)))
    return _spec(case, instrument, venue, streams)


def _spec(case: Case, instrument: Instrument, venue: VenueSettings, streams: list[Stream]) -> BacktestSpec:
    return BacktestSpec(
        name="twin",
        run_id="twin",
        strategies=[StrategyEntry(case.strategy(**case.params), 1.0)],
        streams=streams,
        instruments={instrument.id: instrument},
        venues={"TEST": venue},
        currency=instrument.settle,
    )


def by_loop(case: Case) -> CompiledRun:
    instrument, venue = settings_of(case)
    funding = [payments(case)] if venue.funding is FundingMode.DATA else []
    market = Market.from_frames(instrument, "1h", [bars(case)], funding)
    terms = terms_of(case.strategy, instrument, venue, Decimal(case.capital))
    return CompiledRunner(case.strategy, market, terms).run(case.params)


def fills_of(result: BacktestResult) -> list[tuple[object, ...]]:
    return [
        (fill.ts, fill.side, round(fill.qty * 1000), round(fill.px * 100), fill.liquidity, fill.fee)
        for fill in result.fills
    ]


def fills_by_loop(made: CompiledRun) -> list[tuple[object, ...]]:
    market = made.market
    found: list[tuple[object, ...]] = []
    for row in made.fills:
        bar = int(row["bar"])
        at_open = row["at"] == 0 and isinstance(market, Market)
        ts = int(market.columns["ts_open"][bar]) + 1 if at_open else int(market.ts[bar])
        liquidity = "maker" if row["maker"] else "taker"
        found.append((ts, int(row["side"]), int(row["lots"]), int(row["px"]), liquidity, row["fee"] / 1e12))
    return found


ENDS = {
    "open": 0,
    "accepted": 0,
    "submitted": 0,
    "partially_filled": 0,
    "filled": 1,
    "canceled": 2,
    "expired": 2,
    "rejected": 3,
}


def orders_of(result: BacktestResult) -> list[tuple[object, ...]]:
    return [(o.side, round(o.qty * 1000), ENDS.get(o.status, o.status)) for o in result.orders]


def orders_by_loop(made: CompiledRun) -> list[tuple[object, ...]]:
    return [(int(row["side"]), int(row["lots"]), int(row["status"])) for row in made.orders]


@settings(max_examples=examples(100), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases)
def test_loop_and_engine_fill_the_same_orders_on_bars(case: Case) -> None:
    try:
        made = by_loop(case)
    except StackedGuardsError:
        return  # several brackets at once: the event engine's work
    agree(made, run_backtest(spec_of(case)))
    same_result(lambda: spec_of(case))


def same_result(spec: Callable[[], BacktestSpec]) -> None:
    """The whole backtest of the compiled tier is the engine's, down to the fingerprint."""
    slow, fast = run_backtest(spec()), run_compiled_backtest(spec())
    assert fast.fills == slow.fills
    assert fast.orders == slow.orders
    assert fast.state_hash == slow.state_hash
    assert fast.funding == slow.funding
    assert fast.warnings == slow.warnings
    assert fast.events == slow.events


def agree(made: CompiledRun, result: BacktestResult) -> None:
    wanted, found = fills_of(result), fills_by_loop(made)
    assert [fill[:5] for fill in found] == [fill[:5] for fill in wanted]
    assert [fill[5] for fill in found] == pytest.approx([fill[5] for fill in wanted], abs=1e-9)
    assert orders_by_loop(made) == orders_of(result)
    assert made.end_equity == pytest.approx(float(result.end_equity), abs=1e-6)
    curve = np.asarray(result.equity.equity)
    assert np.allclose(made.equity[-len(curve) :], curve, rtol=0, atol=1e-6)
    assert float(made.book["funding"]) == pytest.approx(float(result.funding), abs=1e-9)
    trips = [trip for trip in result.round_trips if not trip.open]
    assert int(made.book["trades"]) == len(trips)
    won = math.fsum(trip.pnl for trip in trips if trip.pnl > 0)
    assert float(made.book["won"]) == pytest.approx(won, abs=1e-6)


@dataclass(frozen=True)
class QuoteCase(Case):
    """One drawn run on quotes."""

    depth: float
    still: float
    participation: float
    walk: int

    @property
    def strategy(self) -> type[CompiledStrategy]:
        return ON_QUOTES

    @property
    def frame(self) -> pl.DataFrame:
        rng = np.random.default_rng([self.market, 3])
        n = self.rows
        moves = rng.normal(0, self.wild / 5, n) * (rng.random(n) > self.still)
        mid = np.round(100 * np.exp(np.cumsum(moves)), 2)
        spread = 0.01 * rng.integers(1, 5, n)
        spread[rng.random(n) < self.still] = 0.02
        sizes = np.round(self.depth * rng.choice([0.5, 1.0, 2.0], (2, n)), 3)
        ts = START + 250_000_000 * np.arange(1, n + 1)
        return _frame(
            "quotes",
            {
                "ts_event": ts,
                "ts_recv": ts,
                "bid_px": np.round(mid - 0.01, 2),
                "bid_qty": sizes[0],
                "ask_px": np.round(mid - 0.01 + spread, 2),
                "ask_qty": sizes[1],
                "seq": np.zeros(n, dtype=np.int64),
            },
        )

    def settings(self) -> tuple[Instrument, VenueSettings]:
        instrument, venue = settings_of(self)
        fills = replace(venue.fills, participation=self.participation, walk_ticks=self.walk)
        return instrument, replace(venue, fills=fills, funding=FundingMode.ASSUME_ZERO)


quote_cases = st.builds(
    QuoteCase,
    **CHOICES,
    depth=st.sampled_from([0.3, 3.0, 400.0]),
    still=st.sampled_from([0.2, 0.8]),
    participation=st.sampled_from([1.0, 0.3]),
    walk=st.sampled_from([0, 3, 50]),
)


@settings(max_examples=examples(100), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=quote_cases)
def test_loop_and_engine_fill_the_same_orders_on_quotes(case: QuoteCase) -> None:
    instrument, venue = case.settings()
    market = QuoteMarket.from_frames(instrument, [case.frame])
    terms = terms_of(case.strategy, instrument, venue, Decimal(case.capital))
    made = CompiledRunner(case.strategy, market, terms).run(case.params)
    streams = [memory_stream("quotes", instrument.id, case.frame)]
    agree(made, run_backtest(_spec(case, instrument, venue, streams)))
    same_result(lambda: _spec(case, instrument, venue, streams))
