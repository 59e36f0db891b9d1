"""A long run needs little more memory than what it returns: nothing is held twice, and nothing beyond its use."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from decimal import Decimal
from typing import ClassVar

import numpy as np
import polars as pl

import lanner as ln
from lanner.backtest.curve import Prices, equity_curve
from lanner.backtest.record import PriceRecorder
from lanner.model.instruments import Instrument

ROWS = 200_000
ARRAY = 8 * ROWS


class Restless(ln.Strategy):
    """Turn the position round at every bar, and be known to whoever asks whether it still lives."""

    alive: ClassVar[weakref.WeakSet[Restless]] = weakref.WeakSet()

    def on_start(self) -> None:
        self.alive.add(self)
        self.bars("1h")

    def on_bar(self, bar: ln.Bar) -> None:
        self.target(0.0 if self.position.qty else 0.5)


def test_a_finished_backtest_keeps_neither_its_strategy_nor_its_engine() -> None:
    rows = 300
    hours = {"timestamp": [1_704_067_200_000 + 3_600_000 * i for i in range(rows)]}
    prices = dict.fromkeys(("open", "high", "low", "close"), [100.0] * rows)
    made = ln.backtest(
        Restless, {**hours, **prices, "volume": [5.0] * rows}, instrument="BTC-USDT.BINANCE", keep=False
    )
    assert len(made.result.orders) > 100
    gc.collect()
    assert not list(Restless.alive)


def test_prices_are_recorded_once() -> None:
    px = np.linspace(100.0, 200.0, ROWS)
    frames = pl.DataFrame(
        {"ts_event": np.arange(ROWS), "close": px, "high": px + 1, "low": px - 1}
    ).iter_slices(20_000)
    recorder = PriceRecorder("bars", ROWS, 0, ROWS, ROWS)
    for _ in recorder.pass_through(frames):
        pass
    tracemalloc.start()
    ts, close, high, low = recorder.arrays()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (ts[-1], close[-1], high[0], low[0]) == (ROWS - 1, 200.0, 101.0, 99.0)
    assert peak < 4.2 * ARRAY
    assert recorder.arrays()[0] is ts


def test_a_curve_takes_a_few_arrays_beside_its_own() -> None:
    instrument = Instrument.spot("BTC-USDT.BINANCE", tick="0.01", lot="0.001")
    prices = Prices(instrument, 1.0, np.arange(ROWS), np.linspace(100.0, 200.0, ROWS))
    tracemalloc.start()
    curve = equity_curve([prices], [], [], Decimal(1_000), 0, ROWS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert curve.equity.tolist()[:: ROWS - 1] == [1_000.0, 1_000.0]
    assert curve.benchmark is not None
    assert curve.benchmark[-1] == 2_000.0
    assert peak < 8 * ARRAY
