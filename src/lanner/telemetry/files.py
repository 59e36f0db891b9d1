"""Files of lines that do not grow without end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class RotatingLines:
    """Append lines to a file; at ``max_bytes`` it becomes ``NAME.1``, of which ``keep`` old ones stay.

    Not for several threads: each file has one writer. Errors of the disk pass through.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self.path = path
        self._max = max_bytes
        self._keep = keep
        self._size = -1

    def write(self, lines: list[str]) -> None:
        """Append lines, each of which gets its line end."""
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        if self._size < 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._size = self.path.stat().st_size if self.path.exists() else 0
        if self._size and self._size + len(data) > self._max:
            self._rotate()
        with self.path.open("ab") as file:
            file.write(data)
        self._size += len(data)

    def _rotate(self) -> None:
        if self._keep:
            for number in range(self._keep - 1, 0, -1):
                older = numbered(self.path, number)
                if older.exists():
                    older.replace(numbered(self.path, number + 1))
            self.path.replace(numbered(self.path, 1))
        else:
            self.path.unlink(missing_ok=True)
        self._size = 0


def numbered(path: Path, number: int) -> Path:
    """Return the name of an old file of a rotation; 1 is the youngest."""
    return path.with_name(f"{path.name}.{number}")


def read_lines(path: Path) -> Iterator[str]:
    """Go through the lines of a rotated file, oldest first."""
    old = 1
    while numbered(path, old).exists():
        old += 1
    for one in [numbered(path, number) for number in range(old - 1, 0, -1)] + [path]:
        try:
            text = one.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        yield from text.splitlines()
