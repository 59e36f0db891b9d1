"""Questions about an account that both products answer alike: orders, fills, rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from lanner.model.accounts import FeeRates, KeyRights, VenueFill, VenueOrder
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.net.ratelimit import Priority
from lanner.venues.binance.auth import Signer
from lanner.venues.binance.codes import error_of
from lanner.venues.binance.history import guarded, reader
from lanner.venues.binance.memory import OrderMemory
from lanner.venues.binance.names import Symbols, client_id, to_ns
from lanner.venues.binance.told import Execution, Prices, algo_told, fee_in_settle, filled, order_told
from lanner.venues.binance.wire_orders import AlgoBody, OrderBody, TradeRow
from lanner.venues.binance.wire_rights import Restrictions
from lanner.venues.binance.words import side_of
from lanner.venues.codec import Call, Page

T = TypeVar("T")

_orders: Callable[[bytes], list[OrderBody]] = reader(list[OrderBody])
_order: Callable[[bytes], OrderBody] = reader(OrderBody)
_algos: Callable[[bytes], list[AlgoBody]] = reader(list[AlgoBody])
_algo: Callable[[bytes], AlgoBody] = reader(AlgoBody)
_trades: Callable[[bytes], list[TradeRow]] = reader(list[TradeRow])
_rights: Callable[[bytes], Restrictions] = reader(Restrictions)

FILL_ROWS = 1000


class AccountDesk:
    """Ask about an account of one product."""

    __slots__ = ("_memory", "_prices", "_symbols", "_types", "signer")

    def __init__(
        self,
        symbols: Symbols,
        memory: OrderMemory,
        signer: Signer,
        prices: Prices,
        types: Mapping[str, OrderType],
    ) -> None:
        self._symbols = symbols
        self._memory = memory
        self.signer = signer
        self._prices = prices
        self._types = types

    def ask(
        self,
        name: str,
        path: str,
        params: Mapping[str, str],
        parse: Callable[[bytes, int], T],
        weight: int,
        *,
        method: str = "GET",
        priority: Priority = Priority.READ,
        idempotent: bool = True,
        then: Call[T] | None = None,
    ) -> Call[T]:
        """Return a signed question; without a key it is refused at once."""
        signer = self.signer
        _ = signer.keys
        return Call(
            name,
            lambda ts_ms, _nonce: signer.signed(method, path, params, ts_ms),
            guarded(parse),
            {"weight": weight},
            priority,
            idempotent,
            then,
        )

    # -- orders --------------------------------------------------------------------------------------------

    def open_orders(
        self,
        path: str,
        instrument_id: str | None,
        weight: int,
        weight_all: int,
        then: Call[list[VenueOrder]] | None = None,
    ) -> Call[list[VenueOrder]]:
        """Ask for working orders; those of instruments that are not known are left out."""

        def parse(body: bytes, ts_recv: int) -> list[VenueOrder]:
            return [one for row in _orders(body) if (one := self._told(row, ts_recv)) is not None]

        return self.ask(
            "open orders",
            path,
            self._symbol(instrument_id),
            parse,
            weight_all if instrument_id is None else weight,
            then=then,
        )

    def open_algos(self, path: str, instrument_id: str | None) -> Call[list[VenueOrder]]:
        """Ask for conditional orders that wait for their trigger (futures)."""

        def parse(body: bytes, ts_recv: int) -> list[VenueOrder]:
            return [one for row in _algos(body) if (one := self._algo_told(row, ts_recv)) is not None]

        return self.ask(
            "open conditional orders",
            path,
            self._symbol(instrument_id),
            parse,
            40 if instrument_id is None else 1,
        )

    def find(
        self,
        path: str,
        instrument_id: str,
        order_id: str,
        venue_order_id: str,
        weight: int,
        then: Call[VenueOrder | None] | None = None,
    ) -> Call[VenueOrder | None]:
        """Ask for one order; None says that the venue has never heard of it."""

        def parse(body: bytes, ts_recv: int) -> VenueOrder | None:
            return None if _unknown(body) else self._told(_order(body), ts_recv)

        params = self._symbol(instrument_id)
        if order_id:
            params["origClientOrderId"] = client_id(order_id)
        else:
            params["orderId"] = venue_order_id
        return self.ask("order", path, params, parse, weight, then=then)

    def find_algo(self, path: str, order_id: str, venue_order_id: str = "") -> Call[VenueOrder | None]:
        """Ask for one conditional order (futures)."""

        def parse(body: bytes, ts_recv: int) -> VenueOrder | None:
            return None if _unknown(body) else self._algo_told(_algo(body), ts_recv)

        params = {"clientAlgoId": client_id(order_id)} if order_id else {"algoId": venue_order_id}
        return self.ask("conditional order", path, params, parse, 1)

    def orders_since(
        self, path: str, instrument_id: str, since_ns: int, weight: int
    ) -> Call[list[VenueOrder]]:
        """Ask for orders in any state that were made since a time, at most a day of them."""

        def parse(body: bytes, ts_recv: int) -> list[VenueOrder]:
            return [one for row in _orders(body) if (one := self._told(row, ts_recv)) is not None]

        params = self._symbol(instrument_id) | {
            "startTime": str(since_ns // 1_000_000),
            "limit": str(FILL_ROWS),
        }
        return self.ask("orders", path, params, parse, weight)

    def _told(self, body: OrderBody, ts_recv: int) -> VenueOrder | None:
        instrument = self._symbols.by_symbol.get(body.symbol)
        if instrument is None:
            return None
        number = "" if body.orderId is None else str(body.orderId)
        known = self._memory.find(instrument.id, number, body.origClientOrderId, body.clientOrderId)
        if known is not None:
            self._memory.named(known, instrument.id, number)
        return order_told(instrument, known, body, self._types, ts_recv)

    def _algo_told(self, body: AlgoBody, ts_recv: int) -> VenueOrder | None:
        instrument = self._symbols.by_symbol.get(body.symbol)
        if instrument is None:
            return None
        known = self._memory.find(instrument.id, str(body.algoId or ""), body.clientAlgoId)
        if known is not None:
            self._memory.named(known, instrument.id, str(body.actualOrderId or ""))
        if not body.actualOrderId:
            self._memory.waits(instrument.id, str(body.algoId or ""))
        return algo_told(instrument, known, body, ts_recv)

    def _symbol(self, instrument_id: str | None) -> dict[str, str]:
        return {} if instrument_id is None else {"symbol": self._symbols.symbol(instrument_id)}

    def cancel(self, path: str, params: Mapping[str, str]) -> Call[None]:
        """Take one order back by the venue's number."""
        return self.ask(
            "cancel",
            path,
            params,
            lambda _body, _ts: None,
            1,
            method="DELETE",
            priority=Priority.CANCEL,
            idempotent=False,
        )

    # -- fills ---------------------------------------------------------------------------------------------

    def fills(
        self, path: str, instrument_id: str, since_ns: int, window_ns: int, weight: int
    ) -> Call[Page[VenueFill]]:
        """Ask for fills of an instrument since a time; the venue takes windows of so many nanoseconds."""
        instrument = self._symbols.instrument(instrument_id)
        until_ns = since_ns + window_ns
        params = self._symbol(instrument_id) | {
            "startTime": str(since_ns // 1_000_000),
            "endTime": str(until_ns // 1_000_000 - 1),
            "limit": str(FILL_ROWS),
        }

        def parse(body: bytes, ts_recv: int) -> Page[VenueFill]:
            rows = _trades(body)
            last = rows[-1].time if rows else 0
            full = len(rows) >= FILL_ROWS
            kept = [row for row in rows if row.time < last] if full else rows
            found = tuple(self._fill(instrument, row, ts_recv) for row in kept or rows)
            if full:
                return Page(found, to_ns(last if kept else last + 1))
            return Page(found, until_ns if until_ns < ts_recv else None)

        return self.ask("fills", path, params, parse, weight)

    def fills_from(self, path: str, instrument_id: str, trade_id: int, weight: int) -> Call[list[VenueFill]]:
        """Ask for fills of an instrument from a trade id on."""
        instrument = self._symbols.instrument(instrument_id)
        params = self._symbol(instrument_id) | {"fromId": str(trade_id), "limit": str(FILL_ROWS)}

        def parse(body: bytes, ts_recv: int) -> list[VenueFill]:
            return [self._fill(instrument, row, ts_recv) for row in _trades(body)]

        return self.ask("fills", path, params, parse, weight)

    def _fill(self, instrument: Instrument, row: TradeRow, ts_recv: int) -> VenueFill:
        buys = row.isBuyer if row.isBuyer is not None else row.buyer
        side = side_of(row.side) if buys is None else Side.BUY if buys else Side.SELL
        number = "" if row.orderId is None else str(row.orderId)
        known = self._memory.find(instrument.id, number)
        execution = Execution(
            str(row.id),
            side,
            row.price,
            row.qty,
            to_ns(row.time),
            bool(row.isMaker or row.maker),
            row.commission,
            row.commissionAsset,
        )
        _, currency = fee_in_settle(instrument, row.price, row.commission, row.commissionAsset, self._prices)
        order_id = "" if known is None else known.order_id
        report = filled(instrument, order_id, execution, ts_recv, self._prices)
        return VenueFill(report, number, "" if known is None else known.client_id, currency)

    # -- the key -------------------------------------------------------------------------------------------

    def rights(self) -> Call[KeyRights]:
        """Ask what the key may do; the venue has one answer for all products."""

        def parse(body: bytes, _ts_recv: int) -> KeyRights:
            told = _rights(body)
            futures = self._types.get("STOP") is not None
            trade = told.enableFutures if futures else told.enableSpotAndMarginTrading
            return KeyRights(told.enableReading, trade, told.enableWithdrawals, told.ipRestrict)

        return self.ask("rights", "/sapi/v1/account/apiRestrictions", {}, parse, 1)


def rates(instrument: Instrument, schedule: FeeSchedule) -> FeeRates:
    """Pair an instrument with the account's fees."""
    return FeeRates(instrument.id, schedule)


def _unknown(body: bytes) -> bool:
    """Tell whether the answer is -2013: there is no such order."""
    error = error_of(body)
    return error is not None and error.code == -2013
