"""Events of the ledger are words for people, whatever the bus carries."""

from __future__ import annotations

from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.execution.stops import StopEvent
from lanner.live.alerting.facts import order_filled
from lanner.live.changes import Row
from lanner.live.event_words import LONGEST, level_of_event, words_of
from lanner.live.kill_reports import done_in_words
from lanner.live.killswitch import KillReport
from lanner.live.reload import ConfigReloaded
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.signals import StrategyAlert
from lanner.model.streams import StreamGap, StreamHealed
from lanner.net.status import LinkState, LinkStatus
from lanner.storage.journal import Control
from lanner.storage.ledger.fold import control_event

NAN = float("nan")


def stop(what: str, px: float, **more: Any) -> StopEvent:
    return StopEvent(what, "s-1", "", "time_stop", "Brk", "BTC-USDT.BINANCE", 1, px, **more)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("end of\nthe day", "end of the day"),
        (["we had 1 lot, the venue 2", "another"], "we had 1 lot, the venue 2; another"),
        ([], ""),
        (StrategyAlert("Grid", "5 fills", 1), "Grid: 5 fills"),
        (
            ConfigReloaded("options", 1, 1, (Row("params", "Grid", "size", 0.01, 0.02),)),
            "Grid.size 0.01 -> 0.02 (from options)",
        ),
        (
            ConfigReloaded("night.yaml", 2, 1, (Row("risk", "", "max_daily_loss", None, 300),)),
            "risk.max_daily_loss none -> 300 (from night.yaml)",
        ),
        (
            StreamGap("BTC-USDT.BINANCE", "quotes", 0, 1, "no frame"),
            "quotes of BTC-USDT.BINANCE: no frame",
        ),
        (StreamHealed("BTC-USDT.BINANCE", "mark", 0, 1, "no frame"), "mark of BTC-USDT.BINANCE: no frame"),
        (LinkStatus("user", "wss://x", LinkState.CONNECTING, 1, "start"), "user: connecting"),
        (LinkStatus("user", "wss://x", LinkState.RECONNECTING, 1, "cut"), "user: reconnecting (cut)"),
        (
            stop("executed", NAN, order_id="o7", reason="the time has come"),
            "Brk: time stop of BTC-USDT.BINANCE, order o7: the time has come",
        ),
        (stop("armed", 59_876.5), "Brk: time stop of BTC-USDT.BINANCE at 59,876.5"),
        (
            KillReport("night", 1, 2, 1, 1, True, 0.25),
            "night: 2 orders cancelled, 1 order of other programs, 1 position closed, flat after 0.2 s",
        ),
        (
            KillReport("night", 1, 1, left=["1 lot of X"], errors=["no answer"], seconds=20),
            "night: 1 order cancelled, 0 positions closed, NOT FLAT: 1 lot of X; no answer after 20.0 s",
        ),
        (ConfigError("wrong", expected="right"), "wrong; expected right"),
        (ValueError("odd"), "ValueError: odd"),
    ],
)
def test_an_event_is_told_in_words(event: Any, words: str) -> None:
    assert words_of(event) == words


def test_a_record_without_words_of_its_own_is_told_field_by_field() -> None:
    assert words_of(Row("risk", "", "max", None, 5)) == "kind risk, name max, after 5"


def test_an_event_is_never_longer_than_its_column() -> None:
    assert len(words_of("x" * 9_999)) == LONGEST


@pytest.mark.parametrize(
    ("topic", "event", "level"),
    [
        ("alert.warning", StrategyAlert("Grid", "look", 1), "warning"),
        ("alert.emergency", "look", "critical"),
        ("alert.info", "look", "info"),
        ("risk.kill_report", KillReport("night", 1), "critical"),
        ("system.disconnected", LinkStatus("m", "w", LinkState.DISCONNECTED, 1, "stopped"), "info"),
        ("system.disconnected", LinkStatus("m", "w", LinkState.DISCONNECTED, 1, "cut"), "warning"),
        ("exchange.connection", LinkStatus("m", "w", LinkState.RECONNECTING, 1, "cut"), "warning"),
        ("exchange.connection", LinkStatus("m", "w", LinkState.FAILED, 1, "cut"), "error"),
    ],
)
def test_an_event_is_as_grave_as_what_it_tells(topic: str, event: Any, level: str) -> None:
    assert level_of_event(topic, event) == level


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (Control("pause", "coffee"), "coffee"),
        (Control("state", "stream lost", {"state": "REDUCING"}), "REDUCING: stream lost"),
        (Control("catch_up", "it was starting", {"paused": True}), "it was starting"),
        (
            Control("params", "reload", {"strategy": "Grid", "values": {"size": 0.03}, "protection": {}}),
            "reload: strategy Grid, values.size 0.03",
        ),
        (Control("order", "", {"tags": ["a", "b"]}), 'tags ["a", "b"]'),
    ],
)
def test_what_a_person_did_is_told_without_brackets(control: Control, words: str) -> None:
    assert control_event(control, 1, 1).text == words


def test_a_report_of_an_older_version_has_no_count_of_others() -> None:
    assert (
        done_in_words({"orders_cancelled": 0, "positions_closed": 3})
        == "0 orders cancelled, 3 positions closed"
    )


def test_a_fill_is_told_at_a_price_that_can_be_read() -> None:
    coin = Instrument.spot("BTC-USDT.DEMO", tick="0.01", lot="0.001", maker="0", taker="0")
    order = Order("o1", "Grid", coin, Side.BUY, OrderType.MARKET, 3, 1)
    order.cum_lots, order.notional = 3, 5_955_601 * 2 + 5_955_600
    fact = order_filled(order, fills=True)
    assert fact is not None
    assert fact.message == "Grid: BUY 0.003 at 59556.00667 (o1)"
