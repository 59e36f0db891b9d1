"""What the venue remembers of each user: fills, fundings, ledger entries, made from the exchange's events."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from lanner.model.enums import Side
from lanner.simulator import events
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin
from lanner.simulator.dialects.hyperliquid.numbers import money, text
from lanner.simulator.dialects.hyperliquid.statuses import NON_USER_ENDS, status_of
from lanner.simulator.dialects.hyperliquid.users import User
from lanner.simulator.dialects.hyperliquid.venue import Charge, Venue, tag_of, trade_tid, tx_hash
from lanner.simulator.dialects.hyperliquid.views import Json, basic_order, fill_record
from lanner.simulator.orders import Fill, SimOrder, SimStatus

BUILDER_UNIT = 100_000
"""Tenths of a basis point in one."""


class Listener(Protocol):
    """Who is told of what was remembered."""

    def order_update(self, user: User, update: Json) -> None:
        """Take a step of an order."""
        ...

    def user_event(self, user: User, event: Json) -> None:
        """Take a fill, funding, liquidation or cancel that the user did not ask for."""
        ...

    def ledger(self, user: User, entry: Json) -> None:
        """Take a movement of money that is no funding."""
        ...

    def trade(self, coin: Coin, trade: Json) -> None:
        """Take a public trade."""
        ...

    def changed(self, coin: Coin) -> None:
        """Take notice that a book or a price of a coin changed."""
        ...

    def account_changed(self, user: User) -> None:
        """Take notice that balances, positions or orders of a user changed."""
        ...


class Records:
    """Turns events into history and passes it on."""

    def __init__(self, venue: Venue, listener: Listener) -> None:
        self._venue = venue
        self._listener = listener
        self._lid = 0
        self._last_trade: events.PublicTrade | None = None
        self.quiet = False
        """Set while the dialect moves money itself and writes the ledger with better words."""

    def on_event(self, event: events.ExchangeEvent) -> None:
        """Take one event of the exchange."""
        if isinstance(event, events.OrderUpdate):
            self._order(event)
        elif isinstance(event, events.PublicTrade):
            self._trade(event)
        elif isinstance(event, (events.BookChanged, events.MarkChanged, events.MarketChanged)):
            self._listener.changed(self._venue.universe.by_symbol[event.market])
        elif isinstance(event, events.AccountChanged):
            self._account(event)
        elif isinstance(event, events.FundingPaid):
            self._funding(event)
        elif isinstance(event, events.Liquidated):
            self._liquidated(event)
        elif isinstance(event, events.CountdownFired):
            self._countdown(event)
        elif isinstance(event, events.AccountConfigChanged):
            user = self._venue.user_of(event.account)
            if user is not None:
                self._listener.account_changed(user)

    # -- public -------------------------------------------------------------------------------------------

    def _trade(self, event: events.PublicTrade) -> None:
        self._last_trade = event
        coin = self._venue.universe.by_symbol[event.market]
        self._listener.trade(coin, self.trade_view(coin, event))
        self._listener.changed(coin)

    def trade_view(self, coin: Coin, event: events.PublicTrade) -> Json:
        """Return a public trade in the venue's shape."""
        return {
            "coin": coin.name,
            "side": "B" if event.aggressor is Side.BUY else "A",
            "px": coin.px(event.ticks),
            "sz": coin.sz(event.lots),
            "time": event.ts_ns // spec.MS,
            "hash": tx_hash(event.ts_ns),
            "tid": trade_tid(event.market, event.trade_id),
            "users": [self._address(event.buyer), self._address(event.seller)],
        }

    def _address(self, account_id: str) -> str:
        user = self._venue.user_of(account_id)
        return user.address if user is not None else _house_address(account_id)

    # -- orders and fills -----------------------------------------------------------------------------------

    def _order(self, event: events.OrderUpdate) -> None:
        user = self._venue.user_of(event.account)
        if user is None:
            return
        kind, order = event.kind, event.order
        if kind is events.Exec.TRADE:
            assert event.fill is not None
            self._fill(user, order, event.fill)
            if event.status is SimStatus.FILLED:
                self._tell(user, order, "filled", 0, event.ts_ns)
            return
        left = max(0, order.lots - event.cum_lots)
        if kind in (events.Exec.NEW, events.Exec.ACTIVATED, events.Exec.AMENDED):
            self._tell(user, order, "open", left, event.ts_ns)
        elif kind is events.Exec.TRIGGERED:
            self._tell(user, order, "triggered", left, event.ts_ns)
        elif not event.status.is_open:
            self._tell(user, order, status_of(order), left, event.ts_ns)
            if event.reason in NON_USER_ENDS or order.end_reason in NON_USER_ENDS:
                coin = self._venue.coin_of(order)
                gone = {"coin": coin.name, "oid": order.order_id}
                self._listener.user_event(user, {"nonUserCancel": [gone]})
        self._listener.account_changed(user)

    def _tell(self, user: User, order: SimOrder, status: str, lots: int, ts_ns: int) -> None:
        update = {
            "order": basic_order(self._venue, order, lots),
            "status": status,
            "statusTimestamp": ts_ns // spec.MS,
        }
        self._listener.order_update(user, update)

    def refused(self, user: User, order: SimOrder, status: str) -> None:
        """Tell of an order that was refused at once."""
        self._tell(user, order, status, order.lots, self._venue.now_ns)

    def _fill(self, user: User, order: SimOrder, fill: Fill) -> None:
        coin = self._venue.universe.by_symbol[fill.market]
        tag = tag_of(order)
        if coin.spot:
            start, pnl = _book_spot(user, coin, fill)
        else:
            start, pnl = coin.sz(fill.position_before), money(fill.realized_atoms)
            self._reset_funding(user, coin, fill)
        builder = self._builder_fee(order, fill, coin)
        record = fill_record(self._venue, fill, tag, start, pnl, builder)
        if fill.liquidation:
            record["liquidation"] = {
                "liquidatedUser": user.address if order.liquidation else self._counterparty(fill),
                "markPx": coin.px(coin.reference),
                "method": "market",
            }
        user.fills.append(record)
        if tag.twap_id is not None:
            user.twap_fills.append({"fill": record, "twapId": tag.twap_id})
        self._listener.user_event(user, {"fills": [record]})
        self._listener.account_changed(user)

    def _counterparty(self, fill: Fill) -> str:
        trade = self._last_trade
        if trade is None or trade.trade_id != fill.trade_id:
            return spec.ZERO_ADDRESS
        return self._address(trade.seller if trade.buyer == fill.account else trade.buyer)

    def _builder_fee(self, order: SimOrder, fill: Fill, coin: Coin) -> int:
        tag = tag_of(order)
        if not tag.builder_tenths or (coin.spot and fill.side is Side.BUY):
            return 0
        atoms = fill.quote_atoms * tag.builder_tenths // BUILDER_UNIT
        self._venue.charges.append(Charge(fill.account, coin.market.settle, -atoms))
        builder = self._venue.users.find(tag.builder)
        if builder is not None:
            self._venue.charges.append(Charge(builder.perp.account_id, coin.market.settle, atoms))
        return atoms

    # -- money ----------------------------------------------------------------------------------------------

    def _reset_funding(self, user: User, coin: Coin, fill: Fill) -> None:
        sums = user.funding_by_coin.setdefault(coin.name, [0, 0, 0])
        sums[2] = 0
        signed = fill.lots if fill.side is Side.BUY else -fill.lots
        after = fill.position_before + signed
        if not fill.position_before or (fill.position_before > 0) != (after > 0):
            sums[1] = 0

    def _funding(self, event: events.FundingPaid) -> None:
        user = self._venue.user_of(event.account)
        if user is None:
            return
        coin = self._venue.universe.by_symbol[event.market]
        sums = user.funding_by_coin.setdefault(coin.name, [0, 0, 0])
        for at in range(3):
            sums[at] += event.amount_atoms
        paid = {
            "coin": coin.name,
            "usdc": money(event.amount_atoms),
            "szi": coin.sz(event.lots),
            "fundingRate": text(event.rate),
            "nSamples": None,
        }
        moment = event.ts_ns // spec.MS
        user.fundings.append({"time": moment, "hash": spec.ZERO_HASH, "delta": {"type": "funding", **paid}})
        self._listener.user_event(user, {"funding": {"time": moment, **paid}})
        self._listener.account_changed(user)

    def _account(self, event: events.AccountChanged) -> None:
        user = self._venue.user_of(event.account)
        if user is None:
            return
        if event.account == user.spot.account_id:
            for balance in event.balances:
                user.holding(balance.asset).total = balance.total
        outside = event.reason in (events.ChangeReason.DEPOSIT, events.ChangeReason.WITHDRAW)
        if outside and event.account == user.perp.account_id:
            user.moved += sum(atoms for asset, atoms in event.changes if asset == self._venue.settle)
        if outside and not self.quiet:
            for asset, atoms in event.changes:
                self._outside(user, event, asset, atoms)
        self._listener.account_changed(user)

    def _outside(self, user: User, event: events.AccountChanged, asset: str, atoms: int) -> None:
        if event.account != user.perp.account_id:
            delta: Json = {
                "type": "spotTransfer",
                "token": asset,
                "amount": money(abs(atoms), 8),
                "usdcValue": "0.0",
                "user": spec.ZERO_ADDRESS if atoms > 0 else user.address,
                "destination": user.address if atoms > 0 else spec.ZERO_ADDRESS,
                "fee": "0.0",
            }
        elif atoms >= 0:
            delta = {"type": "deposit", "usdc": money(atoms)}
        else:
            delta = {"type": "withdraw", "usdc": money(-atoms), "nonce": 0, "fee": "0.0"}
        self.note(user, delta)

    def note(self, user: User, delta: Json) -> None:
        """Write a ledger entry."""
        entry = {"time": self._venue.now_ms, "hash": tx_hash(self._venue.now_ns), "delta": delta}
        user.ledger.append(entry)
        self._listener.ledger(user, entry)

    def _liquidated(self, event: events.Liquidated) -> None:
        user = self._venue.user_of(event.account)
        if user is None:
            return
        coin = self._venue.universe.by_symbol[event.market]
        self._lid += 1
        notional = event.lots * event.ticks * coin.market.unit
        signed = event.lots if event.side is Side.SELL else -event.lots
        self._listener.user_event(
            user,
            {
                "liquidation": {
                    "lid": self._lid,
                    "liquidator": spec.ZERO_ADDRESS,
                    "liquidated_user": user.address,
                    "liquidated_ntl_pos": money(notional),
                    "liquidated_account_value": money(event.account_value_atoms),
                }
            },
        )
        self.note(
            user,
            {
                "type": "liquidation",
                "liquidatedNtlPos": money(notional),
                "accountValue": money(event.account_value_atoms),
                "leverageType": "Cross" if event.cross else "Isolated",
                "liquidatedPositions": [{"coin": coin.name, "szi": coin.sz(signed)}],
            },
        )

    def _countdown(self, event: events.CountdownFired) -> None:
        user = self._venue.user_of(event.account)
        if user is None or event.account != user.perp.account_id:
            return
        day = self._venue.now_ms // spec.DAY_MS
        user.triggers = user.triggers + 1 if day == user.triggers_day else 1
        user.triggers_day = day
        user.schedule_ms = 0


def _book_spot(user: User, coin: Coin, fill: Fill) -> tuple[str, str]:
    """Keep the books of a spot token; returns (what was held before, profit realised) as text."""
    held = user.holding(coin.market.base)
    amount = fill.lots * coin.market.lot_atoms
    before = held.total
    profit = 0
    if fill.side is Side.BUY:
        fee = fill.fee_atoms if fill.fee_asset == coin.market.base else 0
        held.total += amount - fee
        held.cost += fill.quote_atoms
    else:
        share = held.cost * amount // before if before > 0 else 0
        profit = fill.quote_atoms - share
        held.total -= amount
        held.cost = max(0, held.cost - share)
    return text(Decimal(before).scaleb(-12)), money(profit, 8)


@lru_cache(maxsize=1_024)
def _house_address(account_id: str) -> str:
    return "0x" + hashlib.blake2b(account_id.encode(), digest_size=20).hexdigest()
