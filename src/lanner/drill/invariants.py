"""What must hold between an engine and its venue: at any moment, and when everything is quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from lanner.live.reconcile import ADJUSTED
from lanner.simulator.money import from_atoms

if TYPE_CHECKING:
    from lanner.live.session import Session
    from lanner.model.orders import Order
    from lanner.simulator.accounts import Account
    from lanner.simulator.exchange import Exchange

CENT = Decimal("0.01")
"""Averages are rounded differently here and there; money is equal when it differs by less."""


class Violation(msgspec.Struct, frozen=True):
    """One invariant that did not hold."""

    invariant: str
    detail: str


class Books:
    """The venue's books of one account beside an engine's, read directly, not through any protocol."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self.exchange = exchange
        self.account: Account = exchange.accounts[account]
        self._totals = {asset: held.total for asset, held in self.account.balances.items()}

    # -- at any moment -------------------------------------------------------------------------------------

    def doubled(self) -> Iterator[Violation]:
        """Find intents with two live orders."""
        counted = Counter(order.client_id for order in self.account.open_orders.values() if order.client_id)
        for client_id, count in counted.items():
            if count > 1:
                yield Violation("one order for an intent", f"{count} live orders {client_id}")

    def missing(self, session: Session) -> Iterator[Violation]:
        """Find orders that work at the venue and that the engine does not count."""
        ours = self._ours(session)
        for resting in self.account.open_orders.values():
            order = ours.get(resting.client_id)
            if order is None:
                yield Violation("no order is missing", f"{resting!r} {resting.client_id} is not ours")
            elif not order.is_open:
                yield Violation(
                    "no order is missing",
                    f"{order.order_id} is {order.status.name} for us ({order.reason}), but works: {resting!r}",
                )

    def held(self, session: Session) -> list[str]:
        """Return what the account holds and has working in the session's instruments, in words."""
        found = [repr(order) for order in self.account.open_orders.values()]
        for name, instrument in session.plan.instruments.items():
            if not instrument.is_spot:
                lots = self._venue_lots(instrument.symbol)
                found += [f"{lots} lots of {name}"] if lots else []
        return found

    # -- when everything is quiet --------------------------------------------------------------------------

    def compare(self, session: Session) -> Iterator[Violation]:
        """Compare orders, fills, positions and money."""
        yield from self.missing(session)
        yield from self._ghosts(session)
        yield from self._fills(session)
        yield from self._positions(session)

    def _ghosts(self, session: Session) -> Iterator[Violation]:
        resting = {order.client_id for order in self.account.open_orders.values()}
        for client_id, order in self._ours(session).items():
            if order.is_open and client_id not in resting:
                yield Violation(
                    "orders equal the venue's",
                    f"{order.order_id} is {order.status.name} for us, and not there",
                )

    def _fills(self, session: Session) -> Iterator[Violation]:
        ours = self._ours(session)
        there: dict[str, list[int]] = {}
        for fill in self.account.fills:
            if fill.client_id not in ours:
                yield Violation("no fill is lost", f"a fill of {fill.client_id or fill.order_id} is nobody's")
            there.setdefault(fill.client_id, []).append(fill.lots)
        for client_id, order in ours.items():
            lots = there.get(client_id, [])
            ids = [str(one) for one in order.trade_ids]
            if order.cum_lots != sum(lots):
                yield Violation(
                    "no fill is lost or doubled",
                    f"{order.order_id} has {order.cum_lots} lots filled, the venue {sum(lots)} ({ids})",
                )
            elif len(ids) != len(lots) and not any(one.startswith(ADJUSTED) for one in ids):
                yield Violation(
                    "no fill is lost or doubled", f"{order.order_id} has fills {ids}, the venue {len(lots)}"
                )

    def _positions(self, session: Session) -> Iterator[Violation]:
        positions = session.engine.portfolio.positions
        for name, instrument in session.plan.instruments.items():
            own = [position for (_, held), position in positions.items() if held == name]
            lots = sum(position.lots for position in own)
            if instrument.is_spot:
                continue
            there = self._venue_lots(instrument.symbol)
            if lots != there:
                yield Violation("positions equal the venue's", f"{name}: {lots} lots, the venue {there}")
        if all(not instrument.is_spot for instrument in session.plan.instruments.values()):
            yield from self._money(session)
        else:
            yield from self._coins(session)

    def _money(self, session: Session) -> Iterator[Violation]:
        """Compare money without regard to the order in which fills were booked: what went in and out."""
        own = sum(
            (
                position.money(position.cash_flow) - position.fees + position.funding
                for position in session.engine.portfolio.positions.values()
            ),
            Decimal(0),
        )
        cost = sum(position.cost for position in self.account.positions.values())
        there = self._gained(session.plan.currency) - from_atoms(cost)
        if abs(own - there) > CENT:
            yield Violation("balances equal the venue's", f"we got {own:.6f}, the venue says {there:.6f}")

    def _coins(self, session: Session) -> Iterator[Violation]:
        """Compare what was bought and paid for it; fees are the venue's own figures."""
        fees: dict[str, Decimal] = {}
        for fill in self.account.fills:
            fees[fill.fee_asset] = fees.get(fill.fee_asset, Decimal(0)) + from_atoms(fill.fee_atoms)
        paid = Decimal(0)
        for name, instrument in session.plan.instruments.items():
            own = [p for (_, held), p in session.engine.portfolio.positions.items() if held == name]
            qty = sum((position.qty for position in own), Decimal(0))
            paid += sum((position.money(position.cash_flow) for position in own), Decimal(0))
            base = instrument.base
            there = self._gained(base) + fees.get(base, Decimal(0))
            if qty != there:
                yield Violation(
                    "balances equal the venue's", f"{base}: we bought {qty}, the venue says {there}"
                )
        quote = session.plan.currency
        there = self._gained(quote) + fees.get(quote, Decimal(0))
        if abs(paid - there) > CENT:
            yield Violation("balances equal the venue's", f"{quote}: we got {paid}, the venue says {there}")

    # -- inside --------------------------------------------------------------------------------------------

    def _ours(self, session: Session) -> dict[str, Order]:
        [link] = session.links.values()
        orders = session.engine.execution.orders
        return {link.codec.client_id(order_id): order for order_id, order in orders.items()}

    def _venue_lots(self, symbol: str) -> int:
        return sum(one.lots for (market, _), one in self.account.positions.items() if market == symbol)

    def _gained(self, asset: str) -> Decimal:
        return from_atoms(self.account.balance(asset).total - self._totals.get(asset, 0))
