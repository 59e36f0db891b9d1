"""Random strategies that batch, join, and let orders wait for each other: nothing is lost and nothing leaves early."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.rng import Rng
from lanner.model.enums import OrderStatus
from lanner.model.market import Quote
from lanner.model.orders import OrderView
from lanner.sim.settings import FundingMode, LatencySettings, VenueSettings
from lanner.strategy.base import Strategy
from tests.property.test_exits_cover import PERP, latency, quotes

S = OrderStatus


class Anything(Strategy):
    """Send, join, amend and take back orders at random; some wait for others, some travel together."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Rng(seed)
        self.sent: list[OrderView] = []
        self.early: list[str] = []

    def on_quote(self, quote: Quote) -> None:
        chance = self.chance
        if chance.random() > 0.3:
            return
        if chance.random() < 0.5:
            with self.batch():
                for _ in range(1 + chance.integer(0, 4)):
                    self.act(quote)
        else:
            self.act(quote)

    def act(self, quote: Quote) -> None:
        chance = self.chance
        what = chance.integer(0, 8)
        lately = self.sent[-8:]
        if what < 2:
            self.send(quote)
        elif what < 5 and lately:
            self.send(quote, after=lately[chance.integer(0, len(lately))], scaled=chance.random() < 0.5)
        elif what == 5 and lately:
            self.cancel(lately[chance.integer(0, len(lately))])
        elif what == 6:
            pair = [self.send(quote), self.send(quote, after=self.sent[-1])]
            self.oco(*pair)
        elif what == 7 and chance.random() < 0.2:
            self.cancel_all()
        elif lately:
            order = lately[chance.integer(0, len(lately))]
            if order.status in (S.HELD, S.ACCEPTED, S.PENDING_AMEND) and order.px is not None:
                self.amend(order, px=self.near(quote), qty=self.size())

    def send(self, quote: Quote, **more: object) -> OrderView:
        px = self.near(quote) if self.chance.random() < 0.7 else None
        order = self.order(1 if self.chance.random() < 0.5 else -1, self.size(), px, **more)  # type: ignore[arg-type]
        self.sent.append(order)
        return order

    def near(self, quote: Quote) -> float:
        return quote.mid * (1 + 0.002 * (self.chance.random() - 0.5))

    def size(self) -> float:
        return (1 + self.chance.integer(0, 500)) / 1000

    def on_order(self, order: OrderView) -> None:
        """A child that works has a parent that filled; one that waits has a parent that may still fill."""
        by_id = {one.order_id: one for one in self.sent}
        parent = by_id.get(order.parent_id)
        if parent is None:
            return
        if order.is_open and not parent.cum_lots:
            self.early.append(f"{order} left before {parent}")
        if order.status is S.HELD and parent.is_final:
            self.early.append(f"{order} waits for {parent}, which is over")


def play(seed: int, entry: int, response: int, sigma: int) -> tuple[Anything, BacktestResult]:
    strategy = Anything(seed)
    delays = LatencySettings(entry=latency(entry, sigma), response=latency(response, sigma))
    venue = VenueSettings(
        "TEST",
        {"USDT": Decimal(100_000)},
        latency=delays,
        funding=FundingMode.ASSUME_ZERO,
        leverage=Decimal(5),
    )
    spec = BacktestSpec(
        "waiting",
        "waiting",
        [StrategyEntry(strategy, 1.0)],
        [quotes(seed, 250, 0.0006)],
        {PERP.id: PERP},
        {"TEST": venue},
        "USDT",
        seed=seed,
    )
    return strategy, run_backtest(spec)


delays_ms = st.sampled_from([0, 5, 130, 400])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), entry=delays_ms, response=delays_ms, sigma=st.sampled_from([0, 40]))
def test_orders_that_wait_leave_with_their_parents_fill_and_never_else(
    seed: int, entry: int, response: int, sigma: int
) -> None:
    strategy, result = play(seed, entry, response, sigma)
    assert strategy.early == []
    sent = {order.order_id: order for order in strategy.sent}
    for order in strategy.sent:
        parent = sent.get(order.parent_id)
        if parent is None:
            assert order.status is not S.HELD
        elif order.status is S.HELD:
            assert not parent.is_final
            assert order.parent_lots or not parent.cum_lots
        elif (
            order.status is S.CANCELED
            and not order.venue_order_id
            and parent.is_final
            and not parent.cum_lots
        ):
            assert order.reason
    assert {order.status for order in strategy.sent if order.requests is not None} <= {
        S.ACCEPTED,
        S.PARTIALLY_FILLED,
    }, "every request is answered in the end"
    assert play(seed, entry, response, sigma)[1].state_hash == result.state_hash


def test_the_drawn_runs_hold_orders_back_and_send_them() -> None:
    strategy, _ = play(7, 5, 5, 0)
    children = [order for order in strategy.sent if order.parent_id]
    assert sum(order.cum_lots > 0 for order in children) > 5
    assert sum("ended without a fill" in order.reason for order in children) > 5
