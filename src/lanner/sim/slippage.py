"""What a taker pays beyond the price he saw."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from lanner.sim.settings import Slippage, SlippageModel


def slipped(px: int, side: int, slippage: Slippage, lots: int, volume_lots: int) -> int:
    """Return the price in ticks after slippage, rounded against the taker, never below one tick.

    VOLUME moves the price by value · √(order quantity / bar volume) (the square-root impact law; see
    Tóth et al., Physical Review X 1, 021006, 2011); an unknown volume counts as the order's own size.
    """
    if slippage.model is SlippageModel.NONE or not slippage.value:
        return px
    if slippage.model is SlippageModel.TICKS:
        return max(1, px + side * int(slippage.value.to_integral_value(ROUND_CEILING)))
    if slippage.model is SlippageModel.BPS:
        fraction = slippage.value / 10_000
    else:
        fraction = slippage.value * Decimal(repr(math.sqrt(lots / max(volume_lots, lots, 1))))
    moved = px * (1 + side * fraction)
    return max(1, int(moved.to_integral_value(ROUND_CEILING if side > 0 else ROUND_FLOOR)))
