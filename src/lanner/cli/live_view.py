"""The live view of a market: drawn again and again on a terminal, printed once (or line by line) everywhere else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lanner.live.connect import Where
    from lanner.live.watch import Watch
    from lanner.venues.codec import Feed

REFRESH_S = 0.25
FIRST_S = 15.0
"""How long to wait for the first message."""


def shown(work: Coroutine[Any, Any, int]) -> int:
    """Run ``show`` and return its exit code; Ctrl-C is the way out of a picture that lasts, and no fault."""
    from lanner.cli.venue_options import run

    with LeftByCtrlC():
        return run(work)
    return 0


class LeftByCtrlC:
    """Let Ctrl-C end what is drawn on a terminal until then; elsewhere it interrupts, as everywhere."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        left = isinstance(error, KeyboardInterrupt) and sys.stdout.isatty()
        if left:
            print(file=sys.stderr)
        return left


async def show(
    instrument_id: str,
    feeds: tuple[Feed, ...],
    network: Where,
    *,
    ready: Callable[[Watch], bool],
    plain: Callable[[Watch], dict[str, Any]],
    drawn: Callable[[Watch], RenderableType],
    json: bool,
    once: bool,
    seconds: float,
) -> int:
    """Watch an instrument; ``plain`` gives the JSON object, ``drawn`` what people see.

    Without a terminal one picture is printed, with ``json`` one object, or one for each change when ``seconds`` asks
    for a span. Ctrl-C ends the view.
    """
    from lanner.cli.desk import public_link
    from lanner.cli.output import console, print_json
    from lanner.live.watch import watch

    async with watch(instrument_id, feeds, network, reach=public_link) as seen:
        await _first(seen, ready)
        if once or (not seconds and (json or not sys.stdout.isatty())):
            print_json(plain(seen)) if json else console().print(drawn(seen))
            return 0
        if json or not sys.stdout.isatty():
            await _lines(
                seen, seconds, lambda: print_json(plain(seen)) if json else console().print(drawn(seen))
            )
        else:
            await _live(seen, seconds, drawn)
    return 0


async def _first(seen: Watch, ready: Callable[[Watch], bool]) -> None:
    try:
        async with asyncio.timeout(FIRST_S):
            while not ready(seen):
                if seen.refused:
                    raise LannerError(f"the venue refused: {seen.refused}")
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise LannerError(
            f"nothing came for {seen.instrument.id}",
            expected=f"market data within {FIRST_S:g} s",
            found=f"{seen.changed} messages, {seen.malformed} that cannot be understood",
            fix="Try again, or look with `lanner doctor --venue`.",
        ) from None


async def _lines(seen: Watch, seconds: float, tell: Callable[[], None]) -> None:
    end = asyncio.get_running_loop().time() + seconds
    drawn = -1
    while asyncio.get_running_loop().time() < end:
        if seen.changed != drawn:
            drawn = seen.changed
            tell()
            sys.stdout.flush()
        await asyncio.sleep(REFRESH_S)


async def _live(seen: Watch, seconds: float, drawn: Callable[[Watch], RenderableType]) -> None:
    from rich.live import Live

    from lanner.cli.output import console

    loop = asyncio.get_running_loop()
    end = loop.time() + seconds if seconds else float("inf")
    with Live(drawn(seen), console=console(), auto_refresh=False, screen=False) as view:
        while loop.time() < end:
            await asyncio.sleep(REFRESH_S)
            view.update(drawn(seen), refresh=True)
