"""``lanner doctor``: check this installation, green, amber or red, each with its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lanner.cli.output import print_json
from lanner.cli.venue_options import VENUE, Network, run
from lanner.core.errors import EXIT_ERROR, EXIT_OK, NotFoundError

if TYPE_CHECKING:
    from lanner.cli.health import Check
    from lanner.live.connect import Where


def doctor(
    *,
    venue: Annotated[str, Parameter(help="Look at a venue or product instead, e.g. binance-spot.")] = "",
    key: Annotated[str, Parameter(help="Name of the key to check with --venue.")] = "default",
    network: Network = VENUE,
    json: bool = False,
    quiet: Annotated[bool, Parameter(help="Show only what is not green.")] = False,
) -> int:
    """Check Python, packages, disk, clock, folders, stored data and optional parts; or a venue from here.

    Green is fine, amber works with a limit, red must be mended. The exit code is 1 when anything is red.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    import sys

    from lanner.cli.health import BAD, run_checks
    from lanner.cli.render.errors import wants_colour
    from lanner.cli.render.health import health_text

    checks = _venue_checks(venue, key, network.where()) if venue else run_checks()
    worst_is_bad = any(check.status == BAD for check in checks)
    if json:
        print_json({"ok": not worst_is_bad, "checks": [check.as_dict() for check in checks]})
    else:
        text = health_text(checks, colour=wants_colour(sys.stdout), quiet=quiet)
        if text:
            print(text)
    return EXIT_ERROR if worst_is_bad else EXIT_OK


def _venue_checks(venue: str, key: str, network: Where) -> list[Check]:
    """Look at each product of a venue, with the key of that name where there is one."""
    from lanner.cli.health import Check
    from lanner.live.probe import probe
    from lanner.venues.keys import Keys, load_keys
    from lanner.venues.registry import products_of

    def found(product: str) -> Keys | None:
        try:
            return load_keys(product, key)
        except NotFoundError:
            return None

    async def look() -> list[Check]:
        return [
            Check(finding.name, finding.status, finding.text, finding.fix)
            for product in products_of(venue)
            async for finding in probe(product, network, found(product))
        ]

    return run(look())
