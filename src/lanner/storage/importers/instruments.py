"""Read what venues say about their instruments: Binance exchangeInfo, OKX and Bybit instrument lists.

Sources of the fields: Binance ``GET /api/v3/exchangeInfo`` and ``GET /fapi/v1/exchangeInfo`` (filters PRICE_FILTER,
LOT_SIZE, MIN_NOTIONAL, NOTIONAL), OKX v5 ``GET /api/v5/public/instruments``, Bybit v5 ``GET
/v5/market/instruments-info``. Ids are those that data of the same instrument is imported under.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from lanner.core.errors import ConfigError, DataError
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import Instrument
from lanner.model.timeframes import MINUTE_NS
from lanner.storage.importers.names import name_instrument
from lanner.storage.importers.source import SourceFile, open_sources

_ZERO = Decimal(0)
Row = dict[str, Any]


class _SkippedError(Exception):
    """One row describes nothing that can be traded here; the text says what it is."""


@dataclass(slots=True)
class InstrumentList:
    """What a file told: instruments by id, and what was left out with its count."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)

    def take(self, rows: list[Row], make: Callable[[Row], Instrument]) -> None:
        """Add the rows of one answer; a later answer about the same instrument wins."""
        for row in rows:
            try:
                instrument = make(row)
            except _SkippedError as reason:
                self._skip(str(reason))
            except (KeyError, TypeError, AttributeError, InvalidOperation, ConfigError):
                self._skip("without a usable tick or lot")
            else:
                self.instruments[instrument.id] = instrument

    def _skip(self, what: str) -> None:
        self.skipped[what] = self.skipped.get(what, 0) + 1


def read_instruments(path: Path, *, venue: str = "") -> InstrumentList:
    """Return the instruments that a file describes; ``venue`` names another venue that answers in Binance's form.

    The file holds the venue's answer as JSON, plain or packed, alone or as lines of a capture. Raises
    ``DataError`` when nothing in it is a list of instruments.
    """
    found = InstrumentList()
    known = False
    for source in open_sources(path):
        for answer in _answers(source):
            known |= _take(found, answer, venue)
    if not known:
        raise DataError(
            f"{path.name}: no list of instruments found",
            expected="an answer of Binance's exchangeInfo, OKX's public/instruments or Bybit's instruments-info",
            fix="Market data is imported with `lanner data import FILE`.",
        )
    if not found.instruments:
        listed = ", ".join(f"{count:,} {what}" for what, count in found.skipped.items())
        raise DataError(f"{path.name}: none of its instruments can be used", found=listed or "an empty list")
    return found


def _answers(source: SourceFile) -> Iterator[Any]:
    """Yield the JSON values of a file: all of it, or those of a capture's lines."""
    with source.open() as file:
        data = file.read()
    try:
        yield msgspec.json.decode(data)
        return
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    for line in data.splitlines():
        start = min((at for at in (line.find(b"{"), line.find(b"[")) if at >= 0), default=-1)
        if start < 0:
            continue
        try:
            yield msgspec.json.decode(line[start:])
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _take(found: InstrumentList, answer: Any, venue: str) -> bool:
    """Add what one JSON value tells; return whether it was a list of instruments at all."""
    if isinstance(answer, list):
        known = False
        for part in answer:
            known |= _take(found, part, venue)
        return known
    if not isinstance(answer, dict):
        return False
    if isinstance(answer.get("response"), dict):
        return _take(found, answer["response"], venue)
    if _rows(answer.get("symbols"), "filters"):
        found.take(answer["symbols"], lambda row: _binance(row, venue or "BINANCE"))
        return True
    if _rows(answer.get("data"), "tickSz"):
        found.take(answer["data"], _okx)
        return True
    result = answer.get("result")
    if isinstance(result, dict) and _rows(result.get("list"), "priceFilter"):
        found.take(result["list"], lambda row: _bybit(row, str(result.get("category", ""))))
        return True
    return False


def _rows(value: Any, column: str) -> bool:
    return bool(isinstance(value, list) and value and isinstance(value[0], dict) and column in value[0])


# -- venues ------------------------------------------------------------------------------------------------------


def _binance(row: Row, venue: str) -> Instrument:
    filters = {entry["filterType"]: entry for entry in row["filters"]}
    lot = filters["LOT_SIZE"]
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    base, quote, symbol = row["baseAsset"], row["quoteAsset"], row["symbol"]
    contract = row.get("contractType")
    if "contractSize" in row:
        raise _SkippedError("inverse contracts")
    if contract not in (None, "PERPETUAL"):
        raise _SkippedError("contracts that are no perpetuals")
    return _made(
        f"{symbol}-PERP.{venue}" if contract else f"{base}-{quote}.{venue}",
        perp=contract is not None,
        base=base,
        quote=quote,
        settle=row.get("marginAsset") or quote,
        symbol=symbol,
        tick=filters["PRICE_FILTER"]["tickSize"],
        lot=lot["stepSize"],
        min_qty=lot["minQty"],
        max_qty=lot["maxQty"],
        min_notional=notional.get("minNotional") or notional.get("notional"),
    )


def _okx(row: Row) -> Instrument:
    kind, symbol = row["instType"], row["instId"]
    if kind not in ("SPOT", "SWAP"):
        raise _SkippedError({"FUTURES": "dated futures", "OPTION": "options"}.get(kind, f"of type {kind}"))
    if row.get("ctType") == "inverse":
        raise _SkippedError("inverse contracts")
    perp = kind == "SWAP"
    base, _, quote = (row.get("uly") or row.get("instFamily") or symbol).partition("-")
    return _made(
        name_instrument(symbol, "OKX", perp).id,
        perp=perp,
        base=row["baseCcy"] or base,
        quote=row["quoteCcy"] or quote.removesuffix("-SWAP"),
        settle=row["settleCcy"] or row["quoteCcy"],
        symbol=symbol,
        tick=row["tickSz"],
        lot=row["lotSz"],
        min_qty=row["minSz"],
        max_qty=row.get("maxLmtSz"),
        multiplier=_number(row["ctVal"]) * (_number(row.get("ctMult")) or 1) if perp else None,
        max_leverage=row.get("lever") if perp else None,
    )


def _bybit(row: Row, category: str) -> Instrument:
    sizes, symbol = row["lotSizeFilter"], row["symbol"]
    if row.get("contractType") not in (None, "LinearPerpetual"):
        inverse = str(row["contractType"]).startswith("Inverse")
        raise _SkippedError("inverse contracts" if inverse else "dated futures")
    perp = category == "linear"
    if not perp and category != "spot":
        raise _SkippedError(f"of category {category or 'unknown'}")
    base, quote = row["baseCoin"], row["quoteCoin"]
    return _made(
        f"{symbol}-PERP.BYBIT" if perp else f"{base}-{quote}.BYBIT",
        perp=perp,
        base=base,
        quote=quote,
        settle=row.get("settleCoin") or quote,
        symbol=symbol,
        tick=row["priceFilter"]["tickSize"],
        lot=sizes["qtyStep"] if perp else sizes["basePrecision"],
        min_qty=sizes["minOrderQty"],
        max_qty=sizes.get("maxOrderQty"),
        min_notional=sizes.get("minNotionalValue") or sizes.get("minOrderAmt"),
        max_leverage=row["leverageFilter"]["maxLeverage"] if perp else None,
        funding_interval_ns=int(row.get("fundingInterval") or 0) * MINUTE_NS,
    )


def _made(
    instrument_id: str,
    *,
    perp: bool,
    base: str,
    quote: str,
    settle: str,
    symbol: str,
    tick: str,
    lot: str,
    min_qty: str,
    max_qty: str | None = None,
    min_notional: str | None = None,
    multiplier: Decimal | None = None,
    max_leverage: str | None = None,
    funding_interval_ns: int = 0,
) -> Instrument:
    return Instrument(
        id=instrument_id,
        kind=InstrumentKind.LINEAR_PERP if perp else InstrumentKind.SPOT,
        base=base,
        quote=quote,
        settle=settle,
        tick=_number(tick),
        lot=_number(lot),
        multiplier=multiplier or Decimal(1),
        min_qty=_number(min_qty),
        max_qty=_number(max_qty) or None,
        min_notional=_number(min_notional),
        max_leverage=max(_number(max_leverage), Decimal(1)),
        funding_interval_ns=funding_interval_ns if perp else 0,
        symbol=symbol,
    )


def _number(text: str | None) -> Decimal:
    """Return a number without superfluous zeros; nothing is 0."""
    value = Decimal(str(text)) if text not in (None, "") else _ZERO
    whole = value == value.to_integral_value()
    return value.quantize(Decimal(1)) if whole and abs(value) < 10**20 else value.normalize()
