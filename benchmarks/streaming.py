"""What a reader of the firehose takes and prints, shared by ours and the peers' (standard library only).

A reader is run as `python -m benchmarks.<ours|peers>.<name> --task ingest|latency --kind ticker|depth|diff --port PORT
--count N`. It counts messages as they have reached the place where its user would look: our cache, a peer's callback or
awaited result. `ingest`: CPU time of the process from message `SKIPPED` to the last. `latency`: from the time that a
message carries to the strategy or callback.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import time
from typing import Any

SKIPPED = 1_000
"""The slow beginning and the first of the fast messages do not count."""


class Meter:
    """Count messages; `done` is called after the last one."""

    def __init__(self, count: int, done: Any) -> None:
        self.seen = 0
        self.begin, self.end = SKIPPED, count
        self.delays: list[int] = []
        self._done = done
        self._cpu = self._wall = 0.0
        self.cpu_seconds = self.wall_seconds = 0.0
        self.pauses: list[float] = []
        self._paused_at = 0.0
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._paused_at = time.perf_counter()
        else:
            self.pauses.append(time.perf_counter() - self._paused_at)

    def count(self) -> None:
        """Note that one more message has arrived."""
        self.seen += 1
        if self.seen == self.begin:
            self._cpu, self._wall = time.process_time(), time.perf_counter()
            self.pauses.clear()
        elif self.seen == self.end:
            self.finish()

    def stamp(self, sent_ns: int) -> None:
        """Note that a message that carries the time of its sending has arrived."""
        now = time.time_ns()
        if sent_ns > 1_000_000_000_000_000_000:  # the slow beginning carries numbers, no times
            self.delays.append(now - sent_ns)
            self.count()

    def finish(self) -> None:
        """Stop the clock."""
        self.cpu_seconds = time.process_time() - self._cpu
        self.wall_seconds = time.perf_counter() - self._wall
        self._done()

    def emit(self, version: str, **more: Any) -> None:
        """Print the line that the runner reads."""
        delays = sorted(self.delays[min(self.begin, len(self.delays) // 2) :])
        latency = {
            name: delays[min(len(delays) - 1, int(len(delays) * share))] / 1e3
            for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999), ("max_us", 1.0))
            if delays
        }
        line = {
            "version": version,
            "messages": max(0, min(self.seen, self.end) - self.begin),
            "shown": len(self.delays),
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            "gc_pauses": len(self.pauses),
            "gc_longest_ms": 1e3 * max(self.pauses, default=0.0),
            **latency,
            **more,
        }
        print(json.dumps(line), flush=True)


def arguments() -> argparse.Namespace:
    """Parse the command line of a reader."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=("ingest", "latency", "frames"), required=True)
    parser.add_argument("--kind", choices=("ticker", "depth", "depth-read", "diff"), required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, required=True)
    return parser.parse_args()


async def until_idle(meter: Meter, seconds: float = 3.0) -> None:
    """Return when nothing has come for so long: for readers that pass over messages when they are behind."""
    seen = -1
    while meter.seen != seen or not meter.seen:
        seen = meter.seen
        await asyncio.sleep(seconds)
