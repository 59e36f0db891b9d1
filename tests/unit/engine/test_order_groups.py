"""Batches, orders that wait, worst-case limits and dust, seen from a strategy in a whole backtest."""

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
from lanner.core.errors import InvalidOrderError, StrategyError
from lanner.model.instruments import Instrument
from lanner.risk.checks import RiskLimits
from lanner.sim.settings import FundingMode, Latency, LatencySettings, Slippage, SlippageModel, VenueSettings
from lanner.storage.schema import SCHEMAS

MINUTE = 60_000_000_000
SPOT = Instrument.spot("BTC-USDT.SIM", tick="0.01", lot="0.001", min_qty="0.01", min_notional="5")
PERP = Instrument.perp("BTC-PERP.SIM", tick="0.01", lot="0.001", max_leverage=10)


def play(
    strategy: ln.Strategy,
    instrument: Instrument = PERP,
    rows: int = 8,
    *,
    risk: RiskLimits | None = None,
    latency: LatencySettings | None = None,
) -> BacktestResult:
    columns: dict[str, list[Any]] = {
        "ts_open": [i * MINUTE for i in range(rows)],
        "ts_event": [(i + 1) * MINUTE for i in range(rows)],
        "ts_recv": [(i + 1) * MINUTE for i in range(rows)],
        "open": [100.0] * rows,
        "high": [101.0] * rows,
        "low": [99.0] * rows,
        "close": [100.0] * rows,
        "volume": [1000.0] * rows,
    }
    frame = pl.DataFrame(columns).select(
        pl.col(name).cast(dtype) if name in columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["bars"].items()
    )
    venue = VenueSettings(
        "SIM",
        {"USDT": Decimal(10_000)},
        slippage=Slippage(SlippageModel.NONE, Decimal(0)),
        latency=latency or LatencySettings(),
        funding=FundingMode.ASSUME_ZERO,
        leverage=Decimal(1) if instrument.is_spot else Decimal(5),
    )
    spec = BacktestSpec(
        "groups",
        "groups",
        [StrategyEntry(strategy, 1.0)],
        [memory_stream("bars", instrument.id, frame, "1m")],
        {instrument.id: instrument},
        {"SIM": venue},
        "USDT",
        risk=risk or RiskLimits(),
    )
    return run_backtest(spec)


class EachBar(ln.Strategy):
    def on_start(self) -> None:
        self.bars("1m")
        self.count = 0

    def on_bar(self, bar: ln.Bar) -> None:
        self.count += 1
        self.do(self.count)

    def do(self, bar: int) -> None:
        raise AssertionError("a test says what to do")


class Ladder(EachBar):
    """Send three orders, then move and take back some of them, together or one by one."""

    together = True

    def do(self, bar: int) -> None:
        if bar == 1:
            if self.together:
                with self.batch():
                    self.send()
            else:
                self.send()
        elif bar == 3:
            with self.batch():
                self.cancel(self.sent[0])
                self.amend(self.sent[1], px=99.5)
                self.sell(1)

    def send(self) -> None:
        self.sent = [self.buy(1, 90 + n) for n in range(3)]


class OneByOne(Ladder):
    together = False


def test_a_batch_leads_to_the_same_orders_and_another_fingerprint() -> None:
    batched, again, single = play(Ladder()), play(Ladder()), play(OneByOne())
    states = [(o.status, o.px, o.cum_qty) for o in batched.orders]
    assert states == [("canceled", 90, 0), ("filled", 99.5, 1), ("accepted", 92, 0), ("filled", None, 1)]
    assert states == [(o.status, o.px, o.cum_qty) for o in single.orders]
    assert batched.state_hash == again.state_hash != single.state_hash


class Sequel(EachBar):
    """Buy with an order for half of it to follow, joined with another."""

    def do(self, bar: int) -> None:
        if bar == 2:
            entry = self.buy(1)
            assert not [o for o in self.open_orders if o.status.name == "HELD"]
            target = self.sell("0.5", 100.5, after=entry)
            floor = self.sell("0.5", stop_px=95, after=entry)
            self.oco(target, floor)
            assert [o.status.name for o in (target, floor)] == ["HELD", "HELD"]


def test_orders_after_another_one_leave_with_its_fill_as_one_group() -> None:
    result = play(Sequel())
    assert [(o.type, o.status) for o in result.orders] == [
        ("market", "filled"),
        ("limit", "filled"),
        ("stop_market", "canceled"),
    ]
    assert "one-cancels-other" in result.orders[2].reason


class Scaled(EachBar):
    def do(self, bar: int) -> None:
        self.sell(1, scaled=True)


def test_a_scaled_order_needs_one_to_be_sized_by() -> None:
    with pytest.raises(StrategyError, match="a scaled order; expected after="):
        play(Scaled())
    assert issubclass(InvalidOrderError, ln.LannerError)


class Stack(EachBar):
    """Work several buys whose sum is beyond the limit, and sells that together would turn the position."""

    def do(self, bar: int) -> None:
        if bar == 1:
            for n in range(4):
                self.buy(1, 95 + n)
        elif bar == 2:
            self.cancel_all()
        elif bar == 3:
            self.buy(2)
        elif bar == 5:
            for _ in range(4):
                self.sell(2, 110)
            self.sell(2, reduce_only=True)


def test_working_orders_count_in_full_against_the_position_limit() -> None:
    limits = RiskLimits(max_position_notional=Decimal(250))
    result = play(Stack(), risk=limits)
    buys, sells = result.orders[:5], result.orders[5:]
    assert [o.status for o in buys] == ["canceled", "canceled", "denied", "denied", "filled"]
    assert buys[2].reject_code == "MAX_POSITION_NOTIONAL"
    assert "and the working orders above the limit of 250" in buys[2].reason
    # the first sell closes, the second would turn 2 long into 2 short, the third into 4 short
    assert [o.status for o in sells] == ["accepted", "accepted", "denied", "denied", "filled"]


class Dust(EachBar):
    """Leave a rest that the venue does not take, and ask every bar to be flat."""

    def do(self, bar: int) -> None:
        if bar == 1:
            self.buy("1.005")
        elif bar == 3:
            self.sell(1)
        elif bar > 4:
            _ = self.close() if bar % 2 else self.target(0)


def test_dust_on_spot_is_named_once_and_no_order_is_sent_for_it() -> None:
    result = play(Dust(), SPOT, rows=20)
    assert [o.status for o in result.orders] == ["filled", "filled"]
    [named] = [text for text in result.warnings if "could not be sold" in text]
    assert named == (
        "Dust: 0.005 BTC of BTC-USDT.SIM could not be sold and is left: "
        "the venue takes no order below 0.010 BTC or 5 USDT"
    )


class DustAndBack(Dust):
    def do(self, bar: int) -> None:
        super().do(bar)
        if bar == 10:
            self.buy("0.5")


def test_dust_that_was_sold_with_a_later_position_is_not_named() -> None:
    result = play(DustAndBack(), SPOT, rows=20)
    assert [(o.status, o.qty) for o in result.orders[2:]] == [("filled", 0.5), ("filled", 0.505)]
    assert not [w for w in result.warnings if "could not be sold" in w]


class TooSmall(EachBar):
    def do(self, bar: int) -> None:
        if bar == 1:
            self.buy("0.04")


def test_the_venues_code_of_a_rejection_is_kept() -> None:
    [order] = play(TooSmall(), SPOT).orders
    assert (order.status, order.reject_code) == ("rejected", "MIN_NOTIONAL")
    assert "below the minimum" in order.reason


class TwoAmends(EachBar):
    """Amend twice while the answers are under way."""

    def do(self, bar: int) -> None:
        if bar == 1:
            self.seen: list[str] = []
            self.working = self.buy(1, 90)
        elif bar == 3:
            self.amend(self.working, px=91)
            self.amend(self.working, px=92)

    def on_order(self, order: ln.OrderView) -> None:
        if self.count >= 3:
            self.seen.append(f"{order.status.name} {order.px}")


def test_an_order_stays_pending_until_the_last_of_its_amends_is_answered() -> None:
    strategy = TwoAmends()
    play(strategy, latency=LatencySettings(amend=Latency(mean_ns=1_000_000), response=Latency(mean_ns=1_000)))
    assert strategy.seen == ["PENDING_AMEND 91.00", "ACCEPTED 92.00"]
