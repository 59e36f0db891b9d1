"""Pre-trade checks: what is too large or too much is denied, what reduces a position never is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.portfolio.positions import Position
from lanner.risk.checks import RiskLimits, check_order

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.1", multiplier="2", max_leverage=10)
NAN = float("nan")


def order(lots: int, side: Side = Side.BUY, type: OrderType = OrderType.MARKET, **more: Any) -> Order:
    return Order("o", "s", PERP, side, type, lots, 0, **more)


def check(one: Order, held: int = 0, mark: float = 100.0, open_orders: int = 0, **limits: Any) -> str | None:
    position = Position(PERP)
    if held:
        position.apply(1 if held > 0 else -1, abs(held), 1000, 0)
    denial = check_order(one, position, mark, open_orders, RiskLimits(**limits))
    return None if denial is None else denial.reason


def test_without_limits_everything_passes_even_without_a_price() -> None:
    assert check(order(10**9), mark=NAN) is None


@pytest.mark.parametrize(("lots", "passes"), [(5, True), (6, False)])
def test_an_order_up_to_the_limit_passes_and_one_lot_more_does_not(lots: int, passes: bool) -> None:
    why = check(order(lots), max_order_notional=Decimal(100))  # a lot is 0.1 × 2 × 100 = 20
    assert (why is None) is passes
    if why is not None:
        assert "order value 120" in why
        assert "limit of 100" in why


def test_the_multiplier_counts_in_the_position_limit() -> None:
    limit: dict[str, Any] = {"max_position_notional": Decimal(200)}
    assert check(order(4), held=6, **limit) is None
    why = check(order(5), held=6, **limit)
    assert why is not None
    assert "position value 220" in why


def test_a_flip_is_measured_by_what_it_leads_to() -> None:
    limit: dict[str, Any] = {"max_position_notional": Decimal(200)}
    assert check(order(20, Side.SELL), held=10, **limit) is None
    assert check(order(21, Side.SELL), held=10, **limit) is not None


@pytest.mark.parametrize(
    "limits", [{"max_order_notional": Decimal(1)}, {"max_position_notional": Decimal(1)}]
)
def test_what_reduces_a_position_is_never_refused(limits: dict[str, Any]) -> None:
    assert check(order(10, Side.SELL), held=10, mark=NAN, open_orders=999, **limits) is None
    assert check(order(10, Side.BUY), held=-10, mark=NAN, open_orders=999, **limits) is None
    assert check(order(10, Side.SELL, reduce_only=True), held=0, mark=NAN, open_orders=999, **limits) is None
    assert check(order(11, Side.SELL), held=10, mark=100.0, **limits) is not None


def test_a_limit_that_cannot_be_computed_lets_nothing_pass() -> None:
    why = check(order(1), mark=NAN, max_order_notional=Decimal(10**9))
    assert why is not None
    assert "no price is known yet" in why


def test_a_priced_order_is_valued_at_its_own_price() -> None:
    limit: dict[str, Any] = {"max_order_notional": Decimal(100), "mark": NAN}
    assert check(order(5, type=OrderType.LIMIT, px_ticks=1000), **limit) is None
    assert check(order(5, type=OrderType.LIMIT, px_ticks=1001), **limit) is not None
    assert check(order(5, type=OrderType.STOP_MARKET, stop_ticks=1001), **limit) is not None


def test_a_sale_far_below_the_market_is_valued_at_the_market_because_there_it_fills() -> None:
    cheap = order(6, Side.SELL, OrderType.LIMIT, px_ticks=1)
    assert check(cheap, max_order_notional=Decimal(100)) is not None
    assert check(cheap, max_position_notional=Decimal(100)) is not None
    assert (
        check(order(5, Side.BUY, OrderType.LIMIT, px_ticks=1), mark=1e9, max_order_notional=Decimal(100))
        is None
    )


def test_too_many_open_orders_are_refused_with_both_numbers() -> None:
    assert check(order(1), open_orders=2, max_open_orders=3) is None
    assert check(order(1), open_orders=3, max_open_orders=3) == "too many open orders (3, limit 3)"
