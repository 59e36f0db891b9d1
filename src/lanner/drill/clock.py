"""The clock of a drill: while it runs, all of Lanner's modules read a virtual loop's time instead of the system's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lanner.drill.loop import VirtualLoop
from lanner.net import wallclock

_NAMES = ("wall_ns", "mono_ns")


@contextmanager
def virtual_time(loop: VirtualLoop) -> Iterator[None]:
    """Let ``wall_ns`` and ``mono_ns`` tell the loop's time; at the end, the system's again.

    Modules hold the functions by name, because a call through another module would cost each frame; so each of them
    is told. Not for threads beside the loop: they would read its time too.
    """
    before = {name: getattr(wallclock, name) for name in _NAMES}
    virtual = {name: getattr(loop, name) for name in _NAMES}
    _exchange(before, virtual)
    try:
        yield
    finally:
        _exchange(virtual, before)


def _exchange(old: dict[str, Callable[[], int]], new: dict[str, Callable[[], int]]) -> None:
    for name, module in list(sys.modules.items()):
        if not name.startswith("lanner"):
            continue
        found = vars(module)
        for attribute in _NAMES:
            if found.get(attribute) == old[attribute]:
                found[attribute] = new[attribute]
