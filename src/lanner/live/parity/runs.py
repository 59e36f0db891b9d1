"""The two sides of a comparison: the session as its journal tells it, and the backtest of the data in that journal."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lanner.engine.engine import Engine
from lanner.live.build import Plan, build_engine
from lanner.live.foreign import placed
from lanner.live.heart import Replayed, apply_control, replay
from lanner.live.paper import DATA_KINDS, PaperVenues
from lanner.model.market import Quote
from lanner.storage.journal import Control, Kind, Record, read_journal

LIFE = frozenset({"start", "stop", "catch_up", "caught_up", "compared"})
"""Controls that belong to every session; the others are what people and guards did."""
CURVE_POINTS = 600


@dataclass(slots=True)
class Mids:
    """The mids of one instrument by two clocks: when the venue had them, and when they were received."""

    ts_event: array[int] = field(default_factory=lambda: array("q"))
    ts_recv: array[int] = field(default_factory=lambda: array("q"))
    mids: array[float] = field(default_factory=lambda: array("d"))

    def add(self, quote: Quote) -> None:
        """Take a quote; one side that is empty says nothing about the price."""
        mid = quote.mid
        if mid == mid:
            last = self.ts_event[-1] if self.ts_event else 0
            self.ts_event.append(max(last, quote.ts_event))  # searching needs times in order
            self.ts_recv.append(quote.ts_recv)
            self.mids.append(mid)

    def at(self, ts: int, *, received: bool) -> float | None:
        """Return the mid that stood at a time by the venue's clock, or by ours."""
        place = bisect_right(self.ts_recv if received else self.ts_event, ts) - 1
        return self.mids[place] if place >= 0 else None


@dataclass(slots=True)
class Story:
    """What a journal tells besides inputs: people's controls, gaps, and the prices on the way."""

    controls: list[tuple[int, Control]] = field(default_factory=list)
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    mids: dict[str, Mids] = field(default_factory=dict)
    data: int = 0
    last_data_ts: int = 0
    first_ts: int = 0
    last_ts: int = 0


@dataclass(slots=True)
class Run:
    """One side: its engine at the end, and its equity on the way as (time, equity)."""

    engine: Engine
    curve: list[tuple[int, float]]


class _Curve:
    """Take the equity at every so many messages of market data, the same ones in every run."""

    def __init__(self, messages: int) -> None:
        self.points: list[tuple[int, float]] = []
        self._every = max(1, messages // CURVE_POINTS)
        self._seen = 0

    def see(self, engine: Engine, record: Record) -> None:
        if record.kind in DATA_KINDS:
            self._seen += 1
            if self._seen % self._every == 0:
                self.points.append((record.ts, engine.portfolio.total_equity()))

    def to_end(self, engine: Engine, story: Story) -> list[tuple[int, float]]:
        """Return the curve with what there was in the end, after all orders."""
        return [*self.points, (story.last_ts, engine.portfolio.total_equity())]


def read_story(folder: Path) -> Story:
    """Read a journal once for everything that is neither played nor compared."""
    story = Story()
    starting = 0  # since when a session that is taken up again has not been there; history and reports come meanwhile
    for record in read_journal(folder / "journal"):
        message = record.message
        if record.kind is Kind.CONTROL:
            story.first_ts = story.first_ts or record.ts
            if message.action not in LIFE:
                story.controls.append((record.ts, message))
            if message.action in ("catch_up", "caught_up"):
                starting = story.last_ts if message.action == "catch_up" else 0
            if message.action == "recovered":
                story.gaps.append((starting or story.last_ts, record.ts, "the session was down"))
        elif record.kind is Kind.NOTE and message.text == "gap":
            told = message.details
            story.gaps.append((told["ts_from"], told["ts_to"], f"{told['instrument_id']} {told['feed']}"))
        elif record.kind in DATA_KINDS:
            story.data += 1
            story.last_data_ts = record.ts
            if record.kind is Kind.QUOTE:
                story.mids.setdefault(message.instrument_id, Mids()).add(message)
        story.last_ts = max(story.last_ts, record.ts)
    story.controls = [(ts, control) for ts, control in story.controls if control.action != "recovered"]
    return story


def as_it_was(plan: Plan, session: str, folder: Path, story: Story) -> tuple[Run, Replayed]:
    """Replay a session: every input as it came, reports of the venue included."""
    engine = build_engine(plan, session, keeps_all=True)
    curve = _Curve(story.data)

    def step(record: Record) -> bool:
        curve.see(engine, record)
        return False

    found = replay(engine, read_journal(folder / "journal"), on_step=step)
    return Run(engine, curve.to_end(engine, story)), found


def as_backtest(plan: Plan, session: str, records: Iterable[Record], story: Story, *, controls: bool) -> Run:
    """Run the backtest of a journal's market data; ``controls``: with what people and guards did meanwhile."""
    curve = _Curve(story.data)
    engine = play(plan, session, records, controls=controls, on_step=curve.see)
    return Run(engine, curve.to_end(engine, story))


def play(
    plan: Plan,
    session: str,
    records: Iterable[Record],
    *,
    controls: bool = True,
    on_step: Callable[[Engine, Record], None] | None = None,
) -> Engine:
    """Play market data and controls through fresh strategies and simulated venues; reports in a journal are not read.

    The driver is the backtest's; messages reach venue and strategies at their receive times.
    """
    engine = build_engine(plan, session, keeps_all=True)
    venues = PaperVenues(engine, plan)
    last = 0
    for record in records:
        last = max(last, record.ts)
        if record.kind in DATA_KINDS:
            venues.data(record.message)
        elif record.kind is Kind.WARM:
            engine.warm_bar(record.message.bar)
        elif record.kind is Kind.CONTROL and (controls or record.message.action in LIFE):
            venues.pass_time(record.ts)
            venues.send(apply_control(engine, record.message, record.ts), record.ts)
            if record.message.action == "adopt":
                venues.send(placed(record.message.details, record.ts), record.ts)
        if on_step is not None:
            on_step(engine, record)
    venues.pass_time(last)
    return engine
