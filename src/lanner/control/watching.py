"""Market data besides those that a session trades on: heard on its bus, unseen by its engine, not in its journal."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from lanner.control.symbols import instrument_of
from lanner.live.connect import Where, connect_for
from lanner.model.market import MarketData, Trade
from lanner.venues.codec import Feed, Subscription
from lanner.venues.market_gateway import MarketGateway

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session

CONNECT_S = 20.0


class Watching:
    """Hold the connections of instruments that were subscribed by hand."""

    def __init__(self, config: SessionConfig) -> None:
        self._where = Where(config.url, config.testnet, config.ca_file)
        self._exchange = config.instruments[0].rpartition(".")[2]
        self._open: dict[str, AsyncExitStack] = {}

    async def add(self, session: Session, symbol: str) -> str:
        """Subscribe an instrument's quotes and trades and return its id; one that is traded is heard already."""
        name = instrument_of(self._exchange, symbol)
        if name in session.plan.instruments or name in self._open:
            return name

        def publish(message: MarketData) -> None:
            session.bus.publish(f"market_data.{name}", message)
            if type(message) is Trade:
                session.bus.publish(f"trade.{name}", message)

        async with AsyncExitStack() as stack:
            link, _instrument = await stack.enter_async_context(connect_for(name, self._where))
            gateway = MarketGateway(link, on_data=publish)
            stack.push_async_callback(gateway.stop)
            await gateway.start([Subscription(feed, name) for feed in (Feed.QUOTES, Feed.TRADES)])
            await gateway.wait_connected(CONNECT_S)
            self._open[name] = stack.pop_all()
        return name

    async def drop(self, symbol: str) -> bool:
        """Close an instrument's connection; tell whether there was one."""
        stack = self._open.pop(instrument_of(self._exchange, symbol), None)
        if stack is None:
            return False
        await stack.aclose()
        return True

    async def close(self) -> None:
        """Close all connections."""
        for name in list(self._open):
            await self._open.pop(name).aclose()
