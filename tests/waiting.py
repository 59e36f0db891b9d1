"""Waiting for other threads and processes, and writing what they read."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 120.0
"""How long a test waits for another process: more than the busiest machine needs, less than a test may take."""


def until(holds: Callable[[], object], what: object = "it", seconds: float = PATIENCE_S) -> None:
    """Wait until something holds; a callable ``what`` is asked for words only when it does not come."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what() if callable(what) else what} does not come"
        time.sleep(0.02)


def save(path: Path, text: str) -> None:
    """Write a file as a whole: who looks at it meanwhile sees what was there before."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def unused_port() -> int:
    """Return a port on which nobody listens, and that the kernel gives to nobody who asks for any.

    A port that is free when the kernel names it may be another test's a moment later. Those below the kernel's range
    go only to those who name them; each process of the tests begins to look at another one.
    """
    for port in random.Random(os.getpid() * 1_000 + time.monotonic_ns()).sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port between 20000 and 32000 is free")
