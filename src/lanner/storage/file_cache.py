"""The cache of files that were imported on the fly: one small catalog a file, the longest unused given up first.

Who opens an entry holds a shared lock on it for as long as its catalog lives, so that no other process, and no later
file of the same run, takes the data away from under a backtest.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import weakref
from dataclasses import dataclass
from pathlib import Path

from lanner.core.errors import LannerError
from lanner.storage.catalog import Catalog
from lanner.storage.files import told_as_data_error

_USED = ".used"
"""An empty file in each entry: its time says when the entry was last used, its lock that it is in use."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One cached file: its name and data sets, bytes on disk, and when it was last used (UNIX ns)."""

    folder: Path
    files: list[str]
    datasets: list[str]
    size: int
    used_ns: int


class FileCache:
    """Imported files under one folder, each in a folder of its own named by its key."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def open(self, key: str) -> Catalog:
        """Return the catalog of an entry, made when it does not exist, and note that it is used now."""
        folder = self.root / key
        with told_as_data_error(folder):
            while True:
                folder.mkdir(parents=True, exist_ok=True)
                lock = os.open(folder / _USED, os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(lock, fcntl.LOCK_SH)
                if _is_still(folder / _USED, lock):
                    break
                os.close(lock)  # another process gave the entry up in between
            os.utime(folder / _USED)
        catalog = Catalog(folder)
        weakref.finalize(catalog, os.close, lock)
        return catalog

    def entries(self) -> list[CacheEntry]:
        """Return all entries, the longest unused first."""
        if not self.root.is_dir():
            return []
        found = [_entry(folder) for folder in self.root.iterdir() if folder.is_dir()]
        return sorted(found, key=lambda entry: (entry.used_ns, entry.folder.name))

    def prune(self, limit: int) -> list[CacheEntry]:
        """Give up the longest unused entries until at most ``limit`` bytes are left; return those that went.

        Entries in use stay, whatever their size.
        """
        entries = self.entries()
        total = sum(entry.size for entry in entries)
        gone = []
        for entry in entries:
            if total <= limit:
                break
            if _remove(entry.folder):
                gone.append(entry)
                total -= entry.size
        return gone

    def clear(self) -> list[CacheEntry]:
        """Give up every entry that is not in use; return those that went."""
        return [entry for entry in self.entries() if _remove(entry.folder)]


def _entry(folder: Path) -> CacheEntry:
    size = used = 0
    for path in (folder, *folder.rglob("*")):
        try:
            facts = path.stat()
        except FileNotFoundError:  # an import at work in another process
            continue
        size += facts.st_size if path.is_file() else 0
        used = facts.st_mtime_ns if path.name == _USED else used or facts.st_mtime_ns
    files: dict[str, None] = {}
    datasets = []
    try:
        catalog = Catalog(folder)
        for info in catalog.datasets():
            datasets.append(info.ref)
            files |= dict.fromkeys(
                s.file for s in catalog.require(info.kind, info.instrument_id, info.spec).sources
            )
    except LannerError:
        datasets = []  # a damaged entry is an entry all the same: it can be given up
    return CacheEntry(folder, list(files), datasets, size, used)


def _remove(folder: Path) -> bool:
    """Delete an entry unless somebody uses it."""
    try:
        lock = os.open(folder / _USED, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _is_still(path: Path, lock: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(lock).st_ino
    except FileNotFoundError:
        return False
