"""Habits of the source: module sizes, names, and packages that only re-export."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.sources import PACKAGE, modules, shown, tree

LONGEST_MODULE = 500
EMPTY_WORDS = {"common", "helper", "helpers", "misc", "util", "utils"}
PACKAGES = sorted(PACKAGE.rglob("__init__.py"))


def imported(init: Path) -> ModuleType:
    return importlib.import_module(".".join(init.parent.relative_to(PACKAGE.parent).parts))


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    sizes = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert not {name: size for name, size in sizes.items() if size > LONGEST_MODULE}


def test_no_module_hides_behind_an_empty_word() -> None:
    names = {shown(path) for path in modules() if path.stem in EMPTY_WORDS or path.parent.name in EMPTY_WORDS}
    assert not names


@pytest.mark.parametrize("init", PACKAGES, ids=shown)
def test_every_package_declares_what_it_exports(init: Path) -> None:
    package = imported(init)
    names = getattr(package, "__all__", None)
    assert names is not None, f"{shown(init)} has no __all__"
    assert len(names) == len(set(names)), f"{shown(init)} exports a name twice"
    assert not [name for name in names if not hasattr(package, name)], f"{shown(init)} exports what it lacks"


def test_packages_below_the_top_define_nothing_public_themselves() -> None:
    found = [
        f"{shown(init)}:{node.lineno} defines {node.name}"
        for init in PACKAGES
        if init.parent != PACKAGE
        for node in tree(init).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name != "__getattr__"
    ]
    assert not found, "\n".join(found)


def test_every_module_says_what_it_is_for() -> None:
    silent = [shown(path) for path in modules() if tree(path).body and ast.get_docstring(tree(path)) is None]
    assert not silent
