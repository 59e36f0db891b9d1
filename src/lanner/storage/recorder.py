"""Write raw frames to disk as they come: one line each, in files that turn over, from a thread of its own.

A line is ``<receive time in ns> <frame>``, an answer of HTTP ``<url> -> <seconds>: <body>``; ``lanner data import``
reads both. The queue in front of the disk is bounded: when the disk is slow or full, frames are dropped, counted and
told, and the caller is never held up.
"""

from __future__ import annotations

import gzip
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FLUSH_S = 1.0
RETRY_S = 5.0


@dataclass(slots=True)
class RecorderCounts:
    """What has been written and what has been lost."""

    lines: int = 0
    bytes: int = 0
    files: int = 0
    dropped: int = 0
    faults: int = 0
    fault: str = ""


class FrameWriter:
    """Append lines to ``<folder>/<name>-<time>.frames.gz`` files.

    ``rotate_bytes`` (before compression) and ``rotate_s`` end a file; ``queue_bytes`` bounds what waits for the disk;
    below ``min_free_bytes`` of free space nothing is written. ``on_loss(frames, reason)`` is called from the writer's
    thread when frames had to be dropped, with what was wrong.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        clock: Callable[[], int],
        rotate_bytes: int = 256_000_000,
        rotate_s: float = 3600.0,
        queue_bytes: int = 64_000_000,
        min_free_bytes: int = 500_000_000,
        on_loss: Callable[[int, str], None] | None = None,
    ) -> None:
        self.folder = folder
        self.name = name
        self.counts = RecorderCounts()
        self._clock = clock
        self._rotate_bytes = rotate_bytes
        self._rotate_ns = int(rotate_s * 1e9)
        self._queue_bytes = queue_bytes
        self._min_free = min_free_bytes
        self._on_loss = on_loss
        self._queue: deque[bytes] = deque()
        self._came = self._went = 0  # bytes; each is written by one thread only
        self._wake = threading.Event()
        self._stop = False
        self._file: gzip.GzipFile | None = None
        self._opened_ns = 0
        self._written = 0
        self._retry_ns = 0
        self._overflowed = self._told = 0  # the first is the caller's, the second the thread's
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name=f"recorder-{name}", daemon=True)
        self._thread.start()

    def frame(self, frame: bytes, ts_recv: int) -> bool:
        """Take a frame; False when the queue is full and it was dropped."""
        return self._put(b"%d %s\n" % (ts_recv, frame.replace(b"\n", b" ") if b"\n" in frame else frame))

    def answer(self, url: str, body: bytes, ts_recv: int) -> bool:
        """Take an answer of HTTP."""
        seconds, rest = divmod(ts_recv, 1_000_000_000)
        return self._put(b"%s -> %d.%09d: %s\n" % (url.encode(), seconds, rest, body.replace(b"\n", b" ")))

    def close(self) -> None:
        """Write what waits and end the file."""
        self._stop = True
        self._wake.set()
        self._thread.join()

    @property
    def waiting_bytes(self) -> int:
        """Return how much waits for the disk."""
        return self._came - self._went

    # -- the queue: the caller's side ----------------------------------------------------------------------

    def _put(self, line: bytes) -> bool:
        if self._came - self._went + len(line) > self._queue_bytes:
            self._overflowed += 1
            return False
        self._queue.append(line)
        self._came += len(line)
        return True

    # -- the disk: the thread's side -----------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            stopping = self._stop
            self._drain()
            if stopping:
                break
            self._wake.wait(FLUSH_S)
        self._end_file()

    def _drain(self) -> None:
        """Write what waits, batch by batch; after a fault wait a while and drop what the queue cannot hold."""
        if self._clock() < self._retry_ns and not self._stop:
            return
        overflowed = self._overflowed - self._told
        if overflowed:
            self._told += overflowed
            self._lose(overflowed, "the disk did not keep up")
        while self._queue:
            batch = self._take(1_000_000)
            try:
                self._write(batch)
            except OSError as error:
                self._failed(batch, error.strerror or str(error))
                return
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self._failed([], error.strerror or str(error))

    def _take(self, size: int) -> list[bytes]:
        batch = []
        while self._queue and size > 0:
            line = self._queue.popleft()
            self._went += len(line)
            size -= len(line)
            batch.append(line)
        return batch

    def _write(self, batch: list[bytes]) -> None:
        now = self._clock()
        if self._file is not None and (
            self._written >= self._rotate_bytes or now - self._opened_ns >= self._rotate_ns
        ):
            self._end_file()
        free = shutil.disk_usage(self.folder).free
        if free < self._min_free:
            raise OSError(0, f"only {free / 1e6:,.0f} MB are free on the disk")
        if self._file is None:
            self._begin_file(now)
        data = b"".join(batch)
        assert self._file is not None
        self._file.write(data)
        self._written += len(data)
        self.counts.bytes += len(data)
        self.counts.lines += len(batch)
        self.counts.fault = ""

    def _begin_file(self, now: int) -> None:
        stamp = datetime.fromtimestamp(now / 1e9, UTC).strftime("%Y%m%dT%H%M%S")
        path = self.folder / f"{self.name}-{stamp}-{self.counts.files:04d}.frames.gz"
        self._file = gzip.open(path, "xb", compresslevel=3)  # noqa: SIM115 - it outlives this call
        self._opened_ns, self._written = now, 0
        self.counts.files += 1

    def _end_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                self._failed([], error.strerror or str(error))

    def _failed(self, batch: list[bytes], reason: str) -> None:
        """Give the lines up: they may be on disk in part. A new file is begun when it works again."""
        self.counts.faults += 1
        self.counts.fault = reason
        self._lose(len(batch), reason)
        self._retry_ns = self._clock() + int(RETRY_S * 1e9)
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                self.counts.faults += 1

    def _lose(self, lines: int, reason: str) -> None:
        self.counts.dropped += lines
        if lines and self._on_loss is not None:
            self._on_loss(lines, reason)
