"""A file of several sessions: what stands beside ``sessions`` is meant for each of its entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanner.backtest.config_file import anchored, merge, read_yaml
from lanner.core.errors import ConfigError, NotFoundError

Plain = dict[str, Any]
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file of sessions as it was read: ``stamp`` tells it from a later one, ``lines`` where each key stands."""

    path: Path
    stamp: Stamp | None
    text: str
    lines: dict[Any, int]
    entries: list[tuple[str, Plain]]


def read_entries(path: Path) -> ReadFile:
    """Read a file of sessions."""
    stamp = stamp_of(path)
    values, lines = read_yaml(path)
    return ReadFile(path, stamp, path.read_text(encoding="utf-8"), lines, entries_of(values, path))


def stamp_of(path: Path | None) -> Stamp | None:
    """Return what tells one content of a file from the next; None while there is none."""
    if path is None:
        return None
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino


class NewContent:
    """Tell when a file has new content that stands still: the same at two looks, for editors write piece by piece.

    Half a file may well be legal settings, without the limits that stand in its other half.
    """

    def __init__(self, path: Path, known: Stamp | None) -> None:
        self._path = path
        self._known = self._seen = known

    def look(self) -> bool:
        """Look at the file, and tell whether it is time to read it."""
        before, self._seen = self._seen, stamp_of(self._path)
        if self._seen is None or self._seen == self._known or self._seen != before:
            return False
        self._known = self._seen
        return True


def is_many(values: Mapping[str, Any]) -> bool:
    """Tell whether a file's content is that of several sessions."""
    return "sessions" in values


def entries_of(values: Mapping[str, Any], path: Path) -> list[tuple[str, Plain]]:
    """Return id (empty where an entry has none) and settings of each entry, paths made absolute."""
    entries = values.get("sessions")
    if not isinstance(entries, list) or not entries or not all(isinstance(one, Mapping) for one in entries):
        raise ConfigError(
            f"{path.name} has no list of sessions",
            expected="sessions: with an entry for each",
            fix="A file with one session is for `lanner paper` and `lanner live`.",
        )
    common = anchored({key: value for key, value in values.items() if key != "sessions"}, path.parent)
    found: list[tuple[str, Plain]] = []
    for entry in entries:
        own = dict(entry)
        name = str(own.pop("id", "") or "")
        if name and name in dict(found):
            raise ConfigError(f"{path.name}: the id of a session is there twice", found=repr(name))
        found.append((name, merge(common, anchored(own, path.parent))))
    return found


def entry_of(values: Mapping[str, Any], path: Path, session_id: str) -> Plain:
    """Return the settings of one entry; raise ``NotFoundError`` where the file has none of this id."""
    for name, own in entries_of(values, path):
        if name == session_id:
            return own
    raise NotFoundError(f"{path.name} has no session {session_id!r}", expected="an entry with this id")
