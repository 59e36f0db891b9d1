"""What a sweep tries: parameters and their values, conditions on them, and the combinations in a fixed order."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from lanner.core.errors import ConfigError
from lanner.research.sweep_result import Axis, Params
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import Param, declared

MOST_COMBINATIONS = 5_000_000
MOST_VALUES = 100_000


def make_axes(cls: type[Strategy], searched: Mapping[str, str]) -> tuple[list[Axis], Params]:
    """Read what was said of each parameter; return the searched ones and the fixed ones.

    ``10:50:5`` is 10, 15 … 50 (both ends), ``10:50`` steps by the declared step or 1, ``sma,ema`` is a list, ``10``
    fixes the parameter, and ``*`` takes its declared range.
    """
    known = declared(cls)
    unknown = sorted(set(searched) - set(known))
    if unknown:
        raise ConfigError(
            f"{cls.__name__} has no parameter {unknown[0]!r}",
            expected=f"one of {', '.join(known) or '(none)'}",
        )
    axes: list[Axis] = []
    fixed: Params = {}
    for name, text in searched.items():
        values = _values(known[name], text.strip())
        if len(values) == 1 and ":" not in text and "," not in text and text.strip() != "*":
            fixed[name] = values[0]
        else:
            axes.append(Axis(name, values, _kind(known[name])))
    if not axes:
        raise ConfigError(
            "there is nothing to search",
            expected="at least one parameter with several values",
            fix="Give a range, e.g. --param fast=5:50:5, or a list, e.g. --param kind=sma,ema.",
        )
    return axes, fixed


def _kind(param: Param[Any]) -> str:
    return "choice" if param.type is str else {int: "int", float: "float", bool: "bool"}[param.type]


def _values(param: Param[Any], text: str) -> list[Any]:
    place = f"--param {param.name}"
    if text == "*":
        return _declared_range(param, place)
    if "," in text:
        values = [param.parse(part.strip()) for part in text.split(",")]
    elif ":" in text and param.type in (int, float):
        values = [param.parse(value) for value in _steps(param, text, place)]
    else:
        values = [param.parse(text)]
    if len(set(values)) != len(values):
        raise ConfigError(f"{place} lists a value twice", expected="each value once", found=text)
    return values


def _declared_range(param: Param[Any], place: str) -> list[Any]:
    if param.type is bool:
        return [False, True]
    if param.choices:
        return list(param.choices)
    if param.low is None or param.high is None:
        raise ConfigError(
            f"{place}=* needs a declared range",
            expected="Param(default, low, high)",
            fix=f"Give {place}=LOW:HIGH:STEP.",
        )
    return [param.parse(value) for value in _steps(param, f"{param.low}:{param.high}", place)]


def _steps(param: Param[Any], text: str, place: str) -> list[Decimal]:
    """Return low, low + step … up to high, exactly as written."""
    parts = text.split(":")
    try:
        numbers = [Decimal(part.strip()) for part in parts]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise ConfigError(f"{place} is not a range", expected="LOW:HIGH or LOW:HIGH:STEP", found=repr(text))
    low, high = numbers[0], numbers[1]
    if len(numbers) == 3:
        step = numbers[2]
    elif param.step is not None:
        step = Decimal(str(param.step))
    else:
        step = Decimal(1) if param.type is int else (high - low) / 10
    if step <= 0 or low > high:
        raise ConfigError(
            f"{place} is not a range", expected="LOW <= HIGH and a step above 0", found=repr(text)
        )
    count = int((high - low) / step) + 1
    if count > MOST_VALUES:
        raise ConfigError(
            f"{place} has too many values", expected=f"at most {MOST_VALUES:,}", found=f"{count:,}"
        )
    return [low + step * index for index in range(count)]


# -- conditions --------------------------------------------------------------------------------------

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else math.nan,
    ast.Mod: lambda a, b: a % b if b else math.nan,
}


@dataclass(slots=True)
class Constraint:
    """A condition on parameters such as ``fast < slow``: comparisons, arithmetic, and, or, not; nothing else."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str, names: Sequence[str]) -> Constraint:
        """Read a condition on the named parameters."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise ConfigError(
                "--where is not a condition", expected="e.g. fast<slow", found=repr(text)
            ) from None
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in names:
                raise ConfigError(
                    f"--where names {node.id!r}, which is no parameter", expected=f"one of {', '.join(names)}"
                )
            legal = isinstance(
                node,
                ast.Compare | ast.BoolOp | ast.UnaryOp | ast.BinOp | ast.Name | ast.Constant | ast.expr_context
                | ast.cmpop | ast.boolop | ast.unaryop | ast.operator,
            )  # fmt: skip
            if not legal or (isinstance(node, ast.operator) and type(node) not in _BINARY):
                raise ConfigError(
                    "--where is not a simple condition",
                    expected="comparisons and arithmetic",
                    found=repr(text),
                )
        return cls(text.strip(), tree)

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Tell whether a combination satisfies the condition."""
        return bool(_evaluate(self.tree, params))


def _evaluate(node: ast.expr, params: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return params[node.id]
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_evaluate(node.left, params), _evaluate(node.right, params))
    if isinstance(node, ast.UnaryOp):
        value = _evaluate(node.operand, params)
        return (
            not value if isinstance(node.op, ast.Not) else -value if isinstance(node.op, ast.USub) else value
        )
    if isinstance(node, ast.BoolOp):
        results = (_evaluate(part, params) for part in node.values)
        return all(results) if isinstance(node.op, ast.And) else any(results)
    assert isinstance(node, ast.Compare)
    left = _evaluate(node.left, params)
    for op, part in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(part, params)
        kind = _COMPARE.get(type(op))
        if kind is None or not kind(left, right):
            return False
        left = right
    return True


# -- combinations ------------------------------------------------------------------------------------


class Space:
    """All combinations of the axes' values that satisfy the conditions, in the order of a nested loop."""

    def __init__(self, axes: Sequence[Axis], fixed: Params, constraints: Sequence[Constraint] = ()) -> None:
        self.axes = list(axes)
        self.fixed = dict(fixed)
        self.constraints = list(constraints)
        self.size = math.prod(len(axis.values) for axis in axes)

    def at(self, number: int) -> Params:
        """Return combination ``number`` of the full grid, whether or not it satisfies the conditions."""
        chosen: Params = {}
        for axis in reversed(self.axes):
            number, place = divmod(number, len(axis.values))
            chosen[axis.name] = axis.values[place]
        return {**self.fixed, **{axis.name: chosen[axis.name] for axis in self.axes}}

    def allowed(self, params: Mapping[str, Any]) -> bool:
        """Tell whether a combination satisfies every condition."""
        return all(constraint.holds(params) for constraint in self.constraints)

    def grid(self, most: int = MOST_COMBINATIONS) -> list[Params]:
        """Return every allowed combination."""
        if self.size > most:
            raise ConfigError(
                f"{self.size:,} combinations are too many",
                expected=f"at most {most:,}",
                fix="Use larger steps, or --method random --trials N.",
            )
        found = [params for params in map(self.at, range(self.size)) if self.allowed(params)]
        self._check(found)
        return found

    def sample(self, trials: int, rng: np.random.Generator) -> list[Params]:
        """Return up to ``trials`` different allowed combinations drawn by lot, in the order of the draw."""
        if self.size <= trials * 4 and self.size <= MOST_COMBINATIONS:
            every = self.grid()
            return [every[place] for place in rng.permutation(len(every))[:trials]]
        found: list[Params] = []
        seen: set[int] = set()
        for number in _draws(rng, self.size, trials * 200):
            if number not in seen:
                seen.add(number)
                params = self.at(number)
                if self.allowed(params):
                    found.append(params)
                    if len(found) == trials:
                        break
        self._check(found)
        return found

    def _check(self, found: Sequence[Params]) -> None:
        if not found:
            texts = ", ".join(constraint.text for constraint in self.constraints)
            raise ConfigError("no combination satisfies the conditions", found=texts)


def _draws(rng: np.random.Generator, size: int, most: int) -> Iterator[int]:
    top = min(size, 1 << 62)
    for _ in range(-(-most // 4096)):
        yield from rng.integers(0, top, 4096).tolist()
