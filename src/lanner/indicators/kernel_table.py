"""Which kernel computes which indicator: columns it reads, the compiled function, and its fresh state.

Imported only where numba is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanner.indicators.moving import EMA, RMA, SMA
from lanner.kernels import moving

Made = tuple[tuple[str, ...], Callable[..., None], Any]
X = ("x",)

KERNELS: dict[type[Any], Callable[[Any], Made]] = {
    SMA: lambda i: (X, moving.sma, moving.sma_state(i.period)),
    EMA: lambda i: (X, moving.ema, moving.ema_state(i.period, i.alpha)),
    RMA: lambda i: (X, moving.ema, moving.ema_state(i.period, i.alpha)),
}
"""By exact class: a subclass may compute something else, so it is streamed."""
