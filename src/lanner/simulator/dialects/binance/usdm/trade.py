"""USD-M orders: place, test, change, cancel, ask; one by one and in batches."""

from __future__ import annotations

from collections.abc import Callable

from lanner.model.enums import OrderType
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.spot.account import choose_fills
from lanner.simulator.dialects.binance.spot.trade import select_rows
from lanner.simulator.dialects.binance.usdm.entry import (
    matched_price,
    need_number,
    read_plain,
    read_price,
    read_quantity,
)
from lanner.simulator.dialects.binance.usdm.rows import Rows
from lanner.simulator.dialects.binance.usdm.words import PRICE_MATCHES, Row, refusal, tag_of
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.orders import Ack, NewOrder, SimOrder

MOST_PLACED = 5
MOST_CANCELED = 10
WEEK_NS = 7 * 86_400 * 10**9
DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def is_visible(order: SimOrder) -> bool:
    """Tell whether an order is one of the order endpoints': a conditional one is only once it has triggered."""
    return not tag_of(order).algo_id or bool(order.triggered_ns)


class Trade:
    """The operations on orders."""

    def __init__(self, venue: Venue, rows: Rows) -> None:
        self._venue = venue
        self._rows = rows

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed, order, cancel = Security.SIGNED, Kind.ORDER, Kind.CANCEL
        path = "/fapi/v1/order"
        return [
            Operation(self.place, (f"POST {path}",), ("order.place",), 0, signed, "trade", order),
            Operation(self.test, (f"POST {path}/test",), ("order.test",), 1, signed, "trade"),
            Operation(self.modify, (f"PUT {path}",), ("order.modify",), 0, signed, "trade", Kind.AMEND),
            Operation(self.cancel, (f"DELETE {path}",), ("order.cancel",), 1, signed, "trade", cancel),
            Operation(self.status, (f"GET {path}",), ("order.status",), 1, signed),
            Operation(self.place_batch, ("POST /fapi/v1/batchOrders",), (), 5, signed, "trade", order),
            Operation(self.modify_batch, ("PUT /fapi/v1/batchOrders",), (), 5, signed, "trade", Kind.AMEND),
            Operation(self.cancel_batch, ("DELETE /fapi/v1/batchOrders",), (), 1, signed, "trade", cancel),
            Operation(self.cancel_all, ("DELETE /fapi/v1/allOpenOrders",), (), 1, signed, "trade", cancel),
            Operation(
                self.countdown, ("POST /fapi/v1/countdownCancelAll",), (), 10, signed, "trade", Kind.READ
            ),
            Operation(self.open_one, ("GET /fapi/v1/openOrder",), (), 1, signed),
            Operation(self.open, ("GET /fapi/v1/openOrders",), (), open_weight, signed),
            Operation(self.history, ("GET /fapi/v1/allOrders",), (), 5, signed),
            Operation(self.trades, ("GET /fapi/v1/userTrades",), (), 5, signed),
            Operation(self.amendments, ("GET /fapi/v1/orderAmendment",), (), 1, signed),
            Operation(self.forced, ("GET /fapi/v1/forceOrders",), (), 20, signed),
        ]

    # -- placing ------------------------------------------------------------------------------------

    def place(self, call: Call) -> Row:
        """Place an order."""
        return self._place(call, call.params)

    def _place(self, call: Call, params: Params) -> Row:
        market = self._venue.market(params.symbol())
        account = call.account
        new = read_plain(params, market, account.account_id, account.hedge_mode, call.now_ns)
        final = response_is_final(params)
        self._venue.limits.check_orders(account.account_id, call.now_ns)
        ack = self.submit(new, call)
        if ack.order is None:
            raise refusal(ack.reason, market, new.ticks)
        return self._rows.placed(ack.order, call, final=final)

    def submit(self, new: NewOrder, call: Call) -> Ack:
        """Hand an order to the exchange; count it, or raise why not."""
        if not new.client_id:
            new.client_id = self._venue.ids.client_id()
        ack = self._venue.exchange.submit(new, call.now_ns)
        if not ack.ok:
            raise refusal(ack.reason, self._venue.market(new.market), new.ticks)
        self._venue.limits.count_orders(new.account, call.now_ns)
        call.order_count = True
        return ack

    def test(self, call: Call) -> Row:
        """Judge an order without placing it."""
        params, account = call.params, call.account
        market = self._venue.market(params.symbol())
        new = read_plain(params, market, account.account_id, account.hedge_mode, call.now_ns)
        found = self._venue.exchange.check(new, call.now_ns)
        if not found.ok:
            raise refusal(found.reason, market, new.ticks)
        made = SimOrder(new, 0, call.now_ns)
        made.client_id = made.client_id or self._venue.ids.client_id()
        return self._rows.placed(made, call, final=False)

    def place_batch(self, call: Call) -> list[Row]:
        """Place up to five orders; each has its own answer."""
        return self._each(call, MOST_PLACED, self._place)

    def _each(self, call: Call, most: int, work: Callable[[Call, Params], Row]) -> list[Row]:
        items = call.params.json("batchOrders")
        if not isinstance(items, list) or not items or not all(isinstance(one, dict) for one in items):
            raise errors.missing("batchOrders")
        if len(items) > most:
            raise ApiError(-4082, f"Invalid number of batch place orders: {len(items)}")
        rows: list[Row] = []
        for item in items:
            try:
                rows.append(work(call, Params.from_json(item, client_id_rule=self._venue.client_id_rule)))
            except ApiError as refused:
                rows.append(refused.body())
        return rows

    # -- changing -----------------------------------------------------------------------------------

    def modify(self, call: Call) -> Row:
        """Change price and quantity of a limit order."""
        return self._modify(call, call.params)

    def modify_batch(self, call: Call) -> list[Row]:
        """Change up to five orders; each has its own answer."""
        return self._each(call, MOST_PLACED, self._modify)

    def _modify(self, call: Call, params: Params) -> Row:
        market = self._venue.market(params.symbol())
        order = self._find(call, params)
        side = params.need("side")
        if side not in ("BUY", "SELL"):
            raise ApiError(-1117, "Invalid side.")
        lots = read_quantity(market, need_number(params, "quantity"))
        match = params.text("priceMatch")
        if match and match != "NONE":
            if match not in PRICE_MATCHES or params.text("price"):
                raise ApiError(-5037, "Invalid price match")
            ticks = matched_price(market, order.side, match)
        else:
            ticks = read_price(market, need_number(params, "price"))
        if not order.status.is_open:
            raise errors.no_such_order()
        if order.type != OrderType.LIMIT or (side == "BUY") != (order.side > 0):
            raise ApiError(-5025, "Only limit order is supported.")
        self._venue.limits.check_orders(order.account, call.now_ns)
        before = (order.ticks, order.lots)
        ack = self._venue.exchange.amend(
            order.account, call.now_ns, market=market.symbol, order_id=order.order_id, ticks=ticks, lots=lots
        )
        if not ack.ok:
            raise refusal(ack.reason, market, ticks)
        self._venue.limits.count_orders(order.account, call.now_ns)
        call.order_count = True
        self._note_amendment(order, before, call)
        return self._rows.modified(order, call)

    def _note_amendment(self, order: SimOrder, before: tuple[int, int], call: Call) -> None:
        market, texts, tag = self._rows.market(order), self._rows.texts, tag_of(order)
        tag.amendments.append(
            {
                "amendmentId": self._venue.ids.execution_id(),
                "symbol": order.market,
                "pair": order.market,
                "orderId": order.order_id,
                "clientOrderId": order.client_id,
                "time": call.time(call.now_ns),
                "amendment": {
                    "price": {"before": texts.px(market, before[0]), "after": texts.px(market, order.ticks)},
                    "origQty": {
                        "before": texts.qty(market, before[1]),
                        "after": texts.qty(market, order.lots),
                    },
                    "count": len(tag.amendments) + 1,
                },
                "priceMatch": tag.price_match,
            }
        )

    def amendments(self, call: Call) -> list[Row]:
        """Tell how an order was changed, the latest change first."""
        order = self._find(call, call.params)
        limit = call.params.limit(50, 100)
        return list(reversed(tag_of(order).amendments))[:limit]

    # -- cancelling ---------------------------------------------------------------------------------

    def _find(self, call: Call, params: Params) -> SimOrder:
        symbol = self._venue.market(params.symbol()).symbol
        order_id, client_id = params.integer("orderId"), params.text("origClientOrderId")
        if order_id is None and not client_id:
            raise errors.either_missing("origClientOrderId", "orderid")
        found = self._venue.exchange.order(
            call.account.account_id, order_id=order_id or 0, client_id="" if order_id else client_id
        )
        if found is None or found.market != symbol or not is_visible(found):
            raise errors.no_such_order()
        return found

    def cancel(self, call: Call) -> Row:
        """Cancel an order."""
        return self._cancel(call, call.params)

    def _cancel(self, call: Call, params: Params) -> Row:
        try:
            order = self._find(call, params)
        except ApiError as refused:
            raise errors.cancel_rejected() if refused.code == -2013 else refused from None
        ack = self._venue.exchange.cancel(
            order.account, call.now_ns, market=order.market, order_id=order.order_id
        )
        if not ack.ok:
            raise errors.cancel_rejected()
        return self._rows.canceled(order, call)

    def cancel_batch(self, call: Call) -> list[Row]:
        """Cancel up to ten orders of a symbol; each has its own answer."""
        params = call.params
        symbol = params.symbol()
        self._venue.market(symbol)
        ids, names = params.json("orderIdList"), params.json("origClientOrderIdList")
        wanted = ids if ids else names
        if not isinstance(wanted, list) or not wanted:
            raise errors.either_missing("origClientOrderIdList", "orderIdList")
        if len(wanted) > MOST_CANCELED:
            raise ApiError(-4032, "Exceed maximum cancel order size.")
        name = "orderId" if ids else "origClientOrderId"
        rows: list[Row] = []
        for one in wanted:
            try:
                rows.append(self._cancel(call, Params({"symbol": symbol, name: str(one)})))
            except ApiError as refused:
                rows.append(refused.body())
        return rows

    def cancel_all(self, call: Call) -> Row:
        """Cancel all orders of a symbol; conditional ones stay."""
        market = self._venue.market(call.params.symbol())
        account = call.account.account_id
        for order in self._venue.exchange.open_orders(account, market.symbol):
            if is_visible(order):
                self._venue.exchange.cancel(account, call.now_ns, order_id=order.order_id)
        return dict(DONE)

    def countdown(self, call: Call) -> Row:
        """Cancel all orders of a symbol unless this is said again in time; 0 takes it back."""
        market = self._venue.market(call.params.symbol())
        wait_ms = call.params.integer("countdownTime")
        if wait_ms is None:
            raise errors.missing("countdownTime")
        deadline = call.now_ns + wait_ms * 10**6 if wait_ms else 0
        self._venue.exchange.set_countdown(
            call.account.account_id, deadline, call.now_ns, market=market.symbol
        )
        return {"symbol": market.symbol, "countdownTime": str(wait_ms)}

    # -- asking ---------------------------------------------------------------------------------------

    def status(self, call: Call) -> Row:
        """Tell about one order."""
        return self._rows.query(self._find(call, call.params), call)

    def open_one(self, call: Call) -> Row:
        """Tell about one open order."""
        order = self._find(call, call.params)
        if not order.status.is_open:
            raise errors.no_such_order()
        return self._rows.query(order, call)

    def open(self, call: Call) -> list[Row]:
        """Tell about the open orders, of one symbol or all."""
        symbol = call.params.text("symbol")
        if symbol:
            self._venue.market(call.params.symbol())
        found = self._venue.exchange.open_orders(call.account.account_id, symbol)
        return [self._rows.query(one, call) for one in found if is_visible(one)]

    def history(self, call: Call) -> list[Row]:
        """Tell about all orders of a symbol: from an id on, in a time span of a week, or the latest."""
        params = call.params
        market = self._venue.market(params.symbol())
        since, until = call.from_time("startTime"), call.from_time("endTime")
        check_week(since, until)
        limit = params.limit(500, 1000)
        rows = [one for one in call.account.orders if one.market == market.symbol and is_visible(one)]
        found = select_rows(rows, params.integer("orderId"), since, until, limit)
        return [self._rows.query(one, call) for one in found]

    def trades(self, call: Call) -> list[Row]:
        """Tell the account's fills of a symbol."""
        params = call.params
        market = self._venue.market(params.symbol())
        order_id, first_id = params.integer("orderId"), params.integer("fromId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        if first_id is not None and (since is not None or until is not None):
            raise errors.bad_combination()
        check_week(since, until)
        limit = params.limit(500, 1000)
        rows = [one for one in call.account.fills if one.market == market.symbol]
        if order_id is not None:
            rows = [one for one in rows if one.order_id == order_id]
        return [self._rows.trade(one, call) for one in choose_fills(rows, first_id, since, until, limit)]

    def forced(self, call: Call) -> list[Row]:
        """Tell about liquidations of the account."""
        params = call.params
        symbol = params.text("symbol")
        since, until = call.from_time("startTime") or 0, call.from_time("endTime") or 1 << 62
        params.allow("autoCloseType")
        limit = params.limit(50, 100)
        found = [
            one
            for one in call.account.orders
            if one.liquidation and symbol in ("", one.market) and since <= one.ts_created <= until
        ]
        return [self._rows.query(one, call) for one in found[-limit:]]


def response_is_final(params: Params) -> bool:
    """Tell whether the answer waits for the matching: ``RESULT``."""
    found = params.text("newOrderRespType", "ACK")
    if found not in ("ACK", "RESULT", "FULL"):
        raise ApiError(-1136, "Invalid newOrderRespType.")
    return found != "ACK"


def check_week(since: int | None, until: int | None) -> None:
    """Refuse a time span that runs backwards or is longer than a week."""
    if since is None or until is None:
        return
    if since > until:
        raise ApiError(-1023, "Start time is greater than end time.")
    if until - since > WEEK_NS:
        raise ApiError(-4165, "Maximum time interval is 7 days.")


def open_weight(params: Params) -> int:
    """Return the weight of asking for open orders."""
    return 1 if params.text("symbol") else 40
