"""What ``lanner data cache`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lanner.cli.output import table
from lanner.storage.file_cache import CacheEntry
from lanner.storage.problems import time_text

_SECOND = 1_000_000_000


def cache_table(entries: Sequence[CacheEntry], limit: int) -> str:
    """Lay out the entries, the last used first, with their sum and the limit below."""
    rows = [
        [
            ", ".join(entry.files)[:50] or "(incomplete)",
            ", ".join(entry.datasets[:2]) + (" …" if len(entry.datasets) > 2 else ""),
            _megabytes(entry.size),
            time_text(entry.used_ns // _SECOND * _SECOND),
        ]
        for entry in reversed(entries)
    ]
    total = sum(entry.size for entry in entries)
    below = f"{_megabytes(total)} of at most {_megabytes(limit)} (LANNER_CACHE_SIZE)"
    return table(["file", "data sets", "size", "last used (UTC)"], rows, right="2") + "\n\n" + below


def cache_json(
    folder: Path, limit: int, entries: Sequence[CacheEntry], gone: Sequence[CacheEntry]
) -> dict[str, object]:
    """Return the cache as one object; ``deleted`` are the entries that ``--clear`` gave up."""
    return {
        "folder": folder,
        "limit": limit,
        "size": sum(entry.size for entry in entries),
        "entries": [_plain(entry) for entry in entries],
        "deleted": [_plain(entry) for entry in gone],
    }


def _plain(entry: CacheEntry) -> dict[str, object]:
    return {
        "folder": entry.folder,
        "files": entry.files,
        "datasets": entry.datasets,
        "size": entry.size,
        "used_ns": entry.used_ns,
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
