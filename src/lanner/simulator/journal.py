"""What the venue's books looked like at each sequence number, for those who rebuild them and want to compare."""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING

from lanner.simulator.events import BookChanged, ExchangeEvent

if TYPE_CHECKING:
    from lanner.simulator.exchange import Exchange

Level = tuple[int, int]
EVERY = 4 * 1_000
KEPT = 20
_BID, _ASK, _NOTHING = 1, -1, 0


class _Chapter:
    """A whole book at a sequence number, and the levels that changed after it: number, side, ticks and lots of each.

    Plain numbers in a row take a ninth of the memory of the events they came in.
    """

    __slots__ = ("asks", "bids", "changes", "reached", "seq")

    def __init__(self, seq: int, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.seq = self.reached = seq
        self.bids = bids
        self.asks = asks
        self.changes = array("q")

    def until(self, wanted: int) -> tuple[int, dict[int, int], dict[int, int]]:
        """Return the book as of a number, and the last number up to it that there was."""
        bids, asks, reached = dict(self.bids), dict(self.asks), self.seq
        told = iter(self.changes)
        for seq, side, ticks, lots in zip(told, told, told, told, strict=True):
            if seq > wanted:
                break
            reached = seq
            if side == _NOTHING:
                continue
            held = bids if side == _BID else asks
            if lots:
                held[ticks] = lots
            else:
                held.pop(ticks, None)
        return reached, bids, asks


class BookJournal:
    """The latest 20,000 levels that changed in each book, readable at any of their numbers."""

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
            last = _Chapter(*last.until(last.reached))
            chapters.append(last)
        seq, changes = event.seq, last.changes
        last.reached = seq
        for ticks, lots in event.bids:
            changes.extend((seq, _BID, ticks, lots))
        for ticks, lots in event.asks:
            changes.extend((seq, _ASK, ticks, lots))
        if not event.bids and not event.asks:
            changes.extend((seq, _NOTHING, 0, 0))

    def at(self, market: str, seq: int | None = None) -> tuple[int, list[Level], list[Level]] | None:
        """Return (seq, bids, asks) as (ticks, lots), best first, as of a number; ``None`` if no longer known."""
        chapters = self._chapters[market]
        wanted = self._exchange.markets[market].book.seq if seq is None else seq
        for chapter in reversed(chapters):
            if chapter.seq <= wanted:
                reached, bids, asks = chapter.until(wanted)
                if reached != wanted:
                    return None
                return wanted, sorted(bids.items(), reverse=True), sorted(asks.items())
        return None


def _whole(exchange: Exchange, symbol: str) -> tuple[dict[int, int], dict[int, int]]:
    _, bids, asks = exchange.snapshot(symbol)
    return dict(bids), dict(asks)
