"""Signal functions: a strategy written as one rule over a frame of bars.

::

    @ln.signal("1h")
    def ma(bars, fast=10, slow=20):
        return bars.close.sma(fast) > bars.close.sma(slow)

The function runs once, before the first bar, on a frame whose values are still to come; what it returns is compiled
and evaluated at each closed bar. So it cannot look ahead, and it decides the same in research, backtest and live.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from lanner.core.errors import ConfigError, LannerError, StrategyError
from lanner.indicators.base import NAN, rows
from lanner.model.market import Bar
from lanner.model.timeframes import timeframe_ns
from lanner.strategy.base import Strategy, as_fraction
from lanner.strategy.errors import strategy_error
from lanner.strategy.expression import Expr, where
from lanner.strategy.frame import BarFrame
from lanner.strategy.graph import Graph, SignalLine
from lanner.strategy.parameters import Param, assign


class SignalStrategy(Strategy):
    """A strategy that follows a signal: it trades when the wanted weight changes, and only then.

    True is long (weight 1), False flat; a number is the weight itself, −1 to 1; NaN changes nothing. Negative weights
    are flat unless ``allow_short`` is set and the instrument can be sold short. With several instruments the signal
    runs on each, and they share the equity equally.
    """

    function: ClassVar[Callable[..., object]]
    kind = "signal"
    stop: ClassVar[str | None] = None
    take: ClassVar[str | None] = None
    allow_short: ClassVar[bool] = False
    declares_nothing: ClassVar[bool] = True

    def check_params(self) -> None:
        """Build the signal once, so that a mistake in it shows before the run starts."""
        self.node(Graph())

    def line(self) -> SignalLine:
        """Return the compiled signal for the present parameters, with no bar seen yet."""
        graph = Graph()
        return graph.compile(self.node(graph))

    def node(self, graph: Graph, known: Mapping[str, Param[Any]] | None = None) -> int:
        """Build the signal for the present parameters in a graph and return its node.

        A graph may hold many signals; what they have in common is in it once.
        """
        try:
            return _output(graph, type(self).function(BarFrame(graph), **self._values(known)))
        except ConfigError:
            raise  # a parameter the function itself refuses
        except (Exception, SystemExit) as error:  # noqa: BLE001 - what user code raises is shown with their lines
            raise strategy_error(error, self, "while the signal was built", ()) from None

    def _values(self, known: Mapping[str, Param[Any]] | None) -> dict[str, object]:
        return self.values() if known is None else {name: getattr(self, name) for name in known}

    @classmethod
    def node_of(
        cls, graph: Graph, values: Mapping[str, object], known: Mapping[str, Param[Any]] | None = None
    ) -> int:
        """Build the signal for some parameters in a graph: what ``node`` of a new strategy does, without it.

        ``known`` are the parameters that the class declares, where the caller has them at hand.
        """
        if cls.check_params is not SignalStrategy.check_params or cls.__init__ is not Strategy.__init__:
            return cls(**values).node(graph)
        made = cls.__new__(cls)  # its constructor would build the signal once more, to check it
        known = cls.parameters() if known is None else known
        assign(made, values, known)
        made.id = cls.name or cls.__name__
        return made.node(graph, known)

    def on_start(self) -> None:
        self._lines: dict[str, SignalLine] = {}
        self._least = -1.0 if self.allow_short else 0.0
        self._share = 1.0 / len(self.instruments)
        for instrument in self.instruments:
            series = self.bars(self.timeframe, instrument.id)
            self._lines[series.series] = series.add_bars(self.line())

    def on_bar(self, bar: Bar) -> None:
        line = self._lines[bar.series]
        weight = line.value
        if weight == line.followed or weight != weight:
            return
        if not -1.0 <= weight <= 1.0:
            raise StrategyError(
                "the signal is not a weight",
                expected="a number from -1 to 1",
                found=f"{weight:g}",
                fix="Scale it, or hold it between bounds with .clip(-1, 1).",
            )
        line.followed = weight
        spot = next(item for item in self.instruments if item.id == bar.instrument_id).is_spot
        held = max(weight, 0.0 if spot else self._least)
        self.target(
            held * self._share, take=self.take if held else None, instrument=bar.instrument_id, tag="signal"
        )


def signal(
    timeframe: str,
    *,
    stop: str | None = None,
    take: str | None = None,
    allow_short: bool = False,
    name: str = "",
) -> Callable[[Callable[..., object]], type[SignalStrategy]]:
    """Make a strategy of a function of bars and parameters.

    The parameters are the function's keyword arguments with their defaults: numbers, texts, true/false, or
    ``lanner.Param`` for a range. ``stop`` and ``take`` (``"2%"``) protect each position.
    """
    if callable(timeframe):
        raise ConfigError(
            "@signal needs a timeframe", expected='@lanner.signal("1h")', found="@lanner.signal"
        )
    timeframe_ns(timeframe)
    for distance in (stop, take):
        if distance is not None:
            as_fraction(distance)

    def decorate(function: Callable[..., object]) -> type[SignalStrategy]:
        if not inspect.isfunction(function):
            raise ConfigError(
                "@signal stands above a function", expected="def name(bars, ...)", found=repr(function)
            )
        members: dict[str, Any] = _parameters(function)
        members.update(
            function=staticmethod(function),
            name=name or function.__name__,
            description=(inspect.getdoc(function) or "").partition("\n")[0],
            timeframe=timeframe,
            stop_loss=stop,
            stop=stop,
            take=take,
            allow_short=allow_short,
            __module__=function.__module__,
            __qualname__=function.__qualname__,
            __doc__=function.__doc__,
            __wrapped__=function,
        )
        try:
            return type(function.__name__, (SignalStrategy,), members)
        except RuntimeError as error:  # Python 3.11 wraps what a Param refuses
            raise error.__cause__ if isinstance(error.__cause__, LannerError) else error from None

    return decorate


def signal_array(
    strategy: type[Strategy] | SignalStrategy, frame: Mapping[str, Sequence[float]] | Any, **params: object
) -> list[float]:
    """Evaluate a signal over whole columns: one weight per bar, NaN during warm-up; conditions give 1 and 0.

    ``frame`` is a polars DataFrame or a mapping of equally long columns (open, high, low, close, volume; those the
    signal uses). It runs the very graph that the engine runs, one bar at a time.
    """
    runner = strategy(**params) if isinstance(strategy, type) else strategy
    if not isinstance(runner, SignalStrategy):
        raise ConfigError(
            "not a signal", expected="a function under @lanner.signal", found=type(runner).__name__
        )
    line = runner.line()
    names = [
        name for name in ("ts_open", "open", "high", "low", "close", "volume") if name in _columns(frame)
    ]
    columns = {name: frame[name] if name == "ts_open" else _floats(frame[name]) for name in names}
    out: list[float] = []
    for row in rows(columns):
        line.update_bar(row)
        out.append(float(line.value))
    return out


def _floats(column: Sequence[float]) -> list[float]:
    return [float(value) for value in column]


def _columns(frame: Any) -> Sequence[str]:
    return list(frame.columns) if hasattr(frame, "columns") else list(frame)


def _output(graph: Graph, result: object) -> int:
    """Return the node of what a signal function gave back."""
    if isinstance(result, Expr):
        if result._graph is not graph:
            raise StrategyError(
                "the signal is made of another run's bars", fix="Make it of the `bars` argument."
            )
        return result._node
    if isinstance(result, bool | int | float):
        return graph.constant(result)
    hint = "Did you forget `return`?" if result is None else None
    if isinstance(result, tuple | list):
        hint = "For an entry and an exit rule return entry.until(exit)."
    raise StrategyError(
        "the signal function gave nothing to follow",
        expected="a condition or a number per bar, e.g. return bars.close > bars.close.sma(20)",
        found=type(result).__name__,
        fix=hint,
    )


def _parameters(function: Callable[..., object]) -> dict[str, Param[Any]]:
    """Read the parameters off the function's signature."""
    arguments = list(inspect.signature(function).parameters.values())
    if not arguments or arguments[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise ConfigError(
            f"{function.__name__}: takes no bars", expected=f"def {function.__name__}(bars, ...)"
        )
    found: dict[str, Param[Any]] = {}
    for argument in arguments[1:]:
        place = f"{function.__name__}: parameter {argument.name!r}"
        if argument.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise ConfigError(f"{place} is open-ended", expected="named parameters with defaults")
        if argument.default is inspect.Parameter.empty:
            raise ConfigError(
                f"{place} has no default", expected=f"{argument.name}=10 or {argument.name}=Param(10, 2, 50)"
            )
        if hasattr(SignalStrategy, argument.name):
            raise ConfigError(
                f"{place} has a name that every strategy uses for something else", fix="Choose another name."
            )
        value = argument.default
        if not isinstance(value, Param | bool | int | float | str):
            raise ConfigError(
                f"{place} has a default of a kind that cannot be set from outside",
                expected="a number, true or false, text, or Param(...)",
                found=repr(value),
            )
        found[argument.name] = value if isinstance(value, Param) else Param(value)
    return found


__all__ = ["NAN", "SignalStrategy", "signal", "signal_array", "where"]
