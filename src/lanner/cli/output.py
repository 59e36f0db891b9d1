"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
"""Columns of what is printed where there is no terminal."""


def plain(value: object) -> object:
    """Turn a value into what JSON can hold: Decimals become numbers, NaN and infinities become null."""
    if isinstance(value, Decimal):
        return plain(float(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(entry) for entry in value]
    item = getattr(value, "item", None)  # numpy scalars
    if item is not None and getattr(value, "shape", None) == ():
        return plain(item())
    return value


def print_json(value: object) -> None:
    """Print one JSON object on one line of standard output."""
    import json

    print(json.dumps(plain(value), ensure_ascii=False, allow_nan=False, default=str))


def note(text: str, *, quiet: bool = False) -> None:
    """Tell the user something beside the result, on standard error."""
    if not quiet:
        print(f"{text}\n", end="", file=sys.stderr)  # in one piece: several sessions tell something at once


def console(width: int = WIDTH) -> Console:
    """Return the console for results: coloured as ``LANNER_COLOR`` says, ``width`` columns without a terminal."""
    from rich.console import Console

    from lanner.cli.render.errors import wants_colour

    colour = wants_colour(sys.stdout)
    return Console(
        highlight=False,
        no_color=not colour,
        force_terminal=True if colour else None,
        width=None if sys.stdout.isatty() else width,
    )


@contextmanager
def prints_aside(aside: bool) -> Iterator[None]:
    """Send what a strategy prints to standard error where standard output is a result for programs."""
    if not aside:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> str:
    """Lay out rows under a head in aligned columns.

    ``right`` names the columns to align right by their position, e.g. ``"23"`` for the third and fourth.
    """
    columns = list(zip(head, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if str(index) in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
