"""Read a strategy's source for what often goes wrong: hints with line numbers, for what a run may not show.

A hint is never proof, so all of them are warnings. Code outside of functions runs once, when the file is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from lanner.research.lint_names import (
    CLOCK_CALLS,
    DICE_MODULES,
    FILL_BACK,
    MUTATORS,
    NETWORK_MODULES,
    PEEKING_CALLS,
    PRICE_WORDS,
    PROGRAM_MODULES,
    READING_CALLS,
    SEEDABLE,
    UNSTABLE_CALLS,
)
from lanner.research.probes import Finding
from lanner.research.probes_stage import Outcome

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = frozenset({"list", "dict", "set", "deque", "defaultdict", "Counter", "OrderedDict", "bytearray"})


def check_source(paths: list[Path]) -> Outcome:
    """Return what reading the strategy's files gives."""
    outcome = Outcome("source")
    for path in paths:
        try:
            outcome.findings += lint(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, SyntaxError):
            continue
    outcome.done = bool(paths)
    outcome.note = f"{', '.join(path.name for path in paths)} read" if paths else "no source file"
    return outcome


def lint(source: str) -> list[Finding]:
    """Return the hints of one source text, in the order of its lines."""
    tree = ast.parse(source)
    found = [*_calls(tree), *_indexing(tree), *_equality(tree), *_imports(tree), *_shared(tree)]
    return sorted(found, key=lambda finding: finding.line or 0)


def _hint(check: str, node: ast.AST, what: str, fix: str) -> Finding:
    line = getattr(node, "lineno", 0)
    text = ast.unparse(node).splitlines()[0]
    text = text if len(text) <= 70 else f"{text[:69]}…"
    return Finding(check, "warning", what, found=f"line {line}: {text}", fix=fix, line=line)


# -- calls -------------------------------------------------------------------------------------------


def _calls(tree: ast.Module) -> Iterator[Finding]:
    names = _imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _future_call(node)
            yield from _outer_call(node, names)


def _future_call(node: ast.Call) -> Iterator[Finding]:
    name = _last(node.func)
    values = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in ("periods", "n"))]
    if name in ("shift", "diff", "pct_change", "lead") and any(_negative(value) for value in values[:1]):
        yield _hint(
            "look-ahead",
            node,
            "a shift to the left brings the future",
            "Shift to the right: .shift(1) is the bar before.",
        )
    options = {keyword.arg: keyword.value for keyword in node.keywords}
    if _is(options.get("center"), True):
        yield _hint(
            "look-ahead",
            node,
            "a centred window looks at bars to come",
            "Leave out center=True: a window ends at the present bar.",
        )
    backwards = _is(options.get("strategy"), "backward") or _is(options.get("method"), "bfill", "backfill")
    if name in FILL_BACK or backwards:
        yield _hint(
            "look-ahead", node, "filling backwards copies the future into the past", "Fill forwards (ffill)."
        )


def _outer_call(node: ast.Call, names: dict[str, str]) -> Iterator[Finding]:
    dotted = _resolved(node.func, names)
    last = dotted.rpartition(".")[2]
    if dotted in CLOCK_CALLS:
        yield _hint("determinism", node, "it reads the wall clock", "Use self.now or bar.ts_event.")
    elif dotted.startswith(DICE_MODULES) and not (last in SEEDABLE and (node.args or node.keywords)):
        yield _hint("determinism", node, "random numbers that are not the run's", "Draw from self.rng.")
    elif dotted in UNSTABLE_CALLS:
        yield _hint(
            "determinism",
            node,
            "a value that is another one in every process",
            "Use names, times and sorted() to choose and to order.",
        )
    elif dotted in READING_CALLS or last in READING_CALLS["last"]:
        yield _hint("outside", node, "it reads or writes a file", "Let market data come from --data.")
    elif dotted in PEEKING_CALLS:
        yield _hint(
            "look-ahead",
            node,
            "it looks into the memory of the program that runs it",
            "Use what self gives: bars, indicators, position, orders.",
        )


def _imports(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            top = module.partition(".")[0]
            if top in NETWORK_MODULES or module in NETWORK_MODULES:
                yield _hint("outside", node, "it can use the network", "Fetch beforehand; import it as data.")
            elif top in PROGRAM_MODULES:
                yield _hint(
                    "outside", node, "it can start threads or programs", "Do that outside of the strategy."
                )


# -- looking ahead by index, comparing floats ----------------------------------------------------------


def _indexing(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Subscript) or not _is_prices(node.value):
            continue
        index = node.slice
        if (
            isinstance(index, ast.BinOp)
            and isinstance(index.op, ast.Add)
            and (_positive(index.right) or _positive(index.left))
        ):
            yield _hint(
                "look-ahead",
                node,
                "an index beyond the present one",
                "Take bars[-1] for the present bar and bars[-2] for the one before.",
            )


def _equality(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        exact = any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        same = any(ast.dump(a) == ast.dump(b) for a, b in pairwise(sides))  # x != x: NaN
        if exact and not same and any(_is_price(side) for side in sides) and not any(map(_no_number, sides)):
            yield _hint(
                "equality",
                node,
                "prices are compared for being exactly equal",
                "Ask for < or >, or for a distance smaller than a tick.",
            )


def _is_price(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("open", "high", "low", "close", "px", "mid")


def _no_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, float | int)


def _is_prices(node: ast.expr) -> bool:
    """Tell whether the thing that is indexed is called as rows of market data are."""
    name = _last(node).lower().lstrip("_")
    return any(name == word or name.endswith(f"_{word}") for word in PRICE_WORDS)


# -- state that outlives a run -------------------------------------------------------------------------


def _shared(tree: ast.Module) -> Iterator[Finding]:
    changed = _changed_names(tree)
    for node in tree.body:
        for name in _mutables(node):
            if name in changed["plain"]:
                yield _hint(
                    "state",
                    node,
                    f"{name} belongs to the module: it outlives the run",
                    f"Make it the instance's own, in on_start: self.{name.lower()} = ….",
                )
    for part in ast.walk(tree):
        if isinstance(part, ast.ClassDef):
            yield from _shared_by_runs(part, changed["attribute"])
        elif isinstance(part, ast.FunctionDef):
            yield from _kept_from_call_to_call(part)


def _shared_by_runs(cls: ast.ClassDef, changed: set[str]) -> Iterator[Finding]:
    own = _set_on_self(cls)
    for node in cls.body:
        for name in _mutables(node):
            if name in changed and name not in own:
                yield _hint(
                    "state",
                    node,
                    f"{name} belongs to the class: all runs share it",
                    f"Make it the instance's own, in on_start: self.{name} = ….",
                )


def _kept_from_call_to_call(function: ast.FunctionDef) -> Iterator[Finding]:
    for default in [*function.args.defaults, *filter(None, function.args.kw_defaults)]:
        if isinstance(default, MUTABLE):
            yield _hint(
                "state",
                default,
                "a default value that is kept from call to call",
                "Use None, and make it inside.",
            )
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield _hint("state", node, "a global variable outlives the run", "Use an attribute of self.")


def _mutables(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds to something that can change."""
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return
    made = isinstance(value, ast.Call) and _last(value.func) in MAKERS
    if made or isinstance(value, MUTABLE):
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _changed_names(tree: ast.Module) -> dict[str, set[str]]:
    """Return the names that functions change in place, plain ones and attributes of self, cls or a class."""
    changed: dict[str, set[str]] = {"plain": set(), "attribute": set()}

    def note(node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            changed["plain"].add(node.id)
        elif isinstance(node, ast.Attribute):
            changed["attribute"].add(node.attr)

    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in MUTATORS:
                    note(node.func.value)
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
                single = [node.target] if isinstance(node, ast.AugAssign) else node.targets
                for target in single:
                    if isinstance(target, ast.Subscript):
                        note(target.value)
                    elif isinstance(node, ast.AugAssign):
                        note(target)
    return changed


def _set_on_self(cls: ast.ClassDef) -> set[str]:
    """Return the attributes that on_start or __init__ gives to the instance anew."""
    found: set[str] = set()
    for function in cls.body:
        if isinstance(function, ast.FunctionDef) and function.name in ("on_start", "__init__"):
            for step in ast.walk(function):
                for target in getattr(step, "targets", [getattr(step, "target", None)]):
                    if isinstance(target, ast.Attribute) and _last(target.value) == "self":
                        found.add(target.attr)
    return found


# -- parts -------------------------------------------------------------------------------------------


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Return what names stand for by the file's imports: ``np`` for numpy, ``now`` for a module's member."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _resolved(node: ast.expr, names: dict[str, str]) -> str:
    """Return the dotted name of a call with what was imported put in; "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ".".join(["", *reversed(parts)])
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _negative(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _positive(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value > 0


def _is(node: ast.expr | None, *values: object) -> bool:
    return isinstance(node, ast.Constant) and node.value in values
