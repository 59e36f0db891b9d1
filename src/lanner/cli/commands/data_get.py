"""``lanner data get``: history from a venue into the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lanner.cli.venue_options import VENUE, AsJson, Network, Target

if TYPE_CHECKING:
    from lanner.live.connect import Where
    from lanner.live.download import Fetched, Wish
    from lanner.storage.catalog import Catalog


def get(
    target: Target,
    what: Annotated[str, Parameter(help="Bars (1m, 1h, 1d …), trades or funding.")],
    /,
    *,
    since: Annotated[str, Parameter(help="First time to fetch, e.g. 2024-01-01 or 2024-01-01T12:00.")],
    until: Annotated[str, Parameter(help="First time not to fetch; default: now.")] = "",
    afresh: Annotated[bool, Parameter(negative="", help="Fetch also what is stored already.")] = False,
    network: Network = VENUE,
    catalog: Annotated[
        Path | None, Parameter(help="Folder of the catalog; default $LANNER_HOME/catalog.")
    ] = None,
    json: AsJson = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,
) -> int:
    """Fetch history from a venue into the catalog; what is stored already is not fetched again.

    Interrupt it at any time: what came is kept, and the next call goes on from there.
    """
    from dataclasses import asdict

    from lanner.cli.output import note, print_json
    from lanner.cli.render.passport import print_list
    from lanner.cli.venue_options import run
    from lanner.core.errors import LannerError
    from lanner.live.download import Wish
    from lanner.net.wallclock import wall_ns
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_catalog
    from lanner.storage.export import parse_time
    from lanner.venues.registry import instrument_at

    start = parse_time(since, "--since")
    end = parse_time(until, "--until") or wall_ns()
    wish = Wish(instrument_at(target), what, start or 0, end)
    home = Catalog(catalog or default_catalog())
    with _progress(wish, silent=json or quiet) as watch:
        found = run(_get(wish, network.where(), home, afresh, watch))
    if found.info is None:
        raise LannerError(f"the venue has no {what} of {wish.instrument_id} in that span")
    if json:
        print_json(
            {
                "dataset": {"ref": found.info.ref, **asdict(found.info)},
                "rows": found.rows,
                "resumed_ns": found.resumed_ns,
            }
        )
        return 0
    if found.resumed_ns is not None:
        note(f"{found.info.ref} was stored up to here; {found.rows:,} rows came new.", quiet=quiet)
    print_list([found.info])
    return 0


async def _get(
    wish: Wish, network: Where, home: Catalog, afresh: bool, watch: Callable[[int, int], None] | None
) -> Fetched:
    from lanner.live.connect import connect_for
    from lanner.live.download import check_wish, download

    async with connect_for(wish.instrument_id, network) as (link, instrument):
        check_wish(wish, link.codec.spec.timeframes, link.codec.spec.feeds)
        return await download(link, instrument, wish, home, afresh=afresh, on_rows=watch)


@contextmanager
def _progress(wish: Wish, *, silent: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far the history has come, on a terminal only."""
    from lanner.cli.render.progress import wants_progress

    if silent or not wants_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"fetching {wish.key.ref}", total=wish.until_ns - wish.since_ns, rows="")

        def on_rows(rows: int, ts: int) -> None:
            bar.update(task, completed=ts - wish.since_ns, rows=f"{rows:,} rows")

        yield on_rows
