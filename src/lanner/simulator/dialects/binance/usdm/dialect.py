"""The dialect ``binance-usdm``: REST, WebSocket API and streams of Binance's USD-M futures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lanner.core.errors import ConfigError
from lanner.simulator.dialect import Kind, WsSession
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.desk import SECOND, Desk, Pulse, check_options
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.limits import USDM_WORDS, Limit, Limits
from lanner.simulator.dialects.binance.names import Route, Topic
from lanner.simulator.dialects.binance.params import USDM_CLIENT_ID, split_pairs
from lanner.simulator.dialects.binance.streams import Listener
from lanner.simulator.dialects.binance.usdm.account import UsdmAccount
from lanner.simulator.dialects.binance.usdm.algo import Algo
from lanner.simulator.dialects.binance.usdm.choices import Choices
from lanner.simulator.dialects.binance.usdm.frames import UsdmFrames
from lanner.simulator.dialects.binance.usdm.market import MarkHistory, UsdmMarketData
from lanner.simulator.dialects.binance.usdm.positions import Positions
from lanner.simulator.dialects.binance.usdm.rows import Rows
from lanner.simulator.dialects.binance.usdm.trade import Trade
from lanner.simulator.dialects.binance.usdm.users import ListenKeys, UsdmUsers
from lanner.simulator.dialects.binance.usdm.words import UsdmTexts
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.events import (
    AccountChanged,
    AccountConfigChanged,
    ExchangeEvent,
    Liquidated,
    MarkChanged,
    MarketChanged,
    OrderUpdate,
)
from lanner.simulator.exchange import Exchange

MINUTE = 60 * SECOND
PULSE = Pulse(3 * MINUTE, 10 * MINUTE, messages_per_s=10, handshake_weight=5)
OPTIONS = {"weight_limit": "2400", "orders_10s": "300", "orders_1m": "1200", "legacy_streams": "public"}
JOIN_NS = SECOND // 10
ROUTES = {"public": Route.PUBLIC, "market": Route.MARKET, "private": Route.PRIVATE}


def make(exchange: Exchange, options: Mapping[str, str], seed: int) -> UsdmDialect:
    """Return the dialect over an exchange.

    Options set the limits; ``legacy_streams=all`` serves every stream at the root paths, as before 2026-04-23, where
    ``public`` leaves those of ``/market`` and ``/private`` silent there.
    """
    chosen = check_options(options, OPTIONS)
    if chosen["legacy_streams"] not in ("public", "all"):
        raise ConfigError("legacy_streams", expected="public or all", found=chosen["legacy_streams"])
    limits = Limits(
        Limit("REQUEST_WEIGHT", "MINUTE", 1, int(chosen["weight_limit"])),
        (
            Limit("ORDERS", "SECOND", 10, int(chosen["orders_10s"])),
            Limit("ORDERS", "MINUTE", 1, int(chosen["orders_1m"])),
        ),
        words=USDM_WORDS,
    )
    return UsdmDialect(exchange, limits, seed, serves_all=chosen["legacy_streams"] == "all")


class UsdmVenue(Venue):
    """USD-M's ways of reading requests."""

    client_id_rule = USDM_CLIENT_ID
    trade_permission = "futures"
    hears_unit = False
    strict = False


class UsdmDialect(Desk):
    """Binance USD-M futures."""

    name = "binance-usdm"

    def __init__(self, exchange: Exchange, limits: Limits, seed: int, *, serves_all: bool = False) -> None:
        texts = UsdmTexts()
        frames = UsdmFrames(texts)
        venue = UsdmVenue(exchange, limits, spot=False, seed=seed)
        super().__init__(venue, frames, PULSE, join_ns=JOIN_NS)
        self._texts = texts
        self._frames = frames
        self._marks = MarkHistory()
        self._warned_ns = 0
        self.keys = ListenKeys(venue)
        self.users = UsdmUsers(venue, texts, self.keys)
        self.control.private = self._private
        self.control.serves_all = serves_all
        rows = Rows(exchange, texts)
        trade = Trade(venue, rows)
        market = UsdmMarketData(venue, texts, self.publisher.aggregates, self.publisher.stale, self._marks)
        positions = Positions(venue, texts)
        choices = Choices(venue, positions)
        account = UsdmAccount(venue, positions, choices)
        for part in (market, trade, Algo(venue, rows, trade), positions, choices, account):
            venue.operations.add(part.operations())
        venue.operations.add(self.api.session_operations())
        venue.operations.add(self._key_operations())

    # -- connections ------------------------------------------------------------------------------------

    def ws_opened(self, session: WsSession, path: str, query: str) -> bool:
        """Greet a connection to ``/ws-fapi/v1``, or to streams by one of the entrances or the old root."""
        now_ns = self.exchange.now_ns
        path = path.rstrip("/")
        if path == "/ws-fapi/v1":
            return self.open_api(session, query, now_ns)
        entrance, _, rest = path[1:].partition("/")
        route = ROUTES.get(entrance)
        if route is None:
            rest = path[1:]
        mode, _, listed = rest.partition("/")
        if mode not in ("ws", "stream"):
            return False
        pairs = split_pairs(query)
        listener = Listener(session, combined=mode == "stream", route=route)
        names = [name for name in listed.split("/") if name]
        for name, value in pairs:
            if name == "streams":
                names.extend(one for one in value.split("/") if one)
        opened = self.open_stream(listener, names, now_ns)
        self._join_by_query(listener, pairs)
        return opened

    def _join_by_query(self, listener: Listener, pairs: list[tuple[str, str]]) -> None:
        """Read ``listenKey=…&events=A/B`` as often as it stands there; events belong to the key before them."""
        key, events = "", ""
        for name, value in [*pairs, ("listenKey", "")]:
            if name == "events":
                events = value
            elif name == "listenKey":
                if key:
                    self._hear(listener, key, events)
                key, events = value, ""

    def _hear(self, listener: Listener, key: str, events: str) -> bool:
        if listener.route != Route.PRIVATE and not (listener.route is None and self.control.serves_all):
            return self.keys.owner(key) is not None
        return self.users.join(listener, key, [one for one in events.split("/") if one])

    def _private(self, listener: Listener, name: str, on: bool) -> bool:
        """Subscribe or unsubscribe ``<listenKey>`` or ``<listenKey>@<event>``."""
        key, _, event = name.partition("@")
        if not on:
            return self.users.leave(listener, key)
        return self._hear(listener, key, event)

    def ws_closed(self, session: WsSession, now_ns: int) -> None:
        """Forget a connection."""
        self.users.listeners.pop(session.session_id, None)
        super().ws_closed(session, now_ns)

    # -- events and time ------------------------------------------------------------------------------

    def on_private(self, event: ExchangeEvent) -> None:
        """Hand orders, money and choices to their owners, marks and liquidations to everybody."""
        if isinstance(event, OrderUpdate):
            self.users.on_order(event)
        elif isinstance(event, AccountChanged):
            self.users.on_account(event)
        elif isinstance(event, MarkChanged):
            self._marks.add(event)
        elif isinstance(event, AccountConfigChanged):
            self.users.on_config(event)
        elif isinstance(event, Liquidated):
            self._tell(
                Topic.LIQUIDATION, event.market, self._frames.liquidation(self._market(event.market), event)
            )
        elif isinstance(event, MarketChanged):
            self._texts.forget()
            self._tell(
                Topic.CONTRACT_INFO,
                event.market,
                self._frames.contract(self._market(event.market), event.ts_ns),
            )

    def _market(self, symbol: str) -> Any:
        return self.exchange.markets[symbol]

    def _tell(self, topic: Topic, symbol: str, frame: bytes) -> None:
        for feed in (*self.feeds.of(topic, symbol), *self.feeds.of(topic, "")):
            feed.send(lambda _: frame, Kind.MARKET)

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        super().tick(now_ns)
        if now_ns - self._warned_ns >= SECOND:
            self._warned_ns = now_ns
            self.users.expire(now_ns)
            self.users.warn(now_ns)

    def command(self, name: str, arguments: dict[str, str], now_ns: int) -> bool:
        """Obey a fault that only a dialect can act out."""
        if name == "listen-key-expiry":
            self.keys.expire(arguments.get("account", ""))
            self.users.expire(now_ns)
            return True
        return super().command(name, arguments, now_ns)

    # -- listen keys --------------------------------------------------------------------------------------

    def _key_operations(self) -> list[Operation]:
        path, key, kind = "/fapi/v1/listenKey", Security.KEY, Kind.CONTROL
        return [
            Operation(self._start_key, (f"POST {path}",), ("userDataStream.start",), 1, key, "read", kind),
            Operation(self._extend_key, (f"PUT {path}",), ("userDataStream.ping",), 1, key, "read", kind),
            Operation(self._stop_key, (f"DELETE {path}",), ("userDataStream.stop",), 1, key, "read", kind),
        ]

    def _start_key(self, call: Call) -> dict[str, Any]:
        return {"listenKey": self.keys.start(call.account.account_id, call.now_ns)}

    def _extend_key(self, call: Call) -> dict[str, Any]:
        found = self.keys.extend(call.account.account_id, call.now_ns)
        if found is None:
            raise _no_key()
        return {"listenKey": found}

    def _stop_key(self, call: Call) -> dict[str, Any]:
        found = self.keys.key_of(call.account.account_id)
        if found is None:
            raise _no_key()
        self.keys.drop(found)
        for listener in self.users.listeners.values():
            listener.users.pop(found, None)
        return {}


def _no_key() -> ApiError:
    return ApiError(-1125, "This listenKey does not exist.")
