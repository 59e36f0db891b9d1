"""The doctor's checks: small functions that look at one thing each and say what to do about it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from lanner import __version__
from lanner.core.errors import ConfigError, LannerError
from lanner.kernels import available, cache_folder
from lanner.storage.environment import (
    VARIABLES,
    default_cache,
    default_catalog,
    default_home,
    default_runs,
    faults,
    unknown,
)

GOOD, WARN, BAD = "green", "amber", "red"

_GB = 1_000_000_000
_OPTIONAL = {
    "numba": ("numba", "research", "compiled kernels for sweeps"),
    "optuna": ("optuna", "research", "parameter search"),
    "talib": ("TA-Lib", "talib", "TA-Lib's indicators beside the house's own"),
    "ray": ("ray", "ray", "search on many machines"),
    "psycopg": ("psycopg", "postgres", "the ledger of sessions in PostgreSQL"),
}
"""Module → package that brings it, the extra of Lanner that asks for it, and what it is good for."""
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""No machine that runs this version lives before this day."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, green, amber or red, what was found and what to do."""

    name: str
    status: str
    text: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding as plain data."""
        return asdict(self)


def run_checks() -> list[Check]:
    """Return every finding. A check that itself breaks is reported as amber and stops no other."""
    checks: list[Check] = []
    for look in _CHECKS:
        try:
            checks.extend(look())
        except Exception as error:  # noqa: BLE001 - a broken check must not hide the others
            name = look.__name__.strip("_").replace("_", " ")
            checks.append(Check(name, WARN, f"could not be checked: {type(error).__name__}: {error}"))
    return checks


# -- the program ------------------------------------------------------------------------------------------------


def _lanner() -> Iterator[Check]:
    home = Path(__file__).resolve().parent.parent
    yield Check("lanner", GOOD, f"{__version__} in {home}")


def _python() -> Iterator[Check]:
    text = f"{platform.python_version()} ({platform.python_implementation()}) at {sys.executable}"
    if platform.python_implementation() != "CPython":
        yield Check("python", WARN, text, "Only CPython is tested.")
    else:
        yield Check("python", GOOD, text)


def _packages() -> Iterator[Check]:
    """Compare what is installed with what this version was declared to need."""
    problems = []
    versions = []
    for name, lowest in _requirements():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            problems.append(f"{name} is missing")
            continue
        versions.append(f"{name} {version}")
        if lowest and _as_numbers(version) < _as_numbers(lowest):
            problems.append(f"{name} {version} is older than {lowest}")
    if problems:
        yield Check(
            "packages", BAD, "; ".join(problems), "Install Lanner again: pip install --upgrade lanner."
        )
    else:
        yield Check("packages", GOOD, ", ".join(versions))


def _requirements() -> list[tuple[str, str]]:
    """Return (package, lowest version) of every run-time requirement in Lanner's own metadata."""
    found = []
    for text in metadata.requires("lanner") or []:
        if ";" in text:
            continue
        match = re.match(r"([A-Za-z0-9_.-]+)", text)
        lowest = re.search(r">=\s*([0-9.]+)", text)
        if match:
            found.append((match[1], lowest[1] if lowest else ""))
    return sorted(found)


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _platform() -> Iterator[Check]:
    text = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs"
    if platform.system() == "Windows":
        yield Check("platform", WARN, text, "Use Linux, macOS or the Windows Subsystem for Linux.")
    else:
        yield Check("platform", GOOD, text)


def _memory() -> Iterator[Check]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    status = GOOD if pages >= 2 * _GB else WARN
    fix = "" if status == GOOD else "Data is read in chunks; very long runs may still need more."
    yield Check("memory", status, f"{pages / _GB:.1f} GB", fix)


# -- the machine ------------------------------------------------------------------------------------------------


def _clock() -> Iterator[Check]:
    now = datetime.now(UTC)
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.02)
    drift_ms = abs((time.time() - wall) - (time.monotonic() - steady)) * 1000
    text = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _BUILT:
        yield Check(
            "clock", BAD, f"{text} is in the past", "Set the clock; run names and imports depend on it."
        )
    elif drift_ms > 5:
        yield Check(
            "clock", WARN, f"{text}, moved by {drift_ms:.1f} ms in 20 ms", "Is it being set? Try again."
        )
    else:
        yield Check("clock", GOOD, text)


def _disk() -> Iterator[Check]:
    folder = _nearest(default_home())
    free = shutil.disk_usage(folder).free
    text = f"{free / _GB:.1f} GB free at {folder}"
    if free < _GB / 10:
        yield Check("disk", BAD, text, "Free some space, or set LANNER_HOME to another disk.")
    elif free < 2 * _GB:
        yield Check("disk", WARN, text, "Little room for market data; set LANNER_HOME to a larger disk.")
    else:
        yield Check("disk", GOOD, text)


def _terminal() -> Iterator[Check]:
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    if encoding not in ("utf8", "utf_8"):
        yield Check(
            "terminal", WARN, f"its encoding is {encoding}", "Set PYTHONIOENCODING=utf-8 or LANG=C.UTF-8."
        )
    elif not sys.stdout.isatty():
        yield Check("terminal", GOOD, "not a terminal: no colours, no progress bar")
    else:
        columns = shutil.get_terminal_size().columns
        status = GOOD if columns >= 100 else WARN
        fix = "" if status == GOOD else "Tables are made for 100 columns; widen the window."
        yield Check("terminal", status, f"{columns} columns, {encoding}", fix)


# -- folders and what is in them --------------------------------------------------------------------------------


def _folders() -> Iterator[Check]:
    home = default_home()
    kernels = Path(os.environ["NUMBA_CACHE_DIR"]) if "NUMBA_CACHE_DIR" in os.environ else cache_folder()
    for name, folder in (
        ("home", home),
        ("catalog", default_catalog()),
        ("runs", default_runs()),
        ("cache", default_cache()),
        *((("kernel cache", kernels),) if available() else ()),
    ):
        problem = _write_problem(folder)
        if problem:
            yield Check(
                name, BAD, f"{folder}: {problem}", "Make it writable, or set LANNER_HOME to another folder."
            )
        else:
            yield Check(name, GOOD, f"{folder}{'' if folder.is_dir() else ' (made when needed)'}")


def _write_problem(folder: Path) -> str:
    """Return why nothing can be written to a folder, or to where it would be made; empty when it can."""
    place = _nearest(folder)
    if not place.is_dir():
        return f"{place} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"cannot write ({error.strerror})"


def _nearest(folder: Path) -> Path:
    """Return the folder itself or the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _environment() -> Iterator[Check]:
    """Look at the ``LANNER_*`` variables: a name that means nothing is most often a slip of the keyboard."""
    from lanner.live.overrides import settings_from

    wrong, strange = faults(os.environ), unknown(os.environ)
    try:
        settings_from(os.environ)
    except ConfigError as error:
        wrong.append((error.what.partition(" ")[0], error.what.partition(" ")[2], error.fix or "Correct it."))
    for name, fault, fix in wrong:
        yield Check("environment", BAD, f"{name}: {fault}", fix)
    for name, near in strange:
        fix = f"Did you mean {near}?" if near else "The page on environment variables lists those that do."
        yield Check("environment", WARN, f"{name} means nothing to Lanner", fix)
    if not wrong and not strange:
        known = [f"{name}={os.environ[name]}" for name in VARIABLES if os.environ.get(name)]
        yield Check("environment", GOOD, ", ".join(known) or "no LANNER_* variable is set")


def _stored_data() -> Iterator[Check]:
    from lanner.storage.catalog import Catalog

    try:
        datasets = Catalog(default_catalog()).datasets()
    except LannerError as error:
        yield Check("stored data", BAD, error.what, error.fix or "")
        return
    if not datasets:
        yield Check(
            "stored data",
            WARN,
            "no data sets",
            "Import a file: lanner data import FILE. Or try: lanner demo.",
        )
        return
    rows = sum(info.rows for info in datasets)
    flawed = sum(bool(info.problems) for info in datasets)
    text = f"{len(datasets)} data sets, {rows:,} rows" + (f", {flawed} with remarks" if flawed else "")
    yield Check("stored data", GOOD, text)


def _stored_runs() -> Iterator[Check]:
    from lanner.storage.runs import DamagedRun, RunStore

    runs = RunStore(default_runs()).list()
    damaged = [run.run_id for run in runs if isinstance(run, DamagedRun)]
    if damaged:
        text = f"{len(runs)} runs, {len(damaged)} damaged: {', '.join(damaged[:3])}"
        yield Check("stored runs", WARN, text, f"Remove it: lanner runs delete {damaged[0]}.")
    else:
        yield Check("stored runs", GOOD, f"{len(runs)} runs")


def _ledger() -> Iterator[Check]:
    from lanner.cli.ledger_desk import open_ledger
    from lanner.storage.ledger.reading import LedgerView

    try:
        ledger = open_ledger()
        if not ledger.exists:
            yield Check("ledger", GOOD, f"none yet: {ledger.name}")
            return
        held = LedgerView(ledger).summary()
        ledger.close()
    except LannerError as error:
        found = f"{error.what}: {error.found}" if error.found else error.what
        yield Check("ledger", BAD, found, error.fix or "")
        return
    rows = held["rows"]
    text = f"{held['ledger']}: {rows['sessions']:,} sessions, {rows['fills']:,} fills"
    yield Check("ledger", GOOD, text)


def _optional_parts() -> Iterator[Check]:
    for module, (package, extra, use) in _OPTIONAL.items():
        if find_spec(module) is None:
            fix = f"When you need it: pip install 'lanner[{extra}]'"
            yield Check(package, WARN, f"not installed: {use}", fix)
        else:
            yield Check(package, GOOD, f"{metadata.version(package)}: {use}")


_CHECKS: tuple[Callable[[], Iterator[Check]], ...] = (
    _lanner,
    _python,
    _packages,
    _platform,
    _memory,
    _disk,
    _clock,
    _terminal,
    _environment,
    _folders,
    _stored_data,
    _stored_runs,
    _ledger,
    _optional_parts,
)
