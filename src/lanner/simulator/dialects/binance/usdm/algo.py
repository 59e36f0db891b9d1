"""Conditional orders of USD-M: stops, take-profits and trailing stops live at an endpoint of their own.

Behind each stands one order of the exchange. Until it triggers, the order endpoints do not know it; afterwards it is an
ordinary order there, with the exchange's id and the client id it was placed with.
"""

from __future__ import annotations

from lanner.simulator.accounts import Account
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.usdm.entry import read_algo
from lanner.simulator.dialects.binance.usdm.rows import Rows
from lanner.simulator.dialects.binance.usdm.trade import DONE, Trade, check_week, open_weight
from lanner.simulator.dialects.binance.usdm.words import Row, refusal, tag_of
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.orders import EndReason, SimOrder, SimStatus

REFUSED = frozenset({EndReason.MARGIN, EndReason.REDUCE_ONLY, EndReason.FILTER, EndReason.POST_ONLY})


def algo_status(order: SimOrder) -> str:
    """Return where a conditional order is in its life."""
    if not order.triggered_ns:
        if order.status.is_open:
            return "NEW"
        return "CANCELED" if order.status == SimStatus.CANCELED else "EXPIRED"
    if order.status.is_open:
        return "TRIGGERED"
    if not order.cum_lots and order.status == SimStatus.EXPIRED and order.end_reason in REFUSED:
        return "REJECTED"
    return "FINISHED"


def algo_orders(account: Account) -> list[SimOrder]:
    """Return an account's conditional orders, oldest first."""
    return [one for one in account.orders if tag_of(one).algo_id]


class Algo:
    """The operations on conditional orders."""

    def __init__(self, venue: Venue, rows: Rows, trade: Trade) -> None:
        self._venue = venue
        self._rows = rows
        self._trade = trade

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed, cancel = Security.SIGNED, Kind.CANCEL
        path = "/fapi/v1/algoOrder"
        return [
            Operation(self.place, (f"POST {path}",), ("algoOrder.place",), 0, signed, "trade", Kind.ORDER),
            Operation(self.cancel, (f"DELETE {path}",), ("algoOrder.cancel",), 1, signed, "trade", cancel),
            Operation(self.status, (f"GET {path}",), (), 1, signed),
            Operation(self.cancel_all, ("DELETE /fapi/v1/algoOpenOrders",), (), 1, signed, "trade", cancel),
            Operation(self.open, ("GET /fapi/v1/openAlgoOrders",), (), open_weight, signed),
            Operation(self.history, ("GET /fapi/v1/allAlgoOrders",), (), 5, signed),
        ]

    def place(self, call: Call) -> Row:
        """Place a conditional order."""
        market = self._venue.market(call.params.symbol())
        account = call.account
        new = read_algo(call.params, market, account.account_id, account.hedge_mode, call.now_ns)
        self._venue.limits.check_orders(account.account_id, call.now_ns)
        new.tag.algo_id = self._venue.ids.algo_id()
        ack = self._trade.submit(new, call)
        if ack.order is None:
            raise refusal(ack.reason, market, new.ticks)
        return self._rows.algo(ack.order, "NEW", call)

    def _find(self, call: Call, params: Params) -> SimOrder | None:
        algo_id, client_id = params.integer("algoId"), params.text("clientAlgoId")
        params.allow("symbol")
        if algo_id is None and not client_id:
            raise errors.either_missing("clientAlgoId", "algoid")
        for one in reversed(call.account.orders):
            tag = tag_of(one)
            if tag.algo_id and (tag.algo_id == algo_id or (algo_id is None and one.client_id == client_id)):
                return one
        return None

    def cancel(self, call: Call) -> Row:
        """Cancel a conditional order that has not triggered."""
        order = self._find(call, call.params)
        if order is None or order.triggered_ns or not order.status.is_open:
            raise errors.cancel_rejected()
        self._venue.exchange.cancel(order.account, call.now_ns, order_id=order.order_id)
        if call.session is not None:
            return self._rows.algo(order, "CANCELED", call)
        return {
            "algoId": tag_of(order).algo_id,
            "clientAlgoId": order.client_id,
            "code": "200",
            "msg": "success",
        }

    def cancel_all(self, call: Call) -> Row:
        """Cancel all conditional orders of a symbol that have not triggered."""
        market = self._venue.market(call.params.symbol())
        account = call.account.account_id
        for order in self._venue.exchange.open_orders(account, market.symbol):
            if tag_of(order).algo_id and not order.triggered_ns:
                self._venue.exchange.cancel(account, call.now_ns, order_id=order.order_id)
        return dict(DONE)

    def status(self, call: Call) -> Row:
        """Tell about one conditional order."""
        order = self._find(call, call.params)
        if order is None:
            raise errors.no_such_order()
        return self._rows.algo_query(order, algo_status(order), call)

    def open(self, call: Call) -> list[Row]:
        """Tell about the conditional orders that wait."""
        params = call.params
        symbol, algo_id = params.text("symbol"), params.integer("algoId")
        params.allow("algoType")
        if symbol:
            self._venue.market(params.symbol())
        return [
            self._rows.algo_query(one, "NEW", call)
            for one in self._venue.exchange.open_orders(call.account.account_id, symbol)
            if tag_of(one).algo_id and not one.triggered_ns and algo_id in (None, tag_of(one).algo_id)
        ]

    def history(self, call: Call) -> list[Row]:
        """Tell about all conditional orders of a symbol."""
        params = call.params
        market = self._venue.market(params.symbol())
        algo_id = params.integer("algoId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        check_week(since, until)
        params.allow("page")
        limit = params.limit(500, 1000)
        rows = [
            one
            for one in algo_orders(call.account)
            if one.market == market.symbol and (algo_id is None or tag_of(one).algo_id >= algo_id)
        ]
        last = until if until is not None else 1 << 62
        rows = [one for one in rows if (since or 0) <= one.ts_created <= last]
        chosen = rows[:limit] if algo_id is not None else rows[-limit:]
        return [self._rows.algo_query(one, algo_status(one), call) for one in chosen]
