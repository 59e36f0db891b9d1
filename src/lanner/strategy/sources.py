"""Where strategies are written: their files, and a hash of what stands in them."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path

from lanner.strategy.base import Strategy


def source_files(classes: Iterable[type[Strategy]]) -> list[Path]:
    """Return the files that define the strategies, those of the house left out."""
    house = Path(__file__).resolve().parent.parent
    files = dict.fromkeys(path for cls in classes if (path := _file_of(cls)) is not None)
    return [path for path in files if not path.is_relative_to(house)]


def source_hash(classes: Iterable[type[Strategy]]) -> str:
    """Return a hash of the source text of the files that define the strategies."""
    digest = hashlib.sha256()
    for cls in classes:
        path = _file_of(cls)
        digest.update(cls.__qualname__.encode())
        digest.update(path.read_bytes() if path is not None else _source_of(cls))
    return digest.hexdigest()


def _file_of(cls: type[Strategy]) -> Path | None:
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file and Path(file).is_file() else None


def _source_of(cls: type[Strategy]) -> bytes:
    """Return the source of a class that no file holds (a notebook cell), empty when there is none."""
    try:
        return inspect.getsource(cls).encode()
    except (OSError, TypeError):
        return b""
