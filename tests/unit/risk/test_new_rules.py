"""Rules that are exchanged while an engine runs: what was remembered stays, what was breached is judged anew."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lanner.core.clock import LogicalClock
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.engine import RiskEngine
from lanner.risk.gate import Gate, TradingState
from lanner.risk.rules import RiskRules, ScopedRules, ScopeKind


class Nothing:
    """A market without prices."""

    marks: dict[str, float] = {}  # noqa: RUF012 - never changed
    quotes: dict[str, object] = {}  # noqa: RUF012
    trades: dict[str, object] = {}  # noqa: RUF012
    bars: dict[str, object] = {}  # noqa: RUF012


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def portfolio() -> Portfolio:
    made = Portfolio("USDT", {}, {})
    made.add_strategy("s", Decimal(1_000))
    return made


def engine(portfolio: Portfolio, gate: Gate, **rules: Decimal) -> RiskEngine:
    return RiskEngine([ScopedRules(RiskRules(**rules))], LogicalClock(), portfolio, Nothing(), gate, list)  # type: ignore[arg-type]


def lose(portfolio: Portfolio, amount: int) -> None:
    portfolio.capital["s"] -= amount


def test_the_days_loss_is_remembered_and_a_breach_is_judged_by_the_new_limit(
    portfolio: Portfolio, gate: Gate
) -> None:
    risk = engine(portfolio, gate, max_daily_loss=Decimal(50))
    risk.look(1)
    lose(portfolio, 60)
    risk.look(2)
    assert gate.state is TradingState.REDUCING
    risk.set_rules([ScopedRules(RiskRules(max_daily_loss=Decimal(100)))])
    assert risk.next_look == 0
    risk.look(3)
    assert gate.state is TradingState.ACTIVE
    lose(portfolio, 50)  # 110 since the day began, which was before the rules were exchanged
    risk.look(4)
    assert gate.state is TradingState.REDUCING


def test_rules_for_parts_come_and_go_and_none_at_all_are_legal(portfolio: Portfolio, gate: Gate) -> None:
    risk = engine(portfolio, gate, max_daily_loss=Decimal(50))
    risk.look(1)
    part = ScopedRules(RiskRules(max_daily_loss=Decimal(5)), ScopeKind.STRATEGY, "s")
    risk.set_rules([part])
    lose(portfolio, 60)
    risk.look(2)
    assert gate.state is TradingState.ACTIVE
    risk.set_rules([])
    risk.look(3)
    assert risk.get_stats()["rejected_orders"] == 0
    assert not risk.killed
