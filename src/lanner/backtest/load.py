"""Read a result back from what `export_json` or `save_result` wrote."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from lanner.analysis import Attribution, EquityCurve, FillRow, RoundTrip
from lanner.backtest.export import FORMAT, FORMAT_VERSION, RESULT_FILE
from lanner.backtest.result import Assumption, BacktestResult, OrderRow, PriceSeries
from lanner.core.errors import DataError, NotFoundError

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
Row = TypeVar("Row")
_TABLES = ("round_trips", "fills", "orders", "equity", "series")


class _Kind(msgspec.Struct):
    format: str
    format_version: int


class _Opening(msgspec.Struct):
    metadata: _Kind


class _Metadata(msgspec.Struct):
    run_id: str
    name: str
    strategy: str
    params: dict[str, object]
    instruments: list[str]
    start_time: int
    end_time: int
    currency: str
    events: int
    seconds: float
    events_per_second: float
    seed: int
    state_hash: str
    data_hash: str
    code_hash: str
    created_at: str
    version: str


class _Config(msgspec.Struct):
    settings: dict[str, object]


class _Account(msgspec.Struct):
    start_equity: Decimal
    end_equity: Decimal
    fees: Decimal
    funding: Decimal


class _Point(msgspec.Struct):
    timestamp: int
    equity: float | None
    benchmark: float | None
    exposure: float | None


class _Bars(msgspec.Struct):
    instrument_id: str
    spec: str
    ts: list[int]
    open: list[float | None]
    high: list[float | None]
    low: list[float | None]
    close: list[float | None]
    volume: list[float | None]


class _Document(msgspec.Struct):
    metadata: _Metadata
    config: _Config
    account: _Account
    attribution: Attribution
    metrics: dict[str, float | None]
    assumptions: list[Assumption]
    warnings: list[str]
    data: list[dict[str, object]]
    trades: list[RoundTrip] = []
    fills: list[FillRow] = []
    orders: list[OrderRow] = []
    equity_curve: list[_Point] = []
    series: list[_Bars] = []


def load_result(path: Path) -> BacktestResult:
    """Return the result of a run's folder or of a JSON file.

    A file that was written without trades or without its equity curve has empty ones. Raises NotFoundError when
    there is nothing, DataError when it cannot be read as a result.
    """
    folder = path if path.is_dir() else None
    file = path if folder is None else folder / RESULT_FILE
    if not file.is_file():
        raise NotFoundError(
            f"There is no result at {path}",
            expected=f"a JSON file written by Lanner or a folder with {RESULT_FILE}",
            fix="List the stored runs with `lanner runs list`.",
        )
    content = file.read_bytes()
    kind = _decode(file, content, _Opening).metadata
    if kind.format != FORMAT:
        raise _unreadable(file, f"a file of the format {FORMAT}", repr(kind.format))
    if kind.format_version > FORMAT_VERSION:
        raise DataError(
            f"{file} was written by a newer Lanner",
            expected=f"format version {FORMAT_VERSION} or older",
            found=kind.format_version,
            fix="Update Lanner to read it.",
        )
    result = _from_document(_decode(file, content, _Document))
    if folder is not None:
        _read_tables(result, folder)
    return result


def _decode(file: Path, content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(file, "a result as `lanner backtest` writes it", str(error)) from error


def _unreadable(file: Path, expected: str, found: str) -> DataError:
    return DataError(
        f"{file} is not a readable result",
        expected=expected,
        found=found,
        fix="Run the backtest again, or pick another file.",
    )


def _from_document(document: _Document) -> BacktestResult:
    meta, account = document.metadata, document.account
    return BacktestResult(
        run_id=meta.run_id,
        name=meta.name,
        strategy=meta.strategy,
        params=meta.params,
        instruments=meta.instruments,
        data=document.data,
        since_ns=meta.start_time,
        until_ns=meta.end_time,
        currency=meta.currency,
        start_equity=account.start_equity,
        end_equity=account.end_equity,
        fees=account.fees,
        funding=account.funding,
        events=meta.events,
        seconds=meta.seconds,
        events_per_second=meta.events_per_second,
        equity=_curve(document.equity_curve),
        round_trips=document.trades,
        fills=document.fills,
        orders=document.orders,
        attribution=document.attribution,
        metrics=document.metrics,
        assumptions=document.assumptions,
        warnings=document.warnings,
        series=[_bars(item) for item in document.series],
        state_hash=meta.state_hash,
        data_hash=meta.data_hash,
        code_hash=meta.code_hash,
        seed=meta.seed,
        config=document.config.settings,
        created_at=meta.created_at,
        version=meta.version,
    )


def _floats(values: list[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _curve(points: list[_Point]) -> EquityCurve:
    benchmark = [point.benchmark for point in points]
    return EquityCurve(
        ts=np.array([point.timestamp for point in points], dtype=np.int64),
        equity=_floats([point.equity for point in points]),
        benchmark=None if all(value is None for value in benchmark) else _floats(benchmark),
        exposure=_floats([point.exposure for point in points]),
    )


def _bars(item: _Bars) -> PriceSeries:
    return PriceSeries(
        item.instrument_id,
        item.spec,
        np.array(item.ts, dtype=np.int64),
        *(_floats(column) for column in (item.open, item.high, item.low, item.close, item.volume)),
    )


def _read_tables(result: BacktestResult, folder: Path) -> None:
    """Fill in the tables that `save_result` wrote beside the JSON file."""
    import polars

    from lanner.backtest.tables import equity_from_table, series_from_table

    tables: dict[str, polars.DataFrame] = {}
    for name in _TABLES:
        file = folder / f"{name}.parquet"
        try:
            tables[name] = polars.read_parquet(file)
        except FileNotFoundError as error:
            raise _unreadable(
                folder, f"the table {file.name} beside {RESULT_FILE}", "no such file"
            ) from error
        except polars.exceptions.PolarsError as error:
            raise _unreadable(file, "a Parquet table", str(error).splitlines()[0]) from error
    try:
        result.round_trips = _rows(tables["round_trips"], RoundTrip)
        result.fills = _rows(tables["fills"], FillRow)
        result.orders = _rows(tables["orders"], OrderRow)
        result.equity = equity_from_table(tables["equity"])
        result.series = series_from_table(tables["series"])
    except (TypeError, polars.exceptions.PolarsError) as error:
        raise _unreadable(
            folder, "tables with the columns of this version", str(error).splitlines()[0]
        ) from error


def _rows(table: pl.DataFrame, row_class: type[Row]) -> list[Row]:
    return [row_class(**row) for row in table.iter_rows(named=True)]
