"""Import JSON files: freqtrade's lists of candles and trades, tables as written by pandas, Barter event lists."""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl

from lanner.core.errors import ConfigError, DataError
from lanner.storage.importers.arrow import candle_kind, name_freqtrade, read_mark_candles, unknown_columns
from lanner.storage.importers.columns import Mapping, guess_kind, roles_of
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import VENUES, Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, Table, read_frames, typed_times
from lanner.storage.importers.times import fit_time
from lanner.storage.schema import DatasetKey

_CANDLE = ("date", "open", "high", "low", "close", "volume")
_TRADE = ("timestamp", "id", "type", "side", "price", "amount", "cost")


def read_freqtrade(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import freqtrade JSON: lists of rows, or a table in one of pandas' orientations."""
    data = load(source)
    name_freqtrade(source, namer)
    frame = _frame(source, data)
    if candle_kind(source) in ("mark", "index"):
        read_mark_candles(iter([frame]), source, intake, namer, options)
        return
    names = frame.columns
    kind = guess_kind(names)
    if kind is None:
        raise unknown_columns(source, names)
    mapping = roles_of(names, kind)
    read_frames(
        [frame],
        Table(mapping, typed_times(frame.schema, mapping, frame, source.name), namer, options),
        intake,
    )


def read_barter(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a Barter list of market events: its public trades; other events are skipped."""
    data = load(source)
    trades, skipped = _barter_trades(data)
    if not trades:
        raise DataError(f"{source.name} holds no trades", expected="Barter market events with public trades")
    if not options.instrument:
        raise ConfigError(
            f"{source.name} numbers its instruments without naming them",
            expected="--instrument, e.g. BTC-USDT.BINANCE",
            found=f"instrument {trades[0]['instrument']} of {trades[0]['exchange']}",
            fix="Say which instrument it is with --instrument.",
        )
    if skipped:
        intake.note(f"skipped {skipped} event(s) that are not public trades, such as disconnects")
    venue = str(trades[0]["exchange"]).partition("_")[0]
    namer.venue = VENUES.get(venue, venue.upper())
    frame = pl.DataFrame(trades)
    times = {
        "time": fit_time(frame["time"].head(50).to_list(), source.name),
        "recv": fit_time(frame["recv"].head(50).to_list(), source.name),
    }
    roles = {
        "symbol": "instrument",
        "time": "time",
        "recv": "recv",
        "px": "px",
        "qty": "qty",
        "side": "side",
        "id": "id",
    }
    read_frames([frame], Table(Mapping("trades", roles), dict(times), namer, options), intake)
    if skipped:
        intake.warn(
            DatasetKey("trades", next(iter(namer.seen.values()))),
            f"The recording was interrupted {skipped} time(s).",
        )


def load(source: SourceFile) -> Any:
    """Return the JSON of a file; raise ``DataError`` that says where it breaks."""
    with source.open() as file:
        raw = file.read()
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{source.name} is not complete JSON", found=error, fix="Download or write the file again."
        ) from error


def _frame(source: SourceFile, data: Any) -> pl.DataFrame:
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        width = len(data[0])
        names = _CANDLE if width == len(_CANDLE) else _TRADE if width == len(_TRADE) else None
        if names is None or any(len(row) != width for row in data):
            raise DataError(
                f"{source.name}: rows of {width} values",
                expected=f"6 ({', '.join(_CANDLE)}) or 7 ({', '.join(_TRADE)}), the same in every row",
            )
        return pl.DataFrame(data, schema=list(names), orient="row", strict=False)
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        return pl.DataFrame(data, strict=False, infer_schema_length=None)
    if isinstance(data, dict) and data:
        if {"columns", "data"} <= data.keys():
            return pl.DataFrame(data["data"], schema=data["columns"], orient="row", strict=False)
        columns = {
            name: list(cells.values()) if isinstance(cells, dict) else cells for name, cells in data.items()
        }
        if (
            all(isinstance(cells, list) for cells in columns.values())
            and len(set(map(len, columns.values()))) == 1
        ):
            return pl.DataFrame(columns, strict=False)
    raise DataError(
        f"{source.name}: this JSON is not a table",
        expected="a list of rows, a list of objects, or an object of columns",
        found=type(data).__name__,
    )


def _barter_trades(data: Any) -> tuple[list[dict[str, Any]], int]:
    trades, skipped = [], 0
    for event in data:
        item = event.get("Item") if isinstance(event, dict) else None
        okay = item.get("Ok") if isinstance(item, dict) else None
        trade = okay.get("kind", {}).get("Trade") if isinstance(okay, dict) else None
        if okay is None or trade is None:
            skipped += 1
            continue
        trades.append(
            {
                "time": okay["time_exchange"],
                "recv": okay["time_received"],
                "exchange": okay["exchange"],
                "instrument": str(okay["instrument"]),
                "px": float(trade["price"]),
                "qty": float(trade["amount"]),
                "side": trade["side"],
                "id": str(trade["id"]),
            }
        )
    return trades, skipped
