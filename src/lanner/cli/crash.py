"""Keep the traceback of an unexpected fault where its reader can find it."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from lanner import __version__


def save_traceback(error: Exception) -> Path:
    """Write a crash file under Lanner's home, or in the temporary folder when that fails; return its path."""
    now = datetime.now(UTC)
    text = "".join(
        [
            f"lanner {__version__}, Python {platform.python_version()}, {platform.platform()}, {now.isoformat()}\n",
            f"command: lanner {' '.join(sys.argv[1:])}\n\n",
            *traceback.format_exception(error),
        ]
    )
    name = f"crash-{now:%Y%m%d-%H%M%S-%f}.txt"
    try:
        from lanner.storage.environment import default_home

        folder = default_home() / "crashes"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(text, encoding="utf-8")
    except Exception:  # noqa: BLE001 - whatever broke may have broken this too
        path = Path(tempfile.gettempdir()) / f"lanner-{name}"
        path.write_text(text, encoding="utf-8")
    return path
