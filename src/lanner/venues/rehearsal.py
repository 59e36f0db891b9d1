"""Keep the way of an order warm: write one again and again that is never sent.

An order is rare, and what writing one needs (code, tables of the signature, the limits) has left the processor's
caches a millisecond after the last one; the next then takes up to ten times as long. A rehearsal costs as much as an
order each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.net.ratelimit import RateLimiter
from lanner.net.wallclock import mono_ns
from lanner.venues.codec import Codec
from lanner.venues.errors import VenueError


class Rehearsal:
    """Write an order for ``instrument`` each ``turn``, with a codec and limits of its own; its time is 1970, so that
    no venue would take it."""

    def __init__(self, codec: Codec, instrument: Instrument) -> None:
        self.turns = 0
        self._codec = codec.twin()
        buckets = {name: (bucket.limit, bucket.interval_s) for name, bucket in codec.spec.buckets.items()}
        self._limiter = RateLimiter(buckets)
        self._order = SubmitOrder(
            "rehearsal", instrument.id, 0, Side.BUY, OrderType.LIMIT, instrument.min_lots, px_ticks=1
        )
        self._refused = False

    def turn(self) -> None:
        """Write the order once; nothing any more where the venue cannot have such an order."""
        if self._refused:
            return
        try:
            for call in self._codec.order(self._order):
                self._limiter.try_acquire(call.costs, call.priority)
                call.frame(0, 0)
        except VenueError:
            self._refused = True
            return
        self.turns += 1


async def keep_warm(turns: Sequence[Callable[[], None]], every_s: float, *, busy_poll: bool = False) -> None:
    """Take all turns every ``every_s`` until cancelled.

    With ``busy_poll`` the event loop looks at its sockets without ever waiting, and takes a processor for itself:
    timers of loops are no finer than a millisecond, and a processor that slept is a cold one.
    """
    pause_s, every_ns, last = (0.0, int(every_s * 1e9), 0) if busy_poll else (every_s, 0, 0)
    while True:
        await asyncio.sleep(pause_s)
        if mono_ns() - last >= every_ns:
            for turn in turns:
                turn()
            last = mono_ns()
