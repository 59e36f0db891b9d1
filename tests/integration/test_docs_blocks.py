"""Every Python block of the documentation runs, page by page, as a reader would type it.

The blocks of one page run in one process in an empty folder, in order. A block that is only meant to be read stands
under a line `<!-- no-run -->`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?P<skip><!-- no-run -->\s*\n)?^(?P<indent> *)```(?:python|py)\b[^\n]*\n(?P<code>.*?)^ *```",
    re.M | re.S,
)


def program(page: str) -> str:
    """Return a page's runnable blocks as one program whose line numbers are the page's own."""
    lines: list[str] = []
    for block in BLOCK.finditer(page):
        if block["skip"]:
            continue
        first = page.count("\n", 0, block.start("code"))
        lines += [""] * (first - len(lines))
        lines += [line.removeprefix(block["indent"]) for line in block["code"].splitlines()]
    return "\n".join(lines)


PAGES = [
    page
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    if program(page.read_text(encoding="utf-8")).strip()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    file = tmp_path / page.with_suffix(".py").name
    file.write_text(program(page.read_text(encoding="utf-8")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file.name], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{page.relative_to(ROOT)} (line numbers are the page's):\n{done.stderr}"


def test_blocks_keep_their_line_numbers_and_marked_ones_are_left_out() -> None:
    shown, marked = "```python\na = 1\n```\n", "<!-- no-run -->\n```python\nb = 2\n```\n"
    page = f"# Title\n\n{shown}\n{marked}\n- item\n\n  ```python\n  c = 3\n  ```\n"
    assert program(page).splitlines() == ["", "", "", "a = 1", *[""] * 10, "c = 3"]
