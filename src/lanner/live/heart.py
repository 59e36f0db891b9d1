"""The engine with its journal: every input is written down before it is taken, every command before it leaves.

To a driver it looks like the engine itself. A session's journal, played again through a fresh engine, must lead to the
same commands and the same fingerprint: ``replay`` does that, and is also how a session recovers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from lanner.core.clock import LogicalClock
from lanner.core.errors import DataError, LannerError
from lanner.core.rng import Rng
from lanner.engine.cache import Cache
from lanner.engine.emergency import flatten, halt
from lanner.engine.engine import Engine
from lanner.live.adjusting import ADJUSTMENTS, adjust
from lanner.model.commands import Command
from lanner.model.market import Bar, MarketData
from lanner.risk.gate import TradingState
from lanner.storage.journal import (
    COMMAND_KINDS,
    INPUT_KINDS,
    Checkpoint,
    ClockMoved,
    Control,
    JournalWriter,
    Kind,
    Note,
    Record,
    SessionHead,
    Warm,
)

if TYPE_CHECKING:
    from lanner.engine.subscriptions import Subscriptions


class JournalFault(LannerError):  # noqa: N818 - a fact, not a mistake
    """The journal takes nothing more, so nothing may be done that it would have to hold."""


class Heart:
    """One engine and its journal. ``leave`` is what carries commands away, None while a driver does so itself."""

    def __init__(self, engine: Engine, journal: JournalWriter) -> None:
        self.engine = engine
        self.journal = journal
        self.inputs = 0
        self.commands = 0
        self.broken = ""
        self._script: Iterator[Record] | None = None

    def rehearse(self, records: Iterable[Record]) -> None:
        """Take what is already in the journal as written: the next inputs and commands must be these.

        Behind the last of them everything is written again. Something else raises ``DataError``.
        """
        self._script = (record for record in records if record.kind not in _TOLD)

    def unplayed(self) -> int:
        """Return the number of the first record that should have come again and did not, 0 where all have."""
        record = None if self._script is None else next(self._script, None)
        self._script = None
        return 0 if record is None else record.seq

    # -- what a driver sees of the engine ------------------------------------------------------------------

    @property
    def clock(self) -> LogicalClock:
        """Return the engine's clock."""
        return self.engine.clock

    @property
    def rng(self) -> Rng:
        """Return the engine's randomness."""
        return self.engine.rng

    @property
    def cache(self) -> Cache:
        """Return what is known now."""
        return self.engine.cache

    @property
    def subscriptions(self) -> Subscriptions:
        """Return who gets what."""
        return self.engine.subscriptions

    def step(self, message: Any) -> list[Command]:
        """Write an input down and let the engine take it; return the commands, written down too.

        An input received before the one taken last gets its time: the engine's clock never goes back. What a paused
        engine only sees keeps its own, so that its age can be told.
        """
        ts, now = message.ts_recv, self.engine.clock.now
        if ts < now:
            ts = now
            if not self.engine.paused or type(message) not in _MARKET_DATA:
                message = msgspec.structs.replace(message, ts_recv=now)
        self._write(message, ts)
        self.inputs += 1
        return self._written(self.engine.step(message))

    def begin(self, head: SessionHead, ts: int) -> None:
        """Write the journal's first record."""
        self._write(head, ts)

    def advance(self, ts: int) -> list[Command]:
        """Move the clock, so that timers fire."""
        self._write(ClockMoved(ts), ts)
        return self._written(self.engine.advance(ts))

    def warm(self, bar: Bar) -> None:
        """Show the engine a bar of the past."""
        self._write(Warm(bar), bar.ts_recv)
        self.engine.warm_bar(bar)

    def control(self, action: str, ts: int, reason: str = "", **details: Any) -> list[Command]:
        """Do what a person or a guard wants, and write it down first."""
        control = Control(action, reason, details)
        self._write(control, ts)
        if self.engine.bus.active:
            self.engine.bus.publish(f"control.{action}", control)
        return self._written(apply_control(self.engine, control, ts))

    def checkpoint(self) -> None:
        """Write the engine's fingerprint down, so that a replay can be compared with it on the way."""
        self._write(Checkpoint(self.engine.hash.hexdigest(), self.inputs), self.engine.clock.now)

    def note(self, text: str, **details: Any) -> None:
        """Write something down that is no input but explains one: a gap, a lost connection."""
        self._write(Note(text, details), self.engine.clock.now)

    def _written(self, commands: list[Command]) -> list[Command]:
        for command in commands:
            self._write(command, command.ts)
        self.commands += len(commands)
        return commands

    def _write(self, message: Any, ts: int) -> None:
        if self._script is not None and self._is_written(message):
            return
        if self.broken:
            raise JournalFault("the journal is broken", found=self.broken)
        try:
            self.journal.append(message, ts)
        except OSError as error:
            self.broken = error.strerror or str(error)
            raise JournalFault(
                f"the journal in {self.journal.folder} takes nothing more",
                found=self.broken,
                fix="Make room on the disk; the session must not trade without its journal.",
            ) from error

    def _is_written(self, message: Any) -> bool:
        assert self._script is not None
        record = next(self._script, None)
        if record is None:
            self._script = None
            return False
        # market data come from the journal themselves, and an empty side of a book does not equal itself
        if type(record.message) is not type(message) or (
            type(message) not in _MARKET_DATA and record.message != message
        ):
            raise DataError(
                f"record {record.seq} of the journal cannot be repeated",
                expected=_name(record.message),
                found=_name(message),
            )
        return True


_TOLD = frozenset({Kind.SESSION, Kind.NOTE, Kind.CHECKPOINT})
_MARKET_DATA = frozenset(get_args(MarketData))
CONTROLS = (
    "start",
    "stop",
    "pause",
    "resume",
    "catch_up",
    "caught_up",
    "state",
    "halt",
    "flatten",
    "recovered",
    "compared",
    *ADJUSTMENTS,
)


STARTING = "start"
"""Who lets the strategies rest until a session has started."""


def apply_control(engine: Engine, control: Control, ts: int) -> list[Command]:
    """Do what a control record says; the same on its first day and in every replay."""
    now = max(ts, engine.clock.now)
    match control.action:
        case "start":
            return engine.start(ts)
        case "stop":
            return engine.stop(now)
        case "pause":
            _pause(engine, control.details.get("by", "session"), on=True)
            return engine.advance(now)
        case "resume":
            due = engine.advance(now)  # what is due by now was missed as well, where the strategies rest
            _pause(engine, control.details.get("by", "session"), on=False)
            return [*due, *engine.late.fire(engine)]
        case (
            "catch_up" | "caught_up"
        ):  # what came while a session was away or starting is past: nobody acts on it
            _pause(engine, STARTING, on=control.action == "catch_up")
            return engine.late.fire(engine)
        case "state":
            _set_state(engine, control)
            return engine.advance(now)
        case "halt":
            return halt(engine, control.reason, now)
        case "flatten":
            return flatten(engine, now)
        case "recovered":
            return []
        case "compared":
            engine.execution.retention.compared(control.details["since"])
            return []
        case action if action in ADJUSTMENTS:
            return adjust(engine, control, now)
    raise DataError(f"unknown control {control.action!r} in a journal", expected=", ".join(CONTROLS))


def _pause(engine: Engine, by: str, *, on: bool) -> None:
    """Let handlers rest, or take one's own wish for that back: they run when nobody wishes it any more."""
    if on:
        engine.paused_by.add(by)
    else:
        engine.paused_by.discard(by)
    engine.paused = bool(engine.paused_by)


def _set_state(engine: Engine, control: Control) -> None:
    """Change the trading state; a person who lets trading go on also answers for what the risk rules found."""
    state, by = TradingState[control.details["state"]], control.details.get("by", "session")
    engine.execution.gate.set(state, control.reason, by=by)
    if by == "session" and state is TradingState.ACTIVE and engine.risk is not None:
        engine.risk.release()


@dataclass(slots=True)
class Replayed:
    """What a replay found: how much it played, and where it came to differ from what was written.

    ``unsent`` is what the last record made the engine decide, when a crash kept that from being written
    and from leaving.
    """

    inputs: int = 0
    commands: int = 0
    checkpoints: int = 0
    last_ts: int = 0
    unsent: list[Command] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def faithful(self) -> bool:
        """Tell whether every command and every fingerprint was the same."""
        return not self.differences


MOST_DIFFERENCES = 20


def replay(
    engine: Engine,
    records: Iterable[Record],
    *,
    until_ts: int | None = None,
    on_step: Callable[[Record], bool] | None = None,
) -> Replayed:
    """Play a journal's records through a fresh engine and compare the commands and fingerprints that it holds.

    ``until_ts`` ends the replay before the first record of a later time; ``on_step`` is called after each record and
    ends it by returning True.
    """
    told = Replayed()
    made: list[Command] = []
    for record in records:
        if until_ts is not None and record.ts > until_ts:
            break
        kind, message = record.kind, record.message
        told.last_ts = max(told.last_ts, record.ts)
        if kind in COMMAND_KINDS:
            _compare(told, made, record)
        else:
            if made:
                _missing(told, made, record)
                made = []
            if kind in INPUT_KINDS:
                told.inputs += 1
                made = list(engine.step(message))
            elif kind is Kind.CLOCK:
                made = list(engine.advance(message.ts))
            elif kind is Kind.WARM:
                engine.warm_bar(message.bar)
            elif kind is Kind.CONTROL:
                made = list(apply_control(engine, message, record.ts))
            elif kind is Kind.CHECKPOINT:
                told.checkpoints += 1
                if message.state_hash != engine.hash.hexdigest():
                    _differ(told, f"record {record.seq}: the fingerprint is another one")
        if on_step is not None and on_step(record):
            break
    told.unsent = made
    return told


def _compare(told: Replayed, made: list[Command], record: Record) -> None:
    told.commands += 1
    if not made:
        _differ(told, f"record {record.seq}: {_name(record.message)} was sent, but not now")
    elif made[0] == record.message:
        made.pop(0)
    else:
        _differ(told, f"record {record.seq}: {_name(record.message)} was sent, now {_name(made.pop(0))}")


def _missing(told: Replayed, made: list[Command], record: Record) -> None:
    for command in made:
        _differ(told, f"before record {record.seq}: {_name(command)} is sent now, but was not")


def _differ(told: Replayed, text: str) -> None:
    if len(told.differences) < MOST_DIFFERENCES:
        told.differences.append(text)


def _name(command: Any) -> str:
    order_id = getattr(command, "order_id", "")
    return f"{type(command).__name__} {order_id}".strip()
