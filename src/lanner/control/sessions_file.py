"""Hot reload of a file of several sessions: what is new in it reaches all of its sessions, or none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lanner.control.states import LiveStatus
from lanner.core.errors import ConfigError, LannerError
from lanner.live.entries import NewContent, ReadFile, read_entries

if TYPE_CHECKING:
    from lanner.control.runner import LiveRunner
    from lanner.live.reload import ReloadReport
    from lanner.live.session import Session

RELOAD_S = 60.0
REASON = "the file of the sessions changed"


@dataclass(slots=True)
class FileReload:
    """What came of one look at a changed file: the difference of each session, or why nothing was applied."""

    reports: dict[str, ReloadReport] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def in_words(self) -> list[str]:
        """Return it line by line."""
        if self.errors:
            lines = [f"{name}: {text}" if name else text for name, text in self.errors.items()]
            return [*lines, "nothing was changed in any session"]
        return [
            f"session {name}: {row.place} {row.before} -> {'(default)' if row.after is None else row.after}"
            for name, report in self.reports.items()
            for row in report.changes
        ] or ["nothing is new for any session"]


class SessionsFile:
    """Look at a file at a pace and give its sessions (``runners`` by id) what is new in their entries.

    First every entry is checked by its session, then all are applied; one that refuses only then, in its strategy, has
    the others taken back. Sessions that have ended are left alone. ``tell`` gets what came of it, line by line.
    """

    def __init__(
        self,
        began: ReadFile,
        runners: Mapping[str, LiveRunner],
        tell: Callable[[str], None],
        *,
        interval_s: float = 1.0,
    ) -> None:
        self._path = began.path
        self._began = began
        self._runners = runners
        self._tell = tell
        self._interval_s = interval_s
        self._content = NewContent(began.path, began.stamp)
        self._ids = [name for name, _ in began.entries]
        self._marked: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"watching-{began.path.name}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(RELOAD_S)

    def _keep(self) -> None:
        while not self._over.wait(self._interval_s):
            if any(one.get_status() is LiveStatus.STARTING for one in self._runners.values()):
                continue  # its session cannot be asked yet
            self.begin()
            if self._content.look():
                self._tell(f"{self._path.name} changed")
                for line in self.reload().in_words():
                    self._tell(f"  {line}")

    def _active(self) -> dict[str, LiveRunner]:
        return {name: runner for name, runner in self._runners.items() if runner.is_active}

    def begin(self) -> None:
        """Tell each session that runs what its settings were when the file was read, once."""
        for name, own in self._began.entries:
            runner = self._runners.get(name)
            if name in self._marked or runner is None or not runner.is_active:
                continue

            def begin(session: Session, own: dict[str, Any] = own) -> None:
                session.reload.begin_with(own, self._began.text)

            with suppress(LannerError):  # it does not answer now; the next look is another try
                runner.ask(begin)
                self._marked.add(name)

    def reload(self) -> FileReload:
        """Take what is new in the file now."""
        done = FileReload()
        targets = self._active()
        try:
            read = read_entries(self._path)
            self._check_ids([name for name, _ in read.entries])
        except (LannerError, OSError, UnicodeDecodeError) as error:
            done.errors[""] = error.message() if isinstance(error, LannerError) else str(error)
            return self._failed(done, targets)
        wanted = {name: own for name, own in read.entries if name in targets}
        for name, own in wanted.items():
            self._take(done, name, own, read.text, dry_run=True)
        if done.errors:
            return self._failed(done, targets)
        done.reports.clear()
        for name, own in wanted.items():
            self._take(done, name, own, read.text, dry_run=False)
            if done.errors:
                self._take_back(done)
                return self._failed(done, targets)
        return done

    def _check_ids(self, ids: list[str]) -> None:
        if sorted(ids) != sorted(self._ids):
            raise ConfigError(
                f"{self._path.name}: sessions cannot be added or removed while the others run",
                expected=", ".join(filter(None, self._ids)),
                found=", ".join(filter(None, ids)),
                fix="Put them back; start new ones with a file of their own, end one with `lanner stop`.",
            )

    def _take(self, done: FileReload, name: str, own: dict[str, Any], text: str, *, dry_run: bool) -> None:
        runner = self._runners[name]
        try:
            done.reports[name] = runner.await_(
                lambda session: session.reload.take(own, text, dry_run=dry_run, reason=REASON),
                timeout_s=RELOAD_S,
            )
        except LannerError as error:
            if runner.is_active:  # one that ended meanwhile holds up nobody
                done.errors[name] = error.message()

    def _take_back(self, done: FileReload) -> None:
        """Undo what was applied before one session refused."""
        for name, report in done.reports.items():

            async def undo(session: Session, report: ReloadReport = report) -> None:
                await session.reload.take_back(report, REASON)

            try:
                self._runners[name].await_(undo, timeout_s=RELOAD_S)
            except LannerError as error:
                done.errors[name] = f"its change could not be taken back: {error.message()}"

    def _failed(self, done: FileReload, targets: Mapping[str, LiveRunner]) -> FileReload:
        """Let the sessions that did not refuse themselves tell that nothing was changed."""
        done.reports.clear()
        why = LannerError(f"{self._path.name}: {'; '.join(done.errors.values())}")

        for name, runner in targets.items():
            if name not in done.errors:
                try:
                    runner.ask(lambda session: session.reload.fail(why))
                except LannerError:
                    continue  # it does not answer, so it tells nobody
        return done
