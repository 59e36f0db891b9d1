"""Names of streams: what a client writes, and what it means.

Symbols are lower case. ``btcusdt@depth20@100ms`` is the stream ``DEPTH_TOP`` of BTCUSDT with 20 levels every 100 ms.
"""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec

INTERVALS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip


class Topic(IntEnum):
    """What a public stream carries."""

    TRADE = 1
    AGG_TRADE = 2
    QUOTE = 3
    DEPTH = 4
    DEPTH_TOP = 5
    KLINE = 6
    MINI_TICKER = 7
    TICKER = 8
    AVG_PRICE = 9
    MARK_PRICE = 10
    LIQUIDATION = 11
    CONTRACT_INFO = 12
    ROLLING_TICKER = 13
    CONTINUOUS_KLINE = 14


class Route(IntEnum):
    """The three entrances of USD-M streams."""

    PUBLIC = 1
    MARKET = 2
    PRIVATE = 3


ROUTES = {
    Topic.QUOTE: Route.PUBLIC,
    Topic.DEPTH: Route.PUBLIC,
    Topic.DEPTH_TOP: Route.PUBLIC,
}
"""Topics that are not listed come from ``/market``; raw trades, which no document lists, from both."""


class Stream(msgspec.Struct, frozen=True):
    """A stream a client asked for.

    ``symbol`` is upper case, ``""`` for all; ``spec`` an interval, a window or the number of levels.
    """

    name: str
    topic: Topic
    symbol: str
    spec: str = ""
    every_ms: int = 0

    def comes_from(self, route: Route) -> bool:
        """Tell whether a USD-M entrance serves the stream; at the others it stays silent."""
        if self.topic == Topic.TRADE:
            return route in (Route.PUBLIC, Route.MARKET)
        return ROUTES.get(self.topic, Route.MARKET) == route


_KLINE = "|".join(INTERVALS)
_ONE = re.compile(
    r"(?P<symbol>[^@!]+)@(?:"
    r"(?P<trade>trade)|(?P<agg>aggTrade)|(?P<quote>bookTicker)|(?P<mini>miniTicker)|(?P<avg>avgPrice)"
    r"|(?P<ticker>ticker)(?:_(?P<window>1h|4h|1d))?"
    rf"|kline_(?P<kline>{_KLINE})(?:@(?P<zone>\+08:00))?"
    rf"|continuousKline_(?P<cont>{_KLINE})"
    r"|depth(?P<levels>5|10|20)?(?:@(?P<speed>100|250|500|1000)ms)?"
    r"|(?P<mark>markPrice)(?:@(?P<second>1s))?|(?P<force>forceOrder)"
    r")"
)
_ALL = {
    "!miniTicker@arr": (Topic.MINI_TICKER, "", 1000),
    "!ticker@arr": (Topic.TICKER, "", 1000),
    "!ticker_1h@arr": (Topic.ROLLING_TICKER, "1h", 1000),
    "!ticker_4h@arr": (Topic.ROLLING_TICKER, "4h", 1000),
    "!ticker_1d@arr": (Topic.ROLLING_TICKER, "1d", 1000),
}
_ALL_USDM = {
    "!bookTicker": (Topic.QUOTE, "", 0),
    "!markPrice@arr": (Topic.MARK_PRICE, "", 3000),
    "!markPrice@arr@1s": (Topic.MARK_PRICE, "", 1000),
    "!forceOrder@arr": (Topic.LIQUIDATION, "", 0),
    "!contractInfo": (Topic.CONTRACT_INFO, "", 0),
}
_USDM_ONLY = frozenset({"mark", "force", "cont"})
_SPOT_ONLY = frozenset({"avg", "window"})


def parse_stream(name: str, *, usdm: bool) -> Stream | None:
    """Understand a stream's name; ``None`` for what is none (the venue takes it and never sends anything)."""
    whole = _ALL.get(name) or (_ALL_USDM.get(name) if usdm else None)
    if whole is not None:
        topic, spec, every = whole
        return Stream(name, topic, "", spec, every)
    match = _ONE.fullmatch(name)
    if match is None or match["symbol"] != match["symbol"].lower():
        return None
    if any(match[group] for group in (_SPOT_ONLY if usdm else _USDM_ONLY)):
        return None
    return _one(name, match, usdm)


def _one(name: str, match: re.Match[str], usdm: bool) -> Stream | None:
    symbol = match["symbol"].upper()
    found = match.groupdict()
    simple = {"trade": Topic.TRADE, "agg": Topic.AGG_TRADE, "quote": Topic.QUOTE, "force": Topic.LIQUIDATION}
    for group, topic in simple.items():
        if found[group]:
            return Stream(name, topic, symbol)
    if found["window"]:
        return Stream(name, Topic.ROLLING_TICKER, symbol, found["window"], 1000)
    if found["mini"] or found["ticker"] or found["avg"]:
        topic = Topic.MINI_TICKER if found["mini"] else Topic.TICKER if found["ticker"] else Topic.AVG_PRICE
        every = 2000 if usdm and topic == Topic.TICKER else 500 if usdm else 1000
        return Stream(name, topic, symbol, "", every)
    if found["kline"]:
        if usdm and found["kline"] == "1s":
            return None
        every = 250 if usdm else 1000 if found["kline"] == "1s" else 2000
        return Stream(name, Topic.KLINE, symbol, found["kline"] + ("+8" if found["zone"] else ""), every)
    if found["cont"]:
        pair, _, contract = symbol.partition("_")
        return (
            Stream(name, Topic.CONTINUOUS_KLINE, pair, found["cont"], 250)
            if contract == "PERPETUAL"
            else None
        )
    if found["mark"]:
        return Stream(name, Topic.MARK_PRICE, symbol, "", 1000 if found["second"] else 3000)
    every = int(found["speed"] or (250 if usdm else 1000))
    if not usdm and every not in (100, 1000):
        return None
    topic = Topic.DEPTH_TOP if found["levels"] else Topic.DEPTH
    return Stream(name, topic, symbol, found["levels"] or "", every)
