"""Interpret Bybit's v5 public topics: orderbook, publicTrade, tickers, kline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lanner.storage.importers.frames.book_watch import BookWatch
from lanner.storage.importers.frames.collect import Collector, Level, levels, ms
from lanner.storage.schema import DatasetKey

_INTERVALS = {
    "1": "1m", "3": "3m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "120": "2h", "240": "4h", "360": "6h",
    "720": "12h", "D": "1d", "W": "1w", "M": "1M",
}  # fmt: skip
_RULE = "u is the u of the message before + 1"


@dataclass(slots=True)
class Ticker:
    """The full ticker, completed by deltas."""

    values: dict[str, str] = field(default_factory=dict)
    quote: tuple[Level | None, Level | None] = (None, None)


class BybitFrames:
    """Understand messages of the form ``{"topic": …, "data": …}``."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}
        self._watches: dict[tuple[str, str], BookWatch] = {}
        self._tickers: dict[tuple[str, str], Ticker] = {}
        self._markets: dict[str, bool] = {}

    def take(self, out: Collector, message: dict[str, Any], hint: str) -> bool:
        """Turn a message into rows; False when it is none of Bybit's."""
        topic = message.get("topic")
        if not isinstance(topic, str) or "data" not in message:
            return "op" in message and "success" in message
        parts = topic.split(".")
        action = _TOPICS.get(parts[0])
        if action is None:
            out.skipped[f"Bybit {parts[0]}"] += 1
        else:
            action(self, out, message, parts, hint)
        return True

    def finish(self, out: Collector) -> None:
        """Nothing is held back."""

    def _book(self, out: Collector, message: dict[str, Any], parts: list[str], hint: str) -> None:
        data, snapshot = message["data"], message["type"] == "snapshot"
        instrument_id = self._id(out, data["s"], hint)
        ts = ms(message.get("cts") or message["ts"])
        bids, asks = levels(data["b"]), levels(data["a"])
        key, name = DatasetKey("book", instrument_id), (instrument_id, parts[1])
        before = self._last.get(name)
        if not snapshot and before is not None:
            out.intake.record(key).sequence_checked += 1
            if data["u"] != before + 1:
                out.intake.sequence(key, ts, before + 1, data["u"], _RULE)
        self._last[name] = data["u"]
        watch = self._watches.setdefault(name, BookWatch())
        watch.reset(bids, asks) if snapshot else watch.apply(bids, asks)
        if watch.crossed:
            out.intake.record(key).crossed_books += 1
        if parts[1] == "1":
            best = (
                (watch.best_bid, watch.bids.get(watch.best_bid)),
                (watch.best_ask, watch.asks.get(watch.best_ask)),
            )
            bid, ask = ((px, qty) if qty is not None else None for px, qty in best)
            out.quote(instrument_id, ts, bid, ask, data["u"])
            return
        out.book(instrument_id, ts, bids, asks, seq=data["u"], first_seq=data["u"], snapshot=snapshot)

    def _trades(self, out: Collector, message: dict[str, Any], parts: list[str], hint: str) -> None:
        for trade in message["data"]:
            out.trade(
                self._id(out, trade["s"], hint),
                ms(trade["T"]),
                float(trade["p"]),
                float(trade["v"]),
                1 if trade["S"] == "Buy" else -1,
                str(trade["i"]),
            )

    def _ticker(self, out: Collector, message: dict[str, Any], parts: list[str], hint: str) -> None:
        data, ts = message["data"], ms(message["ts"])
        if "fundingRate" in data:
            self._markets.setdefault(data["symbol"] + hint, True)
        instrument_id = self._id(out, data["symbol"], hint)
        ticker = self._tickers.setdefault((instrument_id, hint), Ticker())
        if message.get("type") == "snapshot":
            ticker.values = {}
        ticker.values |= {name: value for name, value in data.items() if isinstance(value, str) and value}
        values = ticker.values
        quote = (_side(values, "bid1"), _side(values, "ask1"))
        if quote != ticker.quote and quote != (None, None):
            ticker.quote = quote
            out.quote(instrument_id, ts, *quote)
        out.mark(
            instrument_id,
            ts,
            *(_maybe(values, name) for name in ("markPrice", "indexPrice", "lastPrice", "openInterest")),
        )
        if "fundingRate" in values:
            out.funding(instrument_id, ts, float(values["fundingRate"]), ms(values.get("nextFundingTime", 0)))

    def _kline(self, out: Collector, message: dict[str, Any], parts: list[str], hint: str) -> None:
        spec = _INTERVALS.get(parts[1])
        for bar in message["data"]:
            if not bar["confirm"] or spec is None:
                out.skipped["Bybit kline not yet closed" if spec else f"Bybit kline of {parts[1]}"] += 1
                continue
            values = tuple(
                float(bar[name]) for name in ("open", "high", "low", "close", "volume", "turnover")
            )
            opened, closed = ms(bar["start"]), ms(bar["end"]) + 1_000_000
            out.bar(self._id(out, parts[2], hint), spec, opened, closed, (*values, None, None))

    def _id(self, out: Collector, symbol: str, hint: str) -> str:
        """Name an instrument; the same symbol may be spot and perpetual in one capture."""
        perp = hint != "spot" and "spot" not in hint
        known = out.namer.seen.get(f"{symbol}|{hint}")
        if known is None and out.namer.unwanted(symbol):
            return ""
        if known is None:
            from lanner.storage.importers.names import name_instrument

            if out.namer.given:
                known = out.namer.id_of(symbol)
            else:
                named = name_instrument(symbol, "BYBIT", perp)
                known = named.id
                if named.inverse:
                    out.namer.inverse.add(known)
            out.namer.seen[f"{symbol}|{hint}"] = known
        return known


_TOPICS = {
    "orderbook": BybitFrames._book,
    "publicTrade": BybitFrames._trades,
    "tickers": BybitFrames._ticker,
    "kline": BybitFrames._kline,
}


def _side(values: dict[str, str], name: str) -> Level | None:
    px, qty = values.get(f"{name}Price"), values.get(f"{name}Size")
    return (float(px), float(qty)) if px and qty and float(qty) > 0 else None


def _maybe(values: dict[str, str], name: str) -> float | None:
    text = values.get(name)
    return float(text) if text else None
