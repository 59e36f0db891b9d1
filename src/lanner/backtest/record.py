"""What a run leaves behind, gathered beside the hot loop: prices from the columns, fills from the engine.

The equity curve is not sampled while the strategy runs. Prices are taken from the data's own columns as
they pass, and the curve is computed from them and the fills afterwards: exact, at every bar, and free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lanner.backtest.result import PriceSeries

if TYPE_CHECKING:
    import polars as pl

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CHART_BARS = 5_000
_TARGET_ROWS = 400_000


class PriceRecorder:
    """Keep one instrument's prices, thinned to at most ``max_points`` by keeping the last of each interval."""

    def __init__(self, kind: str, rows: int, start_ns: int, end_ns: int, max_points: int) -> None:
        self.kind = kind
        self.bucket_ns = 0 if rows <= max_points else max(1, (end_ns - start_ns) // max_points)
        self._parts: tuple[list[Any], list[Any], list[Any], list[Any]] = ([], [], [], [])
        self._done: tuple[Ints, Floats, Floats, Floats] | None = None
        self._last_ts = start_ns - self.bucket_ns
        self._times: list[int] = []
        self._prices: list[float] = []

    def pass_through(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Record the prices of every frame that passes."""
        for frame in frames:
            self._record(frame)
            yield frame

    def note(self, ts: int, px: float) -> None:
        """Record one price: for books, whose mid is known only once an update has been applied."""
        if ts - self._last_ts >= self.bucket_ns:
            self._last_ts = ts
            self._times.append(ts)
            self._prices.append(px)

    def _record(self, frame: pl.DataFrame) -> None:
        ts = frame["ts_event"].to_numpy()
        if self.kind == "bars":
            px, high, low = (frame[name].to_numpy() for name in ("close", "high", "low"))
        elif self.kind == "quotes":
            px = (frame["bid_px"].to_numpy() + frame["ask_px"].to_numpy()) * 0.5
            high = low = px
        else:
            px = high = low = frame["px"].to_numpy()
        good = np.isfinite(px)
        if not good.all():
            ts, px, high, low = ts[good], px[good], high[good], low[good]
        if self.bucket_ns and len(ts):
            ts, px, high, low = _thin(ts, px, high, low, self.bucket_ns)
        self._keep(ts, px, high, low)

    def _keep(self, ts: Ints, px: Floats, high: Floats, low: Floats) -> None:
        for parts, column in zip(self._parts, (ts, px, high, low), strict=True):
            parts.append(column)

    def arrays(self) -> tuple[Ints, Floats, Floats, Floats]:
        """Return times, prices, highs and lows."""
        if self._done is None:
            if self._times:
                px = np.asarray(self._prices)
                self._keep(np.asarray(self._times, dtype=np.int64), px, px, px)
            if not self._parts[0]:
                empty = np.zeros(0)
                return np.zeros(0, np.int64), empty, empty, empty
            ts, px = _join(self._parts[0]).astype(np.int64, copy=False), _join(self._parts[1])
            high = low = px
            if self.kind == "bars" or self.bucket_ns:
                high, low = _join(self._parts[2]), _join(self._parts[3])
            self._done = (ts, px, high, low)
        return self._done


def _join(parts: list[Any]) -> Any:
    """Return the parts in one piece and let go of them: a long run has no room for both."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def _thin(
    ts: Ints, px: Floats, high: Floats, low: Floats, bucket_ns: int
) -> tuple[Ints, Floats, Floats, Floats]:
    bucket = ts // bucket_ns
    starts = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    ends = np.concatenate((starts[1:], [len(ts)])) - 1
    return ts[ends], px[ends], np.maximum.reduceat(high, starts), np.minimum.reduceat(low, starts)


class CandleRecorder:
    """Keep the bars of one series for a chart, merged to at most ``CHART_BARS`` candles."""

    def __init__(self, instrument_id: str, spec: str, rows: int) -> None:
        self.instrument_id = instrument_id
        self.spec = spec
        self.step = max(1, -(-rows // CHART_BARS))
        self._parts: list[tuple[Floats, ...]] = []
        self._rest: tuple[Floats, ...] | None = None

    def pass_through(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Record the candles of every frame that passes."""
        for frame in frames:
            names = ("ts_open", "open", "high", "low", "close", "volume")
            columns = tuple(frame[name].to_numpy() for name in names)
            if self._rest is not None:
                columns = tuple(
                    np.concatenate((rest, column)) for rest, column in zip(self._rest, columns, strict=True)
                )
            whole = len(columns[0]) // self.step * self.step
            self._rest = tuple(column[whole:] for column in columns)
            if whole:
                self._parts.append(self._merge(tuple(column[:whole] for column in columns)))
            yield frame

    def _merge(self, columns: tuple[Floats, ...]) -> tuple[Floats, ...]:
        if self.step == 1:
            return columns
        starts = np.arange(0, len(columns[0]), self.step)
        ends = np.minimum(starts + self.step, len(columns[0])) - 1
        ts, first, high, low, close, volume = columns
        return (
            ts[starts],
            first[starts],
            np.maximum.reduceat(high, starts),
            np.minimum.reduceat(low, starts),
            close[ends],
            np.add.reduceat(volume, starts),
        )

    def series(self) -> PriceSeries:
        """Return the candles."""
        parts = list(self._parts)
        if self._rest is not None and len(self._rest[0]):
            parts.append(self._merge(self._rest))
        columns = [np.concatenate([part[i] for part in parts]) if parts else np.zeros(0) for i in range(6)]
        return PriceSeries(
            self.instrument_id, self.spec, columns[0].astype(np.int64, copy=False), *columns[1:]
        )


def candles_of_prices(instrument_id: str, ts: Ints, px: Floats, high: Floats, low: Floats) -> PriceSeries:
    """Make chart candles from tick prices: equal intervals, about 1,000 of them."""
    if not len(ts):
        empty = np.zeros(0)
        return PriceSeries(instrument_id, "", ts, empty, empty, empty, empty, empty)
    span = max(1, int(ts[-1] - ts[0]) // 1_000)
    bucket = (ts - ts[0]) // span
    starts = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    ends = np.concatenate((starts[1:], [len(ts)])) - 1
    return PriceSeries(
        instrument_id,
        "ticks",
        ts[0] + bucket[starts] * span,
        px[starts],
        np.maximum.reduceat(high, starts),
        np.minimum.reduceat(low, starts),
        px[ends],
        np.zeros(len(starts)),
    )
