"""Garbage collection in a trading process: often a little, never everything at once.

Python's collector looks through all objects when enough new ones have survived: hundreds of milliseconds in a process
that has loaded much. Here what survives is set aside every few seconds (``gc.freeze``), after a look at it alone, so no
look takes longer than the last few seconds deserve. Garbage that becomes a cycle later than that is not found; sessions
make next to none, and their memory is watched.
"""

from __future__ import annotations

import asyncio
import gc

PACE_S = 1.0
QUIET = (5_000, 20, 1_000_000)
_USUAL = gc.get_threshold()


async def keep_collected() -> None:
    """Collect in small steps until cancelled; then everything is as usual again."""
    gc.collect()
    gc.freeze()
    try:
        while True:
            gc.set_threshold(*QUIET)
            await asyncio.sleep(PACE_S)
            gc.collect()
            gc.freeze()
    finally:
        gc.set_threshold(*_USUAL)
        gc.unfreeze()
