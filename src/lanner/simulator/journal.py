"""What the venue's books looked like at each sequence number, for those who rebuild them and want to compare."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lanner.simulator.events import BookChanged, ExchangeEvent

if TYPE_CHECKING:
    from lanner.simulator.exchange import Exchange

Level = tuple[int, int]
EVERY = 1_000
KEPT = 20


class _Chapter:
    """A whole book at a sequence number, and the changes after it."""

    __slots__ = ("asks", "bids", "changes", "seq")

    def __init__(self, seq: int, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.seq = seq
        self.bids = bids
        self.asks = asks
        self.changes: list[BookChanged] = []


class BookJournal:
    """The latest 20,000 changes of each book, readable at any of them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chapters: dict[str, deque[_Chapter]] = {
            symbol: deque([_Chapter(market.book.seq, *_whole(exchange, symbol))], maxlen=KEPT)
            for symbol, market in exchange.markets.items()
        }

    def on_event(self, event: ExchangeEvent) -> None:
        """Keep a change."""
        if type(event) is not BookChanged:
            return
        chapters = self._chapters[event.market]
        last = chapters[-1]
        if len(last.changes) >= EVERY:
            bids, asks = dict(last.bids), dict(last.asks)
            for change in last.changes:
                _apply(bids, asks, change)
            last = _Chapter(last.changes[-1].seq, bids, asks)
            chapters.append(last)
        last.changes.append(event)

    def at(self, market: str, seq: int | None = None) -> tuple[int, list[Level], list[Level]] | None:
        """Return (seq, bids, asks) as (ticks, lots), best first, as of a number; ``None`` if no longer known."""
        chapters = self._chapters[market]
        wanted = self._exchange.markets[market].book.seq if seq is None else seq
        for chapter in reversed(chapters):
            if chapter.seq <= wanted:
                bids, asks = dict(chapter.bids), dict(chapter.asks)
                reached = chapter.seq
                for change in chapter.changes:
                    if change.seq > wanted:
                        break
                    _apply(bids, asks, change)
                    reached = change.seq
                if reached != wanted:
                    return None
                return wanted, sorted(bids.items(), reverse=True), sorted(asks.items())
        return None


def _whole(exchange: Exchange, symbol: str) -> tuple[dict[int, int], dict[int, int]]:
    _, bids, asks = exchange.snapshot(symbol)
    return dict(bids), dict(asks)


def _apply(bids: dict[int, int], asks: dict[int, int], change: BookChanged) -> None:
    for held, levels in ((bids, change.bids), (asks, change.asks)):
        for ticks, lots in levels:
            if lots:
                held[ticks] = lots
            else:
                held.pop(ticks, None)
