"""The account as the venue tells it: orders, fills, balances, positions, fees, rights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from lanner.model.accounts import (
    AccountState,
    Balance,
    FeeRates,
    KeyRights,
    MarginMode,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.reports import OrderFilled
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.hyperliquid import spec, text, wire
from lanner.venues.hyperliquid.own import UNKNOWN_LOTS, Own, OwnOrders
from lanner.venues.hyperliquid.symbols import Symbols
from lanner.venues.keys import Keys

MS = 1_000_000
NAN = float("nan")

_TYPES = {
    "Limit": OrderType.LIMIT,
    "Market": OrderType.MARKET,
    "Stop Market": OrderType.STOP_MARKET,
    "Stop Limit": OrderType.STOP_LIMIT,
    "Take Profit Market": OrderType.TAKE_PROFIT_MARKET,
    "Take Profit Limit": OrderType.TAKE_PROFIT_LIMIT,
}
_BY_MARKET = frozenset({OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET})
_IOC = frozenset({"Ioc", "FrontendMarket", "LiquidationMarket"})

# -- orders --------------------------------------------------------------------------------------------


def status_of(told: str) -> tuple[OrderStatus, str]:
    """Return what a status means, and our reason for it; statuses that are new keep their sense by their ending."""
    found = spec.STATUSES.get(told)
    if found is not None:
        return found
    if told.endswith("Rejected"):
        return OrderStatus.REJECTED, "OTHER"
    if told.lower().endswith(("canceled", "cancel")):
        return OrderStatus.CANCELED, "OTHER"
    raise wire.malformed(ValueError(f"unknown order status {told!r}"))


def venue_order(
    symbols: Symbols, orders: OwnOrders, order: wire.Order, status: str, ts_last: int
) -> VenueOrder | None:
    """Make an order record, None for an instrument that is not known."""
    instrument = symbols.of_coin(order.coin)
    if instrument is None:
        return None
    kind = _TYPES.get(order.orderType, OrderType.STOP_MARKET if order.isTrigger else OrderType.LIMIT)
    left = text.lots_of(instrument, order.sz)
    lots = left if order.origSz is None else text.lots_of(instrument, order.origSz)
    if left > lots:
        raise wire.malformed(ValueError(f"order {order.oid} has more left than it had"))
    order_id = orders.order_id(order.cloid, order.oid)
    own = orders.get(order_id) if order_id else None
    prior = own.prior if own is not None and own.oid == order.oid else 0
    found, reason = status_of(status)
    cum = lots - left + prior
    if found is OrderStatus.ACCEPTED and cum:
        found = OrderStatus.PARTIALLY_FILLED
    stop = text.ticks_of(instrument, order.triggerPx) if order.isTrigger and order.triggerPx else 0
    return VenueOrder(
        instrument.id,
        order_id,
        order.cloid or "",
        str(order.oid),
        Side.BUY if order.side == "B" else Side.SELL,
        kind,
        lots + prior,
        cum,
        found,
        None if kind in _BY_MARKET else text.ticks_of(instrument, order.limitPx),
        stop or None,
        NAN,
        TimeInForce.IOC if order.tif in _IOC else TimeInForce.GTC,
        bool(order.reduceOnly),
        order.tif == "Alo",
        order.timestamp * MS,
        ts_last * MS,
        reason or ("" if found in (OrderStatus.ACCEPTED, OrderStatus.FILLED) else status),
    )


def learn(symbols: Symbols, orders: OwnOrders, order: wire.Order) -> Own | None:
    """Learn an order's terms and ``oid`` where it is ours; its record is made when only its name was known."""
    order_id = orders.order_id(order.cloid, order.oid)
    instrument = symbols.of_coin(order.coin)
    if not order_id or instrument is None:
        if instrument is not None and not order_id:
            orders.stranger(order.oid)
        return None
    own = orders.get(order_id)
    if own is None:
        own = made_of(symbols, order_id, order)
        orders.add(own)
    elif own.lots == UNKNOWN_LOTS:
        own.learn(made_of(symbols, order_id, order))
    if own.oid in (0, order.oid):
        orders.bind(own, order.oid)
        if not own.here and order.origSz is not None:
            done = text.lots_of(instrument, order.origSz) - text.lots_of(instrument, order.sz)
            own.told = max(own.told, own.prior + done)
    return own


def recall(symbols: Symbols, orders: OwnOrders, rows: Iterable[wire.OrderUpdate]) -> None:
    """Learn from the account's past orders which numbers our orders from before had, and how far each was filled."""
    numbers: dict[str, dict[int, wire.Order]] = {}
    for row in rows:
        order_id = orders.order_id(row.order.cloid, row.order.oid)
        if order_id and symbols.of_coin(row.order.coin) is not None:
            numbers.setdefault(order_id, {})[row.order.oid] = row.order
    for order_id, found in numbers.items():
        told = [found[oid] for oid in sorted(found)]
        own = orders.get(order_id)
        if own is None:
            own = made_of(symbols, order_id, told[-1])
            orders.add(own)
        instrument = symbols.instrument(own.instrument_id)
        sizes = [(o.oid, *(text.lots_of(instrument, t) for t in (o.origSz or o.sz, o.sz))) for o in told]
        orders.recall(own, [(oid, lots, max(0, lots - left)) for oid, lots, left in sizes])


def made_of(symbols: Symbols, order_id: str, order: wire.Order) -> Own:
    """Return the record of an order of ours of which only the name was known, with its terms where they are told."""
    instrument = symbols.of_coin(order.coin)
    assert instrument is not None
    kind = _TYPES.get(order.orderType, OrderType.LIMIT)
    side = Side.BUY if order.side == "B" else Side.SELL
    own = Own(order_id, instrument.id, side, kind, UNKNOWN_LOTS, None, None)
    if order.origSz is not None:
        own.lots = text.lots_of(instrument, order.origSz)
        own.px_ticks = text.ticks_of(instrument, order.limitPx)
        stop = text.ticks_of(instrument, order.triggerPx) if order.isTrigger and order.triggerPx else 0
        own.stop_ticks = stop or None
        own.reduce_only = bool(order.reduceOnly)
        own.post_only = order.tif == "Alo"
        own.tif = TimeInForce.IOC if order.tif in _IOC else TimeInForce.GTC
    return own


def with_children(found: Iterable[wire.Order]) -> Iterator[wire.Order]:
    """Yield orders and those that hang on them, each once."""
    seen: set[int] = set()
    waiting = list(found)
    while waiting:
        order = waiting.pop(0)
        if order.oid not in seen:
            seen.add(order.oid)
            yield order
        waiting.extend(child for child in order.children or () if child.oid not in seen)


# -- fills ---------------------------------------------------------------------------------------------


def trade_id_of(fill: wire.Fill) -> str:
    """Return the name that makes a fill unique: its number is so only together with time and coin.

    Fills of old have no number; what they say of themselves stands in.
    """
    number = f"{fill.oid}@{fill.startPosition}/{fill.px}x{fill.sz}" if fill.tid is None else fill.tid
    return f"{fill.time}-{fill.coin}-{number}"


def is_trade(instrument: Instrument, fill: wire.Fill) -> bool:
    """Tell whether a fill is an execution of an order; conversions of dust lie between the lots."""
    return text.on_grid(instrument, fill.sz) and text.lots_of(instrument, fill.sz) > 0


def order_filled(instrument: Instrument, order_id: str, fill: wire.Fill, ts_recv: int) -> OrderFilled:
    """Make a report of a fill; a fee that was taken in the base currency is told at the fill's price."""
    ticks = text.ticks_of(instrument, fill.px)
    if ticks <= 0:
        raise wire.malformed(ValueError(f"a fill of order {fill.oid} has no price"))
    fee, base_fee = wire.exact(fill.fee), Decimal(0)
    if instrument.is_spot and fill.feeToken.strip().upper() == instrument.base:
        base_fee = fee
        fee *= wire.exact(fill.px)
    return OrderFilled(
        order_id,
        instrument.id,
        fill.time * MS,
        ts_recv,
        trade_id_of(fill),
        Side.BUY if fill.side == "B" else Side.SELL,
        ticks,
        text.lots_of(instrument, fill.sz),
        fee,
        Liquidity.TAKER if fill.crossed else Liquidity.MAKER,
        ticks,
        base_fee=base_fee,
    )


def venue_fills(
    symbols: Symbols, orders: OwnOrders, rows: Iterable[wire.Fill], instrument_id: str | None, ts_recv: int
) -> list[VenueFill]:
    """Make fill records, oldest first; fills of unknown instruments and conversions of dust are left out."""
    out = []
    for fill in sorted(rows, key=lambda row: (row.time, row.tid or 0)):
        instrument = symbols.of_coin(fill.coin)
        if instrument is None or not is_trade(instrument, fill):
            continue
        if instrument_id is not None and instrument.id != instrument_id:
            continue
        order_id = orders.order_id(fill.cloid, fill.oid)
        report = order_filled(instrument, order_id, fill, ts_recv)
        out.append(VenueFill(report, str(fill.oid), fill.cloid or "", fill.feeToken.strip()))
    return out


# -- money ---------------------------------------------------------------------------------------------


def perp_state(symbols: Symbols, told: wire.Clearinghouse, ts_recv: int) -> AccountState:
    """Make the state of the perpetual account: what is not withdrawable is locked as margin."""
    margin = told.marginSummary or told.crossMarginSummary
    if margin is None:
        raise wire.malformed(ValueError("the account has no sums"))
    equity = wire.exact(margin.accountValue)
    pnl = sum(
        (wire.exact(item.position.unrealizedPnl or "0") for item in told.assetPositions), start=Decimal(0)
    )
    total = equity - pnl
    free = equity - wire.exact(margin.totalMarginUsed)
    if told.withdrawable is not None:
        free = wire.exact(told.withdrawable)
    available = max(min(free, total), Decimal(0))
    return AccountState(
        spec.VENUE,
        told.time * MS or ts_recv,
        (Balance("USDC", total, available, total - available),),
        tuple(positions(symbols, told)),
        equity,
        wire.exact(margin.totalMarginUsed),
    )


def positions(symbols: Symbols, told: wire.Clearinghouse) -> Iterator[VenuePosition]:
    """Yield the positions in instruments that are known."""
    for item in told.assetPositions:
        position = item.position
        instrument = symbols.of_coin(position.coin)
        lots = 0 if instrument is None else text.lots_of(instrument, position.szi)
        if instrument is None or not lots:
            continue
        size = abs(instrument.qty_float(lots))
        liquidation = position.liquidationPx
        yield VenuePosition(
            instrument.id,
            lots,
            NAN if position.entryPx is None else position.entryPx,
            NAN if position.positionValue is None else position.positionValue / size,
            liquidation if liquidation is not None and 0 < liquidation < 1e18 else NAN,
            NAN if position.unrealizedPnl is None else float(position.unrealizedPnl),
            position.leverage.value,
            MarginMode.ISOLATED if position.leverage.type == "isolated" else MarginMode.CROSS,
        )


def spot_balances(told: wire.SpotState) -> tuple[Balance, ...]:
    """Make the balances of the spot account; what orders hold is locked."""
    out = []
    for row in told.balances:
        total, hold = wire.exact(row.total), wire.exact(row.hold)
        out.append(Balance(row.coin, total, total - hold, hold))
    return tuple(out)


def fee_rates(instrument: Instrument, told: wire.UserFees) -> FeeRates:
    """Make the account's fees for an instrument."""
    maker, taker = told.userAddRate, told.userCrossRate
    if instrument.is_spot:
        maker, taker = told.userSpotAddRate or maker, told.userSpotCrossRate or taker
    return FeeRates(instrument.id, FeeSchedule(wire.exact(maker), wire.exact(taker)))


def key_rights(keys: Keys, told: wire.Role) -> KeyRights:
    """Judge a key by the role of its address: an agent trades and never withdraws, a main wallet does everything."""
    if told.role == "agent":
        owner = (told.data.user if told.data else "").lower()
        if owner and owner != keys.account:
            named = f", not to {keys.account}" if keys.is_agent else ", which the key does not name"
            raise VenueError(
                ErrorKind.AUTH,
                f"hyperliquid: the agent wallet {keys.api_key} belongs to {owner}{named}",
                fix="Store the key again with the account that approved it.",
            )
        return KeyRights(read=True, trade=True, withdraw=False, ip_bound=False)
    if told.role == "missing":
        return KeyRights(read=True, trade=False, withdraw=None, ip_bound=False)
    return KeyRights(read=True, trade=True, withdraw=True, ip_bound=False)
