"""Run a backtest from settings and keep what it made: the way that the command line, notebooks and reruns share."""

from __future__ import annotations

import gc
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from lanner import __version__
from lanner.backtest.config import BacktestConfig
from lanner.backtest.dates import format_time
from lanner.backtest.memory import Tables
from lanner.backtest.prepare import prepare
from lanner.storage.runs import CONFIG, LOG, REPORT, SOURCE, RunRecord, RunStore, new_run_id, write_record

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.backtest.spec import BacktestSpec, Progress
    from lanner.strategy.base import Strategy

MAX_LOG_LINES = 100_000
MANY_ORDERS = 5_000
ProgressHandler = Callable[["Progress"], None]
Play = Callable[["BacktestSpec", "ProgressHandler | None"], "BacktestResult"]


@dataclass(slots=True)
class Outcome:
    """A finished run: its result, where it is kept (None: nowhere) and its report (None: none was written)."""

    result: BacktestResult
    folder: Path | None
    report: Path | None
    notes: list[str] = field(default_factory=list)


class RunLog:
    """Collect what strategies log, at most ``MAX_LOG_LINES`` lines, each stamped with the run's own time."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, ts: int, strategy_id: str, text: str) -> None:
        """Take one line."""
        if len(self.lines) < MAX_LOG_LINES:
            self.lines.append(f"{format_time(ts)}  {strategy_id}  {text}")
        elif len(self.lines) == MAX_LOG_LINES:
            self.lines.append(f"(cut: a run keeps {MAX_LOG_LINES:,} lines)")

    def write(self, path: Path) -> None:
        """Write the lines to a file; without any there is none."""
        if self.lines:
            path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def run_and_keep(
    config: BacktestConfig,
    store: RunStore | None,
    *,
    now: datetime,
    classes: Sequence[type[Strategy]] | None = None,
    tables: Tables | None = None,
    progress: ProgressHandler | None = None,
    rerun_of: str = "",
    play: Play | None = None,
) -> Outcome:
    """Run a backtest and keep it in the store; without a store only the result is returned.

    ``play`` runs it in another tier, with the same result. ``config.report`` says whether the run's
    folder gets a ``report.html``; a path there is written as well.
    """
    from lanner.backtest.run import run_backtest

    run_id = new_run_id(config.name or _stem(config), now)
    _tell(progress, "read")
    prepared = prepare(config, run_id=run_id, classes=classes, tables=tables)
    log = RunLog()
    prepared.spec.log = log
    result = (play or run_backtest)(prepared.spec, progress)
    sources, notes = prepared.sources, prepared.notes
    del prepared
    if len(result.orders) > MANY_ORDERS:
        gc.collect()  # the strategies held the engine and all its orders: as much as writing takes
    _tell(progress, "write")
    if store is None:
        return Outcome(result, None, _copy_report(config, result), notes)
    with store.create(run_id) as draft:
        _fill(draft, config, sources, notes, result, rerun_of)
        log.write(draft / LOG)
    folder = store.folder(run_id)
    if log.lines:
        notes.append(f"{len(log.lines)} lines of the strategy's log are in {folder / LOG}")
    report = folder / REPORT
    return Outcome(
        result, folder, _copy_report(config, result) or (report if report.exists() else None), notes
    )


def record_of(result: BacktestResult, rerun_of: str = "") -> RunRecord:
    """Return what the run store remembers of a result."""
    return RunRecord(
        run_id=result.run_id,
        created_at=result.created_at,
        name=result.name,
        strategy=result.strategy,
        lanner=result.version or __version__,
        python=platform.python_version(),
        params=_plain(result.params),
        instruments=list(result.instruments),
        data=[_plain(entry) for entry in result.data],
        since_ns=result.since_ns,
        until_ns=result.until_ns,
        currency=result.currency,
        start_equity=f"{result.start_equity:f}",
        end_equity=f"{result.end_equity:f}",
        fees=f"{result.fees:f}",
        funding=f"{result.funding:f}",
        seed=result.seed,
        state_hash=result.state_hash,
        data_hash=result.data_hash,
        code_hash=result.code_hash,
        seconds=result.seconds,
        counts={
            "events": result.events,
            "orders": len(result.orders),
            "fills": len(result.fills),
            "trades": len(result.round_trips),
        },
        metrics=result.metrics,
        warnings=list(result.warnings),
        rerun_of=rerun_of,
    )


def _tell(progress: ProgressHandler | None, phase: str) -> None:
    """Report a phase whose length nobody knows."""
    if progress is not None:
        from lanner.backtest.spec import Progress

        progress(Progress(phase, 0, 0, 0))


def _fill(
    draft: Path,
    config: BacktestConfig,
    files: Sequence[Path],
    notes: Sequence[str],
    result: BacktestResult,
    rerun_of: str,
) -> None:
    from lanner.backtest.export import save_result

    (draft / CONFIG).write_text(config_text(config), encoding="utf-8")
    sources = keep_sources(draft, files)
    save_result(result, draft)
    if config.report is not False:
        from lanner.backtest.report import write_report

        write_report(result, draft / REPORT)
    record = record_of(result, rerun_of)
    write_record(draft, msgspec.structs.replace(record, sources=sources, notes=list(notes)))


def keep_sources(draft: Path, files: Sequence[Path]) -> dict[str, str]:
    """Copy the strategies' files and return under which name each was kept; equal names are numbered."""
    kept: dict[str, str] = {}
    for path in files:
        name, number = path.name, 2
        while name in kept.values():
            name, number = f"{path.stem}-{number}{path.suffix}", number + 1
        (draft / SOURCE).mkdir(exist_ok=True)
        shutil.copyfile(path, draft / SOURCE / name)
        kept[str(path)] = name
    return kept


def config_text(config: BacktestConfig) -> str:
    """Return settings as YAML that reads back as the same settings."""
    return yaml.safe_dump(
        config.to_plain(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110
    )


def _copy_report(config: BacktestConfig, result: BacktestResult) -> Path | None:
    if not isinstance(config.report, str):
        return None
    from lanner.backtest.report import write_report

    path = Path(config.report).expanduser()
    return write_report(result, path / REPORT if path.is_dir() else path)


def _stem(config: BacktestConfig) -> str:
    names = [entry.id or _name_of(entry.strategy) for entry in config.entries()]
    return names[0] if len(names) == 1 else f"{names[0]}_and_{len(names) - 1}_more"


def _name_of(ref: str) -> str:
    """Return the short name in a strategy reference: the class, else the file's or module's last part."""
    place, _, member = ref.partition(":") if ".py:" in ref or ":" in ref else (ref, "", "")
    return member or Path(place).name.removesuffix(".py").rpartition(".")[2]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: float(value) if isinstance(value, Decimal) else value for key, value in values.items()}
