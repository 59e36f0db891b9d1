"""What a user's strategy keeps outside its objects: plain values among a file's names, containers in a class body.

It decides as much as what an object holds, so it is kept with the engine's state. Modules that a strategy's file
imports are not looked into.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import Any

from lanner.strategy.base import Strategy

Modules = dict[str, dict[str, Any]]

_PLAIN = (bool, int, float, complex, str, bytes, bytearray, list, dict, set, tuple, deque, type(None))
_CONTAINERS = (list, dict, set, bytearray, deque)


def modules_of(strategies: Sequence[type[Strategy]]) -> Modules:
    """Return the names of the modules in which users' strategies are defined, by module."""
    found: Modules = {}
    for cls in _own_classes(strategies):
        names = next((f.__globals__ for f in vars(cls).values() if isinstance(f, FunctionType)), None)
        if names is not None:
            found[cls.__module__] = names
    return found


def loose_state(strategies: Sequence[type[Strategy]]) -> dict[str, Any]:
    """Return the plain values of those modules, and the containers in the bodies of those classes."""
    return {
        "modules": {
            module: {key: value for key, value in names.items() if _is_plain(key, value)}
            for module, names in modules_of(strategies).items()
        },
        "classes": [
            (cls, {key: value for key, value in vars(cls).items() if isinstance(value, _CONTAINERS)})
            for cls in _own_classes(strategies)
        ],
    }


def put_loose_state(state: dict[str, Any], modules: Modules) -> None:
    """Put back what ``loose_state`` returned."""
    for module, values in state["modules"].items():
        modules[module].update(values)
    for cls, values in state["classes"]:
        for key, value in values.items():
            setattr(cls, key, value)


def _is_plain(key: str, value: object) -> bool:
    return not key.startswith("__") and isinstance(value, _PLAIN)


def _own_classes(strategies: Sequence[type[Strategy]]) -> Iterator[type]:
    for strategy in strategies:
        for cls in strategy.__mro__:
            if cls is not object and cls.__module__.partition(".")[0] != "lanner":
                yield cls
