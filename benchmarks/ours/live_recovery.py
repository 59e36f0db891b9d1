"""How long a session takes to be taken up again: from its whole journal, and from a checkpoint."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path
from typing import Any

from lanner.live.build import Plan, build_engine, head_of, make_plan
from lanner.live.checkpointing import head_now, outside_of, state_to_keep, store_of
from lanner.live.config import SessionConfig
from lanner.live.heart import Heart
from lanner.live.paper import PaperVenues
from lanner.live.recovery import Recovery
from lanner.live.snapshot import freeze
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.storage.journal import JournalWriter, Sync

NAME = "BTC-USDT.BINANCE"
COIN = Instrument.spot(NAME, tick="0.01", lot="0.00001", maker="0.001", taker="0.001")
SECOND = 10**9
OPENED = 1_700_000_000 * SECOND
STRATEGY = '''
import lanner as ln


class Turn(ln.Strategy):
    """In and out by turns, at each quote."""

    def on_start(self):
        self.inside = False
        self.mean = self.quotes().sma(20)

    def on_quote(self, quote):
        self.inside = not self.inside
        self.target(0.5 if self.inside else 0)
'''


def recovery(orders: int, folder: Path) -> dict[str, Any]:
    """Make a journal of so many orders, each accepted and filled; take it up both ways."""
    path = folder / "turn.py"
    path.write_text(STRATEGY)
    live = SessionConfig(mode="live", strategy=str(path), instruments=[NAME], cash=10_000)
    plan = make_plan(live, {NAME: COIN})
    home = folder / "bench"
    heart = _heart(plan, home)
    heart.journal.append(head_of(plan, "bench", OPENED), OPENED)
    venues = PaperVenues(heart, plan)
    venues.send(heart.control("start", OPENED), OPENED)
    rng, px, number = random.Random(7), 50_000.0, 0
    while len(heart.engine.execution.orders) < orders:
        number += 1
        px *= 1 + rng.gauss(0, 0.0005)
        ts = OPENED + number * SECOND // 10
        venues.data(Quote(NAME, ts, ts, px - 0.5, 5.0, px + 0.5, 5.0))
    venues.pass_time(OPENED + (number + 10) * SECOND // 10 + SECOND)
    heart.checkpoint()
    began = time.perf_counter()
    state = freeze(state_to_keep(heart.engine, None), outside_of(heart.engine, heart))
    frozen = time.perf_counter() - began
    head = head_now(heart, "bench")
    heart.journal.close()
    whole = _take_up(plan, home)
    store_of(home, live).save(head, state)
    short = _take_up(plan, home)
    assert (whole["how"], short["how"]) == ("journal", "checkpoint"), (whole, short)
    assert whole["state_hash"] == short["state_hash"] == head.state_hash
    return {
        "orders": orders,
        "records": head.seq,
        "journal_s": whole["seconds"],
        "checkpoint_s": short["seconds"],
        "journal_cpu_s": whole["cpu"],
        "checkpoint_cpu_s": short["cpu"],
        "freeze_s": frozen,
        "checkpoint_mb": len(state) / 1e6,
    }


def _take_up(plan: Plan, home: Path) -> dict[str, Any]:
    began, cpu = time.perf_counter(), time.process_time()
    heart = _heart(plan, home)
    told = Recovery(plan, heart, home, partial(build_engine, plan, "bench")).run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    heart.journal.close()
    return {"how": told.how, "seconds": seconds, "cpu": cpu, "state_hash": heart.engine.hash.hexdigest()}


def _heart(plan: Plan, home: Path) -> Heart:
    return Heart(build_engine(plan, "bench"), JournalWriter(home / "journal", sync=Sync.NONE))
