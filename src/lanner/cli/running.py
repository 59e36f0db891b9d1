"""Run a backtest for a command: progress, result on the screen or as JSON, exports."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.backtest.config import BacktestConfig
from lanner.backtest.keep import Outcome, config_text, run_and_keep
from lanner.cli.output import note, print_json, prints_aside
from lanner.cli.render.progress import progress_bar
from lanner.core.errors import ConfigError
from lanner.storage.environment import default_runs
from lanner.storage.runs import RunStore

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult

_METRICS = (
    "total_return",
    "max_drawdown",
    "sharpe",
    "sortino",
    "calmar",
    "win_rate",
    "profit_factor",
)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a command was told about its output."""

    as_json: bool = False
    quiet: bool = False
    output: Path | None = None
    dry_run: bool = False
    tier: str = "python"


def run(config: BacktestConfig, options: RunOptions) -> None:
    """Run a backtest, keep it and print what came out."""
    if options.output is not None and options.output.expanduser().is_file():
        raise ConfigError(
            f"--output {options.output} is a file", expected="a folder, or a name for a new one"
        )
    if options.dry_run:
        _dry_run(config, options)
        return
    outcome = execute(config, quiet=options.quiet or options.as_json, tier=options.tier)
    if options.output is not None:
        export(outcome.result, options.output.expanduser())
    show(outcome, options)


def export(result: BacktestResult, folder: Path) -> None:
    """Write a result into a folder: JSON, CSV of trades and equity, Parquet tables, a summary in Markdown."""
    from lanner.backtest.export import export_equity_csv, export_markdown, export_trades_csv, save_result

    folder.mkdir(parents=True, exist_ok=True)
    save_result(result, folder)
    export_trades_csv(result, folder / "trades.csv")
    export_equity_csv(result, folder / "equity.csv")
    export_markdown(result, folder / "summary.md")


def execute(config: BacktestConfig, *, quiet: bool, rerun_of: str = "", tier: str = "python") -> Outcome:
    """Run a backtest with a progress bar and keep it in the run store.

    ``quiet`` shows no bar and keeps standard output for the caller's result. ``tier`` says how it is played.
    """
    from lanner.backtest.tiers import player

    with stop_on_sigterm(), prints_aside(quiet), progress_bar(quiet=quiet) as progress:
        return run_and_keep(
            config,
            RunStore(default_runs()),
            now=datetime.now(UTC),
            progress=progress,
            rerun_of=rerun_of,
            play=player(tier),
        )


def show(outcome: Outcome, options: RunOptions) -> None:
    """Print a finished run: one JSON object, its id, or the summary for people."""
    if options.as_json:
        print_json({**result_json(outcome.result, outcome.report), "notes": outcome.notes})
    elif options.quiet:
        print(outcome.result.run_id)
    else:
        from lanner.cli.render.summary import print_summary

        for text in outcome.notes:
            note(f"note: {text}")
        print_summary(outcome.result, outcome.report)


def result_json(result: BacktestResult, report: Path | None) -> dict[str, object]:
    """Return the object that ``lanner backtest --json`` prints."""
    return {
        "run_id": result.run_id,
        "name": result.name,
        "strategy": result.strategy,
        "params": result.params,
        "instruments": result.instruments,
        "since_ns": result.since_ns,
        "until_ns": result.until_ns,
        "currency": result.currency,
        "events": result.events,
        "seconds": result.seconds,
        "events_per_second": result.events_per_second,
        "orders": len(result.orders),
        "fills": len(result.fills),
        "trades": len(result.round_trips),
        "start_equity": result.start_equity,
        "end_equity": result.end_equity,
        "fees": result.fees,
        "funding": result.funding,
        **{name: result.metrics.get(name) for name in _METRICS},
        "metrics": result.metrics,
        "report": report,
        "state_hash": result.state_hash,
        "data_hash": result.data_hash,
        "code_hash": result.code_hash,
        "seed": result.seed,
        "version": result.version,
        "warnings": result.warnings,
    }


@contextmanager
def stop_on_sigterm() -> Iterator[None]:
    """Treat a request to end like Ctrl-C, so that nothing half-finished is left behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: whoever runs us there decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _dry_run(config: BacktestConfig, options: RunOptions) -> None:
    from lanner.backtest.prepare import prepare

    with prints_aside(options.quiet or options.as_json):
        prepared = prepare(config, run_id="dry-run")
    if options.as_json:
        print_json({"ok": True, "config": config.to_plain()})
        return
    if not options.quiet:
        for text in prepared.notes:
            note(f"note: {text}")
    print(config_text(config), end="")
