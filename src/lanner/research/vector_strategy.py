"""Signal functions as array backtests: by name, from a file, or as they stand; many sets of parameters at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lanner.core.errors import ConfigError
from lanner.kernels import require
from lanner.model.timeframes import timeframe_ns
from lanner.research.evaluate import SignalProgram
from lanner.research.market import Floats
from lanner.research.vector import follow
from lanner.research.vector_input import DEFAULT_CAPITAL, Data, Setup, prepare
from lanner.research.vector_result import ArrayBacktest
from lanner.strategy.base import Strategy
from lanner.strategy.library import signals as library
from lanner.strategy.registry import load_strategy
from lanner.strategy.vector import SignalStrategy

SIGNALS: dict[str, type[SignalStrategy]] = {
    "dual_ma": library.ma_cross,
    "rsi": library.rsi_bounds,
    "macd": library.macd_cross,
    "bollinger": library.bollinger_bands,
}
"""Signal functions that array backtests know by name; they take bars of any length."""


def from_strategy(
    data: Data,
    strategy: type[Strategy] | str | Path = "dual_ma",
    params: Mapping[str, Any] | None = None,
    *,
    share_cash: bool = True,
    fill: str = "next_open",
    capital: Any = DEFAULT_CAPITAL,
    fees: Any = None,
    maker: Any = None,
    taker: Any = None,
    slippage: Any = None,
    leverage: Any = 1,
    funding: str | None = None,
    name: str = "",
    **settings: Any,
) -> ArrayBacktest:
    """Play a signal function over whole columns and return what came of it.

    ``strategy`` is a function under ``@lanner.signal``, the file of one, or a name: dual_ma, rsi, macd, bollinger.
    ``params`` are values, or lists of equally many values: one column for each place. Stop and target are the
    strategy's own. The orders are those of the event engine. The rest is as in ``from_signals``.
    """
    require("signals over whole columns")
    cls = _signal_class(strategy)
    sets = _sets(params or {})
    setup = prepare(
        data, "from_strategy", fill=fill, capital=capital, fees=fees, maker=maker, taker=taker, slippage=slippage,
        leverage=leverage, funding=funding, settings=settings,
    )  # fmt: skip
    program = SignalProgram(cls, sets)
    share = 1.0 / len(setup.markets) if share_cash else 1.0
    weights = {key: share * table for key, table in _weights(program, cls, setup).items()}
    exits = {"stop": cls.stop, "take": cls.take}
    return follow(
        "from_strategy", name or cls.name, setup, weights, exits, cls.allow_short or None, share_cash
    )


def _signal_class(strategy: type[Strategy] | str | Path) -> type[SignalStrategy]:
    if isinstance(strategy, type):
        found = strategy
    else:
        found = SIGNALS.get(str(strategy)) or load_strategy(str(strategy))
    if not issubclass(found, SignalStrategy):
        raise ConfigError(
            f"{found.__name__} is not a signal function",
            expected=f"a function under @lanner.signal, or {', '.join(SIGNALS)}",
            fix="Run it in the event engine: lanner.backtest.",
        )
    return found


def _sets(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = {
        key: list(value)
        for key, value in params.items()
        if isinstance(value, list | tuple | range | np.ndarray)
    }
    sizes = {len(values) for values in lists.values()}
    if len(sizes) > 1 or 0 in sizes:
        found = ", ".join(f"{key}: {len(values)}" for key, values in lists.items())
        raise ConfigError(
            "the parameters have different numbers of values", expected="equally many", found=found
        )
    count = sizes.pop() if sizes else 1
    plain = [{key: _plain(values[place]) for key, values in lists.items()} for place in range(count)]
    return [{key: own.get(key, value) for key, value in params.items()} for own in plain]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _weights(program: SignalProgram, cls: type[SignalStrategy], setup: Setup) -> dict[str, Floats]:
    found = {}
    for key, market in setup.markets.items():
        if cls not in SIGNALS.values() and timeframe_ns(cls.timeframe or "") != timeframe_ns(
            market.timeframe
        ):
            raise ConfigError(
                f"{cls.name} asks for other bars",
                expected=f"{cls.timeframe} bars",
                found=f"{market.timeframe} bars",
            )
        table = program.columns(market.columns)
        weights = np.empty((len(market), len(program)), order="F")
        for index in table.order():
            table.weights(index, weights[:, index])
        if not cls.allow_short or market.instrument.is_spot:
            weights = np.where(weights < 0.0, 0.0, weights)
        found[key] = weights
    return found
