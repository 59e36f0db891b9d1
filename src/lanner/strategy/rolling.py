"""The last so many values of an expression, as pandas and polars name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.core.errors import StrategyError

if TYPE_CHECKING:
    from lanner.strategy.expression import Expr


class Rolling:
    """The last so many values of an expression."""

    __slots__ = ("_expr", "_periods")

    def __init__(self, expr: Expr, periods: int) -> None:
        self._expr = expr
        self._periods = periods

    def mean(self) -> Expr:
        """Return their average."""
        return self._expr.sma(self._periods)

    def max(self) -> Expr:
        """Return the highest."""
        return self._expr.highest(self._periods)

    def min(self) -> Expr:
        """Return the lowest."""
        return self._expr.lowest(self._periods)

    def sum(self) -> Expr:
        """Return their sum."""
        return self._expr.sum(self._periods)

    def std(self, ddof: int = 1) -> Expr:
        """Return their standard deviation: the sample's as pandas has it, or the population's with ``ddof`` 0."""
        if ddof not in (0, 1):
            raise StrategyError("std: bad ddof", expected="0 (population) or 1 (sample)", found=ddof)
        return self._expr.stddev(self._periods, ddof == 1)
