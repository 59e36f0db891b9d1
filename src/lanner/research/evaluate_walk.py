"""Nodes of a signal's graph computed over columns, a piece at a time, so that all between stays in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from lanner.indicators.arrays import runner
from lanner.kernels import elementwise
from lanner.research.evaluate_operations import Array, operation
from lanner.strategy.graph import Graph, Latch, Node

BLOCK = 8192
"""How many rows a piece has: with four columns and their like it fits the second cache of a processor core."""

Key = int | str | tuple[str, int, str]
"""What a slot holds: a node, a column of the bars, or something between."""


class Walk:
    """Go along columns and compute some nodes; carries the state of every indicator from piece to piece.

    ``known`` are whole columns of nodes that were computed before, ``kept`` whole columns to be written. Everything
    else lives in buffers of one piece, which are used again as soon as nobody needs them.
    """

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[int],
        columns: Mapping[str, Array],
        known: Mapping[int, Array] | None = None,
        kept: Mapping[int, Array] | None = None,
        block: int = BLOCK,
    ) -> None:
        self._graph = graph
        self._known = known or {}
        self._kept = kept or {}
        self._block = block
        self._filled = -1  # rows of the buffers that lie in the slots
        self._steps: list[tuple[Callable[..., None], list[Key], list[Key]]] = []
        self._write(roots)
        self._lay_out(roots, columns)

    def move(self, start: int, stop: int) -> None:
        """Compute the rows from ``start``, where the last piece ended, up to ``stop``."""
        slots, count = self._slots, stop - start
        for place, column in self._slices:
            slots[place] = column[start:stop]
        if count != self._filled:
            self._filled = count
            for place, buffer in self._buffers:
                slots[place] = buffer[:count]
        for function, places in self._bound:
            function(*[slots[place] for place in places])

    def value(self, root: int) -> Any:
        """Return the piece of a root: an array that the next piece overwrites, or one value for all rows."""
        return self._slots[self._places[root]]

    def computes(self, root: int) -> bool:
        """Tell whether a root is computed here; otherwise it is a column, or one value for all rows."""
        return any(root in outs for _, _, outs in self._steps)

    @property
    def at_once(self) -> bool:
        """Tell whether nothing is gained by pieces: one step from whole columns to a whole column."""
        return len(self._steps) == 1 and not self._buffers

    # -- what is to be done ----------------------------------------------------------------------------

    def _write(self, roots: Sequence[int]) -> None:
        nodes, known = self._graph.nodes, self._known
        wanted: set[int] = set()
        producers: set[int] = set()
        waiting = list(roots)
        while waiting:
            index = waiting.pop()
            if index in wanted:
                continue
            wanted.add(index)
            node = nodes[index]
            if index in known or node.op in ("constant", "field"):
                continue
            owner = node.args[0] if node.op == "line" else index
            if owner not in producers:
                producers.add(owner)
                waiting.extend(nodes[owner].args)
        lines = {
            (nodes[index].args[0], nodes[index].detail[0]): index
            for index in wanted
            if nodes[index].op == "line"
        }
        for index in sorted(producers):
            node = nodes[index]
            if node.op != "indicator" or node.detail[0] is Latch:
                self._write_operation(index, node)
            else:
                outs = {name: line for (owner, name), line in lines.items() if owner == index}
                self._write_indicator(index, node, outs, index in wanted)

    def _write_operation(self, index: int, node: Node) -> None:
        if node.op == "indicator":
            function: Callable[..., None] = partial(elementwise.latch, np.zeros(1, dtype=np.bool_))
        else:
            function = operation(node.op)
        self._steps.append((function, [self._key(arg) for arg in node.args], [index]))

    def _write_indicator(self, index: int, node: Node, outs: dict[str, int], itself: bool) -> None:
        """Write the step of an indicator; ``outs`` are the nodes of its lines, it is the first line ``itself``."""
        made = runner(*node.detail)
        if itself:
            outs[made.lines[0]] = index
        ins: list[Key] = [self._filled_key(arg) for arg in node.args] or list(made.fields)
        writes: list[Key] = []
        for name in made.lines:
            out = outs.get(name)
            writes.append(("unused", index, name) if out is None else out)
        count = len(ins)
        run = made.run
        self._steps.append((lambda *arrays: run(arrays[:count], arrays[count:]), ins, writes))

    def _key(self, index: int) -> Key:
        node = self._graph.nodes[index]
        return str(node.detail[0]) if node.op == "field" else index

    def _filled_key(self, index: int) -> Key:
        """Return the key of a column for an indicator, which takes no single values."""
        node = self._graph.nodes[index]
        if node.op != "constant":
            return self._key(index)
        key = ("filled", index, "")
        self._steps.append((lambda out: out.fill(node.detail[0]), [], [key]))
        return key

    # -- where everything lies -------------------------------------------------------------------------

    def _lay_out(self, roots: Sequence[int], columns: Mapping[str, Array]) -> None:
        """Give every key its slot, and those that are computed a buffer, or their whole column."""
        self._places: dict[Key, int] = {}
        self._slots: list[Any] = []
        self._slices: list[tuple[int, Array]] = []
        self._buffers: list[tuple[int, Array]] = []
        last = {key: number for number, (_, ins, outs) in enumerate(self._steps) for key in (*ins, *outs)}
        for root in roots:
            last[self._key(root)] = len(self._steps)
        free: dict[np.dtype[Any], list[Array]] = {np.dtype(np.float64): [], np.dtype(np.bool_): []}
        owned: dict[Key, Array] = {}
        self._bound: list[tuple[Callable[..., None], list[int]]] = []
        for number, (function, ins, outs) in enumerate(self._steps):
            for key in ins:
                self._source(key, columns)
            for key in outs:
                owned |= self._target(key, free)
            self._bound.append((function, [self._places[key] for key in (*ins, *outs)]))
            for key in {*ins, *outs}:
                if last[key] == number and key in owned:
                    buffer = owned.pop(key)
                    free[buffer.dtype].append(buffer)
        for root in roots:
            key = self._key(root)
            self._source(key, columns)
            self._places[root] = self._places[key]

    def _source(self, key: Key, columns: Mapping[str, Array]) -> None:
        if key in self._places:
            return
        if isinstance(key, str) and key not in columns:
            nothing = np.zeros(self._block, np.int64) if key == "ts_open" else np.full(self._block, np.nan)
            self._buffers.append((self._new_place(key), nothing))
        elif isinstance(key, str):
            self._slices.append((self._new_place(key), columns[key]))
        elif isinstance(key, int) and key in self._known:
            self._slices.append((self._new_place(key), self._known[key]))
        elif isinstance(key, int):
            self._slots[self._new_place(key)] = self._graph.nodes[key].detail[0]

    def _target(self, key: Key, free: dict[np.dtype[Any], list[Array]]) -> dict[Key, Array]:
        """Find room for what a step writes; return the buffer that can be used again."""
        place = self._new_place(key)
        if isinstance(key, int) and key in self._kept:
            self._slices.append((place, self._kept[key]))
            return {}
        kind = dtype_of(self._graph.nodes[key]) if isinstance(key, int) else np.dtype(np.float64)
        buffer = free[kind].pop() if free[kind] else np.empty(self._block, kind)
        self._buffers.append((place, buffer))
        return {key: buffer}

    def _new_place(self, key: Key) -> int:
        place = self._places[key] = len(self._slots)
        self._slots.append(None)
        return place


def dtype_of(node: Node) -> np.dtype[Any]:
    """Return what a node's column is made of: truth values or numbers."""
    return np.dtype(np.bool_ if node.logical else np.float64)


def write(value: Array | float | bool, out: Array) -> None:
    """Write a column, or one value for all rows, as what is asked for: weights or truth values."""
    if isinstance(value, np.ndarray) and value.dtype != out.dtype:
        elementwise.number(value, out)
    else:
        out[...] = value
