"""Whatever a strategy orders, the simulated venue keeps its promises: random orders through real backtests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.errors import InvalidOrderError
from lanner.core.rng import Rng
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    GapFill,
    Latency,
    LatencyKind,
    LatencySettings,
    LimitOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)

MINUTE = 60 * 10**9
START = 1_704_067_200 * 10**9
SPOT = Instrument.spot("BTC-USDT.SIM", tick="0.01", lot="0.001", maker="-0.0001", taker="0.001")
PERP = Instrument.perp(
    "BTCUSDT-PERP.SIM", tick="0.01", lot="0.001", maker="-0.0001", taker="0.001", max_leverage=5
)


class Restless(ln.Strategy):
    """Sends orders of every kind at random, amends and cancels them, and answers its own fills."""

    seed = ln.Param(1)
    ticks = ln.Param(False)

    def on_start(self) -> None:
        self.draw = Rng(self.seed)
        if not self.ticks:
            self.bars("1m")
        self.set_timer("inside", every="5m")

    def on_timer(self, timer: Any) -> None:
        self.act()

    def on_fill(self, fill: Any) -> None:
        if self.draw.random() < 0.3:
            self.act()

    def act(self) -> None:
        draw, price = self.draw, self.price()
        if not price > 0:
            return
        choice = draw.integer(0, 10)
        try:
            if choice == 0:
                self.target(draw.integer(-2, 3) / 2, stop="1%", take="2%")
            elif choice == 1:
                for order in self.open_orders[:2]:
                    self.cancel(order)
            elif choice == 2 and self.open_orders:
                order = self.open_orders[0]
                px = None if order.px is None else round(price * (0.99 + 0.02 * draw.random()), 2)
                self.amend(order, qty=draw.integer(1, 4), px=px)
            elif choice == 3:
                high, low = (round(price * factor, 2) for factor in (1.01, 0.99))
                self.oco(self.sell(1, high), self.sell(1, stop_px=low))
            else:
                self.send(draw, price)
        except InvalidOrderError:
            pass  # e.g. an amendment of an order that waits for its cancel

    def send(self, draw: Rng, price: float) -> None:
        kind = OrderType(draw.integer(1, 8))
        near = [round(price * (0.99 + 0.02 * draw.random()), 2) for _ in range(2)]
        tif = TimeInForce(draw.integer(1, 5))
        self.order(
            Side.BUY if draw.random() < 0.5 else Side.SELL,
            draw.integer(1, 40) / 10,
            near[0] if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT) else None,
            type=kind,
            stop_px=near[1] if kind.value in (3, 4, 5, 6) else None,
            trail=("1%" if draw.random() < 0.5 else 0.5) if kind is OrderType.TRAILING_STOP else None,
            tif=tif,
            expire=self.now + draw.integer(1, 5 * MINUTE) if tif is TimeInForce.GTD else None,
            post_only=kind is OrderType.LIMIT and tif is TimeInForce.GTC and draw.random() < 0.3,
            reduce_only=draw.random() < 0.2,
            stop="1%" if draw.random() < 0.2 else None,
            take="1%" if draw.random() < 0.2 else None,
        )


class OnBars(Restless):
    def on_bar(self, bar: Any) -> None:
        self.act()


class OnQuotes(Restless):
    def on_quote(self, quote: Any) -> None:
        self.act()


class OnTrades(Restless):
    def on_trade(self, trade: Any) -> None:
        self.act()


def walk(rng: Rng, rows: int) -> list[float]:
    prices = [100.0]
    for _ in range(rows - 1):
        prices.append(round(prices[-1] * (1 + rng.normal(0, 0.004)), 2))
    return prices


def bars_of(rng: Rng, rows: int) -> pl.DataFrame:
    closes = walk(rng, rows)
    opens = [round(close * (1 + rng.normal(0, 0.002)), 2) for close in closes]
    pairs = list(zip(opens, closes, strict=True))
    return pl.DataFrame(
        {
            "ts_open": [START + n * MINUTE for n in range(rows)],
            "ts_event": [START + (n + 1) * MINUTE for n in range(rows)],
            "ts_recv": [START + (n + 1) * MINUTE for n in range(rows)],
            "open": opens,
            "high": [round(max(pair) * (1 + 0.003 * rng.random()), 2) for pair in pairs],
            "low": [round(min(pair) * (1 - 0.003 * rng.random()), 2) for pair in pairs],
            "close": closes,
            "volume": [round(20 * rng.random(), 3) for _ in closes],
        }
    ).with_columns(
        pl.lit(None, pl.Float64).alias("quote_volume"),
        pl.lit(None, pl.Int64).alias("trades"),
        pl.lit(None, pl.Float64).alias("taker_buy_volume"),
    )


def quotes_of(rng: Rng, rows: int) -> pl.DataFrame:
    mids = walk(rng, rows)
    times = [START + n * 10**9 for n in range(rows)]
    return pl.DataFrame(
        {
            "ts_event": times,
            "ts_recv": times,
            "bid_px": [round(mid - 0.01 * rng.integer(1, 4), 2) for mid in mids],
            "bid_qty": [round(5 * rng.random(), 3) for _ in mids],
            "ask_px": [round(mid + 0.01 * rng.integer(1, 4), 2) for mid in mids],
            "ask_qty": [round(5 * rng.random(), 3) for _ in mids],
            "seq": [0] * rows,
        }
    )


def trades_of(rng: Rng, rows: int) -> pl.DataFrame:
    times = [START + n * 10**9 for n in range(rows)]
    return pl.DataFrame(
        {
            "ts_event": times,
            "ts_recv": times,
            "px": walk(rng, rows),
            "qty": [round(3 * rng.random() + 0.001, 3) for _ in times],
            "aggressor": pl.Series([rng.integer(0, 3) - 1 for _ in times], dtype=pl.Int8),
            "trade_id": [str(n) for n in range(rows)],
        }
    )


def play(kind: str, instrument: Instrument, seed: int, venue: VenueSettings) -> BacktestResult:
    rng = Rng(seed)
    strategy: Restless
    if kind == "bars":
        stream = memory_stream("bars", instrument.id, bars_of(rng, 120), "1m")
        strategy = OnBars(seed=seed)
    elif kind == "quotes":
        stream = memory_stream("quotes", instrument.id, quotes_of(rng, 200))
        strategy = OnQuotes(seed=seed, ticks=True)
    else:
        stream = memory_stream("trades", instrument.id, trades_of(rng, 200))
        strategy = OnTrades(seed=seed, ticks=True)
    return run_backtest(
        BacktestSpec(
            "random",
            "r1",
            [StrategyEntry(strategy, 1.0)],
            [stream],
            {instrument.id: instrument},
            {"SIM": venue},
            "USDT",
        )
    )


def venue_of(rng: Rng) -> VenueSettings:
    """Draw the settings of a venue."""

    def one_of(*choices: Any) -> Any:
        return choices[rng.integer(0, len(choices))]

    return VenueSettings(
        "SIM",
        {"USDT": Decimal(500)},
        slippage=Slippage(one_of(*SlippageModel), one_of(Decimal(0), Decimal("0.01"), Decimal(3))),
        latency=LatencySettings(
            entry=one_of(Latency(), Latency(mean_ns=10**9), Latency(LatencyKind.NORMAL, 10**9, 5 * 10**8)),
            response=one_of(Latency(), Latency(mean_ns=5 * 10**8), Latency(LatencyKind.NORMAL, 10**8, 10**8)),
        ),
        fills=FillSettings(
            limit_on=one_of(*LimitOn),
            gap_fill=one_of(*GapFill),
            participation=one_of(0.3, 1.0),
            bar_participation=one_of(0.0, 0.1),
            walk_ticks=one_of(0, 5),
        ),
        funding=FundingMode.ASSUME_ZERO,
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["bars", "quotes", "trades"])
@pytest.mark.parametrize("instrument", [SPOT, PERP], ids=["spot", "perp"])
def test_random_orders_break_no_rule(kind: str, instrument: Instrument, seed: int) -> None:
    result = play(kind, instrument, seed, venue_of(Rng(seed).split("venue")))
    orders = {row.order_id: row for row in result.orders}
    held = 0
    cash = Decimal(500)
    for fill in result.fills:
        order = orders[fill.order_id]
        lots, ticks = round(fill.qty * 1000), round(fill.px * 100)
        held += fill.side * lots
        cash -= fill.side * Decimal(lots * ticks) / 100_000 + Decimal(repr(fill.fee))
        assert fill.ts >= order.ts_init, "filled before it was sent"
        assert fill.side == order.side
        assert fill.slippage >= 0, "slippage that helps"
        assert fill.liquidity == "taker" or fill.slippage == 0
        if instrument.is_spot:
            assert held >= 0, "sold what was not there"
            assert cash > Decimal("-1e-9"), "spent what was not there"
    for order in result.orders:
        filled = sum(fill.qty for fill in result.fills if fill.order_id == order.order_id)
        assert filled == pytest.approx(order.cum_qty)
        assert filled <= order.qty + 1e-9, "filled more than was ordered"
    total = result.attribution
    assert total.price + total.fees + total.funding + total.slippage == total.total
    assert result.end_equity - result.start_equity == total.total


@pytest.mark.parametrize("kind", ["bars", "quotes", "trades"])
def test_equal_seeds_give_equal_runs(kind: str) -> None:
    venue = VenueSettings(
        "SIM",
        {"USDT": Decimal(500)},
        latency=LatencySettings(entry=Latency(mean_ns=10**8)),
        funding=FundingMode.ASSUME_ZERO,
    )
    first, second = (play(kind, PERP, 3, venue) for _ in range(2))
    assert first.fills
    assert first.state_hash == second.state_hash
