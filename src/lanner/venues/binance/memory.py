"""What a codec remembers of orders: whose they are, and what an amend or a cancel must say about them again.

The venue tells orders by our text, by its own number and, for conditional futures orders, by the number of the order
that they became. Orders that have ended are kept, since fills may come late, until whoever owns them wants no news of
them any more (``gone``), or as many came after them as nobody waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.venues.binance.names import client_id

MAX_KEPT = 200_000
LOOKS = 2
"""So many orders are looked at for each new one: where they go as fast as they come, no more of them stay."""
TRIGGERED = frozenset(
    {
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP,
    }
)


@dataclass(slots=True)
class Known:
    """An order of ours. Of one that was made before a restart only the id is known until the venue tells more.

    ``request`` is the number of the last amend, ``replacing`` what an order will be when a replace has been done,
    ``numbers`` all that the venue has called it by.
    """

    order_id: str
    client_id: str
    instrument_id: str = ""
    side: Side | None = None
    type: OrderType | None = None
    lots: int = 0
    px_ticks: int | None = None
    stop_ticks: int | None = None
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    display_lots: int | None = None
    cum_lots: int = 0
    venue_order_id: str = ""
    conditional: bool = False
    triggered: bool = False
    request: int = 0
    replacing: tuple[int, int | None, int | None] | None = None
    numbers: tuple[str, ...] = ()

    def replaced(self) -> None:
        """Take over lots, price and trigger price of a replace that was done."""
        if self.replacing is not None:
            self.lots, self.px_ticks, self.stop_ticks = self.replacing
            self.replacing = None


class OrderMemory:
    """Orders of ours by the venue's names for them; ``gone`` tells which of them need not be remembered."""

    __slots__ = ("_by_client", "_by_venue", "_kept", "_waiting", "gone")

    def __init__(self) -> None:
        self.gone: Callable[[str], bool] | None = None
        self._kept: deque[Known] = deque()
        self._waiting: dict[tuple[str, str], None] = {}
        self._by_client: dict[str, Known] = {}
        self._by_venue: dict[tuple[str, str], Known] = {}

    def submitted(self, command: SubmitOrder, *, conditional: bool) -> Known:
        """Remember an order that is about to leave."""
        known = Known(
            command.order_id,
            client_id(command.order_id),
            command.instrument_id,
            command.side,
            command.type,
            command.lots,
            command.px_ticks,
            command.stop_ticks,
            command.tif,
            command.post_only,
            command.display_lots,
            conditional=conditional,
        )
        self._keep(known)
        return known

    def remember(self, order_ids: Iterable[str]) -> None:
        """Learn ids of orders made earlier; what is known already stays."""
        for order_id in order_ids:
            if client_id(order_id) not in self._by_client:
                self._keep(Known(order_id, client_id(order_id)))

    def _keep(self, known: Known) -> None:
        kept, gone = self._kept, self.gone
        self._by_client[known.client_id] = known
        kept.append(known)
        if gone is None:
            if len(kept) > MAX_KEPT:
                self._forget(kept.popleft())
            return
        for _ in range(min(LOOKS, len(kept))):
            oldest = kept.popleft()
            if gone(oldest.order_id):
                self._forget(oldest)
            else:
                kept.append(oldest)  # looked at again after all the others

    def _forget(self, known: Known) -> None:
        if self._by_client.get(known.client_id) is known:
            del self._by_client[known.client_id]
        for name in [(known.instrument_id, number) for number in known.numbers]:
            self._by_venue.pop(name, None)
            self._waiting.pop(name, None)

    def of_client(self, text: str) -> Known | None:
        """Return the order that the venue calls by our text."""
        return self._by_client.get(text)

    def of_order(self, order_id: str) -> Known | None:
        """Return what is known of an order by our id."""
        return self._by_client.get(client_id(order_id))

    def find(self, instrument_id: str, venue_order_id: str, *texts: str) -> Known | None:
        """Return the order that any of these names means, our texts first; the venue numbers each symbol by itself."""
        for text in texts:
            if text and (known := self._by_client.get(text)) is not None:
                return known
        return self._by_venue.get((instrument_id, venue_order_id))

    def named(self, known: Known, instrument_id: str, venue_order_id: str) -> None:
        """Note the venue's number of an order; a conditional order gets a second one when it is triggered."""
        if venue_order_id:
            known.instrument_id = instrument_id
            known.venue_order_id = venue_order_id
            if venue_order_id not in known.numbers:
                known.numbers = (*known.numbers, venue_order_id)
            self._by_venue[instrument_id, venue_order_id] = known

    def waits(self, instrument_id: str, venue_order_id: str) -> None:
        """Note that an order of this number, ours or not, waits for its trigger at the venue's algo service."""
        self._waiting[instrument_id, venue_order_id] = None
        while len(self._waiting) > MAX_KEPT:
            del self._waiting[next(iter(self._waiting))]

    def is_waiting(self, instrument_id: str, venue_order_id: str) -> bool:
        """Tell whether this is the number of an order that was last seen waiting for its trigger."""
        return (instrument_id, venue_order_id) in self._waiting
