"""Events of a spot account: news of orders, fills and balances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from lanner.model.accounts import Balance, BalancesReport, VenueOrder
from lanner.model.enums import OrderStatus, OrderType, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.reports import (
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
)
from lanner.venues.binance.memory import TRIGGERED, Known, OrderMemory
from lanner.venues.binance.names import Symbols, exact, quantity_lots, some_ticks, to_ns
from lanner.venues.binance.spec import VENUE
from lanner.venues.binance.told import ZERO, Execution, Prices, average, filled
from lanner.venues.binance.wire_orders import AccountPosition, ExecutionReport
from lanner.venues.binance.words import (
    MAKER_TIFS,
    SPOT_TYPES,
    TIFS,
    expiry_of,
    side_of,
    status_of,
    type_of,
)
from lanner.venues.codec import Inbound
from lanner.venues.errors import Reason

REPLACE_MARK = "rpl-"
"""How the cancel inside a replace is called, so that its news is not taken for the order's end."""

_execution = msgspec.json.Decoder(ExecutionReport, strict=False).decode
_position = msgspec.json.Decoder(AccountPosition, strict=False).decode


class SpotUserReader:
    """Read the events of a spot account."""

    __slots__ = ("_memory", "_prices", "_symbols", "events")

    def __init__(self, symbols: Symbols, memory: OrderMemory, prices: Prices) -> None:
        self._symbols = symbols
        self._memory = memory
        self._prices = prices
        self.events: dict[str, Callable[[bytes, int], Sequence[Inbound] | None]] = {
            "executionReport": self.execution,
            "outboundAccountPosition": self.balances,
        }

    def balances(self, raw: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read balances that may have changed."""
        event = _position(raw)
        return (
            BalancesReport(
                VENUE,
                to_ns(event.u or event.E),
                ts_recv,
                tuple(spot_balance(one.a, one.f, one.l) for one in event.B),
            ),
        )

    def execution(self, raw: bytes, ts_recv: int) -> Sequence[Inbound] | None:
        """Read news of an order; None when its instrument is not known."""
        report = _execution(raw)
        instrument = self._symbols.by_symbol.get(report.s)
        if instrument is None:
            return None
        number = "" if report.i is None else str(report.i)
        known = self._memory.find(instrument.id, number, report.C, report.c)
        if known is None:
            return (_stranger(instrument, report),)
        return self._ours(instrument, known, report, number, ts_recv)

    def _ours(
        self, instrument: Instrument, known: Known, report: ExecutionReport, number: str, ts_recv: int
    ) -> Sequence[Inbound]:
        name = (known.order_id, instrument.id, to_ns(report.T), ts_recv)
        what = report.x
        if what == "CANCELED":
            if report.c.startswith(REPLACE_MARK) or report.X == "PENDING_CANCEL":
                return ()
            if known.venue_order_id or not number:
                return (OrderCanceled(*name),)
            # without its number nobody would know an order's fills after a restart
            self._memory.named(known, instrument.id, number)
            return (OrderAccepted(*name, number), OrderCanceled(*name))
        self._memory.named(known, instrument.id, number)
        if what == "TRADE" or (what == "CALCULATED" and report.l):
            return self._traded(instrument, known, report, ts_recv)
        if what == "NEW":
            return self._new(known, report, name, number)
        if what == "REPLACED":
            return (self._amended(instrument, known, report, ts_recv),)
        if what == "REJECTED":
            return (OrderRejected(*name, f"refused by the venue: {report.r or ''}", Reason.OTHER),)
        if what in ("EXPIRED", "TRADE_PREVENTION"):
            return _expired(report, name)
        raise ValueError(f"unknown news of an order: {what!r}")

    def _new(
        self, known: Known, report: ExecutionReport, name: tuple[str, str, int, int], number: str
    ) -> Sequence[Inbound]:
        if known.replacing is not None:
            known.replaced()
            return (
                OrderAmended(*name, known.lots, known.px_ticks, known.stop_ticks, known.request),
                OrderAccepted(*name, number),
            )
        kind = type_of(SPOT_TYPES, report.o)
        if kind in TRIGGERED and report.w and report.T > report.O and not known.triggered:
            known.triggered = True
            return (OrderTriggered(*name),)
        return (OrderAccepted(*name, number),)

    def _amended(
        self, instrument: Instrument, known: Known, report: ExecutionReport, ts_recv: int
    ) -> OrderAmended:
        known.lots = quantity_lots(instrument, report.q)
        known.px_ticks = some_ticks(instrument, report.p)
        known.stop_ticks = some_ticks(instrument, report.P)
        return OrderAmended(
            known.order_id,
            instrument.id,
            to_ns(report.T),
            ts_recv,
            known.lots,
            known.px_ticks,
            known.stop_ticks,
            known.request,
        )

    def _traded(
        self, instrument: Instrument, known: Known, report: ExecutionReport, ts_recv: int
    ) -> Sequence[Inbound]:
        name = (known.order_id, instrument.id, to_ns(report.T), ts_recv)
        if not report.l:  # nothing was traded: only the state is news
            if report.X in ("EXPIRED", "EXPIRED_IN_MATCH"):
                return _expired(report, name)
            return (OrderAccepted(*name, known.venue_order_id),) if report.X == "NEW" else ()
        px = report.L or report.p  # a price that is not told is at worst the limit
        if not px:
            return (_stranger(instrument, report, known.order_id),)
        execution = Execution(
            str(report.t),
            side_of(report.S),
            px,
            report.l,
            to_ns(report.T),
            report.m,
            report.n or ZERO,
            report.N or "",
        )
        fill = filled(instrument, known.order_id, execution, ts_recv, self._prices)
        known.cum_lots += fill.lots
        if type_of(SPOT_TYPES, report.o) in TRIGGERED and not known.triggered:
            known.triggered = True
            return (OrderTriggered(*name), fill)
        return (fill,)


def _expired(report: ExecutionReport, name: tuple[str, str, int, int]) -> Sequence[Inbound]:
    if report.X in ("NEW", "PARTIALLY_FILLED"):  # part of it was prevented, the rest works on
        return ()
    reason = expiry_of(report.eR)
    if not reason and (report.x == "TRADE_PREVENTION" or report.X == "EXPIRED_IN_MATCH"):
        reason = "self-trade prevention"
    return (OrderExpired(*name, reason),)


def spot_balance(currency: str, free: Decimal, locked: Decimal) -> Balance:
    """Make a balance of its two parts."""
    if exact(free) < 0 or exact(locked) < 0:
        raise ValueError(f"{free} and {locked} are no balance")
    return Balance(currency, free + locked, free, locked)


def _stranger(instrument: Instrument, report: ExecutionReport, order_id: str = "") -> VenueOrder:
    """Tell of an order that is not known to be ours."""
    cum = quantity_lots(instrument, report.z or ZERO)
    kind = type_of(SPOT_TYPES, report.o)
    if kind is OrderType.STOP_MARKET and report.d:
        kind = OrderType.TRAILING_STOP
    status = status_of(report.X, filled=cum > 0)
    return VenueOrder(
        instrument.id,
        order_id,
        report.C or report.c,
        "" if report.i is None else str(report.i),
        side_of(report.S),
        kind,
        quantity_lots(instrument, report.q),
        cum,
        status,
        some_ticks(instrument, report.p),
        some_ticks(instrument, report.P),
        average(None, report.Z, report.z),
        TIFS.get(report.f, TimeInForce.GTC),
        False,
        report.o == "LIMIT_MAKER" or report.f in MAKER_TIFS,
        to_ns(report.O or report.T),
        to_ns(report.T),
        expiry_of(report.eR) if status is OrderStatus.EXPIRED else "",
    )
