"""Frames of spot's public streams."""

from __future__ import annotations

from typing import Any

from lanner.model.enums import Side
from lanner.simulator.candles import Candle, candle_end
from lanner.simulator.dialects.binance.spot.market import signed_px, weighted
from lanner.simulator.dialects.binance.streams import Feed
from lanner.simulator.dialects.binance.tape import AggTrade, Stats, average_price
from lanner.simulator.dialects.binance.texts import SpotTexts, percent
from lanner.simulator.dialects.binance.venue import encode
from lanner.simulator.events import PublicTrade
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text

Row = dict[str, Any]


class SpotFrames:
    """Write public frames; ``micro`` asks for microseconds."""

    def __init__(self, texts: SpotTexts) -> None:
        self._texts = texts

    def trade(self, market: Market, one: PublicTrade, now_ns: int, micro: bool) -> bytes:
        """Write a trade."""
        unit = 1000 if micro else 1_000_000
        maker = "true" if one.aggressor == Side.SELL else "false"
        return (
            f'{{"e":"trade","E":{now_ns // unit},"s":"{market.symbol}","t":{one.trade_id},'
            f'"p":"{self._texts.px(market, one.ticks)}","q":"{self._texts.qty(market, one.lots)}",'
            f'"T":{one.ts_ns // unit},"m":{maker},"M":true}}'
        ).encode()

    def agg_trade(self, market: Market, one: AggTrade, now_ns: int, micro: bool) -> bytes:
        """Write an aggregate trade."""
        unit = 1000 if micro else 1_000_000
        return encode(
            {
                "e": "aggTrade",
                "E": now_ns // unit,
                "s": market.symbol,
                "a": one.agg_id,
                "p": self._texts.px(market, one.ticks),
                "q": self._texts.qty(market, one.lots),
                "f": one.first_id,
                "l": one.last_id,
                "T": one.ts_ns // unit,
                "m": one.buyer_is_maker,
                "M": True,
            }
        )

    def quote(self, market: Market, now_ns: int, micro: bool) -> bytes:
        """Write the best bid and ask."""
        bid, ask = market.best_bid or (0, 0), market.best_ask or (0, 0)
        px, qty = self._texts.px, self._texts.qty
        return (
            f'{{"u":{market.book.seq},"s":"{market.symbol}","b":"{px(market, bid[0])}","B":"{qty(market, bid[1])}",'
            f'"a":"{px(market, ask[0])}","A":"{qty(market, ask[1])}"}}'
        ).encode()

    def depth(self, market: Market, feed: Feed, now_ns: int, micro: bool) -> bytes:
        """Write the levels that changed since the last frame."""
        unit = 1000 if micro else 1_000_000
        return (
            f'{{"e":"depthUpdate","E":{now_ns // unit},"s":"{market.symbol}","U":{feed.first_seq},"u":{feed.last_seq},'
            f'"b":[{self._levels(market, feed.bids, down=True)}],"a":[{self._levels(market, feed.asks)}]}}'
        ).encode()

    def depth_top(self, market: Market, feed: Feed, now_ns: int, micro: bool) -> bytes:
        """Write the best levels."""
        bids, asks = market.book.top(int(feed.stream.spec))
        return (
            f'{{"lastUpdateId":{market.book.seq},"bids":[{self._pairs(market, bids)}],'
            f'"asks":[{self._pairs(market, asks)}]}}'
        ).encode()

    def _levels(self, market: Market, changed: dict[int, int], *, down: bool = False) -> str:
        return self._pairs(market, sorted(changed.items(), reverse=down))

    def _pairs(self, market: Market, rows: list[tuple[int, int]]) -> str:
        px, qty = self._texts.px, self._texts.qty
        return ",".join(f'["{px(market, ticks)}","{qty(market, lots)}"]' for ticks, lots in rows)

    def kline(
        self, market: Market, interval: str, one: Candle, closed: bool, now_ns: int, micro: bool
    ) -> bytes:
        """Write a candle as it stands."""
        unit = 1000 if micro else 1_000_000
        px, qty = self._texts.px, self._texts.qty
        return encode(
            {
                "e": "kline",
                "E": now_ns // unit,
                "s": market.symbol,
                "k": {
                    "t": one.start_ns // unit,
                    "T": candle_end(one.start_ns, interval) // unit - 1,
                    "s": market.symbol,
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
                },
            }
        )

    def mini_ticker(self, market: Market, found: Stats, now_ns: int, micro: bool) -> Row:
        """Write the short statistics of 24 hours."""
        px = self._texts.px
        return {
            "e": "24hrMiniTicker",
            "E": now_ns // (1000 if micro else 1_000_000),
            "s": market.symbol,
            "c": px(market, found.last),
            "o": px(market, found.open),
            "h": px(market, found.high),
            "l": px(market, found.low),
            "v": self._texts.qty(market, found.lots),
            "q": atoms_text(found.quote_atoms),
        }

    def ticker(self, market: Market, found: Stats, now_ns: int, micro: bool, window: str = "") -> Row:
        """Write the statistics of 24 hours, or of a window (``1h``, ``4h``, ``1d``)."""
        unit = 1000 if micro else 1_000_000
        px, qty = self._texts.px, self._texts.qty
        row: Row = {
            "e": f"{window}Ticker" if window else "24hrTicker",
            "E": now_ns // unit,
            "s": market.symbol,
            "p": signed_px(market, found.last - found.open),
            "P": percent(found.last - found.open, found.open),
            "w": weighted(market, found),
        }
        if not window:
            bid, ask = market.best_bid or (0, 0), market.best_ask or (0, 0)
            row.update(
                x=px(market, found.before),
                Q=qty(market, found.last_lots),
                b=px(market, bid[0]),
                B=qty(market, bid[1]),
                a=px(market, ask[0]),
                A=qty(market, ask[1]),
            )
        row.update(
            c=px(market, found.last),
            o=px(market, found.open),
            h=px(market, found.high),
            l=px(market, found.low),
            v=qty(market, found.lots),
            q=atoms_text(found.quote_atoms),
            O=found.open_ns // unit,
            C=found.close_ns // unit,
            F=found.first_id,
            L=found.last_id,
            n=found.count,
        )
        return row

    def avg_price(self, market: Market, now_ns: int, micro: bool) -> bytes:
        """Write the average price of five minutes."""
        unit = 1000 if micro else 1_000_000
        last_ns = market.trades[-1].ts_ns if market.trades else now_ns
        return encode(
            {
                "e": "avgPrice",
                "E": now_ns // unit,
                "s": market.symbol,
                "i": "5m",
                "w": atoms_text(average_price(market, now_ns)),
                "T": last_ns // unit,
            }
        )
