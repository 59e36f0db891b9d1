"""A sweep: many variants of a strategy measured, ranked, and asked whether the best of them is luck."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lanner.backtest.spec import BacktestSpec, Stream
from lanner.core.errors import ConfigError
from lanner.kernels import available
from lanner.model.timeframes import timeframe_ns
from lanner.research.blocks import BlockMoments, block_edges
from lanner.research.distributed_ledger import PoolState
from lanner.research.market import Floats, Market
from lanner.research.objectives import Objective, objective
from lanner.research.past import corners, read_past
from lanner.research.search import Constraint, Space
from lanner.research.splits import SplitKind, Window, walk_forward
from lanner.research.sweep_result import Axis, Params
from lanner.research.variants import BLOCKS, Shard, Task, measure, statistics
from lanner.strategy.base import Strategy
from lanner.strategy.compiled import CompiledStrategy
from lanner.strategy.vector import SignalStrategy

SHARD_VARIANTS = 512
EVENT_SHARD = 4
KEPT_MOMENTS = 100_000
"""How many variants' block sums are kept for the verdict; of a larger search every k-th."""


@dataclass(slots=True)
class SweepPlan:
    """What to search and how: everything but the data and the strategy."""

    axes: list[Axis]
    fixed: Params
    constraints: list[Constraint] = field(default_factory=list)
    method: str = "grid"
    trials: int = 1000
    objectives: list[str] = field(default_factory=lambda: ["sharpe"])
    min_trades: int = 10
    top: int = 20
    engine: str = "auto"
    forward: SplitKind | None = SplitKind.ROLLING
    windows: int = 8
    train_ratio: float = 0.7
    gap: int = 0
    seed: int = 1


@dataclass(slots=True, frozen=True)
class SweepProgress:
    """How far a search is; ``best`` are the leading variants as (score, parameters), ``pool`` how a cluster stands."""

    phase: str
    done: int
    total: int
    combo_bars: float
    seconds: float
    best: tuple[tuple[float, Params], ...] = ()
    pool: PoolState | None = None


OnProgress = Callable[[SweepProgress], None]


class Pool(Protocol):
    """Something that measures shards, in any order, each once; closing it stops what is under way."""

    def measure(self, task: Task, shards: Iterable[tuple[int, list[Params]]]) -> Iterator[tuple[int, Shard]]:
        """Yield (number, shard) as they are done."""
        ...


class InThisThread:
    """Measure shard after shard."""

    def measure(self, task: Task, shards: Iterable[tuple[int, list[Params]]]) -> Iterator[tuple[int, Shard]]:
        """Yield (number, shard) in order."""
        for number, sets in shards:
            yield number, measure(task, sets)


def make_task(spec: BacktestSpec, plan: SweepPlan) -> tuple[Task, list[Window]]:
    """Read the data and decide how variants are measured; also return the walk-forward's windows."""
    strategy = type(spec.strategies[0].strategy)
    reason = why_not_arrays(spec, strategy)
    if plan.engine == "array" and reason:
        raise ConfigError(
            "the array engine cannot play this", found=reason, fix="Use --engine event, or leave it to auto."
        )
    fast = "compiled" if issubclass(strategy, CompiledStrategy) else "array"
    engine = "event" if plan.engine == "event" or reason else fast
    market = read_market(spec)
    past: dict[str, Any] = {}
    if engine == "array":
        past = read_past(spec, bar_stream(spec), strategy, corners(plan.axes, plan.fixed))
    rows = len(market)
    windows: list[Window] = []
    if plan.forward is not None:
        windows = list(
            walk_forward(rows, plan.windows, train_ratio=plan.train_ratio, kind=plan.forward, gap=plan.gap)
        )
    spans = [(0, rows)]
    for window in windows:
        spans += [(window.train.start, window.train.stop), (window.test.start, window.test.stop)]
    needs = {need for name in plan.objectives for need in objective(name).needs}
    blocks = min(BLOCKS, max(1, rows // 2) // 16 * 16 or 1)
    return Task(
        engine,
        strategy,
        market,
        spec,
        np.array(spans, dtype=np.int64),
        block_edges(rows, blocks)[1:-1],
        whole_curve=not needs <= set(_running()),
        past=past,
    ), windows


def _running() -> Iterable[str]:
    from lanner.research.objectives import STREAMING

    return STREAMING


def why_not_arrays(spec: BacktestSpec, strategy: type[Strategy]) -> str:
    """Return what keeps a run from the array engine, or nothing."""
    kinds = [stream.kind for stream in spec.streams]
    venue = next(iter(spec.venues.values()))
    delays = (venue.latency.feed, venue.latency.entry, venue.latency.exchange, venue.latency.response)
    if not issubclass(strategy, SignalStrategy | CompiledStrategy):
        return f"{strategy.__name__} is not a signal function and not compiled"
    if not available():
        return "numba is not installed"
    if len(spec.instruments) != 1 or kinds.count("bars") != 1 or set(kinds) - {"bars", "funding"}:
        return "it plays one instrument's bars (and funding) only"
    if spec.detail or not all(delay.is_zero for delay in delays) or venue.fills.bar_participation:
        return "it knows no latency, no finer bars and no limit on a bar's volume"
    if any(one.is_spot and one.fees.in_base for one in spec.instruments.values()):
        return "it takes all fees in money"
    bars = next(stream for stream in spec.streams if stream.kind == "bars")
    if timeframe_ns(bars.spec) != timeframe_ns(strategy.timeframe or bars.spec):
        return f"the data are {bars.spec} bars and the strategy asks for {strategy.timeframe}"
    return ""


def read_market(spec: BacktestSpec) -> Market:
    """Return the bars that spans are counted in, with funding."""
    source = bar_stream(spec)
    name = source.instrument_id
    funding = [stream for stream in spec.streams if stream.instrument_id == name and stream.kind == "funding"]
    return Market.from_frames(
        spec.instruments[name],
        source.spec,
        source.chunks(spec.since_ns, spec.until_ns),
        funding[0].chunks(spec.since_ns, spec.until_ns) if funding else (),
    )


def bar_stream(spec: BacktestSpec) -> Stream:
    """Return the traded instrument's bars, the finest of several."""
    name = next(iter(spec.instruments))
    own = [stream for stream in spec.streams if stream.instrument_id == name]
    bars = [stream for stream in own if stream.kind == "bars" and stream.spec != spec.detail]
    if not bars:
        raise ConfigError(
            f"{name}: a sweep counts in bars",
            expected="a bar series among the data",
            fix="Add one with --data.",
        )
    return min(bars, key=lambda stream: timeframe_ns(stream.spec) or 1 << 62)


# -- searching ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Found:
    """All variants and their raw numbers, in the order of the search."""

    task: Task
    windows: list[Window]
    sets: list[Params]
    raw: Floats
    extra: Floats
    blocks: dict[int, Any]
    refused: dict[int, str]
    planned: int
    seconds: float
    interrupted: bool = False

    def statistics(self, span: int) -> dict[str, Floats]:
        """Return every variant's statistics over a span."""
        return statistics(self.task, self.raw, self.extra, span)

    def scores(self, name: str, span: int = 0, min_trades: int = 0) -> Floats:
        """Return every variant's score over a span: higher is better, NaN is not ranked."""
        return objective(name).score(self.statistics(span), min_trades)

    def moments(self, members: Sequence[int]) -> BlockMoments:
        """Return the sums of returns per block of some variants."""
        cuts = np.concatenate(([0], self.task.edges, [len(self.task.market)]))
        sums = np.stack([self.blocks[index] for index in members])
        return BlockMoments(np.diff(cuts), sums[:, :, 0], sums[:, :, 1])

    def result_hash(self) -> str:
        """Return a hash of everything that was measured; equal searches have equal ones wherever they ran."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr(self.sets).encode())
        digest.update(np.ascontiguousarray(self.raw).tobytes())
        for index in sorted(self.blocks):
            digest.update(self.blocks[index].tobytes())
        return digest.hexdigest()


class Collector:
    """Put shards together as they come, whatever their order."""

    def __init__(self, task: Task, plan: SweepPlan, planned: int) -> None:
        self.task, self.plan, self.planned = task, plan, planned
        self.stride = max(1, -(-planned // KEPT_MOMENTS))
        self.shards: dict[int, tuple[list[Params], Shard]] = {}
        self.done = 0
        self.leaders: list[tuple[float, int, int, Params]] = []
        self._objectives: list[Objective] = [objective(name) for name in plan.objectives]

    def add(self, number: int, sets: list[Params], shard: Shard) -> Floats:
        """Take a shard and return its scores, float64[variants, objectives]."""
        self.shards[number] = (sets, shard)
        self.done += len(sets)
        own = statistics(self.task, shard.raw, shard.extra, 0)
        every = np.stack([one.score(own, self.plan.min_trades) for one in self._objectives], axis=1)
        scores = every[:, 0]
        for place in np.flatnonzero(~np.isnan(scores)):
            self.leaders.append((float(scores[place]), -number, -int(place), sets[place]))
        self.leaders = sorted(self.leaders, key=lambda entry: entry[:3], reverse=True)[:10]
        return every

    def found(self, windows: list[Window], seconds: float, interrupted: bool) -> Found:
        """Return everything in the order of the search."""
        sets: list[Params] = []
        blocks: dict[int, Any] = {}
        refused: dict[int, str] = {}
        parts = [self.shards[number] for number in sorted(self.shards)]
        for own, shard in parts:
            base = len(sets)
            refused.update({base + index: text for index, text in shard.refused.items()})
            for index in range(len(own)):
                if (base + index) % self.stride == 0 and index not in shard.refused:
                    blocks[base + index] = shard.blocks[index]
            sets += own
        raw = np.concatenate([shard.raw for _, shard in parts])
        extra = np.concatenate([shard.extra for _, shard in parts])
        return Found(
            self.task, windows, sets, raw, extra, blocks, refused, self.planned, seconds, interrupted
        )


def search(
    spec: BacktestSpec,
    plan: SweepPlan,
    *,
    pool: Pool | None = None,
    progress: OnProgress | None = None,
    journal: Journal | None = None,
) -> Found:
    """Measure every variant of the plan; Ctrl-C keeps what is done, a journal lets another run go on from there."""
    started = time.perf_counter()
    task, windows = make_task(spec, plan)
    space = Space(plan.axes, plan.fixed, plan.constraints)
    size = EVENT_SHARD if task.engine == "event" else SHARD_VARIANTS
    pool = pool or InThisThread()
    if plan.method in ("grid", "random"):
        rng = np.random.default_rng(plan.seed)
        sets = space.grid() if plan.method == "grid" else space.sample(plan.trials, rng)
        collector = Collector(task, plan, len(sets))
        rounds: Iterable[list[tuple[int, list[Params]]]] = [
            [(number, sets[start : start + size]) for number, start in enumerate(range(0, len(sets), size))]
        ]
        tell: Callable[[int, list[Params], Floats], None] | None = None
    else:
        from lanner.research.samplers import Sampler

        sampler = Sampler(plan, space, size)
        collector = Collector(task, plan, plan.trials)
        rounds, tell = sampler.rounds(), sampler.tell
    bars = float(np.diff(task.spans, axis=1).sum())
    interrupted = False
    try:
        for shards in rounds:
            by_number = dict(shards)
            known = [] if journal is None else journal.known(by_number, task)
            for number, shard in known:
                _take(collector, number, by_number.pop(number), shard, tell)
            for number, shard in pool.measure(task, by_number.items()):
                if journal is not None:
                    journal.keep(number, by_number[number], shard)
                _take(collector, number, by_number[number], shard, tell)
                if progress is not None:
                    elapsed = time.perf_counter() - started
                    best = tuple((entry[0], entry[3]) for entry in collector.leaders[:5])
                    progress(
                        SweepProgress(
                            "search",
                            collector.done,
                            collector.planned,
                            collector.done * bars,
                            elapsed,
                            best,
                            getattr(pool, "state", None),
                        )
                    )
    except KeyboardInterrupt:
        if not collector.shards:
            raise
        interrupted = True
    return collector.found(windows, time.perf_counter() - started, interrupted)


def _take(
    collector: Collector,
    number: int,
    sets: list[Params],
    shard: Shard,
    tell: Callable[[int, list[Params], Floats], None] | None,
) -> None:
    scores = collector.add(number, sets, shard)
    if tell is not None:
        tell(number, sets, scores)


class Journal(Protocol):
    """Where finished shards are kept, so that an interrupted search can go on."""

    def known(self, shards: dict[int, list[Params]], task: Task) -> list[tuple[int, Shard]]:
        """Return those of the shards that were measured before, of the very same variants."""
        ...

    def keep(self, number: int, sets: list[Params], shard: Shard) -> None:
        """Keep a shard."""
        ...
