"""Comparisons of simple averages, the commonest of all signals: answered without computing the averages.

The truth values are those of the averages as defined, bit for bit; ``kernels.crossing`` tells why.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lanner.indicators.arrays import as_input
from lanner.indicators.moving import SMA
from lanner.research.evaluate_operations import Array
from lanner.strategy.graph import Graph

LONGEST = 4096
"""The longest average: of longer ones the same rows would be looked at again and again."""


class Crossing:
    """Whether one average of a column, or the column itself, is above another; rows are taken in order, from 0 on."""

    def __init__(self, column: Array, one: int, two: int) -> None:
        from lanner.kernels.crossing import working_memory

        self.column, self.lengths = as_input("", column), (one, two)
        self.room = working_memory(one, two)

    @classmethod
    def of(
        cls, graph: Graph, root: int, columns: Mapping[str, Array], longest: int = LONGEST
    ) -> Crossing | None:
        """Return the comparison that a node stands for, None if it is another kind or its averages are too long."""
        found = averages(graph, root, columns, longest)
        return None if found is None else cls(columns[found[0]], *found[1:])

    def move(self, start: int, stop: int, out: Array) -> bool:
        """Write the truth values of the next rows; False where the values have a gap, then all is to be computed."""
        from lanner.kernels.crossing import above

        return bool(above(self.column, *self.lengths, start, stop, self.room, out.view(np.int8)))


def averages(
    graph: Graph, root: int, columns: Mapping[str, Array], longest: int = LONGEST
) -> tuple[str, int, int] | None:
    """Return the column and the lengths of the two averages that a node compares; None for another kind."""
    node = graph.nodes[root]
    if node.op not in ("greater", "less"):
        return None
    args = node.args if node.op == "greater" else node.args[::-1]
    left, right = (_average(graph, arg) for arg in args)
    if left is None or right is None or left[0] != right[0]:
        return None
    (name, one), (_, two) = left, right
    if not 0 < max(one, two) <= longest or name not in columns or columns[name].dtype != np.float64:
        return None
    return name, one, two


def _average(graph: Graph, index: int) -> tuple[str, int] | None:
    """Return the field and the length of a simple average; 0 for the field itself."""
    node = graph.nodes[index]
    if node.op == "field":
        return str(node.detail[0]), 0
    if node.op != "indicator" or node.detail[0] is not SMA or len(node.args) != 1:
        return None
    source = graph.nodes[node.args[0]]
    if source.op != "field":
        return None
    return str(source.detail[0]), int(node.detail[1][0])
