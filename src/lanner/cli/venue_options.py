"""Options that every command for a venue takes, and what they share: the loop, the network, the end."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

if TYPE_CHECKING:
    from lanner.cli.backtest_options import Options
    from lanner.live.connect import Where

T = TypeVar("T")

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Target = Annotated[str, Parameter(help="INSTRUMENT@VENUE, e.g. BTC-PERP@hyperliquid or BTC-USDT@binance.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Network:
    """Which server of a venue is meant: its own where no option says so, its test network, or another one."""

    url: Annotated[
        list[str] | None,
        Parameter(
            name="--url",
            help="Base URL of a server to use instead of the venue, e.g. http://127.0.0.1:8080 (or PRODUCT=URL).",
            negative="",
        ),
    ] = None
    testnet: Annotated[bool, Parameter(negative="", help="Use the venue's test network.")] = False
    ca_file: Annotated[
        str, Parameter(name="--ca-file", help="PEM file of authorities to trust, for --url https://…")
    ] = ""

    def where(self) -> Where:
        """Return the network that the options name, or the one that was named for all commands of a desk."""
        from lanner.cli.desk import kept_desk
        from lanner.core.errors import ConfigError
        from lanner.live.connect import Where, parse_urls

        shared = kept_desk()
        meant = self
        if shared is not None and not self.url and not self.testnet:
            given = shared.given.network
            meant = Network(given.url, given.testnet, self.ca_file or given.ca_file)
        if meant.url and meant.testnet:
            raise ConfigError("--url and --testnet name two networks", fix="Leave one of them out.")
        return Where(parse_urls(meant._urls()), meant.testnet, meant.ca_file)

    def put_into(self, options: Options) -> None:
        """Lay what was given over the settings of a session."""
        from lanner.live.connect import parse_urls

        urls = self._urls()
        options.put("url", "--url" if self.url else "LANNER_URL", parse_urls(urls) if urls else None)
        options.put("testnet", "--testnet", self.testnet or None)
        options.put("ca_file", "--ca-file", self.ca_file or None)

    def _urls(self) -> list[str]:
        from lanner.storage.environment import venue_urls

        return self.url or ([] if self.testnet else venue_urls())


VENUE = Network()
"""The venue itself."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine on the fastest loop there is; on the desk's, where one is kept."""
    from lanner.cli.desk import kept_desk
    from lanner.net.loop import run as run_loop

    shared = kept_desk()
    return run_loop(main) if shared is None else shared.run(main)
