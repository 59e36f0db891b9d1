"""How the run store looks: one line a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lanner.cli.output import table
from lanner.storage.runs import REPORT, DamagedRun, RunRecord, RunStore

_HEAD = ("run", "strategy", "instrument", "from", "to", "trades", "return", "max dd", "sharpe")


def runs_table(runs: Sequence[RunRecord | DamagedRun]) -> str:
    """Lay out runs in a table; damaged ones follow below it with the reason."""
    rows = [_row(run) for run in runs if isinstance(run, RunRecord)]
    parts = [table(_HEAD, rows, right="5678")] if rows else []
    parts += [f"{run.run_id}  damaged: {run.reason}" for run in runs if isinstance(run, DamagedRun)]
    return "\n".join(parts)


def runs_json(runs: Sequence[RunRecord | DamagedRun], store: RunStore) -> list[dict[str, object]]:
    """Return runs as plain data; a damaged one has only its id and ``damaged``."""
    return [
        {"run_id": run.run_id, "damaged": run.reason}
        if isinstance(run, DamagedRun)
        else run_json(run, store.folder(run.run_id))
        for run in runs
    ]


def run_json(run: RunRecord, folder: Path) -> dict[str, object]:
    """Return one run as plain data, with its folder and its report."""
    plain: dict[str, object] = msgspec.to_builtins(run)
    report = folder / REPORT
    return {**plain, "folder": folder, "report": report if report.exists() else None}


def _row(run: RunRecord) -> tuple[str, ...]:
    from lanner.backtest.dates import format_time

    first, *others = run.instruments or ["–"]
    return (
        run.run_id,
        run.strategy[:20],
        first + (f" +{len(others)}" if others else ""),
        format_time(run.since_ns)[:10],
        format_time(run.until_ns)[:10],
        str(run.counts.get("trades", 0)),
        _percent(run.metrics.get("total_return")),
        _percent(run.metrics.get("max_drawdown")),
        _number(run.metrics.get("sharpe")),
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
