"""Market streams: which connections to open, and frames into market data.

The hot path finds the stream's name by its place in the frame, and the reader of that stream in a table. A reader knows
its instrument and the one shape that its stream carries. Everything else (raw streams without a name, other key order,
answers, account events) is looked at piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, MarketData, MarkPrice, Quote, Trade
from lanner.model.timeframes import series_id
from lanner.venues.binance.names import Symbols, symbol_of, to_ns
from lanner.venues.binance.wire import (
    AggTrade,
    BookTicker,
    DepthDiff,
    DepthSnapshot,
    KlineEvent,
    MarkEvent,
    TradeEvent,
)

NAN = float("nan")
_SMALL = 9_000_000_000_000
"""Times below are milliseconds; see ``to_ns``."""

Reader = Callable[[bytes, int], Sequence[MarketData]]
"""A whole frame with the stream's name, and the receive stamp, to messages."""
Made = Callable[[object, int], Sequence[MarketData]]


class _Quoted(msgspec.Struct, gc=False):
    data: BookTicker


class _Traded(msgspec.Struct, gc=False):
    data: TradeEvent


class _Aggregated(msgspec.Struct, gc=False):
    data: AggTrade


class _Changed(msgspec.Struct, gc=False):
    data: DepthDiff


class _Partial(msgspec.Struct, gc=False):
    data: DepthSnapshot


class _Grown(msgspec.Struct, gc=False):
    data: KlineEvent


class _Marked(msgspec.Struct, gc=False):
    data: MarkEvent


def _wire(shape: type) -> Callable[[bytes], object]:
    return msgspec.json.Decoder(shape, strict=False).decode


_quoted, _traded, _aggregated = _wire(_Quoted), _wire(_Traded), _wire(_Aggregated)
_changed, _grown, _marked = _wire(_Changed), _wire(_Grown), _wire(_Marked)

EVENTS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "bookTicker": (_wire(BookTicker), "quote"),
    "trade": (_wire(TradeEvent), "trade"),
    "aggTrade": (_wire(AggTrade), "agg"),
    "depthUpdate": (_wire(DepthDiff), "diff"),
    "kline": (_wire(KlineEvent), "bar"),
    "markPriceUpdate": (_wire(MarkEvent), "mark"),
}
"""Decoder and kind of each market event that is read, by the event's own name."""


class MarketReader:
    """Read market data of one product."""

    __slots__ = ("_symbols", "readers")

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self.readers: dict[bytes, Reader] = {}

    def reader(self, stream: bytes) -> Reader | None:
        """Return the reader of a stream by its name, ``btcusdt@bookTicker``; None for one that is not read here."""
        known = self.readers.get(stream)
        if known is not None:
            return known
        symbol, _, kind = stream.decode().partition("@")
        instrument = self._symbols.by_symbol.get(symbol.upper())
        made = None if instrument is None else _reader(kind, instrument, self._symbols)
        if made is not None:
            self.readers[stream] = made
        return made

    def forget(self) -> None:
        """Forget the readers, since instruments have changed."""
        self.readers.clear()

    def event(self, name: str, raw: bytes, ts_recv: int) -> Sequence[MarketData] | None:
        """Read an event that came without a stream's name; None when it is no market event, or of a stranger."""
        decode, kind = EVENTS[name]
        event = decode(raw)
        symbol: str = event.s  # type: ignore[attr-defined]
        instrument = self._symbols.by_symbol.get(symbol)
        return None if instrument is None else _MAKERS[kind](instrument)(event, ts_recv)


def _reader(kind: str, instrument: Instrument, symbols: Symbols) -> Reader | None:
    if kind == "bookTicker":
        return _quote_reader(instrument, symbols)
    for start, decode, maker in _STREAMS:
        if kind == start or kind.startswith(start + "@") or (start in _NUMBERED and _numbered(kind, start)):
            if start == "depth" and kind[5:6].isdigit():
                return _partial_reader(instrument, symbols)
            return _named(decode, instrument, symbols, _MAKERS[maker])
    return None


_NUMBERED = ("depth", "kline_")


def _numbered(kind: str, start: str) -> bool:
    return kind.startswith(start) and len(kind) > len(start) and kind[len(start)].isdigit()


def _named(
    decode: Callable[[bytes], object],
    instrument: Instrument,
    symbols: Symbols,
    maker: Callable[[Instrument], Made],
) -> Reader:
    """Return the reader of a stream whose events name their symbol."""
    make, symbol = maker(instrument), instrument.symbol or symbol_of(instrument.id)

    def read(frame: bytes, ts_recv: int) -> Sequence[MarketData]:
        data = decode(frame).data  # type: ignore[attr-defined]
        if data.s == symbol or not data.s:
            return make(data, ts_recv)
        return maker(_other(symbols, symbol, data.s))(data, ts_recv)

    return read


def _other(symbols: Symbols, symbol: str, found: str) -> Instrument:
    """Return the instrument that an event names though its stream has another's name: the event counts."""
    other = symbols.by_symbol.get(found)
    if other is None:
        raise ValueError(f"the stream of {symbol} tells of {found!r}")
    return other


def _quote_reader(instrument: Instrument, symbols: Symbols) -> Reader:
    """Return the reader of the hottest stream, everything in one function."""
    decode = msgspec.json.Decoder(_Quoted, strict=False).decode
    instrument_id, symbol = instrument.id, instrument.symbol or symbol_of(instrument.id)

    def read(frame: bytes, ts_recv: int) -> Sequence[MarketData]:
        tick = decode(frame).data
        bid, ask, stamp = tick.b, tick.a, tick.E
        if tick.s != symbol or not bid or not ask or stamp > _SMALL:
            told = instrument if tick.s in (symbol, "") else _other(symbols, symbol, tick.s)
            return _quote_of(told.id, tick, ts_recv)
        ts = stamp * 1_000_000 if stamp else ts_recv
        return (Quote(instrument_id, ts, ts_recv, bid, tick.B, ask, tick.A, tick.u),)

    return read


def _quote_of(instrument_id: str, tick: BookTicker, ts_recv: int) -> Sequence[MarketData]:
    """Make a quote; an empty side comes as price 0. Spot tells no time, so ours stands for it."""
    return (
        Quote(
            instrument_id,
            to_ns(tick.E) if tick.E else ts_recv,
            ts_recv,
            tick.b or NAN,
            tick.B if tick.b else 0.0,
            tick.a or NAN,
            tick.A if tick.a else 0.0,
            tick.u,
        ),
    )


def _make_quote(instrument: Instrument) -> Made:
    return lambda tick, ts_recv: _quote_of(instrument.id, tick, ts_recv)  # type: ignore[arg-type]


def _make_trade(instrument: Instrument) -> Made:
    name = instrument.id

    def make(event: object, ts_recv: int) -> Sequence[MarketData]:
        assert isinstance(event, TradeEvent)
        if not event.p or not event.q:  # futures tell of some internal bookings as trades of nothing
            return ()
        side = -1 if event.m else 1
        return (Trade(name, to_ns(event.T), ts_recv, event.p, event.q, side, str(event.t)),)

    return make


def _make_aggregate(instrument: Instrument) -> Made:
    name = instrument.id

    def make(event: object, ts_recv: int) -> Sequence[MarketData]:
        assert isinstance(event, AggTrade)
        if not event.q:
            return ()
        side = -1 if event.m else 1
        return (Trade(name, to_ns(event.T), ts_recv, event.p, event.q, side, str(event.a)),)

    return make


def _make_diff(instrument: Instrument, *, whole: bool = False) -> Made:
    name = instrument.id

    def make(event: object, ts_recv: int) -> Sequence[MarketData]:
        assert isinstance(event, DepthDiff)
        if event.u < event.U:
            raise ValueError("the update numbers go backwards")
        ts = to_ns(event.E)
        return (BookUpdate(name, ts, ts_recv, event.b, event.a, whole, event.U, event.u, event.pu),)

    return make


def _partial_reader(instrument: Instrument, symbols: Symbols) -> Reader:
    """Return the reader of a partial book: spot sends a snapshot, futures a depthUpdate with the best levels."""
    decode = msgspec.json.Decoder(_Partial, strict=False).decode
    whole = _named(_changed, instrument, symbols, partial(_make_diff, whole=True))
    name = instrument.id

    def read(frame: bytes, ts_recv: int) -> Sequence[MarketData]:
        if frame.find(b'"depthUpdate"', 20, 120) > 0:
            return whole(frame, ts_recv)
        book = decode(frame).data
        seq = book.lastUpdateId
        ts = to_ns(book.E) if book.E else ts_recv
        return (BookUpdate(name, ts, ts_recv, book.bids, book.asks, True, seq, seq),)

    return read


def _make_bar(instrument: Instrument) -> Made:
    name = instrument.id

    def make(event: object, ts_recv: int) -> Sequence[MarketData]:
        assert isinstance(event, KlineEvent)
        bar = event.k
        if not bar.x:
            return ()
        opened, closed = to_ns(bar.t), to_ns(bar.T + 1)
        if closed <= opened:
            raise ValueError("the bar ends before it begins")
        return (
            Bar(
                series_id(name, bar.i),
                closed,
                ts_recv,
                opened,
                bar.o,
                bar.h,
                bar.l,
                bar.c,
                bar.v,
                bar.q,
                bar.n,
                bar.V,
            ),
        )

    return make


def _make_mark(instrument: Instrument) -> Made:
    name, interval = instrument.id, instrument.funding_interval_ns

    def make(event: object, ts_recv: int) -> Sequence[MarketData]:
        assert isinstance(event, MarkEvent)
        ts = to_ns(event.E)
        mark = MarkPrice(name, ts, ts_recv, event.p, event.i or NAN)
        if not event.r:
            return (mark,)
        rate = float(event.r)
        if not -10.0 <= rate <= 10.0:
            raise ValueError(f"{event.r} is no funding rate")
        return (mark, FundingRate(name, ts, ts_recv, rate, interval, True))

    return make


_MAKERS: dict[str, Callable[[Instrument], Made]] = {
    "quote": _make_quote,
    "trade": _make_trade,
    "agg": _make_aggregate,
    "diff": _make_diff,
    "bar": _make_bar,
    "mark": _make_mark,
}
_STREAMS: tuple[tuple[str, Callable[[bytes], object], str], ...] = (
    ("aggTrade", _aggregated, "agg"),
    ("trade", _traded, "trade"),
    ("depth", _changed, "diff"),
    ("kline_", _grown, "bar"),
    ("markPrice", _marked, "mark"),
)
