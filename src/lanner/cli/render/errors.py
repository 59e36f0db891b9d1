"""How an error looks: one headline, then what was expected, what was found and what to do."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

from lanner.core.errors import LannerError
from lanner.storage.environment import colour_wish

_RED = "\x1b[1;31m"
_DIM = "\x1b[2m"
_RESET = "\x1b[0m"


def error_text(error: LannerError, *, colour: bool = False) -> str:
    """Return an error as lines of text for people."""
    label = f"{_RED}error:{_RESET}" if colour else "error:"
    lines = [f"{label} {error.what}"]
    for name, value in (("expected", error.expected), ("found", error.found), ("fix", error.fix)):
        if value:
            head = f"{_DIM}{name:<10}{_RESET}" if colour else f"{name:<10}"
            body = textwrap.indent(value, " " * 12).lstrip()
            lines.append(f"  {head}{body}")
    return "\n".join(lines)


def wants_colour(stream: TextIO) -> bool:
    """Tell whether a stream gets colours: as ``LANNER_COLOR`` says, else on terminals (see no-color.org)."""
    wish = colour_wish()
    if wish != "auto":
        return wish == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()
