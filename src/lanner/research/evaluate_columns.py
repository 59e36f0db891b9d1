"""A program of signals over columns of bars: the weights of one set after the other, what sets share computed once.

Imported only where numba is installed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lanner.research.evaluate import Array, SignalProgram, length
from lanner.research.evaluate_cache import ColumnCache
from lanner.research.evaluate_crossing import Crossing
from lanner.research.evaluate_walk import BLOCK, Walk, dtype_of, write

TILE_BYTES = 16 << 20
"""How much the sets of a tile may share: about what the last cache of a processor holds for one of its cores."""


class SignalColumns:
    """A program over columns of bars. What sets share is kept, up to a number of bytes, the least used goes first.

    Several threads may ask at once. The columns must not be changed meanwhile.
    """

    def __init__(self, program: SignalProgram, bars: Mapping[str, Array], cache_bytes: int) -> None:
        self.program = program
        self.rows = length(bars)
        self._bars = bars
        self._cache = ColumnCache(cache_bytes)
        self._limit = cache_bytes

    def __len__(self) -> int:
        return len(self.program)

    def order(self) -> list[int]:
        """Return an order of the sets in which what they share is computed about once."""
        return self.program.order(min(self._limit, TILE_BYTES) // max(1, 8 * self.rows))

    def weights(self, index: int, out: Array | None = None) -> Array:
        """Return the weight of a set at each bar, NaN during warm-up; a condition gives 1 and 0.

        ``out`` is a float64 array of one value per bar to write them to.
        """
        weights = np.empty(self.rows) if out is None else out
        self._evaluate(index, weights)
        weights[: self.program.warmup(index) - 1] = np.nan
        return weights

    def signals_int8(self, index: int, out: Array | None = None) -> Array:
        """Return a condition at each bar: int8 1 or 0, and 0 during warm-up, when nothing is held either way.

        ``out`` is an int8 array of one value per bar to write them to.
        """
        self.program.check_logical(index)
        signals = np.empty(self.rows, dtype=np.int8) if out is None else out
        self._evaluate(index, signals.view(np.bool_))
        signals[: self.program.warmup(index) - 1] = 0
        return signals

    def _evaluate(self, index: int, out: Array) -> None:
        """Write a set's values; nodes worth keeping that are not there yet are computed along the way."""
        graph, root = self.program.graph, self.program.outputs[index]
        if out.dtype == np.bool_:
            crossing = Crossing.of(graph, root, self._bars)
            if crossing is not None and crossing.move(0, self.rows, out):
                return
        known, missing = self._look_up(root)
        kept = {node: np.empty(self.rows, dtype_of(graph.nodes[node])) for node in missing}
        straight = out.dtype == dtype_of(graph.nodes[root]) and root not in kept
        walk = Walk(graph, [root], self._bars, known, kept | {root: out} if straight else kept)
        piece = self.rows if walk.at_once else BLOCK
        for start in range(0, self.rows, max(1, piece)):
            stop = min(start + piece, self.rows)
            walk.move(start, stop)
            if not (straight and walk.computes(root)):
                write(walk.value(root), out[start:stop])
        for node, column in kept.items():
            self._cache.put(node, column)

    def _look_up(self, root: int) -> tuple[dict[int, Array], set[int]]:
        """Return the kept columns that a node is made of, and the nodes whose columns ought to be kept."""
        nodes, shared = self.program.graph.nodes, self.program.shared()
        known: dict[int, Array] = {}
        missing: set[int] = set()
        seen: set[int] = set()
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in shared:
                column = self._cache.get(node)
                if column is not None:
                    known[node] = column
                    continue
                missing.add(node)
            owner = nodes[node].args[0] if nodes[node].op == "line" else node
            waiting.extend(nodes[owner].args)
        return known, missing
