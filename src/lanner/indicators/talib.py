"""Every function of TA-Lib as an indicator, through its wheel (the optional part ``lanner[talib]``).

TA-Lib computes whole arrays; many of its functions remember everything since their start. Here each value is what the
function gives over a window of the last values: at least ``memory`` of them (once there have been so many) and at most
twice as many. The window starts anew every ``memory`` values, so memory is bounded, and the streaming form and the
array form, which computes a window at a time, call the function with the same start and agree bit for bit. What a
recursive function has forgotten after 1,000 values, or 24 of its periods, is below the tenth digit.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from lanner.core.errors import ConfigError, LannerError
from lanner.indicators.base import BarIndicator, BarLike, Indicator, Line, Lines, PairIndicator

if TYPE_CHECKING:
    from lanner.indicators.talib_window import WindowRunner

SHORT = {"period": "timeperiod", "fast": "fastperiod", "slow": "slowperiod", "signal": "signalperiod"}
"""Lanner's words for TA-Lib's parameters; its own names work as well."""
REFUSED = {"VWAP": "Use vwap(), session_vwap() or anchored_vwap()."}
"""Averages over all bars, which no window gives."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What TA-Lib says about a function."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    defaults: tuple[tuple[str, object], ...]


def library() -> Any:
    """Return TA-Lib's module, or say how to install it."""
    if importlib.util.find_spec("talib") is None:
        raise LannerError(
            "TA-Lib is not installed",
            expected="the optional part 'talib'",
            fix="Run: pip install 'lanner[talib]'",
        )
    import talib.abstract

    return talib


@lru_cache(maxsize=256)
def spec_of(name: str) -> Spec:
    """Return what TA-Lib says about a function; an unknown name is refused with what it may have meant."""
    talib = library()
    known: Sequence[str] = talib.get_functions()
    word = str(name).upper()
    if word in REFUSED:
        raise ConfigError(f"talib: {word} needs all bars since the start", fix=REFUSED[word])
    if word not in known:
        near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
        raise ConfigError(
            f"TA-Lib has no function {name!r}",
            expected=f"one of its {len(known)} functions, e.g. KAMA, AROON, CDLDOJI",
            fix=f"Did you mean {' or '.join(near)}?" if near else None,
        )
    info = talib.abstract.Function(word).info
    inputs: list[str] = []
    for value in info["input_names"].values():
        inputs += [value] if isinstance(value, str) else value
    outputs = tuple(info["output_names"])
    return Spec(
        word,
        tuple(inputs),
        outputs if len(outputs) > 1 else ("value",),
        tuple((key, _plain(value)) for key, value in info["parameters"].items()),
    )


def talib_kind(name: str) -> type[Lines]:
    """Return the class of indicators that a function makes; its parameters stand in TA-Lib's order."""
    return _kind(spec_of(name))


@lru_cache(maxsize=256)
def _kind(spec: Spec) -> type[Lines]:
    base: type[Lines]
    if spec.inputs == ("close",):
        base = TalibSeries
    elif spec.inputs in (("high", "low"), ("close", "periods")) and _of_two_series(spec.name):
        base = TalibPair
    else:
        base = TalibBars
    members: dict[str, Any] = {
        "__doc__": f"TA-Lib's {spec.name}.",
        "__slots__": spec.outputs[1:],
        "__module__": __name__,
        "lines": spec.outputs,
        "spec": spec,
    }
    if base is TalibBars:
        members["fields"] = spec.inputs
    return type(f"TALib{spec.name}", (base,), members)


def arranged(spec: Spec, named: Mapping[str, object]) -> tuple[object, ...]:
    """Return parameters given by name in TA-Lib's order, with its defaults, and last the memory."""
    values = dict(spec.defaults)
    memory = named.get("memory")
    for key, value in named.items():
        word = SHORT.get(key, key)
        if word in values:
            values[word] = value
        elif key != "memory":
            short = {long: word for word, long in SHORT.items()}
            allowed = [short.get(word, word) for word in values] + ["memory"]
            raise ConfigError(
                f"talib: {spec.name} has no parameter {key!r}", expected=f"one of {', '.join(allowed)}"
            )
    return (*values.values(), memory)


def _begin(indicator: Any) -> Any:
    """Return the function that moves an indicator's lines, and give it its lines and warm-up."""
    from lanner.indicators.talib_window import Steps

    for name in indicator.lines[1:]:
        setattr(indicator, name, Line())
    steps = Steps(indicator.spec, indicator.params, [indicator.line(name) for name in indicator.lines])
    indicator.warmup = steps.lookback + 1
    return steps.take


def _runner(indicator: Any, fields: tuple[str, ...]) -> WindowRunner:
    from lanner.indicators.talib_window import WindowRunner

    return WindowRunner(indicator.spec, fields, indicator.params)


class TalibSeries(Indicator):
    """A function of one series."""

    __slots__ = ("_take", "warmup")
    spec: ClassVar[Spec]

    def __init__(self, *params: object) -> None:
        super().__init__()
        self._take = _begin(self)

    def update(self, x: float) -> None:
        """Take the next value."""
        self._take(x)

    def array_runner(self) -> WindowRunner:
        """Return the array form, fresh."""
        return _runner(self, ("x",))


class TalibPair(PairIndicator):
    """A function of two series."""

    __slots__ = ("_take", "warmup")
    spec: ClassVar[Spec]

    def __init__(self, *params: object) -> None:
        super().__init__()
        self._take = _begin(self)

    def update(self, x: float, y: float) -> None:
        """Take the next two values."""
        self._take(x, y)

    def array_runner(self) -> WindowRunner:
        """Return the array form, fresh."""
        return _runner(self, ("x", "y"))


class TalibBars(BarIndicator):
    """A function of several fields of bars."""

    __slots__ = ("_take", "warmup")
    spec: ClassVar[Spec]

    def __init__(self, *params: object) -> None:
        super().__init__()
        self._take = _begin(self)

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self._take(*(getattr(bar, name) for name in self.fields))

    def array_runner(self) -> WindowRunner:
        """Return the array form, fresh."""
        return _runner(self, self.fields)


def _of_two_series(name: str) -> bool:
    names = library().abstract.Function(name).info["input_names"]
    return "price0" in names or "periods" in names


def _plain(value: object) -> object:
    return value if isinstance(value, float) and not math.isnan(value) else int(str(value).split(".")[0])
