"""What spot tells about itself: symbols with their filters, limits."""

from __future__ import annotations

from typing import Any

from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call
from lanner.simulator.dialects.binance.spot.words import ORDER_TYPES
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.markets import Market

Row = dict[str, Any]
STP_MODES = ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]
HIGHEST_PX = "1000000.00000000"
HIGHEST_QTY = "9000000.00000000"


def eight(value: Any) -> str:
    """Write a number with eight decimals."""
    return f"{value:.8f}"


def filters_of(market: Market) -> list[Row]:
    """Return a market's filters; those without a rule behind them are left out."""
    rules, instrument = market.rules, market.instrument
    px_step, qty_step = instrument.tick, instrument.lot * instrument.multiplier
    top_qty = eight(rules.max_qty or instrument.max_qty or 0) if market.max_lots else HIGHEST_QTY
    market_qty = eight(rules.market_max_qty) if rules.market_max_qty else top_qty
    rows: list[Row] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": eight(rules.min_px or px_step),
            "maxPrice": eight(rules.max_px) if rules.max_px else HIGHEST_PX,
            "tickSize": eight(px_step),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": eight(instrument.min_qty or qty_step),
            "maxQty": top_qty,
            "stepSize": eight(qty_step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": rules.max_iceberg_parts},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": market_qty,
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": rules.min_trail_bps,
            "maxTrailingAboveDelta": rules.max_trail_bps,
            "minTrailingBelowDelta": rules.min_trail_bps,
            "maxTrailingBelowDelta": rules.max_trail_bps,
        },
    ]
    if rules.percent_up or rules.percent_down:
        rows.append(
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(rules.percent_up),
                "bidMultiplierDown": str(rules.percent_down),
                "askMultiplierUp": str(rules.percent_up),
                "askMultiplierDown": str(rules.percent_down),
                "avgPriceMins": 5,
            }
        )
    rows.append(
        {
            "filterType": "NOTIONAL",
            "minNotional": eight(rules.min_notional or instrument.min_notional),
            "applyMinToMarket": rules.min_notional_market,
            "maxNotional": eight(rules.max_notional) if rules.max_notional else "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        }
    )
    if rules.max_position:
        rows.append({"filterType": "MAX_POSITION", "maxPosition": eight(rules.max_position)})
    rows.append({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_open_orders})
    rows.append({"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20})
    rows.append({"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.max_trigger_orders})
    rows.append({"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": rules.max_amends})
    return rows


def symbol_row(market: Market, *, permissions: bool) -> Row:
    """Return a symbol as ``exchangeInfo`` lists it."""
    row: Row = {
        "symbol": market.symbol,
        "status": "TRADING" if market.trading else "BREAK",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters_of(market),
        "permissions": [],
        "permissionSets": [["SPOT"]] if permissions else [],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": STP_MODES,
    }
    return row


def exchange_info(venue: Venue, call: Call) -> Row:
    """Tell about symbols, filters and limits; ``symbol``, ``symbols`` and ``permissions`` narrow it down."""
    params = call.params
    one, many = params.text("symbol"), params.names("symbols")
    wanted, status = params.text("permissions"), params.text("symbolStatus")
    shows = params.boolean("showPermissionSets")
    if (one and many) or ((one or many) and (wanted or status)):
        raise errors.bad_combination()
    if one:
        markets = [venue.market(params.symbol())]
    elif many:
        markets = [venue.market(name) for name in many]
    else:
        markets = venue.markets
    if wanted and "SPOT" not in wanted:
        markets = []
    if status:
        markets = [market for market in markets if market.trading == (status == "TRADING")]
    return {
        "timezone": "UTC",
        "serverTime": call.time(call.now_ns),
        "rateLimits": venue.limits.all_rows(),
        "exchangeFilters": [],
        "symbols": [symbol_row(market, permissions=shows is not False) for market in markets],
    }
