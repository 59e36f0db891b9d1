"""Markets of the simulated venue: the grid of prices and quantities, the rules, the prices of the moment."""

from __future__ import annotations

from collections import deque
from decimal import Decimal, InvalidOperation

import msgspec

from lanner.core.errors import ConfigError
from lanner.model.instruments import Instrument
from lanner.simulator.book import OrderBook
from lanner.simulator.candles import Candles
from lanner.simulator.events import PublicTrade
from lanner.simulator.money import SCALE, to_atoms, to_ppb
from lanner.simulator.orders import Refusal, RejectReason

TRADES_KEPT = 10_000
TEXTS_KEPT = 100_000


class Bracket(msgspec.Struct, frozen=True):
    """A margin tier: up to ``cap_atoms`` of notional at most ``max_leverage``, maintenance ``rate`` − ``cum``."""

    cap_atoms: int
    max_leverage: int
    rate_ppb: int
    cum_atoms: int = 0


class Rules(msgspec.Struct, kw_only=True):
    """What an order must satisfy beyond the instrument's grid; 0 means no rule. Amounts as Decimals."""

    min_px: Decimal = Decimal(0)
    max_px: Decimal = Decimal(0)
    max_qty: Decimal = Decimal(0)
    market_max_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    min_notional_market: bool = True
    """Whether the smallest notional holds for market orders too."""
    min_notional_reduce_only: bool = False
    max_notional: Decimal = Decimal(0)
    percent_up: Decimal = Decimal(0)
    """A price may be at most this multiple of the reference price (last, or mark for perps)."""
    percent_down: Decimal = Decimal(0)
    max_open_orders: int = 200
    max_trigger_orders: int = 10
    max_iceberg_parts: int = 10
    max_amends: int = 0
    min_trail_bps: int = 1
    max_trail_bps: int = 2000
    max_position: Decimal = Decimal(0)
    funding_interval_ns: int = 8 * 3600 * 10**9
    liquidation_fee: Decimal = Decimal("0.0125")
    default_leverage: int = 20
    cancel_stops_when_flat: bool = False
    """Cancel waiting reduce-only stops when their position is closed."""
    reject_empty_book: bool = False
    """Refuse a market order when nothing rests on the other side (else it expires at once)."""
    reject_immediate_trigger: bool = True
    """Refuse a stop whose price is passed already (else it triggers at once)."""


class Market:
    """One traded instrument of the venue: grid, rules, book, last/mark/index prices, trades and candles.

    ``unit`` is the notional in atoms of one lot at one tick; ``lot_atoms`` the base amount of one lot.
    """

    def __init__(
        self, instrument: Instrument, rules: Rules | None = None, brackets: tuple[Bracket, ...] = ()
    ):
        self.rules = rules or Rules()
        self.symbol = instrument.symbol or instrument.id.rpartition(".")[0]
        self.trading = True
        self.last_ticks = 0
        self.mark_ticks = 0
        self.index_ticks = 0
        self.funding_rate = Decimal(0)
        self.next_funding_ns = 0
        self.next_trade_id = 1
        self.book = OrderBook()
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.candles = Candles()
        self.funding_history: deque[tuple[int, Decimal, int]] = deque(maxlen=1000)
        """Settled funding: (ts_ns, rate, mark ticks)."""
        self._read(instrument)
        self.brackets = brackets or self._one_bracket()

    def _read(self, instrument: Instrument) -> None:
        self.instrument = instrument
        unit = instrument.tick * instrument.lot * instrument.multiplier * SCALE
        if unit != int(unit) or not unit:
            raise ConfigError(
                f"{instrument.id}: tick × lot is too fine",
                expected="a multiple of 1e-12",
                found=instrument.tick * instrument.lot,
            )
        self.unit = int(unit)
        self.lot_atoms = to_atoms(instrument.lot * instrument.multiplier)
        self.tick_atoms = to_atoms(instrument.tick)
        self.base, self.quote, self.settle = instrument.base, instrument.quote, instrument.settle
        self.is_spot = instrument.is_spot
        self.maker_ppb = to_ppb(instrument.fees.maker)
        self.taker_ppb = to_ppb(instrument.fees.taker)
        self.max_leverage = int(instrument.max_leverage)
        self.tick_step = 1
        """Prices of new orders must be multiples of so many ticks; see ``Exchange.change_steps``."""
        self.lot_step = 1
        self._ticks_of: dict[str, int] = {}
        self._lots_of: dict[str, int] = {}
        self._px_texts: dict[int, str] = {}
        self._qty_texts: dict[int, str] = {}
        rules = self.rules
        self.min_ticks = max(1, self._steps_up(rules.min_px, instrument.tick))
        self.max_ticks = int(rules.max_px / instrument.tick) if rules.max_px else 0
        self.min_lots = instrument.min_lots
        self.max_lots = int((rules.max_qty or instrument.max_qty or Decimal(0)) / instrument.lot)
        self.market_max_lots = int(rules.market_max_qty / instrument.lot) or self.max_lots
        self.min_notional_atoms = to_atoms(rules.min_notional or instrument.min_notional)
        self.max_notional_atoms = to_atoms(rules.max_notional)
        self.up_ppm = int(rules.percent_up * 1_000_000)
        self.down_ppm = int(rules.percent_down * 1_000_000)
        self.max_position_lots = int(rules.max_position / instrument.lot)

    @staticmethod
    def _steps_up(value: Decimal, step: Decimal) -> int:
        return int(-(-value // step)) if value else 0

    def _one_bracket(self) -> tuple[Bracket, ...]:
        rate = self.instrument.maintenance_margin or Decimal(1) / (2 * max(1, self.max_leverage))
        return (Bracket(0, max(1, self.max_leverage), to_ppb(rate)),)

    @property
    def tick_size(self) -> Decimal:
        """Return the step of prices that holds now; a multiple of the instrument's tick."""
        return self.instrument.tick * self.tick_step

    @property
    def lot_size(self) -> Decimal:
        """Return the step of quantities that holds now; a multiple of the instrument's lot."""
        return self.instrument.lot * self.lot_step

    def set_steps(self, tick_step: int, lot_step: int) -> None:
        """Make the steps of prices and quantities of new orders coarser, or as fine as the grid again (1)."""
        self.tick_step, self.lot_step = tick_step, lot_step
        self.min_lots = -(-self.instrument.min_lots // lot_step) * lot_step

    # -- the door between text and integers ---------------------------------------------------------

    def parse_px(self, text: str) -> int:
        """Turn a price as text into ticks; off the grid raises ``Refusal`` with TICK_SIZE."""
        ticks = self._ticks_of.get(text)
        if ticks is None:
            ticks = self._parse(text, self.instrument.tick, RejectReason.TICK_SIZE)
            figures = self.instrument.price_rule.significant_figures
            if figures and ticks and self.instrument.quantise_px(self.instrument.px(ticks)) != ticks:
                raise Refusal(RejectReason.TICK_SIZE, text)
            if len(self._ticks_of) > TEXTS_KEPT:
                self._ticks_of.clear()
            self._ticks_of[text] = ticks
        return ticks

    def parse_qty(self, text: str) -> int:
        """Turn a quantity as text into lots; off the grid raises ``Refusal`` with LOT_SIZE."""
        lots = self._lots_of.get(text)
        if lots is None:
            lots = self._parse(text, self.instrument.lot, RejectReason.LOT_SIZE)
            if len(self._lots_of) > TEXTS_KEPT:
                self._lots_of.clear()
            self._lots_of[text] = lots
        return lots

    @staticmethod
    def _parse(text: str, step: Decimal, off_grid: RejectReason) -> int:
        try:
            value = Decimal(text)
            steps = value / step
            if not value.is_finite() or value < 0 or steps >= 10**18:
                raise Refusal(RejectReason.BAD_NUMBER, text)
        except (InvalidOperation, TypeError, ValueError):
            raise Refusal(RejectReason.BAD_NUMBER, text) from None
        if steps != (whole := int(steps)):
            raise Refusal(off_grid, text)
        return whole

    def px_text(self, ticks: int) -> str:
        """Write a price with the instrument's decimals."""
        text = self._px_texts.get(ticks)
        if text is None:
            if len(self._px_texts) > TEXTS_KEPT:
                self._px_texts.clear()
            text = self._px_texts[ticks] = self.instrument.px_text(ticks)
        return text

    def qty_text(self, lots: int) -> str:
        """Write a quantity with the instrument's decimals."""
        text = self._qty_texts.get(lots)
        if text is None:
            if len(self._qty_texts) > TEXTS_KEPT:
                self._qty_texts.clear()
            text = self._qty_texts[lots] = self.instrument.qty_text(lots)
        return text

    def px(self, ticks: int) -> Decimal:
        """Return the price of so many ticks."""
        return self.instrument.tick * ticks

    def qty(self, lots: int) -> Decimal:
        """Return the quantity of so many lots."""
        return self.instrument.lot * lots

    def notional(self, lots: int, ticks: int) -> int:
        """Return the notional in atoms of the quote asset."""
        return lots * ticks * self.unit

    # -- prices of the moment --------------------------------------------------------------------------

    @property
    def best_bid(self) -> tuple[int, int] | None:
        """Return (ticks, visible lots) of the highest bid, or ``None``."""
        return self.book.best_bid()

    @property
    def best_ask(self) -> tuple[int, int] | None:
        """Return (ticks, visible lots) of the lowest ask, or ``None``."""
        return self.book.best_ask()

    @property
    def reference_ticks(self) -> int:
        """Return the price that margin and rules are measured by: mark for perps, else last, else the middle."""
        if self.mark_ticks:
            return self.mark_ticks
        if self.last_ticks:
            return self.last_ticks
        bid, ask = self.best_bid, self.best_ask
        if bid and ask:
            return (bid[0] + ask[0]) // 2
        return bid[0] if bid else ask[0] if ask else 0

    def bracket(self, notional_atoms: int) -> Bracket:
        """Return the margin tier of a notional."""
        for tier in self.brackets:
            if notional_atoms <= tier.cap_atoms or not tier.cap_atoms:
                return tier
        return self.brackets[-1]

    def maintenance(self, notional_atoms: int) -> int:
        """Return the maintenance margin of a notional in atoms."""
        tier = self.bracket(notional_atoms)
        return notional_atoms * tier.rate_ppb // 10**9 - tier.cum_atoms
