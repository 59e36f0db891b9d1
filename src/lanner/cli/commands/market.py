"""``lanner price``, ``lanner book`` and ``lanner trades``: an instrument at its venue, live."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lanner.cli.numbers import AT_LEAST_ONE, SECONDS, Whole
from lanner.cli.venue_options import VENUE, AsJson, Network, Target

Once = Annotated[bool, Parameter(negative="", help="Print once and leave, also on a terminal.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]
Seconds = Annotated[
    float,
    Parameter(name="--for", validator=SECONDS, help="Leave after so many seconds; 0: at Ctrl-C."),
]


def price(
    target: Target,
    /,
    *,
    once: Once = False,
    seconds: Seconds = 0.0,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - taken everywhere; there is nothing to leave out here
) -> int:
    """Show best bid and ask, last print, mid and spread, with their age."""
    from lanner.cli.desk import meant_instrument
    from lanner.cli.live_view import show, shown
    from lanner.cli.render.market import price_json, price_view
    from lanner.venues.codec import Feed

    return shown(
        show(
            meant_instrument(target),
            (Feed.QUOTES, Feed.TRADES),
            network.where(),
            ready=lambda seen: seen.quote is not None,
            plain=price_json,
            drawn=price_view,
            json=json,
            once=once,
            seconds=seconds,
        )
    )


def book(
    target: Target,
    /,
    depth: Annotated[Whole, Parameter(help="Levels of each side.")] = 10,
    *,
    once: Once = False,
    seconds: Seconds = 0.0,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - taken everywhere; there is nothing to leave out here
) -> int:
    """Show the order book: asks from high to low, then bids. It is joined and checked as the venue prescribes."""
    from lanner.cli.desk import meant_instrument
    from lanner.cli.live_view import show, shown
    from lanner.cli.render.market import book_json, book_view
    from lanner.core.errors import ConfigError
    from lanner.venues.codec import Feed

    if depth < 1:
        raise ConfigError("--depth must be at least 1", found=depth)
    return shown(
        show(
            meant_instrument(target),
            (Feed.BOOK,),
            network.where(),
            ready=lambda seen: seen.book is not None,
            plain=lambda seen: book_json(seen, depth),
            drawn=lambda seen: book_view(seen, depth),
            json=json,
            once=once,
            seconds=seconds,
        )
    )


def trades(
    target: Target,
    /,
    *,
    rows: Annotated[Whole, Parameter(validator=AT_LEAST_ONE, help="Prints to show, newest first.")] = 15,
    once: Once = False,
    seconds: Seconds = 0.0,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - taken everywhere; there is nothing to leave out here
) -> int:
    """Show the last public trades, newest first."""
    from lanner.cli.desk import meant_instrument
    from lanner.cli.live_view import show, shown
    from lanner.cli.render.market import trades_json, trades_view
    from lanner.venues.codec import Feed

    return shown(
        show(
            meant_instrument(target),
            (Feed.TRADES,),
            network.where(),
            ready=lambda seen: bool(seen.trades),
            plain=trades_json,
            drawn=lambda seen: trades_view(seen, rows),
            json=json,
            once=once,
            seconds=seconds,
        )
    )
