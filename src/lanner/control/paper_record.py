"""What trading on paper came to: executions, what closing ones made, the account's curve and its worst fall."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from lanner.model.instruments import Instrument
from lanner.model.reports import OrderFilled
from lanner.portfolio.positions import Position

POINTS = 100_000
"""So many points of the curve, and executions, are kept at most."""


@dataclass(frozen=True, slots=True)
class PaperTrade:
    """One execution; ``pnl`` is what it realised before fees, None where it only opened something."""

    order_id: str
    instrument_id: str
    side: str
    qty: Decimal
    px: Decimal
    fee: Decimal
    pnl: Decimal | None
    ts: int


@dataclass(frozen=True, slots=True)
class PaperStats:
    """What an engine's trading came to; money in the account's currency, ``win_rate`` and return in per cent.

    A trade is an execution that closed something. ``max_drawdown`` is a fraction of the peak; ``profit_factor`` is
    infinite without a loss and 0 without a gain.
    """

    current_balance: Decimal
    equity: Decimal
    total_pnl: Decimal
    total_return_pct: float
    realized_pnl: Decimal
    total_trades: int
    winning_trades: int
    losing_trades: int
    win_rate: float
    avg_win: Decimal
    avg_loss: Decimal
    profit_factor: float
    max_drawdown: float
    total_commission: Decimal
    orders: int
    fills: int
    open_orders: int


class PaperRecord:
    """Keep account of executions, and of what the account is worth after each change."""

    def __init__(self, initial: Decimal) -> None:
        self.initial = initial
        self.fills = 0
        self.trades: deque[PaperTrade] = deque(maxlen=POINTS)
        self.curve: deque[tuple[int, Decimal]] = deque(maxlen=POINTS)
        self.peak = initial
        self.max_drawdown = 0.0
        self.closed = self.won = self.lost = 0
        self.gained = self.given = Decimal(0)
        self._positions: dict[str, Position] = {}

    def fill(self, instrument: Instrument, fill: OrderFilled) -> None:
        """Book an execution."""
        position = self._positions.setdefault(instrument.id, Position(instrument))
        closes = position.lots * int(fill.side) < 0
        made = position.money(position.apply(int(fill.side), fill.lots, fill.px_ticks, fill.ts_event))
        self.fills += 1
        self.closed += closes
        if made > 0:
            self.won, self.gained = self.won + 1, self.gained + made
        elif made < 0:
            self.lost, self.given = self.lost + 1, self.given - made
        self.trades.append(
            PaperTrade(
                fill.order_id,
                instrument.id,
                fill.side.name,
                instrument.qty(fill.lots),
                instrument.px(fill.px_ticks),
                fill.fee,
                made if closes else None,
                fill.ts_event,
            )
        )

    def see(self, ts: int, equity: Decimal) -> None:
        """Note what the account is worth."""
        if self.curve and self.curve[-1][1] == equity:
            return
        self.curve.append((ts, equity))
        self.peak = max(self.peak, equity)
        if self.peak > 0:
            self.max_drawdown = max(self.max_drawdown, float(1 - equity / self.peak))

    def stats(
        self, balance: Decimal, equity: Decimal, commission: Decimal, *, orders: int, open_orders: int
    ) -> PaperStats:
        """Return what came of everything."""
        made = equity - self.initial
        return PaperStats(
            current_balance=balance,
            equity=equity,
            total_pnl=made,
            total_return_pct=float(100 * made / self.initial) if self.initial else 0.0,
            realized_pnl=self.gained - self.given,
            total_trades=self.closed,
            winning_trades=self.won,
            losing_trades=self.lost,
            win_rate=100.0 * self.won / self.closed if self.closed else 0.0,
            avg_win=self.gained / self.won if self.won else Decimal(0),
            avg_loss=self.given / self.lost if self.lost else Decimal(0),
            profit_factor=_factor(self.gained, self.given),
            max_drawdown=self.max_drawdown,
            total_commission=commission,
            orders=orders,
            fills=self.fills,
            open_orders=open_orders,
        )


def _factor(gained: Decimal, given: Decimal) -> float:
    if given:
        return float(gained / given)
    return math.inf if gained else 0.0
