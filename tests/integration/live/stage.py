"""A venue simulator and sessions against it in one process and in virtual time: minutes pass in a second.

Everything is real but the clock and the wire: bytes are signed, written, parsed, journalled and replayed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from lanner.core.bus import MessageBus
from lanner.drill.clock import virtual_time
from lanner.drill.loop import VirtualLoop
from lanner.drill.network import Network
from lanner.live.build import Plan, make_plan
from lanner.live.config import JournalConfig, RecoveryConfig, SessionConfig
from lanner.live.connect import Where, load_instruments
from lanner.live.session import Session
from lanner.simulator.config import ServeConfig
from lanner.simulator.server import VenueServer
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.registry import endpoints_of, make_codec, product_spec

START_NS = 1_767_225_600_000_000_000
Act = Callable[[Session], Awaitable[None]]


class Stage:
    """One product's venue, and the sessions that trade there; ``folder`` keeps their journals."""

    def __init__(self, loop: VirtualLoop, folder: Path, product: str, venue: VenueServer, url: str) -> None:
        self.loop = loop
        self.folder = folder
        self.product = product
        self.venue = venue
        self.where = Where({product: url})
        [one] = venue.credentials
        self.keys = (
            Keys("hmac", one.api_secret, api_key=one.api_key)
            if one.api_secret
            else Keys("wallet", one.agent_private_key, account=one.wallet_address)
        )

    @property
    def exchange(self) -> Any:
        """Return the venue's inside."""
        return self.venue.hosts[0].exchange

    async def plan(self, strategy: Path, instruments: list[str], mode: str = "live", **more: Any) -> Plan:
        """Settle a session."""
        config = SessionConfig(
            mode=mode,
            strategy=None if "strategies" in more else str(strategy),
            instruments=instruments,
            url=dict(self.where.urls),
            **{
                "journal": JournalConfig(sync="none", checkpoint_s=5.0),
                "recovery": RecoveryConfig(reconcile_s=10.0),
                **more,
            },
        )
        async with self.connect(self.product, self.where) as link:
            return make_plan(config, await load_instruments(link))

    async def trade(
        self,
        plan: Plan,
        name: str,
        seconds: float,
        act: Act | None = None,
        bus: MessageBus | None = None,
        attach: Callable[[Session], object] | None = None,
    ) -> Session:
        """Run a session for some seconds; ``act`` is called when it trades, and the session ends after it.

        ``attach`` is called before it runs.
        """
        session = Session(
            plan,
            name,
            self.folder / name,
            self.where,
            keys=lambda _: self.keys,
            reach=self.connect,
            bus=bus,
        )
        if attach is not None:
            attach(session)
        ready = asyncio.Event()
        life = self.loop.create_task(session.run(on_ready=ready.set))
        waiting = self.loop.create_task(ready.wait())
        await asyncio.wait((life, waiting), return_when=asyncio.FIRST_COMPLETED)
        try:
            if not life.done():
                if act is not None:
                    await act(session)
                await asyncio.sleep(seconds)
        finally:
            session.stop()
            waiting.cancel()
            await asyncio.wait((life,))
        await life
        return session

    async def until(self, holds: Callable[[], object], seconds: float = 120.0) -> None:
        """Let time pass until something holds."""
        end = self.loop.time() + seconds
        while not holds():
            assert self.loop.time() < end, "it does not come"
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def reach(self) -> AsyncIterator[Link]:
        """Open a connection of another program with the same keys."""
        async with self.connect(self.product, self.where, keys=self.keys) as link:
            await load_instruments(link)
            yield link

    @asynccontextmanager
    async def connect(
        self, product: str, where: Where, *, keys: Keys | None = None, urgent: bool = False
    ) -> AsyncIterator[Link]:
        """Open a connection to a product, as a session does."""
        codec = make_codec(product, endpoints_of(product_spec(product), url=where.url(product)), keys)
        link = Link(codec, rng=Random(1))
        link.urgent = urgent
        try:
            await link.open()
            yield link
        finally:
            await link.close()


def on_stage(
    folder: Path,
    product: str,
    play: Callable[[Stage], Awaitable[None]],
    *,
    rate: float = 40.0,
    start_ns: int = START_NS,
    vol: float = 1.5,
    latency_s: float = 0.002,
) -> None:
    """Open a venue, let ``play`` use it, and close it again."""
    loop = VirtualLoop(start_ns, Network(latency_s))

    async def whole() -> None:
        config = ServeConfig(dialects=[product], seed=7, key_seed=7, rate=rate, vol=vol, history_s=0.0)
        venue = VenueServer(config, note=print, tick_s=0.02)
        ready = await venue.start()
        try:
            await play(Stage(loop, folder, product, venue, ready["dialects"][product]["http"]))
        finally:
            await venue.stop()

    with virtual_time(loop):
        try:
            loop.run_until_complete(whole())
        finally:
            loop.close()
    for context in loop.faults:
        raise AssertionError(context)
