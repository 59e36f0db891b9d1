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
    """Walk both lists; where the heads disagree, the side whose partner is nearer gives its heads up as alone."""
    joined: list[Joined] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        if _same(ours[i], theirs[j]):
            joined.append(Joined(ours[i], theirs[j]))
            i, j = i + 1, j + 1
            continue
        skip_theirs = _distance(ours[i], theirs[j + 1 : j + 1 + LOOK])
        skip_ours = _distance(theirs[j], ours[i + 1 : i + 1 + LOOK])
        earlier = ours[i].ts_init <= theirs[j].ts_init
        if skip_ours < skip_theirs or (skip_ours == skip_theirs and earlier):
            joined.append(Joined(ours[i], None))
            i += 1
        else:
            joined.append(Joined(None, theirs[j]))
            j += 1
    return [
        *joined,
        *(Joined(order, None) for order in ours[i:]),
        *(Joined(None, order) for order in theirs[j:]),
    ]


def _same(a: Order, b: Order) -> bool:
    return (a.side, a.type, a.intent, a.tag) == (b.side, b.type, b.intent, b.tag) and abs(
        a.ts_init - b.ts_init
    ) <= NEAR_NS


def _distance(order: Order, others: list[Order]) -> int:
    """Return how many orders stand before the partner of an order."""
    return next((n for n, other in enumerate(others) if _same(order, other)), LOOK)
