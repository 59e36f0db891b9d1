"""Whether kernels can run here: numba is an optional part of Lanner."""

from __future__ import annotations

import importlib.util
from functools import cache

from lanner.core.errors import LannerError


@cache
def available() -> bool:
    """Tell whether numba is installed; it is not imported for that."""
    return importlib.util.find_spec("numba") is not None


def require(what: str = "compiled kernels") -> None:
    """Raise a LannerError that says how to install numba when it is missing."""
    if not available():
        raise LannerError(
            f"{what} need numba, which is not installed",
            expected="the optional part 'research'",
            fix="Run: pip install 'lanner[research]'",
        )
