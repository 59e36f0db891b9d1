"""Operations on whole columns; the twins are the texts of ``lanner.strategy.graph.OPERATIONS``.

Numbers are float64 arrays, conditions bool arrays; an argument may also be one number or truth value for all rows.
Every kernel writes its last argument, which is none of the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from lanner.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[Any]]
Operand = Array | float | bool


def at(values: Any, index: int) -> Any:
    """Return the value of a row, or the one value that stands for all rows."""
    return values[index] if isinstance(values, np.ndarray) else values


@overload(at, strict=False)
def _compiled_at(values: Any, index: Any) -> Callable[[Any, Any], Any]:  # noqa: ARG001 - both see the types
    if isinstance(values, types.Array):
        return lambda values, index: values[index]
    return lambda values, index: values  # noqa: ARG005 - the same for every row


# -- arithmetic ---------------------------------------------------------------------------------------------------


@kernel
def add(a: Operand, b: Operand, out: Array) -> None:
    """Write a + b."""
    for index in range(out.size):
        out[index] = at(a, index) + at(b, index)


@kernel
def subtract(a: Operand, b: Operand, out: Array) -> None:
    """Write a − b."""
    for index in range(out.size):
        out[index] = at(a, index) - at(b, index)


@kernel
def multiply(a: Operand, b: Operand, out: Array) -> None:
    """Write a · b."""
    for index in range(out.size):
        out[index] = at(a, index) * at(b, index)


@kernel
def divide(a: Operand, b: Operand, out: Array) -> None:
    """Write a ÷ b; x ÷ 0 is infinite, 0 ÷ 0 NaN."""
    for index in range(out.size):
        out[index] = at(a, index) / at(b, index)


@kernel
def floor_divide(a: Operand, b: Operand, out: Array) -> None:
    """Write the whole number below a ÷ b as Python finds it: from the remainder, so that it is exact."""
    for index in range(out.size):
        x, y = at(a, index), at(b, index)
        if y == 0.0:
            out[index] = x / y
            continue
        rest = np.fmod(x, y)
        whole = (x - rest) / y
        if rest != 0.0 and (y < 0.0) != (rest < 0.0):
            whole -= 1.0
        if whole == 0.0:
            out[index] = math.copysign(0.0, x / y)
            continue
        below = np.floor(whole)
        out[index] = below + 1.0 if whole - below > 0.5 else below


@kernel
def modulo(a: Operand, b: Operand, out: Array) -> None:
    """Write the remainder, which has the sign of b; NaN where there is none."""
    for index in range(out.size):
        x, y = at(a, index), at(b, index)
        if y == 0.0 or x - x != 0.0:
            out[index] = math.nan
            continue
        rest = np.fmod(x, y)
        if rest == 0.0:
            rest = math.copysign(0.0, y)
        elif (y < 0.0) != (rest < 0.0):
            rest += y
        out[index] = rest


@kernel
def maximum(a: Operand, b: Operand, out: Array) -> None:
    """Write the larger one; NaN where a is, b where that is NaN."""
    for index in range(out.size):
        x, y = at(a, index), at(b, index)
        out[index] = x if x >= y or x != x else y


@kernel
def minimum(a: Operand, b: Operand, out: Array) -> None:
    """Write the smaller one; NaN where a is, b where that is NaN."""
    for index in range(out.size):
        x, y = at(a, index), at(b, index)
        out[index] = x if x <= y or x != x else y


@kernel
def negative(a: Operand, out: Array) -> None:
    """Write −a."""
    for index in range(out.size):
        out[index] = -at(a, index)


@kernel
def absolute(a: Operand, out: Array) -> None:
    """Write a without its sign."""
    for index in range(out.size):
        out[index] = abs(at(a, index))


@kernel
def sign(a: Operand, out: Array) -> None:
    """Write 1, 0 or −1; NaN stays."""
    for index in range(out.size):
        x = at(a, index)
        out[index] = x if x != x else (1.0 if x > 0.0 else 0.0) - (1.0 if x < 0.0 else 0.0)


@kernel
def floor(a: Operand, out: Array) -> None:
    """Write the whole number below; zero is never negative, as it is an integer in Python."""
    for index in range(out.size):
        out[index] = np.floor(at(a, index)) + 0.0


@kernel
def ceil(a: Operand, out: Array) -> None:
    """Write the whole number above; zero is never negative, as it is an integer in Python."""
    for index in range(out.size):
        out[index] = np.ceil(at(a, index)) + 0.0


@kernel
def sqrt(a: Operand, out: Array) -> None:
    """Write the square root; NaN below zero."""
    for index in range(out.size):
        out[index] = math.sqrt(at(a, index))


# -- functions of the C library -----------------------------------------------------------------------------------


@kernel
def power(a: Operand, b: Operand, out: Array) -> None:
    """Write a to the power of b; NaN where that is no real number."""
    for index in range(out.size):
        out[index] = math.pow(at(a, index), at(b, index))


@kernel
def exp(a: Operand, out: Array) -> None:
    """Write e to the power of a."""
    for index in range(out.size):
        out[index] = math.exp(at(a, index))


@kernel
def log(a: Operand, out: Array) -> None:
    """Write the natural logarithm; −∞ at zero, NaN below."""
    for index in range(out.size):
        out[index] = math.log(at(a, index))


@kernel
def log1p(a: Operand, out: Array) -> None:
    """Write the natural logarithm of 1 + a; −∞ at −1, NaN below."""
    for index in range(out.size):
        out[index] = math.log1p(at(a, index))


@kernel
def tanh(a: Operand, out: Array) -> None:
    """Write the hyperbolic tangent."""
    for index in range(out.size):
        out[index] = math.tanh(at(a, index))


# -- conditions ---------------------------------------------------------------------------------------------------


@kernel
def greater(a: Operand, b: Operand, out: Array) -> None:
    """Tell where a > b."""
    for index in range(out.size):
        out[index] = at(a, index) > at(b, index)


@kernel
def greater_equal(a: Operand, b: Operand, out: Array) -> None:
    """Tell where a ≥ b."""
    for index in range(out.size):
        out[index] = at(a, index) >= at(b, index)


@kernel
def equal(a: Operand, b: Operand, out: Array) -> None:
    """Tell where both are equal, of numbers or of conditions."""
    for index in range(out.size):
        out[index] = at(a, index) == at(b, index)


@kernel
def not_equal(a: Operand, b: Operand, out: Array) -> None:
    """Tell where both differ, of numbers or of conditions; NaN differs from everything."""
    for index in range(out.size):
        out[index] = at(a, index) != at(b, index)


@kernel
def isnan(a: Operand, out: Array) -> None:
    """Tell where there is no value."""
    for index in range(out.size):
        out[index] = at(a, index) != at(a, index)


@kernel
def truth(a: Operand, out: Array) -> None:
    """Tell where a number is not zero; NaN is not."""
    for index in range(out.size):
        out[index] = at(a, index) != 0.0


@kernel
def both(a: Operand, b: Operand, out: Array) -> None:
    """Tell where two conditions hold."""
    for index in range(out.size):
        out[index] = at(a, index) & at(b, index)


@kernel
def either(a: Operand, b: Operand, out: Array) -> None:
    """Tell where one of two conditions holds."""
    for index in range(out.size):
        out[index] = at(a, index) | at(b, index)


@kernel
def negation(a: Operand, out: Array) -> None:
    """Tell where a condition does not hold."""
    for index in range(out.size):
        out[index] = not at(a, index)


@kernel
def number(a: Operand, out: Array) -> None:
    """Write 1 where a condition holds, else 0."""
    for index in range(out.size):
        out[index] = 1.0 if at(a, index) else 0.0


@kernel
def choose(condition: Operand, a: Operand, b: Operand, out: Array) -> None:
    """Write a where the condition holds, else b; of numbers or of conditions."""
    for index in range(out.size):
        out[index] = at(a, index) if at(condition, index) else at(b, index)


@kernel
def latch(state: Array, enter: Operand, leave: Operand, out: Array) -> None:
    """Hold from when one condition is true until the other one is, which wins; ``state`` is one truth value."""
    held = state[0]
    for index in range(out.size):
        held = (held | at(enter, index)) & (not at(leave, index))
        out[index] = held
    state[0] = held
