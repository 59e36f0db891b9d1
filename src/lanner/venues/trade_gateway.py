"""Orders and account of one product over real connections.

A command leaves in the call that sends it, on the order socket where there is one, else over HTTP: also while that
socket is being connected again, and then new orders only where the account's stream is there. Every command is
answered exactly once at first: by the venue, or by ``OrderUnanswered`` when the connection breaks or time runs out
after something may have left. A late answer is still read: it proves more than silence did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from lanner.model.accounts import BalancesReport, PositionsReport, VenueOrder
from lanner.model.commands import Command
from lanner.model.reports import Report
from lanner.net.backoff import Backoff
from lanner.net.errors import RateLimited
from lanner.net.ratelimit import Priority
from lanner.net.socket_settings import SocketSettings
from lanner.net.status import LinkState, LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.net.websocket import WebSocket
from lanner.venues.codec import Answer, Call, Inbound, Malformed, Notice, NoticeKind, OrderCall, UserRoute
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.link import Link, socket_settings

KEPT_LATE = 4_096
"""How many unanswered requests are remembered, so that a late answer can still be read."""

CONFIRM_MOST_S = 60.0
"""How long a venue has at most to confirm what was asked for on a connection, before it is asked once more."""

NOT_SENT = "not sent: there is no connection"


@dataclass(slots=True)
class _Sent:
    call: OrderCall
    line: _UserLine
    due: float


@dataclass(slots=True)
class TradeCounts:
    """What has passed since the start."""

    sent: int = 0
    answered: int = 0
    unanswered: int = 0
    late: int = 0
    refused: int = 0
    frames: int = 0
    malformed: int = 0


class TradeGateway:
    """Carry commands to one product and bring reports back; see the module.

    ``on_report`` gets order and funding reports, ``on_account`` balances, positions and orders of unknown origin,
    ``on_other`` notices and frames that could not be understood. ``on_user_stream`` is called with True when the
    account's stream is there (again), so that what was missed can be asked for, and with False when it is lost.
    """

    def __init__(
        self,
        link: Link,
        *,
        on_report: Callable[[Report], None],
        on_account: Callable[[BalancesReport | PositionsReport | VenueOrder], None],
        on_other: Callable[[Inbound], None],
        on_status: Callable[[LinkStatus], None],
        on_user_stream: Callable[[bool], None],
        answer_timeout_s: float = 5.0,
        by_http: bool = False,
        socket: SocketSettings | None = None,
        rng: Random | None = None,
    ) -> None:
        self.link = link
        self.counts = TradeCounts()
        self._codec = link.codec
        self._on_report = on_report
        self._on_account = on_account
        self._on_other = on_other
        self._on_status = on_status
        self._on_user_stream = on_user_stream
        self.timeout_s = answer_timeout_s
        self._by_http = by_http
        self.template = socket
        self.rng = rng or link.rng
        self._lines: list[_UserLine] = []
        self._orders: _UserLine | None = None
        self._pending: dict[str, _Sent] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._late: dict[str, OrderCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the account's streams and the order socket; raise ``VenueError`` when a listen key is refused."""
        for route in self._codec.user_routes():
            self._lines.append(_UserLine(self, route, f"{self._codec.spec.product}-user", tells=True))
        orders = self._codec.trade_route()
        if orders is not None:
            self._orders = _UserLine(self, orders, f"{self._codec.spec.product}-orders", tells=False)
            self._lines.append(self._orders)
        elif self._lines and not self._by_http:
            self._orders = self._lines[0]
        if self._by_http:
            self._orders = None
        await asyncio.gather(*(line.start() for line in self._lines))

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until all connections are there; raise ``ConnectFailed`` when it takes too long."""
        await asyncio.gather(*(line.wait(timeout_s) for line in self._lines))

    async def stop(self) -> None:
        """Close all connections; what was not answered yet is reported as such."""
        self._stopped = True
        await asyncio.gather(*(line.stop() for line in self._lines))
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._unanswer(list(self._pending), "the gateway was stopped")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def status(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        return [status for line in self._lines for status in line.status()]

    # -- commands ------------------------------------------------------------------------------------------

    def send(self, command: Command) -> None:
        """Send a command now, or as soon as the venue's limits let it; its reports come through ``on_report``.

        What the venue cannot do is reported as rejected at once. Never raises for what a venue or a network can do.
        """
        try:
            calls = self._codec.order(command)
        except VenueError as error:
            self.counts.refused += 1
            self._tell(_refusal(command, error, wall_ns()))
            return
        for call in calls:
            if self.link.limiter.try_acquire(call.costs, self.link.rank(call.priority)) == 0.0:
                self._write(call)
            else:
                self._spawn(self._write_later(call))

    async def _write_later(self, call: OrderCall) -> None:
        """Wait for a turn; what would open or change something is refused rather than sent when it is old."""
        priority = self.link.rank(call.priority)
        patience_s = self.timeout_s if priority > Priority.STOP else None
        try:
            await self.link.limiter.acquire(call.costs, priority, timeout_s=patience_s)
        except RateLimited as error:
            self._refuse(call, f"not sent: {error.message()}")
            return
        self._write(call)

    def _write(self, call: OrderCall) -> None:
        line = self._orders
        if line is None:
            self._spawn(self._over_http(call))
            return
        socket = line.socket
        if socket is None or socket.state is not LinkState.CONNECTED:
            if self._may_go_round(call):
                self._spawn(self._over_http(call))
            else:
                self._refuse(call, NOT_SENT)
            return
        frame = call.frame(*self.link.stamp())
        if not socket.send(frame, urgent=call.priority <= Priority.STOP):
            self._refuse(call, "not sent: the send buffer is full")
            return
        self.counts.sent += 1
        loop = asyncio.get_running_loop()
        self._pending[call.request_id] = _Sent(call, line, loop.time() + self.timeout_s)
        if self._sweep is None:
            self._sweep = loop.call_later(self.timeout_s, self._expire)

    def _may_go_round(self, call: OrderCall) -> bool:
        """Tell whether a command may leave over HTTP in the place of the order socket, which is away."""
        if self._stopped:
            return False
        urgent = self.link.rank(call.priority) <= Priority.STOP
        return urgent or any(line.tells and line.is_up for line in self._lines)

    async def _over_http(self, call: OrderCall) -> None:
        self.counts.sent += 1
        reports = await self.link.send_order(call, paid=True)
        self.counts.answered += 1
        self._tell(reports)

    def _refuse(self, call: OrderCall, reason: str) -> None:
        self.counts.refused += 1
        self._tell(call.refused(VenueError(ErrorKind.RETRY, reason), wall_ns()))

    # -- answers -------------------------------------------------------------------------------------------

    def take(self, message: Inbound) -> None:
        """Take one message of a connection."""
        if isinstance(message, Answer):
            self._answer(message)
        elif isinstance(message, Report):
            self._on_report(message)
        elif isinstance(message, BalancesReport | PositionsReport | VenueOrder):
            self._on_account(message)
        else:
            if isinstance(message, Notice):
                self._noticed(message)
            self._on_other(message)

    def _noticed(self, notice: Notice) -> None:
        if notice.kind in (NoticeKind.EXPIRED, NoticeKind.SHUTDOWN):
            self._renew(notice)
        elif notice.kind in (NoticeKind.SUBSCRIBED, NoticeKind.LOGGED_ON):
            for line in self._lines:
                if line.tells == (notice.kind is NoticeKind.SUBSCRIBED):
                    line.confirm(notice.text)

    def _renew(self, notice: Notice) -> None:
        """Open the account's stream again: its key expired, or the venue goes down and says so."""
        for line in self._lines:
            if line.tells or notice.kind is NoticeKind.SHUTDOWN:
                self._spawn(line.renew())

    def _answer(self, answer: Answer) -> None:
        sent = self._pending.pop(answer.request_id, None)
        if sent is not None:
            self.counts.answered += 1
            reports = sent.call.answer(0, answer.body, answer.ts_recv)
            self._learn(sent.call)
            self._tell(reports)
            return
        late = self._late.pop(answer.request_id, None)
        if late is not None:
            self.counts.late += 1
            self._tell(late.answer(0, answer.body, answer.ts_recv))
        else:
            self._on_other(answer)

    def _learn(self, call: OrderCall) -> None:
        """Take over what an answer told of the limits."""
        limiter = self.link.limiter
        for bucket, used in call.used.items():
            limiter.feed(bucket, used)
        if call.silent_until_ms:
            until_ns = call.silent_until_ms * 1_000_000 - self.link.clock.offset_ns
            limiter.block(until_ns, f"{self._codec.spec.product} said so on the order socket")

    def _expire(self) -> None:
        """Give up the requests whose time is over, and come back for the next: the oldest stands first."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        over = []
        self._sweep = None
        for request_id, sent in self._pending.items():
            if sent.due > now:
                self._sweep = loop.call_at(sent.due, self._expire)
                break
            over.append(request_id)
        for line in {self._pending[request_id].line for request_id in over}:
            if line.socket is not None:
                line.socket.doubt(self.timeout_s)
        self._unanswer(over, f"no answer within {self.timeout_s:g} s")

    def _unanswer(self, request_ids: Iterable[str], reason: str) -> None:
        for request_id in request_ids:
            sent = self._pending.pop(request_id, None)
            if sent is None:
                continue
            self.counts.unanswered += 1
            self._late[request_id] = sent.call
            while len(self._late) > KEPT_LATE:
                del self._late[next(iter(self._late))]
            self._tell(sent.call.unanswered(reason, wall_ns()))

    def _tell(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self._on_report(report)

    # -- connections ---------------------------------------------------------------------------------------

    def read(self, frame: bytes, ts_recv: int) -> None:
        """Read one frame; one that cannot be understood costs one ``Malformed``, never the connection."""
        self.counts.frames += 1
        try:
            messages = self._codec.decode(frame, ts_recv)
        except Exception as error:  # noqa: BLE001 - whatever a venue sends must not end the connection
            self.counts.malformed += 1
            self._on_other(Malformed(frame[:2_000], f"{type(error).__name__}: {error}"[:300], ts_recv))
            return
        for message in messages:
            self.take(message)

    def changed(self, line: _UserLine, status: LinkStatus) -> None:
        """Note a connection's new state: what waits for an answer on a lost one is unanswered."""
        if status.state is not LinkState.CONNECTED and line.was_up:
            line.was_up = False
            lost = [request_id for request_id, sent in self._pending.items() if sent.line is line]
            self._unanswer(lost, f"the connection broke after sending: {status.reason or 'no reason told'}")
            if line.tells and not self._stopped:
                self._on_user_stream(False)
        self._on_status(status)

    def opened(self, line: _UserLine) -> None:
        """Note that a connection is there and has been greeted."""
        if line.tells:
            self._on_user_stream(True)

    def note(self, text: str) -> None:
        """Tell something about a connection."""
        self._on_other(Notice(NoticeKind.REFUSED, text, wall_ns()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _UserLine:
    """One connection of an account: fetches its listen key, greets, keeps the key alive."""

    def __init__(self, gateway: TradeGateway, route: UserRoute, name: str, *, tells: bool) -> None:
        self.socket: WebSocket | None = None
        self.was_up = False
        self.tells = tells
        self._gateway = gateway
        self._route = route
        self._name = name
        self._token = ""
        self._keeper: asyncio.Task[None] | None = None
        self._asked = 0
        self._confirmed: set[str] = set()
        self._repeats = 0
        self._repeat: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        if self._route.prepare is not None:
            self._token = await self._gateway.link.ask(self._route.prepare)
        await self._open()
        if self._route.keep_alive is not None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._repeat is not None:
            self._repeat.cancel()
        if self.socket is not None:
            await self.socket.stop()

    async def wait(self, timeout_s: float) -> None:
        assert self.socket is not None
        await self.socket.wait_connected(timeout_s)

    def status(self) -> list[LinkStatus]:
        return [] if self.socket is None else [self.socket.status()]

    @property
    def is_up(self) -> bool:
        return self.socket is not None and self.socket.state is LinkState.CONNECTED

    async def _open(self) -> None:
        settings = socket_settings(
            self._name,
            self._route.url(self._token),
            self._route.heartbeat,
            max_age_s=self._route.max_age_s,
            template=self._gateway.template,
            tls=self._gateway.link.tls,
        )
        self.socket = WebSocket(
            settings,
            on_frame=self._gateway.read,
            on_open=self._greet,
            on_status=partial(self._gateway.changed, self),
            rng=self._gateway.rng,
        )
        await self.socket.start()

    def _greet(self, socket: WebSocket) -> None:
        self._confirmed.clear()
        self._repeats = 0
        self._ask(socket)
        self.was_up = True
        self._gateway.opened(self)

    def _ask(self, socket: WebSocket) -> None:
        frames = self._route.hello(*self._gateway.link.stamp(), self._token)
        for frame in frames:
            socket.send(frame)
        self._asked = len(frames)
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None
        if frames:
            pause_s = min(self._gateway.timeout_s * 2 ** min(self._repeats, 9), CONFIRM_MOST_S)
            self._repeat = asyncio.get_running_loop().call_later(pause_s, self._ask_again)

    def _ask_again(self) -> None:
        """Ask once more for what the venue has refused, or not heard: nobody else would tell of the account."""
        self._repeat = None
        if self.socket is None or not self.is_up or len(self._confirmed) >= self._asked:
            return
        self._repeats += 1
        self._gateway.note(f"{self._name}: asked again for what was not confirmed")
        self._ask(self.socket)

    def confirm(self, what: str) -> None:
        """Note that the venue took a logon or a subscription; the last one to be late means that news were missed."""
        before = len(self._confirmed)
        self._confirmed.add(what)
        if self._repeats and before < len(self._confirmed) == self._asked:
            self._repeats = 0
            self._gateway.opened(self)

    async def renew(self) -> None:
        """Fetch a new listen key and open a connection with it: the old one has expired."""
        if self._route.prepare is None:
            if self.socket is not None:
                self.socket.reconnect("the subscription expired")
            return
        self._token = await self._new_key(self._route.prepare)
        if self.socket is not None:
            self.socket.move(self._route.url(self._token))
            self.socket.reconnect("the listen key was renewed")

    async def _new_key(self, prepare: Call[str]) -> str:
        """Ask until there is one: without it nobody tells of the account."""
        backoff = Backoff(base_s=0.5, cap_s=30.0, jitter=0.2, rng=self._gateway.rng)
        while True:
            try:
                return await self._gateway.link.ask(prepare)
            except VenueError as error:
                self._gateway.note(f"no new listen key: {error}")
                await asyncio.sleep(backoff.next() or 30.0)

    async def _keep(self) -> None:
        assert self._route.keep_alive is not None
        while True:
            await asyncio.sleep(self._route.keep_alive_s)
            try:
                await self._gateway.link.ask(self._route.keep_alive)
            except VenueError as error:
                self._gateway.note(f"the listen key was not kept alive: {error}")
                if error.kind not in (ErrorKind.RETRY, ErrorKind.RATE_LIMITED, ErrorKind.UNANSWERED):
                    await self.renew()


def _refusal(command: Command, error: VenueError, ts: int) -> list[Report]:
    """Report that a command cannot be sent at all."""
    from lanner.model.commands import AmendOrder, Batch, CancelOrder
    from lanner.model.reports import AmendRejected, CancelRejected, OrderRejected

    if isinstance(command, Batch):
        return [report for part in command.commands for report in _refusal(part, error, ts)]
    name = (command.order_id, command.instrument_id, ts, ts, error.what)
    if isinstance(command, CancelOrder):
        return [CancelRejected(*name, command.request)]
    if isinstance(command, AmendOrder):
        return [AmendRejected(*name, command.request)]
    return [OrderRejected(*name, error.reason or error.kind.name)]
