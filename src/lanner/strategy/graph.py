"""The small graph behind a signal function: built once, compiled once, then evaluated one bar at a time.

Because it only ever sees the present bar and keeps what it needs of the past, it cannot look ahead, and it gives
the same values over an array of bars, in a backtest and live.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lanner.indicators.base import NAN, BarIndicator, BarLike, Indicator, Lines, ratio


@dataclass(slots=True, frozen=True)
class Node:
    """One step of the graph: how it is computed (``text`` over its arguments' names), and when it has a value.

    ``op`` is an operation of ``OPERATIONS``, or ``field``, ``constant``, ``indicator`` or ``line``; ``detail`` says
    which: the field's name, the number, the indicator's class and parameters, the line's name. ``make`` builds the
    indicator of a stateful step. ``logical`` tells conditions, which are bool, from numbers, which are float.
    """

    op: str
    text: str
    args: tuple[int, ...]
    warmup: int
    logical: bool = False
    detail: tuple[Any, ...] = ()
    make: Callable[[], Lines] | None = None


class Graph:
    """Nodes in the order in which they can be computed; equal ones are the same node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[object, ...], int] = {}

    def field(self, name: str) -> int:
        """Return the node of a bar's field."""
        return self._intern((name,), Node("field", f"bar.{name}", (), 1, detail=(name,)))

    def constant(self, value: bool | int | float) -> int:
        """Return the node of a fixed number."""
        value = value if isinstance(value, bool) else float(value)
        text = repr(value) if isinstance(value, bool) or math.isfinite(value) else f"float({str(value)!r})"
        node = Node("constant", text, (), 0, isinstance(value, bool), (value,))
        return self._intern(("constant", text), node)

    def apply(self, op: str, *args: int) -> int:
        """Return the node of an operation of ``OPERATIONS`` on other nodes.

        Conditions among numbers are numbers: 1 and 0.
        """
        text, logical = OPERATIONS[op]
        if op == "truth" and self.nodes[args[0]].logical:
            return args[0]
        kept = _CONDITIONS.get(op, 0)  # how many of the first arguments are conditions
        alike = op in _EITHER and all(self.nodes[arg].logical for arg in args[-2:])
        if not alike:
            args = (*args[:kept], *(self._number(arg) for arg in args[kept:]))
        if logical is None:  # as its last arguments: both branches of `where`
            logical = alike
        warmup = max(self.nodes[arg].warmup for arg in args)
        return self._intern((op, *args), Node(op, text, args, warmup, logical))

    def indicator(self, kind: type[Lines], params: tuple[object, ...], *args: int) -> int:
        """Return the node of an indicator's first line; without arguments it takes whole bars."""
        if kind is not Latch:
            args = tuple(self._number(arg) for arg in args)
        key = (kind, *((type(param), param) for param in params), "of", *args)
        found = self._known.get(key)
        if found is not None:
            return found
        make: Callable[[], Lines] = lambda: kind(*params)  # noqa: E731
        own = make().warmup
        before = max((self.nodes[arg].warmup for arg in args), default=1)
        node = Node(
            "indicator", "{self}.value", args, before + own - 1, kind is Latch, (kind, params), make=make
        )
        return self._intern(key, node)

    def line(self, indicator: int, name: str) -> int:
        """Return the node of another line of an indicator."""
        node = Node(
            "line",
            f"o{indicator}.{name}.value",
            (indicator,),
            self.nodes[indicator].warmup,
            detail=(name,),
        )
        return self._intern(("line", name, indicator), node)

    def needed(self, output: int) -> set[int]:
        """Return a node and everything that it is computed from."""
        found: set[int] = set()
        waiting = [output]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting.extend(self.nodes[index].args)
        return found

    def _number(self, index: int) -> int:
        """Return a node that is a number, made of a condition where need be."""
        node = self.nodes[index]
        if not node.logical:
            return index
        if node.op == "constant":
            return self.constant(float(node.detail[0]))
        return self._intern(("number", index), Node("number", OPERATIONS["number"][0], (index,), node.warmup))

    def _intern(self, key: tuple[object, ...], node: Node) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return found

    def compile(self, output: int) -> SignalLine:
        """Return the graph as one indicator of whole bars, with its own fresh state."""
        return SignalLine(self, output)


class SignalLine(BarIndicator):
    """A compiled graph; conditions give 1 or 0, everything is NaN during warm-up.

    ``followed`` is the value that whoever trades it acted on last.
    """

    __slots__ = ("_left", "_step", "followed", "source", "warmup")

    def __init__(self, graph: Graph, output: int) -> None:
        super().__init__()
        self.warmup = max(1, graph.nodes[output].warmup)
        self._left = self.warmup - 1
        self.followed = 0.0
        self.source, names = _source(graph, output)
        exec(compile(self.source, "<lanner signal>", "exec"), names)
        self._step: Callable[[BarLike], float] = names["step"]

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        if self._left:
            self._left -= 1
            self._step(bar)
        else:
            self.value = self._step(bar)


def _source(graph: Graph, output: int) -> tuple[str, dict[str, Any]]:
    """Write the function that computes the output from a bar, and the objects it keeps state in."""
    names: dict[str, Any] = dict(FUNCTIONS)
    lines = ["def step(bar):"]
    for index in sorted(graph.needed(output)):
        node = graph.nodes[index]
        args = [f"v{arg}" for arg in node.args]
        if node.make is not None:
            state = names[f"o{index}"] = node.make()
            names[f"u{index}"] = state.update_bar if isinstance(state, BarIndicator) else state.update  # type: ignore[attr-defined]
            lines.append(f"    u{index}({', '.join(args) or 'bar'})")
        lines.append(f"    v{index} = {node.text.format(*args, self=f'o{index}')}")
    result = f"v{output}"
    lines.append(
        f"    return 1.0 if {result} else 0.0" if graph.nodes[output].logical else f"    return {result}"
    )
    return "\n".join(lines) + "\n", names


class Latch(Indicator):
    """Be true from when one condition holds until another one does; the second wins."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.value = False

    def update(self, x: float, leave: float = False) -> None:
        """Take both conditions."""
        self.prev = self.value
        self.value = bool((self.value or x) and not leave)


# -- arithmetic that never raises: IEEE 754 instead, as numpy does it ---------------------------------------------


def _power(a: float, b: float) -> float:
    try:
        value = a**b
    except (ZeroDivisionError, OverflowError):
        if a < 0.0 and b % 1.0:
            return NAN  # a complex number that is too large
        return math.copysign(math.inf, a) if b % 2.0 == 1.0 else math.inf
    return NAN if isinstance(value, complex) else value


def _modulo(a: float, b: float) -> float:
    return a % b if b and math.isfinite(a) else NAN


def _floor_divide(a: float, b: float) -> float:
    return a // b if b else ratio(a, b)


def _maximum(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _minimum(a: float, b: float) -> float:
    return a if a <= b or a != a else b


def _sign(x: float) -> float:
    return x if x != x else float((x > 0) - (x < 0))


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else NAN


def _log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else -math.inf if x == -1 else NAN


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 else NAN


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _floor(x: float) -> float:
    return float(math.floor(x)) if math.isfinite(x) else x


def _ceil(x: float) -> float:
    return float(math.ceil(x)) if math.isfinite(x) else x


FUNCTIONS: dict[str, Any] = {
    "divide": ratio,
    "power": _power,
    "modulo": _modulo,
    "floor_divide": _floor_divide,
    "maximum": _maximum,
    "minimum": _minimum,
    "sign": _sign,
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "exp": _exp,
    "tanh": math.tanh,
    "floor": _floor,
    "ceil": _ceil,
}

OPERATIONS: dict[str, tuple[str, bool | None]] = {
    "add": ("{0} + {1}", False),
    "subtract": ("{0} - {1}", False),
    "multiply": ("{0} * {1}", False),
    "divide": ("{0} / {1} if {1} else divide({0}, {1})", False),
    "floor_divide": ("floor_divide({0}, {1})", False),
    "modulo": ("modulo({0}, {1})", False),
    "power": ("power({0}, {1})", False),
    "negative": ("-{0}", False),
    "absolute": ("abs({0})", False),
    "maximum": ("maximum({0}, {1})", False),
    "minimum": ("minimum({0}, {1})", False),
    "sign": ("sign({0})", False),
    "log": ("log({0})", False),
    "log1p": ("log1p({0})", False),
    "sqrt": ("sqrt({0})", False),
    "exp": ("exp({0})", False),
    "tanh": ("tanh({0})", False),
    "floor": ("floor({0})", False),
    "ceil": ("ceil({0})", False),
    "greater": ("{0} > {1}", True),
    "greater_equal": ("{0} >= {1}", True),
    "less": ("{0} < {1}", True),
    "less_equal": ("{0} <= {1}", True),
    "equal": ("{0} == {1}", True),
    "not_equal": ("{0} != {1}", True),
    "and": ("{0} and {1}", True),
    "or": ("{0} or {1}", True),
    "not": ("not {0}", True),
    "isnan": ("{0} != {0}", True),
    "truth": ("bool({0})", True),
    "number": ("1.0 if {0} else 0.0", False),
    "where": ("{1} if {0} else {2}", None),
}
"""What a graph can compute: Python text over the arguments, and whether the result is a condition."""

_CONDITIONS = {"and": 2, "or": 2, "not": 1, "number": 1, "where": 1}
_EITHER = ("equal", "not_equal", "where")
"""Which operations take two conditions as well as two numbers."""

UFUNCS = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "divide",
    "true_divide": "divide",
    "floor_divide": "floor_divide",
    "remainder": "modulo",
    "power": "power",
    "negative": "negative",
    "absolute": "absolute",
    "fabs": "absolute",
    "maximum": "maximum",
    "minimum": "minimum",
    "sign": "sign",
    "log": "log",
    "log1p": "log1p",
    "exp": "exp",
    "sqrt": "sqrt",
    "tanh": "tanh",
    "floor": "floor",
    "ceil": "ceil",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "less": "less",
    "less_equal": "less_equal",
    "equal": "equal",
    "not_equal": "not_equal",
    "logical_and": "and",
    "bitwise_and": "and",
    "logical_or": "or",
    "bitwise_or": "or",
    "logical_not": "not",
    "invert": "not",
    "isnan": "isnan",
}
"""Which operation a numpy function is."""
