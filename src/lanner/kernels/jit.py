"""How every kernel is compiled; importing this module imports numba.

No fast-math anywhere: a kernel does the same float operations in the same order as its plain-Python twin. Division
follows IEEE 754 (``error_model="numpy"``): nothing is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanner.kernels.presence import require

require()

import numba  # noqa: E402 - only after the clear message above


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call; it releases the interpreter lock and is cached on disk."""
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
