"""A command line in this process: what a process of its own does, without the second that it takes to start.

For commands that end by themselves. What is stopped by a signal, runs beside something else, or is about processes,
starts a real one.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout

import pytest

from lanner.cli.main import main


def lanner_here(
    words: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``lanner WORDS`` with more variables in its environment; return its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        code = main(list(words))
    return subprocess.CompletedProcess(list(words), code, out.getvalue(), err.getvalue())
