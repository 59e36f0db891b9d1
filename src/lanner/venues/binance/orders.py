"""Commands as parameters: what the venue is told to place, change or cancel an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.venues.binance.memory import TRIGGERED, Known
from lanner.venues.binance.names import client_id, symbol_of
from lanner.venues.binance.reference import Bounds
from lanner.venues.binance.words import SIDE_WORDS, SPOT_TYPE_WORDS, USDM_TYPE_WORDS
from lanner.venues.errors import ErrorKind, Reason, VenueError

_LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_STEP = 0.001
"""Steps of a trailing stop's distance on futures: 0.1 %."""

Params = dict[str, str]


@dataclass(frozen=True, slots=True)
class Wire:
    """One request both ways: its method on the order socket (empty: it has none), and method and path over HTTP."""

    socket: str
    method: str
    path: str
    params: Mapping[str, str]


def unsupported(what: str, fix: str | None = None) -> NoReturn:
    """Refuse what the venue cannot do."""
    raise VenueError(ErrorKind.REJECTED, what, reason=Reason.UNSUPPORTED, fix=fix)


def venue_symbol(instrument: Instrument) -> str:
    """Return the venue's own text for an instrument."""
    return instrument.symbol or symbol_of(instrument.id)


def check_market(order: SubmitOrder, instrument: Instrument, bounds: Bounds) -> None:
    """Refuse a market order that is larger than the venue takes at once."""
    if order.type is OrderType.MARKET and bounds.market_max is not None:
        qty = instrument.qty(order.lots)
        if qty > bounds.market_max:
            raise VenueError(
                ErrorKind.REJECTED,
                f"the venue takes market orders of at most {bounds.market_max.normalize():f}, this one is {qty:f}",
                reason=Reason.QTY_LIMITS,
            )


def _check_tif(order: SubmitOrder) -> None:
    if order.post_only and order.tif in (TimeInForce.IOC, TimeInForce.FOK):
        unsupported(f"a post-only order cannot be {order.tif.name}")
    if order.post_only and order.type not in _LIMITS:
        unsupported("only a limit order can be post-only")


# -- spot ----------------------------------------------------------------------------------------------


def spot_place(order: SubmitOrder, instrument: Instrument) -> Params:
    """Write a new spot order."""
    _check_tif(order)
    if order.tif is TimeInForce.GTD:
        unsupported("spot orders cannot have an end date")
    if order.reduce_only and order.side is Side.BUY:
        unsupported("a spot order that buys cannot be reduce-only")
    maker = order.post_only and order.type is OrderType.LIMIT
    if order.post_only and not maker:
        unsupported("a conditional spot order cannot be post-only")
    params = {
        "symbol": venue_symbol(instrument),
        "side": SIDE_WORDS[order.side],
        "type": "LIMIT_MAKER" if maker else SPOT_TYPE_WORDS[order.type],
    }
    if order.type in _LIMITS and not maker:
        params["timeInForce"] = order.tif.name
    params["quantity"] = instrument.qty_text(order.lots)
    params |= _spot_prices(order, instrument)
    if order.display_lots is not None:
        if order.type not in _LIMITS:
            unsupported("only a limit order can be an iceberg")
        params["icebergQty"] = instrument.qty_text(order.display_lots)
    params["newClientOrderId"] = client_id(order.order_id)
    params["newOrderRespType"] = "FULL"
    return params


def _spot_prices(order: SubmitOrder, instrument: Instrument) -> Params:
    params: Params = {}
    if order.type in _LIMITS:
        params["price"] = instrument.px_text(_told(order.px_ticks, "a price"))
    if order.type is OrderType.TRAILING_STOP:
        if order.trail_frac is None:
            unsupported("spot trails by a fraction of the price only", "Give the distance in per cent.")
        params["trailingDelta"] = str(round(order.trail_frac * 10_000))
        if order.stop_ticks is not None:
            params["stopPrice"] = instrument.px_text(order.stop_ticks)
    elif order.type in TRIGGERED:
        params["stopPrice"] = instrument.px_text(_told(order.stop_ticks, "a trigger price"))
    return params


def spot_oco(target: SubmitOrder, stop: SubmitOrder, instrument: Instrument) -> Params:
    """Write a target and a stop of which one cancels the other."""
    sells = target.side is Side.SELL
    legs = {"above": target if sells else stop, "below": stop if sells else target}
    params = {
        "symbol": venue_symbol(instrument),
        "listClientOrderId": client_id(f"list-{target.group_id}"),
        "side": SIDE_WORDS[target.side],
        "quantity": instrument.qty_text(target.lots),
    }
    for place, leg in legs.items():
        kind = "LIMIT_MAKER" if leg.type is OrderType.LIMIT else SPOT_TYPE_WORDS[leg.type]
        params[f"{place}Type"] = kind
        params[f"{place}ClientOrderId"] = client_id(leg.order_id)
        for name, value in _spot_prices(leg, instrument).items():
            params[place + name[0].upper() + name[1:]] = value
        if kind.endswith("_LIMIT"):
            params[f"{place}TimeInForce"] = leg.tif.name
    params["newOrderRespType"] = "FULL"
    return params


def check_spot(order: SubmitOrder, instrument: Instrument) -> None:
    """Raise ``VenueError`` for a spot order that the venue does not have."""
    spot_place(order, instrument)


def oco_pair(orders: list[SubmitOrder]) -> tuple[SubmitOrder, SubmitOrder] | None:
    """Return target and stop where two orders can be a list of the venue."""
    if len(orders) != 2:
        return None
    stops = [one for one in orders if one.type in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)]
    targets = [
        one
        for one in orders
        if one.type in (OrderType.LIMIT, OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT)
    ]
    if len(stops) != 1 or len(targets) != 1:
        return None
    target, stop = targets[0], stops[0]
    same = (target.instrument_id, target.side, target.lots) == (stop.instrument_id, stop.side, stop.lots)
    plain = all(one.display_lots is None and one.tif is TimeInForce.GTC for one in orders)
    return (target, stop) if same and plain else None


# -- USD-M ---------------------------------------------------------------------------------------------


def usdm_place(order: SubmitOrder, instrument: Instrument) -> Params:
    """Write a new futures order that works at once."""
    params = _usdm_start(order, instrument)
    if order.type is OrderType.LIMIT:
        params["timeInForce"] = _usdm_tif(order)
    params["quantity"] = instrument.qty_text(order.lots)
    if order.type is OrderType.LIMIT:
        params["price"] = instrument.px_text(_told(order.px_ticks, "a price"))
    params |= _usdm_end(order)
    params["newClientOrderId"] = client_id(order.order_id)
    params["newOrderRespType"] = "ACK"
    return params


def usdm_algo(order: SubmitOrder, instrument: Instrument) -> Params:
    """Write a new futures order that waits for its trigger."""
    params = {"algoType": "CONDITIONAL", **_usdm_start(order, instrument)}
    if order.type in _LIMITS:
        params["timeInForce"] = _usdm_tif(order)
        params["price"] = instrument.px_text(_told(order.px_ticks, "a price"))
    params["quantity"] = instrument.qty_text(order.lots)
    if order.type is OrderType.TRAILING_STOP:
        params["callbackRate"] = _callback(order.trail_frac)
        if order.stop_ticks is not None:
            params["activatePrice"] = instrument.px_text(order.stop_ticks)
    else:
        params["triggerPrice"] = instrument.px_text(_told(order.stop_ticks, "a trigger price"))
    params["workingType"] = "CONTRACT_PRICE"
    params |= _usdm_end(order)
    params["clientAlgoId"] = client_id(order.order_id)
    return params


def check_usdm(order: SubmitOrder, instrument: Instrument) -> None:
    """Raise ``VenueError`` for a futures order that the venue does not have."""
    (usdm_algo if order.type in TRIGGERED else usdm_place)(order, instrument)


def _usdm_start(order: SubmitOrder, instrument: Instrument) -> Params:
    _check_tif(order)
    if order.display_lots is not None:
        unsupported("futures have no iceberg orders")
    return {
        "symbol": venue_symbol(instrument),
        "side": SIDE_WORDS[order.side],
        "type": USDM_TYPE_WORDS[order.type],
    }


def _usdm_tif(order: SubmitOrder) -> str:
    if order.post_only:
        if order.tif is TimeInForce.GTD:
            unsupported("a post-only futures order cannot have an end date")
        return "GTX"
    return order.tif.name


def _usdm_end(order: SubmitOrder) -> Params:
    params: Params = {}
    if order.reduce_only:
        params["reduceOnly"] = "true"
    if order.tif is TimeInForce.GTD:
        if order.type not in _LIMITS:
            unsupported("only a limit order can have an end date")
        params["goodTillDate"] = str(_told(order.expire_ts, "an end date") // 1_000_000)
    return params


def _callback(fraction: float | None) -> str:
    if fraction is None:
        unsupported("futures trail by a fraction of the price only", "Give the distance in per cent.")
    steps = round(fraction / _STEP)
    if not 1 <= steps <= 100 or abs(steps * _STEP - fraction) > 1e-9:
        unsupported("the venue trails by 0.1 % to 10 %, in steps of 0.1 %")
    return f"{Decimal(steps) / 10:f}"


def _told(value: int | None, what: str) -> int:
    if value is None:
        raise VenueError(ErrorKind.REJECTED, f"the order lacks {what}", reason=Reason.BAD_REQUEST)
    return value


def again(known: Known, lots: int, px_ticks: int | None, stop_ticks: int | None) -> SubmitOrder:
    """Return an order of ours as it would be placed anew with these numbers."""
    if known.side is None or known.type is None:
        unsupported(
            f"too little is known of the order {known.order_id} to change it",
            "Ask for the open orders first.",
        )
    return SubmitOrder(
        known.order_id,
        known.instrument_id,
        0,
        known.side,
        known.type,
        lots,
        known.px_ticks if px_ticks is None else px_ticks,
        known.stop_ticks if stop_ticks is None else stop_ticks,
        tif=known.tif,
        post_only=known.post_only,
        display_lots=known.display_lots,
    )
