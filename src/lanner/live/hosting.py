"""Sessions that share a process: how one that is stuck is cut off, so that the others need not die with it.

Whoever ends a session from outside (its watchdog, ``lanner kill``) must be sure that it sends nothing more. A process
of its own is simply ended. One that runs other sessions too is asked by a file in the session's folder; a thread beside
the stuck one closes the session's journal to it, and without its journal no command can leave.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.storage.files import write_atomic

if TYPE_CHECKING:
    from lanner.live.session import Session

WANTED = "cut-off-wanted"
DONE = "cut-off"
LOOK_S = 0.25
ANSWER_S = 3.0


def cut_off(session: Session, reason: str) -> None:
    """Make sure that a session sends nothing more, whatever it does when it wakes up; call it from any thread."""
    session.heart.broken = session.heart.broken or f"cut off: {reason}"


async def ask_to_cut_off(folder: Path, reason: str) -> bool:
    """Ask the process of a session to cut it off; tell whether it did in time."""
    (folder / DONE).unlink(missing_ok=True)
    write_atomic(folder / WANTED, reason.encode())
    end = asyncio.get_running_loop().time() + ANSWER_S
    while asyncio.get_running_loop().time() < end:
        if (folder / DONE).exists():
            return True
        await asyncio.sleep(0.05)
    (folder / WANTED).unlink(missing_ok=True)
    return False


class Host:
    """Cut a session off when its folder asks for it, from a thread beside the session's own."""

    def __init__(self, session: Session) -> None:
        self.was_cut_off = False
        self._session = session
        self._over = threading.Event()
        for name in (WANTED, DONE):
            (session.folder / name).unlink(missing_ok=True)
        session.guard.shared = True
        self._thread = threading.Thread(target=self._watch, name=f"host-{session.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._over.set()

    def _watch(self) -> None:
        folder = self._session.folder
        while not self._over.wait(LOOK_S):
            with suppress(OSError):
                if not (folder / WANTED).exists():
                    continue
                cut_off(self._session, (folder / WANTED).read_text()[:500])
                self.was_cut_off = True
                (folder / WANTED).replace(folder / DONE)
                return
