"""Funding: longs and shorts of a perpetual pay each other position × mark × rate."""

from __future__ import annotations

from lanner.simulator import ledger
from lanner.simulator.events import ChangeReason, FundingPaid
from lanner.simulator.markets import Market
from lanner.simulator.money import FEE_STEP
from lanner.simulator.state import VenueState


def settle(state: VenueState, market: Market) -> None:
    """Pay one funding; amounts are rounded down to 1e-8, what that leaves over is the venue's."""
    rate = market.funding_rate
    numerator, denominator = rate.as_integer_ratio()
    px = market.reference_ticks
    left = 0
    for account_id in state.holders[market.symbol]:
        account = state.accounts[account_id]
        for (symbol, _), position in account.positions.items():
            if symbol != market.symbol or not position.lots:
                continue
            exact = -position.lots * px * market.unit * numerator
            atoms = exact // (denominator * FEE_STEP) * FEE_STEP
            left -= atoms
            position.funding += atoms
            if not position.cross:
                position.margin += atoms
            ledger.credit(state, account, market.settle, atoms, ChangeReason.FUNDING)
            if account.house:
                continue
            now = state.now_ns
            account.funding.append((now, symbol, market.settle, atoms, rate, position.lots))
            account.income.append((now, "FUNDING_FEE", symbol, market.settle, atoms, 0))
            state.emit(FundingPaid(account_id, now, symbol, market.settle, atoms, rate, position.lots))
    if left:
        ledger.to_treasury(state, market.settle, left)
    market.funding_history.append((state.now_ns, rate, px))
    if market.next_funding_ns:
        market.next_funding_ns += market.rules.funding_interval_ns
