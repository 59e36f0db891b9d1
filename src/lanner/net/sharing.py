"""A few integers that processes share: a mapped file, with a lock around every look at it."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from types import TracebackType

from lanner.core.errors import ConfigError

try:
    import fcntl
except ImportError:  # no flock on Windows
    fcntl = None  # type: ignore[assignment]

_MAGIC = 0x4C414E4E45520001


def can_share() -> bool:
    """Tell whether this system has the file locks that sharing needs."""
    return fcntl is not None


def remove_unused(folder: Path, pattern: str, older_than_s: float, now_s: float) -> int:
    """Remove shared files that nobody uses and nobody has written to for so long; return how many.

    Only where ``can_share``.
    """
    removed = 0
    for path in folder.glob(pattern):
        try:
            if path.suffix == ".users" or now_s - path.stat().st_mtime < older_than_s:
                continue
            users = os.open(f"{path}.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            Path(f"{path}.users").unlink(missing_ok=True)
            removed += 1
        except OSError:
            continue
        finally:
            os.close(users)
    return removed


class SharedCells:
    """Map ``count`` 64-bit integers of a file; use as a context manager to hold the lock.

    ``layout`` names what the integers mean. A file of another layout is begun anew, unless a running process uses
    it. The first ``kept`` integers outlive even that.
    """

    def __init__(self, path: Path, count: int, *, layout: int, kept: int = 0) -> None:
        if fcntl is None:
            raise ConfigError(
                "sharing between processes needs file locks, which this system lacks",
                fix="Leave the shared path empty.",
            )
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._users = os.open(f"{path}.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._open(count, layout, kept)
        except BaseException:
            os.close(self._file)
            os.close(self._users)
            raise

    def _open(self, count: int, layout: int, kept: int) -> None:
        alone = self._alone()
        size = (count + 2) * 8
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            fresh = os.fstat(self._file).st_size == 0
            missing = size - os.fstat(self._file).st_size
            if missing > 0:
                # Written, not truncated: a hole that a full disk cannot fill would kill the process later.
                os.pwrite(self._file, bytes(missing), size - missing)
            self._map = mmap.mmap(self._file, size)
            whole = memoryview(self._map).cast("q")
            if (whole[0], whole[1]) != (_MAGIC, layout):
                if not (fresh or alone):
                    found = "a running process uses it with other limits"
                    whole.release()
                    self._map.close()
                    raise ConfigError(
                        f"the shared file {self.path} cannot be used",
                        expected="the same limits in all processes",
                        found=found,
                    )
                first_kept = 2 + (kept if whole[0] == _MAGIC else 0)
                for index in range(first_kept, count + 2):
                    whole[index] = 0
                whole[0], whole[1] = _MAGIC, layout
            self._whole = whole
            self.cells = whole[2:]
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def __enter__(self) -> memoryview:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self.cells

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def sync(self) -> None:
        """Return when the disk has what is written here."""
        self._map.flush()

    def close(self) -> None:
        """Give the file back; parts of ``cells`` that others hold must be released before."""
        self.cells.release()
        self._whole.release()
        self._map.close()
        os.close(self._file)
        os.close(self._users)
