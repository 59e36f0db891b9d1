"""What an account may choose: leverage, margin mode, position mode, isolated margin, transfers."""

from __future__ import annotations

from lanner.simulator import ledger, margin
from lanner.simulator.accounts import Account, Position
from lanner.simulator.events import AccountConfigChanged, ChangeReason
from lanner.simulator.orders import PositionSide, Refusal, RejectReason
from lanner.simulator.state import VenueState


def set_leverage(state: VenueState, account_id: str, symbol: str, leverage: int, cross: bool | None) -> None:
    """Set leverage and, if given, the margin mode; lower leverage needs the margin for what is open."""
    account, market = state.need_account(account_id), state.need_market(symbol)
    if market.is_spot or not 1 <= leverage <= market.max_leverage:
        raise Refusal(RejectReason.LEVERAGE)
    chosen = margin.setting(state, account, symbol)
    if cross is not None and cross != chosen.cross:
        _change_mode(state, account, symbol, cross)
    for position in _positions(account, symbol):
        notional = abs(position.lots) * market.reference_ticks * market.unit
        if leverage > market.bracket(notional).max_leverage:
            raise Refusal(RejectReason.MAX_LEVERAGE_RATIO)
    before = chosen.leverage
    chosen.leverage = leverage
    if leverage < before and margin.summary(state, account, market.settle).available < 0:
        chosen.leverage = before
        raise Refusal(RejectReason.INSUFFICIENT_MARGIN)
    _tell(state, account, symbol)


def set_margin_mode(state: VenueState, account_id: str, symbol: str, cross: bool) -> None:
    """Choose cross or isolated margin."""
    account = state.need_account(account_id)
    if state.need_market(symbol).is_spot:
        raise Refusal(RejectReason.UNKNOWN_MARKET)
    if margin.setting(state, account, symbol).cross == cross:
        raise Refusal(RejectReason.NO_CHANGE)
    if any(order.market == symbol for order in account.open_orders.values()):
        raise Refusal(RejectReason.HAS_ORDERS)
    _change_mode(state, account, symbol, cross)
    _tell(state, account, symbol)


def _change_mode(state: VenueState, account: Account, symbol: str, cross: bool) -> None:
    if _positions(account, symbol):
        raise Refusal(RejectReason.HAS_POSITION)
    margin.setting(state, account, symbol).cross = cross
    for (market, _), position in account.positions.items():
        if market == symbol:
            position.cross = cross
            position.margin = 0


def set_hedge_mode(state: VenueState, account_id: str, hedge: bool) -> None:
    """Choose one position per market, or a long and a short one."""
    account = state.need_account(account_id)
    if account.hedge_mode == hedge:
        raise Refusal(RejectReason.NO_CHANGE)
    if any(not state.markets[order.market].is_spot for order in account.open_orders.values()):
        raise Refusal(RejectReason.HAS_ORDERS)
    if any(position.lots for position in account.positions.values()):
        raise Refusal(RejectReason.HAS_POSITION)
    account.hedge_mode = hedge
    _tell(state, account, "")


def add_margin(state: VenueState, account_id: str, symbol: str, atoms: int, side: PositionSide) -> None:
    """Move money into an isolated position, or out of it down to its initial margin."""
    account, market = state.need_account(account_id), state.need_market(symbol)
    position = account.positions.get((symbol, side))
    if position is None or not position.lots or position.cross:
        raise Refusal(RejectReason.HAS_POSITION, "no isolated position")
    if atoms > 0 and atoms > margin.summary(state, account, market.settle).available:
        raise Refusal(RejectReason.INSUFFICIENT_MARGIN)
    if atoms < 0:
        leverage = margin.setting(state, account, symbol).leverage
        notional = abs(position.lots) * market.reference_ticks * market.unit
        loss = min(0, margin.unrealized(market, position))
        if position.margin + atoms + loss < -(-notional // leverage):
            raise Refusal(RejectReason.INSUFFICIENT_MARGIN)
    position.margin += atoms
    noted = state.touch(account, ChangeReason.MARGIN, market.settle)
    noted.positions[id(position)] = position


def transfer(state: VenueState, source: str, target: str, asset: str, atoms: int) -> None:
    """Move free money from one account to another."""
    giver, taker = state.need_account(source), state.need_account(target)
    free = giver.balance(asset).free
    if any(state.markets[symbol].settle == asset for symbol, _ in giver.position_keys()):
        free = min(free, margin.summary(state, giver, asset).available)
    if atoms <= 0 or atoms > free:
        raise Refusal(RejectReason.INSUFFICIENT_BALANCE)
    ledger.credit(state, giver, asset, -atoms, ChangeReason.WITHDRAW)
    ledger.credit(state, taker, asset, atoms, ChangeReason.DEPOSIT)


def _positions(account: Account, symbol: str) -> list[Position]:
    return [one for (market, _), one in account.positions.items() if market == symbol and one.lots]


def _tell(state: VenueState, account: Account, symbol: str) -> None:
    chosen = margin.setting(state, account, symbol) if symbol else None
    state.emit(
        AccountConfigChanged(
            account.account_id,
            state.now_ns,
            symbol,
            chosen.leverage if chosen else 0,
            chosen.cross if chosen else True,
            account.hedge_mode,
        )
    )
