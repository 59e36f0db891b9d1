"""The floors of the house, and what the heart may not touch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

from tests.architecture.sources import HEART, PACKAGE, ROOT, modules, shown, tree

OUTSIDE_WORLD = {
    "asyncio",
    "http",
    "multiprocessing",
    "numba",
    "random",
    "secrets",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "urllib",
}
CLOCKS_AND_DICE = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "os.urandom",
    "time.time",
    "time.time_ns",
    "uuid.uuid1",
    "uuid.uuid4",
}
NUMPY_TYPES = {"BitGenerator", "Generator"}
NUMPY_SEEDABLE = {"PCG64", "Philox", "SeedSequence", "default_rng"}


def imports(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def dotted_names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the last two parts of each attribute access: `datetime.datetime.now` gives `datetime.now`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            yield f"{name}.{node.attr}", node.lineno


def hidden_dice(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield uses of NumPy's global generator, and of its constructors without a seed."""
    seeded = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and (node.args or node.keywords):
            seeded.add(id(node.func))
        name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if isinstance(node, ast.Attribute) and name.startswith(("np.random.", "numpy.random.")):
            kind = name.rpartition(".")[2]
            if kind not in NUMPY_TYPES and not (kind in NUMPY_SEEDABLE and id(node) in seeded):
                yield name, node.lineno


def test_import_linter_finds_every_floor_kept() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_on_a_floor() -> None:
    floors = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms, "no rooms found: has the package moved?"
    homeless = [room for room in sorted(rooms) if f"({room})" not in floors and f'"{room}"' not in floors]
    assert not homeless, f"add these rooms to the import floors in pyproject.toml: {homeless}"


def test_the_heart_imports_nothing_of_the_outside_world() -> None:
    found = [
        f"{shown(path)}:{line} imports {name}"
        for path in modules(*HEART)
        for name, line in imports(tree(path))
        if name.partition(".")[0] in OUTSIDE_WORLD
        and not (path.parent.name == "kernels" and name.partition(".")[0] == "numba")
    ]
    assert not found, "\n".join(found)


def test_the_heart_reads_no_clock_and_throws_no_dice() -> None:
    found = [
        f"{shown(path)}:{line} uses {name}"
        for path in modules(*HEART)
        for name, line in [*dotted_names(tree(path)), *hidden_dice(tree(path))]
        if name in CLOCKS_AND_DICE or ".random." in name
    ]
    assert not found, "\n".join(found)


def test_only_kernels_import_a_compiler() -> None:
    found = [
        f"{shown(path)}:{line}"
        for path in modules()
        if "kernels" not in path.parts and "numba" in path.read_text(encoding="utf-8")
        for name, line in imports(tree(path))
        if name.partition(".")[0] == "numba"
    ]
    assert not found, "\n".join(found)
