"""Orders, fills and lists as spot answers them."""

from __future__ import annotations

from collections.abc import Callable

from lanner.model.enums import Liquidity, Side
from lanner.simulator.dialects.binance.calls import Call
from lanner.simulator.dialects.binance.spot.words import STATUS, Prevented, Row, list_kind, list_words, tag_of
from lanner.simulator.dialects.binance.texts import SIDES, STP_TEXT, ZERO, SpotTexts
from lanner.simulator.exchange import Exchange
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import Fill, OrderList, SimOrder, SimStatus, StpMode

NO_LIST = -1


class Rows:
    """Write answers about orders."""

    def __init__(self, exchange: Exchange, texts: SpotTexts) -> None:
        self._exchange = exchange
        self._texts = texts

    def market(self, order: SimOrder) -> Market:
        """Return the market of an order."""
        return self._exchange.markets[order.market]

    def quantity(self, market: Market, lots: int) -> str:
        """Write a quantity."""
        return self._texts.qty(market, lots)

    def ack(self, order: SimOrder, call: Call) -> Row:
        """Write the shortest answer to a new order."""
        return {
            "symbol": order.market,
            "orderId": order.order_id,
            "orderListId": order.list_id or NO_LIST,
            "clientOrderId": order.client_id,
            "transactTime": call.time(order.ts_created),
        }

    def result(self, order: SimOrder, call: Call, *, when_ns: int | None = None) -> Row:
        """Write the answer to a new order without its fills."""
        row = self.ack(order, call)
        if when_ns is not None:
            row["transactTime"] = call.time(when_ns)
        row.update(self._figures(order))
        row.update(self._conditional(order, call))
        row["workingTime"] = self._working_time(order, call.time)
        row["selfTradePreventionMode"] = STP_TEXT[order.stp]
        return row

    def full(self, order: SimOrder, call: Call, fills: list[Fill]) -> Row:
        """Write the answer to a new order with the fills it made at once."""
        row = self.result(order, call)
        row["fills"] = [self.fill_part(order, fill) for fill in fills]
        return row

    def fill_part(self, order: SimOrder, fill: Fill) -> Row:
        """Write a fill as it stands inside an order's answer."""
        market = self.market(order)
        return {
            "price": self._texts.px(market, fill.ticks),
            "qty": self._texts.qty(market, fill.lots),
            "commission": atoms_text(fill.fee_atoms),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }

    def canceled(self, order: SimOrder, call: Call, cancel_id: str) -> Row:
        """Write the answer to a cancel; ``cancel_id`` names the cancel itself."""
        row: Row = {
            "symbol": order.market,
            "origClientOrderId": order.client_id,
            "orderId": order.order_id,
            "orderListId": order.list_id or NO_LIST,
            "clientOrderId": cancel_id,
            "transactTime": call.time(order.ts_updated),
        }
        row.update(self._figures(order))
        row.update(self._conditional(order, call))
        row["selfTradePreventionMode"] = STP_TEXT[order.stp]
        return row

    def query(self, order: SimOrder, call: Call) -> Row:
        """Write an order as queries show it."""
        market, texts = self.market(order), self._texts
        row: Row = {
            "symbol": order.market,
            "orderId": order.order_id,
            "orderListId": order.list_id or NO_LIST,
            "clientOrderId": order.client_id,
        }
        row.update(self._figures(order))
        row["stopPrice"] = texts.px(market, order.trigger_ticks)
        row["icebergQty"] = texts.qty(market, order.display_lots)
        row["time"] = call.time(order.ts_created)
        row["updateTime"] = call.time(order.ts_updated)
        row["isWorking"] = self._works(order)
        row["workingTime"] = self._working_time(order, call.time)
        row["selfTradePreventionMode"] = STP_TEXT[order.stp]
        extra = self._conditional(order, call)
        extra.pop("stopPrice", None)
        extra.pop("icebergQty", None)
        extra.pop("preventedMatches", None)
        row.update(extra)
        prevented = tag_of(order).prevented
        if prevented:
            row["preventedMatchId"] = prevented[-1].match_id
        return row

    def amended(self, order: SimOrder, call: Call, old_client_id: str) -> Row:
        """Write an order that kept its priority."""
        market, texts = self.market(order), self._texts
        row: Row = {
            "symbol": order.market,
            "orderId": order.order_id,
            "orderListId": order.list_id or NO_LIST,
            "origClientOrderId": old_client_id,
            "clientOrderId": order.client_id,
            "price": texts.px(market, order.ticks),
            "qty": texts.qty(market, order.lots),
            "executedQty": texts.qty(market, order.cum_lots),
            "preventedQty": texts.qty(market, order.prevented_lots),
            "quoteOrderQty": atoms_text(order.quote_atoms),
            "cumulativeQuoteQty": atoms_text(order.cum_quote),
            "status": STATUS[order.status],
            "timeInForce": tag_of(order).tif,
            "type": tag_of(order).type,
            "side": SIDES[order.side],
        }
        if self._works(order):
            row["workingTime"] = call.time(order.ts_working)
        row["selfTradePreventionMode"] = STP_TEXT[order.stp]
        return row

    def trade(self, fill: Fill, order: SimOrder | None, call: Call) -> Row:
        """Write a fill as the account's history shows it."""
        market = self._exchange.markets[fill.market]
        return {
            "symbol": fill.market,
            "id": fill.trade_id,
            "orderId": fill.order_id,
            "orderListId": (order.list_id if order is not None else 0) or NO_LIST,
            "price": self._texts.px(market, fill.ticks),
            "qty": self._texts.qty(market, fill.lots),
            "quoteQty": atoms_text(fill.quote_atoms),
            "commission": atoms_text(fill.fee_atoms),
            "commissionAsset": fill.fee_asset,
            "time": call.time(fill.ts_ns),
            "isBuyer": fill.side == Side.BUY,
            "isMaker": fill.liquidity == Liquidity.MAKER,
            "isBestMatch": True,
        }

    def order_list(self, found: OrderList, call: Call) -> Row:
        """Write a list without reports of its orders."""
        status_type, status = list_words(found)
        return {
            "orderListId": found.list_id,
            "contingencyType": list_kind(found),
            "listStatusType": status_type,
            "listOrderStatus": status,
            "listClientOrderId": found.client_id,
            "transactionTime": call.time(found.ts_created),
            "symbol": found.market,
            "orders": [
                {"symbol": one.market, "orderId": one.order_id, "clientOrderId": one.client_id}
                for one in found.orders
            ],
        }

    def prevented(self, found: Prevented, symbol: str, call: Call) -> Row:
        """Write a prevented match."""
        market = self._exchange.markets[symbol]
        return {
            "symbol": symbol,
            "preventedMatchId": found.match_id,
            "takerOrderId": found.taker_order_id,
            "makerSymbol": symbol,
            "makerOrderId": found.maker_order_id,
            "tradeGroupId": 1,
            "selfTradePreventionMode": found.mode,
            "price": self._texts.px(market, found.ticks),
            "makerPreventedQuantity": self._texts.qty(market, found.maker_lots),
            "transactTime": call.time(found.ts_ns),
        }

    # -- parts ----------------------------------------------------------------------------------------

    def _figures(self, order: SimOrder) -> Row:
        market, texts, tag = self.market(order), self._texts, tag_of(order)
        return {
            "price": texts.px(market, order.ticks),
            "origQty": texts.qty(market, order.lots),
            "executedQty": texts.qty(market, order.cum_lots),
            "origQuoteOrderQty": atoms_text(order.quote_atoms) if order.quote_atoms else ZERO,
            "cummulativeQuoteQty": atoms_text(order.cum_quote),
            "status": STATUS[order.status],
            "timeInForce": tag.tif,
            "type": tag.type,
            "side": SIDES[order.side],
        }

    def _conditional(self, order: SimOrder, call: Call) -> Row:
        market, texts, tag = self.market(order), self._texts, tag_of(order)
        row: Row = {}
        if order.trigger_ticks:
            row["stopPrice"] = texts.px(market, order.trigger_ticks)
        if order.display_lots:
            row["icebergQty"] = texts.qty(market, order.display_lots)
        if order.trail_bps:
            row["trailingDelta"] = order.trail_bps
            row["trailingTime"] = call.time(order.ts_updated) if order.activated else -1
        if tag.strategy_id is not None:
            row["strategyId"] = tag.strategy_id
        if tag.strategy_type is not None:
            row["strategyType"] = tag.strategy_type
        if order.prevented_lots:
            row["preventedQuantity"] = texts.qty(market, order.prevented_lots)
        if tag.prevented:
            row["preventedMatches"] = [
                {
                    "preventedMatchId": one.match_id,
                    "makerOrderId": one.maker_order_id,
                    "price": texts.px(market, one.ticks),
                    "takerPreventedQuantity": texts.qty(market, one.lots),
                }
                for one in tag.prevented
                if one.taker_order_id == order.order_id
            ]
        return row

    @staticmethod
    def _works(order: SimOrder) -> bool:
        return order.status not in (SimStatus.PENDING_PARENT, SimStatus.PENDING_TRIGGER)

    def _working_time(self, order: SimOrder, time: Callable[[int], int]) -> int:
        return time(order.ts_working) if self._works(order) else -1


def stp_allowed(mode: str) -> bool:
    """Tell whether a text names a self-trade prevention mode of spot."""
    return mode in {STP_TEXT[one] for one in StpMode}
