"""Hyperliquid's codec: perpetuals and spot, market data and account on one socket, orders signed on the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from lanner.model.accounts import AccountState, FeeRates, KeyRights, MarginMode, VenueFill, VenueOrder
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, Trade
from lanner.net.ratelimit import Priority
from lanner.venues.codec import (
    Answer,
    Call,
    Endpoints,
    Feed,
    HttpRequest,
    Inbound,
    Notice,
    NoticeKind,
    OrderCall,
    Page,
    Route,
    Subscription,
    UserRoute,
)
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid import actions, answers, spec, wire
from lanner.venues.hyperliquid.auth import Signer, no_keys
from lanner.venues.hyperliquid.market import MarketDecoder
from lanner.venues.hyperliquid.orders import JSON, ActionCall, Desk, Part, asked
from lanner.venues.hyperliquid.own import Change, OwnOrders, cloid_of
from lanner.venues.hyperliquid.questions import Questions
from lanner.venues.hyperliquid.symbols import Symbols
from lanner.venues.hyperliquid.user import Decoder, UserDecoder
from lanner.venues.keys import Keys

_HEAD = b'{"channel":"'
_GREETING = b"Websocket connection established."
"""The first frame of every connection; the only one that is no JSON."""
_CHANNELS = {Feed.QUOTES: "bbo", Feed.TRADES: "trades", Feed.BOOK: "l2Book", Feed.BARS: "candle"}


class _Envelope(msgspec.Struct):
    channel: str
    data: Any = None


class _PostId(msgspec.Struct):
    id: wire.Count


class _Post(msgspec.Struct):
    data: _PostId


class HyperliquidCodec:
    """One account's wire; see ``venues.codec.Codec``.

    A market order is an IOC limit order 5 % through the middle price that was last decoded (quotes, books, ``allMids``,
    which the account's route listens to); before any was, it is refused. ``expire_after_s`` lets the venue drop actions
    that reach it later than that (such a drop costs the account five times the usual limit).
    """

    def __init__(
        self, endpoints: Endpoints, keys: Keys | None = None, *, expire_after_s: float | None = None
    ) -> None:
        self.spec = spec.HYPERLIQUID
        self.endpoints = endpoints
        self._symbols = Symbols()
        self._orders = OwnOrders()
        self._market = MarketDecoder(self._symbols)
        self._news = UserDecoder(self._symbols, self._orders)
        self._signer = Signer(keys, mainnet=endpoints.rest == self.spec.mainnet.rest)
        self._terms = actions.Terms(self._symbols, self._market.mids)
        self._ask = Questions(self._symbols, self._orders, self._market, keys)
        expire = None if expire_after_s is None else round(expire_after_s * 1_000)
        self._desk = Desk(self._symbols, self._orders, self._news, self._signer, expire)
        self._requests = 0
        self._envelope = wire.reader(_Envelope).decode
        self._post_id = wire.reader(_Post).decode
        self._channels: dict[bytes, Decoder] = {
            **self._market.channels,
            **self._news.channels,
            b"post": self._post,
            b"pong": partial(self._notice, NoticeKind.PONG),
            b"subscriptionResponse": self._subscribed,
            b"error": self._refused,
        }

    def twin(self) -> HyperliquidCodec:
        """Return a codec with the same key and instruments that knows of no orders."""
        made = HyperliquidCodec(self.endpoints, self._signer.keys)
        made._symbols = self._symbols
        made._terms = actions.Terms(self._symbols, self._market.mids)
        return made

    # -- reference data ----------------------------------------------------------------------------------

    def instruments_call(self) -> Call[list[Instrument]]:
        """Ask for the perpetuals, then for the spot pairs."""
        return self._learned(self._ask.perps(), self._learned(self._ask.spots()))

    def _learned(
        self, call: Call[list[Instrument]], then: Call[list[Instrument]] | None = None
    ) -> Call[list[Instrument]]:
        def parse(body: bytes, ts_recv: int) -> list[Instrument]:
            found = call.parse(body, ts_recv)
            self._market.renamed()
            return found

        return replace(call, parse=parse, then=then)

    def use(self, instruments: Iterable[Instrument]) -> None:
        """Learn instruments; a grid that the venue cannot have is a ``ConfigError``."""
        self._symbols.use(instruments)
        self._market.renamed()

    def instrument(self, instrument_id: str) -> Instrument:
        """Return a known instrument, or raise ``NotFoundError``."""
        return self._symbols.instrument(instrument_id)

    def server_time(self) -> Call[int]:
        """Ask for the venue's clock, in milliseconds."""
        return self._ask.time()

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> VenueError | None:
        """Judge an HTTP answer: None when it is no error."""
        return answers.http_fault(status, headers, body)

    # -- market data -------------------------------------------------------------------------------------

    def routes(self, subscriptions: Sequence[Subscription]) -> list[Route]:
        """Plan one connection for every thousand subscriptions."""
        frames: dict[bytes, list[Subscription]] = {}
        for wish in subscriptions:
            frames.setdefault(self._subscribe(self._wanted(wish)), []).append(wish)
        hello, step = list(frames), spec.MAX_SUBSCRIPTIONS
        return [
            Route(
                f"hyperliquid-{index // step + 1}" if len(hello) > step else "hyperliquid",
                self.endpoints.stream,
                tuple(hello[index : index + step]),
                tuple(wish for frame in hello[index : index + step] for wish in frames[frame]),
                spec.HEARTBEAT,
                spec.SENDS_PER_S,
            )
            for index in range(0, len(hello), step)
        ]

    def _wanted(self, wish: Subscription) -> dict[str, object]:
        coin = self._symbols.coin(wish.instrument_id)
        if wish.feed in (Feed.MARK, Feed.FUNDING):
            return {"type": "activeAssetCtx", "coin": coin}
        what: dict[str, object] = {"type": _CHANNELS[wish.feed], "coin": coin}
        if wish.feed is Feed.BARS:
            if wish.spec not in spec.TIMEFRAMES:
                raise VenueError(
                    ErrorKind.REJECTED, f"hyperliquid has no {wish.spec} bars", reason=Reason.UNSUPPORTED
                )
            what["interval"] = wish.spec
        elif wish.feed is Feed.BOOK and wish.spec.isdecimal() and int(wish.spec) <= 5:
            what["fast"] = True  # five levels, more often
        return what

    @staticmethod
    def _subscribe(what: Mapping[str, object]) -> bytes:
        return msgspec.json.encode({"method": "subscribe", "subscription": what})

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a frame; ``VenueError`` MALFORMED for one that cannot be understood."""
        if frame.startswith(_HEAD):
            name = frame[12 : frame.find(b'"', 12)]
        elif frame == _GREETING:
            return (Notice(NoticeKind.OTHER, "connected", ts_recv),)
        else:
            try:
                name = self._envelope(frame).channel.encode()
            except (msgspec.DecodeError, UnicodeError) as error:
                raise wire.malformed(error) from None
        action = self._channels.get(name, self._unknown)
        try:
            told = action(frame, ts_recv)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise wire.malformed(error) from None
        if self._orders.restless:
            return [*told, *self._news.late(ts_recv)]
        return told

    def _post(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        return (Answer(str(self._post_id(frame).data.id), frame, ts_recv),)

    def _notice(self, kind: NoticeKind, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        told = self._envelope(frame)
        text = told.data if isinstance(told.data, str) else told.channel
        return (Notice(kind, text[:300], ts_recv),)

    def _subscribed(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        data = self._envelope(frame).data
        if not isinstance(data, dict):
            raise wire.malformed(ValueError("a subscription's answer names no subscription"))
        gone = data.get("method") == "unsubscribe"
        text = msgspec.json.encode(data.get("subscription")).decode()[:300]
        return (Notice(NoticeKind.UNSUBSCRIBED if gone else NoticeKind.SUBSCRIBED, text, ts_recv),)

    def _refused(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        harmless = b"Already subscribed" in frame or b"Already unsubscribed" in frame
        return self._notice(NoticeKind.OTHER if harmless else NoticeKind.REFUSED, frame, ts_recv)

    def _unknown(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        return self._notice(NoticeKind.OTHER, frame, ts_recv)

    def book_snapshot(self, instrument_id: str) -> Call[BookUpdate] | None:
        """Return None: every message of the stream is a whole book."""
        return None

    def quote(self, instrument_id: str) -> Call[Any]:
        """Ask for best bid and ask (a ``Quote``)."""
        return self._ask.quote(instrument_id)

    def bars(self, instrument_id: str, timeframe: str, since_ns: int, until_ns: int) -> Call[Page[Bar]]:
        """Ask for closed bars that open in [since, until); the venue keeps the last 5,000 of a series."""
        return self._ask.bars(instrument_id, timeframe, since_ns, until_ns)

    def trades(self, instrument_id: str, since_ns: int | None, until_ns: int | None) -> Call[Page[Trade]]:
        """Ask for the latest public trades; the venue keeps no history of them."""
        return self._ask.trades(instrument_id, since_ns, until_ns)

    def funding(self, instrument_id: str, since_ns: int, until_ns: int) -> Call[Page[FundingRate]]:
        """Ask for settled funding rates."""
        return self._ask.funding(instrument_id, since_ns, until_ns)

    # -- the account -------------------------------------------------------------------------------------

    def user_routes(self) -> list[UserRoute]:
        """Plan the one connection that tells about the account and takes orders."""
        user = self._ask.user
        topics = ("orderUpdates", "userFills", "userFundings", "userEvents")
        wishes: list[dict[str, object]] = [{"type": topic, "user": user} for topic in topics]
        wishes.append({"type": "allMids"})
        frames = tuple(self._subscribe(what) for what in wishes)

        def hello(ts_ms: int, _nonce: int, _token: str) -> tuple[bytes, ...]:
            self._news.since_ms = self._news.since_ms or ts_ms
            return frames

        return [
            UserRoute(lambda _token: self.endpoints.trade or self.endpoints.stream, hello, spec.HEARTBEAT)
        ]

    def trade_route(self) -> UserRoute | None:
        """Return None: orders travel on the account's own connection."""
        return None

    def account(self) -> list[Call[AccountState]]:
        """Ask for the perpetual account and for the spot account; each holds its own USDC."""
        return self._ask.state()

    def open_orders(self, instrument_id: str | None = None) -> Call[list[VenueOrder]]:
        """Ask for working orders, conditional ones included."""
        return self._ask.open_orders(instrument_id)

    def find_order(
        self, instrument_id: str, order_id: str, venue_order_id: str = ""
    ) -> Call[VenueOrder | None]:
        """Ask for one order by our id (or the venue's); None says that the venue has never heard of it."""
        return self._ask.find_order(instrument_id, order_id, venue_order_id)

    def fills(self, since_ns: int, instrument_id: str | None = None) -> Call[Page[VenueFill]]:
        """Ask for our fills since a time; pages overlap by a millisecond."""
        return self._ask.fills(since_ns, instrument_id)

    def fees(self, instrument_id: str) -> Call[FeeRates]:
        """Ask for the account's own fees."""
        return self._ask.fees(instrument_id)

    def rights(self) -> Call[KeyRights] | None:
        """Ask what the key may do: an agent trades, a main wallet can withdraw too."""
        return self._ask.rights()

    def set_leverage(self, instrument_id: str, leverage: int, mode: MarginMode) -> list[Call[None]]:
        """Set leverage and margin mode of a perpetual."""
        instrument = self._symbols.instrument(instrument_id)
        if instrument.is_spot or not 1 <= leverage <= instrument.max_leverage:
            raise VenueError(
                ErrorKind.REJECTED,
                f"{instrument_id} cannot have leverage {leverage}",
                reason=Reason.LEVERAGE,
                fix=f"The most is {1 if instrument.is_spot else instrument.max_leverage}.",
            )
        asset = self._symbols.asset(instrument)
        action = actions.leverage(asset, leverage, cross=mode is MarginMode.CROSS)
        return [self._action("updateLeverage", lambda _ts_ms: action)]

    def _action(self, name: str, write: Any, *, urgent: bool = False) -> Call[None]:
        """Make a call of a signed action of which only success matters."""
        if self._signer.keys is None:
            raise no_keys()

        def build(ts_ms: int, nonce: int) -> HttpRequest:
            return HttpRequest(
                "POST", "/exchange", body=self._signer.payload(write(ts_ms), nonce), headers=JSON
            )

        priority = Priority.CANCEL if urgent else Priority.NEW
        return Call(name, build, answers.done, {"weight": 1}, priority, idempotent=False)

    def approve_agent(self, address: str, name: str) -> Call[None]:
        """Let another wallet trade for this account (never withdraw); only the main wallet's own key can say so.

        An agent that was approved under the same name before loses its rights.
        """
        if self._signer.keys is None:
            raise no_keys()

        def build(_ts_ms: int, nonce: int) -> HttpRequest:
            body = self._signer.approval(address, name, nonce)
            return HttpRequest("POST", "/exchange", body=body, headers=JSON)

        return Call("approveAgent", build, answers.done, {"weight": 1}, Priority.NEW, idempotent=False)

    # -- orders ------------------------------------------------------------------------------------------

    def client_id(self, order_id: str) -> str:
        """Return the 128-bit id that the venue gets for an order of ours."""
        return cloid_of(order_id)

    def remember(self, order_ids: Iterable[str]) -> None:
        """Learn ids of orders made earlier; ``open_orders`` and ``find_order`` then tell their terms."""
        self._orders.remember(order_ids)

    def forget_when(self, gone: Callable[[str], bool]) -> None:
        """Let ``gone`` say which orders need not be remembered."""
        self._orders.gone = gone

    def adopt(self, order: VenueOrder) -> str:
        """Take an order that is not ours for ours, by its client id, or by the venue's number where it has none."""
        return self._orders.adopt(order.client_id, int(order.venue_order_id))

    def order(self, command: SubmitOrder | CancelOrder | AmendOrder | Batch) -> list[OrderCall]:
        """Write a command; a batch makes one action for each run of commands of one kind (changes: and one flag).

        ``VenueError`` REJECTED for what the venue does not have; nothing is sent then.
        """
        if self._signer.keys is None:
            raise no_keys()
        parts = command.commands if isinstance(command, Batch) else (command,)
        kinds = [self._kind(part) for part in parts]
        calls: list[OrderCall] = []
        start = 0
        for index in range(1, len(parts) + 1):
            if index == len(parts) or kinds[index] != kinds[start]:
                calls.append(self._call(parts[start:index]))
                start = index
        return calls

    def _kind(self, part: Part) -> tuple[type, bool]:
        """Return what commands of one action have in common."""
        if isinstance(part, CancelOrder):
            return CancelOrder, bool(self._orders.number(part.order_id))
        if not isinstance(part, AmendOrder):
            return type(part), False
        own = self._orders.workable(part)
        return AmendOrder, self._terms.always_places(own)

    def _call(self, parts: Sequence[Part]) -> OrderCall:
        changes: dict[int, Change] = {}
        if isinstance(parts[0], SubmitOrder):
            placed = [part for part in parts if isinstance(part, SubmitOrder)]
            action = actions.place([self._terms.submit(part) for part in placed], actions.grouping(placed))
            for order in placed:
                self._orders.sent(order)
        elif isinstance(parts[0], CancelOrder):
            action = self._cancel(parts)
        else:
            written, always = [], False
            for index, part in enumerate(parts):
                assert isinstance(part, AmendOrder)
                own = self._orders.workable(part)
                changes[index] = own.change(part)
                written.append(self._terms.change(own, changes[index]))
                always = self._terms.always_places(own)
            action = actions.modify(written, always=always)
        asked(self._orders, parts, changes)
        self._requests += 1
        return ActionCall(self._desk, self._requests, str(action["type"]), action, parts)

    def _cancel(self, parts: Sequence[Part]) -> actions.Action:
        """Write cancels, all by our ids or all by the venue's numbers: adopted orders may have no client id."""
        if not self._orders.number(parts[0].order_id):
            return actions.cancel([self._terms.cancel(part.order_id, part.instrument_id) for part in parts])
        assets = [self._symbols.asset(self._symbols.instrument(part.instrument_id)) for part in parts]
        oids = [self._orders.number(part.order_id) for part in parts]
        return actions.cancel_oids(list(zip(assets, oids, strict=True)))

    def cancel_order(self, instrument_id: str, venue_order_id: str) -> Call[None]:
        """Take one order back by the venue's id, also one that is not ours."""
        asset = self._symbols.asset(self._symbols.instrument(instrument_id))
        action = actions.cancel_oids([(asset, int(venue_order_id))])
        return self._action("cancel", lambda _ts_ms: action, urgent=True)

    def cancel_all(self, instrument_ids: Sequence[str]) -> list[Call[int]]:
        """Take back the orders that are known to work (ask ``open_orders`` first); none named means all of them.

        The venue has no such action. Orders of other programs are included once ``open_orders`` has told them.
        """
        pairs = self._orders.open_oids(frozenset(instrument_ids))
        calls = []
        for index in range(0, len(pairs), 100):
            chunk = [
                (self._symbols.asset(self._symbols.instrument(name)), oid)
                for oid, name in pairs[index : index + 100]
            ]
            done = self._action("cancel", lambda _ts_ms, chunk=chunk: actions.cancel_oids(chunk), urgent=True)
            calls.append(Call("cancel", done.build, answers.canceled, {"weight": 3}, Priority.CANCEL))
        return calls

    def dead_man(self, timeout_s: float | None, instrument_ids: Sequence[str]) -> list[Call[None]]:
        """Arm the switch that cancels all orders of the account (5 s ahead at least, ten times a day); None disarms."""
        if timeout_s is not None and timeout_s < spec.MIN_DEAD_MAN_S:
            raise VenueError(
                ErrorKind.REJECTED,
                f"hyperliquid cancels {spec.MIN_DEAD_MAN_S:g} s ahead at the earliest",
                reason=Reason.BAD_REQUEST,
            )

        def write(ts_ms: int) -> actions.Action:
            return actions.schedule_cancel(None if timeout_s is None else ts_ms + round(timeout_s * 1_000))

        return [self._action("scheduleCancel", write, urgent=True)]
