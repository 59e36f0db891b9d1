"""EMA cross on Lanner: everything that `lanner backtest` does, on frames in memory."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl

from benchmarks import contract, walk
from benchmarks.ours.cross import BarCross, QuoteCross
from lanner import __version__
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, ChunkSource, StrategyEntry, Stream
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.sim.settings import FundingMode, VenueSettings
from lanner.storage.schema import SCHEMAS

INSTRUMENT_ID = "BTCUSDT-PERP.BINANCE"
CHUNK_ROWS = 65_536


class Frames(ChunkSource):
    """Hand out one frame in chunks, as the catalog would."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterator[pl.DataFrame]:
        """Return the chunks of [since, until)."""
        ts = pl.col("ts_event")
        chosen = self.frame.filter(ts.is_between(since_ns or 0, until_ns or 2**62, closed="left"))
        yield from chosen.iter_slices(CHUNK_ROWS)


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
    ts = frame["ts_event"]
    stream = Stream(
        kind=kind,
        instrument_id=INSTRUMENT_ID,
        spec="1m" if kind == "bars" else "",
        rows=len(frame),
        start_ns=int(ts[0]),
        end_ns=int(ts[-1]),
        content_hash="",
        synthetic=True,
        passport=None,
        chunks=Frames(frame),
    )
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


def main() -> None:
    """Warm up, run, report."""
    args = contract.arguments()
    frame = load(args.data, args.kind)
    run_backtest(specification(frame.head(contract.WARM_UP_ROWS), args.kind, args.fast, args.slow))
    result = run_backtest(specification(frame, args.kind, args.fast, args.slow))
    contract.Measured(
        result.events, result.seconds, len(result.orders), len(result.fills), __version__
    ).emit()


if __name__ == "__main__":
    main()
