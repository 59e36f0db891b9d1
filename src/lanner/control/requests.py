"""What is asked of the ``EngineManager``: to run a session, a strategy, or a backtest."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lanner.backtest.config import BacktestConfig, Model, RiskConfig, Timeframe, refuse
from lanner.backtest.config_file import make_config
from lanner.backtest.mistakes import validate
from lanner.control.errors import InvalidGridCountError, InvalidPriceRangeError, MissingGridPricesError
from lanner.control.symbols import instrument_of
from lanner.live.config import ReloadConfig, SessionConfig
from lanner.live.connect import servers

GRID = "grid"
MIN_GRID, MAX_GRID = 2, 100


def _json_object(value: object) -> object:
    """Accept parameters as a JSON object in text, too; None is none."""
    if value is None:
        return {}
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except ValueError:
        raise refuse('a JSON object, e.g. {"fast": 10}', what="cannot be read") from None


JsonParams = Annotated[dict[str, bool | int | float | str], BeforeValidator(_json_object)]
SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class LiveRequest(Model):
    """A session to run, as the seed has it; what it does not know has the defaults of a settings file.

    ``exchange`` and ``symbol`` name the instrument (``BTC`` at Hyperliquid is its perpetual); ``symbols`` adds more.
    ``params`` is a JSON object, or its text. ``key`` names a stored key: a request never holds a secret. ``settings``
    are any further keys of a session's settings file. The grid's fields are parameters of the strategy ``grid``.
    """

    session_id: SessionId
    strategy_type: Annotated[str, Field(min_length=1)]
    exchange: str = "hyperliquid"
    symbol: str
    mode: Literal["paper", "live"] = "paper"
    initial_capital: Annotated[float, Field(gt=0, le=1e15)] = 10_000.0
    params: JsonParams = Field(default_factory=dict)
    symbols: list[str] = Field(default_factory=list)
    timeframe: Timeframe | None = None
    trading_mode: Literal["event_driven", "clock_driven", "hybrid"] | None = None
    tick_interval_ms: Annotated[int, Field(ge=1)] | None = None
    heartbeat_interval_ms: Annotated[int, Field(ge=100)] = 30_000
    leverage: Annotated[float, Field(ge=1, le=100)] = 1.0
    testnet: bool = False
    url: dict[str, str] = Field(default_factory=dict)
    key: str = "default"
    risk: RiskConfig = RiskConfig()
    reload: ReloadConfig = ReloadConfig()
    settings: dict[str, Any] = Field(default_factory=dict)
    upper_price: float | None = None
    lower_price: float | None = None
    grid_count: int | None = None
    order_size: float | None = None
    take_profit_pct: float | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the request that plain data tells; raise ``ConfigError`` with every mistake."""
        made: Self = validate(cls, values)
        return made

    @model_validator(mode="after")
    def _ticks(self) -> Self:
        if self.trading_mode == "clock_driven" and self.tick_interval_ms is None:
            object.__setattr__(self, "tick_interval_ms", 1_000)
        return self

    def instruments(self) -> list[str]:
        """Return the ids of the instruments, the first one first."""
        return list(
            dict.fromkeys(instrument_of(self.exchange, name) for name in (self.symbol, *self.symbols))
        )

    def all_params(self) -> dict[str, Any]:
        """Return the strategy's parameters, the grid's fields among them."""
        if self.strategy_type != GRID:
            return dict(self.params)
        return _grid_params(self)

    def config(self) -> SessionConfig:
        """Return the session's settings; raise ``ConfigError`` with every mistake."""
        values: dict[str, Any] = {
            "name": self.session_id,
            "mode": self.mode,
            "strategy": self.strategy_type,
            "params": self.all_params(),
            "instruments": self.instruments(),
            "timeframe": self.timeframe,
            "cash": self.initial_capital,
            "leverage": self.leverage,
            "heartbeat_ms": self.heartbeat_interval_ms,
            "tick_ms": None if self.trading_mode == "event_driven" else self.tick_interval_ms,
            "testnet": self.testnet,
            "url": servers(self.url, testnet=self.testnet),
            "key": self.key,
            "risk": self.risk.model_dump(mode="json", exclude_none=True),
            "reload": self.reload.model_dump(mode="json"),
            **self.settings,
        }
        config: SessionConfig = validate(SessionConfig, values)
        return config


def _grid_params(request: LiveRequest) -> dict[str, Any]:
    given = dict(request.params)
    fields = {
        "upper": request.upper_price,
        "lower": request.lower_price,
        "grid_count": request.grid_count,
        "order_size": request.order_size,
        "take_profit_pct": request.take_profit_pct,
    }
    params = {**{name: value for name, value in fields.items() if value is not None}, **given}
    upper, lower = float(params.get("upper", 0) or 0), float(params.get("lower", 0) or 0)
    if upper <= 0 or lower <= 0:
        raise MissingGridPricesError(
            "a grid needs its range", expected="upper_price and lower_price", found=f"{upper:g}, {lower:g}"
        )
    if upper <= lower:
        raise InvalidPriceRangeError(
            "the grid's range is empty", expected="upper_price > lower_price", found=f"{upper:g}, {lower:g}"
        )
    count = params.get("grid_count", 10)
    if not MIN_GRID <= int(count) <= MAX_GRID:
        raise InvalidGridCountError(
            "the grid has a number of levels that it cannot have",
            expected=f"grid_count from {MIN_GRID} to {MAX_GRID}",
            found=count,
        )
    return params


class StrategyRequest(Model):
    """A strategy to run by itself: a session with the limits that the seed names.

    ``mode`` ``testnet`` and ``mainnet`` send real orders, on the venue's test network or for real money.
    """

    strategy_id: SessionId
    strategy: Annotated[str, Field(min_length=1)]
    params: JsonParams = Field(default_factory=dict)
    exchange: str = "hyperliquid"
    symbol: str
    timeframe: Timeframe = "1h"
    mode: Literal["paper", "testnet", "mainnet"] = "paper"
    initial_capital: Annotated[float, Field(gt=0, le=1e15)] = 10_000.0
    check_interval_ms: Annotated[int, Field(ge=1)] = 5_000
    key: str = "default"
    url: dict[str, str] = Field(default_factory=dict)
    risk_enabled: bool = True
    max_daily_loss_pct: Annotated[float, Field(gt=0, le=1)] = 0.02
    max_position_size: Annotated[float, Field(gt=0)] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    upper_price: float | None = None
    lower_price: float | None = None
    grid_count: int | None = None
    order_size: float | None = None
    take_profit_pct: float | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the request that plain data tells; raise ``ConfigError`` with every mistake."""
        made: Self = validate(cls, values)
        return made

    def live(self) -> LiveRequest:
        """Return the session that runs the strategy."""
        risk: dict[str, Any] = {}
        if self.risk_enabled:
            risk["max_daily_loss_pct"] = self.max_daily_loss_pct
            if self.max_position_size is not None:
                risk["max_position_size"] = self.max_position_size
        settings = dict(self.settings)
        return LiveRequest.of(
            {
                "session_id": self.strategy_id,
                "strategy_type": self.strategy,
                "exchange": self.exchange,
                "symbol": self.symbol,
                "mode": "paper" if self.mode == "paper" else "live",
                "initial_capital": self.initial_capital,
                "params": self.params,
                "timeframe": self.timeframe,
                "tick_interval_ms": self.check_interval_ms,
                "testnet": self.mode == "testnet",
                "url": servers(self.url, testnet=self.mode == "testnet"),
                "key": self.key,
                "risk": {**risk, **settings.pop("risk", {})},
                "settings": settings,
                **{name: getattr(self, name) for name in _GRID_FIELDS},
            }
        )


_GRID_FIELDS = ("upper_price", "lower_price", "grid_count", "order_size", "take_profit_pct")


class BacktestRequest(Model):
    """A backtest to run: the seed's fields. ``commission`` and ``slippage`` are fractions of the price.

    ``data_file`` is a file with bars; without one ``symbol`` and ``timeframe`` name a data set of the catalog.
    ``settings`` are any further keys of a backtest's settings file.
    """

    strategy: Annotated[str, Field(min_length=1)]
    params: JsonParams = Field(default_factory=dict)
    exchange: str = "binance"
    symbol: str
    timeframe: Timeframe = "1h"
    start_date: str | None = None
    end_date: str | None = None
    initial_capital: Annotated[float, Field(gt=0, le=1e15)] = 10_000.0
    commission: Annotated[float, Field(ge=0, lt=1)] = 0.0005
    slippage: Annotated[float, Field(ge=0, lt=1)] = 0.0001
    data_file: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the request that plain data tells; raise ``ConfigError`` with every mistake."""
        made: Self = validate(cls, values)
        return made

    def config(self) -> BacktestConfig:
        """Return the backtest's settings; raise ``ConfigError`` with every mistake."""
        instrument = self.symbol if "." in self.symbol else instrument_of(self.exchange, self.symbol)
        values: dict[str, Any] = {
            "strategy": self.strategy,
            "params": self.params,
            "data": [self.data_file or f"{instrument}@{self.timeframe}"],
            "timeframe": self.timeframe,
            "cash": self.initial_capital,
            "fees": {"maker": self.commission, "taker": self.commission},
            "slippage": {"model": "bps", "value": round(self.slippage * 1e4, 9)},
        }
        if self.data_file:
            values["instrument"] = instrument
        if self.start_date is not None:
            values["since"] = self.start_date
        if self.end_date is not None:
            values["until"] = self.end_date
        return make_config({**values, **self.settings})
