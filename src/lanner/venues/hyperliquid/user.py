"""News of the account: order updates, fills, funding, cancels by the venue."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from lanner.model.accounts import BalancesReport, PositionsReport
from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.orders import FINAL_STATUSES
from lanner.model.reports import (
    FundingPaid,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderReport,
    OrderTriggered,
)
from lanner.venues.codec import Inbound, Notice, NoticeKind
from lanner.venues.hyperliquid import account, spec, text, wire
from lanner.venues.hyperliquid.market import MS, frame_reader
from lanner.venues.hyperliquid.own import UNKNOWN_LOTS, Change, Own, OwnOrders
from lanner.venues.hyperliquid.symbols import Symbols

KEPT_EARLY = 2_000
"""Fills of so many orders wait until it is known whose they are."""
KEPT_FUNDINGS = 20_000

Decoder = Callable[[bytes, int], Sequence[Inbound]]


class UserDecoder:
    """Turn frames of the account's channels into reports; ``since_ms`` is when listening began (0: never).

    Funding that was paid before is history, which balances already hold: it is not told.
    """

    def __init__(self, symbols: Symbols, orders: OwnOrders) -> None:
        self._symbols = symbols
        self._orders = orders
        self._early: OrderedDict[int, list[wire.Fill]] = OrderedDict()
        self._paid: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._updates = frame_reader(list[wire.OrderUpdate]).decode
        self._fills = frame_reader(wire.UserFills).decode
        self._fundings = frame_reader(wire.UserFundings).decode
        self._event = frame_reader(wire.UserEvent).decode
        self._clearinghouse = frame_reader(wire.ClearinghouseNews).decode
        self._spot = frame_reader(wire.SpotNews).decode
        self.since_ms = 0
        self.channels: dict[bytes, Decoder] = {
            b"orderUpdates": self.order_updates,
            b"userFills": self.user_fills,
            b"userFundings": self.user_fundings,
            b"user": self.user_event,
            b"userEvents": self.user_event,
            b"clearinghouseState": self.clearinghouse,
            b"spotState": self.spot_state,
        }

    # -- fills -------------------------------------------------------------------------------------------

    def user_fills(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read fills; those that a snapshot repeats are dropped by their ids."""
        rows = self._fills(frame).data.fills
        self._orders.heard = True
        out: list[Inbound] = []
        for fill in sorted(rows, key=lambda row: row.time):
            out += self._fill(fill, ts_recv)
        return out

    def _fill(self, fill: wire.Fill, ts_recv: int) -> Sequence[Inbound]:
        orders = self._orders
        instrument = self._symbols.of_coin(fill.coin)
        if instrument is None:
            return (Notice(NoticeKind.OTHER, f"a fill in {fill.coin}, which is not known", ts_recv),)
        if not account.is_trade(instrument, fill):
            return (Notice(NoticeKind.OTHER, f"{instrument.id}: {fill.dir or 'a conversion'}", ts_recv),)
        own = orders.by_oid(fill.oid) or self._named(fill.cloid, instrument, fill)
        if own is not None:
            return self._filled(own, instrument, fill, ts_recv)
        if not orders.is_stranger(fill.oid):
            self._early.setdefault(fill.oid, []).append(fill)
            while len(self._early) > KEPT_EARLY:
                self._early.popitem(last=False)
        return ()

    def _named(self, cloid: str | None, instrument: Instrument, fill: wire.Fill) -> Own | None:
        """Return the order that a fill names by our own id, which newer servers tell."""
        order_id = self._orders.order_id(cloid, fill.oid)
        if not order_id:
            return None
        own = self._orders.get(order_id)
        if own is None:
            side = Side.BUY if fill.side == "B" else Side.SELL
            own = Own(order_id, instrument.id, side, OrderType.LIMIT, UNKNOWN_LOTS, None, None)
            self._orders.add(own)
        if own.oid and own.oid != fill.oid:
            return None  # a change under way: its answer or its update tells the new terms first
        self._orders.bind(own, fill.oid)
        return own

    def _filled(
        self, own: Own, instrument: Instrument, fill: wire.Fill, ts_recv: int
    ) -> Sequence[OrderReport]:
        orders = self._orders
        report = account.order_filled(instrument, own.order_id, fill, ts_recv)
        out = orders.accept(own, fill.oid, fill.time * MS, ts_recv) if fill.oid == own.oid else []
        raced = orders.raced(own, fill.oid)
        if not orders.fill(own, fill.oid, report.trade_id, report.lots):
            return out
        out.append(report)
        if raced:
            # it was filled between the change's leaving and its arrival: the changed order is larger by that
            out.append(orders.amended(own, 0, fill.time * MS, ts_recv))
        return out + orders.settled(own)

    def released(self, own: Own, ts_recv: int) -> Sequence[OrderReport]:
        """Tell the fills that came before it was known whose they are."""
        out: list[OrderReport] = []
        instrument = self._symbols.instrument(own.instrument_id)
        for oid in (*own.old_oids, own.oid):
            for fill in self._early.pop(oid, ()):
                out += self._filled(own, instrument, fill, ts_recv)
        return out

    def late(self, ts_recv: int) -> Sequence[OrderReport]:
        """Tell what has waited: fills whose order was found, ends whose time has come."""
        out = [report for own in self._orders.take_fresh() for report in self.released(own, ts_recv)]
        return out + self._orders.due(ts_recv)

    # -- orders ------------------------------------------------------------------------------------------

    def order_updates(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read steps in the lives of orders."""
        rows = self._updates(frame).data
        self._orders.heard = True
        out: list[Inbound] = []
        for row in rows:
            out += self._update(row, ts_recv)
        return out

    def _update(self, row: wire.OrderUpdate, ts_recv: int) -> Sequence[Inbound]:
        order = row.order
        own = account.learn(self._symbols, self._orders, order)
        if own is None:
            self._early.pop(order.oid, None)
            stranger = account.venue_order(
                self._symbols, self._orders, order, row.status, row.statusTimestamp
            )
            if stranger is None:
                return (Notice(NoticeKind.OTHER, f"an order in {order.coin}, which is not known", ts_recv),)
            if stranger.status in FINAL_STATUSES:
                self._orders.seen_ended(order.oid)
            else:
                self._orders.seen_open(order.oid, stranger.instrument_id)
            return (stranger,)
        out: list[Inbound] = []
        if order.oid != own.oid:
            if self._orders.outlived(own, order.oid) or own.ended:
                return self.released(own, ts_recv)  # the end of an order that was replaced by a changed one
            if account.status_of(row.status)[0] is OrderStatus.REJECTED:
                return ()  # a change was refused, which its answer tells; the order itself goes on
            out += self._replaced(own, row, ts_recv)
        out += self.released(own, ts_recv)
        return (*out, *self._step(own, row, ts_recv))

    def _replaced(self, own: Own, row: wire.OrderUpdate, ts_recv: int) -> Sequence[OrderReport]:
        """Report a change that its update told before its answer did (or that somebody else made)."""
        order = row.order
        instrument = self._symbols.instrument(own.instrument_id)
        lots = text.lots_of(instrument, order.origSz or order.sz)
        request = next(iter(own.changes), 0)
        sent = own.changes.get(request)
        stop = own.stop_ticks if sent is None else sent.stop_ticks
        px = None if own.px_ticks is None else text.ticks_of(instrument, order.limitPx)
        return self._orders.changed(
            own, order.oid, Change(lots, px, stop), request, row.statusTimestamp * MS, ts_recv
        )

    def _step(self, own: Own, row: wire.OrderUpdate, ts_recv: int) -> Sequence[OrderReport]:
        orders, order = self._orders, row.order
        status, reason = account.status_of(row.status)
        ts = row.statusTimestamp * MS
        name = (own.order_id, own.instrument_id, ts, ts_recv)
        if status is OrderStatus.REJECTED:
            return orders.end(own, OrderRejected(*name, row.status, reason), own.filled, ts_recv)
        out = orders.accept(own, order.oid, ts, ts_recv)
        if status is OrderStatus.TRIGGERED and not own.triggered:
            own.triggered = True
            out.append(OrderTriggered(*name))
        instrument = self._symbols.instrument(own.instrument_id)
        left = text.lots_of(instrument, order.sz)
        total = left if order.origSz is None else text.lots_of(instrument, order.origSz)
        need = own.prior + max(0, total - left)
        if status is OrderStatus.CANCELED:
            at_once = own.tif is TimeInForce.IOC or own.type is OrderType.MARKET
            ioc = at_once and row.status == "canceled" and not own.cancel_asked
            kind = OrderExpired if ioc else OrderCanceled
            report = kind(*name, reason or ("" if row.status == "canceled" else row.status))
            if own.changes:
                orders.withhold(own, report, need, ts_recv)
            else:
                out += orders.end(own, report, need, ts_recv)
        elif status is OrderStatus.FILLED and left:
            out += orders.end(own, OrderExpired(*name, "partly filled at once"), need, ts_recv)
        return out

    # -- the rest ----------------------------------------------------------------------------------------

    def user_fundings(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read funding payments."""
        return [paid for row in self._fundings(frame).data.fundings for paid in self._funding(row, ts_recv)]

    def _funding(self, row: wire.Funding, ts_recv: int) -> Sequence[Inbound]:
        key = (row.time, row.coin)
        instrument = self._symbols.of_coin(row.coin)
        if key in self._paid or instrument is None:
            return ()
        self._paid[key] = None
        while len(self._paid) > KEPT_FUNDINGS:
            self._paid.popitem(last=False)
        if row.time < self.since_ms:
            return ()
        return (FundingPaid(instrument.id, row.time * MS, ts_recv, wire.exact(row.usdc), row.fundingRate),)

    def user_event(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read events that are no order updates; what another channel tells too is told on once."""
        event = self._event(frame).data
        out: list[Inbound] = []
        for fill in event.fills or ():
            out += self._fill(fill, ts_recv)
        if event.funding is not None:
            out += self._funding(event.funding, ts_recv)
        if event.liquidation is not None:
            size = event.liquidation.get("liquidated_ntl_pos", "?")
            out.append(Notice(NoticeKind.OTHER, f"liquidation of {size!s:.40} USDC", ts_recv))
        for cancel in event.nonUserCancel or ():
            own = self._orders.by_oid(cancel.oid)
            if own is not None and cancel.oid == own.oid and not own.changes:
                out += self._orders.canceled(own, ts_recv)
        return out

    def clearinghouse(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read the perpetual account's sums and positions; other exchanges than the first are left out."""
        data = self._clearinghouse(frame).data
        if data.dex:
            return ()
        state = account.perp_state(self._symbols, data.clearinghouseState, ts_recv)
        return (
            BalancesReport(spec.VENUE, state.ts_event, ts_recv, state.balances),
            PositionsReport(spec.VENUE, state.ts_event, ts_recv, state.positions, whole=True),
        )

    def spot_state(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read the spot account's balances."""
        balances = account.spot_balances(self._spot(frame).data.spotState)
        return (BalancesReport(spec.VENUE, ts_recv, ts_recv, balances),)
