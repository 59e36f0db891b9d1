"""Follow a book while frames are read, to count crossings and check checksums."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from lanner.storage.importers.frames.collect import Level

_CHECKSUM_DEPTH = 25


class BookWatch:
    """Bids and asks with their best prices kept up to date."""

    __slots__ = ("asks", "best_ask", "best_bid", "bids", "ready")

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.best_bid = 0.0
        self.best_ask = float("inf")
        self.ready = False

    def reset(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Take a snapshot."""
        self.bids = {px: qty for px, qty in bids if qty > 0}
        self.asks = {px: qty for px, qty in asks if qty > 0}
        self.best_bid = max(self.bids, default=0.0)
        self.best_ask = min(self.asks, default=float("inf"))
        self.ready = True

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Take the changes of one message."""
        for px, qty in bids:
            if qty > 0:
                self.bids[px] = qty
                if px > self.best_bid:
                    self.best_bid = px
            elif self.bids.pop(px, None) is not None and px == self.best_bid:
                self.best_bid = max(self.bids, default=0.0)
        for px, qty in asks:
            if qty > 0:
                self.asks[px] = qty
                if px < self.best_ask:
                    self.best_ask = px
            elif self.asks.pop(px, None) is not None and px == self.best_ask:
                self.best_ask = min(self.asks, default=float("inf"))

    @property
    def crossed(self) -> bool:
        """Tell whether the best bid is above or at the best ask."""
        return self.ready and self.best_bid >= self.best_ask


class TextBook:
    """A book that keeps the venue's own text of each level, as OKX's checksum needs it."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}

    def apply(self, bids: Iterable[list[str]], asks: Iterable[list[str]], *, snapshot: bool) -> None:
        """Take one message."""
        if snapshot:
            self.bids, self.asks = {}, {}
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for row in rows:
                if float(row[1]) == 0:
                    side.pop(row[0], None)
                else:
                    side[row[0]] = row[1]

    def checksum(self) -> int:
        """Return OKX's signed CRC-32 over the best 25 levels, bid and ask in turn (OKX API v5, "checksum")."""
        bids = sorted(self.bids.items(), key=lambda item: -float(item[0]))[:_CHECKSUM_DEPTH]
        asks = sorted(self.asks.items(), key=lambda item: float(item[0]))[:_CHECKSUM_DEPTH]
        parts: list[str] = []
        for index in range(max(len(bids), len(asks))):
            for side in (bids, asks):
                if index < len(side):
                    parts += side[index]
        value = zlib.crc32(":".join(parts).encode())
        return value - (1 << 32) if value >= 1 << 31 else value
