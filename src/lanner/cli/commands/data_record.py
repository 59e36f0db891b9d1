"""``lanner data record``: raw frames and rows of live markets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lanner.cli.numbers import SECONDS, Whole
from lanner.cli.venue_options import VENUE, AsJson, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lanner.live.connect import Where
    from lanner.live.record import Recording, RecordOptions
    from lanner.storage.catalog import Catalog
    from lanner.venues.codec import Subscription

FEEDS = "trades,quotes,book"


def record(
    targets: Annotated[list[str], Parameter(help="INSTRUMENT@VENUE, one or several of one venue's product.")],
    /,
    *,
    feeds: Annotated[
        str, Parameter(help="What to record: trades, quotes, book, mark, funding, or bars such as 1m.")
    ] = FEEDS,
    seconds: Annotated[
        float, Parameter(name="--for", validator=SECONDS, help="Stop after so many seconds; 0: at Ctrl-C.")
    ] = 0.0,
    connections: Annotated[
        Whole, Parameter(help="Redundant connections, merged by the venue's numbers.")
    ] = 2,
    out: Annotated[
        Path | None, Parameter(help="Folder of the recording; default $LANNER_HOME/recordings/…")
    ] = None,
    rotate: Annotated[str, Parameter(help="Begin a new raw file after so much.")] = "256MB",
    min_free: Annotated[str, Parameter(help="Write nothing while the disk has less free space.")] = "500MB",
    commit_every: Annotated[
        float, Parameter(validator=SECONDS, help="Seconds between commits into the catalog.")
    ] = 600.0,
    raw_only: Annotated[bool, Parameter(negative="", help="Keep raw frames only; fill no catalog.")] = False,
    network: Network = VENUE,
    catalog: Annotated[
        Path | None, Parameter(help="Folder of the catalog; default $LANNER_HOME/catalog.")
    ] = None,
    json: AsJson = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,
) -> int:
    """Record markets: raw frames as they came, rows into the catalog, a ledger of gaps and a live passport.

    Ctrl-C ends it cleanly. What a crash left behind is committed by the next recording into the same folder.
    """
    from lanner.cli.output import print_json
    from lanner.cli.render.recording import print_recording
    from lanner.cli.venue_options import run
    from lanner.core.errors import ConfigError
    from lanner.live.record import RecordOptions
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_catalog, default_home
    from lanner.venues.registry import instrument_at, product_of

    if connections < 1 or connections > 4:
        raise ConfigError("--connections is out of range", expected="1 to 4", found=connections)
    instruments = [instrument_at(target) for target in targets]
    products = {product_of(name) for name in instruments}
    if len(products) != 1:
        raise ConfigError(
            "these instruments are traded on several products",
            expected="instruments of one product",
            found=", ".join(sorted(products)),
            fix="Start one recording for each.",
        )
    [product] = products
    options = RecordOptions(
        folder=out or default_home() / "recordings" / product,
        connections=connections,
        rotate_bytes=_size(rotate, "--rotate"),
        min_free_bytes=_size(min_free, "--min-free"),
        commit_s=commit_every,
        rows=not raw_only,
    )
    home = Catalog(catalog or default_catalog())
    wishes = _subscriptions(instruments, feeds)
    report = run(_record(product, network.where(), home, options, wishes, seconds, silent=json or quiet))
    if json:
        print_json(report)
    else:
        print_recording(report)
    return 0


async def _record(
    product: str,
    network: Where,
    home: Catalog,
    options: RecordOptions,
    wishes: Sequence[Subscription],
    seconds: float,
    *,
    silent: bool,
) -> dict[str, Any]:
    from lanner.live.connect import connect, load_instruments, unknown_instrument
    from lanner.live.record import Recording

    stop = stop_event(seconds)
    async with connect(product, network) as link:
        known = await load_instruments(link)
        for wish in wishes:
            if wish.instrument_id not in known:
                raise unknown_instrument(wish.instrument_id, product, known)
            home.save_instrument(known[wish.instrument_id])
        recording = Recording(link, home, options)
        grown = await _watched(recording, wishes, stop, silent=silent)
        return {**recording.passport(), "folder": options.folder, "committed": [key.ref for key in grown]}


async def _watched(
    recording: Recording, wishes: Sequence[Subscription], stop: asyncio.Event, *, silent: bool
) -> list[Any]:
    from lanner.cli.render.progress import wants_progress

    if silent or not wants_progress():
        return await recording.run(wishes, stop)
    from rich.console import Console
    from rich.live import Live

    from lanner.cli.render.recording import recording_view

    with Live(recording_view(recording.passport()), console=Console(stderr=True), transient=True) as view:
        return await recording.run(
            wishes, stop, on_tick=lambda: view.update(recording_view(recording.passport()))
        )


def stop_event(seconds: float) -> asyncio.Event:
    """Return an event that SIGINT, SIGTERM or the end of a span sets; call it inside the loop."""
    import signal

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if seconds > 0:
        loop.call_later(seconds, stop.set)
    return stop


def _subscriptions(instruments: list[str], feeds: str) -> list[Subscription]:
    from lanner.core.errors import ConfigError
    from lanner.model.timeframes import TIMEFRAMES_NS
    from lanner.venues.codec import Feed, Subscription

    wishes = []
    for word in (part.strip() for part in feeds.split(",")):
        if word in TIMEFRAMES_NS:
            feed, spec = Feed.BARS, word
        elif word.upper() in Feed.__members__ and word != "bars":
            feed, spec = Feed[word.upper()], ""
        else:
            raise ConfigError(
                "unknown feed",
                expected="trades, quotes, book, mark, funding, or a timeframe such as 1m",
                found=repr(word),
            )
        wishes += [Subscription(feed, name, spec) for name in instruments]
    return wishes


def _size(text: str, option: str) -> int:
    from lanner.core.errors import ConfigError
    from lanner.storage.environment import parse_size

    size = parse_size(text)
    if size is None:
        raise ConfigError(f"{option} is not a size", expected="e.g. 500MB or 2GB", found=repr(text))
    return size
