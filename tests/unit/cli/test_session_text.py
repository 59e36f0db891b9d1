"""Alerts, orders and sessions of the ledger as people read them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.cli.render.alerts import alert_lines
from lanner.cli.render.ledger import orders_table, session_text
from lanner.telemetry import Alert, AlertCategory, AlertDetails, AlertLevel

NOW = 1_800_000_000_123_456_789


def alert(level: AlertLevel, title: str, message: str = "", details: AlertDetails | None = None) -> Alert:
    return Alert("id", level, AlertCategory.SYSTEM_ERROR, title, message, NOW, "s1", details)


def test_an_alert_is_a_line_with_day_time_level_and_words() -> None:
    told = [
        alert(AlertLevel.INFO, "Connected"),
        alert(AlertLevel.EMERGENCY, "Kill switch", "because\x1b[2J of me"),
    ]
    assert alert_lines(told, colour=False).splitlines() == [
        "2027-01-15 08:00:00  info       Connected",
        "2027-01-15 08:00:00  emergency  Kill switch: because [2J of me",
    ]
    assert alert_lines(told, colour=True).count("\x1b[") == 4


def test_an_alert_names_its_instrument_once_and_its_figures() -> None:
    details = AlertDetails("BTC-USDT.BINANCE", 5.0)
    assert "(price 5)" in alert_lines(
        [alert(AlertLevel.INFO, "Stop on BTC-USDT.BINANCE", "", details)], colour=False
    )
    assert "symbol BTC-USDT.BINANCE, price 5" in alert_lines(
        [alert(AlertLevel.INFO, "Stop", "", details)], colour=False
    )


def order(**told: Any) -> dict[str, Any]:
    plain = {
        "ts_init": NOW,
        "order_id": "o1",
        "strategy": "s",
        "instrument": "BTC-USDT.BINANCE",
        "side": "SELL",
    }
    return {
        **plain,
        "type": "LIMIT",
        "qty": Decimal(1),
        "cum_qty": Decimal(0),
        "px": None,
        "stop_px": None,
        "avg_px": None,
        "status": "ACCEPTED",
        "reason": "",
        **told,
    }


@pytest.mark.parametrize(
    ("told", "px"),
    [
        ({"px": Decimal(5)}, "  5  ACCEPTED"),
        ({"stop_px": Decimal("4.50")}, "  stop 4.5  ACCEPTED"),
        ({"stop_px": Decimal("4.5"), "px": Decimal(4)}, "  stop 4.5 4  ACCEPTED"),
        ({"stop_px": Decimal("4.5"), "avg_px": Decimal("4.4")}, "  4.4  ACCEPTED"),
    ],
)
def test_an_order_that_waits_for_a_price_shows_it(told: dict[str, Any], px: str) -> None:
    assert orders_table([order(**told)]).splitlines()[-1].endswith(px)


@pytest.mark.parametrize(
    ("state", "complete", "words"),
    [
        ("running", False, "the session runs, or broke off"),
        ("ended", True, "complete"),
        ("ended", False, "rebuild"),
    ],
)
def test_rows_of_a_session_that_runs_are_not_called_incomplete(
    state: str, complete: bool, words: str
) -> None:
    row = {
        "session": "s1", "mode": "paper", "state": state, "reason": "", "strategies": ["s"], "instruments": ["i"],
        "started_ns": NOW, "ended_ns": None, "duration_s": 1.0, "capital": Decimal(1), "currency": "USDT",
        "equity": 1.0, "pnl": 0.0, "fees": 0, "funding": 0, "orders": 0, "fills": 0, "events": 0,
        "complete": complete,
    }  # fmt: skip
    assert words in session_text(row).splitlines()[-1]
