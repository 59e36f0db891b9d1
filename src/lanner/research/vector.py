"""Backtests over arrays: signals, orders or weights in, orders, fills, equity and reports out, at memory speed.

The rules are the event engine's: the same fills, fees, slippage, exits and funding, to the last tick and lot. What
differs is who decides: here the decisions are arrays that were computed before the run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import numpy as np

from lanner.core.errors import ConfigError
from lanner.research.market import Floats, Market
from lanner.research.simulate import Protection
from lanner.research.vector_arrays import Bools, as_bools, as_floats, count_columns
from lanner.research.vector_input import DEFAULT_CAPITAL, Data, Setup, prepare
from lanner.research.vector_limits import check_limits, play_limits
from lanner.research.vector_play import (
    ORDERS,
    SIGNALS,
    SIZE_TYPES,
    WEIGHTS,
    Account,
    Asked,
    check_one_purse,
)
from lanner.research.vector_result import ArrayBacktest
from lanner.strategy.base import as_fraction

INFINITE = float("inf")
T = TypeVar("T")


def from_signals(
    data: Data,
    entries: Any,
    exits: Any = None,
    short_entries: Any = None,
    short_exits: Any = None,
    *,
    size: Any = 1.0,
    size_type: str = "fraction",
    stop: Any = None,
    take: Any = None,
    trail: Any = None,
    stop_px: Any = None,
    take_px: Any = None,
    cooldown: int = 0,
    max_positions: int = 0,
    accumulate: bool = False,
    share_cash: bool = True,
    fill: str = "next_open",
    capital: Any = DEFAULT_CAPITAL,
    fees: Any = None,
    maker: Any = None,
    taker: Any = None,
    slippage: Any = None,
    leverage: Any = 1,
    funding: str | None = None,
    name: str = "signals",
    **settings: Any,
) -> ArrayBacktest:
    """Trade entries and exits and return what came of it.

    ``data`` is a data set, a file, a table, a ``Market``, or any of them by instrument. Signals are bools: one column
    of bars, a table [bars, columns] for many parameters at once, or either by instrument. They are decided at a bar's
    close and filled at the next open (``fill="same_close"``: at that close, which flatters).

    ``size_type``: ``fraction`` of the free money, ``units`` of the base, ``value`` in the settle currency, ``weight``
    of the equity, or ``risk``: the fraction of equity lost at the stop. Exits: ``stop``, ``take``, ``trail`` as
    ``"2%"`` or fractions, ``stop_px`` and ``take_px`` as prices. ``cooldown`` bars pass after an exit without an
    entry. ``max_positions`` bounds how many instruments are held. ``accumulate`` lets an entry add to a position.
    Sizes and exits may be columns and tables as signals are. ``settings`` are those of ``lanner.backtest``:
    ``instrument``, ``timeframe``, ``since``, ``until``, ``instruments``, ``fills``, ``catalog``. ``progress`` is called
    with the share that is done: 0.25 with the data read, 0.5 with the decisions, 0.75 when all is played, then 1.

    Raises ``ConfigError`` for wrong shapes, types, and what is not a number.
    """
    setup = prepare(
        data, "from_signals", fill=fill, capital=capital, fees=fees, maker=maker, taker=taker, slippage=slippage,
        leverage=leverage, funding=funding, settings=settings,
    )  # fmt: skip
    if size_type not in SIZE_TYPES:
        raise ConfigError("size_type is wrong", expected=", ".join(SIZE_TYPES), found=repr(size_type))
    given = {"entries": entries, "exits": exits, "short_entries": short_entries, "short_exits": short_exits}
    signals = {
        key: as_bools(key, value, setup.markets) if value is not None else None
        for key, value in given.items()
    }
    shorts = signals["short_entries"] is not None
    if shorts:
        _check_shorts(setup, signals["short_entries"] or {}, "short_entries")
    asked = Asked(SIGNALS, 1, size_type=SIZE_TYPES.index(size_type), accumulate=bool(accumulate))
    asked.signals = {key: [t[key] if t else None for t in signals.values()] for key in setup.markets}
    asked.sizes = as_floats("size", size, setup.markets, least=0.0, most=INFINITE, nan=False, above=True)
    asked.allow_short = shorts
    asked.cooldown = _whole("cooldown", cooldown)
    asked.max_positions = _whole("max_positions", max_positions)
    _take_exits(
        asked, setup, {"stop": stop, "take": take, "trail": trail, "stop_px": stop_px, "take_px": take_px}
    )
    _check_exits(asked, setup, size_type)
    return _run("from_signals", name, setup, asked, share_cash)


def from_orders(
    data: Data,
    qty: Any,
    *,
    px: Any = None,
    good_for: int = 1,
    stop: Any = None,
    take: Any = None,
    trail: Any = None,
    stop_px: Any = None,
    take_px: Any = None,
    allow_short: bool | None = None,
    share_cash: bool = True,
    fill: str = "next_open",
    capital: Any = DEFAULT_CAPITAL,
    fees: Any = None,
    maker: Any = None,
    taker: Any = None,
    slippage: Any = None,
    leverage: Any = 1,
    funding: str | None = None,
    name: str = "orders",
    **settings: Any,
) -> ArrayBacktest:
    """Send orders for signed quantities of the base and return what came of it; 0 and NaN send none.

    Market orders are cut to what the account can pay for; sales beyond what is held open a short where the instrument
    allows it (``allow_short=False``: they end at flat). ``px`` are limit prices, NaN for a market order; a limit order
    works for ``good_for`` bars (0: until it is filled). A run with limit prices is played by the event engine: slower,
    and orders that the account cannot pay for are refused. The rest is as in ``from_signals``.
    """
    setup = prepare(
        data, "from_orders", fill=fill, capital=capital, fees=fees, maker=maker, taker=taker, slippage=slippage,
        leverage=leverage, funding=funding, settings=settings,
    )  # fmt: skip
    asked = Asked(ORDERS, 1)
    asked.sizes = as_floats("qty", qty, setup.markets, least=-INFINITE, most=INFINITE, nan=True)
    asked.allow_short = allow_short is not False
    _take_exits(
        asked, setup, {"stop": stop, "take": take, "trail": trail, "stop_px": stop_px, "take_px": take_px}
    )
    if px is None:
        return _run("from_orders", name, setup, asked, share_cash)
    check_limits(setup, asked)
    limits = as_floats("px", px, setup.markets, least=0.0, most=INFINITE, nan=True, above=True)
    return _run("from_orders", name, setup, asked, share_cash, limits, _whole("good_for", good_for))


def from_weights(
    data: Data,
    weights: Any,
    *,
    stop: Any = None,
    take: Any = None,
    trail: Any = None,
    allow_short: bool | None = None,
    share_cash: bool = True,
    fill: str = "next_open",
    capital: Any = DEFAULT_CAPITAL,
    fees: Any = None,
    maker: Any = None,
    taker: Any = None,
    slippage: Any = None,
    leverage: Any = 1,
    funding: str | None = None,
    name: str = "weights",
    **settings: Any,
) -> ArrayBacktest:
    """Follow target weights, fractions of the equity, and return what came of it.

    An order is sent when a weight differs from the one before, as an ``@lanner.signal`` strategy does; NaN changes
    nothing. Weights go from -leverage to leverage; negative ones need a perpetual. The rest is as in ``from_signals``.
    """
    setup = prepare(
        data, "from_weights", fill=fill, capital=capital, fees=fees, maker=maker, taker=taker, slippage=slippage,
        leverage=leverage, funding=funding, settings=settings,
    )  # fmt: skip
    exits = {"stop": stop, "take": take, "trail": trail}
    return follow("from_weights", name, setup, weights, exits, allow_short, share_cash)


def follow(
    kind: str,
    name: str,
    setup: Setup,
    weights: Any,
    exits: Mapping[str, Any],
    allow_short: bool | None,
    share_cash: bool,
) -> ArrayBacktest:
    """Follow target weights over what was prepared."""
    asked = Asked(WEIGHTS, 1)
    most = float(setup.config.leverage)
    asked.weights = as_floats("weights", weights, setup.markets, least=-most, most=most, nan=True)
    negative = any(bool((table < 0.0).any()) for table in asked.weights.values())
    if negative and allow_short is False:
        raise ConfigError(
            "weights are below 0", expected="no short positions", fix="Leave out allow_short=False."
        )
    if negative:
        _check_shorts(setup, {key: table < 0.0 for key, table in asked.weights.items()}, "weights below 0")
    asked.allow_short = negative
    if most > 1.0:  # in the kernels a weight is at most 1
        asked.scale = most
        asked.weights = {key: table / most for key, table in asked.weights.items()}
    for key, value in exits.items():
        if value is not None and np.ndim(value):
            raise ConfigError(
                f"{key} is a table", expected="one distance for all bars", fix="Use from_signals."
            )
    _take_exits(asked, setup, exits)
    return _run(kind, name, setup, asked, share_cash)


# -- checks -------------------------------------------------------------------------------------------


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ConfigError(f"{name} is wrong", expected="a whole number, 0 or more", found=repr(value))
    return int(value)


def _check_shorts(setup: Setup, wanted: Mapping[str, Bools], what: str) -> None:
    for key, table in wanted.items():
        if setup.markets[key].instrument.is_spot and table.any():
            raise ConfigError(
                f"{what}: {key} is spot and cannot be sold short",
                expected="a perpetual",
                fix="Leave them out for spot, or say `instruments={...: {'kind': 'perp'}}`.",
            )


def _take_exits(asked: Asked, setup: Setup, said: Mapping[str, Any]) -> None:
    """Take distances that are the same for all exactly, and everything else as tables."""
    exact: dict[str, Decimal] = {}
    for key, value in said.items():
        if value is None:
            continue
        if key in ("stop", "take", "trail") and not isinstance(value, Mapping) and np.ndim(value) == 0:
            exact[key] = _distance(key, value)
            continue
        bound = 1.0 if key in ("stop", "trail") else INFINITE
        tables = as_floats(key, value, setup.markets, least=0.0, most=bound, nan=True, above=True)
        for name, table in tables.items():
            asked.exits.setdefault(name, {})[key] = table
    if "stop" in said and said["stop"] is not None and said.get("stop_px") is not None:
        raise ConfigError("stop and stop_px are both given", expected="one of them")
    if said.get("take") is not None and said.get("take_px") is not None:
        raise ConfigError("take and take_px are both given", expected="one of them")
    trail = exact.get("trail")
    asked.protection = Protection(
        exact.get("stop"), exact.get("take"), None if trail is None else float(trail)
    )


def _distance(name: str, value: Any) -> Decimal:
    """Return a distance as a fraction of the price: text like ``"2%"``, or a number."""
    try:
        found = as_fraction(value) if isinstance(value, str) else Decimal(str(float(value)))
    except (TypeError, ValueError, InvalidOperation):
        found = Decimal(0)
    if not found.is_finite() or found <= 0 or (name != "take" and found >= 1):
        raise ConfigError(f"{name} is no distance", expected='"2%" or 0.02', found=repr(value))
    return found


def _check_exits(asked: Asked, setup: Setup, size_type: str) -> None:
    guarded = asked.exits or asked.protection != Protection()
    if asked.accumulate and guarded:
        raise ConfigError(
            "accumulate with stops or targets needs a bracket for each entry",
            expected="one of the two",
            fix="Use the event engine (lanner backtest), which keeps them.",
        )
    has_stop = asked.protection.stop or asked.protection.trail
    keys = {key for own in asked.exits.values() for key in own}
    if size_type == "risk" and not has_stop and not keys & {"stop", "trail", "stop_px"}:
        raise ConfigError('size_type="risk" needs a stop', expected="stop, trail or stop_px")
    for name, own in asked.exits.items():
        close = setup.markets[name].close
        entries, exits, shorts, covers = asked.signals[name]
        for key, sign in (("stop_px", 1), ("take_px", -1)):
            if key in own:
                for table, stays, other, side in ((entries, exits, shorts, 1), (shorts, covers, entries, -1)):
                    if table is not None:
                        for against in (stays, other):
                            table = table if against is None else table & ~against
                        _check_level(key, name, own[key], table, close, sign * side)


def _check_level(key: str, name: str, level: Floats, entries: Bools, close: Floats, below: int) -> None:
    """Refuse a level on the wrong side of the close at which an entry is decided."""
    wrong = entries & ((level - close[:, None]) * below >= 0.0)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        found = np.broadcast_to(level, wrong.shape)[row, column]
        raise ConfigError(
            f"{key} is on the wrong side of the price",
            expected=f"a price {'below' if below > 0 else 'above'} the close of {close[row]:g}",
            found=f"{found:g} at bar {row} of {name}",
        )


# -- running ------------------------------------------------------------------------------------------


def _run(
    kind: str,
    name: str,
    setup: Setup,
    asked: Asked,
    share_cash: bool,
    limits: dict[str, Floats] | None = None,
    good_for: int = 1,
) -> ArrayBacktest:
    tables: list[dict[str, Any]] = [asked.weights, asked.sizes, limits or {}]
    tables += [
        {str(k): one for k, one in enumerate(own) if one is not None} for own in asked.signals.values()
    ]
    tables += [dict(own) for own in asked.exits.values()]
    asked.columns = count_columns(*tables)
    if share_cash:
        check_one_purse(setup)
        names = [list(setup.markets)]
    else:
        if asked.max_positions:
            raise ConfigError("max_positions bounds one account's positions", expected="share_cash=True")
        names = [[key] for key in setup.markets]
    accounts = [Account(setup, own, asked) for own in names]
    setup.tell(0.5)
    started = time.process_time()
    columns = [(account, number) for account in accounts for number in range(asked.columns)]
    if limits is None:
        made = [_told(setup, len(columns), k, a.play(number)) for k, (a, number) in enumerate(columns)]
        found = ArrayBacktest(kind, setup, asked, accounts, name, time.process_time() - started, made)
    else:
        played = [
            _told(setup, len(columns), k, play_limits(a, name, number, limits, good_for))
            for k, (a, number) in enumerate(columns)
        ]
        seconds = time.process_time() - started
        results = [result for _, result in played]
        found = ArrayBacktest(
            kind, setup, asked, accounts, name, seconds, [one for one, _ in played], results
        )
    setup.tell(1.0)
    return found


def _told(setup: Setup, count: int, number: int, made: T) -> T:
    """Say that one more column is played, and pass it on."""
    setup.tell(0.5 + 0.25 * (number + 1) / count)
    return made


__all__ = ["ArrayBacktest", "Market", "from_orders", "from_signals", "from_weights"]
