"""How the doctor's findings look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lanner.cli.health import BAD, GOOD, WARN, Check

_MARKS = {GOOD: "ok", WARN: "warn", BAD: "BAD"}
_COLOURS = {GOOD: "\x1b[32m", WARN: "\x1b[33m", BAD: "\x1b[1;31m"}
_RESET = "\x1b[0m"


def health_text(checks: Sequence[Check], *, colour: bool = False, quiet: bool = False) -> str:
    """Lay out checks one a line with their fixes below, and sum up; ``quiet`` leaves out what is green."""
    shown = [check for check in checks if not quiet or check.status != GOOD]
    width = max((len(check.name) for check in shown), default=0)
    lines: list[str] = []
    for check in shown:
        mark = f"{_MARKS[check.status]:<4}"
        if colour:
            mark = f"{_COLOURS[check.status]}{mark}{_RESET}"
        lines.append(f"{mark}  {check.name:<{width}}  {check.text}")
        if check.fix:
            lines.append(f"      {'':<{width}}  → {check.fix}")
    if not quiet:
        count = Counter(check.status for check in checks)
        lines += ["", f"{count[GOOD]} green, {count[WARN]} amber, {count[BAD]} red"]
    return "\n".join(lines)
