"""Exits on a spot instrument lock what they sell, so a smaller target must bring them down first."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import Instrument
from lanner.sim.settings import Slippage, SlippageModel, VenueSettings
from lanner.storage.schema import SCHEMAS

HOUR = 3_600_000_000_000


class Halve(ln.Strategy):
    """Go all in with a stop, then halve, then out."""

    def on_start(self) -> None:
        self.bars("1h")
        self.count = 0

    def on_bar(self, bar: ln.Bar) -> None:
        self.count += 1
        weight = {2: 1.0, 4: 0.5, 6: 0.0}.get(self.count)
        if weight is not None:
            self.target(weight, stop="20%")


def test_a_smaller_target_on_spot_sells_although_the_stop_had_locked_the_coins() -> None:
    rows = 8
    flat = {
        "ts_open": [i * HOUR for i in range(rows)],
        "ts_event": [(i + 1) * HOUR for i in range(rows)],
        "ts_recv": [(i + 1) * HOUR for i in range(rows)],
        "open": [100.0] * rows,
        "high": [101.0] * rows,
        "low": [99.0] * rows,
        "close": [100.0] * rows,
        "volume": [1000.0] * rows,
    }
    frame = pl.DataFrame(flat).select(
        pl.col(name).cast(dtype) if name in flat else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )
    instrument = Instrument.spot("BTC-USDT.SIM", tick="0.01", lot="0.001")
    venue = VenueSettings("SIM", {"USDT": Decimal(10_000)}, slippage=Slippage(SlippageModel.NONE, Decimal(0)))
    result = run_backtest(
        BacktestSpec(
            "halve",
            "halve",
            [StrategyEntry(Halve(), 1.0)],
            [memory_stream("bars", instrument.id, frame, "1h")],
            {instrument.id: instrument},
            {"SIM": venue},
            "USDT",
        )
    )
    assert [(fill.side, fill.qty) for fill in result.fills] == [(1, 100.0), (-1, 50.0), (-1, 50.0)]
    stops = [order for order in result.orders if order.type == "stop_market"]
    assert [order.qty for order in stops] == [50.0]
    assert all(order.status == "canceled" for order in stops)
