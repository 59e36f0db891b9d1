"""``lanner repl``: the trading commands at a prompt."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lanner.cli.commands.trade import Confirm, Key, Live
from lanner.cli.venue_options import VENUE, Network


def repl(
    venue: Annotated[str, Parameter(help="A venue that is meant wherever none is named.")] = "",
    /,
    *,
    live: Live = False,
    confirm: Confirm = "",
    key: Key = None,
    network: Network = VENUE,
    json: Annotated[bool, Parameter(name="--json", negative="", help="One JSON object a command.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but results.")] = False,
) -> int:
    """Trade by hand at a prompt: commands, instruments and options are completed with Tab, history is kept.

    One connection is kept for all commands. What is said here (--live, --key, --url …) holds for all of them; with
    --live the phrase is asked for once. An error never ends it; `exit`, `quit` or Ctrl-D does. Without a terminal the
    commands are read from standard input, one a line.
    """
    from lanner.cli.desk import Given
    from lanner.cli.repl import converse
    from lanner.venues.registry import products_of

    if venue:
        products_of(venue)
    network.where()
    given = Given(venue, network, key or "default", live, confirm)
    return converse(given, json=json, quiet=quiet)
