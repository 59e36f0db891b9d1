"""Market data of the catalog in the place of what a session recorded: what would better data have shown?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import ConfigError, NotFoundError
from lanner.live.build import Plan, build_engine, wishes_of
from lanner.live.paper import DATA_KINDS
from lanner.marketdata.merge import Stream, merge
from lanner.model.market import MarketData
from lanner.model.timeframes import timeframe_ns
from lanner.storage.journal import TYPES, Record, read_journal
from lanner.storage.schema import DatasetKey
from lanner.venues.codec import Feed

if TYPE_CHECKING:
    from lanner.storage.catalog import Catalog
    from lanner.storage.passport import Passport

SLACK_NS = 5_000_000_000
"""So far from the session's ends the rows of a data set may begin and end."""
_KINDS = {
    Feed.QUOTES: "quotes",
    Feed.TRADES: "trades",
    Feed.BOOK: "book",
    Feed.BARS: "bars",
    Feed.MARK: "mark",
    Feed.FUNDING: "funding",
}
_OPTIONAL = ("mark", "funding")


def wanted_data(plan: Plan) -> list[DatasetKey]:
    """Return the data sets that a session's strategies and venues live on."""
    engine = build_engine(plan, "parity")
    engine.start(0)
    keys = [
        DatasetKey(_KINDS[wish.feed], wish.instrument_id, wish.spec if wish.feed is Feed.BARS else "")
        for wish in wishes_of(engine)
    ]
    return list(dict.fromkeys(keys))


def check_stored(plan: Plan, catalog: Catalog, since: int, until: int) -> list[DatasetKey]:
    """Return the data sets to play; mark prices and funding only where they are there.

    A data set that is missing raises ``NotFoundError``, one that does not cover the session ``ConfigError``.
    """
    found = []
    for key in wanted_data(plan):
        passport = catalog.passport(*key)
        if passport is None and key.kind in _OPTIONAL:
            continue
        if passport is None:
            raise NotFoundError(
                f"the catalog has no {key.ref}",
                expected=", ".join(one.ref for one in wanted_data(plan) if one.kind not in _OPTIONAL),
                fix="Record it beside the session with `lanner data record`, or leave out --data.",
            )
        if key.kind not in _OPTIONAL:
            _check_cover(key, passport, since, until)
        found.append(key)
    return found


def _check_cover(key: DatasetKey, passport: Passport, since: int, until: int) -> None:
    slack = SLACK_NS + (2 * timeframe_ns(key.spec) if key.spec else 0)
    if passport.start_ns > since + slack or passport.end_ns < until - slack:
        raise ConfigError(
            f"{key.ref} does not cover the session",
            expected=f"rows from {since} to {until} (UNIX ns)",
            found=f"{passport.start_ns} to {passport.end_ns}",
        )


def stored_records(
    folder: Path, catalog: Catalog, keys: list[DatasetKey], since: int, until: int
) -> Iterator[Record]:
    """Yield a session's journal with the catalog's market data instead of its own, in the order of time."""
    streams = [
        Stream(
            key.kind,
            key.instrument_id,
            catalog.scan(*key, since_ns=since - SLACK_NS, until_ns=until + 1),
            key.spec,
        )
        for key in keys
    ]
    data = (message for batch in merge(streams) for message in batch if since <= message.ts_recv <= until)
    return _merged(read_journal(folder / "journal"), data)


def _merged(journal: Iterator[Record], data: Iterator[MarketData]) -> Iterator[Record]:
    """Put market data between the records of a journal, behind those of the same time."""
    ahead = next(data, None)
    for record in journal:
        if record.kind in DATA_KINDS:
            continue
        while ahead is not None and ahead.ts_recv < record.ts:
            yield _record(ahead)
            ahead = next(data, None)
        yield record
    while ahead is not None:
        yield _record(ahead)
        ahead = next(data, None)


def _record(message: MarketData) -> Record:
    return Record(0, message.ts_recv, TYPES[type(message)], message)
