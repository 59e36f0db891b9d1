"""Lanner: quantitative trading for crypto markets, one strategy from research to backtest, paper and live.

``import lanner as ln`` is cheap: every public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "Backtest": "lanner.backtest.notebook",
    "BacktestRequest": "lanner.control.requests",
    "Bar": "lanner.model.market",
    "BookUpdate": "lanner.model.market",
    "Cache": "lanner.engine.cache",
    "Catalog": "lanner.storage.catalog",
    "Clock": "lanner.control.clock",
    "ConfigError": "lanner.core.errors",
    "DataEngine": "lanner.control.data_engine",
    "DataError": "lanner.core.errors",
    "EngineManager": "lanner.control.manager",
    "ExecutionEngine": "lanner.control.execution_engine",
    "Fill": "lanner.model.reports",
    "FundingRate": "lanner.model.market",
    "HotReloadManager": "lanner.live.reload",
    "Instrument": "lanner.model.instruments",
    "InvalidStopLoss": "lanner.core.errors",
    "InvalidTakeProfit": "lanner.core.errors",
    "InvalidTrailingPercent": "lanner.core.errors",
    "LannerError": "lanner.core.errors",
    "LiveRequest": "lanner.control.requests",
    "LiveRunner": "lanner.control.runner",
    "LiveStats": "lanner.control.stats",
    "LiveStatus": "lanner.control.states",
    "LiveTradingConfig": "lanner.live.config",
    "LiveTradingEngine": "lanner.control.trading_engine",
    "MessageBus": "lanner.core.bus",
    "NotFoundError": "lanner.core.errors",
    "OrderStatus": "lanner.model.enums",
    "OrderType": "lanner.model.enums",
    "OrderView": "lanner.model.orders",
    "PaperTradingConfig": "lanner.control.paper_engine",
    "PaperTradingEngine": "lanner.control.paper_engine",
    "Param": "lanner.strategy.parameters",
    "Quote": "lanner.model.market",
    "RiskRefusedError": "lanner.core.errors",
    "SessionConfig": "lanner.live.config",
    "Side": "lanner.model.enums",
    "StopEvent": "lanner.execution.stops",
    "StopLossManager": "lanner.strategy.protection",
    "Strategy": "lanner.strategy.base",
    "StrategyError": "lanner.core.errors",
    "StrategyRequest": "lanner.control.requests",
    "StrategyRunner": "lanner.control.strategies",
    "Sweep": "lanner.research.notebook",
    "TimeInForce": "lanner.model.enums",
    "Trade": "lanner.model.market",
    "TriggerStrategy": "lanner.strategy.triggers",
    "WebSocketEndpoint": "lanner.live.config",
    "compiled": "lanner.strategy.compiled",
    "from_orders": "lanner.research.vector",
    "from_signals": "lanner.research.vector",
    "from_strategy": "lanner.research.vector_strategy",
    "from_weights": "lanner.research.vector",
    "require": "lanner.strategy.base",
    "signal": "lanner.strategy.vector",
    "signal_array": "lanner.strategy.vector",
    "sweep": "lanner.research.notebook",
    "where": "lanner.strategy.expression",
}

__all__ = [
    "Backtest",
    "BacktestRequest",
    "Bar",
    "BookUpdate",
    "Cache",
    "Catalog",
    "Clock",
    "ConfigError",
    "DataEngine",
    "DataError",
    "EngineManager",
    "ExecutionEngine",
    "Fill",
    "FundingRate",
    "HotReloadManager",
    "Instrument",
    "InvalidStopLoss",
    "InvalidTakeProfit",
    "InvalidTrailingPercent",
    "LannerError",
    "LiveRequest",
    "LiveRunner",
    "LiveStats",
    "LiveStatus",
    "LiveTradingConfig",
    "LiveTradingEngine",
    "MessageBus",
    "NotFoundError",
    "OrderStatus",
    "OrderType",
    "OrderView",
    "PaperTradingConfig",
    "PaperTradingEngine",
    "Param",
    "Quote",
    "RiskRefusedError",
    "SessionConfig",
    "Side",
    "StopEvent",
    "StopLossManager",
    "Strategy",
    "StrategyError",
    "StrategyRequest",
    "StrategyRunner",
    "Sweep",
    "TimeInForce",
    "Trade",
    "TriggerStrategy",
    "WebSocketEndpoint",
    "__version__",
    "backtest",
    "compiled",
    "from_orders",
    "from_signals",
    "from_strategy",
    "from_weights",
    "require",
    "signal",
    "signal_array",
    "sweep",
    "where",
]

if TYPE_CHECKING:
    from lanner.backtest.notebook import Backtest, backtest
    from lanner.control.clock import Clock
    from lanner.control.data_engine import DataEngine
    from lanner.control.execution_engine import ExecutionEngine
    from lanner.control.manager import EngineManager
    from lanner.control.paper_engine import PaperTradingConfig, PaperTradingEngine
    from lanner.control.requests import BacktestRequest, LiveRequest, StrategyRequest
    from lanner.control.runner import LiveRunner
    from lanner.control.states import LiveStatus
    from lanner.control.stats import LiveStats
    from lanner.control.strategies import StrategyRunner
    from lanner.control.trading_engine import LiveTradingEngine
    from lanner.core.bus import MessageBus
    from lanner.core.errors import (
        ConfigError,
        DataError,
        InvalidStopLoss,
        InvalidTakeProfit,
        InvalidTrailingPercent,
        LannerError,
        NotFoundError,
        RiskRefusedError,
        StrategyError,
    )
    from lanner.engine.cache import Cache
    from lanner.execution.stops import StopEvent
    from lanner.live.config import LiveTradingConfig, SessionConfig, WebSocketEndpoint
    from lanner.live.reload import HotReloadManager
    from lanner.model.enums import OrderStatus, OrderType, Side, TimeInForce
    from lanner.model.instruments import Instrument
    from lanner.model.market import Bar, BookUpdate, FundingRate, Quote, Trade
    from lanner.model.orders import OrderView
    from lanner.model.reports import Fill
    from lanner.research.notebook import Sweep, sweep
    from lanner.research.vector import from_orders, from_signals, from_weights
    from lanner.research.vector_strategy import from_strategy
    from lanner.storage.catalog import Catalog
    from lanner.strategy.base import Strategy, require
    from lanner.strategy.compiled import compiled
    from lanner.strategy.expression import where
    from lanner.strategy.parameters import Param
    from lanner.strategy.protection import StopLossManager
    from lanner.strategy.triggers import TriggerStrategy
    from lanner.strategy.vector import signal, signal_array


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if name == "backtest":
        return import_module("lanner.backtest")  # a package that can be called
    if home is None:
        raise AttributeError(f"module 'lanner' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
