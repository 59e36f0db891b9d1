"""``check_strategy``: every check of one strategy, in the order in which they build on each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.engine.subscriptions import MissingSeriesError
from lanner.model.features import Support
from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.research.features_used import FeatureUse, check_venue
from lanner.research.lint import check_source
from lanner.research.lookahead import check_lookahead
from lanner.research.lookahead_vector import check_vector
from lanner.research.probes import Finding, one_line, settled_memory
from lanner.research.probes_activity import check_activity, check_outside
from lanner.research.probes_parameters import check_parameters
from lanner.research.probes_process import OtherProcesses
from lanner.research.probes_repeat import check_repeats
from lanner.research.probes_stage import Outcome, Stage
from lanner.research.probes_warmup import check_warmup
from lanner.research.probes_world import World, real_world, synthetic_ticks, synthetic_world
from lanner.strategy.base import Strategy
from lanner.strategy.registry import load_strategy

if TYPE_CHECKING:
    from lanner.backtest.config import BacktestConfig

BUDGET = 60
FINER = ("1h", "15m", "5m", "1m")
CHECKS = (
    "run",
    "determinism",
    "state",
    "look-ahead",
    "vector",
    "warm-up",
    "parameters",
    "stability",
    "activity",
    "outside",
    "source",
    "venue",
)
OnStep = Callable[[str], None]


@dataclass(slots=True)
class CheckReport:
    """What all checks of a strategy came to."""

    strategy: str
    params: dict[str, object]
    data: str
    timeframe: str
    outcomes: list[Outcome]
    runs: int
    orders: int
    notes: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """Return all findings, errors first."""
        found = [finding for outcome in self.outcomes for finding in outcome.findings]
        return sorted(found, key=lambda finding: finding.severity != "error")

    @property
    def features(self) -> list[FeatureUse]:
        """Return the order features that were compared with a venue's."""
        return [use for outcome in self.outcomes for use in outcome.features]

    @property
    def ok(self) -> bool:
        """Tell whether there is no error; warnings do not count."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {
            "strategy": self.strategy,
            "params": self.params,
            "data": self.data,
            "timeframe": self.timeframe,
            "ok": self.ok,
            "errors": sum(1 for finding in self.findings if finding.severity == "error"),
            "warnings": sum(1 for finding in self.findings if finding.severity == "warning"),
            "orders": self.orders,
            "runs": self.runs,
            "checks": [
                {"check": outcome.check, "status": outcome.status, "note": outcome.note}
                for outcome in self.outcomes
            ],
            "findings": [finding.as_dict() for finding in self.findings],
            "notes": self.notes,
            **({"features": [use.as_dict() for use in self.features]} if self.features else {}),
        }


def check_strategy(
    strategy: str | type[Strategy],
    *,
    config: BacktestConfig | None = None,
    world: World | None = None,
    params: Mapping[str, object] | None = None,
    timeframe: str | None = None,
    seed: int = 1,
    budget: int = BUDGET,
    processes: OtherProcesses | None = None,
    tables: Mapping[str, Mapping[str, Support]] | None = None,
    on_step: OnStep | None = None,
) -> CheckReport:
    """Check a strategy for what makes a backtest lie, and return what was found.

    ``strategy`` is what ``load_strategy`` takes, or a class. It is played on the data of ``config``, on a ``world``
    already in memory, else on synthetic bars of its own or the given timeframe. ``budget`` bounds the bars at which
    the future is taken away. ``processes`` are Python processes to compare with; unless given they are started here.
    ``tables`` are the capabilities of products that the strategy shall trade on.
    """
    tell = on_step or _nothing
    tell("run")
    with settled_memory():
        stage = _stage(strategy, config, world, dict(params or {}), timeframe, seed, budget)
        if processes is not None or not stage.ref:
            return _checked(stage, processes, tables or {}, tell)
        with OtherProcesses() as started:
            return _checked(stage, started, tables or {}, tell)


def _nothing(_check: str) -> None:
    """Tell nobody."""


def _checked(
    stage: Stage,
    processes: OtherProcesses | None,
    tables: Mapping[str, Mapping[str, Support]],
    tell: OnStep,
) -> CheckReport:
    run = Outcome("run", note=f"{len(stage.reference.decisions)} commands to the venue")
    outcomes = [run]
    if stage.reference.error is not None:
        run.findings.append(_crash(stage))
    steps: list[tuple[str, Callable[[], Outcome | tuple[Outcome, ...]]]] = [
        ("determinism", lambda: check_repeats(stage, processes)),
        ("look-ahead", lambda: check_lookahead(stage)),
        ("vector", lambda: check_vector(stage)),
        ("warm-up", lambda: check_warmup(stage)),
        ("parameters", lambda: check_parameters(stage)),
        ("activity", lambda: check_activity(stage)),
        ("outside", lambda: check_outside(stage)),
        ("source", lambda: check_source(source_files(stage))),
    ]
    if tables:
        steps.append(("venue", lambda: check_venue(stage, source_files(stage), tables)))
    for name, step in steps:
        tell(name)
        came = step()
        outcomes += [came] if isinstance(came, Outcome) else list(came)
    strategy = stage.ref or stage.cls.__name__
    values = {name: stage.params.get(name, param.default) for name, param in stage.cls.parameters().items()}
    return CheckReport(
        strategy,
        values,
        stage.world.title,
        stage.world.timeframe,
        outcomes,
        stage.runs,
        sum(1 for decision in stage.reference.decisions if decision.side),
        stage.world.notes,
    )


def _crash(stage: Stage) -> Finding:
    error = stage.reference.error
    assert error is not None
    last = stage.reference.decisions[-1].ts if stage.reference.decisions else None
    return Finding(
        "run",
        "error",
        "the strategy fails",
        expected="a run to the end of the data",
        found=one_line(error),
        fix="Run it with `lanner backtest` to see its lines and the last inputs.",
        bar=stage.bar(last),
        ts=last,
        evidence={"message": error.what},
    )


def _stage(
    strategy: str | type[Strategy],
    config: BacktestConfig | None,
    world: World | None,
    params: dict[str, object],
    timeframe: str | None,
    seed: int,
    budget: int,
) -> Stage:
    """Load the strategy, choose its data and play the reference trial."""
    ref = strategy if isinstance(strategy, str) else ""
    cls = load_strategy(strategy) if isinstance(strategy, str) else strategy
    if config is not None:
        world = real_world(config, cls)
    if world is not None:
        stage = Stage(world, cls, ref, params, seed, budget)
        stage.reference = stage.trial()
        return stage
    own = timeframe or cls.timeframe
    length = TIMEFRAMES_NS.get(own, 0)
    lengths = (own, *(name for name in FINER if 0 < TIMEFRAMES_NS[name] < length))
    makers: list[Callable[..., World]] = [
        *(partial(synthetic_world, name) for name in lengths),
        partial(synthetic_ticks, own),
    ]
    if cls.on_book is not Strategy.on_book:
        makers = [partial(synthetic_ticks, own, book=True)]
    missing: MissingSeriesError | None = None
    for make in makers:
        stage = Stage(make(seed=seed), cls, ref, params, seed, budget)
        stage.world.timeframe = own
        try:
            stage.reference = stage.trial()
        except MissingSeriesError as error:
            missing = missing or error
            continue
        return stage
    assert missing is not None
    raise missing


def source_files(stage: Stage) -> list[Path]:
    """Return the files of the strategy that its user wrote: its own and those of modules beside it."""
    module = sys.modules.get(stage.cls.__module__)
    file = getattr(module, "__file__", None)
    if not file or not Path(file).is_file():
        return []
    own = Path(file).resolve()
    if not stage.from_file:
        return [own]
    beside = {
        Path(other).resolve()
        for name in _imports_of(module)
        if (other := getattr(sys.modules.get(name), "__file__", None)) and Path(other).suffix == ".py"
    }
    return [own, *sorted(path for path in beside if path.parent == own.parent and path != own)]


def _imports_of(module: Any) -> list[str]:
    names = {getattr(thing, "__module__", None) or "" for thing in vars(module).values()}
    names |= {thing.__name__ for thing in vars(module).values() if type(thing) is type(sys)}
    return sorted(names)


__all__ = ["BUDGET", "CHECKS", "CheckReport", "check_strategy", "source_files"]
