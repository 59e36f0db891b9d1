"""The dialect ``binance-spot``: REST, WebSocket API and streams of Binance's spot market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lanner.simulator.dialect import Kind, WsSession
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.desk import SECOND, Desk, Pulse, check_options
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.limits import Limit, Limits
from lanner.simulator.dialects.binance.params import split_pairs
from lanner.simulator.dialects.binance.spot.account import SpotAccount
from lanner.simulator.dialects.binance.spot.frames import SpotFrames
from lanner.simulator.dialects.binance.spot.lists import Lists
from lanner.simulator.dialects.binance.spot.market import SpotMarketData
from lanner.simulator.dialects.binance.spot.rows import Rows
from lanner.simulator.dialects.binance.spot.trade import Trade
from lanner.simulator.dialects.binance.spot.users import SpotUsers
from lanner.simulator.dialects.binance.streams import Listener
from lanner.simulator.dialects.binance.texts import SpotTexts
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.dialects.binance.wsapi import ApiSession
from lanner.simulator.events import AccountChanged, ExchangeEvent, ListUpdate, MarketChanged, OrderUpdate
from lanner.simulator.exchange import Exchange

PULSE = Pulse(20 * SECOND, 60 * SECOND, messages_per_s=5, handshake_weight=2)
OPTIONS = {"weight_limit": "6000", "orders_10s": "100", "orders_day": "200000", "raw_limit": "300000"}


def make(exchange: Exchange, options: Mapping[str, str], seed: int) -> SpotDialect:
    """Return the dialect over an exchange; options set the limits."""
    chosen = check_options(options, OPTIONS)
    limits = Limits(
        Limit("REQUEST_WEIGHT", "MINUTE", 1, int(chosen["weight_limit"])),
        (
            Limit("ORDERS", "SECOND", 10, int(chosen["orders_10s"])),
            Limit("ORDERS", "DAY", 1, int(chosen["orders_day"])),
        ),
        Limit("RAW_REQUESTS", "MINUTE", 5, int(chosen["raw_limit"])),
    )
    return SpotDialect(exchange, limits, seed)


class SpotDialect(Desk):
    """Binance spot."""

    name = "binance-spot"

    def __init__(self, exchange: Exchange, limits: Limits, seed: int) -> None:
        texts = SpotTexts()
        super().__init__(Venue(exchange, limits, spot=True, seed=seed), SpotFrames(texts), PULSE, join_ns=0)
        self._texts = texts
        cancel_ids: dict[int, str] = {}
        rows = Rows(exchange, texts)
        trade = Trade(self.venue, rows, cancel_ids)
        market = SpotMarketData(self.venue, texts, self.publisher.aggregates, self.publisher.stale)
        self.users = SpotUsers(self.venue, self.api, texts, cancel_ids)
        for part in (market, trade, Lists(self.venue, rows, trade), SpotAccount(self.venue, rows)):
            self.venue.operations.add(part.operations())
        self.venue.operations.add(self.api.session_operations())
        self.venue.operations.add(self._stream_operations())

    # -- connections ------------------------------------------------------------------------------------

    def ws_opened(self, session: WsSession, path: str, query: str) -> bool:
        """Greet a connection to ``/ws-api/v3``, ``/ws/<names>`` or ``/stream?streams=<names>``."""
        now_ns = self.exchange.now_ns
        path = path.rstrip("/")
        if path == "/ws-api/v3":
            return self.open_api(session, query, now_ns)
        pairs = dict(split_pairs(query))
        micro = pairs.get("timeUnit", "").upper() == "MICROSECOND"
        if path == "/stream":
            names = [name for name in pairs.get("streams", "").split("/") if name]
            return self.open_stream(Listener(session, combined=True, micro=micro), names, now_ns)
        if path == "/ws" or path.startswith("/ws/"):
            names = [name for name in path[4:].split("/") if name]
            return self.open_stream(Listener(session, combined=False, micro=micro), names, now_ns)
        return False

    def on_private(self, event: ExchangeEvent) -> None:
        """Hand orders, balances and lists to their owners."""
        if isinstance(event, OrderUpdate):
            self.users.on_order(event)
        elif isinstance(event, AccountChanged):
            self.users.on_account(event)
        elif isinstance(event, ListUpdate):
            self.users.on_list(event)
        elif isinstance(event, MarketChanged):
            self._texts.forget()

    # -- user data streams ------------------------------------------------------------------------------

    def _stream_operations(self) -> list[Operation]:
        gone = tuple(f"{method} /api/v3/userDataStream" for method in ("POST", "PUT", "DELETE"))
        control = Kind.CONTROL
        return [
            Operation(
                self._gone, gone, ("userDataStream.start", "userDataStream.ping", "userDataStream.stop"), 2
            ),
            Operation(
                self._subscribe_session,
                ws=("userDataStream.subscribe",),
                weight=2,
                security=Security.KEY,
                kind=control,
            ),
            Operation(
                self._subscribe_signed,
                ws=("userDataStream.subscribe.signature",),
                weight=2,
                security=Security.SIGNED,
                kind=control,
            ),
            Operation(self._unsubscribe, ws=("userDataStream.unsubscribe",), weight=2, kind=control),
            Operation(self._subscriptions, ws=("session.subscriptions",), weight=2, kind=control),
        ]

    def _gone(self, call: Call) -> Any:
        """Refuse listen keys: spot took them away on 2026-02-20."""
        raise ApiError(-1016, "This service is no longer available.", status=410)

    def _subscribe_session(self, call: Call) -> dict[str, Any]:
        state: ApiSession = call.session
        if state.account is None or "apiKey" in call.params:
            raise errors.bad_key()
        return {"subscriptionId": state.subscribe(state.account.account_id, by_session=True)}

    def _subscribe_signed(self, call: Call) -> dict[str, Any]:
        state: ApiSession = call.session
        return {"subscriptionId": state.subscribe(call.account.account_id)}

    def _unsubscribe(self, call: Call) -> dict[str, Any]:
        state: ApiSession = call.session
        number = call.params.integer("subscriptionId")
        if number is None:
            state.users.clear()
        elif state.users.pop(number, None) is None:
            raise errors.invalid_data("subscriptionId")
        return {}

    def _subscriptions(self, call: Call) -> list[dict[str, int]]:
        state: ApiSession = call.session
        return [{"subscriptionId": number} for number in state.users]
