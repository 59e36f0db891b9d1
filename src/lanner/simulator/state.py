"""What the parts of the exchange share: who and what exists, what happened in the present call, what is due."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from lanner.core.errors import NotFoundError
from lanner.simulator.accounts import HISTORY, Account, Position
from lanner.simulator.events import (
    AccountChanged,
    BookChanged,
    ChangeReason,
    ExchangeEvent,
    Exec,
    ListUpdate,
    OrderUpdate,
)
from lanner.simulator.markets import Market
from lanner.simulator.orders import (
    EndReason,
    Fill,
    ListState,
    OrderList,
    Refusal,
    RejectReason,
    SimOrder,
    SimStatus,
)
from lanner.simulator.triggers import Triggers

INSURANCE = "~insurance"
"""The account that takes over what the book cannot take from a liquidation."""


class Touched:
    """What one call changed of an account."""

    __slots__ = ("changes", "positions", "reason")

    def __init__(self, reason: ChangeReason) -> None:
        self.reason = reason
        self.changes: dict[str, int] = {}
        self.positions: dict[int, Position] = {}


class VenueState:
    """The state of one exchange; only the modules of this package write it."""

    def __init__(self, markets: Iterable[Market], first_order_id: int, now_ns: int) -> None:
        self.now_ns = now_ns
        self.markets = {market.symbol: market for market in markets}
        self.triggers = {symbol: Triggers() for symbol in self.markets}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[int, SimOrder] = {}
        self.lists: dict[int, OrderList] = {}
        self.holders: dict[str, dict[str, None]] = {symbol: {} for symbol in self.markets}
        """Accounts with a position that is not flat, by market, in the order in which they came."""
        self.treasury: dict[str, int] = {}
        self.listeners: list[Callable[[ExchangeEvent], None]] = []
        self.moved: dict[str, Market] = {}
        """Markets whose last or mark price moved: their stops are still to be looked at."""
        self.list_work: list[SimOrder] = []
        """Orders of lists that traded or ended: their siblings are still to be looked at."""
        self.flattened: list[tuple[str, str]] = []
        """(account, market) of positions that were just closed, where waiting stops must go with them."""
        self._dirty: dict[str, Market] = {}
        self._events: list[ExchangeEvent] = []
        self._touched: dict[str, Touched] = {}
        self._next_order_id = first_order_id
        self._next_list_id = 1
        self._expiries: list[tuple[int, int]] = []
        self._wakes: list[int] = []
        perps = [market for market in self.markets.values() if not market.is_spot]
        some = perps or list(self.markets.values())
        self.settle_asset = some[0].settle if some else ""
        self.accounts[INSURANCE] = Account(INSURANCE, house=True)

    # -- ids and look-ups ---------------------------------------------------------------------------

    def order_id(self) -> int:
        """Return the next order id."""
        number = self._next_order_id
        self._next_order_id = number + 1
        return number

    def list_id(self) -> int:
        """Return the next list id."""
        number = self._next_list_id
        self._next_list_id = number + 1
        return number

    def need_market(self, symbol: str) -> Market:
        """Return a market or refuse."""
        market = self.markets.get(symbol)
        if market is None:
            raise Refusal(RejectReason.UNKNOWN_MARKET, symbol)
        return market

    def need_account(self, account_id: str) -> Account:
        """Return an account or refuse."""
        account = self.accounts.get(account_id)
        if account is None:
            raise Refusal(RejectReason.UNKNOWN_ACCOUNT, account_id)
        return account

    def find(self, account_id: str, order_id: int, client_id: str) -> SimOrder | None:
        """Return an order of an account by id, or by client id when no id is given."""
        if order_id:
            order = self.orders.get(order_id)
            return order if order is not None and order.account == account_id else None
        account = self.accounts.get(account_id)
        if account is None or not client_id:
            return None
        return account.by_client_id.get(client_id)

    def need_open(self, account_id: str, market: str, order_id: int, client_id: str) -> SimOrder:
        """Return an open order or refuse."""
        order = self.find(account_id, order_id, client_id)
        if order is None or (market and order.market != market):
            raise Refusal(RejectReason.UNKNOWN_ORDER)
        if order.status > SimStatus.PARTIALLY_FILLED:
            raise Refusal(RejectReason.ORDER_ENDED, order.status.name)
        return order

    # -- keeping ----------------------------------------------------------------------------------------

    def keep(self, account: Account, order: SimOrder) -> None:
        """Enter a new order into the books of its account, and forget the oldest ended one."""
        self.orders[order.order_id] = order
        account.open_orders[order.order_id] = order
        account.open_count[order.market] = account.open_count.get(order.market, 0) + 1
        if order.expires_ns:
            heapq.heappush(self._expiries, (order.expires_ns, order.order_id))
        if account.house:
            return
        if order.client_id:
            account.by_client_id[order.client_id] = order
        if len(account.orders) == HISTORY:
            self._forget(account, account.orders[0])
        account.orders.append(order)

    def _forget(self, account: Account, order: SimOrder) -> None:
        if order.status.is_open:
            return
        self.orders.pop(order.order_id, None)
        if account.by_client_id.get(order.client_id) is order:
            del account.by_client_id[order.client_id]

    def keep_list(self, order_list: OrderList) -> None:
        """Enter a list."""
        self.lists[order_list.list_id] = order_list
        account = self.accounts[order_list.account]
        if len(account.lists) == HISTORY:
            self.lists.pop(account.lists[0].list_id, None)
        account.lists.append(order_list)

    def end(self, account: Account, order: SimOrder, status: SimStatus, reason: EndReason) -> None:
        """Mark an order as ended and take it from the open ones. Book and money are the caller's."""
        order.status = status
        order.end_reason = reason
        order.ts_updated = self.now_ns
        if account.open_orders.pop(order.order_id, None) is not None:
            account.open_count[order.market] -= 1
        if account.house:
            self.orders.pop(order.order_id, None)
        if order.list_id:
            self.list_work.append(order)

    # -- what happened ----------------------------------------------------------------------------------

    def emit(self, event: ExchangeEvent) -> None:
        """Note an event for the end of the call."""
        self._events.append(event)

    def tell(
        self,
        account: Account,
        kind: Exec,
        order: SimOrder,
        *,
        fill: Fill | None = None,
        reason: EndReason = EndReason.NONE,
        reject: RejectReason = RejectReason.NONE,
        prevented: int = 0,
        counter: int = 0,
    ) -> None:
        """Note a step of an order for the end of the call."""
        if account.house:
            return
        order.ts_updated = self.now_ns
        self._events.append(
            OrderUpdate(
                order.account,
                self.now_ns,
                kind,
                order,
                order.status,
                order.cum_lots,
                order.cum_quote,
                fill,
                reason,
                reject,
                prevented,
                counter,
            )
        )

    def tell_list(self, order_list: OrderList, state: ListState) -> None:
        """Note that a list began or ended."""
        order_list.state = state
        self._events.append(ListUpdate(order_list.account, self.now_ns, order_list))

    def touch(self, account: Account, reason: ChangeReason, asset: str = "", atoms: int = 0) -> Touched:
        """Note that balances or positions of an account changed."""
        noted = self._touched.get(account.account_id)
        if noted is None:
            noted = self._touched[account.account_id] = Touched(reason)
        if asset:
            noted.changes[asset] = noted.changes.get(asset, 0) + atoms
        return noted

    def flat(self, account: Account, market: Market) -> None:
        """Note that a position was closed."""
        if market.rules.cancel_stops_when_flat and not account.house:
            self.flattened.append((account.account_id, market.symbol))

    def price_moved(self, market: Market) -> None:
        """Note that stops of a market must be looked at."""
        if self.triggers[market.symbol]:
            self.moved[market.symbol] = market

    def book_moved(self, market: Market) -> None:
        """Note that levels of a market changed."""
        self._dirty[market.symbol] = market

    def flush(self) -> None:
        """Turn what the call changed into events and hand all of them out."""
        events = self._events
        now = self.now_ns
        if self._dirty:
            for market in self._dirty.values():
                bids, asks = market.book.take_changes()
                if bids or asks:
                    market.book.seq += 1
                    market.book.ts_ns = now
                    events.append(BookChanged(market.symbol, now, market.book.seq, bids, asks))
            self._dirty.clear()
        if self._touched:
            for account_id, noted in self._touched.items():
                account = self.accounts[account_id]
                if not account.house:
                    events.append(self._account_changed(account, noted))
            self._touched.clear()
        if not events:
            return
        self._events = []
        for event in events:
            for listener in self.listeners:
                listener(event)

    def _account_changed(self, account: Account, noted: Touched) -> AccountChanged:
        return AccountChanged(
            account.account_id,
            self.now_ns,
            noted.reason,
            tuple(account.view(asset) for asset in noted.changes),
            tuple(position.view() for position in noted.positions.values()),
            tuple(noted.changes.items()),
        )

    # -- what is due --------------------------------------------------------------------------------------

    def wake(self, moment_ns: int) -> None:
        """Ask ``advance`` to stop at a moment."""
        heapq.heappush(self._wakes, moment_ns)

    def due(self, now_ns: int) -> int | None:
        """Return the first moment up to now at which something is due, and ``None`` when nothing is."""
        first: int | None = None
        if self._expiries and self._expiries[0][0] <= now_ns:
            first = self._expiries[0][0]
        while self._wakes and self._wakes[0] <= now_ns:
            moment = heapq.heappop(self._wakes)
            if first is None or moment < first:
                first = moment
            break
        for market in self.markets.values():
            moment = market.next_funding_ns
            if moment and moment <= now_ns and (first is None or moment < first):
                first = moment
        return first

    def take_expired(self, now_ns: int) -> list[int]:
        """Return the ids of orders whose time is over, and forget their timers."""
        ended = []
        while self._expiries and self._expiries[0][0] <= now_ns:
            ended.append(heapq.heappop(self._expiries)[1])
        return ended

    def house(self, account_id: str) -> Account:
        """Return a house account by name."""
        try:
            return self.accounts[account_id]
        except KeyError:
            raise NotFoundError(f"the venue has no account {account_id!r}") from None
