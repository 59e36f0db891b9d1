"""Spot order lists: OCO, OTO and OTOCO in their present form, and the OCO of old."""

from __future__ import annotations

from lanner.model.enums import Side
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.spot.entry import Names, read_order
from lanner.simulator.dialects.binance.spot.rows import Rows
from lanner.simulator.dialects.binance.spot.trade import Trade, check_span, response_type
from lanner.simulator.dialects.binance.spot.words import Row, refusal
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.markets import Market
from lanner.simulator.orders import ListKind, ListState, NewList, NewOrder, OrderList

STOP_LOSSES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})
TAKE_PROFITS = frozenset({"TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
OCO_TYPES = STOP_LOSSES | TAKE_PROFITS | {"LIMIT_MAKER"}
BAD_PRICES = "The relationship of the prices for the orders is not correct."
MISPLACED = {
    (Side.BUY, "above", "LIMIT_MAKER"): (-1165, "A limit order in a buy OCO must be below."),
    (Side.SELL, "below", "LIMIT_MAKER"): (-1166, "A limit order in a sell OCO must be above."),
    (Side.BUY, "below", "STOP_LOSS"): (-1196, "A stop loss order in a buy OCO must be above."),
    (Side.SELL, "above", "STOP_LOSS"): (-1197, "A stop loss order in a sell OCO must be below."),
    (Side.BUY, "above", "TAKE_PROFIT"): (-1198, "A take profit order in a buy OCO must be below."),
    (Side.SELL, "below", "TAKE_PROFIT"): (-1199, "A take profit order in a sell OCO must be above."),
}


class Lists:
    """The operations on order lists."""

    def __init__(self, venue: Venue, rows: Rows, trade: Trade) -> None:
        self._venue = venue
        self._rows = rows
        self._trade = trade

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed, order = Security.SIGNED, Kind.ORDER
        return [
            Operation(
                self.oco, ("POST /api/v3/orderList/oco",), ("orderList.place.oco",), 1, signed, "trade", order
            ),
            Operation(
                self.old_oco, ("POST /api/v3/order/oco",), ("orderList.place",), 1, signed, "trade", order
            ),
            Operation(
                self.oto, ("POST /api/v3/orderList/oto",), ("orderList.place.oto",), 1, signed, "trade", order
            ),
            Operation(
                self.otoco,
                ("POST /api/v3/orderList/otoco",),
                ("orderList.place.otoco",),
                1,
                signed,
                "trade",
                order,
            ),
            Operation(
                self.cancel,
                ("DELETE /api/v3/orderList",),
                ("orderList.cancel",),
                1,
                signed,
                "trade",
                Kind.CANCEL,
            ),
            Operation(self.status, ("GET /api/v3/orderList",), ("orderList.status",), 4, signed),
            Operation(self.open, ("GET /api/v3/openOrderList",), ("openOrderLists.status",), 6, signed),
            Operation(self.history, ("GET /api/v3/allOrderList",), ("allOrderLists",), 20, signed),
        ]

    # -- placing ------------------------------------------------------------------------------------

    def oco(self, call: Call) -> Row:
        """Place a pair of which the first that trades or triggers ends the other."""
        market = self._venue.market(call.params.symbol())
        legs = self._pair(call, market, "above", "below", side="side", quantity="quantity")
        # the venue answers with the stop first, whichever side of the market it is on
        return self._place(
            call, market, ListKind.OCO, sorted(legs, key=lambda one: one.tag.type == "LIMIT_MAKER")
        )

    def old_oco(self, call: Call) -> Row:
        """Place an OCO in the form of old: a limit and a stop."""
        params = call.params
        market = self._venue.market(params.symbol())
        stop_type = "STOP_LOSS_LIMIT" if params.text("stopLimitPrice") else "STOP_LOSS"
        limit_names = Names(
            type="limitType", tif="limitTimeInForce", quote="", client_id="limitClientOrderId",
            stop="limitStopPrice", trailing="limitTrailingDelta", iceberg="limitIcebergQty",
            strategy_id="limitStrategyId", strategy_type="limitStrategyType",
        )  # fmt: skip
        stop_names = Names(
            type="stopType", tif="stopLimitTimeInForce", quote="", price="stopLimitPrice",
            client_id="stopClientOrderId", iceberg="stopIcebergQty",
            strategy_id="stopStrategyId", strategy_type="stopStrategyType",
        )  # fmt: skip
        account = call.account.account_id
        limit = read_order(params.with_value("limitType", "LIMIT_MAKER"), market, account, limit_names)
        stop = read_order(params.with_value("stopType", stop_type), market, account, stop_names)
        above, below = (limit, stop) if limit.side is Side.SELL else (stop, limit)
        check_prices(above, below, market)
        return self._place(call, market, ListKind.OCO, [stop, limit])

    def oto(self, call: Call) -> Row:
        """Place an order and one that appears when it has filled."""
        market = self._venue.market(call.params.symbol())
        working = self._working(call, market)
        names = Names.leg("pending", side="pendingSide", quantity="pendingQuantity")
        pending = read_order(call.params, market, working.account, names)
        return self._place(call, market, ListKind.OTO, [working, pending])

    def otoco(self, call: Call) -> Row:
        """Place an order and an OCO pair that appears when it has filled."""
        market = self._venue.market(call.params.symbol())
        working = self._working(call, market)
        legs = self._pair(
            call, market, "pendingAbove", "pendingBelow", side="pendingSide", quantity="pendingQuantity"
        )
        return self._place(call, market, ListKind.OTOCO, [working, *legs])

    def _working(self, call: Call, market: Market) -> NewOrder:
        names = Names.leg("working", side="workingSide", quantity="workingQuantity")
        found = read_order(call.params, market, call.account.account_id, names)
        if found.tag.type not in ("LIMIT", "LIMIT_MAKER"):
            raise errors.rejected("Unsupported order combination")
        return found

    def _pair(
        self, call: Call, market: Market, above_prefix: str, below_prefix: str, *, side: str, quantity: str
    ) -> list[NewOrder]:
        params, account = call.params, call.account.account_id
        above_names = Names.leg(above_prefix, side=side, quantity=quantity)
        below_names = Names.leg(below_prefix, side=side, quantity=quantity)
        if below_prefix != "below" and not params.text(below_names.type):
            raise errors.missing(below_names.type)
        above = read_order(params, market, account, above_names)
        below = read_order(params, market, account, below_names)
        check_types(above, below)
        if above_prefix == "above":
            check_prices(above, below, market)
        return [above, below]

    def _place(self, call: Call, market: Market, kind: ListKind, orders: list[NewOrder]) -> Row:
        venue, params = self._venue, call.params
        client_id = params.client_id("listClientOrderId") or venue.ids.client_id()
        response = response_type(params, "MARKET" if not params.text("newOrderRespType") else "")
        self._trade.finish_reading(call)
        account = call.account.account_id
        venue.limits.check_orders(account, call.now_ns, len(orders))
        for one in orders:
            one.client_id = one.client_id or venue.ids.client_id()
        wanted = NewList(account=account, market=market.symbol, kind=kind, orders=orders, client_id=client_id)
        found = venue.exchange.submit_list(wanted, call.now_ns)
        if found.order_list is None or not found.ok:
            raise refusal(found.reason)
        venue.limits.count_orders(account, call.now_ns, len(orders))
        call.order_count = True
        row = self._rows.order_list(found.order_list, call)
        if response != "ACK":
            row["orderReports"] = [self._rows.result(one, call) for one in found.order_list.orders]
        else:
            row["orderReports"] = [self._rows.ack(one, call) for one in found.order_list.orders]
        return row

    # -- the rest -------------------------------------------------------------------------------------

    def _find(self, call: Call, client_name: str) -> OrderList | None:
        list_id = call.params.integer("orderListId")
        client_id = call.params.text(client_name)
        if list_id is None and not client_id:
            raise errors.either_missing("orderListId", client_name)
        return self._venue.exchange.order_list(
            call.account.account_id, list_id=list_id or 0, client_id=client_id
        )

    def cancel(self, call: Call) -> Row:
        """Cancel a whole list."""
        market = self._venue.market(call.params.symbol())
        found = self._find(call, "listClientOrderId")
        cancel_id = call.params.client_id("newClientOrderId") or self._venue.ids.client_id()
        self._trade.finish_reading(call)
        if found is None or found.market != market.symbol:
            raise errors.cancel_rejected()
        first = next((one for one in found.orders if one.status.is_open), None)
        if first is None:
            raise errors.cancel_rejected()
        return self._trade.cancel_order(first, call, cancel_id)

    def status(self, call: Call) -> Row:
        """Tell about one list."""
        found = self._find(call, "origClientOrderId")
        if found is None:
            raise ApiError(-2018, "Order list does not exist.")
        return self._rows.order_list(found, call)

    def open(self, call: Call) -> list[Row]:
        """Tell about the lists that are not done."""
        return [
            self._rows.order_list(one, call)
            for one in call.account.lists
            if one.state == ListState.EXECUTING and one.market in self._venue.exchange.markets
        ]

    def history(self, call: Call) -> list[Row]:
        """Tell about all lists: from an id on, in a time span, or the latest."""
        params = call.params
        first_id = params.integer("fromId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        if first_id is not None and (since is not None or until is not None):
            raise errors.bad_combination()
        check_span(since, until)
        limit = params.limit(500, 1000)
        rows = list(call.account.lists)
        if first_id is not None:
            rows = [one for one in rows if one.list_id >= first_id][:limit]
        elif since is not None or until is not None:
            first, last = since or 0, until if until is not None else 1 << 62
            rows = [one for one in rows if first <= one.ts_created <= last][:limit]
        return [self._rows.order_list(one, call) for one in rows[-limit:]]


def check_types(above: NewOrder, below: NewOrder) -> None:
    """Refuse a pair whose types are on the wrong sides."""
    for leg in (above, below):
        if leg.tag.type not in OCO_TYPES:
            raise ApiError(-1158, "Order type not supported in OCO.")
    if above.tag.type == below.tag.type == "LIMIT_MAKER":
        raise ApiError(-1168, "At least one OCO order must be contingent.")
    for place, leg in (("above", above), ("below", below)):
        family = leg.tag.type.removesuffix("_LIMIT")
        found = MISPLACED.get((leg.side, place, family))
        if found is not None:
            raise ApiError(*found)


def check_prices(above: NewOrder, below: NewOrder, market: Market) -> None:
    """Refuse a pair whose prices are not on both sides of the last price."""
    last = market.last_ticks or market.reference_ticks
    high, low = _mark(above), _mark(below)
    if not last or not high or not low:
        return
    if not low < last < high:
        raise errors.rejected(BAD_PRICES)


def _mark(leg: NewOrder) -> int:
    return leg.ticks if leg.tag.type == "LIMIT_MAKER" else leg.trigger_ticks
