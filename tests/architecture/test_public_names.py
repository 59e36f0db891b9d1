"""The names of the package are a promise: adding or dropping one is a decision, made here."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lanner

PROMISED = {
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
}


def test_the_public_names_are_the_promised_ones() -> None:
    assert set(lanner.__all__) == PROMISED


def test_every_public_name_can_be_had() -> None:
    for name in PROMISED:
        assert getattr(lanner, name) is not None
    assert callable(lanner.backtest)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Strategie"):
        getattr(lanner, "Strategie")  # noqa: B009


def test_importing_the_package_imports_almost_nothing() -> None:
    code = "import lanner, sys; print(*(name for name in sys.modules if name.startswith('lanner')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lanner"]
