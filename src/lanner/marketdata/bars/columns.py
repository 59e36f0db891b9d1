"""Trades and bars as columns, the form in which whole data sets are worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Public trades in time order: times in nanoseconds, ``aggressor`` 1, −1 or 0."""

    ts_event: Ints
    ts_recv: Ints
    px: Floats
    qty: Floats
    aggressor: NDArray[np.int8]

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> TradeColumns:
        """Take the columns of a trades frame of the catalog, without copying."""
        return cls(*(frame[name].to_numpy() for name in ("ts_event", "ts_recv", "px", "qty", "aggressor")))

    def take(self, keep: NDArray[Any]) -> TradeColumns:
        """Return the rows that a boolean mask or an index array selects."""
        return TradeColumns(
            self.ts_event[keep], self.ts_recv[keep], self.px[keep], self.qty[keep], self.aggressor[keep]
        )

    def __len__(self) -> int:
        return len(self.ts_event)


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Bars in time order; the last three measurements are None when the source does not tell them.

    Where only some bars lack a float measurement, it is NaN there and null in a frame.
    """

    ts_open: Ints
    ts_event: Ints
    ts_recv: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats | None = None
    trades: Ints | None = None
    taker_buy_volume: Floats | None = None

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> BarColumns:
        """Take the columns of a bars frame of the catalog; trade counts with a null count as untold."""
        columns: list[Any] = [frame[name].to_numpy() for name in cls.__dataclass_fields__]
        for place, name in ((8, "quote_volume"), (9, "trades"), (10, "taker_buy_volume")):
            nulls = frame[name].null_count()
            if nulls and (name == "trades" or nulls == frame.height):
                columns[place] = None
        return cls(*columns)

    def cut(self, start: int, stop: int) -> BarColumns:
        """Return the bars [start, stop)."""
        columns: list[Any] = [getattr(self, name) for name in self.__dataclass_fields__]
        part: list[Any] = [None if column is None else column[start:stop] for column in columns]
        return BarColumns(*part)

    def to_frame(self) -> pl.DataFrame:
        """Return a frame with the catalog's bar schema."""
        import polars as pl

        names = self.__dataclass_fields__
        wide = {name: getattr(self, name) for name in names}
        ints = {"ts_open", "ts_event", "ts_recv", "trades"}
        rows = len(self)
        return pl.DataFrame(
            [
                pl.Series(name, column, dtype=pl.Int64 if name in ints else pl.Float64, nan_to_null=True)
                if column is not None
                else pl.Series(name, [None] * rows, dtype=pl.Int64 if name in ints else pl.Float64)
                for name, column in wide.items()
            ]
        )

    def __len__(self) -> int:
        return len(self.ts_open)
