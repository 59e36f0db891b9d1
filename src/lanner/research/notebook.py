"""``lanner.sweep(...)``: a search in one call, the same as the command line makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.backtest.notebook import Data, settings_of
from lanner.core.errors import LannerError
from lanner.research.plan import make_plan, spoken
from lanner.research.run_sweep import SweepOutcome, sweep_and_keep
from lanner.storage.environment import default_runs
from lanner.storage.runs import RunStore
from lanner.strategy.base import Strategy
from lanner.strategy.registry import load_strategy

if TYPE_CHECKING:
    import polars as pl

    from lanner.research.sweep_result import Params, SweepResult


class Sweep:
    """A finished search: ``result`` is all of it, the rest makes it handy in a notebook."""

    def __init__(self, outcome: SweepOutcome) -> None:
        self.result: SweepResult = outcome.result
        self.folder = outcome.folder
        self.notes = outcome.notes

    @property
    def best(self) -> Params:
        """Return the parameters of the best variant; that they are the best does not mean that they are good."""
        if not self.result.top:
            raise LannerError("no variant could be ranked", found=" ".join(self.result.warnings))
        return self.result.top[0].params

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is PASS; without a verdict it is not."""
        return self.result.verdict is not None and self.result.verdict["verdict"] == "PASS"

    @property
    def table(self) -> pl.DataFrame:
        """Return the best variants as a frame: rank, parameters, score and statistics."""
        import polars as pl

        return pl.DataFrame(
            [{"rank": v.rank, **v.params, "score": v.score, **v.statistics} for v in self.result.top]
        )

    def report(self, path: Path | str | None = None) -> Path:
        """Write the page with maps, walk-forward and verdict, and return its path."""
        from lanner.research.report import sweep_page

        target = Path.cwd() / f"{self.result.run_id}.html" if path is None else Path(path).expanduser()
        target.write_text(sweep_page(self.result), encoding="utf-8")
        return target

    def __repr__(self) -> str:
        """Return what was searched and what came out, in one line."""
        result = self.result
        word = "no verdict" if result.verdict is None else str(result.verdict["verdict"])
        best = f", best {self.best}" if result.top else ""
        return f"<Sweep {result.run_id}: {result.done:,} variants{best}, {word}>"


def sweep(
    strategy: type[Strategy] | str | Path,
    data: Data,
    params: Mapping[str, object],
    *,
    where: str | Sequence[str] = (),
    objective: str | Sequence[str] = "sharpe",
    method: str = "grid",
    trials: int = 1000,
    min_trades: int = 10,
    top: int = 20,
    engine: str = "auto",
    walk_forward: str = "rolling",
    windows: int = 8,
    train: float = 0.7,
    gap: int = 0,
    seed: int = 1,
    workers: int | None = None,
    since: str | int | date | None = None,
    until: str | int | date | None = None,
    keep: bool = True,
    **settings: Any,
) -> Sweep:
    """Search a strategy's parameters over data and judge whether the best of them is luck.

    ``params`` gives each parameter's values: ``range(5, 51, 5)``, a list, ``"5:50:5"``, ``"*"`` for its declared
    range, or one value to fix it. ``where`` are conditions such as ``"fast < slow"``. ``objective`` is a name or
    several (the first one ranks, all make a Pareto front). ``walk_forward`` is rolling, expanding, anchored or none.
    ``data`` and ``settings`` are those of ``lanner.backtest``.
    """
    config, classes, tables = settings_of(strategy, data, None, since, until, settings)
    cls = strategy if isinstance(strategy, type) else load_strategy(config.entries()[0].strategy)
    plan = make_plan(
        cls,
        {name: spoken(values) for name, values in params.items()},
        fixed=config.entries()[0].params,
        where=[where] if isinstance(where, str) else list(where),
        method=method,
        trials=trials,
        objectives=[objective] if isinstance(objective, str) else list(objective),
        min_trades=min_trades,
        top=top,
        engine=engine,
        walk_forward=walk_forward,
        windows=windows,
        train=train,
        gap=gap,
        seed=seed,
    )
    store = RunStore(default_runs()) if keep else None
    return Sweep(sweep_and_keep(config, plan, store, workers=workers, classes=classes, tables=tables))
