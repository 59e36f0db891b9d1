"""Liquidation: what the venue does with positions whose margin is used up.

All orders in reach are cancelled, the positions go to the book at any price down to bankruptcy's, and what the
book does not take goes to the insurance account at the mark price. The fee comes from what margin is left; a loss
beyond the margin is the venue's.
"""

from __future__ import annotations

from lanner.model.enums import Liquidity, OrderType, Side, TimeInForce
from lanner.simulator import ledger, lists, margin, matching
from lanner.simulator.accounts import Account, Position
from lanner.simulator.events import ChangeReason, Liquidated
from lanner.simulator.markets import Market
from lanner.simulator.money import fee_of, to_ppb
from lanner.simulator.orders import EndReason, NewOrder, SimOrder, SimStatus
from lanner.simulator.state import INSURANCE, VenueState


def examine(state: VenueState, symbol: str) -> None:
    """Liquidate every position of a market (and with it, cross accounts) whose margin is below maintenance."""
    market = state.markets[symbol]
    for account_id in list(state.holders[symbol]):
        account = state.accounts[account_id]
        if account.house:
            continue
        for position in _open(account, symbol):
            if position.cross:
                whole = margin.summary(state, account, market.settle)
                if position.lots and whole.cross_equity < whole.maintenance_cross:
                    _liquidate_cross(state, account, market.settle)
            elif position.lots:
                notional = abs(position.lots) * market.reference_ticks * market.unit
                if position.margin + margin.unrealized(market, position) < market.maintenance(notional):
                    _liquidate_isolated(state, account, market, position)


def _open(account: Account, symbol: str) -> list[Position]:
    return [one for (market, _), one in account.positions.items() if market == symbol and one.lots]


def _cancel_orders(state: VenueState, account: Account, symbol: str = "") -> None:
    for order in list(account.open_orders.values()):
        if order.status.is_open and (not symbol or order.market == symbol):
            lists.cancel_with_list(state, order, EndReason.LIQUIDATION)


def _liquidate_cross(state: VenueState, account: Account, asset: str) -> None:
    _cancel_orders(state, account)
    whole = margin.summary(state, account, asset)
    bankrupt = {
        id(position): _bankrupt_ticks(state.markets[symbol], position, whole.cross_equity)
        for (symbol, _), position in account.positions.items()
        if position.lots
    }
    fee = 0
    for (symbol, _), position in list(account.positions.items()):
        market = state.markets[symbol]
        if position.lots and position.cross and market.settle == asset:
            fee += _close(state, account, market, position, bankrupt[id(position)], whole.cross_equity)
    isolated = sum(
        one.margin for (symbol, _), one in account.positions.items() if state.markets[symbol].settle == asset
    )
    left = account.balance(asset).total - isolated
    _square(state, account, asset, left, fee)


def _liquidate_isolated(state: VenueState, account: Account, market: Market, position: Position) -> None:
    _cancel_orders(state, account, market.symbol)
    stake = position.margin
    value = stake + margin.unrealized(market, position)
    bankrupt = _bankrupt_ticks(market, position, value)
    before = account.balance(market.settle).total
    fee = _close(state, account, market, position, bankrupt, value)
    left = stake + account.balance(market.settle).total - before
    _square(state, account, market.settle, left, fee)


def _bankrupt_ticks(market: Market, position: Position, value: int) -> int:
    """Return the price at which closing the position would use up what stands behind it."""
    move = value // (abs(position.lots) * market.unit)
    px = market.reference_ticks - move if position.lots > 0 else market.reference_ticks + move
    return max(1, px)


def _square(state: VenueState, account: Account, asset: str, left: int, fee: int) -> None:
    """Take the fee from what is left; a hole is filled by the venue."""
    atoms = -left if left < 0 else -min(left, fee)
    if atoms:
        ledger.credit(state, account, asset, atoms, ChangeReason.LIQUIDATION)
        ledger.to_treasury(state, asset, -atoms)
        kind = "INSURANCE_CLEAR"
        account.income.append((state.now_ns, kind, "", asset, atoms, 0))


def _close(
    state: VenueState, account: Account, market: Market, position: Position, bankrupt: int, value: int
) -> int:
    """Close one position; returns the liquidation fee that is owed."""
    side = Side.SELL if position.lots > 0 else Side.BUY
    lots = abs(position.lots)
    new = NewOrder(
        account=account.account_id,
        market=market.symbol,
        side=side,
        type=OrderType.LIMIT,
        tif=TimeInForce.IOC,
        lots=lots,
        ticks=bankrupt,
        reduce_only=True,
        position_side=position.position_side,
        client_id=f"autoclose-{state.now_ns // 1_000_000}",
    )
    order = SimOrder(new, state.order_id(), state.now_ns)
    order.liquidation = True
    state.keep(account, order)
    matching.match(state, account, market, order, bankrupt)
    if order.leaves:
        _take_over(state, account, market, order)
    average = order.cum_quote // (lots * market.unit)
    cross = position.cross
    state.emit(
        Liquidated(
            account.account_id,
            state.now_ns,
            market.symbol,
            side,
            lots,
            average,
            bankrupt,
            order,
            value,
            cross,
        )
    )
    return fee_of(order.cum_quote, to_ppb(market.rules.liquidation_fee))


def _take_over(state: VenueState, account: Account, market: Market, order: SimOrder) -> None:
    """Give what the book did not take to the insurance account, at the mark price and outside the tape."""
    insurance = state.accounts[INSURANCE]
    lots = order.leaves
    px = market.reference_ticks
    notional = lots * px * market.unit
    trade_id = market.next_trade_id
    market.next_trade_id = trade_id + 1
    matching.book_fill(state, account, market, order, px, lots, notional, trade_id, Liquidity.TAKER)
    mirror = NewOrder(account=INSURANCE, market=market.symbol, side=order.side.opposite, lots=lots, ticks=px)
    other = SimOrder(mirror, state.order_id(), state.now_ns)
    other.status = SimStatus.NEW
    matching.book_fill(state, insurance, market, other, px, lots, notional, trade_id, Liquidity.TAKER)
