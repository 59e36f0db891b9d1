"""What the architecture tests look at: source files, their rooms and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lanner"
HEART = (
    "core",
    "model",
    "kernels",
    "marketdata",
    "indicators",
    "analysis",
    "portfolio",
    "risk",
    "execution",
    "strategy",
    "engine",
    "sim",
)


def modules(*rooms: str) -> list[Path]:
    """Return the Python files of some rooms, or of the whole package."""
    folders = [PACKAGE / room for room in rooms] if rooms else [PACKAGE]
    return sorted(path for folder in folders if folder.is_dir() for path in folder.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """Parse one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Return a path as it reads from the root of the repository."""
    return str(path.relative_to(ROOT))


def tracked_files() -> list[Path]:
    """Return the files that git would commit, or every source file where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        return [
            p
            for top in ("src", "tests", "docs", "benchmarks")
            for p in (ROOT / top).rglob("*")
            if p.is_file()
        ]
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
