"""What starts quickly because it imports little: `lanner --help`, and a session that is started again."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.sources import ROOT

HEAVY = ("jinja2", "numba", "numpy", "pandas", "polars", "pydantic", "sqlalchemy")
RUN_AND_LIST = """
import sys
from lanner.cli.main import main
sys.argv = ["lanner", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("\\nIMPORTED", *sorted(sys.modules))
"""


def run(*arguments: str) -> tuple[str, set[str]]:
    """Run the command line in a fresh interpreter; return what it printed and what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    printed, _, imported = done.stdout.rpartition("\nIMPORTED")
    return printed, set(imported.split())


def test_help_imports_no_heavy_package() -> None:
    printed, imported = run("--help")
    assert "backtest" in printed
    assert "lanner.cli.main" in imported
    assert not imported.intersection(HEAVY)


def test_version_imports_no_heavy_package() -> None:
    printed, imported = run("--version")
    assert printed.strip()
    assert not imported.intersection(HEAVY)


def test_a_session_imports_nothing_that_reads_tables_or_compiles() -> None:
    code = "import sys, lanner.control.opening, lanner.live.session, lanner.live.ledger; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not {"numba", "pandas", "polars"} & set(done.stdout.split())
