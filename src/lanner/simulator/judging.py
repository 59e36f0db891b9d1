"""What an order must satisfy before it may work: the market's rules, the account's limits, its money."""

from __future__ import annotations

from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.simulator import ledger, margin, matching
from lanner.simulator.accounts import Account
from lanner.simulator.markets import Market
from lanner.simulator.money import fee_of
from lanner.simulator.orders import (
    LIMIT_TYPES,
    TRIGGERED_TYPES,
    NewOrder,
    PositionSide,
    Refusal,
    RejectReason,
    SimOrder,
)
from lanner.simulator.state import VenueState
from lanner.simulator.triggers import fires_above, watched_px

BPS = 10_000


def judge(
    state: VenueState, new: NewOrder, *, money: bool = True, child: bool = False
) -> tuple[Account, Market]:
    """Raise ``Refusal`` unless an order may be placed now; a child of a list is judged by its shape only."""
    market = state.need_market(new.market)
    account = state.need_account(new.account)
    if not market.trading:
        raise Refusal(RejectReason.NOT_TRADING, market.symbol)
    if new.client_id and (old := account.by_client_id.get(new.client_id)) and old.status.is_open:
        raise Refusal(RejectReason.DUPLICATE_CLIENT_ID)
    _shape(market, new)
    _sizes(market, new)
    _prices(market, new)
    _notional(market, new)
    _counts(account, market, new)
    if not market.is_spot:
        _position_side(account, market, new, child)
    if child:
        return account, market
    _of_the_moment(market, new)
    if money and not account.house:
        check_money(state, account, market, new)
    return account, market


def _shape(market: Market, new: NewOrder) -> None:
    if new.type in TRIGGERED_TYPES:
        if not new.trigger_ticks and not new.trail_bps:
            raise Refusal(RejectReason.BAD_COMBINATION, "a trigger price is missing")
        if new.trail_bps and not market.rules.min_trail_bps <= new.trail_bps <= market.rules.max_trail_bps:
            raise Refusal(RejectReason.TRAILING_DELTA)
    limit = new.type in LIMIT_TYPES
    if limit != (new.ticks > 0) or (new.post_only and not limit):
        raise Refusal(RejectReason.BAD_COMBINATION, "price")
    if new.post_only and new.tif is not TimeInForce.GTC and new.tif is not TimeInForce.GTD:
        raise Refusal(RejectReason.BAD_COMBINATION, "time in force")
    if new.display_lots:
        parts = -(-new.lots // new.display_lots)
        if parts > market.rules.max_iceberg_parts:
            raise Refusal(RejectReason.ICEBERG_PARTS)


def _sizes(market: Market, new: NewOrder) -> None:
    lots = new.lots
    if lots == 0 and (new.close_position or new.quote_atoms):
        return
    if lots < market.min_lots:
        raise Refusal(RejectReason.MIN_QTY)
    if lots % market.lot_step:
        raise Refusal(RejectReason.LOT_SIZE)
    if market.max_lots and lots > market.max_lots:
        raise Refusal(RejectReason.MAX_QTY)
    if new.type is OrderType.MARKET and market.market_max_lots and lots > market.market_max_lots:
        raise Refusal(RejectReason.MARKET_LOT_SIZE)


def _prices(market: Market, new: NewOrder) -> None:
    for ticks in (new.ticks, new.trigger_ticks):
        if not ticks:
            continue
        if ticks < market.min_ticks or (market.max_ticks and ticks > market.max_ticks):
            raise Refusal(RejectReason.PRICE_RANGE)
        if ticks % market.tick_step:
            raise Refusal(RejectReason.TICK_SIZE)
    if new.ticks and market.up_ppm and new.type is OrderType.LIMIT:
        reference = market.reference_ticks
        above = new.ticks * 1_000_000 > reference * market.up_ppm
        below = new.ticks * 1_000_000 < reference * market.down_ppm
        if reference and (above or below):
            raise Refusal(RejectReason.PERCENT_PRICE)


def _notional(market: Market, new: NewOrder) -> None:
    rules = market.rules
    if not market.min_notional_atoms and not market.max_notional_atoms:
        return
    if new.close_position or (new.reduce_only and not rules.min_notional_reduce_only):
        return
    at_any_price = new.ticks == 0
    if at_any_price and not rules.min_notional_market:
        return
    px = new.ticks or new.trigger_ticks or market.reference_ticks
    atoms = new.quote_atoms or new.lots * px * market.unit
    if atoms < market.min_notional_atoms and (px or new.quote_atoms):
        raise Refusal(RejectReason.MIN_NOTIONAL)
    if market.max_notional_atoms and atoms > market.max_notional_atoms:
        raise Refusal(RejectReason.MAX_NOTIONAL)


def _counts(account: Account, market: Market, new: NewOrder) -> None:
    if account.house:
        return
    rules = market.rules
    if account.open_count.get(market.symbol, 0) >= rules.max_open_orders:
        raise Refusal(RejectReason.MAX_OPEN_ORDERS)
    if new.type in TRIGGERED_TYPES:
        waiting = sum(
            order.is_triggered_type and not order.triggered_ns
            for order in account.open_orders.values()
            if order.market == market.symbol
        )
        if waiting >= rules.max_trigger_orders:
            raise Refusal(RejectReason.MAX_TRIGGER_ORDERS)


def _position_side(account: Account, market: Market, new: NewOrder, child: bool) -> None:
    side = new.position_side
    if account.hedge_mode != (side is not PositionSide.BOTH):
        raise Refusal(RejectReason.POSITION_SIDE)
    later = child or new.type in TRIGGERED_TYPES
    if account.hedge_mode and (new.side is Side.BUY) != (side is PositionSide.LONG):
        new.reduce_only = True
        if not later and matching.reducible(account, market, new.side, side) < new.lots:
            raise Refusal(RejectReason.REDUCE_ONLY)
    elif (
        new.reduce_only
        and not later
        and not account.house
        and not matching.reducible(account, market, new.side, side)
    ):
        raise Refusal(RejectReason.REDUCE_ONLY)


def _of_the_moment(market: Market, new: NewOrder) -> None:
    """Check what depends on the market's present prices."""
    if new.type in TRIGGERED_TYPES:
        if market.rules.reject_immediate_trigger and new.trigger_ticks and not new.trail_bps:
            px = watched_px(market, new.trigger_by)
            above = fires_above(SimOrder(new, 0, 0))
            if px and (px >= new.trigger_ticks if above else px <= new.trigger_ticks):
                raise Refusal(RejectReason.WOULD_TRIGGER)
    elif new.post_only and crosses(market, new.side, new.ticks):
        raise Refusal(RejectReason.POST_ONLY_CROSSES)
    empty = not market.book.side(-new.side).keys
    if empty and new.type is OrderType.MARKET and market.rules.reject_empty_book:
        raise Refusal(RejectReason.NO_LIQUIDITY)


def crosses(market: Market, side: Side, ticks: int) -> bool:
    """Tell whether a price would trade at once."""
    if side is Side.BUY:
        keys = market.book.asks.keys
        return bool(keys) and -keys[-1] <= ticks
    keys = market.book.bids.keys
    return bool(keys) and keys[-1] >= ticks


# -- money ---------------------------------------------------------------------------------------------------


def spot_need(market: Market, new: NewOrder) -> int:
    """Return the atoms of the paying asset that a spot order needs free."""
    if new.side is Side.SELL:
        lots = new.lots or matching.lots_for(market, new.side, new.quote_atoms)
        return lots * market.lot_atoms
    if new.quote_atoms:
        return new.quote_atoms
    if new.ticks or new.trigger_ticks:
        return new.lots * (new.ticks or new.trigger_ticks) * market.unit
    return matching.cost_of(market, new.side, new.lots)


def check_money(
    state: VenueState, account: Account, market: Market, new: NewOrder, *, credit: int = 0
) -> None:
    """Raise ``Refusal`` unless the account can pay for an order; ``credit`` is what it would give back first."""
    if market.is_spot:
        asset = ledger.asset_of(market, new.side)
        if spot_need(market, new) > account.balance(asset).free + credit:
            raise Refusal(RejectReason.INSUFFICIENT_BALANCE)
    elif not new.reduce_only and not new.close_position and new.type not in TRIGGERED_TYPES:
        check_margin(state, account, market, new.position_side, new.side, new.lots, new.ticks)


def check_margin(
    state: VenueState,
    account: Account,
    market: Market,
    position_side: PositionSide,
    side: Side,
    lots: int,
    ticks: int,
) -> None:
    """Raise ``Refusal`` unless free margin covers what an order adds, with the taker's fee."""
    px = ticks
    if not px:
        best = market.best_ask if side is Side.BUY else market.best_bid
        px = best[0] if best else market.reference_ticks
    notional = lots * px * market.unit
    needed = margin.needed_for(state, account, market, position_side, side, notional)
    if needed <= 0:
        return
    chosen = margin.setting(state, account, market.symbol)
    position = account.positions.get((market.symbol, position_side))
    size = (position.lots if position else 0) + (lots if side is Side.BUY else -lots)
    if market.max_position_lots and abs(size) > market.max_position_lots:
        raise Refusal(RejectReason.MAX_POSITION)
    if chosen.leverage > market.bracket(abs(size) * px * market.unit).max_leverage:
        raise Refusal(RejectReason.MAX_LEVERAGE_RATIO)
    fee = max(0, fee_of(notional, ledger.fee_rate(account, market, False)))
    if needed + fee > margin.summary(state, account, market.settle).available:
        raise Refusal(RejectReason.INSUFFICIENT_MARGIN)


def judge_woken(state: VenueState, account: Account, market: Market, order: SimOrder) -> None:
    """Raise ``Refusal`` unless an order whose trigger fired (or whose parent filled) may work now."""
    if order.post_only and crosses(market, order.side, order.ticks):
        raise Refusal(RejectReason.POST_ONLY_CROSSES)
    if order.reduce_only or order.close_position:
        if not matching.reducible(account, market, order.side, order.position_side):
            raise Refusal(RejectReason.REDUCE_ONLY)
        return
    if account.house:
        return
    if market.is_spot:
        if order.side is Side.SELL:
            need = order.leaves * market.lot_atoms
        elif order.ticks:
            need = order.leaves * order.ticks * market.unit
        else:
            need = matching.cost_of(market, order.side, order.leaves)
        if need > account.balance(ledger.asset_of(market, order.side)).free:
            raise Refusal(RejectReason.INSUFFICIENT_BALANCE)
    else:
        check_margin(state, account, market, order.position_side, order.side, order.leaves, order.ticks)


def protection(market: Market, order: SimOrder) -> int:
    """Return how far an order without limit may trade, in ticks; 0: as far as the book goes."""
    if not order.protect_bps:
        return 0
    best = market.best_ask if order.side is Side.BUY else market.best_bid
    if best is None:
        return 0
    if order.side is Side.BUY:
        return best[0] * (BPS + order.protect_bps) // BPS
    return max(1, -(-best[0] * (BPS - order.protect_bps) // BPS))
