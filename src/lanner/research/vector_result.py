"""What an array backtest hands back: arrays at once, statistics and whole results when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.core.errors import ConfigError
from lanner.research.market import Floats, Ints
from lanner.research.vector_book import Ledger, ledger_of
from lanner.research.vector_input import Setup
from lanner.research.vector_play import Account, Asked, Played

if TYPE_CHECKING:
    import polars as pl

    from lanner.backtest.notebook import Backtest
    from lanner.backtest.result import BacktestResult
    from lanner.storage.runs import RunStore


class ArrayBacktest:
    """The outcome of ``from_signals``, ``from_orders`` or ``from_weights``: one or more columns.

    A column is one set of parameters of one account. ``labels`` names the columns; ``notes`` tells what had to be
    concluded or assumed.
    """

    def __init__(
        self,
        kind: str,
        setup: Setup,
        asked: Asked,
        accounts: Sequence[Account],
        name: str,
        seconds: float,
        made: list[Played],
        results: Sequence[BacktestResult] = (),
    ) -> None:
        self.kind, self.name, self.notes = kind, name, list(setup.notes)
        self._setup, self._asked, self._accounts = setup, asked, list(accounts)
        self._made, self._seconds = made, seconds
        self._results: dict[int, BacktestResult] = {}
        for number, result in enumerate(results):
            self._results[number] = named_column(self, number, result)
        self._by_events = bool(results)

    # -- arrays ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._made)

    @property
    def labels(self) -> list[str]:
        """Return the columns' names: the instrument where each has an account of its own, and the column's number."""
        names = []
        for account in self._accounts:
            stem = "+".join(account.markets) if len(self._accounts) > 1 else ""
            for number in range(self._asked.columns):
                tail = str(number) if self._asked.columns > 1 or not stem else ""
                names.append(f"{stem}/{tail}" if stem and tail else stem or tail)
        return names

    @cached_property
    def ts(self) -> Ints:
        """Return the closing times of the rows of ``equity``, in UNIX nanoseconds."""
        if len(self._accounts) == 1:
            return self._accounts[0].ts
        return np.unique(np.concatenate([account.ts for account in self._accounts]))

    @cached_property
    def equity(self) -> Floats:
        """Return the equity after each bar, [bars, columns]; before an account's first bar its capital."""
        if len(self._made) == 1:
            return self._made[0].equity.reshape(-1, 1)
        if len(self._accounts) == 1:
            return np.stack([one.equity for one in self._made]).T
        table = np.empty((len(self.ts), len(self)), order="F")
        for number, one in enumerate(self._made):
            own = self._account(number).ts
            place = np.searchsorted(own, self.ts, side="right")
            table[:, number] = np.r_[float(self._setup.capital), one.equity][place]
        return table

    @property
    def end_equity(self) -> Floats:
        """Return each column's equity after the last bar."""
        return np.array([one.equity[-1] for one in self._made])

    @property
    def total_return(self) -> Floats:
        """Return each column's gain as a fraction of the capital."""
        found: Floats = self.end_equity / float(self._setup.capital) - 1.0
        return found

    def counts(self, name: str) -> Ints:
        """Return a count of each column: ``orders``, ``fills``, ``trades`` (closed), ``wins`` or ``both_hit``."""
        if name not in ("orders", "fills", "trades", "wins", "both_hit"):
            raise ConfigError(
                f"there is no count {name!r}", expected="orders, fills, trades, wins or both_hit"
            )
        if self._by_events and name == "both_hit":
            raise ConfigError(
                "limit orders are not asked whether a bar hit two of them", fix="See the warnings."
            )
        return np.array([sum(int(book[name]) for book in one.books.values()) for one in self._made])

    # -- one column --------------------------------------------------------------------------------

    def result(self, column: int = 0) -> BacktestResult:
        """Return a column as the result of a backtest, with everything that a report or an export needs."""
        from lanner.research.vector_assemble import assemble_column

        number = self._number(column)
        if number not in self._results:
            self._results[number] = assemble_column(self, number)
        return self._results[number]

    def column(self, column: int = 0) -> Backtest:
        """Return a column as ``lanner.backtest`` returns a run: metrics, equity, trades, fills, orders, report."""
        from lanner.backtest.keep import Outcome
        from lanner.backtest.notebook import Backtest

        return Backtest(Outcome(self.result(column), None, None, self.notes))

    def ledger(self, column: int = 0) -> Ledger:
        """Return a column's orders, fills and funding payments in exact units."""
        number = self._number(column)
        if self._by_events:
            raise ConfigError(
                "a run with limit prices keeps no ledger",
                expected="orders(column), fills(column), trades(column)",
            )
        account = self._account(number)
        logged = account.play(number % self._asked.columns, log=True, equity=False)
        tag = "signal" if self.kind != "from_orders" else "order"
        return ledger_of(logged, account.markets, self.name, tag, self._asked.protection.trail or 0.0)

    def orders(self, column: int = 0) -> pl.DataFrame:
        """Return a column's orders as a frame."""
        return self._table(column, "orders")

    def fills(self, column: int = 0) -> pl.DataFrame:
        """Return a column's fills as a frame."""
        return self._table(column, "fills")

    def trades(self, column: int = 0) -> pl.DataFrame:
        """Return a column's round trips as a frame."""
        return self._table(column, "round_trips")

    def metrics(self, column: int = 0) -> dict[str, float | None]:
        """Return a column's metrics by name, those of every backtest; None means not defined."""
        return self.result(column).metrics

    def all_metrics(self, names: Sequence[str] = ()) -> pl.DataFrame:
        """Return metrics of all columns as a frame, one row each: those named, else all."""
        import polars as pl

        from lanner.analysis import METRICS

        for name in names:
            if name not in METRICS:
                raise ConfigError(f"there is no metric {name!r}", expected=", ".join(METRICS))
        chosen = list(names) or list(METRICS)
        rows = [self.metrics(number) for number in range(len(self))]
        table: dict[str, list[Any]] = {"column": list(self.labels)}
        table |= {name: [row[name] for row in rows] for name in chosen}
        return pl.DataFrame(table, schema={"column": pl.String} | dict.fromkeys(chosen, pl.Float64))

    def report(self, path: Path | str | None = None, column: int = 0) -> Path:
        """Write a column's HTML report and return its path."""
        return self.column(column).report(path)

    def save(self, column: int = 0, store: RunStore | None = None) -> Path:
        """Keep a column in the run store, as ``lanner runs`` shows it; return its folder."""
        from lanner.research.vector_assemble import keep_column

        return keep_column(self.result(column), store, self.notes)

    # -- parts -------------------------------------------------------------------------------------

    def _number(self, column: int) -> int:
        if not -len(self) <= column < len(self):
            raise ConfigError(f"there is no column {column}", expected=f"a number from 0 to {len(self) - 1}")
        return column % len(self)

    def _account(self, number: int) -> Account:
        return self._accounts[number // self._asked.columns]

    def _table(self, column: int, name: str) -> pl.DataFrame:
        from lanner.backtest.tables import result_table

        return result_table(self.result(column), name)

    def fingerprint(self, number: int) -> str:
        """Return a hash of what was asked for in a column."""
        asked, digest = self._asked, hashlib.blake2b(digest_size=16)
        digest.update(
            f"{self.kind}|{asked.size_type}|{asked.accumulate}|{asked.cooldown}|{asked.max_positions}|"
            f"{asked.allow_short}|{asked.protection}\n".encode()
        )
        own = number % asked.columns
        for name, market in self._account(number).markets.items():
            digest.update(name.encode())
            if asked.signals:
                digest.update(asked.actions(name, own, len(market)).tobytes())
            tables = [asked.weights.get(name), asked.sizes.get(name), *asked.exits.get(name, {}).values()]
            for table in tables:
                if table is not None:
                    digest.update(np.ascontiguousarray(table[:, own if table.shape[1] > 1 else 0]).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Return what was played and what came out, in one line."""
        best, worst = 100 * self.total_return.max(), 100 * self.total_return.min()
        gain = f"{best:+.2f} %" if len(self) == 1 else f"{worst:+.2f} to {best:+.2f} %"
        bars = len(self.ts)
        return (
            f"<ArrayBacktest {self.kind}: {len(self)} column{'s' * (len(self) > 1)} of {bars} bars, {gain}>"
        )


def named_column(made: ArrayBacktest, number: int, result: BacktestResult) -> BacktestResult:
    """Return a run of the event engine as a column: with its name, its number and what is said of all arrays."""
    from lanner.research.vector_assemble import GIVEN, new_column_id

    return replace(
        result,
        run_id=new_column_id(made.name),
        name=made.name,
        strategy=made.name,
        params={"kind": made.kind, "column": made.labels[number] or "0"},
        assumptions=[*result.assumptions, GIVEN],
    )
