"""Interpret OKX's v5 public channels: books (with checksums), tickers, bbo, trades, candles, mark price, funding."""

from __future__ import annotations

import re
from typing import Any

from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.importers.frames.book_watch import BookWatch, TextBook
from lanner.storage.importers.frames.collect import Collector, Level, levels, ms
from lanner.storage.schema import DatasetKey

_CANDLE = re.compile(r"^candle(\d+)([mHDWM])(utc)?$")
_RULE = "prevSeqId is the seqId of the message before"


class OkxFrames:
    """Understand messages of the form ``{"arg": {"channel", "instId"}, "data": […]}``."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._texts: dict[str, TextBook] = {}
        self._watches: dict[str, BookWatch] = {}

    def take(self, out: Collector, message: dict[str, Any], hint: str) -> bool:
        """Turn a message into rows; False when it is none of OKX's."""
        arg = message.get("arg")
        if not isinstance(arg, dict) or "channel" not in arg:
            if {"code", "data"} <= message.keys():
                out.skipped["OKX REST answer (reference data)"] += 1
                return True
            return False
        channel = arg["channel"]
        if "data" not in message:
            return True
        for data in message["data"]:
            self._one(out, channel, arg.get("instId", ""), message.get("action"), data)
        return True

    def finish(self, out: Collector) -> None:
        """Nothing is held back."""

    def _one(self, out: Collector, channel: str, symbol: str, action: str | None, data: Any) -> None:
        candle = _CANDLE.match(channel)
        if candle is not None:
            self._candle(out, candle, symbol, data)
            return
        act = _CHANNELS.get(channel)
        if act is None:
            out.skipped[f"OKX {channel}"] += 1
            return
        act(self, out, out.namer.id_of(data.get("instId", symbol), venue="OKX"), action, data)

    def _book(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        snapshot, ts = action != "update", ms(data["ts"])
        key, seq = DatasetKey("book", instrument_id), int(data.get("seqId", 0))
        bids, asks = levels(data["bids"]), levels(data["asks"])
        self._check(out, key, data, ts, seq, snapshot)
        watch = self._watches.setdefault(instrument_id, BookWatch())
        watch.reset(bids, asks) if snapshot else watch.apply(bids, asks)
        if watch.crossed:
            out.intake.record(key).crossed_books += 1
        told = int(data.get("prevSeqId", -1))  # -1 with a snapshot: there is none before it
        before = told if told >= 0 else None
        out.book(instrument_id, ts, bids, asks, seq=seq, first_seq=seq, prev_seq=before, snapshot=snapshot)

    def _check(
        self, out: Collector, key: DatasetKey, data: dict[str, Any], ts: int, seq: int, snapshot: bool
    ) -> None:
        record = out.intake.record(key)
        before = self._last.get(key.instrument_id)
        if not snapshot and "prevSeqId" in data and before is not None:
            record.sequence_checked += 1
            if int(data["prevSeqId"]) != before:
                out.intake.sequence(key, ts, before, int(data["prevSeqId"]), _RULE)
        if "seqId" in data:
            self._last[key.instrument_id] = seq
        if data.get("checksum"):
            book = self._texts.setdefault(key.instrument_id, TextBook())
            book.apply(data["bids"], data["asks"], snapshot=snapshot)
            record.checksums_checked += 1
            record.checksum_failures += book.checksum() != int(data["checksum"])

    def _snapshot(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        seq = int(data.get("seqId", 0))
        bids, asks = levels(data["bids"]), levels(data["asks"])
        out.book(instrument_id, ms(data["ts"]), bids, asks, seq=seq, first_seq=seq, snapshot=True)

    def _best(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        bid, ask = (levels(data[side][:1]) for side in ("bids", "asks"))
        seq = int(data.get("seqId", 0))
        out.quote(instrument_id, ms(data["ts"]), bid[0] if bid else None, ask[0] if ask else None, seq)

    def _ticker(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        out.quote(instrument_id, ms(data["ts"]), _side(data, "bid"), _side(data, "ask"))

    def _trade(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        side = 1 if data["side"] == "buy" else -1
        out.trade(
            instrument_id, ms(data["ts"]), float(data["px"]), float(data["sz"]), side, str(data["tradeId"])
        )

    def _mark(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        out.mark(instrument_id, ms(data["ts"]), float(data["markPx"]))

    def _index(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        out.mark(instrument_id, ms(data["ts"]), None, float(data["idxPx"]))

    def _open_interest(
        self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]
    ) -> None:
        out.mark(instrument_id, ms(data["ts"]), None, None, None, float(data["oi"]))

    def _funding(self, out: Collector, instrument_id: str, action: str | None, data: dict[str, Any]) -> None:
        ts = ms(data["ts"]) if data.get("ts") else out.event_time(None, instrument_id, "funding")
        out.funding(instrument_id, ts, float(data["fundingRate"]), ms(data["fundingTime"]))

    def _candle(self, out: Collector, match: re.Match[str], symbol: str, data: list[str]) -> None:
        spec = match[1] + (match[2] if match[2] in "mM" else match[2].lower())
        if spec not in TIMEFRAMES_NS or data[-1] != "1":
            out.skipped["OKX candle not yet closed"] += 1
            return
        opened = ms(data[0])
        closed = opened + TIMEFRAMES_NS[spec]
        quote_volume = float(data[7]) if len(data) > 8 else None
        values = (*(float(cell) for cell in data[1:6]), quote_volume, None, None)
        out.bar(out.namer.id_of(symbol, venue="OKX"), spec, opened, closed, values)


_CHANNELS = {
    "books": OkxFrames._book,
    "books-l2-tbt": OkxFrames._book,
    "books50-l2-tbt": OkxFrames._book,
    "books5": OkxFrames._snapshot,
    "bbo-tbt": OkxFrames._best,
    "tickers": OkxFrames._ticker,
    "trades": OkxFrames._trade,
    "trades-all": OkxFrames._trade,
    "mark-price": OkxFrames._mark,
    "index-tickers": OkxFrames._index,
    "open-interest": OkxFrames._open_interest,
    "funding-rate": OkxFrames._funding,
}


def _side(data: dict[str, Any], name: str) -> Level | None:
    px, qty = data.get(f"{name}Px"), data.get(f"{name}Sz")
    return (float(px), float(qty)) if px and qty else None
