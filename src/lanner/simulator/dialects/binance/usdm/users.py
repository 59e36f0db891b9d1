"""USD-M's private events and the listen keys that open them."""

from __future__ import annotations

from collections.abc import Iterable

from lanner.model.enums import Liquidity, OrderType
from lanner.simulator.accounts import Account, PositionView
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance.streams import Listener
from lanner.simulator.dialects.binance.texts import SIDES, STP_TEXT
from lanner.simulator.dialects.binance.usdm.algo import REFUSED, algo_status
from lanner.simulator.dialects.binance.usdm.positions import trimmed
from lanner.simulator.dialects.binance.usdm.rows import live_type
from lanner.simulator.dialects.binance.usdm.words import (
    SIDE_TEXT,
    STATUS,
    Row,
    UsdmTexts,
    refusal,
    tag_of,
    working_type,
)
from lanner.simulator.dialects.binance.venue import Venue, encode
from lanner.simulator.events import (
    AccountChanged,
    AccountConfigChanged,
    ChangeReason,
    Exec,
    OrderUpdate,
)
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import EndReason, SimOrder, SimStatus

MS = 1_000_000
HOUR_NS = 3600 * 10**9
MARGIN_CALL_AT = 0.8
"""Maintenance margin over equity at which the venue warns."""

EXECUTIONS = {
    Exec.NEW: "NEW",
    Exec.TRADE: "TRADE",
    Exec.CANCELED: "CANCELED",
    Exec.EXPIRED: "EXPIRED",
    Exec.PREVENTED: "EXPIRED",
    Exec.TRIGGERED: "NEW",
    Exec.AMENDED: "AMENDMENT",
    Exec.REJECTED: "EXPIRED",
    Exec.ACTIVATED: "NEW",
}
EXPIRY = {
    EndReason.SELF_TRADE: "1",
    EndReason.IOC: "2",
    EndReason.REDUCE_ONLY: "4",
    EndReason.LIQUIDATION: "5",
    EndReason.NO_LIQUIDITY: "9",
}
REASONS = {
    ChangeReason.ORDER: "ORDER",
    ChangeReason.DEPOSIT: "DEPOSIT",
    ChangeReason.WITHDRAW: "WITHDRAW",
    ChangeReason.FUNDING: "FUNDING_FEE",
    ChangeReason.MARGIN: "MARGIN_TRANSFER",
    ChangeReason.LIQUIDATION: "INSURANCE_CLEAR",
}
ENDED = (Exec.CANCELED, Exec.EXPIRED, Exec.REJECTED)


class ListenKeys:
    """Keys that open private streams: one per account, good for an hour from its last extension."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._owner: dict[str, str] = {}
        self._expires: dict[str, int] = {}

    def start(self, account: str, now_ns: int) -> str:
        """Return the account's key, made when it has none, good for another hour."""
        key = self.key_of(account)
        if key is None:
            key = self._venue.ids.listen_key()
            self._owner[key] = account
        self._expires[key] = now_ns + HOUR_NS
        return key

    def key_of(self, account: str) -> str | None:
        """Return the account's key if it has one."""
        return next((key for key, owner in self._owner.items() if owner == account), None)

    def extend(self, account: str, now_ns: int) -> str | None:
        """Make the account's key good for another hour; ``None`` if it has none."""
        key = self.key_of(account)
        if key is not None:
            self._expires[key] = now_ns + HOUR_NS
        return key

    def drop(self, key: str) -> None:
        """Forget a key."""
        self._owner.pop(key, None)
        self._expires.pop(key, None)

    def owner(self, key: str) -> str | None:
        """Return the account behind a key."""
        return self._owner.get(key)

    def expired(self, now_ns: int) -> list[str]:
        """Return the keys whose hour is over."""
        return [key for key, until in self._expires.items() if until <= now_ns]

    def expire(self, account: str = "") -> None:
        """Let the keys of an account (or all) run out at once."""
        for key, owner in self._owner.items():
            if account in ("", owner):
                self._expires[key] = 0


class UsdmUsers:
    """Write private events to the connections that listen with an account's key."""

    def __init__(self, venue: Venue, texts: UsdmTexts, keys: ListenKeys) -> None:
        self._venue = venue
        self._texts = texts
        self.keys = keys
        self.listeners: dict[int, Listener] = {}
        self._leverage: dict[tuple[str, str], int] = {}
        self._warned: set[str] = set()

    # -- who listens ------------------------------------------------------------------------------------

    def join(self, listener: Listener, key: str, events: Iterable[str] = ()) -> bool:
        """Let a connection hear a key's events, all or those named; ``False`` if there is no such key."""
        if self.keys.owner(key) is None:
            return False
        listener.users[key] = frozenset(events)
        self.listeners[listener.session.session_id] = listener
        return True

    def leave(self, listener: Listener, key: str) -> bool:
        """Let a connection stop hearing a key's events."""
        return listener.users.pop(key, None) is not None

    def expire(self, now_ns: int) -> None:
        """Tell the listeners of keys that ran out, and forget the keys."""
        for key in self.keys.expired(now_ns):
            body = encode({"e": "listenKeyExpired", "E": now_ns // MS, "listenKey": key})
            for listener in self.listeners.values():
                if listener.users.pop(key, None) is not None:
                    self._deliver(listener, key, body)
            self.keys.drop(key)

    @staticmethod
    def _deliver(listener: Listener, key: str, body: bytes) -> None:
        if listener.combined:
            body = b'{"stream":%b,"data":%b}' % (encode(key), body)
        listener.session.send(body, Kind.USER)

    def _hears(self, account: str) -> str | None:
        """Return the account's key when somebody listens with it."""
        key = self.keys.key_of(account)
        if key is None or not any(key in listener.users for listener in self.listeners.values()):
            return None
        return key

    def _send(self, key: str, row: Row) -> None:
        body, name = encode(row), row["e"]
        for listener in self.listeners.values():
            wanted = listener.users.get(key)
            if wanted is not None and (not wanted or name in wanted):
                self._deliver(listener, key, body)

    # -- orders -------------------------------------------------------------------------------------------

    def on_order(self, event: OrderUpdate) -> None:
        """Take one step of an order."""
        key = self._hears(event.account)
        if key is None:
            return
        order = event.order
        if not tag_of(order).algo_id:
            self._order(key, event)
            return
        if not order.triggered_ns or order.triggered_ns > event.ts_ns:
            self._send(key, self._algo(event, self._waiting_status(event)))
            return
        self._woken(key, event)

    @staticmethod
    def _waiting_status(event: OrderUpdate) -> str:
        if event.kind == Exec.CANCELED:
            return "CANCELED"
        return "EXPIRED" if event.kind in ENDED else "NEW"

    def _woken(self, key: str, event: OrderUpdate) -> None:
        """Tell of a conditional order that triggered: first what the algo service says, then the order itself."""
        order = event.order
        refused = algo_status(order) == "REJECTED"
        if event.kind == Exec.NEW:
            self._send(key, self._algo(event, "NEW"))
            return
        if event.kind == Exec.TRIGGERED:
            self._send(key, self._algo(event, "TRIGGERING"))
            if refused:
                return
            self._send(key, self._algo(event, "TRIGGERED"))
        elif refused:
            self._send(key, self._algo(event, "REJECTED"))
            return
        self._order(key, event)
        if event.status == SimStatus.FILLED or not event.status.is_open:
            self._send(key, self._algo(event, "FINISHED"))

    def _order(self, key: str, event: OrderUpdate) -> None:
        if event.fill is not None:
            self._send(key, self._lite(event))
        self._send(key, {"e": "ORDER_TRADE_UPDATE", **self._times(event.ts_ns), "o": self._order_body(event)})

    @staticmethod
    def _times(ts_ns: int) -> Row:
        return {"E": ts_ns // MS, "T": ts_ns // MS}

    def _lite(self, event: OrderUpdate) -> Row:
        order, fill = event.order, event.fill
        market = self._venue.exchange.markets[order.market]
        px, qty = self._texts.px, self._texts.qty
        return {
            "e": "TRADE_LITE",
            **self._times(event.ts_ns),
            "s": order.market,
            "q": qty(market, order.lots),
            "p": px(market, order.ticks),
            "m": fill is not None and fill.liquidity == Liquidity.MAKER,
            "c": order.client_id,
            "S": SIDES[order.side],
            "L": px(market, 0 if fill is None else fill.ticks),
            "l": qty(market, 0 if fill is None else fill.lots),
            "t": 0 if fill is None else fill.trade_id,
            "i": order.order_id,
        }

    def _order_body(self, event: OrderUpdate) -> Row:
        order, fill = event.order, event.fill
        market, tag = self._venue.exchange.markets[order.market], tag_of(order)
        px, qty = self._texts.px, self._texts.qty
        shown = "LIQUIDATION" if order.liquidation else live_type(order)
        exposure = self._venue.exchange.accounts[order.account].exposure.get(
            (order.market, order.position_side)
        )
        bids, asks = (exposure[1], exposure[3]) if exposure else (0, 0)
        row: Row = {
            "s": order.market,
            "c": order.client_id,
            "S": SIDES[order.side],
            "o": shown,
            "f": tag.tif,
            "q": qty(market, order.lots),
            "p": px(market, order.ticks),
            "ap": self._texts.average(market, event.cum_quote, event.cum_lots),
            "sp": px(market, 0),
            "x": "CALCULATED" if order.liquidation and fill is not None else EXECUTIONS[event.kind],
            "X": STATUS[event.status],
            "i": order.order_id,
            "l": qty(market, 0 if fill is None else fill.lots),
            "z": qty(market, event.cum_lots),
            "L": px(market, 0 if fill is None else fill.ticks),
            "N": market.settle if fill is None else fill.fee_asset,
            "n": "0" if fill is None else atoms_text(fill.fee_atoms),
            "T": event.ts_ns // MS,
            "t": 0 if fill is None else fill.trade_id,
            "b": atoms_text(bids, 5) if bids else "0",
            "a": atoms_text(asks, 5) if asks else "0",
            "m": fill is not None and fill.liquidity == Liquidity.MAKER,
            "R": order.reduce_only and order.position_side == 0,
            "wt": working_type(order),
            "ot": shown,
            "ps": SIDE_TEXT[order.position_side],
            "cp": order.close_position,
            "rp": "0" if fill is None else atoms_text(fill.realized_atoms),
            "pP": tag.price_protect,
            "si": 0,
            "ss": 0,
            "V": STP_TEXT[order.stp],
            "pm": tag.price_match,
            "gtd": tag.good_till_ms,
            "er": EXPIRY.get(event.reason, "0") if event.kind in (Exec.EXPIRED, Exec.PREVENTED) else "0",
        }
        return row

    def _algo(self, event: OrderUpdate, status: str) -> Row:
        order = event.order
        market, tag = self._venue.exchange.markets[order.market], tag_of(order)
        px, qty = self._texts.px, self._texts.qty
        placed = status in ("TRIGGERED", "FINISHED")
        trailing = order.type == OrderType.TRAILING_STOP
        body: Row = {
            "caid": order.client_id,
            "aid": tag.algo_id,
            "at": "CONDITIONAL",
            "o": tag.type,
            "s": order.market,
            "S": SIDES[order.side],
            "ps": SIDE_TEXT[order.position_side],
            "f": tag.tif,
            "q": qty(market, order.lots),
            "X": status,
            "ai": str(order.order_id) if placed else "",
            "ap": self._texts.average(market, event.cum_quote, event.cum_lots) if placed else "0.00000",
            "aq": qty(market, event.cum_lots) if placed else "0.00000",
            "act": live_type(order) if placed else "0",
            "tp": px(market, order.trigger_ticks),
            "p": px(market, order.ticks),
            "V": STP_TEXT[order.stp],
            "wt": working_type(order),
            "pm": tag.price_match,
            "cp": order.close_position,
            "pP": tag.price_protect,
            "R": order.reduce_only and order.position_side == 0,
            "tt": order.triggered_ns // MS if status not in ("NEW", "CANCELED", "EXPIRED") else 0,
            "gtd": tag.good_till_ms,
        }
        if trailing:
            body["AP"] = px(market, order.trigger_ticks)
            body["cr"] = f"{order.trail_bps / 100:.1f}"
        if status == "REJECTED":
            body["rm"] = (
                refusal(event.reject, market, order.ticks).msg if event.reject else _reason_text(order)
            )
        return {"e": "ALGO_UPDATE", "T": event.ts_ns // MS, "E": event.ts_ns // MS, "o": body}

    # -- balances, positions, configuration ---------------------------------------------------------------

    def on_account(self, event: AccountChanged) -> None:
        """Take changed balances and positions."""
        key = self._hears(event.account)
        idle = event.reason == ChangeReason.ORDER and not event.positions and not event.changes
        if key is None or idle:
            return
        account = self._venue.exchange.accounts[event.account]
        changes = dict(event.changes)
        counted = event.reason in (ChangeReason.DEPOSIT, ChangeReason.WITHDRAW, ChangeReason.FUNDING)
        positions = event.positions
        if event.reason == ChangeReason.FUNDING:
            positions = tuple(one for one in positions if not one.cross)
        balances = [
            {
                "a": one.asset,
                "wb": atoms_text(one.total),
                "cw": atoms_text(one.total - self._isolated(account, one.asset)),
                "bc": atoms_text(changes.get(one.asset, 0)) if counted else "0",
            }
            for one in event.balances
        ]
        body = {"m": REASONS[event.reason], "B": balances, "P": [self._position(one) for one in positions]}
        self._send(key, {"e": "ACCOUNT_UPDATE", **self._times(event.ts_ns), "a": body})

    def _isolated(self, account: Account, asset: str) -> int:
        return sum(
            one.margin
            for (symbol, _), one in account.positions.items()
            if not one.cross and self._venue.exchange.markets[symbol].settle == asset
        )

    def _position(self, one: PositionView) -> Row:
        market = self._venue.exchange.markets[one.market]
        rate = market.taker_ppb * (1 if one.lots > 0 else -1)
        even = one.entry_px * (10**9 + rate) / 10**9 if one.lots else one.entry_px
        return {
            "s": one.market,
            "pa": self._texts.qty(market, one.lots),
            "ep": trimmed(one.entry_px) if one.lots else "0",
            "bep": trimmed(even) if one.lots else "0",
            "cr": atoms_text(one.realized),
            "up": atoms_text(_profit(market, one)),
            "mt": "cross" if one.cross else "isolated",
            "iw": atoms_text(one.margin) if one.margin else "0",
            "ps": SIDE_TEXT[one.position_side],
        }

    def on_config(self, event: AccountConfigChanged) -> None:
        """Take a changed leverage."""
        if not event.market:
            return
        before = self._leverage.get((event.account, event.market))
        self._leverage[event.account, event.market] = event.leverage
        key = self._hears(event.account)
        if key is not None and before != event.leverage:
            body = {"s": event.market, "l": event.leverage}
            self._send(key, {"e": "ACCOUNT_CONFIG_UPDATE", **self._times(event.ts_ns), "ac": body})

    def warn(self, now_ns: int) -> None:
        """Send a margin call to accounts that come near to liquidation, once each time."""
        for account in self._venue.exchange.accounts.values():
            name = account.account_id
            key = self._hears(name)
            if key is None or not any(one.lots for one in account.positions.values()):
                continue
            found = self._venue.exchange.margin(name)
            if found.maintenance_cross < MARGIN_CALL_AT * found.cross_equity or not found.maintenance_cross:
                self._warned.discard(name)
            elif name not in self._warned:
                self._warned.add(name)
                self._send(key, self._margin_call(account, found.cross_wallet, now_ns))

    def _margin_call(self, account: Account, wallet: int, now_ns: int) -> Row:
        rows = []
        for (symbol, side), one in account.positions.items():
            if not one.lots:
                continue
            market = self._venue.exchange.markets[symbol]
            risk = self._venue.exchange.risk(account.account_id, symbol, side)
            rows.append(
                {
                    "s": symbol,
                    "ps": SIDE_TEXT[side],
                    "pa": self._texts.qty(market, one.lots),
                    "mt": "CROSSED" if one.cross else "ISOLATED",
                    "iw": atoms_text(one.margin) if one.margin else "0",
                    "mp": atoms_text(market.reference_ticks * market.tick_atoms),
                    "up": atoms_text(risk.unrealized if risk is not None else 0),
                    "mm": atoms_text(risk.maintenance if risk is not None else 0),
                }
            )
        return {"e": "MARGIN_CALL", "E": now_ns // MS, "cw": atoms_text(wallet), "p": rows}


def _profit(market: Market, one: PositionView) -> int:
    return one.lots * market.reference_ticks * market.unit - one.cost if one.lots else 0


def _reason_text(order: SimOrder) -> str:
    words = {EndReason.REDUCE_ONLY: "Reduce Only reject", EndReason.MARGIN: "Margin is insufficient."}
    return words.get(order.end_reason, "Order rejected") if order.end_reason in REFUSED else ""
