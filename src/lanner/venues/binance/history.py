"""Public questions over HTTP: the clock, books, best prices, bars, trades and funding rates, paged forwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from lanner.core.errors import ConfigError
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, Quote, Trade
from lanner.model.timeframes import series_id
from lanner.venues.binance.auth import encoded
from lanner.venues.binance.codes import error_of, fault_of
from lanner.venues.binance.names import ms_up, symbol_of, to_ns
from lanner.venues.binance.spec import FUNDING_ROWS, KLINE_ROWS, TRADE_ROWS
from lanner.venues.binance.wire import (
    AggTrade,
    BestPrices,
    DepthSnapshot,
    FundingRow,
    KlineRow,
    Time,
)
from lanner.venues.codec import Call, HttpRequest, Page
from lanner.venues.errors import ErrorKind, VenueError

T = TypeVar("T")
NAN = float("nan")
HOUR_NS = 3_600_000_000_000


def reader(shape: type[T] | Any) -> Callable[[bytes], T]:
    """Return a function that reads an answer of this shape; one of another shape is ``VenueError`` MALFORMED.

    An answer that is the venue's own refusal raises that.
    """
    decode = msgspec.json.Decoder(shape, strict=False).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)  # type: ignore[no-any-return]
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            refusal = error_of(body)
            if refusal is not None:
                raise fault_of(0, refusal.code, refusal.msg) from None
            raise VenueError(ErrorKind.MALFORMED, f"an answer cannot be understood: {error}") from None

    return read


def guarded(parse: Callable[[bytes, int], T]) -> Callable[[bytes, int], T]:
    """Return a reader whose every failure is ``VenueError``: numbers that no venue can mean are MALFORMED."""

    def read(body: bytes, ts_recv: int) -> T:
        try:
            return parse(body, ts_recv)
        except (ConfigError, ValueError, ArithmeticError) as error:
            raise VenueError(ErrorKind.MALFORMED, f"an answer cannot be understood: {error}"[:300]) from None

    return read


_time: Callable[[bytes], Time] = reader(Time)
_depth: Callable[[bytes], DepthSnapshot] = reader(DepthSnapshot)
_best: Callable[[bytes], BestPrices] = reader(BestPrices)
_klines: Callable[[bytes], list[KlineRow]] = reader(list[KlineRow])
_trades: Callable[[bytes], list[AggTrade]] = reader(list[AggTrade])
_rates: Callable[[bytes], list[FundingRow]] = reader(list[FundingRow])


def get(
    name: str,
    path: str,
    params: Mapping[str, str],
    parse: Callable[[bytes, int], T],
    weight: int,
) -> Call[T]:
    """Return a public question."""
    request = HttpRequest("GET", path, encoded(params))
    return Call(name, lambda _ts, _nonce: request, guarded(parse), {"weight": weight})


def server_time(prefix: str) -> Call[int]:
    """Ask for the venue's clock."""

    def parse(body: bytes, _ts_recv: int) -> int:
        return to_ns(_time(body).serverTime) // 1_000_000

    return get("time", f"{prefix}/time", {}, parse, 1)


def book_snapshot(prefix: str, instrument: Instrument, depth: int, weight: int) -> Call[BookUpdate]:
    """Ask for a book of so many levels a side."""

    def parse(body: bytes, ts_recv: int) -> BookUpdate:
        book = _depth(body)
        ts = to_ns(book.E) if book.E else ts_recv
        seq = book.lastUpdateId
        return BookUpdate(instrument.id, ts, ts_recv, book.bids, book.asks, True, seq, seq)

    params = {"symbol": _symbol(instrument), "limit": str(depth)}
    return get("depth", f"{prefix}/depth", params, parse, weight)


def quote(prefix: str, instrument: Instrument, weight: int) -> Call[Quote]:
    """Ask for best bid and ask."""

    def parse(body: bytes, ts_recv: int) -> Quote:
        best = _best(body)
        return Quote(
            instrument.id,
            to_ns(best.time) if best.time else ts_recv,
            ts_recv,
            best.bidPrice or NAN,
            best.bidQty if best.bidPrice else 0.0,
            best.askPrice or NAN,
            best.askQty if best.askPrice else 0.0,
            best.lastUpdateId,
        )

    return get("ticker", f"{prefix}/ticker/bookTicker", {"symbol": _symbol(instrument)}, parse, weight)


def bars(
    prefix: str, instrument: Instrument, timeframe: str, since_ns: int, until_ns: int, weight: int
) -> Call[Page[Bar]]:
    """Ask for closed bars that open in [since, until). The bar that still grows is left out."""
    series = series_id(instrument.id, timeframe)

    def parse(body: bytes, ts_recv: int) -> Page[Bar]:
        rows = _klines(body)
        found = tuple(
            bar
            for row in rows
            if (bar := _bar(series, row, ts_recv)).ts_event <= ts_recv and since_ns <= bar.ts_open < until_ns
        )
        more = len(rows) >= KLINE_ROWS and len(found) > 0 and to_ns(rows[-1].T + 1) < until_ns
        return Page(found, to_ns(rows[-1].T + 1) if more else None)

    params = {
        "symbol": _symbol(instrument),
        "interval": timeframe,
        "startTime": str(ms_up(since_ns)),
        "endTime": str(ms_up(until_ns) - 1),
        "limit": str(KLINE_ROWS),
    }
    return get("klines", f"{prefix}/klines", params, parse, weight)


def _bar(series: str, row: KlineRow, ts_recv: int) -> Bar:
    opened, closed = to_ns(row.t), to_ns(row.T + 1)
    if closed <= opened:
        raise VenueError(ErrorKind.MALFORMED, "a bar ends before it begins")
    return Bar(series, closed, ts_recv, opened, row.o, row.h, row.l, row.c, row.v, row.q, row.n, row.V)


def trades(
    prefix: str, instrument: Instrument, since_ns: int | None, until_ns: int | None, weight: int
) -> Call[Page[Trade]]:
    """Ask for aggregated trades; without a time for the latest.

    Only the start is told: with an end as well the venue takes less than an hour, and gives the last trades of it
    where there are too many. A full page's last millisecond is asked for again, since more trades of it may follow;
    an empty page may mean that the venue looked an hour far.
    """
    params = {"symbol": _symbol(instrument), "limit": str(TRADE_ROWS)}
    if since_ns is not None:
        params["startTime"] = str(ms_up(since_ns))

    def parse(body: bytes, ts_recv: int) -> Page[Trade]:
        rows = _trades(body)
        if since_ns is None:
            return Page(_all_trades(instrument, rows, ts_recv), None)
        end = ts_recv if until_ns is None else min(until_ns, ts_recv)
        if not rows:
            following = since_ns + HOUR_NS
        elif len(rows) < TRADE_ROWS:
            following = to_ns(rows[-1].T + 1)
        else:
            last = rows[-1].T
            kept = [row for row in rows if last > row.T]
            rows, following = (kept, to_ns(last)) if kept else (rows, to_ns(last + 1))
        if until_ns is not None:
            rows = [row for row in rows if to_ns(row.T) < until_ns]
        return Page(_all_trades(instrument, rows, ts_recv), following if following < end else None)

    return get("trades", f"{prefix}/aggTrades", params, parse, weight)


def _all_trades(instrument: Instrument, rows: list[AggTrade], ts_recv: int) -> tuple[Trade, ...]:
    return tuple(
        Trade(instrument.id, to_ns(row.T), ts_recv, row.p, row.q, -1 if row.m else 1, str(row.a))
        for row in rows
        if row.q
    )


def funding(instrument: Instrument, since_ns: int, until_ns: int) -> Call[Page[FundingRate]]:
    """Ask for settled funding rates of a perpetual."""

    def parse(body: bytes, ts_recv: int) -> Page[FundingRate]:
        rows = _rates(body)
        found = tuple(
            FundingRate(
                instrument.id,
                to_ns(row.fundingTime),
                ts_recv,
                row.fundingRate,
                instrument.funding_interval_ns,
            )
            for row in rows
        )
        return Page(found, to_ns(rows[-1].fundingTime + 1) if len(rows) >= FUNDING_ROWS else None)

    params = {
        "symbol": _symbol(instrument),
        "startTime": str(ms_up(since_ns)),
        "endTime": str(ms_up(until_ns) - 1),
        "limit": str(FUNDING_ROWS),
    }
    return get("funding", "/fapi/v1/fundingRate", params, parse, 1)


def _symbol(instrument: Instrument) -> str:
    return instrument.symbol or symbol_of(instrument.id)
