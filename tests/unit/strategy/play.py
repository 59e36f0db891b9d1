"""Play hand-made bars through the real engine and simulated venue, without fees and slippage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import polars as pl

from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, ChunkSource, StrategyEntry, Stream
from lanner.model.instruments import Instrument
from lanner.model.timeframes import timeframe_ns
from lanner.sim.settings import FillSettings, FundingMode, Slippage, SlippageModel, VenueSettings
from lanner.strategy.base import Strategy

SPOT = Instrument.spot("BTC-USDT.TEST", tick="0.01", lot="0.0001")
PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.01", lot="0.0001", max_leverage=10)
START = 1_704_067_200_000_000_000

Ohlc = tuple[float, float, float, float]


class Frames(ChunkSource):
    """One frame, cut to what is asked for."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterator[pl.DataFrame]:
        ts = pl.col("ts_event")
        yield self.frame.filter(ts >= (since_ns or 0), ts < (until_ns or 1 << 62))


def bars_frame(prices: Sequence[float | Ohlc], timeframe: str, volumes: Sequence[float] = ()) -> pl.DataFrame:
    """Make bars of closes (each opens at the close before) or of whole (open, high, low, close)."""
    rows: list[Ohlc] = []
    for price in prices:
        if isinstance(price, tuple):
            rows.append(price)
        else:
            before = rows[-1][3] if rows else float(price)
            rows.append((before, max(before, price), min(before, price), float(price)))
    step = timeframe_ns(timeframe)
    opened = [START + step * i for i in range(len(rows))]
    columns: dict[str, Sequence[float]] = {
        "ts_open": opened,
        "ts_event": [ts + step for ts in opened],
        "ts_recv": [ts + step for ts in opened],
        **{name: [row[i] for row in rows] for i, name in enumerate(("open", "high", "low", "close"))},
        "volume": list(volumes) or [10.0] * len(rows),
    }
    empty = {"quote_volume": pl.Float64, "trades": pl.Int64, "taker_buy_volume": pl.Float64}
    return pl.DataFrame(columns).with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())


def play(
    strategy: Strategy,
    prices: Sequence[float | Ohlc],
    *,
    instrument: Instrument = SPOT,
    volumes: Sequence[float] = (),
    more: dict[str, Sequence[float | Ohlc]] | None = None,
    cash: int = 100_000,
    fills: FillSettings | None = None,
) -> BacktestResult:
    """Run a strategy over hand-made bars; ``more`` adds bars of further instruments by id."""
    instruments = {instrument.id: instrument}
    streams = [_stream(instrument.id, strategy.timeframe, bars_frame(prices, strategy.timeframe, volumes))]
    for name, others in (more or {}).items():
        instruments[name] = Instrument.spot(name, tick="0.01", lot="0.0001")
        streams.append(_stream(name, strategy.timeframe, bars_frame(others, strategy.timeframe)))
    venue = VenueSettings(
        "TEST",
        {"USDT": Decimal(cash)},
        slippage=Slippage(SlippageModel.NONE, Decimal(0)),
        funding=FundingMode.ASSUME_ZERO,
        fills=fills or FillSettings(),
    )
    spec = BacktestSpec(
        "play", "play", [StrategyEntry(strategy, 1.0)], streams, instruments, {"TEST": venue}, "USDT"
    )
    return run_backtest(spec)


Trip = tuple[int, float, float, float, float, str]


def trips(result: BacktestResult, timeframe: str) -> list[Trip]:
    """Return round trips as (side, entry bar, entry price, exit bar, exit price, exit reason).

    A time is the number of bars closed by then; a position that is still open ends with the reason "still open".
    """
    step = timeframe_ns(timeframe)
    return [
        (
            trip.side,
            (trip.entry_ts - START) // step,
            round(trip.entry_px, 6),
            (trip.exit_ts - START) // step,
            round(trip.exit_px, 6),
            trip.exit_reason,
        )
        for trip in result.round_trips
    ]


def _stream(instrument_id: str, timeframe: str, frame: pl.DataFrame) -> Stream:
    first, last = int(frame["ts_event"][0]), int(frame["ts_event"][-1])
    return Stream("bars", instrument_id, timeframe, frame.height, first, last, "", True, None, Frames(frame))
