"""USD-M market data by request: symbols, books, trades, candles, mark prices, funding."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lanner.model.enums import Side
from lanner.simulator.candles import Candle, Candles, candle_end
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance.calls import Call, Operation
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.spot.market import choose_aggregates, need_interval, read_candles
from lanner.simulator.dialects.binance.tape import Aggregates, Stats, rows_from, window_stats
from lanner.simulator.dialects.binance.texts import percent
from lanner.simulator.dialects.binance.usdm.words import ALL_TYPES, Row, UsdmTexts
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.events import MarkChanged, PublicTrade
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text

DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
FOREVER_MS = 4_133_404_800_000
ONBOARD_MS = 1_569_398_400_000


class MarkHistory:
    """Candles of mark and index prices, one pair per market."""

    def __init__(self) -> None:
        self._mark: dict[str, Candles] = {}
        self._index: dict[str, Candles] = {}

    def add(self, event: MarkChanged) -> None:
        """Take a mark price."""
        for held, ticks in ((self._mark, event.mark_ticks), (self._index, event.index_ticks)):
            if ticks:
                held.setdefault(event.market, Candles()).add(event.ts_ns, 0, ticks, 0, 0, buy=False)

    def mark(self, symbol: str) -> Candles:
        """Return the candles of a mark price."""
        return self._mark.setdefault(symbol, Candles())

    def index(self, symbol: str) -> Candles:
        """Return the candles of an index price."""
        return self._index.setdefault(symbol, Candles())


class UsdmMarketData:
    """The operations on public data."""

    def __init__(
        self,
        venue: Venue,
        texts: UsdmTexts,
        aggregates: Callable[[str], Aggregates],
        stale: Callable[[str], Any],
        marks: MarkHistory,
    ) -> None:
        self._venue = venue
        self._texts = texts
        self._aggregates = aggregates
        self._stale = stale
        self._marks = marks

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        v1 = "GET /fapi/v1"
        return [
            Operation(self.ping, (f"{v1}/ping",), (), 1),
            Operation(self.time, (f"{v1}/time",), (), 1),
            Operation(self.info, (f"{v1}/exchangeInfo",), (), 1),
            Operation(self.depth, (f"{v1}/depth",), ("depth",), depth_weight, kind=Kind.SNAPSHOT),
            Operation(self.trades, (f"{v1}/trades",), (), 5),
            Operation(self.old_trades, (f"{v1}/historicalTrades",), (), 20),
            Operation(self.agg_trades, (f"{v1}/aggTrades",), (), 20),
            Operation(self.klines, (f"{v1}/klines",), (), kline_weight),
            Operation(self.continuous_klines, (f"{v1}/continuousKlines",), (), kline_weight),
            Operation(self.mark_klines, (f"{v1}/markPriceKlines",), (), kline_weight),
            Operation(self.index_klines, (f"{v1}/indexPriceKlines",), (), kline_weight),
            Operation(self.premium, (f"{v1}/premiumIndex",), (), premium_weight),
            Operation(self.funding, (f"{v1}/fundingRate",), (), 1),
            Operation(self.funding_info, (f"{v1}/fundingInfo",), (), 1),
            Operation(self.day, (f"{v1}/ticker/24hr",), (), day_weight),
            Operation(
                self.price,
                (f"{v1}/ticker/price", "GET /fapi/v2/ticker/price"),
                ("ticker.price",),
                price_weight,
            ),
            Operation(self.quote, (f"{v1}/ticker/bookTicker",), ("ticker.book",), quote_weight),
            Operation(self.open_interest, (f"{v1}/openInterest",), (), 1),
        ]

    def ping(self, call: Call) -> Row:
        """Tell that the venue is there."""
        return {}

    def time(self, call: Call) -> Row:
        """Tell the venue's time."""
        return {"serverTime": call.time(call.now_ns)}

    # -- symbols --------------------------------------------------------------------------------------

    def info(self, call: Call) -> Row:
        """Tell about symbols, filters and limits."""
        assets = sorted({market.settle for market in self._venue.markets})
        return {
            "timezone": "UTC",
            "serverTime": call.time(call.now_ns),
            "futuresType": "U_MARGINED",
            "rateLimits": self._venue.limits.all_rows(),
            "exchangeFilters": [],
            "assets": [{"asset": one, "marginAvailable": True, "autoAssetExchange": "0"} for one in assets],
            "symbols": [self._symbol_row(market) for market in self._venue.markets],
        }

    def _symbol_row(self, market: Market) -> Row:
        rules, instrument = market.rules, market.instrument
        maintenance = Decimal(market.brackets[0].rate_ppb) / 10**7
        return {
            "symbol": market.symbol,
            "pair": market.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": FOREVER_MS,
            "onboardDate": ONBOARD_MS,
            "status": "TRADING" if market.trading else "SETTLING",
            "maintMarginPercent": f"{maintenance:.4f}",
            "requiredMarginPercent": "5.0000",
            "baseAsset": market.base,
            "quoteAsset": market.quote,
            "marginAsset": market.settle,
            "pricePrecision": self._texts.decimals(market),
            "quantityPrecision": self._texts.lot_decimals(market),
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "triggerProtect": "0.0500",
            "liquidationFee": f"{rules.liquidation_fee:.6f}",
            "marketTakeBound": "0.05",
            "maxMoveOrderLimit": rules.max_amends,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": self._texts.px(market, market.min_ticks),
                    "maxPrice": plain(rules.max_px or Decimal(10_000_000)),
                    "tickSize": self._texts.px(market, 1),
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": self._texts.qty(market, market.min_lots or 1),
                    "maxQty": plain(instrument.lot * market.max_lots) if market.max_lots else "1000000",
                    "stepSize": self._texts.qty(market, 1),
                },
                {
                    "filterType": "MARKET_LOT_SIZE",
                    "minQty": self._texts.qty(market, market.min_lots or 1),
                    "maxQty": plain(instrument.lot * market.market_max_lots)
                    if market.market_max_lots
                    else "1000000",
                    "stepSize": self._texts.qty(market, 1),
                },
                {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_open_orders},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": rules.max_trigger_orders},
                {
                    "filterType": "MIN_NOTIONAL",
                    "notional": plain(rules.min_notional or instrument.min_notional),
                },
                {
                    "filterType": "PERCENT_PRICE",
                    "multiplierUp": f"{rules.percent_up or Decimal(10):.4f}",
                    "multiplierDown": f"{rules.percent_down:.4f}",
                    "multiplierDecimal": "4",
                },
            ],
            "orderTypes": list(ALL_TYPES),
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }

    # -- book and trades ----------------------------------------------------------------------------

    def depth(self, call: Call) -> Row:
        """Tell the book of a symbol."""
        market = self._venue.market(call.params.symbol())
        limit = call.params.integer("limit", 500) or 500
        if limit not in DEPTHS:
            raise ApiError(-4021, f"'{limit}' is not valid depth limit.")
        seq, bids, asks = self._stale(market.symbol) or self._venue.exchange.snapshot(market.symbol, limit)
        px, qty = self._texts.px, self._texts.qty
        return {
            "lastUpdateId": seq,
            "E": call.time(call.now_ns),
            "T": call.time(market.book.ts_ns or call.now_ns),
            "bids": [[px(market, ticks), qty(market, lots)] for ticks, lots in bids[:limit]],
            "asks": [[px(market, ticks), qty(market, lots)] for ticks, lots in asks[:limit]],
        }

    def trades(self, call: Call) -> list[Row]:
        """Tell the latest trades."""
        market = self._venue.market(call.params.symbol())
        limit = call.params.limit(500, 1000)
        return [self._trade(market, one, call) for one in rows_from(market.trades, 0, None, limit)]

    def old_trades(self, call: Call) -> list[Row]:
        """Tell trades from an id on."""
        market = self._venue.market(call.params.symbol())
        limit, wanted = call.params.limit(100, 500), call.params.integer("fromId")
        first = market.trades[0].trade_id if market.trades else 0
        return [self._trade(market, one, call) for one in rows_from(market.trades, first, wanted, limit)]

    def _trade(self, market: Market, one: PublicTrade, call: Call) -> Row:
        return {
            "id": one.trade_id,
            "price": self._texts.px(market, one.ticks),
            "qty": self._texts.qty(market, one.lots),
            "quoteQty": atoms_text(market.notional(one.lots, one.ticks), 2),
            "time": call.time(one.ts_ns),
            "isBuyerMaker": one.aggressor == Side.SELL,
        }

    def agg_trades(self, call: Call) -> list[Row]:
        """Tell aggregate trades: from an id on, in a time span, or the latest."""
        params = call.params
        market = self._venue.market(params.symbol())
        wanted = params.integer("fromId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        found = choose_aggregates(
            self._aggregates(market.symbol), wanted, since, until, params.limit(500, 1000)
        )
        return [
            {
                "a": one.agg_id,
                "p": self._texts.px(market, one.ticks),
                "q": self._texts.qty(market, one.lots),
                "nq": self._texts.qty(market, one.lots),
                "f": one.first_id,
                "l": one.last_id,
                "T": call.time(one.ts_ns),
                "m": one.buyer_is_maker,
            }
            for one in found
        ]

    # -- candles ----------------------------------------------------------------------------------------

    def klines(self, call: Call) -> list[list[Any]]:
        """Tell candles of a symbol."""
        return self._candles(call, self._venue.market(call.params.symbol()), None)

    def continuous_klines(self, call: Call) -> list[list[Any]]:
        """Tell candles of a pair's perpetual contract."""
        market = self._venue.market(call.params.symbol("pair"))
        if call.params.need("contractType") != "PERPETUAL":
            raise ApiError(-4104, "Invalid contract type.")
        return self._candles(call, market, None)

    def mark_klines(self, call: Call) -> list[list[Any]]:
        """Tell candles of the mark price."""
        market = self._venue.market(call.params.symbol())
        return self._candles(call, market, self._marks.mark(market.symbol))

    def index_klines(self, call: Call) -> list[list[Any]]:
        """Tell candles of the index price."""
        market = self._venue.market(call.params.symbol("pair"))
        return self._candles(call, market, self._marks.index(market.symbol))

    def _candles(self, call: Call, market: Market, source: Candles | None) -> list[list[Any]]:
        params = call.params
        interval = need_interval(params)
        if interval == "1s":
            raise ApiError(-1120, "Invalid interval.")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        limit = params.limit(500, 1500)
        found = read_candles(source or market.candles, interval, since, until, limit, call.now_ns)
        if source is not None:
            return [self._price_row(market, one, interval, call) for one in found]
        return [self._kline_row(market, one, interval, call) for one in found]

    def _kline_row(self, market: Market, one: Candle, interval: str, call: Call) -> list[Any]:
        px, qty = self._texts.px, self._texts.qty
        return [
            call.time(one.start_ns),
            px(market, one.open),
            px(market, one.high),
            px(market, one.low),
            px(market, one.close),
            qty(market, one.lots),
            call.time(candle_end(one.start_ns, interval)) - 1,
            atoms_text(one.quote_atoms),
            one.trades,
            qty(market, one.buy_lots),
            atoms_text(one.buy_quote_atoms),
            "0",
        ]

    def _price_row(self, market: Market, one: Candle, interval: str, call: Call) -> list[Any]:
        prices = [mark_text(market, ticks) for ticks in (one.open, one.high, one.low, one.close)]
        end = call.time(candle_end(one.start_ns, interval)) - 1
        return [call.time(one.start_ns), *prices, "0", end, "0", one.trades, "0", "0", "0"]

    # -- prices -----------------------------------------------------------------------------------------

    def _each(self, call: Call, write: Callable[[Market], Row]) -> Any:
        if call.params.text("symbol"):
            return write(self._venue.market(call.params.symbol()))
        return [write(market) for market in self._venue.markets]

    def price(self, call: Call) -> Any:
        """Tell last prices."""
        return self._each(
            call,
            lambda market: {
                "symbol": market.symbol,
                "price": self._texts.px(market, market.last_ticks),
                "time": call.time(market.trades[-1].ts_ns if market.trades else call.now_ns),
            },
        )

    def quote(self, call: Call) -> Any:
        """Tell best bids and asks."""
        px, qty = self._texts.px, self._texts.qty

        def write(market: Market) -> Row:
            bid, ask = market.best_bid or (0, 0), market.best_ask or (0, 0)
            return {
                "symbol": market.symbol,
                "bidPrice": px(market, bid[0]),
                "bidQty": qty(market, bid[1]),
                "askPrice": px(market, ask[0]),
                "askQty": qty(market, ask[1]),
                "time": call.time(market.book.ts_ns or call.now_ns),
                "lastUpdateId": market.book.seq,
            }

        return self._each(call, write)

    def day(self, call: Call) -> Any:
        """Tell statistics of the last 24 hours."""
        px, qty = self._texts.px, self._texts.qty

        def write(market: Market) -> Row:
            found = window_stats(market, call.now_ns)
            return {
                "symbol": market.symbol,
                "priceChange": change_text(self._texts, market, found),
                "priceChangePercent": percent(found.last - found.open, found.open),
                "weightedAvgPrice": weighted_text(self._texts, market, found),
                "lastPrice": px(market, found.last),
                "lastQty": qty(market, found.last_lots),
                "openPrice": px(market, found.open),
                "highPrice": px(market, found.high),
                "lowPrice": px(market, found.low),
                "volume": qty(market, found.lots),
                "quoteVolume": atoms_text(found.quote_atoms, 2),
                "openTime": call.time(found.open_ns),
                "closeTime": call.time(found.close_ns),
                "firstId": found.first_id,
                "lastId": found.last_id,
                "count": found.count,
            }

        return self._each(call, write)

    def premium(self, call: Call) -> Any:
        """Tell mark and index prices and the funding to come."""
        return self._each(
            call,
            lambda market: {
                "symbol": market.symbol,
                "markPrice": mark_text(market, market.mark_ticks or market.reference_ticks),
                "indexPrice": mark_text(market, market.index_ticks or market.reference_ticks),
                "estimatedSettlePrice": mark_text(market, market.index_ticks or market.reference_ticks),
                "lastFundingRate": f"{market.funding_rate:.8f}",
                "interestRate": "0.00010000",
                "nextFundingTime": call.time(market.next_funding_ns),
                "time": call.time(call.now_ns),
            },
        )

    def funding(self, call: Call) -> list[Row]:
        """Tell funding that was settled."""
        params = call.params
        symbol = params.text("symbol")
        markets = [self._venue.market(params.symbol())] if symbol else self._venue.markets
        since, until = call.from_time("startTime"), call.from_time("endTime")
        limit = params.limit(100, 1000)
        last = until if until is not None else 1 << 62
        rows = [
            (ts_ns, market, rate, mark)
            for market in markets
            for ts_ns, rate, mark in market.funding_history
            if (since or 0) <= ts_ns <= last
        ]
        rows.sort(key=lambda row: (row[0], row[1].symbol))
        chosen = rows[:limit] if since is not None else rows[-limit:]
        return [
            {
                "symbol": market.symbol,
                "fundingRate": f"{rate:.8f}",
                "fundingTime": call.time(ts_ns),
                "markPrice": mark_text(market, mark),
            }
            for ts_ns, market, rate, mark in chosen
        ]

    def funding_info(self, call: Call) -> list[Row]:
        """Tell intervals and bounds of funding."""
        return [
            {
                "symbol": market.symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": market.rules.funding_interval_ns // (3600 * 10**9),
                "disclaimer": False,
            }
            for market in self._venue.markets
        ]

    def open_interest(self, call: Call) -> Row:
        """Tell how many contracts are open."""
        market = self._venue.market(call.params.symbol())
        lots = sum(
            max(0, position.lots)
            for account in self._venue.exchange.accounts.values()
            for (symbol, _), position in account.positions.items()
            if symbol == market.symbol
        )
        return {
            "symbol": market.symbol,
            "openInterest": self._texts.qty(market, lots),
            "time": call.time(call.now_ns),
        }


def plain(value: Decimal) -> str:
    """Write a number without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def mark_text(market: Market, ticks: int) -> str:
    """Write a mark or index price with eight decimals."""
    return atoms_text(ticks * market.tick_atoms)


def change_text(texts: UsdmTexts, market: Market, found: Stats) -> str:
    """Write the change of a price over a window."""
    return atoms_text((found.last - found.open) * market.tick_atoms, texts.decimals(market))


def weighted_text(texts: UsdmTexts, market: Market, found: Stats) -> str:
    """Write the volume-weighted average price of a window."""
    if not found.lots:
        return texts.px(market, 0)
    return atoms_text(found.quote_atoms * 10**12 // (found.lots * market.lot_atoms), texts.decimals(market))


def depth_weight(params: Params) -> int:
    """Return the weight of a book."""
    limit = params.integer("limit", 500) or 500
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


def kline_weight(params: Params) -> int:
    """Return the weight of candles."""
    limit = params.integer("limit", 500) or 500
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


def day_weight(params: Params) -> int:
    """Return the weight of 24-hour statistics."""
    return 1 if params.text("symbol") else 40


def price_weight(params: Params) -> int:
    """Return the weight of prices."""
    return 1 if params.text("symbol") else 2


def quote_weight(params: Params) -> int:
    """Return the weight of best bids and asks."""
    return 2 if params.text("symbol") else 5


def premium_weight(params: Params) -> int:
    """Return the weight of mark prices."""
    return 1 if params.text("symbol") else 10
