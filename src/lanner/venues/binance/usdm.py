"""The codec of Binance USD-M perpetuals (one-way mode).

Orders travel over the WebSocket API; conditional ones go to the venue's algo service and get a second number when they
are triggered. The account's events come on a listen key. Streams are routed by path; see ``spec``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from lanner.model.accounts import (
    AccountState,
    Balance,
    FeeRates,
    KeyRights,
    MarginMode,
    VenueFill,
    VenueOrder,
)
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import OrderType
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, Quote, Trade
from lanner.model.reports import FundingPaid
from lanner.net.ratelimit import Priority
from lanner.venues.binance import history
from lanner.venues.binance.account import rates
from lanner.venues.binance.account_usdm import funding_paid, position_told, wallet_told
from lanner.venues.binance.calls import BinanceOrderCall, Order
from lanner.venues.binance.codec import BinanceCodec
from lanner.venues.binance.history import reader
from lanner.venues.binance.memory import TRIGGERED, Known
from lanner.venues.binance.names import client_id, exact
from lanner.venues.binance.orders import (
    Wire,
    again,
    check_market,
    unsupported,
    usdm_algo,
    usdm_place,
    venue_symbol,
)
from lanner.venues.binance.reference import Bounds, usdm_instruments
from lanner.venues.binance.routes import plan, stream_of
from lanner.venues.binance.spec import (
    BATCH_ORDERS,
    BINANCE_USDM,
    LISTEN_KEY_KEPT_S,
    MAX_AGE_S,
    PING_S,
    USDM_DEPTH,
    USDM_SENDS_PER_S,
    VENUE,
)
from lanner.venues.binance.user_purse import UsdmPurseReader
from lanner.venues.binance.user_usdm import UsdmOrderReader
from lanner.venues.binance.wire_rights import (
    IncomeRow,
    ListenKey,
    PositionMode,
    PositionRow,
    UsdmAccount,
    UsdmCommission,
)
from lanner.venues.binance.words import SIDE_WORDS, USDM_TYPES
from lanner.venues.codec import (
    Call,
    Endpoints,
    Feed,
    Heartbeat,
    OrderCall,
    Page,
    Route,
    Subscription,
    UserRoute,
)
from lanner.venues.keys import Keys

T = TypeVar("T")

API = "/fapi/v1"
WEEK_NS = 7 * 86_400_000_000_000

_ORDER = {"orders_10s": 1, "orders_1m": 1}
_WEIGHT = {"weight": 1}

_listen_key: Callable[[bytes], ListenKey] = reader(ListenKey)
_account: Callable[[bytes], UsdmAccount] = reader(UsdmAccount)
_positions: Callable[[bytes], list[PositionRow]] = reader(list[PositionRow])
_commission: Callable[[bytes], UsdmCommission] = reader(UsdmCommission)
_position_mode: Callable[[bytes], PositionMode] = reader(PositionMode)
_income: Callable[[bytes], list[IncomeRow]] = reader(list[IncomeRow])


class BinanceUsdmCodec(BinanceCodec):
    """Speak Binance USD-M futures.

    ``batch_over_http`` sends a batch as one request of up to five orders; the order socket takes them one by one, which
    is faster for the first of them.
    """

    def __init__(
        self, endpoints: Endpoints, keys: Keys | None = None, *, batch_over_http: bool = False
    ) -> None:
        super().__init__(BINANCE_USDM, endpoints, keys, USDM_TYPES)
        self.batch_over_http = batch_over_http
        self._heartbeat = Heartbeat(PING_S, ours=True)
        self.user = UsdmOrderReader(self.symbols, self.memory, self.fee_prices)
        self.purse = UsdmPurseReader(self.symbols)
        self._events = {**self.user.events, **self.purse.events}

    def twin(self) -> BinanceUsdmCodec:
        """Return a codec with the same key and instruments that knows of no orders."""
        made = BinanceUsdmCodec(self.endpoints, self.signer.keys)
        made.bounds = self.bounds
        made.use(self.symbols.by_id.values())
        return made

    # -- reference data and market data --------------------------------------------------------------------

    def instruments_call(self) -> Call[list[Instrument]]:
        """Ask for all instruments that can be traded."""
        return history.get(
            "instruments",
            f"{API}/exchangeInfo",
            {},
            lambda body, _ts: self._read_instruments(usdm_instruments(body)),
            1,
        )

    def server_time(self) -> Call[int]:
        """Ask for the venue's clock, in milliseconds."""
        return history.server_time(API)

    def routes(self, subscriptions: Sequence[Subscription]) -> list[Route]:
        """Plan the connections that serve these subscriptions; on the wrong path a stream would stay silent."""

        def place(wish: Subscription) -> tuple[str, str]:
            path = "public" if wish.feed in (Feed.QUOTES, Feed.BOOK) else "market"
            return path, f"{self.endpoints.stream}/{path}/stream"

        return plan(
            subscriptions,
            lambda wish: stream_of(wish, self.symbols.symbol(wish.instrument_id), futures=True),
            place,
            self._heartbeat,
            USDM_SENDS_PER_S,
        )

    def book_snapshot(self, instrument_id: str) -> Call[BookUpdate] | None:
        """Ask for a whole book."""
        return history.book_snapshot(API, self.instrument(instrument_id), USDM_DEPTH, 20)

    def quote(self, instrument_id: str) -> Call[Quote]:
        """Ask for best bid and ask."""
        return history.quote(API, self.instrument(instrument_id), 2)

    def bars(self, instrument_id: str, timeframe: str, since_ns: int, until_ns: int) -> Call[Page[Bar]]:
        """Ask for closed bars that open in [since, until)."""
        return history.bars(API, self.instrument(instrument_id), timeframe, since_ns, until_ns, 5)

    def trades(self, instrument_id: str, since_ns: int | None, until_ns: int | None) -> Call[Page[Trade]]:
        """Ask for public trades, those of one taker order at one price as one."""
        return history.trades(API, self.instrument(instrument_id), since_ns, until_ns, 20)

    def funding(self, instrument_id: str, since_ns: int, until_ns: int) -> Call[Page[FundingRate]]:
        """Ask for settled funding rates."""
        return history.funding(self.instrument(instrument_id), since_ns, until_ns)

    # -- the account ---------------------------------------------------------------------------------------

    def user_routes(self) -> list[UserRoute]:
        """Plan the connection that tells about the account, on a listen key that is kept alive."""
        signer = self.signer
        _ = signer.keys
        prepare = Call(
            "listen key",
            lambda _ts, _nonce: signer.keyed("POST", f"{API}/listenKey", {}),
            lambda body, _ts: _listen_key(body).listenKey,
            _WEIGHT,
        )
        keep: Call[None] = Call(
            "keep listen key",
            lambda _ts, _nonce: signer.keyed("PUT", f"{API}/listenKey", {}),
            lambda _body, _ts: None,
            _WEIGHT,
        )
        return [
            UserRoute(
                lambda token: f"{self.endpoints.stream}/private/ws/{token}",
                lambda _ts, _nonce, _token: (),
                self._heartbeat,
                prepare,
                keep,
                LISTEN_KEY_KEPT_S,
                MAX_AGE_S,
            )
        ]

    def trade_route(self) -> UserRoute | None:
        """Plan the connection that orders travel on."""
        _ = self.signer.keys
        return UserRoute(
            lambda _token: self.endpoints.trade,
            lambda ts_ms, _nonce, _token: self._logon(ts_ms),
            self._heartbeat,
            max_age_s=MAX_AGE_S,
        )

    def account(self) -> list[Call[AccountState]]:
        """Ask for balances and positions, each by its own question."""

        def wallets(body: bytes, ts_recv: int) -> AccountState:
            told = _account(body)
            balances: tuple[Balance, ...] = tuple(wallet_told(row) for row in told.assets)
            return AccountState(
                VENUE,
                ts_recv,
                tuple(one for one in balances if one.total or one.available or one.locked),
                equity=None if told.totalMarginBalance is None else exact(told.totalMarginBalance),
                margin_used=None if told.totalInitialMargin is None else exact(told.totalInitialMargin),
            )

        def positions(body: bytes, ts_recv: int) -> AccountState:
            known = self.symbols.by_symbol
            found = tuple(
                position_told(known[row.symbol], row) for row in _positions(body) if row.symbol in known
            )
            self.purse.seen(found)
            return AccountState(VENUE, ts_recv, (), tuple(one for one in found if one.lots))

        return [
            self.desk.ask("account", "/fapi/v3/account", {}, wallets, 5),
            self.desk.ask("positions", "/fapi/v3/positionRisk", {}, positions, 5),
        ]

    def open_orders(self, instrument_id: str | None = None) -> Call[list[VenueOrder]]:
        """Ask for working orders, conditional ones included (by a second question)."""
        return self.desk.open_orders(
            f"{API}/openOrders", instrument_id, 1, 40, self.open_conditional_orders(instrument_id)
        )

    def open_conditional_orders(self, instrument_id: str | None = None) -> Call[list[VenueOrder]]:
        """Ask for orders that wait for their trigger."""
        return self.desk.open_algos(f"{API}/openAlgoOrders", instrument_id)

    def orders_since(self, instrument_id: str, since_ns: int) -> Call[list[VenueOrder]]:
        """Ask for an instrument's orders in any state that were made since a time."""
        return self.desk.orders_since(f"{API}/allOrders", instrument_id, since_ns, 5)

    def find_order(
        self, instrument_id: str, order_id: str, venue_order_id: str = ""
    ) -> Call[VenueOrder | None]:
        """Ask for one order by our id (or the venue's); None says that the venue has never heard of it.

        An order that is known to be conditional is asked for at the algo service, and one of which nothing is known
        there, too.
        """
        known = self.memory.of_order(order_id) if order_id else None
        conditional = self.find_conditional_order(instrument_id, order_id, venue_order_id)
        if known is not None and known.conditional:
            return conditional
        then = conditional if known is None or known.type is None else None
        return self.desk.find(f"{API}/order", instrument_id, order_id, venue_order_id, 1, then)

    def find_conditional_order(
        self, instrument_id: str, order_id: str, venue_order_id: str = ""
    ) -> Call[VenueOrder | None]:
        """Ask the algo service for one order."""
        return self.desk.find_algo(f"{API}/algoOrder", order_id, venue_order_id)

    def fills(self, since_ns: int, instrument_id: str | None = None) -> Call[Page[VenueFill]]:
        """Ask for our fills of an instrument since a time; the venue answers for one instrument at a time."""
        if instrument_id is None:
            unsupported("the venue tells fills of one instrument at a time", "Name an instrument.")
        return self.desk.fills(f"{API}/userTrades", instrument_id, since_ns, WEEK_NS, 5)

    def fills_from(self, instrument_id: str, trade_id: int) -> Call[list[VenueFill]]:
        """Ask for our fills of an instrument from a trade id on."""
        return self.desk.fills_from(f"{API}/userTrades", instrument_id, trade_id, 5)

    def funding_paid(self, since_ns: int) -> Call[list[FundingPaid]]:
        """Ask for funding that was paid or received since a time, at most a week of it."""

        def parse(body: bytes, ts_recv: int) -> list[FundingPaid]:
            return funding_paid(_income(body), self.symbols, ts_recv)

        params = {
            "incomeType": "FUNDING_FEE",
            "startTime": str(since_ns // 1_000_000),
            "limit": "1000",
        }
        return self.desk.ask("income", f"{API}/income", params, parse, 30)

    def fees(self, instrument_id: str) -> Call[FeeRates]:
        """Ask for the account's own fees."""
        instrument = self.instrument(instrument_id)

        def parse(body: bytes, _ts_recv: int) -> FeeRates:
            told = _commission(body)
            return rates(instrument, FeeSchedule(told.makerCommissionRate, told.takerCommissionRate))

        params = {"symbol": venue_symbol(instrument)}
        return self.desk.ask("fees", f"{API}/commissionRate", params, parse, 20)

    def rights(self) -> Call[KeyRights] | None:
        """Ask how the account keeps positions; what its key may do is told by the spot server (``rights_at``)."""

        def parse(body: bytes, _ts_recv: int) -> KeyRights:
            return KeyRights(True, None, None, hedge=_position_mode(body).dualSidePosition)

        return self.desk.ask("position mode", f"{API}/positionSide/dual", {}, parse, 30)

    def set_leverage(self, instrument_id: str, leverage: int, mode: MarginMode) -> list[Call[None]]:
        """Set margin mode and leverage. The venue refuses a mode that is set already (-4046): that is no fault."""
        symbol = self.symbols.symbol(instrument_id)
        kind = "ISOLATED" if mode is MarginMode.ISOLATED else "CROSSED"
        return [
            self._set("margin type", "marginType", {"symbol": symbol, "marginType": kind}),
            self._set("leverage", "leverage", {"symbol": symbol, "leverage": str(leverage)}),
        ]

    def _set(
        self, name: str, path: str, params: dict[str, str], *, priority: Priority = Priority.READ
    ) -> Call[None]:
        return self.desk.ask(
            name, f"{API}/{path}", params, lambda _body, _ts: None, 1, method="POST", priority=priority
        )

    # -- orders --------------------------------------------------------------------------------------------

    def _submit(self, command: SubmitOrder) -> BinanceOrderCall:
        instrument = self.instrument(command.instrument_id)
        if command.type in TRIGGERED:
            wire = Wire("algoOrder.place", "POST", f"{API}/algoOrder", usdm_algo(command, instrument))
            self.memory.submitted(command, conditional=True)
            read = self.answers.placed_algo(command, instrument)
            return self._call("place conditional", wire, (command,), read, _ORDER)
        check_market(command, instrument, self.bounds.get(instrument.id, Bounds()))
        wire = Wire("order.place", "POST", f"{API}/order", usdm_place(command, instrument))
        self.memory.submitted(command, conditional=False)
        return self._call("place", wire, (command,), self.answers.placed(command, instrument), _ORDER)

    def _cancel(self, command: CancelOrder) -> BinanceOrderCall:
        known = self.memory.of_order(command.order_id)
        if known is not None and known.conditional and not known.triggered:
            params = {"clientAlgoId": known.client_id}
            wire = Wire("algoOrder.cancel", "DELETE", f"{API}/algoOrder", params)
            read = self.answers.canceled_algo(command)
            return self._call("cancel conditional", wire, (command,), read, _WEIGHT)
        params = {
            "symbol": self.symbols.symbol(command.instrument_id),
            **self._which(command.order_id, known),
        }
        wire = Wire("order.cancel", "DELETE", f"{API}/order", params)
        return self._call("cancel", wire, (command,), self.answers.canceled(command), _WEIGHT)

    def _which(self, order_id: str, known: Known | None) -> dict[str, str]:
        """Name an order to the venue: one that was triggered by its new number, since our text was the trigger's."""
        if known is not None and known.conditional and known.triggered and known.venue_order_id:
            return {"orderId": known.venue_order_id}
        return {"origClientOrderId": client_id(order_id)}

    def _amend(self, command: AmendOrder) -> BinanceOrderCall:
        instrument = self.instrument(command.instrument_id)
        known, params = self._amend_params(command, instrument)
        wire = Wire("order.modify", "PUT", f"{API}/order", params)
        read = self.answers.amended(command, known, instrument)
        return self._call("amend", wire, (command,), read, {"weight": 1, **_ORDER})

    def _amend_params(self, command: AmendOrder, instrument: Instrument) -> tuple[Known, dict[str, str]]:
        """Write an amend: the venue wants side, quantity and price told again."""
        known = self.memory.of_order(command.order_id)
        if known is None:
            unsupported(f"the order {command.order_id} is not known")
        if known.conditional and not known.triggered:
            unsupported("a conditional order cannot be changed", "Cancel it and place a new one instead.")
        new = again(known, command.lots or known.lots, command.px_ticks, command.stop_ticks)
        if new.px_ticks is None or known.type not in _LIMITS:
            unsupported("only a limit order can be changed")
        known.request = command.request
        return known, {
            "symbol": venue_symbol(instrument),
            **self._which(command.order_id, known),
            "side": SIDE_WORDS[new.side],
            "quantity": instrument.qty_text(new.lots),
            "price": instrument.px_text(new.px_ticks),
        }

    def _batch(self, batch: Batch) -> list[OrderCall]:
        """Write each command by itself, or over HTTP up to five at once."""
        if not self.batch_over_http:
            return [call for command in batch.commands for call in self.order(command)]
        calls: list[OrderCall] = []
        places: list[SubmitOrder] = []
        amends: list[AmendOrder] = []
        for command in batch.commands:
            if isinstance(command, SubmitOrder) and command.type not in TRIGGERED:
                places.append(command)
            elif isinstance(command, AmendOrder):
                amends.append(command)
            else:
                calls += self.order(command)
        for group in _fives(places):
            calls.append(self._together(group, "POST", [self._place_params(one) for one in group]))
        for changes in _fives(amends):
            params = [self._amend_params(one, self.instrument(one.instrument_id))[1] for one in changes]
            calls.append(self._together(changes, "PUT", params))
        return calls

    def _place_params(self, command: SubmitOrder) -> dict[str, str]:
        instrument = self.instrument(command.instrument_id)
        check_market(command, instrument, self.bounds.get(instrument.id, Bounds()))
        params = usdm_place(command, instrument)
        self.memory.submitted(command, conditional=False)
        return params

    def _together(
        self, commands: Sequence[Order], method: str, params: list[dict[str, str]]
    ) -> BinanceOrderCall:
        text = msgspec.json.encode(params).decode()
        wire = Wire("", method, f"{API}/batchOrders", {"batchOrders": text})
        read = self.answers.batch(commands, self.symbols.by_id)
        costs = {"weight": 5, "orders_10s": len(commands), "orders_1m": len(commands)}
        return self._call("batch", wire, tuple(commands), read, costs)

    def cancel_order(self, instrument_id: str, venue_order_id: str) -> Call[None]:
        """Take one order back by the venue's id, also one that is not ours or that waits for its trigger."""
        if self.memory.is_waiting(instrument_id, venue_order_id):
            return self.desk.cancel(f"{API}/algoOrder", {"algoId": venue_order_id})
        params = {"symbol": self.symbols.symbol(instrument_id), "orderId": venue_order_id}
        return self.desk.cancel(f"{API}/order", params)

    def cancel_all(self, instrument_ids: Sequence[str]) -> list[Call[int]]:
        """Take all orders of these instruments back, conditional ones too; the venue tells no number (-1)."""
        if not instrument_ids:
            unsupported("the venue cancels all orders of one symbol at a time", "Name the instruments.")
        return [
            self.desk.ask(
                f"cancel all {kind}".strip(),
                f"{API}/{path}",
                {"symbol": self.symbols.symbol(instrument_id)},
                lambda _body, _ts: -1,
                1,
                method="DELETE",
                priority=Priority.CANCEL,
            )
            for instrument_id in instrument_ids
            for kind, path in (("", "allOpenOrders"), ("conditional", "algoOpenOrders"))
        ]

    def dead_man(self, timeout_s: float | None, instrument_ids: Sequence[str]) -> list[Call[None]]:
        """Arm the venue's own switch for each instrument; None disarms it.

        The venue does not say whether it takes conditional orders back, too: cancel those by ``cancel_all``.
        """
        if not instrument_ids:
            unsupported("the switch is set for one symbol at a time", "Name the instruments.")
        countdown = "0" if timeout_s is None else str(round(timeout_s * 1000))
        return [
            self.desk.ask(
                "dead man",
                f"{API}/countdownCancelAll",
                {"symbol": self.symbols.symbol(instrument_id), "countdownTime": countdown},
                lambda _body, _ts: None,
                10,
                method="POST",
                priority=Priority.CANCEL,
            )
            for instrument_id in instrument_ids
        ]


_LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


def _fives(commands: Sequence[T]) -> list[Sequence[T]]:
    return [commands[start : start + BATCH_ORDERS] for start in range(0, len(commands), BATCH_ORDERS)]
