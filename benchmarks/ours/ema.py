"""EMA cross on Lanner: everything that `lanner backtest` does, on frames in memory."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import polars as pl

from benchmarks import contract, walk
from benchmarks.ours.cross import BarCross, QuoteCross
from lanner import __version__
from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.marketdata.merge import Stream, merge
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.sim.settings import FundingMode, VenueSettings
from lanner.storage.schema import SCHEMAS

INSTRUMENT_ID = "BTCUSDT-PERP.BINANCE"


def load(path: Path, kind: str) -> pl.DataFrame:
    """Return the walk in the catalog's columns."""
    raw = pl.DataFrame(dict(zip(walk.COLUMNS[kind], walk.read(path, kind), strict=True)))
    px, qty = 100.0, 1_000.0  # exact, unlike 1 / walk.TICK
    times = [pl.col("ts").alias("ts_event"), pl.col("ts").alias("ts_recv")]
    if kind == "bars":
        values = [(pl.col("ts") - walk.MINUTE_NS).alias("ts_open"), pl.col("volume") / qty]
        values += [pl.col(name) / px for name in ("open", "high", "low", "close")]
    else:
        values = [(pl.col(side) / px).alias(f"{side}_px") for side in ("bid", "ask")]
        values += [pl.col(name) / qty for name in ("bid_qty", "ask_qty")]
        values.append(pl.lit(0).alias("seq"))
    frame = raw.select(*times, *values)
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS[kind].items()
    )


def specification(frame: pl.DataFrame, kind: str, fast: int, slow: int) -> BacktestSpec:
    """Return the run: one perpetual, fees charged, no funding, a margin account of the usual size."""
    fees = FeeSchedule(maker=Decimal(contract.MAKER_FEE), taker=Decimal(contract.TAKER_FEE))
    instrument = Instrument.perp(INSTRUMENT_ID, tick="0.01", lot="0.001", fees=fees, max_leverage=Decimal(20))
    stream = memory_stream(kind, INSTRUMENT_ID, frame, "1m" if kind == "bars" else "", synthetic=True)
    strategy = (BarCross if kind == "bars" else QuoteCross)(fast=fast, slow=slow)
    venue = VenueSettings(
        name=instrument.venue,
        balances={"USDT": Decimal(contract.BALANCE)},
        leverage=Decimal(20),
        funding=FundingMode.ASSUME_ZERO,
    )
    return BacktestSpec(
        name="benchmark",
        run_id="benchmark",
        strategies=[StrategyEntry(strategy, 1.0)],
        streams=[stream],
        instruments={INSTRUMENT_ID: instrument},
        venues={instrument.venue: venue},
        currency="USDT",
    )


def reading_seconds(spec: BacktestSpec) -> float:
    """Return the CPU time of turning the columns into messages, which a run does as it goes."""
    streams = [Stream(s.kind, s.instrument_id, s.chunks(None, None), s.spec) for s in spec.streams]
    started = time.process_time()
    for _batch in merge(streams, by="ts_event"):
        pass
    return time.process_time() - started


def main() -> None:
    """Warm up, run, report."""
    args = contract.arguments()
    frame = load(args.data, args.kind)
    run_backtest(specification(frame.head(contract.WARM_UP_ROWS), args.kind, args.fast, args.slow))
    spec = specification(frame, args.kind, args.fast, args.slow)
    reading = reading_seconds(spec)
    result = run_backtest(spec)
    orders, fills = len(result.orders), len(result.fills)
    contract.Measured(result.events, result.seconds, orders, fills, __version__, reading).emit()


if __name__ == "__main__":
    main()
