"""Whether two machines would compute the same numbers: the versions of what decides them, and Lanner's own code."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lanner import __version__
from lanner.core.errors import LannerError

_PRESENTATION = ("api", "cli", "control", "live", "simulator", "testkit")


@cache
def software() -> dict[str, str]:
    """Return the versions of what decides numbers, and a hash of Lanner's code."""
    found = {
        "Lanner": __version__,
        "Lanner's code": _code(),
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }
    for name in ("numpy", "polars", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def check_software(wanted: Mapping[str, str]) -> None:
    """Raise LannerError when this machine would not compute with the very same software."""
    own = software()
    different = [name for name in wanted if own.get(name) != wanted[name]]
    if different:
        raise LannerError(
            f"a worker on {platform.node()} has other software",
            expected=", ".join(f"{name} {wanted[name]}" for name in different),
            found=", ".join(f"{name} {own.get(name)}" for name in different),
            fix="Install the same versions on every machine; restart Ray there when files were changed.",
        )


def _code() -> str:
    """Return a hash of Lanner's modules, those that only show results left out."""
    import lanner

    root = Path(lanner.__file__).resolve().parent
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] not in _PRESENTATION:
            digest.update(place.as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
