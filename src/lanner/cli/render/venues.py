"""The capability matrix: features down, products across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lanner.model.features import FEATURES, Support
from lanner.venues.codec import Feed

if TYPE_CHECKING:
    from lanner.venues.codec import ProductSpec

_MARKS = {
    Support.NATIVE: ("●", "green"),
    Support.EMULATED: ("◐", "yellow"),
    Support.IMPOSSIBLE: ("·", "dim"),
}


def venue_json(spec: ProductSpec) -> dict[str, Any]:
    """Return a product's facts as plain data."""
    return {
        "product": spec.product,
        "venue": spec.venue,
        "title": spec.title,
        "rest": spec.mainnet.rest,
        "stream": spec.mainnet.stream,
        "testnet": spec.testnet.rest,
        "capabilities": {name: support.name.lower() for name, support in spec.capabilities.items()},
        "feeds": sorted(feed.name.lower() for feed in spec.feeds),
        "timeframes": list(spec.timeframes),
        "keys": list(spec.key_kinds),
        "limits": {
            name: {"limit": bucket.limit, "interval_s": bucket.interval_s}
            for name, bucket in spec.buckets.items()
        },
    }


def venue_table(specs: Sequence[ProductSpec]) -> Group:
    """Draw the matrix and its legend."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for spec in specs:
        table.add_column(spec.product, justify="center")
    for feature in FEATURES:
        table.add_row(feature.replace("_", " "), *(_mark(spec.capabilities.get(feature)) for spec in specs))
    table.add_section()
    for feed in Feed:
        found = (Support.NATIVE if feed in spec.feeds else Support.IMPOSSIBLE for spec in specs)
        table.add_row(f"data: {feed.name.lower()}", *(_mark(support) for support in found))
    table.add_row("keys", *(", ".join(spec.key_kinds) for spec in specs))
    legend = Text("● by the venue   ◐ by Lanner in its place   · not possible", style="dim")
    return Group(table, Text(""), legend)


def _mark(support: Support | None) -> Text:
    sign, style = _MARKS[support or Support.IMPOSSIBLE]
    return Text(sign, style=style)
