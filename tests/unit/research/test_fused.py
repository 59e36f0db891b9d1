"""Deciding and playing piece by piece: the orders and the equity of doing it column by column."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

import lanner as ln
from lanner.core.errors import ConfigError
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.evaluate import SignalProgram
from lanner.research.fused import PIECE, play_fused
from lanner.research.market import Funding, Market
from lanner.research.simulate import Protection, Record, Simulator, make_rules
from lanner.sim.settings import FillSettings, MarketOn, Slippage, SlippageModel, VenueSettings

HOUR_NS = 3_600_000_000_000
INSTRUMENT = Instrument.perp(
    "BTCUSDT-PERP.BINANCE",
    tick="0.1",
    lot="0.001",
    fees=FeeSchedule(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
)


@ln.signal("1h")
def cross(bars: Any, fast: int = 20, slow: int = 60) -> Any:
    return bars.close.sma(fast) > bars.close.sma(slow)


@ln.signal("1h")
def tilt(bars: Any) -> Any:
    return bars.close / bars.close.sma(20) - 1.0


@pytest.fixture(scope="module")
def market() -> Market:
    """A walk that is longer than two pieces, with funding every eight hours."""
    rows = 2 * PIECE + 777
    dice = np.random.default_rng(11)
    close = np.round(20_000.0 * np.exp(np.cumsum(dice.normal(0.0, 0.002, rows))), 1)
    opened = np.r_[20_000.0, close[:-1]]
    reach = np.round(np.abs(dice.normal(0.0, 0.001, (2, rows))) * close, 1)
    columns = {
        "ts_open": 1_704_067_200_000_000_000 + HOUR_NS * np.arange(rows),
        "open": opened,
        "high": np.maximum(opened, close) + reach[0],
        "low": np.minimum(opened, close) - reach[1],
        "close": close,
        "volume": dice.uniform(1.0, 50.0, rows),
    }
    bars = np.arange(7, rows, 8)
    funding = Funding(bars, np.ones(len(bars), np.int64), dice.normal(0.0001, 0.0001, len(bars)))
    return Market.from_arrays(INSTRUMENT, "1h", columns, columns["ts_open"] + HOUR_NS, funding)


def rules_of(on: MarketOn, model: SlippageModel, protection: Protection | None = None) -> Record:
    venue = VenueSettings(
        name="BINANCE",
        balances={"USDT": Decimal(1_000_000)},
        fills=FillSettings(market_on=on),
        slippage=Slippage(model, Decimal("0.5")),
    )
    return make_rules(INSTRUMENT, venue, Decimal(1_000_000), share=0.05, protection=protection)


@pytest.mark.parametrize(
    ("on", "model", "protection"),
    [
        (MarketOn.NEXT_OPEN, SlippageModel.BPS, None),
        (MarketOn.CLOSE, SlippageModel.VOLUME, None),
        (MarketOn.NEXT_OPEN, SlippageModel.BPS, Protection.of("2%", "4%")),
    ],
    ids=["next open", "close, by volume", "bracket"],
)
def test_pieces_lead_to_the_fills_and_the_equity_of_whole_columns(
    market: Market, on: MarketOn, model: SlippageModel, protection: Protection | None
) -> None:
    rules = rules_of(on, model, protection)
    program = SignalProgram(cross)
    signals = program.columns(market.columns).signals_int8(0)
    whole = Simulator(market, rules).run(signals, log=False)
    pieces = play_fused(program, 0, market, rules)
    assert whole.book["fills"] > 1_000
    assert whole.book["funding"] != 0.0
    assert pieces.book == whole.book
    np.testing.assert_array_equal(pieces.equity, whole.equity)
    for name in whole.curve.dtype.names:
        assert pieces.curve[name] == pytest.approx(whole.curve[name], rel=1e-9), name


@pytest.mark.parametrize("on", list(MarketOn))
def test_the_quick_way_in_one_pass_leads_to_the_same(market: Market, on: MarketOn) -> None:
    rules = rules_of(on, SlippageModel.BPS)
    free = dataclasses.replace(market, funding=Funding())
    program = SignalProgram(cross)
    signals = program.columns(free.columns).signals_int8(0)
    slow = Simulator(free, rules)
    slow._plain.suits = False
    whole = slow.run(signals, log=False)
    pieces = play_fused(program, 0, free, rules)
    assert pieces.book == whole.book
    np.testing.assert_array_equal(pieces.equity, whole.equity)
    for name in whole.curve.dtype.names:
        assert pieces.curve[name] == pytest.approx(whole.curve[name], rel=1e-9), name


def test_what_the_quick_way_leaves_is_played_in_pieces(market: Market) -> None:
    close = market.columns["close"].copy()
    close[PIECE + 5_000] = np.inf  # a gap for the signal
    free = dataclasses.replace(market, funding=Funding())
    rules, program = rules_of(MarketOn.NEXT_OPEN, SlippageModel.BPS), SignalProgram(cross)
    whole = Simulator(free, rules).run(program.columns({"close": close}).signals_int8(0), log=False)
    gappy = dataclasses.replace(free, columns={**free.columns, "close": close})
    pieces = play_fused(program, 0, gappy, rules, equity=False, sums=0)
    assert whole.book["fills"] == pieces.book["fills"]


def test_without_a_curve_the_end_is_the_same(market: Market) -> None:
    rules = rules_of(MarketOn.NEXT_OPEN, SlippageModel.BPS)
    program = SignalProgram(cross, [{"fast": 5, "slow": 50}, {"fast": 10, "slow": 90}])
    for index in range(len(program)):
        whole = play_fused(program, index, market, rules)
        short = play_fused(program, index, market, rules, equity=False, sums=1)
        assert short.equity.size == 0
        assert short.end_equity == whole.end_equity


def test_columns_that_are_read_only_compile_nothing_again(market: Market) -> None:
    from lanner.kernels.plain import play_weights
    from lanner.kernels.portfolio import simulate

    sealed = {name: column.copy() for name, column in market.columns.items()}
    for column in sealed.values():
        column.flags.writeable = False
    rules, program = rules_of(MarketOn.NEXT_OPEN, SlippageModel.BPS), SignalProgram(cross)

    def play(columns: dict[str, Any], funding: Funding) -> Any:
        own = dataclasses.replace(market, columns=columns, funding=funding)
        made = Simulator(own, rules).run(program.columns(columns).signals_int8(0), log=False)
        assert play_fused(program, 0, own, rules).book == made.book
        return made.book

    for funding in (market.funding, Funding()):
        plain = play(market.columns, funding)
        known = len(simulate.signatures), len(play_weights.signatures)
        assert play(sealed, funding) == plain
        assert (len(simulate.signatures), len(play_weights.signatures)) == known


def test_a_signal_that_gives_weights_is_refused(market: Market) -> None:
    rules = rules_of(MarketOn.NEXT_OPEN, SlippageModel.BPS)
    with pytest.raises(ConfigError, match="numbers"):
        play_fused(SignalProgram(tilt), 0, market, rules)
