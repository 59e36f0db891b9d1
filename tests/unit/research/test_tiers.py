"""What the tiers refuse, and what they say."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.research.market import Market
from lanner.research.tier_compiled import CompiledRunner, compiled_loop, terms_of
from lanner.research.tier_quotes import QuoteMarket
from lanner.research.tier_replay import player, run_compiled_backtest, run_fastest
from lanner.research.tier_triggers import run_triggers
from lanner.sim.settings import FundingMode, Latency, LatencySettings, VenueSettings
from lanner.storage.schema import SCHEMAS

MINUTE = 60_000_000_000
START = 1_704_067_200_000_000_000
PERP_ID = "AAA-PERP.TEST"
PERP = ln.Instrument.perp("AAA-PERP.TEST", tick="0.01", lot="0.001", taker="0.0005")
VENUE = VenueSettings(name="TEST", balances={"USDT": Decimal(1_000)}, funding=FundingMode.ASSUME_ZERO)


def bars(rows: int = 50) -> pl.DataFrame:
    px = 100.0 + np.round(np.sin(np.arange(rows) / 3.0), 2)
    ts = START + MINUTE * np.arange(1, rows + 1)
    columns = {"ts_event": ts, "ts_recv": ts, "ts_open": ts - MINUTE, "volume": np.full(rows, 9.0)}
    columns |= dict.fromkeys(("open", "high", "low", "close"), px)
    return pl.DataFrame(columns).select(
        pl.col(name).cast(dtype) if name in columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )


def spec(strategy: ln.Strategy, **changes: Any) -> BacktestSpec:
    made = BacktestSpec(
        name="t",
        run_id="t",
        strategies=[StrategyEntry(strategy, 1.0)],
        streams=[memory_stream("bars", PERP.id, bars(), "1m")],
        instruments={PERP.id: PERP},
        venues={"TEST": VENUE},
        currency="USDT",
    )
    return replace(made, **changes)


def runner(strategy: Any) -> CompiledRunner:
    market = Market.from_frames(PERP, "1m", [bars()])
    return CompiledRunner(strategy, market, terms_of(strategy, PERP, VENUE, Decimal(1_000)))


@ln.compiled("1m", state={"count": 0, "sum": 0.0})
def counting(ctx, bar, every=7, size=1.0):  # type: ignore[no-untyped-def]
    ctx.count += 1
    ctx.sum += bar.close
    if ctx.count % every == 0:
        if ctx.position > 0.0:
            ctx.close()
        else:
            ctx.buy(size)


@ln.compiled("quotes")
def quoting(ctx, quote):  # type: ignore[no-untyped-def]
    ctx.target(1.0 if quote.mid > 102.0 else 0.0)


class QuoteCross(ln.TriggerStrategy):
    """Buys high and sells low."""

    on = "quotes"

    def triggers(self, frame: Any) -> dict[str, Any]:
        return {"up": frame.mid > 105.0, "down": frame.mid < 101.0}

    def on_trigger(self, name: str, event: Any) -> None:
        self.target(0.5 if name == "up" else 0.0)


class Cross(ln.TriggerStrategy):
    """Buys above the average."""

    timeframe = "1m"

    def triggers(self, frame: Any) -> dict[str, Any]:
        return {"up": frame.close.crossed_above(frame.close.sma(5)), "mean": frame.close.sma(5)}

    def on_trigger(self, name: str, event: Any) -> None:
        self.target(0.5)


def test_every_set_of_parameters_uses_one_loop() -> None:
    play = runner(counting)
    few, many = play.run({"every": 20}), play.run({"every": 3, "size": 0.5})
    assert int(few.book["orders"]) < int(many.book["orders"])
    assert len(compiled_loop(counting)[0].signatures) == 1
    assert few.context["count"] == many.context["count"] == 50


def test_a_run_leaves_nothing_behind_for_the_next() -> None:
    play = runner(counting)
    first = play.run({"every": 3})
    play.run({"every": 4})
    again = play.run({"every": 3})
    assert (first.fills == again.fills).all()
    assert (first.equity == again.equity).all()


def test_records_with_fields_named_like_verbs_compile_beside_contexts() -> None:
    import numba

    record = np.zeros(1, [("close", "f8"), ("target", "f8"), ("bid", "f8")])[0]
    record["close"], record["target"], record["bid"] = 1.0, 2.0, 4.0

    @numba.njit
    def total(item):  # type: ignore[no-untyped-def]
        return item.close + item.target + item.bid

    runner(counting).run()
    assert total(record) == 7.0


@pytest.mark.parametrize("tier", ["auto", "compiled", "python"])
def test_a_compiled_strategy_has_one_result_in_every_tier(tier: str) -> None:
    assert player(tier)(spec(counting()), None).state_hash == run_backtest(spec(counting())).state_hash


def perpetual(tmp_path: Path) -> list[str]:
    """Import 2,000 minute bars of a perpetual and its funding, and return the names of the data sets."""
    from lanner.cli.main import main

    rows = range(2_000)
    files = {"bars": tmp_path / "bars.csv", "funding": tmp_path / "funding.csv"}
    px = 100.0 + np.round(5 * np.sin(np.arange(2_001) / 40.0), 2)
    lines = [
        f"{START // 10**6 + 60_000 * i},{px[i]},{max(px[i : i + 2])},{min(px[i : i + 2])},{px[i + 1]},9"
        for i in rows
    ]
    files["bars"].write_text("\n".join(["timestamp,open,high,low,close,volume", *lines]) + "\n")
    paid = [f"{START // 10**6 + 1_200_000 * i},{0.0001 * (1 + i % 3)}" for i in range(101)]
    files["funding"].write_text("\n".join(["timestamp,funding_rate", *paid]) + "\n")
    for path in files.values():
        spec = ["--timeframe", "1m"] if path is files["bars"] else []
        assert main(["data", "import", str(path), "--instrument", PERP_ID, *spec]) == 0
    return [f"{PERP_ID}@1m", f"{PERP_ID}@funding"]


@pytest.mark.parametrize(("strategy", "tier"), [(counting, "compiled"), (Cross, "triggers"), (Cross, "auto")])
def test_lanner_backtest_plays_every_tier_with_funding(strategy: Any, tier: str, tmp_path: Path) -> None:
    data = perpetual(tmp_path)
    fast, slow = (ln.backtest(strategy, data, tier=one, keep=False).result for one in (tier, "python"))
    assert slow.funding != 0
    assert len(slow.fills) > 5
    assert (fast.state_hash, fast.funding, fast.metrics) == (slow.state_hash, slow.funding, slow.metrics)


def test_lanner_backtest_says_which_tier_can_play_funding_on_quotes(tmp_path: Path) -> None:
    """The trigger tier pays funding on quotes; the compiled loop knows it on bars only, and says so."""
    rows = np.arange(400)
    quotes = {"timestamp": START // 10**6 + 250 * rows, "bid": 100.0 + rows % 7, "ask": 100.5 + rows % 7}
    table = pl.DataFrame({**quotes, "bid_size": np.full(400, 5.0), "ask_size": np.full(400, 5.0)})
    data = {PERP_ID: table}
    funding = tmp_path / "funding.csv"
    funding.write_text(f"timestamp,funding_rate\n{START // 10**6},0\n{START // 10**6 + 50_600},0.001\n")
    from lanner.cli.main import main

    assert main(["data", "import", str(funding), "--instrument", PERP_ID]) == 0
    with pytest.raises(ln.ConfigError, match="Python tier only"):
        ln.backtest(quoting, data, tier="compiled", keep=False)
    one, other = (
        ln.backtest(QuoteCross, data, tier=tier, keep=False).result for tier in ("triggers", "python")
    )
    assert one.funding == other.funding != 0
    assert one.state_hash == other.state_hash


def test_lanner_backtest_refuses_an_unknown_tier() -> None:
    with pytest.raises(ln.ConfigError, match="python, auto, triggers, compiled"):
        ln.backtest(Cross, "BTC-USDT.BINANCE@1h", tier="warp")


def test_auto_plays_what_cannot_be_hastened_in_the_engine() -> None:
    latency = LatencySettings(entry=Latency(mean_ns=5_000_000))
    slow = {"venues": {"TEST": replace(VENUE, latency=latency)}}
    with pytest.raises(ln.ConfigError, match="travel with a delay"):
        run_compiled_backtest(spec(counting(), **slow))
    assert run_fastest(spec(counting(), **slow)).fills == run_backtest(spec(counting(), **slow)).fills


def test_a_strategy_of_another_tier_is_refused_with_the_reason() -> None:
    with pytest.raises(ln.ConfigError, match=r"not under @lanner\.compiled"):
        run_compiled_backtest(spec(Cross()))
    with pytest.raises(ln.ConfigError, match=r"not a lanner\.TriggerStrategy"):
        run_triggers(spec(counting()))


def test_a_trigger_strategy_with_a_bar_handler_of_its_own_is_not_played_in_jumps() -> None:
    class Nosy(Cross):
        def on_bar(self, bar: ln.Bar) -> None:
            super().on_bar(bar)

    with pytest.raises(ln.ConfigError, match="on_bar of its own"):
        run_triggers(spec(Nosy()))


def test_an_undeclared_attribute_is_named_in_both_forms() -> None:
    @ln.compiled("1m")
    def forgetful(ctx, bar):  # type: ignore[no-untyped-def]
        ctx.speed = bar.close

    with pytest.raises(ln.StrategyError, match="speed"):
        run_backtest(spec(forgetful()))
    with pytest.raises(ln.StrategyError, match="speed"):
        runner(forgetful).run()


def test_division_by_zero_is_an_error_in_both_forms() -> None:
    @ln.compiled("1m")
    def dividing(ctx, bar, by=0.0):  # type: ignore[no-untyped-def]
        if bar.close / by > 1.0:
            ctx.buy(1.0)

    with pytest.raises(ln.StrategyError, match="ZeroDivisionError"):
        run_backtest(spec(dividing()))
    with pytest.raises(ln.StrategyError, match="ZeroDivisionError"):
        runner(dividing).run()


def test_whole_number_state_cannot_become_a_fraction() -> None:
    @ln.compiled("1m", state={"count": 0})
    def halving(ctx, bar):  # type: ignore[no-untyped-def]
        ctx.count = ctx.count + 0.5

    with pytest.raises(ln.StrategyError, match=r"ctx\.count is a whole number"):
        run_backtest(spec(halving()))


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ({"target": 0.0}, "target"),
        ({"equity": 0.0}, "equity"),
        ({"name": "text"}, "name"),
        ({"a b": 1}, "a b"),
    ],
)
def test_state_that_cannot_be_is_refused_when_it_is_declared(state: Any, what: str) -> None:
    with pytest.raises(ln.ConfigError, match=what):
        ln.compiled("1m", state=state)(lambda ctx, bar: None)


def test_parameters_that_cannot_be_compiled_are_refused_when_they_are_declared() -> None:
    def step(ctx, bar, mode="fast"):  # type: ignore[no-untyped-def]
        """Do nothing."""

    with pytest.raises(ln.ConfigError, match="mode"):
        ln.compiled("1m")(step)


def test_a_quote_with_an_empty_side_is_refused_by_the_loop() -> None:
    columns = {name: np.array([1.0, 2.0]) for name in ("bid_px", "bid_qty", "ask_px", "ask_qty")}
    columns["ask_qty"][1] = 0.0
    with pytest.raises(ln.DataError, match="quote 1 has an empty side"):
        QuoteMarket.from_arrays(PERP, columns, np.array([1, 2]))


def test_triggers_must_be_conditions_of_the_frame() -> None:
    class Empty(Cross):
        def triggers(self, frame: Any) -> Any:
            return {"mean": frame.close.sma(5)}

    class Foreign(Cross):
        def triggers(self, frame: Any) -> Any:
            return {"up": True}

    with pytest.raises(ln.StrategyError, match="no condition"):
        run_backtest(spec(Empty()))
    with pytest.raises(ln.StrategyError, match="'up' is not made of the frame"):
        run_backtest(spec(Foreign()))


def test_an_unknown_tier_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ln.ConfigError, match="triggers"):
        player("warp")


def test_a_compiled_strategy_works_after_anything_else_was_compiled() -> None:
    code = """
import numba
import numpy as np

before = numba.njit(lambda row: row.a)
before(np.zeros(1, [("a", "f8")])[0])

from lanner.kernels.compiled import context_type

def rest(ctx):
    ctx.bid(1.0, 2.0)
    return ctx.bid_px_

print(numba.njit(rest)(np.zeros(1, context_type([], []))[0]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "2.0", done.stderr
