"""The operators of an expression, and what it says when it is used as if it had a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NoReturn

from lanner.core.errors import StrategyError

if TYPE_CHECKING:
    from lanner.strategy.expression import Expr


class Valueless:
    """Explain, at each place where Python asks for a value, why there is none and what to write instead."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise self._refusal(
            "be used in `if`, `and`, `or`, `not`, `a < b < c`, max() or min()",
            "Write (a > b) & (c > d), | for or, ~ for not, lanner.where(condition, x, y) instead of if, "
            "a.maximum(b) instead of max(a, b); conditions on parameters (plain numbers) may use if.",
        )

    def __len__(self) -> int:
        raise self._refusal("tell its length", "It grows with each bar; count with (condition).sum(20).")

    def __iter__(self) -> NoReturn:
        raise self._refusal(
            "be looped over or unpacked", "Write the rule for one bar; .shift(1) is the bar before."
        )

    def __contains__(self, item: object) -> bool:
        raise self._refusal("be searched with `in`", "Compare: (a == 1) | (a == 2).")

    def __getitem__(self, index: object) -> NoReturn:
        back = -index - 1 if isinstance(index, int) and index < 0 else 1
        raise self._refusal(
            "be indexed", f"The bar before is .shift(1); [{index!r}] is .shift({back}) or has no meaning."
        )

    def __float__(self) -> float:
        raise self._refusal("become a plain number", "Instead of math.log(x) write numpy.log(x) or x.log().")

    def __int__(self) -> int:
        raise self._refusal(
            "become a plain number", "Parameters (plain numbers) can; expressions are values per bar."
        )

    __index__ = __int__
    __round__ = __int__
    __trunc__ = __int__

    def _refusal(self, what: str, fix: str) -> StrategyError:
        return StrategyError(f"an expression has no value yet, so it cannot {what}", fix=fix)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise self._refusal(
            "be turned into an array", "Use the expression itself; numpy's log, abs, maximum … take it."
        )


class Operators(Valueless, ABC):
    """Python's operators on expressions, in terms of three steps that an expression provides."""

    __slots__ = ()

    @abstractmethod
    def _apply(self, op: str, *others: object) -> Expr: ...

    @abstractmethod
    def _swapped(self, op: str, other: object) -> Expr: ...

    @abstractmethod
    def _join(self, sign: str, op: str, other: object) -> Expr: ...

    def __add__(self, other: object) -> Expr:
        return self._apply("add", other)

    def __radd__(self, other: object) -> Expr:
        return self._swapped("add", other)

    def __sub__(self, other: object) -> Expr:
        return self._apply("subtract", other)

    def __rsub__(self, other: object) -> Expr:
        return self._swapped("subtract", other)

    def __mul__(self, other: object) -> Expr:
        return self._apply("multiply", other)

    def __rmul__(self, other: object) -> Expr:
        return self._swapped("multiply", other)

    def __truediv__(self, other: object) -> Expr:
        return self._apply("divide", other)

    def __rtruediv__(self, other: object) -> Expr:
        return self._swapped("divide", other)

    def __floordiv__(self, other: object) -> Expr:
        return self._apply("floor_divide", other)

    def __rfloordiv__(self, other: object) -> Expr:
        return self._swapped("floor_divide", other)

    def __mod__(self, other: object) -> Expr:
        return self._apply("modulo", other)

    def __rmod__(self, other: object) -> Expr:
        return self._swapped("modulo", other)

    def __pow__(self, other: object) -> Expr:
        return self._apply("power", other)

    def __rpow__(self, other: object) -> Expr:
        return self._swapped("power", other)

    def __neg__(self) -> Expr:
        return self._apply("negative")

    def __abs__(self) -> Expr:
        return self._apply("absolute")

    def __gt__(self, other: object) -> Expr:
        return self._apply("greater", other)

    def __ge__(self, other: object) -> Expr:
        return self._apply("greater_equal", other)

    def __lt__(self, other: object) -> Expr:
        return self._apply("less", other)

    def __le__(self, other: object) -> Expr:
        return self._apply("less_equal", other)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return self._apply("equal", other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return self._apply("not_equal", other)

    __hash__ = None  # type: ignore[assignment]

    def __and__(self, other: object) -> Expr:
        return self._join("&", "and", other)

    __rand__ = __and__

    def __or__(self, other: object) -> Expr:
        return self._join("|", "or", other)

    __ror__ = __or__

    def __xor__(self, other: object) -> Expr:
        return self._join("^", "not_equal", other)

    __rxor__ = __xor__
