"""Bars as arrays, for research: one instrument's prices in ticks and as numbers, with its funding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lanner.core.errors import DataError
from lanner.indicators.arrays import as_input
from lanner.model.instruments import Instrument
from lanner.model.timeframes import series_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NO_INTS = np.zeros(0, dtype=np.int64)
_NO_FLOATS = np.zeros(0, dtype=np.float64)


@dataclass(slots=True, frozen=True)
class Funding:
    """Funding payments by the bar they fall into; ``at_end`` tells those that are due as their bar closes."""

    bar: Ints = field(default_factory=lambda: _NO_INTS)
    at_end: Ints = field(default_factory=lambda: _NO_INTS)
    rate: Floats = field(default_factory=lambda: _NO_FLOATS)


@dataclass(slots=True, frozen=True)
class Market:
    """One bar series as arrays of one length.

    ``columns`` holds ts_open (int64, UNIX ns), open, high, low, close, volume (float64); ``ticks`` is int64[n, 4]:
    open, high, low, close, each max(1, price ÷ tick to the nearest), which kernels may also find for themselves;
    ``ts`` are the closing times; ``volume_lots`` is int64[n].
    """

    instrument: Instrument
    timeframe: str
    columns: dict[str, NDArray[Any]]
    ts: Ints
    ticks: Ints
    volume_lots: Ints
    funding: Funding = field(default_factory=Funding)

    @property
    def series(self) -> str:
        """Return the series' name, e.g. ``BTC-USDT.BINANCE@1h``."""
        return series_id(self.instrument.id, self.timeframe)

    @property
    def close(self) -> Floats:
        """Return the closing prices."""
        return self.columns["close"]

    def input(self, name: str) -> NDArray[Any]:
        """Return a column as kernels take it: without the mark of arrays that are read-only, which is another type."""
        return as_input(name, self.columns[name])

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def from_frames(
        cls,
        instrument: Instrument,
        timeframe: str,
        frames: Iterable[pl.DataFrame],
        funding: Iterable[pl.DataFrame] = (),
    ) -> Market:
        """Take frames in the catalog's columns of bars, in time order, and of funding."""
        import polars as pl

        names = ["ts_open", "ts_event", "open", "high", "low", "close", "volume"]
        parts = [frame.select(names) for frame in frames]
        table = pl.concat(parts) if parts else None
        if table is None or not table.height:
            raise DataError(f"{instrument.id}: there are no bars in the chosen span", expected="at least one")
        columns = {name: np.ascontiguousarray(table[name].to_numpy()) for name in names if name != "ts_event"}
        ts = np.ascontiguousarray(table["ts_event"].to_numpy())
        return cls.from_arrays(instrument, timeframe, columns, ts, _funding(ts, columns["ts_open"], funding))

    @classmethod
    def from_arrays(
        cls,
        instrument: Instrument,
        timeframe: str,
        columns: dict[str, NDArray[Any]],
        ts: Ints,
        funding: Funding | None = None,
    ) -> Market:
        """Take columns of one length; prices must be positive numbers."""
        prices = np.stack([columns[name] for name in ("open", "high", "low", "close")], axis=1)
        if not (np.isfinite(prices).all() and (prices > 0.0).all()):
            bad = int(np.flatnonzero(~(np.isfinite(prices) & (prices > 0.0)).all(axis=1))[0])
            raise DataError(
                f"{instrument.id}: bar {bad} has a price that is none",
                expected="positive numbers",
                found=prices[bad].tolist(),
            )
        ticks = np.maximum(1, np.rint(prices / instrument.tick_float)).astype(np.int64)
        lots = (columns["volume"] / instrument.lot_float + 1e-9).astype(np.int64)
        return cls(
            instrument, timeframe, columns, ts, np.ascontiguousarray(ticks), lots, funding or Funding()
        )

    def between(self, start: int, stop: int) -> Market:
        """Return the bars [start, stop) as a market of their own."""
        funding = self.funding
        own = (funding.bar >= start) & (funding.bar < stop)
        return Market(
            self.instrument,
            self.timeframe,
            {name: column[start:stop] for name, column in self.columns.items()},
            self.ts[start:stop],
            self.ticks[start:stop],
            self.volume_lots[start:stop],
            Funding(funding.bar[own] - start, funding.at_end[own], funding.rate[own]),
        )


def _funding(ts: Ints, ts_open: Ints, frames: Iterable[pl.DataFrame]) -> Funding:
    """Place the settled payments: inside a bar, or at its end."""
    import polars as pl

    parts = [frame.filter(~pl.col("predicted")).select("ts_event", "rate") for frame in frames]
    table = pl.concat(parts) if parts else None
    if table is None or not table.height:
        return Funding()
    when, rate = table["ts_event"].to_numpy(), table["rate"].to_numpy()
    bar = np.searchsorted(ts, when, side="left")
    inside = bar < len(ts)
    when, rate, bar = when[inside], rate[inside], bar[inside]
    # before a bar opened, what was held at the close before counts: that bar's end, whatever the gap
    early = (when < ts_open[bar]) & (bar > 0)
    bar = np.where(early, bar - 1, bar)
    at_end = early | (ts[bar] == when)
    held = when >= ts_open[0]
    return Funding(bar[held].astype(np.int64), at_end[held].astype(np.int64), rate[held].astype(np.float64))
