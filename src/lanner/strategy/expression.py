"""What a signal function works with: ``bars`` and expressions made of it, which stand for values to come."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, NoReturn

from lanner.core.errors import StrategyError
from lanner.indicators import (
    EMA,
    HMA,
    MACD,
    RMA,
    ROC,
    RSI,
    SMA,
    WMA,
    Beta,
    Bollinger,
    Correlation,
    Highest,
    Lowest,
    Shift,
    StdDev,
    StochRSI,
    Sum,
    Volatility,
    ZScore,
)
from lanner.indicators.base import Indicator, Lines, PairIndicator
from lanner.indicators.talib import arranged, spec_of, talib_kind
from lanner.strategy.graph import UFUNCS, Graph, Latch
from lanner.strategy.operators import Operators
from lanner.strategy.rolling import Rolling


class Declares:
    """Indicators of one number per bar; on ``bars`` they follow the close."""

    __slots__ = ("_graph",)

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @property
    def _source(self) -> int:
        """Return the node that indicators follow."""
        return self._graph.field("close")

    def _declare(self, kind: type[Lines], *params: object) -> Expr:
        return Expr(self._graph, declare(self._graph, kind, params, self._source))

    def _declare_lines(self, kind: type[Lines], *params: object) -> Any:
        return lines_of(self._graph, declare(self._graph, kind, params, self._source), kind.lines)

    def sma(self, period: int) -> Expr:
        """Return the simple moving average."""
        return self._declare(SMA, period)

    def ema(self, period: int) -> Expr:
        """Return the exponential moving average."""
        return self._declare(EMA, period)

    def rma(self, period: int) -> Expr:
        """Return Wilder's moving average."""
        return self._declare(RMA, period)

    def wma(self, period: int) -> Expr:
        """Return the linearly weighted moving average."""
        return self._declare(WMA, period)

    def hma(self, period: int) -> Expr:
        """Return Hull's moving average."""
        return self._declare(HMA, period)

    def rsi(self, period: int = 14) -> Expr:
        """Return the relative strength index, 0 to 100."""
        return self._declare(RSI, period)

    def stoch_rsi(self, period: int = 14, stoch: int = 14, smooth: int = 3, signal: int = 3) -> Any:
        """Return the place of the RSI in its own range with the lines ``k`` and ``d``, 0 to 100."""
        return self._declare_lines(StochRSI, period, stoch, smooth, signal)

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Any:
        """Return the MACD with the lines ``macd``, ``signal`` and ``hist``."""
        return self._declare_lines(MACD, fast, slow, signal)

    def bollinger(self, period: int = 20, width: float = 2.0) -> Any:
        """Return Bollinger bands with the lines ``middle``, ``upper`` and ``lower``."""
        return self._declare_lines(Bollinger, period, width)

    def highest(self, period: int) -> Expr:
        """Return the highest of the last values, the present one included."""
        return self._declare(Highest, period)

    def lowest(self, period: int) -> Expr:
        """Return the lowest of the last values, the present one included."""
        return self._declare(Lowest, period)

    def sum(self, period: int) -> Expr:
        """Return the sum of the last values."""
        return self._declare(Sum, period)

    def stddev(self, period: int, sample: bool = False) -> Expr:
        """Return the standard deviation of the last values: the population's, or the sample's."""
        return self._declare(StdDev, period, sample)

    def zscore(self, period: int) -> Expr:
        """Return the distance to the mean in standard deviations."""
        return self._declare(ZScore, period)

    def roc(self, period: int = 12) -> Expr:
        """Return the rate of change in per cent."""
        return self._declare(ROC, period)

    def volatility(self, period: int = 20, per_year: float = 1.0) -> Expr:
        """Return the standard deviation of logarithmic changes, annualised with the number of bars in a year."""
        return self._declare(Volatility, period, per_year)

    def correlation(self, other: Expr, period: int = 30, changes: bool = True) -> Expr:
        """Return the correlation with another expression: of relative changes, or of the values themselves."""
        return self._pair(Correlation, other, period, changes)

    def beta(self, other: Expr, period: int = 30, changes: bool = True) -> Expr:
        """Return the slope on another expression: of relative changes, or of the values themselves."""
        return self._pair(Beta, other, period, changes)

    def _pair(self, kind: type[Lines], other: object, period: int, changes: bool) -> Expr:
        one, two = Expr(self._graph, self._source), Expr(self._graph, operand(self._graph, other))
        if changes:
            one, two = one.pct_change(), two.pct_change()
        return Expr(self._graph, declare(self._graph, kind, (period,), one._node, two._node))

    def talib(self, name: str, other: Any = None, **params: Any) -> Any:
        """Return a function of TA-Lib, e.g. ``talib("KAMA", period=10)``; some read two series."""
        kind, values = talib_kind(name), arranged(spec_of(name), params)
        nodes = (self._source,) if other is None else (self._source, operand(self._graph, other))
        inputs = 1 if issubclass(kind, Indicator) else 2 if issubclass(kind, PairIndicator) else 0
        if inputs != len(nodes):
            raise StrategyError(
                f"talib: {name} does not work on {len(nodes)} series",
                expected=f"{inputs} series" if inputs else "bars",
                fix=f'Say bars.talib("{name}").' if not inputs else None,
            )
        return lines_of(self._graph, declare(self._graph, kind, values, *nodes), kind.lines)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        known = [word for word in dir(type(self)) if not word.startswith("_")]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        raise StrategyError(
            f"{self!r} has no {name!r}",
            expected=f"one of {', '.join(known)}",
            fix=f"Did you mean {' or '.join(near)}?" if near else None,
        )


class Expr(Operators, Declares):
    """A value per bar that is known when the bar closes. Combine it; it has no value while you write it down."""

    __slots__ = ("_node",)

    def __init__(self, graph: Graph, node: int) -> None:
        super().__init__(graph)
        self._node = node

    @property
    def _source(self) -> int:
        return self._node

    # -- the past --------------------------------------------------------------------------------------

    def shift(self, periods: int = 1) -> Expr:
        """Return the value of so many bars ago; only the past can be asked for."""
        if not self._back("shift", periods):
            return self
        moved = self._declare(Shift, periods)
        return moved == True if self._graph.nodes[self._node].logical else moved  # noqa: E712 - NaN becomes false

    def diff(self, periods: int = 1) -> Expr:
        """Return the change against so many bars ago."""
        return self - self._declare(Shift, self._back("diff", periods, 1))

    def pct_change(self, periods: int = 1) -> Expr:
        """Return the relative change against so many bars ago, as a fraction."""
        return self / self._declare(Shift, self._back("pct_change", periods, 1)) - 1.0

    @property
    def prev(self) -> Expr:
        """Return the value of the bar before."""
        return self.shift(1)

    @property
    def rising(self) -> Expr:
        """Return whether the value is above that of the bar before."""
        return self > self.shift(1)

    @property
    def falling(self) -> Expr:
        """Return whether the value is below that of the bar before."""
        return self < self.shift(1)

    def crossed_above(self, other: Expr | float) -> Expr:
        """Return whether it was at or below the other one a bar ago and is above it now."""
        before = other.shift(1) if isinstance(other, Expr) else other
        return (self > other) & (self.shift(1) <= before)

    def crossed_below(self, other: Expr | float) -> Expr:
        """Return whether it was at or above the other one a bar ago and is below it now."""
        before = other.shift(1) if isinstance(other, Expr) else other
        return (self < other) & (self.shift(1) >= before)

    def rolling(self, periods: int) -> Rolling:
        """Return the last so many values, to take ``mean, max, min, sum, std`` of them."""
        return Rolling(self, periods)

    def _back(self, verb: str, periods: object, least: int = 0) -> int:
        if isinstance(periods, bool) or not isinstance(periods, int):
            raise StrategyError(f"{verb}: bad number of bars", expected="a whole number", found=repr(periods))
        if periods < 0:
            raise StrategyError(
                f"{verb}({periods}) would look {-periods} bar{'s' if periods < -1 else ''} into the future",
                expected=f"{verb}({-periods}), the past",
                fix="A signal may only use what is known when its bar closes.",
            )
        if periods < least:
            raise StrategyError(f"{verb}: bad number of bars", expected=f"at least {least}", found=periods)
        return periods

    # -- conditions ------------------------------------------------------------------------------------

    def until(self, leave: Expr) -> Expr:
        """Return a condition that holds from when this one is true until ``leave`` is; ``leave`` wins."""
        stop = self._operand(leave)
        both = (self._logical("until", self._node), self._logical("until", stop))
        return Expr(self._graph, self._graph.apply("truth", self._graph.indicator(Latch, (), *both)))

    def where(self, condition: Expr, otherwise: Expr | float) -> Expr:
        """Return this value where the condition holds, else the other one."""
        return where(condition, self, otherwise)

    def isnan(self) -> Expr:
        """Return whether there is no value."""
        return self._apply("isnan")

    def fillna(self, value: Expr | float) -> Expr:
        """Return the value, or another one where there is none."""
        return where(self.isnan(), value, self)

    # -- numbers ---------------------------------------------------------------------------------------

    def abs(self) -> Expr:
        """Return the size without the sign."""
        return self._apply("absolute")

    def maximum(self, other: Expr | float) -> Expr:
        """Return the larger of the two."""
        return self._apply("maximum", other)

    def minimum(self, other: Expr | float) -> Expr:
        """Return the smaller of the two."""
        return self._apply("minimum", other)

    def clip(self, low: Expr | float, high: Expr | float) -> Expr:
        """Return the value, held between two bounds."""
        return self.maximum(low).minimum(high)

    def log(self) -> Expr:
        """Return the natural logarithm."""
        return self._apply("log")

    def exp(self) -> Expr:
        """Return e to the power of the value."""
        return self._apply("exp")

    def sqrt(self) -> Expr:
        """Return the square root."""
        return self._apply("sqrt")

    def sign(self) -> Expr:
        """Return 1, 0 or −1."""
        return self._apply("sign")

    # -- operators -------------------------------------------------------------------------------------

    def _operand(self, value: object) -> int:
        return operand(self._graph, value)

    def _apply(self, op: str, *others: object) -> Expr:
        return Expr(
            self._graph, self._graph.apply(op, self._node, *(self._operand(other) for other in others))
        )

    def _swapped(self, op: str, other: object) -> Expr:
        return Expr(self._graph, self._graph.apply(op, self._operand(other), self._node))

    def _logical(self, sign: str, node: int) -> int:
        if not self._graph.nodes[node].logical:
            raise StrategyError(
                f"{sign!r} joins conditions, and this is a number",
                expected="comparisons on both sides",
                fix=f"Put each comparison in parentheses: (a > b) {sign if sign in '&|^' else '&'} (c > d).",
            )
        return node

    def _join(self, sign: str, op: str, other: object) -> Expr:
        left, right = self._logical(sign, self._node), self._logical(sign, self._operand(other))
        return Expr(self._graph, self._graph.apply(op, left, right))

    def __invert__(self) -> Expr:
        return Expr(self._graph, self._graph.apply("not", self._logical("~", self._node)))

    def __pos__(self) -> Expr:
        return self

    # -- numpy -----------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: object, **options: object) -> Expr:
        name = UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or options:
            raise StrategyError(
                f"numpy.{ufunc.__name__}{'' if method == '__call__' else f'.{method}'} does not work bar by bar",
                expected=f"one of {', '.join(sorted(UFUNCS))}",
            )
        if name in ("and", "or", "not"):
            for node in inputs:
                self._logical("&", self._operand(node))
        return Expr(self._graph, self._graph.apply(name, *(self._operand(item) for item in inputs)))

    def __array_function__(
        self, func: Any, types: object, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Expr:
        name = func.__name__
        if name == "where" and len(args) == 3 and not options:
            return where(*args)
        if name == "clip" and len(args) == 3 and not options and isinstance(args[0], Expr):
            return args[0].clip(args[1], args[2])
        raise StrategyError(
            f"numpy.{name} needs the whole series at once",
            expected="methods of the expression, which work bar by bar",
            fix="For example .rolling(20).mean(), .highest(20), .shift(1), lanner.where(condition, a, b).",
        )

    def __repr__(self) -> str:
        return "a condition" if self._graph.nodes[self._node].logical else "an expression"


class LinesExpr(Expr):
    """An indicator of several lines; it stands for its first line, and each line is an attribute."""

    __slots__ = ()
    lines: ClassVar[tuple[str, ...]] = ()

    def line(self, name: str) -> Expr:
        """Return one of the lines by name."""
        if name not in self.lines:
            raise StrategyError(f"no line {name!r}", expected=f"one of {', '.join(self.lines)}")
        return Expr(self._graph, self._node if name == self.lines[0] else self._graph.line(self._node, name))

    def __iter__(self) -> NoReturn:
        raise self._refusal(
            "be unpacked", f"Its lines are attributes: {', '.join(f'.{name}' for name in self.lines)}."
        )


def lines_of(graph: Graph, node: int, lines: tuple[str, ...]) -> Any:
    """Return the expression of an indicator with an attribute for each of its lines."""
    return _lines_class(lines)(graph, node)


@lru_cache(maxsize=64)
def _lines_class(lines: tuple[str, ...]) -> type[LinesExpr]:
    members: dict[str, Any] = {name: property(_getter(name)) for name in lines}
    return type("LinesExpr", (LinesExpr,), {"__slots__": (), "lines": lines, **members})


def _getter(name: str) -> Callable[[LinesExpr], Expr]:
    return lambda expression: expression.line(name)


def where(condition: Expr | bool, value: Expr | float, otherwise: Expr | float) -> Expr:
    """Choose per bar: ``value`` where the condition holds, ``otherwise`` where it does not."""
    source = next((item for item in (condition, value, otherwise) if isinstance(item, Expr)), None)
    if source is None:
        raise StrategyError(
            "where: nothing in it changes from bar to bar", expected="a condition made of bars"
        )
    graph = source._graph
    test = source._logical("where", operand(graph, condition))
    return Expr(graph, graph.apply("where", test, operand(graph, value), operand(graph, otherwise)))


def declare(graph: Graph, kind: type[Lines], params: tuple[object, ...], *args: int) -> int:
    """Return the node of an indicator."""
    if any(isinstance(param, Expr) for param in params):
        raise StrategyError(
            f"{kind.__name__}: a period cannot change from bar to bar",
            expected="plain numbers, known before the run",
            fix="Compute several indicators and choose with lanner.where(condition, a, b).",
        )
    return graph.indicator(kind, params, *args)


def operand(graph: Graph, value: object) -> int:
    """Return the node of an expression or a plain number."""
    if isinstance(value, Expr):
        if value._graph is not graph:
            raise StrategyError(
                "expressions of two different runs cannot be joined", fix="Make all of them from `bars`."
            )
        return value._node
    item = getattr(value, "item", None)  # numpy's own numbers
    plain = item() if callable(item) and getattr(value, "ndim", None) == 0 else value
    if isinstance(plain, bool | int | float):
        return graph.constant(plain)
    if isinstance(value, Declares):
        raise StrategyError(
            "bars are not one number each", expected="a field or an indicator", fix="Say bars.close."
        )
    raise StrategyError(
        "an expression can only be joined with expressions and plain numbers",
        found=f"{type(value).__name__} {value!r:.60}",
    )
