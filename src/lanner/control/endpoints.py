"""Connections to plain addresses: opened, kept, and what comes told on the bus."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lanner.control.data_engine import tell_status
from lanner.core.errors import LannerError
from lanner.live.telling import tell
from lanner.model.market import BookUpdate, MarketData
from lanner.net.errors import ConnectFailed
from lanner.net.socket_settings import Heartbeat, Pings, SocketSettings
from lanner.net.status import LinkState, LinkStatus
from lanner.net.websocket import WebSocket
from lanner.venues.registry import PRODUCTS, product_spec

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus
    from lanner.engine.cache import Cache
    from lanner.live.config import LiveTradingConfig, WebSocketEndpoint
    from lanner.venues.codec import Codec


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection: ``state`` is disconnected, connecting, connected, reconnecting or failed."""

    endpoint: str
    state: str
    latency_ms: float | None
    messages_received: int
    reconnects: int
    last_error: str


class EndpointLine:
    """Keep one endpoint's connection.

    Frames of a venue that Lanner knows (by the host of the address) become market data, as from any other connection;
    frames of others are told as they are under ``websocket.HOST``: the JSON in them, or the text.
    """

    def __init__(
        self, endpoint: WebSocketEndpoint, config: LiveTradingConfig, bus: MessageBus, cache: Cache
    ) -> None:
        self.endpoint = endpoint
        self._bus = bus
        self._cache = cache
        self._codec: Codec | None = None
        self._stack = AsyncExitStack()
        self._whole: set[str] = set()
        self._socket = WebSocket(
            SocketSettings(
                name=endpoint.url,
                url=endpoint.url,
                heartbeat_s=config.heartbeat_interval_ms / 1e3,
                heartbeat=Heartbeat(Pings.FRAME),
                backoff_base_s=config.reconnect_base_ms / 1e3,
                backoff_cap_s=config.reconnect_max_ms / 1e3,
                attempts=config.max_reconnect_attempts if config.auto_reconnect else 1,
            ),
            on_frame=self._frame,
            on_open=self._opened,
            on_status=self._status,
        )

    async def start(self, wait_s: float) -> str:
        """Connect; return what is wrong after a while. It goes on trying, as often as the settings say.

        Without a venue's instruments its frames cannot be read: they are told as they are then.
        """
        problem = ""
        product = product_at(self.endpoint.url)
        try:
            if product:
                await self._learn(product)
        except LannerError as error:
            problem = error.message()
        await self._socket.start()
        try:
            await self._socket.wait_connected(wait_s)
        except ConnectFailed as error:
            problem = error.message()
        return problem

    async def stop(self) -> None:
        """Close the connection."""
        await self._socket.stop()
        await self._stack.aclose()

    def send(self, text: str) -> bool:
        """Send a text; tell whether it could be taken."""
        return self._socket.send(text)

    def status(self) -> ConnectionStatus:
        """Return where the connection stands."""
        told = self._socket.status()
        latency = None if told.latency_ns is None else told.latency_ns / 1e6
        return ConnectionStatus(
            self.endpoint.url,
            told.state.name.lower(),
            latency,
            told.received,
            told.reconnects,
            "" if told.state is LinkState.CONNECTED else told.reason,
        )

    async def _learn(self, product: str) -> None:
        """Get what is needed to read a venue's frames: its instruments."""
        from lanner.live.connect import Where, connect, load_instruments

        testnet = _host(self.endpoint.url) == _host(product_spec(product).testnet.stream)
        link = await self._stack.enter_async_context(connect(product, Where(testnet=testnet)))
        self._cache.instruments.update(await load_instruments(link))
        self._codec = link.codec

    def _opened(self, socket: WebSocket) -> None:
        self._whole.clear()
        for text in self.endpoint.subscriptions:
            socket.send(text)

    def _status(self, status: LinkStatus) -> None:
        tell_status(self._bus, status)

    def _frame(self, frame: bytes, ts_recv: int) -> None:
        if self._codec is None:
            self._bus.publish(f"websocket.{self.endpoint.host}", _content(frame))
            return
        for message in self._codec.decode(frame, ts_recv):
            if isinstance(message, MarketData):
                self._take(message)
            else:
                self._bus.publish("exchange.notice", message)

    def _take(self, message: MarketData) -> None:
        """Remember and tell a message; changes of a book mean nothing to the cache before the whole book."""
        if isinstance(message, BookUpdate):
            if message.snapshot:
                self._whole.add(message.instrument_id)
            if message.instrument_id in self._whole:
                self._cache.take(message)
        else:
            self._cache.take(message)
        tell(self._bus, message)


def product_at(url: str) -> str:
    """Return the product whose stream is at an address, empty for an address that belongs to none."""
    host = _host(url)
    for product in PRODUCTS:
        spec = product_spec(product)
        if host in (_host(spec.mainnet.stream), _host(spec.testnet.stream)):
            return product
    return ""


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _content(frame: bytes) -> Any:
    try:
        return json.loads(frame)
    except ValueError:
        return frame.decode(errors="replace")
