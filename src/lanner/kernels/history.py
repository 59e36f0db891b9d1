"""State of kernels: one float64 array, a head of numbers followed by the values a window still needs.

Layout of a windowed kernel's state: ``[0]`` the window's length n, ``[1]`` how many values are taken at a time,
``[2] … [9]`` the kernel's own numbers, from ``[HEAD]`` on the buffer: the last n inputs, then room for the next ones.
So a window is always a contiguous piece of the buffer, wherever a chunk of input ended.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lanner.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[np.float64]]

HEAD = 10
BLOCK = 1024
"""How many values are taken at a time: a piece that the fastest cache holds with what it needs."""
PARTS = 8
"""Where a composed state says where its parts begin."""


def window_state(period: int, *numbers: float) -> Array:
    """Return the state of a kernel over the last ``period`` values; ``numbers`` start its head at place 2.

    A block holds several windows where that stays small enough for the processor's cache.
    """
    block = max(BLOCK, min(8 * (period + 1), 16 * BLOCK), period)
    state = np.zeros(HEAD + period + block)
    state[0] = period
    state[1] = block
    state[2 : 2 + len(numbers)] = numbers
    return state


@kernel
def take(buffer: Array, period: int, values: Array) -> None:
    """Copy the next values behind the last ``period`` ones."""
    room = buffer[period:]
    for index in range(values.size):
        room[index] = values[index]


@kernel
def slide(buffer: Array, period: int, count: int) -> None:
    """Move the last ``period`` values to the front after ``count`` have been used."""
    last = buffer[count:]
    for index in range(period):
        buffer[index] = last[index]


def composed_state(numbers: tuple[float, ...], parts: tuple[Array, ...]) -> Array:
    """Return one state made of the states of several kernels.

    Up to eight ``numbers`` come first, then from ``[PARTS]`` on where each part begins, and where the last one ends.
    """
    head = np.zeros(PARTS + len(parts) + 1)
    head[: len(numbers)] = numbers
    head[PARTS:] = head.size + np.cumsum([0, *(part.size for part in parts)])
    return np.concatenate((head, *parts))


def scratch() -> Array:
    """Return room for the values between two kernels."""
    return np.zeros(BLOCK)


@kernel
def part(state: Array, index: int) -> Array:
    """Return one part of a composed state."""
    return state[int(state[PARTS + index]) : int(state[PARTS + index + 1])]
