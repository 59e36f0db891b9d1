"""Measure variants of a strategy: raw sums for many sets of parameters over many spans of one market.

``measure`` is a pure function of its arguments: the same shard gives the same numbers in this thread, in another
process or on another machine, so results can be put together from anywhere, and a lost shard can be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lanner.analysis import returns as of_returns
from lanner.analysis.periods import periods_per_year, years_between
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.errors import LannerError
from lanner.kernels.statistics import STATISTICS
from lanner.research.evaluate import SignalProgram
from lanner.research.market import Floats, Ints, Market
from lanner.research.past import Warm, warm_groups
from lanner.research.simulate import Protection, Record, make_rules
from lanner.research.sweep_result import Params
from lanner.sim.settings import SlippageModel
from lanner.strategy.base import Strategy
from lanner.strategy.compiled import CompiledStrategy
from lanner.strategy.vector import SignalStrategy

if TYPE_CHECKING:
    from lanner.research.tier_compiled import CompiledRunner

CURVE_STATISTICS = ("tail_high", "tail_low", "straightness")
BLOCKS = 64


@dataclass(slots=True, frozen=True)
class Seat:
    """How the searched strategy sits in its run: its id, timeframe, share of the capital and instruments."""

    id: str
    timeframe: str | None
    allocation: float
    instruments: tuple[str, ...]

    @classmethod
    def of(cls, entry: StrategyEntry) -> Seat:
        """Return the seat of a run's entry."""
        return cls(entry.strategy.id, entry.strategy.timeframe, entry.allocation, entry.instruments)


@dataclass(slots=True)
class Task:
    """What all shards of a search share.

    ``spans`` is int64[k, 2], bars [start, stop) of the market, the whole first; ``edges`` cut the whole into blocks.
    ``engine`` is array, compiled or event; ``whole_curve`` asks for statistics that running sums do not give;
    ``past`` are the columns of bars before the market, which warm up the indicators of array variants.
    """

    engine: str
    strategy: type[Strategy]
    market: Market
    spec: BacktestSpec
    spans: Ints
    edges: Ints
    whole_curve: bool = False
    seat: Seat | None = None
    past: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def capital(self) -> float:
        """Return the money at the start."""
        venue = self.spec.venues[self.market.instrument.venue]
        return float(venue.balances[self.market.instrument.settle])

    def rules(self) -> Record:
        """Return the kernel's rules."""
        venue = self.spec.venues[self.market.instrument.venue]
        strategy = self.strategy
        assert issubclass(strategy, SignalStrategy)
        return make_rules(
            self.market.instrument,
            venue,
            venue.balances[self.market.instrument.settle],
            allow_short=strategy.allow_short,
            protection=Protection.of(strategy.stop, strategy.take),
        )


@dataclass(slots=True)
class Shard:
    """Measured variants: ``raw`` float64[variants, spans, STATISTICS], ``blocks`` float32[variants, BLOCKS, 2].

    Blocks hold Σ r and Σ r². ``extra`` is float64[variants, spans, 3] of CURVE_STATISTICS or empty; ``refused`` tells
    why a variant has none (NaN).
    """

    raw: Floats
    blocks: NDArray[np.float32]
    extra: Floats
    refused: dict[int, str] = field(default_factory=dict)


def measure(task: Task, sets: Sequence[Params]) -> Shard:
    """Return the sums of every set of parameters over every span."""
    how = {"event": _measure_events, "compiled": _measure_compiled, "array": _measure_arrays}
    return how[task.engine](task, sets)


# -- array engine ------------------------------------------------------------------------------------


def _measure_arrays(task: Task, sets: Sequence[Params]) -> Shard:
    from lanner.kernels.account import STACKED_GUARDS

    shard = _empty(len(sets), task, len(STATISTICS))
    program = SignalProgram(task.strategy, sets, lenient=True)
    shard.refused = {index: str(error) for index, error in program.refused.items()}
    player = Player(task)
    stacked = []
    for warm in warm_groups(program, task.market, task.past, task.spec.since_ns or 0):
        table = warm.program.columns(warm.columns)
        rest = player.play_many(warm, shard)
        for place in table.order() if rest else ():
            if place not in rest:
                continue
            index = warm.members[place]
            if warm.program.logical(place):
                weights = player.fill(table.signals_int8, place, player.signals, warm.lead)
            else:
                weights = player.fill(table.weights, place, player.weights, warm.lead)
                bad = np.flatnonzero(~(np.abs(weights) <= 1.0) & ~np.isnan(weights))
                if bad.size:
                    shard.refused[index] = f"the signal is not a weight: {weights[bad[0]]:g} at bar {bad[0]}"
                    continue
            player.play(weights, shard, index)
            if int(shard.raw[index, :, -1].max()) & STACKED_GUARDS:
                stacked.append(index)
    if stacked:  # several brackets at once: only the event engine keeps them
        again = _measure_events(task, [sets[index] for index in stacked])
        shard.raw[stacked], shard.blocks[stacked] = again.raw, again.blocks
        if task.whole_curve:
            shard.extra[stacked] = again.extra
        shard.refused.update({stacked[place]: text for place, text in again.refused.items()})
    for index in shard.refused:
        shard.raw[index], shard.blocks[index] = np.nan, 0.0
    return shard


class Player:
    """The working memory of one thread for one task."""

    def __init__(self, task: Task) -> None:
        from lanner.kernels.account import BOOK, ENTRY
        from lanner.kernels.curve import CURVE, PIECE
        from lanner.research.many import ManyPlayer
        from lanner.research.plain import PlainPlayer

        rows = len(task.market)
        self.task = task
        self.signals = np.zeros(rows, dtype=np.int8)
        self.weights = np.zeros(rows)
        self._books, self._curves = np.zeros(2, BOOK), np.zeros(2, CURVE)
        for name in ("stop_order", "take_order", "trail_order"):
            self._books[name] = -1
        self._queue = np.zeros(256, ENTRY)
        self._volume = task.market.volume_lots if self._by_volume(task) else None
        self._scratch = np.zeros((2, PIECE + 1))
        self._rules = task.rules()
        self._plain = PlainPlayer(task.market, self._rules)
        self._many = ManyPlayer(task.market, self._rules, task.spans, task.edges)
        self._none, self._no_ints = np.zeros(0), np.zeros(0, dtype=np.int64)
        self._words = self.signals[: rows // 8 * 8].view(np.int64)
        self._blocks = np.zeros((len(task.edges) + 1, 3))
        self._raw = np.zeros((len(task.spans), len(STATISTICS)))

    @staticmethod
    def fill(make: Callable[[int, Any], Any], place: int, room: NDArray[Any], lead: int) -> NDArray[Any]:
        """Compute a column into the working memory; its first ``lead`` rows lie before the market's."""
        if lead:
            room[:] = make(place, None)[lead:]
        else:
            make(place, room)
        return room

    @staticmethod
    def _by_volume(task: Task) -> bool:
        venue = task.spec.venues[task.market.instrument.venue]
        return venue.slippage.model is SlippageModel.VOLUME

    def play_many(self, warm: Warm, shard: Shard) -> set[int]:
        """Play what can be played together; return the places that are left."""
        rest = set(range(len(warm.program)))
        if self.task.whole_curve:
            return rest
        done, raw, blocks = self._many.play(warm.program, warm.columns, warm.lead)
        rows = [warm.members[place] for place in done]
        shard.raw[rows], shard.blocks[rows] = raw, blocks[:, :, 1:]
        return rest.difference(done)

    def play(self, weights: NDArray[Any], shard: Shard, index: int) -> None:
        """Play one column over every span and write what it led to into row ``index``."""
        task, market, funding = self.task, self.task.market, self.task.market.funding
        words = self._words if weights is self.signals else self._no_ints
        self._blocks[:] = 0.0
        if not self._plain.spans(
            self._books, self._curves, self._queue, self._blocks, task.edges, task.spans, weights, self._raw
        ):
            from lanner.kernels.spans import simulate_spans

            self._blocks[:] = 0.0
            simulate_spans(
                self._rules, self._books, self._curves, self._queue, None, None, self._blocks, task.edges,
                task.spans, 2, market.ticks, market.close, self._volume, weights, words,
                funding.bar, funding.at_end, funding.rate, self._none, self._scratch, self._raw,
            )  # fmt: skip
        shard.raw[index] = self._raw
        shard.blocks[index] = self._blocks[:, 1:]
        if task.whole_curve:
            self._curves_of(weights, words, shard, index)

    def _curves_of(self, weights: NDArray[Any], words: Ints, shard: Shard, index: int) -> None:
        from lanner.research.simulate import Simulator

        simulator = Simulator(self.task.market, self._rules)
        for place, (start, stop) in enumerate(self.task.spans.tolist()):
            made = simulator.run(weights, start=start, stop=stop, log=False, sums=0)
            shard.extra[index, place] = _curve_statistics(of_returns.simple_returns(made.equity))


def _empty(variants: int, task: Task, columns: int) -> Shard:
    spans = len(task.spans)
    return Shard(
        np.zeros((variants, spans, columns)),
        np.zeros((variants, len(task.edges) + 1, 2), dtype=np.float32),
        np.full((variants, spans, 3), np.nan) if task.whole_curve else np.zeros((variants, 0, 3)),
    )


def _curve_statistics(returns: Floats) -> tuple[float, float, float]:
    if returns.size < 2:
        return np.nan, np.nan, np.nan
    high, low = np.percentile(returns, (95, 5))
    straight = of_returns.stability(returns)
    return abs(float(high)), abs(float(low)), np.nan if straight is None else straight


# -- compiled strategies -----------------------------------------------------------------------------


def compiled_runner(task: Task) -> CompiledRunner:
    """Return what plays a compiled strategy over the task's market."""
    from lanner.research.tier_compiled import CompiledRunner, terms_of

    venue = task.spec.venues[task.market.instrument.venue]
    strategy = task.strategy
    assert issubclass(strategy, CompiledStrategy)
    capital = venue.balances[task.market.instrument.settle]
    return CompiledRunner(strategy, task.market, terms_of(strategy, task.market.instrument, venue, capital))


def _measure_compiled(task: Task, sets: Sequence[Params]) -> Shard:
    """Play every variant over every span, each from a fresh state."""
    shard = _empty(len(sets), task, len(STATISTICS))
    runner = compiled_runner(task)
    for index, params in enumerate(sets):
        try:
            for place, (start, stop) in enumerate(task.spans.tolist()):
                edges = task.edges if place == 0 else None
                made = runner.run(
                    params, log=False, equity=task.whole_curve, start=start, stop=stop, edges=edges
                )
                book, curve = made.book, made.curve
                shard.raw[index, place] = [
                    curve["count"], curve["total"], curve["squares"], curve["downside"], curve["losses"],
                    curve["drawdown"], curve["last"], curve["held"], book["trades"], book["wins"], book["won"],
                    book["lost"], book["fees"], book["fills"], book["funding"], book["traded"], book["slipped"],
                    book["fault"],
                ]  # fmt: skip
                if place == 0:
                    shard.blocks[index] = made.blocks[:, 1:]
                if task.whole_curve:
                    shard.extra[index, place] = _curve_statistics(of_returns.simple_returns(made.equity))
        except LannerError as error:
            shard.refused[index] = str(error)
            shard.raw[index], shard.blocks[index] = np.nan, 0.0
    return shard


# -- event engine ------------------------------------------------------------------------------------


def _measure_events(task: Task, sets: Sequence[Params]) -> Shard:
    """Run every variant once and cut the spans out of its run: positions are carried over their borders."""
    shard = _empty(len(sets), task, len(STATISTICS))
    for index, params in enumerate(sets):
        try:
            result = run_backtest(event_spec(task, params))
        except LannerError as error:
            shard.refused[index] = str(error)
            shard.raw[index] = np.nan
            continue
        ts, equity = np.asarray(result.equity.ts), np.asarray(result.equity.equity)
        places = np.searchsorted(ts, task.market.ts, side="right") - 1
        curve = np.where(places >= 0, equity[np.maximum(places, 0)], task.capital)
        exposed = np.asarray(result.equity.exposure)[np.maximum(places, 0)] > 0
        closed = [trip for trip in result.round_trips if not trip.open]
        exits = np.array([trip.exit_ts for trip in closed], dtype=np.int64)
        pnl = np.array([trip.pnl for trip in closed])
        fills = np.array([fill.ts for fill in result.fills], dtype=np.int64)
        fees = np.array([fill.fee for fill in result.fills])
        for place, (start, stop) in enumerate(task.spans.tolist()):
            first, last = _time_bounds(task.market, start, stop)
            part = np.concatenate(([curve[start - 1] if start else task.capital], curve[start:stop]))
            own = pnl[(exits > first) & (exits <= last)]
            paid = fees[(fills > first) & (fills <= last)]
            returns = of_returns.simple_returns(part)[1:] if start == 0 else of_returns.simple_returns(part)
            shard.raw[index, place] = _row(part, returns, own, paid, exposed[start:stop], task.capital)
            if task.whole_curve:
                shard.extra[index, place] = _curve_statistics(returns)
            if place == 0:
                change = np.zeros(stop - start)
                change[stop - start - returns.size :] = returns
                cuts = np.concatenate(([0], task.edges))
                shard.blocks[index, :, 0] = np.add.reduceat(change, cuts)
                shard.blocks[index, :, 1] = np.add.reduceat(change * change, cuts)
    return shard


def event_spec(task: Task, params: Params) -> BacktestSpec:
    """Return the backtest of one variant: the search's own, with other parameters."""
    seat = task.seat or Seat.of(task.spec.strategies[0])
    strategy = task.strategy(**params)
    strategy.id = seat.id
    vars(strategy)["timeframe"] = seat.timeframe
    return replace(
        task.spec,
        strategies=[StrategyEntry(strategy, seat.allocation, seat.instruments)],
        max_points=len(task.market) + 1,
    )


def _time_bounds(market: Market, start: int, stop: int) -> tuple[int, int]:
    """Return the times after which and until which something happens in a span."""
    first = int(market.ts[start - 1]) if start else int(market.columns["ts_open"][0]) - 1
    return first, int(market.ts[stop - 1])


def _row(
    part: Floats, returns: Floats, pnl: Floats, fees: Floats, exposed: NDArray[np.bool_], capital: float
) -> list[float]:
    peak = np.maximum.accumulate(part)
    down = np.minimum(returns, 0.0)
    return [
        float(returns.size), float(returns.sum()), float((returns**2).sum()), float((down**2).sum()),
        float(-down.sum()), float(((peak - part) / peak).max()), capital * float(part[-1] / part[0]),
        float(exposed.sum()), float(pnl.size), float((pnl > 0).sum()), float(pnl[pnl > 0].sum()),
        float(-pnl[pnl < 0].sum()), float(fees.sum()) * 1e12, float(fees.size), 0.0, 0.0, 0.0, 0.0,
    ]  # fmt: skip


# -- statistics --------------------------------------------------------------------------------------


def statistics(task: Task, raw: Floats, extra: Floats, span: int) -> dict[str, Floats]:
    """Return the statistics of ``research.objectives`` for every variant over one span, as arrays."""
    column: Mapping[str, Floats] = {name: raw[:, span, place] for place, name in enumerate(STATISTICS)}
    start, stop = (int(bound) for bound in task.spans[span])
    ts = task.market.ts[start:stop]
    count = np.maximum(column["count"], 1.0)
    with np.errstate(all="ignore"):
        mean = column["total"] / count
        spread = np.maximum(column["squares"] - count * mean * mean, 0.0) / np.maximum(count - 1.0, 1.0)
        sigma = np.where(spread <= 1e-28 * column["squares"], 0.0, np.sqrt(spread))
        growth = column["end"] / task.capital - 1.0
        years = years_between(int(ts[0]), int(ts[-1])) if len(ts) > 1 else 0.0
        annual = (
            np.power(np.maximum(1.0 + growth, 0.0), 1.0 / years) - 1.0
            if years >= (1.0 - 1e-9) / 365.0
            else np.full_like(growth, np.nan)
        )
        found = {
            "mean": mean,
            "sigma": sigma,
            "downside": np.sqrt(column["downside"] / count),
            "gains": column["total"] + column["losses"],
            "losses": column["losses"],
            "growth": growth,
            "annual": annual,
            "max_drawdown": column["drawdown"],
            "won": column["won"],
            "lost": column["lost"],
            "wins": column["wins"],
            "trades": column["trades"],
            "periods": np.full_like(growth, periods_per_year(ts) or np.nan),
            "exposure": column["held"] / max(1, stop - start),
            "fees": column["fees"] / 1e12,
            "end_equity": column["end"],
        }
    if task.whole_curve:
        found |= {name: extra[:, span, place] for place, name in enumerate(CURVE_STATISTICS)}
    return found
