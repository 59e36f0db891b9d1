"""Price-time priority: an order meets the best price first, and at a price the oldest order first.

Only the visible part of an iceberg counts in the queue; a new part goes to its end. The trade's price is the
resting order's. Self-trade prevention acts in the taker's mode when both orders belong to one trade group.
"""

from __future__ import annotations

from lanner.model.enums import Liquidity, Side
from lanner.simulator import ledger
from lanner.simulator.accounts import Account
from lanner.simulator.book import BookSide, Level
from lanner.simulator.events import Exec, PublicTrade
from lanner.simulator.markets import Market
from lanner.simulator.money import fee_of
from lanner.simulator.orders import (
    Ack,
    EndReason,
    Fill,
    NewOrder,
    PositionSide,
    Refusal,
    RejectReason,
    SimOrder,
    SimStatus,
    StpMode,
)
from lanner.simulator.state import INSURANCE, VenueState

UNBOUNDED = 1 << 62


def match(
    state: VenueState,
    account: Account,
    market: Market,
    taker: SimOrder,
    limit: int = 0,
    *,
    cap: int = UNBOUNDED,
) -> list[Fill]:
    """Trade an order against the book up to its limit price (0: any) and a cap of lots.

    Returns the taker's fills. What is left of the order is the caller's business.
    """
    opposite = market.book.asks if taker.side is Side.BUY else market.book.bids
    keys = opposite.keys
    if not keys:
        return []
    fills: list[Fill] = []
    worst = UNBOUNDED if not limit else (limit if taker.side is Side.BUY else -limit)
    left = min(taker.leaves, cap)
    while left > 0 and keys and -keys[-1] <= worst:
        level = opposite.levels[keys[-1]]
        maker = level.head
        assert maker is not None
        owner = state.accounts[maker.account]
        if taker.stp and owner.trade_group == account.trade_group:
            left -= _prevent(state, account, owner, market, taker, maker)
            if taker.status > SimStatus.PARTIALLY_FILLED:
                break
            continue
        if maker.reduce_only and not _maker_may_reduce(state, owner, market, maker):
            continue
        lots = min(left, maker.shown)
        if maker.reduce_only:
            lots = min(lots, reducible(owner, market, maker.side, maker.position_side))
        fills.append(_trade(state, account, owner, market, taker, maker, level, opposite, lots))
        left -= lots
    if fills:
        state.book_moved(market)
        state.price_moved(market)
    return fills


def reducible(account: Account, market: Market, side: Side, position_side: PositionSide) -> int:
    """Return how many lots an order of a side can take off the position."""
    position = account.positions.get((market.symbol, position_side))
    if position is None:
        return 0
    return max(0, -position.lots if side is Side.BUY else position.lots)


def _maker_may_reduce(state: VenueState, owner: Account, market: Market, maker: SimOrder) -> bool:
    if reducible(owner, market, maker.side, maker.position_side) > 0:
        return True
    end_resting(state, owner, market, maker, SimStatus.EXPIRED, EndReason.REDUCE_ONLY)
    return False


def _trade(
    state: VenueState,
    account: Account,
    owner: Account,
    market: Market,
    taker: SimOrder,
    maker: SimOrder,
    level: Level,
    resting: BookSide,
    lots: int,
) -> Fill:
    """Trade lots between two orders at the maker's price; keeps book, money and history."""
    ticks = level.ticks
    notional = lots * ticks * market.unit
    trade_id = market.next_trade_id
    market.next_trade_id = trade_id + 1
    market.last_ticks = ticks
    now = state.now_ns
    buy = taker.side is Side.BUY
    market.candles.add(now, trade_id, ticks, lots, notional, buy)
    bought, sold = (taker, maker) if buy else (maker, taker)
    trade = PublicTrade(
        market.symbol,
        now,
        trade_id,
        ticks,
        lots,
        taker.side,
        bought.account,
        sold.account,
        bought.order_id,
        sold.order_id,
    )
    market.trades.append(trade)
    state.emit(trade)
    _take_from_queue(level, resting, maker, lots)
    if maker.locked:
        ledger.release(state, owner, market, maker, lots)
    book_fill(state, owner, market, maker, ticks, lots, notional, trade_id, Liquidity.MAKER)
    if maker.leaves == 0:
        ledger.release(state, owner, market, maker)
    return book_fill(state, account, market, taker, ticks, lots, notional, trade_id, Liquidity.TAKER)


def _take_from_queue(level: Level, resting: BookSide, maker: SimOrder, lots: int) -> None:
    rest = maker.leaves - lots
    if lots < maker.shown:
        maker.shown -= lots
        level.lots -= lots
        resting.changed.add(level.ticks)
    elif rest:
        # the next part of an iceberg: it queues again, behind whoever waits at this price
        level.remove(maker)
        maker.shown = min(maker.display_lots or rest, rest)
        level.append(maker)
        resting.changed.add(level.ticks)
    else:
        resting.remove(maker)


def book_fill(
    state: VenueState,
    account: Account,
    market: Market,
    order: SimOrder,
    ticks: int,
    lots: int,
    notional: int,
    trade_id: int,
    liquidity: Liquidity,
) -> Fill:
    """Book one side of a trade."""
    rate = ledger.fee_rate(account, market, liquidity is Liquidity.MAKER)
    before = entry = profit = 0
    if market.is_spot:
        fee, asset = ledger.settle_spot(state, account, market, order.side, lots, notional, rate)
    else:
        fee, asset = fee_of(notional, rate), market.settle
        position = ledger.position_of(state, account, market, order.position_side)
        before, entry = position.lots, position.cost
        profit = ledger.settle_perp(state, account, market, position, order.side, lots, notional, fee)
    order.cum_lots += lots
    order.cum_quote += notional
    order.fees += fee
    account.volume += notional
    fill = Fill(
        trade_id=trade_id,
        order_id=order.order_id,
        account=order.account,
        market=market.symbol,
        side=order.side,
        ticks=ticks,
        lots=lots,
        quote_atoms=notional,
        fee_atoms=fee,
        fee_asset=asset,
        liquidity=liquidity,
        ts_ns=state.now_ns,
        client_id=order.client_id,
        position_side=order.position_side,
        realized_atoms=profit,
        position_before=before,
        entry_before_atoms=entry,
        liquidation=order.liquidation,
    )
    if order.leaves <= 0:
        state.end(account, order, SimStatus.FILLED, EndReason.NONE)
    else:
        order.status = SimStatus.PARTIALLY_FILLED
        if order.list_id:
            state.list_work.append(order)
    if not account.house:
        _record(account, market, order, fill)
        state.tell(account, Exec.TRADE, order, fill=fill)
    return fill


def _record(account: Account, market: Market, order: SimOrder, fill: Fill) -> None:
    order.fills.append(fill)
    account.fills.append(fill)
    if not market.is_spot:
        if fill.realized_atoms:
            account.income.append(
                (fill.ts_ns, "REALIZED_PNL", fill.market, fill.fee_asset, fill.realized_atoms, fill.trade_id)
            )
        account.income.append(
            (fill.ts_ns, "COMMISSION", fill.market, fill.fee_asset, -fill.fee_atoms, fill.trade_id)
        )


# -- self-trade prevention ---------------------------------------------------------------------------------


def _prevent(
    state: VenueState, account: Account, owner: Account, market: Market, taker: SimOrder, maker: SimOrder
) -> int:
    """Keep two orders of one group from trading; returns the lots taken from the taker."""
    mode = taker.stp
    if mode is StpMode.DECREMENT:
        return _decrement(state, account, owner, market, taker, maker)
    gone = 0
    if mode in (StpMode.EXPIRE_MAKER, StpMode.EXPIRE_BOTH):
        end_resting(
            state,
            owner,
            market,
            maker,
            SimStatus.EXPIRED_IN_MATCH,
            EndReason.SELF_TRADE,
            counter=taker.order_id,
        )
    if mode in (StpMode.EXPIRE_TAKER, StpMode.EXPIRE_BOTH):
        gone = taker.leaves
        state.end(account, taker, SimStatus.EXPIRED_IN_MATCH, EndReason.SELF_TRADE)
        state.tell(
            account,
            Exec.PREVENTED,
            taker,
            reason=EndReason.SELF_TRADE,
            prevented=gone,
            counter=maker.order_id,
        )
    return gone


def _decrement(
    state: VenueState, account: Account, owner: Account, market: Market, taker: SimOrder, maker: SimOrder
) -> int:
    lots = min(taker.leaves, maker.leaves)
    ledger.release(state, owner, market, maker, lots)
    if lots == maker.leaves:
        _leave_book(state, market, maker)
        maker.prevented_lots += lots
        state.end(owner, maker, SimStatus.EXPIRED_IN_MATCH, EndReason.SELF_TRADE)
    else:
        reduce_resting(state, market, maker, lots)
        maker.prevented_lots += lots
    taker.prevented_lots += lots
    if taker.leaves <= 0:
        state.end(account, taker, SimStatus.EXPIRED_IN_MATCH, EndReason.SELF_TRADE)
    for who, order, other in ((owner, maker, taker), (account, taker, maker)):
        state.tell(
            who,
            Exec.PREVENTED,
            order,
            reason=EndReason.SELF_TRADE,
            prevented=lots,
            counter=other.order_id,
        )
    return lots


# -- resting orders -----------------------------------------------------------------------------------------


def rest(state: VenueState, account: Account, market: Market, order: SimOrder) -> None:
    """Put what is left of an order on the book and set its money aside."""
    order.shown = min(order.display_lots or order.leaves, order.leaves)
    order.ts_working = state.now_ns
    if not account.house:
        ledger.hold(state, account, market, order)
    market.book.side(order.side).add(order)
    state.book_moved(market)


def _leave_book(state: VenueState, market: Market, order: SimOrder) -> None:
    if order.on_book:
        market.book.side(order.side).remove(order)
        state.book_moved(market)


def reduce_resting(state: VenueState, market: Market, order: SimOrder, lots: int) -> None:
    """Take lots from a resting order without moving it in its queue; the hidden part goes first."""
    side = market.book.side(order.side)
    hidden = order.leaves - order.shown
    less = max(0, lots - hidden)
    if less:
        order.shown -= less
        side.levels[side.sign * order.ticks].lots -= less
        side.changed.add(order.ticks)
        state.book_moved(market)


def end_resting(
    state: VenueState,
    account: Account,
    market: Market,
    order: SimOrder,
    status: SimStatus,
    reason: EndReason,
    *,
    counter: int = 0,
) -> None:
    """End an open order wherever it is, give back its money and tell its owner."""
    left = order.leaves
    _leave_book(state, market, order)
    ledger.release(state, account, market, order)
    state.end(account, order, status, reason)
    if status is SimStatus.EXPIRED_IN_MATCH:
        state.tell(account, Exec.PREVENTED, order, reason=reason, prevented=left, counter=counter)
    else:
        kind = Exec.CANCELED if status is SimStatus.CANCELED else Exec.EXPIRED
        state.tell(account, kind, order, reason=reason)


def fill_by_house(state: VenueState, order_id: int, lots: int) -> Ack:
    """Trade lots of a limit order with the insurance account at the order's own price."""
    order = state.orders.get(order_id)
    if order is None or not order.ticks:
        raise Refusal(RejectReason.UNKNOWN_ORDER)
    account, market, house = (
        state.accounts[order.account],
        state.markets[order.market],
        state.accounts[INSURANCE],
    )
    lots = min(lots, order.leaves)
    if lots <= 0:
        raise Refusal(RejectReason.ORDER_ENDED)
    ended = order.status if not order.status.is_open else None
    reason = order.end_reason
    mirror = NewOrder(
        account=INSURANCE, market=market.symbol, side=order.side.opposite, lots=lots, ticks=order.ticks
    )
    taker = SimOrder(mirror, state.order_id(), state.now_ns)
    if ended is None and order.on_book:
        side = market.book.side(order.side)
        level = side.levels[side.sign * order.ticks]
        fill = _trade(state, house, account, market, taker, order, level, side, min(lots, order.shown))
        state.book_moved(market)
        state.price_moved(market)
        return Ack(order, fills=[fill])
    notional = lots * order.ticks * market.unit
    trade_id = market.next_trade_id
    market.next_trade_id = trade_id + 1
    fill = book_fill(state, account, market, order, order.ticks, lots, notional, trade_id, Liquidity.MAKER)
    book_fill(state, house, market, taker, order.ticks, lots, notional, trade_id, Liquidity.TAKER)
    if ended is not None and order.leaves:
        order.status, order.end_reason = ended, reason
    return Ack(order, fills=[fill])


def available_lots(market: Market, order: SimOrder, limit: int, wanted: int) -> int:
    """Count the lots an order could trade at once, hidden ones too, up to ``wanted``."""
    opposite = market.book.asks if order.side is Side.BUY else market.book.bids
    worst = UNBOUNDED if not limit else (limit if order.side is Side.BUY else -limit)
    found = 0
    for key in reversed(opposite.keys):
        if -key > worst or found >= wanted:
            break
        resting = opposite.levels[key].head
        while resting is not None:
            if not (order.stp and resting.account == order.account):
                found += resting.leaves
            resting = resting.next
    return found


def cost_of(market: Market, side: Side, lots: int, limit: int = 0) -> int:
    """Return what taking lots from the book costs in atoms; what the book cannot fill counts nothing."""
    opposite = market.book.asks if side is Side.BUY else market.book.bids
    worst = UNBOUNDED if not limit else (limit if side is Side.BUY else -limit)
    atoms = 0
    for key in reversed(opposite.keys):
        if -key > worst or lots <= 0:
            break
        level = opposite.levels[key]
        resting = level.head
        while resting is not None and lots > 0:
            taken = min(lots, resting.leaves)
            atoms += taken * level.ticks * market.unit
            lots -= taken
            resting = resting.next
    return atoms


def lots_for(market: Market, side: Side, atoms: int) -> int:
    """Return how many lots a quote amount buys or sells from the book, in the market's steps."""
    opposite = market.book.asks if side is Side.BUY else market.book.bids
    lots = 0
    for key in reversed(opposite.keys):
        level = opposite.levels[key]
        price = level.ticks * market.unit
        resting = level.head
        while resting is not None:
            taken = min(resting.leaves, atoms // price)
            lots += taken
            atoms -= taken * price
            if taken < resting.leaves:
                return lots - lots % market.lot_step
            resting = resting.next
    return lots - lots % market.lot_step


# -- the house's liquidity -----------------------------------------------------------------------------------


def set_level(state: VenueState, house: Account, market: Market, side: Side, ticks: int, lots: int) -> None:
    """Make one order of the house at a price hold so many lots; first it trades what it crosses."""
    at = (market.symbol, side, ticks)
    held = house.levels.get(at)
    if held is not None and not held.status.is_open:
        held = None
    if held is not None and (lots == 0 or lots > held.leaves):
        if lots:
            _grow(state, market, held, lots)
            return
        del house.levels[at]
        end_resting(state, house, market, held, SimStatus.CANCELED, EndReason.USER)
        return
    if held is not None:
        less = held.leaves - lots
        if less:
            reduce_resting(state, market, held, less)
            held.lots -= less
        return
    house.levels.pop(at, None)
    if not lots:
        return
    new = NewOrder(account=house.account_id, market=market.symbol, side=side, lots=lots, ticks=ticks)
    order = SimOrder(new, state.order_id(), state.now_ns)
    state.keep(house, order)
    match(state, house, market, order, ticks)
    if order.status.is_open:
        house.levels[at] = order
        rest(state, house, market, order)


def _grow(state: VenueState, market: Market, order: SimOrder, lots: int) -> None:
    """Add lots to the house's order where it stands: at a venue many orders make a level, its front stays."""
    more = lots - order.leaves
    order.lots += more
    order.shown += more
    side = market.book.side(order.side)
    side.levels[side.sign * order.ticks].lots += more
    side.changed.add(order.ticks)
    state.book_moved(market)
