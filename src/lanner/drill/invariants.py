"""What must hold between an engine and its venue: at any moment, and when everything is quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from lanner.execution.exits import AGAIN, is_working
from lanner.live.build import build_engine
from lanner.live.heart import replay
from lanner.model.enums import GroupKind, OrderType
from lanner.model.reports import CONCLUDED, PositionAdjusted
from lanner.portfolio.positions import CoinFees
from lanner.risk.gate import TradingState
from lanner.simulator.money import from_atoms
from lanner.storage.journal import read_journal

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
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


def unforgotten(session: Session) -> Engine:
    """Return an engine that knows all orders: the session's own, or one that plays its journal and forgets nothing."""
    if not session.engine.execution.retention.forgotten:
        return session.engine
    whole = build_engine(session.plan, session.id, keeps_all=True)
    replay(whole, read_journal(session.folder / "journal"))
    return whole


def forgot_well(session: Session, whole: Engine) -> Iterator[Violation]:
    """Find what a session came to that forgot orders, and would not have come to had it kept them."""
    if whole is session.engine:
        return
    name = "what is forgotten does not matter"
    if whole.hash.hexdigest() != session.engine.hash.hexdigest():
        yield Violation(name, "without forgetting it decides otherwise")
    for key, position in whole.portfolio.positions.items():
        own = session.engine.portfolio.positions.get(key)
        if own is None or (own.lots, own.cash_flow, own.fees) != (
            position.lots, position.cash_flow, position.fees,
        ):  # fmt: skip
            yield Violation(name, f"{key}: {own and own.lots} lots, all orders kept {position.lots}")
    for order_id, order in whole.execution.orders.items():
        mine = session.engine.execution.orders.get(order_id)
        if mine is None and not order.is_final:
            yield Violation(name, f"{order_id} is {order.status.name} and forgotten")
        elif mine is not None and (mine.status, mine.cum_lots, set(mine.trade_ids)) != (
            order.status, order.cum_lots, set(order.trade_ids),
        ):  # fmt: skip
            yield Violation(name, f"{order!r} is {mine!r} here")


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

    def last_news_ns(self, session: Session) -> int:
        """Return when anything last happened to an order, here or there: a stop goes off in a paused session, too."""
        here = (order.ts_last for order in session.engine.execution.orders.values())
        there = [self.account.fills[-1].ts_ns] if self.account.fills else []
        return max((*here, *there), default=0)

    # -- when everything is quiet --------------------------------------------------------------------------

    def compare(self, session: Session) -> Iterator[Violation]:
        """Compare orders, fills, positions and money."""
        whole = unforgotten(session)
        yield from forgot_well(session, whole)
        yield from self.missing(session)
        yield from self._ghosts(session)
        yield from self._fills(session, whole)
        yield from self._adjusted(session)
        yield from self._bare(session)
        yield from self._unsent(session)
        yield from self._unwanted(session)
        yield from self._positions(session)

    def _adjusted(self, session: Session) -> Iterator[Violation]:
        """Find positions that were adjusted: nobody else trades here, so each difference has fills that explain it."""
        for report in session.engine.reports:
            if isinstance(report, PositionAdjusted):
                yield Violation(
                    "every difference has its fill",
                    f"{report.lots} lots of {report.instrument_id} adjusted at {report.ts_event}: {report.reason}",
                )

    def _bare(self, session: Session) -> Iterator[Violation]:
        """Find positions that shall have a bracket's stop and have none, unless the strategy asked it back itself."""
        guards, timers = session.engine.execution.guards, session.engine.clock.timers()
        if session.engine.execution.gate.state is TradingState.HALTED:
            return
        for guard, share in (pair for key in guards.cover for pair in guards.cover.shares(key)):
            stops = [order for order in guard.all_orders if order.intent == "stop"]
            safe = sum(order.leaves_lots for order in stops if is_working(order)) + guards.cover.leaving(
                guard
            )
            waits = any(f"{AGAIN}{order.order_id}" == name for _, name, *_ in timers for order in stops)
            elsewhere = "stop" in guard.watched or "stop" in guard.by_hand
            if guard.plan.stop and safe < share and not (waits or elsewhere):
                told = ", ".join(f"{one.order_id} {one.status.name} {one.reject_code}" for one in stops)
                yield Violation(
                    "what is held is protected",
                    f"{share} lots of {guard.entry.order_id}, stops for {safe} ({told})",
                )

    def _unsent(self, session: Session) -> Iterator[Violation]:
        """Find stops that went off at market and do not leave, although the venue would take what they close."""
        execution, now = session.engine.execution, session.engine.clock.now
        if execution.gate.state is TradingState.HALTED:
            return
        for stop in execution.stops.book:
            at_market = stop.exit_terms()[0] is OrderType.MARKET
            if stop.went_off and stop.order is None and at_market and not stop.stuck and now >= stop.again_at:
                held = execution.stops.book.lots(stop.key)
                yield Violation(
                    "a stop that went off leaves",
                    f"{stop.kind.value} {stop.stop_id} of {', '.join(stop.key)} is to close {stop.owed} of {held} lots",
                )

    def _unwanted(self, session: Session) -> Iterator[Violation]:
        """Find exits and stops that work for nothing, and that nobody will ask back in a moment."""
        execution = session.engine.execution
        waiting = {name.removeprefix(AGAIN) for _, name, *_ in session.engine.clock.timers()}
        for order in filter(is_working, execution.working_orders()):
            is_exit = order.group_kind is GroupKind.BRACKET and execution.guards.failed.is_unwanted(order)
            is_left = is_exit or order.order_id in execution.stops.book.leaving
            if is_left and order.order_id not in waiting:
                yield Violation("no exit outlives its work", f"{order!r}")

    def _ghosts(self, session: Session) -> Iterator[Violation]:
        resting = {order.client_id for order in self.account.open_orders.values()}
        for client_id, order in self._ours(session).items():
            if order.is_open and client_id not in resting:
                yield Violation(
                    "orders equal the venue's",
                    f"{order.order_id} is {order.status.name} for us, and not there",
                )

    def _fills(self, session: Session, whole: Engine) -> Iterator[Violation]:
        ours = self._ours(session, whole)
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
            elif len(ids) != len(lots) and not any(one.startswith(CONCLUDED) for one in ids):
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
            lots = sum(position.lots for position in own)
            gone = 0
            for position in own:
                taken = position.coin_fees or CoinFees()
                gone += taken.lots
                paid += position.money(position.cash_flow - taken.units)
            base, lot = instrument.base, instrument.lot
            bought, there = lot * (lots + gone), self._gained(base)
            if bought != there + fees.get(base, Decimal(0)):
                yield Violation(
                    "balances equal the venue's",
                    f"{base}: we bought {bought}, the venue has {there} and fees {fees.get(base)}",
                )
            elif not 0 <= there - lot * lots < lot * max(1, len(own)):
                yield Violation(
                    "what is held can be sold",
                    f"{base}: we count {lot * lots}, the venue has {there}",
                )
        quote = session.plan.currency
        there = self._gained(quote) + fees.get(quote, Decimal(0))
        if abs(paid - there) > CENT:
            yield Violation("balances equal the venue's", f"{quote}: we got {paid}, the venue says {there}")

    # -- inside --------------------------------------------------------------------------------------------

    def _ours(self, session: Session, whole: Engine | None = None) -> dict[str, Order]:
        [link] = session.links.values()
        orders = (whole or session.engine).execution.orders
        return {link.codec.client_id(order_id): order for order_id, order in orders.items()}

    def _venue_lots(self, symbol: str) -> int:
        return sum(one.lots for (market, _), one in self.account.positions.items() if market == symbol)

    def _gained(self, asset: str) -> Decimal:
        return from_atoms(self.account.balance(asset).total - self._totals.get(asset, 0))
