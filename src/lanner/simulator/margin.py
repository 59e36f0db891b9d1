"""Margin arithmetic of linear perpetuals, after Binance's and Hyperliquid's public formulas.

``Balance.total`` is the whole wallet; an isolated position's ``margin`` is a part of it set apart. Initial margin
of a market is max(|position + open buys|, |position − open sells|) / leverage, at mark for the position and at
their own prices for the orders.
"""

from __future__ import annotations

import msgspec

from lanner.model.enums import Side
from lanner.simulator.accounts import Account, MarketSetting, Position
from lanner.simulator.markets import Market
from lanner.simulator.orders import PositionSide
from lanner.simulator.state import VenueState


class MarginSummary(msgspec.Struct, frozen=True):
    """Margin figures of an account in one settle asset, in atoms."""

    asset: str
    wallet: int
    cross_wallet: int
    unrealized: int
    unrealized_cross: int
    position_initial: int
    order_initial: int
    maintenance: int
    maintenance_cross: int
    notional: int
    """Sum of the positions' absolute notional."""
    available: int
    """What new positions may use; may be negative."""

    @property
    def equity(self) -> int:
        """Return wallet and open profit together."""
        return self.wallet + self.unrealized

    @property
    def cross_equity(self) -> int:
        """Return what stands behind the cross positions."""
        return self.cross_wallet + self.unrealized_cross

    @property
    def initial(self) -> int:
        """Return the margin that positions and orders hold."""
        return self.position_initial + self.order_initial


class PositionRisk(msgspec.Struct, frozen=True):
    """What a position is worth at the mark price and where it would be liquidated."""

    notional: int
    """Absolute, in atoms at mark."""
    unrealized: int
    initial: int
    order_initial: int
    maintenance: int
    liquidation_ticks: int
    """Rounded to the tick on the safe side; 0: cannot be liquidated."""
    leverage: int


def setting(state: VenueState, account: Account, symbol: str) -> MarketSetting:
    """Return an account's leverage and margin mode in a market, made with the market's default."""
    chosen = account.settings.get(symbol)
    if chosen is None:
        market = state.markets[symbol]
        chosen = MarketSetting(min(market.rules.default_leverage, market.max_leverage))
        account.settings[symbol] = chosen
    return chosen


def unrealized(market: Market, position: Position) -> int:
    """Return the open profit of a position at the reference price."""
    return position.lots * market.reference_ticks * market.unit - position.cost


def initial(position_notional: int, buys: int, sells: int, leverage: int) -> int:
    """Return the initial margin of a market from signed position notional and open orders, rounded up."""
    worst = max(abs(position_notional + buys), abs(position_notional - sells))
    return -(-worst // leverage)


def _split(state: VenueState, account: Account, symbol: str, side: PositionSide) -> tuple[int, int]:
    """Return (position's, orders') initial margin in one market; an isolated position's own is its ``margin``."""
    market = state.markets[symbol]
    position = account.positions.get((symbol, side))
    chosen = setting(state, account, symbol)
    signed = position.lots * market.reference_ticks * market.unit if position is not None else 0
    held = account.exposure.get((symbol, side))
    buys, sells = (held[1], held[3]) if held else (0, 0)
    whole = initial(signed, buys, sells, chosen.leverage)
    own = -(-abs(signed) // chosen.leverage)
    if not chosen.cross:
        return 0, max(0, whole - own)
    return own, whole - own


def summary(state: VenueState, account: Account, asset: str) -> MarginSummary:
    """Return the margin figures of an account in a settle asset."""
    wallet = account.balance(asset).total
    isolated = profit = profit_cross = keep = keep_cross = size = 0
    for (symbol, _), position in account.positions.items():
        market = state.markets[symbol]
        if not position.lots or market.settle != asset:
            continue
        gain = unrealized(market, position)
        notional = abs(position.lots) * market.reference_ticks * market.unit
        needed = market.maintenance(notional)
        profit += gain
        keep += needed
        size += notional
        if position.cross:
            profit_cross += gain
            keep_cross += needed
        else:
            isolated += position.margin
    own = orders = 0
    for symbol, side in account.position_keys():
        if state.markets[symbol].settle == asset:
            mine, theirs = _split(state, account, symbol, side)
            own += mine
            orders += theirs
    cross_wallet = wallet - isolated
    return MarginSummary(
        asset=asset,
        wallet=wallet,
        cross_wallet=cross_wallet,
        unrealized=profit,
        unrealized_cross=profit_cross,
        position_initial=own + isolated,
        order_initial=orders,
        maintenance=keep,
        maintenance_cross=keep_cross,
        notional=size,
        available=cross_wallet + profit_cross - own - orders,
    )


def needed_for(
    state: VenueState,
    account: Account,
    market: Market,
    position_side: PositionSide,
    side: Side,
    notional: int,
) -> int:
    """Return by how much an order of a notional would raise the initial margin of its market."""
    key = (market.symbol, position_side)
    position = account.positions.get(key)
    chosen = setting(state, account, market.symbol)
    signed = position.lots * market.reference_ticks * market.unit if position is not None else 0
    held = account.exposure.get(key)
    buys, sells = (held[1], held[3]) if held else (0, 0)
    before = initial(signed, buys, sells, chosen.leverage)
    if side is Side.BUY:
        return initial(signed, buys + notional, sells, chosen.leverage) - before
    return initial(signed, buys, sells + notional, chosen.leverage) - before


def risk(state: VenueState, account: Account, position: Position) -> PositionRisk:
    """Return the figures of one open position."""
    market = state.markets[position.market]
    notional = abs(position.lots) * market.reference_ticks * market.unit
    chosen = setting(state, account, position.market)
    _, orders = _split(state, account, position.market, position.position_side)
    return PositionRisk(
        notional,
        unrealized(market, position),
        -(-notional // chosen.leverage),
        orders,
        market.maintenance(notional),
        liquidation_ticks(state, account, position),
        chosen.leverage,
    )


def liquidation_ticks(state: VenueState, account: Account, position: Position) -> int:
    """Return the mark price at which the position's margin is used up, all else staying as it is; 0: none.

    Solves W + L·u·P − cost = |L|·u·P·r − cum for P, with W the isolated margin, or the cross wallet with
    the profit and without the maintenance margin of the other positions.
    """
    market = state.markets[position.market]
    lots = position.lots
    size = abs(lots)
    tier = market.bracket(size * market.reference_ticks * market.unit)
    if position.cross:
        whole = summary(state, account, market.settle)
        backing = whole.cross_equity - unrealized(market, position)
        backing -= whole.maintenance_cross - market.maintenance(size * market.reference_ticks * market.unit)
    else:
        backing = position.margin
    numerator = (position.cost - backing - tier.cum_atoms) * 10**9
    denominator = market.unit * (lots * 10**9 - size * tier.rate_ppb)
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    if numerator <= 0:
        return 0
    return -(-numerator // denominator) if lots > 0 else numerator // denominator
