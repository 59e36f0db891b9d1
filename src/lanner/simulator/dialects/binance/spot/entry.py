"""New spot orders: from parameters to what the exchange takes, refused as the venue refuses."""

from __future__ import annotations

import msgspec

from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.spot.words import CORE_TYPES, ORDER_TYPES, TIFS, SpotTag, refusal
from lanner.simulator.dialects.binance.texts import SIDE_OF, STP_OF
from lanner.simulator.markets import Market
from lanner.simulator.money import to_atoms
from lanner.simulator.orders import NewOrder, Refusal, StpMode

PRICED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
TIMED = frozenset({"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
DEFAULT_STP = StpMode.EXPIRE_MAKER
LOWEST_STRATEGY_TYPE = 1_000_000


class Names(msgspec.Struct, frozen=True):
    """What the parameters of one order are called; legs of lists have names of their own."""

    type: str = "type"
    side: str = "side"
    tif: str = "timeInForce"
    quantity: str = "quantity"
    quote: str = "quoteOrderQty"
    price: str = "price"
    client_id: str = "newClientOrderId"
    stop: str = "stopPrice"
    trailing: str = "trailingDelta"
    iceberg: str = "icebergQty"
    strategy_id: str = "strategyId"
    strategy_type: str = "strategyType"

    @classmethod
    def leg(cls, prefix: str, *, side: str = "side", quantity: str = "quantity") -> Names:
        """Return the names of a list's leg: ``above``, ``below``, ``working``, ``pending``, ``pendingAbove`` …"""
        return cls(
            type=f"{prefix}Type",
            side=side,
            tif=f"{prefix}TimeInForce",
            quantity=quantity,
            quote="",
            price=f"{prefix}Price",
            client_id=f"{prefix}ClientOrderId",
            stop=f"{prefix}StopPrice",
            trailing=f"{prefix}TrailingDelta",
            iceberg=f"{prefix}IcebergQty",
            strategy_id=f"{prefix}StrategyId",
            strategy_type=f"{prefix}StrategyType",
        )


PLAIN = Names()


def read_order(
    params: Params, market: Market, account: str, names: Names = PLAIN, *, may_omit_quantity: bool = False
) -> NewOrder:
    """Read one order; the client id stays empty when none was sent."""
    side_text = params.need(names.side)
    side = SIDE_OF.get(side_text)
    if side is None:
        raise ApiError(-1117, "Invalid side.")
    kind = params.need(names.type)
    if kind not in ORDER_TYPES:
        raise ApiError(-1116, "Invalid orderType.")
    tag = SpotTag(
        kind, strategy_id=params.integer(names.strategy_id), strategy_type=_strategy_type(params, names)
    )
    tag.tif = _tif(params, names, kind)
    new = NewOrder(
        account=account,
        market=market.symbol,
        side=side,
        type=CORE_TYPES[kind],
        tif=TIFS[tag.tif],
        post_only=kind == "LIMIT_MAKER",
        client_id=params.client_id(names.client_id),
        stp=_stp(params),
        tag=tag,
    )
    _read_amounts(params, market, names, kind, new, may_omit_quantity)
    _read_prices(params, market, names, kind, new)
    _read_iceberg(params, market, names, kind, new)
    return new


def _strategy_type(params: Params, names: Names) -> int | None:
    found = params.integer(names.strategy_type)
    if found is not None and found < LOWEST_STRATEGY_TYPE:
        raise ApiError(-1134, "strategyType was less than 1000000.")
    return found


def _tif(params: Params, names: Names, kind: str) -> str:
    found = params.text(names.tif)
    if kind not in TIMED:
        if found:
            raise errors.not_required(names.tif)
        return "GTC"
    if not found:
        raise errors.missing(names.tif)
    if found not in TIFS:
        raise ApiError(-1115, "Invalid timeInForce.")
    return found


def _stp(params: Params) -> StpMode:
    text = params.text("selfTradePreventionMode")
    if not text:
        return DEFAULT_STP
    found = STP_OF.get(text)
    if found is None:
        raise errors.invalid_data("selfTradePreventionMode")
    return found


def _amount(params: Params, name: str, word: str, *, needed: bool) -> str | None:
    """Return a number as text: not zero, with at most eight decimals; ``None`` when it was not sent."""
    found = params.number(name) if name else None
    if found is None:
        if needed:
            raise errors.missing(name)
        return None
    text, decimals = found
    if decimals < 0:
        raise ApiError(-1013, f"Invalid {word}.")
    if decimals > 8:
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    return text


def _read_amounts(
    params: Params, market: Market, names: Names, kind: str, new: NewOrder, may_omit: bool
) -> None:
    quote = _amount(params, names.quote, "quoteOrderQty", needed=False)
    if quote is not None and kind != "MARKET":
        raise errors.not_required(names.quote)
    quantity = _amount(params, names.quantity, "quantity", needed=False)
    if quote is not None:
        if quantity is not None:
            raise errors.bad_combination()
        new.quote_atoms = to_atoms(quote)
        return
    if quantity is None:
        if may_omit:
            return
        raise errors.missing(names.quantity)
    new.lots = _parse(market, "qty", quantity)


def _read_prices(params: Params, market: Market, names: Names, kind: str, new: NewOrder) -> None:
    price = _amount(params, names.price, "price", needed=kind in PRICED)
    if price is not None:
        if kind not in PRICED:
            raise errors.not_required(names.price)
        new.ticks = _parse(market, "px", price)
    stop = _amount(params, names.stop, "stopPrice", needed=False)
    trailing = params.integer(names.trailing)
    if kind not in STOPS:
        if stop is not None:
            raise errors.not_required(names.stop)
        if trailing is not None:
            raise errors.not_required(names.trailing)
        return
    if stop is None and trailing is None:
        raise errors.either_missing(names.stop, names.trailing)
    if stop is not None:
        new.trigger_ticks = _parse(market, "px", stop)
    if trailing is not None:
        rules = market.rules
        if not rules.min_trail_bps <= trailing <= rules.max_trail_bps:
            raise errors.filter_failure("TRAILING_DELTA")
        new.trail_bps = trailing


def _read_iceberg(params: Params, market: Market, names: Names, kind: str, new: NewOrder) -> None:
    shown = _amount(params, names.iceberg, "icebergQty", needed=False)
    if shown is None:
        return
    if kind not in PRICED:
        raise errors.not_required(names.iceberg)
    if new.tag.tif != "GTC":
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    new.display_lots = _parse(market, "qty", shown)
    if new.display_lots > new.lots:
        raise errors.rejected("IcebergQty exceeds QTY.")


def _parse(market: Market, what: str, text: str) -> int:
    try:
        return market.parse_px(text) if what == "px" else market.parse_qty(text)
    except Refusal as reason:
        raise refusal(reason.reason) from reason
