"""Signals, orders and weights as arrays lead to the fills of a plain strategy that does the same bar by bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.market import Market
from lanner.research.simulate import StackedGuardsError
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from lanner.storage.schema import SCHEMAS
from tests.examples import examples

HOUR = 3_600_000_000_000
START = 1_704_067_200_000_000_000
NEVER = -(10**9)


@dataclass(frozen=True)
class Case:
    """One drawn run of signals."""

    spot: bool
    market: int
    rows: int
    wild: float
    often: float
    short: bool
    size_type: str
    stop: str | None
    take: str | None
    trail: str | None
    levels: bool
    cooldown: int
    on_close: bool
    taker: str
    bps: str
    leverage: int
    funding: bool
    limit: int = 1


cases = st.builds(
    Case,
    spot=st.booleans(),
    market=st.integers(0, 2**32),
    rows=st.integers(3, 90),
    wild=st.sampled_from([0.002, 0.01, 0.04]),
    often=st.sampled_from([0.05, 0.3, 0.8]),
    short=st.booleans(),
    size_type=st.sampled_from(["fraction", "units", "value", "weight", "risk"]),
    stop=st.sampled_from([None, "1%", "4%"]),
    take=st.sampled_from([None, "1%", "6%"]),
    trail=st.sampled_from([None, None, "2%"]),
    levels=st.booleans(),
    cooldown=st.sampled_from([0, 0, 1, 4]),
    on_close=st.booleans(),
    taker=st.sampled_from(["0", "0.0005", "0.00035"]),
    bps=st.sampled_from(["0", "5", "0.37"]),
    leverage=st.sampled_from([1, 3]),
    funding=st.booleans(),
)


def bars(seed: int, rows: int, wild: float, skip: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng([seed, 1])
    px = np.round(100 * np.exp(np.cumsum(rng.normal(0, wild, rows))), 2)
    gap = np.round(px * rng.normal(0, wild / 3, rows) * (rng.random(rows) < 0.3), 2)
    opening = np.maximum(0.01, np.append(px[:1], px[:-1]) + gap).round(2)
    wick = np.round(px * wild * rng.random((2, rows)), 2)
    ts = START + HOUR * np.arange(1, rows + 1)
    raw = pl.DataFrame(
        {
            "ts_event": ts,
            "ts_recv": ts,
            "ts_open": ts - HOUR,
            "open": opening,
            "high": np.maximum(opening, px) + wick[0],
            "low": np.maximum(0.01, np.minimum(opening, px) - wick[1]),
            "close": px,
            "volume": np.full(rows, 100.0),
        }
    )
    frame = raw.select(
        pl.col(name).cast(dtype) if name in raw.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )
    keep = rng.random(rows) >= skip
    keep[0] = True
    return frame.filter(pl.Series(keep))


def payments(case: Case) -> pl.DataFrame:
    rng = np.random.default_rng([case.market, 2])
    ts = START + HOUR // 2 * np.arange(0, 2 * case.rows + 1)
    ts = np.unique(np.concatenate(([START], ts[rng.random(len(ts)) < 0.3], [START + HOUR * case.rows])))
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


def instrument_of(case: Case, name: str = "BTC") -> Instrument:
    make = Instrument.spot if case.spot else partial(Instrument.perp, max_leverage=10)
    return make(
        f"{name}-USDT.TEST" if case.spot else f"{name}USDT-PERP.TEST",
        tick="0.01",
        lot="0.001",
        fees=FeeSchedule(maker=Decimal("0.0002"), taker=Decimal(case.taker)),
    )


def venue_of(case: Case) -> VenueSettings:
    return VenueSettings(
        name="TEST",
        balances={"USDT": Decimal(10_000)},
        leverage=Decimal(1 if case.spot else case.leverage),
        slippage=Slippage(SlippageModel.BPS, Decimal(case.bps)),
        fills=FillSettings(market_on=MarketOn.CLOSE if case.on_close else MarketOn.NEXT_OPEN),
        funding=FundingMode.DATA if case.funding and not case.spot else FundingMode.ASSUME_ZERO,
    )


SIZES = {"fraction": 0.7, "units": 31.0, "value": 2_500.0, "weight": 0.6, "risk": 0.02}


@dataclass(frozen=True)
class Inputs:
    """The columns of one case."""

    frame: pl.DataFrame
    entries: NDArray[Any]
    exits: NDArray[Any]
    shorts: NDArray[Any]
    covers: NDArray[Any]
    stop_px: NDArray[Any] | None


def inputs_of(case: Case) -> Inputs:
    frame = bars(case.market, case.rows, case.wild)
    rng = np.random.default_rng([case.market, 3])
    entries, exits, shorts, covers = rng.random((4, case.rows)) < case.often
    if case.spot or not case.short:
        shorts = covers = np.zeros(case.rows, bool)
    stop_px = None
    if case.levels:
        side = np.where(entries & ~exits, -1.0, 1.0)
        shorts, covers = shorts & ~entries, covers
        stop_px = np.round(frame["close"].to_numpy() * (1 + side * rng.uniform(0.003, 0.04, case.rows)), 2)
    return Inputs(frame, entries, exits, shorts, covers, stop_px)


def stop_of(case: Case) -> str | None:
    """Sizing by risk needs a stop."""
    if case.levels:
        return None
    return case.stop or ("3%" if case.size_type == "risk" and case.trail is None else None)


def plain(case: Case, given: Inputs) -> type[ln.Strategy]:  # noqa: C901 - the rules in one place
    """Return the strategy that a user would write for the same rules."""

    class Plain(ln.Strategy):
        def on_start(self) -> None:
            self.bars("1h")
            self.left, self.row = NEVER, -1

        def on_fill(self, fill: ln.Fill) -> None:
            if fill.position_qty == 0:
                # at its open or inside it: the bar in progress; at a close: the bar just seen
                self.left = (fill.ts - 1 - START) // HOUR

        def on_bar(self, bar: ln.Bar) -> None:
            self.row = row = (bar.ts_event - START) // HOUR - 1
            entry, leave = bool(given.entries[row]), bool(given.exits[row])
            short, cover = bool(given.shorts[row]), bool(given.covers[row])
            up, down = entry and not leave, short and not cover
            if up and down:
                up = down = False
            if self.position.is_flat:
                if row - self.left < case.cooldown:
                    return
                if up or down:
                    self.enter(bar, 1 if up else -1)
            elif self.position.is_long and (leave or down):
                self.enter(bar, -1) if down and not case.cooldown else self.target(0)
            elif self.position.is_short and (cover or up):
                self.enter(bar, 1) if up and not case.cooldown else self.target(0)

        def enter(self, bar: ln.Bar, side: int) -> None:
            stop: str | float | None = stop_of(case)
            if given.stop_px is not None:
                stop = float(given.stop_px[self.row])
            options: dict[str, Any] = {"stop": stop, "take": case.take, "trail": case.trail}
            self.target_qty(side * self.quantity(bar.close), **options)

        def quantity(self, px: float) -> float:
            size, equity = SIZES[case.size_type], max(0.0, self.equity)
            if case.size_type == "units":
                return size
            if case.size_type == "value":
                return size / px
            if case.size_type in ("weight", "fraction"):
                return size * equity / px
            away = []
            if given.stop_px is not None:
                away.append(abs(px - float(given.stop_px[self.row])))
            elif stop_of(case) is not None:
                away.append(px * float(str(stop_of(case)).rstrip("%")) / 100)
            if case.trail is not None:
                away.append(px * float(case.trail.rstrip("%")) / 100)
            return size * equity / min(away)

    return Plain


def by_events(case: Case, given: Inputs) -> BacktestResult:
    instrument, venue = instrument_of(case), venue_of(case)
    streams = [memory_stream("bars", instrument.id, given.frame, "1h")]
    if venue.funding is FundingMode.DATA:
        streams.append(memory_stream("funding", instrument.id, payments(case)))
    return run_backtest(
        BacktestSpec(
            name="twin",
            run_id="twin",
            strategies=[StrategyEntry(plain(case, given)(), 1.0)],
            streams=streams,
            instruments={instrument.id: instrument},
            venues={"TEST": venue},
            currency="USDT",
        )
    )


def market_of(case: Case, frame: pl.DataFrame, name: str = "BTC") -> Market:
    paid = case.funding and not case.spot
    return Market.from_frames(instrument_of(case, name), "1h", [frame], [payments(case)] if paid else [])


def common(case: Case) -> dict[str, Any]:
    return {
        "fill": "same_close" if case.on_close else "next_open",
        "capital": 10_000,
        "slippage": Decimal(case.bps),
        "leverage": 1 if case.spot else case.leverage,
    }


def fills_of(result: BacktestResult) -> list[tuple[object, ...]]:
    return [
        (f.ts, f.instrument_id, f.side, round(f.qty * 1000), round(f.px * 100), f.liquidity, round(f.fee, 9))
        for f in result.fills
    ]


@settings(max_examples=examples(150), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases)
def test_signals_lead_to_the_fills_of_a_plain_strategy(case: Case) -> None:
    given = inputs_of(case)
    try:
        made = ln.from_signals(
            market_of(case, given.frame),
            given.entries,
            given.exits,
            given.shorts if given.shorts.any() else None,
            given.covers if given.shorts.any() else None,
            size=SIZES[case.size_type],
            size_type=case.size_type,
            stop=stop_of(case),
            take=case.take,
            trail=case.trail,
            stop_px=given.stop_px,
            cooldown=case.cooldown,
            **common(case),
        )
        found = made.result()
    except StackedGuardsError:
        return  # several brackets at once: the event engine's work
    wanted = by_events(case, given)
    assert fills_of(found) == fills_of(wanted)
    assert float(found.end_equity) == pytest.approx(float(wanted.end_equity), abs=1e-6)
    assert float(found.funding) == pytest.approx(float(wanted.funding), abs=1e-9)
    assert np.allclose(found.equity.equity, wanted.equity.equity, rtol=0, atol=1e-6)
    assert np.allclose(made.equity[:, 0], found.equity.equity, rtol=0, atol=1e-6)
    assert [t.exit_reason for t in found.round_trips] == [
        "signal" if t.exit_reason not in ("stop", "take", "trail", "still open") else t.exit_reason
        for t in wanted.round_trips
    ]
    for name, value in wanted.metrics.items():
        other = found.metrics[name]
        assert (other is None) == (value is None), name
        if value is not None:
            assert other == pytest.approx(value, rel=1e-6, abs=1e-6), name


def follower(tables: dict[str, NDArray[Any]], firsts: dict[str, dict[int, int]]) -> type[ln.Strategy]:
    """Return a strategy that follows weights given by instrument and bar."""

    class Follower(ln.Strategy):
        def on_start(self) -> None:
            self.followed: dict[str, float] = {}
            for instrument in self.instruments:
                self.bars("1h", instrument.id)
                self.followed[instrument.id] = 0.0

        def on_bar(self, bar: ln.Bar) -> None:
            name = bar.instrument_id
            weight = float(tables[name][firsts[name][bar.ts_event]])
            if weight == self.followed[name] or weight != weight:
                return
            self.followed[name] = weight
            self.target(weight, instrument=name)

    return Follower


@settings(max_examples=examples(80), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases, count=st.integers(2, 4), skip=st.sampled_from([0.0, 0.2]))
def test_weights_of_several_instruments_share_an_account_as_in_the_event_engine(
    case: Case, count: int, skip: float
) -> None:
    if skip:
        # a payment in a gap between bars is settled at the close before it, not when others trade on
        case = replace(case, funding=False)
    rng = np.random.default_rng([case.market, 4])
    names = ["BTC", "ETH", "SOL", "XRP"][:count]
    frames = {n: bars(case.market + k, case.rows, case.wild, skip) for k, n in enumerate(names)}
    instruments = {n: instrument_of(case, n) for n in names}
    least = 0.0 if case.spot or not case.short else -1.0
    weights = {
        n: np.where(
            rng.random(f.height) < case.often, rng.integers(int(4 * least), 5, f.height) / 4 / count, np.nan
        )
        for n, f in frames.items()
    }
    tables = {instruments[n].id: weights[n] for n in names}
    rows = {instruments[n].id: {ts: k for k, ts in enumerate(frames[n]["ts_event"].to_list())} for n in names}
    venue = venue_of(case)
    streams = [memory_stream("bars", instruments[n].id, frames[n], "1h") for n in names]
    if venue.funding is FundingMode.DATA:
        streams += [memory_stream("funding", instruments[n].id, payments(case)) for n in names]
    wanted = run_backtest(
        BacktestSpec(
            name="twin",
            run_id="twin",
            strategies=[StrategyEntry(follower(tables, rows)(), 1.0)],
            streams=streams,
            instruments={i.id: i for i in instruments.values()},
            venues={"TEST": venue},
            currency="USDT",
        )
    )
    made = ln.from_weights([market_of(case, frames[n], n) for n in names], tables, **common(case))
    found = made.result()
    key = lambda fill: (fill[0], str(fill[1]))  # noqa: E731 - one order for fills of one instant
    assert sorted(fills_of(found), key=key) == sorted(fills_of(wanted), key=key)
    assert float(found.end_equity) == pytest.approx(float(wanted.end_equity), abs=1e-6)
    assert np.allclose(found.equity.equity, wanted.equity.equity, rtol=0, atol=1e-6)
    assert np.allclose(made.equity[:, 0], found.equity.equity, rtol=0, atol=1e-6)


@settings(max_examples=examples(60), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases, count=st.integers(2, 3), limit=st.integers(0, 2))
def test_the_accounts_of_groups_add_up_and_keep_their_limits(case: Case, count: int, limit: int) -> None:
    rng = np.random.default_rng([case.market, 5])
    markets = [
        market_of(case, bars(case.market + k, case.rows, case.wild, 0.1), name)
        for k, name in enumerate(["BTC", "ETH", "SOL"][:count])
    ]
    tables = [{m.instrument.id: rng.random(len(m)) < case.often for m in markets} for _ in range(2)]
    made = ln.from_signals(
        markets,
        tables[0],
        tables[1],
        size=0.4,
        stop=stop_of(case),
        take=case.take,
        max_positions=limit,
        **common(case),
    )
    result = made.result()
    pnl = sum(trip.pnl for trip in result.round_trips)
    assert float(result.end_equity) == pytest.approx(10_000 + pnl, abs=1e-6)
    assert made.end_equity[0] == pytest.approx(float(result.end_equity), abs=1e-6)
    assert np.allclose(made.equity[:, 0], result.equity.equity, rtol=0, atol=1e-6)
    assert result.attribution.total == result.end_equity - result.start_equity
    if limit:
        times = sorted({trip.entry_ts for trip in result.round_trips})
        held = [sum(t.entry_ts <= ts < t.exit_ts for t in result.round_trips) for ts in times]
        assert max(held, default=0) <= limit


@settings(max_examples=examples(40), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases)
def test_instruments_that_need_no_money_of_each_other_trade_as_if_alone(case: Case) -> None:
    rng = np.random.default_rng([case.market, 6])
    markets = [market_of(case, bars(case.market + k, case.rows, case.wild), n) for k, n in enumerate("AB")]
    tables = [{m.instrument.id: rng.random(len(m)) < case.often for m in markets} for _ in range(2)]
    options = {**common(case), "capital": 1_000_000}
    said: dict[str, Any] = {
        "size": 5.0,
        "size_type": "units",
        "stop": stop_of(case),
        "cooldown": case.cooldown,
    }
    together = ln.from_signals(markets, tables[0], tables[1], **said, **options)
    apart = ln.from_signals(markets, tables[0], tables[1], **said, share_cash=False, **options)
    assert apart.labels == [m.instrument.id for m in markets]
    alone = sorted(fills_of(apart.result(0)) + fills_of(apart.result(1)))
    assert sorted(fills_of(together.result())) == alone
    assert np.allclose(together.equity[:, 0], apart.equity.sum(axis=1) - 1_000_000, rtol=0, atol=1e-6)


@settings(max_examples=examples(40), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases)
def test_orders_for_quantities_end_where_their_sum_does(case: Case) -> None:
    frame = bars(case.market, case.rows, case.wild)
    rng = np.random.default_rng([case.market, 7])
    qty = np.where(rng.random(case.rows) < case.often, rng.integers(1, 4, case.rows) * 1.0, np.nan)
    made = ln.from_orders(market_of(case, frame), qty, **{**common(case), "capital": 1_000_000})
    fills = made.fills()
    last = case.rows if case.on_close else case.rows - 1
    assert fills["qty"].to_list() == [q for q in qty[:last] if q == q]
    assert fills["side"].to_list() == [1] * fills.height
