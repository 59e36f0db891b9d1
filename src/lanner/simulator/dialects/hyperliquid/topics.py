"""What can be subscribed to: how a wish is read, and what a topic sends."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import msgspec

from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin
from lanner.simulator.dialects.hyperliquid.info_market import (
    BadRequestError,
    MarketInfo,
    UnknownThingError,
    book_parameters,
    candle_view,
)
from lanner.simulator.dialects.hyperliquid.info_user import UserInfo, aggregated
from lanner.simulator.dialects.hyperliquid.numbers import text
from lanner.simulator.dialects.hyperliquid.twap import Twaps
from lanner.simulator.dialects.hyperliquid.users import is_address
from lanner.simulator.dialects.hyperliquid.venue import Venue, dumps
from lanner.simulator.dialects.hyperliquid.views import (
    clearinghouse_state,
    frontend_order,
    open_orders_of,
    spot_state,
)

Json = dict[str, Any]

COIN_TYPES = frozenset({"l2Book", "bbo", "trades", "candle", "activeAssetCtx", "activeAssetData"})
USER_TYPES = frozenset(
    {
        "notification",
        "webData2",
        "webData3",
        "twapStates",
        "clearinghouseState",
        "openOrders",
        "orderUpdates",
        "userEvents",
        "userFills",
        "userFundings",
        "userNonFundingLedgerUpdates",
        "activeAssetData",
        "userTwapSliceFills",
        "userTwapHistory",
        "spotState",
        "allDexsClearinghouseState",
    }
)
OTHER_TYPES = frozenset(
    {"allMids", "assetCtxs", "spotAssetCtxs", "allDexsAssetCtxs", "outcomeMetaUpdates", "fastAssetCtxs"}
)
PERIODS_NS = {
    "l2Book": spec.SECOND // 2,
    "allMids": spec.SECOND,
    "activeAssetCtx": spec.SECOND,
    "activeAssetData": spec.SECOND,
    "assetCtxs": spec.SECOND,
    "spotAssetCtxs": spec.SECOND,
    "allDexsAssetCtxs": spec.SECOND,
    "fastAssetCtxs": spec.SECOND // 2,
    "webData2": 2 * spec.SECOND,
    "webData3": 5 * spec.SECOND,
    "clearinghouseState": spec.SECOND,
    "allDexsClearinghouseState": spec.SECOND,
    "openOrders": spec.SECOND // 2,
    "spotState": spec.SECOND // 2,
    "twapStates": spec.SECOND,
}
"""Topics that show a state: looked at so often, sent when it changed (books always)."""
FAST_BOOK_NS = spec.SECOND // 10
CHANNELS = {"userEvents": "user"}
KINDS = {
    "l2Book": Kind.SNAPSHOT,
    "bbo": Kind.QUOTE,
    "trades": Kind.TRADE,
    "allMids": Kind.MARKET,
    "candle": Kind.MARKET,
    "activeAssetCtx": Kind.MARKET,
    "assetCtxs": Kind.MARKET,
    "spotAssetCtxs": Kind.MARKET,
    "allDexsAssetCtxs": Kind.MARKET,
    "fastAssetCtxs": Kind.MARKET,
    "outcomeMetaUpdates": Kind.MARKET,
}


class Topic(msgspec.Struct, frozen=True):
    """A feed with its parameters; two wishes for the same feed are equal."""

    type: str
    coin: str = ""
    user: str = ""
    interval: str = ""
    figures: int | None = None
    mantissa: int | None = None
    fast: bool = False
    aggregate: bool = False
    dex: str = ""

    @property
    def kind(self) -> Kind:
        """Return what its frames are about."""
        return KINDS.get(self.type, Kind.USER)

    @property
    def period_ns(self) -> int:
        """Return how often its state is looked at; 0: it sends events."""
        return FAST_BOOK_NS if self.fast else PERIODS_NS.get(self.type, 0)


def read_topic(wish: Any, market: MarketInfo) -> Topic | None:
    """Read a subscription; ``None`` where no such feed exists. Raises for a bad parameter or unknown coin."""
    if not isinstance(wish, dict):
        return None
    name = wish.get("type")
    if name not in COIN_TYPES and name not in USER_TYPES and name not in OTHER_TYPES:
        return None
    coin = user = interval = ""
    if name in COIN_TYPES:
        found = market.coin(wish.get("coin"))
        coin = found.name
        if name == "activeAssetData" and found.spot:
            raise UnknownThingError(coin)
    if name in USER_TYPES:
        if not is_address(wish.get("user")):
            raise BadRequestError("user")
        user = wish["user"].lower()
    if name == "candle":
        interval = wish.get("interval", "")
        if interval not in spec.INTERVAL_MS:
            raise BadRequestError("interval")
    figures, mantissa = book_parameters(wish) if name == "l2Book" else (None, None)
    return Topic(
        name,
        coin,
        user,
        interval,
        figures,
        mantissa,
        name == "l2Book" and wish.get("fast") is True,
        name == "userFills" and wish.get("aggregateByTime") is True,
        str(wish.get("dex") or ""),
    )


def frame(channel: str, data: Any) -> bytes:
    """Write a frame."""
    return dumps({"channel": channel, "data": data})


class Contents:
    """Makes what topics send."""

    def __init__(self, venue: Venue, market: MarketInfo, user: UserInfo, twaps: Twaps) -> None:
        self._venue = venue
        self._market = market
        self._user = user
        self._twaps = twaps

    def coin(self, topic: Topic) -> Coin:
        """Return the coin of a topic."""
        return self._venue.universe.by_name[topic.coin]

    def candle(self, topic: Topic) -> Json | None:
        """Return the candle that is open now, if it has traded."""
        coin = self.coin(topic)
        row = coin.market.candles.last(topic.interval, self._venue.now_ns)
        return None if row is None else candle_view(coin, topic.interval, row)

    def bbo(self, topic: Topic) -> Json:
        """Return the best bid and offer."""
        coin = self.coin(topic)
        return {"coin": coin.name, "time": self._venue.now_ms, "bbo": self._market.bbo(coin)}

    def state(self, topic: Topic) -> tuple[str, Any]:
        """Return (channel, data) of a topic that shows a state."""
        venue, name = self._venue, topic.type
        if name == "l2Book":
            levels = spec.FAST_BOOK_LEVELS if topic.fast else spec.BOOK_LEVELS
            return name, self._market.book(self.coin(topic), topic.figures, topic.mantissa, levels)
        if name == "allMids":
            return name, {"mids": {} if topic.dex else self._market.mids()}
        if name == "activeAssetCtx":
            return self._context(topic)
        if name == "spotAssetCtxs":
            return name, [self._market.spot_context(one) for one in venue.universe.spots]
        if name in ("assetCtxs", "allDexsAssetCtxs"):
            contexts = [self._market.perp_context(one) for one in venue.universe.perps]
            if name == "allDexsAssetCtxs":
                return name, {"ctxs": [["", contexts]]}
            return name, {"dex": topic.dex, "ctxs": [] if topic.dex else contexts}
        if name == "fastAssetCtxs":
            return name, self._fast_contexts()
        return name, self._user_state(topic)

    def _context(self, topic: Topic) -> tuple[str, Any]:
        coin = self.coin(topic)
        if coin.spot:
            return "activeSpotAssetCtx", {"coin": coin.name, "ctx": self._market.spot_context(coin)}
        return "activeAssetCtx", {"coin": coin.name, "ctx": self._market.perp_context(coin)}

    def _fast_contexts(self) -> str:
        marks = {
            coin.name: {"markPx": text(coin.market.px(coin.reference))} for coin in self._venue.universe.perps
        }
        packer = zlib.compressobj(wbits=-15)
        return base64.b64encode(packer.compress(dumps(marks)) + packer.flush()).decode()

    def _user_state(self, topic: Topic) -> Any:
        venue, name, address = self._venue, topic.type, topic.user
        user = venue.users.find(address)
        if name == "activeAssetData":
            return self._user.asset_data(user, address, self.coin(topic))
        if name == "webData2":
            return self._user.web_data({"user": address})
        if name == "webData3":
            return self._web_data3(address)
        if name == "clearinghouseState":
            state = clearinghouse_state(venue, None if topic.dex else user)
            return {"dex": topic.dex, "user": address, name: state}
        if name == "allDexsClearinghouseState":
            return {"user": address, "clearinghouseStates": [["", clearinghouse_state(venue, user)]]}
        if name == "openOrders":
            orders = open_orders_of(venue, user) if user is not None else []
            shown = [frontend_order(venue, one) for one in orders]
            return {"dex": topic.dex, "user": address, "orders": shown}
        if name == "spotState":
            shown_state = spot_state(venue, user) if user is not None else {"balances": []}
            return {"user": address, "spotState": shown_state}
        return {"dex": topic.dex, "user": address, "states": self._twaps.states(user) if user else []}

    def _web_data3(self, address: str) -> Json:
        return {
            "userState": {
                "agentAddress": None,
                "agentValidUntil": None,
                "serverTime": self._venue.now_ms,
                "cumLedger": "0.0",
                "isVault": False,
                "user": address,
            },
            "perpDexStates": [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}],
        }

    def history(self, topic: Topic) -> Json | None:
        """Return the snapshot that a feed of events starts with, ``None`` where it starts with nothing."""
        user = self._venue.users.find(topic.user) if topic.user else None
        base: Json = {"isSnapshot": True, "user": topic.user}
        name = topic.type
        if name == "userFills":
            fills = list(user.fills)[-spec.MAX_RESULTS :] if user else []
            return {**base, "fills": aggregated(fills) if topic.aggregate else fills}
        if name == "userFundings":
            fundings = list(user.fundings)[-spec.PAGE_RESULTS :] if user else []
            return {**base, "fundings": [flat_funding(one) for one in fundings]}
        if name == "userNonFundingLedgerUpdates":
            entries = list(user.ledger)[-spec.PAGE_RESULTS :] if user else []
            return {**base, "nonFundingLedgerUpdates": entries}
        if name == "userTwapSliceFills":
            return {**base, "twapSliceFills": list(user.twap_fills) if user else []}
        if name == "userTwapHistory":
            return {**base, "history": list(user.twap_history) if user else []}
        return None


def flat_funding(entry: Json) -> Json:
    """Return a funding of the history as the stream shows it."""
    delta = {key: value for key, value in entry["delta"].items() if key != "type"}
    return {"time": entry["time"], **delta}
