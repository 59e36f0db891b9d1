"""Positions and the portfolio: exact to the last unit, whatever is bought, sold, flipped and shared."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.model.enums import Liquidity, Side
from lanner.model.instruments import Instrument
from lanner.model.reports import FundingPaid, OrderFilled
from lanner.portfolio.portfolio import Portfolio
from lanner.portfolio.positions import Position, PositionView

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.001", multiplier="0.5", max_leverage=10)
SPOT = Instrument.spot("ETH-USDT.TEST", tick="0.01", lot="0.0001")
EURO = Instrument.spot("ETH-EUR.TEST", tick="0.01", lot="0.001")

trades = st.lists(
    st.tuples(st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 50), st.integers(1, 10_000)), max_size=40
)


class Slow:
    """Average-cost netting in exact fractions, straight from the definition."""

    def __init__(self) -> None:
        self.lots = 0
        self.average = Fraction(0)
        self.realised = Fraction(0)

    def apply(self, side: int, lots: int, px: int) -> None:
        for _ in range(lots):  # one lot after the other
            if self.lots * side >= 0:
                self.average = (self.average * abs(self.lots) + px) / (abs(self.lots) + 1)
            else:
                self.realised += (self.average - px) * side
            self.lots += side
            if self.lots == 0:
                self.average = Fraction(0)


@given(trades, st.integers(1, 10_000))
def test_realised_and_unrealised_are_cash_flow_and_value_to_the_last_unit(
    plan: list[tuple[Side, int, int]], mark: int
) -> None:
    position = Position(PERP)
    cash = 0
    for side, lots, px in plan:
        position.apply(side, lots, px, 0)
        cash -= side * lots * px
        assert position.cash_flow == cash
        assert position.realised + position.unrealised_units(mark) == cash + position.lots * mark
        assert position.lots or (position.cost, position.realised) == (0, cash)


@given(trades)
def test_positions_follow_slow_average_cost_netting(plan: list[tuple[Side, int, int]]) -> None:
    position, slow = Position(PERP), Slow()
    closings = 0
    for side, lots, px in plan:
        closings += position.lots * side < 0
        position.apply(side, lots, px, 0)
        slow.apply(side, lots, px)
        assert position.lots == slow.lots
        # a partial close releases a whole number of units, so each may move less than one unit to the rest
        assert abs(position.realised - slow.realised) <= closings
        assert abs(position.cost - slow.average * slow.lots) <= closings


@given(trades)
def test_each_booking_returns_what_it_realised_and_counts_volume(plan: list[tuple[Side, int, int]]) -> None:
    position = Position(PERP)
    total = sum(position.apply(side, lots, px, 0) for side, lots, px in plan)
    assert total == position.realised
    assert position.volume == sum(lots * px for _, lots, px in plan)


@given(trades, st.integers(-20, 20))
def test_slippage_is_what_the_reference_price_would_have_saved(
    plan: list[tuple[Side, int, int]], slip: int
) -> None:
    position, at_reference = Position(PERP), Position(PERP)
    for side, lots, px in plan:
        position.apply(side, lots, px + side * slip, 0, px)
        at_reference.apply(side, lots, px, 0)
    assert position.cash_flow + position.slippage == at_reference.cash_flow


def test_a_flip_realises_the_whole_old_side_and_opens_the_new_at_its_own_price() -> None:
    position = Position(PERP)
    position.apply(Side.BUY, 10, 100, 1)
    assert position.apply(Side.SELL, 25, 110, 2) == 100
    assert (position.lots, position.cost, position.ts_opened) == (-15, -1650, 2)
    assert position.avg_px == Decimal("11.0")
    assert position.apply(Side.BUY, 15, 90, 3) == 300
    assert (position.lots, position.cost, position.avg_px) == (0, 0, None)


def test_adding_keeps_the_time_of_opening_and_reopening_takes_a_new_one() -> None:
    position = Position(PERP)
    for side, lots, ts in ((Side.SELL, 1, 1), (Side.SELL, 1, 2), (Side.BUY, 1, 3), (Side.BUY, 1, 4)):
        position.apply(side, lots, 100, ts)
        assert position.ts_opened == 1
    position.apply(Side.SELL, 1, 100, 5)
    assert position.ts_opened == 5


def test_rounding_of_partial_closes_is_neither_lost_nor_made() -> None:
    position = Position(PERP)
    position.apply(Side.BUY, 3, 1, 0)
    position.apply(Side.BUY, 4, 2, 0)  # cost 11 over 7 lots: no whole number a lot
    got = [position.apply(Side.SELL, 1, 5, 0) for _ in range(7)]
    assert sum(got) == 7 * 5 - 11


def test_a_view_shows_the_position_and_its_mark() -> None:
    position = Position(PERP)
    view = PositionView(position, 12.0)
    assert (view.is_flat, bool(view), view.avg_px, view.unrealised, view.return_frac) == (
        True,
        False,
        None,
        0.0,
        0.0,
    )
    position.apply(Side.SELL, 2_000, 100, 7)  # 2 contracts of half a coin at 10.0
    assert (view.is_short, view.is_long, view.qty, view.opened_at) == (True, False, Decimal("-2.000"), 7)
    assert view.unrealised == pytest.approx(-2.0)
    assert view.return_frac == pytest.approx(-0.2)
    assert "-2.000 @ 10" in repr(view)
    position.apply(Side.BUY, 2_000, 90, 8)
    assert view.realised == Decimal(1)


# -- the portfolio ---------------------------------------------------------------------------------


def filled(instrument: Instrument, side: Side, lots: int, px: int, fee: str = "0") -> OrderFilled:
    return OrderFilled("o", instrument.id, 1, 1, "t", side, px, lots, Decimal(fee), Liquidity.TAKER, px)


def book(marks: dict[str, float] | None = None, **rates: Decimal) -> Portfolio:
    portfolio = Portfolio("USDT", rates, {} if marks is None else marks)
    for name in ("a", "b", "c"):
        portfolio.add_strategy(name, Decimal(1000))
    return portfolio


def test_strategies_own_their_positions_and_their_equities_add_up() -> None:
    marks = {PERP.id: 11.0, SPOT.id: 5.0}
    portfolio = book(marks)
    portfolio.apply_fill("a", PERP, filled(PERP, Side.BUY, 2_000, 100, "0.25"))
    portfolio.apply_fill("b", PERP, filled(PERP, Side.SELL, 4_000, 100))
    portfolio.apply_fill("b", SPOT, filled(SPOT, Side.BUY, 10_000, 400))
    assert portfolio.position("a", PERP).lots == 2_000
    assert portfolio.equity("a") == pytest.approx(1000 + 1 - 0.25)
    assert portfolio.equity("b") == pytest.approx(1000 - 2 + 1)
    assert portfolio.equity("c") == 1000.0
    assert portfolio.total_equity() == pytest.approx(sum(portfolio.equity(name) for name in "abc"))
    exact = sum((portfolio.exact_pnl(p) for p in portfolio.positions.values()), Decimal(3000))
    assert portfolio.total_equity() == pytest.approx(float(exact), abs=1e-9)
    assert exact == Decimal("2999.75")


def test_profit_in_another_currency_counts_at_its_rate_and_is_refused_without_one() -> None:
    portfolio = book({EURO.id: 3.0}, EUR=Decimal("1.1"))
    portfolio.apply_fill("a", EURO, filled(EURO, Side.BUY, 1_000, 200))
    assert portfolio.equity("a") == pytest.approx(1000 + 1.1)
    with pytest.raises(ConfigError, match=r"cannot value EUR in USDT.*rates: \{EUR: 1\}"):
        book().apply_fill("a", EURO, filled(EURO, Side.BUY, 1_000, 200))


lots_of_three = st.tuples(*[st.integers(-10_000, 10_000)] * 3)
amounts = st.decimals("-100000", "100000", places=8)


@given(lots_of_three, amounts)
def test_funding_is_shared_exactly_and_everybody_pays_as_if_alone(
    lots: tuple[int, int, int], amount: Decimal
) -> None:
    portfolio = book({PERP.id: 10.0})
    for name, held in zip("abc", lots, strict=True):
        if held:
            portfolio.apply_fill(
                name, PERP, filled(PERP, Side.BUY if held > 0 else Side.SELL, abs(held), 100)
            )
    net = sum(lots)
    shares = dict(portfolio.apply_funding(PERP, FundingPaid(PERP.id, 1, 1, amount, 0.0001)))
    if not net:
        assert shares == {}
        return
    assert sum(shares.values()) == amount
    for name, held in zip("abc", lots, strict=True):
        assert portfolio.position(name, PERP).funding == shares.get(name, 0)
        alone = Fraction(amount) * held / net
        assert abs(Fraction(shares.get(name, Decimal(0))) - alone) <= Fraction(3, 10**12)


def test_funding_of_one_instrument_leaves_the_others_alone() -> None:
    portfolio = book({PERP.id: 10.0, SPOT.id: 4.0})
    portfolio.apply_fill("a", SPOT, filled(SPOT, Side.BUY, 10, 400))
    assert portfolio.apply_funding(PERP, FundingPaid(PERP.id, 1, 1, Decimal(5), 0.0001)) == []
    assert portfolio.position("a", SPOT).funding == 0
