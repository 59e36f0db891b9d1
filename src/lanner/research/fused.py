"""Signal and account in one pass: each piece of bars is decided and played while it lies in the processor's cache.

Fills and equity are those of ``Simulator.run`` over ``SignalColumns.signals_int8``, bit for bit; statistics differ in
their last digits, because sums are added up piece by piece. What is saved is the way to memory and back for everything
between the prices and the result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lanner.research.buffers import CURVES
from lanner.research.evaluate import SignalProgram, bar_columns
from lanner.research.market import Market
from lanner.research.simulate import QUEUE, Record, Simulated, check_fault
from lanner.sim.settings import SlippageModel

PIECE = 65_536
"""Bars that are played at a time; a call of the kernel costs about as much as it takes for a thousand of them."""


def play_fused(
    program: SignalProgram, index: int, market: Market, rules: Record, *, equity: bool = True, sums: int = 2
) -> Simulated:
    """Play one set of a program over a market, piece by piece.

    ``equity`` asks for the curve, one value per bar; ``sums`` is 0 for no statistics, 1 for returns and drawdown, 2
    for losses too. The result has no logs of orders and fills. Raises ``ConfigError`` for a signal that gives numbers.
    """
    from lanner.kernels.account import BOOK, ENTRY, FILL, ORDER
    from lanner.kernels.curve import CURVE
    from lanner.kernels.curve import PIECE as SCRATCH
    from lanner.research.plain import PlainPlayer

    rows, funding = len(market), market.funding
    book, curve, queue = np.zeros(1, BOOK), np.zeros(1, CURVE), np.zeros(QUEUE, ENTRY)
    for name in ("stop_order", "take_order", "trail_order"):
        book[name] = -1
    curve["sums"] = sums
    state, sum_state = book[0], curve[0]
    out = CURVES.floats(rows if equity else 0)
    signals = np.empty(rows // 8 * 8 + 8, np.int8)
    signals[rows:] = 0
    words = signals.view(np.int64)
    blocks, edges, scratch = np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros((2, SCRATCH + 1))
    volume, plain = _volume(market, rules), PlainPlayer(market, rules)
    program.check_logical(index)
    done, crossing = 0, program.crossing(index, bar_columns(market.columns))
    if crossing is not None:
        done = plain.crossing(state, queue, sum_state, blocks, edges, crossing, out)
    pieces = program.blocks_int8([index], market.columns, PIECE) if done < rows else ()
    for begin, stop, (piece,) in pieces:
        if stop <= done:
            continue
        signals[begin:stop], start = piece, max(begin, done)
        left = plain.weights(state, queue, sum_state, blocks, edges, start, stop, signals, out)
        if left == stop:
            continue
        from lanner.kernels.portfolio import simulate

        first = int(np.searchsorted(funding.bar, left))
        simulate(
            rules, state, queue, None, None, sum_state, blocks, edges, left, stop,
            market.ticks, market.input("close"), volume, signals, words,
            funding.bar[first:], funding.at_end[first:], funding.rate[first:], out, scratch,
        )  # fmt: skip
    check_fault(int(state["fault"]), market)
    return Simulated(
        market, state.copy(), sum_state.copy(), np.zeros(0, ORDER), np.zeros(0, FILL), out, np.zeros((0, 3))
    )


def _volume(market: Market, rules: Record) -> NDArray[np.int64] | None:
    """Return the bars' volume where slippage depends on it; without it the kernel is the one of sweeps."""
    by_volume = int(rules["slippage"]) == list(SlippageModel).index(SlippageModel.VOLUME)
    return market.volume_lots if by_volume else None
