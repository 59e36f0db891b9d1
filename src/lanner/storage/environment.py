"""The ``LANNER_*`` environment variables: where things lie, how much they may take, how the terminal looks.

What decides a backtest's result is never among them: that belongs to the run's settings, which are kept with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from lanner.core.errors import ConfigError

DEFAULT_CACHE_SIZE = "2GB"
KEYS_PREFIX = "LANNER_KEYS__"
"""Variables that begin so tell the keys of venues; their names hold the product's."""
SETTING = re.compile(r"LANNER_[A-Z][A-Z0-9_]*?__[A-Z0-9_]+")
"""What the variables that hold settings of sessions look like; ``live.overrides`` reads them."""

_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SWITCH = ("0", "1")
_COLOUR = ("auto", "always", "never")
_PROGRESS = ("auto", "never")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: what stands when it is not set, what it means, and what is wrong with a value (or nothing)."""

    name: str
    default: str
    meaning: str
    fault: Callable[[str], str]


def default_home() -> Path:
    """Return Lanner's home folder: ``LANNER_HOME`` or ``~/.lanner``."""
    return _folder("LANNER_HOME") or Path.home() / ".lanner"


def default_catalog() -> Path:
    """Return the folder of the catalog that commands use without ``--catalog``."""
    return _folder("LANNER_CATALOG") or default_home() / "catalog"


def default_runs() -> Path:
    """Return the folder of the run store: ``LANNER_RUNS`` or ``runs`` in the home folder."""
    return _folder("LANNER_RUNS") or default_home() / "runs"


def default_cache() -> Path:
    """Return the folder of what can be made again: ``LANNER_CACHE`` or ``cache`` in the home folder."""
    return _folder("LANNER_CACHE") or default_home() / "cache"


def cache_limit() -> int:
    """Return how many bytes imported files may take in the cache; raise ``ConfigError`` for a value that is no size."""
    text = os.environ.get("LANNER_CACHE_SIZE") or DEFAULT_CACHE_SIZE
    size = parse_size(text)
    if size is None:
        raise ConfigError("LANNER_CACHE_SIZE is not a size", expected="e.g. 500MB or 2GB", found=repr(text))
    return size


def parse_size(text: str) -> int | None:
    """Return the bytes of ``500MB``, ``2GB`` or a bare number (powers of 1000), None when it is no size."""
    found = _SIZE.match(text.strip())
    return round(float(found[1]) * 1000 ** _POWERS[found[2].lower()]) if found else None


def colour_wish() -> str:
    """Return ``auto``, ``always`` or ``never``; a value that is none of them counts as ``auto``."""
    wish = os.environ.get("LANNER_COLOR", "").lower()
    return wish if wish in _COLOUR else "auto"


def progress_wanted() -> bool:
    """Tell whether progress bars may be shown where there is a terminal."""
    return os.environ.get("LANNER_PROGRESS", "").lower() != "never"


def venue_urls() -> list[str]:
    """Return the servers that ``LANNER_URL`` puts in the venues' place, each as ``--url`` takes it."""
    return [text.strip() for text in os.environ.get("LANNER_URL", "").split(",") if text.strip()]


def debug_wanted() -> bool:
    """Tell whether ``LANNER_DEBUG`` asks for Python's tracebacks."""
    return os.environ.get("LANNER_DEBUG", "") not in ("", "0")


def faults(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, what is wrong, what to do) for each variable of a known name with a value it cannot have."""
    found = []
    for name, variable in VARIABLES.items():
        value = environment.get(name, "")
        fault = variable.fault(value) if value else ""
        if fault:
            found.append((name, fault, f"Set it to {variable.meaning}."))
    return found


def unknown(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (name, near name or nothing) for each variable that looks like Lanner's and means nothing to it."""
    names = sorted(
        name
        for name in environment
        if name.startswith("LANNER_")
        and not name.startswith(KEYS_PREFIX)
        and not SETTING.fullmatch(name)
        and name not in VARIABLES.keys() | _FOR_TESTS
    )
    return [(name, "".join(get_close_matches(name, VARIABLES, n=1, cutoff=0.7))) for name in names]


def reference_table() -> str:
    """Return the table of all variables for the documentation."""
    rows = [f"| `{v.name}` | {v.meaning} | `{v.default}` |" for v in VARIABLES.values()]
    return "\n".join(["| variable | meaning | default |", "|---|---|---|", *rows])


def _folder(name: str) -> Path | None:
    text = os.environ.get(name)
    return Path(text).expanduser() if text else None


def _folder_fault(text: str) -> str:
    path = Path(text).expanduser()
    return f"{path} is not a folder" if path.exists() and not path.is_dir() else ""


def _file_fault(text: str) -> str:
    path = Path(text).expanduser()
    return "" if path.is_file() else f"{path} is no file"


def _size_fault(text: str) -> str:
    return "" if parse_size(text) is not None else f"{text!r} is not a size"


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: "" if text.lower() in words else f"{text!r} is none of {', '.join(words)}"


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("LANNER_HOME", "~/.lanner", "the folder of everything that Lanner keeps", _folder_fault),
        Variable("LANNER_CATALOG", "$LANNER_HOME/catalog", "the folder of the catalog", _folder_fault),
        Variable("LANNER_RUNS", "$LANNER_HOME/runs", "the folder of the finished runs", _folder_fault),
        Variable("LANNER_CACHE", "$LANNER_HOME/cache", "the folder of what can be made again", _folder_fault),
        Variable(
            "LANNER_CACHE_SIZE",
            DEFAULT_CACHE_SIZE,
            "the most that files imported on the fly may take there, e.g. 500MB",
            _size_fault,
        ),
        Variable("LANNER_COLOR", "auto", "colours: auto (on terminals), always or never", _one_of(_COLOUR)),
        Variable(
            "LANNER_PROGRESS", "auto", "progress bars: auto (on terminals) or never", _one_of(_PROGRESS)
        ),
        Variable(
            "LANNER_URL",
            "the venues",
            "servers to use instead of the venues, as --url takes them, separated by commas",
            lambda text: "" if "http" in text else f"{text!r} names no server",
        ),
        Variable("LANNER_KEYS_PASSPHRASE", "asked for", "the passphrase of the key file", lambda _text: ""),
        Variable("LANNER_KEYS_PASSPHRASE_FILE", "none", "a file that holds this passphrase", _file_fault),
        Variable("LANNER_DEBUG", "0", "1 for Python's traceback when something breaks", _one_of(_SWITCH)),
    )
}
"""Every variable that Lanner reads, by name."""

_FOR_TESTS = frozenset({"LANNER_SHARED_DATA"})
