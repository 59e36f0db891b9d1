"""The venue's own books: exact, never overdrawn, and margin only for what opens."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.model.instruments import Instrument
from lanner.sim.accounts import FEE_QUANTUM, SimAccount

SPOT = Instrument.spot("BTC-USDT.SIM", tick="0.01", lot="0.001")
FINE = Instrument.spot("SHIB-USDT.SIM", tick="0.00000001", lot="0.00000001")
PERP = Instrument.perp("BTCUSDT-PERP.SIM", tick="0.1", lot="0.01", max_leverage=10)
OTHER = Instrument.perp("ETHUSDT-PERP.SIM", tick="0.1", lot="0.01", max_leverage=10)
FEE = Decimal("0.001")
ZERO = Decimal(0)


def account(cash: str = "1000", leverage: int = 1, **more: str) -> SimAccount:
    balances = {"USDT": Decimal(cash)} | {name: Decimal(text) for name, text in more.items()}
    return SimAccount(balances, Decimal(leverage))


def fill(books: SimAccount, instrument: Instrument, side: int, lots: int, px: int) -> None:
    books.book_fill(instrument, side, lots, px, books.fee(instrument, lots, px, FEE), 0)


def test_a_spot_purchase_moves_money_into_coins_to_the_last_unit() -> None:
    books = account()
    fill(books, SPOT, 1, 2_500, 10_005)  # 2.5 at 100.05
    assert books.balances == {"USDT": Decimal("1000") - Decimal("250.125") * Decimal("1.001"), "BTC": 2.5}
    fill(books, SPOT, -1, 2_500, 10_005)
    assert books.balances["BTC"] == 0
    assert books.balances["USDT"] == 1000 - 2 * Decimal("0.250125") == 1000 - books.fees_paid


def test_a_perpetual_moves_only_profit_and_fee_through_the_wallet() -> None:
    books = account()
    fill(books, PERP, 1, 200, 1_000)  # 2 at 100
    assert books.balances["USDT"] == Decimal("999.8")
    fill(books, PERP, -1, 200, 1_100)  # 10 of profit each
    assert books.balances["USDT"] == Decimal("999.8") + 20 - Decimal("0.22")


def test_coins_that_are_not_there_cannot_be_sold() -> None:
    assert account().affordable_lots(SPOT, -1, 10_000, FEE) == 0
    books = account(BTC="0.0125")
    assert books.affordable_lots(SPOT, -1, 10_000, FEE) == 12
    assert books.affordable_lots(SPOT, -1, 10_000, FEE, reserved=Decimal("0.01")) == 2


@given(
    cash=st.decimals("0.000001", "100000", places=8),
    px=st.integers(1, 10**12),
    rate=st.decimals("-0.01", "0.05", places=5),
)
def test_whatever_is_affordable_on_spot_leaves_no_negative_balance(
    cash: Decimal, px: int, rate: Decimal
) -> None:
    books = SimAccount({"USDT": cash}, Decimal(1))
    lots = books.affordable_lots(FINE, 1, px, rate)
    if lots:
        books.book_fill(FINE, 1, lots, px, books.fee(FINE, lots, px, rate), 0)
    assert books.balances["USDT"] >= 0
    # and one lot more could not be paid for, give or take the rounding of the fee
    more = FINE.tick * FINE.lot * px * (lots + 1) * (1 + max(rate, ZERO))
    assert more > cash - 2 * FEE_QUANTUM


def test_margin_is_notional_over_leverage_and_bounded_by_the_instrument() -> None:
    # one lot is 0.01 at 100: 1 of notional
    assert account("100", 1).affordable_lots(PERP, 1, 1_000, ZERO) == 100
    assert account("100", 5).affordable_lots(PERP, 1, 1_000, ZERO) == 500
    assert account("100", 50).affordable_lots(PERP, 1, 1_000, ZERO) == 1_000
    # the fee is paid from the same money: 100 / (1/5 + 0.001)
    assert account("100", 5).affordable_lots(PERP, 1, 1_000, FEE) == 497


def test_what_closes_a_position_needs_no_margin_and_a_flip_needs_it_for_the_rest() -> None:
    books = account("100")
    fill(books, PERP, 1, 99, 1_000)
    assert books.affordable_lots(PERP, 1, 1_000, FEE) == 0
    # closing 99 costs 0.099 of fees; 99.802 of money opens 99 more on the other side
    assert books.affordable_lots(PERP, -1, 1_000, FEE) == 99 + 99


def test_a_position_under_water_can_always_be_closed() -> None:
    books = account("100", 10)
    fill(books, PERP, 1, 900, 1_000)
    books.marks[PERP.id] = 800  # a loss of 180 on 100 of money
    assert books.wallet_equity("USDT") < 0
    assert books.affordable_lots(PERP, 1, 800, FEE) == 0
    assert books.affordable_lots(PERP, -1, 800, FEE) == 900


def test_margin_is_shared_by_all_perpetuals_of_one_currency() -> None:
    books = account("100")
    fill(books, OTHER, 1, 60, 1_000)
    assert books.margin_used("USDT") == 60
    assert books.affordable_lots(PERP, -1, 1_000, ZERO) == 39  # 100 - 60 - the fee
    books.marks[OTHER.id] = 1_200  # 12 of profit, but also 12 more margin
    assert books.affordable_lots(PERP, -1, 1_000, ZERO) == 39


def test_buying_below_the_mark_needs_only_what_is_paid() -> None:
    books = account("90")
    books.marks[PERP.id] = 1_000
    assert books.affordable_lots(PERP, 1, 900, ZERO) == 100


def test_paying_more_than_the_mark_counts_as_a_loss_at_once() -> None:
    books = account("100", 10)
    books.marks[PERP.id] = 1_000
    # each lot: 0.1 of margin and 0.1 of loss
    assert books.affordable_lots(PERP, 1, 1_100, ZERO) == 500
    assert books.affordable_lots(PERP, -1, 900, ZERO) == 500


def test_fees_round_against_us_and_rebates_towards_zero() -> None:
    books = account()
    third = Decimal("0.0000000000001")
    assert books.fee(SPOT, 1, 1, third) == FEE_QUANTUM
    assert books.fee(SPOT, 1, 1, -third) == 0
    assert books.fee(SPOT, 1_000, 10_000, Decimal("-0.0002")) == Decimal("-0.02")


def test_funding_is_paid_by_longs_received_by_shorts_and_kept_apart() -> None:
    books = account()
    fill(books, PERP, 1, 100, 1_000)
    before = books.balances["USDT"]
    assert books.settle_funding(PERP, 0.0001, 1_010) == Decimal("-0.0101")
    assert books.balances["USDT"] == before - Decimal("0.0101")
    fill(books, PERP, -1, 200, 1_010)
    assert books.settle_funding(PERP, 0.0001, 1_010) == Decimal("0.0101")
    assert books.funding_received == books.position(PERP).funding == 0
    fill(books, PERP, 1, 100, 1_010)
    assert books.settle_funding(PERP, 0.0001, 1_010) == 0


@given(
    st.lists(
        st.tuples(st.sampled_from((1, -1)), st.integers(1, 500), st.integers(500, 2_000)),
        min_size=1,
        max_size=30,
    ),
    st.integers(500, 2_000),
)
def test_money_of_a_perpetual_account_is_cash_flow_plus_value(
    trades: list[tuple[int, int, int]], mark: int
) -> None:
    books = account("100000")
    flow = 0
    for side, lots, px in trades:
        fill(books, PERP, side, lots, px)
        flow -= side * lots * px
    held = sum(side * lots for side, lots, _ in trades)
    books.marks[PERP.id] = mark
    unit = PERP.tick * PERP.lot
    assert books.wallet_equity("USDT") == 100_000 + unit * (flow + held * mark) - books.fees_paid


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_a_balance_that_cannot_be_is_refused(amount: str) -> None:
    with pytest.raises(ConfigError, match="USDT balance"):
        account(amount)
