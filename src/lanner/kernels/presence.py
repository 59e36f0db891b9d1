"""Whether kernels can run here: numba is an optional part of Lanner."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lanner.core.errors import LannerError

KEPT = 3
"""How many versions of compiled kernels stay beside the present one."""


@cache
def available() -> bool:
    """Tell whether numba is installed; it is not imported for that."""
    return importlib.util.find_spec("numba") is not None


def require(what: str = "compiled kernels") -> None:
    """Raise a LannerError that says how to install numba when it is missing."""
    if not available():
        raise LannerError(
            f"{what} need numba, which is not installed",
            expected="the optional part 'research'",
            fix="Run: pip install 'lanner[research]'",
        )


def cache_folder() -> Path:
    """Return where compiled kernels are kept: beside their sources, or in the user's cache where that is read-only.

    Numba looks at the file of a compiled function only, not at those it calls, so the folder's name carries a hash of
    all kernels' sources and numba's version: a change of any of them compiles anew.
    """
    here = Path(__file__).parent
    digest = hashlib.blake2b(_numba_version().encode(), digest_size=6)
    for source in sorted(here.glob("*.py")):
        digest.update(source.read_bytes())
    parent = here / "__pycache__"
    if not os.access(parent if parent.exists() else here, os.W_OK):
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lanner"
    return parent / f"kernels-{digest.hexdigest()}"


def _numba_version() -> str:
    try:
        return version("numba")
    except PackageNotFoundError:
        return "none"


def forget_old(folder: Path) -> None:
    """Remove what other versions of the kernels compiled, but for the ``KEPT`` newest: others may be running.

    Nothing is looked at once this version has its folder.
    """
    if folder.exists():
        return
    others = sorted(folder.parent.glob("kernels-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in others[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def compiled() -> bool:
    """Tell whether kernels have been compiled here before; the first time takes some seconds."""
    folder = Path(os.environ["NUMBA_CACHE_DIR"]) if "NUMBA_CACHE_DIR" in os.environ else cache_folder()
    return any(folder.rglob("spans.*_spans-*.nbi"))
