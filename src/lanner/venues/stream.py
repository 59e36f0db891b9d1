"""From frames to a clean stream of market data: decode, join books, drop what is told twice, find gaps.

No socket and no clock here: frames, snapshots, openings and losses of connections are told, snapshots are asked for
through a callback. What leaves is in order: a book's updates follow a snapshot without a hole, or a ``StreamGap``
says that they do not and a new snapshot follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lanner.marketdata.book_sync import Apply, BookSync, Gap, NeedSnapshot, SnapshotSync, Stale, book_sync
from lanner.model.market import Bar, BookUpdate, MarketData, Quote, Trade
from lanner.model.streams import StreamEvent, StreamGap, StreamHealed
from lanner.venues.codec import Codec, Feed, Inbound, Malformed, Subscription

KEPT_BYTES = 2_000
"""How much of a frame that cannot be understood is kept."""

REMEMBERED = 10_000
"""How many prints without a running number are remembered: some venues tell the last ones again after a reconnect."""


@dataclass(slots=True)
class StreamCounts:
    """What has passed: frames, messages by kind, and what was wrong."""

    frames: int = 0
    data: int = 0
    malformed: int = 0
    gaps: int = 0
    stale: int = 0
    doubled: int = 0
    other: Counter[str] = field(default_factory=Counter)


class _Book:
    __slots__ = ("follows", "gap", "last_recv", "sync")

    def __init__(self, rule: str) -> None:
        self.sync: BookSync = book_sync(rule)
        self.follows = self.sync.follows
        self.last_recv = 0
        self.gap: StreamGap | None = None


class MarketStream:
    """Make market data of one product's frames; see the module.

    ``on_data`` gets market data in order, ``on_event`` gaps and their ends, ``on_other`` everything that is neither
    (answers, notices, reports, frames that cannot be understood). ``ask_snapshot`` is called with an instrument whose
    book needs one; bring it with ``snapshot``. ``merged`` says that several connections bring the same subscriptions.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        on_data: Callable[[MarketData], None],
        on_event: Callable[[StreamEvent], None],
        on_other: Callable[[Inbound], None],
        ask_snapshot: Callable[[str], None],
        merged: bool = False,
    ) -> None:
        self._codec = codec
        self._decode = codec.decode
        self._on_data = on_data
        self._on_event = on_event
        self._on_other = on_other
        self._ask = ask_snapshot
        self._merged = merged
        self._books: dict[str, _Book] = {}
        self._quotes: dict[str, int] = {}
        self._trades: dict[str, int] = {}
        self._prints: dict[str, dict[str, None]] = {}
        self._times: dict[tuple[type, str], int] = {}
        self._last: dict[tuple[Feed, str], int] = {}
        self._lost: dict[tuple[Feed, str], StreamGap] = {}
        self.counts = StreamCounts()

    def want(self, subscriptions: Iterable[Subscription]) -> None:
        """Prepare for these subscriptions; diff books get the product's own joining rule."""
        for wish in subscriptions:
            if wish.feed is Feed.BOOK and wish.instrument_id not in self._books:
                rule = self._codec.spec.book_rule if not wish.spec else "hyperliquid"
                self._books[wish.instrument_id] = _Book(rule)
            elif wish.feed is Feed.TRADES and self._codec.spec.consecutive_trades:
                self._trades.setdefault(wish.instrument_id, 0)

    def synchronised(self, instrument_id: str) -> bool:
        """Tell whether an instrument's book is whole."""
        book = self._books.get(instrument_id)
        return book is not None and book.sync.synchronised

    # -- what happens --------------------------------------------------------------------------------------

    def frame(self, frame: bytes, ts_recv: int) -> None:
        """Take one frame. A frame that cannot be understood costs one ``Malformed``, nothing else."""
        counts = self.counts
        counts.frames += 1
        try:
            messages = self._decode(frame, ts_recv)
        except Exception as error:  # noqa: BLE001 - whatever a venue sends must not end the connection
            counts.malformed += 1
            self._on_other(Malformed(frame[:KEPT_BYTES], f"{type(error).__name__}: {error}"[:300], ts_recv))
            return
        for message in messages:
            kind = type(message)
            if kind is Quote:
                self._quote(message)  # type: ignore[arg-type]
            elif kind is BookUpdate:
                self._book(message)  # type: ignore[arg-type]
            elif kind is Trade:
                self._trade(message)  # type: ignore[arg-type]
            elif isinstance(message, MarketData):
                if self._merged and self._told(message):
                    continue
                counts.data += 1
                self._on_data(message)
            else:
                counts.other[kind.__name__] += 1
                self._on_other(message)

    def snapshot(self, update: BookUpdate) -> None:
        """Take a book that was asked for."""
        self._book(update)

    def opened(self, subscriptions: Sequence[Subscription], ts: int) -> None:
        """Note that a connection is there again: streams without sequence numbers have healed with their next data."""
        for wish in subscriptions:
            lost = self._lost.pop((wish.feed, wish.instrument_id), None)
            if lost is not None:
                self._on_event(StreamHealed(wish.instrument_id, lost.feed, lost.ts_from, ts, lost.reason))

    def lost(self, subscriptions: Sequence[Subscription], ts: int, reason: str) -> None:
        """Note that a connection broke: every stream on it has a gap from its last message on."""
        for wish in subscriptions:
            name = wish.instrument_id
            if wish.feed is Feed.BOOK:
                book = self._books.get(name)
                if book is not None:
                    book.sync.reset()
                    self._open_gap(name, book, ts, reason, 0, 0)
                continue
            key = (wish.feed, name)
            if key not in self._lost:
                gap = StreamGap(name, wish.feed.name.lower(), self._last.get(key, 0), ts, reason)
                self._lost[key] = gap
                self.counts.gaps += 1
                self._on_event(gap)

    # -- kinds ---------------------------------------------------------------------------------------------

    def _quote(self, quote: Quote) -> None:
        if self._merged:
            name, number = quote.instrument_id, quote.seq or quote.ts_event
            if number <= self._quotes.get(name, 0):
                self.counts.doubled += 1
                return
            self._quotes[name] = number
        self._last[Feed.QUOTES, quote.instrument_id] = quote.ts_recv
        self.counts.data += 1
        self._on_data(quote)

    def _trade(self, trade: Trade) -> None:
        name = trade.instrument_id
        last = self._trades.get(name)
        if last is not None and trade.trade_id.isdecimal():
            number = int(trade.trade_id)
            if number <= last:
                self.counts.doubled += 1
                return
            if last and number != last + 1:
                since = self._last.get((Feed.TRADES, name), 0)
                self.counts.gaps += 1
                self._on_event(
                    StreamGap(name, "trades", since, trade.ts_recv, "prints are missing", last + 1, number)
                )
                self._on_event(StreamHealed(name, "trades", since, trade.ts_recv, "prints are missing"))
            self._trades[name] = number
        elif self._told_trade(trade):
            return
        self._last[Feed.TRADES, name] = trade.ts_recv
        self.counts.data += 1
        self._on_data(trade)

    def _told_trade(self, trade: Trade) -> bool:
        """Tell whether a print without a running number has come before."""
        seen = self._prints.setdefault(trade.instrument_id, {})
        if trade.trade_id in seen:
            self.counts.doubled += 1
            return True
        seen[trade.trade_id] = None
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
        return False

    def _told(self, message: MarketData) -> bool:
        """Tell whether a bar, mark or rate of that time has come before, over another connection."""
        key = (type(message), message.series if type(message) is Bar else message.instrument_id)
        if message.ts_event <= self._times.get(key, -1):
            self.counts.doubled += 1
            return True
        self._times[key] = message.ts_event
        return False

    def _book(self, update: BookUpdate) -> None:
        name = update.instrument_id
        book = self._books.get(name)
        if book is None:
            book = self._books[name] = _Book(self._codec.spec.book_rule)
        if book.gap is None and book.follows(update):
            book.last_recv = update.ts_recv
            self.counts.data += 1
            self._on_data(update)
            return
        for effect in book.sync.push(update):
            kind = type(effect)
            if kind is Apply:
                if book.gap is not None and book.sync.synchronised:
                    self._close_gap(name, book, update.ts_recv)
                book.last_recv = update.ts_recv
                self.counts.data += 1
                self._on_data(effect.update)  # type: ignore[union-attr]
            elif kind is Stale:
                self.counts.stale += 1
            elif kind is Gap:
                expected, found = effect.expected, effect.found  # type: ignore[union-attr]
                self._open_gap(name, book, update.ts_recv, "book updates are missing", expected, found)
            elif kind is NeedSnapshot and not isinstance(book.sync, SnapshotSync):
                self._ask(name)

    def _open_gap(self, name: str, book: _Book, ts: int, reason: str, expected: int, found: int) -> None:
        if book.gap is not None or not book.last_recv:
            return
        book.gap = StreamGap(name, "book", book.last_recv, ts, reason, expected, found)
        self.counts.gaps += 1
        self._on_event(book.gap)

    def _close_gap(self, name: str, book: _Book, ts: int) -> None:
        assert book.gap is not None
        self._on_event(StreamHealed(name, "book", book.gap.ts_from, ts, book.gap.reason))
        book.gap = None
