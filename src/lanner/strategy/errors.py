"""What a user sees when their own strategy code fails: their lines, the place in the data, the last inputs."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import LannerError, StrategyError
from lanner.model.market import Bar, Quote, Trade

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

    ``where`` continues "strategy X failed", e.g. ``in on_bar at 2024-03-01 12:00:00 UTC``; a bare place such as
    ``bar 1,234 of …`` is introduced with "at". An error that has been rendered already is returned as it is.
    """
    if isinstance(error, StrategyError) and getattr(error, "rendered", False):
        return error
    lead = "" if not where or where.startswith(("in ", "at ", "while ")) else "at "
    head = f"strategy {strategy.id} failed {lead}{where}".rstrip()
    lines = [head, *user_lines(error), describe(error)]
    if last_inputs:
        lines.append("Last inputs, the newest below:")
        lines += [f"  {show_input(item)}" for item in last_inputs[-_LAST_INPUTS:]]
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
    if isinstance(error, SystemExit):
        return "the code ends the program (sys.exit), which a strategy may not do"
    if isinstance(error, LannerError):
        text = error.message()
    else:
        words = str(error).strip()
        text = f"{type(error).__name__}: {words}" if words else type(error).__name__
        text += _meant(error)
    cause = error.__cause__
    if cause is not None and not isinstance(error, LannerError):
        text += f" (caused by {type(cause).__name__}: {cause})"
    return text


def _meant(error: BaseException) -> str:
    """Name what a wrong attribute may have meant; Python does so only where it prints an error itself."""
    if not isinstance(error, AttributeError) or error.obj is None or not error.name:
        return ""
    names = [name for name in dir(error.obj) if not name.startswith("_")]
    near = [name for name in names if name.startswith(f"{error.name}_")] or get_close_matches(
        error.name, names
    )
    if not near:
        near = list(getattr(error.obj, "__struct_fields__", ()))  # of a message: all that it has
    return f"; there is {', '.join(near)}" if near else ""


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


@lru_cache(maxsize=4096)
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


def show_input(item: object) -> str:
    """Return a market data message, order or fill in one short line."""
    if isinstance(item, Bar):
        fields = ("open", "high", "low", "close", "volume")
        values = "  ".join(f"{name} {getattr(item, name):.10g}" for name in fields)
        return f"{moment(item.ts_event)}  {item.series}  {values}"
    if isinstance(item, Quote):
        bid, ask = f"{item.bid_px:.10g} × {item.bid_qty:.10g}", f"{item.ask_px:.10g} × {item.ask_qty:.10g}"
        return f"{moment(item.ts_event)}  {item.instrument_id}  bid {bid}  ask {ask}"
    if isinstance(item, Trade):
        side = {1: "buyer", -1: "seller"}.get(item.aggressor, "unknown")
        return (
            f"{moment(item.ts_event)}  {item.instrument_id}  {item.qty:.10g} at {item.px:.10g}, taker: {side}"
        )
    text = repr(item)
    return text if len(text) <= _INPUT_WIDTH else f"{text[: _INPUT_WIDTH - 1]}…"


def moment(ns: int) -> str:
    """Return a time in UNIX nanoseconds as text, to the second where it is whole, else to the last digit."""
    seconds, rest = divmod(ns, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{rest:09d} UTC" if rest else f"{text} UTC"
