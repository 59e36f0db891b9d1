"""Change a running engine by a control record: its strategies' parameters, its risk limits, an order by hand.

All of it happens between two steps and follows from the record alone, so that a replay does the same. A record that the
engine refuses changes nothing: the refusal is told on ``control.refused``, in every replay again. ``check_…`` say
beforehand what would be refused, so that such a record is not written at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lanner.backtest.config import RiskConfig
from lanner.backtest.mistakes import validate
from lanner.backtest.risk_limits import limits_of_risk
from lanner.core.errors import ConfigError, InvalidOrderError, LannerError, NotFoundError
from lanner.engine.faults import USER_FAULTS
from lanner.engine.losses import make_risk
from lanner.engine.shapes import check_shape, type_of
from lanner.execution.lifecycle import can_amend
from lanner.live.foreign import adopt
from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce
from lanner.model.orders import OrderView
from lanner.strategy.parameters import declared

if TYPE_CHECKING:
    from lanner.engine.desk import Desk
    from lanner.engine.engine import Engine
    from lanner.live.session import Session
    from lanner.model.commands import Command
    from lanner.model.orders import Order
    from lanner.risk.checks import RiskLimits
    from lanner.storage.journal import Control
    from lanner.strategy.base import Strategy

REFUSED = "control.refused"
PROTECTION = ("stop_loss", "take_profit")
"""What can be set for a strategy besides its parameters: distances such as ``"2%"``; empty: none."""


def adjust(engine: Engine, control: Control, now: int) -> list[Command]:
    """Do what a record of the kinds ``params``, ``risk``, ``order``, ``amend``, ``cancel`` or ``cancel_all`` says."""
    commands = engine.advance(now)
    try:
        _ACTIONS[control.action](engine, control.details)
    except USER_FAULTS as error:
        engine.bus.publish(REFUSED, error)
    return [*commands, *engine.flush()]


# -- parameters ------------------------------------------------------------------------------------------


def _params(engine: Engine, told: Mapping[str, Any]) -> None:
    """Set parameters, let the strategy take note, and put everything back when it does not agree."""
    desk = _desk(engine, told["strategy"])
    strategy = desk.strategy
    values, protection = told.get("values", {}), told.get("protection", {})
    before = {name: getattr(strategy, name) for name in values}
    guarded = protection_of(desk)
    try:
        for name, value in values.items():
            setattr(strategy, name, value)
        _protect(desk, {**guarded, **protection})
        strategy.check_params()
        if before and strategy.overrides("on_params"):
            strategy.on_params(before)
    except USER_FAULTS:
        for name, value in before.items():
            setattr(strategy, name, value)
        _protect(desk, guarded)
        raise


def protection_of(desk: Desk) -> dict[str, str]:
    """Return the distances of stop and target that a strategy's new positions get, empty where there is none."""
    return {"stop_loss": desk.strategy.stop_loss or "", "take_profit": desk.take_profit}


def _protect(desk: Desk, protection: Mapping[str, str]) -> None:
    if protection["stop_loss"] != (desk.strategy.stop_loss or ""):
        vars(desk.strategy)["stop_loss"] = protection["stop_loss"] or None
    if protection["take_profit"] != desk.take_profit:
        desk.set_take_profit(protection["take_profit"])


def check_params(strategy: Strategy, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the strategy would hold them; raise ``ConfigError`` for one that it refuses.

    The check is made on a strategy of its own, with the other parameters as they are now.
    """
    known = declared(type(strategy))
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{strategy.id} has no parameter {', '.join(map(repr, unknown))}",
            expected=f"one of {', '.join(known) or '(it declares none)'}",
        )
    parsed = {name: known[name].parse(value) for name, value in values.items()}
    type(strategy)(**{**strategy.values(), **parsed})
    return parsed


def _desk(engine: Engine, strategy_id: str) -> Desk:
    found = engine.desks.get(strategy_id)
    if found is None:
        raise NotFoundError(
            f"no strategy {strategy_id!r} in this session", expected=f"one of {', '.join(engine.desks)}"
        )
    return found


# -- limits ----------------------------------------------------------------------------------------------


def _risk(engine: Engine, told: Mapping[str, Any]) -> None:
    """Put new limits in the place of the old ones; what rules remember (the day's losses, orders sent) stays."""
    limits = check_risk(engine, told["risk"])
    engine.execution.limits = limits
    engine.execution.stops.bring_all()
    if engine.risk is not None:
        engine.risk.set_rules(limits.rules)
    elif limits.rules:
        engine.risk = make_risk(engine.execution, engine.cache, limits)
        assert engine.risk is not None
        engine.risk.closes = False
        engine.bind_steps()


def check_risk(engine: Engine, risk: Mapping[str, Any]) -> RiskLimits:
    """Return the limits that settings mean; raise ``ConfigError`` for wrong ones, and for parts that are not there."""
    limits = replace(limits_of_risk(validate(RiskConfig, risk, source="risk")), settings=dict(risk))
    known = {
        "strategies": set(engine.desks),
        "instruments": set(engine.cache.instruments),
        "venues": {name.rpartition(".")[2] for name in engine.cache.instruments},
    }
    for rules in limits.rules:
        if rules.name and rules.name not in known[rules.kind.plural]:
            raise ConfigError(
                f"risk.{rules.kind.plural}: the session has no {rules.kind} {rules.name!r}",
                expected=", ".join(sorted(known[rules.kind.plural])),
            )
    return limits


# -- orders by hand --------------------------------------------------------------------------------------


def order_details(
    engine: Engine,
    *,
    side: str,
    qty: Any,
    px: Any = None,
    stop_px: Any = None,
    tif: str = "GTC",
    post_only: bool = False,
    reduce_only: bool = False,
    instrument: str = "",
    strategy: str = "",
    tag: str,
) -> dict[str, Any]:
    """Return the particulars of an order by hand for a control record; raise for one that cannot be built.

    It is an order of a strategy (without a name: the first one), which hears of it, holds what it buys, and whose
    limits it has to pass. ``tag`` must be unique: by it the order is found again.
    """
    desk = _desk(engine, strategy or next(iter(engine.desks)))
    traded = next((one for one in desk.instruments if not instrument or one.id == instrument), None)
    if traded is None:
        raise NotFoundError(
            f"{desk.strategy_id} does not trade {instrument}",
            expected=f"one of {', '.join(one.id for one in desk.instruments)}",
        )
    told: dict[str, Any] = {
        "strategy": desk.strategy_id,
        "instrument": traded.id,
        "side": _named(Side, side, "side").name,
        "qty": _text(qty, "qty"),
        "px": None if px is None else _text(px, "px"),
        "stop_px": None if stop_px is None else _text(stop_px, "stop_px"),
        "tif": _named(TimeInForce, tif, "tif").name,
        "post_only": bool(post_only),
        "reduce_only": bool(reduce_only),
        "tag": tag,
    }
    kind: OrderType = type_of(told["px"], told["stop_px"], None)
    check_shape(kind, told["px"], told["stop_px"], None, TimeInForce[told["tif"]], None, told["post_only"])
    traded.quantise_qty(told["qty"])
    for price in (told["px"], told["stop_px"]):
        if price is not None:
            traded.quantise_px(price)
    return told


def _order(engine: Engine, told: Mapping[str, Any]) -> None:
    _desk(engine, told["strategy"]).order(
        Side[told["side"]],
        told["qty"],
        told["px"],
        type=None,
        stop_px=told["stop_px"],
        trail=None,
        tif=TimeInForce[told["tif"]],
        expire=None,
        post_only=told["post_only"],
        reduce_only=told["reduce_only"],
        display_qty=None,
        stop=None,
        take=None,
        after=None,
        scaled=False,
        instrument=told["instrument"],
        tag=told["tag"],
    )


def amend_details(
    engine: Engine, order: Order, *, qty: Any = None, px: Any = None, stop_px: Any = None
) -> dict[str, Any]:
    """Return the particulars of an order's change for a control record; raise for one that cannot be made."""
    _desk(engine, order.strategy_id)
    if order.status is not OrderStatus.HELD and not can_amend(order):
        raise InvalidOrderError(
            f"order {order.order_id} cannot be amended", expected="a working order", found=order.status.name
        )
    told = {
        name: _text(value, name)
        for name, value in (("qty", qty), ("px", px), ("stop_px", stop_px))
        if value is not None
    }
    if not told:
        raise InvalidOrderError("nothing to amend", expected="qty, px or stop_px")
    for name, value in told.items():
        (order.instrument.quantise_qty if name == "qty" else order.instrument.quantise_px)(value)
    return {"order_id": order.order_id, **told}


def _amend(engine: Engine, told: Mapping[str, Any]) -> None:
    order = engine.execution.find(told["order_id"])
    _desk(engine, order.strategy_id).amend(
        OrderView(order), qty=told.get("qty"), px=told.get("px"), stop_px=told.get("stop_px")
    )


def _cancel(engine: Engine, told: Mapping[str, Any]) -> None:
    engine.execution.take_back(engine.execution.find(told["order_id"]))


def _cancel_all(engine: Engine, told: Mapping[str, Any]) -> None:
    for strategy_id in engine.desks:
        engine.execution.cancel_all(strategy_id, told.get("instrument") or None, for_good=True)


def _named(kind: Any, word: str, what: str) -> Any:
    try:
        return kind[str(word).strip().upper()]
    except KeyError:
        raise ConfigError(
            f"{what} is not known", expected=f"one of {', '.join(one.name for one in kind)}", found=repr(word)
        ) from None


def _text(value: Any, what: str) -> str:
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ConfigError(f"{what} is not a number", expected="a number", found=repr(value))
    return f"{number:f}"


_ACTIONS = {
    "params": _params,
    "risk": _risk,
    "order": _order,
    "amend": _amend,
    "adopt": adopt,
    "cancel": _cancel,
    "cancel_all": _cancel_all,
}
ADJUSTMENTS = tuple(_ACTIONS)


def controlled(session: Session, action: str, reason: str, details: Mapping[str, Any]) -> LannerError | None:
    """Let a running session write a change down and make it; return why it was refused, or None."""
    refused: list[object] = []

    def hear(_topic: str, error: object) -> None:
        refused.append(error)

    session.bus.subscribe(REFUSED, hear)
    try:
        session.control(action, reason, **details)
    finally:
        session.bus.unsubscribe(REFUSED, hear)
    if session.fault is not None:
        return LannerError(f"session {session.id} ended: {session.fault}")
    return _refusal(refused[0]) if refused else None


def _refusal(error: object) -> LannerError:
    if isinstance(error, LannerError):
        return error
    return LannerError(f"the strategy refused: {type(error).__name__}: {error}")
