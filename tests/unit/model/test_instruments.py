"""The quantise door: from prices and quantities of any kind to exact ticks and lots."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError, InvalidOrderError
from lanner.model.enums import InstrumentKind, Side
from lanner.model.instruments import (
    FeeSchedule,
    Instrument,
    PriceRule,
    Rounding,
    adverse,
    check_instrument_id,
    decimals_of,
    passive,
)

SPOT = Instrument.spot("BTC-USDT.TEST", tick="0.01", lot="0.001", min_qty="0.005")
HYPER = Instrument.perp(
    "BTC-PERP.HYPERLIQUID", tick="0.1", lot="0.00001", price_rule=PriceRule(significant_figures=5)
)
SMALL = Instrument.perp(
    "PEPE-PERP.HYPERLIQUID", tick="0.000001", lot="1", price_rule=PriceRule(significant_figures=5)
)
MODES = {Rounding.NEAREST: ROUND_HALF_EVEN, Rounding.DOWN: ROUND_FLOOR, Rounding.UP: ROUND_CEILING}

steps = st.sampled_from(["0.01", "0.1", "0.5", "1", "5", "0.00000001", "0.0025", "0.000001", "25"]).map(
    Decimal
)
roundings = st.sampled_from(list(Rounding))


def with_steps(tick: Decimal, lot: Decimal = Decimal("0.001")) -> Instrument:
    return Instrument.spot("BTC-USDT.TEST", tick=tick, lot=lot)


# -- prices ----------------------------------------------------------------------------------------


@given(steps, st.decimals("0.00001", "1000000", allow_nan=False, places=12), roundings)
def test_a_decimal_price_is_rounded_as_exact_arithmetic_rounds_it(
    tick: Decimal, px: Decimal, rounding: Rounding
) -> None:
    with localcontext() as context:
        context.prec = 60
        expected = int((px / tick).to_integral_value(MODES[rounding]))
    instrument = with_steps(tick)
    if expected <= 0:
        with pytest.raises(InvalidOrderError, match="rounds to 0"):
            instrument.quantise_px(px, rounding)
    else:
        assert instrument.quantise_px(px, rounding) == expected
        assert instrument.quantise_px(str(px), rounding) == expected


@given(steps, st.integers(1, 10**9), roundings)
def test_every_tick_survives_the_way_through_decimal_text_and_float(
    tick: Decimal, ticks: int, rounding: Rounding
) -> None:
    instrument = with_steps(tick)
    for px in (instrument.px(ticks), instrument.px_text(ticks), instrument.px_float(ticks)):
        assert instrument.quantise_px(px, rounding) == ticks


@given(steps, st.integers(1, 10**7), st.integers(-3, 3), roundings)
def test_a_float_next_to_a_grid_point_counts_as_lying_on_it(
    tick: Decimal, ticks: int, ulps: int, rounding: Rounding
) -> None:
    import math

    instrument = with_steps(tick)
    px = instrument.px_float(ticks)
    for _ in range(abs(ulps)):
        px = math.nextafter(px, math.inf if ulps > 0 else 0.0)
    assert instrument.quantise_px(px, rounding) == ticks


@given(steps, st.floats(0.001, 1e6), roundings)
def test_a_float_is_never_moved_by_a_tick_or_more_nor_in_the_wrong_direction(
    tick: Decimal, px: float, rounding: Rounding
) -> None:
    instrument = with_steps(tick)
    exact = Fraction(px) / Fraction(tick)
    assume(exact >= 1)
    moved = instrument.quantise_px(px, rounding) - exact
    slack = Fraction(1, 500) + exact / 10**15
    if rounding is Rounding.NEAREST:
        assert abs(moved) <= Fraction(1, 2) + slack
    elif rounding is Rounding.DOWN:
        assert -1 - slack < moved <= slack
    else:
        assert -slack <= moved < 1 + slack


def test_float_arithmetic_does_not_cost_a_tick() -> None:
    assert SPOT.quantise_px(0.1 + 0.2, Rounding.DOWN) == 30
    assert SPOT.quantise_px(1.1 * 3, Rounding.UP) == 330
    assert SPOT.quantise_px(19999.99 * 1.0, Rounding.DOWN) == 1_999_999


@pytest.mark.parametrize("px", [float("nan"), float("inf"), -float("inf")])
def test_a_float_price_that_is_no_number_is_refused(px: float) -> None:
    with pytest.raises(InvalidOrderError, match="price is not finite"):
        SPOT.quantise_px(px)


@pytest.mark.parametrize("px", ["NaN", "Infinity", Decimal("NaN"), "ten", None, [1]])
def test_a_price_of_another_kind_that_is_no_number_is_refused(px: object) -> None:
    with pytest.raises(ConfigError, match="price is not a"):
        SPOT.quantise_px(px)  # type: ignore[arg-type]


@pytest.mark.parametrize("px", [0, 0.0, 0.004, -1, "-0.01", Decimal("0.001")])
def test_a_price_that_rounds_to_nothing_is_refused_with_the_smallest_price(px: float) -> None:
    with pytest.raises(InvalidOrderError, match=r"rounds to 0; expected a price of at least 0\.01; found"):
        SPOT.quantise_px(px)


# -- significant figures ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "px", "rounding", "expected"),
    [
        (HYPER, "1234.56", Rounding.NEAREST, "1234.6"),
        (HYPER, "12345.6", Rounding.NEAREST, "12346"),
        (HYPER, "12345.6", Rounding.DOWN, "12345"),
        (HYPER, "12345.1", Rounding.UP, "12346"),
        (HYPER, "12344.5", Rounding.NEAREST, "12344"),
        (HYPER, "12345.5", Rounding.NEAREST, "12346"),
        (HYPER, "123456", Rounding.NEAREST, "123456"),
        (HYPER, "123456.7", Rounding.NEAREST, "123457"),
        (HYPER, "123456.7", Rounding.DOWN, "123456"),
        (HYPER, "9999.96", Rounding.NEAREST, "10000"),
        (HYPER, "99999.5", Rounding.UP, "100000"),
        (SMALL, "0.001234", Rounding.NEAREST, "0.001234"),
        (SMALL, "0.123456", Rounding.NEAREST, "0.12346"),
        (SMALL, "0.123456", Rounding.DOWN, "0.12345"),
        (SMALL, "1.234567", Rounding.UP, "1.2346"),
        (SMALL, "12.345678", Rounding.NEAREST, "12.346"),
        (SMALL, "1234567", Rounding.DOWN, "1234567"),
    ],
)
def test_significant_figures_bound_fractions_and_leave_whole_prices_alone(
    instrument: Instrument, px: str, rounding: Rounding, expected: str
) -> None:
    assert instrument.px(instrument.quantise_px(px, rounding)) == Decimal(expected)
    assert instrument.px(instrument.quantise_px(float(px), rounding)) == Decimal(expected)


@given(st.decimals("0.00001", "2000000", places=6), roundings)
def test_a_hyperliquid_price_is_whole_or_has_at_most_five_figures_and_the_rounding_holds(
    px: Decimal, rounding: Rounding
) -> None:
    ticks = SMALL.quantise_px(px, rounding)
    got = SMALL.px(ticks).normalize()
    assert got == got.to_integral_value() or len(got.as_tuple().digits) <= 5
    if rounding is Rounding.DOWN:
        assert got <= px
    elif rounding is Rounding.UP:
        assert got >= px
    assert SMALL.quantise_px(got, rounding) == ticks, "a price on the grid stays"
    assert abs(got - px) <= max(SMALL.tick, min(px * Decimal("1e-4"), Decimal(1)))


# -- quantities ------------------------------------------------------------------------------------


@given(steps, st.decimals("0", "100000", places=10))
def test_a_quantity_is_rounded_towards_zero(lot: Decimal, qty: Decimal) -> None:
    instrument = with_steps(Decimal("0.01"), lot)
    with localcontext() as context:
        context.prec = 60
        expected = int((qty / lot).to_integral_value(ROUND_FLOOR))
    assert instrument.floor_lots(qty) == expected
    if expected:
        assert instrument.quantise_qty(qty) == expected
    else:
        with pytest.raises(InvalidOrderError):
            instrument.quantise_qty(qty)


@given(st.floats(1.0, 1e4))
def test_rounding_a_large_float_quantity_down_never_buys_more(qty: float) -> None:
    fine = with_steps(Decimal("0.01"), Decimal("0.00000001"))
    assert Fraction(fine.qty(fine.floor_lots(qty))) <= Fraction(qty) + Fraction(1, 50 * 10**8)


@pytest.mark.parametrize("qty", [0, 0.0, "0.0009", 0.00049, "0.0049", 0.004999])
def test_a_quantity_below_the_minimum_is_refused_with_the_minimum(qty: float) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        SPOT.quantise_qty(qty)
    assert "expected at least 0.005 (steps of 0.001)" in str(caught.value)
    assert f"found {qty}" in str(caught.value)


def test_the_minimum_itself_is_enough_also_as_a_float() -> None:
    assert SPOT.quantise_qty(0.005) == SPOT.quantise_qty("0.005") == SPOT.quantise_qty(Decimal("0.005")) == 5


def test_without_a_minimum_one_lot_is_the_least() -> None:
    with pytest.raises(InvalidOrderError, match=r"at least 0\.1 "):
        Instrument.spot("A-B.X", tick=1, lot="0.1").quantise_qty(0.09)


@pytest.mark.parametrize("qty", [-1, "-0.5", -0.002])
def test_a_negative_quantity_is_refused(qty: float) -> None:
    with pytest.raises(InvalidOrderError, match="cannot be negative"):
        SPOT.floor_lots(qty)


# -- building --------------------------------------------------------------------------------------


def test_currencies_come_from_the_id() -> None:
    assert [(i.base, i.quote, i.settle) for i in (SPOT, HYPER)] == [
        ("BTC", "USDT", "USDT"),
        ("BTC", "USDC", "USDC"),
    ]
    binance = Instrument.perp("BTCUSDT-PERP.BINANCE", tick=1, lot=1)
    assert (binance.base, binance.quote, binance.venue, binance.is_spot) == ("BTC", "USDT", "BINANCE", False)
    joined = Instrument.spot("ETHBTC.BINANCE", tick=1, lot=1)
    assert (joined.base, joined.quote, joined.is_spot) == ("ETH", "BTC", True)


@pytest.mark.parametrize("text", ["", "BTC", ".BINANCE", "BTC-USDT.", "BTC USDT.X", "-BTC.X", "BTC-USDT.X Y"])
def test_what_is_no_instrument_id_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r"SYMBOL\.VENUE, e\.g\. BTC-USDT\.BINANCE"):
        check_instrument_id(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tick": 0}, "tick must be positive"),
        ({"lot": "-1"}, "lot must be positive"),
        ({"tick": "x"}, "tick is not a number"),
        ({"multiplier": 0}, "multiplier must be positive"),
        ({"max_leverage": 0}, "max_leverage must be positive"),
        ({"min_qty": "-1"}, "min_qty must not be negative"),
        ({"min_notional": "nan"}, "min_notional is not a finite number"),
        ({"maker": "2"}, "maker fee is not believable"),
        ({"taker": "0.2"}, "Fees are fractions of notional"),
        ({"colour": "red"}, "unknown instrument field"),
    ],
)
def test_instruments_that_cannot_be_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Instrument.spot("BTC-USDT.TEST", **{"tick": "0.01", "lot": "0.01", **fields})  # type: ignore[arg-type]


def test_kinds_of_later_versions_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="INVERSE_PERP are not supported yet"):
        Instrument(
            id="BTC-PERP.X",
            kind=InstrumentKind.INVERSE_PERP,
            base="BTC",
            quote="USD",
            settle="BTC",
            tick=Decimal(1),
            lot=Decimal(1),
        )


def test_an_instrument_survives_the_catalog() -> None:
    rich = Instrument.perp(
        "BTC-PERP.HYPERLIQUID",
        tick="0.1",
        lot="0.00001",
        maker="-0.0001",
        taker="0.00035",
        min_notional=10,
        max_qty="1000",
        price_rule=PriceRule(significant_figures=5),
        max_leverage=50,
    )
    again = Instrument.from_json(rich.to_json())
    assert again == rich
    assert again.fees == FeeSchedule(Decimal("-0.0001"), Decimal("0.00035"))


def test_passive_and_adverse_rounding_are_opposites() -> None:
    for side in Side:
        assert {passive(side), adverse(side)} == {Rounding.UP, Rounding.DOWN}
    assert passive(Side.BUY) is Rounding.DOWN
    assert adverse(Side.BUY) is Rounding.UP


@pytest.mark.parametrize(
    ("step", "decimals"), [("0.01", 2), ("0.0100", 2), ("5", 0), ("10", 0), ("1E-8", 8), ("0.25", 2)]
)
def test_decimals_of_a_step(step: str, decimals: int) -> None:
    assert decimals_of(Decimal(step)) == decimals
