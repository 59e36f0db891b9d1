"""What a user reads when a handler fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lanner.core.errors import ConfigError, StrategyError
from lanner.model.market import Bar, Quote, Trade
from lanner.strategy.base import Strategy
from lanner.strategy.errors import moment, show_input, strategy_error
from lanner.strategy.registry import load_strategy
from tests.unit.strategy.play import play

HOUR = 3_600_000_000_000
NOON = 1_709_294_400_000_000_000
BAR = Bar("BTC-USDT.BINANCE@1h", NOON, NOON, NOON - HOUR, 62_000.5, 62_100.0, 61_900.25, 62_050.0, 12.5)


class Failing(Strategy):
    """Fails in the way it is told."""

    name = "failing"
    timeframe = "1h"

    def on_bar(self, bar: Bar) -> None:
        self.go_wrong(bar)

    def go_wrong(self, bar: Bar) -> None:
        raise ValueError("no such thing")


def caught_from(strategy: Strategy) -> Exception:
    try:
        strategy.on_bar(BAR)
    except Exception as error:  # noqa: BLE001 - whatever it raises is what the test wants
        return error
    raise AssertionError("it did not fail")


def test_message_has_own_lines_place_and_last_inputs() -> None:
    strategy = Failing()
    error = strategy_error(caught_from(strategy), strategy, "bar 1,234 of BTC-USDT.BINANCE@1h", [BAR])
    lines = str(error).split("\n")
    assert lines[0] == "strategy failing failed at bar 1,234 of BTC-USDT.BINANCE@1h"
    assert lines[1].endswith("in caught_from")
    assert lines[3].endswith("in on_bar")
    assert lines[4].strip() == "self.go_wrong(bar)"
    assert lines[6].strip() == 'raise ValueError("no such thing")'
    assert lines[7] == "ValueError: no such thing"
    assert lines[8] == "Last inputs, the newest below:"
    when, values = (
        "  2024-03-01 12:00:00 UTC  ",
        "  open 62000.5  high 62100  low 61900.25  close 62050  volume 12.5",
    )
    assert lines[9:] == [f"{when}BTC-USDT.BINANCE@1h{values}"]
    assert json.dumps(error.as_dict())


def test_only_the_last_inputs_are_shown() -> None:
    strategy = Failing()
    error = strategy_error(caught_from(strategy), strategy, "in on_bar", [BAR] * 12)
    assert str(error).count("62050") == 5
    assert str(error).startswith("strategy failing failed in on_bar\n")


def test_inputs_of_every_kind_are_short() -> None:
    quote = Quote("A-B.C", NOON, NOON, 1.5, 2.0, 1.6, 3.0)
    trade = Trade("A-B.C", NOON, NOON, 1.5, 2.0, -1)
    assert show_input(quote) == "2024-03-01 12:00:00 UTC  A-B.C  bid 1.5 × 2  ask 1.6 × 3"
    assert show_input(trade) == "2024-03-01 12:00:00 UTC  A-B.C  2 at 1.5, taker: seller"
    assert len(show_input("x" * 500)) == 200
    assert moment(NOON + 5) == "2024-03-01 12:00:00.000000005 UTC"


def test_a_rendered_error_is_not_rendered_again() -> None:
    strategy = Failing()
    error = strategy_error(caught_from(strategy), strategy, "in on_bar", [])
    assert strategy_error(error, strategy, "elsewhere", [BAR]) is error


def test_causes_and_empty_messages_are_named() -> None:
    strategy = Failing()
    error = RuntimeError("lookup failed")
    error.__cause__ = KeyError("level")
    text = str(strategy_error(error, strategy, "", []))
    assert "RuntimeError: lookup failed (caused by KeyError: 'level')" in text
    assert (
        str(strategy_error(AssertionError(), strategy, "", [])) == "strategy failing failed\nAssertionError"
    )


@pytest.mark.parametrize(
    ("owner", "name", "near"),
    [
        ("quote", "bid", "; there is bid_px, bid_qty"),
        ("quote", "ask_price", "; there is ask_px"),
        ("quote", "v", "; there is instrument_id, ts_event, ts_recv, bid_px, bid_qty, ask_px, ask_qty, seq"),
        ("self", "targett", "; there is target, target_qty"),
        ("self", "xyzzy", ""),
    ],
)
def test_a_wrong_attribute_is_told_with_what_there_is(owner: str, name: str, near: str) -> None:
    strategy = Failing()
    quote = Quote("BTC-USDT.BINANCE", NOON, NOON, 1.0, 2.0, 1.0, 1.0)
    try:
        getattr(quote if owner == "quote" else strategy, name)
    except AttributeError as error:
        last = str(strategy_error(error, strategy, "", [])).split("\n")[-1]
        assert last.endswith(f"has no attribute {name!r}{near}")
    else:
        raise AssertionError("it is there")


def test_our_own_refusals_keep_their_words() -> None:
    strategy = Failing()
    refusal = ConfigError("not a distance", expected='text like "2%"', found="'two'")
    assert "not a distance; expected text like" in str(strategy_error(refusal, strategy, "in on_bar", []))


FILE = """
import lanner as ln


class Mine(ln.Strategy):
    def on_start(self):
        self.ma = self.bars("1h").sma(2)
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        if self.count == 3:
            self.buy({qty})
"""


@pytest.mark.parametrize(
    ("qty", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("0", "the quantity is too small; expected at least 0.0001"),
    ],
)
def test_the_engine_shows_user_code_where_it_failed(tmp_path: Path, qty: str, reason: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE.format(qty=qty))
    with pytest.raises(StrategyError) as caught:
        play(load_strategy(str(path))(), [100.0, 101, 102, 103, 104])
    text = str(caught.value)
    assert text.startswith("strategy Mine failed in on_bar at 2024-01-01 04:00:00 UTC\n")
    assert f"{path}:13 in on_bar\n      self.buy({qty})\n" in text
    assert reason in text
    assert "close 103" in text
    assert "desk.py" not in text
    assert "engine.py" not in text
