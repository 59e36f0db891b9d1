"""Workers beside each other compile each kernel once: the first one does, the others wait and load what it kept.

Numba's cache has no lock of its own: workers on a clean checkout compiled the same kernels beside each other, and what
one kept was lost where another one wrote the same index.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # no flock on Windows: there each worker compiles for itself
    fcntl = None  # type: ignore[assignment]


def compile_once() -> None:
    """Let this process wait where another one compiles the same function; without effect where numba is missing."""
    try:
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.dispatcher import Dispatcher
    except ImportError:
        return
    if fcntl is None:
        return
    alone = Dispatcher.compile
    held: set[str] = set()

    def compile(dispatcher: Any, sig: Any) -> Any:
        place = getattr(dispatcher._cache, "_cache_file", None)
        if place is None:  # nobody keeps it
            return alone(dispatcher, sig)
        name = os.path.join(place._cache_path, place._index_name)  # noqa: PTH118 - it is a text for numba
        with global_compiler_lock:  # before ours: a thread that has it may be about to ask for ours
            if name in held:
                return alone(dispatcher, sig)
            with _lock_of(name):
                held.add(name)
                try:
                    return alone(dispatcher, sig)
                finally:
                    held.discard(name)

    Dispatcher.compile = compile  # type: ignore[method-assign, assignment]


@contextmanager
def _lock_of(name: str) -> Iterator[None]:
    folder = Path(tempfile.gettempdir()) / f"lanner-compiling-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / hashlib.blake2b(name.encode(), digest_size=12).hexdigest()).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
