"""The windows over which TA-Lib's functions are computed; see ``lanner.indicators.talib``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, Line
from lanner.indicators.talib import Spec, library

Array = np.ndarray[Any, np.dtype[Any]]

LEAST_MEMORY = 1_000
ADDED_UP = {"AD", "CUMSUM", "OBV", "PVT", "WAD"}
"""Sums over all bars: a new window goes on from the level the last one reached."""
MULTIPLIED = {"NVI", "PVI"}
"""Products over all bars: likewise."""
PLACES = {"MAXINDEX", "MININDEX", "MINMAXINDEX"}
"""Places in the array TA-Lib was given; here they are told as how many steps ago."""


class Window:
    """The last values of a function's inputs, and its results over them."""

    __slots__ = ("_buffers", "_call", "_filled", "_least", "_level", "_options", "_spec", "lookback")

    def __init__(self, spec: Spec, params: tuple[object, ...]) -> None:
        talib = library()
        options = {key: value for (key, _), value in zip(spec.defaults, params, strict=False)}
        memory = params[len(spec.defaults)] if len(params) > len(spec.defaults) else None
        self._spec = spec
        self._call: Callable[..., Any] = getattr(talib, spec.name)
        self._options = options
        self.lookback = _lookback(spec, options)
        least = max(LEAST_MEMORY, 24 * self.lookback) if memory is None else memory
        if isinstance(least, bool) or not isinstance(least, int) or least <= self.lookback:
            raise ConfigError(
                f"talib {spec.name}: bad memory", expected=f"a whole number > {self.lookback}", found=memory
            )
        self._least = self.lookback + 1 if spec.name in ADDED_UP | MULTIPLIED else least
        self._buffers = [np.empty(self._least + least) for _ in spec.inputs]
        self._filled = 0
        self._level = NAN

    def take(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Take the next values and write the results."""
        good = np.isfinite(inputs[0])
        for values in inputs[1:]:
            good &= np.isfinite(values)
        edges = [0, *(np.flatnonzero(good[1:] != good[:-1]) + 1).tolist(), good.size]
        for begin, end in pairwise(edges):
            pieces = [values[begin:end] for values in inputs]
            rooms = [out[begin:end] for out in outs]
            if begin < end and good[begin]:
                self._take_good(pieces, rooms)
            else:
                self._filled = 0
                for room in rooms:
                    room[:] = NAN

    def _take_good(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        done, total = 0, outs[0].size
        while done < total:
            start = self._filled
            count = min(total - done, self._buffers[0].size - start)
            for buffer, values in zip(self._buffers, inputs, strict=True):
                buffer[start : start + count] = values[done : done + count]
            self._filled = start + count
            self._write(start, [out[done : done + count] for out in outs])
            done += count
            if self._filled == self._buffers[0].size:
                self._slide(outs[0][done - 1])

    def _write(self, start: int, outs: Sequence[Array]) -> None:
        """Call the function on what is in the window and write its last results."""
        stop = self._filled
        if stop <= self.lookback:
            results: Sequence[Array] = [np.full(stop, NAN) for _ in outs]
        else:
            found = self._call(*(buffer[:stop] for buffer in self._buffers), **self._options)
            results = found if isinstance(found, tuple) else (found,)
        for out, result in zip(outs, results, strict=True):
            out[:] = result[start:stop]
            if self._spec.name in PLACES:
                np.subtract(np.arange(start, stop), out, out=out)
            hidden = self.lookback - start
            if hidden > 0:
                out[:hidden] = NAN
            if self._level == self._level:
                if self._spec.name in MULTIPLIED:
                    out *= self._level / float(result[self.lookback])
                else:
                    out += self._level - float(result[self.lookback])

    def _slide(self, last: float) -> None:
        """Keep the newest values and start a new window with them."""
        for buffer in self._buffers:
            buffer[: self._least] = buffer[buffer.size - self._least :].copy()
        self._filled = self._least
        if self._spec.name in ADDED_UP | MULTIPLIED:
            self._level = float(last)


class WindowRunner:
    """The array form: a window at a time."""

    __slots__ = ("_window", "fields", "lines")

    def __init__(self, spec: Spec, fields: tuple[str, ...], params: tuple[object, ...]) -> None:
        self.lines = spec.outputs
        self.fields = fields
        self._window = Window(spec, params)

    def run(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Go on where the last piece ended and write every line."""
        self._window.take([np.asarray(values, dtype=np.float64) for values in inputs], outs)


class Steps:
    """A window that is given one value of each input at a time."""

    __slots__ = ("_inputs", "_lines", "_outs", "_window", "lookback")

    def __init__(self, spec: Spec, params: tuple[object, ...], lines: list[Line]) -> None:
        self._window = Window(spec, params)
        self._inputs = [np.empty(1) for _ in spec.inputs]
        self._outs = [np.empty(1) for _ in lines]
        self._lines = lines
        self.lookback = self._window.lookback

    def take(self, *values: float) -> None:
        """Take the next values and move the lines."""
        for array, value in zip(self._inputs, values, strict=True):
            array[0] = value
        self._window.take(self._inputs, self._outs)
        for line, out in zip(self._lines, self._outs, strict=True):
            line.push(float(out[0]))


def _lookback(spec: Spec, options: Mapping[str, object]) -> int:
    """Return how many values pass before the first result; parameters out of range are refused."""
    function = library().abstract.Function(spec.name)
    shown = ", ".join(f"{key}={value}" for key, value in options.items())
    try:
        function.parameters = dict(options)
        lookback = int(function.lookback)
        getattr(library(), spec.name)(*(np.linspace(1.0, 2.0, 8) for _ in spec.inputs), **options)
    except Exception as error:  # noqa: BLE001 - TA-Lib raises bare Exceptions
        raise ConfigError(
            f"talib: {spec.name} refuses its parameters", expected=str(error), found=shown
        ) from None
    if lookback < 0:
        raise ConfigError(f"talib: {spec.name} refuses its parameters", found=shown)
    return lookback
