"""Spot market data by request: books, trades, candles, prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanner.model.enums import Side
from lanner.simulator.candles import DAY, MINUTE, Candle, Candles, candle_end, candle_start, interval_ns
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.names import INTERVALS
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.spot.info import exchange_info
from lanner.simulator.dialects.binance.tape import (
    Aggregates,
    AggTrade,
    Stats,
    average_price,
    filled,
    rows_from,
    window_stats,
)
from lanner.simulator.dialects.binance.texts import ZERO, SpotTexts, percent
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.events import PublicTrade
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text

Row = dict[str, Any]
MOST_LEVELS = 5000
WINDOWS = {"m": MINUTE, "h": 60 * MINUTE, "d": DAY}


class SpotMarketData:
    """The operations on public data."""

    def __init__(
        self,
        venue: Venue,
        texts: SpotTexts,
        aggregates: Callable[[str], Aggregates],
        stale: Callable[[str], Any],
    ) -> None:
        self._venue = venue
        self._texts = texts
        self._aggregates = aggregates
        self._stale = stale

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        return [
            Operation(self.ping, ("GET /api/v3/ping",), ("ping",), 1),
            Operation(self.time, ("GET /api/v3/time",), ("time",), 1),
            Operation(self.info, ("GET /api/v3/exchangeInfo",), ("exchangeInfo",), 20),
            Operation(self.rules, ("GET /api/v3/executionRules",), ("executionRules",), 20),
            Operation(self.depth, ("GET /api/v3/depth",), ("depth",), depth_weight, kind=Kind.SNAPSHOT),
            Operation(self.trades, ("GET /api/v3/trades",), ("trades.recent",), 25),
            Operation(self.old_trades, ("GET /api/v3/historicalTrades",), ("trades.historical",), 25),
            Operation(self.agg_trades, ("GET /api/v3/aggTrades",), ("trades.aggregate",), 4),
            Operation(self.klines, ("GET /api/v3/klines",), ("klines",), 2),
            Operation(self.klines, ("GET /api/v3/uiKlines",), ("uiKlines",), 2),
            Operation(self.average, ("GET /api/v3/avgPrice",), ("avgPrice",), 2),
            Operation(self.day, ("GET /api/v3/ticker/24hr",), ("ticker.24hr",), day_weight),
            Operation(
                self.trading_day,
                ("GET /api/v3/ticker/tradingDay",),
                ("ticker.tradingDay",),
                per_symbol_weight,
            ),
            Operation(self.price, ("GET /api/v3/ticker/price",), ("ticker.price",), price_weight),
            Operation(self.quote, ("GET /api/v3/ticker/bookTicker",), ("ticker.book",), price_weight),
            Operation(self.window, ("GET /api/v3/ticker",), ("ticker",), per_symbol_weight),
        ]

    def ping(self, call: Call) -> Row:
        """Tell that the venue is there."""
        return {}

    def time(self, call: Call) -> Row:
        """Tell the venue's time."""
        return {"serverTime": call.time(call.now_ns)}

    def info(self, call: Call) -> Row:
        """Tell about symbols and limits."""
        return exchange_info(self._venue, call)

    def rules(self, call: Call) -> Row:
        """Tell price ranges of execution: no symbol has one."""
        call.params.allow("symbol", "symbols", "symbolStatus")
        return {"symbolRules": []}

    # -- book and trades ----------------------------------------------------------------------------

    def depth(self, call: Call) -> Row:
        """Tell the book of a symbol."""
        market = self._venue.market(call.params.symbol())
        limit = call.params.limit(100, MOST_LEVELS)
        call.params.allow("symbolStatus")
        seq, bids, asks = self._stale(market.symbol) or self._venue.exchange.snapshot(market.symbol, limit)
        return {
            "lastUpdateId": seq,
            "bids": self.levels(market, bids[:limit]),
            "asks": self.levels(market, asks[:limit]),
        }

    def levels(self, market: Market, rows: list[tuple[int, int]]) -> list[list[str]]:
        """Write levels of a book."""
        texts = self._texts
        return [[texts.px(market, ticks), texts.qty(market, lots)] for ticks, lots in rows]

    def trades(self, call: Call) -> list[Row]:
        """Tell the latest trades."""
        market = self._venue.market(call.params.symbol())
        limit = call.params.limit(500, 1000)
        return [self._trade(market, one, call) for one in rows_from(market.trades, 0, None, limit)]

    def old_trades(self, call: Call) -> list[Row]:
        """Tell trades from an id on."""
        market = self._venue.market(call.params.symbol())
        limit, wanted = call.params.limit(500, 1000), call.params.integer("fromId")
        first = market.trades[0].trade_id if market.trades else 0
        return [self._trade(market, one, call) for one in rows_from(market.trades, first, wanted, limit)]

    def _trade(self, market: Market, one: PublicTrade, call: Call) -> Row:
        return {
            "id": one.trade_id,
            "price": self._texts.px(market, one.ticks),
            "qty": self._texts.qty(market, one.lots),
            "quoteQty": atoms_text(market.notional(one.lots, one.ticks)),
            "time": call.time(one.ts_ns),
            "isBuyerMaker": one.aggressor == Side.SELL,
            "isBestMatch": True,
        }

    def agg_trades(self, call: Call) -> list[Row]:
        """Tell aggregate trades: from an id on, in a time span, or the latest."""
        params = call.params
        market = self._venue.market(params.symbol())
        wanted = params.integer("fromId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        limit = params.limit(500, 1000)
        if wanted is not None and (since is not None or until is not None):
            raise errors.bad_combination()
        found = choose_aggregates(self._aggregates(market.symbol), wanted, since, until, limit)
        return [
            {
                "a": one.agg_id,
                "p": self._texts.px(market, one.ticks),
                "q": self._texts.qty(market, one.lots),
                "f": one.first_id,
                "l": one.last_id,
                "T": call.time(one.ts_ns),
                "m": one.buyer_is_maker,
                "M": True,
            }
            for one in found
        ]

    # -- candles ----------------------------------------------------------------------------------------

    def klines(self, call: Call) -> list[list[Any]]:
        """Tell candles; where nothing traded they are flat."""
        params = call.params
        market = self._venue.market(params.symbol())
        interval = need_interval(params)
        since, until = call.from_time("startTime"), call.from_time("endTime")
        limit = params.limit(500, 1000)
        params.allow("timeZone")
        found = read_candles(market.candles, interval, since, until, limit, call.now_ns)
        return [self.kline_row(market, one, interval, call) for one in found]

    def kline_row(self, market: Market, one: Candle, interval: str, call: Call) -> list[Any]:
        """Write one candle."""
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

    # -- prices -----------------------------------------------------------------------------------------

    def average(self, call: Call) -> Row:
        """Tell the average price of the last five minutes."""
        market = self._venue.market(call.params.symbol())
        last_ns = market.trades[-1].ts_ns if market.trades else call.now_ns
        price = atoms_text(average_price(market, call.now_ns))
        return {"mins": 5, "price": price, "closeTime": call.time(last_ns)}

    def _each(self, call: Call, write: Callable[[Market], Row], *, most: int = 0, need: bool = False) -> Any:
        """Write one symbol, several, or all, as the parameters say."""
        params = call.params
        one, many = params.text("symbol"), params.names("symbols")
        params.allow("symbolStatus")
        if one and many:
            raise errors.bad_combination()
        if one:
            return write(self._venue.market(params.symbol()))
        if not many:
            if need:
                raise errors.either_missing("symbol", "symbols")
            return [write(market) for market in self._venue.markets]
        if len(set(many)) != len(many):
            raise ApiError(-1151, "Symbol is present multiple times in the list.")
        if most and len(many) > most:
            raise ApiError(
                -1101, f"Too many values sent for parameter 'symbols', maximum allowed up to {most}."
            )
        return [write(self._venue.market(name)) for name in many]

    def price(self, call: Call) -> Any:
        """Tell last prices."""
        return self._each(
            call, lambda market: {"symbol": market.symbol, "price": self._texts.px(market, market.last_ticks)}
        )

    def quote(self, call: Call) -> Any:
        """Tell best bids and asks."""
        return self._each(call, self.quote_row)

    def quote_row(self, market: Market) -> Row:
        """Write the best bid and ask of a market."""
        bid, ask = market.best_bid or (0, 0), market.best_ask or (0, 0)
        px, qty = self._texts.px, self._texts.qty
        return {
            "symbol": market.symbol,
            "bidPrice": px(market, bid[0]),
            "bidQty": qty(market, bid[1]),
            "askPrice": px(market, ask[0]),
            "askQty": qty(market, ask[1]),
        }

    def day(self, call: Call) -> Any:
        """Tell statistics of the last 24 hours."""
        mini = ticker_type(call.params)

        def write(market: Market) -> Row:
            found = window_stats(market, call.now_ns)
            row = self._stats_row(market, found, call, mini=mini)
            if mini:
                return row
            quote = self.quote_row(market)
            row["prevClosePrice"] = self._texts.px(market, found.before)
            row["lastQty"] = self._texts.qty(market, found.last_lots)
            row.update({name: quote[name] for name in ("bidPrice", "bidQty", "askPrice", "askQty")})
            return row

        return self._each(call, write)

    def trading_day(self, call: Call) -> Any:
        """Tell statistics of the present day."""
        mini = ticker_type(call.params)
        call.params.allow("timeZone")
        start = call.now_ns - call.now_ns % DAY

        def write(market: Market) -> Row:
            found = window_stats(market, call.now_ns, since_ns=start)
            found.close_ns = start + DAY - 10**6
            return self._stats_row(market, found, call, mini=mini)

        return self._each(call, write, most=100, need=True)

    def window(self, call: Call) -> Any:
        """Tell statistics of a window: minutes 1–59, hours 1–23, days 1–7."""
        mini = ticker_type(call.params)
        size = call.params.text("windowSize", "1d")
        length = window_length(size)
        since = call.now_ns - length
        since -= since % MINUTE

        def write(market: Market) -> Row:
            return self._stats_row(market, window_stats(market, call.now_ns, since_ns=since), call, mini=mini)

        return self._each(call, write, most=100, need=True)

    def _stats_row(self, market: Market, found: Stats, call: Call, *, mini: bool) -> Row:
        px = self._texts.px
        row: Row = {"symbol": market.symbol}
        if not mini:
            row["priceChange"] = signed_px(market, found.last - found.open)
            row["priceChangePercent"] = percent(found.last - found.open, found.open)
            row["weightedAvgPrice"] = weighted(market, found)
        row["openPrice"] = px(market, found.open)
        row["highPrice"] = px(market, found.high)
        row["lowPrice"] = px(market, found.low)
        row["lastPrice"] = px(market, found.last)
        row["volume"] = self._texts.qty(market, found.lots)
        row["quoteVolume"] = atoms_text(found.quote_atoms)
        row["openTime"] = call.time(found.open_ns)
        row["closeTime"] = call.time(found.close_ns)
        row["firstId"] = found.first_id
        row["lastId"] = found.last_id
        row["count"] = found.count
        return row


def signed_px(market: Market, ticks: int) -> str:
    """Write a difference of prices."""
    return atoms_text(ticks * market.tick_atoms)


def weighted(market: Market, found: Stats) -> str:
    """Write the volume-weighted average price."""
    if not found.lots:
        return ZERO
    return atoms_text(found.quote_atoms * 10**12 // (found.lots * market.lot_atoms))


def need_interval(params: Params) -> str:
    """Return the interval of candles."""
    found = params.need("interval")
    if found not in INTERVALS:
        raise ApiError(-1120, "Invalid interval.")
    return found


def read_candles(
    source: Candles, interval: str, since: int | None, until: int | None, limit: int, now_ns: int
) -> list[Candle]:
    """Return candles without holes: from a time on the oldest first, else the latest."""
    last = min(until, now_ns) if until is not None else now_ns
    if since is None:
        start = candle_start(max(0, last - (limit - 1) * interval_ns(interval)), interval)
    else:
        start = candle_start(since, interval)
        if start < since:
            start = candle_end(start, interval)
    before = source.read(interval, 0, start - 1, 1)
    found = filled(before + source.read(interval, start, last), interval, last)
    rows = [one for one in found if start <= one.start_ns <= last]
    return rows[-limit:] if since is None else rows[:limit]


def choose_aggregates(
    held: Aggregates, wanted: int | None, since: int | None, until: int | None, limit: int
) -> list[AggTrade]:
    """Choose aggregate trades: from an id on, from a time on, else the latest; of a whole window its last ones, too."""
    rows = held.rows
    if wanted is not None:
        return rows_from(rows, rows[0].agg_id if rows else 0, wanted, limit)
    if since is None and until is None:
        return rows_from(rows, 0, None, limit)
    last = until if until is not None else 1 << 62
    found = [one for one in rows if (since or 0) <= one.ts_ns <= last]
    return found[:limit] if until is None else found[-limit:]


def ticker_type(params: Params) -> bool:
    """Tell whether the short form of statistics is wanted."""
    found = params.text("type", "FULL")
    if found not in ("FULL", "MINI"):
        raise ApiError(-1139, "Invalid ticker type.")
    return found == "MINI"


def window_length(size: str) -> int:
    """Return the length of a rolling window in ns."""
    unit, count = size[-1:], size[:-1]
    most = {"m": 59, "h": 23, "d": 7}.get(unit)
    if most is None or not count.isdigit() or not 1 <= int(count) <= most:
        raise errors.invalid_data("windowSize")
    return int(count) * WINDOWS[unit]


def _count(params: Params) -> int:
    """Return how many symbols are asked for, 0 for all."""
    if params.text("symbol"):
        return 1
    return len(params.names("symbols"))


def depth_weight(params: Params) -> int:
    """Return the weight of a book: 5 up to 100 levels, 25, 50, 250 for up to 500, 1000, 5000."""
    limit = params.integer("limit", 100) or 100
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250


def day_weight(params: Params) -> int:
    """Return the weight of 24-hour statistics."""
    count = _count(params)
    return 80 if not count or count > 100 else 2 if count <= 20 else 40


def price_weight(params: Params) -> int:
    """Return the weight of prices."""
    return 2 if _count(params) == 1 else 4


def per_symbol_weight(params: Params) -> int:
    """Return the weight of window statistics: 4 a symbol, at most 200."""
    return min(200, 4 * max(1, _count(params)))
