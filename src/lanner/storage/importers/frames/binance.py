"""Interpret Binance's streams: spot, USD-M and COIN-M; depth with REST snapshots, quotes, trades, klines, marks.

Order of updates: spot and USD-M rules of "How to manage a local order book correctly" in Binance's API documents.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.importers.frames.book_watch import BookWatch
from lanner.storage.importers.frames.collect import ORDER_SHIFT, Collector, Level, levels, ms
from lanner.storage.schema import DatasetKey

_PARTIAL = re.compile(r"@depth(5|10|20)(@|$)")
_REMEMBERED = 20_000
_HALF = 1 << (ORDER_SHIFT - 1)
_SPOT_RULE = "U is the u of the event before + 1"
_FUTURES_RULE = "pu is the u of the event before"


@dataclass(slots=True)
class Event:
    """A depth event that may come before or after the snapshot it belongs to."""

    last: int
    ts: int
    recv: int
    line: int
    bids: list[Level]
    asks: list[Level]


@dataclass(slots=True)
class Book:
    """One symbol's stream of depth events and the snapshots found for it."""

    instrument_id: str
    last: int | None = None
    remembered: deque[Event] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    waiting: tuple[int, int, int, list[Level], list[Level]] | None = None
    watch: BookWatch = field(default_factory=BookWatch)


class BinanceFrames:
    """Understand combined streams (``{"stream", "data"}``), bare events and REST depth snapshots."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._prints: dict[str, str] = {}

    def take(self, out: Collector, message: dict[str, Any], hint: str) -> bool:
        """Turn a message into rows; False when it is none of Binance's."""
        stream = message.get("stream")
        data = message.get("data") if stream is not None else message
        if not isinstance(data, dict):
            return stream is not None
        kind = data.get("e")
        if stream is not None and _PARTIAL.search(stream):
            self._partial(out, stream, data)
        elif "lastUpdateId" in data:
            self._snapshot(out, data, hint)
        elif kind in _EVENTS:
            _EVENTS[kind](self, out, data)
        elif kind is None and {"u", "s", "b", "a", "B", "A"} <= data.keys():
            self._quote(out, data)
        elif stream is not None or kind is not None:
            out.skipped[f"Binance {kind or stream}"] += 1
        elif {"timezone", "symbols"} <= data.keys():
            out.skipped["Binance exchangeInfo (reference data)"] += 1
        else:
            return False
        return True

    def finish(self, out: Collector) -> None:
        """Write snapshots that no depth event followed."""
        for book in self._books.values():
            if book.waiting is not None:
                last, ts, recv, bids, asks = book.waiting
                book.waiting = None
                out.book(
                    book.instrument_id, ts, bids, asks, seq=last, first_seq=last, snapshot=True, recv=recv
                )
                out.intake.release()
            elif not book.watch.ready and book.last is not None:
                out.intake.warn(
                    DatasetKey("book", book.instrument_id),
                    "The book starts without a snapshot, so it is not complete.",
                )

    # -- book ----------------------------------------------------------------------------------------

    def _depth(self, out: Collector, data: dict[str, Any]) -> None:
        book = self._book(out, data["s"], "pu" in data)
        event = Event(
            data["u"],
            ms(data.get("T") or data["E"]),
            out.recv,
            out.line,
            levels(data["b"]),
            levels(data["a"]),
        )
        self._check(out, book, data, event.ts)
        if book.waiting is not None and event.last > book.waiting[0]:
            self._place(out, book, event.ts, event.recv or event.ts, (event.line << ORDER_SHIFT) - _HALF)
            out.intake.release()
        out.book(
            book.instrument_id,
            event.ts,
            event.bids,
            event.asks,
            seq=event.last,
            first_seq=data["U"],
            prev_seq=data.get("pu"),
        )
        if book.watch.ready:
            self._watch(out, book, event)
        else:
            book.remembered.append(event)

    def _check(self, out: Collector, book: Book, data: dict[str, Any], ts: int) -> None:
        key = DatasetKey("book", book.instrument_id)
        if book.last is not None:
            out.intake.record(key).sequence_checked += 1
            futures = "pu" in data
            expected, found = (book.last, data["pu"]) if futures else (book.last + 1, data["U"])
            if expected != found:
                out.intake.sequence(key, ts, expected, found, _FUTURES_RULE if futures else _SPOT_RULE)
        book.last = data["u"]

    def _snapshot(self, out: Collector, data: dict[str, Any], hint: str) -> None:
        symbol = data.get("symbol") or _symbol_of(hint) or self._only_symbol(out)
        if symbol is None:
            out.skipped["Binance depth snapshot of a symbol that is not told"] += 1
            return
        book = self._book(out, symbol, "fapi" in hint or "dapi" in hint or "T" in data)
        told = data.get("T") or data.get("E")
        ts = ms(told) if told else out.recv
        if book.watch.ready:
            out.skipped["Binance depth snapshot of a book already in step"] += 1
            return
        book.waiting = (data["lastUpdateId"], ts, out.recv or ts, levels(data["bids"]), levels(data["asks"]))
        before = [event for event in book.remembered if event.last <= data["lastUpdateId"]]
        if before:
            event = before[-1]
            self._place(out, book, event.ts, event.recv or event.ts, (event.line << ORDER_SHIFT) + _HALF)
        elif book.remembered:
            event = book.remembered[0]
            self._place(out, book, event.ts, event.recv or event.ts, (event.line << ORDER_SHIFT) - _HALF)
        else:
            out.intake.hold()

    def _place(self, out: Collector, book: Book, ts: int, recv: int, order: int) -> None:
        """Put the waiting snapshot between the events it belongs to, with the time of its neighbour."""
        assert book.waiting is not None
        last, _, _, bids, asks = book.waiting
        book.waiting = None
        out.book(
            book.instrument_id,
            ts,
            bids,
            asks,
            seq=last,
            first_seq=last,
            snapshot=True,
            order=order,
            recv=recv,
        )
        book.watch.reset(bids, asks)
        for event in book.remembered:
            if event.last > last:
                self._watch(out, book, event)
        book.remembered.clear()

    def _watch(self, out: Collector, book: Book, event: Event) -> None:
        book.watch.apply(event.bids, event.asks)
        if book.watch.crossed:
            out.intake.record(DatasetKey("book", book.instrument_id)).crossed_books += 1

    def _partial(self, out: Collector, stream: str, data: dict[str, Any]) -> None:
        symbol = data.get("s") or stream.partition("@")[0]
        instrument_id = out.namer.id_of(symbol.upper(), venue="BINANCE", perp="pu" in data)
        told = data.get("T") or data.get("E")
        ts = out.event_time(ms(told) if told else None, instrument_id, "book")
        seq = data.get("lastUpdateId") or data.get("u", 0)
        bids, asks = data.get("bids", data.get("b", [])), data.get("asks", data.get("a", []))
        out.book(
            instrument_id,
            ts,
            levels(bids),
            levels(asks),
            seq=seq,
            first_seq=seq,
            prev_seq=data.get("pu"),
            snapshot=True,
        )

    def _book(self, out: Collector, symbol: str, futures: bool) -> Book:
        if symbol not in self._books:
            instrument_id = out.namer.id_of(symbol, venue="BINANCE", perp=futures)
            self._books[symbol] = Book(instrument_id)
        out.namer.seen.setdefault(symbol, self._books[symbol].instrument_id)
        return self._books[symbol]

    def _only_symbol(self, out: Collector) -> str | None:
        known = {*self._books, *(name for name in out.namer.seen if name)}
        return next(iter(known)) if len(known) == 1 else None

    # -- the rest ------------------------------------------------------------------------------------

    def _quote(self, out: Collector, data: dict[str, Any]) -> None:
        told = data.get("T") or data.get("E")
        instrument_id = out.namer.id_of(data["s"], venue="BINANCE", perp="e" in data)
        ts = out.event_time(ms(told) if told else None, instrument_id, "quotes")
        bid, ask = (float(data["b"]), float(data["B"])), (float(data["a"]), float(data["A"]))
        out.quote(instrument_id, ts, bid if bid[1] else None, ask if ask[1] else None, data["u"])

    def _trade(self, out: Collector, data: dict[str, Any]) -> None:
        symbol, kind = data["s"], data["e"]
        if data.get("X", "MARKET") == "NA" or self._prints.setdefault(symbol, kind) != kind:
            out.skipped[f"Binance {kind} of {symbol} (told twice or no print)"] += 1
            return
        futures = "X" in data if kind == "trade" else "M" not in data
        instrument_id = out.namer.id_of(symbol, venue="BINANCE", perp=futures)
        name = data["t"] if kind == "trade" else data["a"]
        out.trade(
            instrument_id,
            ms(data["T"]),
            float(data["p"]),
            float(data["q"]),
            -1 if data["m"] else 1,
            str(name),
        )

    def _kline(self, out: Collector, data: dict[str, Any]) -> None:
        bar = data["k"]
        if not bar["x"]:
            out.skipped["Binance kline not yet closed"] += 1
            return
        if bar["i"] not in TIMEFRAMES_NS:
            out.skipped[f"Binance kline of {bar['i']}"] += 1
            return
        values = (*(float(bar[name]) for name in "ohlcvq"), int(bar["n"]), float(bar["V"]))
        out.bar(
            out.namer.id_of(data["s"], venue="BINANCE"),
            bar["i"],
            ms(bar["t"]),
            ms(bar["T"]) + 1_000_000,
            values,
        )

    def _mark(self, out: Collector, data: dict[str, Any]) -> None:
        instrument_id = out.namer.id_of(data["s"], venue="BINANCE", perp=True)
        index = float(data["i"]) if data.get("i") else None
        out.mark(instrument_id, ms(data["E"]), float(data["p"]), index)
        if data.get("r"):
            out.funding(instrument_id, ms(data["E"]), float(data["r"]), ms(data.get("T") or 0))


_EVENTS = {
    "depthUpdate": BinanceFrames._depth,
    "bookTicker": BinanceFrames._quote,
    "trade": BinanceFrames._trade,
    "aggTrade": BinanceFrames._trade,
    "kline": BinanceFrames._kline,
    "markPriceUpdate": BinanceFrames._mark,
}


def _symbol_of(hint: str) -> str | None:
    found = re.search(r"[?&]symbol=([A-Za-z0-9_]+)", hint)
    return found[1].upper() if found is not None else None
