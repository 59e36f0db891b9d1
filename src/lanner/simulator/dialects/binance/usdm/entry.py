"""New USD-M orders: from parameters to what the exchange takes, refused as the venue refuses."""

from __future__ import annotations

from decimal import Decimal

from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.texts import SIDE_OF, STP_OF
from lanner.simulator.dialects.binance.usdm.words import (
    ALGO_TYPES,
    FOK_REFUSAL,
    GTD_TEXT,
    PLAIN_TYPES,
    PRICE_MATCHES,
    TIFS,
    UsdmTag,
    UsdmTexts,
    bad_callback,
    need_type,
    refusal,
)
from lanner.simulator.dialects.binance.usdm.words import SIDE_OF as POSITION_SIDES
from lanner.simulator.markets import Market
from lanner.simulator.orders import NewOrder, PositionSide, Refusal, StpMode, TriggerBy

LEAST_GTD_MS = 600_000
LATEST_GTD_MS = 253_402_300_799_000


def read_plain(params: Params, market: Market, account: str, hedge: bool, now_ns: int) -> NewOrder:
    """Read a LIMIT or MARKET order; conditional types belong to the algo endpoint."""
    side = _side(params)
    kind = params.need("type")
    need_type(kind)
    if kind in ALGO_TYPES:
        raise ApiError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    new = _start(params, market, account, hedge, side, PLAIN_TYPES[kind], kind, "newClientOrderId")
    if kind == "MARKET":
        if params.text("price"):
            raise errors.not_required("price")
        if params.text("timeInForce"):
            raise errors.not_required("timeInForce")
    else:
        new.tag.tif = _tif(params, needed=True)
        _good_till(params, new, now_ns)
        _price(params, market, new)
    new.lots = read_quantity(market, need_number(params, "quantity"))
    new.tif = TIFS[new.tag.tif]
    new.post_only = new.tag.tif == "GTX"
    if new.tif == TimeInForce.FOK and available(market, new.side, new.ticks) < new.lots:
        raise ApiError(*FOK_REFUSAL)
    return new


def read_algo(params: Params, market: Market, account: str, hedge: bool, now_ns: int) -> NewOrder:
    """Read a conditional order."""
    algo_type = params.need("algoType")
    if algo_type != "CONDITIONAL":
        raise errors.invalid_data("algoType")
    side = _side(params)
    kind = params.need("type")
    if kind not in ALGO_TYPES:
        raise ApiError(-1116, "Invalid orderType.")
    new = _start(params, market, account, hedge, side, ALGO_TYPES[kind], kind, "clientAlgoId")
    new.tag.tif = _tif(params, needed=False)
    _good_till(params, new, now_ns)
    new.tif = TIFS[new.tag.tif]
    new.post_only = new.tag.tif == "GTX"
    new.trigger_by = _working_type(params)
    new.tag.price_protect = params.boolean("priceProtect") or False
    new.close_position = _close_position(params, kind)
    if new.close_position:
        if params.text("quantity"):
            raise ApiError(-4137, "Quantity must be zero with closePosition equals true.")
        if new.reduce_only or params.text("reduceOnly"):
            raise errors.not_required("reduceonly")
        _check_closing_side(new)
    else:
        new.lots = read_quantity(market, need_number(params, "quantity"))
    if kind == "TRAILING_STOP_MARKET":
        _trailing(params, market, new)
    else:
        new.trigger_ticks = _trigger(params, market)
    if kind in ("STOP", "TAKE_PROFIT"):
        _price(params, market, new)
    elif params.text("price"):
        raise errors.not_required("price")
    return new


def _side(params: Params) -> Side:
    found = SIDE_OF.get(params.need("side"))
    if found is None:
        raise ApiError(-1117, "Invalid side.")
    return found


def _start(
    params: Params,
    market: Market,
    account: str,
    hedge: bool,
    side: Side,
    core: OrderType,
    wire: str,
    id_name: str,
) -> NewOrder:
    reduce_only = params.boolean("reduceOnly")
    position = params.text("positionSide", "BOTH")
    if position not in POSITION_SIDES:
        raise ApiError(-4060, "Invalid position side.")
    if (position == "BOTH") == hedge:
        raise ApiError(-4061, "Order's position side does not match user's setting.")
    if hedge and reduce_only is not None:
        raise errors.not_required("reduceonly")
    position_side = POSITION_SIDES[position]
    closes = hedge and (side is Side.SELL) == (position_side is PositionSide.LONG)
    return NewOrder(
        account=account,
        market=market.symbol,
        side=side,
        type=core,
        reduce_only=bool(reduce_only) or closes,
        position_side=position_side,
        client_id=params.client_id(id_name),
        stp=_stp(params),
        tag=UsdmTag(wire),
    )


def _stp(params: Params) -> StpMode:
    text = params.text("selfTradePreventionMode")
    if not text:
        return StpMode.EXPIRE_MAKER
    found = STP_OF.get(text)
    if found is None or found == StpMode.DECREMENT:
        raise ApiError(-5039, "Invalid self trade prevention mode.")
    return found


def _tif(params: Params, *, needed: bool) -> str:
    found = params.text("timeInForce")
    if not found:
        if needed:
            raise errors.missing("timeInForce")
        return "GTC"
    if found not in TIFS:
        raise ApiError(-1115, "Invalid timeInForce.")
    return found


def _good_till(params: Params, new: NewOrder, now_ns: int) -> None:
    date = params.integer("goodTillDate")
    if new.tag.tif != "GTD":
        return
    if not date:
        raise errors.missing("goodTillDate")
    if not now_ns // 10**6 + LEAST_GTD_MS < date < LATEST_GTD_MS:
        raise ApiError(-5040, GTD_TEXT)
    new.tag.good_till_ms = date // 1000 * 1000
    new.expires_ns = new.tag.good_till_ms * 10**6


def need_number(params: Params, name: str) -> tuple[str, int]:
    """Return a number as text with its decimals; it must be there."""
    found = params.number(name)
    if found is None:
        raise errors.missing(name)
    return found


def _price(params: Params, market: Market, new: NewOrder) -> None:
    match = params.text("priceMatch")
    price = params.number("price")
    if match and match != "NONE":
        if match not in PRICE_MATCHES:
            raise ApiError(-5037, "Invalid price match")
        if price is not None:
            raise errors.not_required("price")
        new.tag.price_match = match
        new.ticks = matched_price(market, new.side, match)
        return
    if price is None:
        raise errors.missing("price")
    new.ticks = read_price(market, price)


def read_price(market: Market, price: tuple[str, int]) -> int:
    """Turn a price (text and its decimals) into ticks."""
    if price[1] < 0:
        raise ApiError(-4001, "Price less than 0.")
    return _parse(market, "px", price, UsdmTexts.decimals(market))


def read_quantity(market: Market, quantity: tuple[str, int]) -> int:
    """Turn a quantity (text and its decimals) into lots."""
    if quantity[1] < 0:
        raise ApiError(-4003, "Quantity less than or equal to zero.")
    return _parse(market, "qty", quantity, UsdmTexts.lot_decimals(market))


def _trigger(params: Params, market: Market) -> int:
    found = need_number(params, "triggerPrice")
    if found[1] < 0:
        raise ApiError(-4006, "Stop price less than zero.")
    return _parse(market, "px", found, UsdmTexts.decimals(market))


def _trailing(params: Params, market: Market, new: NewOrder) -> None:
    rate = params.need_decimal("callbackRate")
    scaled = rate * 100
    if not Decimal("0.1") <= rate <= 10 or scaled != int(scaled):
        raise bad_callback()
    new.trail_bps = int(scaled)
    active = params.number("activatePrice") or params.number("activationPrice")
    if active is None:
        return
    new.trigger_ticks = read_price(market, active)
    last = market.mark_ticks if new.trigger_by == TriggerBy.MARK else market.last_ticks
    if last and (new.trigger_ticks > last if new.side is Side.BUY else new.trigger_ticks < last):
        raise ApiError(-2021, "Order would immediately trigger.")


def _working_type(params: Params) -> TriggerBy:
    found = params.text("workingType", "CONTRACT_PRICE")
    if found not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise ApiError(-4031, f"Invalid parameter working type: {found}")
    return TriggerBy.MARK if found == "MARK_PRICE" else TriggerBy.LAST


def _close_position(params: Params, kind: str) -> bool:
    found = params.boolean("closePosition") or False
    if found and kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise ApiError(-1014, "Unsupported order combination.")
    return found


def _check_closing_side(new: NewOrder) -> None:
    opens = (new.side is Side.BUY and new.position_side is PositionSide.LONG) or (
        new.side is Side.SELL and new.position_side is PositionSide.SHORT
    )
    if opens:
        raise ApiError(-4061, "Order's position side does not match user's setting.")


def _parse(market: Market, what: str, value: tuple[str, int], decimals: int) -> int:
    if value[1] > decimals:
        raise ApiError(-1111, "Precision is over the maximum defined for this asset.")
    try:
        return market.parse_px(value[0]) if what == "px" else market.parse_qty(value[0])
    except Refusal as reason:
        raise refusal(reason.reason, market) from reason


def matched_price(market: Market, side: Side, match: str) -> int:
    """Return the price that ``OPPONENT``, ``QUEUE`` and their deeper kin stand for."""
    family, _, depth = match.partition("_")
    level = int(depth or "1")
    against = side.opposite if family == "OPPONENT" else side
    bids, asks = market.book.top(level)
    rows = bids if against is Side.BUY else asks
    if len(rows) < level:
        raise ApiError(-5041, "No depth matches this BBO order")
    return rows[level - 1][0]


def available(market: Market, side: Side, ticks: int) -> int:
    """Return the lots on the other side that an order at a limit could take."""
    bids, asks = market.book.top()
    if side is Side.BUY:
        return sum(lots for level, lots in asks if level <= ticks)
    return sum(lots for level, lots in bids if level >= ticks)
