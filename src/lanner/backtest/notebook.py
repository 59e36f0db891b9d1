"""``lanner.backtest(...)``: a backtest in one call, the same as the command line makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.backtest.config_file import looks_like_path, make_config
from lanner.backtest.keep import Outcome, run_and_keep
from lanner.backtest.memory import Tables, tables_of
from lanner.core.errors import ConfigError
from lanner.storage.environment import default_runs
from lanner.storage.runs import RunStore
from lanner.strategy.base import Strategy

if TYPE_CHECKING:
    import polars as pl

    from lanner.backtest.config import BacktestConfig
    from lanner.backtest.result import BacktestResult


Data = Any
"""A data set or file, a table (polars frame, mapping of columns), a list of these, or tables by instrument."""


class Backtest:
    """A finished backtest: ``result`` is all of it, the rest makes it handy in a notebook."""

    def __init__(self, outcome: Outcome) -> None:
        self.result: BacktestResult = outcome.result
        self.folder = outcome.folder
        self.notes = outcome.notes
        self._report = outcome.report

    @property
    def run_id(self) -> str:
        """Return the id under which ``lanner runs`` knows the run."""
        return self.result.run_id

    @property
    def metrics(self) -> dict[str, float | None]:
        """Return all metrics by name; None means that a metric is not defined for this run."""
        return self.result.metrics

    @property
    def equity(self) -> pl.DataFrame:
        """Return the equity curve as a frame."""
        return self._table("equity")

    @property
    def trades(self) -> pl.DataFrame:
        """Return the round trips as a frame, one row each."""
        return self._table("round_trips")

    @property
    def fills(self) -> pl.DataFrame:
        """Return the fills as a frame."""
        return self._table("fills")

    @property
    def orders(self) -> pl.DataFrame:
        """Return the orders as a frame."""
        return self._table("orders")

    def report(self, path: Path | str | None = None) -> Path:
        """Return the path of the HTML report; write it to ``path`` when one is given."""
        from lanner.backtest.report import write_report

        if path is not None:
            return write_report(self.result, Path(path).expanduser())
        if self._report is None:
            self._report = write_report(self.result, Path.cwd() / f"{self.run_id}.html")
        return self._report

    def _table(self, name: str) -> pl.DataFrame:
        from lanner.backtest.tables import result_table

        return result_table(self.result, name)

    def __repr__(self) -> str:
        """Return what ran and what came out, in one line."""
        result = self.result
        gain = result.metrics.get("total_return")
        text = "" if gain is None else f", {100 * gain:+.2f} %"
        return f"<Backtest {result.run_id}: {len(result.round_trips)} trades{text}>"


def backtest(
    strategy: type[Strategy] | str | Path,
    data: Data,
    *,
    params: Mapping[str, object] | None = None,
    since: str | int | date | None = None,
    until: str | int | date | None = None,
    keep: bool = True,
    tier: str = "python",
    **settings: Any,
) -> Backtest:
    """Run a strategy over data and return what came out.

    ``strategy`` is a class or what the command line takes. ``data`` names data sets (``"BTC-USDT.BINANCE@1h"``) or
    files, or is the data itself: a polars DataFrame or a mapping of columns with bars, trades or quotes, whose
    columns are recognised by name as those of files are, with ``instrument="BTC-USDT.BINANCE"`` beside it; or a
    mapping of instrument ids to such tables; or a list of all these. Bars are stamped with their open times.

    ``settings`` are the keys of the settings file (``cash=5000, fees={"taker": 0.0004}, detail="1m"``); names
    that are none of them are parameters of the strategy. ``keep=False`` leaves the run out of the run store.
    ``tier`` is how fast it is played, with the same result: python, triggers, compiled, or auto, the fastest that can.
    Raises ``ConfigError`` for columns that say nothing, ``DataError`` for rows that cannot be market data.
    """
    from lanner.backtest.tiers import player

    config, classes, tables = settings_of(strategy, data, params, since, until, settings)
    store = RunStore(default_runs()) if keep else None
    return Backtest(
        run_and_keep(config, store, now=datetime.now(UTC), classes=classes, tables=tables, play=player(tier))
    )


def settings_of(
    strategy: type[Strategy] | str | Path,
    data: Data,
    params: Mapping[str, object] | None,
    since: str | int | date | None,
    until: str | int | date | None,
    settings: Mapping[str, Any],
) -> tuple[BacktestConfig, list[type[Strategy]] | None, Tables]:
    """Return the settings that a call stands for, the classes it holds already, and its tables in memory."""
    from lanner.backtest.config import BacktestConfig

    known = set(BacktestConfig.model_fields)
    direct = {name: value for name, value in settings.items() if name not in known}
    doubly = sorted(set(direct) & set(params or {}))
    if doubly:
        raise ConfigError(f"parameter {doubly[0]!r} is given twice", expected="every parameter once")
    values = {name: value for name, value in settings.items() if name in known}
    for name in ("catalog", "report"):
        if isinstance(values.get(name), str | Path) and values[name] != "":
            values[name] = str(Path(values[name]).expanduser().resolve())
    refs, tables = tables_of(data, str(values.get("instrument") or ""))
    times = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    config = make_config(
        {
            "strategy": _name(strategy),
            "data": [_ref(ref) for ref in refs],
            "params": {**(params or {}), **direct},
            **times,
            **values,
        }
    )
    return config, [strategy] if isinstance(strategy, type) else None, tables


def _name(strategy: type[Strategy] | str | Path) -> str:
    """Return the reference that stands for the strategy in the settings that are kept."""
    if not isinstance(strategy, type):
        text = str(strategy)
        path = Path(text).expanduser()
        return str(path.resolve()) if looks_like_path(text) and path.is_file() else text
    if not issubclass(strategy, Strategy):
        raise ConfigError(
            f"{strategy.__name__} is not a strategy", expected="a class derived from lanner.Strategy"
        )
    from lanner.strategy.sources import source_files

    files = source_files([strategy])
    return f"{files[0]}:{strategy.__qualname__}" if files else strategy.name or strategy.__qualname__


def _ref(ref: object) -> str:
    if not isinstance(ref, str | Path):
        raise ConfigError(
            "data is neither a reference nor a table",
            expected="a data set, a file, a polars DataFrame or a mapping of columns, or a list of these",
            found=type(ref).__name__,
        )
    path = Path(ref).expanduser()
    return str(path.resolve()) if path.is_file() else str(ref)
