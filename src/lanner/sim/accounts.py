"""The venue's own books: balances by currency and netting positions, so that refusals are simulated too.

Spot: buying spends the quote currency and receives the base; what is not there cannot be sold. Linear
perpetuals: one cross-margin wallet per settle currency; initial margin is notional / leverage and what
reduces a position needs none. All amounts are exact (Decimal, and ``int`` lots and ticks).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from lanner.core.errors import ConfigError
from lanner.model.instruments import Instrument
from lanner.portfolio.positions import Position

FEE_QUANTUM = Decimal("1e-12")
"""Fees are charged in steps of this, rounded up (against us)."""

ZERO = Decimal(0)


class SimAccount:
    """Balances and positions at one venue."""

    def __init__(self, balances: dict[str, Decimal], leverage: Decimal) -> None:
        for currency, amount in balances.items():
            if not amount.is_finite() or amount < 0:
                raise ConfigError(
                    f"the {currency} balance is not believable", expected="a number >= 0", found=amount
                )
        self.balances = dict(balances)
        self.leverage = leverage
        self.positions: dict[str, Position] = {}
        self.marks: dict[str, int] = {}
        self.fees_paid = ZERO
        self.funding_received = ZERO

    def position(self, instrument: Instrument) -> Position:
        """Return the account's position in an instrument (flat when there is none)."""
        found = self.positions.get(instrument.id)
        if found is None:
            found = self.positions[instrument.id] = Position(instrument)
        return found

    def leverage_of(self, instrument: Instrument) -> Decimal:
        """Return the leverage that applies: what the account asks for, bounded by the instrument."""
        return min(self.leverage, instrument.max_leverage)

    # -- what can be paid for ----------------------------------------------------------------------

    def wallet_equity(self, currency: str) -> Decimal:
        """Return wallet balance plus the open profit of the perpetuals that settle in a currency."""
        equity = self.balances.get(currency, ZERO)
        for position in self.positions.values():
            instrument = position.instrument
            if position.lots and not instrument.is_spot and instrument.settle == currency:
                equity += position.money(position.unrealised_units(self.marks[instrument.id]))
        return equity

    def margin_used(self, currency: str, besides: str = "") -> Decimal:
        """Return the initial margin of the open positions in a currency, leaving out one instrument."""
        used = ZERO
        for position in self.positions.values():
            instrument = position.instrument
            if (
                not position.lots
                or instrument.is_spot
                or instrument.settle != currency
                or instrument.id == besides
            ):
                continue
            used += position.money(abs(position.lots) * self.marks[instrument.id]) / self.leverage_of(
                instrument
            )
        return used

    def affordable_lots(
        self, instrument: Instrument, side: int, px_ticks: int, fee_rate: Decimal, reserved: Decimal = ZERO
    ) -> int:
        """Return how many lots can be bought or sold at a price, fee included.

        ``reserved`` is money of the settle currency already promised to other orders (for a spot sale: base
        currency).
        """
        unit = instrument.tick * instrument.lot * instrument.multiplier
        if instrument.is_spot:
            if side < 0:
                have = self.balances.get(instrument.base, ZERO) - reserved
                return _floor(have / (instrument.lot * instrument.multiplier))
            have = self.balances.get(instrument.quote, ZERO) - reserved
            per_lot = unit * px_ticks * (1 + max(fee_rate, ZERO))
            lots = _floor(have / per_lot)
            # the fee is rounded up, which can cost the last lots
            if lots > 0 and unit * (lots * px_ticks) + self.fee(instrument, lots, px_ticks, fee_rate) > have:
                lots = max(0, _floor((have - FEE_QUANTUM) / per_lot))
            return lots
        position = self.position(instrument)
        reducing = abs(position.lots) if position.lots * side < 0 else 0
        self.marks.setdefault(instrument.id, px_ticks)
        leverage = self.leverage_of(instrument)
        free = (
            self.wallet_equity(instrument.settle)
            - self.margin_used(instrument.settle, instrument.id)
            - reserved
        )
        mark = self.marks[instrument.id]
        # the order fills away from the mark: that loss is taken from the free money at once
        loss_per_lot = unit * max(0, (px_ticks - mark) * side)
        cost_per_lot = unit * px_ticks * max(fee_rate, ZERO) + loss_per_lot
        kept = unit * mark * abs(position.lots) / leverage if not reducing else ZERO
        after_close = free - kept - cost_per_lot * reducing
        # margin is due at the mark; one who buys below it needs no more than what he pays
        per_lot = unit * (min(mark, px_ticks) if side > 0 else mark) / leverage + cost_per_lot
        opening = _floor(after_close / per_lot) if after_close > 0 and per_lot > 0 else 0
        return reducing + max(0, opening)

    def order_cost(
        self, instrument: Instrument, side: int, lots: int, px_ticks: int, fee_rate: Decimal
    ) -> Decimal:
        """Return what a resting order promises: settle currency, or base currency for a spot sale."""
        unit = instrument.tick * instrument.lot * instrument.multiplier
        if instrument.is_spot:
            if side < 0:
                return instrument.lot * instrument.multiplier * lots
            return unit * px_ticks * lots * (1 + max(fee_rate, ZERO))
        return unit * px_ticks * lots * (1 / self.leverage_of(instrument) + max(fee_rate, ZERO))

    # -- booking -----------------------------------------------------------------------------------

    def fee(self, instrument: Instrument, lots: int, px_ticks: int, rate: Decimal) -> Decimal:
        """Return the fee of a fill, rounded up to the quantum; negative for a rebate (rounded towards 0)."""
        exact = instrument.tick * instrument.lot * instrument.multiplier * (lots * px_ticks) * rate
        return exact.quantize(FEE_QUANTUM, ROUND_CEILING)

    def book_fill(
        self, instrument: Instrument, side: int, lots: int, px_ticks: int, fee: Decimal, ts: int
    ) -> None:
        """Book an execution in balances and position."""
        position = self.position(instrument)
        realised = position.apply(side, lots, px_ticks, ts)
        position.fees += fee
        self.fees_paid += fee
        settle = instrument.settle
        if instrument.is_spot:
            money = position.money(lots * px_ticks)
            self.balances[settle] = self.balances.get(settle, ZERO) - side * money - fee
            amount = side * lots * instrument.lot * instrument.multiplier
            self.balances[instrument.base] = self.balances.get(instrument.base, ZERO) + amount
        else:
            self.balances[settle] = self.balances.get(settle, ZERO) + position.money(realised) - fee
        self.marks[instrument.id] = px_ticks

    def settle_funding(self, instrument: Instrument, rate: float, mark_ticks: int) -> Decimal:
        """Settle funding on a perpetual: longs pay notional × rate; return what was added to the wallet."""
        position = self.position(instrument)
        if not position.lots:
            return ZERO
        notional = position.money(position.lots * mark_ticks)
        amount = (-notional * Decimal(repr(rate))).quantize(FEE_QUANTUM, ROUND_FLOOR)
        self.balances[instrument.settle] = self.balances.get(instrument.settle, ZERO) + amount
        position.funding += amount
        self.funding_received += amount
        return amount


def _floor(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))
