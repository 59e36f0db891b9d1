"""Spot orders: place, test, cancel, replace, amend, ask."""

from __future__ import annotations

from typing import Any

from lanner.model.enums import OrderType
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.spot.entry import read_order
from lanner.simulator.dialects.binance.spot.rows import Rows
from lanner.simulator.dialects.binance.spot.words import (
    FILTERS,
    Amendment,
    Row,
    list_kind,
    list_words,
    refusal,
    tag_of,
)
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.orders import Ack, EndReason, NewOrder, RejectReason, SimOrder, SimStatus

RESPONSE_TYPES = ("ACK", "RESULT", "FULL")
FULL_BY_DEFAULT = frozenset({"MARKET", "LIMIT"})
DAY_MS_NS = 24 * 3600 * 10**9


class Trade:
    """The operations on single orders."""

    def __init__(self, venue: Venue, rows: Rows, cancel_ids: dict[int, str]) -> None:
        self._venue = venue
        self._rows = rows
        self._cancel_ids = cancel_ids
        """Client ids of cancels under way, for the events they cause."""

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed, order = Security.SIGNED, Kind.ORDER
        return [
            Operation(self.place, ("POST /api/v3/order",), ("order.place",), 1, signed, "trade", order),
            Operation(self.test, ("POST /api/v3/order/test",), ("order.test",), test_weight, signed, "trade"),
            Operation(
                self.cancel, ("DELETE /api/v3/order",), ("order.cancel",), 1, signed, "trade", Kind.CANCEL
            ),
            Operation(
                self.replace,
                ("POST /api/v3/order/cancelReplace",),
                ("order.cancelReplace",),
                1,
                signed,
                "trade",
                order,
            ),
            Operation(
                self.amend,
                ("PUT /api/v3/order/amend/keepPriority",),
                ("order.amend.keepPriority",),
                4,
                signed,
                "trade",
                Kind.AMEND,
            ),
            Operation(self.amendments, ("GET /api/v3/order/amendments",), ("order.amendments",), 4, signed),
            Operation(self.status, ("GET /api/v3/order",), ("order.status",), 4, signed),
            Operation(self.open, ("GET /api/v3/openOrders",), ("openOrders.status",), open_weight, signed),
            Operation(
                self.cancel_all,
                ("DELETE /api/v3/openOrders",),
                ("openOrders.cancelAll",),
                1,
                signed,
                "trade",
                Kind.CANCEL,
            ),
            Operation(self.history, ("GET /api/v3/allOrders",), ("allOrders",), 20, signed),
        ]

    # -- placing ------------------------------------------------------------------------------------

    def place(self, call: Call) -> Row:
        """Place an order."""
        market = self._venue.market(call.params.symbol())
        new = read_order(call.params, market, call.account.account_id)
        response = response_type(call.params, new.tag.type)
        self.finish_reading(call)
        self._venue.limits.check_orders(new.account, call.now_ns)
        ack = self.submit(new, call)
        return self.answer(ack, call, response)

    def submit(self, new: NewOrder, call: Call) -> Ack:
        """Hand an order to the exchange; count it, or raise why not."""
        if not new.client_id:
            new.client_id = self._venue.ids.client_id()
        ack = self._venue.exchange.submit(new, call.now_ns)
        if not ack.ok:
            raise refusal(ack.reason)
        self._venue.limits.count_orders(new.account, call.now_ns)
        if ack.fills:
            self._venue.limits.count_orders(new.account, call.now_ns, -1)
        call.order_count = True
        return ack

    def answer(self, ack: Ack, call: Call, response: str) -> Row:
        """Write the answer to a new order as wide as asked for."""
        if ack.order is None:
            raise refusal(ack.reason)
        if response == "ACK":
            return self._rows.ack(ack.order, call)
        if response == "RESULT":
            return self._rows.result(ack.order, call)
        return self._rows.full(ack.order, call, ack.fills)

    def test(self, call: Call) -> Row:
        """Judge an order without placing it."""
        market = self._venue.market(call.params.symbol())
        new = read_order(call.params, market, call.account.account_id)
        response_type(call.params, new.tag.type)
        wanted = call.params.boolean("computeCommissionRates")
        found = self._venue.exchange.check(new, call.now_ns)
        if not found.ok and (found.reason in FILTERS or found.reason == RejectReason.NOT_TRADING):
            raise refusal(found.reason)
        if not wanted:
            return {}
        maker, taker = fee_texts(call, market.maker_ppb, market.taker_ppb)
        zero = {"maker": "0.00000000", "taker": "0.00000000"}
        return {
            "standardCommissionForOrder": {"maker": maker, "taker": taker},
            "specialCommissionForOrder": zero,
            "taxCommissionForOrder": zero,
            "discount": discount(),
        }

    # -- cancelling ---------------------------------------------------------------------------------

    def find(self, call: Call, id_name: str, client_name: str) -> SimOrder:
        """Return the order a request names, of the market it names."""
        params, market = call.params, self._venue.market(call.params.symbol())
        order_id = params.integer(id_name)
        client_id = params.text(client_name)
        if order_id is None and not client_id:
            raise errors.either_missing(client_name, id_name)
        account = call.account.account_id
        found = self._venue.exchange.order(
            account, order_id=order_id or 0, client_id="" if order_id else client_id
        )
        if found is None or found.market != market.symbol or (client_id and found.client_id != client_id):
            raise errors.no_such_order()
        return found

    def cancel(self, call: Call) -> Row:
        """Cancel an order; one of a list takes the list with it."""
        params = call.params
        try:
            order = self.find(call, "orderId", "origClientOrderId")
        except ApiError as refused:
            raise errors.cancel_rejected() if refused.code == -2013 else refused from None
        cancel_id = params.client_id("newClientOrderId") or self._venue.ids.client_id()
        self._check_restrictions(call, order)
        self.finish_reading(call)
        return self.cancel_order(order, call, cancel_id)

    def cancel_order(
        self, order: SimOrder, call: Call, cancel_id: str, reason: EndReason = EndReason.USER
    ) -> Row:
        """Cancel an order (with its list) and write the answer."""
        found = (
            self._venue.exchange.order_list(order.account, list_id=order.list_id) if order.list_id else None
        )
        ended = [one for one in found.orders if one.status.is_open] if found is not None else [order]
        for one in ended:
            self._cancel_ids[one.order_id] = cancel_id
        try:
            ack = self._venue.exchange.cancel(
                order.account, call.now_ns, market=order.market, order_id=order.order_id, reason=reason
            )
        finally:
            for one in ended:
                self._cancel_ids.pop(one.order_id, None)
        if not ack.ok:
            raise errors.cancel_rejected()
        if found is None:
            return self._rows.canceled(order, call, cancel_id)
        row = self._rows.order_list(found, call)
        row["transactionTime"] = call.time(call.now_ns)
        row["orderReports"] = [self._rows.canceled(one, call, cancel_id) for one in ended]
        return row

    @staticmethod
    def _check_restrictions(call: Call, order: SimOrder) -> None:
        wanted = call.params.text("cancelRestrictions")
        if not wanted:
            return
        allowed = {"ONLY_NEW": SimStatus.NEW, "ONLY_PARTIALLY_FILLED": SimStatus.PARTIALLY_FILLED}.get(wanted)
        if allowed is None:
            raise ApiError(-1145, "Invalid cancelRestrictions")
        waiting = (SimStatus.NEW, SimStatus.PENDING_TRIGGER, SimStatus.PENDING_PARENT)
        if order.status.is_open and (order.status in waiting) != (allowed == SimStatus.NEW):
            raise errors.cancel_rejected("Order was not canceled due to cancel restrictions.")

    def cancel_all(self, call: Call) -> list[Row]:
        """Cancel all orders of a symbol."""
        market = self._venue.market(call.params.symbol())
        self.finish_reading(call)
        account = call.account.account_id
        rows = [
            self.cancel_order(order, call, self._venue.ids.client_id())
            for order in self._venue.exchange.open_orders(account, market.symbol)
            if order.status.is_open
        ]
        if not rows:
            raise errors.cancel_rejected()
        return rows

    # -- replacing and amending -----------------------------------------------------------------------

    def replace(self, call: Call) -> Row:
        """Cancel one order and place another."""
        params = call.params
        market = self._venue.market(params.symbol())
        mode = params.need("cancelReplaceMode")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise errors.invalid_data("cancelReplaceMode")
        exceeded = params.text("orderRateLimitExceededMode", "DO_NOTHING")
        if exceeded not in ("DO_NOTHING", "CANCEL_ONLY"):
            raise errors.invalid_data("orderRateLimitExceededMode")
        cancel_id = params.client_id("cancelNewClientOrderId") or self._venue.ids.client_id()
        new = read_order(params, market, call.account.account_id)
        response = response_type(params, new.tag.type)
        too_many = self._over_limit(call, exceeded)
        cancel_row, cancel_error = self._replace_cancel(call, cancel_id)
        self.finish_reading(call)
        if cancel_error is not None and mode == "STOP_ON_FAILURE":
            data = _outcome("FAILURE", "NOT_ATTEMPTED", cancel_error.body(), None)
            raise ApiError(-2022, "Order cancel-replace failed.", data=data)
        try:
            if too_many is not None:
                raise too_many
            new_row: Row = self.answer(self.submit(new, call), call, response)
            new_error = None
        except ApiError as refused:
            new_row, new_error = refused.body(), refused
        cancel_body = cancel_row if cancel_error is None else cancel_error.body()
        cancel_word = "SUCCESS" if cancel_error is None else "FAILURE"
        new_word = "SUCCESS" if new_error is None else "FAILURE"
        data = _outcome(cancel_word, new_word, cancel_body, new_row)
        if cancel_error is None and new_error is None:
            return data
        if cancel_error is not None and new_error is not None:
            raise ApiError(-2022, "Order cancel-replace failed.", data=data)
        raise ApiError(-2021, "Order cancel-replace partially failed.", status=409, data=data)

    def _over_limit(self, call: Call, exceeded: str) -> ApiError | None:
        try:
            self._venue.limits.check_orders(call.account.account_id, call.now_ns)
        except ApiError as refused:
            if exceeded == "DO_NOTHING":
                raise
            return refused
        return None

    def _replace_cancel(self, call: Call, cancel_id: str) -> tuple[Row | None, ApiError | None]:
        try:
            order = self.find(call, "cancelOrderId", "cancelOrigClientOrderId")
            self._check_restrictions(call, order)
            return self.cancel_order(order, call, cancel_id, EndReason.REPLACED), None
        except ApiError as refused:
            if refused.code == -2013:
                return None, errors.cancel_rejected()
            if refused.code == -2011:
                return None, refused
            raise

    def amend(self, call: Call) -> Row:
        """Make an order smaller where it stands."""
        order = self.find(call, "orderId", "origClientOrderId")
        market = self._venue.market(order.market)
        wanted = call.params.need_decimal("newQty")
        client_id = call.params.client_id("newClientOrderId") or self._venue.ids.client_id()
        self.finish_reading(call)
        if not order.status.is_open:
            raise ApiError(-2038, "The order cannot be amended: it is not open.")
        steps = wanted / market.instrument.lot
        if steps != int(steps) or steps < market.min_lots:
            raise errors.filter_failure("LOT_SIZE")
        lots = int(steps)
        if (order.type != OrderType.MARKET and lots >= order.lots) or lots <= order.cum_lots:
            raise ApiError(
                -2038, "The requested quantity must be lower than the order's and above what it has filled."
            )
        tag, old_client_id, old_lots = tag_of(order), order.client_id, order.lots
        tag.old_client_id = old_client_id
        ack = self._venue.exchange.amend(
            order.account, call.now_ns, order_id=order.order_id, lots=lots, new_client_id=client_id
        )
        if not ack.ok:
            raise refusal(ack.reason)
        execution = self._venue.ids.execution_id()
        tag.amendments.append(
            Amendment(execution, old_client_id, order.client_id, old_lots, order.lots, call.now_ns)
        )
        row: Row = {
            "transactTime": call.time(call.now_ns),
            "executionId": execution,
            "amendedOrder": self._rows.amended(order, call, old_client_id),
        }
        if order.list_id:
            row["listStatus"] = self._list_status(order, call)
        return row

    def _list_status(self, order: SimOrder, call: Call) -> Row:
        found = self._venue.exchange.order_list(order.account, list_id=order.list_id)
        if found is None:
            return {}
        whole = self._rows.order_list(found, call)
        kept = ("orderListId", "contingencyType", "listOrderStatus", "listClientOrderId", "symbol", "orders")
        whole.update(contingencyType=list_kind(found), listOrderStatus=list_words(found)[1])
        return {name: whole[name] for name in kept}

    def amendments(self, call: Call) -> list[Row]:
        """Tell how an order was amended."""
        call.params.need("orderId")
        order = self.find(call, "orderId", "origClientOrderId")
        market = self._venue.market(order.market)
        first = call.params.integer("fromExecutionId", 0) or 0
        limit = call.params.limit(500, 1000)
        texts = self._rows
        found = [one for one in tag_of(order).amendments if one.execution_id >= first][:limit]
        return [
            {
                "symbol": order.market,
                "orderId": order.order_id,
                "executionId": one.execution_id,
                "origClientOrderId": one.old_client_id,
                "newClientOrderId": one.new_client_id,
                "origQty": texts.quantity(market, one.old_lots),
                "newQty": texts.quantity(market, one.new_lots),
                "time": call.time(one.ts_ns),
            }
            for one in found
        ]

    # -- asking ---------------------------------------------------------------------------------------

    def status(self, call: Call) -> Row:
        """Tell about one order."""
        return self._rows.query(self.find(call, "orderId", "origClientOrderId"), call)

    def open(self, call: Call) -> list[Row]:
        """Tell about the open orders, of one symbol or all."""
        symbol = call.params.text("symbol")
        if symbol:
            self._venue.market(call.params.symbol())
        found = self._venue.exchange.open_orders(call.account.account_id, symbol)
        return [self._rows.query(one, call) for one in found if self._rows.market(one).is_spot]

    def history(self, call: Call) -> list[Row]:
        """Tell about all orders of a symbol: from an id on, in a time span, or the latest."""
        params = call.params
        market = self._venue.market(params.symbol())
        first_id = params.integer("orderId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        check_span(since, until)
        limit = params.limit(500, 1000)
        rows = [one for one in call.account.orders if one.market == market.symbol]
        return [self._rows.query(one, call) for one in select_rows(rows, first_id, since, until, limit)]

    def finish_reading(self, call: Call) -> None:
        """Refuse what nobody asked for, before anything is done."""
        if self._venue.strict:
            call.params.refuse_unread()


def select_rows(
    rows: list[Any], first_id: int | None, since: int | None, until: int | None, limit: int
) -> list[SimOrder]:
    """Choose orders: from an id on the oldest first, from a time on the oldest first, else the latest."""
    if first_id is not None:
        return [one for one in rows if one.order_id >= first_id][:limit]
    if since is not None or until is not None:
        first, last = since or 0, until if until is not None else 1 << 62
        found = [one for one in rows if first <= one.ts_created <= last]
        return found[:limit] if since is not None else found[-limit:]
    return rows[-limit:]


def check_span(since: int | None, until: int | None, longest_ns: int = DAY_MS_NS) -> None:
    """Refuse a time span that runs backwards or is too long."""
    if since is None or until is None:
        return
    if since > until:
        raise ApiError(-1130, "Start time is greater than end time.")
    if until - since > longest_ns:
        raise ApiError(
            -1127, f"More than {longest_ns // (3600 * 10**9)} hours between startTime and endTime."
        )


def response_type(params: Params, kind: str) -> str:
    """Return how wide the answer to a new order is."""
    found = params.text("newOrderRespType")
    if not found:
        return "FULL" if kind in FULL_BY_DEFAULT else "ACK"
    if found not in RESPONSE_TYPES:
        raise errors.invalid_data("newOrderRespType")
    return found


def fee_texts(call: Call, maker_ppb: int, taker_ppb: int) -> tuple[str, str]:
    """Return an account's maker and taker fee as text."""
    account = call.account
    maker = f"{account.maker:.8f}" if account.maker is not None else f"{maker_ppb / 10**9:.8f}"
    taker = f"{account.taker:.8f}" if account.taker is not None else f"{taker_ppb / 10**9:.8f}"
    return maker, taker


def discount() -> Row:
    """Return the discount for fees paid in BNB: none here."""
    return {
        "enabledForAccount": False,
        "enabledForSymbol": False,
        "discountAsset": "BNB",
        "discount": "0.75000000",
    }


def _outcome(cancel: str, new: str, cancel_body: Row | None, new_body: Row | None) -> Row:
    return {
        "cancelResult": cancel,
        "newOrderResult": new,
        "cancelResponse": cancel_body,
        "newOrderResponse": new_body,
    }


def open_weight(params: Params) -> int:
    """Return the weight of asking for open orders."""
    return 6 if params.text("symbol") else 80


def test_weight(params: Params) -> int:
    """Return the weight of testing an order."""
    return 20 if params.boolean("computeCommissionRates") else 1
