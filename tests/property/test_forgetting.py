"""Whatever a session forgets, it decides as if it had kept everything, and its replay forgets the same."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.live.replaying import replay_session
from lanner.model.market import Quote
from lanner.storage.journal import COMMAND_KINDS, read_journal
from tests.unit.live.days import NAME, OPENED, Day, begin

STRATEGY = """
import random

import lanner as ln


class Dicer(ln.Strategy):
    seed = ln.Param(1, 0, 1000000)

    def on_start(self):
        self.dice = random.Random(self.seed)
        self.views = []
        self.quotes()

    def on_quote(self, quote):
        roll, bid = self.dice.random(), quote.bid_px
        if roll < 0.2:
            self.target(self.dice.choice([0, 0.1, 0.3]), stop="0.3%", take="0.2%")
        elif roll < 0.4:
            self.views.append(self.buy(0.01, px=round(bid * self.dice.choice([0.9, 0.9998]), 2), stop="1%"))
        elif roll < 0.5 and len(self.views) > 1 and all(view.is_open for view in self.views[-2:]):
            self.oco(*self.views[-2:])
        elif roll < 0.6:
            entry = self.buy(0.01, px=round(bid * 0.9998, 2))
            self.sell(0.01, px=round(bid * 1.001, 2), after=entry)
        elif roll < 0.7:
            self.cancel_all()
        elif roll < 0.9 and self.views:
            view = self.dice.choice(self.views)
            self.cancel(self.dice.choice([view, view.order_id]))
        else:
            self.buy(100)
"""


def play(folder: Path, seed: int, gap_ms: int, retention: dict[str, int]) -> Day:
    """Let a session see a day of its own; the same seed and gap make the same day."""
    folder.mkdir()
    (folder / "dicer.py").write_text(STRATEGY)
    one = begin(folder / "s1", str(folder / "dicer.py"), params={"seed": seed}, retention=retention)
    dice, px, ts = random.Random(seed), 50_000.0, OPENED
    for _ in range(150):
        px *= 1 + dice.gauss(0, 0.0005)
        ts += int(dice.expovariate(1.0) * gap_ms * 1e6) + 1
        one.venues.data(Quote(NAME, ts, ts, px - 0.5, 1.0, px + 0.5, 1.0))
    one.crash()
    return one


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000_000),
    gap_ms=st.sampled_from([20, 300, 2_000, 60_000]),
    most=st.integers(1, 8),
    age_s=st.integers(1, 30),
)
def test_a_session_that_forgets_decides_like_one_that_does_not(
    seed: int, gap_ms: int, most: int, age_s: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        whole = play(Path(name) / "all", seed, gap_ms, {"ended_orders": 0})
        one = play(Path(name) / "few", seed, gap_ms, {"ended_orders": most, "min_age_s": age_s})
        sent = [
            [
                record.message
                for record in read_journal(day.folder / "journal")
                if record.kind in COMMAND_KINDS
            ]
            for day in (whole, one)
        ]
        assert sent[0] == sent[1]
        assert one.fingerprint == whole.fingerprint
        execution, everything = one.heart.engine.execution, whole.heart.engine.execution
        for order_id, order in everything.orders.items():
            kept = execution.orders.get(order_id)
            assert kept is not None or order.is_final
            if kept is not None:
                assert (kept.status, kept.cum_lots) == (order.status, order.cum_lots)
        _, again, told = replay_session(one.folder)
        assert told.faithful
        assert list(again.execution.orders) == list(execution.orders)
