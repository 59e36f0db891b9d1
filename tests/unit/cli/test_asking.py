"""Questions at a terminal."""

from __future__ import annotations

import os
import pty
import sys
import textwrap

import pytest

ASKER = textwrap.dedent("""
    import signal, sys
    from lanner.cli.asking import ask, ask_secret

    signal.siginterrupt(signal.SIGINT, False)  # what libraries do that catch Ctrl-C on their own
    try:
        {name}("Well? ")
    except KeyboardInterrupt:
        sys.exit(42)
""")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["ask", "ask_secret"])
def test_ctrl_c_ends_a_question_although_a_library_lets_reads_go_on(name: str) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", ASKER.format(name=name)])
    told = b""
    while b"Well? " not in told:
        told += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 42
    os.close(terminal)
