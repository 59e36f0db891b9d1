"""Ask the person at the terminal, in a way that Ctrl-C ends at once."""

from __future__ import annotations

import signal
import sys
import threading


def ask(prompt: str) -> str:
    """Ask for a line on standard error and return it without spaces at its ends; nothing at the end of input."""
    _let_interrupts_through()
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def ask_secret(prompt: str) -> str:
    """Ask for a line that is not shown."""
    from getpass import getpass

    _let_interrupts_through()
    return getpass(prompt)


def _let_interrupts_through() -> None:
    """Let Ctrl-C end a waiting read: libraries that catch it themselves (polars) have the read go on instead."""
    if threading.current_thread() is threading.main_thread():
        signal.siginterrupt(signal.SIGINT, True)
