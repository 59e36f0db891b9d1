"""Play a trigger strategy in jumps: its conditions are computed over columns, the engine hears of the rest only.

``tests/property/test_tier_triggers.py`` plays random strategies with and without jumps and compares all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lanner.backtest.run import OnProgress, run_backtest
from lanner.backtest.tier_columns import ColumnBatch, Ints
from lanner.backtest.tiers import Jumps, market_stream, refuse_jumps, why_no_jumps
from lanner.kernels import require
from lanner.research.evaluate_walk import BLOCK, Walk, write
from lanner.strategy.triggers import Declared, TriggerStrategy

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.backtest.spec import BacktestSpec

Array = NDArray[Any]
_WHOLE = ("ts_open",)


def run_triggers(spec: BacktestSpec, progress: OnProgress | None = None) -> BacktestResult:
    """Run a backtest of a trigger strategy in jumps; raise ``ConfigError`` where that is not possible."""
    require("the trigger tier")
    reason = why_not_triggers(spec)
    if reason:
        raise refuse_jumps("triggers", reason)
    strategy = spec.strategies[0].strategy
    assert isinstance(strategy, TriggerStrategy)
    forecast = TriggerForecast(strategy)
    strategy.known = forecast
    try:
        return run_backtest(spec, progress, Jumps(forecast))
    finally:
        strategy.known = None


def why_not_triggers(spec: BacktestSpec) -> str:
    """Return why a run cannot be played in jumps, or an empty text."""
    strategy = spec.strategies[0].strategy if spec.strategies else None
    if not isinstance(strategy, TriggerStrategy):
        return "its strategy is not a lanner.TriggerStrategy"
    own = ("on_bar", "on_quote", "on_trade", "on_book", "on_funding")
    for handler in own:
        if getattr(type(strategy), handler) is not getattr(TriggerStrategy, handler):
            return f"the strategy has an {handler} of its own"
    reason = why_no_jumps(spec)
    if reason:
        return reason
    stream = market_stream(spec)
    wanted = ("quotes", "") if strategy.on == "quotes" else ("bars", strategy.timeframe)
    if (stream.kind, stream.spec if stream.kind == "bars" else "") != wanted:
        return f"the data are not the strategy's {wanted[1] or wanted[0]}"
    return ""


class TriggerForecast:
    """Compute conditions and numbers of a strategy over the columns of one batch after the other."""

    def __init__(self, strategy: TriggerStrategy) -> None:
        self._strategy = strategy
        self._declared: Declared = strategy.declared()
        self._conditions = list(self._declared.conditions.items())
        self._numbers = list(self._declared.numbers.items())
        self._fields = sorted(
            {
                str(node.detail[0])
                for index in self._needed()
                for node in [self._declared.graph.nodes[index]]
                if node.op == "field"
            }
            | self._read_by_indicators()
        )
        self._inputs = {
            name: np.zeros(BLOCK, np.int64 if name in _WHOLE else np.float64) for name in self._fields
        }
        roots = [node for _, node in (*self._conditions, *self._numbers)]
        self._walk = Walk(self._declared.graph, roots, self._inputs, block=BLOCK)
        self._held = np.zeros((len(self._conditions), 0), np.uint8)
        self._values = np.zeros((len(self._numbers), 0))
        self._rows = np.zeros(0, np.int64)
        self._seen = 0
        self._row = 0

    @property
    def keeps_bars(self) -> bool:
        """Tell whether the strategy may look back at bars it was not told of."""
        return self._strategy.keeps_bars

    def rows(self, batch: ColumnBatch) -> Ints:
        """Compute a batch and return the rows at which a condition holds."""
        from lanner.kernels.triggers import rows_of_any

        count = len(batch)
        if self._held.shape[1] < count:
            self._held = np.zeros((len(self._conditions), count), np.uint8)
            self._values = np.zeros((len(self._numbers), count))
            self._rows = np.zeros(count + 1, np.int64)
        for start in range(0, count, BLOCK):
            self._piece(batch, start, min(start + BLOCK, count))
        found = int(rows_of_any(self._held, count, self._rows))
        return self._rows[:found]

    def turn(self, row: int) -> None:
        """Be ready for a row of the batch."""
        self._row = row

    def fired(self) -> Sequence[str]:
        """Return the triggers that hold at the row."""
        held = self._held[:, self._row]
        return [name for (name, _), value in zip(self._conditions, held, strict=True) if value]

    def values(self) -> Mapping[str, float]:
        """Return the declared numbers at the row."""
        row = self._values[:, self._row].tolist()
        return {name: value for (name, _), value in zip(self._numbers, row, strict=True)}

    def _piece(self, batch: ColumnBatch, start: int, stop: int) -> None:
        """Compute rows of a batch, and leave out what is still warming up."""
        count = stop - start
        for name, column in self._inputs.items():
            _fill(batch, name, start, stop, column[:count])
        self._walk.move(0, count)
        for out, (_, node) in zip(self._held, self._conditions, strict=True):
            out[start:stop] = self._walk.value(node)
            out[start : start + self._cold(node, count)] = 0
        for values, (_, node) in zip(self._values, self._numbers, strict=True):
            write(self._walk.value(node), values[start:stop])
            values[start : start + self._cold(node, count)] = np.nan
        self._seen += count

    def _cold(self, node: int, count: int) -> int:
        """Return how many of the next rows lie before a node's first value."""
        return min(count, max(0, self._declared.warmup(node) - 1 - self._seen))

    def _needed(self) -> set[int]:
        graph = self._declared.graph
        return set().union(*(graph.needed(node) for _, node in (*self._conditions, *self._numbers)))

    def _read_by_indicators(self) -> set[str]:
        """Return the columns that indicators of whole bars read."""
        found: set[str] = set()
        for index in self._needed():
            node = self._declared.graph.nodes[index]
            if node.make is not None and not node.args:
                found |= set(getattr(node.make(), "fields", ()))
        return found


def _fill(batch: ColumnBatch, name: str, start: int, stop: int, out: Array) -> None:
    """Write a field of a batch's rows."""
    if name == "mid":
        from lanner.kernels.triggers import mean

        mean(batch.column("bid_px")[start:stop], batch.column("ask_px")[start:stop], out)
    elif name == "spread":
        np.subtract(batch.column("ask_px")[start:stop], batch.column("bid_px")[start:stop], out=out)
    else:
        out[:] = batch.column(name)[start:stop]
