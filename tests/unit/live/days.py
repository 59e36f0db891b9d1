"""A paper session without a network: its engine, journal and simulated venue, played by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanner.live.build import Plan, build_engine, head_of, make_plan
from lanner.live.checkpointing import facts_of, head_now, outside_of, state_to_keep, store_of
from lanner.live.config import SessionConfig
from lanner.live.heart import Heart
from lanner.live.paper import PaperVenues
from lanner.live.recovery import Recovered, Recovery
from lanner.live.snapshot import freeze
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.storage.journal import JournalWriter, Sync

NAME = "BTC-USDT.BINANCE"
COIN = Instrument.spot(NAME, tick="0.01", lot="0.00001", maker="0.001", taker="0.001")
SECOND = 10**9
OPENED = 1_700_000_000 * SECOND


@dataclass
class Day:
    """One session, and how far its market has come."""

    folder: Path
    plan: Plan
    heart: Heart
    venues: PaperVenues
    seen: int = 0

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Return what two engines that are the same have in common."""
        return (
            facts_of(self.heart.engine),
            {name: v.account.balances for name, v in self.venues.venues.items()},
        )

    def quotes(self, count: int) -> None:
        """Let so many quotes come; the market is the same for each session."""
        rng = random.Random(7)
        px = 50_000.0
        for number in range(self.seen + count):
            px *= 1 + rng.gauss(0, 0.001)
            if number >= self.seen:
                ts = OPENED + (number + 1) * SECOND
                self.venues.data(Quote(NAME, ts, ts, px - 0.5, 1.0, px + 0.5, 1.0))
        self.seen += count

    def checkpoint(self) -> Path:
        """Keep the engine's state as it is now."""
        heart, engine = self.heart, self.heart.engine
        heart.checkpoint()
        head = head_now(heart, self.folder.name)
        state = freeze(state_to_keep(engine, self.venues), outside_of(engine, heart))
        return store_of(self.folder, self.plan.config).save(head, state)

    def crash(self) -> None:
        """Let the process be gone: what is in memory is lost."""
        self.heart.journal.close()

    def again(self) -> tuple[Day, Recovered]:
        """Take the session up in a new process."""
        heart = _heart(self.plan, self.folder)
        recovery = Recovery(self.plan, heart, self.folder, lambda: build_engine(self.plan, self.folder.name))
        told = recovery.run()
        assert recovery.venues is not None
        return Day(self.folder, self.plan, heart, recovery.venues, self.seen), told


def begin(folder: Path, strategy: str, **settings: Any) -> Day:
    """Begin a session."""
    config = SessionConfig(strategy=strategy, instruments=[NAME], cash=10_000, **settings)
    plan = make_plan(config, {NAME: COIN})
    heart = _heart(plan, folder)
    heart.journal.append(head_of(plan, folder.name, OPENED), OPENED)
    venues = PaperVenues(heart, plan)
    venues.send(heart.control("start", OPENED), OPENED)
    return Day(folder, plan, heart, venues)


def _heart(plan: Plan, folder: Path) -> Heart:
    config = plan.config.journal
    writer = JournalWriter(folder / "journal", sync=Sync.NONE, segment_bytes=config.segment_mb * 1_000_000)
    return Heart(build_engine(plan, folder.name), writer)
