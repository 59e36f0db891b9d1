"""The run store: one folder a finished run, made complete or not at all.

``<root>/<run_id>/`` holds ``run.json`` (the record below), ``config.yaml`` (what repeats the run), the strategy's
source, the result's tables and ``report.html``. The index is the folder itself: nothing can disagree with it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from lanner.core.errors import ConfigError, DataError, NotFoundError
from lanner.storage.files import sync_file, sync_folder, uninterrupted

RECORD = "run.json"
CONFIG = "config.yaml"
REPORT = "report.html"
SOURCE = "source"
LOG = "log.txt"
RECORD_VERSION = 1

_LEGAL_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_STALE_S = 86_400


class RunRecord(msgspec.Struct, kw_only=True):
    """What is remembered of a run. Money is text in ``currency``; ``metrics`` and ``counts`` are plain numbers.

    ``kind`` is backtest, arrays (a column of an array backtest), or sweep: then params and metrics are those of the
    best variant. ``notes`` is what Lanner had
    to assume; ``sources`` maps a strategy's file to the name of its kept copy.
    """

    run_id: str
    created_at: str
    name: str
    strategy: str
    lanner: str
    python: str
    version: int = RECORD_VERSION
    kind: str = "backtest"
    params: dict[str, Any] = {}
    instruments: list[str] = []
    data: list[dict[str, Any]] = []
    since_ns: int = 0
    until_ns: int = 0
    currency: str = ""
    start_equity: str = "0"
    end_equity: str = "0"
    fees: str = "0"
    funding: str = "0"
    seed: int = 1
    state_hash: str = ""
    data_hash: str = ""
    code_hash: str = ""
    seconds: float = 0.0
    counts: dict[str, int] = {}
    metrics: dict[str, float | None] = {}
    warnings: list[str] = []
    notes: list[str] = []
    sources: dict[str, str] = {}
    rerun_of: str = ""


@dataclass(frozen=True, slots=True)
class DamagedRun:
    """A folder in the run store that cannot be read, and why."""

    run_id: str
    reason: str


def new_run_id(name: str, now: datetime) -> str:
    """Return an id that sorts by time and says what ran: ``20261121-031824-dual_ma-3f9c``."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:40] or "run"
    return f"{now:%Y%m%d-%H%M%S}-{stem}-{os.urandom(2).hex()}"


class RunStore:
    """Finished runs under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    # -- writing -----------------------------------------------------------------------------------

    @contextmanager
    def create(self, run_id: str) -> Iterator[Path]:
        """Hand out a folder to fill; it appears under its id when the block ends well, else it is gone."""
        self._check_id(run_id)
        target = self.root / run_id
        if target.exists():
            raise ConfigError(f"there is already a run {run_id}", fix="Give the run another name.")
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        draft = self.root / f".{run_id}.{os.getpid()}.tmp"
        draft.mkdir()
        try:
            yield draft
            for path in draft.rglob("*"):
                if path.is_file():
                    sync_file(path)
            with uninterrupted():
                draft.rename(target)
                sync_folder(self.root)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def delete(self, run_id: str) -> None:
        """Remove a run: it disappears from the list at once, its files after that."""
        folder = self.folder(run_id)
        grave = self.root / f".{run_id}.{os.getpid()}.tmp"
        folder.rename(grave)
        shutil.rmtree(grave)

    def _sweep(self) -> None:
        """Remove what runs that were killed left behind more than a day ago."""
        newest = max((path.stat().st_mtime for path in self.root.glob("*")), default=0.0)
        for path in self.root.glob(".*.tmp"):
            if newest - path.stat().st_mtime > _STALE_S:
                shutil.rmtree(path, ignore_errors=True)

    # -- reading -----------------------------------------------------------------------------------

    def list(self) -> list[RunRecord | DamagedRun]:
        """Return every run, the newest first; one that cannot be read comes as ``DamagedRun``."""
        return [self._read(name) for name in reversed(self._names())]

    def load(self, ref: str) -> RunRecord:
        """Return the record of a run named by its id, the start or end of it, or ``last``.

        Raises ``NotFoundError`` for no such run and ``DataError`` for a damaged one.
        """
        record = self._read(self.resolve(ref))
        if isinstance(record, DamagedRun):
            raise DataError(
                f"the run {record.run_id} is damaged",
                found=record.reason,
                fix=f"Remove it with `lanner runs delete {record.run_id}`.",
            )
        return record

    def resolve(self, ref: str) -> str:
        """Return the full id of a run named by its id, the start or end of it, or ``last``."""
        names = self._names()
        if ref in names:
            return ref
        if ref == "last" and names:
            return names[-1]
        matches = [name for name in names if ref and (name.startswith(ref) or name.endswith(ref))]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ConfigError(
                f"{len(matches)} runs match {ref!r}", expected="more of the id", found=_some(matches)
            )
        if not names:
            raise NotFoundError(
                f"no run {ref!r}", found=f"an empty run store at {self.root}", fix="Try `lanner demo`."
            )
        near = get_close_matches(ref, names, n=3, cutoff=0.5)
        fix = f"Did you mean {near[0]}?" if near else "`lanner runs list` shows all of them."
        raise NotFoundError(f"no run {ref!r} in {self.root}", fix=fix)

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run that exists."""
        self._check_id(run_id)
        folder = self.root / run_id
        if not folder.is_dir():
            raise NotFoundError(
                f"no run {run_id!r} in {self.root}", fix="`lanner runs list` shows all of them."
            )
        return folder

    def _names(self) -> tuple[str, ...]:
        if not self.root.is_dir():
            return ()
        return tuple(sorted(p.name for p in self.root.iterdir() if p.is_dir() and p.name[0] != "."))

    def _read(self, run_id: str) -> RunRecord | DamagedRun:
        path = self.root / run_id / RECORD
        try:
            record = msgspec.json.decode(path.read_bytes(), type=RunRecord)
        except FileNotFoundError:
            return DamagedRun(run_id, f"there is no {RECORD}")
        except msgspec.ValidationError as error:
            return DamagedRun(run_id, f"{RECORD} lacks something: {error}")
        except msgspec.DecodeError as error:
            return DamagedRun(run_id, f"{RECORD} is not JSON: {error}")
        except OSError as error:
            return DamagedRun(run_id, f"{RECORD} cannot be read: {error.strerror}")
        if record.version > RECORD_VERSION:
            return DamagedRun(run_id, f"it was written by a newer Lanner ({record.lanner})")
        if record.run_id != run_id:
            return DamagedRun(run_id, f"{RECORD} belongs to {record.run_id}")
        return record

    @staticmethod
    def _check_id(run_id: str) -> None:
        if not _LEGAL_ID.match(run_id):
            raise ConfigError("not a run id", expected="letters, digits, - _ and .", found=repr(run_id))


def write_record(folder: Path, record: RunRecord) -> None:
    """Write a run's record into its folder."""
    (folder / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
