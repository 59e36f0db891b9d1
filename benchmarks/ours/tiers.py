"""Events per second of the trigger tier on quotes and of the compiled tier on bars and quotes."""

from __future__ import annotations

import argparse
import json
import time
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

import lanner as ln
from lanner import __version__
from lanner.backtest.memory import memory_stream
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.model.instruments import Instrument
from lanner.research.market import Market
from lanner.research.tier_compiled import CompiledRunner, terms_of
from lanner.research.tier_quotes import QuoteMarket
from lanner.research.tier_triggers import run_triggers
from lanner.sim.settings import FundingMode, VenueSettings
from lanner.storage.schema import SCHEMAS

START, MINUTE = 1_704_067_200_000_000_000, 60_000_000_000
INSTRUMENT = Instrument.perp("BTC-PERP.TEST", tick="0.01", lot="0.001", maker="0.0002", taker="0.0005")
VENUE = VenueSettings(name="TEST", balances={"USDT": Decimal(10_000)}, funding=FundingMode.ASSUME_ZERO)
FAST, SLOW = 5_000, 50_000


class Cross(ln.TriggerStrategy):
    """A cross of two slow averages."""

    on = "quotes"

    def triggers(self, quotes):  # type: ignore[no-untyped-def]
        fast, slow = quotes.mid.ema(FAST), quotes.mid.ema(SLOW)
        return {"up": fast.crossed_above(slow), "down": fast.crossed_below(slow)}

    def on_trigger(self, name, quote):  # type: ignore[no-untyped-def]
        self.target(1.0 if name == "up" else -1.0)


def cross(ctx, event, fast=FAST, slow=SLOW):  # type: ignore[no-untyped-def]
    """Decide the same, event by event."""
    px = event.close
    if ctx.index == 0:
        ctx.f = ctx.s = px
    ctx.f += (px - ctx.f) * (2.0 / (fast + 1))
    ctx.s += (px - ctx.s) * (2.0 / (slow + 1))
    above = 1 if ctx.f > ctx.s else 0
    if above != ctx.above:
        ctx.above = above
        ctx.target(1.0 if above else -1.0)


def cross_quotes(ctx, event, fast=FAST, slow=SLOW):  # type: ignore[no-untyped-def]
    """Decide the same on quotes."""
    px = event.mid
    if ctx.index == 0:
        ctx.f = ctx.s = px
    ctx.f += (px - ctx.f) * (2.0 / (fast + 1))
    ctx.s += (px - ctx.s) * (2.0 / (slow + 1))
    above = 1 if ctx.f > ctx.s else 0
    if above != ctx.above:
        ctx.above = above
        ctx.target(1.0 if above else -1.0)


STATE = {"f": 0.0, "s": 0.0, "above": 0}
ON_BARS = ln.compiled("1m", state=STATE)(cross)
ON_QUOTES = ln.compiled("quotes", state=STATE)(cross_quotes)


def walk(rows: int) -> Any:
    """Return prices of a seeded random walk."""
    rng = np.random.default_rng(5)
    return np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-5, rows))), 2)


def quotes(rows: int) -> tuple[dict[str, Any], Any]:
    """Return the columns of quotes and their times."""
    px = walk(rows)
    size = np.full(rows, 500.0)
    columns = {"bid_px": px - 0.01, "bid_qty": size, "ask_px": px + 0.01, "ask_qty": size}
    return columns, START + 100_000_000 * np.arange(1, rows + 1)


def compiled(kind: str, rows: int, repeat: int, options: dict[str, Any]) -> dict[str, Any]:
    """Play the compiled tier."""
    market: Market | QuoteMarket
    if kind == "quotes":
        strategy, (columns, ts) = ON_QUOTES, quotes(rows)
        market = QuoteMarket.from_arrays(INSTRUMENT, columns, ts)
    else:
        strategy, px = ON_BARS, walk(rows)
        ts = START + MINUTE * np.arange(1, rows + 1)
        before = np.append(px[:1], px[:-1])
        bars = {
            "ts_open": ts - MINUTE, "open": before, "high": np.maximum(px, before), "low": np.minimum(px, before),
            "close": px, "volume": np.full(rows, 100.0),
        }  # fmt: skip
        market = Market.from_arrays(INSTRUMENT, "1m", bars, ts)
    runner = CompiledRunner(strategy, market, terms_of(strategy, INSTRUMENT, VENUE, Decimal(10_000)))
    made = runner.run(**options)
    seconds = []
    for _ in range(repeat):
        start = time.process_time()
        runner.run(**options)
        seconds.append(time.process_time() - start)
    return {"cpu_seconds": float(np.median(seconds)), "orders": int(made.book["orders"])}


def triggers(rows: int, repeat: int) -> dict[str, Any]:
    """Play the trigger tier; the time is the run's own: reading columns, conditions, engine and venue."""
    columns, ts = quotes(rows)
    table: dict[str, Any] = {**columns, "ts_event": ts, "ts_recv": ts, "seq": np.zeros(rows, np.int64)}
    frame = pl.DataFrame(table).select(pl.col(name).cast(dtype) for name, dtype in SCHEMAS["quotes"].items())
    stream = memory_stream("quotes", INSTRUMENT.id, frame)
    seconds, orders = [], 0
    for turn in range(repeat + 1):
        spec = BacktestSpec(
            name="tier",
            run_id="tier",
            strategies=[StrategyEntry(Cross(), 1.0)],
            streams=[stream],
            instruments={INSTRUMENT.id: INSTRUMENT},
            venues={"TEST": VENUE},
            currency="USDT",
            max_points=100_000,
        )
        result = run_triggers(spec)
        orders = len(result.orders)
        if turn:  # the first one compiles
            seconds.append(result.seconds)
    return {"cpu_seconds": float(np.median(seconds)), "orders": orders}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=("triggers", "bars", "quotes", "bars-curve"), required=True)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    if args.task == "triggers":
        made = triggers(args.rows, args.repeat)
    elif args.task == "bars-curve":
        made = compiled("bars", args.rows, args.repeat, {"log": True, "equity": True})
    else:
        made = compiled(args.task, args.rows, args.repeat, {"log": False, "equity": False, "sums": 0})
    print(json.dumps({"version": __version__, "events": args.rows, **made}))


if __name__ == "__main__":
    main()
