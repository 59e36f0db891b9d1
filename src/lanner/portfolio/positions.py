"""Positions in exact units, netting, with average entry.

Inside, a price is ``int`` ticks and a quantity ``int`` lots, so every amount is an ``int`` number of
tick·lot units, and the identity ``realised + unrealised = cash flow + lots × mark`` holds to the last unit:
when part of a position is closed, its share of the cost is rounded down and the rest stays with the
position, so nothing is lost or made by rounding.
"""

from __future__ import annotations

from decimal import Decimal

from lanner.model.instruments import Instrument


class CoinFees:
    """Fees that a venue took in the coin that was bought, and the whole lots that they cost so far.

    A position counts whole lots: each begun lot has left it. What is left of such a lot pays the next fees. ``units``
    are what the lots were worth when they left, in ticks × lots.
    """

    __slots__ = ("lots", "qty", "units")

    def __init__(self) -> None:
        self.qty = Decimal(0)
        self.lots = 0
        self.units = 0

    def take(self, fee: Decimal, lot: Decimal) -> int:
        """Add a fee; return the lots that leave the position with it (negative: come back with a rebate)."""
        self.qty += fee
        whole, begun = divmod(self.qty, lot)
        lots = int(whole) + (begun > 0) - self.lots
        self.lots += lots
        return lots


class Position:
    """One netting position. ``lots`` and ``cost`` are signed: negative means short.

    ``coin_fees`` are there once a fee was taken in the coin itself.
    """

    __slots__ = (
        "cash_flow",
        "coin_fees",
        "cost",
        "fees",
        "funding",
        "instrument",
        "lots",
        "realised",
        "slippage",
        "ts_opened",
        "unit",
        "volume",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.unit = instrument.tick * instrument.lot * instrument.multiplier
        self.lots = 0
        self.cost = 0
        self.realised = 0
        self.cash_flow = 0
        self.slippage = 0
        self.volume = 0
        self.fees = Decimal(0)
        self.coin_fees: CoinFees | None = None
        self.funding = Decimal(0)
        self.ts_opened = 0

    def apply(self, side: int, lots: int, px_ticks: int, ts: int, ref_ticks: int | None = None) -> int:
        """Book an execution; return the profit it realised, in tick·lot units (fees excluded)."""
        signed = lots if side > 0 else -lots
        amount = signed * px_ticks
        self.cash_flow -= amount
        self.volume += lots * px_ticks
        if ref_ticks is not None:
            self.slippage += signed * (px_ticks - ref_ticks)
        held = self.lots
        if held == 0 or (held > 0) == (signed > 0):
            if held == 0:
                self.ts_opened = ts
            self.lots = held + signed
            self.cost += amount
            return 0
        closing = min(abs(held), lots)
        released = self.cost if closing == abs(held) else self.cost * closing // abs(held)
        realised = (closing if held > 0 else -closing) * px_ticks - released
        self.realised += realised
        self.cost -= released
        self.lots = held + signed
        if lots > closing:  # the rest opens a position on the other side
            self.cost = (self.lots) * px_ticks
            self.ts_opened = ts
        return realised

    def undo(self, side: int, lots: int, px_ticks: int, ts: int) -> None:
        """Take back an execution on that side that was booked and never was.

        The average price is as it would be without it, as far as what is held tells that.
        """
        signed = lots if side > 0 else -lots
        self.volume -= lots * px_ticks
        held, cost = self.lots - signed, self.cost - signed * px_ticks
        if self.lots * signed < 0:  # it closed a part, which comes back at the average of the rest
            self.cost += self.cost * lots // abs(self.lots)
            self.lots = held
        elif self.lots and held * signed >= 0 and cost * signed >= 0 and bool(held) == bool(cost):
            self.lots, self.cost = held, cost
        else:
            self.volume -= lots * px_ticks
            self.apply(-side, lots, px_ticks, ts)
            return
        self.cash_flow += signed * px_ticks
        self.realised = self.cash_flow + self.cost

    def reprice(self, side: int, lots: int, px_ticks: int, told_ticks: int, ref_ticks: int) -> None:
        """Book another price for an execution that closed something: only what it realised changes."""
        signed = lots if side > 0 else -lots
        paid = signed * (told_ticks - px_ticks)
        self.cash_flow -= paid
        self.realised -= paid
        self.volume += lots * (told_ticks - px_ticks)
        self.slippage += signed * (told_ticks - ref_ticks)

    def give_up(self, fee: Decimal, px_ticks: int, ts: int) -> None:
        """Let a fee that was taken in the coin leave the position, at the price of its fill.

        The fee's worth is in ``fees``; here its lots are sold at that price, so that it is paid once.
        """
        if self.coin_fees is None:
            self.coin_fees = CoinFees()
        lots = self.coin_fees.take(fee, self.instrument.lot)
        if lots:
            self.apply(-1 if lots > 0 else 1, abs(lots), px_ticks, ts)
            self.volume -= abs(lots) * px_ticks
            self.coin_fees.units += lots * px_ticks

    @property
    def qty(self) -> Decimal:
        """Return the signed quantity."""
        return self.instrument.lot * self.lots

    @property
    def avg_px(self) -> Decimal | None:
        """Return the average entry price, or None when flat."""
        return None if self.lots == 0 else self.instrument.tick * self.cost / self.lots

    def unrealised_units(self, mark_ticks: int) -> int:
        """Return the open profit at a mark price in tick·lot units."""
        return self.lots * mark_ticks - self.cost

    def money(self, units: int) -> Decimal:
        """Turn tick·lot units into the settle currency."""
        return self.unit * units

    def pnl_float(self, mark: float) -> float:
        """Return realised and open profit minus fees plus funding at a mark price, as a float."""
        gross = self.cash_flow * float(self.unit)
        held = (
            self.lots * self.instrument.lot_float * float(self.instrument.multiplier) * mark
            if self.lots
            else 0.0
        )
        return gross + held - float(self.fees) + float(self.funding)


class PositionView:
    """A read-only window on a position, as a strategy sees it."""

    __slots__ = ("_mark", "_position")

    def __init__(self, position: Position, mark: float) -> None:
        self._position = position
        self._mark = mark

    @property
    def qty(self) -> Decimal:
        """Return the signed quantity: positive long, negative short."""
        return self._position.qty

    @property
    def is_long(self) -> bool:
        """Tell whether the position is long."""
        return self._position.lots > 0

    @property
    def is_short(self) -> bool:
        """Tell whether the position is short."""
        return self._position.lots < 0

    @property
    def is_flat(self) -> bool:
        """Tell whether there is no position."""
        return self._position.lots == 0

    @property
    def avg_px(self) -> Decimal | None:
        """Return the average entry price, or None when flat."""
        return self._position.avg_px

    @property
    def opened_at(self) -> int:
        """Return when the position was opened (UNIX ns)."""
        return self._position.ts_opened

    @property
    def unrealised(self) -> float:
        """Return the open profit at the last price, without fees."""
        position = self._position
        if position.lots == 0:
            return 0.0
        mult = float(position.instrument.multiplier)
        return position.lots * position.instrument.lot_float * mult * self._mark - position.cost * float(
            position.unit
        )

    @property
    def realised(self) -> Decimal:
        """Return the realised profit, without fees and funding."""
        return self._position.money(self._position.realised)

    @property
    def fees(self) -> Decimal:
        """Return the fees paid."""
        return self._position.fees

    @property
    def funding(self) -> Decimal:
        """Return the funding received (negative: paid)."""
        return self._position.funding

    @property
    def return_frac(self) -> float:
        """Return the open profit as a fraction of the entry cost."""
        cost = abs(self._position.cost) * float(self._position.unit)
        return self.unrealised / cost if cost else 0.0

    def __bool__(self) -> bool:
        return self._position.lots != 0

    def __repr__(self) -> str:
        avg = self.avg_px
        at = "" if avg is None else f" @ {avg:f}"
        return f"<Position {self._position.instrument.id} {self.qty:f}{at}>"
