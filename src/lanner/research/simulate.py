"""Play weights over a market with the portfolio kernel: the event engine's orders, fills and equity, much faster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanner.core.errors import ConfigError, LannerError
from lanner.model.enums import Side
from lanner.model.instruments import Instrument
from lanner.research.buffers import CURVES
from lanner.research.market import Floats, Ints, Market
from lanner.sim.settings import GapFill, LimitOn, MarketOn, SlippageModel, VenueSettings
from lanner.strategy.base import as_fraction

Record = Any  # a row of a structured array
Records = NDArray[Any]

LOG_ROWS = 1024
QUEUE = 256
_QUANTUM = Fraction(1, 10**12)
_SLIPPAGE = {SlippageModel.NONE: 0, SlippageModel.BPS: 1, SlippageModel.TICKS: 2, SlippageModel.VOLUME: 3}


@dataclass(slots=True, frozen=True)
class Protection:
    """What protects each position: fractions of the entry price, None for none."""

    stop: Decimal | None = None
    take: Decimal | None = None
    trail: float | None = None

    @classmethod
    def of(cls, stop: str | None = None, take: str | None = None, trail: str | None = None) -> Protection:
        """Read distances such as ``"2%"``."""
        return cls(
            None if stop is None else as_fraction(stop),
            None if take is None else as_fraction(take),
            None if trail is None else float(as_fraction(trail)),
        )


@dataclass(slots=True)
class Simulated:
    """What one column led to. ``orders`` and ``fills`` are structured arrays, empty when they were not asked for."""

    market: Market
    book: Record
    curve: Record
    orders: Records
    fills: Records
    equity: Floats
    blocks: Floats

    @property
    def end_equity(self) -> float:
        """Return the equity after the last bar."""
        return float(self.equity[-1]) if self.equity.size else float(self.curve["last"])


def make_rules(
    instrument: Instrument,
    venue: VenueSettings,
    capital: Decimal,
    *,
    share: float = 1.0,
    allow_short: bool = False,
    protection: Protection | None = None,
) -> Record:
    """Return the kernel's rules: an instrument at a venue, traded with a capital."""
    from lanner.kernels.account import LARGEST, RULES

    _check_venue(venue)
    fees = venue.fees or instrument.fees
    unit = Fraction(instrument.tick * instrument.lot * instrument.multiplier)
    quanta, capital_quanta = unit / _QUANTUM, Fraction(capital) / _QUANTUM
    exact = quanta.denominator == 1 and capital_quanta.denominator == 1 and capital_quanta < LARGEST
    taker, maker = (Fraction(rate) * unit / _QUANTUM for rate in (fees.taker, fees.maker))
    slip = Fraction(venue.slippage.value)
    if venue.slippage.model is SlippageModel.BPS:
        slip /= 10_000
    elif venue.slippage.model is SlippageModel.TICKS:
        slip = Fraction(-(-slip.numerator // slip.denominator))
    guard = protection or Protection()
    stop, take = Fraction(guard.stop or 0), Fraction(guard.take or 0)
    digits = instrument.price_rule.significant_figures or 0
    whole = Fraction(1) / Fraction(instrument.tick)
    rules = np.zeros(1, RULES)
    values: Mapping[str, float | int] = {
        "capital": float(capital),
        "capital_quanta": int(capital_quanta) if exact else 0,
        "exact": int(exact),
        "tick": instrument.tick_float,
        "lot": instrument.lot_float,
        "multiplier": float(instrument.multiplier),
        "unit": float(instrument.tick * instrument.lot * instrument.multiplier),
        "unit_quanta": int(quanta) if exact else 0,
        "taker": float(fees.taker),
        "taker_num": taker.numerator,
        "taker_den": taker.denominator,
        "maker": float(fees.maker),
        "maker_num": maker.numerator,
        "maker_den": maker.denominator,
        "slippage": _SLIPPAGE[venue.slippage.model] if slip else 0,
        "slip_num": slip.numerator,
        "slip_den": slip.denominator,
        "slip_value": float(slip),
        "min_lots": instrument.min_lots,
        "max_lots": -1 if instrument.max_qty is None else int(instrument.max_qty // instrument.lot),
        "min_notional": float(instrument.min_notional),
        "spot": int(instrument.is_spot),
        "allow_short": int(allow_short and not instrument.is_spot),
        "leverage": float(min(venue.leverage, instrument.max_leverage)),
        "share": share,
        "digits": digits,
        "digits_step": int(whole) if whole.denominator == 1 else 10**15,
        "stop_num": stop.numerator,
        "stop_den": stop.denominator,
        "take_num": take.numerator,
        "take_den": take.denominator,
        "trail": guard.trail or 0.0,
        "touch": int(venue.fills.limit_on is LimitOn.TOUCH),
        "gap_at_open": int(venue.fills.gap_fill is not GapFill.LIMIT),
        "on_close": int(venue.fills.market_on is MarketOn.CLOSE),
    }
    for name, value in values.items():
        rules[name] = value
    return rules[0]


def _check_venue(venue: VenueSettings) -> None:
    """Refuse what the kernel does not play."""
    latency = venue.latency
    delays = (latency.feed, latency.entry, latency.exchange, latency.response)
    if not all(delay.is_zero for delay in delays):
        raise ConfigError(
            "array backtests know no latency",
            expected="no latency",
            fix="Use the event engine (lanner backtest).",
        )
    if venue.fills.bar_participation:
        raise ConfigError(
            "array backtests know no limit on a bar's volume",
            expected="bar_participation: 0",
            found=venue.fills.bar_participation,
            fix="Use the event engine (lanner backtest).",
        )


class Simulator:
    """Play columns of weights over one market; keep one per thread, its working memory is used again and again."""

    def __init__(self, market: Market, rules: Record) -> None:
        from lanner.kernels.account import BOOK, ENTRY, FILL, ORDER
        from lanner.kernels.curve import CURVE, PIECE
        from lanner.research.plain import PlainPlayer

        self.market = market
        self.rules = rules
        self._book = np.zeros(1, BOOK)
        self._curve = np.zeros(1, CURVE)
        self._queue = np.zeros(QUEUE, ENTRY)
        self._scratch = np.zeros((2, PIECE + 1))
        self._order_type, self._fill_type = ORDER, FILL
        self._no_orders, self._no_fills = np.zeros(0, ORDER), np.zeros(0, FILL)
        self._plain = PlainPlayer(market, rules)
        self._close = market.input("close")
        self._by_volume = int(rules["slippage"]) == _SLIPPAGE[SlippageModel.VOLUME]

    def run(
        self,
        weights: NDArray[Any],
        *,
        start: int = 0,
        stop: int | None = None,
        log: bool = True,
        equity: bool = True,
        sums: int = 2,
        edges: Ints | None = None,
    ) -> Simulated:
        """Play bars [start, stop) of a column of weights: float64 (NaN changes nothing) or int8 (2 changes nothing).

        ``sums`` is 0 for none, 1 for returns and drawdown, 2 for losses too. ``edges`` are the bars at which a new
        block of returns begins.
        """
        from lanner.kernels.account import NO_ROOM

        rows = LOG_ROWS if log else 0
        while True:
            made = self._play(
                weights, start, len(self.market) if stop is None else stop, rows, equity, sums, edges
            )
            if not made.book["fault"] & NO_ROOM:
                check_fault(int(made.book["fault"]), self.market)
                return made
            rows = int(max(made.book["orders"], made.book["fills"])) + 1

    def _play(
        self,
        weights: NDArray[Any],
        start: int,
        stop: int,
        rows: int,
        equity: bool,
        sums: int,
        edges: Ints | None,
    ) -> Simulated:
        market, none = self.market, np.zeros(0, dtype=np.int64)
        self._book[:] = 0
        for name in ("stop_order", "take_order", "trail_order"):
            self._book[name] = -1
        self._curve[:] = 0
        self._curve["sums"] = sums
        orders = fills = None  # without a log the kernel is the one that sweeps have compiled already
        if rows:
            orders, fills = np.zeros(rows, self._order_type), np.zeros(rows, self._fill_type)
        volume = market.volume_lots if self._by_volume or rows else None
        # the kernel writes in place of bars, so a part of a run has its equity where the whole would have it
        out = CURVES.floats(len(market) if equity else 0)
        blocks = np.zeros((0 if edges is None else len(edges) + 1, 3))
        cuts, left = none if edges is None else edges, start
        if not rows:
            left = self._plain.weights(
                self._book[0], self._queue, self._curve[0], blocks, cuts, start, stop, weights, out
            )
        if left < stop:
            from lanner.kernels.portfolio import simulate

            whole = len(weights) // 8 * 8
            words = (
                weights[:whole].view(np.int64)
                if weights.dtype == np.int8 and weights.flags.c_contiguous
                else none
            )
            funding = market.funding
            simulate(
                self.rules, self._book[0], self._queue, orders, fills, self._curve[0], blocks, cuts, left, stop,
                market.ticks, self._close, volume, weights, words, funding.bar, funding.at_end, funding.rate, out,
                self._scratch,
            )  # fmt: skip
        book = self._book[0].copy()
        return Simulated(
            market,
            book,
            self._curve[0].copy(),
            self._no_orders if orders is None else orders[: int(book["orders"])],
            self._no_fills if fills is None else fills[: int(book["fills"])],
            out[start:stop] if equity else out,
            blocks,
        )


def check_fault(fault: int, market: Market) -> None:
    """Raise what a fault of the kernel means."""
    from lanner.kernels.account import STACKED_GUARDS, TOO_LARGE, TOO_MANY_ENTRIES

    if fault & TOO_LARGE:
        raise LannerError(
            f"{market.instrument.id}: amounts beyond 64 bits",
            expected="at most about 4,000,000 of the settle currency",
            fix="Use less capital or the event engine (lanner backtest).",
        )
    if fault & TOO_MANY_ENTRIES:
        raise LannerError(
            f"{market.instrument.id}: a position made of too many entries",
            expected=f"at most {QUEUE} at once",
            fix="Change the weight less often, or use the event engine (lanner backtest).",
        )
    if fault & STACKED_GUARDS:
        raise StackedGuardsError(
            f"{market.instrument.id}: a position with a stop or target was changed without being closed",
            expected="entries, exits and flips only",
            fix="Use the event engine (lanner backtest), which keeps a bracket for each entry.",
        )


class StackedGuardsError(LannerError):
    """Raised where a column needs several brackets at once, which only the event engine keeps."""


def side_name(side: int) -> str:
    """Return BUY or SELL."""
    return Side(side).name
