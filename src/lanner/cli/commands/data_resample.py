"""``lanner data resample``: stored bars from stored trades or finer bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def resample(
    dataset: Annotated[str, Parameter(help="Trades or bars: BTC-USDT.BINANCE@trades, …@1m, or a file.")],
    /,
    *,
    to: Annotated[list[str], Parameter(help="Bars to make: 5m, 1h, 1d …, or 100tick, 50vol, 1000000usd.")],
    empty: Annotated[
        Literal["none", "flat"], Parameter(help="Spans without trades: none, or flat bars at the last price.")
    ] = "none",
    partial: Annotated[
        bool, Parameter(negative="", help="Keep the bar at the end that nothing proves complete.")
    ] = False,
    replace: Annotated[bool, Parameter(negative="", help="Replace bars of the same name.")] = False,
    catalog: Annotated[
        Path | None, Parameter(help="Folder of the catalog; default $LANNER_HOME/catalog.")
    ] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,
) -> int:
    """Make a stored bar set from trades or finer bars, the same bars that a backtest would build on its way.

    The passport names the source, and what was found wrong with it.
    """
    from dataclasses import asdict

    from lanner.cli.output import print_json
    from lanner.cli.render.passport import print_list
    from lanner.core.errors import ConfigError
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_cache, default_catalog
    from lanner.storage.open_data import open_source
    from lanner.storage.resample import resample_stored

    home = Catalog(catalog or default_catalog())
    found = open_source(dataset, catalog=home, cache_dir=default_cache()).datasets
    sources = [entry for entry in found if entry.kind in ("trades", "bars")]
    if len(sources) != 1:
        raise ConfigError(
            f"{dataset} does not name one set of trades or bars",
            expected="one of them",
            found=", ".join(entry.ref for entry in found) or "nothing",
        )
    [source] = sources
    infos = []
    for spec in dict.fromkeys(to):
        with _progress(source.passport.rows, spec, silent=json or quiet) as watch:
            infos.append(
                resample_stored(
                    home, source, spec, empty=empty, partial=partial, replace=replace, watch=watch
                )
            )
    if json:
        print_json({"source": source.ref, "datasets": [{"ref": info.ref, **asdict(info)} for info in infos]})
    else:
        print_list(infos)
    return 0


@contextmanager
def _progress(rows: int, spec: str, *, silent: bool) -> Iterator[Callable[[int], None] | None]:
    """Show how much of the source is read, on a terminal only."""
    from lanner.cli.render.progress import wants_progress

    if silent or not wants_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"making {spec}", total=rows)
        yield lambda done: bar.update(task, completed=done)
