"""What the codecs of both products share: symbols, signatures, market streams, frames of all sockets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from lanner.model.accounts import VenueOrder
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import OrderType
from lanner.model.instruments import Instrument
from lanner.net.ratelimit import Priority
from lanner.venues.binance.account import AccountDesk
from lanner.venues.binance.answers import AnswerReader
from lanner.venues.binance.auth import Signer
from lanner.venues.binance.calls import BinanceOrderCall, Order, Read, ReadError
from lanner.venues.binance.codes import error_of, fault, fault_of
from lanner.venues.binance.market import EVENTS, MarketReader
from lanner.venues.binance.memory import TRIGGERED, OrderMemory
from lanner.venues.binance.names import Symbols, client_id
from lanner.venues.binance.orders import Wire
from lanner.venues.binance.reference import Bounds
from lanner.venues.binance.told import Prices
from lanner.venues.binance.wire import Framed
from lanner.venues.codec import (
    Answer,
    Endpoints,
    Inbound,
    Notice,
    NoticeKind,
    OrderCall,
    ProductSpec,
)
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.keys import Keys

LOGON = "logon"
SUBSCRIBE = "user"

_START = b'{"stream":"'
_framed = msgspec.json.Decoder(Framed, strict=False).decode
_text = msgspec.json.Decoder(str).decode
_NULL = (b"", b"null")
_ENDINGS: Mapping[str, NoticeKind] = {
    "serverShutdown": NoticeKind.SHUTDOWN,
    "listenKeyExpired": NoticeKind.EXPIRED,
    "eventStreamTerminated": NoticeKind.EXPIRED,
}
UserEvents = Mapping[str, Callable[[bytes, int], Sequence[Inbound] | None]]


class BinanceCodec(ABC):
    """The common half of ``BinanceSpotCodec`` and ``BinanceUsdmCodec``.

    ``fee_prices`` may be told what one unit of a fee's currency is worth in a settle currency, e.g.
    ``codec.fee_prices["BNB", "USDT"] = Decimal("600")``; fees in other currencies than the settle or base currency
    count as 0 without it.
    """

    spec: ProductSpec

    def __init__(
        self,
        spec: ProductSpec,
        endpoints: Endpoints,
        keys: Keys | None,
        types: Mapping[str, OrderType],
    ) -> None:
        self.spec = spec
        self.endpoints = endpoints
        self.fee_prices: dict[tuple[str, str], Decimal] = {}
        self.bounds: dict[str, Bounds] = {}
        self.symbols = Symbols()
        self.memory = OrderMemory()
        self.signer = Signer(keys)
        prices: Prices = self.fee_prices
        self.answers = AnswerReader(self.memory, prices)
        self.desk = AccountDesk(self.symbols, self.memory, self.signer, prices, types)
        self.market = MarketReader(self.symbols)
        self._readers = self.market.readers
        self._events: UserEvents = {}
        self._requests = 0

    # -- reference data ------------------------------------------------------------------------------------

    def use(self, instruments: Iterable[Instrument]) -> None:
        """Learn instruments: symbols both ways, ticks and lots."""
        self.symbols.use(instruments)
        self.market.forget()

    def instrument(self, instrument_id: str) -> Instrument:
        """Return a known instrument, or raise ``NotFoundError``."""
        return self.symbols.instrument(instrument_id)

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> VenueError | None:
        """Judge an HTTP answer: None when it is no error."""
        return fault(status, headers, body)

    def client_id(self, order_id: str) -> str:
        """Return the text that the venue gets for our order id."""
        return client_id(order_id)

    def remember(self, order_ids: Iterable[str]) -> None:
        """Learn ids of orders made earlier."""
        self.memory.remember(order_ids)

    def forget_when(self, gone: Callable[[str], bool]) -> None:
        """Let ``gone`` say which orders need not be remembered."""
        self.memory.gone = gone

    def adopt(self, order: VenueOrder) -> str:
        """Take an order that is not ours for ours: its client id, which every order has here, becomes our id."""
        self.memory.remember([order.client_id])
        return order.client_id

    def _read_instruments(self, pairs: Iterable[tuple[Instrument, Bounds]]) -> list[Instrument]:
        found = []
        for instrument, bounds in pairs:
            self.bounds[instrument.id] = bounds
            found.append(instrument)
        return found

    # -- frames --------------------------------------------------------------------------------------------

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a frame of any socket of the product; ``VenueError`` MALFORMED where it cannot be understood."""
        try:
            if frame.startswith(_START):
                stream = frame[11 : frame.find(b'"', 11)]
                read = self._readers.get(stream) or self.market.reader(stream)
                if read is not None:
                    return read(frame, ts_recv)
            return self._any(frame, ts_recv)
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
            raise VenueError(ErrorKind.MALFORMED, f"a frame cannot be understood: {error}"[:300]) from error

    def _any(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a frame by what it tells of itself."""
        if frame.lstrip()[:1] == b"[":
            return self._several(frame, ts_recv)
        told = _framed(frame)
        if bytes(told.data) not in _NULL and bytes(told.stream) not in _NULL:
            return self._wrapped(_text(told.stream), bytes(told.data), frame, ts_recv)
        if bytes(told.event) not in _NULL:
            return self._any(bytes(told.event), ts_recv)
        name = bytes(told.e)
        if name not in _NULL:
            return self._event(_text(name), frame, ts_recv)
        if bytes(told.u) not in _NULL and bytes(told.A) not in _NULL:  # bookTicker of spot has no name
            return self._event("bookTicker", frame, ts_recv)
        return self._control(told, frame, ts_recv)

    def _several(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        messages: list[Inbound] = []
        for raw in msgspec.json.decode(frame, type=list[msgspec.Raw]):
            messages += self._any(bytes(raw), ts_recv)
        return messages

    def _wrapped(self, stream: str, data: bytes, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a frame of a combined stream whose name is not at its usual place, or that is not market data."""
        read = self.market.reader(stream.encode())
        if read is not None:
            return read(frame, ts_recv)
        if data[:1] == b"{" and b'"lastUpdateId"' in data[:200]:
            return (_stranger(stream, ts_recv),)
        return self._any(data, ts_recv)

    def _event(self, name: str, raw: bytes, ts_recv: int) -> Sequence[Inbound]:
        if name in EVENTS:
            messages = self.market.event(name, raw, ts_recv)
            return (_stranger(name, ts_recv),) if messages is None else messages
        read = self._events.get(name)
        if read is not None:
            told = read(raw, ts_recv)
            return (_stranger(name, ts_recv),) if told is None else told
        return (Notice(_ENDINGS.get(name, NoticeKind.OTHER), name, ts_recv),)

    def _control(self, told: Framed, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read an answer: to a command, to a logon, to a subscription."""
        error = bytes(told.error)
        if told.status:
            if isinstance(told.id, str) and told.id not in (LOGON, SUBSCRIBE):
                return (Answer(told.id, frame, ts_recv),)
            if told.status >= 400 or error not in _NULL:
                return (Notice(NoticeKind.REFUSED, _reason(error), ts_recv),)
            kind = NoticeKind.LOGGED_ON if told.id == LOGON else NoticeKind.SUBSCRIBED
            return (Notice(kind, str(told.id), ts_recv),)
        if error not in _NULL:
            return (Notice(NoticeKind.REFUSED, _reason(error), ts_recv),)
        if bytes(told.code) not in _NULL and bytes(told.msg) not in _NULL:
            return (Notice(NoticeKind.REFUSED, _reason(frame), ts_recv),)
        result = bytes(told.result)
        if not result or told.id is None:
            raise ValueError("neither data nor an answer")
        kind = NoticeKind.SUBSCRIBED if result == b"null" else NoticeKind.OTHER
        return (Notice(kind, f"answer to {told.id}", ts_recv),)

    # -- orders --------------------------------------------------------------------------------------------

    def order(self, command: SubmitOrder | CancelOrder | AmendOrder | Batch) -> list[OrderCall]:
        """Write a command; a batch may need several calls. ``VenueError`` REJECTED for what the venue cannot do."""
        _ = self.signer.keys
        if isinstance(command, Batch):
            return self._batch(command)
        if isinstance(command, SubmitOrder):
            return [self._submit(command)]
        if isinstance(command, CancelOrder):
            return [self._cancel(command)]
        return [self._amend(command)]

    @abstractmethod
    def _submit(self, command: SubmitOrder) -> BinanceOrderCall: ...

    @abstractmethod
    def _cancel(self, command: CancelOrder) -> BinanceOrderCall: ...

    @abstractmethod
    def _amend(self, command: AmendOrder) -> BinanceOrderCall: ...

    @abstractmethod
    def _batch(self, batch: Batch) -> list[OrderCall]: ...

    def _call(
        self,
        name: str,
        wire: Wire,
        commands: tuple[Order, ...],
        read: Read,
        costs: Mapping[str, int],
        read_error: ReadError | None = None,
    ) -> BinanceOrderCall:
        """Number a request and say how urgent it is."""
        self._requests += 1
        return BinanceOrderCall(
            f"o{self._requests}",
            name,
            costs,
            min([_priority(command) for command in commands]),
            commands,
            wire,
            self.signer,
            read,
            read_error,
        )

    # -- greetings of the order socket ---------------------------------------------------------------------

    def _logon(self, ts_ms: int) -> tuple[bytes, ...]:
        """Log the connection on where the key can (Ed25519): its requests need no signature each then."""
        if not self.signer.logs_on:
            return ()
        return (self.signer.frame(LOGON, "session.logon", {}, ts_ms),)


def _priority(command: Order) -> Priority:
    if isinstance(command, CancelOrder):
        return Priority.CANCEL
    if isinstance(command, AmendOrder):
        return Priority.AMEND
    return Priority.STOP if command.type in TRIGGERED or command.reduce_only else Priority.NEW


def _reason(raw: bytes) -> str:
    error = error_of(raw)
    if error is None:
        return raw[:200].decode(errors="replace")
    return str(fault_of(0, error.code, error.msg))


def _stranger(name: str, ts_recv: int) -> Notice:
    return Notice(NoticeKind.OTHER, f"{name}: of an instrument that is not known", ts_recv)
