"""The quick way for whole positions without brackets; what it leaves undone is played by the full kernels.

Imported only where numba is installed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanner.kernels.account import VOLUME
from lanner.kernels.plain import CHUNK, ROOM, play_entries, play_weights
from lanner.kernels.spans import play_spans
from lanner.research.evaluate_crossing import Crossing
from lanner.research.market import Floats, Ints, Market

Record = Any  # a row of a structured array

_NO_INTS = np.zeros(0, np.int64)


class PlainPlayer:
    """The working memory of ``kernels.plain`` for one market and its rules; keep one per thread."""

    def __init__(self, market: Market, rules: Record) -> None:
        self.market, self.rules = market, rules
        guarded = any(rules[name] > 0 for name in ("stop_num", "take_num", "trail", "stop_px", "take_px"))
        self.suits = not (guarded or market.funding.bar.size or rules["slippage"] == VOLUME)
        """Whether anything can be played this way."""
        self._open, self._close = market.input("open"), market.input("close")
        self._sums, self._changes = np.zeros(ROOM + 3), np.zeros(CHUNK + 8, np.int64)

    def weights(
        self, book: Record, queue: NDArray[Any], curve: Record, blocks: Floats, edges: Ints, start: int, stop: int,
        weights: NDArray[Any], out: Floats,
    ) -> int:  # fmt: skip
        """Play bars [start, stop) of int8 weights as far as it goes; return the first bar that is left."""
        if not (self.suits and weights.dtype == np.int8 and weights.flags.c_contiguous and start < stop):
            return start
        words, tail = words_of(weights)
        return int(
            play_weights(
                self.rules, book, queue, curve, blocks, edges, start, stop, self._open, self._close, words,
                tail, out, self._sums, self._changes,
            )
        )  # fmt: skip

    def crossing(
        self, book: Record, queue: NDArray[Any], curve: Record, blocks: Floats, edges: Ints, crossing: Crossing,
        out: Floats,
    ) -> int:  # fmt: skip
        """Decide and play from the first bar as far as it goes; return the first bar that is left."""
        from lanner.kernels.plain_crossing import play_crossing

        if not self.suits:
            return 0
        return int(
            play_crossing(
                self.rules, book, queue, curve, blocks, edges, crossing.column, *crossing.lengths, crossing.room,
                self._open, self._close, out, self._sums,
                np.empty(CHUNK + 64, np.int64), self._changes,
            )
        )  # fmt: skip

    def spans(
        self, books: NDArray[Any], curves: NDArray[Any], queue: NDArray[Any], blocks: Floats, edges: Ints, spans: Ints,
        weights: NDArray[Any], out: Floats,
    ) -> bool:  # fmt: skip
        """Play every span as ``kernels.spans.simulate_spans`` does; tell whether it went."""
        if not (self.suits and weights.dtype == np.int8):
            return False
        words, tail = words_of(weights)
        return bool(
            play_spans(
                self.rules, books, curves, queue, blocks, edges, spans, self._open, self._close, words, tail,
                self._sums, self._changes, out,
            )
        )  # fmt: skip

    def entries(
        self, book: Record, queue: NDArray[Any], curve: Record, blocks: Floats, signals: list[NDArray[np.bool_] | None],
        share: float, out: Floats,
    ) -> int:  # fmt: skip
        """Play entries, exits, short entries and short exits as far as it goes; return the first bar that is left."""
        if not self.suits:
            return 0
        views = [words_of(one.view(np.int8)) if one is not None else (_NO_INTS, 0) for one in signals]
        return int(
            play_entries(
                self.rules, book, queue, curve, blocks, _NO_INTS, 0, len(self.market), self._open, self._close,
                tuple(words for words, _ in views), np.array([tail for _, tail in views], np.int64), share, out,
                self._sums, self._changes,
            )
        )  # fmt: skip


def words_of(weights: NDArray[np.int8]) -> tuple[Ints, int]:
    """Return a column of bytes as int64, eight bars each, and what is left as one more, filled up with zeros."""
    whole = len(weights) // 8 * 8
    tail = np.zeros(8, np.int8)
    tail[: len(weights) - whole] = weights[whole:]
    if weights.ctypes.data % 8 or not weights.flags.carray:
        weights = weights.copy()
    return weights[:whole].view(np.int64), int(tail.view(np.int64)[0])
