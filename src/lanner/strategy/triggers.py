"""Trigger strategies: conditions are declared once, and Python runs only when one of them holds.

::

    class Cross(ln.TriggerStrategy):
        on = "quotes"
        fast = ln.Param(1_000, 2)
        slow = ln.Param(5_000, 3)

        def triggers(self, quotes):
            fast, slow = quotes.mid.ema(self.fast), quotes.mid.ema(self.slow)
            return {"up": fast.crossed_above(slow), "down": fast.crossed_below(slow), "gap": fast - slow}

        def on_trigger(self, name, quote):
            self.target(1.0 if name == "up" else -1.0)

In the event engine the conditions are evaluated at every bar or quote. In a backtest they may be computed over whole
columns instead, and the engine jumps from one trigger to the next; orders, fills and results are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from lanner.core.errors import ConfigError, StrategyError
from lanner.indicators.base import NAN, BarIndicator
from lanner.model.market import Bar, Quote
from lanner.strategy.base import Strategy
from lanner.strategy.errors import strategy_error
from lanner.strategy.expression import Declares, Expr
from lanner.strategy.frame import BarFrame
from lanner.strategy.graph import FUNCTIONS, Graph
from lanner.strategy.series import BarSeries

QUOTES = "quotes"
QUOTE_FIELDS = ("bid_px", "ask_px", "bid_qty", "ask_qty", "mid", "spread")


class QuoteFrame(Declares):
    """The quotes of a trigger strategy: fields, and indicators of the mid price."""

    __slots__ = ()

    @property
    def _source(self) -> int:
        return self._graph.field("mid")

    def _field(self, name: str) -> Expr:
        return Expr(self._graph, self._graph.field(name))

    @property
    def bid_px(self) -> Expr:
        """Return the best bid."""
        return self._field("bid_px")

    @property
    def ask_px(self) -> Expr:
        """Return the best ask."""
        return self._field("ask_px")

    @property
    def bid_qty(self) -> Expr:
        """Return the quantity at the best bid."""
        return self._field("bid_qty")

    @property
    def ask_qty(self) -> Expr:
        """Return the quantity at the best ask."""
        return self._field("ask_qty")

    @property
    def mid(self) -> Expr:
        """Return (bid + ask) / 2."""
        return self._field("mid")

    @property
    def spread(self) -> Expr:
        """Return ask − bid."""
        return self._field("spread")

    def __repr__(self) -> str:
        return "quotes"


class Known(Protocol):
    """Conditions computed beforehand, for the row that a strategy is about to hear of."""

    def fired(self) -> Sequence[str]:
        """Return the triggers that hold at the row."""
        ...

    def values(self) -> Mapping[str, float]:
        """Return the declared numbers at the row."""
        ...


class TriggerStrategy(Strategy):
    """Base of trigger strategies: declare ``triggers`` and answer them in ``on_trigger``; one instrument.

    ``on`` is ``"quotes"``, or ``"bars"`` for bars of ``timeframe``. Timers and the news of orders work as everywhere.
    """

    on: ClassVar[str] = "bars"

    known: Known | None = None
    """What a driver has computed of the conditions; None where they are evaluated as the data come."""

    seen: Mapping[str, float]
    """The declared numbers at the last bar or quote, NaN while they warm up."""

    def triggers(self, frame: Any) -> Mapping[str, Any]:
        """Return conditions by name, and numbers that the handlers want to read in ``seen``."""
        raise ConfigError(f"{type(self).__name__} declares no triggers", expected="def triggers(self, frame)")

    def on_trigger(self, name: str, event: Any) -> None:
        """React to a bar or quote at which a condition holds; several come in the order of their declaration."""

    def declared(self) -> Declared:
        """Return the conditions and numbers for the present parameters, as a graph."""
        if self.on not in (QUOTES, "bars"):
            raise ConfigError(f"{self.id}: `on` is wrong", expected="'quotes' or 'bars'", found=repr(self.on))
        graph = Graph()
        try:
            made = self.triggers(QuoteFrame(graph) if self.on == QUOTES else BarFrame(graph))
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - what user code raises is shown with their lines
            raise strategy_error(error, self, "while its triggers were built", ()) from None
        return Declared(graph, made)

    def bars(self, timeframe: str | None = None, instrument: str | None = None) -> BarSeries:
        self.keeps_bars = True
        return super().bars(timeframe, instrument)

    @classmethod
    def overrides(cls, handler: str) -> bool:
        """Tell whether the class hears of something: of the data that its triggers are made of, always."""
        if handler in ("on_bar", "on_quote"):
            return (handler == "on_quote") == (cls.on == QUOTES)
        return super().overrides(handler)

    def on_start(self) -> None:
        """Declare the data; call ``super().on_start()`` where you override it."""
        if len(self.instruments) != 1:
            raise ConfigError(
                f"{self.id} trades one instrument", expected="one instrument", found=len(self.instruments)
            )
        declared = self.declared()
        self.seen = dict.fromkeys(declared.numbers, NAN)
        self.keeps_bars = False
        self._evaluate = None if self.known is not None else declared.evaluator()
        if self.on == QUOTES:
            self.quotes()
        else:
            super().bars(self.timeframe)

    def on_bar(self, bar: Bar) -> None:
        """Call ``on_trigger`` for the conditions that hold; not meant to be overridden."""
        self._hear(bar)

    def on_quote(self, quote: Quote) -> None:
        """Call ``on_trigger`` for the conditions that hold; not meant to be overridden."""
        self._hear(quote)

    def _hear(self, event: Bar | Quote) -> None:
        known = self.known
        if known is not None:
            self.seen = known.values()
            fired = known.fired()
        else:
            assert self._evaluate is not None
            fired, self.seen = self._evaluate(event)
        for name in fired:
            self.on_trigger(name, event)


class Declared:
    """The conditions and numbers of a trigger strategy as nodes of one graph."""

    def __init__(self, graph: Graph, made: object) -> None:
        if not isinstance(made, Mapping) or not made:
            raise StrategyError(
                "triggers() gave nothing",
                expected='conditions by name, e.g. {"up": fast.crossed_above(slow)}',
                found=type(made).__name__,
                fix="Did you forget `return`?" if made is None else None,
            )
        self.graph = graph
        self.conditions: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        for name, item in made.items():
            if not isinstance(item, Expr) or item._graph is not graph:
                raise StrategyError(
                    f"trigger {name!r} is not made of the frame",
                    expected="an expression of the frame's fields and indicators",
                    found=type(item).__name__,
                )
            group = self.conditions if graph.nodes[item._node].logical else self.numbers
            group[str(name)] = item._node
        if not self.conditions:
            raise StrategyError("triggers() names no condition", expected="at least one comparison")

    def warmup(self, node: int) -> int:
        """Return after how many rows a node has its first value."""
        return max(1, self.graph.nodes[node].warmup)

    def evaluator(self) -> Callable[[Any], tuple[list[str], dict[str, float]]]:
        """Return a function of one bar or quote after the other: what fired, and the numbers."""
        step = _compile(self.graph, [*self.conditions.values(), *self.numbers.values()])
        fires = [(name, self.warmup(node)) for name, node in self.conditions.items()]
        reads = [(name, self.warmup(node)) for name, node in self.numbers.items()]
        count = len(fires)
        seen = 0

        def evaluate(event: Any) -> tuple[list[str], dict[str, float]]:
            nonlocal seen
            seen += 1
            values = step(event)
            return (
                [name for (name, warm), value in zip(fires, values, strict=False) if value and seen >= warm],
                {
                    name: float(value) if seen >= warm else NAN
                    for (name, warm), value in zip(reads, values[count:], strict=True)
                },
            )

        return evaluate


def _compile(graph: Graph, outputs: Sequence[int]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that computes several nodes from a bar or quote, with state of its own."""
    names: dict[str, Any] = dict(FUNCTIONS)
    lines = ["def step(bar):"]
    needed = set().union(*(graph.needed(output) for output in outputs))
    for index in sorted(needed):
        node = graph.nodes[index]
        args = [f"v{arg}" for arg in node.args]
        if node.make is not None:
            state: Any = node.make()
            names[f"o{index}"] = state
            names[f"u{index}"] = state.update_bar if isinstance(state, BarIndicator) else state.update
            lines.append(f"    u{index}({', '.join(args) or 'bar'})")
        lines.append(f"    v{index} = {node.text.format(*args, self=f'o{index}')}")
    lines.append(f"    return ({''.join(f'v{output}, ' for output in outputs)})")
    exec(compile("\n".join(lines) + "\n", "<lanner triggers>", "exec"), names)
    step: Callable[[Any], tuple[Any, ...]] = names["step"]
    return step
