"""The quotes of one instrument as arrays: what a compiled strategy on quotes plays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.core.errors import DataError
from lanner.model.instruments import Instrument
from lanner.research.market import Floats, Ints

if TYPE_CHECKING:
    import polars as pl

NAMES = ("bid_px", "bid_qty", "ask_px", "ask_qty")


@dataclass(slots=True, frozen=True)
class QuoteMarket:
    """Quotes as arrays of one length.

    ``columns`` holds bid_px, bid_qty, ask_px, ask_qty (float64); ``top`` is int64[n, 4]: bid and ask in ticks, their
    quantities in lots; ``mid`` the middle price; ``ts`` UNIX nanoseconds.
    """

    instrument: Instrument
    columns: dict[str, Floats]
    ts: Ints
    top: Ints
    mid: Floats

    @property
    def close(self) -> Floats:
        """Return the prices that positions are valued at."""
        return self.mid

    @property
    def series(self) -> str:
        """Return the series' name."""
        return f"{self.instrument.id}@quotes"

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def from_frames(cls, instrument: Instrument, frames: Iterable[pl.DataFrame]) -> QuoteMarket:
        """Take frames in the catalog's columns of quotes, in time order."""
        import polars as pl

        parts = [frame.select("ts_event", *NAMES) for frame in frames]
        table = pl.concat(parts) if parts else None
        if table is None or not table.height:
            raise DataError(
                f"{instrument.id}: there are no quotes in the chosen span", expected="at least one"
            )
        columns = {name: np.ascontiguousarray(table[name].to_numpy()) for name in NAMES}
        return cls.from_arrays(instrument, columns, np.ascontiguousarray(table["ts_event"].to_numpy()))

    @classmethod
    def from_arrays(cls, instrument: Instrument, columns: dict[str, Any], ts: Ints) -> QuoteMarket:
        """Take columns of one length; both sides must be there in every row."""
        good = np.ones(len(ts), dtype=np.bool_)
        for name in NAMES:
            good &= np.isfinite(columns[name]) & (columns[name] > 0.0)
        if not good.all():
            bad = int(np.flatnonzero(~good)[0])
            raise DataError(
                f"{instrument.id}: quote {bad} has an empty side",
                expected="a price and a quantity on both sides of every quote",
                found={name: float(columns[name][bad]) for name in NAMES},
                fix="Run it in the event engine: --tier python.",
            )
        tick, lot = instrument.tick_float, instrument.lot_float
        top = np.empty((len(ts), 4), dtype=np.int64)
        for place, name in enumerate(("bid_px", "ask_px")):
            top[:, place] = np.rint(columns[name] / tick)
        for place, name in enumerate(("bid_qty", "ask_qty")):
            top[:, 2 + place] = columns[name] / lot + 1e-9
        return cls(instrument, columns, ts, top, (columns["bid_px"] + columns["ask_px"]) * 0.5)
