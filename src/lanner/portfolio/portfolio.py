"""What every strategy owns: positions by strategy and instrument, and their worth in one currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lanner.core.errors import ConfigError
from lanner.model.enums import Side
from lanner.model.instruments import Instrument
from lanner.model.reports import FundingPaid, OrderFilled, PositionAdjusted
from lanner.portfolio.positions import Position

ZERO = Decimal(0)
ONE = Decimal(1)


class Portfolio:
    """Positions netted by (strategy, instrument), and the capital given to each strategy.

    ``marks`` is the last price by instrument, kept by the engine. Equity of a strategy is its capital plus
    realised and open profit, minus fees, plus funding; the strategies' equities add up to the account's.
    """

    def __init__(self, currency: str, rates: Mapping[str, Decimal], marks: dict[str, float]) -> None:
        self.currency = currency
        self.rates = {currency: ONE, **rates}
        self.marks = marks
        self.capital: dict[str, Decimal] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self._by_strategy: dict[str, list[Position]] = {}

    def add_strategy(self, strategy_id: str, capital: Decimal) -> None:
        """Give a strategy its capital in the portfolio's currency."""
        self.capital[strategy_id] = capital
        self._by_strategy[strategy_id] = []

    def position(self, strategy_id: str, instrument: Instrument) -> Position:
        """Return a strategy's position in an instrument (flat when there is none)."""
        key = (strategy_id, instrument.id)
        found = self.positions.get(key)
        if found is None:
            self.rate(instrument.settle)
            found = self.positions[key] = Position(instrument)
            self._by_strategy[strategy_id].append(found)
        return found

    def apply_fill(self, strategy_id: str, instrument: Instrument, fill: OrderFilled) -> Position:
        """Book an execution of a strategy."""
        position = self.position(strategy_id, instrument)
        position.apply(fill.side, fill.lots, fill.px_ticks, fill.ts_event, fill.ref_ticks)
        position.fees += fill.fee
        if fill.base_fee:
            position.give_up(fill.base_fee, fill.px_ticks, fill.ts_event)
        return position

    def correct(
        self, strategy_id: str, instrument: Instrument, side: Side, notional: int, fee: Decimal
    ) -> None:
        """Book that executions cost more than was thought: by ticks × lots, and by a fee.

        It changes the average price where they opened what is held, and what was realised where they closed it.
        """
        position = self.position(strategy_id, instrument)
        paid = int(side) * notional
        position.cash_flow -= paid
        if position.lots * side > 0 and (position.cost + paid) * side > 0:
            position.cost += paid
        else:
            position.realised -= paid
        position.volume += notional
        position.fees += fee

    def adjust(self, instrument: Instrument, report: PositionAdjusted) -> Position:
        """Bring a strategy's position to what the venue has."""
        position = self.position(report.strategy_id, instrument)
        side = 1 if report.lots > 0 else -1
        position.apply(side, abs(report.lots), report.px_ticks, report.ts_event)
        return position

    def apply_late(
        self, strategy_id: str, instrument: Instrument, fill: OrderFilled, back: PositionAdjusted
    ) -> Position:
        """Book an execution in the place of an adjustment that stood for it; ``back`` is what takes that back."""
        owner, position = self.position(back.strategy_id, instrument), self.position(strategy_id, instrument)
        if owner is position and position.lots * fill.side <= 0:
            position.reprice(fill.side, fill.lots, back.px_ticks, fill.px_ticks, fill.ref_ticks)
            position.fees += fill.fee
            return position
        owner.undo(fill.side, fill.lots, back.px_ticks, back.ts_event)
        return self.apply_fill(strategy_id, instrument, fill)

    def apply_funding(self, instrument: Instrument, report: FundingPaid) -> list[tuple[str, Decimal]]:
        """Share a funding payment between the strategies by their net position; return who got what.

        Strategies with opposite positions pay and receive as if they stood alone, so the shares are exact up
        to the last unit, which goes to the largest position.
        """
        holders = [(key[0], p) for key, p in self.positions.items() if key[1] == instrument.id and p.lots]
        net = sum(position.lots for _, position in holders)
        if not holders or not net:
            return []
        shares = []
        left = report.amount
        holders.sort(key=lambda item: abs(item[1].lots))
        for strategy_id, position in holders[:-1]:
            share = (report.amount * position.lots / net).quantize(Decimal("1e-12"))
            left -= share
            shares.append((strategy_id, share))
        shares.append((holders[-1][0], left))
        for (_, position), (_, share) in zip(holders, shares, strict=True):
            position.funding += share
        return shares

    def rate(self, currency: str) -> Decimal:
        """Return what one unit of a currency is worth in the portfolio's currency."""
        found = self.rates.get(currency)
        if found is None:
            raise ConfigError(
                f"cannot value {currency} in {self.currency}",
                expected=f"a rate for {currency}",
                fix=f"Add it to the settings, e.g. rates: {{{currency}: 1}}, or trade instruments of one currency.",
            )
        return found

    def equity(self, strategy_id: str) -> float:
        """Return what a strategy is worth now, as a float in the portfolio's currency."""
        total = float(self.capital[strategy_id])
        for position in self._by_strategy[strategy_id]:
            total += position.pnl_float(self.marks.get(position.instrument.id, 0.0)) * float(
                self.rates[position.instrument.settle]
            )
        return total

    def total_equity(self) -> float:
        """Return what all strategies are worth together."""
        return sum(self.equity(strategy_id) for strategy_id in self.capital)

    def exact_pnl(self, position: Position) -> Decimal:
        """Return a position's whole profit at its last price, exactly, in its settle currency."""
        mark = Decimal(repr(self.marks.get(position.instrument.id, 0.0)))
        instrument = position.instrument
        held = instrument.lot * instrument.multiplier * position.lots * mark if position.lots else ZERO
        return position.money(position.cash_flow) + held - position.fees + position.funding
