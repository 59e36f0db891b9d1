"""How every kernel is compiled; importing this module imports numba.

No fast-math anywhere: a kernel does the same float operations in the same order as its plain-Python twin. Division
follows IEEE 754 (``error_model="numpy"``): nothing is raised.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from lanner.kernels.presence import cache_folder, forget_old, require

require()

import numba  # noqa: E402 - only after the clear message above
from numba import types  # noqa: E402
from numba.extending import overload  # noqa: E402

if "NUMBA_CACHE_DIR" not in os.environ:
    _FOLDER = cache_folder()
    forget_old(_FOLDER)
    numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call; it releases the interpreter lock and is cached on disk."""
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call: without its entry from Python, which takes a third of the time."""
    entries: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(cache=True, nogil=True, error_model="numpy", **entries)(function)


def borrowing(function: Callable[..., Any]) -> Any:
    """Compile as ``inner`` a function that makes no arrays: it does not count who uses those it was lent.

    Counting takes two locked writes for each array that is handed on, more than a small step of a hot loop.
    """
    entries: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    return numba.njit(cache=True, nogil=True, error_model="numpy", **entries)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into its callers: for steps of a hot loop whose many arguments cost more than they do."""
    return numba.njit(inline="always", error_model="numpy")(function)


def order_free(function: Callable[..., Any]) -> Any:
    """Compile a search for a least or greatest value, whose result does not depend on the order of the comparisons.

    LLVM may compare several values at once when it is told that none is NaN; the answer is the same.
    """
    return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})(function)


def stays(weight: Any) -> bool:
    """Tell whether a weight changes nothing: NaN among floats, the word 2 among int8 (a float of 2.0 is a weight)."""
    return bool(weight == 2 if isinstance(weight, int) else weight != weight)


@overload(stays, inline="always")
def _stays_of(weight):  # type: ignore[no-untyped-def]  # numba compares the bare signatures
    if isinstance(weight, types.Integer):
        return lambda weight: weight == 2
    return lambda weight: weight != weight
