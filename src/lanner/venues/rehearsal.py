"""Keep the way of an order warm: write one again and again that is never sent.

An order is rare, and what writing one needs (code, tables of the signature, the limits) has left the processor's
caches a few milliseconds after the last one; the next then takes several times as long. A rehearsal costs as much as
an order each time.
"""

from __future__ import annotations

import asyncio

from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.net.ratelimit import RateLimiter
from lanner.venues.codec import Codec
from lanner.venues.errors import VenueError


class Rehearsal:
    """Write an order for ``instrument`` every ``every_s``, with a codec and limits of its own; its time is 1970, so
    that no venue would take it."""

    def __init__(self, codec: Codec, instrument: Instrument, every_s: float) -> None:
        self.turns = 0
        self._codec = codec.twin()
        buckets = {name: (bucket.limit, bucket.interval_s) for name, bucket in codec.spec.buckets.items()}
        self._limiter = RateLimiter(buckets)
        self._every_s = every_s
        self._order = SubmitOrder(
            "rehearsal", instrument.id, 0, Side.BUY, OrderType.LIMIT, instrument.min_lots, px_ticks=1
        )
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; ends by itself when the venue cannot have such an order."""
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._turn)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        try:
            for call in self._codec.order(self._order):
                self._limiter.try_acquire(call.costs, call.priority)
                call.frame(0, 0)
        except VenueError:
            self._timer = None
            return
        self.turns += 1
        self.start()
