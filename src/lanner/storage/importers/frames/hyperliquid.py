"""Interpret Hyperliquid's channels: l2Book, trades, bbo, candle, activeAssetCtx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.importers.frames.book_watch import BookWatch
from lanner.storage.importers.frames.collect import Collector, Level, ms
from lanner.storage.schema import DatasetKey


class HyperliquidFrames:
    """Understand messages of the form ``{"channel": …, "data": …}``."""

    def __init__(self) -> None:
        self._open_bars: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, out: Collector, message: dict[str, Any], hint: str) -> bool:
        """Turn a message into rows; False when it is none of Hyperliquid's."""
        channel, data = message.get("channel"), message.get("data")
        if not isinstance(channel, str) or ("data" not in message and channel != "pong"):
            return False
        action = _CHANNELS.get(channel)
        if action is None:
            out.skipped[f"Hyperliquid {channel}"] += 1
        else:
            action(self, out, data)
        return True

    def finish(self, out: Collector) -> None:
        """Nothing is held back: a candle that was still open is no bar."""

    def _book(self, out: Collector, data: dict[str, Any]) -> None:
        instrument_id = self._id(out, data["coin"])
        bids, asks = ([_level(level) for level in side] for side in data["levels"])
        out.book(instrument_id, ms(data["time"]), bids, asks, snapshot=True)
        watch = BookWatch()
        watch.reset(bids, asks)
        if watch.crossed:
            out.intake.record(DatasetKey("book", instrument_id)).crossed_books += 1

    def _trades(self, out: Collector, data: list[dict[str, Any]]) -> None:
        for trade in data:
            instrument_id = self._id(out, trade["coin"])
            side = 1 if trade["side"] == "B" else -1
            # tid is a 50-bit hash of buyer and seller order ids: only with the time does it name a trade.
            name = f"{trade['time']}-{trade['tid']}"
            out.trade(instrument_id, ms(trade["time"]), float(trade["px"]), float(trade["sz"]), side, name)

    def _bbo(self, out: Collector, data: dict[str, Any]) -> None:
        bid, ask = data["bbo"]
        out.quote(
            self._id(out, data["coin"]),
            ms(data["time"]),
            _level(bid) if bid else None,
            _level(ask) if ask else None,
        )

    def _context(self, out: Collector, data: dict[str, Any]) -> None:
        instrument_id, context = self._id(out, data["coin"]), data["ctx"]
        if "funding" not in context:
            return
        ts = out.event_time(None, instrument_id, "mark")
        open_interest = float(context["openInterest"]) if context.get("openInterest") else None
        out.mark(instrument_id, ts, float(context["markPx"]), float(context["oraclePx"]), None, open_interest)
        hour = 3_600_000_000_000
        out.funding(instrument_id, ts, float(context["funding"]), (ts // hour + 1) * hour)

    def _candle(self, out: Collector, data: dict[str, Any]) -> None:
        name = (data["s"], data["i"])
        before = self._open_bars.get(name)
        self._open_bars[name] = data
        if before is None or before["t"] == data["t"] or data["i"] not in TIMEFRAMES_NS:
            return
        values = (*(float(before[field]) for field in "ohlcv"), None, int(before["n"]), None)
        out.bar(self._id(out, data["s"]), data["i"], ms(before["t"]), ms(before["T"]) + 1_000_000, values)

    def _id(self, out: Collector, coin: str) -> str:
        return out.namer.id_of(coin, venue="HYPERLIQUID", perp=True)


_CHANNELS: dict[str, Callable[[HyperliquidFrames, Collector, Any], None]] = {
    "l2Book": HyperliquidFrames._book,
    "trades": HyperliquidFrames._trades,
    "bbo": HyperliquidFrames._bbo,
    "activeAssetCtx": HyperliquidFrames._context,
    "candle": HyperliquidFrames._candle,
}


def _level(level: dict[str, Any]) -> Level:
    return float(level["px"]), float(level["sz"])
