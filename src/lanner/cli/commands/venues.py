"""``lanner venues``: what each venue can do, and how."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def venues(
    venue: Annotated[str, Parameter(help="A venue or product; default: all.")] = "",
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,  # noqa: ARG001
) -> int:
    """Show each venue's capabilities: done by the venue, done by Lanner in its place, or impossible."""
    from lanner.cli.output import console, print_json
    from lanner.cli.render.venues import venue_json, venue_table
    from lanner.venues.registry import PRODUCTS, product_spec, products_of

    specs = [product_spec(name) for name in (products_of(venue) if venue else PRODUCTS)]
    if json:
        print_json({"products": [venue_json(spec) for spec in specs]})
    else:
        console().print(venue_table(specs))
    return 0
