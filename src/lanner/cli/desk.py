"""The trading desk of the command line: one loop and one connection for each product, for as long as it is open.

A command opens a desk for itself; inside ``lanner repl`` all commands share one, with the options that were given once.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.cli.venue_options import VENUE, Network

if TYPE_CHECKING:
    from lanner.live.byhand import Hand
    from lanner.live.connect import Where
    from lanner.model.instruments import Instrument
    from lanner.storage.ledger.byhand import LogKeeper
    from lanner.venues.keys import Keys
    from lanner.venues.link import Link

T = TypeVar("T")
LEDGER_S = 5.0
"""How long the end of a command waits for the ledger; what it did has been told by then."""


@dataclass(slots=True)
class Given:
    """What was said once for all commands of a desk: the network, the key, and whether orders may be real.

    ``venue`` completes instruments without one; ``confirmed`` holds the products whose phrase was typed.
    """

    venue: str = ""
    network: Network = VENUE
    key: str = "default"
    live: bool = False
    confirm: str = ""
    confirmed: set[str] = field(default_factory=set)


class Desk:
    """A loop in a thread of its own, so that connections are looked after between two commands."""

    def __init__(self, given: Given | None = None) -> None:
        from lanner.net.loop import loop_factory

        self.given = given or Given()
        self.orders = 0
        self._loop = (loop_factory() or asyncio.new_event_loop)()
        self._stack = AsyncExitStack()
        self._keys: dict[tuple[str, str], Keys] = {}
        self._hands: dict[tuple[str, str], Hand] = {}
        self._links: dict[str, tuple[Link, dict[str, Instrument]]] = {}
        self._keeper: LogKeeper | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="desk", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do some work on the desk's loop; Ctrl-C ends the work, not the desk."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def keep_orders(self) -> None:
        """Have new orders by hand written into the ledger, beside whatever comes next."""
        from lanner.cli.ledger_desk import order_keeper, order_log
        from lanner.cli.output import note
        from lanner.core.errors import LannerError

        if not order_log().exists():
            return
        try:
            self._keeper = self._keeper or order_keeper()
        except LannerError as error:  # what was done is done, whatever is wrong with the ledger
            note(f"not in the ledger: {error.message()}")
            return
        if self._keeper is not None:
            self._keeper.wake()

    def close(self) -> None:
        """Close all connections and end the loop."""
        from lanner.cli.output import note

        self.run(self._stack.aclose())
        trouble = "" if self._keeper is None else self._keeper.finish(LEDGER_S)
        if trouble:
            note(f"the ledger does not have it yet: {trouble}")
            note("The next order by hand makes up for it, or `lanner ledger rebuild`.")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- connections ---------------------------------------------------------------------------------------

    def unlock(self, product: str, key: str) -> None:
        """Load a key, in the thread that may ask for its passphrase; raise ``NotFoundError`` when there is none."""
        from lanner.venues.keys import load_keys

        if (product, key) not in self._keys:
            self._keys[product, key] = load_keys(product, key)

    async def hand(self, product: str, where: Where, key: str) -> Hand:
        """Return the hand for a product and an unlocked key, connected."""
        from lanner.cli.ledger_desk import order_log
        from lanner.live.byhand import Hand
        from lanner.live.connect import connect, load_instruments
        from lanner.live.orderlog import OrderLog

        found = self._hands.get((product, key))
        if found is not None:
            return found
        keys = self._keys[product, key]
        link = await self._stack.enter_async_context(connect(product, where, keys=keys))
        hand = Hand(link, await load_instruments(link), OrderLog(order_log()))
        self._hands[product, key] = hand
        return hand

    async def public(self, product: str, where: Where) -> tuple[Link, dict[str, Instrument]]:
        """Return a link to a product that needs no key, and what it trades."""
        from lanner.live.connect import connect, load_instruments

        for (name, _key), hand in self._hands.items():
            if name == product:
                return hand.link, dict(hand.instruments)
        if product not in self._links:
            link = await self._stack.enter_async_context(connect(product, where))
            self._links[product] = link, await load_instruments(link)
        return self._links[product]

    def known(self) -> list[str]:
        """Return the instruments of all products that are connected."""
        names = [name for hand in self._hands.values() for name in hand.instruments]
        return sorted({*names, *(name for _link, traded in self._links.values() for name in traded)})

    def next_order_id(self, ts: int) -> str:
        """Return an id that no other order has."""
        from lanner.live.tickets import new_order_id

        self.orders += 1
        return new_order_id(ts, os.getpid(), self.orders)


_KEPT: ContextVar[Desk | None] = ContextVar("desk", default=None)


def kept_desk() -> Desk | None:
    """Return the desk that all commands share now, None outside ``lanner repl``."""
    return _KEPT.get()


@contextmanager
def desk() -> Iterator[Desk]:
    """Give the desk that is kept, or one for this command alone."""
    shared = _KEPT.get()
    if shared is not None:
        yield shared
        return
    own = Desk()
    try:
        yield own
    finally:
        own.close()


@contextmanager
def keep(given: Given) -> Iterator[Desk]:
    """Open a desk that all commands share until the end."""
    own = Desk(given)
    token = _KEPT.set(own)
    try:
        yield own
    finally:
        _KEPT.reset(token)
        own.close()


def meant_instrument(text: str) -> str:
    """Return the instrument that is meant; where a desk is kept for a venue, the venue can be left out."""
    from lanner.venues.registry import instrument_at

    shared = _KEPT.get()
    if shared is not None and shared.given.venue and "@" not in text and "." not in text:
        return instrument_at(f"{text}@{shared.given.venue}")
    return instrument_at(text)


@asynccontextmanager
async def public_link(instrument_id: str, where: Where) -> AsyncIterator[tuple[Link, Instrument]]:
    """Give a link that knows an instrument: the kept desk's, or one for this command alone."""
    from lanner.live.connect import connect_for, unknown_instrument
    from lanner.venues.registry import product_of

    shared = _KEPT.get()
    if shared is None:
        async with connect_for(instrument_id, where) as (link, instrument):
            yield link, instrument
        return
    product = product_of(instrument_id)
    link, known = await shared.public(product, where)
    if instrument_id not in known:
        raise unknown_instrument(instrument_id, product, known)
    yield link, known[instrument_id]
