"""Orders, fills and conditional orders as USD-M answers them."""

from __future__ import annotations

from lanner.model.enums import Liquidity, OrderType, Side
from lanner.simulator.dialects.binance.calls import Call
from lanner.simulator.dialects.binance.texts import SIDES, STP_TEXT
from lanner.simulator.dialects.binance.usdm.words import (
    SIDE_TEXT,
    STATUS,
    Row,
    UsdmTexts,
    tag_of,
    working_type,
)
from lanner.simulator.exchange import Exchange
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import Fill, SimOrder

_AFTER_TRIGGER = {"STOP": "LIMIT", "TAKE_PROFIT": "LIMIT"}


def live_type(order: SimOrder) -> str:
    """Return an order's type as it works now: a triggered stop is a plain order."""
    kind = tag_of(order).type
    if not order.triggered_ns:
        return kind
    return _AFTER_TRIGGER.get(kind, "MARKET")


class Rows:
    """Write answers about orders."""

    def __init__(self, exchange: Exchange, texts: UsdmTexts) -> None:
        self._exchange = exchange
        self.texts = texts

    def market(self, order: SimOrder) -> Market:
        """Return the market of an order."""
        return self._exchange.markets[order.market]

    def _core(self, order: SimOrder, status: str, cum_lots: int, cum_quote: int) -> Row:
        market, texts, tag = self.market(order), self.texts, tag_of(order)
        decimals = texts.decimals(market) + texts.lot_decimals(market)
        shown = live_type(order)
        row: Row = {
            "orderId": order.order_id,
            "symbol": order.market,
            "status": status,
            "clientOrderId": order.client_id,
            "price": texts.px(market, order.ticks),
            "avgPrice": texts.average(market, cum_quote, cum_lots),
            "origQty": texts.qty(market, order.lots),
            "executedQty": texts.qty(market, cum_lots),
            "cumQuote": atoms_text(cum_quote, decimals),
            "timeInForce": tag.tif,
            "type": shown,
            "reduceOnly": order.reduce_only and order.position_side == 0,
            "closePosition": order.close_position,
            "side": SIDES[order.side],
            "positionSide": SIDE_TEXT[order.position_side],
            "stopPrice": texts.px(market, 0),
            "workingType": working_type(order),
            "priceProtect": tag.price_protect,
            "origType": shown,
            "priceMatch": tag.price_match,
            "selfTradePreventionMode": STP_TEXT[order.stp],
            "goodTillDate": tag.good_till_ms,
        }
        return row

    def placed(self, order: SimOrder, call: Call, *, final: bool) -> Row:
        """Write the answer to a new order: as accepted, or (``final``) as it is after matching."""
        market = self.market(order)
        if final:
            row = self._core(order, STATUS[order.status], order.cum_lots, order.cum_quote)
            row["cumQty"] = self.texts.qty(market, order.cum_lots)
            row["updateTime"] = call.time(order.ts_updated)
        else:
            row = self._core(order, "NEW", 0, 0)
            row["cumQty"] = self.texts.qty(market, 0)
            row["updateTime"] = call.time(order.ts_created)
        return row

    def canceled(self, order: SimOrder, call: Call) -> Row:
        """Write the answer to a cancel."""
        row = self._core(order, STATUS[order.status], order.cum_lots, order.cum_quote)
        del row["avgPrice"]
        row["cumQty"] = self.texts.qty(self.market(order), order.cum_lots)
        row["updateTime"] = call.time(order.ts_updated)
        return row

    def modified(self, order: SimOrder, call: Call) -> Row:
        """Write the answer to a change."""
        row = self._core(order, STATUS[order.status], order.cum_lots, order.cum_quote)
        row["pair"] = order.market
        row["cumQty"] = self.texts.qty(self.market(order), order.cum_lots)
        row["cumBase"] = self.texts.qty(self.market(order), order.cum_lots)
        row["updateTime"] = call.time(order.ts_updated)
        return row

    def query(self, order: SimOrder, call: Call) -> Row:
        """Write an order as queries show it."""
        row = self._core(order, STATUS[order.status], order.cum_lots, order.cum_quote)
        row["time"] = call.time(order.triggered_ns or order.ts_created)
        row["updateTime"] = call.time(order.ts_updated)
        return row

    def trade(self, fill: Fill, call: Call) -> Row:
        """Write a fill as the account's history shows it."""
        market, texts = self._exchange.markets[fill.market], self.texts
        return {
            "symbol": fill.market,
            "id": fill.trade_id,
            "orderId": fill.order_id,
            "side": SIDES[fill.side],
            "price": texts.px(market, fill.ticks),
            "qty": texts.qty(market, fill.lots),
            "realizedPnl": atoms_text(fill.realized_atoms),
            "marginAsset": market.settle,
            "quoteQty": atoms_text(fill.quote_atoms),
            "commission": atoms_text(fill.fee_atoms),
            "commissionAsset": fill.fee_asset,
            "time": call.time(fill.ts_ns),
            "positionSide": SIDE_TEXT[fill.position_side],
            "buyer": fill.side == Side.BUY,
            "maker": fill.liquidity == Liquidity.MAKER,
        }

    # -- conditional orders -----------------------------------------------------------------------------

    def algo(self, order: SimOrder, status: str, call: Call) -> Row:
        """Write a conditional order as its placing and its cancel are answered."""
        market, texts, tag = self.market(order), self.texts, tag_of(order)
        trailing = order.type == OrderType.TRAILING_STOP
        return {
            "algoId": tag.algo_id,
            "clientAlgoId": order.client_id,
            "algoType": "CONDITIONAL",
            "orderType": tag.type,
            "symbol": order.market,
            "side": SIDES[order.side],
            "positionSide": SIDE_TEXT[order.position_side],
            "timeInForce": tag.tif,
            "quantity": texts.qty(market, order.lots),
            "algoStatus": status,
            "triggerPrice": texts.px(market, 0 if trailing else order.trigger_ticks),
            "price": texts.px(market, order.ticks),
            "icebergQuantity": None,
            "selfTradePreventionMode": STP_TEXT[order.stp],
            "workingType": working_type(order),
            "priceMatch": tag.price_match,
            "closePosition": order.close_position,
            "priceProtect": tag.price_protect,
            "reduceOnly": order.reduce_only and order.position_side == 0,
            "activatePrice": texts.px(market, order.trigger_ticks)
            if trailing and order.trigger_ticks
            else "",
            "callbackRate": f"{order.trail_bps / 100:.1f}" if trailing else "",
            "createTime": call.time(order.ts_created),
            "updateTime": call.time(order.ts_updated),
            "triggerTime": call.time(order.triggered_ns),
            "goodTillDate": tag.good_till_ms,
        }

    def algo_query(self, order: SimOrder, status: str, call: Call) -> Row:
        """Write a conditional order as queries show it."""
        market, texts = self.market(order), self.texts
        row = self.algo(order, status, call)
        if order.type != OrderType.TRAILING_STOP:
            del row["activatePrice"], row["callbackRate"]
        woken = bool(order.triggered_ns)
        row["actualOrderId"] = str(order.order_id) if woken else ""
        row["actualPrice"] = texts.average(market, order.cum_quote, order.cum_lots) if woken else "0.00000"
        if woken:
            row["actualQty"] = texts.qty(market, order.cum_lots)
            row["actualType"] = live_type(order)
        zero = texts.px(market, 0)
        row.update(tpTriggerPrice=zero, tpPrice=zero, slTriggerPrice=zero, slPrice=zero, tpOrderType="")
        return row
