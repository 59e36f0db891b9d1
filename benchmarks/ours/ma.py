"""Cross of two moving averages on Lanner: arrays in, equity out; the same by one pass; a grid of variants."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lanner as ln
from benchmarks import columns
from lanner import __version__
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.evaluate import SignalProgram
from lanner.research.fused import play_fused
from lanner.research.market import Market
from lanner.research.simulate import Simulated, Simulator, make_rules
from lanner.research.variants import Task, measure, statistics
from lanner.sim.settings import FillSettings, FundingMode, MarketOn, Slippage, SlippageModel, VenueSettings

INSTRUMENT = Instrument.perp(
    "BTCUSDT-PERP.BINANCE",
    tick="0.01",
    lot="0.000001",
    fees=FeeSchedule(maker=Decimal(columns.FEE), taker=Decimal(columns.FEE)),
)
MINUTE_NS = 60_000_000_000


@ln.signal("1m")
def cross(bars: Any, fast: int = 50, slow: int = 200) -> Any:
    """Long while the fast average is above the slow one."""
    return bars.close.sma(fast) > bars.close.sma(slow)


def market_of(path: Path) -> Market:
    """Return the walk as a market."""
    prices = np.load(path) / columns.TICKS
    opened = 1_704_067_200_000_000_000 + MINUTE_NS * np.arange(len(prices))
    names = ("open", "high", "low", "close")
    table = {name: np.ascontiguousarray(prices[:, place]) for place, name in enumerate(names)}
    table |= {"ts_open": opened, "volume": np.ones(len(prices))}
    return Market.from_arrays(INSTRUMENT, "1m", table, opened + MINUTE_NS)


def venue() -> VenueSettings:
    """Return a venue that fills at the close that decided, as vectorbt does by itself."""
    return VenueSettings(
        name=INSTRUMENT.venue,
        balances={"USDT": Decimal(columns.CAPITAL)},
        fills=FillSettings(market_on=MarketOn.CLOSE),
        slippage=Slippage(SlippageModel.BPS, Decimal(columns.SLIPPAGE_BPS)),
        funding=FundingMode.ASSUME_ZERO,
    )


def rules() -> Any:
    """Return the kernel's rules for a single backtest."""
    return make_rules(INSTRUMENT, venue(), Decimal(columns.CAPITAL), share=columns.SHARE)


def _of(made: Simulated) -> dict[str, Any]:
    return {"end_equity": made.end_equity, "fills": int(made.book["fills"])}


def arrays(market: Market, fast: int, slow: int) -> dict[str, Any]:
    """Evaluate the signal over whole columns, then play it: equity after each bar."""
    program = SignalProgram(cross, [{"fast": fast, "slow": slow}])
    signals = program.columns(market.columns).signals_int8(0)
    return _of(Simulator(market, rules()).run(signals, log=False, sums=0))


def public(market: Market, fast: int, slow: int) -> dict[str, Any]:
    """Do the same through `ln.from_signals`, with everything that it checks."""
    program = SignalProgram(cross, [{"fast": fast, "slow": slow}])
    above = program.columns(market.columns).signals_int8(0).view(np.bool_)
    made = ln.from_signals(
        market,
        above,
        ~above,
        size=columns.SHARE,
        fill="same_close",
        capital=columns.CAPITAL,
        fees=Decimal(columns.FEE),
        slippage=columns.SLIPPAGE_BPS,
    )
    return {"end_equity": float(made.equity[-1, 0]), "fills": int(made.counts("fills")[0])}


def fused(market: Market, fast: int, slow: int, *, equity: bool, sums: int) -> dict[str, Any]:
    """Decide and play piece by piece."""
    program = SignalProgram(cross, [{"fast": fast, "slow": slow}])
    return _of(play_fused(program, 0, market, rules(), equity=equity, sums=sums))


def grid(market: Market) -> dict[str, Any]:
    """Measure every pair of the grid as `lanner sweep` does, in this thread."""
    at = venue()
    spec = BacktestSpec(
        "benchmark", "benchmark", [StrategyEntry(cross(), 1.0)], [], {INSTRUMENT.id: INSTRUMENT},
        {INSTRUMENT.venue: at}, "USDT",
    )  # fmt: skip
    task = Task("array", cross, market, spec, np.array([[0, len(market)]]), np.zeros(0, np.int64))
    sets = [{"fast": fast, "slow": slow} for slow in columns.SLOWS for fast in columns.FASTS]
    shard = measure(task, sets)
    found = statistics(task, shard.raw, shard.extra, 0)
    ends = found["end_equity"]
    return {"best": float(ends.max()), "mean": float(ends.mean()), "trades": int(found["trades"].sum())}


def main() -> None:
    """Warm up, run, report every task."""
    args = columns.arguments()
    market = market_of(args.data)
    singles: dict[str, Callable[..., dict[str, Any]]] = {
        "arrays": arrays,
        "public": public,
        "fused": partial(fused, equity=True, sums=0),
        "fused-statistics": partial(fused, equity=False, sums=2),
    }
    found = {}
    for label, pair in columns.PAIRS.items():
        for task, play in singles.items():
            run = partial(play, market, *pair)
            found[f"{task}/{label}"] = columns.measured(run, run, args.repeat)
    if args.grid:
        run = partial(grid, market_of(args.grid))
        found["grid"] = columns.measured(run, run, args.repeat)
    columns.emit(tasks=found, version=__version__)


if __name__ == "__main__":
    main()
