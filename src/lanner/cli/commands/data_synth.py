"""``lanner data synth``: make seeded synthetic market data, always labelled as such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lanner.cli.numbers import Whole, WholeOrNone
from lanner.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import polars as pl

    from lanner.marketdata.synth import SynthPlan
    from lanner.storage.catalog import Catalog, DatasetInfo
    from lanner.storage.passport import SourceRecord

Kind = Literal["bars", "trades", "quotes", "book", "funding", "all"]
_BAR_DAYS, _TICK_DAYS = 30, 3


def synth(
    kind: Annotated[Kind, Parameter(help="What to make; `all` is bars, trades, quotes and book.")] = "bars",
    /,
    *,
    instrument: Annotated[str, Parameter(help="Instrument; a name like BTC-PERP.SYNTH is a perpetual.")] = (
        "BTC-USDT.SYNTH"
    ),
    timeframe: Annotated[str, Parameter(help="Bars to make: 1s … 1M, or 100tick, 50vol, 1000000usd.")] = "1m",
    since: Annotated[str, Parameter(help="First day, UTC.")] = "2024-01-01",
    days: Annotated[WholeOrNone, Parameter(help="Number of days; default 30 for bars, 3 for ticks.")] = None,
    seed: Annotated[Whole, Parameter(help="The same seed makes the same data, on any machine.")] = 7,
    vol: Annotated[float, Parameter(help="Volatility of log returns a year, e.g. 0.6.")] = 0.6,
    drift: Annotated[float, Parameter(help="Mean of log returns a year, e.g. 0.1.")] = 0.0,
    start_price: Annotated[float | None, Parameter(help="First price; default fits the name.")] = None,
    spread_bps: Annotated[float, Parameter(help="Typical spread in basis points.")] = 1.0,
    regimes: Annotated[
        bool, Parameter(negative="--no-regimes", help="Switch between calm, trending and wild phases.")
    ] = True,
    format: Annotated[
        Literal["catalog", "csv"], Parameter(help="Where to: the catalog or a CSV file.")
    ] = "catalog",
    output: Annotated[Path | None, Parameter(help="CSV file to write; implies --format csv.")] = None,
    catalog: Annotated[
        Path | None, Parameter(help="Folder of the catalog; default $LANNER_HOME/catalog.")
    ] = None,
    replace: Annotated[bool, Parameter(negative="", help="Replace synthetic data of the same name.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,
) -> int:
    """Make synthetic bars, trades, quotes and order books with realistic features, from a seed."""
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_catalog

    home = Catalog(catalog or default_catalog())
    csv = format == "csv" or output is not None
    plan = make_plan(
        None if csv else home,
        instrument,
        since=since,
        days=_usual_days(kind) if days is None else days,
        seed=seed,
        start_price=start_price,
        vol=vol,
        drift=drift,
        spread_bps=spread_bps,
        regimes=regimes,
    )
    with _progress(plan, silent=json or quiet) as watch:
        if csv:
            return _write_csv(plan, kind, timeframe, output, watch, json=json, quiet=quiet)
        infos = write_synthetic(home, plan, kind, timeframe, replace=replace, watch=watch)
    _print_datasets(plan, infos, home, json=json, quiet=quiet)
    return 0


def _usual_days(kind: str) -> int:
    return _BAR_DAYS if kind in ("bars", "funding") else _TICK_DAYS


Watch = Callable[[str, Iterable["pl.DataFrame"]], Iterable["pl.DataFrame"]]


def make_plan(
    catalog: Catalog | None,
    instrument_id: str,
    *,
    since: str,
    days: int,
    seed: int,
    start_price: float | None = None,
    **market_changes: float | bool,
) -> SynthPlan:
    """Return the plan of a synthetic market; an instrument that the catalog knows keeps its grid."""
    from dataclasses import replace as changed

    from lanner.marketdata.synth import SynthPlan, market_for, synth_instrument, usual_price
    from lanner.model.instruments import check_instrument_id
    from lanner.storage.export import parse_time

    check_instrument_id(instrument_id)
    since_ns = parse_time(since, "--since")
    if since_ns is None:
        raise ConfigError("--since is empty", expected="a date such as 2024-01-01")
    market = market_for(usual_price(instrument_id) if start_price is None else start_price, **market_changes)
    known = catalog.instrument(instrument_id) if catalog is not None else None
    if known is not None:
        market = changed(market, tick=known.tick, lot=known.lot)
    return SynthPlan(known or synth_instrument(instrument_id, market), market, since_ns, days, seed)


def write_synthetic(
    catalog: Catalog,
    plan: SynthPlan,
    kind: str = "bars",
    timeframe: str = "1h",
    *,
    replace: bool = False,
    watch: Watch | None = None,
) -> list[DatasetInfo]:
    """Write the data sets of a synthetic market, each labelled synthetic, and return what was written.

    Synthetic rows never join others: a data set of that name must be absent, or synthetic and
    ``replace`` given.
    """
    from lanner.model.timeframes import timeframe_ns
    from lanner.storage.passport import Passport, SourceRecord

    timeframe_ns(timeframe)
    kinds = plan.kinds(kind)
    name = plan.instrument.id
    for each in kinds:
        _check_free(catalog, each, name, timeframe if each == "bars" else "", replace=replace)
    infos = []
    for each in kinds:
        spec = timeframe if each == "bars" else ""
        source = SourceRecord(file=plan.describe(), format="synthetic")
        frames = _counted(plan.frames(each, timeframe, from_trades=kind == "all"), source)
        if watch is not None:
            frames = watch(each, frames)
        passport = Passport(kind=each, instrument_id=name, spec=spec, synthetic=True, sources=[source])
        infos.append(catalog.write(each, name, spec, frames, passport, replace=replace))
    if catalog.instrument(name) is None:
        catalog.save_instrument(plan.instrument)
    return infos


def _counted(frames: Iterable[pl.DataFrame], source: SourceRecord) -> Iterable[pl.DataFrame]:
    for frame in frames:
        source.rows += frame.height
        yield frame


def _check_free(catalog: Catalog, kind: str, instrument_id: str, spec: str, *, replace: bool) -> None:
    held = catalog.passport(kind, instrument_id, spec)
    if held is None:
        return
    if not held.synthetic:
        raise DataError(
            f"{held.ref} holds recorded data, which synthetic data never replaces",
            expected="a data set of another name",
            fix="Use a name such as BTC-USDT.SYNTH, or another catalog with --catalog.",
        )
    if not replace:
        raise DataError(
            f"{held.ref} exists already",
            expected="a data set that does not exist",
            found=", ".join(source.file for source in held.sources[:1]) or "synthetic data",
            fix="Add --replace to make it anew.",
        )


def _write_csv(
    plan: SynthPlan, kind: str, timeframe: str, output: Path | None, watch: Watch, *, json: bool, quiet: bool
) -> int:
    from lanner.cli.output import note, print_json

    if kind == "all":
        raise ConfigError(
            "a CSV file holds one kind of data", expected="bars, trades, quotes, book or funding"
        )
    (stored,) = plan.kinds(kind)
    ref = f"{plan.instrument.id}@{timeframe if stored == 'bars' else stored}"
    path = output or Path(f"{ref}.synthetic.csv".replace("/", "-"))
    temporary = path.with_name(f".{path.name}.tmp")
    rows = 0
    try:
        with temporary.open("wb") as file:
            for frame in watch(stored, plan.frames(stored, timeframe)):
                _csv_shape(frame, stored).write_csv(file, include_header=not rows)
                rows += frame.height
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}", found=error.strerror or error) from error
    finally:
        temporary.unlink(missing_ok=True)
    if json:
        print_json({"file": path, "kind": stored, "rows": rows, "synthetic": True, "source": plan.describe()})
    else:
        note(f"{rows:,} synthetic rows of {ref} written to {path}", quiet=quiet)
    return 0


def _csv_shape(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Give bars and trades the columns that other programs expect; the rest keeps the catalog's."""
    import polars as pl

    if kind == "bars":
        more = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")
        return frame.select((pl.col("ts_open") // 1_000_000).alias("timestamp"), *more)
    if kind == "trades":
        side = pl.when(pl.col("aggressor") > 0).then(pl.lit("buy")).otherwise(pl.lit("sell")).alias("side")
        return frame.select(
            pl.col("ts_event").alias("timestamp"), pl.col("px").alias("price"), pl.col("qty").alias("amount"),
            side, pl.col("trade_id").alias("id"),
        )  # fmt: skip
    return frame


@contextmanager
def _progress(plan: SynthPlan, *, silent: bool) -> Iterator[Watch]:
    """Show the simulated days on a terminal; nothing anywhere else."""
    from lanner.cli.render.progress import wants_progress

    if silent or not wants_progress():
        yield lambda _kind, frames: frames
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<8}"), BarColumn(), TextColumn("{task.fields[rows]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:

        def watch(kind: str, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
            task = bar.add_task(kind, total=plan.days, rows="")
            rows = 0
            for frame in frames:
                rows += frame.height
                done = (int(frame["ts_event"][-1]) - plan.since_ns) / 86_400e9 if frame.height else 0
                bar.update(task, completed=done, rows=f"{rows:,} rows")
                yield frame
            bar.update(task, completed=plan.days)

        yield watch


def _print_datasets(
    plan: SynthPlan, infos: list[DatasetInfo], catalog: Catalog, *, json: bool, quiet: bool
) -> None:
    from lanner.cli.output import note, print_json, table
    from lanner.storage.problems import time_text

    if json:
        datasets = [{"ref": info.ref, **asdict(info)} for info in infos]
        print_json(
            {"catalog": catalog.root, "source": plan.describe(), "seed": plan.seed, "datasets": datasets}
        )
        return
    if quiet:
        for info in infos:
            print(info.ref)
        return
    rows = [
        [
            info.ref,
            info.kind,
            f"{info.rows:,}",
            time_text(info.start_ns),
            time_text(info.end_ns),
            info.content_hash[:12],
        ]
        for info in infos
    ]
    print(table(["data set", "kind", "rows", "from", "to", "hash"], rows, right="2"))
    note(plan.describe())
