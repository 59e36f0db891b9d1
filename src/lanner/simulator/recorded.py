"""A recorded capture as the venue's market: book levels become house liquidity, trades become taker orders.

A capture is a text file (plain or gzip) of lines ``<local ns> <frame as JSON>``: Binance stream frames with their
REST snapshots, or Hyperliquid's. Users trade against it by price and time like everybody.
"""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from lanner.core.errors import DataError, NotFoundError
from lanner.model.enums import Side, TimeInForce
from lanner.simulator.exchange import Exchange
from lanner.simulator.feed import MAKER, TAKER, add_house
from lanner.simulator.markets import Market
from lanner.simulator.orders import NewOrder, Refusal

Frame = dict[str, Any]
EARLY = 10_000


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def frames(path: Path) -> Iterator[tuple[int, Frame]]:
    """Read (local ns, frame) line by line; a line that is none raises ``DataError``."""
    if not path.exists():
        raise NotFoundError("the capture does not exist", found=path)
    decode = msgspec.json.Decoder(Frame).decode
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            stamp, _, text = line.partition(b" ")
            try:
                yield int(stamp), decode(text)
            except (ValueError, msgspec.DecodeError) as error:
                raise DataError(
                    f"{path.name}: line {number} is no frame", expected="<ns> <json>", found=error
                ) from error


class RecordedFeed:
    """Replay a capture into an exchange."""

    def __init__(self, exchange: Exchange, path: Path) -> None:
        add_house(exchange)
        self._exchange = exchange
        self._frames = frames(path)
        self._next: tuple[int, Frame] | None = None
        self._first_ns = 0
        self._seen = next(iter(exchange.markets), "")
        """The symbol of the latest depth frame: snapshots by REST do not name theirs."""
        self._snapshot_id: dict[str, int] = {}
        self._early: dict[str, deque[Frame]] = {}
        """Deltas that came before their snapshot."""
        self._levels: dict[str, dict[Side, dict[int, int]]] = {}
        self.ended = False
        self.applied = 0
        """Frames applied so far."""
        self.skipped = 0
        """Frames of markets or kinds that the venue does not have."""

    def open(self, now_ns: int) -> None:
        """Apply frames up to the first whole book, so that there is a market at once."""
        self._next = next(self._frames, None)
        if self._next is None:
            self.ended = True
            return
        self._first_ns = self._next[0]
        for _ in range(20_000):
            if self._next is None or self._levels:
                break
            self._apply(self._next[1], now_ns)
            self._first_ns = self._next[0]
            self._next = next(self._frames, None)

    def run(self, feed_ns: int, now_ns: int, budget: int) -> int:
        """Apply the frames that are due."""
        done = 0
        while self._next is not None and self._next[0] - self._first_ns <= feed_ns and done < budget:
            self._apply(self._next[1], now_ns)
            self._next = next(self._frames, None)
            done += 1
        self.ended = self._next is None
        return done

    def _apply(self, frame: Frame, now_ns: int) -> None:
        self.applied += 1
        data = frame.get("data", frame)
        stream = str(frame.get("stream", ""))
        channel = frame.get("channel")
        if channel == "l2Book":
            bids, asks = ([(row["px"], row["sz"]) for row in side] for side in data["levels"])
            self._book(str(data["coin"]), bids, asks, now_ns, whole=True)
        elif channel == "trades":
            for row in data:
                self._trade(str(row["coin"]), row["px"], row["sz"], row["side"] == "B", now_ns)
        elif "lastUpdateId" in data:
            symbol = stream.partition("@")[0].upper() or self._seen
            self._snapshot_id[symbol] = int(data["lastUpdateId"])
            self._book(symbol, data["bids"], data["asks"], now_ns, whole=True)
            for early in self._early.pop(symbol, ()):
                self._delta(early, now_ns)
        elif data.get("e") == "depthUpdate":
            self._seen = str(data["s"])
            if self._seen in self._levels:
                self._delta(data, now_ns)
            else:
                self._early.setdefault(self._seen, deque(maxlen=EARLY)).append(data)
        elif data.get("e") in ("trade", "aggTrade"):
            if data.get("X", "MARKET") == "MARKET":
                self._trade(str(data["s"]), data["p"], data["q"], not data["m"], now_ns)
        elif data.get("e") == "markPriceUpdate":
            self._mark(data, now_ns)
        else:
            self.skipped += 1

    def _delta(self, data: Frame, now_ns: int) -> None:
        if data["u"] > self._snapshot_id.get(data["s"], 0):
            self._book(str(data["s"]), data["b"], data["a"], now_ns, whole=False)

    def _market(self, symbol: str) -> Market | None:
        market = self._exchange.markets.get(symbol)
        if market is None:
            self.skipped += 1
        return market

    def _book(self, symbol: str, bids: Any, asks: Any, now_ns: int, *, whole: bool) -> None:
        market = self._market(symbol)
        if market is None:
            return
        held = self._levels.setdefault(symbol, {Side.BUY: {}, Side.SELL: {}})
        gone: list[tuple[Side, int, int]] = []
        here: list[tuple[Side, int, int]] = []
        for side, rows in ((Side.BUY, bids), (Side.SELL, asks)):
            levels = self._read(market, rows)
            mine = held[side]
            if whole:
                for ticks in [one for one in mine if one not in levels]:
                    levels[ticks] = 0
            for ticks, lots in levels.items():
                if lots:
                    mine[ticks] = lots
                    here.append((side, ticks, lots))
                elif mine.pop(ticks, None) is not None:
                    gone.append((side, ticks, 0))
        # what goes away goes first, so that a book that moved does not trade with its own past
        self._exchange.set_levels(MAKER, symbol, gone + here, now_ns)

    @staticmethod
    def _read(market: Market, rows: Any) -> dict[int, int]:
        found: dict[int, int] = {}
        for px, qty in rows:
            try:
                found[market.parse_px(px)] = market.parse_qty(qty)
            except Refusal:
                continue
        return found

    def _trade(self, symbol: str, px: str, qty: str, buy: bool, now_ns: int) -> None:
        market = self._market(symbol)
        if market is None:
            return
        try:
            ticks, lots = market.parse_px(px), market.parse_qty(qty)
        except Refusal:
            return
        new = NewOrder(
            account=TAKER,
            market=symbol,
            side=Side.BUY if buy else Side.SELL,
            tif=TimeInForce.IOC,
            lots=lots,
            ticks=ticks,
        )
        self._exchange.submit(new, now_ns)
        if not market.is_spot and market.last_ticks:
            self._exchange.set_mark(symbol, market.last_ticks, market.last_ticks, now_ns)

    def _mark(self, data: Frame, now_ns: int) -> None:
        market = self._market(str(data["s"]))
        if market is None:
            return
        tick = float(market.instrument.tick)
        mark, index = round(float(data["p"]) / tick), round(float(data.get("i") or data["p"]) / tick)
        self._exchange.set_mark(market.symbol, mark, index, now_ns)
