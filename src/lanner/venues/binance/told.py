"""What the venue says of an order, in our words: fills with their fees, and orders as the venue has them.

Fees. A fill's fee is counted in the currency that the instrument settles in. The venue takes it in the settle currency,
on spot also in the base currency (then it is fee × price, exactly, and ``base_fee`` tells what was kept of the coin),
or in another one (BNB). The last is converted where the codec was told a price for it (``fee_prices``); else the fee
counts as 0, ``reason`` tells ``fee 0.001 BNB``, and a ``VenueFill`` names the currency in ``fee_currency``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lanner.model.accounts import VenueOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.reports import OrderFilled
from lanner.venues.binance.memory import Known
from lanner.venues.binance.names import exact, price_ticks, quantity_lots, some_ticks, to_ns
from lanner.venues.binance.wire_orders import AlgoBody, Amount, OrderBody
from lanner.venues.binance.words import (
    ALGO_STATES,
    MAKER_TIFS,
    TIFS,
    USDM_TYPES,
    expiry_of,
    side_of,
    status_of,
    type_of,
)

ZERO = Decimal(0)
NAN = float("nan")
Prices = Mapping[tuple[str, str], Decimal]
"""What one unit of a currency is worth in another: ``{("BNB", "USDT"): Decimal("600")}``."""


@dataclass(frozen=True, slots=True)
class Execution:
    """The facts of one fill, as any message of the venue tells them."""

    trade_id: str
    side: Side
    px: Decimal
    qty: Decimal
    ts: int
    maker: bool
    fee: Decimal = ZERO
    fee_currency: str = ""


def fee_in_settle(
    instrument: Instrument, px: Decimal, fee: Decimal, currency: str, prices: Prices
) -> tuple[Decimal, str]:
    """Return the fee in the settle currency, and the currency in which it could not be converted (else empty)."""
    if not exact(fee) or currency in ("", instrument.settle):
        return fee, ""
    if currency == instrument.base and instrument.is_spot:
        return fee * px, ""
    price = prices.get((currency, instrument.settle))
    return (ZERO, currency) if price is None else (fee * price, "")


def filled(
    instrument: Instrument, order_id: str, execution: Execution, ts_recv: int, prices: Prices
) -> OrderFilled:
    """Report a fill."""
    fee, currency = fee_in_settle(instrument, execution.px, execution.fee, execution.fee_currency, prices)
    ticks = price_ticks(instrument, execution.px)
    lots = quantity_lots(instrument, execution.qty)
    if not lots:
        raise ValueError("a fill of nothing")
    return OrderFilled(
        order_id,
        instrument.id,
        execution.ts,
        ts_recv,
        execution.trade_id,
        execution.side,
        ticks,
        lots,
        fee,
        Liquidity.MAKER if execution.maker else Liquidity.TAKER,
        ticks,
        f"fee {execution.fee.normalize():f} {currency}" if currency else "",
        execution.fee if instrument.is_spot and execution.fee_currency == instrument.base else ZERO,
    )


def average(amount: Amount, quote: Amount = None, qty: Amount = None) -> float:
    """Return an average price, told as such or as quote quantity and quantity; NaN where there is none."""
    if amount:
        return _positive(amount)
    if quote and qty:
        return _positive(quote / qty)
    return NAN


def _positive(number: Decimal) -> float:
    if exact(number) < 0:
        raise ValueError(f"{number} is no price")
    return float(number) or NAN


def order_told(
    instrument: Instrument,
    known: Known | None,
    body: OrderBody,
    types: Mapping[str, OrderType],
    ts_recv: int,
) -> VenueOrder:
    """Make an order of what a query or an answer tells."""
    cum = quantity_lots(instrument, body.executedQty or ZERO)
    lots = quantity_lots(instrument, body.origQty or body.qty or ZERO)
    kind = type_of(types, body.type, body.origType)
    if kind is OrderType.STOP_MARKET and body.trailingDelta:
        kind = OrderType.TRAILING_STOP
    text = body.origClientOrderId or body.clientOrderId
    stamp = body.updateTime or body.transactTime or body.time
    told = VenueOrder(
        instrument.id,
        known.order_id if known else "",
        text,
        str(body.orderId if body.orderId is not None else ""),
        side_of(body.side),
        kind,
        lots,
        cum,
        status_of(body.status, filled=cum > 0),
        some_ticks(instrument, body.price),
        some_ticks(instrument, body.stopPrice),
        average(body.avgPrice, body.cummulativeQuoteQty, body.executedQty if cum else None),
        TIFS.get(body.timeInForce, TimeInForce.GTC),
        body.reduceOnly,
        body.type == "LIMIT_MAKER" or body.timeInForce in MAKER_TIFS,
        to_ns(body.time or stamp),
        to_ns(stamp) if stamp else ts_recv,
        expiry_of(body.expiryReason),
    )
    if known is not None:
        learn(known, told)
    return told


def algo_told(instrument: Instrument, known: Known | None, body: AlgoBody, ts_recv: int) -> VenueOrder:
    """Make an order of what the venue tells of a conditional one."""
    cum = quantity_lots(instrument, body.actualQty or ZERO)
    lots = quantity_lots(instrument, body.quantity or ZERO)
    told = VenueOrder(
        instrument.id,
        known.order_id if known else "",
        body.clientAlgoId,
        str(body.actualOrderId or body.algoId or ""),
        side_of(body.side),
        type_of(USDM_TYPES, body.orderType or body.type),
        lots,
        cum,
        algo_status(body.algoStatus, cum, lots),
        some_ticks(instrument, body.price),
        some_ticks(instrument, body.triggerPrice),
        average(body.actualPrice) if cum else NAN,
        TIFS.get(body.timeInForce, TimeInForce.GTC),
        body.reduceOnly,
        body.timeInForce in MAKER_TIFS,
        to_ns(body.createTime),
        to_ns(body.updateTime) if body.updateTime else ts_recv,
    )
    if known is not None:
        known.conditional = True
        known.triggered = known.triggered or told.status is OrderStatus.TRIGGERED
        learn(known, told)
    return told


def algo_status(text: str, cum: int, lots: int) -> OrderStatus:
    """Return the state of a conditional order; FINISHED says that what it became was filled or cancelled."""
    if text == "FINISHED":
        return OrderStatus.FILLED if cum and cum >= lots else OrderStatus.CANCELED
    found = ALGO_STATES.get(text)
    if found is None:
        raise ValueError(f"{text!r} is no state of an order")
    return OrderStatus.PARTIALLY_FILLED if found is OrderStatus.TRIGGERED and cum else found


def learn(known: Known, told: VenueOrder) -> None:
    """Take over what the venue tells of an order of ours: an amend has to say it again."""
    known.instrument_id = told.instrument_id
    known.side, known.type, known.tif = told.side, told.type, told.tif
    known.lots = told.lots or known.lots
    known.px_ticks, known.stop_ticks = told.px_ticks, told.stop_ticks
    known.post_only = told.post_only
    known.cum_lots = max(known.cum_lots, told.cum_lots)
