"""Commands that go wrong in every way the outermost wall must hold."""

from __future__ import annotations

from lanner.core.errors import NotFoundError, RiskRefusedError


def boom() -> None:
    """Raise what nobody expects."""
    raise ZeroDivisionError("one by none")


def missing() -> None:
    """Raise an error with all four parts."""
    raise NotFoundError("no cat", expected="one of tom, felix", found="'garfield'", fix="Feed it.")


def refused() -> None:
    """Raise what a safety rule raises."""
    raise RiskRefusedError("too much")


def interrupted() -> None:
    """Act as if Ctrl-C was pressed."""
    raise KeyboardInterrupt


def seven() -> int:
    """Return an exit code."""
    return 7


def typed(count: int, /, *, size: float = 1.0, name: str = "") -> None:
    """Take arguments."""
    raise NotFoundError(f"{count} {size} {name}")
