"""Conclude an instrument's tick and lot from the values seen."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl

_MOST_DECIMALS = 10
_TOLERANCE = 1e-7
_ENOUGH_PRICES = 50

_PRICES = {
    "bars": ("open", "high", "low", "close"),
    "trades": ("px",),
    "quotes": ("bid_px", "ask_px"),
    "book": ("px",),
}
_QUANTITIES = {"bars": ("volume",), "trades": ("qty",), "quotes": ("bid_qty", "ask_qty"), "book": ("qty",)}


class Grid:
    """Follow the decimals and the greatest common step of prices and quantities."""

    __slots__ = ("_prices", "_quantities", "_sums_only", "last_px")

    def __init__(self) -> None:
        self._prices = _Steps()
        self._quantities = _Steps()
        self._sums_only = True
        self.last_px = 0.0

    def take(self, frame: pl.DataFrame, kind: str) -> None:
        """Look at the rows of one kind; kinds without traded prices are ignored."""
        for name in _PRICES.get(kind, ()):
            self._prices.take(frame[name].drop_nulls().drop_nans().to_numpy())
        for name in _QUANTITIES.get(kind, ()):
            self._quantities.take(frame[name].drop_nulls().drop_nans().to_numpy())
        if kind in ("trades", "quotes", "book"):
            self._sums_only = False
        if kind in _PRICES:
            self.last_px = (
                float(frame[_PRICES[kind][-1]].drop_nulls().drop_nans().tail(1).sum()) or self.last_px
            )

    @property
    def known(self) -> bool:
        """Tell whether any price was seen."""
        return self._prices.seen > 0

    @property
    def tick(self) -> Decimal:
        """Return the price step: the common step of many prices, else one unit of the last decimal."""
        return self._prices.step(fine=self._prices.seen < _ENOUGH_PRICES)

    @property
    def lot(self) -> Decimal:
        """Return the quantity step, at most 1; from bars alone it is fine enough to be worth one unit of quote."""
        lot = min(self._quantities.step(fine=True), Decimal(1)) if self._quantities.seen else Decimal("1e-8")
        if self._sums_only and self.last_px > 0:
            exponent = int(np.floor(-np.log10(self.last_px)))
            lot = min(lot, Decimal(1).scaleb(max(exponent, -8)))
        return max(lot, Decimal("1e-8"))


class _Steps:
    __slots__ = ("decimals", "divisor", "seen")

    def __init__(self) -> None:
        self.decimals = 0
        self.divisor = 0
        self.seen = 0

    def take(self, values: npt.NDArray[np.float64]) -> None:
        used = values[(values > 0) & (values < 1e9)]
        if not len(used):
            return
        used = np.unique(used)
        self.seen = max(self.seen, len(used))
        before = self.decimals
        while self.decimals < _MOST_DECIMALS:
            scaled = used * 10.0**self.decimals
            if np.all(np.abs(scaled - np.rint(scaled)) <= np.maximum(_TOLERANCE, scaled * 1e-12)):
                break
            self.decimals += 1
        self.divisor *= 10 ** (self.decimals - before)
        whole = np.rint(used * 10.0**self.decimals)
        whole = whole[whole < 2**53].astype(np.int64)
        if len(whole):
            self.divisor = int(np.gcd(self.divisor, int(np.gcd.reduce(whole))))

    def step(self, *, fine: bool) -> Decimal:
        unit = Decimal(1).scaleb(-self.decimals)
        if fine or self.divisor <= 1:
            return unit
        factor = 1
        for candidate in (2, 5, 10, 20, 25, 50, 100):
            if self.divisor % candidate == 0:
                factor = candidate
        return (unit * factor).normalize() if factor > 1 else unit
