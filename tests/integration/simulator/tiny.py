"""The smallest dialect there can be, to test what lies between a dialect and the sockets; and a venue around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from lanner.model.enums import OrderType, Side
from lanner.net.wallclock import wall_ns
from lanner.simulator.dialect import HttpRequest, HttpResponse, Kind, Refuse, WsSession
from lanner.simulator.events import BookChanged, ExchangeEvent, OrderUpdate, PublicTrade
from lanner.simulator.exchange import Exchange
from lanner.simulator.faults import FaultPlan, LogLine
from lanner.simulator.host import DialectHost
from lanner.simulator.journal import BookJournal
from lanner.simulator.orders import Ack, NewOrder
from tests.unit.simulator.venue import SPOT, Venue

Json = dict[str, Any]


class TinyDialect:
    """Orders and cancels as JSON over HTTP and WebSocket; every session gets books, trades and private events."""

    name = "tiny"

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.market = exchange.markets[SPOT]
        self.sessions: set[WsSession] = set()
        self.commands: list[tuple[str, dict[str, str]]] = []
        self.pongs: list[bytes] = []

    def http(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/time":
            return self._answer({"now": request.now_ns}, Kind.READ)
        if request.path == "/broken":
            raise RuntimeError("broken")
        if request.path == "/echo":
            return self._answer({"query": request.query, "body": request.body.decode()}, Kind.READ)
        answer, kind = self._do(msgspec.json.decode(request.body), request.now_ns)
        return self._answer(answer, kind)

    def _answer(self, body: Json, kind: Kind) -> HttpResponse:
        return HttpResponse(body=msgspec.json.encode(body), kind=kind, headers={"X-Kind": kind.name})

    def _do(self, asked: Json, now_ns: int) -> tuple[Json, Kind]:
        if asked["op"] == "cancel":
            ack = self.exchange.cancel("a", now_ns, order_id=asked["order"])
            return self._told(asked, ack), Kind.CANCEL
        new = NewOrder(
            account=asked.get("account", "a"),
            market=SPOT,
            side=Side[asked["side"]],
            lots=asked["lots"],
            ticks=asked["ticks"],
            client_id=asked.get("client", ""),
            type=OrderType.STOP_LIMIT if "stop" in asked else OrderType.LIMIT,
            trigger_ticks=asked.get("stop", 0),
        )
        return self._told(asked, self.exchange.submit(new, now_ns)), Kind.ORDER

    def _told(self, asked: Json, ack: Ack) -> Json:
        order = ack.order
        found: Json = {"answer": asked.get("id", 0), "reason": ack.reason.name}
        if order is not None:
            found |= {"order": order.order_id, "cum": order.cum_lots, "status": order.status.name}
        return found

    def ws_opened(self, session: WsSession, path: str, query: str) -> bool:
        if path != "/ws":
            return False
        self.sessions.add(session)
        session.send(msgspec.json.encode({"hello": query}), Kind.CONTROL)
        return True

    def ws_frame(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        asked = msgspec.json.decode(payload)
        if asked["op"] == "ping":
            session.ping(b"beat")
            return
        answer, kind = self._do(asked, now_ns)
        session.send(msgspec.json.encode(answer), kind)

    def ws_pong(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        self.pongs.append(payload)

    def ws_closed(self, session: WsSession, now_ns: int) -> None:
        self.sessions.discard(session)

    def on_event(self, event: ExchangeEvent) -> None:
        if isinstance(event, BookChanged):
            frame: Json = {"book": event.seq}
            kind = Kind.BOOK
        elif isinstance(event, PublicTrade):
            frame, kind = {"trade": event.trade_id}, Kind.TRADE
        elif isinstance(event, OrderUpdate) and event.account == "a":
            frame = {"user": event.kind.name, "order": event.order.order_id, "cum": event.cum_lots}
            kind = Kind.USER
        else:
            return
        if self.sessions:
            payload = msgspec.json.encode(frame)
            for session in list(self.sessions):
                session.send(payload, kind)

    def tick(self, now_ns: int) -> None: ...

    def refuse(self, what: Refuse, request: HttpRequest | None, retry_after_s: int) -> HttpResponse:
        headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
        status = 503 if what is Refuse.MAINTENANCE else int(what)
        return HttpResponse(status=status, body=b'{"refused":"%s"}' % what.name.encode(), headers=headers)

    def ws_refuse(self, session: WsSession, what: Refuse, payload: bytes, retry_after_s: int) -> None:
        session.send(msgspec.json.encode({"refused": what.name}), Kind.CONTROL)

    def command(self, name: str, arguments: dict[str, str], now_ns: int) -> bool:
        self.commands.append((name, arguments))
        return True


class Booth:
    """A tiny venue on a port, with the faults a test orders."""

    def __init__(
        self, *faults: tuple[str, dict[str, str]], replay: list[LogLine] | None = None, seed: int = 3
    ) -> None:
        self.venue = Venue()
        self.faults = FaultPlan(seed)
        self.faults.start(wall_ns())
        for name, params in faults:
            self.faults.add(name, params)
        if replay is not None:
            self.faults.replay(replay)
        self.dialect = TinyDialect(self.venue.exchange)
        self.notes: list[str] = []
        self.host = DialectHost(
            self.dialect,
            self.venue.exchange,
            self.faults,
            wall_ns,
            journal=BookJournal(self.venue.exchange),
            note=self.notes.append,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.host.port}"

    def strike(self) -> None:
        """Let faults whose moment has come act, as the server's clockwork does."""
        for act in self.faults.due(wall_ns()):
            self.host.strike(act)

    def order(self, side: str = "BUY", lots: int = 10, ticks: int = 100, **more: object) -> Json:
        return {"op": "order", "side": side, "lots": lots, "ticks": ticks, **more}


class Client:
    """One HTTP client and one WebSocket against a booth."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.socket: aiohttp.ClientWebSocketResponse | None = None

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        self.socket = await self.http.ws_connect(self.url + "/ws?x=1", autoclose=True)
        assert await self.receive() == {"hello": "x=1"}
        return self.socket

    async def send(self, message: Json) -> None:
        assert self.socket is not None
        await self.socket.send_str(msgspec.json.encode(message).decode())

    async def receive(self, timeout_s: float = 60.0) -> Json:
        assert self.socket is not None
        found: Json = await self.socket.receive_json(timeout=timeout_s)
        return found

    async def all(self, quiet_s: float = 0.15) -> list[Json]:
        """Return what comes until it is quiet.

        The quiet is waited for in fifteen parts: a machine that stands still cuts one of them short, and venue and
        client, who share the loop, have the others for what is on its way.
        """
        assert self.socket is not None
        found: list[Json] = []
        quiet = 0
        while quiet < 15:
            try:
                message = await self.socket.receive(timeout=quiet_s / 15)
            except TimeoutError:
                quiet += 1
                continue
            quiet = 0
            if message.type is not aiohttp.WSMsgType.TEXT:
                found.append({"closed": self.socket.close_code})
                return found
            try:
                found.append(msgspec.json.decode(message.data))
            except msgspec.DecodeError:
                found.append({"spoiled": message.data})
        return found

    async def post(self, message: Json) -> tuple[int, Json]:
        async with self.http.post(self.url + "/order", json=message) as answer:
            return answer.status, await answer.json(content_type=None)


@asynccontextmanager
async def trading(booth: Booth) -> AsyncIterator[Client]:
    """Open the booth and a client, and close both."""
    await booth.host.start("127.0.0.1", 0, None)
    timeout = aiohttp.ClientTimeout(total=60)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            client = Client(http, booth.url)
            yield client
            if client.socket is not None:
                await client.socket.close()
    finally:
        await booth.host.stop()
        await asyncio.sleep(0)


def run(booth: Booth, scene: Callable[[Client], Awaitable[None]]) -> None:
    """Play a scene against a booth."""

    async def main() -> None:
        async with trading(booth) as client:
            await scene(client)

    asyncio.run(main())
