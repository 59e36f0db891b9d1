"""What people write by mistake is answered at their own line, with what was expected."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from lanner.core.errors import ConfigError, StrategyError
from lanner.engine.engine import Engine
from lanner.model.enums import OrderStatus, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, Quote
from lanner.model.orders import OrderView
from lanner.model.timeframes import series_id
from lanner.strategy.base import Strategy

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
OTHER = Instrument.perp("ETHUSDT-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
T0 = 1_704_067_200_000_000_000
HOUR = 3_600_000_000_000
MINUTE = 60_000_000_000


def bar() -> Bar:
    end = T0 + HOUR
    return Bar(series_id(PERP.id, "1h"), end, end, T0, 100.0, 100.0, 100.0, 100.0, 1.0)


def decide(act: Callable[[Strategy], Any]) -> Any:
    """Let a strategy do something at a bar; return what it got for it."""
    got: list[Any] = []

    class One(Strategy):
        def on_bar(self, _: Bar) -> None:
            got.append(act(self))

    made = Engine({PERP.id: PERP}, "USDT")
    made.add_strategy(One(), Decimal(1000))
    made.subscriptions.add_source("bars", PERP.id, "1h")
    made.start(T0)
    made.step(bar())
    return got[0]


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a time in force as text": (lambda s: s.buy(1, 90, tif="IOC"), "GTC, IOC, FOK, GTD"),
    "a type as text": (lambda s: s.buy(1, 90, type="limit"), "STOP_MARKET"),
    "a side as text": (lambda s: s.order("buy", 1), "BUY, SELL"),
    "an end in seconds": (
        lambda s: s.buy(1, 90, tif=TimeInForce.GTD, expire=T0 // 1_000_000_000 + 60),
        "UNIX nanoseconds",
    ),
    "an end as text": (lambda s: s.buy(1, 90, tif=TimeInForce.GTD, expire="tomorrow"), "UNIX nanoseconds"),
    "an end as a float": (
        lambda s: s.buy(1, 90, tif=TimeInForce.GTD, expire=s.now * 1.0),
        "UNIX nanoseconds",
    ),
    "a weight as text": (lambda s: s.target("50%"), "a fraction of equity"),
    "no weight": (lambda s: s.target(None), "a fraction of equity"),
    "a cancel of nothing": (lambda s: s.cancel(None), "what self.buy"),
    "an amend of nothing": (lambda s: s.amend(None, px=1), "what self.buy"),
    "an order after a number": (lambda s: s.buy(1, after=5), "what self.buy"),
    "numbers joined": (lambda s: s.oco(1, 2), "what self.buy"),
    "an instrument where its id is meant": (
        lambda s: s.buy(1, instrument=s.instruments[0]),
        "gave the instrument BTCUSDT-PERP.TEST where its id is meant",
    ),
    "a timer of a number": (lambda s: s.set_timer("t", every=5), "e.g. 30s"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_argument_of_the_wrong_kind_is_refused_with_what_was_expected(what: str) -> None:
    act, expected = WRONG[what]
    with pytest.raises(StrategyError) as told:
        decide(act)
    assert expected in told.value.message()
    assert "test_wrong_arguments.py" in told.value.message()


def test_an_end_that_is_a_time_in_nanoseconds_is_taken() -> None:
    order = decide(lambda s: s.buy(1, 90, tif=TimeInForce.GTD, expire=s.now + MINUTE))
    assert order.expire_ts == T0 + HOUR + MINUTE


@pytest.mark.parametrize(("tag", "text"), [(5, "5"), (None, ""), ("level 5", "level 5")])
def test_a_tag_becomes_text(tag: Any, text: str) -> None:
    assert decide(lambda s: s.buy(1, tag=tag)).tag == text
    assert decide(lambda s: s.target(0.5, tag=tag)).tag == text


def quotes_heard(start: Callable[[Strategy], object]) -> list[str]:
    """Return the instruments whose quotes a strategy heard, which declares what ``start`` says."""
    heard: list[str] = []

    class Listener(Strategy):
        def on_start(self) -> None:
            start(self)

        def on_quote(self, quote: Quote) -> None:
            heard.append(quote.instrument_id)

    made = Engine({PERP.id: PERP, OTHER.id: OTHER}, "USDT")
    made.add_strategy(Listener(), Decimal(1000))
    for instrument in (PERP, OTHER):
        made.subscriptions.add_source("quotes", instrument.id)
    made.start(T0)
    for instrument in (PERP, OTHER):
        made.step(Quote(instrument.id, T0, T0, 99.0, 1.0, 101.0, 1.0))
    return heard


def test_quotes_are_those_of_the_instruments_that_were_declared() -> None:
    assert quotes_heard(lambda s: s.quotes()) == [PERP.id]
    assert quotes_heard(lambda s: s.quotes(OTHER.id)) == [OTHER.id]


def test_quotes_are_those_of_all_instruments_where_none_was_declared() -> None:
    assert quotes_heard(lambda s: None) == [PERP.id, OTHER.id]


@pytest.mark.parametrize(
    "table",
    [
        {"0": "4%", "60": "1%"},
        {0: 0.04, 60: 0.01},
        {0.5: "1%"},
        {-5: "1%"},
        [(0, "4%")],
    ],
    ids=["minutes as text", "profits as numbers", "parts of a minute", "minutes before the entry", "a list"],
)
def test_a_roi_table_of_another_shape_is_refused_before_anything_runs(table: Any) -> None:
    class Staged(Strategy):
        roi = table

    with pytest.raises(ConfigError, match="whole minutes since the entry, and a profit as text"):
        Engine({PERP.id: PERP}, "USDT").add_strategy(Staged(), Decimal(1000))


def test_a_stop_loss_of_the_class_that_is_a_number_is_refused_before_anything_runs() -> None:
    class Bold(Strategy):
        stop_loss = 0.05  # type: ignore[assignment]

    with pytest.raises(ConfigError, match='stop_loss is not a distance; expected text like "5%"'):
        Engine({PERP.id: PERP}, "USDT").add_strategy(Bold(), Decimal(1000))


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda s: s.target(0.5, stop=101), "the stop at 101.0 is not below the market at 100.0"),
        (lambda s: s.target(-0.5, stop=99), "the stop at 99.0 is not above the market at 100.0"),
        (lambda s: s.buy(1, take=99.5), "the target at 99.5 is not above the market at 100.0"),
        (lambda s: s.sell(1, take=100), "the target at 100.0 is not below the market at 100.0"),
    ],
)
def test_a_level_that_the_market_has_passed_denies_an_order_and_ends_nothing(
    act: Callable[[Strategy], OrderView], why: str
) -> None:
    """A price moves between the bar that a level was reckoned from and the moment at which the order is wanted."""
    order = decide(act)
    assert (order.status, order.reject_code, order.reason) == (OrderStatus.DENIED, "LEVEL_PASSED", why)


def test_a_level_on_the_wrong_side_of_an_orders_own_price_is_a_mistake() -> None:
    with pytest.raises(
        StrategyError, match=r"the stop is on the wrong side.*a price below the entry for a BUY"
    ):
        decide(lambda s: s.buy(1, px=90, stop=95))
