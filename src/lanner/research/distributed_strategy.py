"""Send a strategy class to other machines: by its installed name, or whole with the user's own modules it uses."""

from __future__ import annotations

import linecache
import platform
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from lanner.core.errors import LannerError
from lanner.strategy.base import Strategy
from lanner.strategy.sources import source_hash


@dataclass(slots=True, frozen=True)
class ShippedStrategy:
    """A strategy class on its way: by its installed name, or pickled whole with the text of its files."""

    module: str
    name: str
    code: str
    pickled: bytes | None
    sources: dict[str, str]


def pickler() -> Any:
    """Return the cloudpickle that Ray brings along."""
    return import_module("ray.cloudpickle")


def pack_strategy(strategy: type[Strategy]) -> ShippedStrategy:
    """Return a strategy class as a name where it is installed, else pickled with the user's modules that it uses."""
    module, name = strategy.__module__, strategy.__qualname__
    code = source_hash([strategy])
    if module != "__main__" and not _is_users(sys.modules.get(module)):
        return ShippedStrategy(module, name, code, None, {})
    cloudpickle = pickler()

    own = _users_modules(module)
    named = [found for found in own if found.__name__ != "__main__"]  # pickled by value anyway
    for found in named:
        cloudpickle.register_pickle_by_value(found)
    try:
        pickled = cloudpickle.dumps(strategy)
    except (TypeError, AttributeError, ValueError, RecursionError, ImportError) as error:
        raise LannerError(
            f"the strategy {strategy.__name__} cannot be sent to other machines",
            expected="code whose module keeps no open files, locks or the like",
            found=f"{type(error).__name__}: {error}",
            fix="Make such things in on_start, or install the strategy as a package on every machine.",
        ) from error
    finally:
        for found in named:
            cloudpickle.unregister_pickle_by_value(found)
    return ShippedStrategy(module, name, code, pickled, _sources(own))


def unpack_strategy(shipped: ShippedStrategy) -> type[Strategy]:
    """Return the strategy class; raises LannerError when the one installed here has another source."""
    if shipped.pickled is not None:
        cloudpickle = pickler()

        for path, text in shipped.sources.items():  # so that errors show the user's lines here too
            linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        made: type[Strategy] = cloudpickle.loads(shipped.pickled)
        return made
    try:
        found: Any = import_module(shipped.module)
        for part in shipped.name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise LannerError(
            f"a worker on {platform.node()} does not have the strategy {shipped.module}:{shipped.name}",
            found=str(error),
            fix="Install its package on every machine.",
        ) from None
    if source_hash([found]) != shipped.code:
        raise LannerError(
            f"a worker on {platform.node()} has another version of the strategy {shipped.module}:{shipped.name}",
            expected=f"code {shipped.code[:12]}",
            found=source_hash([found])[:12],
            fix="Install the same version of its package on every machine.",
        )
    strategy: type[Strategy] = found
    return strategy


def _users_modules(name: str) -> list[ModuleType]:
    """Return a module and those of the user's own that can be reached from what it names."""
    found: dict[str, ModuleType] = {}
    todo: list[Any] = [sys.modules.get(name)]
    while todo:
        module = todo.pop()
        if module is None or module.__name__ in found or not _is_users(module):
            continue
        found[module.__name__] = module
        for thing in list(vars(module).values()):
            place = getattr(thing, "__module__", None)
            todo.append(
                thing
                if isinstance(thing, ModuleType)
                else sys.modules.get(place)
                if isinstance(place, str)
                else None
            )
    return list(found.values())


def _is_users(module: ModuleType | None) -> bool:
    """Tell whether a module is a file or notebook of the user's, which other machines do not have."""
    if module is None or module.__name__ == "__main__":
        return True
    top = module.__name__.partition(".")[0]
    if top == "lanner" or top in sys.stdlib_module_names or top in _installed():
        return False
    file = getattr(module, "__file__", None)
    if file is None:
        return False
    path = Path(file).resolve()
    return not any(path.is_relative_to(folder) for folder in _libraries())


@cache
def _installed() -> frozenset[str]:
    return frozenset(packages_distributions())


@cache
def _libraries() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple(Path(paths[key]).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib"))


def _sources(modules: Iterable[ModuleType]) -> dict[str, str]:
    found = {}
    for module in modules:
        file = getattr(module, "__file__", None)
        if file and Path(file).is_file():
            found[file] = Path(file).read_text(encoding="utf-8", errors="replace")
    return found
