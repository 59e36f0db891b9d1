"""One dialect on its port: between its connections, its exchange and the faults."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lanner.core.errors import ConfigError
from lanner.simulator.connection import Connection
from lanner.simulator.dialect import HttpRequest, HttpResponse, Kind, Refuse
from lanner.simulator.events import ExchangeEvent, Exec, OrderUpdate
from lanner.simulator.faults import SECOND, Act, FaultPlan, Point, garbled
from lanner.simulator.orders import EndReason, SimOrder, SimStatus

if TYPE_CHECKING:
    from lanner.simulator.dialect import Dialect
    from lanner.simulator.exchange import Exchange
    from lanner.simulator.journal import BookJournal
    from lanner.simulator.wire_http import RawRequest

_REFUSALS = {"rate-limit": Refuse.RATE_LIMITED, "ban": Refuse.BANNED}


class DialectHost:
    """A port with one dialect behind it. Everything runs in one thread, one call at a time."""

    def __init__(
        self,
        dialect: Dialect,
        exchange: Exchange,
        faults: FaultPlan,
        clock: Callable[[], int],
        *,
        journal: BookJournal,
        note: Callable[[str], None],
    ) -> None:
        self.dialect = dialect
        self.exchange = exchange
        self.journal = journal
        self._note = note
        self.connections: set[Connection] = set()
        self.unsent: list[Connection] = []
        self.port = 0
        self.skew_ns = 0
        self.requests = self.frames_in = self.frames_out = 0
        self._faults = faults
        self._clock = clock
        self._handling = False
        self._held: list[tuple[Connection, bytes]] = []
        self._sessions = 0
        self._server: asyncio.Server | None = None
        self._ssl: ssl.SSLContext | None = None
        self._closed_until: asyncio.TimerHandle | None = None
        self._maintenance_until = 0
        self._asides: list[Callable[[], None]] = []
        exchange.listen(dialect.on_event)
        exchange.listen(journal.on_event)
        exchange.listen(self._on_event)

    @property
    def name(self) -> str:
        """Return the dialect's name."""
        return self.dialect.name

    def now_ns(self) -> int:
        """Return the venue's time, as far off as faults made it."""
        return self._clock() + self.skew_ns

    def note(self, text: str) -> None:
        """Tell the operator something."""
        self._note(f"{self.name}: {text}")

    # -- the port --------------------------------------------------------------------------------------

    async def start(self, address: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Open the port; 0 takes a free one."""
        self._ssl = tls
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), address, port, ssl=tls, backlog=1024, reuse_address=True
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {address}:{port}",
                found=error.strerror or error,
                fix="Choose another port, or 0 for a free one.",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._address = address

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._closed_until is not None:
            self._closed_until.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drop(politely=not connection.deaf)
        await asyncio.sleep(0)
        for connection in list(self.connections):
            connection.drop()

    def refuse_connects(self, seconds: float) -> None:
        """Close the port for a while; connections that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._closed_until is not None:
            self._closed_until.cancel()
        loop = asyncio.get_running_loop()
        self._closed_until = loop.call_later(seconds, lambda: self._reopen(loop))

    def _reopen(self, loop: asyncio.AbstractEventLoop) -> None:
        self._closed_until = None
        self._task = loop.create_task(self._start_again())

    async def _start_again(self) -> None:
        try:
            await self.start(self._address, self.port, self._ssl)
        except ConfigError as error:
            self.note(error.message())

    # -- HTTP --------------------------------------------------------------------------------------------

    def http(self, connection: Connection, raw: RawRequest) -> None:
        """Serve one request, by way of the faults."""
        self.requests += 1
        now = self.now_ns()
        request = HttpRequest(
            method=raw.method,
            path=raw.path,
            query=raw.query,
            headers=raw.headers,
            body=raw.body,
            remote=connection.remote,
            now_ns=now,
        )
        keep = raw.keep_alive
        acts = self._faults.at(
            Point.REQUEST,
            self.name,
            Kind.OTHER,
            self._clock(),
            connection.remote,
            method=raw.method,
            path=raw.path,
        )
        if any(act.name == "lose-request" for act in acts):
            connection.go_deaf()
            return
        refused = self._refusal(acts)
        if refused is not None:
            what, retry = refused
            connection.answer(self.dialect.refuse(what, request, retry), keep_alive=keep)
            return
        response = self._handle(request)
        self._after_http(connection, request, response, keep)

    def _handle(self, request: HttpRequest) -> HttpResponse:
        self._handling = True
        try:
            return self.dialect.http(request)
        except Exception as error:  # noqa: BLE001 - the outermost loop: one bad request must not end the venue
            self.note(f"{request.method} {request.path}: {error!r}")
            return HttpResponse(status=500, body=b'{"code":-1000,"msg":"An unknown error occurred"}')
        finally:
            self._handling = False

    def _after_http(
        self, connection: Connection, request: HttpRequest, response: HttpResponse, keep: bool
    ) -> None:
        delay = 0.0
        for act in self._faults.at(Point.ANSWER, self.name, response.kind, self._clock(), connection.remote):
            if act.name in ("lose-answer", "drop"):
                self._finish()
                connection.drop()
                return
            if act.name == "error-after-accept":
                what = Refuse(503) if act.params["status"] == "503" else Refuse(500)
                response = self.dialect.refuse(what, request, 0)
                response.status = int(act.params["status"])
            elif act.name == "fill-before-ack":
                self._release()
                delay += act.ms() / 1e3
            elif act.name == "latency":
                delay += act.ms() / 1e3
            elif act.name == "garble":
                response.body = garbled(response.body, float(act.params["at"]))
            elif act.name in ("close", "half-open", "stall"):
                self._finish()
                connection.go_deaf() if act.name == "half-open" else connection.drop()
                return
        head = request.method == "HEAD"
        if delay:
            held, self._held = self._held, []
            connection.later(delay, lambda: self._late_answer(connection, response, keep, head, held))
            self._finish()
            return
        connection.answer(response, keep_alive=keep, head_only=head)
        self._finish()

    def _late_answer(
        self,
        connection: Connection,
        response: HttpResponse,
        keep: bool,
        head: bool,
        held: list[tuple[Connection, bytes]],
    ) -> None:
        connection.answer(response, keep_alive=keep, head_only=head)
        for session, payload in held:
            self._forward(session, payload, Kind.USER)
        self.flush()

    def _refusal(self, acts: list[Act]) -> tuple[Refuse, int] | None:
        if self._clock() < self._maintenance_until:
            return Refuse.MAINTENANCE, 1
        for act in acts:
            if act.name in _REFUSALS:
                return _REFUSALS[act.name], int(float(act.params["retry"]))
            if act.name == "server-error":
                status = int(act.params["status"])
                return Refuse.UNAVAILABLE if status == 503 else Refuse.SERVER_ERROR, 0
        return None

    # -- WebSocket ---------------------------------------------------------------------------------------

    def refuses_sessions(self) -> bool:
        """Tell whether new sessions are turned away."""
        return self._clock() < self._maintenance_until

    def ws_opened(self, connection: Connection, raw: RawRequest) -> bool:
        """Introduce a session to the dialect."""
        self._sessions += 1
        connection.session_id = self._sessions
        if not self.dialect.ws_opened(connection, raw.path, raw.query):
            connection.session_id = 0
            return False
        return True

    def ws_frame(self, connection: Connection, payload: bytes) -> None:
        """Give a frame to the dialect, by way of the faults; private events follow the answer."""
        self.frames_in += 1
        if Point.REQUEST in self._faults.points or self._maintenance_until:
            acts = self._faults.at(
                Point.REQUEST,
                self.name,
                Kind.OTHER,
                self._clock(),
                f"session {connection.session_id}",
                path="ws",
            )
            if any(act.name == "lose-request" for act in acts):
                return
            refused = self._refusal(acts)
            if refused is not None:
                self.dialect.ws_refuse(connection, refused[0], payload, refused[1])
                return
        self._handling = True
        try:
            self.dialect.ws_frame(connection, payload, self.now_ns())
        except Exception as error:  # noqa: BLE001 - the outermost loop: one bad frame must not end the venue
            self.note(f"session {connection.session_id}: {error!r}")
        finally:
            self._handling = False
        # not flushed here: the connection does so once for all frames that came together
        self._settle()

    def ws_pong(self, connection: Connection, payload: bytes) -> None:
        """Tell the dialect of a pong."""
        self.dialect.ws_pong(connection, payload, self.now_ns())

    def ws_closed(self, connection: Connection) -> None:
        """Tell the dialect that a session is gone."""
        self.dialect.ws_closed(connection, self.now_ns())
        self.flush()

    # -- sending -----------------------------------------------------------------------------------------

    def send(self, connection: Connection, payload: bytes, kind: Kind) -> None:
        """Send a dialect's frame. During a call, private events wait for the answer."""
        if self._handling and kind is Kind.USER:
            self._held.append((connection, payload))
            return
        self._forward(connection, payload, kind)

    def _forward(self, connection: Connection, payload: bytes, kind: Kind) -> None:
        if connection.deaf:
            return
        self.frames_out += 1
        if not self._faults.points:
            connection.put(payload)
            return
        answering = self._handling and kind in (Kind.ORDER, Kind.CANCEL, Kind.AMEND, Kind.READ)
        point = Point.ANSWER if answering else Point.FRAME
        target = f"session {connection.session_id}"
        delay, copies, behind = 0.0, 1, False
        for act in self._faults.at(point, self.name, kind, self._clock(), target):
            name = act.name
            if name in ("drop", "lose-answer", "sequence-gap"):
                copies = 0
            elif name in ("duplicate", "answer-twice"):
                copies += 1
            elif name == "reorder":
                behind = True
            elif name == "garble":
                payload = garbled(payload, float(act.params["at"]))
            elif name in ("latency", "late-user-events"):
                delay += act.ms() / 1e3
            elif name == "fill-before-ack":
                self._release()
                delay += act.ms() / 1e3
            elif name == "error-after-accept":
                copies = 0
                self.dialect.ws_refuse(connection, Refuse.UNAVAILABLE, payload, 0)
            elif name in ("stall", "close", "half-open"):
                self._strike(connection, act)
                copies = 0
        for _ in range(copies):
            connection.put(payload, delay, behind_next=behind)
            behind = False

    @staticmethod
    def _strike(connection: Connection, act: Act) -> None:
        """Hurt a connection; the present frame is lost with it."""
        if act.name == "close":
            connection.close(int(act.params["code"]))
        elif act.name == "half-open":
            connection.go_deaf()
        else:
            connection.flush()
            connection.mute_until = asyncio.get_running_loop().time() + float(act.params["for"])

    def _release(self) -> None:
        if not self._held:
            return
        held, self._held = self._held, []
        for connection, payload in held:
            self._forward(connection, payload, Kind.USER)

    def _finish(self) -> None:
        """After a call: private events, then what faults do to orders, then everything out."""
        self._settle()
        if self.unsent:
            self.flush()

    def _settle(self) -> None:
        self._release()
        while self._asides:
            asides, self._asides = self._asides, []
            for aside in asides:
                aside()

    def flush(self) -> None:
        """Hand all queued frames to the sockets."""
        while self.unsent:
            unsent, self.unsent = self.unsent, []
            for connection in unsent:
                connection.flush()

    # -- time and faults -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let the dialect do what is due."""
        now = self.now_ns()
        self.exchange.advance(now)
        self.dialect.tick(now)
        self._finish()

    def strike(self, act: Act) -> None:
        """Act out a fault whose moment has come."""
        name, params = act.name, act.params
        if params.get("dialect", self.name) != self.name:
            return
        if name == "refuse-connect":
            self.refuse_connects(float(params["for"]))
        elif name == "clock-skew":
            self.skew_ns = int(float(params["ms"]) * 1e6)
            if "for" in params:
                asyncio.get_running_loop().call_later(float(params["for"]), self._unskew)
        elif name == "maintenance":
            self._maintenance_until = self._clock() + int(float(params["for"]) * SECOND)
        elif name == "step-size":
            self._coarser(params)
        elif name in ("stall", "close", "half-open"):
            sessions = [one for one in self.connections if one.is_session]
            for connection in sorted(sessions, key=lambda one: one.session_id):
                self._strike(connection, act)
        else:
            self.dialect.command(name, params, self.now_ns())
        self._finish()

    def recover(self) -> None:
        """End what faults began and would end later: a closed port, maintenance, a clock that is off."""
        self.skew_ns = self._maintenance_until = 0
        if self._closed_until is not None:
            self._closed_until.cancel()
            self._reopen(asyncio.get_running_loop())

    def _unskew(self) -> None:
        self.skew_ns = 0

    def _coarser(self, params: dict[str, str]) -> None:
        for symbol, market in self.exchange.markets.items():
            if params.get("market", "") in ("", symbol):
                factor = int(float(params["factor"]))
                self.exchange.change_steps(symbol, self.now_ns(), tick_step=market.tick_step, lot_step=factor)

    def _on_event(self, event: ExchangeEvent) -> None:
        """Note which orders the faults on orders may act on, once the present call is answered."""
        if not isinstance(event, OrderUpdate) or Point.ORDER not in self._faults.points:
            return
        order = event.order
        if event.kind is Exec.NEW and order.on_book:
            on = "rest"
        elif event.kind is Exec.CANCELED and event.reason is EndReason.USER and _could_trade(order):
            on = "cancel"
        else:
            return
        for act in self._faults.at(
            Point.ORDER, self.name, Kind.ORDER, self._clock(), str(order.order_id), on=on
        ):
            self._asides.append(partial(self._fill, order.order_id, float(act.params["share"])))

    def _fill(self, order_id: int, share: float) -> None:
        order = self.exchange.any_order(order_id)
        if order is None or order.status is SimStatus.FILLED or order.leaves <= 0:
            return
        lots = max(1, min(order.leaves, int(order.leaves * share)))
        self.exchange.fill_order(order_id, lots, self.now_ns())


def _could_trade(order: SimOrder) -> bool:
    """Tell whether a fill may have crossed an order's cancel: one that still waited for its trigger was in no book."""
    return order.leaves > 0 and (order.triggered_ns > 0 or not order.is_triggered_type)
