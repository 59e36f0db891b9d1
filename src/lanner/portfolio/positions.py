"""Positions in exact units, netting, with average entry.

Inside, a price is ``int`` ticks and a quantity ``int`` lots, so every amount is an ``int`` number of
tick·lot units, and the identity ``realised + unrealised = cash flow + lots × mark`` holds to the last unit:
when part of a position is closed, its share of the cost is rounded down and the rest stays with the
position, so nothing is lost or made by rounding.
"""

from __future__ import annotations

from decimal import Decimal

from lanner.model.instruments import Instrument


class Position:
    """One netting position. ``lots`` and ``cost`` are signed: negative means short."""

    __slots__ = (
        "cash_flow",
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
