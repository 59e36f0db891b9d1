"""A signal gives the same orders over whole columns, in the event engine, on paper, live and replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lanner as ln
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.market import Bar
from lanner.storage.journal import Warm, read_journal
from tests.integration.live.stage import Stage, on_stage

SIGNALS = {
    "cross": """
import lanner as ln

@ln.signal("1s")
def cross(bars, fast=3, slow=8):
    return bars.close.sma(fast) > bars.close.sma(slow)
""",
    "momentum": """
import lanner as ln

@ln.signal("1s")
def momentum(bars, slow=5):
    return bars.close > bars.close.ema(slow)
""",
}
NAME = "BTC-USDT.BINANCE"


def session_of(folder: Path, path: Path, mode: str) -> Session:
    found: list[Session] = []

    async def play(stage: Stage) -> None:
        plan = await stage.plan(path, [NAME], mode)
        found.append(await stage.trade(plan, f"signal-{mode}", 60.0))

    on_stage(folder, "binance-spot", play)
    return found[0]


def bars_of(session: Session) -> pl.DataFrame:
    """Return the bars that a session saw, those before its start included."""
    seen: dict[int, Bar] = {}
    for record in read_journal(session.folder / "journal"):
        message = record.message.bar if isinstance(record.message, Warm) else record.message
        if isinstance(message, Bar):
            seen[message.ts_open] = message
    rows = [seen[ts] for ts in sorted(seen)]
    names = ("open", "high", "low", "close", "volume")
    times = pl.Series("time", [row.ts_open for row in rows]).cast(pl.Datetime("ns", "UTC"))
    return pl.DataFrame([times, *(pl.Series(name, [getattr(row, name) for row in rows]) for name in names)])


def turns(times_and_sides: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the decisions from the first sale on, as (second, side): a session begins with nothing."""
    told = [(ts // 1_000_000_000, side) for ts, side in times_and_sides]
    first = next(place for place, (_, side) in enumerate(told) if side < 0)
    return told[first:]


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize("name", SIGNALS)
def test_arrays_events_sessions_and_replays_decide_alike(name: str, mode: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text(SIGNALS[name])
    session = session_of(tmp_path, path, mode)
    _, again, told = replay_session(session.folder)
    assert told.faithful
    ours = decided(session.engine)
    assert decided(again) == ours
    more: dict[str, Any] = {"instrument": NAME, "timeframe": "1s", "fees": {"maker": 0.001, "taker": 0.001}}
    frame = bars_of(session)
    arrays = ln.from_strategy(frame, path, **more).result()
    events = ln.backtest(path, frame, keep=False, **more).result
    assert [(o.ts_init, o.side, o.qty) for o in arrays.orders] == [
        (o.ts_init, o.side, o.qty) for o in events.orders
    ]
    expected = [(o.ts_init, o.side) for o in arrays.orders]
    assert len(turns(ours)) >= 4
    begun = turns(ours)[0][0]
    assert turns(ours) == [one for one in turns(expected) if one[0] >= begun]


def decided(engine: Any) -> list[tuple[int, int]]:
    return [(order.ts_init, int(order.side)) for order in engine.execution.orders.values()]
