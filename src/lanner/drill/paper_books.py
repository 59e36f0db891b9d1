"""What must hold in a paper session: its simulated venues and its engine agree, and nothing reaches the real one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from lanner.drill.invariants import CENT, Books, Violation, forgot_well, unforgotten
from lanner.live.paper import PaperVenues

if TYPE_CHECKING:
    from lanner.live.session import Session
    from lanner.sim.venue import SimVenue


class PaperBooks(Books):
    """The books of a paper session's own venues beside its engine's."""

    def doubled(self) -> Iterator[Violation]:
        """Find what reached the real venue: nothing may."""
        for order in self.account.orders:
            yield Violation("a paper session sends nothing", repr(order))

    def missing(self, session: Session) -> Iterator[Violation]:
        """Find orders that work in a simulated venue and that the engine does not count."""
        for order_id in _working(session):
            order = session.engine.execution.orders.get(order_id)
            if order is None or not order.is_open:
                status = "not ours" if order is None else order.status.name
                yield Violation("no order is missing", f"{order_id} works on paper, but is {status}")

    def held(self, session: Session) -> list[str]:
        """Return what the simulated venues hold and have working, in words."""
        positions = (position for venue in _venues(session) for position in venue.account.positions.values())
        return [f"order {name}" for name in _working(session)] + [
            f"{one.lots} lots of {one.instrument.id}"
            for one in positions
            if one.lots and not one.instrument.is_spot  # of spot, dust and what fees took stay
        ]

    def last_news_ns(self, session: Session) -> int:
        """Return when anything last happened to an order."""
        return max((order.ts_last for order in session.engine.execution.orders.values()), default=0)

    def compare(self, session: Session) -> Iterator[Violation]:
        """Compare orders, positions, fees and money."""
        yield from forgot_well(session, unforgotten(session))
        yield from self.doubled()
        yield from self.missing(session)
        working = _working(session)
        for order in session.engine.execution.working_orders():
            if order.order_id not in working:
                yield Violation("orders equal the venue's", f"{order!r} does not work on paper")
        paid = Decimal(0)
        for (_, name), position in session.engine.portfolio.positions.items():
            paid += position.fees
            theirs = sum(
                venue.account.positions[name].lots
                for venue in _venues(session)
                if name in venue.account.positions
            )
            lots = position.lots + (position.coin_fees.lots if position.coin_fees is not None else 0)
            if lots != theirs:
                yield Violation("positions equal the venue's", f"{name}: {lots} lots, paper {theirs}")
        fees = sum((venue.account.fees_paid for venue in _venues(session)), Decimal(0))
        if abs(fees - paid) > CENT:
            yield Violation("balances equal the venue's", f"we paid {paid} in fees, paper {fees}")


def _venues(session: Session) -> list[SimVenue]:
    assert isinstance(session.venues, PaperVenues)
    return list(session.venues.venues.values())


def _working(session: Session) -> set[str]:
    return {name for venue in _venues(session) for book in venue.books.values() for name in book.orders}
