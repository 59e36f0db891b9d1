"""Options that every command for a venue takes, and what they share: the loop, the network, the end."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

if TYPE_CHECKING:
    from lanner.live.connect import Where

T = TypeVar("T")

Url = Annotated[
    list[str] | None,
    Parameter(
        name="--url",
        help="Base URL of a server to use instead of the venue, e.g. http://127.0.0.1:8080 (or PRODUCT=URL).",
        negative="",
    ),
]
Testnet = Annotated[bool, Parameter(negative="", help="Use the venue's test network.")]
CaFile = Annotated[
    str, Parameter(name="--ca-file", help="PEM file of authorities to trust, for --url https://…")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Target = Annotated[str, Parameter(help="INSTRUMENT@VENUE, e.g. BTC-PERP@hyperliquid or BTC-USDT@binance.")]


def where(url: list[str] | None, testnet: bool, ca_file: str = "") -> Where:
    """Return the network that the options name, or the one that was named for all commands of a desk."""
    from lanner.cli.desk import kept_desk
    from lanner.core.errors import ConfigError
    from lanner.live.connect import Where, parse_urls
    from lanner.storage.environment import venue_urls

    shared = kept_desk()
    if shared is not None and not url and not testnet:
        url, testnet, ca_file = shared.given.url, shared.given.testnet, ca_file or shared.given.ca_file
    if url and testnet:
        raise ConfigError("--url and --testnet name two networks", fix="Leave one of them out.")
    return Where(parse_urls(url or ([] if testnet else venue_urls())), testnet, ca_file)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine on the fastest loop there is; on the desk's, where one is kept."""
    from lanner.cli.desk import kept_desk
    from lanner.net.loop import run as run_loop

    shared = kept_desk()
    return run_loop(main) if shared is None else shared.run(main)
