"""Jumping from trigger to trigger gives the very result of hearing of every message."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.clock import TimerEvent
from lanner.core.rng import Rng
from lanner.model.enums import OrderStatus, TimeInForce
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.orders import OrderView
from lanner.model.reports import Fill
from lanner.research.tier_triggers import run_triggers
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    Latency,
    LatencySettings,
    LimitOn,
    MarketOn,
    VenueSettings,
)
from lanner.storage.schema import SCHEMAS
from lanner.strategy.triggers import TriggerStrategy
from tests.examples import examples

MINUTE = 60_000_000_000
SECOND = 1_000_000_000
START = 1_704_067_200_000_000_000
NAME = "AAA-PERP.TEST"


class Random(TriggerStrategy):
    """Random conditions, random answers; it also acts on timers and fills, and writes down all that it sees."""

    timeframe = "1m"

    def __init__(self, seed: int, rare: int) -> None:
        super().__init__()
        self.chance = Rng(seed)
        self.seed = seed
        self.draw = np.random.default_rng([seed, rare])
        self.rare = rare
        self.heard: list[tuple[Any, ...]] = []

    def triggers(self, frame: Any) -> dict[str, Any]:
        draw = np.random.default_rng([self.rare, self.seed])
        price = frame.mid if self.on == "quotes" else frame.close
        fast, slow = price.ema(int(draw.integers(2, 20))), price.sma(int(draw.integers(3, 40)))
        high = price.highest(int(draw.integers(2, 5 * self.rare)))
        found = {
            "up": fast.crossed_above(slow),
            "gap": fast - slow,
            "breakout": (price >= high) & (price.rsi(7) > 60),
            "down": fast.crossed_below(slow) & ~(price.shift(3) > price),
            "since": (price > high.shift(1)).until(price < slow),
            "mean": slow,
        }
        names = [name for name in found if draw.random() < 0.8] or ["up"]
        kept = {name: found[name] for name in names}
        kept.setdefault("down", found["down"])
        if self.rare > 3:
            kept.pop("since", None)
        if self.on == "quotes":
            kept["wide"] = (frame.spread > 0.035) & (frame.bid_qty > frame.ask_qty)
        else:
            kept["jump"] = frame.true_range() > frame.atr(5) * 1.8
        return kept

    def on_trigger(self, name: str, event: Any) -> None:
        self.note(name, event.ts_event)
        self.act()

    def on_timer(self, timer: TimerEvent) -> None:
        self.note("timer", timer.ts)
        self.act()

    def on_fill(self, fill: Fill) -> None:
        self.note("fill", fill.ts)

    def on_order(self, order: OrderView) -> None:
        self.note("order", int(order.status))

    def note(self, what: str, when: int) -> None:
        self.heard.append((what, when, self.now, self.price(), self.equity, repr(dict(self.seen))))

    def act(self) -> None:
        chance, px = self.chance, self.price()
        if px != px:
            return
        qty = (1 + chance.integer(0, 40)) / 100
        far = px * (1 + 0.01 * (chance.random() - 0.5))
        side = self.buy if chance.random() < 0.5 else self.sell
        what = chance.integer(0, 11)
        if what == 0:
            side(qty)
        elif what < 3:
            side(qty, far)
        elif what == 3:
            self.target(chance.random() * 2 - 1, stop="0.4%", take="0.6%")
        elif what == 4:
            side(qty, trail="0.3%")
        elif what == 5:
            side(qty, stop_px=far)
        elif what == 6:
            side(qty, far, tif=TimeInForce.GTD, expire=self.now + (1 + chance.integer(0, 40)) * MINUTE // 2)
        elif what == 7:
            self.cancel_all()
        elif what == 8:
            self.set_timer(f"t{chance.integer(0, 3)}", at=self.now + chance.integer(0, 300) * SECOND)
        elif what == 9:
            self.close()
        elif orders := self.open_orders:
            order = orders[chance.integer(0, len(orders))]
            if order.status is OrderStatus.ACCEPTED and order.px is not None and order.stop_px is None:
                self.amend(order, px=far)


class OnQuotes(Random):
    """Random on quotes."""

    on = "quotes"


class LooksBack(Random):
    """Random on bars, with an eye on the bars that went by."""

    def on_start(self) -> None:
        super().on_start()
        self.past = self.bars("1m")

    def on_trigger(self, name: str, event: Any) -> None:
        self.heard.append(tuple(self.past[-1 - i].close for i in range(min(8, len(self.past)))))
        super().on_trigger(name, event)


KINDS = {"quotes": OnQuotes, "bars": Random, "past": LooksBack}


@dataclass(frozen=True)
class Case:
    """One drawn run."""

    kind: str
    market: int
    choices: int
    rare: int
    rows: int
    wild: float
    touch: bool
    entry_ns: int
    participation: float
    on: MarketOn
    funding: bool
    gaps: bool


cases = st.builds(
    Case,
    kind=st.sampled_from(list(KINDS)),
    market=st.integers(0, 2**32),
    choices=st.integers(0, 2**32),
    rare=st.sampled_from([2, 5, 40]),
    rows=st.integers(20, 600),
    wild=st.sampled_from([0.0002, 0.001, 0.005]),
    touch=st.booleans(),
    entry_ns=st.sampled_from([0, 0, 5_000_000, 90 * SECOND]),
    participation=st.sampled_from([1.0, 0.05]),
    on=st.sampled_from(list(MarketOn)),
    funding=st.booleans(),
    gaps=st.booleans(),
)


def frame(case: Case) -> pl.DataFrame:
    rng = np.random.default_rng([case.market, 7])
    quotes = case.kind == "quotes"
    rows, step = case.rows, MINUTE // 4 if quotes else MINUTE
    px = np.round(100 * np.exp(np.cumsum(rng.normal(0, case.wild, rows + 1))), 2)
    ts = START + step * np.arange(1, rows + 1)
    columns: dict[str, object] = {"ts_event": ts, "ts_recv": ts}
    if quotes:
        spread = 0.01 * rng.integers(1, 5, rows)
        columns |= {"bid_px": px[1:] - 0.01, "ask_px": px[1:] - 0.01 + spread}
        columns |= {side: rng.integers(1, 3, rows) / 4 for side in ("bid_qty", "ask_qty")}
        columns["seq"] = np.zeros(rows, dtype=np.int64)
    else:
        wick = np.round(px[1:] * case.wild * rng.random(rows), 2)
        columns |= {
            "ts_open": ts - MINUTE,
            "open": px[:-1],
            "high": np.maximum(px[:-1], px[1:]) + wick,
            "low": np.minimum(px[:-1], px[1:]) - wick,
            "close": px[1:],
            "volume": rng.integers(1, 50, rows).astype(float),
        }
    found = in_schema(pl.DataFrame(columns), "quotes" if quotes else "bars")
    return (
        found.filter(pl.Series(rng.random(rows) > 0.3) | (pl.col("ts_event") == ts[0]))
        if case.gaps
        else found
    )


def in_schema(table: pl.DataFrame, kind: str) -> pl.DataFrame:
    return table.select(
        pl.col(name).cast(dtype) if name in table.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS[kind].items()
    )


def rates(case: Case) -> pl.DataFrame:
    """Funding at any time: as bars open and close, inside of them, in gaps, and some of it only predicted."""
    rng = np.random.default_rng([case.market, 8])
    last = int(frame(case)["ts_event"][-1])
    ts = np.arange(START, last + 1, MINUTE // 4)
    ts = np.unique(np.r_[START, ts[rng.random(len(ts)) < 0.05], last])
    drawn = {"rate": rng.normal(0, 1e-3, len(ts)), "predicted": rng.random(len(ts)) < 0.2}
    return in_schema(pl.DataFrame({"ts_event": ts, "ts_recv": ts, **drawn}), "funding")


def specification(case: Case) -> BacktestSpec:
    fees = FeeSchedule(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
    instrument = Instrument.perp(NAME, tick="0.01", lot="0.01", fees=fees, max_leverage=10)
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
        funding=FundingMode.DATA if case.funding else FundingMode.ASSUME_ZERO,
        latency=LatencySettings(
            entry=Latency(mean_ns=case.entry_ns), response=Latency(mean_ns=case.entry_ns // 3)
        ),
    )
    kind, spec = ("quotes", "") if case.kind == "quotes" else ("bars", "1m")
    streams = [memory_stream(kind, NAME, frame(case), spec)]
    if case.funding:
        streams.append(memory_stream("funding", NAME, rates(case)))
    return BacktestSpec(
        name="tiers",
        run_id="tiers",
        strategies=[StrategyEntry(KINDS[case.kind](case.choices, case.rare), 1.0)],
        streams=streams,
        instruments={NAME: instrument},
        venues={"TEST": venue},
        currency="USDT",
    )


@settings(max_examples=examples(80), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases)
def test_jumps_give_the_result_of_hearing_of_every_message(case: Case) -> None:
    one, other = specification(case), specification(case)
    slow, fast = run_backtest(one), run_triggers(other)
    assert fast.fills == slow.fills
    assert fast.orders == slow.orders
    assert vars(other.strategies[0].strategy)["heard"] == vars(one.strategies[0].strategy)["heard"]
    assert fast.state_hash == slow.state_hash
    assert fast.end_equity == slow.end_equity
    assert fast.funding == slow.funding
    assert fast.warnings == slow.warnings
    assert fast.events == slow.events
