"""What a venue's codec is: bytes in, messages out; questions and commands in, bytes out.

A codec opens no socket, reads no clock and throws no dice: the time and the nonce are arguments, so everything it
writes can be compared with recorded bytes. One gateway (``venues.gateway``) does the I/O for every venue::

    frame  ──► codec.decode(frame, ts_recv) ──► market data, reports, answers, notices
    Call   ──► call.build(ts_ms, nonce) ──► HttpRequest ──► the wire ──► call.parse(body, ts_recv)
    Command ─► codec.order(command) ──► OrderCall ──► the wire ──► order_call.answer(body, ts_recv) ──► reports

A *product* is one wire of a venue: ``binance-spot`` and ``binance-usdm`` are two products of the venue BINANCE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from lanner.model.accounts import (
    AccountState,
    BalancesReport,
    FeeRates,
    KeyRights,
    MarginMode,
    PositionsReport,
    VenueFill,
    VenueOrder,
)
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.features import Support
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, MarketData, Trade
from lanner.model.reports import OrderReport, Report
from lanner.net.ratelimit import Priority
from lanner.venues.errors import VenueError

T = TypeVar("T")

# -- market data ---------------------------------------------------------------------------------------


class Feed(IntEnum):
    """What can be listened to or fetched."""

    QUOTES = 1
    TRADES = 2
    BOOK = 3
    BARS = 4
    MARK = 5
    FUNDING = 6


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """One wish of a listener. ``spec`` is the timeframe of bars, or the depth of a book (``""``: the diff stream)."""

    feed: Feed
    instrument_id: str
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Who keeps a connection alive, every so many seconds.

    ``ours`` False: the venue pings. True: we send ``ping_text`` (its answer decodes to a ``Notice`` PONG), or ping
    frames where the text is empty.
    """

    every_s: float
    ours: bool = False
    ping_text: bytes = b""


@dataclass(frozen=True, slots=True)
class Route:
    """One connection for market data: where to, and what to say after each opening."""

    name: str
    url: str
    hello: tuple[bytes, ...]
    subscriptions: tuple[Subscription, ...]
    heartbeat: Heartbeat
    sends_per_s: float = 0.0
    max_age_s: float = 0.0


class NoticeKind(IntEnum):
    """What a frame means that carries neither data nor a report."""

    SUBSCRIBED = 1
    UNSUBSCRIBED = 2
    PONG = 3
    LOGGED_ON = 4
    SHUTDOWN = 5
    EXPIRED = 6
    REFUSED = 7
    OTHER = 8


class Notice(msgspec.Struct, frozen=True, gc=False):
    """Something to know about the connection itself; REFUSED means that a subscription or logon was refused."""

    kind: NoticeKind
    text: str
    ts_recv: int


class Answer(msgspec.Struct, frozen=True):
    """The reply to a request that was sent over a socket; ``body`` is the whole frame."""

    request_id: str
    body: bytes
    ts_recv: int


class Malformed(msgspec.Struct, frozen=True):
    """A frame that could not be understood; the first bytes of it are kept."""

    frame: bytes
    reason: str
    ts_recv: int


Inbound = MarketData | Report | BalancesReport | PositionsReport | VenueOrder | Answer | Notice | Malformed
"""What a frame can become. A user stream's order of unknown origin comes as ``VenueOrder``."""

# -- questions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What goes over HTTP; ``query`` is already percent-encoded and signed."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A question to a venue: how it is written and how its answer is read.

    ``build`` is called at the last moment, so that time and nonce are fresh; ``costs`` are the weights in the
    product's rate-limit buckets; an ``idempotent`` call may be sent again when no answer came. Where a venue needs two
    questions for one answer, ``then`` is the second one: its list is added to the first one's, or it is asked where the
    first one knew nothing (None).
    """

    name: str
    build: Callable[[int, int], HttpRequest]
    parse: Callable[[bytes, int], T]
    costs: Mapping[str, int] = field(default_factory=dict)
    priority: Priority = Priority.READ
    idempotent: bool = True
    then: Call[T] | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a history, oldest first. ``next_ns`` is where to go on, None at the end."""

    rows: tuple[T, ...]
    next_ns: int | None


class Transport(IntEnum):
    """How a command travels."""

    SOCKET = 1
    HTTP = 2


class OrderCall(Protocol):
    """A command on its way: written at the last moment, answered once.

    ``request_id`` is what the answer over a socket names. ``answer`` turns the venue's answer (body of HTTP, or whole
    frame) into reports: accepted, rejected, fills, and whatever the answer proves. An answer that proves nothing gives
    ``OrderUnanswered``. ``unanswered`` is what silence means. Neither raises for what a venue can send.

    Once an answer was read, ``used`` holds what it told of our buckets, and ``silent_until_ms`` is the venue's time
    until which it wants no more requests (0: it said nothing).
    """

    request_id: str
    name: str
    costs: Mapping[str, int]
    priority: Priority
    order_ids: tuple[str, ...]
    used: Mapping[str, int]
    silent_until_ms: int

    def frame(self, ts_ms: int, nonce: int) -> bytes:
        """Write the command for a socket."""
        ...

    def request(self, ts_ms: int, nonce: int) -> HttpRequest:
        """Write the command for HTTP."""
        ...

    def answer(self, status: int, body: bytes, ts_recv: int) -> Sequence[OrderReport]:
        """Read the answer; ``status`` is the HTTP status, 0 over a socket."""
        ...

    def refused(self, error: VenueError, ts_recv: int) -> Sequence[OrderReport]:
        """Turn a fault that proves the command never took effect into reports."""
        ...

    def unanswered(self, reason: str, ts_recv: int) -> Sequence[OrderReport]:
        """Turn silence into reports that say so."""
        ...


@dataclass(frozen=True, slots=True)
class UserRoute:
    """How to listen to one's own account.

    ``prepare`` is asked first where the venue hands out a listen key; its answer goes into ``url`` and ``hello``;
    ``keep_alive`` is asked every ``keep_alive_s`` seconds. ``hello(ts_ms, nonce, token)`` writes the frames that are
    sent after each opening.
    """

    url: Callable[[str], str]
    hello: Callable[[int, int, str], tuple[bytes, ...]]
    heartbeat: Heartbeat
    prepare: Call[str] | None = None
    keep_alive: Call[None] | None = None
    keep_alive_s: float = 0.0
    max_age_s: float = 0.0


# -- facts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bucket:
    """One rate limit: so much weight per interval. ``header`` is the answer's header that tells the weight used.

    Most limits count what comes from a network address, those ``per_account`` what an account does.
    """

    limit: int
    interval_s: float
    header: str = ""
    per_account: bool = False


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a product lives: REST base, stream base, base of the socket for orders (without a slash at the end)."""

    rest: str
    stream: str
    trade: str = ""


@dataclass(frozen=True, slots=True)
class ProductSpec:
    """The facts of a product, in one table.

    ``local`` makes the endpoints of a server that speaks this product's protocol at a base URL such as
    ``http://127.0.0.1:8080``. ``book_rule`` names the machine of ``marketdata.book_sync``; ``consecutive_trades``
    says that an instrument's public trades are numbered one by one. ``rights_at`` names the product whose server tells
    what a key of this one may do, where its own does not. ``spot_lacks`` are features that its spot instruments do not
    have, where it trades perpetuals, too.
    """

    product: str
    venue: str
    title: str
    mainnet: Endpoints
    testnet: Endpoints
    local: Callable[[str], Endpoints]
    book_rule: str
    buckets: Mapping[str, Bucket]
    capabilities: Mapping[str, Support]
    feeds: frozenset[Feed]
    timeframes: tuple[str, ...]
    key_kinds: tuple[str, ...]
    history_rows: Mapping[Feed, int]
    docs: str = ""
    consecutive_trades: bool = False
    rights_at: str = ""
    spot_lacks: frozenset[str] = frozenset()


# -- the codec -----------------------------------------------------------------------------------------


class Codec(Protocol):
    """One product's wire. Build it with its endpoints; give it instruments before anything that names one.

    Public calls need no keys. A codec without keys raises ``VenueError`` of kind AUTH where they are needed.
    """

    spec: ProductSpec
    endpoints: Endpoints

    # reference data
    def instruments_call(self) -> Call[list[Instrument]]:
        """Ask for all instruments that can be traded."""
        ...

    def use(self, instruments: Iterable[Instrument]) -> None:
        """Learn instruments: symbols both ways, ticks and lots."""
        ...

    def twin(self) -> Codec:
        """Return a codec with the same key and instruments that knows of no orders: it writes what is never sent."""
        ...

    def instrument(self, instrument_id: str) -> Instrument:
        """Return a known instrument, or raise ``NotFoundError``."""
        ...

    def server_time(self) -> Call[int]:
        """Ask for the venue's clock, in milliseconds."""
        ...

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> VenueError | None:
        """Judge an HTTP answer: None when it is no error."""
        ...

    # market data
    def routes(self, subscriptions: Sequence[Subscription]) -> list[Route]:
        """Plan the connections that serve these subscriptions."""
        ...

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a frame of any of the product's sockets. Raises for a frame that cannot be understood."""
        ...

    def book_snapshot(self, instrument_id: str) -> Call[BookUpdate] | None:
        """Ask for a whole book; None where the stream itself begins with one."""
        ...

    def quote(self, instrument_id: str) -> Call[Any]:
        """Ask for best bid and ask (a ``Quote``)."""
        ...

    def bars(self, instrument_id: str, timeframe: str, since_ns: int, until_ns: int) -> Call[Page[Bar]]:
        """Ask for closed bars that open in [since, until)."""
        ...

    def trades(self, instrument_id: str, since_ns: int | None, until_ns: int | None) -> Call[Page[Trade]]:
        """Ask for public trades (the latest where no time is given)."""
        ...

    def funding(self, instrument_id: str, since_ns: int, until_ns: int) -> Call[Page[FundingRate]]:
        """Ask for settled funding rates."""
        ...

    # the account
    def user_routes(self) -> list[UserRoute]:
        """Plan the connections that tell about the account."""
        ...

    def trade_route(self) -> UserRoute | None:
        """Plan the connection that orders travel on; None where there is none or it is a user route's own."""
        ...

    def account(self) -> list[Call[AccountState]]:
        """Ask for balances and positions; several answers are merged by the gateway."""
        ...

    def open_orders(self, instrument_id: str | None = None) -> Call[list[VenueOrder]]:
        """Ask for working orders, conditional ones included."""
        ...

    def find_order(
        self, instrument_id: str, order_id: str, venue_order_id: str = ""
    ) -> Call[VenueOrder | None]:
        """Ask for one order by our id (or the venue's); None says that the venue has never heard of it."""
        ...

    def fills(self, since_ns: int, instrument_id: str | None = None) -> Call[Page[VenueFill]]:
        """Ask for our fills since a time."""
        ...

    def fees(self, instrument_id: str) -> Call[FeeRates]:
        """Ask for the account's own fees."""
        ...

    def rights(self) -> Call[KeyRights] | None:
        """Ask what the key may do; None where the venue cannot tell."""
        ...

    def set_leverage(self, instrument_id: str, leverage: int, mode: MarginMode) -> list[Call[None]]:
        """Set leverage and margin mode of an instrument."""
        ...

    # orders
    def client_id(self, order_id: str) -> str:
        """Return the text that the venue gets for our order id: always the same, in the venue's form."""
        ...

    def remember(self, order_ids: Iterable[str]) -> None:
        """Learn ids of orders made earlier, so that the venue's news of them can be told apart from strangers'."""
        ...

    def forget_when(self, gone: Callable[[str], bool]) -> None:
        """Let ``gone`` say of which orders, by our id, no news are wanted any more: they need not be remembered."""
        ...

    def adopt(self, order: VenueOrder) -> str:
        """Take an order that is not ours for ours from now on; return the id by which it can be remembered later."""
        ...

    def order(self, command: SubmitOrder | CancelOrder | AmendOrder | Batch) -> list[OrderCall]:
        """Write a command; a batch may need several calls. ``VenueError`` REJECTED for what the venue cannot do."""
        ...

    def cancel_order(self, instrument_id: str, venue_order_id: str) -> Call[None]:
        """Take one order back by the venue's id, also one that is not ours."""
        ...

    def cancel_all(self, instrument_ids: Sequence[str]) -> list[Call[int]]:
        """Take all orders of these instruments back (of the account where the venue can, when none is named)."""
        ...

    def dead_man(self, timeout_s: float | None, instrument_ids: Sequence[str]) -> list[Call[None]]:
        """Arm the venue's own switch that cancels everything after so many seconds; None disarms it."""
        ...
