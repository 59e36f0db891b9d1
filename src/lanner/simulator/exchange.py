"""The venue's engine: one pure, synchronous object. Time is an argument, ids count up, nothing is random.

A verb does its work completely, then hands the events it caused to the listeners in order. Refusals are answers
(``Ack.reason``), not exceptions. Amounts are ``int``: ticks, lots, atoms (1e-12 of an asset).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from lanner.model.enums import Side
from lanner.simulator import (
    amending,
    entry,
    funding,
    judging,
    ledger,
    liquidation,
    lists,
    margin,
    matching,
    settings,
)
from lanner.simulator.accounts import Account, ApiKey
from lanner.simulator.events import (
    ChangeReason,
    CountdownFired,
    ExchangeEvent,
    MarkChanged,
    MarketChanged,
)
from lanner.simulator.margin import MarginSummary, PositionRisk
from lanner.simulator.markets import Market
from lanner.simulator.money import to_atoms
from lanner.simulator.orders import (
    Ack,
    EndReason,
    ListAck,
    NewList,
    NewOrder,
    OrderList,
    PositionSide,
    Refusal,
    RejectReason,
    SimOrder,
)
from lanner.simulator.state import VenueState

Levels = list[tuple[int, int]]


class Exchange:
    """One venue: markets, accounts, matching, margin and money."""

    def __init__(
        self, name: str, markets: Iterable[Market], *, first_order_id: int = 1, now_ns: int = 0
    ) -> None:
        self.name = name
        self._state = VenueState(markets, first_order_id, now_ns)
        self.markets: dict[str, Market] = self._state.markets
        """By the venue's own symbol."""
        self.accounts: dict[str, Account] = self._state.accounts
        self._by_key: dict[str, Account] = {}
        self._by_address: dict[str, Account] = {}

    @property
    def now_ns(self) -> int:
        """Return the time of the last verb or ``advance``."""
        return self._state.now_ns

    @property
    def treasury(self) -> dict[str, int]:
        """Return what the venue itself earned, in atoms by asset: fees, funding left over, insurance."""
        return self._state.treasury

    def listen(self, listener: Callable[[ExchangeEvent], None]) -> None:
        """Call ``listener`` with every event from now on."""
        self._state.listeners.append(listener)

    # -- who and what -------------------------------------------------------------------------------

    def add_account(self, account: Account) -> Account:
        """Open an account; keys, address and agents present now can be looked up."""
        self.accounts[account.account_id] = account
        self.index_account(account)
        return account

    def index_account(self, account: Account) -> None:
        """Make keys, address and agents that were added to an account later known to the look-ups."""
        for key in account.api_keys:
            self._by_key[key] = account
        if account.address:
            self._by_address[account.address] = account
        for address in account.agents:
            self._by_address[address.lower()] = account

    def account_by_key(self, key: str) -> tuple[Account, ApiKey] | None:
        """Return the owner of an API key with the key, or ``None``."""
        account = self._by_key.get(key)
        return None if account is None else (account, account.api_keys[key])

    def account_by_address(self, address: str) -> Account | None:
        """Return the account whose wallet or agent wallet has the address, or ``None``.

        Whether an agent is still valid is for the dialect to judge (``account.agents[address]``).
        """
        return self._by_address.get(address.lower())

    def market(self, symbol: str) -> Market | None:
        """Return a market by the venue's own symbol, or ``None``."""
        return self.markets.get(symbol)

    def order(self, account: str, *, order_id: int = 0, client_id: str = "") -> SimOrder | None:
        """Return an order of the account, open or ended; a client id finds the latest order that carries it."""
        return self._state.find(account, order_id, client_id)

    def open_orders(self, account: str, market: str = "") -> list[SimOrder]:
        """Return the open orders of an account, oldest first; all markets without a name."""
        held = self.accounts.get(account)
        if held is None:
            return []
        return [order for order in held.open_orders.values() if not market or order.market == market]

    def order_list(self, account: str, *, list_id: int = 0, client_id: str = "") -> OrderList | None:
        """Return a list of orders by its id or its client id."""
        if list_id:
            found = self._state.lists.get(list_id)
            return found if found is not None and found.account == account else None
        held = self.accounts.get(account)
        for one in reversed(held.lists) if held else ():
            if one.client_id == client_id:
                return one
        return None

    def snapshot(self, market: str, depth: int = 0) -> tuple[int, Levels, Levels]:
        """Return (seq, bids, asks) with (ticks, visible lots), best first; depth 0 is the whole book."""
        book = self.markets[market].book
        bids, asks = book.top(depth)
        return book.seq, bids, asks

    # -- orders -----------------------------------------------------------------------------------------

    def submit(self, new: NewOrder, now_ns: int) -> Ack:
        """Place an order; market orders, IOC and FOK are over when this returns."""
        return self._verb(now_ns, lambda: entry.submit(self._state, new))

    def check(self, new: NewOrder, now_ns: int) -> Ack:
        """Judge an order as ``submit`` would, without placing it (no order in the answer)."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        try:
            judging.judge(self._state, new)
        except Refusal as refusal:
            return Ack(None, refusal.reason, refusal.text)
        return Ack()

    def submit_list(self, new: NewList, now_ns: int) -> ListAck:
        """Place a list of orders: all are accepted or none."""
        state = self._state
        state.now_ns = max(now_ns, state.now_ns)
        try:
            return lists.submit(state, new)
        except Refusal as refusal:
            return ListAck(reason=refusal.reason, text=refusal.text)
        finally:
            self._settle()

    def cancel(
        self,
        account: str,
        now_ns: int,
        *,
        market: str = "",
        order_id: int = 0,
        client_id: str = "",
        reason: EndReason = EndReason.USER,
    ) -> Ack:
        """Cancel an open order; with a market named, only if the order is there. A list ends as a whole."""

        def work() -> Ack:
            order = self._state.need_open(account, market, order_id, client_id)
            lists.cancel_with_list(self._state, order, reason)
            return Ack(order)

        return self._verb(now_ns, work)

    def cancel_list(self, account: str, now_ns: int, *, list_id: int = 0, client_id: str = "") -> ListAck:
        """Cancel all open orders of a list."""
        found = self.order_list(account, list_id=list_id, client_id=client_id)
        if found is None:
            return ListAck(reason=RejectReason.UNKNOWN_ORDER)
        first = next((order for order in found.orders if order.status.is_open), None)
        if first is None:
            return ListAck(order_list=found, reason=RejectReason.ORDER_ENDED)
        self.cancel(account, now_ns, order_id=first.order_id)
        return ListAck(order_list=found, acks=[Ack(order) for order in found.orders])

    def cancel_all(
        self, account: str, now_ns: int, *, market: str = "", reason: EndReason = EndReason.USER
    ) -> list[SimOrder]:
        """Cancel all open orders of an account, in one market or in all, and return them."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        ended = self._cancel_all(account, market, reason)
        self._settle()
        return ended

    def amend(
        self,
        account: str,
        now_ns: int,
        *,
        market: str = "",
        order_id: int = 0,
        client_id: str = "",
        ticks: int | None = None,
        lots: int | None = None,
        trigger_ticks: int | None = None,
        new_client_id: str | None = None,
    ) -> Ack:
        """Change an open order under its own id.

        Less quantity alone keeps the place in the queue; anything else takes a new one (and may trade at once).
        ``lots`` is the new total, counting what is filled. A refusal leaves the order as it was.
        """

        def work() -> Ack:
            order = self._state.need_open(account, market, order_id, client_id)
            return amending.amend(self._state, order, ticks, lots, trigger_ticks, new_client_id)

        return self._verb(now_ns, work)

    # -- the account's choices --------------------------------------------------------------------------

    def set_leverage(
        self, account: str, market: str, leverage: int, now_ns: int, *, cross: bool | None = None
    ) -> RejectReason:
        """Set leverage, and with ``cross`` given the margin mode, of an account in a market."""
        return self._setting(
            now_ns, lambda: settings.set_leverage(self._state, account, market, leverage, cross)
        )

    def set_margin_mode(self, account: str, market: str, cross: bool, now_ns: int) -> RejectReason:
        """Choose cross or isolated margin; refused with a position or open orders there, or if it is so already."""
        return self._setting(now_ns, lambda: settings.set_margin_mode(self._state, account, market, cross))

    def set_hedge_mode(self, account: str, hedge: bool, now_ns: int) -> RejectReason:
        """Choose one position or two per market; refused with positions, open orders, or if it is so already."""
        return self._setting(now_ns, lambda: settings.set_hedge_mode(self._state, account, hedge))

    def add_margin(
        self,
        account: str,
        market: str,
        atoms: int,
        now_ns: int,
        position_side: PositionSide = PositionSide.BOTH,
    ) -> RejectReason:
        """Move money between the wallet and an isolated position; negative takes back what is not needed."""
        return self._setting(
            now_ns, lambda: settings.add_margin(self._state, account, market, atoms, position_side)
        )

    def set_countdown(self, account: str, deadline_ns: int, now_ns: int, *, market: str = "") -> None:
        """Cancel the account's orders (in one market or all) at a moment to come; 0 takes that back."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        countdowns = self.accounts[account].countdowns
        if deadline_ns:
            countdowns[market] = deadline_ns
            self._state.wake(deadline_ns)
        else:
            countdowns.pop(market, None)

    def deposit(self, account: str, asset: str, amount: Decimal, now_ns: int) -> None:
        """Give an account money from outside; a negative amount takes it away."""
        state = self._state
        state.now_ns = max(now_ns, state.now_ns)
        atoms = to_atoms(amount)
        reason = ChangeReason.DEPOSIT if atoms >= 0 else ChangeReason.WITHDRAW
        ledger.credit(state, self.accounts[account], asset, atoms, reason)
        self._settle()

    def transfer(self, source: str, target: str, asset: str, atoms: int, now_ns: int) -> RejectReason:
        """Move money between two accounts if the source has it free."""
        return self._setting(now_ns, lambda: settings.transfer(self._state, source, target, asset, atoms))

    # -- the market's side --------------------------------------------------------------------------------

    def set_mark(self, market: str, mark_ticks: int, index_ticks: int, now_ns: int) -> None:
        """Set mark and index price: wakes stops by mark, liquidates whom it must."""
        state = self._state
        state.now_ns = max(now_ns, state.now_ns)
        held = self.markets[market]
        if (held.mark_ticks, held.index_ticks) != (mark_ticks, index_ticks):
            held.mark_ticks, held.index_ticks = mark_ticks, index_ticks
            self._tell_mark(held)
            state.price_moved(held)
        liquidation.examine(state, market)
        self._settle()

    def set_funding_rate(self, market: str, rate: Decimal, now_ns: int) -> None:
        """Set the rate of the next funding."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        self.markets[market].funding_rate = rate
        self._tell_mark(self.markets[market])
        self._settle()

    def settle_funding(self, market: str, now_ns: int) -> None:
        """Let longs and shorts pay each other now."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        funding.settle(self._state, self.markets[market])
        self._settle()

    def set_trading(self, market: str, on: bool, now_ns: int) -> None:
        """Halt or resume a market; orders stay."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        self.markets[market].trading = on
        self._state.emit(MarketChanged(market, self._state.now_ns, on))
        self._settle()

    def change_steps(self, market: str, now_ns: int, *, tick_step: int = 1, lot_step: int = 1) -> None:
        """Make prices and quantities of new orders multiples of so many ticks and lots; open orders stay."""
        self._state.now_ns = max(now_ns, self._state.now_ns)
        held = self.markets[market]
        held.set_steps(tick_step, lot_step)
        self._state.emit(MarketChanged(market, self._state.now_ns, held.trading))
        self._settle()

    def set_level(self, account: str, market: str, side: Side, ticks: int, lots: int, now_ns: int) -> None:
        """Make the house's resting liquidity at a price so many lots; it trades first against what it crosses."""
        state = self._state
        state.now_ns = max(now_ns, state.now_ns)
        matching.set_level(state, self.accounts[account], self.markets[market], side, ticks, lots)
        self._settle()

    def set_levels(
        self, account: str, market: str, levels: Iterable[tuple[Side, int, int]], now_ns: int
    ) -> None:
        """Set several (side, ticks, lots) of the house's liquidity in one step of the book."""
        state = self._state
        state.now_ns = max(now_ns, state.now_ns)
        house, held = self.accounts[account], self.markets[market]
        for side, ticks, lots in levels:
            matching.set_level(state, house, held, side, ticks, lots)
        self._settle()

    def any_order(self, order_id: int) -> SimOrder | None:
        """Return an order of any account."""
        return self._state.orders.get(order_id)

    def fill_order(self, order_id: int, lots: int, now_ns: int) -> Ack:
        """Let the insurance account trade lots with an order at its own price, whatever else the book holds.

        This is how faults make partial fills, and fills of an order whose cancel was confirmed already; such an
        order stays cancelled unless that filled it.
        """
        return self._verb(now_ns, lambda: matching.fill_by_house(self._state, order_id, lots))

    def advance(self, now_ns: int) -> None:
        """Let time pass: ends GTD orders, fires countdowns, settles funding that is due."""
        state = self._state
        until = max(now_ns, state.now_ns)
        while (moment := state.due(until)) is not None:
            state.now_ns = max(moment, state.now_ns)
            self._fire_due()
            self._settle()
        state.now_ns = until

    # -- figures --------------------------------------------------------------------------------------------

    def margin(self, account: str, asset: str = "") -> MarginSummary:
        """Return the margin figures of an account in a settle asset (the first perpetual's if not named)."""
        return margin.summary(self._state, self.accounts[account], asset or self._state.settle_asset)

    def risk(self, account: str, market: str, side: PositionSide = PositionSide.BOTH) -> PositionRisk | None:
        """Return unrealised profit, margins and liquidation price of a position, ``None`` when flat."""
        held = self.accounts[account]
        position = held.position(market, side)
        return None if position is None or not position.lots else margin.risk(self._state, held, position)

    def settle_now(self) -> None:
        """Do what a change from outside (a new account's position, a test) left to be done."""
        self._settle()

    # -- inside ---------------------------------------------------------------------------------------------

    def _verb(self, now_ns: int, work: Callable[[], Ack]) -> Ack:
        state = self._state
        if now_ns > state.now_ns:
            state.now_ns = now_ns
        try:
            return work()
        except Refusal as refusal:
            return Ack(None, refusal.reason, refusal.text)
        finally:
            self._settle()

    def _setting(self, now_ns: int, work: Callable[[], None]) -> RejectReason:
        self._state.now_ns = max(now_ns, self._state.now_ns)
        try:
            work()
        except Refusal as refusal:
            return refusal.reason
        finally:
            self._settle()
        return RejectReason.NONE

    def _settle(self) -> None:
        """Run stops that woke, then hand out the events."""
        state = self._state
        while state.moved or state.list_work or state.flattened:
            entry.run_triggers(state)
        state.flush()

    def _tell_mark(self, held: Market) -> None:
        state = self._state
        state.emit(
            MarkChanged(
                held.symbol,
                state.now_ns,
                held.mark_ticks,
                held.index_ticks,
                held.funding_rate,
                held.next_funding_ns,
            )
        )

    def _cancel_all(self, account: str, market: str, reason: EndReason) -> list[SimOrder]:
        ended = []
        for order in self.open_orders(account, market):
            if order.status.is_open:
                lists.cancel_with_list(self._state, order, reason)
            ended.append(order)
        return ended

    def _fire_due(self) -> None:
        state = self._state
        now = state.now_ns
        for order_id in state.take_expired(now):
            order = state.orders.get(order_id)
            if order is not None and order.status.is_open and order.expires_ns <= now:
                lists.cancel_with_list(state, order, EndReason.GTD)
        for account in self.accounts.values():
            for market in [name for name, deadline in account.countdowns.items() if deadline <= now]:
                del account.countdowns[market]
                ended = self._cancel_all(account.account_id, market, EndReason.COUNTDOWN)
                state.emit(CountdownFired(account.account_id, now, market, len(ended)))
        for held in self.markets.values():
            if held.next_funding_ns and held.next_funding_ns <= now:
                funding.settle(state, held)
                self._tell_mark(held)
