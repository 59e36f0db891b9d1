"""Stops and brackets over restarts: what protects a position goes on as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.live.days import Day, begin

STRATEGY = """
import lanner as ln


class Guarded(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        held = self.position.qty
        if self.n % 9 == 0 and not held:
            self.target(0.4, stop="0.4%", take="0.5%")
        elif self.n % 9 == 2 and held:
            self.stops.set_trailing_stop("0.2%", partial_close_pct=0.5)
            self.stops.set_time_stop(after="40s")
        elif self.n % 9 == 4 and held:
            self.target(0.2)
        elif self.n % 31 == 5:
            self.cancel_all()
        elif self.n % 37 == 6:
            self.stops.remove_all()
        elif self.n % 23 == 7 and held:
            self.buy(0.01, round(quote.bid_px, 2), stop="0.3%")
"""


def guarded(folder: Path, keeper: str) -> Day:
    folder.mkdir(parents=True)
    path = folder / "guarded.py"
    path.write_text(STRATEGY)
    return begin(folder / "s1", str(path), risk={"max_open_orders": 50, "stops": keeper})


@pytest.mark.parametrize("keeper", ["venue", "engine"])
def test_protection_goes_on_from_any_checkpoint(tmp_path: Path, keeper: str) -> None:
    whole, day = guarded(tmp_path / "whole", keeper), guarded(tmp_path / "broken", keeper)
    for count in (23, 31, 40, 17, 60, 29):
        day.quotes(count)
        day.checkpoint()
        day.crash()
        day, told = day.again()
        assert (told.how, told.problems) == ("checkpoint", [])
        whole.quotes(count)
        assert day.fingerprint == whole.fingerprint
    execution = day.heart.engine.execution
    intents = {order.intent for order in execution.orders.values()}
    assert {"stop", "trailing_stop"} <= intents, intents
    assert execution.stops.watched is execution.stops.book.watched, (
        "who shows prices asks the one, who wants them the other"
    )
    assert len(execution.fills) > 10
