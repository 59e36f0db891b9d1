"""Compiled strategies: a strategy written as one step function on a context, with numbers for state.

::

    @ln.compiled("1m", state={"fast": 0.0, "slow": 0.0})
    def cross(ctx, bar, quick=20, calm=100):
        if ctx.index == 0:
            ctx.fast = ctx.slow = bar.close
        ctx.fast += (bar.close - ctx.fast) * 2.0 / (quick + 1)
        ctx.slow += (bar.close - ctx.slow) * 2.0 / (calm + 1)
        ctx.target(1.0 if ctx.fast > ctx.slow else 0.0)

In the event engine the function runs as it is written, one Python call per bar or quote, in backtest, paper and live.
In research numba compiles it into a loop over the data, with the same orders, fills and fees.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from lanner.core.errors import ConfigError, InvalidOrderError, LannerError, StrategyError
from lanner.model.enums import Side
from lanner.model.instruments import passive
from lanner.model.market import Bar, Quote
from lanner.model.orders import OrderView
from lanner.model.timeframes import timeframe_ns
from lanner.strategy.base import Strategy, as_fraction
from lanner.strategy.parameters import Param

READS = ("position", "equity", "bid_left", "ask_left", "index")
VERBS = ("target", "buy", "sell", "close", "bid", "ask", "cancel_bid", "cancel_ask")
QUOTES = "quotes"

Asked = tuple[int, float, int, float, float, int, float, float]
"""What a step asked for: act, amount, bid act, quantity, price, ask act, quantity, price (see ``Context``)."""


class Context:
    """What a step function sees and what it asks for; of several words about one thing the last one of a step counts.

    ``position`` is the signed quantity held, ``equity`` the worth at the last price, ``bid_left`` and ``ask_left`` what
    is left of the working bid and ask, ``index`` the number of the bar or quote, from 0. The state's names are
    attributes beside them.
    """

    def __init__(self, state: Mapping[str, int | float]) -> None:
        self.position = 0.0
        self.equity = 0.0
        self.bid_left = 0.0
        self.ask_left = 0.0
        self.index = 0
        self.forget()
        for name, value in state.items():
            setattr(self, name, value)

    def forget(self) -> None:
        """Begin a step with nothing asked for."""
        self.asked_ = self.act_ = self.bid_act_ = self.ask_act_ = 0
        self.amount_ = self.bid_qty_ = self.bid_px_ = self.ask_qty_ = self.ask_px_ = 0.0

    def target(self, weight: float) -> None:
        """Bring the position to a fraction of equity at market: 1 all in, 0 flat, −1 short; NaN changes nothing."""
        if weight == weight:
            self.asked_, self.act_, self.amount_ = 1, 1, weight

    def close(self) -> None:
        """Leave the position at market and withdraw every order."""
        self.asked_, self.act_, self.amount_ = 1, 1, 0.0

    def buy(self, qty: float) -> None:
        """Buy a quantity at market, rounded down to lots."""
        if qty > 0.0:
            self.asked_, self.act_, self.amount_ = 1, 2, qty

    def sell(self, qty: float) -> None:
        """Sell a quantity at market, rounded down to lots."""
        if qty > 0.0:
            self.asked_, self.act_, self.amount_ = 1, 2, -qty

    def bid(self, qty: float, px: float) -> None:
        """Let a limit order to buy work, in place of the one that works."""
        if qty > 0.0 and px > 0.0:
            self.asked_, self.bid_act_, self.bid_qty_, self.bid_px_ = 1, 1, qty, px

    def ask(self, qty: float, px: float) -> None:
        """Let a limit order to sell work, in place of the one that works."""
        if qty > 0.0 and px > 0.0:
            self.asked_, self.ask_act_, self.ask_qty_, self.ask_px_ = 1, 1, qty, px

    def cancel_bid(self) -> None:
        """Withdraw the bid."""
        self.asked_, self.bid_act_ = 1, 2

    def cancel_ask(self) -> None:
        """Withdraw the ask."""
        self.asked_, self.ask_act_ = 1, 2

    def asked(self) -> Asked:
        """Return what was asked for."""
        return (
            self.act_, self.amount_, self.bid_act_, self.bid_qty_, self.bid_px_,
            self.ask_act_, self.ask_qty_, self.ask_px_,
        )  # fmt: skip


class CompiledStrategy(Strategy):
    """A strategy made of a step function; it trades one instrument."""

    function: ClassVar[Callable[..., None]]
    kind = "compiled"
    state: ClassVar[Mapping[str, int | float]] = {}
    on: ClassVar[str] = "1h"
    take: ClassVar[str | None] = None

    script: Callable[[], Asked | None] | None = None
    """Tells what the compiled loop found the step to ask for, at the present row; None where the step itself runs."""

    def on_start(self) -> None:
        if len(self.instruments) != 1:
            raise ConfigError(
                f"{self.id} trades one instrument",
                expected="one instrument",
                found=len(self.instruments),
                fix="Give it data of one, or name it under the strategy's `instruments`.",
            )
        self.ctx = Context(self.state)
        self._whole = tuple(name for name, value in self.state.items() if isinstance(value, int))
        self._kept = tuple(self.state)
        self._bid: OrderView | None = None
        self._ask: OrderView | None = None
        self._arguments = tuple(self.values().values())
        self._row = 0
        self._lots()  # asked for here, so that the books have the position whether the step runs or a script
        if self.on == QUOTES:
            self.quotes()
        else:
            self.bars(self.timeframe)

    def on_bar(self, bar: Bar) -> None:
        if self.on != QUOTES:
            self._step(bar)

    def on_quote(self, quote: Quote) -> None:
        if self.on == QUOTES:
            self._step(quote)

    @classmethod
    def overrides(cls, handler: str) -> bool:
        """Tell whether the class hears of something: only of what its step is made for."""
        if handler in ("on_bar", "on_quote"):
            return (handler == "on_quote") == (cls.on == QUOTES)
        return super().overrides(handler)

    def _step(self, event: Bar | Quote) -> None:
        if self.script is not None:
            scripted = self.script()
            if scripted is not None:
                self.answer(scripted)
            return
        ctx = self.ctx
        ctx.forget()
        ctx.index = self._row
        self._row += 1
        ctx.equity = self.equity
        lot = self.instrument.lot_float
        ctx.position = self._lots() * lot
        ctx.bid_left = _left(self._bid) * lot
        ctx.ask_left = _left(self._ask) * lot
        type(self).function(ctx, event, *self._arguments)
        self._check_state(ctx)
        if ctx.asked_:
            self.answer(ctx.asked())

    def _lots(self) -> int:
        instrument = self.instrument
        return int(self.position.qty / instrument.lot)

    def _check_state(self, ctx: Context) -> None:
        for name in self._whole:
            value = getattr(ctx, name)
            if not isinstance(value, int):
                raise StrategyError(
                    f"ctx.{name} is a whole number and was set to {value!r}",
                    expected="a whole number",
                    fix=f'Declare state={{"{name}": 0.0}}, or round it: int(...).',
                )
        if len(vars(ctx)) != len(READS) + len(ctx.asked()) + 1 + len(self._kept):
            unknown = sorted(set(vars(ctx)) - set(self._kept) - set(vars(Context({}))))
            raise StrategyError(
                f"ctx.{unknown[0]} is not declared",
                expected=f"state={{{unknown[0]!r}: 0.0, ...}} in the decorator",
            )

    def answer(self, asked: Asked) -> None:
        """Send what a step asked for: bid, ask, then the market order."""
        act, amount, bid_act, bid_qty, bid_px, ask_act, ask_qty, ask_px = asked
        if bid_act:
            self._bid = self._quote(Side.BUY, self._bid, bid_act, bid_qty, bid_px)
        if ask_act:
            self._ask = self._quote(Side.SELL, self._ask, ask_act, ask_qty, ask_px)
        if act == 1:
            self.target(amount, take=self.take if amount else None, tag="step")
        elif act == 2:
            lots = self.instrument.floor_lots(abs(amount))
            if lots >= self.instrument.min_lots:
                side = Side.BUY if amount > 0.0 else Side.SELL
                self.order(side, self.instrument.qty(lots), tag="step")

    def _quote(
        self, side: Side, before: OrderView | None, act: int, qty: float, px: float
    ) -> OrderView | None:
        if before is not None and before.is_open:
            self.cancel(before)
        if act != 1:
            return before
        instrument = self.instrument
        try:
            lots, ticks = instrument.floor_lots(float(qty)), instrument.quantise_px(float(px), passive(side))
        except InvalidOrderError:
            return before
        if lots < instrument.min_lots:
            return before
        return self.order(side, instrument.qty(lots), instrument.px(ticks), tag="step")


def _left(order: OrderView | None) -> int:
    if order is None or not order.is_open:
        return 0
    return int(order.leaves_qty / order.instrument.lot)


def compiled(
    on: str,
    *,
    state: Mapping[str, int | float] | None = None,
    stop: str | None = None,
    take: str | None = None,
    name: str = "",
) -> Callable[[Callable[..., None]], type[CompiledStrategy]]:
    """Make a strategy of a step function ``step(ctx, event, **parameters)``.

    ``on`` is a bar timeframe or ``"quotes"``. ``state`` names what the step remembers, with its first values: whole
    numbers, numbers and truth values. The function's further arguments are the parameters: numbers and truth values
    with defaults, or ``lanner.Param``. ``stop`` and ``take`` (``"2%"``) protect each position on bars.
    """
    if callable(on):
        raise ConfigError(
            "@compiled needs to know on what", expected='@lanner.compiled("1m")', found="@lanner.compiled"
        )
    if on != QUOTES:
        timeframe_ns(on)
    for distance in (stop, take):
        if distance is not None:
            as_fraction(distance)

    def decorate(function: Callable[..., None]) -> type[CompiledStrategy]:
        if not inspect.isfunction(function):
            raise ConfigError(
                "@compiled stands above a function", expected="def name(ctx, bar, ...)", found=repr(function)
            )
        members: dict[str, Any] = _parameters(function)
        members.update(
            function=staticmethod(function),
            name=name or function.__name__,
            description=(inspect.getdoc(function) or "").partition("\n")[0],
            timeframe="1m" if on == QUOTES else on,
            on=on,
            state=_state(function, state or {}),
            stop_loss=stop,
            take=take,
            __module__=function.__module__,
            __qualname__=function.__qualname__,
            __doc__=function.__doc__,
            __wrapped__=function,
        )
        try:
            return type(function.__name__, (CompiledStrategy,), members)
        except RuntimeError as error:  # Python 3.11 wraps what a Param refuses
            raise error.__cause__ if isinstance(error.__cause__, LannerError) else error from None

    return decorate


def _state(function: Callable[..., None], state: Mapping[str, int | float]) -> dict[str, int | float]:
    taken = {*READS, *VERBS, *vars(Context({})), "asked", "forget"}
    found: dict[str, int | float] = {}
    for name, value in state.items():
        place = f"{function.__name__}: state {name!r}"
        if not name.isidentifier() or name in taken or name.startswith(("p_", "_")):
            raise ConfigError(
                f"{place} cannot be called that", expected="a name that the context does not use"
            )
        if not isinstance(value, int | float):
            raise ConfigError(
                f"{place} cannot be compiled", expected="a number or true/false", found=repr(value)
            )
        found[name] = int(value) if isinstance(value, bool) else value
    return found


def _parameters(function: Callable[..., None]) -> dict[str, Param[Any]]:
    """Read the parameters off the function's signature."""
    arguments = list(inspect.signature(function).parameters.values())
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
    if len(arguments) < 2 or any(argument.kind not in kinds for argument in arguments):
        raise ConfigError(
            f"{function.__name__}: not a step", expected=f"def {function.__name__}(ctx, event, name=default)"
        )
    found: dict[str, Param[Any]] = {}
    for argument in arguments[2:]:
        place = f"{function.__name__}: parameter {argument.name!r}"
        if argument.default is inspect.Parameter.empty:
            raise ConfigError(f"{place} has no default", expected=f"{argument.name}=10")
        if hasattr(CompiledStrategy, argument.name) or argument.name == "ctx":
            raise ConfigError(
                f"{place} has a name that every strategy uses for something else", fix="Choose another name."
            )
        param = argument.default if isinstance(argument.default, Param) else Param(argument.default)
        if not isinstance(param.default, int | float) or not math.isfinite(param.default):
            raise ConfigError(
                f"{place} cannot be compiled",
                expected="a number or true/false",
                found=repr(param.default),
            )
        found[argument.name] = param
    return found
