"""Market data of one product over real connections: connect, subscribe, join books, heal gaps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lanner.model.market import BookUpdate, MarketData
from lanner.model.streams import StreamEvent
from lanner.net.backoff import Backoff
from lanner.net.socket_settings import SocketSettings
from lanner.net.status import LinkState, LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.net.websocket import WebSocket
from lanner.venues.codec import Call, Inbound, Malformed, Notice, NoticeKind, Route, Subscription
from lanner.venues.link import Link, socket_settings
from lanner.venues.stream import MarketStream

FrameTap = Callable[[str, bytes, int], None]
"""Called with connection, frame and receive time before a frame is read: what a recorder needs. The connection of an
answer of HTTP is its URL."""


ANSWER_S = 10.0
"""So long a venue may take to confirm subscriptions before the connection is opened again."""


@dataclass(slots=True)
class _Line:
    """One route on its connections (several where they are redundant)."""

    route: Route
    sockets: list[WebSocket] = field(default_factory=list)
    up: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Asked:
    """Subscriptions of one connection that the venue has not confirmed yet."""

    left: int
    timer: asyncio.TimerHandle


class MarketGateway:
    """Serve subscriptions of one product; every message is delivered inside the frame's own callback.

    ``on_data`` gets market data in order, ``on_event`` gaps and their ends, ``on_other`` notices and frames that could
    not be understood. ``connections`` > 1 opens each route so many times and merges them by the venue's numbers.
    """

    def __init__(
        self,
        link: Link,
        *,
        on_data: Callable[[MarketData], None],
        on_event: Callable[[StreamEvent], None] | None = None,
        on_other: Callable[[Inbound], None] | None = None,
        on_status: Callable[[LinkStatus], None] | None = None,
        tap: FrameTap | None = None,
        connections: int = 1,
        socket: SocketSettings | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.link = link
        self._on_event = on_event or _ignore
        self._on_other = on_other or _ignore
        self._on_status = on_status or _ignore
        self._tap = tap
        self._copies = connections
        self._template = socket
        self._rng = rng or link.rng
        self._lines: list[_Line] = []
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._stopped = False
        self._owed: dict[WebSocket, _Asked] = {}
        self._speaking: WebSocket | None = None
        self._patience = Backoff(base_s=ANSWER_S, cap_s=60.0)
        self.malformed: list[Malformed] = []
        self.stream = MarketStream(
            link.codec,
            on_data=on_data,
            on_event=self._on_event,
            on_other=self._other,
            ask_snapshot=self._ask_snapshot,
            merged=connections > 1,
        )

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self, subscriptions: Sequence[Subscription]) -> None:
        """Open the connections that these subscriptions need; ``wait_connected`` waits for them."""
        self.stream.want(subscriptions)
        for route in self.link.codec.routes(subscriptions):
            line = _Line(route)
            self._lines.append(line)
            for copy in range(self._copies):
                name = route.name if self._copies == 1 else f"{route.name}#{copy + 1}"
                line.sockets.append(self._socket(line, name))
        await asyncio.gather(*(socket.start() for line in self._lines for socket in line.sockets))

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until every route has a connection; raise ``ConnectFailed`` when it takes too long."""
        first = (line.sockets[0] for line in self._lines)
        await asyncio.gather(*(socket.wait_connected(timeout_s) for socket in first))

    async def stop(self) -> None:
        """Close all connections."""
        self._stopped = True
        for asked in self._owed.values():
            asked.timer.cancel()
        self._owed.clear()
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        await asyncio.gather(*(socket.stop() for line in self._lines for socket in line.sockets))
        self._lines.clear()

    def status(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        return [socket.status() for line in self._lines for socket in line.sockets]

    def resubscribe(self, reason: str) -> None:
        """Drop every connection and open it again."""
        for line in self._lines:
            for socket in line.sockets:
                socket.reconnect(reason)

    # -- connections ---------------------------------------------------------------------------------------

    def _socket(self, line: _Line, name: str) -> WebSocket:
        route = line.route
        settings = socket_settings(
            name,
            route.url,
            route.heartbeat,
            sends_per_s=route.sends_per_s,
            max_age_s=route.max_age_s,
            template=self._template,
            tls=self.link.tls,
        )
        return WebSocket(
            settings,
            on_frame=self._reader(name),
            on_open=partial(self._opened, line, name),
            on_status=partial(self._status, line, name),
            rng=self._rng,
        )

    def _reader(self, name: str) -> Callable[[bytes, int], None]:
        return self.stream.frame if self._tap is None else partial(self._tapped, self._tap, name)

    def _tapped(self, tap: FrameTap, name: str, frame: bytes, ts_recv: int) -> None:
        tap(name, frame, ts_recv)
        self.stream.frame(frame, ts_recv)

    def _opened(self, line: _Line, name: str, socket: WebSocket) -> None:
        for frame in line.route.hello:
            socket.send(frame)
        self._expect_answers(socket, name, len(line.route.hello), line.route.sends_per_s or 1e9)
        if not line.up:
            self.stream.opened(line.route.subscriptions, wall_ns())
        line.up.add(name)

    def _status(self, line: _Line, name: str, status: LinkStatus) -> None:
        if status.state is not LinkState.CONNECTED and name in line.up:
            line.up.discard(name)
            if not line.up and not self._stopped:
                self.stream.lost(line.route.subscriptions, wall_ns(), status.reason or "the connection broke")
        self._on_status(status)

    def _other(self, message: Inbound) -> None:
        if isinstance(message, Malformed):
            self.malformed = [*self.malformed[-99:], message]
        elif isinstance(message, Notice):
            if message.kind is NoticeKind.SHUTDOWN:
                self.resubscribe(message.text or "the venue goes down")
            elif message.kind in (NoticeKind.SUBSCRIBED, NoticeKind.REFUSED) and self._speaking is not None:
                self._confirmed(self._speaking)
        self._on_other(message)

    # -- subscriptions -------------------------------------------------------------------------------------

    def _expect_answers(self, socket: WebSocket, name: str, count: int, sends_per_s: float) -> None:
        """Give the venue time to answer subscriptions: a stream whose subscription got lost is silent for ever.

        Until then the connection's frames are read with its own name on, since answers do not tell theirs.
        """
        self._forget(socket)
        if not count:
            return
        wait_s = count / sends_per_s + (self._patience.next() or ANSWER_S)
        timer = asyncio.get_running_loop().call_later(wait_s, self._unheard, socket)
        self._owed[socket] = _Asked(count, timer)
        socket.listen(partial(self._heard, socket, self._reader(name)))

    def _heard(
        self, socket: WebSocket, read: Callable[[bytes, int], None], frame: bytes, ts_recv: int
    ) -> None:
        self._speaking = socket
        try:
            read(frame, ts_recv)
        finally:
            self._speaking = None
        if socket not in self._owed:
            socket.listen(read)

    def _unheard(self, socket: WebSocket) -> None:
        """Open a connection again whose subscriptions were not answered, each time after a longer wait."""
        self._forget(socket)
        socket.reconnect("a subscription was not answered")

    def _confirmed(self, socket: WebSocket) -> None:
        asked = self._owed.get(socket)
        if asked is None:
            return
        asked.left -= 1
        if asked.left <= 0:
            self._forget(socket)
            if not self._owed:
                self._patience.reset()

    def _forget(self, socket: WebSocket) -> None:
        asked = self._owed.pop(socket, None)
        if asked is not None:
            asked.timer.cancel()

    # -- books ---------------------------------------------------------------------------------------------

    def _ask_snapshot(self, instrument_id: str) -> None:
        if self._stopped or instrument_id in self._asking:
            return
        task = asyncio.get_running_loop().create_task(self._fetch(instrument_id))
        self._asking[instrument_id] = task
        task.add_done_callback(partial(self._asked, instrument_id))

    def _asked(self, instrument_id: str, task: asyncio.Task[None]) -> None:
        if self._asking.get(instrument_id) is task:
            del self._asking[instrument_id]

    async def _fetch(self, instrument_id: str) -> None:
        """Bring a snapshot; go on trying while the book needs one. Without a call for it, subscribe again."""
        call = self.link.codec.book_snapshot(instrument_id)
        if call is None:
            self.resubscribe("a book needs its first message again")
            return
        if self._tap is not None:
            call = self._tapped_call(call, self._tap)
        backoff = Backoff(base_s=0.5, cap_s=30.0, jitter=0.2, rng=self._rng)
        while not self._stopped:
            try:
                snapshot = await self.link.ask(call)
            except Exception as error:  # noqa: BLE001 - without a snapshot there is no book: say so and try again
                self._on_other(
                    Notice(NoticeKind.REFUSED, f"no snapshot of {instrument_id}: {error}", wall_ns())
                )
                await asyncio.sleep(backoff.next() or 30.0)
                continue
            self._asking.pop(instrument_id, None)  # joining may find that this one is too old and ask again
            self.stream.snapshot(snapshot)
            return

    def _tapped_call(self, call: Call[BookUpdate], tap: FrameTap) -> Call[BookUpdate]:
        request = call.build(0, 0)
        url = f"{self.link.codec.endpoints.rest}{request.path}?{request.query}"

        def parse(body: bytes, ts_recv: int) -> BookUpdate:
            tap(url, body, ts_recv)
            return call.parse(body, ts_recv)

        return replace(call, parse=parse)


def _ignore(_: object) -> None:
    """Take a message that nobody wants."""
