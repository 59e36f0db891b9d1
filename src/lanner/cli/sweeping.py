"""Run a sweep for a command: the plan from the options, progress, the result on the screen or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.backtest.config import BacktestConfig
from lanner.cli.output import note, print_json, prints_aside
from lanner.cli.running import stop_on_sigterm
from lanner.core.errors import ConfigError
from lanner.storage.environment import default_runs
from lanner.storage.runs import RunStore

if TYPE_CHECKING:
    from lanner.research.distributed import RayPool
    from lanner.research.sweep import SweepPlan


@dataclass(frozen=True, slots=True)
class SweepChoice:
    """What the options of ``lanner sweep`` said."""

    params: list[str]
    where: list[str]
    method: str
    trials: int
    engine: str
    workers: int | None
    fresh: bool
    objectives: list[str]
    min_trades: int
    walk_forward: str
    windows: int
    train: float
    gap: int
    top: int
    seed: int
    report: Path | None
    as_json: bool
    quiet: bool
    on: str = "local"
    address: str | None = None


def plan_of(config: BacktestConfig, choice: SweepChoice) -> SweepPlan:
    """Return the plan of a search, or raise what is wrong with it."""
    from lanner.research.plan import make_plan
    from lanner.strategy.registry import load_strategy

    entries = config.entries()
    if len(entries) != 1:
        raise ConfigError("a sweep searches one strategy", found=f"{len(entries)} strategies")
    return make_plan(
        load_strategy(entries[0].strategy),
        _pairs(choice.params),
        fixed=entries[0].params,
        where=choice.where,
        method=choice.method,
        trials=choice.trials,
        objectives=choice.objectives,
        min_trades=choice.min_trades,
        top=choice.top,
        engine=choice.engine,
        walk_forward=choice.walk_forward,
        windows=choice.windows,
        train=choice.train,
        gap=choice.gap,
        seed=choice.seed,
    )


def _pairs(texts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, sign, values = text.partition("=")
        if not sign or not name.strip() or not values.strip():
            raise ConfigError("--param is wrong", expected="e.g. fast=5:50:5", found=repr(text))
        if name.strip() in found:
            raise ConfigError(f"--param {name.strip()} is given twice", expected="every parameter once")
        found[name.strip()] = values
    return found


@contextmanager
def cluster(choice: SweepChoice) -> Iterator[RayPool | None]:
    """Give the Ray workers that the options ask for, or None for this machine's own threads and processes."""
    if choice.on not in ("local", "ray"):
        raise ConfigError("--on is wrong", expected="local or ray", found=repr(choice.on))
    if choice.on == "local":
        if choice.address is not None:
            raise ConfigError("--address names a Ray cluster", fix="Say --on ray too.")
        yield None
        return
    from lanner.research.distributed import RayPool

    with RayPool(choice.address, choice.workers) as pool:
        yield pool


def run_sweep_command(config: BacktestConfig, choice: SweepChoice) -> None:
    """Search, keep, and print what was found."""
    from lanner.cli.render.sweep import sweep_progress, sweep_text
    from lanner.research.run_sweep import sweep_and_keep

    plan = plan_of(config, choice)
    silent = choice.quiet or choice.as_json
    with (
        stop_on_sigterm(),
        prints_aside(silent),
        cluster(choice) as ray,
        sweep_progress(quiet=silent) as progress,
    ):
        outcome = sweep_and_keep(
            config,
            plan,
            RunStore(default_runs()),
            workers=choice.workers,
            pool=None if ray is None else lambda *_: ray,
            resume=not choice.fresh,
            progress=progress,
        )
    outcome.notes += [] if ray is None else ray.notes
    if choice.report is not None and outcome.report is not None:
        target = choice.report.expanduser()
        target = target / "report.html" if target.is_dir() else target
        target.write_text(outcome.report.read_text(encoding="utf-8"), encoding="utf-8")
    if choice.as_json:
        print_json({**outcome.result.as_dict(), "report": outcome.report, "notes": outcome.notes})
    elif choice.quiet:
        print(outcome.result.run_id)
    else:
        for text in outcome.notes:
            note(f"note: {text}")
        print(sweep_text(outcome.result, report=outcome.report))
