"""Placing, cancelling and changing orders, answered in the venue's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.actions import (
    BatchModify,
    Builder,
    Cancel,
    CancelByCloid,
    Modify,
    Order,
    OrderWire,
    TriggerType,
)
from lanner.simulator.dialects.hyperliquid.coins import Coin, OrderError
from lanner.simulator.dialects.hyperliquid.statuses import words_of
from lanner.simulator.dialects.hyperliquid.users import User, is_address, is_cloid
from lanner.simulator.dialects.hyperliquid.venue import Tag, Venue, tag_of
from lanner.simulator.dialects.hyperliquid.views import average_px, history_order
from lanner.simulator.money import SCALE
from lanner.simulator.orders import (
    Ack,
    EndReason,
    ListKind,
    NewList,
    NewOrder,
    RejectReason,
    SimOrder,
    SimStatus,
    StpMode,
    TriggerBy,
)
from lanner.simulator.triggers import fires_above, watched_px

Status = dict[str, Any] | str
MARKET_TPSL_BPS = 1_000
"""A triggered market order may trade 10 % away from the best price."""


class ActionError(Exception):
    """A whole action is refused: ``{"status":"err","response": words}``."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Desk:
    """Takes order actions of users to the exchange."""

    def __init__(self, venue: Venue, on_refused: Callable[[User, SimOrder, str], None]) -> None:
        self._venue = venue
        self._on_refused = on_refused

    # -- placing ----------------------------------------------------------------------------------------

    def place(self, user: User, action: Order) -> list[Status]:
        """Place orders; returns one status each, or a single one where the batch was refused as a whole."""
        wires = action.orders
        if not wires:
            raise ActionError(spec.EMPTY_ORDERS)
        self._check_builder(user, action.builder, wires)
        grouping = action.grouping if isinstance(action.grouping, str) else "na"
        if grouping != "na":
            _check_group(wires, grouping)
        try:
            made = [self._read(user, wire, grouping, action.builder) for wire in wires]
        except OrderError as fault:
            return [{"error": fault.words}]
        if grouping == "na":
            return [self._submit(user, coin, new) for coin, new in made]
        return self._submit_group(user, made, grouping)

    def _check_builder(self, user: User, builder: Builder | None, wires: list[OrderWire]) -> None:
        if builder is None or not builder.f:
            return
        coins = [self._venue.universe.by_asset.get(wire.a) for wire in wires]
        most = 1_000 if all(coin is not None and coin.spot for coin in coins) else 100
        if not is_address(builder.b) or not 0 <= builder.f <= most:
            raise ActionError(spec.BUILDER_FEE)
        if builder.f > user.builders.get(builder.b.lower(), 0):
            raise ActionError(spec.BUILDER_FEE)

    def coin(self, asset: int) -> Coin:
        """Return the coin of an asset number or raise ``ActionError``."""
        found = self._venue.universe.by_asset.get(asset)
        if found is None:
            raise ActionError(spec.UNKNOWN_ASSET.format(asset=asset))
        return found

    def _read(
        self, user: User, wire: OrderWire, grouping: str, builder: Builder | None
    ) -> tuple[Coin, NewOrder | OrderError]:
        """Turn a wire order into one for the exchange, or into the reason why it cannot be one."""
        coin = self.coin(wire.a)
        try:
            new = self._read_order(user, coin, wire, grouping)
        except OrderError as fault:
            if fault.whole_batch:
                raise
            return coin, fault
        if builder is not None and builder.f:
            new.tag.builder, new.tag.builder_tenths = builder.b.lower(), builder.f
        return coin, new

    def _read_order(self, user: User, coin: Coin, wire: OrderWire, grouping: str) -> NewOrder:
        if wire.c is not None and not is_cloid(wire.c):
            raise OrderError("Invalid cloid", whole_batch=True)
        lots = coin.lots(wire.s)
        if not lots and grouping != "positionTpsl":
            raise OrderError(spec.ZERO_SIZE, whole_batch=True)
        ticks = coin.ticks(wire.p)
        trigger = wire.t.trigger
        self._check_band(coin, ticks)
        new = NewOrder(
            account=(user.spot if coin.spot else user.perp).account_id,
            market=coin.symbol,
            side=Side.BUY if wire.b else Side.SELL,
            lots=lots,
            ticks=ticks,
            reduce_only=wire.r and not coin.spot,
            client_id=wire.c.lower() if wire.c else "",
            stp=StpMode.EXPIRE_MAKER,
            tag=Tag(position_tpsl=grouping == "positionTpsl"),
        )
        if trigger is not None:
            _as_trigger(coin, new, trigger)
        else:
            assert wire.t.limit is not None
            _as_limit(new, wire.t.limit.tif)
        if grouping == "positionTpsl":
            new.close_position, new.lots = not lots, lots
        return new

    def _check_band(self, coin: Coin, ticks: int) -> None:
        reference = coin.reference
        if reference and abs(ticks - reference) * 100 > reference * spec.REFERENCE_BAND:
            raise OrderError(spec.FAR_PRICE, whole_batch=True)

    def _submit(self, user: User, coin: Coin, new: NewOrder | OrderError) -> Status:
        if isinstance(new, OrderError):
            return {"error": self._words(new.words, coin)}
        fault = self._judge(user, coin, new)
        if fault is not None:
            return self._refuse(user, coin, new, *fault)
        ack = self._venue.exchange.submit(new, self._venue.now_ns)
        return self._answer(user, coin, new, ack)

    def _judge(self, user: User, coin: Coin, new: NewOrder) -> tuple[str, str] | None:
        """Judge by the rules that are the venue's own: value and number of orders, used client ids."""
        if not new.reduce_only and not new.close_position:
            price = new.trigger_ticks or new.ticks
            if coin.market.notional(new.lots, price) < spec.MIN_NOTIONAL_USD * SCALE:
                words = spec.MIN_TRADE_SPOT_NTL.format(quote=coin.market.quote)
                return (words if coin.spot else spec.MIN_TRADE_NTL), "minTradeNtlRejected"
        if _wakes_now(coin, new):
            return spec.BAD_TRIGGER_PX, "badTriggerPxRejected"
        held = len(user.perp.open_orders) + len(user.spot.open_orders)
        allowed = min(spec.OPEN_ORDERS + user.volume_usd // spec.VOLUME_PER_ORDER, spec.OPEN_ORDERS_CAP)
        if held >= allowed or (held >= spec.OPEN_ORDERS and (new.reduce_only or new.trigger_ticks)):
            return spec.TOO_MANY_ORDERS, "rejected"
        if new.client_id:
            known = self._venue.exchange.order(new.account, client_id=new.client_id)
            if known is not None and known.status.is_open:
                return spec.DUPLICATE_CLOID, "rejected"
        return None

    def _answer(self, user: User, coin: Coin, new: NewOrder, ack: Ack) -> Status:
        order = ack.order
        if order is None:
            words, status = words_of(ack.reason)
            return self._refuse(user, coin, new, self._fill_in(words, coin), status)
        if order.status.is_open:
            return {"resting": _ids(order)}
        if order.cum_lots:
            size, average = average_px(coin, order.fills)
            return {"filled": {"totalSz": size, "avgPx": average, **_ids(order)}}
        return {"error": self._words(self._fill_in(_end_words(order, new), coin), coin)}

    def _refuse(self, user: User, coin: Coin, new: NewOrder, words: str, status: str) -> Status:
        """Answer a refusal and keep it: the venue gives such orders an id and a place in history."""
        order = SimOrder(new, self._venue.refused_oid(), self._venue.now_ns)
        record = history_order(self._venue, order)
        record["status"] = status
        user.refused.append(record)
        self._on_refused(user, order, status)
        return {"error": self._words(words, coin)}

    def _fill_in(self, words: str, coin: Coin) -> str:
        if "{bid}" not in words:
            return words
        bid, ask = coin.market.best_bid, coin.market.best_ask
        return words.format(bid=coin.px(bid[0]) if bid else "0.0", ask=coin.px(ask[0]) if ask else "0.0")

    def _words(self, words: str, coin: Coin) -> str:
        return f"{words} asset={coin.asset}" if self._venue.options.asset_suffix else words

    # -- groups -----------------------------------------------------------------------------------------

    def _submit_group(
        self, user: User, made: list[tuple[Coin, NewOrder | OrderError]], grouping: str
    ) -> list[Status]:
        orders: list[NewOrder] = []
        for coin, new in made:
            if isinstance(new, OrderError):
                return [{"error": self._words(new.words, coin)} for _ in made]
            orders.append(new)
        coin = made[0][0]
        main = orders[0]
        for one in [main] if grouping == "normalTpsl" else orders:
            fault = self._judge(user, coin, one)
            if fault is not None:
                return [self._refuse(user, coin, one, *fault) for _ in made]
        kind = ListKind.NORMAL_TPSL if grouping == "normalTpsl" else ListKind.POSITION_TPSL
        new_list = NewList(account=main.account, market=main.market, kind=kind, orders=orders)
        answer = self._venue.exchange.submit_list(new_list, self._venue.now_ns)
        held = answer.order_list
        if held is None:
            words, status = words_of(answer.reason)
            words = self._fill_in(words, coin)
            return [self._refuse(user, coin, main, words, status), *({"error": words} for _ in made[1:])]
        if kind is ListKind.NORMAL_TPSL:
            tag_of(held.orders[0]).children = held.orders[1:]
            head = self._answer(user, coin, main, Ack(held.orders[0], fills=held.orders[0].fills))
            return [head, *(_child_status(order) for order in held.orders[1:])]
        return [_child_status(order) for order in held.orders]

    # -- cancelling -------------------------------------------------------------------------------------

    def cancel(self, user: User, action: Cancel | CancelByCloid) -> list[Status]:
        """Cancel orders by id or client id."""
        if not action.cancels:
            raise ActionError(spec.EMPTY_CANCELS)
        found: list[Status] = []
        for one in action.cancels:
            if isinstance(action, Cancel):
                asset, key = one.a, one.o  # type: ignore[union-attr]
            else:
                asset, key = one.asset, one.cloid.lower()  # type: ignore[union-attr]
            coin = self._venue.universe.by_asset.get(asset)
            order = self.find(user, key)
            if coin is None or order is None or order.market != coin.symbol:
                found.append({"error": self._missing(coin)})
                continue
            if action.f and order.status is SimStatus.PENDING_TRIGGER:
                found.append({"error": "Cannot fast cancel trigger orders"})
                continue
            ack = self._venue.exchange.cancel(order.account, self._venue.now_ns, order_id=order.order_id)
            found.append("success" if ack.ok else {"error": self._missing(coin)})
        return found

    def _missing(self, coin: Coin | None) -> str:
        return spec.MISSING_ORDER if coin is None else self._words(spec.MISSING_ORDER, coin)

    def find(self, user: User, key: int | str) -> SimOrder | None:
        """Return an order of a user by id or client id, open or ended."""
        for purse in user.accounts:
            if isinstance(key, int):
                order = self._venue.exchange.order(purse.account_id, order_id=key) if key > 0 else None
            else:
                order = self._venue.exchange.order(purse.account_id, client_id=key.lower())
            if order is not None:
                return order
        return None

    # -- changing ---------------------------------------------------------------------------------------

    def modify(self, user: User, action: Modify) -> None:
        """Change one order; a refusal raises ``ActionError``."""
        status, canceled = self._modify(user, action.oid, action.order, action.a)
        if isinstance(status, dict) and "error" in status:
            words = status["error"]
            raise ActionError(spec.MODIFY_PLACING.format(error=words) if canceled else words)

    def batch_modify(self, user: User, action: BatchModify) -> list[Status]:
        """Change several orders; returns the statuses of the new ones."""
        if not action.modifies:
            raise ActionError(spec.EMPTY_MODIFIES)
        return [self._modify(user, one.oid, one.order, action.a)[0] for one in action.modifies]

    def _modify(self, user: User, oid: int | str, wire: OrderWire, always: bool) -> tuple[Status, bool]:
        """Cancel one order and place another; tells too whether the first was cancelled."""
        old = self.find(user, oid)
        if not always:
            limit = wire.t.limit
            if limit is None or limit.tif not in ("Alo", "Gtc"):
                return {"error": spec.MODIFY_INVALID}, False
            if old is None or not old.status.is_open:
                return {"error": spec.MODIFY_GONE}, False
            wire = msgspec.structs.replace(wire, t=msgspec.structs.replace(wire.t, limit=_post_only(limit)))
        try:
            coin, new = self._read(user, wire, "na", None)
        except OrderError as fault:
            return {"error": fault.words}, False
        if old is not None and old.market != coin.symbol:
            return {"error": spec.MODIFY_INVALID}, False
        if isinstance(new, OrderError):
            return {"error": self._words(new.words, coin)}, False
        canceled = False
        if old is not None and old.status.is_open:
            ack = self._venue.exchange.cancel(
                old.account, self._venue.now_ns, order_id=old.order_id, reason=EndReason.REPLACED
            )
            canceled = ack.ok
        return self._submit(user, coin, new), canceled


def _post_only(limit: Any) -> Any:
    return msgspec.structs.replace(limit, tif="Alo")


def _ids(order: SimOrder) -> dict[str, Any]:
    return {"oid": order.order_id, "cloid": order.client_id} if order.client_id else {"oid": order.order_id}


def _child_status(order: SimOrder) -> Status:
    if order.status is SimStatus.PENDING_PARENT:
        return "waitingForFill"
    return "waitingForTrigger" if order.status is SimStatus.PENDING_TRIGGER else {"resting": _ids(order)}


def _check_group(wires: list[OrderWire], grouping: str) -> None:
    triggers = [wire for wire in wires if wire.t.trigger is not None]
    main = wires[0]
    if grouping == "normalTpsl":
        if main.t.trigger is not None:
            raise ActionError(spec.MAIN_TRIGGER)
        wanted = wires[1:]
    else:
        wanted = wires
    if len(triggers) != len(wanted) or not 1 <= len(wanted) <= 2:
        raise ActionError(spec.TRIGGER_COUNT)
    if not all(wire.r for wire in wanted):
        raise ActionError(spec.NOT_REDUCE_ONLY)
    if len({wire.a for wire in wires}) != 1:
        raise ActionError(spec.TRIGGER_COUNT)
    expected = not main.b if grouping == "normalTpsl" else main.b
    if any(wire.b is not expected for wire in wanted):
        raise ActionError(spec.TRIGGER_SIDE)


def _as_limit(new: NewOrder, tif: str) -> None:
    new.type = OrderType.LIMIT
    new.tag.tif = tif
    if tif == "Alo":
        new.post_only = True
    elif tif != "Gtc":
        new.tif = TimeInForce.IOC
        new.tag.market = tif != "Ioc"


_TRIGGERS = {
    ("sl", True): OrderType.STOP_MARKET,
    ("sl", False): OrderType.STOP_LIMIT,
    ("tp", True): OrderType.TAKE_PROFIT_MARKET,
    ("tp", False): OrderType.TAKE_PROFIT_LIMIT,
}


def _as_trigger(coin: Coin, new: NewOrder, trigger: TriggerType) -> None:
    new.type = _TRIGGERS[trigger.tpsl, trigger.is_market]
    try:
        new.trigger_ticks = coin.ticks(trigger.trigger_px)
    except OrderError as fault:
        raise OrderError(spec.BAD_TRIGGER_PX, "badTriggerPxRejected") from fault
    new.trigger_by = TriggerBy.LAST if coin.spot else TriggerBy.MARK
    new.tag.tif = None
    new.tag.tpsl = trigger.tpsl
    if trigger.is_market:
        new.protect_bps = MARKET_TPSL_BPS
        new.tag.limit_ticks, new.ticks = new.ticks, 0


def _wakes_now(coin: Coin, new: NewOrder) -> bool:
    """Tell whether a trigger has been passed already: then it is on the wrong side of the price."""
    if not new.trigger_ticks:
        return False
    px = watched_px(coin.market, new.trigger_by)
    above = fires_above(SimOrder(new, 0, 0))
    return bool(px) and (px >= new.trigger_ticks if above else px <= new.trigger_ticks)


def _end_words(order: SimOrder, new: NewOrder) -> str:
    """Return the words for an order that was over at once without a fill."""
    reason = order.end_reason
    if reason is EndReason.REDUCE_ONLY:
        return spec.REDUCE_ONLY
    if reason is EndReason.POST_ONLY:
        return spec.BAD_ALO_PX
    if reason is EndReason.MARGIN:
        return words_of(RejectReason.INSUFFICIENT_MARGIN)[0]
    if reason is EndReason.NO_LIQUIDITY or new.tag.market:
        return spec.NO_LIQUIDITY
    return spec.IOC_CANCEL
