"""``lanner check``: look for what makes a backtest lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from lanner.cli.numbers import NOT_NEGATIVE, Whole

if TYPE_CHECKING:
    from lanner.backtest.config import BacktestConfig
    from lanner.research.probes import Finding
    from lanner.research.probes_check import CheckReport

_WHAT = Group("What to check", sort_key=1)
_OUT = Group("What comes out", sort_key=2)
_WIDTH = 100
MAX_BUDGET = 10_000


def check(
    strategy: Annotated[
        str, Parameter(help="A name from `lanner strategies`, file.py[:Class] or module:Class")
    ],
    /,
    *,
    data: Annotated[
        list[str] | None,
        Parameter(
            name=["--data", "-d"],
            group=_WHAT,
            help="What to play: a data set or a file; synthetic bars unless told. May be given several times.",
        ),
    ] = None,
    since: Annotated[
        str | None, Parameter(name=["--since", "--start"], group=_WHAT, help="First time, inclusive.")
    ] = None,
    until: Annotated[
        str | None, Parameter(name=["--until", "--end"], group=_WHAT, help="Last time, exclusive.")
    ] = None,
    param: Annotated[
        list[str] | None,
        Parameter(
            name=["--param", "-p"], group=_WHAT, help="A parameter of the strategy, e.g. fast=10. Repeatable."
        ),
    ] = None,
    instrument: Annotated[
        str | None, Parameter(group=_WHAT, help="Instrument of a data file that does not tell.")
    ] = None,
    timeframe: Annotated[str | None, Parameter(group=_WHAT, help="Timeframe to run on.")] = None,
    seed: Annotated[
        Whole,
        Parameter(
            group=_WHAT,
            validator=NOT_NEGATIVE,
            help="Seed of the runs and of the sample of bars that are cut.",
        ),
    ] = 1,
    budget: Annotated[
        Whole, Parameter(group=_WHAT, help="At how many bars with orders the future is taken away at most.")
    ] = 60,
    set: Annotated[
        list[str] | None,
        Parameter(name="--set", group=_WHAT, help="Any other setting, e.g. cash=5000. Needs --data."),
    ] = None,
    catalog: Annotated[Path | None, Parameter(group=_WHAT, help="Folder of the catalog.")] = None,
    venue: Annotated[
        str | None,
        Parameter(
            group=_WHAT, help="Say what a venue makes of each order feature: native, emulated, impossible."
        ),
    ] = None,
    json: Annotated[bool, Parameter(group=_OUT, help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(group=_OUT, help="Print only the findings, one a line.")] = False,
) -> int:
    """Check a strategy for what makes a backtest lie: look-ahead, chance, memory of other runs, short warm-up.

    The strategy is run some hundred times: without the future, with another one, again, at another time, in another
    process, from a later start, with other parameters. Exit code 1 when there is an error, 0 otherwise; warnings do
    not count.
    """
    from lanner.cli.output import note, print_json, prints_aside
    from lanner.cli.running import stop_on_sigterm
    from lanner.core.errors import ConfigError
    from lanner.research.probes_check import check_strategy

    if not 1 <= budget <= MAX_BUDGET:
        raise ConfigError("--budget is out of range", expected=f"1 to {MAX_BUDGET:,}", found=budget)
    if data is None and any(value is not None for value in (since, until, instrument, set)):
        raise ConfigError(
            "there is nothing to choose from without --data",
            expected="--data with --since, --until, --instrument and --set",
        )
    config, ref, params = _settings(
        strategy, param or [], data, since, until, instrument, timeframe, seed, set or [], catalog
    )
    with stop_on_sigterm(), prints_aside(quiet or json), _steps(quiet or json) as on_step:
        report = check_strategy(
            ref,
            config=config,
            params=params,
            timeframe=timeframe,
            seed=seed,
            budget=budget,
            tables=_tables(venue),
            on_step=on_step,
        )
    if json:
        print_json(report.as_dict())
    elif quiet:
        for finding in report.findings:
            print(f"{finding.severity} {finding.check}: {finding.what}")
    else:
        for text in report.notes:
            note(f"note: {text}")
        print(render(report))
    return 0 if report.ok else 1


def _tables(venue: str | None) -> dict[str, Any]:
    """Return the capability tables of a venue's products."""
    from lanner.venues.registry import product_spec, products_of

    return {} if venue is None else {name: product_spec(name).capabilities for name in products_of(venue)}


def _settings(
    strategy: str,
    param: list[str],
    data: list[str] | None,
    since: str | None,
    until: str | None,
    instrument: str | None,
    timeframe: str | None,
    seed: int,
    settings: list[str],
    catalog: Path | None,
) -> tuple[BacktestConfig | None, str, dict[str, Any]]:
    """Return the settings of the runs (none: synthetic data), the strategy's reference and its parameters."""
    from lanner.cli.backtest_options import Options, absolute_strategy, files_first

    options = Options()
    options.add_params(param)
    params = dict(options.values.get("params", {}))
    ref = absolute_strategy(strategy)
    if data is None:
        return None, ref, params
    options.put("data", "--data", files_first(data))
    options.put("since", "--since", since)
    options.put("until", "--until", until)
    options.put("instrument", "--instrument", instrument)
    options.put("timeframe", "--timeframe", timeframe)
    options.put("seed", "--seed", seed)
    options.put("catalog", "--catalog", str(catalog.expanduser().resolve()) if catalog is not None else None)
    options.add_settings(settings)
    return options.config(strategy), ref, params


@contextmanager
def _steps(quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """Show which check is at work, on terminals only."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Loading") as status:
        yield lambda name: status.update(f"Checking: {name}")


def render(report: CheckReport) -> str:
    """Return a report as text: one line for each check, then each finding with what to do."""
    from lanner.cli.output import table

    rows = [[outcome.check, outcome.status, outcome.note] for outcome in report.outcomes]
    widest = _WIDTH - sum(max(len(row[at]) for row in [["CHECK", "RESULT"], *rows]) + 2 for at in (0, 1))
    rows = [[check, status, _cut(note, widest)] for check, status, note in rows]
    parts = [
        _cut(f"{_name(report.strategy)} on {report.data}", _WIDTH),
        f"{report.orders:,} orders; {report.runs:,} runs",
        "",
        table(["CHECK", "RESULT", "WHAT WAS DONE"], rows),
    ]
    if report.features:
        parts += ["", _features(report)]
    for finding in report.findings:
        parts += ["", *_finding_lines(finding)]
    errors = sum(1 for finding in report.findings if finding.severity == "error")
    warnings = len(report.findings) - errors
    only_venue = all(f.check == "venue" for f in report.findings if f.severity == "error")
    parts += ["", _verdict(errors, warnings, only_venue=only_venue)]
    return "\n".join(parts)


def _features(report: CheckReport) -> str:
    from lanner.cli.output import table

    products = list(report.features[0].support)
    rows = [
        [
            use.feature.replace("_", " "),
            f"{use.commands:,}",
            _cut(", ".join(map(str, use.lines)), 24),
            *use.support.values(),
        ]
        for use in report.features
    ]
    return table(["ORDER FEATURE", "COMMANDS", "LINES", *map(str.upper, products)], rows, right="1")


def _name(ref: str) -> str:
    path, colon, member = ref.partition(".py:")
    return f"{Path(path).name}{colon}{member}"


def _verdict(errors: int, warnings: int, *, only_venue: bool) -> str:
    if errors and only_venue:
        return f"{errors} {'error' if errors == 1 else 'errors'}: as it is, it cannot trade there."
    if errors:
        return (
            f"{errors} {'error' if errors == 1 else 'errors'}: do not believe this strategy's backtest yet."
        )
    if warnings:
        return f"No errors, {warnings} {'warning' if warnings == 1 else 'warnings'} to look at."
    return "Nothing found. That a strategy is honest does not mean that it earns."


def _finding_lines(finding: Finding) -> list[str]:
    import textwrap

    where = [f"bar {finding.bar:,}"] if finding.bar is not None else []
    where += [f"line {finding.line}"] if finding.line is not None and "line " not in finding.found else []
    place = f" ({', '.join(where)})" if where else ""
    lines = textwrap.wrap(f"{finding.severity}  {finding.check}: {finding.what}{place}", _WIDTH)
    for label, text in (("expected", finding.expected), ("found", finding.found), ("fix", finding.fix)):
        if text:
            lines += textwrap.wrap(
                text,
                _WIDTH,
                initial_indent=f"  {label:<9} ",
                subsequent_indent=" " * 12,
                break_on_hyphens=False,
            )
    table = finding.evidence.get("table")
    if isinstance(table, list):
        lines += [f"  {line}" for line in _neighbours(table)]
    return lines


def _neighbours(rows: list[dict[str, Any]]) -> list[str]:
    from lanner.cli.output import table

    cells = [
        [
            str(row["param"]),
            f"{row['value']:g}" if isinstance(row["value"], float) else str(row["value"]),
            "none" if row["return"] is None else f"{100 * row['return']:+.1f} %",
            str(row["orders"]),
        ]
        for row in rows
    ]
    return table(["PARAMETER", "VALUE", "RETURN", "ORDERS"], cells, right="123").split("\n")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
