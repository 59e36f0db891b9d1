"""Run a sweep from settings and keep what it found: the way that the command line and notebooks share."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lanner import __version__
from lanner.backtest.assumptions import assumptions
from lanner.backtest.config import BacktestConfig
from lanner.backtest.keep import config_text, keep_sources
from lanner.backtest.memory import Tables
from lanner.backtest.prepare import Prepared, prepare
from lanner.core.errors import ConfigError, LannerError
from lanner.core.rng import Rng
from lanner.kernels import compiled
from lanner.research.conclude import (
    SAMPLE,
    best_curve,
    correlations,
    forward,
    heats,
    ranking,
    score_statistics,
    variants,
    verdict,
)
from lanner.research.journal import ShardJournal
from lanner.research.pools import Recipe, local_pool, workers_or_all
from lanner.research.search import Constraint
from lanner.research.splits import SplitKind
from lanner.research.sweep import Found, OnProgress, Pool, SweepPlan, SweepProgress, make_task, search
from lanner.research.sweep_result import Axis, SweepResult
from lanner.sim.venue import SimVenue
from lanner.storage.runs import CONFIG, REPORT, DamagedRun, RunRecord, RunStore, new_run_id, write_record
from lanner.strategy.base import Strategy

RESULT = "sweep.json"
TABLE = "variants.parquet"
PLAN = "plan.json"

_NAMES = re.compile(r"[A-Za-z_]\w*")

PoolMaker = Callable[[Recipe | None, str], Pool]


@dataclass(slots=True)
class SweepOutcome:
    """A finished sweep: its result, where it is kept and its page (None: nowhere), and notes for the user."""

    result: SweepResult
    folder: Path | None
    report: Path | None
    notes: list[str] = field(default_factory=list)


def sweep_and_keep(
    config: BacktestConfig,
    plan: SweepPlan,
    store: RunStore | None,
    *,
    workers: int | None = None,
    pool: PoolMaker | None = None,
    progress: OnProgress | None = None,
    resume: bool = True,
    now: datetime | None = None,
    rerun_of: str = "",
    classes: Sequence[type[Strategy]] | None = None,
    tables: Tables | None = None,
) -> SweepOutcome:
    """Search, conclude and keep the result in the store with its page; a search that was stopped is gone on with."""
    now = now or datetime.now(UTC)
    prepared = prepare(config, run_id="sweep", classes=classes, tables=tables)
    if len(prepared.spec.strategies) != 1:
        raise ConfigError(
            "a sweep searches one strategy", found=f"{len(prepared.spec.strategies)} strategies"
        )
    identity = identity_of(prepared, plan)
    journal = None
    if store is not None:
        journal = ShardJournal(store.root / f".sweep-{identity}", identity)
        if not resume:
            journal.remove()
            journal = ShardJournal(store.root / f".sweep-{identity}", identity)
    # what exists in this process only cannot be opened by another one
    recipe = Recipe(config, plan) if classes is None and not tables else None
    _tell(progress, "read")
    engine = make_task(prepared.spec, plan)[0].engine
    if engine != "event" and not compiled():
        _tell(progress, "compile")
        prepared.notes.append("Kernels were compiled for this machine; that is done once.")
    count = workers_or_all(workers)
    made = pool(recipe, engine) if pool is not None else local_pool(engine, count, recipe)
    found = search(prepared.spec, plan, pool=made, progress=progress, journal=journal)
    _tell(progress, "conclude")
    run_id = new_run_id(f"sweep-{prepared.spec.name}", now)
    result = conclude(found, plan, prepared, run_id, trials=len(found.sets) + trials_before(store, prepared))
    result.created_at = now.isoformat(timespec="seconds")
    if store is None:
        return SweepOutcome(result, None, None, prepared.notes)
    _tell(progress, "write")
    with store.create(run_id) as draft:
        _fill(draft, config, plan, found, result, prepared, rerun_of)
    if journal is not None and not found.interrupted:
        journal.remove()
    folder = store.folder(run_id)
    return SweepOutcome(result, folder, folder / REPORT, prepared.notes)


def _tell(progress: OnProgress | None, phase: str) -> None:
    if progress is not None:
        progress(SweepProgress(phase, 0, 0, 0.0, 0.0))


def identity_of(prepared: Prepared, plan: SweepPlan) -> str:
    """Return a hash of everything that decides a search's numbers: data, code, settings and plan."""
    text = json.dumps(
        {
            "data": [stream.content_hash for stream in prepared.spec.streams],
            "code": prepared.spec.source_hash,
            "config": prepared.spec.config,
            "plan": _plan_dict(plan),
            "version": __version__,
        },
        sort_keys=True,
        default=str,
    )
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _plan_dict(plan: SweepPlan) -> dict[str, Any]:
    found = asdict(plan)
    found["constraints"] = [constraint.text for constraint in plan.constraints]
    found["forward"] = None if plan.forward is None else str(plan.forward)
    return found


def trials_before(store: RunStore | None, prepared: Prepared) -> int:
    """Count the variants that earlier sweeps in the store tried on the same data: luck has had those chances too."""
    if store is None:
        return 0
    own = data_hash(prepared)
    total = 0
    for record in store.list():
        if not isinstance(record, DamagedRun) and record.data_hash == own and record.counts.get("variants"):
            total += record.counts["variants"]
    return total


def data_hash(prepared: Prepared) -> str:
    """Return a hash of the data of a search."""
    digest = hashlib.blake2b(digest_size=16)
    for stream in prepared.spec.streams:
        digest.update(stream.content_hash.encode())
    digest.update(f"{prepared.spec.since_ns}-{prepared.spec.until_ns}".encode())
    return digest.hexdigest()


def conclude(found: Found, plan: SweepPlan, prepared: Prepared, run_id: str, *, trials: int) -> SweepResult:
    """Return the result of a search."""
    from lanner.research.report import score_bins

    spec, task = prepared.spec, found.task
    order = ranking(found, plan)
    scores = found.scores(plan.objectives[0], 0, plan.min_trades)
    best = int(order[0])
    ranked_any = not np.isnan(scores[best])
    warnings = _warnings(found)
    curve = walked = answer = None
    if ranked_any:
        curve, returns = best_curve(found, best)
        walk = forward(found, plan)
        walked = None if walk is None else walk.shown
        answer, why = verdict(found, plan, best, returns, walk, trials)
        if why:
            warnings.append(why)
    else:
        warnings.append(
            f"No variant could be ranked: none made {plan.min_trades} closed trades or had a score."
        )
    rng = np.random.default_rng(Rng(plan.seed).split("sample").integer(0, 1 << 62))
    ranked_ones = order[~np.isnan(scores[order])]
    some = ranked_ones
    if len(some) > SAMPLE:
        some = np.sort(rng.choice(len(ranked_ones), SAMPLE, replace=False))
        some = ranked_ones[some]
    market = task.market
    return SweepResult(
        run_id=run_id,
        name=spec.name,
        strategy=spec.strategies[0].strategy.id,
        method=plan.method,
        engine=task.engine,
        objective=plan.objectives[0],
        objectives=list(plan.objectives),
        axes=plan.axes,
        constraints=[constraint.text for constraint in plan.constraints],
        instruments=list(spec.instruments),
        timeframe=market.timeframe,
        data=[_data_row(stream) for stream in spec.streams],
        since_ns=int(market.columns["ts_open"][0]),
        until_ns=int(market.ts[-1]),
        bars=len(market),
        currency=spec.currency,
        start_equity=task.capital,
        combinations=found.planned,
        done=len(found.sets),
        failed=len(found.refused),
        seconds=found.seconds,
        top=variants(found, plan, ranked_ones[: plan.top]),
        score_statistics=score_statistics(scores),
        correlations=correlations(plan.axes, found.sets, scores),
        heats=heats(plan.axes, found.sets, scores),
        sample=variants(found, plan, some),
        best_curve=curve,
        walk_forward=walked,
        verdict=answer,
        trials=trials,
        assumptions=_assumptions(found, plan),
        warnings=warnings,
        data_hash=data_hash(prepared),
        code_hash=spec.source_hash,
        result_hash=found.result_hash(),
        seed=plan.seed,
        config={**spec.config, "sweep": _plan_dict(plan)},
        version=__version__,
        histogram=score_bins(scores),
    )


def _data_row(stream: Any) -> dict[str, Any]:
    return {
        "id": f"{stream.instrument_id}@{stream.spec}" if stream.spec else stream.instrument_id,
        "kind": stream.kind,
        "rows": stream.rows,
        "hash": stream.content_hash,
        "synthetic": stream.synthetic,
    }


def _assumptions(found: Found, plan: SweepPlan) -> list[dict[str, Any]]:
    spec = found.task.spec
    modes = dict.fromkeys(spec.instruments, "bars")
    venues = {
        name: SimVenue(
            settings, {i.id: i for i in spec.instruments.values() if i.venue == name}, modes, Rng(1)
        )
        for name, settings in spec.venues.items()
    }
    rows = [asdict(entry) for entry in assumptions(spec, venues)]
    if plan.method not in ("grid", "random"):
        rows.append(
            {
                "name": "walk-forward",
                "value": plan.method,
                "flatters": True,
                "text": "The sampler saw all of the data, also what a walk-forward then calls unseen.",
            }
        )
    if found.task.engine == "compiled" and found.windows:
        rows.append(
            {
                "name": "walk-forward windows",
                "value": "from a fresh state",
                "flatters": False,
                "text": "A compiled strategy begins each window without memory and warms up inside it.",
            }
        )
    if found.task.engine == "event" and found.windows:
        rows.append(
            {
                "name": "walk-forward windows",
                "value": "cut from one run",
                "flatters": False,
                "text": "Each variant ran once over all data; its windows carry over what was held at their borders.",
            }
        )
    return rows


def _warnings(found: Found) -> list[str]:
    texts = []
    if found.interrupted:
        texts.append(f"The search was stopped after {len(found.sets):,} of {found.planned:,} variants.")
    if found.refused:
        number, reason = next(iter(sorted(found.refused.items())))
        texts.append(f"{len(found.refused):,} variants were refused, e.g. {found.sets[number]}: {reason}")
    if len(found.sets) < 2:
        texts.append("A single variant was tried: there was nothing to choose from.")
    return texts


# -- keeping -----------------------------------------------------------------------------------------


def _fill(
    draft: Path,
    config: BacktestConfig,
    plan: SweepPlan,
    found: Found,
    result: SweepResult,
    prepared: Prepared,
    rerun_of: str,
) -> None:
    import polars as pl

    from lanner.research.report import sweep_page

    (draft / CONFIG).write_text(config_text(config), encoding="utf-8")
    (draft / PLAN).write_text(json.dumps(_plan_dict(plan), indent=2, default=str), encoding="utf-8")
    (draft / RESULT).write_text(json.dumps(result.as_dict(), default=str), encoding="utf-8")
    own = found.statistics(0)
    table: dict[str, Any] = {axis.name: [params[axis.name] for params in found.sets] for axis in plan.axes}
    for name in plan.objectives:
        table[f"score_{name}"] = found.scores(name, 0, plan.min_trades)
    table |= {f"stat_{name}": column for name, column in own.items()}
    pl.DataFrame(table).write_parquet(draft / TABLE, compression="zstd")
    (draft / REPORT).write_text(sweep_page(result), encoding="utf-8")
    best = result.top[0] if result.top else None
    record = RunRecord(
        run_id=result.run_id,
        kind="sweep",
        created_at=result.created_at,
        name=f"sweep of {result.name}",
        strategy=result.strategy,
        lanner=__version__,
        python=platform.python_version(),
        params={} if best is None else dict(best.params),
        instruments=result.instruments,
        data=result.data,
        since_ns=result.since_ns,
        until_ns=result.until_ns,
        currency=result.currency,
        start_equity=str(result.start_equity),
        end_equity=str(result.start_equity if best is None else best.statistics["end_equity"]),
        fees=str(0 if best is None else best.statistics["fees"]),
        seed=result.seed,
        state_hash=result.result_hash,
        data_hash=result.data_hash,
        code_hash=result.code_hash,
        seconds=result.seconds,
        counts={
            "variants": result.done,
            "events": result.done * result.bars,
            "trades": 0 if best is None else int(best.statistics["trades"] or 0),
        },
        metrics={} if best is None else {name: best.statistics.get(name) for name in best.statistics},
        warnings=result.warnings,
        notes=list(prepared.notes),
        sources=keep_sources(draft, prepared.sources),
        rerun_of=rerun_of,
    )
    write_record(draft, record)


def load_sweep(folder: Path) -> SweepResult:
    """Return the result of a kept sweep."""
    path = folder / RESULT
    if not path.is_file():
        raise LannerError(f"{folder.name} is not a sweep", expected=f"a run with {RESULT}")
    return msgspec.convert(json.loads(path.read_text(encoding="utf-8")), SweepResult)


def load_plan(folder: Path) -> SweepPlan:
    """Return the plan of a kept sweep."""
    plain = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    texts, forward = plain.pop("constraints"), plain.pop("forward")
    axes = [Axis(**axis) for axis in plain.pop("axes")]
    names = [*(axis.name for axis in axes), *plain["fixed"], *_NAMES.findall(" ".join(texts))]
    constraints = [Constraint.parse(text, names) for text in texts]
    return SweepPlan(
        axes=axes, constraints=constraints, forward=None if forward is None else SplitKind(forward), **plain
    )
