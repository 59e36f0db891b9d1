"""Which kernel computes which operation of a signal's graph.

Imported only where numba is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from lanner.kernels import elementwise
from lanner.strategy.graph import FUNCTIONS

Array = np.ndarray[Any, np.dtype[Any]]
Operand = Array | float | bool
Operation = Callable[..., None]
"""Called with the operands, arrays or single values, and with the array to write."""

_KERNELS: dict[str, Operation] = {
    "add": elementwise.add,
    "subtract": elementwise.subtract,
    "multiply": elementwise.multiply,
    "divide": elementwise.divide,
    "floor_divide": elementwise.floor_divide,
    "modulo": elementwise.modulo,
    "power": elementwise.power,
    "negative": elementwise.negative,
    "absolute": elementwise.absolute,
    "maximum": elementwise.maximum,
    "minimum": elementwise.minimum,
    "sign": elementwise.sign,
    "log": elementwise.log,
    "log1p": elementwise.log1p,
    "sqrt": elementwise.sqrt,
    "exp": elementwise.exp,
    "tanh": elementwise.tanh,
    "floor": elementwise.floor,
    "ceil": elementwise.ceil,
    "greater": elementwise.greater,
    "greater_equal": elementwise.greater_equal,
    "less": lambda a, b, out: elementwise.greater(b, a, out),
    "less_equal": lambda a, b, out: elementwise.greater_equal(b, a, out),
    "equal": elementwise.equal,
    "not_equal": elementwise.not_equal,
    "and": elementwise.both,
    "or": elementwise.either,
    "not": elementwise.negation,
    "isnan": elementwise.isnan,
    "truth": elementwise.truth,
    "number": elementwise.number,
    "where": elementwise.choose,
}

_OF_THE_C_LIBRARY = ("power", "exp", "log", "log1p", "tanh")
"""What IEEE 754 leaves to the C library: a compiler may bring its own, whose last digits differ."""


@cache
def operation(name: str) -> Operation:
    """Return what computes an operation, bit for bit as the streaming form does."""
    kernel = _KERNELS[name]
    if name in _OF_THE_C_LIBRARY and not agrees(name, kernel):
        return one_by_one(FUNCTIONS[name])
    return kernel


def agrees(name: str, kernel: Operation) -> bool:
    """Tell whether a kernel gives the bits of the streaming form on a few thousand samples."""
    rng = np.random.default_rng(5)
    samples = [rng.normal(size=4096) * np.exp(rng.normal(size=4096)) for _ in range(2)]
    if name != "exp" and name != "tanh":
        samples[0] = np.abs(samples[0])
    operands = samples[: 2 if name == "power" else 1]
    ours, theirs = np.empty(4096), np.empty(4096)
    kernel(*operands, ours)
    one_by_one(FUNCTIONS[name])(*operands, theirs)
    return ours.tobytes() == theirs.tobytes()


def one_by_one(function: Callable[..., float]) -> Operation:
    """Return an operation that calls a Python function for each row."""

    def run(*arrays: Any) -> None:
        *operands, out = arrays
        columns = [item.tolist() if isinstance(item, np.ndarray) else repeat(item) for item in operands]
        for index, values in enumerate(zip(*columns, strict=False)):  # single values repeat without end
            out[index] = function(*values)

    return run
