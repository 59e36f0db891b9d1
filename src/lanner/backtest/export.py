"""Write a result to files: JSON, CSV, Parquet, Markdown, and the folder that a run store keeps.

Every file is written beside its target and renamed, so that a reader never sees half of one.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lanner.analysis import drawdown_series
from lanner.backtest.result import BacktestResult
from lanner.core.errors import ConfigError
from lanner.storage.files import replacing, write_atomic

FORMAT = "lanner-result"
FORMAT_VERSION = 1
RESULT_FILE = "result.json"
TRADES_HEADER = (
    "id", "entry_time", "entry_price", "exit_time", "exit_price", "size", "side", "pnl", "pnl_percent", "commission",
)  # fmt: skip
EQUITY_HEADER = ("timestamp", "equity", "drawdown")
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Say what was written: the file and its size in bytes."""

    file_path: Path
    bytes_written: int


def export_json(
    result: BacktestResult,
    path: Path,
    *,
    pretty: bool = True,
    include_trades: bool = True,
    include_equity_curve: bool = True,
    precision: int | None = 8,
) -> ExportResult:
    """Write the sections metadata, config, metrics, trades and equity_curve (and more) as one JSON object.

    `precision` is the number of decimals of measurements; None keeps them exact, so that `load_result` gives back the
    same result. Money is always exact, as text. Times are UNIX nanoseconds. A number that is not defined is null.
    `include_trades` takes fills and orders with it.
    """
    sections = _head_sections(result)
    if include_trades:
        sections["trades"] = [asdict(trip) for trip in result.round_trips]
        sections["fills"] = [asdict(fill) for fill in result.fills]
        sections["orders"] = [asdict(order) for order in result.orders]
    if include_equity_curve:
        sections["equity_curve"] = _equity_rows(result)
        sections["series"] = [_series_columns(result, index) for index in range(len(result.series))]
    return _write(path, _dump(sections, pretty, precision).encode("utf-8"))


def export_trades_csv(result: BacktestResult, path: Path, *, times: str = "iso") -> ExportResult:
    """Write one line per round trip, oldest exit first.

    `times` is `iso` (UTC, milliseconds), `ms` or `ns`. `pnl` is net, `pnl_percent` is it in percent of the entry's
    cost, `commission` the fees of both sides. A position still open at the end has no exit time.
    """
    clock = _clock(times)
    rows = (
        (
            trip.id,
            clock(trip.entry_ts),
            trip.entry_px,
            "" if trip.open else clock(trip.exit_ts),
            trip.exit_px,
            trip.qty,
            "long" if trip.side > 0 else "short",
            trip.pnl,
            trip.return_frac * 100.0,
            trip.fees,
        )
        for trip in result.round_trips
    )
    return _write(path, _csv(TRADES_HEADER, rows))


def export_equity_csv(result: BacktestResult, path: Path, *, times: str = "iso") -> ExportResult:
    """Write one line per sample of the equity curve; `drawdown` is a positive fraction of the peak before it."""
    clock = _clock(times)
    curve = result.equity
    falls = drawdown_series(curve.equity).tolist()
    rows = zip(map(clock, curve.ts.tolist()), curve.equity.tolist(), falls, strict=True)
    return _write(path, _csv(EQUITY_HEADER, rows))


def export_parquet(result: BacktestResult, folder: Path) -> list[ExportResult]:
    """Write round_trips, fills, orders, equity and series as Parquet files (zstd) into a folder."""
    from lanner.backtest.tables import TABLE_NAMES, result_table

    written = []
    for name in TABLE_NAMES:  # one at a time: together they would double the memory of a long run
        path = folder / f"{name}.parquet"
        with replacing(path) as file:
            result_table(result, name).write_parquet(file, compression="zstd")
        written.append(ExportResult(path, path.stat().st_size))
    return written


def export_markdown(result: BacktestResult, path: Path) -> ExportResult:
    """Write a summary of one page for an issue, a wiki or a chat."""
    from lanner.backtest.markdown import markdown_summary

    return _write(path, markdown_summary(result).encode("utf-8"))


def save_result(result: BacktestResult, folder: Path) -> Path:
    """Write the whole result, exactly, into a folder: `result.json` and its tables as Parquet; return the folder.

    `result.json` is written last, so that a folder which has it is complete.
    """
    export_parquet(result, folder)
    sections = _head_sections(result)
    _write(folder / RESULT_FILE, _dump(sections, True, None).encode("utf-8"))
    return folder


def _head_sections(result: BacktestResult) -> Json:
    """Return everything but the tables."""
    return {
        "metadata": {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "run_id": result.run_id,
            "name": result.name,
            "strategy": result.strategy,
            "params": result.params,
            "instruments": result.instruments,
            "start_time": result.since_ns,
            "end_time": result.until_ns,
            "total_trades": sum(not trip.open for trip in result.round_trips),
            "currency": result.currency,
            "events": result.events,
            "seconds": result.seconds,
            "events_per_second": result.events_per_second,
            "seed": result.seed,
            "state_hash": result.state_hash,
            "data_hash": result.data_hash,
            "code_hash": result.code_hash,
            "created_at": result.created_at,
            "version": result.version,
        },
        "config": {"initial_capital": str(result.start_equity), "settings": result.config},
        "account": {
            "start_equity": str(result.start_equity),
            "end_equity": str(result.end_equity),
            "fees": str(result.fees),
            "funding": str(result.funding),
        },
        "attribution": {name: str(value) for name, value in asdict(result.attribution).items()},
        "metrics": result.metrics,
        "assumptions": [asdict(item) for item in result.assumptions],
        "warnings": result.warnings,
        "data": result.data,
    }


def _equity_rows(result: BacktestResult) -> list[Json]:
    curve = result.equity
    size = curve.ts.size
    benchmark: Sequence[float | None] = [None] * size if curve.benchmark is None else curve.benchmark.tolist()
    columns = (curve.ts.tolist(), curve.equity.tolist(), drawdown_series(curve.equity).tolist(), benchmark,
               curve.exposure.tolist())  # fmt: skip
    names = ("timestamp", "equity", "drawdown", "benchmark", "exposure")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _series_columns(result: BacktestResult, index: int) -> Json:
    item = result.series[index]
    columns: Json = {
        name: getattr(item, name).tolist() for name in ("ts", "open", "high", "low", "close", "volume")
    }
    return {"instrument_id": item.instrument_id, "spec": item.spec, **columns}


def _plain(value: object, precision: int | None) -> object:
    """Return plain JSON data: rounded numbers, null for what is not finite, text for what JSON has no word for."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if precision is None else round(value, precision)
    if isinstance(value, dict):
        return {str(key): _plain(item, precision) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, precision) for item in value]
    if value is None or isinstance(value, (str, int, bool)):
        return value
    built = msgspec.to_builtins(value, enc_hook=str, str_keys=True)
    return str(value) if type(built) is type(value) else _plain(built, precision)


def _dump(sections: Json, pretty: bool, precision: int | None) -> str:
    """Return JSON text; pretty text keeps each row of a table on one line, which people and diffs can read."""
    plain = {name: _plain(section, precision) for name, section in sections.items()}
    if not pretty:
        return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    parts = [f"  {json.dumps(name)}: {_pretty_section(section)}" for name, section in plain.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _pretty_section(section: object) -> str:
    if isinstance(section, list):
        if not section:
            return "[]"
        lines = [f"    {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in section]
        return "[\n" + ",\n".join(lines) + "\n  ]"
    text = json.dumps(section, ensure_ascii=False, allow_nan=False, indent=2)
    return text.replace("\n", "\n  ")


def _csv(header: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8")


def _iso(ns: int) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ns // 1_000_000)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _milliseconds(ns: int) -> str:
    return str(ns // 1_000_000)


def _clock(times: str) -> Callable[[int], str]:
    clocks: dict[str, Callable[[int], str]] = {"iso": _iso, "ms": _milliseconds, "ns": str}
    if times not in clocks:
        raise ConfigError(
            "The format of times in a CSV file is not known", expected="iso, ms or ns", found=times,
            fix="Choose one of the three.",
        )  # fmt: skip
    return clocks[times]


def _write(path: Path, data: bytes) -> ExportResult:
    write_atomic(path, data)
    return ExportResult(path, len(data))
