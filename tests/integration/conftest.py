"""Command lines, run in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lanner.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lanner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process; return its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run
