"""Balances, positions and bookings of a USD-M account as answers tell them."""

from __future__ import annotations

from collections.abc import Sequence

from lanner.model.accounts import Balance, MarginMode, VenuePosition
from lanner.model.instruments import Instrument
from lanner.model.reports import FundingPaid
from lanner.venues.binance.names import Symbols, exact, to_ns
from lanner.venues.binance.told import NAN, average
from lanner.venues.binance.user_purse import hedge_side, number, signed_lots
from lanner.venues.binance.wire_rights import IncomeRow, PositionRow, WalletRow


def wallet_told(row: WalletRow) -> Balance:
    """Make a balance of a wallet: what margins hold is locked."""
    total = exact(row.walletBalance)
    available = min(total, exact(row.availableBalance))
    return Balance(row.asset, total, available, total - available)


def position_told(instrument: Instrument, row: PositionRow) -> VenuePosition:
    """Make a position of a row of positionRisk, of version 2 (leverage told) or 3 (to be worked out)."""
    isolated = row.marginType.lower() == "isolated" or bool(row.isolatedWallet or row.isolatedMargin)
    return VenuePosition(
        instrument.id,
        signed_lots(instrument, row.positionAmt),
        average(row.entryPrice),
        average(row.markPrice),
        average(row.liquidationPrice),
        number(row.unRealizedProfit),
        _leverage(row),
        MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        hedge_side(row.positionSide),
    )


def _leverage(row: PositionRow) -> float:
    """Return the leverage: told, or notional over initial margin, which is what the venue makes the margin of."""
    if row.leverage is not None:
        return number(row.leverage)
    margin, notional = row.positionInitialMargin, row.notional
    if not margin or not notional or margin <= 0:
        return NAN
    return float(round(abs(notional) / margin))


def funding_paid(rows: Sequence[IncomeRow], symbols: Symbols, ts_recv: int) -> list[FundingPaid]:
    """Make funding payments of bookings; those of instruments that are not known are left out."""
    return [
        FundingPaid(instrument.id, to_ns(row.time), ts_recv, exact(row.income), NAN)
        for row in rows
        if row.incomeType in ("", "FUNDING_FEE")
        and (instrument := symbols.by_symbol.get(row.symbol)) is not None
    ]
