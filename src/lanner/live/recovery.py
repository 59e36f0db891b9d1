"""How a session that has a journal begins again: from its newest good checkpoint, or from the journal's beginning.

Either way it is proven to be the same session: the commands and fingerprints that the journal holds are compared with
what the engine decides now, from where it was taken up to the end.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from lanner.core.errors import ConfigError, DataError, LannerError
from lanner.live.build import Plan, build_engine, limit_memory
from lanner.live.checkpointing import facts_of, restore, store_of
from lanner.live.checkpoints import Kept, software_of
from lanner.live.heart import Heart, Replayed, replay
from lanner.live.paper import DATA_KINDS, PaperVenues
from lanner.storage.journal import Checkpoint, Record, read_journal

if TYPE_CHECKING:
    from lanner.engine.engine import Engine


@dataclass(slots=True)
class Recovered:
    """How a session was taken up again: ``how`` is ``checkpoint`` or ``journal``.

    ``after`` is the record of the checkpoint (0: none), ``problems`` why better ones could not be used.
    """

    how: str = "journal"
    after: int = 0
    records: int = 0
    inputs: int = 0
    commands: int = 0
    last_ts: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def in_words(self) -> str:
        """Say it in a line."""
        source = f"from the checkpoint at record {self.after}" if self.after else "from the whole journal"
        text = f"taken up {source}, {self.records} records played in {self.seconds:.2f} s"
        return text + (f" ({'; '.join(self.problems)})" if self.problems else "")


class Recovery:
    """Take one session up again. ``fresh`` makes another engine where a checkpoint turned out to be of no use."""

    def __init__(self, plan: Plan, heart: Heart, folder: Path, fresh: Callable[[], Engine]) -> None:
        self.told = Recovered()
        self.venues: PaperVenues | None = None
        self._plan = plan
        self._heart = heart
        self._folder = folder
        self._fresh = fresh

    def run(self) -> Recovered:
        """Bring the engine, and simulated venues, to where the journal ends; raise when that is not possible."""
        began = perf_counter()
        collects = gc.isenabled()
        gc.disable()  # nearly all that is made here stays
        try:
            self._play()
            while seq := self._heart.unplayed():
                self._cut(seq)
                self._play()
        finally:
            if collects:
                gc.enable()
        self.told.seconds = perf_counter() - began
        return self.told

    def _play(self) -> None:
        if not self._from_checkpoint():
            self._from_journal()

    def _cut(self, seq: int) -> None:
        """Give up what nothing leads to any more, and begin anew.

        A simulated venue sees a message before the engine does. A crash between the two leaves what the venue made of
        it at the journal's end, without the message: records of one moment, and of the venue and the engine only.
        """
        journal = self._heart.journal
        lost = list(read_journal(journal.folder, after=seq - 1))
        if len({record.ts for record in lost}) > 1 or any(record.kind in DATA_KINDS for record in lost):
            raise ConfigError(
                "the session cannot be continued: its simulated venues now do otherwise than they did",
                expected=f"record {seq} of the journal, {type(lost[0].message).__name__}",
                found="nothing that leads to it",
                fix="Start a new session, or continue with the version of Lanner that the journal was written with.",
            )
        journal.cut(seq)
        self._start_anew()
        self.told.problems.append(
            f"{len(lost)} records at the end were given up: the message behind them was lost"
        )

    # -- from a checkpoint ---------------------------------------------------------------------------------

    def _from_checkpoint(self) -> bool:
        config = self._plan.config
        if config.recovery.max_checkpoints == 0:
            return False
        software = software_of([type(desk.strategy) for desk in self._heart.engine.desks.values()])
        problems = self.told.problems
        for kept in store_of(self._folder, config).newest_first(problems):
            reason = "other software wrote it" if kept.head.software != software else self._why_not(kept)
            if not reason:
                return True
            problems.append(f"{kept.path.name}: {reason}")
        return False

    def _why_not(self, kept: Kept) -> str:
        """Begin with a checkpoint and play what came after it; return why that does not do."""
        head, heart = kept.head, self._heart
        records = read_journal(self._folder / "journal", after=head.seq - 1)
        mark = next(records, None)
        if mark is None or mark.seq != head.seq or mark.message != Checkpoint(head.state_hash, head.inputs):
            return "the journal does not know it"
        try:
            self.venues = restore(kept.state, heart.engine, heart)
            if heart.engine.hash.hexdigest() != head.state_hash or (
                msgspec.msgpack.encode(facts_of(heart.engine)) != head.facts
            ):
                raise DataError("the state that was read back is another one")
            limit_memory(heart.engine, self._plan.config)  # the settings may be others by now
            heart.inputs, heart.commands = head.inputs, head.commands
            self._play_after(head.seq, records)
        except LannerError as error:
            self._start_anew()
            return error.message()
        self.told.how, self.told.after = "checkpoint", head.seq
        return ""

    def _play_after(self, seq: int, records: Iterator[Record]) -> None:
        heart, folder = self._heart, self._folder / "journal"
        if self.venues is not None:
            before = heart.inputs, heart.commands
            self.told.records, self.told.last_ts = self.venues.rebuild(heart, folder, after=seq)
            self.told.inputs, self.told.commands = heart.inputs - before[0], heart.commands - before[1]
            return
        played = self._counted(replay(heart.engine, records))
        if not played.faithful:
            raise DataError("what comes after it is decided otherwise now", found=played.differences[0])
        self._write_unsent(played)

    def _start_anew(self) -> None:
        heart = self._heart
        heart.rehearse(())
        heart.engine, heart.inputs, heart.commands = self._fresh(), 0, 0
        self.venues = None

    # -- from the beginning --------------------------------------------------------------------------------

    def _from_journal(self) -> None:
        heart, folder = self._heart, self._folder / "journal"
        live = self._plan.config.mode == "live"
        engine = heart.engine if live else build_engine(self._plan, self._folder.name)
        self.told.inputs = self.told.commands = self.told.records = 0
        played = self._counted(replay(engine, read_journal(folder)))
        if not played.faithful:
            raise ConfigError(
                "the session cannot be continued: its strategies now decide otherwise than they did",
                expected="the code and settings that the journal was written with",
                found=played.differences[0],
                fix="Start a new session; `lanner reconcile` shows what the venue holds.",
            )
        self._write_unsent(played)
        if not live:
            self.venues = PaperVenues(heart, self._plan)
            self.venues.rebuild(heart, folder)
        heart.inputs, heart.commands = played.inputs, played.commands

    def _counted(self, played: Replayed) -> Replayed:
        told = self.told
        told.records = played.inputs + played.commands + played.checkpoints
        told.inputs, told.commands, told.last_ts = played.inputs, played.commands, played.last_ts
        self._heart.inputs += played.inputs
        self._heart.commands += played.commands
        return played

    def _write_unsent(self, played: Replayed) -> None:
        """Write down what the last input led to and the crash kept from the journal; the venue will be asked for it."""
        if self._plan.config.mode == "live":
            for command in played.unsent:
                self._heart.journal.append(command, command.ts)
