"""``lanner data``: import, describe, list, export and synthesise market data, and the cache of imported files."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from lanner.cli.numbers import NOT_NEGATIVE, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanner.storage.catalog import Catalog
    from lanner.storage.importers.run import Watcher

app = App(name="data", help="Import, describe, list, resample, export and synthesise market data.")
app.command("lanner.cli.commands.data_synth:synth", name="synth", help="Make seeded synthetic market data.")
app.command(
    "lanner.cli.commands.data_instruments:instruments",
    name="instruments",
    help="Store or show what venues say about instruments.",
)
app.command("lanner.cli.commands.data_get:get", name="get", help="Fetch history from a venue.")
app.command(
    "lanner.cli.commands.data_record:record",
    name="record",
    help="Record live markets: raw frames, rows, gaps.",
)
app.command(
    "lanner.cli.commands.data_resample:resample",
    name="resample",
    help="Make bars from stored trades or finer bars.",
)

CatalogFolder = Annotated[Path | None, Parameter(help="Folder of the catalog; default $LANNER_HOME/catalog.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]


@app.command(name="import")
def import_data(
    files: Annotated[list[Path], Parameter(help="Files to import; plain, .gz, .zip, .bz2 or .xz.")],
    /,
    *,
    format: Annotated[str, Parameter(help="Type of the files; `lanner data formats` lists them.")] = "auto",
    instrument: Annotated[str, Parameter(help="Instrument, e.g. BTC-USDT.BINANCE; default: concluded.")] = "",
    timeframe: Annotated[str, Parameter(help="Length of the bars, e.g. 1h; default: measured.")] = "",
    symbol: Annotated[str, Parameter(help="Import only this symbol of files that hold several.")] = "",
    tick: Annotated[str, Parameter(help="Price step; default: concluded from the decimals.")] = "",
    lot: Annotated[str, Parameter(help="Quantity step; default: concluded from the decimals.")] = "",
    stamp: Annotated[str, Parameter(help="What a bar's time in the file is: open or close.")] = "open",
    strict: Annotated[bool, Parameter(negative="", help="Refuse a file with any faulty row.")] = False,
    replace: Annotated[
        bool, Parameter(negative="", help="Replace the data sets instead of merging.")
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Read and check only; write nothing.")] = False,
    catalog: CatalogFolder = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Import files into the catalog: all of them, or none when one cannot be used."""
    from lanner.cli.render.imports import print_import, print_import_json, tell_notes, tell_rejections
    from lanner.storage.importers.run import import_files
    from lanner.storage.importers.table import Options

    options = Options(instrument, timeframe, tick, lot, symbol, stamp)
    with _progress(files, silent=quiet or json) as watcher:
        result = import_files(
            files,
            _catalog(catalog),
            format=format,
            options=options,
            strict=strict,
            replace=replace,
            dry_run=dry_run,
            watcher=watcher,
        )
    tell_rejections(result, quiet=quiet)
    if json:
        print_import_json(result)
        return 0
    if not quiet:
        tell_notes(result)
    print_import(result)
    return 0


@app.command
def describe(
    dataset: Annotated[str, Parameter(help="Data set such as BTC-USDT.BINANCE@1h, or a file.")] = "",
    /,
    *,
    gaps: Annotated[Whole, Parameter(validator=NOT_NEGATIVE, help="How many gaps to list.")] = 5,
    catalog: CatalogFolder = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show the data passport: rows, span, gaps, duplicates, faults, clock and latency, sources, hash."""
    from lanner.cli.render.passport import passport_json, print_passport

    home = _catalog(catalog)
    if not dataset:
        infos = home.datasets()
        if len(infos) != 1:
            return list_datasets(catalog=catalog, json=json, quiet=quiet)
        dataset = infos[0].ref
    source = _open(dataset, home)
    if json:
        from lanner.cli.output import print_json

        passports = [passport_json(entry.passport, entry.instrument) for entry in source.datasets]
        print_json(passports[0] if len(passports) == 1 else {"datasets": passports})
        return 0
    for entry in source.datasets:
        print_passport(entry.passport, entry.instrument, gaps)
    return 0


@app.command(name="list")
def list_datasets(
    *,
    catalog: CatalogFolder = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """List the data sets of the catalog."""
    from dataclasses import asdict

    from lanner.cli.output import note, print_json
    from lanner.cli.render.passport import print_list

    home = _catalog(catalog)
    infos = home.datasets()
    if json:
        print_json({"catalog": home.root, "datasets": [{"ref": info.ref, **asdict(info)} for info in infos]})
    elif infos:
        print_list(infos)
    else:
        note(f"The catalog {home.root} is empty. Import files with `lanner data import FILE`.", quiet=quiet)
    return 0


@app.command
def formats(
    *,
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - taken everywhere; there is nothing to leave out here
) -> int:
    """List the file formats that can be imported."""
    from lanner.cli.output import print_json, table
    from lanner.storage.importers.registry import FORMATS

    if json:
        print_json({"formats": {item.name: item.about for item in FORMATS.values()}})
    else:
        print(table(["format", "what it is"], [[item.name, item.about] for item in FORMATS.values()]))
    return 0


@app.command
def export(
    dataset: Annotated[str, Parameter(help="Data set such as BTC-USDT.BINANCE@1h.")],
    file: Annotated[Path, Parameter(help="File to write: .csv, .csv.gz, .parquet or .arrow.")],
    /,
    *,
    since: Annotated[str, Parameter(help="First time to export, e.g. 2024-01-01.")] = "",
    until: Annotated[str, Parameter(help="First time not to export.")] = "",
    catalog: CatalogFolder = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Write a data set's rows to a file."""
    from lanner.cli.output import note, print_json
    from lanner.storage.export import export_rows, parse_time

    source = _open(dataset, _catalog(catalog))
    entry = source.datasets[0]
    rows = export_rows(
        entry, file, since_ns=parse_time(since, "--since"), until_ns=parse_time(until, "--until")
    )
    if json:
        print_json({"dataset": entry.ref, "file": file, "rows": rows})
    else:
        note(f"{rows:,} rows of {entry.ref} written to {file}", quiet=quiet)
    return 0


@app.command
def cache(
    *,
    clear: Annotated[bool, Parameter(negative="", help="Delete what is not in use.")] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show the files that were imported on the fly and are kept for the next time, or delete them.

    The longest unused go by themselves when all take more than LANNER_CACHE_SIZE.
    """
    from lanner.cli.output import note, print_json
    from lanner.cli.render.cache import cache_json, cache_table
    from lanner.storage.environment import cache_limit, default_cache
    from lanner.storage.file_cache import FileCache
    from lanner.storage.open_data import CACHED_FILES

    limit = cache_limit()
    files = FileCache(default_cache() / CACHED_FILES)
    gone = files.clear() if clear else []
    left = files.entries()
    if json:
        print_json(cache_json(files.root, limit, left, gone))
    elif clear:
        freed = sum(entry.size for entry in gone)
        note(
            f"{len(gone)} of {len(gone) + len(left)} cached file(s) deleted, {freed / 1e6:,.1f} MB",
            quiet=quiet,
        )
    elif left:
        print(cache_table(left, limit))
    else:
        note(f"The cache {files.root} is empty.", quiet=quiet)
    return 0


def _catalog(folder: Path | None) -> Catalog:
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_catalog

    return Catalog(folder or default_catalog())


def _open(ref: str, home: Catalog):  # type: ignore[no-untyped-def]
    from lanner.storage.environment import default_cache
    from lanner.storage.open_data import open_source

    return open_source(ref, catalog=home, cache_dir=default_cache())


@contextmanager
def _progress(files: list[Path], *, silent: bool) -> Iterator[Watcher]:
    """Show bytes, rows per second and remaining time on a terminal; nothing anywhere else."""
    from lanner.cli.render.progress import wants_progress
    from lanner.storage.importers.run import Watcher

    if silent or not wants_progress():
        yield Watcher()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        total = sum(path.stat().st_size for path in files if path.is_file())
        task = bar.add_task("reading", total=total or None, rows="")

        def on_rows(rows: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            speed = f" ({rows / elapsed:,.0f}/s)" if elapsed > 0.5 else ""
            bar.update(task, rows=f"{rows:,} rows{speed}")

        yield Watcher(
            on_bytes=lambda count: bar.update(task, advance=count),
            on_rows=on_rows,
            on_phase=lambda phase: bar.update(task, description=phase),
        )
