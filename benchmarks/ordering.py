"""What a sender of orders takes and prints, shared by ours and the peers' (standard library only).

A script is run as `python -m benchmarks.<ours|peers>.<name>_orders --count N` with a JSON object on standard input:
`{"product", "key": "hmac"|"ed25519"|"wallet", "http", "ws", "account": {…}}`. It places a limit order that rests far
below the market, waits for its answer, takes it back, pauses, and so on. Measured is from the call that a strategy or
its author makes until the bytes of the order are handed to the operating system: building, signing, framing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import sys
import time
from typing import Any

PAUSE_S = 0.005
WARM_UP = 50
BURST, BURSTS = 20, 30
"""Orders that are sent together, and how often: the CPU time of one of them when everything is warm."""


def arguments() -> tuple[int, dict[str, Any]]:
    """Return how many orders to measure, and where to send them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    count: int = parser.parse_args().count
    return count, json.loads(sys.stdin.read())


class Wire:
    """Note when bytes leave: wall and CPU time (ns) at the last write's call, and wall time at its return.

    The write itself is the operating system's: over loopback it also delivers the bytes and wakes the venue up.
    """

    def __init__(self) -> None:
        self.called = self.called_cpu = self.returned = 0
        self._began = self._began_cpu = 0
        self.wall: list[int] = []
        self.cpu: list[int] = []
        self.written: list[int] = []
        self.bursts: list[int] = []

    def watch(self) -> None:
        """Watch what Python's own sockets and asyncio's own transports write."""
        from asyncio import selector_events

        transport: Any = vars(selector_events)["_SelectorSocketTransport"]
        for owner, name in ((transport, "write"), (transport, "writelines"), (socket.socket, "sendall")):
            setattr(owner, name, self.noting(getattr(owner, name)))

    def noting(self, method: Any) -> Any:
        """Return a writing function that notes when it is called."""

        def write(*args: Any, **more: Any) -> Any:
            self.called_cpu, self.called = time.thread_time_ns(), time.perf_counter_ns()
            result = method(*args, **more)
            self.returned = time.perf_counter_ns()
            return result

        return write

    def begin(self) -> None:
        """Note the intent."""
        self._began_cpu, self._began = time.thread_time_ns(), time.perf_counter_ns()

    def end(self) -> None:
        """Keep the times of the last write; to be called when nothing has been written since."""
        self.wall.append(self.called - self._began)
        self.cpu.append(self.called_cpu - self._began_cpu)
        self.written.append(self.returned - self._began)

    def end_burst(self) -> None:
        """Keep the CPU time of one order of a burst, its writes included except for the last one's."""
        self.bursts.append((self.called_cpu - self._began_cpu) // BURST)


def emit(version: str, wire: Wire, **more: Any) -> None:
    """Print the line that the runner reads."""
    line: dict[str, Any] = {"version": version, "orders": len(wire.wall) - WARM_UP}
    for name, times in (("cpu", wire.cpu), ("wall", wire.wall), ("written", wire.written)):
        measured = sorted(times[WARM_UP:])
        for share, value in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            line[f"{name}_{share}_us"] = measured[int(len(measured) * value)] / 1e3
    if wire.bursts:
        line["burst_cpu_p50_us"] = sorted(wire.bursts)[len(wire.bursts) // 2] / 1e3
    line["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps(line | more), flush=True)


async def pause() -> None:
    """Let a moment pass in which the loop goes on turning, as it does where market data come in."""
    until = time.perf_counter() + PAUSE_S
    while time.perf_counter() < until:
        await asyncio.sleep(0)


def pause_blocking() -> None:
    """Let a moment pass, for clients without a loop."""
    until = time.perf_counter() + PAUSE_S
    while time.perf_counter() < until:
        pass
