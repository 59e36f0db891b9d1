"""The strategy, as a user writes it: a dozen handlers and verbs, and nothing about venues or modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from lanner.core.clock import TimerEvent
from lanner.core.errors import ConfigError
from lanner.core.rng import Rng
from lanner.marketdata.book import BookView
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument, Number
from lanner.model.market import Bar, FundingRate, Quote, Trade
from lanner.model.orders import OrderView
from lanner.model.reports import Fill
from lanner.model.timeframes import MINUTE_NS
from lanner.portfolio.positions import PositionView
from lanner.strategy import parameters
from lanner.strategy.series import BarSeries, QuoteSeries, TradeSeries

if TYPE_CHECKING:
    from lanner.strategy.context import Context
    from lanner.strategy.protection import StopLossManager

HANDLERS = (
    "on_start",
    "on_stop",
    "on_quote",
    "on_trade",
    "on_book",
    "on_bar",
    "on_funding",
    "on_timer",
    "on_order",
    "on_fill",
)

Distance = str | Number
"""A stop or target: text like ``"2%"`` or ``"50bps"`` is a distance from the entry, a number is a price."""


class Strategy:
    """Base of all strategies. Override the handlers you need and use the verbs; all of it is synchronous.

    Class attributes describe the strategy: ``description``, ``version``, ``timeframe`` (default for runs),
    ``stop_loss`` (e.g. ``"5%"``) and ``roi`` (minutes since entry → profit at which to leave, e.g.
    ``{0: "4%", 60: "1%"}``), which protect every position opened with ``target`` unless told otherwise.
    """

    name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    kind: ClassVar[str] = "custom"
    timeframe: ClassVar[str] = "1h"
    stop_loss: ClassVar[str | None] = None
    roi: ClassVar[Mapping[int, str]] = {}
    declares_nothing: ClassVar[bool] = True
    """Where a class says so in its own body, no parameters are looked for there."""

    def __init__(self, **params: object) -> None:
        parameters.assign(self, params)
        self.id = self.name or type(self).__name__
        self._context: Context | None = None
        self.check_params()

    # -- handlers ----------------------------------------------------------------------------------

    def check_params(self) -> None:
        """Override to check parameters against each other; raise ``ConfigError`` (see ``require``)."""

    def on_params(self, before: Mapping[str, object]) -> None:
        """React to parameters that were changed while the strategy runs; ``before`` has their old values by name.

        The attributes hold the new ones already. Raise to refuse: then everything is as it was. Only strategies that
        override this can be given new values for parameters that they use in ``on_start``.
        """

    def on_start(self) -> None:
        """Declare series and indicators, set timers."""

    def on_stop(self) -> None:
        """Say goodbye; open positions are left as they are."""

    def on_bar(self, bar: Bar) -> None:
        """React to a closed bar of a declared series, once its indicators are warm."""

    def on_quote(self, quote: Quote) -> None:
        """React to a new best bid or ask."""

    def on_trade(self, trade: Trade) -> None:
        """React to a public trade."""

    def on_book(self, book: BookView) -> None:
        """React to an order book that changed; the view is live, so read it now and keep nothing of it."""

    def on_funding(self, funding: FundingRate) -> None:
        """React to a funding rate."""

    def on_timer(self, timer: TimerEvent) -> None:
        """React to a timer set with ``set_timer``."""

    def on_order(self, order: OrderView) -> None:
        """React to a change of one of your orders."""

    def on_fill(self, fill: Fill) -> None:
        """React to an execution of one of your orders."""

    # -- what the strategy can see -----------------------------------------------------------------

    @property
    def context(self) -> Context:
        """Return the engine's side; only there while the strategy runs."""
        if self._context is None:
            raise ConfigError(
                f"{self.id} is not running",
                fix="Use orders and market data from on_start on, not in __init__ or at class level.",
            )
        return self._context

    @property
    def now(self) -> int:
        """Return the time of the current input in UNIX nanoseconds."""
        return self.context.now

    @property
    def instrument(self) -> Instrument:
        """Return the first instrument of the run."""
        return self.context.instruments[0]

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Return every instrument the strategy may trade."""
        return self.context.instruments

    @property
    def rng(self) -> Rng:
        """Return this strategy's own seeded random numbers."""
        return self.context.rng

    @property
    def position(self) -> PositionView:
        """Return this strategy's position in the first instrument."""
        return self.context.position(None)

    def position_of(self, instrument: str | None = None) -> PositionView:
        """Return this strategy's position in an instrument."""
        return self.context.position(instrument)

    @property
    def equity(self) -> float:
        """Return what this strategy is worth now: its capital plus its profit, in the run's currency."""
        return self.context.equity()

    @property
    def open_orders(self) -> list[OrderView]:
        """Return this strategy's orders that may still be filled."""
        return self.context.open_orders(None)

    @property
    def stops(self) -> StopLossManager:
        """Return the stops of this strategy's positions: set, move and take them back there."""
        return self.context.stops

    def price(self, instrument: str | None = None) -> float:
        """Return the last known price (quote mid, trade or bar close); NaN before the first one."""
        return self.context.price(instrument)

    def bars(self, timeframe: str | None = None, instrument: str | None = None) -> BarSeries:
        """Subscribe to bars; declare indicators on what it returns."""
        return self.context.bars(timeframe or self.timeframe, instrument)

    def quotes(self, instrument: str | None = None) -> QuoteSeries:
        """Subscribe to best bid and ask; indicators declared on it follow the mid price."""
        return self.context.quotes(instrument)

    def trades(self, instrument: str | None = None) -> TradeSeries:
        """Subscribe to public trades; indicators declared on it follow the trade price."""
        return self.context.trades(instrument)

    def log(self, message: str) -> None:
        """Write a line to the run's log, stamped with the run's own time."""
        self.context.log(message)

    def alert(self, message: str, level: str = "info") -> None:
        """Tell people something, by the alerts of a session; in a backtest it is a line of the log.

        ``level`` is debug, info, warning, critical or emergency.
        """
        self.context.alert(message, level)

    # -- verbs -------------------------------------------------------------------------------------

    def buy(self, qty: Number, px: Number | None = None, **options: Any) -> OrderView:
        """Buy a quantity: at market, or at a limit price ``px``. See ``order`` for the options."""
        return self.order(Side.BUY, qty, px, **options)

    def sell(self, qty: Number, px: Number | None = None, **options: Any) -> OrderView:
        """Sell a quantity: at market, or at a limit price ``px``. See ``order`` for the options."""
        return self.order(Side.SELL, qty, px, **options)

    def order(
        self,
        side: Side,
        qty: Number,
        px: Number | None = None,
        *,
        type: OrderType | None = None,
        stop_px: Number | None = None,
        trail: Distance | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        expire: int | None = None,
        post_only: bool = False,
        reduce_only: bool = False,
        display_qty: Number | None = None,
        stop: Distance | None = None,
        take: Distance | None = None,
        after: OrderView | str | None = None,
        scaled: bool = False,
        instrument: str | None = None,
        tag: str = "",
    ) -> OrderView:
        """Send one order.

        ``type`` follows the arguments: ``px`` makes a limit, ``stop_px`` a stop, both a stop-limit, ``trail`` a
        trailing stop (``"1%"`` or a price distance); name TAKE_PROFIT_MARKET or _LIMIT for those. ``expire`` (UNIX
        ns) goes with GTD. ``stop`` and ``take`` attach a bracket that works once the order fills.

        ``after`` holds the order back until another order has its first fill, and ends it when that one ends without
        any. A ``scaled`` order waits for the other's end and is sized by it: when half of that filled, half is sent.
        """
        return self.context.order(
            side,
            qty,
            px,
            type=type,
            stop_px=stop_px,
            trail=trail,
            tif=tif,
            expire=expire,
            post_only=post_only,
            reduce_only=reduce_only,
            display_qty=display_qty,
            stop=stop,
            take=take,
            after=after,
            scaled=scaled,
            instrument=instrument,
            tag=tag,
        )

    def target(
        self,
        weight: float,
        *,
        px: Number | None = None,
        stop: Distance | None = None,
        take: Distance | None = None,
        trail: Distance | None = None,
        instrument: str | None = None,
        tag: str = "",
    ) -> OrderView | None:
        """Bring the position to a fraction of equity: 1 all in, 0 flat, −1 short; return the order, if one is needed.

        ``stop``, ``take`` and ``trail`` protect the new position (defaults: the class's ``stop_loss`` and ``roi``).
        A target of 0 sends everything away; on spot, dust below the venue's minimum stays, and the result names it.
        While an instrument has no price yet and another one has, nothing is sent.
        """
        return self.context.target(
            weight, px=px, stop=stop, take=take, trail=trail, instrument=instrument, tag=tag
        )

    def target_qty(
        self,
        qty: Number,
        *,
        px: Number | None = None,
        stop: Distance | None = None,
        take: Distance | None = None,
        trail: Distance | None = None,
        instrument: str | None = None,
        tag: str = "",
    ) -> OrderView | None:
        """Bring the position to a signed quantity; otherwise like ``target``."""
        return self.context.target_qty(
            qty, px=px, stop=stop, take=take, trail=trail, instrument=instrument, tag=tag
        )

    def close(self, instrument: str | None = None, *, tag: str = "close") -> OrderView | None:
        """Leave the position at market and cancel what protected it."""
        return self.context.target_qty(0, instrument=instrument, tag=tag)

    def oco(self, *orders: OrderView) -> None:
        """Join working orders of one instrument: when one fills, the others are canceled."""
        self.context.oco(orders)

    def batch(self) -> AbstractContextManager[None]:
        """Let the orders, cancels and amends of a ``with self.batch():`` block travel together, one message a venue.

        The venue answers each of them by itself: one that is refused or denied does not hold up the others.
        """
        return self.context.batch()

    def cancel(self, order: OrderView | str) -> None:
        """Ask the venue to take an order back."""
        self.context.cancel(order)

    def cancel_all(self, instrument: str | None = None) -> int:
        """Ask the venue to take all of this strategy's orders back, those of ``stops`` aside; return how many."""
        return self.context.cancel_all(instrument)

    def amend(
        self,
        order: OrderView | str,
        *,
        qty: Number | None = None,
        px: Number | None = None,
        stop_px: Number | None = None,
    ) -> bool:
        """Ask the venue to change an order; ``qty`` is the new total quantity.

        False when nothing is sent: a risk limit forbids it, or the order cannot be changed now, because it has ended,
        was asked back, or the venue's answer about it is missing.
        """
        return self.context.amend(order, qty=qty, px=px, stop_px=stop_px)

    def set_timer(self, name: str, *, every: str | None = None, at: int | None = None) -> None:
        """Call ``on_timer`` every ``"10s"`` (aligned to the clock), or once at a UNIX time in nanoseconds."""
        self.context.set_timer(name, every=every, at=at)

    def cancel_timer(self, name: str) -> bool:
        """Stop a timer; tell whether there was one."""
        return self.context.cancel_timer(name)

    # -- about the class ---------------------------------------------------------------------------

    @classmethod
    def parameters(cls) -> dict[str, parameters.Param[Any]]:
        """Return the declared parameters by name."""
        return parameters.declared(cls)

    def values(self) -> dict[str, object]:
        """Return the current value of every parameter."""
        return {name: getattr(self, name) for name in self.parameters()}

    @classmethod
    def overrides(cls, handler: str) -> bool:
        """Tell whether the class defines a handler itself."""
        return getattr(cls, handler) is not getattr(Strategy, handler)


def require(condition: bool, what: str, expected: str, found: object) -> None:
    """Raise ``ConfigError`` unless the condition holds; for ``check_params``."""
    if not condition:
        raise ConfigError(what, expected=expected, found=found)


def check_stop_loss(strategy: Strategy) -> None:
    """Raise ``ConfigError`` where ``stop_loss`` is a number: nobody means one price for all positions."""
    if strategy.stop_loss is not None and not isinstance(strategy.stop_loss, str):
        raise ConfigError(
            f"{strategy.id}: stop_loss is not a distance",
            expected='text like "5%" or "50bps"',
            found=repr(strategy.stop_loss),
        )


def roi_stages(table: object) -> dict[int, Decimal]:
    """Turn minutes since the entry and profits such as ``"4%"`` into nanoseconds and fractions."""
    rows = list(table.items()) if isinstance(table, Mapping) else [(None, None)]
    if not all(isinstance(after, int) and after >= 0 and isinstance(profit, str) for after, profit in rows):
        raise ConfigError(
            "roi is not a table of profits",
            expected='whole minutes since the entry, and a profit as text: {0: "4%", 60: "1%"}',
            found=repr(table),
        )
    return {minutes * MINUTE_NS: as_fraction(profit) for minutes, profit in sorted(rows)}


def as_fraction(text: str) -> Decimal:
    """Turn ``"2%"`` or ``"50bps"`` into a fraction."""
    word = text.strip().lower()
    for suffix, divisor in (("%", 100), ("bps", 10_000), ("bp", 10_000)):
        if word.endswith(suffix):
            try:
                value = Decimal(word[: -len(suffix)].strip()) / divisor
            except ArithmeticError:
                break
            if value.is_finite():
                return value
    raise ConfigError(
        "not a distance", expected='text like "2%" or "50bps", or a price as a number', found=repr(text)
    )
