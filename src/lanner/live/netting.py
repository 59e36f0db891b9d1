"""Compare positions with a venue, and believe a difference only when it stays.

The venue tells orders, fills and positions each by itself, and trading goes on meanwhile: a fill that crosses the
question makes a difference that is none. So a difference is looked at twice, some time apart, each time with nothing
moving and no fill unheard of; only one that is the same both times is mended. What the venue counts as an order's is
booked as the order's; the rest is adjusted, and taken back when a fill is told at last that explains it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from lanner.live.accounts import ask_account
from lanner.live.foreign import first_trader
from lanner.live.reconcile import Difference, compare_positions
from lanner.model.accounts import AccountState, VenueFill
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import Report
from lanner.net.wallclock import wall_ns
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.model.instruments import Instrument
    from lanner.venues.link import Link

SECOND_LOOK_S = 2.0
"""So long after the first look what was on its way has arrived."""
ENDED_NS = 600_000_000_000
ENDED = 20
"""So many of the newest orders that ended in the last ten minutes are asked about before a position is adjusted."""
_IN_DOUBT = (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)


class Look(msgspec.Struct, frozen=True):
    """What one look at a venue's positions found, and when it was asked for and answered."""

    asked_ns: int
    answered_ns: int
    differences: list[Difference] = []


class Netting:
    """Compare the positions of one session; ``ask_fills`` tells the latest fills of a product.

    ``settle`` brings an order to what its venue counts as filled, and tells whether anything is still to come of it.
    ``accounts`` keeps what each product's venue said last.
    """

    def __init__(
        self,
        instruments: dict[str, Instrument],
        engine: Engine,
        ask_fills: Callable[[str, Link], Awaitable[list[VenueFill]]],
        settle: Callable[[Order], Awaitable[bool]],
        on_report: Callable[[Report], None],
    ) -> None:
        self.accounts: dict[str, AccountState] = {}
        self._instruments = instruments
        self._engine = engine
        self._ask_fills = ask_fills
        self._settle = settle
        self._report = on_report

    async def compare(self, product: str, link: Link) -> list[str]:
        """Mend the differences that stay, and return them in words; while something moves, there are none to see.

        What is the venue's count of an order's fills is booked as the order's. The rest is adjusted.
        """
        first = await self._look(product, link)
        if not first.differences:
            return []
        await asyncio.sleep(SECOND_LOOK_S)
        second = await self._look(product, link)
        again = {one.instrument_id: one for one in second.differences}
        # nothing can have happened between the looks: then the position would not be the same
        as_of = (first.answered_ns + second.asked_ns) // 2 + link.clock.offset_ns
        found = []
        for one in first.differences:
            now = again.get(one.instrument_id)
            if now is None or (now.ours, now.theirs) != (one.ours, one.theirs):
                continue
            if not await self._is_explained(now):
                for report in now.adjusted:
                    self._report(msgspec.structs.replace(report, as_of=as_of))
            found.append(f"{now.instrument_id}: we had {now.ours} lots, the venue {now.theirs}")
        return found

    async def _is_explained(self, one: Difference) -> bool:
        """Ask for the orders that may have fills nobody told; tell whether the position is another by now, or will be.

        The newest that ended, and all that work.
        """
        execution = self._engine.execution
        since = self._engine.clock.now - ENDED_NS
        orders = [o for o in execution.orders.values() if o.instrument_id == one.instrument_id]
        ended = [order for order in orders if order.is_final and order.ts_last >= since][-ENDED:]
        unsettled = False
        for order in [order for order in orders if order.is_open] + ended:
            unsettled = await self._settle(order) or unsettled
        return unsettled or self._net(one.instrument_id) != one.ours

    def _net(self, name: str) -> int:
        positions = self._engine.portfolio.positions
        return sum(position.lots for (_, held), position in positions.items() if held == name)

    async def _look(self, product: str, link: Link) -> Look:
        """Return what differs, as far as it can be told: nothing while an order is in doubt or a fill unheard of."""
        execution = self._engine.execution
        before, asked = execution.retention.fill_count, wall_ns()
        state = await ask_account(link)
        answered = wall_ns()
        if state is None:
            return Look(asked, answered)
        self.accounts[product] = state
        own = {name: one for name, one in self._instruments.items() if product_of(name) == product}
        if not self._differences(own, state):
            return Look(asked, answered)
        heard = await self._ask_fills(product, link)
        if (
            execution.retention.fill_count != before
            or any(order.status in _IN_DOUBT and order.instrument_id in own for order in self._open())
            or any(self._is_unheard(fill) for fill in heard)
        ):
            return Look(asked, answered)
        return Look(asked, answered, self._differences(own, state))

    def _differences(self, own: dict[str, Instrument], state: AccountState) -> list[Difference]:
        positions = self._engine.portfolio.positions
        ours = {key: position.lots for key, position in positions.items() if key[1] in own}
        now = max(wall_ns(), self._engine.clock.now)
        return compare_positions(ours, state.positions, own, self._engine.cache.marks, now, self._heir)

    def _heir(self, name: str) -> str:
        return first_trader(self._engine, name)

    def _open(self) -> list[Order]:
        return list(self._engine.execution.working_orders())

    def _is_unheard(self, fill: VenueFill) -> bool:
        """Tell whether a fill is one of ours that was not counted yet."""
        report = fill.report
        order = self._engine.execution.orders.get(report.order_id)
        if order is None and fill.venue_order_id:
            order = next(
                (
                    one
                    for one in self._open()
                    if (one.instrument_id, one.venue_order_id) == (report.instrument_id, fill.venue_order_id)
                ),
                None,
            )
        return order is not None and report.trade_id not in order.trade_ids
