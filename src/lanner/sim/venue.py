"""A venue made of arithmetic: takes commands, watches the market, answers with reports.

It keeps its own account, so refusals are simulated too. It never looks ahead: whatever it decides, it
decides from the market data it has been shown. How orders meet the market is in ``bar_matching`` and
``tick_matching``; what happens to an order before and after is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lanner.core.errors import InvalidOrderError
from lanner.core.rng import Rng
from lanner.model.commands import AmendOrder, Batch, CancelOrder, Command, SubmitOrder
from lanner.model.enums import Liquidity, OrderType, Side, TimeInForce
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.orders import PRICED_TYPES, TRIGGERED_TYPES
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    FundingPaid,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    Report,
)
from lanner.sim.accounts import ZERO, SimAccount
from lanner.sim.latency import delay_model
from lanner.sim.orders import SimOrder
from lanner.sim.settings import LatencyKind, VenueSettings


class InstrumentBook:
    """Our working orders in one instrument and what the venue knows of its market."""

    __slots__ = (
        "ask_ticks",
        "bid_ticks",
        "depth_ask",
        "depth_bid",
        "fees",
        "instrument",
        "last_ticks",
        "mark_ticks",
        "mode",
        "open_activity_ts",
        "open_answers",
        "open_ticks",
        "orders",
        "taken_ask",
        "taken_bid",
        "ts_close",
        "ts_open",
        "volume_left",
        "volume_lots",
    )

    def __init__(self, instrument: Instrument, mode: str, fees: FeeSchedule) -> None:
        self.instrument = instrument
        self.mode = mode
        self.fees = fees
        self.orders: dict[str, SimOrder] = {}
        self.last_ticks = 0
        self.mark_ticks = 0
        self.bid_ticks = self.ask_ticks = 0
        self.taken_bid: dict[int, int] = {}
        self.taken_ask: dict[int, int] = {}
        self.depth_bid = self.depth_ask = 0
        self.volume_lots = 0
        self.volume_left = -1  # no bound before a bar sets one
        self.ts_open = self.ts_close = self.open_activity_ts = 0
        self.open_ticks = self.open_answers = 0

    @property
    def has_quote(self) -> bool:
        """Tell whether both sides of the book are known."""
        return self.bid_ticks > 0 and self.ask_ticks > 0


class SimVenue:
    """One simulated venue. Reports are appended to ``outbox``; the driver carries them away."""

    def __init__(
        self,
        settings: VenueSettings,
        instruments: Mapping[str, Instrument],
        modes: Mapping[str, str],
        rng: Rng,
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.account = SimAccount(settings.balances, settings.leverage)
        self.books = {
            key: InstrumentBook(instrument, modes.get(key, "bars"), settings.fees or instrument.fees)
            for key, instrument in instruments.items()
        }
        self.outbox: list[Report] = []
        self.working = 0
        self.counters: dict[str, int] = {}
        self._orders: dict[str, SimOrder] = {}
        self._next_order = 0
        self._next_trade = 0
        latency = settings.latency
        self._exchange = delay_model(latency.exchange, rng.split("exchange"))
        self._last_event: int | None = 0 if latency.exchange.kind is not LatencyKind.CONSTANT else None
        self._response = delay_model(latency.response, rng.split("response"))

    # -- commands ----------------------------------------------------------------------------------

    def receive(self, command: Command, ts: int, basis_ts: int) -> None:
        """Take a command that arrives at ``ts``; ``basis_ts`` is the time of what made us send it."""
        if isinstance(command, SubmitOrder):
            self._submit(command, ts, basis_ts)
        elif isinstance(command, CancelOrder):
            self._cancel(command, ts)
        elif isinstance(command, AmendOrder):
            self._amend(command, ts, basis_ts)
        elif isinstance(command, Batch):
            for one in command.commands:
                self.receive(one, ts, basis_ts)

    def _submit(self, submit: SubmitOrder, ts: int, basis_ts: int) -> None:
        book = self.books.get(submit.instrument_id)
        if book is None:
            self._report(
                OrderRejected,
                submit.order_id,
                submit.instrument_id,
                ts,
                "unknown instrument",
                "UNKNOWN_SYMBOL",
            )
            return
        if submit.order_id in self._orders:
            self._report(
                OrderRejected,
                submit.order_id,
                submit.instrument_id,
                ts,
                "order id is in use",
                "DUPLICATE_ORDER_ID",
            )
            return
        self._next_order += 1
        order = SimOrder(submit, book.instrument, basis_ts, f"{self.name}-{self._next_order}")
        refusal = self._refuse(order, book)
        if refusal is None and order.expire_ts is not None and order.expire_ts <= ts:
            refusal = "BAD_ORDER", "its good-till-date has passed"
        if refusal is not None:
            self.count("rejects")
            self._report(OrderRejected, order.order_id, book.instrument.id, ts, refusal[1], refusal[0])
            return
        order.accepted_ts = ts
        if order.kind is OrderType.TRAILING_STOP and book.last_ticks and book.mode != "quotes":
            order.follow(book.last_ticks)
        self._orders[order.order_id] = order
        book.orders[order.order_id] = order
        self.working += 1
        self._report(OrderAccepted, order.order_id, book.instrument.id, ts, order.venue_order_id)
        self._on_arrival(order, book, ts)

    def _on_arrival(self, order: SimOrder, book: InstrumentBook, ts: int) -> None:
        from lanner.sim import bar_matching, tick_matching

        if book.mode == "bars":
            bar_matching.arrive(self, book, order, ts)
        else:
            tick_matching.arrive(self, book, order, ts)

    def _cancel(self, command: CancelOrder, ts: int) -> None:
        order = self._orders.get(command.order_id)
        if order is None:
            self._report(
                CancelRejected,
                command.order_id,
                command.instrument_id,
                ts,
                "no such working order",
                command.request,
            )
            return
        self.end(order, ts, OrderCanceled, "canceled on request")

    def _amend(self, command: AmendOrder, ts: int, basis_ts: int) -> None:
        order = self._orders.get(command.order_id)
        if order is None:
            self._refuse_amend(command, ts, "no such working order")
            return
        book = self.books[command.instrument_id]
        reason = _cannot_amend(command, order)
        if reason is not None:
            self._refuse_amend(command, ts, reason)
            return
        lots = command.lots if command.lots is not None else order.lots
        px = command.px_ticks if command.px_ticks is not None else order.px_ticks
        stop = command.stop_ticks if command.stop_ticks is not None else order.stop_ticks
        if lots <= order.cum_lots:
            self.end(order, ts, OrderCanceled, "amended to what is already filled")
            return
        before = order.lots, order.px_ticks, order.stop_ticks
        order.lots, order.px_ticks, order.stop_ticks = lots, px, stop
        refusal = self._refuse(order, book)
        if refusal is not None:
            order.lots, order.px_ticks, order.stop_ticks = before
            self._refuse_amend(command, ts, refusal[1])
            return
        self._report(OrderAmended, order.order_id, book.instrument.id, ts, lots, px, stop, command.request)
        if (px, stop) == before[1:]:
            return  # another quantity at the same price keeps its place
        order.resting, order.basis_ts = False, basis_ts
        self._on_arrival(order, book, ts)

    def _refuse_amend(self, command: AmendOrder, ts: int, reason: str) -> None:
        self._report(AmendRejected, command.order_id, command.instrument_id, ts, reason, command.request)

    # -- the venue's rules -------------------------------------------------------------------------

    def _refuse(self, order: SimOrder, book: InstrumentBook) -> tuple[str, str] | None:
        """Return the code and reason why the venue refuses an order, or None."""
        instrument = book.instrument
        closes_rest = order.reduce_only and order.lots >= self.reducible(order)
        if order.lots < instrument.min_lots and not closes_rest:
            return "MIN_QTY", f"quantity below the minimum of {instrument.qty_text(instrument.min_lots)}"
        if instrument.max_qty is not None and instrument.qty(order.lots) > instrument.max_qty:
            return "MAX_QTY", f"quantity above the maximum of {instrument.max_qty:f}"
        for ticks in (order.px_ticks, order.stop_ticks):
            if ticks is not None and not _on_grid(instrument, ticks):
                return "PRICE_FILTER", f"price {instrument.px_text(ticks)} is not on the venue's grid"
        if order.kind in PRICED_TYPES and order.px_ticks is None:
            return "BAD_ORDER", "a limit order needs a price"
        if (
            order.kind in TRIGGERED_TYPES
            and order.kind is not OrderType.TRAILING_STOP
            and order.stop_ticks is None
        ):
            return "BAD_ORDER", "a stop or take-profit order needs a trigger price"
        if order.tif is TimeInForce.GTD and order.expire_ts is None:
            return "BAD_ORDER", "GTD needs an expiry time"
        ref = order.px_ticks or order.stop_ticks or book.last_ticks
        notional = instrument.tick * instrument.lot * instrument.multiplier * (order.lots * ref)
        if ref and notional < instrument.min_notional and not order.reduce_only:
            return (
                "MIN_NOTIONAL",
                f"order value {notional:f} below the minimum of {instrument.min_notional:f}",
            )
        if order.reduce_only and not order.group_id and self.reducible(order) == 0:
            return "REDUCE_ONLY", "nothing to reduce"
        if order.post_only and self._would_cross(order, book):
            return "POST_ONLY", "a post-only order would take liquidity"
        return self._refuse_funds(order, book, ref)

    def _refuse_funds(self, order: SimOrder, book: InstrumentBook, ref: int) -> tuple[str, str] | None:
        instrument = book.instrument
        if order.reduce_only or order.fit or not ref:
            return None
        rate = book.fees.taker
        affordable = self.account.affordable_lots(instrument, order.side, ref, rate, self.reserved(order))
        if order.leaves <= affordable:
            return None
        what = instrument.base if instrument.is_spot and order.side < 0 else instrument.settle
        code = "INSUFFICIENT_BALANCE" if instrument.is_spot else "INSUFFICIENT_MARGIN"
        return code, (
            f"not enough {what}: the order is for {instrument.qty_text(order.leaves)}, "
            f"the account can pay for {instrument.qty_text(affordable)}"
        )

    def _would_cross(self, order: SimOrder, book: InstrumentBook) -> bool:
        if order.px_ticks is None:
            return order.kind is OrderType.MARKET
        if order.side == Side.BUY:
            best = book.ask_ticks if book.has_quote else book.last_ticks
            return bool(best) and order.px_ticks >= best
        best = book.bid_ticks if book.has_quote else book.last_ticks
        return bool(best) and order.px_ticks <= best

    def reserved(self, besides: SimOrder) -> Decimal:
        """Return the money that other working orders have promised, in the currency this order would spend."""
        spends = _spends(besides)
        total = ZERO
        groups: dict[str, Decimal] = {}
        for other in self._orders.values():
            if other is besides or other.fit or other.reduce_only or _spends(other) != spends:
                continue
            if other.group_id and other.group_id == besides.group_id:
                continue
            instrument = other.instrument
            book = self.books[instrument.id]
            ref = other.px_ticks or other.stop_ticks or book.last_ticks
            # what closes a position of a perpetual needs no margin
            lots = other.leaves if instrument.is_spot else max(0, other.leaves - self.reducible(other))
            cost = self.account.order_cost(instrument, other.side, lots, ref, book.fees.taker)
            if other.group_id:
                groups[other.group_id] = max(groups.get(other.group_id, ZERO), cost)
            else:
                total += cost
        return total + sum(groups.values(), ZERO)

    def reducible(self, order: SimOrder) -> int:
        """Return how many lots of the position an order can close."""
        held = self.account.position(order.instrument).lots
        return abs(held) if held * order.side < 0 else 0

    # -- fills and ends ----------------------------------------------------------------------------

    def fill(
        self,
        order: SimOrder,
        book: InstrumentBook,
        lots: int,
        px: int,
        ref: int,
        liquidity: Liquidity,
        ts: int,
    ) -> int:
        """Execute up to ``lots`` of an order at ``px`` ticks; return how many were executed.

        What the account cannot pay for is not executed: the rest of the order is canceled with the reason.
        """
        lots = min(lots, order.leaves)
        if order.reduce_only:
            lots = min(lots, self.reducible(order))
            if lots == 0:
                self.end(order, ts, OrderCanceled, "reduce-only: nothing to reduce")
                return 0
        rate = book.fees.maker if liquidity is Liquidity.MAKER else book.fees.taker
        affordable = self.account.affordable_lots(book.instrument, order.side, px, rate, self.reserved(order))
        short_of_money = lots > affordable
        if short_of_money and order.tif is TimeInForce.FOK:
            affordable = 0
        lots = min(lots, affordable)
        if lots >= 1:
            self._execute(order, book, lots, px, ref, liquidity, rate, ts)
        if short_of_money and order.order_id in self._orders:
            if not order.fit:
                self.count("cut_by_balance")
            self.end(order, ts, OrderCanceled, "the account cannot pay for the rest")
        return max(0, lots)

    def _execute(
        self,
        order: SimOrder,
        book: InstrumentBook,
        lots: int,
        px: int,
        ref: int,
        liquidity: Liquidity,
        rate: Decimal,
        ts: int,
    ) -> None:
        instrument = book.instrument
        fee = self.account.fee(instrument, lots, px, rate)
        self.account.book_fill(instrument, order.side, lots, px, fee, ts)
        order.cum_lots += lots
        self._next_trade += 1
        when = self._event_time(ts)
        in_base = book.fees.in_base and instrument.is_spot and order.side > 0
        self.outbox.append(
            OrderFilled(
                order.order_id,
                instrument.id,
                when,
                when + self._response(when),
                f"{self.name}-t{self._next_trade}",
                Side(order.side),
                px,
                lots,
                fee,
                liquidity,
                ref,
                base_fee=instrument.qty(lots) * rate if in_base and rate > 0 else ZERO,
            )
        )
        if order.leaves == 0:
            self._forget(order)
        self._tell_group(order, ts)

    def _tell_group(self, order: SimOrder, ts: int) -> None:
        """Shrink or cancel the one-cancels-other siblings of an order that was filled."""
        if not order.group_id:
            return
        for other in list(self._orders.values()):
            if other.group_id != order.group_id or other is order:
                continue
            if order.leaves == 0:
                self.end(other, ts, OrderCanceled, "one-cancels-other: its sibling filled")
            elif other.leaves > order.leaves:
                other.lots = other.cum_lots + order.leaves
                self._report(
                    OrderAmended,
                    other.order_id,
                    other.instrument.id,
                    ts,
                    other.lots,
                    other.px_ticks,
                    other.stop_ticks,
                )

    def end(
        self, order: SimOrder, ts: int, kind: type[OrderCanceled] | type[OrderExpired], reason: str
    ) -> None:
        """Take an order out of the book and report why."""
        if order.order_id in self._orders:
            self._forget(order)
            self._report(kind, order.order_id, order.instrument.id, ts, reason)

    def triggered(self, order: SimOrder, ts: int) -> None:
        """Turn a stop into what it stands for and report it."""
        order.trigger()
        self._report(OrderTriggered, order.order_id, order.instrument.id, ts)

    def _forget(self, order: SimOrder) -> None:
        del self._orders[order.order_id]
        del self.books[order.instrument.id].orders[order.order_id]
        self.working -= 1

    def expire_due(self, book: InstrumentBook, ts: int) -> None:
        """End the good-till-date orders whose time has come."""
        for order in list(book.orders.values()):
            if order.expire_ts is not None and order.expire_ts <= ts:
                self.end(order, order.expire_ts, OrderExpired, "good-till-date passed")

    def count(self, what: str) -> None:
        """Count something that the report should name."""
        self.counters[what] = self.counters.get(what, 0) + 1

    # -- the market around the orders --------------------------------------------------------------

    def see_price(self, instrument_id: str, ticks: int) -> None:
        """Take note of the last price; it values positions until a mark price is known."""
        book = self.books[instrument_id]
        book.last_ticks = ticks
        self.account.marks[instrument_id] = book.mark_ticks or ticks

    def see_mark(self, instrument_id: str, mark_px: float) -> None:
        """Take note of the venue's mark price."""
        book = self.books[instrument_id]
        book.mark_ticks = _ticks(book.instrument, mark_px)
        self.account.marks[instrument_id] = book.mark_ticks

    def settle_funding(self, instrument_id: str, rate: float, ts: int) -> None:
        """Settle funding at the mark price (else the last price)."""
        book = self.books[instrument_id]
        amount = self.account.settle_funding(book.instrument, rate, book.mark_ticks or book.last_ticks)
        if amount:
            self.outbox.append(FundingPaid(instrument_id, ts, ts + self._response(ts), amount, rate))

    def _report(self, kind: type, order_id: str, instrument_id: str, ts: int, *rest: object) -> None:
        when = self._event_time(ts)
        self.outbox.append(kind(order_id, instrument_id, when, when + self._response(when), *rest))

    def _event_time(self, ts: int) -> int:
        """Return when the venue is done with what came at ``ts``: it works off one thing after the other."""
        when = ts + self._exchange(ts)
        if self._last_event is not None:
            when = self._last_event = max(self._last_event, when)
        return when


def _cannot_amend(command: AmendOrder, order: SimOrder) -> str | None:
    """Return why an order has nothing of what is to be changed, or None."""
    if command.px_ticks is not None and order.px_ticks is None:
        return "an order without a limit price cannot be given one"
    if command.stop_ticks is not None and not order.waits_for_trigger:
        return "the order does not wait for a trigger price (any more)"
    if command.stop_ticks is not None and order.kind is OrderType.TRAILING_STOP:
        return "a trailing stop moves by itself"
    return None


def _spends(order: SimOrder) -> str:
    instrument = order.instrument
    return instrument.base if instrument.is_spot and order.side < 0 else instrument.settle


def _on_grid(instrument: Instrument, ticks: int) -> bool:
    try:
        return instrument.quantise_px(instrument.px(ticks)) == ticks
    except InvalidOrderError:
        return False


def _ticks(instrument: Instrument, px: float) -> int:
    return max(1, round(px / instrument.tick_float))
