"""Signals over whole columns: many combinations of parameters in one graph, computed by kernels.

The streaming form, ``lanner.signal_array``, is the judge: every weight has its bits. What combinations have in common
is computed once; long data is taken piece by piece, so that everything between stays in the processor's cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.core.errors import ConfigError, LannerError
from lanner.indicators.arrays import as_input
from lanner.indicators.base import NAN, check_columns
from lanner.kernels import require
from lanner.strategy.base import Strategy
from lanner.strategy.graph import Graph
from lanner.strategy.vector import SignalStrategy

if TYPE_CHECKING:
    from lanner.research.evaluate_columns import SignalColumns
    from lanner.research.evaluate_crossing import Crossing

Array = np.ndarray[Any, np.dtype[Any]]

CACHE_BYTES = 512 << 20


class SignalProgram:
    """A signal function with many sets of parameters, built into one graph in which equal parts are one node.

    Sets are known by their place in ``sets``. The program itself never changes: any number of threads may use it.
    """

    def __init__(
        self, strategy: type[Strategy], sets: Sequence[Mapping[str, object]] = ({},), *, lenient: bool = False
    ) -> None:
        """Build every set; what a set is refused for is raised, or, if ``lenient``, kept in ``refused``.

        A set that was refused wants nothing: its weights are NaN.
        """
        require("signals over whole columns")
        if not issubclass(strategy, SignalStrategy):
            raise ConfigError(
                "not a signal", expected="a function under @lanner.signal", found=strategy.__name__
            )
        self.strategy = strategy
        self.sets = [dict(values) for values in sets]
        self.graph = Graph()
        self.outputs: list[int] = []
        self.refused: dict[int, LannerError] = {}
        known = strategy.parameters()
        for index, values in enumerate(self.sets):
            try:
                self.outputs.append(strategy.node_of(self.graph, values, known))
            except LannerError as error:
                if not lenient:
                    raise
                self.refused[index] = error
                self.outputs.append(self.graph.constant(NAN))
        self._kept: frozenset[int] | None = None

    def __len__(self) -> int:
        return len(self.outputs)

    def warmup(self, index: int) -> int:
        """Return the number of bars after which a set has its first weight."""
        return max(1, self.graph.nodes[self.outputs[index]].warmup)

    def logical(self, index: int) -> bool:
        """Tell whether a set gives a condition, long or flat, and not a weight."""
        return self.graph.nodes[self.outputs[index]].logical

    def shared(self) -> frozenset[int]:
        """Return the nodes worth keeping: those of several sets that no larger common part stands for."""
        if self._kept is None:
            self._kept = self._find_shared()
        return self._kept

    def order(self, room: int | None = None) -> list[int]:
        """Return an order of the sets in which those that share nodes follow each other; refused ones are left out.

        ``room`` is how many nodes can be kept at a time; with less than there are, the sets are taken in tiles, so
        that the nodes of a tile stay.
        """
        shared, needed = self.shared(), self.graph.needed
        users = Counter(node for output in self.outputs for node in needed(output) & shared)
        keys = {  # the nodes of the most sets first: they change least often
            index: tuple(sorted(needed(output) & shared, key=lambda node: (-users[node], node)))
            for index, output in enumerate(self.outputs)
            if index not in self.refused
        }
        tile = max(1, (len(users) if room is None else room) // 2)
        last = {node: number for number, node in enumerate(sorted({key[-1] for key in keys.values() if key}))}
        return sorted(
            keys, key=lambda index: (last[keys[index][-1]] // tile if keys[index] else -1, keys[index])
        )

    def columns(self, columns: Mapping[str, Any] | Any, cache_bytes: int = CACHE_BYTES) -> SignalColumns:
        """Return the program over columns of bars, ready to give the weights of one set after the other.

        ``columns`` (numpy arrays or a polars DataFrame) holds those the signal uses; what is missing reads as NaN.
        """
        from lanner.research.evaluate_columns import SignalColumns

        return SignalColumns(self, bar_columns(columns), cache_bytes)

    def blocks(
        self, index: int, columns: Mapping[str, Any] | Any, block: int = 16384
    ) -> Iterator[tuple[int, int, Array]]:
        """Give the weights of one set piece by piece: start, stop, and float64 weights until the next piece.

        The array is used again for the next piece; copy what is to stay.
        """
        from lanner.research.evaluate_walk import write

        weights = np.empty(max(block, 0))
        for start, stop, (value,) in self._pieces([index], columns, block):
            piece = weights[: stop - start]
            write(value, piece)
            piece[: max(0, self.warmup(index) - 1 - start)] = np.nan
            yield start, stop, piece

    def blocks_int8(
        self, indices: Sequence[int], columns: Mapping[str, Any] | Any, block: int = 8192
    ) -> Iterator[tuple[int, int, list[Array]]]:
        """Give the conditions of several sets piece by piece: start, stop, and per set int8 1 or 0 (warm-up: 0).

        What the sets share is computed once per piece. The arrays are used again; copy what is to stay.
        """
        for index in indices:
            self.check_logical(index)
        done = 0
        if len(indices) == 1:
            for start, stop, piece in self._crossing(indices[0], columns, block):
                yield start, stop, [piece]
                done = stop
            if done and done == length(bar_columns(columns)):
                return
        heads = [self.warmup(index) - 1 for index in indices]
        rooms: dict[int, Array] = {}
        for start, stop, values in self._pieces(indices, columns, block):
            if stop <= done:
                continue
            for place, head in enumerate(heads):
                value = values[place]
                if head > start or not isinstance(value, np.ndarray):
                    room = rooms.setdefault(place, np.empty(block, dtype=np.bool_))[: stop - start]
                    room[...] = value
                    room[: max(0, head - start)] = False
                    values[place] = room
            yield start, stop, [value.view(np.int8) for value in values]

    def crossing(self, index: int, bars: Mapping[str, Array]) -> Crossing | None:
        """Return a set as a comparison of averages, None if it is something else."""
        from lanner.research.evaluate_crossing import Crossing

        return Crossing.of(self.graph, self.outputs[index], bars)

    def _crossing(
        self, index: int, columns: Mapping[str, Any] | Any, block: int
    ) -> Iterator[tuple[int, int, Array]]:
        """Give the pieces of a comparison of averages, as far as there are no gaps; nothing for other signals."""
        bars = bar_columns(columns)
        crossing = self.crossing(index, bars)
        rows = length(bars)
        if crossing is None or block < 1:
            return
        out = np.empty(min(rows, block), np.bool_)
        for start in range(0, rows, block):
            stop = min(start + block, rows)
            if not crossing.move(start, stop, out):
                return
            yield start, stop, out[: stop - start].view(np.int8)

    def _pieces(
        self, indices: Sequence[int], columns: Mapping[str, Any] | Any, block: int
    ) -> Iterator[tuple[int, int, list[Any]]]:
        from lanner.research.evaluate_walk import Walk

        if block < 1:
            raise ConfigError("bad number of bars in a piece", expected="at least 1", found=block)
        bars = bar_columns(columns)
        roots = [self.outputs[index] for index in indices]
        rows = length(bars)
        walk = Walk(self.graph, roots, bars, block=min(block, max(rows, 1)))
        for start in range(0, rows, block):
            stop = min(start + block, rows)
            walk.move(start, stop)
            yield start, stop, [walk.value(root) for root in roots]

    def check_logical(self, index: int) -> None:
        """Refuse a set that gives weights where a condition is needed."""
        if not self.logical(index):
            raise ConfigError(
                "the signal gives numbers, which are not 0 or 1",
                expected="a condition, e.g. bars.close > bars.close.sma(20)",
                fix="Take its weights.",
            )

    def _find_shared(self) -> frozenset[int]:
        users: Counter[int] = Counter()
        for output in self.outputs:
            users.update(self.graph.needed(output))
        largest: Counter[int] = Counter()  # the most sets that one node made of this one is in
        for node, count in users.items():
            for arg in self.graph.nodes[node].args:
                largest[arg] = max(largest[arg], count)
        return frozenset(
            node
            for node, count in users.items()
            if count > max(1, largest[node]) and self.graph.nodes[node].op not in ("field", "constant")
        )


def bar_columns(columns: Mapping[str, Any] | Any) -> dict[str, Array]:
    """Return the columns of bars among some, as kernels take them."""
    names = list(columns.columns) if hasattr(columns, "columns") else list(columns)
    found = {name: np.asarray(columns[name]) for name in names}
    return {name: as_input(name, found[name]) for name in check_columns(found)}


def length(bars: Mapping[str, Array]) -> int:
    """Return the number of bars."""
    return len(next(iter(bars.values())))
