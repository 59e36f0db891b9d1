"""``POST /info``: what anybody may ask about markets."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lanner.simulator.candles import Candle, candle_end, candle_start
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin
from lanner.simulator.dialects.hyperliquid.numbers import significant, text
from lanner.simulator.dialects.hyperliquid.records import Records
from lanner.simulator.dialects.hyperliquid.venue import Venue

Json = dict[str, Any]
RECENT_TRADES = 10
IMPACT_USD = 20_000
HOURS_OF_INTEREST = 8
INTEREST_RATE = Decimal("0.0000125")
"""The interest part of funding: 0.01 % per 8 hours, paid hourly."""


class BadRequestError(Exception):
    """The body does not have the form that its type asks for: HTTP 422."""


class UnknownThingError(Exception):
    """What is asked for does not exist: HTTP 500 with ``null``, as the venue answers."""


def need(body: Json, key: str, kind: type | tuple[type, ...]) -> Any:
    """Return a field of a request or raise ``BadRequestError``."""
    value = body.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise BadRequestError(key)
    return value


def window(body: Json, now_ms: int) -> tuple[int, int]:
    """Return (startTime, endTime), the end being now where it is not given."""
    start = need(body, "startTime", int)
    end = body.get("endTime")
    if end is not None and not isinstance(end, int):
        raise BadRequestError("endTime")
    return start, now_ms if end is None else end


class MarketInfo:
    """Answers questions about markets."""

    def __init__(self, venue: Venue, records: Records) -> None:
        self._venue = venue
        self._records = records
        self._days: dict[str, tuple[int, tuple[Decimal, Decimal, Decimal]]] = {}
        self.handlers: dict[str, Callable[[Json], Any]] = {
            "meta": self._meta,
            "spotMeta": lambda _: self._venue.universe.spot_meta(),
            "metaAndAssetCtxs": self._meta_and_contexts,
            "spotMetaAndAssetCtxs": self._spot_and_contexts,
            "allPerpMetas": lambda _: [self._venue.universe.meta()],
            "allMids": lambda body: {} if body.get("dex") else self.mids(),
            "l2Book": self._l2_book,
            "recentTrades": self._recent_trades,
            "candleSnapshot": self._candles,
            "fundingHistory": self._funding_history,
            "predictedFundings": lambda _: self._predicted(),
            "perpDexs": lambda _: [None],
            "perpsAtOpenInterestCap": lambda _: [],
            "exchangeStatus": lambda _: {"specialStatuses": None, "time": self._venue.now_ms},
            "tokenDetails": self._token_details,
            "perpDeployAuctionStatus": lambda _: _auction(),
            "spotPairDeployAuctionStatus": lambda _: _auction(),
            "spotDeployState": lambda _: {"states": [], "gasAuction": _auction()},
            "perpDexStatus": lambda _: {"totalNetDeposit": "0.0"},
            "maxMarketOrderNtls": lambda _: [
                [coin.market.max_leverage, "15000000.0"] for coin in self._perps[:1]
            ],
            "marginTable": self._margin_table,
            "vaultSummaries": lambda _: [],
            "validatorSummaries": lambda _: [],
            "allBorrowLendReserveStates": lambda _: [],
            "outcomeMeta": lambda _: {"outcomes": []},
            "borrowLendReserveState": self._reserve,
            "liquidatable": lambda _: [],
            "perpAnnotation": self._annotation,
            "perpCategories": lambda _: [],
            "perpDexLimits": lambda _: None,
            "perpConciseAnnotations": lambda _: [],
        }

    @property
    def _perps(self) -> list[Coin]:
        return self._venue.universe.perps

    def coin(self, name: Any) -> Coin:
        """Return a coin by name, or raise."""
        if not isinstance(name, str):
            raise BadRequestError("coin")
        found = self._venue.universe.by_name.get(name)
        if found is None:
            raise UnknownThingError(name)
        return found

    # -- universe -------------------------------------------------------------------------------------------

    def _meta(self, body: Json) -> Json:
        if body.get("dex"):
            raise UnknownThingError("dex")
        return self._venue.universe.meta()

    def _meta_and_contexts(self, body: Json) -> list[Any]:
        return [self._meta(body), [self.perp_context(coin) for coin in self._perps]]

    def _spot_and_contexts(self, body: Json) -> list[Any]:
        universe = self._venue.universe
        return [universe.spot_meta(), [self.spot_context(coin) for coin in universe.spots]]

    def _margin_table(self, body: Json) -> Json:
        wanted = need(body, "id", int)
        for key, table in self._venue.universe.meta()["marginTables"]:
            if key == wanted:
                return dict(table)
        raise UnknownThingError("marginTable")

    def _annotation(self, body: Json) -> None:
        self.coin(body.get("coin"))

    def _reserve(self, body: Json) -> Json:
        need(body, "token", int)
        names = ("borrowYearlyRate", "supplyYearlyRate", "balance", "utilization", "oraclePx", "ltv")
        return dict.fromkeys((*names, "totalSupplied", "totalBorrowed"), "0.0")

    def _token_details(self, body: Json) -> Json:
        wanted = need(body, "tokenId", str)
        universe = self._venue.universe
        token = next((one for one in universe.tokens if one["tokenId"] == wanted), None)
        if token is None:
            raise UnknownThingError("token")
        pair = next((coin for coin in universe.spots if coin.base_token == token["index"]), None)
        mid = pair.mid() if pair is not None else Decimal(1)
        px = text(mid or Decimal(0))
        return {
            "name": token["name"],
            "maxSupply": "1000000000.0",
            "totalSupply": "1000000000.0",
            "circulatingSupply": "1000000000.0",
            "szDecimals": token["szDecimals"],
            "weiDecimals": token["weiDecimals"],
            "midPx": px,
            "markPx": px,
            "prevDayPx": px,
            "genesis": None,
            "deployer": None,
            "deployGas": None,
            "deployTime": None,
            "seededUsdc": "0.0",
            "nonCirculatingUserBalances": [],
            "futureEmissions": "0.0",
        }

    # -- prices ---------------------------------------------------------------------------------------------

    def mids(self) -> dict[str, str]:
        """Return the middles of all books."""
        found = {}
        for coin in self._venue.universe.coins:
            mid = coin.mid()
            if mid is not None:
                found[coin.name] = text(mid)
        return found

    def _day(self, coin: Coin) -> tuple[Decimal, Decimal, Decimal]:
        """Return (notional traded, size traded, price a day ago) of the last 24 hours, at most a second old."""
        now = self._venue.now_ns
        known = self._days.get(coin.name)
        if known is not None and now - known[0] < spec.SECOND:
            return known[1]
        candles = coin.market.candles.read("1m", now - spec.DAY_MS * spec.MS, now)
        quote = sum(one.quote_atoms for one in candles)
        lots = sum(one.lots for one in candles)
        first = candles[0].open if candles else coin.reference
        figures = Decimal(quote).scaleb(-12), coin.market.qty(lots), coin.market.px(first)
        self._days[coin.name] = (now, figures)
        return figures

    def perp_context(self, coin: Coin) -> Json:
        """Return funding, open interest and prices of a perp."""
        market = coin.market
        notional, size, previous = self._day(coin)
        mid = coin.mid()
        mark = market.px(coin.reference)
        oracle = market.px(market.index_ticks or coin.reference)
        impact = self._impact(coin)
        premium = ((impact[0] + impact[1]) / 2 - oracle) / oracle if impact and oracle else None
        return {
            "funding": text(market.funding_rate),
            "openInterest": text(self._open_interest(coin)),
            "prevDayPx": text(previous),
            "dayNtlVlm": text(notional),
            "premium": text(round(premium, 10).normalize() + 0) if premium is not None else None,
            "oraclePx": text(oracle),
            "markPx": text(mark),
            "midPx": text(mid) if mid is not None and market.best_bid and market.best_ask else None,
            "impactPxs": [text(px) for px in impact] if impact else None,
            "dayBaseVlm": text(size),
        }

    def spot_context(self, coin: Coin) -> Json:
        """Return prices and volume of a spot pair."""
        notional, size, previous = self._day(coin)
        mid = coin.mid()
        return {
            "prevDayPx": text(previous),
            "dayNtlVlm": text(notional),
            "markPx": text(coin.market.px(coin.reference)),
            "midPx": text(mid) if mid is not None else None,
            "circulatingSupply": "1000000000.0",
            "coin": coin.name,
            "totalSupply": "1000000000.0",
            "dayBaseVlm": text(size),
        }

    def _open_interest(self, coin: Coin) -> Decimal:
        lots = 0
        for account in self._venue.exchange.accounts.values():
            for (symbol, _), position in account.positions.items():
                if symbol == coin.symbol and position.lots > 0:
                    lots += position.lots
        return coin.market.qty(lots)

    def _impact(self, coin: Coin) -> list[Decimal] | None:
        """Return the average prices at which a market sell and a market buy of $20,000 would trade."""
        _, bids, asks = self._venue.exchange.snapshot(coin.symbol, 100)
        if not bids or not asks:
            return None
        return [_average(coin, side) for side in (bids, asks)]

    def _funding_history(self, body: Json) -> list[Json]:
        coin = self.coin(body.get("coin"))
        start, end = window(body, self._venue.now_ms)
        found = []
        for ts_ns, rate, _ in coin.market.funding_history:
            moment = ts_ns // spec.MS
            if start <= moment <= end:
                premium = text(rate - INTEREST_RATE)
                found.append(
                    {"coin": coin.name, "fundingRate": text(rate), "premium": premium, "time": moment}
                )
        return found[: spec.PAGE_RESULTS]

    def _predicted(self) -> list[Any]:
        found = []
        for coin in self._perps:
            moment = coin.market.next_funding_ns // spec.MS
            if not moment:
                moment = (self._venue.now_ms // spec.HOUR_MS + 1) * spec.HOUR_MS
            rate = {"fundingRate": text(coin.market.funding_rate), "nextFundingTime": moment}
            found.append([coin.name, [["HlPerp", {**rate, "fundingIntervalHours": 1}]]])
        return found

    # -- books, trades, candles -----------------------------------------------------------------------------

    def _l2_book(self, body: Json) -> Json:
        coin = self.coin(body.get("coin"))
        return self.book(coin, *book_parameters(body))

    def book(
        self, coin: Coin, figures: int | None, mantissa: int | None, levels: int = spec.BOOK_LEVELS
    ) -> Json:
        """Return the book, aggregated to significant figures where asked for."""
        exchange, market = self._venue.exchange, coin.market
        moment = max(market.book.ts_ns, self._venue.now_ns) // spec.MS
        depth = levels if figures is None else 0
        _, bids, asks = exchange.snapshot(coin.symbol, depth)
        sides = []
        for side, rows in ((1, bids), (-1, asks)):
            if figures is None:
                shown = [
                    {"px": coin.px(ticks), "sz": coin.sz(lots), "n": market.book.count(side, ticks)}
                    for ticks, lots in rows
                ]
            else:
                shown = _buckets(coin, side, rows, figures, mantissa or 1, levels)
            sides.append(shown)
        return {"coin": coin.name, "time": moment, "levels": sides}

    def bbo(self, coin: Coin) -> list[Json | None]:
        """Return the best level of each side."""
        book = coin.market.book
        return [
            {"px": coin.px(best[0]), "sz": coin.sz(best[1]), "n": book.count(side, best[0])} if best else None
            for side, best in ((1, book.best_bid()), (-1, book.best_ask()))
        ]

    def _recent_trades(self, body: Json) -> list[Json]:
        coin = self.coin(body.get("coin"))
        recent = list(coin.market.trades)[-RECENT_TRADES:]
        return [self._records.trade_view(coin, one) for one in reversed(recent)]

    def _candles(self, body: Json) -> list[Json]:
        request = need(body, "req", dict)
        coin = self.coin(request.get("coin"))
        interval = need(request, "interval", str)
        if interval not in spec.INTERVAL_MS:
            raise BadRequestError("interval")
        start, end = window(request, self._venue.now_ms)
        first = candle_start(max(0, start) * spec.MS, interval)
        rows = coin.market.candles.read(interval, first, max(0, end) * spec.MS, spec.MAX_CANDLES)
        return [candle_view(coin, interval, row) for row in rows]


def candle_view(coin: Coin, interval: str, row: Candle) -> Json:
    """Return a candle in the venue's shape; the close time is its last millisecond."""
    return {
        "t": row.start_ns // spec.MS,
        "T": candle_end(row.start_ns, interval) // spec.MS - 1,
        "s": coin.name,
        "i": interval,
        "o": coin.px(row.open),
        "c": coin.px(row.close),
        "h": coin.px(row.high),
        "l": coin.px(row.low),
        "v": coin.sz(row.lots),
        "n": row.trades,
    }


def book_parameters(body: Json) -> tuple[int | None, int | None]:
    """Return (nSigFigs, mantissa) of a request for a book, or raise ``BadRequestError``."""
    figures, mantissa = body.get("nSigFigs"), body.get("mantissa")
    if figures not in (None, 2, 3, 4, 5) or mantissa not in (None, 1, 2, 5):
        raise BadRequestError("nSigFigs")
    if mantissa is not None and figures != 5:
        raise BadRequestError("mantissa")
    return figures, mantissa


def _buckets(
    coin: Coin, side: int, rows: list[tuple[int, int]], figures: int, mantissa: int, levels: int
) -> list[Json]:
    found: dict[Decimal, list[int]] = {}
    for ticks, lots in rows:
        px = significant(coin.market.px(ticks), figures, mantissa, up=side < 0)
        held = found.get(px)
        if held is None:
            if len(found) == levels:
                break
            held = found[px] = [0, 0]
        held[0] += lots
        held[1] += coin.market.book.count(side, ticks)
    return [{"px": text(px), "sz": coin.sz(lots), "n": count} for px, (lots, count) in found.items()]


def _average(coin: Coin, rows: list[tuple[int, int]]) -> Decimal:
    left = Decimal(IMPACT_USD)
    size = paid = Decimal(0)
    for ticks, lots in rows:
        px, qty = coin.market.px(ticks), coin.market.qty(lots)
        take = min(qty, left / px)
        size += take
        paid += take * px
        left -= take * px
        if left <= 0:
            break
    average = paid / size if size else coin.market.px(rows[0][0])
    return round(average, max(0, 5 - average.adjusted())).normalize() + 0


def _auction() -> Json:
    return {
        "startTimeSeconds": 0,
        "durationSeconds": 111_600,
        "startGas": "500.0",
        "currentGas": "500.0",
        "endGas": None,
    }
