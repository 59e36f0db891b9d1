"""Two strategies with opposite positions in one instrument share one netting account at the venue."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import Instrument
from lanner.sim.settings import FundingMode, Slippage, SlippageModel, VenueSettings
from lanner.storage.schema import SCHEMAS

MINUTE = 60_000_000_000


class Hold(ln.Strategy):
    """Hold a fixed quantity from the second bar to the sixth, protected by a stop."""

    qty = ln.Param(1.0, -10.0, 10.0)
    stop = ln.Param("50%")

    def on_start(self) -> None:
        self.bars("1m")
        self.count = 0

    def on_bar(self, bar: ln.Bar) -> None:
        self.count += 1
        if self.count == 2:
            self.target_qty(self.qty, stop=self.stop)
        elif self.count == 6:
            self.close()


def play(lows: list[float], *strategies: Hold) -> BacktestResult:
    rows = len(lows)
    columns = {
        "ts_open": [i * MINUTE for i in range(rows)],
        "ts_event": [(i + 1) * MINUTE for i in range(rows)],
        "ts_recv": [(i + 1) * MINUTE for i in range(rows)],
        "open": [100.0] * rows,
        "high": [101.0] * rows,
        "low": lows,
        "close": [100.0] * rows,
        "volume": [1000.0] * rows,
    }
    frame = pl.DataFrame(columns).select(
        pl.col(name).cast(dtype) if name in columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )
    instrument = Instrument.perp("BTC-PERP.SIM", tick="0.01", lot="0.001")
    venue = VenueSettings(
        "SIM",
        {"USDT": Decimal(10_000)},
        slippage=Slippage(SlippageModel.NONE, Decimal(0)),
        funding=FundingMode.ASSUME_ZERO,
    )
    for number, strategy in enumerate(strategies):
        strategy.id = f"s{number}"
    spec = BacktestSpec(
        "shared",
        "shared",
        [StrategyEntry(strategy, 1 / len(strategies)) for strategy in strategies],
        [memory_stream("bars", instrument.id, frame, "1m")],
        {instrument.id: instrument},
        {"SIM": venue},
        "USDT",
    )
    return run_backtest(spec)


def test_one_strategys_exit_is_not_refused_because_of_the_others_position() -> None:
    result = play([99.0] * 8, Hold(qty=1.0), Hold(qty=-3.0))
    closed = {trip.strategy_id: (trip.side * trip.qty, trip.open) for trip in result.round_trips}
    assert closed == {"s0": (1.0, False), "s1": (-3.0, False)}
    assert not [order for order in result.orders if order.status == "rejected"]


def test_one_strategys_stop_works_while_the_account_is_short() -> None:
    lows = [99.0, 99.0, 99.0, 89.0, 99.0, 99.0, 99.0, 99.0]
    result = play(lows, Hold(qty=1.0, stop="10%"), Hold(qty=-3.0))
    stopped = [fill for fill in result.fills if fill.strategy_id == "s0" and fill.side == -1]
    assert [(fill.px, fill.qty, fill.reason) for fill in stopped] == [(90.0, 1.0, "stop")]
