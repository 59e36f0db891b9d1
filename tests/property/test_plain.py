"""The quick way for whole positions gives the account and the equity of the full kernels, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from hypothesis import given, settings
from hypothesis import strategies as st

import lanner as ln
from lanner.core.errors import LannerError
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.market import Market
from lanner.research.plain import PlainPlayer
from lanner.research.simulate import Simulated, Simulator, make_rules
from lanner.sim.settings import FillSettings, MarketOn, Slippage, SlippageModel, VenueSettings
from tests.examples import examples

HOUR = 3_600_000_000_000
START = 1_704_067_200_000_000_000


@dataclass(frozen=True)
class Case:
    """One drawn run."""

    spot: bool
    market: int
    rows: int
    wild: float
    levels: tuple[int, ...]
    change: float
    short: bool
    taker: str
    slippage: Slippage
    leverage: int
    on: MarketOn
    capital: int
    share: float
    min_notional: str
    max_qty: str | None
    cuts: tuple[int, ...]


cases = st.builds(
    Case,
    spot=st.booleans(),
    market=st.integers(0, 2**32),
    rows=st.sampled_from([1, 7, 8, 9, 100, 4_095, 4_097, 9_001]),
    wild=st.sampled_from([0.0005, 0.01, 0.04]),
    levels=st.sampled_from([(0, 1), (0, 1, -1), (-1, 1), (1,), (0, 1, 2, -1)]),
    change=st.sampled_from([0.002, 0.05, 0.5, 1.0]),
    short=st.booleans(),
    taker=st.sampled_from(["0", "0.0005", "0.00035", "0.0123456789", "-0.0001"]),
    slippage=st.sampled_from(
        [
            Slippage(SlippageModel.NONE, Decimal(0)),
            Slippage(SlippageModel.BPS, Decimal(5)),
            Slippage(SlippageModel.BPS, Decimal("0.37")),
            Slippage(SlippageModel.TICKS, Decimal(3)),
        ]
    ),
    leverage=st.sampled_from([1, 3]),
    on=st.sampled_from([MarketOn.NEXT_OPEN, MarketOn.CLOSE]),
    capital=st.sampled_from([10_000, 57, 123_456]),
    share=st.sampled_from([1.0, 0.3, 0.001]),
    min_notional=st.sampled_from(["0", "10", "60"]),
    max_qty=st.sampled_from([None, None, "150"]),
    cuts=st.sampled_from([(), (3, 50, 51), (64, 4_096)]),
)


def instrument_of(case: Case) -> Instrument:
    make = Instrument.spot if case.spot else Instrument.perp
    return make(
        "BTC-USDT.TEST" if case.spot else "BTC-PERP.TEST",
        tick="0.01",
        lot="0.001",
        min_notional=case.min_notional,
        max_qty=case.max_qty,
        fees=FeeSchedule(maker=Decimal(0), taker=Decimal(case.taker)),
    )


def market_of(case: Case) -> tuple[Market, Any]:
    """Return bars and the dice for what is decided on them."""
    dice = np.random.default_rng([case.market, 3])
    close = np.maximum(0.02, np.round(100 * np.exp(np.cumsum(dice.normal(0, case.wild, case.rows))), 2))
    gap = np.round(close * dice.normal(0, case.wild / 3, case.rows), 2)
    opened = np.maximum(0.01, np.append(close[:1], close[:-1]) + gap).round(2)
    ts = START + HOUR * np.arange(1, case.rows + 1)
    columns = {
        "ts_open": ts - HOUR, "open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close),
        "close": close, "volume": np.full(case.rows, 10.0),
    }  # fmt: skip
    return Market.from_arrays(instrument_of(case), "1h", columns, ts), dice


def venue_of(case: Case) -> VenueSettings:
    return VenueSettings(
        name="TEST",
        balances={"USDT": Decimal(case.capital)},
        fills=FillSettings(market_on=case.on),
        slippage=case.slippage,
        leverage=Decimal(case.leverage),
    )


def drawn(case: Case, dice: Any) -> Any:
    """Return weights that change now and then."""
    changed = dice.random(case.rows) < case.change
    changed[0] = True
    picks = dice.choice(np.array(case.levels, np.int8), case.rows)
    return picks[np.maximum.accumulate(np.where(changed, np.arange(case.rows), 0))]


def same(plain: Simulated, full: Simulated) -> None:
    """Compare what has to be the same to the bit, and what is added up in another order."""
    assert plain.book == full.book
    np.testing.assert_array_equal(plain.equity, full.equity)
    for name in full.curve.dtype.names:
        assert plain.curve[name] == pytest.approx(full.curve[name], rel=1e-9, abs=1e-12), name
    np.testing.assert_allclose(plain.blocks, full.blocks, rtol=1e-9, atol=1e-11)


@settings(max_examples=examples(400), deadline=None)
@given(case=cases)
def test_weights_lead_to_the_same_account_and_equity(case: Case) -> None:
    market, dice = market_of(case)
    rules = make_rules(
        market.instrument, venue_of(case), Decimal(case.capital), share=case.share, allow_short=case.short
    )
    weights = drawn(case, dice)
    cuts = np.array([cut for cut in case.cuts if cut < case.rows], np.int64)
    ways: list[Simulated | str]
    quick, slow = Simulator(market, rules), Simulator(market, rules)
    slow._plain.suits = False
    start = int(dice.integers(0, max(1, case.rows // 3)))
    for equity in (True, False):
        ways = []
        for way in (quick, slow):
            try:
                ways.append(way.run(weights, start=start, log=False, equity=equity, edges=cuts))
            except LannerError as error:
                ways.append(str(error))
        plain, full = ways
        if isinstance(plain, Simulated) and isinstance(full, Simulated):
            same(plain, full)
        else:
            assert plain == full


@settings(max_examples=examples(200), deadline=None)
@given(case=cases, kinds=st.sampled_from(["fraction", "weight"]), part=st.sampled_from([2, 3, 4]))
def test_entries_and_exits_lead_to_the_same_account_and_equity(case: Case, kinds: str, part: int) -> None:
    market, dice = market_of(case)
    signals: list[Any] = [dice.random(case.rows) < case.change / 2 for _ in range(4)]
    if case.spot:
        signals[2] = signals[3] = None
    signals[part - 1] = None if part != 3 else signals[2]
    slippage = {"model": case.slippage.model.value, "value": str(case.slippage.value)}
    found = []
    for suits in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not suits:
                patch.setattr(PlainPlayer, "entries", lambda *_: 0)
            made = ln.from_signals(
                market, *signals, size=case.share, size_type=kinds, capital=case.capital,
                fees=Decimal(case.taker), slippage=slippage,
                leverage=1 if case.spot else case.leverage,
                fill="same_close" if case.on is MarketOn.CLOSE else "next_open",
            )  # fmt: skip
        found.append(made._made[0])
    plain, full = found
    assert plain.books == full.books
    np.testing.assert_array_equal(plain.equity, full.equity)
