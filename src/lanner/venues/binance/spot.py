"""The codec of Binance spot.

Orders travel over the WebSocket API, which also brings the account's events (``userDataStream.subscribe.signature``;
listen keys are gone since 2026-02-20). Market data come as combined streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

from lanner.model.accounts import (
    AccountState,
    FeeRates,
    KeyRights,
    MarginMode,
    VenueFill,
    VenueOrder,
)
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderType
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, Quote, Trade
from lanner.net.ratelimit import Priority
from lanner.venues.binance import history
from lanner.venues.binance.account import rates
from lanner.venues.binance.calls import BinanceOrderCall
from lanner.venues.binance.codec import SUBSCRIBE, BinanceCodec
from lanner.venues.binance.history import reader
from lanner.venues.binance.names import client_id, to_ns
from lanner.venues.binance.orders import (
    Wire,
    again,
    check_market,
    oco_pair,
    spot_oco,
    spot_place,
    unsupported,
    venue_symbol,
)
from lanner.venues.binance.reference import Bounds, spot_instruments
from lanner.venues.binance.routes import plan, stream_of
from lanner.venues.binance.spec import (
    BINANCE_SPOT,
    MAX_AGE_S,
    PING_S,
    SPOT_DEPTH,
    SPOT_SENDS_PER_S,
    VENUE,
)
from lanner.venues.binance.told import ZERO
from lanner.venues.binance.user_spot import REPLACE_MARK, SpotUserReader, spot_balance
from lanner.venues.binance.wire_rights import SpotAccount, SpotCommission
from lanner.venues.binance.words import SPOT_TYPES
from lanner.venues.codec import Call, Endpoints, Heartbeat, OrderCall, Page, Route, Subscription, UserRoute
from lanner.venues.keys import Keys

API = "/api/v3"
DAY_NS = 86_400_000_000_000

_NEW = {"weight": 1, "orders_10s": 1, "orders_1d": 1}
_LIST = {"weight": 1, "orders_10s": 2, "orders_1d": 2}

_account: Callable[[bytes], SpotAccount] = reader(SpotAccount)
_commission: Callable[[bytes], SpotCommission] = reader(SpotCommission)
_canceled: Callable[[bytes], list[object]] = reader(list[object])


class BinanceSpotCodec(BinanceCodec):
    """Speak Binance spot. ``microseconds`` asks streams and the account's events for finer times."""

    def __init__(self, endpoints: Endpoints, keys: Keys | None = None, *, microseconds: bool = False) -> None:
        super().__init__(BINANCE_SPOT, endpoints, keys, SPOT_TYPES)
        self._unit = "?timeUnit=MICROSECOND" if microseconds else ""
        self._heartbeat = Heartbeat(PING_S, ours=True)
        self.user = SpotUserReader(self.symbols, self.memory, self.fee_prices)
        self._events = self.user.events

    def twin(self) -> BinanceSpotCodec:
        """Return a codec with the same key and instruments that knows of no orders."""
        made = BinanceSpotCodec(self.endpoints, self.signer.keys)
        made.bounds = self.bounds
        made.use(self.symbols.by_id.values())
        return made

    # -- reference data and market data --------------------------------------------------------------------

    def instruments_call(self) -> Call[list[Instrument]]:
        """Ask for all instruments that can be traded."""
        return history.get(
            "instruments",
            f"{API}/exchangeInfo",
            {"permissions": "SPOT"},
            lambda body, _ts: self._read_instruments(spot_instruments(body)),
            20,
        )

    def server_time(self) -> Call[int]:
        """Ask for the venue's clock, in milliseconds."""
        return history.server_time(API)

    def routes(self, subscriptions: Sequence[Subscription]) -> list[Route]:
        """Plan the connections that serve these subscriptions."""
        url = f"{self.endpoints.stream}/stream{self._unit}"
        return plan(
            subscriptions,
            lambda wish: stream_of(wish, self.symbols.symbol(wish.instrument_id), futures=False),
            lambda _wish: ("market", url),
            self._heartbeat,
            SPOT_SENDS_PER_S,
        )

    def book_snapshot(self, instrument_id: str) -> Call[BookUpdate] | None:
        """Ask for a whole book."""
        return history.book_snapshot(API, self.instrument(instrument_id), SPOT_DEPTH, 250)

    def quote(self, instrument_id: str) -> Call[Quote]:
        """Ask for best bid and ask."""
        return history.quote(API, self.instrument(instrument_id), 2)

    def bars(self, instrument_id: str, timeframe: str, since_ns: int, until_ns: int) -> Call[Page[Bar]]:
        """Ask for closed bars that open in [since, until)."""
        return history.bars(API, self.instrument(instrument_id), timeframe, since_ns, until_ns, 2)

    def trades(self, instrument_id: str, since_ns: int | None, until_ns: int | None) -> Call[Page[Trade]]:
        """Ask for public trades, those of one taker order at one price as one (the stream tells each)."""
        return history.trades(API, self.instrument(instrument_id), since_ns, until_ns, 4)

    def funding(self, instrument_id: str, since_ns: int, until_ns: int) -> Call[Page[FundingRate]]:
        """Refuse: spot has no funding."""
        unsupported("spot instruments have no funding")

    # -- the account ---------------------------------------------------------------------------------------

    def user_routes(self) -> list[UserRoute]:
        """Plan the connection that tells about the account."""
        signer = self.signer
        _ = signer.keys

        def hello(ts_ms: int, _nonce: int, _token: str) -> tuple[bytes, ...]:
            return (signer.frame(SUBSCRIBE, "userDataStream.subscribe.signature", {}, ts_ms),)

        return [self._route(hello)]

    def trade_route(self) -> UserRoute | None:
        """Plan the connection that orders travel on."""
        _ = self.signer.keys
        return self._route(lambda ts_ms, _nonce, _token: self._logon(ts_ms))

    def _route(self, hello: Callable[[int, int, str], tuple[bytes, ...]]) -> UserRoute:
        url = self.endpoints.trade + self._unit
        return UserRoute(lambda _token: url, hello, self._heartbeat, max_age_s=MAX_AGE_S)

    def account(self) -> list[Call[AccountState]]:
        """Ask for balances."""

        def parse(body: bytes, ts_recv: int) -> AccountState:
            told = _account(body)
            balances = tuple(
                spot_balance(row.asset, row.free, row.locked)
                for row in told.balances
                if row.free or row.locked
            )
            return AccountState(VENUE, to_ns(told.updateTime) or ts_recv, balances)

        return [self.desk.ask("account", f"{API}/account", {"omitZeroBalances": "true"}, parse, 20)]

    def open_orders(self, instrument_id: str | None = None) -> Call[list[VenueOrder]]:
        """Ask for working orders, conditional ones included."""
        return self.desk.open_orders(f"{API}/openOrders", instrument_id, 6, 80)

    def orders_since(self, instrument_id: str, since_ns: int) -> Call[list[VenueOrder]]:
        """Ask for an instrument's orders in any state that were made since a time."""
        return self.desk.orders_since(f"{API}/allOrders", instrument_id, since_ns, 20)

    def find_order(
        self, instrument_id: str, order_id: str, venue_order_id: str = ""
    ) -> Call[VenueOrder | None]:
        """Ask for one order by our id (or the venue's); None says that the venue has never heard of it."""
        return self.desk.find(f"{API}/order", instrument_id, order_id, venue_order_id, 4)

    def fills(self, since_ns: int, instrument_id: str | None = None) -> Call[Page[VenueFill]]:
        """Ask for our fills of an instrument since a time; the venue answers for one instrument at a time."""
        if instrument_id is None:
            unsupported("the venue tells fills of one instrument at a time", "Name an instrument.")
        return self.desk.fills(f"{API}/myTrades", instrument_id, since_ns, DAY_NS, 20)

    def fills_from(self, instrument_id: str, trade_id: int) -> Call[list[VenueFill]]:
        """Ask for our fills of an instrument from a trade id on."""
        return self.desk.fills_from(f"{API}/myTrades", instrument_id, trade_id, 20)

    def fees(self, instrument_id: str) -> Call[FeeRates]:
        """Ask for the account's own fees: standard, special and tax added up, without the BNB discount."""
        instrument = self.instrument(instrument_id)

        def parse(body: bytes, _ts_recv: int) -> FeeRates:
            told = _commission(body)
            parts = (told.standardCommission, told.specialCommission, told.taxCommission)
            aside = sum((max(part.buyer, part.seller) for part in parts), ZERO)
            maker = sum((part.maker for part in parts), aside)
            taker = sum((part.taker for part in parts), aside)
            return rates(instrument, FeeSchedule(maker, taker))

        params = {"symbol": venue_symbol(instrument)}
        return self.desk.ask("fees", f"{API}/account/commission", params, parse, 20)

    def rights(self) -> Call[KeyRights] | None:
        """Ask what the key may do."""
        return self.desk.rights()

    def set_leverage(self, instrument_id: str, leverage: int, mode: MarginMode) -> list[Call[None]]:
        """Refuse: spot has no leverage."""
        unsupported("spot instruments have no leverage")

    # -- orders --------------------------------------------------------------------------------------------

    def _submit(self, command: SubmitOrder) -> BinanceOrderCall:
        instrument = self.instrument(command.instrument_id)
        check_market(command, instrument, self.bounds.get(instrument.id, Bounds()))
        wire = Wire("order.place", "POST", f"{API}/order", spot_place(command, instrument))
        self.memory.submitted(command, conditional=False)
        return self._call("place", wire, (command,), self.answers.placed(command, instrument), _NEW)

    def _cancel(self, command: CancelOrder) -> BinanceOrderCall:
        params = {
            "symbol": self.symbols.symbol(command.instrument_id),
            "origClientOrderId": client_id(command.order_id),
        }
        wire = Wire("order.cancel", "DELETE", f"{API}/order", params)
        return self._call("cancel", wire, (command,), self.answers.canceled(command), {"weight": 1})

    def _amend(self, command: AmendOrder) -> BinanceOrderCall:
        """Change an order: less of it in place, anything else by a replace of an order that has no fills."""
        known = self.memory.of_order(command.order_id)
        if known is None:
            unsupported(f"the order {command.order_id} is not known")
        new = again(known, command.lots or known.lots, command.px_ticks, command.stop_ticks)
        instrument = self.instrument(command.instrument_id)
        known.request = command.request
        same = new.px_ticks == known.px_ticks and new.stop_ticks == known.stop_ticks
        if same and new.lots < known.lots:
            params = {
                "symbol": venue_symbol(instrument),
                "origClientOrderId": known.client_id,
                "newClientOrderId": known.client_id,
                "newQty": instrument.qty_text(new.lots),
            }
            wire = Wire("order.amend.keepPriority", "PUT", f"{API}/order/amend/keepPriority", params)
            read = self.answers.amended_in_place(command, known, instrument)
            return self._call("amend", wire, (command,), read, {"weight": 4})
        if known.cum_lots or known.type is OrderType.TRAILING_STOP:
            unsupported(
                "an order with fills, or a trailing one, can only be made smaller",
                "Cancel it and place a new one.",
            )
        return self._replace(command, new, instrument)

    def _replace(self, command: AmendOrder, new: SubmitOrder, instrument: Instrument) -> BinanceOrderCall:
        """Cancel and place anew in one request, under the same id; refused by the venue if a fill came in between."""
        known = self.memory.of_order(command.order_id)
        assert known is not None
        mark = blake2b(known.client_id.encode(), digest_size=8).hexdigest()
        params = {
            **spot_place(new, instrument),
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrigClientOrderId": known.client_id,
            "cancelNewClientOrderId": f"{REPLACE_MARK}{mark}-{command.request}",
            "cancelRestrictions": "ONLY_NEW",
        }
        known.replacing = (new.lots, new.px_ticks, new.stop_ticks)
        wire = Wire("order.cancelReplace", "POST", f"{API}/order/cancelReplace", params)
        read, failed = self.answers.replaced(command, known, instrument)
        return self._call("replace", wire, (command,), read, _NEW, failed)

    def _batch(self, batch: Batch) -> list[OrderCall]:
        """Write each command by itself, and a target with its stop as an OCO list: both lock the money once."""
        groups: dict[str, list[SubmitOrder]] = {}
        for command in batch.commands:
            grouped = isinstance(command, SubmitOrder) and command.group_kind in (
                GroupKind.OCO,
                GroupKind.BRACKET,
            )
            if grouped and command.group_id:  # type: ignore[union-attr]
                groups.setdefault(command.group_id, []).append(command)  # type: ignore[union-attr, arg-type]
        pairs = {name: pair for name, orders in groups.items() if (pair := oco_pair(orders))}
        calls: list[OrderCall] = []
        done: set[str] = set()
        for command in batch.commands:
            pair = pairs.get(command.group_id) if isinstance(command, SubmitOrder) else None
            if pair is None:
                calls += self.order(command)
            elif pair[0].group_id not in done:
                done.add(pair[0].group_id)
                calls.append(self._oco(*pair))
        return calls

    def _oco(self, target: SubmitOrder, stop: SubmitOrder) -> BinanceOrderCall:
        instrument = self.instrument(target.instrument_id)
        wire = Wire("orderList.place.oco", "POST", f"{API}/orderList/oco", spot_oco(target, stop, instrument))
        for leg in (target, stop):
            self.memory.submitted(leg, conditional=False)
        read = self.answers.placed_list((target, stop), instrument)
        return self._call("place list", wire, (target, stop), read, _LIST)

    def cancel_order(self, instrument_id: str, venue_order_id: str) -> Call[None]:
        """Take one order back by the venue's id, also one that is not ours."""
        params = {"symbol": self.symbols.symbol(instrument_id), "orderId": venue_order_id}
        return self.desk.cancel(f"{API}/order", params)

    def cancel_all(self, instrument_ids: Sequence[str]) -> list[Call[int]]:
        """Take all orders of these instruments back; the venue does so for one symbol at a time."""
        if not instrument_ids:
            unsupported("the venue cancels all orders of one symbol at a time", "Name the instruments.")
        return [
            self.desk.ask(
                "cancel all",
                f"{API}/openOrders",
                {"symbol": self.symbols.symbol(instrument_id)},
                lambda body, _ts: len(_canceled(body)),
                1,
                method="DELETE",
                priority=Priority.CANCEL,
            )
            for instrument_id in instrument_ids
        ]

    def dead_man(self, timeout_s: float | None, instrument_ids: Sequence[str]) -> list[Call[None]]:
        """Refuse: spot has no such switch."""
        unsupported("spot has no switch that cancels orders after a time")
