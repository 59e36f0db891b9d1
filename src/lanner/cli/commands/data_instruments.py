"""``lanner data instruments``: what is known about instruments, and what venues say about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from lanner.model.instruments import Instrument
    from lanner.storage.catalog import Catalog
    from lanner.storage.importers.instruments import InstrumentList


def instruments(
    files: Annotated[
        list[Path] | None,
        Parameter(help="A venue's instrument lists as JSON; without any, those stored are shown."),
    ] = None,
    /,
    *,
    symbol: Annotated[str, Parameter(help="Only instruments whose id or venue symbol contains this.")] = "",
    venue: Annotated[
        str, Parameter(help="Venue of a list in Binance's form that is not Binance's own.")
    ] = "",
    dry_run: Annotated[bool, Parameter(negative="", help="Read and show only; store nothing.")] = False,
    catalog: Annotated[
        Path | None, Parameter(help="Folder of the catalog; default $LANNER_HOME/catalog.")
    ] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,
) -> int:
    """Store tick, lot and limits as a venue's instrument list tells them, or show what is stored.

    Understood are Binance's exchangeInfo (spot and USD-M), OKX's public/instruments and Bybit's instruments-info.
    Data that is imported later, and backtests on it, use these instead of what the prices suggest.
    """
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_catalog

    home = Catalog(catalog or default_catalog())
    if files:
        return _read(files, home, symbol, venue.upper(), dry_run=dry_run, as_json=json, quiet=quiet)
    return _show(home, symbol, as_json=json, quiet=quiet)


def _read(
    files: list[Path], home: Catalog, symbol: str, venue: str, *, dry_run: bool, as_json: bool, quiet: bool
) -> int:
    from lanner.cli.output import note, print_json
    from lanner.core.errors import NotFoundError
    from lanner.storage.importers.instruments import read_instruments
    from lanner.storage.reference import keep_instruments

    lists = [read_instruments(path, venue=venue) for path in files]
    chosen = {name: item for told in lists for name, item in told.instruments.items() if _fits(item, symbol)}
    if not chosen:
        raise NotFoundError(
            f"no instrument with {symbol!r} in {', '.join(path.name for path in files)}",
            fix="Leave --symbol out to read all of them.",
        )
    kept = keep_instruments(home, chosen.values(), dry_run=dry_run)
    if as_json:
        print_json(
            {
                "instruments": list(chosen),
                "new": kept.new,
                "changed": kept.changed,
                "same": kept.same,
                "skipped": _skipped(lists),
                "dry_run": dry_run,
            }
        )
        return 0
    for what, count in _skipped(lists).items():
        note(f"note: {count:,} left out: {what}", quiet=quiet)
    if dry_run or len(chosen) <= 20:
        _print(list(chosen.values()))
    verb = "would be" if dry_run else "are"
    print(
        f"{len(chosen):,} instruments: {kept.new:,} {verb} new, {kept.changed:,} changed, {kept.same:,} as known"
    )
    return 0


def _show(home: Catalog, symbol: str, *, as_json: bool, quiet: bool) -> int:
    from lanner.cli.output import note, print_json

    stored = [home.instrument(name) for name in home.instrument_ids()]
    chosen = [item for item in stored if item is not None and _fits(item, symbol)]
    if as_json:
        import msgspec

        print_json({"catalog": home.root, "instruments": [msgspec.to_builtins(item) for item in chosen]})
    elif chosen:
        _print(chosen)
    else:
        what = f"with {symbol!r} " if symbol else ""
        note(
            f"No instrument {what}in {home.root}. Read a venue's list: lanner data instruments FILE",
            quiet=quiet,
        )
    return 0


def _fits(instrument: Instrument, text: str) -> bool:
    return text.upper() in instrument.id.upper() or text.upper() in instrument.symbol.upper()


def _skipped(lists: list[InstrumentList]) -> dict[str, int]:
    total: dict[str, int] = {}
    for told in lists:
        for what, count in told.skipped.items():
            total[what] = total.get(what, 0) + count
    return total


def _print(instruments: list[Instrument]) -> None:
    from lanner.cli.output import table

    rows = [
        [
            item.id,
            "spot" if item.is_spot else "perp",
            f"{item.tick:f}",
            f"{item.lot:f}",
            f"{item.min_qty:f}",
            f"{item.min_notional:f}",
            item.settle,
            "venue" if item.symbol else "data",
        ]
        for item in instruments
    ]
    head = ["instrument", "kind", "tick", "lot", "min qty", "min notional", "settled in", "told by"]
    print(table(head, rows, right="2345"))
