"""A session that forgets its ended orders decides, replays and recovers like one that keeps them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lanner.core.errors import LannerError
from lanner.engine.engine import Engine
from lanner.live.build import build_engine
from lanner.live.checkpointing import facts_of
from lanner.live.config import RetentionConfig, SessionConfig
from lanner.live.heart import replay
from lanner.live.parity.compare import compare_session
from lanner.live.replaying import replay_session
from lanner.model.commands import Command
from lanner.storage.journal import COMMAND_KINDS, read_journal
from lanner.storage.ledger.fold import fold_journal
from tests.unit.live.days import Day, begin

STRATEGY = """
import lanner as ln


class Restless(ln.Strategy):
    stop_loss = "3%"

    def on_start(self):
        self.n = 0
        self.seen = []
        self.quotes()

    def on_quote(self, quote):
        self.n += 1
        if self.n % 3 == 0:
            self.target(0.4 if self.n % 2 else 0)
        if self.n % 4 == 0:
            self.cancel_all()
            order = self.buy(0.01, px=round(quote.bid_px * 0.9995, 2), stop="1%", take="1%")
            if len(self.seen) < 3:
                self.seen.append(order)
        if self.n % 5 == 0:
            self.buy(1000, px=1.0, tag="too much")
        if self.n % 7 == 0:
            entry = self.buy(0.01, px=round(quote.bid_px * 0.5, 2))
            self.sell(0.01, px=round(quote.bid_px * 2, 2), after=entry)
        for order in self.seen:
            self.cancel(order)
            self.cancel(order.order_id)
        if self.n % 50 == 0:
            old = self.seen[0]
            self.log(f"{old.status.name} {old.cum_qty} {len(self.open_orders)}")
"""
TINY = {"ended_orders": 2, "min_age_s": 1}


def day(folder: Path, retention: dict[str, Any]) -> Day:
    path = folder / "restless.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STRATEGY)
    return begin(folder / "s1", str(path), retention=retention, risk={"max_open_orders": 50})


def commands(one: Day) -> list[Command]:
    return [record.message for record in read_journal(one.folder / "journal") if record.kind in COMMAND_KINDS]


def kept(engine: Engine) -> list[tuple[Any, ...]]:
    return [(o.order_id, o.status, o.cum_lots, o.trade_ids) for o in engine.execution.orders.values()]


def test_a_session_decides_the_same_however_little_it_keeps(tmp_path: Path) -> None:
    whole = day(tmp_path / "all", {"ended_orders": None})
    whole.quotes(900)
    everything = whole.heart.engine.execution
    assert len(everything.orders) > 500
    for most, age_s in ((1, 1), (7, 1), (2, 60), (50, 5), (10_000, 3_600)):
        one = day(tmp_path / f"{most}-{age_s}", {"ended_orders": most, "min_age_s": age_s})
        one.quotes(900)
        assert commands(one) == commands(whole)
        assert (
            one.fingerprint == whole.fingerprint
        )  # money, positions, timers, and the counts of orders and fills
        execution = one.heart.engine.execution
        working = sum(1 for _ in execution.working_orders())
        assert len(execution.orders) <= working + len(list(execution.held)) + most + 6 * age_s + 12
        assert set(execution.orders) <= set(everything.orders)


def test_a_replay_forgets_the_same_orders_at_the_same_moments(tmp_path: Path) -> None:
    one = day(tmp_path, TINY)
    sizes = []
    for _ in range(30):
        one.quotes(20)
        sizes.append(len(one.heart.engine.execution.orders))
    again: list[int] = []
    quotes = 0

    def step(engine: Engine, record: Any) -> bool:
        nonlocal quotes
        if type(record.message).__name__ == "Quote":
            if quotes and quotes % 20 == 0:
                again.append(len(engine.execution.orders))
            quotes += 1
        return False

    _, engine, told = replay_session(one.folder, on_step=step)
    assert told.faithful
    assert told.commands == one.heart.commands
    assert facts_of(engine) == facts_of(one.heart.engine)
    assert kept(engine) == kept(one.heart.engine)
    assert max(sizes) < 25
    assert max(again) < 25


def test_a_checkpoint_with_what_came_after_it_is_the_same_as_the_journal_alone(tmp_path: Path) -> None:
    one = day(tmp_path, TINY)
    one.quotes(300)
    one.checkpoint()
    one.quotes(300)
    size = one.checkpoint().stat().st_size
    one.quotes(40)
    one.crash()
    quick, told = one.again()
    assert (told.how, told.problems) == ("checkpoint", [])
    quick.crash()
    for path in (one.folder / "checkpoints").iterdir():
        path.unlink()
    slow, told = one.again()
    assert told.how == "journal"
    for again in (quick, slow):
        assert again.fingerprint == one.fingerprint
        assert kept(again.heart.engine) == kept(one.heart.engine)
    slow.quotes(200)
    whole = day(tmp_path / "whole", {"ended_orders": 0})
    whole.quotes(640)
    assert size < whole.checkpoint().stat().st_size / 2
    whole.quotes(200)
    assert slow.fingerprint == whole.fingerprint


def test_settings_that_changed_hold_after_a_checkpoint_too(tmp_path: Path) -> None:
    one = day(tmp_path, {"ended_orders": 0})
    one.quotes(300)
    one.checkpoint()
    one.crash()
    count = len(one.heart.engine.execution.orders)
    one.plan.config = one.plan.config.model_copy(update={"retention": RetentionConfig(**TINY)})
    again, told = one.again()
    assert (told.how, told.problems) == ("checkpoint", [])
    again.quotes(100)
    assert count > 200
    assert len(again.heart.engine.execution.orders) < 30
    again.checkpoint()
    again.crash()
    everything = RetentionConfig(ended_orders=0)
    again.plan.config = again.plan.config.model_copy(update={"retention": everything})
    third, told = again.again()
    assert told.how == "checkpoint"
    third.quotes(100)
    assert len(third.heart.engine.execution.orders) > 60
    whole = day(tmp_path / "whole", {"ended_orders": 0})
    whole.quotes(500)
    assert third.fingerprint == whole.fingerprint


def test_a_journal_of_a_session_that_forgot_is_told_whole(tmp_path: Path) -> None:
    one = day(tmp_path, TINY)
    one.quotes(300)
    one.venues.send(one.heart.control("stop", one.heart.clock.now), one.heart.clock.now)
    one.crash()
    count = one.heart.engine.execution.retention.order_count
    assert len(one.heart.engine.execution.orders) < 30 < count
    report = compare_session(one.folder)
    assert (report.faithful, report.identical, report.explained) == (True, True, True)
    assert len(report.pairs) == count
    assert report.alone == []
    *_, (rows, _) = fold_journal(one.folder / "journal", 10**10)
    sent = {
        record.message.order_id
        for record in read_journal(one.folder / "journal")
        if type(record.message).__name__ == "SubmitOrder"
    }
    assert sent == set(rows.orders)
    assert rows.fills == one.heart.engine.execution.retention.fill_count


def test_the_word_of_a_comparison_is_replayed(tmp_path: Path) -> None:
    one = day(tmp_path, TINY)
    engine = one.heart.engine
    engine.execution.retention.limit(2, 10**9, compares=True)
    one.quotes(200)
    before = len(engine.execution.orders)
    assert before > 100
    now = engine.clock.now
    one.venues.send(one.heart.control("compared", now, since=now - 5 * 10**9), now)
    assert len(engine.execution.orders) < 30
    one.quotes(100)
    assert len(engine.execution.orders) > 60
    again = build_engine(one.plan, "s1")
    again.execution.retention.limit(2, 10**9, compares=True)
    told = replay(again, read_journal(one.folder / "journal"))
    assert told.faithful
    assert kept(again) == kept(engine)


def test_what_cannot_be_is_refused_and_null_keeps_all() -> None:
    base: dict[str, Any] = {"strategy": "ma_cross", "instruments": ["BTC-USDT.BINANCE"]}
    config = SessionConfig(**base)
    assert config.retention == RetentionConfig(ended_orders=10_000, min_age_s=3_600.0)
    for none in (None, 0):
        config = SessionConfig(**base, retention={"ended_orders": none})
        assert config.retention.ended_orders == 0
        assert SessionConfig(**config.to_plain()) == config
    for wrong in (
        {"ended_orders": -1},
        {"min_age_s": 0},
        {"min_age_s": -5},
        {"orders": 5},
        {"ended_orders": "many"},
    ):
        with pytest.raises((ValidationError, LannerError)):
            SessionConfig(**base, retention=wrong)
