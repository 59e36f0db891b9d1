"""What a user sees when their own strategy code fails: their lines, the place in the data, the last inputs."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import LannerError, StrategyError

if TYPE_CHECKING:
    from lanner.strategy.base import Strategy

_HOUSE = Path(__file__).resolve().parent.parent
_LIBRARY = _HOUSE / "strategy" / "library"
_STDLIB = Path(traceback.__file__).resolve().parent
_LAST_INPUTS = 5
_INPUT_WIDTH = 200


def strategy_error(
    error: BaseException, strategy: Strategy, where: str, last_inputs: Sequence[object]
) -> StrategyError:
    """Turn an exception from a handler into a message that shows the user's own code.

    ``where`` is the place in the data, e.g. ``bar 1,234 of BTC-USDT.BINANCE@1h at 2024-03-01 12:00``. An error
    that has been rendered already is returned as it is.
    """
    if isinstance(error, StrategyError) and getattr(error, "rendered", False):
        return error
    handler = _handler(error)
    head = (
        f"strategy {strategy.id} failed"
        + (f" in {handler}" if handler else "")
        + (f", {where}" if where else "")
    )
    lines = [head, *user_lines(error), describe(error)]
    if last_inputs:
        lines.append("Last inputs:")
        lines += [f"  {_short(item)}" for item in last_inputs[-_LAST_INPUTS:]]
    return rendered("\n".join(lines), error)


def rendered(text: str, cause: BaseException | None = None) -> StrategyError:
    """Return an error whose text is final, so that no caller dresses it up again."""
    result = StrategyError(text)
    result.rendered = True  # type: ignore[attr-defined]
    result.__cause__ = cause
    result.__suppress_context__ = True
    return result


def describe(error: BaseException) -> str:
    """Return the exception in one line (a Lanner error keeps its own words), with its cause if it has one."""
    if isinstance(error, LannerError):
        text = error.message()
    else:
        words = str(error).strip()
        text = f"{type(error).__name__}: {words}" if words else type(error).__name__
    cause = error.__cause__
    if cause is not None and not isinstance(error, LannerError):
        text += f" (caused by {type(cause).__name__}: {cause})"
    return text


def user_lines(error: BaseException) -> list[str]:
    """Return the traceback as text, only the frames of the user's own files (or of a built-in strategy)."""
    frames = traceback.extract_tb(error.__traceback__)
    chosen = [frame for frame in frames if is_user_file(frame.filename)]
    lines: list[str] = []
    for frame in chosen:
        lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
        if frame.line:
            lines.append(f"      {frame.line.strip()}")
    return lines


def is_user_file(filename: str) -> bool:
    """Tell whether a traceback frame's file was written by the user: not ours, not a library's, not Python's."""
    if filename.startswith(("<frozen", "<lanner")):
        return False
    path = Path(filename)
    if path.is_relative_to(_LIBRARY):
        return True
    if path.is_relative_to(_HOUSE) or "site-packages" in path.parts or "dist-packages" in path.parts:
        return False
    return not path.is_relative_to(_STDLIB)


def _handler(error: BaseException) -> str:
    for frame in traceback.extract_tb(error.__traceback__):
        if is_user_file(frame.filename):
            return frame.name
    return ""


def _short(item: object) -> str:
    text = repr(item)
    return text if len(text) <= _INPUT_WIDTH else f"{text[: _INPUT_WIDTH - 1]}…"
