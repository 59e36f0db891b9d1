"""Which parameters strategies use up when they start, found by starting them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lanner.live.baked import baked_params
from lanner.live.build import Plan, build_engine, make_plan
from lanner.live.config import SessionConfig
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import Instrument
from lanner.strategy.library import BUILT_IN

START_NS = 1_767_225_600_000_000_000
NEEDED = {"grid": {"upper": 70_000, "lower": 60_000}}
NAME = "BTCUSDT-PERP.BINANCE"


def plan_of(strategy: str, **params: object) -> Plan:
    instrument = Instrument(
        id=NAME,
        kind=InstrumentKind.LINEAR_PERP,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
    )
    config = SessionConfig(strategy=strategy, params=params, instruments=[NAME])
    return make_plan(config, {NAME: instrument})


@pytest.mark.parametrize("name", [cls.name for cls in BUILT_IN])
def test_every_built_in_strategy_can_be_looked_into(name: str) -> None:
    plan = plan_of(name, **NEEDED.get(name, {}))
    before = build_engine(plan, "x")
    [found] = baked_params(plan, "x", START_NS).values()
    [desk] = before.desks.values()
    assert found <= set(desk.strategy.values())


def test_only_what_is_read_until_the_start_is_over_counts(tmp_path: Path) -> None:
    path = tmp_path / "reads.py"
    path.write_text(
        """
import lanner as ln


class Reads(ln.Strategy):
    made = ln.Param(1)
    started = ln.Param(2)
    by_helper = ln.Param(3)
    checked = ln.Param(4)
    later = ln.Param(5)

    def __init__(self, **params):
        super().__init__(**params)
        self.double = 2 * self.made

    def check_params(self):
        ln.require(self.checked > 0, "checked", "> 0", self.checked)

    def on_start(self):
        self.window = [0] * self.started
        self.helper = self.help()
        self.lazy = lambda: self.later

    def help(self):
        return self.by_helper

    def on_quote(self, quote):
        self.size = self.later
"""
    )
    assert baked_params(plan_of(str(path)), "x", START_NS) == {
        "Reads": frozenset({"made", "started", "by_helper"})
    }


def test_a_strategy_that_cannot_start_again_has_used_everything(tmp_path: Path) -> None:
    path = tmp_path / "once.py"
    path.write_text(
        """
import lanner as ln


class Once(ln.Strategy):
    a = ln.Param(1)
    b = ln.Param(2)

    def on_start(self):
        raise OSError("the port is taken")
"""
    )
    assert baked_params(plan_of(str(path)), "x", START_NS) == {"Once": frozenset({"a", "b"})}


def test_looking_changes_nothing_of_the_class(tmp_path: Path) -> None:
    plan = plan_of("dual_ma")
    [found] = baked_params(plan, "x", START_NS).values()
    assert {"fast", "slow"} <= found
    [desk] = build_engine(plan, "x").desks.values()
    assert type(desk.strategy) in BUILT_IN
    assert not hasattr(desk.strategy, "_unnoted")
