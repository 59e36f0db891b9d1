"""Market data messages. Times are UNIX nanoseconds: ``ts_event`` by the venue, ``ts_recv`` by us."""

from __future__ import annotations

import msgspec

from lanner.model.timeframes import split_series


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar of a series, known at its close: ``ts_event`` is the close time."""

    series: str
    ts_event: int
    ts_recv: int
    ts_open: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None = None
    trades: int | None = None
    taker_buy_volume: float | None = None

    @property
    def instrument_id(self) -> str:
        """Return the instrument's id."""
        return split_series(self.series)[0]

    @property
    def timeframe(self) -> str:
        """Return the bar specification, e.g. ``1h``."""
        return split_series(self.series)[1]


class BarOpen(msgspec.Struct, frozen=True, gc=False):
    """The opening of a bar, for a simulated venue: what is known of the bar when it begins.

    ``volume`` is the whole bar's, known only to the venue's arithmetic; strategies never see this message.
    """

    series: str
    ts_event: int
    ts_recv: int
    px: float
    volume: float
    ts_close: int


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask. A side that is empty has quantity 0 and price NaN."""

    instrument_id: str
    ts_event: int
    ts_recv: int
    bid_px: float
    bid_qty: float
    ask_px: float
    ask_qty: float
    seq: int = 0

    @property
    def mid(self) -> float:
        """Return (bid + ask) / 2."""
        return (self.bid_px + self.ask_px) * 0.5

    @property
    def spread(self) -> float:
        """Return ask − bid."""
        return self.ask_px - self.bid_px


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A public print. ``aggressor`` is 1 (buyer took), −1 (seller took) or 0 (not told)."""

    instrument_id: str
    ts_event: int
    ts_recv: int
    px: float
    qty: float
    aggressor: int = 0
    trade_id: str = ""


class BookUpdate(msgspec.Struct, frozen=True, gc=False):
    """A snapshot or a set of level changes of an order book; quantity 0 removes a level.

    ``first_seq`` and ``seq`` are the first and last update numbers that the message covers,
    ``prev_seq`` the number of the message before where the venue tells it (else 0).
    """

    instrument_id: str
    ts_event: int
    ts_recv: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    snapshot: bool = False
    first_seq: int = 0
    seq: int = 0
    prev_seq: int = 0


class MarkPrice(msgspec.Struct, frozen=True, gc=False):
    """Mark and index price of a derivative; NaN where the venue does not tell one."""

    instrument_id: str
    ts_event: int
    ts_recv: int
    mark_px: float
    index_px: float = float("nan")


class FundingRate(msgspec.Struct, frozen=True, gc=False):
    """A funding rate as a fraction of notional per interval; longs pay when it is positive.

    A ``predicted`` rate only informs; one that is not is settled at ``ts_event``.
    """

    instrument_id: str
    ts_event: int
    ts_recv: int
    rate: float
    interval_ns: int = 0
    predicted: bool = False


MarketData = Bar | Quote | Trade | BookUpdate | MarkPrice | FundingRate
