"""Play a compiled strategy over a market: the step and the orders in one compiled loop, without the event engine.

The rules are those of the event engine; ``tests/property/test_tier_compiled.py`` plays random strategies in both.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import numpy as np

from lanner.core.errors import ConfigError, LannerError, StrategyError
from lanner.kernels import require
from lanner.model.instruments import Instrument
from lanner.research.market import Ints, Market
from lanner.research.simulate import (
    LOG_ROWS,
    QUEUE,
    Protection,
    Record,
    Records,
    Simulated,
    check_fault,
    make_rules,
)
from lanner.research.tier_quotes import QuoteMarket
from lanner.sim.settings import VenueSettings
from lanner.strategy.compiled import QUOTES, CompiledStrategy
from lanner.strategy.errors import strategy_error

_LOOPS: dict[Any, Any] = {}
_COMPILING = threading.RLock()


@dataclass(slots=True)
class CompiledRun(Simulated):
    """What one set of parameters led to; ``asked`` is what the step asked for, ``context`` its last state."""

    asked: Records
    context: Record


@dataclass(slots=True, frozen=True)
class Terms:
    """Under what a compiled strategy trades: the kernel's rules, and how much of a quote can be had."""

    rules: Record
    participation: float = 1.0
    walk_ticks: int = 0


def compiled_loop(strategy: type[CompiledStrategy]) -> Any:
    """Return the loop of a strategy and the type of its context; every set of parameters uses the same loop."""
    require("compiled strategies")
    from lanner.kernels.compiled import context_type, make_loop

    function = strategy.function
    with _COMPILING:
        found = _LOOPS.get(function)
        if found is None:
            params = {name: _kind(param.default) for name, param in strategy.parameters().items()}
            state = {name: _kind(value) for name, value in strategy.state.items()}
            kind = QUOTES if strategy.on == QUOTES else "bars"
            loop = make_loop(kind, function, list(params))
            found = _LOOPS[function] = loop, context_type(list(params.items()), list(state.items()))
        return found


def _kind(value: object) -> str:
    return "f8" if isinstance(value, float) else "i8"


def terms_of(
    strategy: type[CompiledStrategy], instrument: Instrument, venue: VenueSettings, capital: Decimal
) -> Terms:
    """Return the terms of a strategy: its own stop and target with an instrument, a venue and a capital."""
    if strategy.on == QUOTES and (strategy.stop_loss or strategy.take):
        raise ConfigError(
            f"{strategy.name}: a stop or target on quotes is not compiled",
            expected="a bracket on bars, or exits that the step asks for itself",
            fix="Run it in the event engine: --tier python.",
        )
    protection = Protection.of(strategy.stop_loss, strategy.take)
    rules = make_rules(instrument, venue, capital, allow_short=True, protection=protection)
    return Terms(rules, venue.fills.participation, venue.fills.walk_ticks)


class CompiledRunner:
    """Play sets of parameters over one market; keep one per thread. The interpreter lock is free while it plays."""

    def __init__(self, strategy: type[CompiledStrategy], market: Market | QuoteMarket, terms: Terms) -> None:
        from lanner.kernels.account import BOOK, ENTRY, FILL, ORDER
        from lanner.kernels.compiled_orders import ASKED, SEEN, SLOT
        from lanner.kernels.curve import CURVE, PIECE

        _check(strategy, market)
        self.strategy, self.market, self.terms = strategy, market, terms
        self._loop, context = compiled_loop(strategy)
        self._context = np.zeros(1, context)
        self._book, self._curve, self._seen = np.zeros(1, BOOK), np.zeros(1, CURVE), np.zeros(1, SEEN)
        self._slots, self._queue = np.zeros(3, SLOT), np.zeros(QUEUE, ENTRY)
        self._scratch = np.zeros((2, PIECE + 1))
        self._taken = np.zeros((2, terms.walk_ticks + 1), np.int64)
        self._rows = LOG_ROWS
        self._logs = ORDER, FILL, ASKED

    def run(
        self,
        params: Mapping[str, object] | None = None,
        *,
        log: bool = True,
        equity: bool = True,
        sums: int = 2,
        start: int = 0,
        stop: int | None = None,
        edges: Ints | None = None,
    ) -> CompiledRun:
        """Play bars [start, stop) with parameters; see ``Simulator.run`` for the rest."""
        from lanner.kernels.account import NO_ROOM, TOO_MANY_ENTRIES
        from lanner.kernels.compiled_trips import count_trips

        made_with = self.strategy(**(params or {}))
        # on quotes orders are filled in parts: trips are counted from the log
        parts = isinstance(self.market, QuoteMarket)
        rows = self._rows if log or parts else 0
        end = len(self.market) if stop is None else stop
        while True:
            made = self._play(made_with, rows, equity, sums, start, end, edges)
            needed = max(int(made.book["orders"]), int(made.book["fills"]), int(self._seen["rows"][0]))
            if not rows or needed <= rows:
                forgiven = NO_ROOM | (TOO_MANY_ENTRIES if parts else 0)
                check_fault(int(made.book["fault"]) & ~forgiven, cast(Market, self.market))
                if parts:
                    count_trips(self.terms.rules, made.book, made.fills)
                return made
            rows = self._rows = needed + 1

    def _play(
        self,
        strategy: CompiledStrategy,
        rows: int,
        equity: bool,
        sums: int,
        start: int,
        stop: int,
        edges: Ints | None,
    ) -> CompiledRun:
        none = np.zeros(0, np.int64)
        for records in (self._book, self._curve, self._seen, self._slots, self._context, self._taken):
            records[:] = 0
        for name in ("stop_order", "take_order", "trail_order"):
            self._book[name] = -1
        self._curve["sums"] = sums
        self._seen["mark_row"] = -1
        for name, value in strategy.values().items():
            self._context[f"p_{name}"] = value
        for name, value in strategy.state.items():
            self._context[name] = value
        orders, fills, asked = (np.zeros(rows, kind) for kind in self._logs)
        out = np.zeros(len(self.market) if equity else 0)
        blocks = np.zeros((0 if edges is None else len(edges) + 1, 3))
        try:
            self._loop(
                self._context[0], self.terms.rules, self._book[0], self._slots, self._seen[0], self._queue, orders,
                fills, asked, self._curve[0], blocks, none if edges is None else edges, out, self._scratch, start, stop,
                *self._columns(),
            )  # fmt: skip
        except LannerError:
            raise
        except Exception as error:  # noqa: BLE001 - what the user's step raises, or what cannot be compiled
            raise _explained(error, strategy) from None
        book = self._book[0].copy()
        return CompiledRun(
            cast(Market, self.market),
            book,
            self._curve[0].copy(),
            orders[: int(book["orders"])],
            fills[: int(book["fills"])],
            out[start:stop] if equity else out,
            blocks,
            asked[: int(self._seen["rows"][0])],
            self._context[0].copy(),
        )

    def _columns(self) -> tuple[Any, ...]:
        market, columns = self.market, self.market.columns
        if isinstance(market, QuoteMarket):
            return (
                market.ts, columns["bid_px"], columns["bid_qty"], columns["ask_px"], columns["ask_qty"], market.mid,
                market.top, self._taken, self.terms.participation,
            )  # fmt: skip
        funding = market.funding
        return (
            market.ticks, columns["ts_open"], market.ts, columns["open"], columns["high"], columns["low"],
            columns["close"], columns["volume"], market.volume_lots, funding.bar, funding.at_end, funding.rate,
        )  # fmt: skip


def run_compiled(
    strategy: type[CompiledStrategy],
    params: Mapping[str, object],
    market: Market | QuoteMarket,
    terms: Terms,
    **options: Any,
) -> CompiledRun:
    """Play one set of parameters over a market; for many sets keep a ``CompiledRunner``."""
    return CompiledRunner(strategy, market, terms).run(params, **options)


def _check(strategy: type[CompiledStrategy], market: Market | QuoteMarket) -> None:
    if (strategy.on == QUOTES) != isinstance(market, QuoteMarket):
        raise ConfigError(
            f"{strategy.name} works on {strategy.on}",
            expected=strategy.on,
            found="quotes" if isinstance(market, QuoteMarket) else f"{market.timeframe} bars",
        )
    if isinstance(market, Market) and strategy.timeframe != market.timeframe:
        raise ConfigError(
            f"{strategy.name} works on {strategy.timeframe} bars",
            expected=strategy.timeframe,
            found=market.timeframe,
            fix="Resample the data (lanner data resample), or change the decorator.",
        )


def _explained(error: Exception, strategy: CompiledStrategy) -> LannerError:
    """Turn what numba or the step says into a message about the step."""
    from lanner.kernels.compiled import CompilerError

    if not isinstance(error, CompilerError):
        return strategy_error(error, strategy, "in its compiled step", ())
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    undeclared = next(
        (line for line in lines if "has no attribute" in line or "Unknown attribute" in line), ""
    )
    return StrategyError(
        f"{strategy.id}: the step cannot be compiled",
        expected="numbers, comparisons, loops, math functions and ctx",
        found=undeclared or (lines[0] if lines else type(error).__name__),
        fix="Declare every ctx attribute in state={...}; without compilation it runs under --tier python.",
    )
