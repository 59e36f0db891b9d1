"""Whatever the delays and the sizes of fills: what a bracket's entry bought has a stop once the venue has answered."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.backtest.memory import memory_stream
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry, Stream
from lanner.core.rng import Rng
from lanner.model.enums import OrderStatus
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.orders import OrderView
from lanner.sim.settings import FundingMode, Latency, LatencyKind, LatencySettings, VenueSettings
from lanner.storage.schema import SCHEMAS
from lanner.strategy.base import Strategy

MS = 1_000_000
PERP = Instrument.perp("AAA-PERP.TEST", tick="0.01", lot="0.001", max_leverage=10)


class Bracketed(Strategy):
    """Enter by limit whenever flat and idle, with a near stop and target, and look after nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = 0
        self.bare: list[str] = []
        self.waits = False

    def on_order(self, order: OrderView) -> None:
        if order.intent == "stop":  # one that went off and found nothing is sent again a second later
            self.waits = order.status is OrderStatus.EXPIRED and not order.cum_lots

    def on_quote(self, quote: Quote) -> None:
        held = abs(self.position.qty)
        stops = [order for order in self.open_orders if order.intent == "stop"]
        covered = sum(map(lots_of, stops), Decimal(0))
        if covered < held and not self.waits and not any(map(is_asked, stops)):
            self.bare.append(f"{self.now}: {held} held, {covered} covered")
        if not self.position and not self.open_orders:
            self.entries += 1
            up = self.entries % 2
            verb, px = (self.buy, quote.ask_px + 0.05) if up else (self.sell, quote.bid_px - 0.05)
            verb(1, px, stop="0.1%", take="0.1%")


def is_asked(order: OrderView) -> bool:
    """Tell whether the venue has still to answer for an order: until then nothing more is asked of it."""
    requests = order.requests
    return order.status is OrderStatus.SUBMITTED or (requests is not None and bool(requests.amends))


def lots_of(order: OrderView) -> Decimal:
    """Return what an order covers once the amends under way have arrived."""
    requests = order.requests
    if order.status is OrderStatus.PENDING_CANCEL:
        return Decimal(0)
    aim = requests.aim_lots if requests is not None and requests.amends else 0
    return PERP.qty(max(order.lots, aim) - order.cum_lots)


def quotes(seed: int, rows: int, wild: float, instrument: Instrument = PERP) -> Stream:
    chance = Rng(seed)
    mid, times, bids, asks, sizes = 100.0, [], [], [], []
    for row in range(rows):
        mid *= 1 + wild * chance.normal(0.0, 1.0)
        times.append(row * 100 * MS)
        bids.append(round(mid - 0.01, 2))
        asks.append(round(mid + 0.01, 2))
        sizes.append(chance.integer(1, 600) / 1000)
    known = {
        "ts_event": times,
        "ts_recv": times,
        "bid_px": bids,
        "ask_px": asks,
        "bid_qty": sizes,
        "ask_qty": sizes,
    }
    frame = pl.DataFrame(known).select(
        pl.col(name).cast(dtype) if name in known else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["quotes"].items()
    )
    return memory_stream("quotes", instrument.id, frame)


delays = st.sampled_from([0, 0, 5, 50, 130, 400])


def latency(ms: int, sigma: int) -> Latency:
    kind = LatencyKind.NORMAL if sigma else LatencyKind.CONSTANT
    return Latency(kind=kind, mean_ns=ms * MS, sigma_ns=sigma * MS)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    wild=st.sampled_from([0.0002, 0.0006, 0.002]),
    entry=delays,
    amend=delays,
    response=delays,
    sigma=st.sampled_from([0, 40]),
)
def test_a_brackets_position_is_never_without_a_stop(
    seed: int, wild: float, entry: int, amend: int, response: int, sigma: int
) -> None:
    strategy = Bracketed()
    venue = VenueSettings(
        "TEST",
        {"USDT": Decimal(100_000)},
        latency=LatencySettings(
            entry=latency(entry, 0),
            amend=latency(amend, 0),
            exchange=latency(sigma, sigma),
            response=latency(response, sigma),
        ),
        funding=FundingMode.ASSUME_ZERO,
        leverage=Decimal(5),
    )
    spec = BacktestSpec(
        "cover",
        "cover",
        [StrategyEntry(strategy, 1.0)],
        [quotes(seed, 300, wild)],
        {PERP.id: PERP},
        {"TEST": venue},
        "USDT",
        seed=seed,
    )
    run_backtest(spec)
    assert strategy.bare == []
    assert strategy.entries > 0
