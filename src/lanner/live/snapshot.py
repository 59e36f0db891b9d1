"""An engine as bytes and back: everything that decides what it will do next.

The graph of its objects is pickled, strategies and indicators with it. What belongs to the running process (the bus,
the log, the journal) stays outside and is put in again; functions made inside others (an engine has a few, strategies
may) are kept as the place of their code and the values that they hold. So bytes can only be read by the software that
wrote them; whoever keeps them must check that, see ``checkpoints``.
"""

from __future__ import annotations

import importlib
import io
import pickle
from collections.abc import Callable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any

from lanner.core.errors import LannerError


class NotKeptError(LannerError):
    """Something in a strategy or an engine cannot be written down or read back."""


Names = Mapping[str, dict[str, Any]]
"""The names of each module that was made of a strategy's file: such a file may have been loaded more than once."""


def freeze(root: object, outside: Mapping[str, object]) -> bytes:
    """Return an object and all that hangs on it as bytes; raise ``NotKeptError`` when some of it cannot be kept.

    The objects of ``outside`` are left out, each under its name.
    """
    file = io.BytesIO()
    names = {id(thing): name for name, thing in outside.items() if thing is not None}
    try:
        _Freezer(file, names).dump(root)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise NotKeptError(
            "the state of the engine cannot be written down",
            found=str(error),
            fix="Keep numbers, texts, lists and the like in strategies; no files, connections, threads or generators.",
        ) from error
    return file.getvalue()


def thaw(data: bytes, outside: Mapping[str, object], modules: Names | None = None) -> Any:
    """Return what ``freeze`` made bytes of, with the things of ``outside`` in their places.

    Classes and functions of ``modules`` are taken from there, all others from where they are imported.
    """
    try:
        return _Thawer(io.BytesIO(data), outside, modules or {}).load()
    except Exception as error:
        raise NotKeptError(
            "a kept state cannot be read back", found=f"{type(error).__name__}: {error}"
        ) from error


class _Freezer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, outside: dict[int, str]) -> None:
        super().__init__(file, protocol=5)
        self._outside = outside

    def reducer_override(self, obj: Any) -> Any:
        name = self._outside.get(id(obj))
        if name is not None:
            return _outside, (name,)
        kind = type(obj)
        if kind is FunctionType:
            if obj.__module__ == __name__:
                return NotImplemented
            named = _find(obj.__globals__, obj.__qualname__) is obj
            return (_named, (obj.__module__, obj.__qualname__)) if named else _reduce_function(obj)
        if kind is CellType:
            return _reduce_cell(obj)
        if isinstance(obj, type):
            own = obj.__module__ != "builtins" and "<locals>" not in obj.__qualname__
            return (_named, (obj.__module__, obj.__qualname__)) if own else NotImplemented
        if hasattr(kind, "py_func") or "py_func" in getattr(obj, "__dict__", ()):
            return obj.__qualname__  # compiled by numba: found again by its name
        return NotImplemented


class _Thawer(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, outside: Mapping[str, object], modules: Names) -> None:
        super().__init__(file)
        self._things = outside
        self._modules = modules

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in ("_outside", "_named", "_make_function"):
            return getattr(self, name)
        return super().find_class(module, name)

    def _outside(self, name: str) -> object:
        return self._things[name]

    def _named(self, module: str, qualname: str) -> Any:
        found = _find(self._names(module), qualname)
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{qualname} is gone")
        return found

    def _names(self, module: str) -> dict[str, Any]:
        names = self._modules.get(module)
        return vars(importlib.import_module(module)) if names is None else names

    def _make_function(
        self,
        module: str,
        owner: str,
        path: tuple[int, ...],
        qualname: str,
        closure: tuple[CellType, ...] | None,
        defaults: tuple[Any, ...] | None,
        kwdefaults: dict[str, Any] | None,
    ) -> FunctionType:
        names = self._names(module)
        code = _code_of(names, owner)
        for index in path:
            code = None if code is None else code.co_consts[index]
        if not isinstance(code, CodeType):
            raise pickle.UnpicklingError(f"{module}.{qualname} is gone")
        function = FunctionType(code, names, None, defaults, closure)
        function.__qualname__, function.__module__ = qualname, module
        function.__kwdefaults__ = kwdefaults
        return function


def _outside(name: str) -> object:
    """Stand for something that is not in the bytes; ``_Thawer`` has the lookup."""
    raise NotKeptError(f"{name} is missing")


def _named(module: str, qualname: str) -> object:
    """Stand for a class or a function that is found by its name; ``_Thawer`` has the lookup."""
    raise NotKeptError(f"{module}.{qualname} is missing")


def _make_function(*parts: Any) -> object:
    """Stand for a function that was made inside another; ``_Thawer`` makes it."""
    raise NotKeptError(f"a function of {parts[0]} is missing")


def _find(names: Mapping[str, Any], qualname: str) -> Any:
    first, *more = qualname.split(".")
    thing = names.get(first)
    for part in more:
        thing = vars(thing).get(part) if isinstance(thing, type) else None
        thing = getattr(thing, "__func__", thing)
    return thing


def _reduce_function(function: FunctionType) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    owner, _, _ = function.__qualname__.partition(".<locals>")
    outer = _code_of(function.__globals__, owner)
    path = None if outer is None else _path_to(outer, function.__code__)
    if path is None:
        name = f"{function.__module__}.{function.__qualname__}"
        raise pickle.PicklingError(f"{name} is made in a way that cannot be repeated")
    return _make_function, (
        function.__module__,
        owner,
        path,
        function.__qualname__,
        function.__closure__,
        function.__defaults__,
        function.__kwdefaults__,
    )


def _code_of(names: Mapping[str, Any], owner: str) -> CodeType | None:
    thing = _find(names, owner)
    while hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    code = getattr(thing, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _path_to(outer: CodeType, wanted: CodeType) -> tuple[int, ...] | None:
    """Return at which places among the constants of each code the next one is found."""
    for index, const in enumerate(outer.co_consts):
        if isinstance(const, CodeType):
            if const == wanted:
                return (index,)
            rest = _path_to(const, wanted)
            if rest is not None:
                return (index, *rest)
    return None


def _reduce_cell(cell: CellType) -> tuple[Any, ...]:
    try:
        held = (cell.cell_contents,)
    except ValueError:
        return _make_cell, ()
    return _make_cell, (), held, None, None, _fill_cell


def _make_cell() -> CellType:
    return CellType()


def _fill_cell(cell: CellType, held: tuple[Any]) -> None:
    cell.cell_contents = held[0]
