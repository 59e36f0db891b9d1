"""Runs side by side as plain data."""

from __future__ import annotations

from collections.abc import Sequence

from lanner.analysis.compare import compare_metrics
from lanner.backtest.result import named_params
from lanner.storage.runs import RunRecord


def compare_json(records: Sequence[RunRecord]) -> dict[str, object]:
    """Return the comparison as plain data: values of every metric, and which runs are best."""
    rows = compare_metrics([record.metrics for record in records])
    return {
        "runs": [record.run_id for record in records],
        "settings": {row[0]: list(row[1:]) for row in _settings(records)},
        "metrics": {
            row.metric.name: {
                "values": list(row.values),
                "best": [records[index].run_id for index in row.best],
                "change": row.change,
            }
            for row in rows
        },
    }


def _settings(records: Sequence[RunRecord]) -> list[list[str]]:
    rows = [
        ["strategy", *(record.strategy for record in records)],
        ["instruments", *("+".join(record.instruments) for record in records)],
        ["trades", *(str(record.counts.get("trades", 0)) for record in records)],
        ["data", *(record.data_hash[:8] for record in records)],
        ["code", *(record.code_hash[:8] for record in records)],
    ]
    params = [named_params(record.params) for record in records]
    for name in dict.fromkeys(name for own in params for name in own):
        values = [str(own.get(name, "–")) for own in params]
        if len(set(values)) > 1:
            rows.append([f"param {name}", *values])
    return rows
