"""Join the orders of two runs of the same strategies: the nth of one to the nth of the other, as far as they agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lanner.model.orders import Order

NEAR_NS = 5_000_000_000
"""Two orders further apart in time than this are not the same intent."""
LOOK = 6


@dataclass(slots=True)
class Joined:
    """One intent: the session's order and the backtest's; one of them may be missing."""

    session: Order | None
    backtest: Order | None

    @property
    def either(self) -> Order:
        """Return the order of one side, the session's where it exists."""
        found = self.session or self.backtest
        assert found is not None
        return found


def join_orders(session: Iterable[Order], backtest: Iterable[Order]) -> list[Joined]:
    """Join orders by strategy, instrument and sequence; what has no partner stands alone. Oldest first."""
    ours, theirs = _by_owner(session), _by_owner(backtest)
    joined: list[Joined] = []
    for owner in dict.fromkeys([*ours, *theirs]):
        joined += _zip(ours.get(owner, []), theirs.get(owner, []))
    return sorted(joined, key=lambda pair: (pair.either.ts_init, pair.either.order_id))


def _by_owner(orders: Iterable[Order]) -> dict[tuple[str, str], list[Order]]:
    found: dict[tuple[str, str], list[Order]] = {}
    for order in orders:
        found.setdefault((order.strategy_id, order.instrument_id), []).append(order)
    return found


def _zip(ours: list[Order], theirs: list[Order]) -> list[Joined]:
    """Walk both lists; an order whose head has a much nearer partner further on leaves the one before it alone.

    Both sides decide on the same market data, so one intent has nearly the same time on both.
    """
    joined: list[Joined] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        a, b = ours[i], theirs[j]
        apart = _apart(a, b)
        skip_theirs, nearest_theirs = _nearest(a, theirs[j + 1 : j + 1 + LOOK])
        skip_ours, nearest_ours = _nearest(b, ours[i + 1 : i + 1 + LOOK])
        if apart <= NEAR_NS and apart <= 2 * min(nearest_theirs, nearest_ours):
            joined.append(Joined(a, b))
            i, j = i + 1, j + 1
            continue
        earlier = a.ts_init <= b.ts_init
        ours_alone = (nearest_ours, skip_ours) < (nearest_theirs, skip_theirs)
        if ours_alone or (nearest_ours == nearest_theirs and earlier):
            joined.append(Joined(a, None))
            i += 1
        else:
            joined.append(Joined(None, b))
            j += 1
    return [
        *joined,
        *(Joined(order, None) for order in ours[i:]),
        *(Joined(None, order) for order in theirs[j:]),
    ]


def _apart(a: Order, b: Order) -> int:
    """Return how far apart in time two orders of the same kind are; too far when they are of another kind."""
    if (a.side, a.type, a.intent, a.tag) != (b.side, b.type, b.intent, b.tag):
        return NEAR_NS + 1
    return min(abs(a.ts_init - b.ts_init), NEAR_NS + 1)


def _nearest(order: Order, others: list[Order]) -> tuple[int, int]:
    """Return which of some orders is nearest to an order, and how far apart they are."""
    return min(
        ((n, _apart(order, other)) for n, other in enumerate(others)),
        key=lambda found: found[1],
        default=(LOOK, NEAR_NS + 1),
    )
