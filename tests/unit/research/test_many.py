"""Many comparisons of averages in one call: of each the very numbers that it has alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

import lanner as ln
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.buffers import LEAST, Buffers
from lanner.research.evaluate import SignalProgram
from lanner.research.many import ManyPlayer
from lanner.research.market import Market
from lanner.research.variants import Task, measure
from lanner.sim.settings import FillSettings, FundingMode, MarketOn, Slippage, SlippageModel, VenueSettings

MINUTE_NS = 60_000_000_000
FEES = FeeSchedule(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
PERP = Instrument.perp("BTCUSDT-PERP.BINANCE", tick="0.01", lot="0.001", fees=FEES)
SPOT = Instrument.spot("BTC-USDT.TEST", tick="0.01", lot="0.001", fees=FEES, min_notional="10")
LENGTHS = [
    (0, 9),
    (1, 4),
    (3, 7),
    (5, 20),
    (20, 5),
    (8, 8),
    (10, 35),
    (2, 90),
    (30, 60),
    (50, 200),
    (7, 0),
    (40, 41),
]
SETS = [{"one": one, "two": two} for one, two in LENGTHS * 2]


@ln.signal("1m")
def cross(bars: Any, one: int = 5, two: int = 20) -> Any:
    left = bars.close.sma(one) if one else bars.close
    return left > (bars.close.sma(two) if two else bars.close)


def walk(kind: str, rows: int = 9_000) -> Any:
    made = 100.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.002, rows)))
    return {
        "walk": np.round(made, 2),
        "cents": np.maximum(np.round(made * 0.01, 2), 0.01),  # averages that are equal again and again
        "gap": np.where(np.arange(rows) == 6_000, np.nan, np.round(made, 2)),
    }[kind]


def task_of(
    instrument: Instrument,
    on: MarketOn,
    slippage: Slippage,
    close: Any,
    capital: str = "1000000",
    past: int = 0,
) -> Task:
    shown = np.where(np.isnan(close), 100.0, close)  # the market itself has no gaps, another column may
    opened = np.r_[shown[0], np.round(shown[:-1] * 1.0001, 2)]
    table = {
        "open": opened,
        "high": np.maximum(opened, shown),
        "low": np.minimum(opened, shown),
        "close": shown,
    }
    ts = 1_704_067_200_000_000_000 + MINUTE_NS * np.arange(len(close))
    table |= {"ts_open": ts, "volume": np.ones(len(close))}
    market = Market.from_arrays(instrument, "1m", table, ts + MINUTE_NS)
    venue = VenueSettings(
        name=instrument.venue,
        balances={"USDT": Decimal(capital)},
        fills=FillSettings(market_on=on),
        slippage=slippage,
        funding=FundingMode.ASSUME_ZERO,
    )
    spec = BacktestSpec(
        "many",
        "many",
        [StrategyEntry(cross(), 1.0)],
        [],
        {instrument.id: instrument},
        {venue.name: venue},
        "USDT",
    )
    rows = len(close)
    spans = np.array([[0, rows], [500, 3_000], [2_990, rows], [700, 701], [4_095, 4_098]])
    return Task("array", cross, market, spec, spans, np.arange(1, 8) * (rows // 8))


def played(task: Task) -> list[int]:
    player = ManyPlayer(task.market, task.rules(), task.spans, task.edges)
    return player.play(SignalProgram(cross, SETS), task.market.columns, 0)[0]


@pytest.mark.parametrize("instrument", [PERP, SPOT], ids=["perp", "spot"])
@pytest.mark.parametrize("on", [MarketOn.CLOSE, MarketOn.NEXT_OPEN])
@pytest.mark.parametrize("kind", ["walk", "cents"])
@pytest.mark.parametrize(
    "slippage",
    [Slippage(), Slippage(SlippageModel.BPS, Decimal("2.5")), Slippage(SlippageModel.TICKS, Decimal(1))],
    ids=["none", "bps", "ticks"],
)
def test_together_every_variant_has_the_numbers_that_it_has_alone(
    instrument: Instrument, on: MarketOn, kind: str, slippage: Slippage
) -> None:
    task = task_of(instrument, on, slippage, walk(kind))
    assert len(played(task)) >= (12 if kind == "walk" else 1)
    together = measure(task, SETS)
    for index, params in enumerate(SETS[: len(LENGTHS)]):
        alone = measure(task, [params])
        for row in (index, index + len(LENGTHS)):
            assert together.raw[row].tobytes() == alone.raw[0].tobytes(), params
            assert together.blocks[row].tobytes() == alone.blocks[0].tobytes(), params


def test_an_account_too_small_to_trade_is_left_to_the_full_kernels() -> None:
    task = task_of(SPOT, MarketOn.CLOSE, Slippage(), walk("walk"), capital="5")
    assert played(task) == []
    assert measure(task, SETS).raw[:, :, 13].sum() == 0.0


def test_a_column_with_a_gap_is_left_to_the_full_kernels() -> None:
    task = task_of(PERP, MarketOn.CLOSE, Slippage(), walk("walk"))
    player = ManyPlayer(task.market, task.rules(), task.spans, task.edges)
    columns = {**task.market.columns, "close": walk("gap")}
    assert player.play(SignalProgram(cross, SETS), columns, 0)[0] == []


def test_rows_before_the_market_only_warm_up() -> None:
    """The variants of a market's later part, warmed up by what lies before, hold what they would hold in the whole."""
    close, lead = walk("walk"), 1_000
    late = task_of(PERP, MarketOn.CLOSE, Slippage(), close[lead:])
    late.spans = np.array([[0, len(close) - lead]])
    whole = task_of(PERP, MarketOn.CLOSE, Slippage(), close)
    whole.spans = np.array([[lead, len(close)]])
    found = []
    for task, rows in ((late, lead), (whole, 0)):
        player = ManyPlayer(task.market, task.rules(), task.spans, np.zeros(0, np.int64))
        places, raw, _ = player.play(SignalProgram(cross, SETS), {"close": close}, rows)
        found.append((places, raw))
    assert len(found[0][0]) > 10
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_memory_comes_back_when_nothing_looks_at_it() -> None:
    buffers = Buffers()
    first = buffers.floats(LEAST)
    first[:] = 1.0
    place, tail = first.ctypes.data, first[100:].reshape(-1)[5:]
    del first
    other = buffers.floats(LEAST)
    other[:] = 2.0
    assert other.ctypes.data != place
    assert (tail == 1.0).all()
    del tail
    assert buffers.floats(LEAST).ctypes.data == place


def test_no_more_memory_is_kept_than_allowed() -> None:
    buffers = Buffers(8 * LEAST)
    held = [buffers.floats(LEAST) for _ in range(3)]
    del held
    assert len(buffers._kept) == 1
