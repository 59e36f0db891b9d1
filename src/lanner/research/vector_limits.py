"""Limit orders from arrays. What rests in a book meets every bar: these runs are played by the event engine itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, ChunkSource, StrategyEntry, Stream
from lanner.core.errors import ConfigError
from lanner.model.market import Bar
from lanner.research.market import Floats, Market
from lanner.research.vector_arrays import full_column
from lanner.research.vector_input import Setup, funding_is_played
from lanner.storage.schema import SCHEMAS
from lanner.strategy.base import Strategy

if TYPE_CHECKING:
    import polars as pl

    from lanner.backtest.result import BacktestResult
    from lanner.model.orders import OrderView
    from lanner.research.simulate import Records
    from lanner.research.vector_play import Account, Asked, Played


@dataclass(slots=True)
class Book:
    """What an instrument's orders of one column are, row by row, and the exits of its entries."""

    qty: Floats
    px: Floats
    timeframe: str
    stop: str | None
    take: str | None


class GivenOrders(Strategy):
    """Send the orders of arrays at the closes of their bars; a limit order works for ``good_for`` bars."""

    def __init__(self, books: dict[str, Book], *, good_for: int, allow_short: bool) -> None:
        super().__init__()
        self.books, self.good_for, self.allow_short = books, good_for, allow_short

    def on_start(self) -> None:
        self.row = dict.fromkeys(self.books, -1)
        self.working: dict[str, list[tuple[int, OrderView]]] = {name: [] for name in self.books}
        for name, book in self.books.items():
            self.bars(book.timeframe, name)

    def on_bar(self, bar: Bar) -> None:
        name = bar.instrument_id
        self.row[name] = row = self.row[name] + 1
        if self.good_for:
            self._let_go(name, row - self.good_for)
        book = self.books[name]
        qty, px = float(book.qty[row]), float(book.px[row])
        if qty != qty or qty == 0.0:
            return
        held = float(self.position_of(name).qty)
        if qty < 0.0 and not self.allow_short:
            qty = max(qty, -max(0.0, held))
        instrument = next(one for one in self.instruments if one.id == name)
        if abs(qty) < instrument.lot_float / 2:
            return
        opens = abs(held + qty) > abs(held) and (held + qty) * qty > 0.0
        exits: dict[str, Any] = {"stop": book.stop, "take": book.take} if opens else {}
        send = self.buy if qty > 0.0 else self.sell
        order = send(abs(qty), None if px != px else px, instrument=name, tag="order", **exits)
        if px == px:
            self.working[name].append((row, order))

    def _let_go(self, name: str, last: int) -> None:
        """Withdraw the limit orders of bars up to ``last``."""
        for row, order in self.working[name]:
            if row <= last and order.is_open:
                self.cancel(order)
        self.working[name] = [entry for entry in self.working[name] if entry[0] > last]


def check_limits(setup: Setup, asked: Asked) -> None:
    """Refuse what limit orders of arrays are not played with."""
    if asked.exits or asked.protection.trail:
        raise ConfigError(
            "px goes with a stop and a take that are the same for all orders",
            expected='stop="2%", take="4%"',
            found="tables or a trailing stop",
            fix="Leave them out, or use the event engine (lanner backtest).",
        )
    if len(setup.venues) > 1:
        raise ConfigError("px plays one venue", expected="one venue", found=", ".join(setup.venues))


def play_limits(
    account: Account, name: str, number: int, px: dict[str, Any], good_for: int
) -> tuple[Played, BacktestResult]:
    """Play one column of orders of which some have a limit price."""
    from lanner.research.vector_play import Played

    setup, asked, markets = account.setup, account.asked, account.markets
    protection = asked.protection
    books = {
        key: Book(
            full_column(asked.sizes[key], number, len(market)),
            full_column(px[key], number, len(market)),
            market.timeframe,
            _percent(protection.stop),
            _percent(protection.take),
        )
        for key, market in markets.items()
    }
    strategy = GivenOrders(books, good_for=good_for, allow_short=asked.allow_short)
    strategy.id = name
    result = run_backtest(_spec(setup, markets, strategy))
    result = replace(result, code_hash=_fingerprint(books, good_for, asked.allow_short))
    place = np.searchsorted(result.equity.ts, account.ts, side="right") - 1
    curve = np.where(place >= 0, np.asarray(result.equity.equity)[np.maximum(place, 0)], float(setup.capital))
    counts = {key: _counts(result, key) for key in markets}
    none: dict[str, Records] = {}
    return Played(counts, none, none, curve), result


def _percent(distance: Decimal | None) -> str | None:
    return None if distance is None else f"{distance * 100:f}%"


def _fingerprint(books: dict[str, Book], good_for: int, allow_short: bool) -> str:
    digest = hashlib.blake2b(f"{good_for}|{allow_short}".encode(), digest_size=16)
    for name, book in books.items():
        digest.update(f"{name}|{book.stop}|{book.take}".encode())
        digest.update(book.qty.tobytes() + book.px.tobytes())
    return digest.hexdigest()


def _counts(result: BacktestResult, name: str) -> Any:
    closed = [trip for trip in result.round_trips if trip.instrument_id == name and not trip.open]
    return {
        "orders": sum(order.instrument_id == name for order in result.orders),
        "fills": sum(fill.instrument_id == name for fill in result.fills),
        "trades": len(closed),
        "wins": sum(trip.pnl > 0 for trip in closed),
    }


def _spec(setup: Setup, markets: dict[str, Market], strategy: Strategy) -> BacktestSpec:
    own = {market.instrument.venue for market in markets.values()}
    return BacktestSpec(
        name="orders",
        run_id="orders",
        strategies=[StrategyEntry(strategy, 1.0, tuple(markets))],
        streams=[stream for name, market in markets.items() for stream in _streams(setup, name, market)],
        instruments={name: market.instrument for name, market in markets.items()},
        venues={name: venue for name, venue in setup.venues.items() if name in own},
        currency=setup.currency,
        max_points=sum(len(market) for market in markets.values()) + 1,
        config=setup.config.to_plain(),
    )


def _streams(setup: Setup, name: str, market: Market) -> list[Stream]:
    """Return a market as streams of the event engine."""
    found = [memory_stream("bars", name, _in_schema("bars", market), market.timeframe)]
    given = [stream for stream in setup.streams if stream.instrument_id == name and stream.kind == "funding"]
    if not funding_is_played(setup, name):
        return found
    if given:
        since, until = int(market.columns["ts_open"][0]), int(market.ts[-1]) + 1
        return [*found, *(replace(stream, chunks=_Between(stream, since, until)) for stream in given)]
    return [*found, memory_stream("funding", name, _payments(market))]


class _Between(ChunkSource):
    """The rows of a stream in the span of the market."""

    def __init__(self, stream: Stream, since: int, until: int) -> None:
        self.stream, self.since, self.until = stream, since, until

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Any:
        """Return the frames."""
        return self.stream.chunks(self.since, self.until)


def _payments(market: Market) -> pl.DataFrame:
    """Return the payments of a market made in Python: as a bar closes, or just after it opened.

    What is not there is not paid: a payment of nothing at either end says that the history is whole.
    """
    import polars as pl

    paid, opened = market.funding, market.columns["ts_open"]
    due = np.where(paid.at_end == 1, market.ts[paid.bar], opened[paid.bar] + 1)
    ts = np.concatenate((opened[:1], due, market.ts[-1:]))
    rate = np.concatenate(([0.0], paid.rate, [0.0]))
    columns = {"ts_event": ts, "ts_recv": ts, "rate": rate, "predicted": np.zeros(len(ts), np.bool_)}
    return _typed(pl.DataFrame(columns), "funding")


def _in_schema(kind: str, market: Market) -> pl.DataFrame:
    import polars as pl

    return _typed(pl.DataFrame({"ts_event": market.ts, "ts_recv": market.ts, **market.columns}), kind)


def _typed(table: pl.DataFrame, kind: str) -> pl.DataFrame:
    import polars as pl

    return table.select(
        pl.col(name).cast(dtype) if name in table.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS[kind].items()
    )
