"""Columns that several sets of parameters need, kept within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class ColumnCache:
    """Keep columns by node; when there is no more room, the one not asked for the longest goes. Safe in threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._columns: OrderedDict[int, Array] = OrderedDict()
        self._lock = Lock()

    def get(self, node: int) -> Array | None:
        """Return the column of a node, if it is there."""
        with self._lock:
            column = self._columns.get(node)
            if column is not None:
                self._columns.move_to_end(node)
            return column

    def put(self, node: int, column: Array) -> None:
        """Keep a column; one that is larger than the whole room is not."""
        with self._lock:
            if column.nbytes > self.limit or node in self._columns:
                return
            self._columns[node] = column
            self.used += column.nbytes
            while self.used > self.limit:
                _, oldest = self._columns.popitem(last=False)
                self.used -= oldest.nbytes
