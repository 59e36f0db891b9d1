"""What a request means: instruments, settings, the seed's defaults, and mistakes."""

from __future__ import annotations

import pytest

from lanner.control.requests import BacktestRequest, LiveRequest, StrategyRequest
from lanner.control.states import BACKTEST_LIFE, LIFE, LiveStatus
from lanner.control.symbols import instrument_of
from lanner.core.errors import ConfigError, TransitionError

SEED = {"session_id": "btc_dual_ma", "strategy_type": "dual_ma", "exchange": "hyperliquid", "symbol": "BTC"}


@pytest.mark.parametrize(
    ("exchange", "symbol", "instrument"),
    [
        ("hyperliquid", "BTC", "BTC-PERP.HYPERLIQUID"),
        ("hyperliquid", "eth-perp", "ETH-PERP.HYPERLIQUID"),
        ("hyperliquid", "BTC/USD", "BTC-PERP.HYPERLIQUID"),
        ("hyperliquid", "HYPE-USDC", "HYPE-USDC.HYPERLIQUID"),
        ("binance", "BTC", "BTC-USDT.BINANCE"),
        ("binance", "BTC/USDT", "BTC-USDT.BINANCE"),
        ("binance-spot", "ETHBTC", "ETH-BTC.BINANCE"),
        ("binance-usdm", "BTC-USDT", "BTCUSDT-PERP.BINANCE"),
        ("binance_usdm", "solusdc", "SOLUSDC-PERP.BINANCE"),
        ("binance", "BTCUSDT-PERP", "BTCUSDT-PERP.BINANCE"),
        ("anything", "BTC-USDT@binance", "BTC-USDT.BINANCE"),
        ("anything", "BTC-PERP.HYPERLIQUID", "BTC-PERP.HYPERLIQUID"),
    ],
)
def test_symbols_are_understood_as_people_write_them(exchange: str, symbol: str, instrument: str) -> None:
    assert instrument_of(exchange, symbol) == instrument


def test_the_seeds_request_has_the_seeds_defaults() -> None:
    request = LiveRequest.of({**SEED, "params": None})
    assert (request.mode, request.initial_capital) == ("paper", 10_000)
    config = request.config()
    assert config.mode == "paper"
    assert config.cash == {"": {"": 10_000}} or float(str(config.cash)) == 10_000
    assert config.instruments == ["BTC-PERP.HYPERLIQUID"]
    assert config.tick_ms is None


def test_parameters_may_be_text_and_settings_go_further() -> None:
    request = LiveRequest.of(
        {
            **SEED,
            "params": '{"fast": 3}',
            "symbols": ["ETH", "BTC"],
            "trading_mode": "clock_driven",
            "settings": {"seed": 9},
            "risk": {"max_open_orders": 3},
        }
    )
    config = request.config()
    assert config.params == {"fast": 3}
    assert config.instruments == ["BTC-PERP.HYPERLIQUID", "ETH-PERP.HYPERLIQUID"]
    assert (config.tick_ms, config.seed, config.risk.max_open_orders) == (1_000, 9, 3)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"mode": "real"}, "mode"),
        ({"params": "{"}, "JSON"),
        ({"initial_capital": 0}, "initial_capital"),
        ({"session_id": "../x"}, "session_id"),
        ({"private_key": "0x1"}, "private_key"),
    ],
)
def test_a_wrong_request_is_told(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LiveRequest.of({**SEED, **wrong})
    assert word in caught.value.message()


def test_a_strategys_request_brings_its_limits() -> None:
    told = {"strategy_id": "s", "strategy": "dual_ma", "symbol": "BTC"}
    config = StrategyRequest.of(told).live().config()
    assert (config.mode, config.timeframe, config.tick_ms) == ("paper", "1h", 5_000)
    assert float(str(config.risk.max_daily_loss_pct)) == 0.02
    real = StrategyRequest.of(
        {**told, "mode": "testnet", "risk_enabled": False, "max_position_size": 9}
    ).live()
    assert (real.mode, real.testnet, real.config().risk.max_daily_loss_pct) == ("live", True, None)


def test_a_backtests_request_has_the_seeds_costs() -> None:
    config = BacktestRequest.of({"strategy": "dual_ma", "symbol": "BTC-USDT", "start_date": "2024"}).config()
    plain = config.to_plain()
    assert plain["data"] == ["BTC-USDT.BINANCE@1h"]
    assert float(plain["fees"]["taker"]) == 0.0005
    assert float(plain["slippage"]["value"]) == 1


def test_the_tables_of_life_hold() -> None:
    for state, steps in LIFE.steps.items():
        for target in steps:
            LIFE.check(state, target)
    for status, later in BACKTEST_LIFE.steps.items():
        for next_status in later:
            BACKTEST_LIFE.check(status, next_status)
    with pytest.raises(TransitionError):
        LIFE.check(LiveStatus.STOPPED, LiveStatus.RUNNING)
    assert "running --> paused: pause" in LIFE.mermaid().lower()


def test_servers_of_the_environment_stand_in_for_the_venues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANNER_URL", "http://127.0.0.1:8090")
    assert LiveRequest.of(SEED).config().url == {"": "http://127.0.0.1:8090"}
    assert LiveRequest.of({**SEED, "testnet": True}).config().url == {}
    told = {"hyperliquid": "http://127.0.0.1:9"}
    assert LiveRequest.of({**SEED, "url": told}).config().url == told
    monkeypatch.delenv("LANNER_URL")
    assert LiveRequest.of(SEED).config().url == {}
