"""Fees that a venue keeps of a bought coin: the position holds what can be sold, and the fee is paid once."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lanner.backtest.trips import round_trips
from lanner.execution.late_fills import book_recognised
from lanner.execution.lifecycle import apply_report
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import CONCLUDED, OrderFilled
from lanner.portfolio.portfolio import Portfolio

SPOT = Instrument.spot("ETH-USDT.TEST", tick="0.01", lot="0.0001")
RATE = Decimal("0.001")

trades = st.lists(
    st.tuples(st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 5_000), st.integers(1_000, 400_000)),
    min_size=1,
    max_size=30,
)


def fill(number: int, side: Side, lots: int, px: int) -> OrderFilled:
    """Return a fill as a spot venue makes it: buys pay in the coin, sales in money."""
    qty, price = SPOT.qty(lots), SPOT.px(px)
    base_fee = qty * RATE if side is Side.BUY else Decimal(0)
    fee = qty * price * RATE
    return OrderFilled(
        f"o{number}",
        SPOT.id,
        number,
        number,
        f"t{number}",
        side,
        px,
        lots,
        fee,
        Liquidity.TAKER,
        px,
        "",
        base_fee,
    )


def portfolio() -> Portfolio:
    made = Portfolio("USDT", {}, {SPOT.id: 100.0})
    made.add_strategy("s", Decimal(1_000_000))
    return made


@given(trades)
def test_the_position_is_what_the_account_can_sell_and_equity_is_coins_and_money(
    plan: list[tuple[Side, int, int]],
) -> None:
    book = portfolio()
    coins, money = Decimal(0), Decimal(0)
    for number, (side, lots, px) in enumerate(plan):
        position = book.position("s", SPOT)
        lots = lots if side is Side.BUY else min(lots, position.lots)
        if not lots:
            continue
        one = fill(number, side, lots, px)
        position = book.apply_fill("s", SPOT, one)
        value = SPOT.qty(lots) * SPOT.px(px)
        coins += SPOT.qty(lots) - one.base_fee if side is Side.BUY else -SPOT.qty(lots)
        money += -value if side is Side.BUY else value - one.fee
        assert 0 <= coins - position.qty < SPOT.lot
        # the begun lot's rest was valued at the prices of its fills: no more than a lot's worth can differ
        there = money + coins * SPOT.px(px)
        book.marks[SPOT.id] = float(SPOT.px(px))
        assert abs(book.exact_pnl(position) - there) <= SPOT.lot * SPOT.px(400_000) * (number + 1)


def test_equity_at_the_price_of_the_fill_is_less_by_the_fee_and_nothing_else() -> None:
    book = portfolio()
    position = book.apply_fill("s", SPOT, fill(1, Side.BUY, 10_000, 200_000))
    book.marks[SPOT.id] = 2_000.0
    assert position.lots == 9_990
    assert book.exact_pnl(position) == -Decimal("2.0000")
    assert position.volume == 10_000 * 200_000


def test_a_position_that_is_sold_whole_is_one_closed_trade() -> None:
    book, fills = portfolio(), []
    for number, side, lots, px in ((1, Side.BUY, 10_000, 200_000), (2, Side.SELL, 9_990, 220_000)):
        one = fill(number, side, lots, px)
        order = Order(one.order_id, "s", SPOT, side, OrderType.MARKET, lots, number)
        fills.append((one, order))
        book.apply_fill("s", SPOT, one)
    position = book.position("s", SPOT)
    assert position.lots == 0
    [trip] = round_trips(fills, [], {SPOT.id: 2_200.0}, {}, 3)
    assert not trip.open
    assert trip.qty == pytest.approx(0.999)
    assert trip.pnl == pytest.approx(float(book.exact_pnl(position)))


def test_a_fee_that_was_concluded_is_corrected_by_the_true_one() -> None:
    book = portfolio()
    order = Order("o1", "s", SPOT, Side.BUY, OrderType.LIMIT, 10_000, 1, px_ticks=200_000)
    order.status = OrderStatus.ACCEPTED
    guessed = replace(fill(1, Side.BUY, 10_000, 200_000), trade_id=f"{CONCLUDED}-o1-10000")
    assert apply_report(order, guessed)
    assert book.apply_fill("s", SPOT, guessed).lots == 9_990
    cheap = replace(fill(1, Side.BUY, 10_000, 200_000), fee=Decimal("0.8"), base_fee=Decimal("0.0004"))
    assert book_recognised(order, cheap, book) is None
    position = book.position("s", SPOT)
    assert (position.lots, position.fees) == (9_996, Decimal("0.8"))
    book.marks[SPOT.id] = 2_000.0
    assert book.exact_pnl(position) == -Decimal("0.8")
