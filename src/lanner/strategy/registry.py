"""Find a strategy by registered name, ``module:Class`` or file path."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.metadata
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from lanner.core.errors import ConfigError, LannerError, NotFoundError, StrategyError
from lanner.strategy.base import Strategy
from lanner.strategy.errors import describe, rendered, user_lines

ENTRY_POINTS = "lanner.strategies"
_MARK = "__lanner_loaded_from__"
_MARKED: set[str] = set()
"""Names of modules that may bear the mark: looking at all there are takes as long as loading a strategy."""


def load_strategy(ref: str) -> type[Strategy]:
    """Return the strategy class that a reference names.

    A reference is a registered name (``dual_ma``), ``package.module:Class``, or a file, ``my.py`` or ``my.py:Class``.
    Raises ``NotFoundError`` when there is nothing of that name, ``ConfigError`` when what is there is not a strategy
    and ``StrategyError`` when the user's own code fails while it is loaded.
    """
    text = ref.strip()
    place, _, member = text.rpartition(":") if ":" in text else (text, "", "")
    if not place:
        place, member = member, ""
    if place.endswith(".py") or "/" in place or "\\" in place:
        return load_file(Path(place), member)
    if ":" in text:
        return _load_module(place, member)
    return _load_name(text)


def registered(problems: list[str] | None = None) -> dict[str, type[Strategy]]:
    """Return every named strategy: the built-in ones, then those of installed packages.

    Packages announce theirs under the entry point group ``lanner.strategies``. One that cannot be loaded is left out;
    the reason is added to ``problems``.
    """
    from lanner.strategy.library import BUILT_IN, SIGNALS

    found: dict[str, type[Strategy]] = {cls.name: cls for cls in (*BUILT_IN, *SIGNALS)}
    for entry in _entry_points():
        if entry.name in found:
            _report(problems, f"{entry.name!r} of {entry.value} is left out: the name is taken")
            continue
        try:
            found[entry.name] = _as_strategy(entry.load(), entry.value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken package must not hide all others
            _report(problems, f"{entry.name!r} of {entry.value} cannot be loaded: {describe(error)}")
    return found


def load_file(path: Path, member: str = "") -> type[Strategy]:
    """Return the strategy of a file: the named one, or the only one in it."""
    target = path.expanduser()
    if not target.is_file():
        raise _no_file(target)
    module = _execute(target.resolve())
    if member:
        return _member(module, member, str(path))
    candidates = _strategies_of(module)
    if len(candidates) == 1:
        return _as_strategy(next(iter(candidates.values())), str(path))
    if not candidates:
        raise NotFoundError(
            f"there is no strategy in {path}",
            expected="a class derived from lanner.Strategy, or a function under @lanner.signal",
            fix=_imported_hint(module, path),
        )
    raise ConfigError(
        f"{path} has {len(candidates)} strategies",
        expected="one, or a name behind a colon",
        found=", ".join(candidates),
        fix=f"Say which one: {path}:{next(iter(candidates))}.",
    )


def _load_name(name: str) -> type[Strategy]:
    problems: list[str] = []
    known = registered(problems)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    fix = f"Did you mean {' or '.join(near)}?" if near else "See them with: lanner strategies."
    if Path(f"{name}.py").is_file():
        fix = f"There is a file of that name here: say {name}.py."
    broken = [text for text in problems if text.startswith(repr(name))]
    raise NotFoundError(
        f"there is no strategy named {name!r}" if name else "no strategy was named",
        expected=f"one of {', '.join(sorted(known))}, or a file my.py, or module:Class",
        fix=broken[0] if broken else fix,
    )


def _load_module(name: str, member: str) -> type[Strategy]:
    folder = Path.cwd()
    with _importable(folder):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                raise NotFoundError(
                    f"there is no module {name!r}",
                    expected=f"an installed module, or {name.replace('.', '/')}.py below {folder}",
                ) from None
            raise _load_error(error, name) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises is shown as theirs
            raise _load_error(error, name) from None
    if not member:
        raise ConfigError(
            f"{name}: does not say which strategy",
            expected="module:Class",
            fix=_one_of(_strategies_of(module), name),
        )
    return _member(module, member, name)


def _member(module: ModuleType, member: str, place: str) -> type[Strategy]:
    if not hasattr(module, member):
        candidates = _strategies_of(module)
        near = difflib.get_close_matches(member, candidates, n=3, cutoff=0.5)
        raise NotFoundError(
            f"there is no {member!r} in {place}",
            expected=f"one of {', '.join(candidates)}" if candidates else "a strategy (there is none)",
            fix=f"Did you mean {' or '.join(near)}?" if near else None,
        )
    return _as_strategy(getattr(module, member), f"{place}:{member}")


def _as_strategy(thing: object, place: str) -> type[Strategy]:
    """Return the thing when it is a complete strategy class, else raise ``ConfigError``."""
    if not isinstance(thing, type):
        function = inspect.isfunction(thing)
        raise ConfigError(
            f"{place} is not a strategy",
            expected="a class derived from lanner.Strategy",
            found="a plain function" if function else f"{type(thing).__name__} {thing!r:.60}",
            fix='Put @lanner.signal("1h") above it.' if function else None,
        )
    if not issubclass(thing, Strategy):
        raise ConfigError(
            f"{place} is not a strategy",
            expected="a class derived from lanner.Strategy",
            found=f"class {thing.__name__}({', '.join(base.__name__ for base in thing.__bases__)})",
        )
    if thing is Strategy or inspect.isabstract(thing):
        missing = sorted(getattr(thing, "__abstractmethods__", ()))
        raise ConfigError(
            f"{place} cannot run by itself",
            expected="a complete strategy",
            found=f"an abstract class without {', '.join(missing)}"
            if missing
            else "the base class of all strategies",
        )
    return thing


def _strategies_of(module: ModuleType) -> dict[str, type[Strategy]]:
    return {
        name: thing
        for name, thing in vars(module).items()
        if isinstance(thing, type)
        and issubclass(thing, Strategy)
        and thing.__module__ == module.__name__
        and not name.startswith("_")
        and not inspect.isabstract(thing)
    }


def _execute(path: Path) -> ModuleType:
    """Run a user's file as a module of its own name, which no other file can share."""
    digest = hashlib.blake2s(str(path).encode(), digest_size=4).hexdigest()
    name = f"lanner_file_{path.stem}_{digest}"
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__spec__ = ModuleSpec(name, None, origin=str(path))
    before = sys.modules.get(name)
    with _importable(path.parent):
        sys.modules[name] = module
        try:
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises is shown as theirs
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before
            raise _load_error(error, str(path)) from None
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let imports find the folder's modules for a while, and forget modules of other folders loaded before.

    Modules stay loaded (pickling and type hints look them up), but bear a mark, so that the next load of a folder
    with modules of the same names starts clean. An edited module is read again.
    """
    for name in list(_MARKED):
        module = sys.modules.get(name)
        mark = getattr(module, "__dict__", {}).get(_MARK)
        if module is None or mark is None:
            _MARKED.discard(name)
        elif mark != (str(folder), _modified(module)):
            del sys.modules[name]
            _MARKED.discard(name)
    known = set(sys.modules)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        fresh = [name for name in sys.modules.keys() - known if _lies_in(name, sys.modules[name], folder)]
        if fresh and str(folder.resolve()) not in {str(Path(entry).resolve()) for entry in sys.path}:
            for name in fresh:
                vars(sys.modules[name])[_MARK] = (str(folder), _modified(sys.modules[name]))
            _MARKED.update(fresh)


def _lies_in(name: str, module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:
        return any(
            Path(entry) == folder / name.replace(".", "/") for entry in getattr(module, "__path__", ())
        )
    stem = folder.joinpath(*name.split("."))
    return Path(file) in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")


def _modified(module: ModuleType) -> int:
    file = getattr(module, "__file__", None)
    try:
        return Path(file).stat().st_mtime_ns if file else 0
    except OSError:
        return 0


def _load_error(error: BaseException, place: str) -> LannerError:
    """Render what went wrong while a user's file was run: their lines, none of ours."""
    cause = error.__cause__
    if isinstance(error, RuntimeError) and isinstance(cause, LannerError) and "__set_name__" in str(error):
        return cause  # Python 3.11 wraps what a Param refuses in the class body
    if isinstance(error, LannerError) and any(
        "__set_name__" in note for note in getattr(error, "__notes__", ())
    ):
        return error  # later ones let it through with a note
    if isinstance(error, StrategyError) and getattr(error, "rendered", False):
        return error
    lines = [f"{place} cannot be loaded"]
    if isinstance(error, SyntaxError):
        lines += _syntax_lines(error)
    elif isinstance(error, SystemExit):
        lines += [*user_lines(error), "the file ends the program while it is loaded (sys.exit)"]
    elif isinstance(error, LannerError) and not user_lines(error):
        return error
    else:
        lines += [*user_lines(error), describe(error)]
    if isinstance(error, ModuleNotFoundError):
        lines.append(f"Install {error.name!r} in the environment that runs Lanner, or check the spelling.")
    return rendered("\n".join(lines), error)


def _syntax_lines(error: SyntaxError) -> list[str]:
    text = traceback.format_exception_only(error)
    return [line.rstrip("\n") for line in text]


def _no_file(path: Path) -> NotFoundError:
    folder = path.parent
    names = [entry.name for entry in folder.glob("*.py")] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    if path.is_dir():
        return NotFoundError(f"{path} is a folder", expected="a Python file", fix=f"Say {path}/<file>.py.")
    return NotFoundError(
        f"there is no file {path}",
        expected="a Python file with a strategy",
        fix=f"Did you mean {' or '.join(str(folder / name) for name in near)}?" if near else None,
    )


def _imported_hint(module: ModuleType, path: Path) -> str | None:
    imported = [
        name
        for name, thing in vars(module).items()
        if isinstance(thing, type) and issubclass(thing, Strategy) and thing is not Strategy
    ]
    return f"It imports {', '.join(imported)}; to run that say {path}:{imported[0]}." if imported else None


def _one_of(candidates: dict[str, type[Strategy]], name: str) -> str | None:
    return f"Say {' or '.join(f'{name}:{member}' for member in candidates)}." if candidates else None


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    return sorted(
        importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: (entry.name, entry.value)
    )


def _report(problems: list[str] | None, text: str) -> None:
    if problems is not None:
        problems.append(text)
