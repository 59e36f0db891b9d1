"""An event loop whose time is a number: when nothing is ready, it jumps to the next timer.

Connections between programs on such a loop go through memory (``drill.network``); the bytes are the real ones. The
loop has no file descriptors and waits for nobody: a run is as fast as its work, and the same work gives the same run.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lanner.core.errors import InternalFaultError
from lanner.drill.network import SIDE, Network

MOST_TURNS = 200_000
"""So many turns of the loop without time passing are a loop of somebody's that does not end."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time, with a network of its own; ``start_ns`` is the wall's time at its beginning."""

    owns_transports = True
    """Connections do not stand on the descriptors of their sockets."""

    def __init__(self, start_ns: int, network: Network | None = None) -> None:
        super().__init__()
        self.start_ns = start_ns
        self.network = network or Network()
        self.faults: list[dict[str, Any]] = []
        """What nobody caught."""
        self._now = 0.0
        self._still = 0
        self._tasks: dict[str, dict[asyncio.Task[Any], None]] = {}
        self._clock_resolution = 1e-9
        self._selector = self
        self.set_exception_handler(lambda _loop, context: self.faults.append(context))

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._now

    def wall_ns(self) -> int:
        """Return UNIX time in nanoseconds."""
        return self.start_ns + round(self._now * 1e9)

    def mono_ns(self) -> int:
        """Return the nanoseconds since the loop was made."""
        return round(self._now * 1e9)

    def close(self) -> None:
        """End the loop, and with it the network."""
        self.network.end()
        super().close()

    # -- programs ------------------------------------------------------------------------------------------

    def create_task(self, coro: Any, *, name: object = None, context: Any = None) -> asyncio.Task[Any]:
        """Start a task, and remember which program it belongs to."""
        task: asyncio.Task[Any] = super().create_task(coro, name=name, context=context)
        side = SIDE.get() if context is None else context.get(SIDE, "venue")
        own = self._tasks.setdefault(side, {})
        own[task] = None
        task.add_done_callback(own.pop)
        return task

    async def bury(self, side: str) -> None:
        """End what is left of a program that crashed: its connections are cut, its tasks and timers go."""
        self.network.crash(side)
        while own := list(self._tasks.get(side, ())):
            for task in own:
                task.cancel()
            await asyncio.wait(own, timeout=10.0)
        for handle in (*self._scheduled, *self._ready):  # type: ignore[attr-defined]
            if handle._context is not None and handle._context.get(SIDE) == side:
                handle.cancel()

    # -- what the base class asks of a selector ------------------------------------------------------------

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass up to the next timer."""
        if timeout is None:
            raise InternalFaultError(
                "everything waits and nothing is due", expected="a timer, or something ready"
            )
        if timeout > 0:
            self._still = 0
            self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]
        else:
            self._still += 1
            if self._still > MOST_TURNS:
                raise InternalFaultError("time stands still: something asks for turns without end")
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """Nothing ever comes from outside."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run it now: a thread would take real time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)
        return future

    # -- connections ---------------------------------------------------------------------------------------

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Find every host at once."""
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(host), int(port)))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Reach a listener after the way there and back, or be refused."""
        await self.network.reach(sock, address[1])

    async def create_connection(self, protocol_factory: Any, *args: Any, **more: Any) -> Any:
        """Open the connection that ``sock_connect`` reached."""
        return self.network.connect(more["sock"], protocol_factory())

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        """Listen at a port; 0 takes a free one."""
        return self.network.listen(protocol_factory, port or 0)

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **_: Any) -> Any:
        """Make the place that a socket would have; nobody can knock there."""
        if path is not None:
            Path(path).touch()
        return self.network.nowhere()
