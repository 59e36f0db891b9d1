"""Fetch history from a venue into the catalog, from where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError
from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.catalog import Catalog, DatasetInfo
from lanner.storage.passport import Passport
from lanner.storage.schema import SCHEMAS, DatasetKey
from lanner.storage.spool import grown_source
from lanner.venues.codec import Feed
from lanner.venues.history import pages

if TYPE_CHECKING:
    import polars as pl

    from lanner.model.instruments import Instrument
    from lanner.model.market import MarketData
    from lanner.venues.link import Link

FLUSH_ROWS = 50_000
"""After so many rows the catalog is written, so that what was fetched is kept whatever happens later."""

_FORMAT = "venue history"
_FEEDS = {"trades": Feed.TRADES, "funding": Feed.FUNDING}
_KINDS = {Feed.BARS: "bars", Feed.TRADES: "trades", Feed.FUNDING: "funding"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to fetch: bars of a timeframe, public trades or funding of an instrument, in [since, until)."""

    instrument_id: str
    what: str
    since_ns: int
    until_ns: int

    @property
    def feed(self) -> Feed:
        """Return what it is."""
        return _FEEDS.get(self.what, Feed.BARS)

    @property
    def key(self) -> DatasetKey:
        """Return the data set that it goes to."""
        bars = self.feed is Feed.BARS
        return DatasetKey(_KINDS[self.feed], self.instrument_id, self.what if bars else "")


@dataclass(slots=True)
class Fetched:
    """What a download brought: rows that came, where it went on from, and the data set as it is now."""

    rows: int
    resumed_ns: int | None
    info: DatasetInfo | None


def check_wish(wish: Wish, timeframes: Sequence[str], feeds: frozenset[Feed]) -> None:
    """Raise ``ConfigError`` for what the product has no history of."""
    if wish.feed is Feed.BARS and wish.what not in timeframes:
        raise ConfigError(
            f"the venue has no {wish.what} bars",
            expected=f"one of {', '.join(timeframes)}, trades or funding",
            found=repr(wish.what),
            fix="Fetch finer bars and make these with `lanner data resample`.",
        )
    if wish.feed not in feeds:
        raise ConfigError(f"the venue has no history of {wish.what} for this instrument")
    if wish.since_ns >= wish.until_ns:
        raise ConfigError("nothing to fetch: the span is empty", expected="--since before --until")


async def download(
    link: Link,
    instrument: Instrument,
    wish: Wish,
    catalog: Catalog,
    *,
    afresh: bool = False,
    on_rows: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Fetch a span into the catalog; goes on behind what is stored already unless ``afresh``.

    ``on_rows(rows, ts)`` tells how many rows have come and the time of the last one.
    """
    catalog.save_instrument(instrument)
    since, resumed = wish.since_ns, None
    stored = None if afresh else catalog.passport(*wish.key)
    if stored is not None and _covers(stored, since) and since < stored.end_ns:
        since = resumed = stored.end_ns - (TIMEFRAMES_NS.get(wish.what, 0) if wish.feed is Feed.BARS else 0)
    waiting: list[MarketData] = []
    total = 0
    info: DatasetInfo | None = None
    try:
        async for rows in pages(link, wish.feed, wish.instrument_id, wish.what, since, wish.until_ns):
            waiting += rows
            total += len(rows)
            if on_rows is not None:
                on_rows(total, rows[-1].ts_event)
            if len(waiting) >= FLUSH_ROWS:
                info = _store(catalog, wish, link, waiting)
                waiting = []
    finally:
        if waiting:
            info = _store(catalog, wish, link, waiting)
    return Fetched(total, resumed, info or _known(catalog, wish))


_FROM = "fetched from "


def _covers(stored: Passport, since: int) -> bool:
    """Tell whether what is stored was asked for from that time on; where it begins later, there is nothing before."""
    notes = [note for source in stored.sources if source.format == _FORMAT for note in source.notes]
    asked = [int(note.removeprefix(_FROM)) for note in notes if note.startswith(_FROM)]
    return min([stored.start_ns, *asked]) <= since


def _known(catalog: Catalog, wish: Wish) -> DatasetInfo | None:
    return next((info for info in catalog.datasets() if info.ref == wish.key.ref), None)


def _store(catalog: Catalog, wish: Wish, link: Link, rows: Sequence[MarketData]) -> DatasetInfo:
    source = grown_source(
        catalog.passport(*wish.key),
        file=f"{link.codec.endpoints.rest} ({link.codec.spec.product})",
        format=_FORMAT,
        rows=len(rows),
        notes=[f"{_FROM}{wish.since_ns}"],
    )
    passport = Passport(
        kind=wish.key.kind, instrument_id=wish.instrument_id, spec=wish.key.spec, sources=[source]
    )
    return catalog.write(*wish.key, frames_of(wish.key.kind, rows), passport)


def frames_of(kind: str, rows: Sequence[Any]) -> Iterator[pl.DataFrame]:
    """Turn messages of one kind into a frame of the catalog's columns."""
    import polars as pl

    schema = SCHEMAS[kind]
    columns = {name: [getattr(row, name, None) for row in rows] for name in schema}
    yield pl.DataFrame(columns, schema=schema, strict=False)
