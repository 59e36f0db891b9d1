"""History, page by page: from where it was left to where it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from lanner.venues.codec import Feed, Page

if TYPE_CHECKING:
    from lanner.model.market import MarketData
    from lanner.venues.codec import Call, Codec
    from lanner.venues.link import Link


async def pages(
    link: Link, feed: Feed, instrument_id: str, spec: str, since_ns: int, until_ns: int
) -> AsyncIterator[tuple[MarketData, ...]]:
    """Yield the rows of each page, oldest first, in [since, until).

    A page that names no later place to go on from ends the history, so that a venue that repeats itself cannot hold
    us for ever.
    """
    at: int | None = since_ns
    while at is not None and at < until_ns:
        page = await link.ask(_call(link.codec, feed, instrument_id, spec, at, until_ns))
        rows = tuple(row for row in page.rows if since_ns <= _time(row, feed) < until_ns)
        if rows:
            yield rows
        at = page.next_ns if page.next_ns is not None and page.next_ns > at else None


def _call(
    codec: Codec, feed: Feed, instrument_id: str, spec: str, since_ns: int, until_ns: int
) -> Call[Page[MarketData]]:
    if feed is Feed.BARS:
        return codec.bars(instrument_id, spec, since_ns, until_ns)  # type: ignore[return-value]
    if feed is Feed.TRADES:
        return codec.trades(instrument_id, since_ns, until_ns)  # type: ignore[return-value]
    return codec.funding(instrument_id, since_ns, until_ns)  # type: ignore[return-value]


def _time(row: MarketData, feed: Feed) -> int:
    return row.ts_open if feed is Feed.BARS else row.ts_event  # type: ignore[union-attr]
