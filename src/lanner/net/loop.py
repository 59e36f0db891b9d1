"""The event loop that drivers and servers run on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

T = TypeVar("T")
LoopChoice = Literal["auto", "uvloop", "asyncio"]


def loop_factory(choice: LoopChoice = "auto") -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the loop: uvloop's where it is installed (``auto``), else None for asyncio's own."""
    if choice == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if choice == "uvloop":
            raise
        return None
    return uvloop.new_event_loop


def run(main: Coroutine[Any, Any, T], *, loop: LoopChoice = "auto", debug: bool | None = None) -> T:
    """Run a program to its end on the fastest loop there is, and clean up after it."""
    with asyncio.Runner(debug=debug, loop_factory=loop_factory(loop)) as runner:
        return runner.run(main)


def settle_memory() -> None:
    """Keep what start-up made out of later garbage collections, which are then short; call when it is over."""
    gc.collect()
    gc.freeze()
