"""A simulated venue and a manager in one process: the venue in a thread of its own, sessions in theirs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lanner.control.manager import EngineManager
from lanner.simulator.config import make_config
from lanner.simulator.server import VenueServer
from lanner.venues.keys import Keys

FLIP = '''
import lanner as ln


class Flip(ln.Strategy):
    """Go in and out by turns, every few quotes."""

    every = ln.Param(5, 1, 1000)
    size = ln.Param(0.5, 0.1, 1.0)

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n % self.every == 0:
            self.target(self.size if (self.n // self.every) % 2 else 0)
'''
RAISES = """
import lanner as ln


class Raises(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n == 5:
            raise ValueError("the strategy has a mistake")
"""
BLOCKS = '''
import time
from pathlib import Path

import lanner as ln


class Blocks(ln.Strategy):
    """Buy a little, then wait inside a handler for a file; without one, break."""

    flag = ln.Param("")

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n == 3:
            self.buy("0.001")
            self.buy("0.001", "40000")
        if self.n > 10:
            if not self.flag:
                raise ValueError("broken with orders at the venue")
            while not Path(self.flag).exists():
                time.sleep(0.01)
'''
HOLDS = '''
import lanner as ln


class Holds(ln.Strategy):
    """Buy once and leave a limit below the market."""

    def on_start(self):
        self.done = False

    def on_quote(self, quote):
        if not self.done:
            self.done = True
            self.buy("0.002")
            self.buy("0.001", "20000")
'''
STARTLED = '''
import lanner as ln


class Startled(ln.Strategy):
    """Buy at market, and break at the first answer: the fill that comes with it is never heard of."""

    def on_start(self):
        self.done = False

    def on_quote(self, quote):
        if not self.done:
            self.done = True
            self.buy("0.002")

    def on_order(self, order):
        if order.status == ln.OrderStatus.ACCEPTED:
            raise ValueError("startled")
'''
SORE = '''
import lanner as ln


class Sore(ln.Strategy):
    """Buy once and leave a limit below the market; break when that is taken back."""

    def on_start(self):
        self.done = False

    def on_quote(self, quote):
        if not self.done:
            self.done = True
            self.buy("0.002")
            self.buy("0.001", "20000")

    def on_order(self, order):
        if order.status == ln.OrderStatus.CANCELED:
            raise ValueError("sore")
'''
WORKS = {
    "flip": FLIP,
    "raises": RAISES,
    "blocks": BLOCKS,
    "holds": HOLDS,
    "startled": STARTLED,
    "sore": SORE,
}


class Beside:
    """A server in a thread with a loop of its own; ``told`` is what it yielded when it was open."""

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self.told: Any = None
        self._open = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(opening)))
        self._thread.start()
        assert self._open.wait(60)
        assert self._over is not None

    async def _serve(self, opening: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        try:
            async with opening() as told:
                self.told = told
                self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
                self._open.set()
                await self._over.wait()
        finally:
            self._open.set()

    def close(self) -> None:
        """End it."""
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)


class Market:
    """A Binance spot market in a thread."""

    def __init__(self) -> None:
        self._beside = Beside(_venue)
        self.ready: dict[str, Any] = self._beside.told
        self.close = self._beside.close

    @property
    def url(self) -> str:
        """Return its base URL."""
        return str(self.ready["dialects"]["binance-spot"]["http"])

    def keys(self, _product: str) -> Keys:
        """Return the keys of its test account."""
        account = self.ready["accounts"][0]
        return Keys("hmac", account["api_secret"], api_key=account["api_key"])


@asynccontextmanager
async def _venue() -> AsyncIterator[dict[str, Any]]:
    venue = VenueServer(make_config({"dialects": ["binance-spot"], "rate": 150, "seed": 7, "history_s": 0}))
    try:
        yield await venue.start()
    finally:
        await venue.stop()


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    """Serve a lively market for the tests of a module."""
    made = Market()
    yield made
    made.close()


@pytest.fixture
def manager(market: Market) -> Iterator[EngineManager]:
    """Return a manager with the keys of the market's account; what is left running is stopped."""
    made = EngineManager(keys=market.keys)
    yield made
    made.stop_all(timeout_s=60)


@pytest.fixture
def work(tmp_path: Path) -> Callable[[str], str]:
    """Return what writes one of the strategies above and returns its file."""

    def write(name: str) -> str:
        path = tmp_path / f"{name}.py"
        if not path.exists():  # several threads may ask for one at once, and load what another one writes
            draft = path.with_suffix(f".{threading.get_ident()}")
            draft.write_text(WORKS[name])
            draft.replace(path)
        return str(path)

    return write


@pytest.fixture
def ask(market: Market, work: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    """Return what makes a request for a session with one of the strategies above."""

    def request(session_id: str, strategy: str = "flip", **more: Any) -> dict[str, Any]:
        return {
            "session_id": session_id,
            "strategy_type": work(strategy),
            "exchange": "binance",
            "symbol": "BTC",
            "url": {"": market.url},
            "settings": {"journal": {"sync": "none"}, "recovery": {"watchdog": False}},
            **more,
        }

    return request


def until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)
