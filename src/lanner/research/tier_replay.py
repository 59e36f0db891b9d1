"""Whole backtests of compiled strategies, and the choice of a tier.

The loop finds what the step asks for; the event engine then plays just that, jumping from one request to the next, and
makes the orders, fills, report and fingerprint. Both must agree on every fill, or the run ends with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.backtest.run import OnProgress, run_backtest
from lanner.backtest.tier_columns import ColumnBatch, Ints
from lanner.backtest.tiers import TIERS, Jumps, market_stream, refuse_jumps, why_no_jumps
from lanner.core.errors import ConfigError, InternalFaultError
from lanner.kernels import available, require
from lanner.model.enums import Liquidity
from lanner.research.market import Market
from lanner.research.tier_compiled import CompiledRun, CompiledRunner, terms_of
from lanner.research.tier_quotes import QuoteMarket
from lanner.research.tier_triggers import run_triggers, why_not_triggers
from lanner.risk.checks import RiskLimits
from lanner.sim.settings import FundingMode, Latency, VenueSettings
from lanner.strategy.compiled import QUOTES, Asked, CompiledStrategy

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.backtest.spec import BacktestSpec

Play = Callable[["BacktestSpec", OnProgress | None], "BacktestResult"]


def player(tier: str) -> Play:
    """Return what runs a backtest in a tier; ``auto`` takes the fastest that can play it."""
    if tier not in TIERS:
        raise ConfigError("unknown tier", expected=", ".join(TIERS), found=repr(tier))
    return {"python": run_backtest, "triggers": run_triggers, "compiled": run_compiled_backtest}.get(
        tier, run_fastest
    )


def run_fastest(spec: BacktestSpec, progress: OnProgress | None = None) -> BacktestResult:
    """Run a backtest in the fastest tier that can play it."""
    if available() and not why_not_compiled(spec):
        return run_compiled_backtest(spec, progress)
    if available() and not why_not_triggers(spec):
        return run_triggers(spec, progress)
    return run_backtest(spec, progress)


def run_compiled_backtest(spec: BacktestSpec, progress: OnProgress | None = None) -> BacktestResult:
    """Run a backtest of a compiled strategy; raise ``ConfigError`` where its loop cannot play it."""
    require("the compiled tier")
    reason = why_not_compiled(spec)
    if reason:
        raise refuse_jumps("compiled", reason)
    strategy = spec.strategies[0].strategy
    assert isinstance(strategy, CompiledStrategy)
    instrument = next(iter(spec.instruments.values()))
    venue = spec.venues[instrument.venue]
    capital = venue.balances[spec.currency] * Decimal(repr(spec.strategies[0].allocation))
    stream = market_stream(spec)
    frames = stream.chunks(spec.since_ns, spec.until_ns)
    market: Market | QuoteMarket
    if strategy.on == QUOTES:
        market = QuoteMarket.from_frames(instrument, frames)
    else:
        pays = venue.funding is FundingMode.DATA and not instrument.is_spot
        rates = [s.chunks(spec.since_ns, spec.until_ns) for s in spec.streams if s.kind == "funding" and pays]
        market = Market.from_frames(instrument, stream.spec, frames, chain(*rates))
    kind = type(strategy)
    runner = CompiledRunner(kind, market, terms_of(kind, instrument, venue, capital))
    made = runner.run(strategy.values(), equity=False, sums=0)
    script = Script(made)
    strategy.script = script.now
    try:
        result = run_backtest(spec, progress, Jumps(script))
    finally:
        strategy.script = None
    _compare(made, result)
    return result


def why_not_compiled(spec: BacktestSpec) -> str:
    """Return why a compiled loop cannot play a run, or an empty text."""
    strategy = spec.strategies[0].strategy if spec.strategies else None
    if not isinstance(strategy, CompiledStrategy):
        return "its strategy is not under @lanner.compiled"
    reason = why_no_jumps(spec)
    if reason:
        return reason
    stream = market_stream(spec)
    wanted = (QUOTES, "") if strategy.on == QUOTES else ("bars", strategy.timeframe)
    if (stream.kind, stream.spec if stream.kind == "bars" else "") != wanted:
        return f"the data are not the strategy's {wanted[1] or wanted[0]}"
    if strategy.on == QUOTES and (strategy.stop_loss or strategy.take):
        return "it has a stop or target on quotes"
    if strategy.on == QUOTES and any(own.kind == "funding" for own in spec.streams):
        return "funding on quotes is played by the Python tier only (the loop plays it on bars)"
    if spec.risk != RiskLimits():
        return "the run has risk limits"
    return _why_not_venue(spec, next(iter(spec.venues.values())))


def _why_not_venue(spec: BacktestSpec, venue: VenueSettings) -> str:
    latency = venue.latency
    delays = (latency.entry, latency.exchange, latency.response, latency.cancel, latency.amend)
    if any(delay not in (None, Latency()) for delay in delays):
        return "orders travel with a delay"
    if venue.fills.bar_participation:
        return "a bar's volume is limited"
    if set(venue.balances) != {spec.currency} or len(spec.venues) != 1:
        return "the money is not in one currency at one venue"
    if any(one.is_spot and one.fees.in_base for one in spec.instruments.values()):
        return "the fees of buys are kept of the bought coin"
    return ""


class Script:
    """What a step asked for, row by row: a forecast for the engine."""

    keeps_bars = False

    def __init__(self, made: CompiledRun) -> None:
        self._asked = made.asked
        self._rows: Ints = np.ascontiguousarray(made.asked["row"])
        self._first = 0
        self._row = -1

    def rows(self, batch: ColumnBatch) -> Ints:
        """Return the rows of a batch at which something was asked for."""
        self._first = batch.first
        low, high = np.searchsorted(self._rows, [batch.first, batch.first + len(batch)])
        return self._rows[low:high] - batch.first

    def turn(self, row: int) -> None:
        """Be ready for a row of the batch."""
        self._row = self._first + row

    def now(self) -> Asked | None:
        """Return what was asked for at the row."""
        at = int(np.searchsorted(self._rows, self._row))
        if at == len(self._rows) or self._rows[at] != self._row:
            return None
        _, *rest = self._asked[at].item()
        return tuple(rest)


def _compare(made: CompiledRun, result: BacktestResult) -> None:
    """Make sure that the loop and the engine agree on every fill."""
    market: Any = made.market
    tick, lot = market.instrument.tick_float, market.instrument.lot_float
    ours = [(int(f["side"]), int(f["lots"]), int(f["px"]), bool(f["maker"])) for f in made.fills]
    theirs = [
        (f.side, round(f.qty / lot), round(f.px / tick), f.liquidity == Liquidity.MAKER.name.lower())
        for f in result.fills
    ]
    if ours != theirs:
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        raise InternalFaultError(
            "the compiled loop and the event engine disagree on the fills",
            expected=f"{len(theirs)} fills, as the engine has them",
            found=f"{len(ours)} fills" if at is None else f"another fill number {at + 1}",
            fix="Please report it; --tier python gives the engine's own result.",
        )
