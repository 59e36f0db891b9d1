"""Many variants of a comparison of averages in one call; what it leaves undone is played one after the other.

Imported only where numba is installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanner.indicators.arrays import as_input
from lanner.kernels.account import VOLUME
from lanner.kernels.crossing import working_memory
from lanner.kernels.curve import CURVE
from lanner.kernels.many import CHANGES, FIELDS, GROUP, TABLE, play_many, price_table
from lanner.kernels.plain import ROOM
from lanner.kernels.statistics import STATISTICS
from lanner.research.evaluate import SignalProgram
from lanner.research.evaluate_crossing import averages
from lanner.research.market import Floats, Ints, Market

Record = Any  # a row of a structured array

LONGEST_MARKET = 1 << 20
"""The most bars: the table of prices takes 32 bytes of each."""


class ManyPlayer:
    """Play the comparisons among the variants of a search, some at a time; keep one per thread."""

    def __init__(self, market: Market, rules: Record, spans: Ints, edges: Ints) -> None:
        self.market, self.rules, self.spans, self.edges = market, rules, spans, edges
        guarded = any(rules[name] > 0 for name in ("stop_num", "take_num", "trail", "stop_px", "take_px"))
        self.suits = not (
            guarded
            or market.funding.bar.size
            or rules["slippage"] == VOLUME
            or rules["taker_den"] != 1
            or len(market) > LONGEST_MARKET
        )
        self._table: Floats | None = None

    def play(
        self, program: SignalProgram, columns: Mapping[str, NDArray[Any]], lead: int
    ) -> tuple[list[int], Floats, Floats]:
        """Return the places of a program's sets that could be played, and their sums and blocks.

        ``lead`` rows of the columns lie before the market.
        """
        blocks = len(self.edges) + 1
        nothing: tuple[list[int], Floats, Floats] = (
            [], np.zeros((0, len(self.spans), len(STATISTICS))), np.zeros((0, blocks, 3)),
        )  # fmt: skip
        if not self.suits:
            return nothing
        places, lengths, name = _comparisons(program, columns)
        if len(places) < 2 or not self._prepare():
            return nothing
        raw, found = np.zeros((len(places), *nothing[1].shape[1:])), np.zeros((len(places), blocks, 3))
        played = np.zeros(len(places), np.int64)
        curves = np.zeros(2, CURVE)
        most = min(CHANGES, len(self.market) + 64)
        went = play_many(
            self.rules, curves, lengths, as_input(name, columns[name]), lead, self.market.input("close"),
            self._table, self.spans, self.edges, working_memory(int(lengths.max()), 64),
            np.zeros((GROUP, most), np.int32), np.zeros((5, GROUP), np.int64), np.zeros((GROUP, FIELDS), np.int64),
            np.zeros((GROUP, 3)), np.zeros((GROUP, most + 2, 3), np.int64), np.zeros(ROOM + 3), raw, found, played,
        )  # fmt: skip
        if not went:
            return nothing
        good = np.flatnonzero(played).tolist()
        return [places[index] for index in good], raw[good], found[good]

    def _prepare(self) -> bool:
        """Make the table of prices, once; False where it cannot be exact."""
        if self._table is None:
            self._table = np.empty(len(self.market) * TABLE)
            opens, close = self.market.input("open"), self.market.input("close")
            self.suits = bool(price_table(self.rules, opens, close, self._table))
        return self.suits


def _comparisons(
    program: SignalProgram, columns: Mapping[str, NDArray[Any]]
) -> tuple[Sequence[int], Ints, str]:
    """Return the sets that compare averages of one column, their lengths, and the column that most compare."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for place, output in enumerate(program.outputs):
        made = None if place in program.refused else averages(program.graph, output, columns)
        if made is not None:
            found.setdefault(made[0], []).append((place, made[1], made[2]))
    if not found:
        return [], np.zeros((0, 2), np.int64), ""
    name = max(found, key=lambda key: len(found[key]))
    rows = np.array(found[name], np.int64)
    return [int(place) for place in rows[:, 0]], np.ascontiguousarray(rows[:, 1:]), name
