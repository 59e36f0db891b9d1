# ruff: noqa: N815, E741 - the fields bear the venue's own names
"""The venue's market data as it comes over the wire, one typed shape per message.

Numbers come as text and are read as floats at once. The bounds keep NaN, infinity and negative values out: a message
that holds one cannot be understood. Fields that nothing here uses are not named, so that new ones do no harm.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Px = Annotated[float, Meta(gt=0.0, le=1e15)]
Qty = Annotated[float, Meta(ge=0.0, le=1e18)]
Zeroable = Annotated[float, Meta(ge=0.0, le=1e15)]
Rate = Annotated[float, Meta(ge=-10.0, le=10.0)]
Stamp = Annotated[int, Meta(ge=0, le=9_000_000_000_000_000)]
Seq = Annotated[int, Meta(ge=0, le=9_000_000_000_000_000_000)]
Levels = tuple[tuple[Px, Qty], ...]


class BookTicker(Struct, gc=False):
    """Best bid and ask; spot tells no time, futures tell event (E) and transaction (T) time."""

    u: Seq
    b: Zeroable
    B: Qty
    a: Zeroable
    A: Qty
    s: str = ""
    E: Stamp = 0


class TradeEvent(Struct, gc=False):
    """A single trade (``t``) or trades of one taker order at one price (``a``)."""

    p: Zeroable
    q: Qty
    T: Stamp
    m: bool
    t: Seq = 0
    s: str = ""


class AggTrade(Struct, gc=False):
    """Trades of one taker order at one price, of a stream or of history."""

    a: Seq
    p: Px
    q: Qty
    T: Stamp
    m: bool
    s: str = ""


class DepthDiff(Struct, gc=False):
    """Changes of a book. ``pu`` is futures only; the same shape carries partial books of futures."""

    E: Stamp
    U: Seq
    u: Seq
    b: Levels
    a: Levels
    s: str = ""
    pu: Seq = 0


class DepthSnapshot(Struct, gc=False):
    """A whole book over HTTP, and a partial book of a spot stream, which names no symbol."""

    lastUpdateId: Seq
    bids: Levels
    asks: Levels
    E: Stamp = 0


class Kline(Struct, gc=False):
    """A bar that may still be growing; ``x`` says that it is closed."""

    t: Stamp
    T: Stamp
    i: str
    o: Px
    c: Px
    h: Px
    l: Px
    v: Qty
    n: Seq
    x: bool
    q: Qty
    V: Qty


class KlineEvent(Struct, gc=False):
    """A kline event."""

    k: Kline
    s: str = ""


class MarkEvent(Struct, gc=False):
    """Mark price, index price, estimated funding rate and the time of the next settlement."""

    E: Stamp
    s: str
    p: Px
    i: Zeroable | None = None
    r: str | None = None
    T: Stamp = 0


class Framed(Struct, gc=False):
    """What every frame may tell of itself; each part is read only where it is needed."""

    stream: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    e: msgspec.Raw = msgspec.Raw()
    id: str | int | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()
    code: msgspec.Raw = msgspec.Raw()
    msg: msgspec.Raw = msgspec.Raw()
    u: msgspec.Raw = msgspec.Raw()
    A: msgspec.Raw = msgspec.Raw()


class KlineRow(Struct, array_like=True, gc=False):
    """A bar of history, as the row of an array."""

    t: Stamp
    o: Px
    h: Px
    l: Px
    c: Px
    v: Qty
    T: Stamp
    q: Qty
    n: Seq
    V: Qty


class FundingRow(Struct, gc=False):
    """A settled funding rate of history."""

    symbol: str
    fundingRate: Rate
    fundingTime: Stamp


class BestPrices(Struct, gc=False):
    """Best bid and ask over HTTP."""

    bidPrice: Zeroable
    bidQty: Qty
    askPrice: Zeroable
    askQty: Qty
    symbol: str = ""
    time: Stamp = 0
    lastUpdateId: Seq = 0


class Time(Struct, gc=False):
    """The venue's clock."""

    serverTime: Stamp


class Filter(Struct, gc=False):
    """One trading rule of a symbol; which fields it has depends on its type."""

    filterType: str
    tickSize: Decimal | None = None
    stepSize: Decimal | None = None
    minQty: Decimal | None = None
    maxQty: Decimal | None = None
    minNotional: Decimal | None = None
    notional: Decimal | None = None
    multiplierUp: Decimal | None = None
    multiplierDown: Decimal | None = None
    bidMultiplierUp: Decimal | None = None
    askMultiplierDown: Decimal | None = None


class SymbolInfo(Struct, gc=False):
    """A symbol of exchangeInfo; the lower fields are futures only."""

    symbol: str
    baseAsset: str
    quoteAsset: str
    filters: list[Filter] = []
    status: str = ""
    isSpotTradingAllowed: bool = True
    contractType: str = ""
    contractStatus: str = ""
    marginAsset: str = ""
    maintMarginPercent: Decimal | None = None


class ExchangeInfo(Struct, gc=False):
    """All symbols; each is kept as it came, so that one that cannot be understood costs only itself."""

    symbols: list[msgspec.Raw]
