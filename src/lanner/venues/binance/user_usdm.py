"""Events of USD-M orders: their news, and what conditional ones become."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from lanner.model.accounts import (
    VenueOrder,
)
from lanner.model.enums import OrderStatus, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.reports import (
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
)
from lanner.venues.binance.memory import Known, OrderMemory
from lanner.venues.binance.names import Symbols, quantity_lots, some_ticks, to_ns
from lanner.venues.binance.told import (
    ZERO,
    Execution,
    Prices,
    algo_status,
    average,
    filled,
)
from lanner.venues.binance.wire_orders import (
    AlgoOrder,
    AlgoUpdate,
    FuturesOrder,
    OrderTradeUpdate,
    TradeLite,
    TriggerRejected,
)
from lanner.venues.binance.words import (
    MAKER_TIFS,
    TIFS,
    USDM_TYPES,
    expiry_of,
    side_of,
    status_of,
    type_of,
)
from lanner.venues.codec import Inbound
from lanner.venues.errors import Reason

MAX_STRAYS = 256

_FORCED = (
    ("autoclose-", "liquidation"),
    ("adl_autoclose", "auto-deleveraging"),
    ("settlement_autoclose-", "settlement"),
    ("delivery_autoclose-", "settlement"),
)

_order = msgspec.json.Decoder(OrderTradeUpdate, strict=False).decode
_algo = msgspec.json.Decoder(AlgoUpdate, strict=False).decode
_lite = msgspec.json.Decoder(TradeLite, strict=False).decode
_trigger_reject = msgspec.json.Decoder(TriggerRejected, strict=False).decode

Name = tuple[str, str, int, int]


class UsdmOrderReader:
    """Read the events of USD-M orders.

    ``early_fills`` takes fills from ``TRADE_LITE``, which is faster and tells no fee: it is then computed by the
    instrument's own rates.
    """

    __slots__ = ("_memory", "_prices", "_strays", "_symbols", "early_fills", "events")

    def __init__(self, symbols: Symbols, memory: OrderMemory, prices: Prices) -> None:
        self._symbols = symbols
        self._memory = memory
        self._prices = prices
        self._strays: dict[str, list[OrderTradeUpdate]] = {}
        self.early_fills = False
        self.events: dict[str, Callable[[bytes, int], Sequence[Inbound] | None]] = {
            "ORDER_TRADE_UPDATE": self.order,
            "ALGO_UPDATE": self.algo,
            "TRADE_LITE": self.lite,
            "CONDITIONAL_ORDER_TRIGGER_REJECT": self.trigger_reject,
        }

    # -- orders --------------------------------------------------------------------------------------------

    def order(self, raw: bytes, ts_recv: int) -> Sequence[Inbound] | None:
        """Read news of an order; None when its instrument is not known."""
        return self._order(_order(raw), ts_recv)

    def _order(self, update: OrderTradeUpdate, ts_recv: int) -> Sequence[Inbound] | None:
        order = update.o
        instrument = self._symbols.by_symbol.get(order.s)
        if instrument is None:
            return None
        number = "" if order.i is None else str(order.i)
        known = self._memory.find(instrument.id, number, order.c)
        if known is None:
            stranger = _stranger(instrument, update)
            self._stray(number, update)
            return (stranger,)
        return self._ours(instrument, known, update, number, ts_recv)

    def _stray(self, number: str, update: OrderTradeUpdate) -> None:
        """Keep news of an unknown order for a while: it may turn out to be what a conditional order became."""
        kept = self._strays.setdefault(number, [])
        kept.append(update)
        del kept[:-MAX_STRAYS]
        while len(self._strays) > MAX_STRAYS:
            del self._strays[next(iter(self._strays))]

    def _ours(
        self,
        instrument: Instrument,
        known: Known,
        update: OrderTradeUpdate,
        number: str,
        ts_recv: int,
    ) -> Sequence[Inbound]:
        order = update.o
        name: Name = (known.order_id, instrument.id, to_ns(update.T), ts_recv)
        before: tuple[Inbound, ...] = ()
        if known.conditional and not known.triggered:
            known.triggered = True
            before = (OrderTriggered(*name),)
        # without its number nobody would know an order's fills after a restart
        first = () if known.venue_order_id or not number else (OrderAccepted(*name, number),)
        self._memory.named(known, instrument.id, number)
        what = order.x
        if what in ("TRADE", "CALCULATED"):
            return before + self._traded(instrument, known, order, ts_recv, name)
        if what == "NEW":
            return (*before, OrderAccepted(*name, number))
        if what == "CANCELED":
            return (*before, *first, OrderCanceled(*name))
        if what in ("EXPIRED", "TRADE_PREVENTION"):
            if order.X in ("NEW", "PARTIALLY_FILLED"):
                return before
            return (*before, OrderExpired(*name, _why_expired(order)))
        if what == "AMENDMENT":
            known.lots = quantity_lots(instrument, order.q)
            known.px_ticks = some_ticks(instrument, order.p)
            amended = OrderAmended(*name, known.lots, known.px_ticks, known.stop_ticks, known.request)
            return (*before, amended)
        if what == "REJECTED":
            return (*before, OrderRejected(*name, "refused by the venue", Reason.OTHER))
        raise ValueError(f"unknown news of an order: {what!r}")

    def _traded(
        self, instrument: Instrument, known: Known, order: FuturesOrder, ts_recv: int, name: Name
    ) -> tuple[Inbound, ...]:
        if not order.l:
            if order.X in ("EXPIRED", "EXPIRED_IN_MATCH"):
                return (OrderExpired(*name, _why_expired(order)),)
            return (OrderCanceled(*name),) if order.X == "CANCELED" else ()
        px = order.L or order.ap or order.p
        if not px:
            raise ValueError("a fill without a price")
        execution = Execution(
            str(order.t),
            side_of(order.S),
            px,
            order.l,
            name[2],
            order.m,
            order.n or ZERO,
            order.N or "",
        )
        fill = filled(instrument, known.order_id, execution, ts_recv, self._prices)
        known.cum_lots += fill.lots
        return (fill,)

    def lite(self, raw: bytes, ts_recv: int) -> Sequence[Inbound] | None:
        """Read a fast fill; without ``early_fills`` it is left to the order's own news, which tells the fee."""
        event = _lite(raw)
        instrument = self._symbols.by_symbol.get(event.s)
        if instrument is None or not self.early_fills:
            return ()
        known = self._memory.find(instrument.id, "" if event.i is None else str(event.i), event.c)
        if known is None:
            return ()
        rate = instrument.fees.maker if event.m else instrument.fees.taker
        fee = event.L * event.l * rate
        execution = Execution(str(event.t), side_of(event.S), event.L, event.l, to_ns(event.T), event.m, fee)
        return (filled(instrument, known.order_id, execution, ts_recv, self._prices),)

    # -- conditional orders --------------------------------------------------------------------------------

    def algo(self, raw: bytes, ts_recv: int) -> Sequence[Inbound] | None:
        """Read news of a conditional order; None when its instrument is not known."""
        update = _algo(raw)
        order = update.o
        instrument = self._symbols.by_symbol.get(order.s)
        if instrument is None:
            return None
        if not order.ai:
            self._memory.waits(instrument.id, str(order.aid))
        known = self._memory.find(instrument.id, str(order.aid), order.caid)
        if known is None:
            return (_algo_stranger(instrument, update),)
        known.conditional = True
        became = str(order.ai) if order.ai else ""
        self._memory.named(known, instrument.id, "" if known.venue_order_id else str(order.aid))
        self._memory.named(known, instrument.id, became)
        name: Name = (known.order_id, instrument.id, to_ns(update.T), ts_recv)
        return self._algo_news(known, order, name, became, ts_recv)

    def _algo_news(
        self, known: Known, order: AlgoOrder, name: Name, became: str, ts_recv: int
    ) -> Sequence[Inbound]:
        state = order.X
        if state == "NEW":
            return (OrderAccepted(*name, str(order.aid)),)
        if state == "CANCELED":
            return (OrderCanceled(*name, _why(order)),)
        if state == "EXPIRED":
            return (OrderExpired(*name, _why(order)),)
        if state == "REJECTED":
            return (OrderCanceled(*name, f"refused when triggered: {order.rm or 'no reason told'}"),)
        if state not in ("TRIGGERING", "TRIGGERED", "FINISHED"):
            raise ValueError(f"unknown state of a conditional order: {state!r}")
        told: list[Inbound] = []
        if not known.triggered:
            known.triggered = True
            told.append(OrderTriggered(*name))
        for update in self._strays.pop(became, ()) if became else ():
            told += self._order(update, ts_recv) or ()
        return told

    def trigger_reject(self, raw: bytes, ts_recv: int) -> Sequence[Inbound] | None:
        """Read that a conditional order was refused when it was triggered."""
        update = _trigger_reject(raw)
        instrument = self._symbols.by_symbol.get(update.or_.s)
        known = None if instrument is None else self._memory.find(instrument.id, str(update.or_.i))
        if instrument is None or known is None:
            return None
        name = (known.order_id, instrument.id, to_ns(update.T), ts_recv)
        return (OrderCanceled(*name, f"refused when triggered: {update.or_.r}"),)


def _why_expired(order: FuturesOrder) -> str:
    if order.X == "EXPIRED_IN_MATCH" and not order.er:
        return "self-trade prevention"
    return expiry_of(order.er)


def _why(order: AlgoOrder) -> str:
    return order.rm or "" if order.X in ("EXPIRED", "REJECTED") else ""


def _stranger(instrument: Instrument, update: OrderTradeUpdate) -> VenueOrder:
    """Tell of an order that is not known to be ours, or that the venue made itself."""
    order = update.o
    cum = quantity_lots(instrument, order.z or ZERO)
    lots = quantity_lots(instrument, order.q)
    status = status_of(order.X, filled=cum > 0)
    if order.x == "CALCULATED" and cum and cum >= lots:
        status = OrderStatus.FILLED
    forced = next((why for start, why in _FORCED if order.c.startswith(start)), "")
    return VenueOrder(
        instrument.id,
        "",
        order.c,
        "" if order.i is None else str(order.i),
        side_of(order.S),
        type_of(USDM_TYPES, order.o, order.ot),
        lots,
        cum,
        status,
        some_ticks(instrument, order.p),
        some_ticks(instrument, order.sp),
        average(order.ap),
        TIFS.get(order.f, TimeInForce.GTC),
        order.R,
        order.f in MAKER_TIFS,
        0,
        to_ns(update.T),
        forced or (_why_expired(order) if status is OrderStatus.EXPIRED else ""),
    )


def _algo_stranger(instrument: Instrument, update: AlgoUpdate) -> VenueOrder:
    order = update.o
    cum, lots = quantity_lots(instrument, order.aq or ZERO), quantity_lots(instrument, order.q)
    return VenueOrder(
        instrument.id,
        "",
        order.caid,
        str(order.ai or order.aid),
        side_of(order.S),
        type_of(USDM_TYPES, order.o),
        lots,
        cum,
        algo_status(order.X, cum, lots),
        some_ticks(instrument, order.p),
        some_ticks(instrument, order.tp),
        average(order.ap),
        TIFS.get(order.f, TimeInForce.GTC),
        order.R,
        order.f in MAKER_TIFS,
        0,
        to_ns(update.T),
        _why(order),
    )
