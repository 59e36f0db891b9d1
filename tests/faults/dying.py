"""Run ``lanner`` in a process that kills itself at a write of its journal: ``dying.py WRITE HOW WORDS…``.

``HOW``: ``before`` the record is written, ``after`` it, or ``torn``: in the middle of it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import Any

from lanner.cli.main import main
from lanner.storage.journal import JournalWriter


def die_at(write: int, how: str) -> None:
    """Let the process die at the ``write``-th record it writes."""
    append = JournalWriter.append
    count = 0

    def dying(self: JournalWriter, message: Any, ts: int) -> int:
        nonlocal count
        count += 1
        if count < write:
            return append(self, message, ts)
        if how != "before":
            before = self._size
            append(self, message, ts)
            if how == "torn":
                os.ftruncate(self._file, before + (self._size - before) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    JournalWriter.append = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    faulthandler.dump_traceback_later(180.0, exit=True)
    die_at(int(sys.argv[1]), sys.argv[2])
    sys.exit(main(sys.argv[3:]))
