"""Hot reload: new parameters and limits for a session that runs, without stopping it.

Seen → read → checked → the last good content kept → written into the journal and applied between two steps → told on
``config.reloaded``. Whatever goes wrong on the way leaves everything as it was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError, LannerError
from lanner.live.adjusting import controlled
from lanner.live.baked import baked_params
from lanner.live.changes import (
    Change,
    Row,
    Wanted,
    check_change,
    read_file,
    read_options,
    read_settings,
    seed_form,
)
from lanner.live.entries import NewContent, stamp_of
from lanner.live.overrides import redacted_text
from lanner.net.wallclock import wall_ns
from lanner.storage.files import write_atomic

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session

BACKUPS = "reload-backups"
MARK = "reloaded.json"
"""A file beside the journal of a session whose parameters or limits were changed: where the last change came from."""


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """What is published on ``config.reloaded`` after a change was applied."""

    config_path: str
    reload_count: int
    timestamp: int
    changes: tuple[Row, ...] = ()


@dataclass(slots=True)
class ReloadStats:
    """What a session's hot reload has done; ``check_count`` counts looks at the file."""

    check_count: int = 0
    reload_count: int = 0
    error_count: int = 0
    last_reload_ns: int = 0
    last_error: str = ""


@dataclass(slots=True)
class ReloadReport:
    """What came of a reload: the differences, and whether they were applied."""

    source: str
    changes: list[Row] = field(default_factory=list)
    applied: bool = False
    backup: str = ""
    was_good: tuple[dict[str, Any] | None, str] = (None, "")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "source": self.source,
            "applied": self.applied,
            "changes": [row.as_dict() for row in self.changes],
            "backup": self.backup,
        }


class HotReloadManager:
    """Change one running session; ``keep`` watches its file, everything else is asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.config = session.plan.config.reload
        self.path = Path(self.config.file) if self.config.file else None
        self.stats = ReloadStats()
        self.watched = self.config.watch
        self._lock = asyncio.Lock()
        self._baked: Mapping[str, frozenset[str]] | None = None
        self._stamp = stamp_of(self.path)
        self._good: dict[str, Any] | None = None
        self._good_text = ""
        self._remember()

    # -- the file ------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Look at the file at the pace of the settings, and take what is new in it."""
        if self.path is None:
            raise ConfigError(
                "there is no file to watch",
                expected="reload.file, or a session that was started with a settings file",
            )
        content = NewContent(self.path, self._stamp)
        while True:
            await asyncio.sleep(self.config.interval_ms / 1e3)
            self.stats.check_count += 1
            if not content.look():
                continue
            try:
                await self.reload_now(reason="the file changed")
            except LannerError:
                continue  # counted and told; the next change of the file is another try

    def _remember(self) -> None:
        """Take what stands in the file now for good: the session was started with it."""
        if self.path is None or self._stamp is None:
            return
        try:
            session = self._session
            _wanted, self._good = read_file(self.path, session.id, session.engine, session.plan.config, None)
            self._good_text = self.path.read_text(encoding="utf-8")
        except (LannerError, OSError, ValueError):
            self._good, self._good_text = None, ""

    # -- changing ------------------------------------------------------------------------------------------

    async def reload_now(
        self, path: Path | None = None, *, dry_run: bool = False, reason: str = "asked for"
    ) -> ReloadReport:
        """Take what is new in the file, or all that another file says; raise what is wrong with it."""
        own = path is None or path == self.path
        path = path or self.path
        if path is None:
            raise ConfigError("there is no file to reload", expected="a file, or changes as NAME=VALUE")
        async with self._lock:
            with _Counted(self):
                session = self._session
                wanted, content = read_file(
                    path, session.id, session.engine, session.plan.config, self._good if own else None
                )
                text = path.read_text(encoding="utf-8")
                report = await self._change(wanted, str(path), reason, self._good_text, dry_run=dry_run)
                if own and not dry_run:
                    self._good, self._good_text = content, text
                return report

    def begin_with(self, values: dict[str, Any], text: str) -> None:
        """Say what the session's settings were in its file when it was started, and that somebody watches that."""
        self.watched = True
        if not self.stats.reload_count:
            self._good, self._good_text = values, text

    async def take(
        self, values: dict[str, Any], text: str, *, dry_run: bool = False, reason: str = "the file changed"
    ) -> ReloadReport:
        """Take what is new in the session's settings as its file has them now; ``text`` is the file's whole content."""
        assert self.path is not None
        async with self._lock:
            with _Counted(self):
                session = self._session
                wanted = read_settings(
                    values, self.path.name, session.engine, session.plan.config, self._good
                )
                report = await self._change(wanted, str(self.path), reason, self._good_text, dry_run=dry_run)
                if not dry_run:
                    report.was_good = (self._good, self._good_text)
                    self._good, self._good_text = values, text
                return report

    async def take_back(self, report: ReloadReport, reason: str) -> None:
        """Undo what ``take`` did."""
        async with self._lock:
            with _Counted(self):
                wanted = Wanted()
                for row in report.changes:
                    if row.kind == "risk":
                        wanted.risk[row.name] = row.before
                    else:
                        told = wanted.params if row.kind == "params" else wanted.protection
                        told.setdefault(row.strategy, {})[row.name] = row.before
                await self._change(wanted, report.source, f"{reason}: taken back", "", dry_run=False)
                self._good, self._good_text = report.was_good

    async def change(
        self, options: Sequence[str], *, dry_run: bool = False, reason: str = "asked for"
    ) -> ReloadReport:
        """Make changes given as ``NAME=VALUE`` (see ``changes.read_options``); raise what is wrong with them."""
        async with self._lock:
            with _Counted(self):
                wanted = read_options(options, self._session.engine)
                return await self._change(wanted, "options", reason, "", dry_run=dry_run)

    async def update(
        self, strategy_id: str, params: Mapping[str, Any], *, reason: str = "asked for"
    ) -> ReloadReport:
        """Give a strategy new values of parameters; raise what is wrong with them."""
        async with self._lock:
            with _Counted(self):
                wanted = Wanted(params={strategy_id: dict(params)})
                return await self._change(wanted, "options", reason, "", dry_run=False)

    async def catch_up(self, config: SessionConfig) -> ReloadReport:
        """Make the changes that the settings got while the session was down; raise what is wrong with them."""
        async with self._lock:
            with _Counted(self):
                params = zip(self._session.engine.desks, config.entries(), strict=True)
                wanted = Wanted(
                    params={name: dict(entry.params) for name, entry in params},
                    risk=config.risk.model_dump(mode="json", exclude_none=True),
                )
                reason = "the settings when it was started again"
                return await self._change(wanted, config.reload.file, reason, "", dry_run=False)

    async def _change(
        self, wanted: Wanted, source: str, reason: str, good_text: str, *, dry_run: bool
    ) -> ReloadReport:
        session = self._session
        if session.fault is not None:
            raise LannerError(f"session {session.id} does not run, so nothing can be changed in it")
        if not session.engine.started:
            raise LannerError(
                f"session {session.id} is still starting, so nothing can be changed in it",
                fix="Try again in a moment.",
            )
        if self._baked is None and wanted.params:
            self._baked = await asyncio.to_thread(baked_params, session.plan, session.id, session.now())
        change = check_change(wanted, session.engine, self._baked or {})
        report = ReloadReport(source, change.rows)
        if dry_run or not change:
            return report
        try:
            if self.config.backup:
                report.backup = await asyncio.to_thread(self._backup, good_text, change)
            # The mark first: a changed session without it could not be started again, an unchanged one with it can.
            mark = json.dumps({"source": source}).encode()
            await asyncio.to_thread(write_atomic, session.folder / MARK, mark)
        except OSError as error:
            raise LannerError(
                "nothing was changed: what a restart needs to know of it cannot be kept",
                expected=f"a folder {session.folder} that can be written",
                found=error.strerror or str(error),
            ) from error
        self._apply(change, f"reload: {reason}"[:500])
        report.applied = True
        self.stats.reload_count += 1
        self.stats.last_reload_ns = wall_ns()
        session.bus.publish(
            "config.reloaded",
            ConfigReloaded(source, self.stats.reload_count, self.stats.last_reload_ns, tuple(change.rows)),
        )
        return report

    def _apply(self, change: Change, reason: str) -> None:
        """Apply all of a change or nothing: what was applied before a refusal is taken back, in the journal, too."""
        done: list[tuple[str, dict[str, Any]]] = []
        before = dict(self._session.engine.execution.limits.settings)
        for action, details in change.controls:
            refused = controlled(self._session, action, reason, details)
            if refused is not None:
                for undo, own in reversed(done):
                    controlled(
                        self._session, undo, f"{reason}: taken back", _undone(own, change.rows, before)
                    )
                raise refused
            done.append((action, details))
        self._session.guard.listen()

    # -- backups -------------------------------------------------------------------------------------------

    def _backup(self, good_text: str, change: Change) -> str:
        """Keep what was good until now, and only so many of them; return the file's path."""
        folder = self._session.folder / BACKUPS
        folder.mkdir(parents=True, exist_ok=True)
        kept = sorted(folder.iterdir())
        number = int(kept[-1].name.partition("-")[0]) + 1 if kept else 1
        if good_text:
            assert self.path is not None
            path, text = folder / f"{number:06d}-{self.path.name}", redacted_text(good_text)
        else:
            owner = next((row.strategy for row in change.rows if row.strategy), "")
            owner = owner or next(iter(self._session.engine.desks))
            path = folder / f"{number:06d}-{owner}.json"
            text = json.dumps(seed_form(self._session.engine, owner), indent=1, default=str)
        path.write_text(text, encoding="utf-8")
        for old in [*kept, path][: -self.config.max_backups]:
            old.unlink(missing_ok=True)
        return str(path)

    def fail(self, error: Exception) -> None:
        """Count what went wrong and tell it."""
        self.stats.error_count += 1
        self.stats.last_error = error.message() if isinstance(error, LannerError) else str(error)
        self._session.bus.publish("config.reload_failed", self.stats.last_error)

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics as plain data."""
        return {
            **asdict(self.stats),
            "watching": self.watched,
            "file": "" if self.path is None else str(self.path),
        }


class _Counted:
    """Count what goes wrong inside, and turn what the disk refuses into an error for people."""

    def __init__(self, manager: HotReloadManager) -> None:
        self._manager = manager

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError | UnicodeDecodeError):
            self._manager.fail(error)
            raise LannerError(f"the file cannot be used: {error}") from error
        if isinstance(error, LannerError):
            self._manager.fail(error)


def _undone(details: dict[str, Any], rows: Sequence[Row], risk_before: dict[str, Any]) -> dict[str, Any]:
    """Return the particulars of the record that takes another one back."""
    if "risk" in details:
        return {"risk": risk_before}
    own = [row for row in rows if row.strategy == details["strategy"]]
    return {
        "strategy": details["strategy"],
        "values": {row.name: row.before for row in own if row.kind == "params"},
        "protection": {row.name: row.before for row in own if row.kind == "protection"},
    }
