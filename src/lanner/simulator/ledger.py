"""Money: what fills, fees and reservations do to balances and positions. Nothing is made or lost.

The sum of all balances and of the treasury in an asset changes by deposits and withdrawals only.
"""

from __future__ import annotations

from lanner.model.enums import Side
from lanner.simulator import margin
from lanner.simulator.accounts import Account, Position
from lanner.simulator.events import ChangeReason
from lanner.simulator.markets import Market
from lanner.simulator.money import fee_of, to_ppb
from lanner.simulator.orders import PositionSide, SimOrder
from lanner.simulator.state import VenueState


def credit(state: VenueState, account: Account, asset: str, atoms: int, reason: ChangeReason) -> None:
    """Add to (or take from) a balance."""
    account.balance(asset).total += atoms
    state.touch(account, reason, asset, atoms)


def to_treasury(state: VenueState, asset: str, atoms: int) -> None:
    """Add to what the venue itself owns."""
    state.treasury[asset] = state.treasury.get(asset, 0) + atoms


# -- reservations ---------------------------------------------------------------------------------------


def need_of(market: Market, order: SimOrder, lots: int) -> int:
    """Return what so many lots of a spot order set aside: quote for a buy, base for a sell."""
    if order.side is Side.SELL:
        return lots * market.lot_atoms
    return lots * (order.ticks or order.trigger_ticks) * market.unit


def asset_of(market: Market, side: Side) -> str:
    """Return the asset that a spot order pays with."""
    return market.quote if side is Side.BUY else market.base


def hold(state: VenueState, account: Account, market: Market, order: SimOrder, *, share: int = 0) -> None:
    """Set money aside for an order that rests or waits; ``share`` of it is set aside by a sibling already."""
    lots = order.leaves
    if market.is_spot:
        atoms = max(0, need_of(market, order, lots) - share)
        order.locked = atoms
        asset = asset_of(market, order.side)
        account.balance(asset).locked += atoms
        state.touch(account, ChangeReason.ORDER, asset)
    elif not order.reduce_only and not order.close_position:
        expose(account, market, order, lots)
        order.locked = lots


def release(state: VenueState, account: Account, market: Market, order: SimOrder, lots: int = 0) -> None:
    """Give back what so many lots of a resting order hold; 0: all of it."""
    if not order.locked:
        return
    if market.is_spot:
        atoms = min(order.locked, need_of(market, order, lots)) if lots else order.locked
        order.locked -= atoms
        asset = asset_of(market, order.side)
        account.balance(asset).locked -= atoms
        state.touch(account, ChangeReason.ORDER, asset)
    else:
        count = min(order.locked, lots) if lots else order.locked
        order.locked -= count
        expose(account, market, order, -count)


def expose(account: Account, market: Market, order: SimOrder, lots: int) -> None:
    """Count lots of a resting order among those that may open a position; negative takes them out."""
    key = (market.symbol, order.position_side)
    held = account.exposure.get(key)
    if held is None:
        held = account.exposure[key] = [0, 0, 0, 0]
    at = 0 if order.side is Side.BUY else 2
    held[at] += lots
    held[at + 1] += lots * order.ticks * market.unit


# -- fills ------------------------------------------------------------------------------------------------


def fee_rate(account: Account, market: Market, maker: bool) -> int:
    """Return an account's fee in 1e-9 of notional."""
    own = account.maker if maker else account.taker
    if own is not None:
        return to_ppb(own)
    return market.maker_ppb if maker else market.taker_ppb


def settle_spot(
    state: VenueState, account: Account, market: Market, side: Side, lots: int, notional: int, rate: int
) -> tuple[int, str]:
    """Exchange base against quote and take the fee from what is received; returns (fee atoms, asset)."""
    base = account.balance(market.base)
    quote = account.balance(market.quote)
    amount = lots * market.lot_atoms
    if side is Side.BUY:
        asset = market.base
        fee = fee_of(amount, rate)
        paid, got = -notional, amount - fee
        quote.total += paid
        base.total += got
        state.touch(account, ChangeReason.ORDER, market.quote, paid)
        state.touch(account, ChangeReason.ORDER, market.base, got)
    else:
        asset = market.quote
        fee = fee_of(notional, rate)
        paid, got = -amount, notional - fee
        base.total += paid
        quote.total += got
        state.touch(account, ChangeReason.ORDER, market.base, paid)
        state.touch(account, ChangeReason.ORDER, market.quote, got)
    treasury = state.treasury
    treasury[asset] = treasury.get(asset, 0) + fee
    return fee, asset


def position_of(state: VenueState, account: Account, market: Market, side: PositionSide) -> Position:
    """Return the position, made on first use in the account's margin mode."""
    key = (market.symbol, side)
    position = account.positions.get(key)
    if position is None:
        cross = margin.setting(state, account, market.symbol).cross
        position = account.positions[key] = Position(market.symbol, side, cross, market.lot_atoms)
    return position


def settle_perp(
    state: VenueState,
    account: Account,
    market: Market,
    position: Position,
    side: Side,
    lots: int,
    notional: int,
    fee: int,
) -> int:
    """Change a position by a fill and the wallet by realised profit and fee; returns the profit."""
    held = position.lots
    signed = lots if side is Side.BUY else -lots
    profit = 0
    if held == 0 or (held > 0) == (signed > 0):
        opened, opened_notional = lots, notional
    else:
        profit, opened = _close(position, lots, notional)
        opened_notional = notional * opened // lots
    if opened:
        if not position.lots:
            position.ts_opened = state.now_ns
            position.realized = position.funding = 0
        position.lots += opened if signed > 0 else -opened
        position.cost += opened_notional if signed > 0 else -opened_notional
        if not position.cross:
            leverage = margin.setting(state, account, market.symbol).leverage
            position.margin += -(-opened_notional // leverage)
    position.realized += profit
    position.ts_updated = state.now_ns
    account.balance(market.settle).total += profit - fee
    to_treasury(state, market.settle, fee)
    noted = state.touch(account, ChangeReason.ORDER, market.settle, profit - fee)
    noted.positions[id(position)] = position
    holders = state.holders[market.symbol]
    if position.lots:
        holders[account.account_id] = None
    else:
        state.flat(account, market)
        if not _holds(account, market.symbol):
            holders.pop(account.account_id, None)
    return profit


def _close(position: Position, lots: int, notional: int) -> tuple[int, int]:
    """Reduce a position by up to ``lots``; returns (profit, lots left over that open the other way).

    The share of the cost that leaves is rounded down; what is left stays with the rest, so nothing is lost.
    """
    size = abs(position.lots)
    closed = min(size, lots)
    share = position.cost * closed // size
    part = notional * closed // lots
    profit = part - share if position.lots > 0 else -part - share
    if not position.cross:
        position.margin -= position.margin * closed // size
    position.cost -= share
    position.lots += -closed if position.lots > 0 else closed
    return profit, lots - closed


def _holds(account: Account, symbol: str) -> bool:
    return any(position.lots for (market, _), position in account.positions.items() if market == symbol)
