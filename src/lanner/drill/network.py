"""Connections through memory: transports as asyncio has them, with a time on the way and no sockets behind.

Chunks keep their order and boundaries and arrive ``latency_s`` after they were written. Each end runs its callbacks in
the context of the program that opened it, so that a program can be told from another one on the same loop (``SIDE``).
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

SIDE: contextvars.ContextVar[str] = contextvars.ContextVar("side", default="venue")
"""Which program the present callback belongs to."""

FIRST_PORT = 40_001


class Network:
    """All listeners and connections of one loop. ``dead`` are the programs that crashed: nothing of theirs leaves."""

    def __init__(self, latency_s: float = 0.0005) -> None:
        self.latency_s = latency_s
        self.dead: set[str] = set()
        self._listeners: dict[int, Listener] = {}
        self._reached: dict[socket.socket, Listener] = {}
        self._ends: dict[str, dict[MemoryTransport, None]] = {}
        self._next_port = FIRST_PORT

    # -- opening -------------------------------------------------------------------------------------------

    def listen(self, factory: Callable[[], Any], port: int) -> Listener:
        """Open a port."""
        if not port:
            port, self._next_port = self._next_port, self._next_port + 1
        if port in self._listeners:
            raise OSError(98, "address already in use")
        listener = self._listeners[port] = Listener(self, factory, port)
        return listener

    def nowhere(self) -> Listener:
        """Return a listener that nobody can reach."""
        return Listener(self, asyncio.Protocol, 0)

    def close(self, listener: Listener) -> None:
        """Close a port; what is connected stays."""
        if self._listeners.get(listener.port) is listener:
            del self._listeners[listener.port]

    async def reach(self, sock: socket.socket, port: int) -> None:
        """Find a listener, or be refused, after the way there and back."""
        await asyncio.sleep(2 * self.latency_s)
        listener = self._listeners.get(port)
        if listener is None or SIDE.get() in self.dead:
            raise ConnectionRefusedError(111, "connection refused")
        self._reached[sock] = listener

    def connect(self, sock: socket.socket, protocol: Any) -> tuple[MemoryTransport, Any]:
        """Join a client's protocol and a listener's."""
        listener = self._reached.pop(sock)
        here = MemoryTransport(self, protocol, contextvars.copy_context(), sock)
        there = MemoryTransport(self, listener.context.run(listener.factory), listener.context, None)
        here.peer, there.peer = there, here
        for end in (here, there):
            self._ends.setdefault(end.side, {})[end] = None
        there.call(there.protocol.connection_made, there)
        here.call(protocol.connection_made, here)
        return here, protocol

    # -- ending --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close the sockets of connections that are still there, made or half made; nothing is told to anybody."""
        for sock in self._reached:
            sock.close()
        for ends in self._ends.values():
            for one in ends:
                one.release()

    def forget(self, end: MemoryTransport) -> None:
        """Drop a connection's end that is closed."""
        self._ends.get(end.side, {}).pop(end, None)

    def crash(self, side: str) -> None:
        """Let a program be gone: its peers find that out, it does nothing more itself."""
        self.dead.add(side)
        for end in list(self._ends.get(side, ())):
            end.abort()


class Listener:
    """An open port, as ``create_server`` returns it."""

    def __init__(self, network: Network, factory: Callable[[], Any], port: int) -> None:
        self.factory = factory
        self.port = port
        self.context = contextvars.copy_context()
        self._network = network

    @property
    def sockets(self) -> tuple[Any, ...]:
        """Return what tells the port."""
        return (self,)

    def getsockname(self) -> tuple[str, int]:
        """Return address and port."""
        return "127.0.0.1", self.port

    def close(self) -> None:
        """Close the port."""
        self._network.close(self)

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""


class MemoryTransport(asyncio.Transport):
    """One end of a connection."""

    def __init__(
        self, network: Network, protocol: Any, context: contextvars.Context, sock: socket.socket | None
    ) -> None:
        super().__init__()
        self.protocol = protocol
        self.peer: MemoryTransport | None = None
        self.context = context
        self.side = context.get(SIDE, "venue")
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._inbox: deque[tuple[float, bytes | None]] = deque()
        self._pending = False
        self._paused = False
        self._closing = False
        self._lost = False

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call something of this end's program."""
        return self.context.copy().run(function, *args)

    # -- what a protocol may ask ---------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the socket that never was connected, and addresses."""
        if name == "socket":
            return self._sock if self._sock is not None else default
        if name in ("peername", "sockname"):
            return ("127.0.0.1", 1)
        return default

    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        """Put another protocol in its place."""
        self.protocol = protocol

    def is_closing(self) -> bool:
        """Tell whether the end is closed, or about to be."""
        return self._closing

    def is_reading(self) -> bool:
        """Tell whether bytes are handed over."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Hand over nothing for now."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand over what has come."""
        self._paused = False
        self._schedule()

    def get_write_buffer_size(self) -> int:
        """Return 1: who finds nothing waiting may write to the socket itself, and there is none."""
        return 1 if self._sock is not None else 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return bounds that are never met."""
        return 0, 1 << 30

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def can_write_eof(self) -> bool:
        """Nobody half-closes."""
        return False

    # -- bytes ---------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes on their way."""
        if data and not self._closing and self.side not in self._network.dead and self.peer is not None:
            self.peer.arrive(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def arrive(self, data: bytes | None) -> None:
        """Take what the peer sent, after its time on the way; None is its end."""
        if not self._closing:
            self._inbox.append((self._loop.time() + self._network.latency_s, data))
            self._schedule()

    def _schedule(self) -> None:
        if self._inbox and not self._pending and not self._paused:
            self._pending = True
            self._loop.call_at(self._inbox[0][0], self._deliver, context=self.context)

    def _deliver(self) -> None:
        self._pending = False
        inbox, now = self._inbox, self._loop.time()
        while inbox and not self._closing and not self._paused and inbox[0][0] <= now:
            _, data = inbox.popleft()
            if data is None:
                self.protocol.eof_received()
                self.close()
            else:
                _feed(self.protocol, data)
        if not self._closing:
            self._schedule()

    # -- the end -------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close this end; what was written still arrives."""
        self._end()

    def abort(self) -> None:
        """Close this end."""
        self._end()

    def _end(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._inbox.clear()
        if self.peer is not None:
            self.peer.arrive(None)
        self._loop.call_soon(self._gone, context=self.context)

    def _gone(self) -> None:
        if self._lost:
            return
        self._lost = True
        self._network.forget(self)
        try:
            self.protocol.connection_lost(None)
        finally:
            self.release()

    def release(self) -> None:
        """Close the socket that stands for this end, where there is one."""
        if self._sock is not None:
            self._sock.close()


def _feed(protocol: Any, data: bytes) -> None:
    if not isinstance(protocol, asyncio.BufferedProtocol):
        protocol.data_received(data)
        return
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]
