"""Actions as the venue wants them: dictionaries whose fields stand in the order that is signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lanner.model.commands import SubmitOrder
from lanner.model.enums import GroupKind, OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.model.orders import TRIGGERED_TYPES
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid import spec
from lanner.venues.hyperliquid.own import Change, Own, cloid_of
from lanner.venues.hyperliquid.symbols import Symbols
from lanner.venues.hyperliquid.text import px_text, qty_text

Action = dict[str, object]

_GTC = {"limit": {"tif": "Gtc"}}
_IOC = {"limit": {"tif": "Ioc"}}
_ALO = {"limit": {"tif": "Alo"}}
_BY_MARKET = frozenset({OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET})
_TAKES = frozenset({OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT})
_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT})


class Terms:
    """Write orders. ``mids`` holds the middle prices that market orders are limited by."""

    def __init__(self, symbols: Symbols, mids: Mapping[str, float]) -> None:
        self._symbols = symbols
        self._mids = mids

    def submit(self, command: SubmitOrder) -> Action:
        """Write a new order; raise ``VenueError`` REJECTED for what the venue does not have."""
        instrument = self._symbols.instrument(command.instrument_id)
        check_order(command, instrument)
        return self._write(
            instrument,
            command.order_id,
            command.side,
            command.type,
            command.lots,
            command.px_ticks,
            command.stop_ticks,
            command.tif,
            post_only=command.post_only,
            reduce_only=command.reduce_only,
        )

    def change(self, own: Own, change: Change) -> Action:
        """Write a working order with new terms."""
        order = self._write(
            self._symbols.instrument(own.instrument_id),
            own.order_id,
            own.side,
            own.type,
            change.lots,
            change.px_ticks,
            change.stop_ticks,
            own.tif,
            post_only=own.post_only,
            reduce_only=own.reduce_only,
        )
        return {"oid": own.oid or cloid_of(own.order_id), "order": order}

    @staticmethod
    def always_places(own: Own) -> bool:
        """Tell whether a change must be placed whatever became of the order: only conditional orders cannot do without.

        Without that the venue changes resting orders only, into such that rest. A change that would take at once is
        refused then, and ends the order; with it the venue would place a second order where the first was filled while
        the change was on its way.
        """
        return own.type in TRIGGERED_TYPES

    def cancel(self, order_id: str, instrument_id: str) -> Action:
        """Write a cancel by our own id."""
        instrument = self._symbols.instrument(instrument_id)
        return {"asset": self._symbols.asset(instrument), "cloid": cloid_of(order_id)}

    def _write(
        self,
        instrument: Instrument,
        order_id: str,
        side: Side,
        kind: OrderType,
        lots: int,
        px_ticks: int | None,
        stop_ticks: int | None,
        tif: TimeInForce,
        *,
        post_only: bool,
        reduce_only: bool,
    ) -> Action:
        how: Mapping[str, object]
        if kind in TRIGGERED_TYPES:
            if stop_ticks is None:
                raise _no(f"{instrument.id}: a {kind.name} order needs its trigger price", Reason.BAD_REQUEST)
            how = {
                "trigger": {
                    "isMarket": kind in _BY_MARKET,
                    "triggerPx": px_text(instrument, stop_ticks),
                    "tpsl": "tp" if kind in _TAKES else "sl",
                }
            }
        elif kind is OrderType.MARKET or tif is TimeInForce.IOC:
            how = _IOC
        else:
            how = _ALO if post_only else _GTC
        if px_ticks is None:
            px_ticks = self._limit(instrument, side, kind, stop_ticks)
        return {
            "a": self._symbols.asset(instrument),
            "b": side is Side.BUY,
            "p": px_text(instrument, px_ticks),
            "s": qty_text(instrument, lots),
            "r": reduce_only and not instrument.is_spot,
            "t": how,
            "c": cloid_of(order_id),
        }

    def _limit(self, instrument: Instrument, side: Side, kind: OrderType, stop_ticks: int | None) -> int:
        """Return the worst price of an order by market: so far through the mid, or through its trigger."""
        if kind not in _BY_MARKET:
            raise _no(f"{instrument.id}: a {kind.name} order needs a price", Reason.BAD_REQUEST)
        if stop_ticks is not None and kind is not OrderType.MARKET:
            return _through(instrument, side, instrument.px_float(stop_ticks), spec.TRIGGER_SLIPPAGE)
        mid = self._mids.get(instrument.id)
        if mid is None:
            raise _no(
                f"{instrument.id}: a market order needs a price to be limited by, and none was heard yet",
                Reason.NO_LIQUIDITY,
                fix="Listen to quotes of the instrument first, or give the order a limit price.",
            )
        return _through(instrument, side, mid, spec.MARKET_SLIPPAGE)


def _through(instrument: Instrument, side: Side, px: float, share: float) -> int:
    return instrument.quantise_px(px * (1 + share * side))


def check_order(command: SubmitOrder, instrument: Instrument) -> None:
    """Raise ``VenueError`` for an order that the venue does not have."""
    name = f"hyperliquid, {instrument.id}"
    if command.type is OrderType.TRAILING_STOP:
        raise _no(f"{name}: the venue has no trailing stops", Reason.UNSUPPORTED)
    if command.tif in (TimeInForce.FOK, TimeInForce.GTD):
        raise _no(f"{name}: the venue has no {command.tif.name} orders", Reason.UNSUPPORTED)
    if command.display_lots is not None:
        raise _no(f"{name}: the venue has no iceberg orders", Reason.UNSUPPORTED)
    if command.post_only and (command.tif is TimeInForce.IOC or command.type is not OrderType.LIMIT):
        raise _no(f"{name}: only a resting limit order can be post-only", Reason.UNSUPPORTED)
    if instrument.is_spot and command.reduce_only and command.side is Side.BUY:
        raise _no(f"{name}: a purchase of spot cannot be reduce-only", Reason.REDUCE_ONLY)
    if instrument.is_spot and command.type in TRIGGERED_TYPES:
        raise _no(f"{name}: the venue has no conditional orders on spot", Reason.UNSUPPORTED)


def grouping(commands: Sequence[SubmitOrder]) -> str:
    """Return how new orders hang together at the venue.

    ``normalTpsl``: an entry and its exits, which wait for it; ``positionTpsl``: a target and a stop for the position,
    of which one ends the other; ``na``: each by itself.
    """
    first = commands[0]
    if len(commands) < 2 or not first.group_id or any(c.group_id != first.group_id for c in commands):
        return "na"
    exits = [c for c in commands if c.type in TRIGGERED_TYPES and c.reduce_only]
    if first.group_kind is GroupKind.BRACKET and first not in exits and len(exits) == len(commands) - 1:
        return "normalTpsl"
    kinds = [c.type in _TAKES for c in exits]
    if first.group_kind is GroupKind.OCO and len(exits) == len(commands) == 2 and sum(kinds) == 1:
        return "positionTpsl"
    return "na"


def place(orders: Sequence[Action], group: str) -> Action:
    """Write the action that places orders."""
    return {"type": "order", "orders": list(orders), "grouping": group}


def cancel(cancels: Sequence[Action]) -> Action:
    """Write the action that takes orders back by our ids."""
    return {"type": "cancelByCloid", "cancels": list(cancels)}


def cancel_oids(pairs: Sequence[tuple[int, int]]) -> Action:
    """Write the action that takes orders back by asset and the venue's id."""
    return {"type": "cancel", "cancels": [{"a": asset, "o": oid} for asset, oid in pairs]}


def modify(changes: Sequence[Action], *, always: bool) -> Action:
    """Write the action that changes orders; a flag that is not set must not stand in it."""
    action: Action = {"type": "batchModify", "modifies": list(changes)}
    if always:
        action["a"] = True
    return action


def leverage(asset: int, times: int, *, cross: bool) -> Action:
    """Write the action that sets leverage and margin mode."""
    return {"type": "updateLeverage", "asset": asset, "isCross": cross, "leverage": times}


def schedule_cancel(time_ms: int | None) -> Action:
    """Write the action that arms the switch which cancels everything at a time, or disarms it."""
    return {"type": "scheduleCancel"} if time_ms is None else {"type": "scheduleCancel", "time": time_ms}


def _no(what: str, reason: str, fix: str | None = None) -> VenueError:
    return VenueError(ErrorKind.REJECTED, what, reason=reason, fix=fix)
