"""The array form of indicators: compiled kernels where there are some, the streaming objects where not.

An ``ArrayRunner`` takes a series in pieces, so data larger than memory and pieces that fit a processor's cache both
work. Whatever the pieces, the values are those of the streaming form, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from lanner.core.errors import ConfigError
from lanner.indicators.base import BarIndicator, Indicator, Lines, PairIndicator, Row
from lanner.kernels import available

Array = np.ndarray[Any, np.dtype[Any]]
FLOAT = np.dtype(np.float64)
WHOLE = np.dtype(np.int64)
PIECE = 16_384
"""How many steps are run at a time over whole arrays: few enough for a processor's cache."""


class ArrayRunner(Protocol):
    """One indicator run over arrays, piece after piece.

    ``lines`` names the outputs. ``fields`` names the inputs: ``("x",)`` for one number per step, ``("x", "y")`` for
    two, the columns needed for whole bars (``ts_open`` is int64, everything else float64).
    """

    lines: tuple[str, ...]
    fields: tuple[str, ...]

    def run(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Go on where the last piece ended and write every line.

        ``inputs`` in the order of ``fields``, ``outs`` (float64, contiguous, preallocated, not the inputs themselves)
        in that of ``lines``; all of one length.
        """
        ...


def runner(kind: type[Lines], params: tuple[object, ...] = ()) -> ArrayRunner:
    """Return a fresh runner of ``kind(*params)``; errors of the parameters are those of the indicator."""
    indicator = kind(*params)
    own = getattr(indicator, "array_runner", None)
    if own is not None:
        made: ArrayRunner = own()
        return made
    if available():
        from lanner.indicators.kernel_table import KERNELS

        make = KERNELS.get(kind)
        if make is not None:
            kernel, state = make(indicator)
            return KernelRunner(indicator.lines, fields_of(indicator), kernel, state)
    return StreamRunner(indicator)


class KernelRunner:
    """Run a kernel whose state is one array."""

    __slots__ = ("_types", "fields", "kernel", "lines", "state")

    def __init__(
        self, lines: tuple[str, ...], fields: tuple[str, ...], kernel: Callable[..., None], state: Array
    ) -> None:
        self.lines = lines
        self.fields = fields
        self._types = tuple(WHOLE if name == "ts_open" else FLOAT for name in fields)
        self.kernel = kernel
        self.state = state

    def run(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Go on where the last piece ended and write every line."""
        self.kernel(self.state, *self.checked(inputs), *outs)

    def checked(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Return the inputs as the kernel takes them; nothing is copied where they are so already."""
        for values, kind in zip(inputs, self._types, strict=True):
            if values.dtype is not kind or not values.flags.carray:
                return [as_input(name, item) for name, item in zip(self.fields, inputs, strict=True)]
        return inputs


class StreamRunner:
    """Run the streaming object itself over the arrays, for indicators without a kernel or without numba."""

    __slots__ = ("_parts", "_step", "fields", "lines")

    def __init__(self, indicator: Lines) -> None:
        self.lines = indicator.lines
        self.fields = fields_of(indicator)
        self._parts = [indicator.line(name) for name in indicator.lines]
        if isinstance(indicator, BarIndicator):
            self._step: Callable[..., None] = _bar_step(indicator.update_bar, self.fields)
        elif isinstance(indicator, Indicator | PairIndicator):
            self._step = indicator.update
        else:
            raise ConfigError(
                f"{type(indicator).__name__} cannot be run over arrays",
                expected="an Indicator, PairIndicator or BarIndicator",
            )

    def run(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Go on where the last piece ended and write every line."""
        step, parts = self._step, list(zip(self._parts, outs, strict=True))
        for index, values in enumerate(zip(*(item.tolist() for item in inputs), strict=True)):
            step(*values)
            for line, out in parts:
                out[index] = line.value


def run_together(
    runners: Sequence[ArrayRunner], inputs: Sequence[Array], outs: Sequence[Sequence[Array]]
) -> None:
    """Go on with several runners of the same inputs; ``outs`` holds the lines of each.

    The values are those of running one after the other. Where each value waits for the one before (EMA, RMA), four
    sets of parameters are computed side by side.
    """
    alone = list(range(len(runners)))
    if available():
        from lanner.indicators.kernel_table import FOURS

        for kernel, four in FOURS.items():
            kin = [index for index in alone if getattr(runners[index], "kernel", None) is kernel]
            for first in range(0, len(kin) - len(kin) % 4, 4):
                group = kin[first : first + 4]
                made = [item for index in group if isinstance(item := runners[index], KernelRunner)]
                plain = made[0].checked(inputs)
                four(
                    *(item.state for item in made), *plain, *(line for index in group for line in outs[index])
                )
                alone = [index for index in alone if index not in group]
    for index in alone:
        runners[index].run(inputs, outs[index])


def fields_of(indicator: Lines) -> tuple[str, ...]:
    """Return the names of what an indicator reads at each step."""
    if isinstance(indicator, BarIndicator):
        return indicator.fields
    return ("x", "y") if isinstance(indicator, PairIndicator) else ("x",)


def as_input(name: str, values: Array) -> Array:
    """Return an array as kernels take it: contiguous, of the right type, and not marked read-only.

    Kernels never write their inputs; a read-only array is shown to them through a view without the mark, because one
    with it would be another type, to be compiled for once more.
    """
    plain = np.ascontiguousarray(values, dtype=WHOLE if name == "ts_open" else FLOAT)
    if plain.flags.writeable:
        return plain
    return np.asarray(_Unmarked(plain))


class _Unmarked:
    """The memory of an array without its read-only mark."""

    def __init__(self, values: Array) -> None:
        self._values = values  # keeps the memory alive
        self.__array_interface__ = values.__array_interface__ | {"data": (values.ctypes.data, False)}


def _bar_step(update: Callable[[Any], None], fields: tuple[str, ...]) -> Callable[..., None]:
    row = Row()

    def step(*values: float) -> None:
        for name, value in zip(fields, values, strict=True):
            setattr(row, name, value)
        update(row)

    return step


def run_once(kind: type[Lines], params: tuple[object, ...], inputs: Sequence[Array]) -> dict[str, Array]:
    """Run an indicator over whole arrays, piece by piece, and return every line by name."""
    made = runner(kind, params)
    whole = [as_input(name, values) for name, values in zip(made.fields, inputs, strict=True)]
    length = len(whole[0])
    if any(values.shape != (length,) for values in whole):
        raise ConfigError(
            "the series are not of one length", expected=str(length), found=[values.shape for values in whole]
        )
    outs = [np.empty(length) for _ in made.lines]
    for begin in range(0, length, PIECE):
        piece = slice(begin, begin + PIECE)
        made.run([values[piece] for values in whole], [out[piece] for out in outs])
    return dict(zip(made.lines, outs, strict=True))
