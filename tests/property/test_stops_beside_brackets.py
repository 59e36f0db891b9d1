"""Brackets, stops and sales of a strategy together, whatever the delays: never more leaves than is held."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry
from lanner.core.errors import InvalidOrderError
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.orders import OrderView
from lanner.sim.settings import FundingMode, LatencySettings, VenueSettings
from lanner.strategy.base import Strategy
from tests.property.test_exits_cover import delays, latency, quotes

SPOT = Instrument.spot("AAA-USDT.TEST", tick="0.01", lot="0.001")


class Guarded(Strategy):
    """Buy with exits, set stops beside them, and sell parts by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.count = self.stopped = 0
        self.wrong: list[str] = []

    def on_order(self, order: OrderView) -> None:
        # a sale of the strategy's own leaves together with what makes room for it, which may be slower
        if order.status is OrderStatus.REJECTED and order.side is Side.SELL and order.tag != "part":
            self.wrong.append(f"{self.now}: {order!r} {order.reason}")

    def on_fill(self, fill: object) -> None:
        if self.position.qty < 0:
            self.wrong.append(f"{self.now}: {self.position.qty} held")

    def check(self, held: Decimal) -> None:
        """Compare what is held with what may leave; of a group only one order can."""
        groups: dict[str, Decimal] = {}
        for order in self.open_orders:
            if order.side is Side.SELL:
                name = order.group_id or order.order_id
                groups[name] = max(groups.get(name, Decimal(0)), order.leaves_qty)
        if sum(groups.values()) > held:
            self.wrong.append(f"{self.now}: {held} held, {groups} may leave")

    def on_quote(self, quote: Quote) -> None:
        self.count += 1
        held = self.position.qty
        if all(map(has_answered, self.open_orders)):
            self.check(held)
        chance = self.rng.random()
        if self.count % 7 or any(
            order.type is OrderType.MARKET or order.tag == "part" for order in self.open_orders
        ):
            return
        if not held:
            stop = ("0.1%", "0.2%", None)[self.rng.integer(0, 3)]
            self.buy(1, quote.ask_px, stop=stop, take="0.1%" if chance < 0.5 else None, tag="part")
        elif chance < 0.4:
            with suppress(InvalidOrderError):
                part = 0.5 if self.rng.random() < 0.5 else 1
                self.stops.set_stop_loss("0.1%", partial_close_pct=part)
                self.stops.set_take_profit("0.15%", partial_close_pct=0.5)
        elif chance < 0.6:
            self.target_qty(held / 2, tag="part")
        elif chance < 0.7:
            self.stops.remove_all()
        elif chance < 0.8 and held < 3:
            self.buy(1, stop="0.15%", tag="part")


def has_answered(order: OrderView) -> bool:
    """Tell whether the venue has answered all that was asked of an order."""
    requests = order.requests
    return order.status is not OrderStatus.SUBMITTED and not (
        requests and (requests.amends or requests.cancels)
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    wild=st.sampled_from([0.0002, 0.0006]),
    entry=delays,
    amend=delays,
    response=delays,
)
def test_on_spot_exits_stops_and_sales_never_lock_or_sell_more_than_is_held(
    seed: int, wild: float, entry: int, amend: int, response: int
) -> None:
    strategy = Guarded()
    venue = VenueSettings(
        "TEST",
        {"USDT": Decimal(100_000)},
        latency=LatencySettings(
            entry=latency(entry, 0), amend=latency(amend, 0), response=latency(response, 0)
        ),
        funding=FundingMode.ASSUME_ZERO,
    )
    stream = quotes(seed, 300, wild, SPOT)
    spec = BacktestSpec(
        "beside",
        "beside",
        [StrategyEntry(strategy, 1.0)],
        [stream],
        {SPOT.id: SPOT},
        {"TEST": venue},
        "USDT",
        seed=seed,
    )
    result = run_backtest(spec)
    assert strategy.wrong == []
    assert len(result.fills) > 1
