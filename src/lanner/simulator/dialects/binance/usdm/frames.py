"""Frames of USD-M's public streams. Times are milliseconds only."""

from __future__ import annotations

from lanner.model.enums import Side
from lanner.simulator.candles import Candle, candle_end
from lanner.simulator.dialects.binance.streams import Feed
from lanner.simulator.dialects.binance.tape import AggTrade, Stats
from lanner.simulator.dialects.binance.texts import SIDES, percent
from lanner.simulator.dialects.binance.usdm.market import (
    FOREVER_MS,
    ONBOARD_MS,
    change_text,
    mark_text,
    weighted_text,
)
from lanner.simulator.dialects.binance.usdm.positions import bracket_rows
from lanner.simulator.dialects.binance.usdm.words import Row, UsdmTexts
from lanner.simulator.dialects.binance.venue import encode
from lanner.simulator.events import Liquidated, PublicTrade
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text

MS = 1_000_000


class UsdmFrames:
    """Write public frames."""

    def __init__(self, texts: UsdmTexts) -> None:
        self._texts = texts

    def trade(self, market: Market, one: PublicTrade, now_ns: int, micro: bool) -> bytes:
        """Write a trade."""
        maker = "true" if one.aggressor == Side.SELL else "false"
        return (
            f'{{"e":"trade","E":{now_ns // MS},"T":{one.ts_ns // MS},"s":"{market.symbol}","t":{one.trade_id},'
            f'"p":"{self._texts.px(market, one.ticks)}","q":"{self._texts.qty(market, one.lots)}",'
            f'"X":"MARKET","m":{maker}}}'
        ).encode()

    def agg_trade(self, market: Market, one: AggTrade, now_ns: int, micro: bool) -> bytes:
        """Write an aggregate trade."""
        quantity = self._texts.qty(market, one.lots)
        return encode(
            {
                "e": "aggTrade",
                "E": now_ns // MS,
                "a": one.agg_id,
                "s": market.symbol,
                "p": self._texts.px(market, one.ticks),
                "q": quantity,
                "nq": quantity,
                "f": one.first_id,
                "l": one.last_id,
                "T": one.ts_ns // MS,
                "m": one.buyer_is_maker,
            }
        )

    def quote(self, market: Market, now_ns: int, micro: bool) -> bytes:
        """Write the best bid and ask."""
        bid, ask = market.best_bid or (0, 0), market.best_ask or (0, 0)
        px, qty = self._texts.px, self._texts.qty
        return (
            f'{{"e":"bookTicker","u":{market.book.seq},"s":"{market.symbol}","b":"{px(market, bid[0])}",'
            f'"B":"{qty(market, bid[1])}","a":"{px(market, ask[0])}","A":"{qty(market, ask[1])}",'
            f'"T":{now_ns // MS},"E":{now_ns // MS}}}'
        ).encode()

    def depth(self, market: Market, feed: Feed, now_ns: int, micro: bool) -> bytes:
        """Write the levels that changed since the last frame."""
        before = feed.sent_seq or feed.first_seq - 1
        return (
            f'{{"e":"depthUpdate","E":{now_ns // MS},"T":{market.book.ts_ns // MS},"s":"{market.symbol}",'
            f'"U":{feed.first_seq},"u":{feed.last_seq},"pu":{before},'
            f'"b":[{self._pairs(market, sorted(feed.bids.items(), reverse=True))}],'
            f'"a":[{self._pairs(market, sorted(feed.asks.items()))}]}}'
        ).encode()

    def depth_top(self, market: Market, feed: Feed, now_ns: int, micro: bool) -> bytes:
        """Write the best levels."""
        bids, asks = market.book.top(int(feed.stream.spec))
        last = market.book.seq
        first, before = (feed.sent_seq + 1 if feed.sent_seq else last), feed.sent_seq or last - 1
        feed.sent_seq = last
        return (
            f'{{"e":"depthUpdate","E":{now_ns // MS},"T":{market.book.ts_ns // MS},"s":"{market.symbol}",'
            f'"U":{first},"u":{last},"pu":{before},'
            f'"b":[{self._pairs(market, bids)}],"a":[{self._pairs(market, asks)}]}}'
        ).encode()

    def _pairs(self, market: Market, rows: list[tuple[int, int]]) -> str:
        px, qty = self._texts.px, self._texts.qty
        return ",".join(f'["{px(market, ticks)}","{qty(market, lots)}"]' for ticks, lots in rows)

    def kline(
        self, market: Market, interval: str, one: Candle, closed: bool, now_ns: int, micro: bool
    ) -> bytes:
        """Write a candle as it stands."""
        body = self._candle(market, interval, one, closed)
        named = {"t": body.pop("t"), "T": body.pop("T"), "s": market.symbol, **body}
        return encode({"e": "kline", "E": now_ns // MS, "s": market.symbol, "k": named})

    def continuous_kline(
        self, market: Market, interval: str, one: Candle, closed: bool, now_ns: int, micro: bool
    ) -> bytes:
        """Write a candle of a pair's perpetual contract."""
        return encode(
            {
                "e": "continuous_kline",
                "E": now_ns // MS,
                "ps": market.symbol,
                "ct": "PERPETUAL",
                "k": self._candle(market, interval, one, closed),
            }
        )

    def _candle(self, market: Market, interval: str, one: Candle, closed: bool) -> Row:
        px, qty = self._texts.px, self._texts.qty
        return {
            "t": one.start_ns // MS,
            "T": candle_end(one.start_ns, interval) // MS - 1,
            "i": interval,
            "f": one.first_trade_id,
            "L": one.last_trade_id,
            "o": px(market, one.open),
            "c": px(market, one.close),
            "h": px(market, one.high),
            "l": px(market, one.low),
            "v": qty(market, one.lots),
            "n": one.trades,
            "x": closed,
            "q": atoms_text(one.quote_atoms),
            "V": qty(market, one.buy_lots),
            "Q": atoms_text(one.buy_quote_atoms),
            "B": "0",
        }

    def mini_ticker(self, market: Market, found: Stats, now_ns: int, micro: bool) -> Row:
        """Write the short statistics of 24 hours."""
        px = self._texts.px
        return {
            "e": "24hrMiniTicker",
            "E": now_ns // MS,
            "s": market.symbol,
            "c": px(market, found.last),
            "o": px(market, found.open),
            "h": px(market, found.high),
            "l": px(market, found.low),
            "v": self._texts.qty(market, found.lots),
            "q": atoms_text(found.quote_atoms, 2),
        }

    def ticker(self, market: Market, found: Stats, now_ns: int, micro: bool, window: str = "") -> Row:
        """Write the statistics of 24 hours."""
        px = self._texts.px
        return {
            "e": "24hrTicker",
            "E": now_ns // MS,
            "s": market.symbol,
            "p": change_text(self._texts, market, found),
            "P": percent(found.last - found.open, found.open),
            "w": weighted_text(self._texts, market, found),
            "c": px(market, found.last),
            "Q": self._texts.qty(market, found.last_lots),
            "o": px(market, found.open),
            "h": px(market, found.high),
            "l": px(market, found.low),
            "v": self._texts.qty(market, found.lots),
            "q": atoms_text(found.quote_atoms, 2),
            "O": found.open_ns // MS,
            "C": found.close_ns // MS,
            "F": found.first_id,
            "L": found.last_id,
            "n": found.count,
        }

    def mark_price(self, market: Market, now_ns: int, micro: bool) -> bytes:
        """Write mark price, index price and funding."""
        return encode(self.mark_price_row(market, now_ns, micro))

    def mark_price_row(self, market: Market, now_ns: int, micro: bool) -> Row:
        """Return mark price, index price and funding."""
        index = mark_text(market, market.index_ticks or market.reference_ticks)
        return {
            "e": "markPriceUpdate",
            "E": now_ns // MS,
            "s": market.symbol,
            "p": mark_text(market, market.mark_ticks or market.reference_ticks),
            "P": index,
            "i": index,
            "r": f"{market.funding_rate:.8f}",
            "T": market.next_funding_ns // MS,
        }

    def liquidation(self, market: Market, event: Liquidated) -> bytes:
        """Write a liquidation."""
        quantity = self._texts.qty(market, event.lots)
        return encode(
            {
                "e": "forceOrder",
                "E": event.ts_ns // MS,
                "o": {
                    "s": market.symbol,
                    "S": SIDES[event.side],
                    "o": "LIMIT",
                    "f": "IOC",
                    "q": quantity,
                    "p": self._texts.px(market, event.bankrupt_ticks),
                    "ap": self._texts.px(market, event.ticks),
                    "X": "FILLED",
                    "l": quantity,
                    "z": quantity,
                    "T": event.ts_ns // MS,
                },
            }
        )

    def contract(self, market: Market, now_ns: int) -> bytes:
        """Write a change of a contract."""
        tiers = [
            {
                "bs": one["bracket"],
                "bnf": one["notionalFloor"],
                "bnc": one["notionalCap"],
                "mmr": one["maintMarginRatio"],
                "cf": one["cum"],
                "mi": 1,
                "ma": one["initialLeverage"],
            }
            for one in bracket_rows(market)
        ]
        return encode(
            {
                "e": "contractInfo",
                "E": now_ns // MS,
                "s": market.symbol,
                "ps": market.symbol,
                "ct": "PERPETUAL",
                "dt": FOREVER_MS,
                "ot": ONBOARD_MS,
                "cs": "TRADING" if market.trading else "SETTLING",
                "bks": tiers,
            }
        )
