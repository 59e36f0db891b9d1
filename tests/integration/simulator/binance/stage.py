"""A Binance venue in a thread of its own, for clients that block and for those that bring their own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from lanner.model.enums import Side
from lanner.simulator.accounts import Account
from lanner.simulator.config import ServeConfig
from lanner.simulator.credentials import Credentials
from lanner.simulator.exchange import Exchange
from lanner.simulator.server import VenueServer

T = TypeVar("T")
HOUSE = "the-house"


class Stage:
    """Serve one dialect without a feed; the test moves the market itself."""

    def __init__(self, dialect: str, **settings: Any) -> None:
        settings.setdefault("feed", "none")
        self.server = VenueServer(ServeConfig(dialects=[dialect], **settings), note=self._note)
        self.host = self.server.hosts[0]
        self.exchange: Exchange = self.host.exchange
        self.notes: list[str] = []
        """What went wrong inside the venue; a test that ends with notes has failed."""
        self.exchange.add_account(Account(HOUSE, house=True))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def _note(self, text: str) -> None:
        self.notes.append(text)

    def __enter__(self) -> Stage:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(60)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()
        assert self.notes == []

    @property
    def http(self) -> str:
        """Return the address of REST."""
        return f"http://127.0.0.1:{self.host.port}"

    @property
    def ws(self) -> str:
        """Return the address of WebSocket connections."""
        return f"ws://127.0.0.1:{self.host.port}"

    @property
    def keys(self) -> Credentials:
        """Return the test account's keys."""
        return self.server.credentials[0]

    def now_ns(self) -> int:
        """Return the venue's time."""
        return self.host.now_ns()

    def do(self, work: Callable[[Exchange], T]) -> T:
        """Work on the exchange between two requests."""

        async def turn() -> T:
            return work(self.exchange)

        return asyncio.run_coroutine_threadsafe(turn(), self._loop).result(60)

    def level(self, market: str, side: Side, ticks: int, lots: int) -> None:
        """Put so many lots of the house's at a price."""
        self.do(lambda exchange: exchange.set_level(HOUSE, market, side, ticks, lots, self.now_ns()))

    def book(self, market: str, middle: int, step: int = 100, depth: int = 10, lots: int = 100_000) -> None:
        """Put levels of the house's around a price."""
        for number in range(1, depth + 1):
            self.level(market, Side.BUY, middle - number * step, lots)
            self.level(market, Side.SELL, middle + number * step, lots)

    def command(self, name: str, **arguments: str) -> bool:
        """Give the dialect a command as a fault would."""
        return self.do(lambda _: self.host.dialect.command(name, arguments, self.now_ns()))
