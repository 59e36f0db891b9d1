"""``PaperTradingEngine``: orders against prices that somebody tells it, with the backtest's simulated venue."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from lanner.control.paper_record import PaperRecord, PaperStats, PaperTrade
from lanner.core.errors import ConfigError, LannerError
from lanner.core.rng import Rng
from lanner.execution.lifecycle import apply_report
from lanner.model.commands import CancelOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.instruments import FeeSchedule, Instrument, to_decimal
from lanner.model.market import Quote
from lanner.model.orders import Order, OrderView, command_of
from lanner.model.reports import OrderFilled
from lanner.net.wallclock import wall_ns
from lanner.portfolio.positions import PositionView
from lanner.sim import tick_matching
from lanner.sim.settings import (
    FillSettings,
    Latency,
    LatencySettings,
    LimitOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from lanner.sim.venue import InstrumentBook, SimVenue

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus

_LOG = logging.getLogger(__name__)
STEP = Decimal("0.00000001")
PLENTY = 1e9
VENUE = "PAPER"
FIRST_ID = 1000
KEPT = 10_000
"""So many of the newest orders that ended are kept."""


class PaperOrderError(LannerError):
    """An order that cannot be taken: 5001 and 5002 no price, 5003 not enough money, 6001 the engine does not run."""

    code: ClassVar[int] = 5001

    def __init__(self, code: int, what: str, **parts: Any) -> None:
        super().__init__(what, **parts)
        self.number = code


@dataclass(frozen=True, slots=True)
class PaperTradingConfig:
    """Money, fees (of both sides, a fraction), slippage of market orders (a fraction), delay of fills."""

    initial_balance: Decimal = Decimal(10_000)
    commission_rate: Decimal = Decimal("0.0005")
    slippage: Decimal = Decimal("0.0001")
    log_trades: bool = True
    fill_delay_ms: int = 0
    currency: str = "USDT"


class PaperTradingEngine:
    """Trade on paper by calls. ``BTC-USDT`` is spot: bought, held and sold; ``BTC-PERP`` may be sold short.

    Tell prices with ``update_price``. Market orders fill at the other side's price, moved by the slippage; limit orders
    rest until the market comes to them. ``tick`` lets time pass where fills are delayed. ``order.filled`` and
    ``order.cancelled`` are published on ``bus``.
    """

    def __init__(self, config: PaperTradingConfig | None = None, bus: MessageBus | None = None) -> None:
        self.config = config or PaperTradingConfig()
        self._bus = bus
        self.running = False
        self.reset()

    # -- life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take orders from now on."""
        self.running = True

    def stop(self) -> None:
        """Take back what rests, and take no orders any more."""
        for order in list(self._open.values()):
            self.cancel_order(order.order_id)
        self.running = False

    def reset(self) -> None:
        """Begin anew: the first balance, no orders, no positions, no prices."""
        config = self.config
        settings = VenueSettings(
            name=VENUE,
            balances={config.currency: config.initial_balance},
            slippage=Slippage(SlippageModel.NONE, Decimal(0)),  # the prices that a market order meets have it
            fills=FillSettings(limit_on=LimitOn.TOUCH),
            latency=LatencySettings(response=Latency(mean_ns=config.fill_delay_ms * 1_000_000)),
        )
        self._venue = SimVenue(settings, {}, {}, Rng(1))
        self._instruments: dict[str, Instrument] = {}
        self._prices: dict[str, tuple[float, float]] = {}
        self._orders: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._ended: deque[str] = deque()
        self._travelling: list[Any] = []
        self._record = PaperRecord(config.initial_balance)
        self._number = FIRST_ID
        self._now = 0

    def update_price(
        self, symbol: str, bid: float, ask: float | None = None, *, ts: int | None = None
    ) -> None:
        """Tell a symbol's prices (one: bid and ask are the same); resting orders meet them at once."""
        now = self._pass(ts)
        instrument = self._instrument(symbol)
        ask = bid if ask is None else ask
        if not 0 < bid <= ask:
            raise ConfigError("these prices cannot be", expected="0 < bid <= ask", found=f"{bid}, {ask}")
        book = self._venue.books[instrument.id]
        self._prices[instrument.id] = (bid, ask)
        tick_matching.on_quote(self._venue, book, _quote(instrument.id, now, bid, ask))
        self._venue.see_price(instrument.id, book.last_ticks)
        self._collect()

    def tick(self, ts: int | None = None) -> None:
        """Let time pass: delayed fills arrive."""
        self._pass(ts)
        self._collect()

    # -- orders --------------------------------------------------------------------------------------------

    def buy(self, symbol: str, qty: Any, px: Any = None) -> OrderView:
        """Buy at the market, or at a limit."""
        return self.submit_order(symbol, Side.BUY, qty, px)

    def sell(self, symbol: str, qty: Any, px: Any = None) -> OrderView:
        """Sell at the market, or at a limit."""
        return self.submit_order(symbol, Side.SELL, qty, px)

    def submit_order(self, symbol: str, side: Side, qty: Any, px: Any = None) -> OrderView:
        """Send an order; return it as it stands after that. Raises ``PaperOrderError`` for one that is not taken."""
        if not self.running:
            raise PaperOrderError(6001, "the paper engine does not run", fix="Call start().")
        instrument = self._instrument(symbol)
        book = self._venue.books[instrument.id]
        limit = None if px is None else instrument.quantise_px(to_decimal(px, "price"))
        if not book.has_quote:
            raise PaperOrderError(
                5001 if side is Side.BUY else 5002, f"no price of {symbol} is known", fix="Call update_price."
            )
        lots = instrument.quantise_qty(qty)
        self._check_money(instrument, side, lots, limit or book.ask_ticks)
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        order = Order(
            f"paper-{self._number}", VENUE, instrument, side, kind, lots, self._pass(None), px_ticks=limit
        )
        self._number += 1
        order.status = OrderStatus.SUBMITTED
        self._orders[order.order_id] = self._open[order.order_id] = order
        bid, ask = self._prices[instrument.id]
        slip = float(self.config.slippage) if limit is None else 0.0
        tick_matching.see_quote(book, _quote(instrument.id, self._now, bid * (1 - slip), ask * (1 + slip)))
        self._venue.receive(command_of(order), self._now, self._now)
        tick_matching.see_quote(book, _quote(instrument.id, self._now, bid, ask))
        self._collect()
        return OrderView(order)

    def cancel_order(self, order_id: str) -> bool:
        """Take a resting order back; tell whether there was one."""
        order = self._orders.get(order_id)
        if order is None or not order.is_open:
            return False
        now = self._pass(None)
        self._venue.receive(CancelOrder(order_id, order.instrument_id, now), now, now)
        self._collect()
        return True

    def order(self, order_id: str) -> OrderView | None:
        """Return an order, None where there is none of that id; of those that ended, the newest are known."""
        found = self._orders.get(order_id)
        return None if found is None else OrderView(found)

    def open_orders(self) -> list[OrderView]:
        """Return the orders that rest."""
        return [OrderView(order) for order in self._open.values()]

    # -- money ---------------------------------------------------------------------------------------------

    def get_balance(self) -> Decimal:
        """Return the money in the account, that which orders lock included."""
        return self._venue.account.balances[self.config.currency]

    def get_available_balance(self) -> Decimal:
        """Return the money that nothing locks: no resting order, no margin."""
        locked = Decimal(0)
        for order in self._open.values():
            if order.side is Side.BUY:
                ticks = order.px_ticks or self._venue.books[order.instrument_id].ask_ticks
                locked += _money(order.instrument, order.lots - order.cum_lots, ticks) * (
                    1 + self.config.commission_rate
                )
        return self.get_balance() - locked - self._venue.account.margin_used(self.config.currency)

    def get_equity(self) -> Decimal:
        """Return what everything is worth at the last prices."""
        account = self._venue.account
        total = account.wallet_equity(self.config.currency)
        for name, position in account.positions.items():
            if position.instrument.is_spot:
                total += _money(position.instrument, position.lots, self._venue.books[name].last_ticks)
        return total

    def get_position(self, symbol: str) -> PositionView:
        """Return what is held of a symbol."""
        instrument = self._instrument(symbol)
        ticks = self._venue.books[instrument.id].last_ticks
        return PositionView(self._venue.account.position(instrument), instrument.px_float(ticks))

    def get_stats(self) -> PaperStats:
        """Return what the trading came to."""
        return self._record.stats(
            self.get_balance(),
            self.get_equity(),
            self._venue.account.fees_paid,
            orders=self._number - FIRST_ID,
            open_orders=len(self._open),
        )

    def get_trade_history(self, limit: int = 100) -> list[PaperTrade]:
        """Return the newest executions, newest first."""
        return list(self._record.trades)[::-1][:limit]

    def get_equity_curve(self) -> list[tuple[int, Decimal]]:
        """Return what the account was worth after each change: UNIX nanoseconds and money."""
        return list(self._record.curve)

    # -- parts ---------------------------------------------------------------------------------------------

    def _instrument(self, symbol: str) -> Instrument:
        found = self._instruments.get(symbol)
        if found is None:
            rate = self.config.commission_rate
            facts: dict[str, Any] = {"tick": STEP, "lot": STEP, "fees": FeeSchedule(rate, rate)}
            name = f"{symbol.upper().replace('/', '-')}.{VENUE}"
            if name.endswith(f"-PERP.{VENUE}"):
                found = Instrument.perp(name, quote=self.config.currency, **facts)
            else:
                found = Instrument.spot(name, **facts)
            if found.quote != self.config.currency:
                raise ConfigError(f"{symbol} is not paid in {self.config.currency}", found=found.quote)
            self._instruments[symbol] = found
            self._venue.books[found.id] = InstrumentBook(found, "quotes", found.fees)
        return found

    def _check_money(self, instrument: Instrument, side: Side, lots: int, ticks: int) -> None:
        held = self._venue.account.position(instrument).lots
        if side is Side.BUY or not instrument.is_spot:
            opens = max(0, lots - max(0, -held * int(side)))
            need = _money(instrument, opens, ticks) * (1 + self.config.commission_rate)
            if need > self.get_available_balance():
                raise PaperOrderError(
                    5003,
                    "not enough money",
                    expected=f"{need.normalize():f}",
                    found=f"{self.get_available_balance().normalize():f}",
                )
        elif lots > held:
            raise PaperOrderError(
                5003, f"not so much of {instrument.id} is held", found=instrument.qty_text(held)
            )

    def _pass(self, ts: int | None) -> int:
        self._now = max(self._now + 1, wall_ns() if ts is None else ts)
        return self._now

    def _collect(self) -> None:
        """Take the venue's reports that have arrived."""
        self._travelling += self._venue.outbox
        self._venue.outbox.clear()
        arrived = [report for report in self._travelling if report.ts_recv <= self._now]
        self._travelling = [report for report in self._travelling if report.ts_recv > self._now]
        for report in arrived:
            order = self._orders[report.order_id]
            apply_report(order, report)
            if order.is_final and self._open.pop(order.order_id, None) is not None:
                self._ended.append(order.order_id)
            if isinstance(report, OrderFilled):
                self._record.fill(order.instrument, report)
                if self.config.log_trades:
                    _LOG.info("%s %s", order.order_id, report)
            self._tell(order, report)
        while len(self._ended) > KEPT:
            del self._orders[self._ended.popleft()]
        self._record.see(self._now, self.get_equity())

    def _tell(self, order: Order, report: Any) -> None:
        if self._bus is None:
            return
        if isinstance(report, OrderFilled):
            done = order.status is OrderStatus.FILLED
            self._bus.publish("order.filled" if done else "order.partially_filled", OrderView(order))
        elif order.status is OrderStatus.CANCELED:
            self._bus.publish("order.cancelled", OrderView(order))
        elif order.status is OrderStatus.REJECTED:
            self._bus.publish("order.rejected", OrderView(order))


def _quote(instrument_id: str, ts: int, bid: float, ask: float) -> Quote:
    return Quote(instrument_id, ts, ts, bid, PLENTY, ask, PLENTY)


def _money(instrument: Instrument, lots: int, ticks: int) -> Decimal:
    return instrument.tick * instrument.lot * instrument.multiplier * (lots * ticks)
