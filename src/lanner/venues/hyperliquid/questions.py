"""Questions to ``/info``: what they weigh, how they are written, how their answers are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import msgspec

from lanner.core.errors import ConfigError
from lanner.model.accounts import AccountState, FeeRates, KeyRights, VenueFill, VenueOrder
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, FundingRate, Quote, Trade
from lanner.model.timeframes import timeframe_ns
from lanner.venues.codec import Call, HttpRequest, Page
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid import account, spec, wire
from lanner.venues.hyperliquid.market import MS, NAN, MarketDecoder
from lanner.venues.hyperliquid.orders import JSON
from lanner.venues.hyperliquid.own import OwnOrders, cloid_of
from lanner.venues.hyperliquid.symbols import Symbols
from lanner.venues.keys import Keys

T = TypeVar("T")
NOBODY = "0x" + "0" * 40


def question(
    what: dict[str, object], kind: Any, read: Callable[[Any, int], T], *, name: str = "", rows: int = 0
) -> Call[T]:
    """Make a call of a question; ``kind`` is the type of the raw answer, ``rows`` how many it may have.

    An answer that is not of its type is a ``VenueError`` MALFORMED.
    """
    body = msgspec.json.encode(what)
    decode = wire.reader(kind).decode

    def parse(answer: bytes, ts_recv: int) -> T:
        try:
            told = decode(answer)
            return read(told, ts_recv)
        except (msgspec.DecodeError, ConfigError) as error:
            raise wire.malformed(error) from None

    topic = str(what["type"])
    extra = rows // (60 if topic == "candleSnapshot" else 20)
    return Call(
        name or topic,
        lambda _ts_ms, _nonce: HttpRequest("POST", "/info", body=body, headers=JSON),
        parse,
        {"weight": spec.weight(topic) + extra},
    )


class Questions:
    """Everything that can be asked without signing."""

    def __init__(self, symbols: Symbols, orders: OwnOrders, market: MarketDecoder, keys: Keys | None) -> None:
        self._symbols = symbols
        self._orders = orders
        self._market = market
        self.keys = keys

    @property
    def user(self) -> str:
        """Return the address that is traded for, or raise ``VenueError`` AUTH without keys."""
        if self.keys is None:
            raise VenueError(
                ErrorKind.AUTH,
                "hyperliquid: this needs to know the account",
                fix="Store a key: lanner keys add hyperliquid",
            )
        return self.keys.vault or self.keys.account

    # -- the market --------------------------------------------------------------------------------------

    def perps(self) -> Call[list[Instrument]]:
        """Ask for the perpetuals."""
        return question({"type": "meta"}, wire.Meta_, lambda told, _ts: self._symbols.perps(told))

    def spots(self) -> Call[list[Instrument]]:
        """Ask for the spot pairs."""
        return question({"type": "spotMeta"}, wire.SpotMeta, lambda told, _ts: self._symbols.spots(told))

    def time(self) -> Call[int]:
        """Ask for the venue's clock: every account's state tells it."""
        what: dict[str, object] = {"type": "clearinghouseState", "user": NOBODY}
        return question(what, wire.Clearinghouse, lambda told, _ts: int(told.time), name="time")

    def quote(self, instrument_id: str) -> Call[Quote]:
        """Ask for a book and keep its best levels."""

        def read(told: wire.Book, ts_recv: int) -> Quote:
            bids, asks = told.levels
            bid = (bids[0].px, bids[0].sz) if bids else (NAN, 0.0)
            ask = (asks[0].px, asks[0].sz) if asks else (NAN, 0.0)
            if bids and asks:
                self._market.mids[instrument_id] = (bid[0] + ask[0]) * 0.5
            return Quote(instrument_id, told.time * MS, ts_recv, *bid, *ask, told.time)

        return question({"type": "l2Book", "coin": self._symbols.coin(instrument_id)}, wire.Book, read)

    def bars(self, instrument_id: str, timeframe: str, since_ns: int, until_ns: int) -> Call[Page[Bar]]:
        """Ask for closed bars; the venue keeps the last 5,000 of a series, so empty times before are skipped."""
        if timeframe not in spec.TIMEFRAMES:
            raise VenueError(
                ErrorKind.REJECTED,
                f"hyperliquid has no {timeframe} bars",
                reason=Reason.UNSUPPORTED,
                fix=f"It has {', '.join(spec.TIMEFRAMES)}.",
            )
        step = timeframe_ns(timeframe)
        end_ns = min(until_ns, since_ns + spec.CANDLE_ROWS * step)

        def read(told: list[wire.Candle], ts_recv: int) -> Page[Bar]:
            bars = [self._market.bar(row, ts_recv) for row in sorted(told, key=lambda row: row.t)]
            rows = tuple(
                bar for bar in bars if since_ns <= bar.ts_open < until_ns and bar.ts_event <= ts_recv
            )
            next_ns = max(end_ns, ts_recv - (spec.CANDLE_ROWS + 1) * step) if not rows else end_ns
            return Page(rows, next_ns if next_ns < min(until_ns, ts_recv) else None)

        req = {
            "coin": self._symbols.coin(instrument_id),
            "interval": timeframe,
            "startTime": since_ns // MS,
            "endTime": (end_ns - 1) // MS,
        }
        rows = min(spec.CANDLE_ROWS, (end_ns - since_ns) // step)
        return question({"type": "candleSnapshot", "req": req}, list[wire.Candle], read, rows=rows)

    def trades(self, instrument_id: str, since_ns: int | None, until_ns: int | None) -> Call[Page[Trade]]:
        """Ask for the latest prints; the venue keeps no more."""

        def read(told: list[wire.Print], ts_recv: int) -> Page[Trade]:
            made = [
                self._market.trade(row, ts_recv)
                for row in sorted(told, key=lambda row: (row.time, row.tid or 0))
            ]
            first, last = since_ns or 0, until_ns if until_ns is not None else 2**63
            return Page(tuple(trade for trade in made if first <= trade.ts_event < last), None)

        what: dict[str, object] = {"type": "recentTrades", "coin": self._symbols.coin(instrument_id)}
        return question(what, list[wire.Print], read)

    def funding(self, instrument_id: str, since_ns: int, until_ns: int) -> Call[Page[FundingRate]]:
        """Ask for settled funding rates."""
        if self._symbols.coin(instrument_id)[:1] == "@" or "/" in self._symbols.coin(instrument_id):
            raise VenueError(
                ErrorKind.REJECTED, f"{instrument_id} is spot: it has no funding", reason=Reason.UNSUPPORTED
            )

        def read(told: list[wire.SettledFunding], ts_recv: int) -> Page[FundingRate]:
            rates = [
                FundingRate(instrument_id, row.time * MS, ts_recv, row.fundingRate, spec.HOUR_NS)
                for row in sorted(told, key=lambda row: row.time)
            ]
            rows = tuple(rate for rate in rates if since_ns <= rate.ts_event < until_ns)
            full = len(told) >= spec.FUNDING_ROWS and rows
            return Page(rows, rows[-1].ts_event + MS if full else None)

        what: dict[str, object] = {
            "type": "fundingHistory",
            "coin": self._symbols.coin(instrument_id),
            "startTime": since_ns // MS,
            "endTime": (until_ns - 1) // MS,
        }
        return question(what, list[wire.SettledFunding], read, rows=spec.FUNDING_ROWS)

    # -- the account -------------------------------------------------------------------------------------

    def state(self) -> list[Call[AccountState]]:
        """Ask for the perpetual account and for the spot account."""
        perp = question(
            {"type": "clearinghouseState", "user": self.user},
            wire.Clearinghouse,
            lambda told, ts: account.perp_state(self._symbols, told, ts),
        )
        spot = question(
            {"type": "spotClearinghouseState", "user": self.user},
            wire.SpotState,
            lambda told, ts: AccountState(spec.VENUE, ts, account.spot_balances(told)),
        )
        return [perp, spot]

    def open_orders(self, instrument_id: str | None) -> Call[list[VenueOrder]]:
        """Ask for working orders, those that wait for a trigger or a parent included."""

        def read(told: list[wire.Order], _ts_recv: int) -> list[VenueOrder]:
            out = []
            for order in account.with_children(told):
                account.learn(self._symbols, self._orders, order)
                made = account.venue_order(self._symbols, self._orders, order, "open", order.timestamp)
                if made is not None and instrument_id in (None, made.instrument_id):
                    out.append(made)
                    self._orders.seen_open(order.oid, made.instrument_id)
            return out

        call = question({"type": "frontendOpenOrders", "user": self.user}, list[wire.Order], read)
        return self._after_past(call)

    def find_order(self, instrument_id: str, order_id: str, venue_order_id: str) -> Call[VenueOrder | None]:
        """Ask for one order, by our id where there is one."""
        self._orders.name(order_id)
        oid: object = int(venue_order_id or "0")
        if order_id:
            oid = self._orders.number(order_id) or cloid_of(order_id)

        def read(told: wire.FoundOrder, _ts_recv: int) -> VenueOrder | None:
            if told.order is None:
                return None
            update = told.order
            account.learn(self._symbols, self._orders, update.order)
            made = account.venue_order(
                self._symbols, self._orders, update.order, update.status, update.statusTimestamp
            )
            if made is None:
                raise wire.malformed(ValueError(f"an order in {update.order.coin}, which is not known"))
            return made

        what: dict[str, object] = {"type": "orderStatus", "user": self.user, "oid": oid}
        return self._after_past(question(what, wire.FoundOrder, read))

    def fills(self, since_ns: int, instrument_id: str | None) -> Call[Page[VenueFill]]:
        """Ask for fills since a time. A full page ends inside a millisecond, which the next one repeats.

        Fills do not tell our own ids; ``_after_past`` learns them.
        """
        return self._after_past(self._fills(since_ns, instrument_id))

    def _after_past(self, call: Call[T]) -> Call[T]:
        """Put the question about the account's past orders first where there are orders of ours from before.

        It tells which numbers an order had: a changed order has several, and fills name nothing else.
        """
        if not self._orders.unsought:
            return call

        def read(told: list[wire.OrderUpdate], _ts_recv: int) -> None:
            account.recall(self._symbols, self._orders, told)
            self._orders.unsought = False

        what: dict[str, object] = {"type": "historicalOrders", "user": self.user}
        past = question(what, list[wire.OrderUpdate], read, rows=2_000)
        return cast("Call[T]", replace(past, then=call))  # type: ignore[arg-type]

    def _fills(self, since_ns: int, instrument_id: str | None) -> Call[Page[VenueFill]]:

        def read(told: list[wire.Fill], ts_recv: int) -> Page[VenueFill]:
            rows = account.venue_fills(self._symbols, self._orders, told, instrument_id, ts_recv)
            if len(told) < spec.FILL_ROWS:
                return Page(tuple(rows), None)
            last = max(fill.time for fill in told) * MS
            return Page(tuple(rows), last if last > since_ns else last + MS)

        what: dict[str, object] = {
            "type": "userFillsByTime",
            "user": self.user,
            "startTime": since_ns // MS,
            "aggregateByTime": False,
        }
        return question(what, list[wire.Fill], read, rows=200)

    def fees(self, instrument_id: str) -> Call[FeeRates]:
        """Ask for the account's own fees."""
        instrument = self._symbols.instrument(instrument_id)
        return question(
            {"type": "userFees", "user": self.user},
            wire.UserFees,
            lambda told, _ts: account.fee_rates(instrument, told),
        )

    def rights(self) -> Call[KeyRights]:
        """Ask what the signer's address is to the venue."""
        keys = self.keys
        if keys is None:
            raise VenueError(ErrorKind.AUTH, "hyperliquid: there is no key to ask about")
        what: dict[str, object] = {"type": "userRole", "user": keys.api_key}
        return question(what, wire.Role, lambda told, _ts: account.key_rights(keys, told))
