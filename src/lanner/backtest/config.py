"""The settings of a backtest, as people write them: YAML keys, command line options, keyword arguments.

Every model refuses unknown keys; ``mistakes.py`` turns what pydantic finds into messages that name the key, the
line, what was expected and what was found. ``prepare.py`` makes a ``BacktestSpec`` of the result.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from lanner.backtest.dates import EXPECTED as TIME_EXPECTED
from lanner.backtest.dates import format_time, parse_time
from lanner.core.errors import ConfigError
from lanner.model.instruments import check_instrument_id
from lanner.model.timeframes import timeframe_ns

DEFAULT_CASH = Decimal(10_000)
DEFAULT_FEE = Decimal("0.001")
"""Maker and taker fee assumed for an instrument that comes without a fee schedule: 10 basis points."""
STRATEGY_EXPECTED = "a name from `lanner strategies`, file.py, file.py:Class or module:Class"


def refuse(expected: str, fix: str = "", what: str = "") -> PydanticCustomError:
    """Return the error that a validator raises: what would have been right."""
    return PydanticCustomError(
        "lanner", "expected {expected}", {"expected": expected, "fix": fix, "what": what}
    )


# -- kinds of values --------------------------------------------------------------------------------------------


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise refuse("a number")
    try:
        number = Decimal(str(value).replace("_", "").strip())
    except InvalidOperation:
        raise refuse("a number") from None
    if not number.is_finite():
        raise refuse("a finite number")
    return number


def _time(value: object) -> int:
    try:
        return parse_time(value)
    except ConfigError:
        raise refuse(TIME_EXPECTED) from None


def _instrument_id(value: object) -> str:
    try:
        return check_instrument_id(str(value))
    except ConfigError:
        raise refuse("SYMBOL.VENUE, e.g. BTC-USDT.BINANCE or BTC-PERP.HYPERLIQUID") from None


def _timeframe(value: object) -> str:
    try:
        timeframe_ns(str(value))
    except ConfigError as error:
        raise refuse(error.expected or "a timeframe", error.fix or "") from None
    return str(value)


def _report(value: object) -> object:
    if not isinstance(value, bool | str) or value == "":
        raise refuse("true, false or the path of a file")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or not all(part.isalnum() for part in value.split(".")):
        raise refuse("a currency, e.g. USDT")
    return value.upper()


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _number_text(value: Decimal) -> int | float | str:
    """Write a Decimal as the plainest YAML scalar that reads back as the same Decimal."""
    if value == value.to_integral_value() and abs(value) < 10**15:
        return int(value)
    return float(value) if Decimal(str(float(value))) == value else str(value)


Amount = Annotated[Decimal, BeforeValidator(_decimal), PlainSerializer(_number_text, when_used="json")]
Positive = Annotated[Amount, Field(gt=0)]
NotNegative = Annotated[Amount, Field(ge=0)]
FeeRate = Annotated[Amount, Field(ge=Decimal("-0.1"), le=Decimal("0.1"))]
Time = Annotated[int, BeforeValidator(_time), PlainSerializer(format_time, when_used="json")]
InstrumentName = Annotated[str, BeforeValidator(_instrument_id)]
Timeframe = Annotated[str, BeforeValidator(_timeframe)]
Texts = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_one_or_many)]
Money = Annotated[Amount, Field(ge=0, le=10**15)]
Currency = Annotated[str, BeforeValidator(_currency)]
CurrencyOrNone = Annotated[str, BeforeValidator(lambda value: value if value == "" else _currency(value))]
Millis = Annotated[Amount, Field(ge=0, le=3_600_000)]
Params = dict[str, bool | int | float | str]


class Model(BaseModel):
    """Base of all settings: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# -- the parts --------------------------------------------------------------------------------------------------


class StrategyConfig(Model):
    """One strategy of several in a run."""

    strategy: Annotated[str, Field(min_length=1)]
    params: Params = {}
    allocation: Annotated[float, Field(gt=0, le=1)] | None = None
    instruments: Annotated[list[InstrumentName], BeforeValidator(_one_or_many)] = []
    id: str | None = None


class InstrumentConfig(Model):
    """What is said about an instrument, over what the catalog knows of it."""

    kind: Literal["spot", "perp"] | None = None
    tick: Positive | None = None
    lot: Positive | None = None
    multiplier: Positive | None = None
    min_qty: NotNegative | None = None
    max_qty: Positive | None = None
    min_notional: NotNegative | None = None
    maker: FeeRate | None = None
    taker: FeeRate | None = None
    max_leverage: Annotated[Amount, Field(ge=1)] | None = None
    maintenance_margin: Annotated[Amount, Field(ge=0, lt=1)] | None = None


class FeesConfig(Model):
    """Fees as fractions of notional, over the instruments' own schedules.

    ``in_base``: the fee of a spot buy is kept of the bought coin. Not told, a session does as the venue, and a backtest
    takes all fees in money.
    """

    maker: FeeRate = DEFAULT_FEE
    taker: FeeRate = DEFAULT_FEE
    in_base: bool | None = None

    @property
    def tells_rates(self) -> bool:
        """Tell whether it says more than where fees are taken."""
        return bool({"maker", "taker"} & self.model_fields_set) or self.in_base is None


class SlippageConfig(Model):
    """How far a taker's price is moved against him: ``bps``, ``ticks``, ``volume`` or ``none``."""

    model: Literal["none", "bps", "ticks", "volume"] = "bps"
    value: NotNegative = Decimal(5)


class DelayConfig(Model):
    """One delay: constant ``ms``, normal around it with ``sigma_ms``, or linear between ``points`` of (time, ms)."""

    model: Literal["constant", "normal", "interpolated"] = "constant"
    ms: Millis = Decimal(0)
    sigma_ms: Millis = Decimal(0)
    points: list[tuple[Time, Millis]] = []

    @model_validator(mode="after")
    def _fits_its_model(self) -> DelayConfig:
        if self.model != "interpolated" and self.points:
            raise refuse("points only with model: interpolated")
        if self.model == "interpolated" and not self.points:
            raise refuse("at least one [time, ms] pair under points with model: interpolated")
        if self.model != "normal" and self.sigma_ms:
            raise refuse("sigma_ms only with model: normal")
        times = [ts for ts, _ in self.points]
        if times != sorted(times):
            raise refuse("points in order of time")
        return self


def _delay(value: object) -> object:
    return {"ms": value} if isinstance(value, int | float | str) and not isinstance(value, bool) else value


Delay = Annotated[DelayConfig, BeforeValidator(_delay)]


class LatencyConfig(Model):
    """The delays between us and a venue; ``cancel`` and ``amend`` cost what ``entry`` costs unless given."""

    feed: Delay = DelayConfig()
    entry: Delay = DelayConfig()
    exchange: Delay = DelayConfig()
    response: Delay = DelayConfig()
    cancel: Delay | None = None
    amend: Delay | None = None


class FillsConfig(Model):
    """How orders meet the market; ``docs/reference/fill-specification.md`` is the specification."""

    market_on: Literal["next_open", "close"] = "next_open"
    limit_on: Literal["through", "touch"] = "through"
    gap_fill: Literal["limit", "open"] = "limit"
    participation: Annotated[float, Field(gt=0, le=1)] = 1.0
    bar_participation: Annotated[float, Field(ge=0, le=1)] = 0.0
    walk_ticks: Annotated[int, Field(ge=0)] = 50


Ratio = Annotated[Amount, Field(gt=0, le=1)]


class RiskRulesConfig(Model):
    """Limits for the account or a part of it (``RiskRules``); ratios are fractions, days begin at 00:00 UTC."""

    max_position_size: Positive | None = None
    max_position_per_symbol: Positive | None = None
    max_exposure: Positive | None = None
    max_leverage: Positive | None = None
    max_daily_loss: Positive | None = None
    max_daily_loss_pct: Ratio | None = None
    max_drawdown_pct: Ratio | None = None
    max_orders_per_minute: Annotated[int, Field(ge=1)] | None = None
    max_order_value: Positive | None = None
    allowed_symbols: Texts | None = None
    price_collar: Ratio | None = None
    max_quote_age_s: Annotated[float, Field(gt=0)] | None = None
    max_spread: Ratio | None = None


class RiskConfig(RiskRulesConfig):
    """Pre-trade limits in the run's currency; ``on_deny: stop`` ends the run with the first order they refuse.

    ``preset`` gives the account's limits that are not given here; ``strategies``, ``instruments`` and ``venues`` add
    limits for a part of the account. ``stops`` says where the stops of ``self.stops`` are kept: at the venue where it
    can rest them, or by the engine.
    """

    max_order_notional: Positive | None = None
    max_position_notional: Positive | None = None
    max_open_orders: Annotated[int, Field(ge=1)] = 200
    max_intents_per_step: Annotated[int, Field(ge=1)] = 100
    on_deny: Literal["record", "stop"] = "record"
    preset: Literal["default", "conservative"] | None = None
    kill_switch_threshold: Positive | None = None
    close_positions_on_kill_switch: bool | None = None
    stops: Literal["venue", "engine"] = "venue"
    strategies: dict[str, RiskRulesConfig] | None = None
    instruments: dict[InstrumentName, RiskRulesConfig] | None = None
    venues: dict[str, RiskRulesConfig] | None = None


# -- the whole --------------------------------------------------------------------------------------------------


def _cash(value: object) -> object:
    """Accept one number, amounts by currency, or amounts by venue and currency; the unnamed is ``""``."""
    if isinstance(value, int | float | str | Decimal):
        return {"": {"": value}}
    if isinstance(value, dict) and value and not any(isinstance(entry, dict) for entry in value.values()):
        return {"": value}
    return value


def _slippage(value: object) -> object:
    """Accept a bare number of basis points, or the bare name of a model."""
    if isinstance(value, str):
        return {"model": value}
    return (
        {"value": value}
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        else value
    )


def _latency(value: object) -> object:
    """Accept a bare number of milliseconds for each of feed, entry and response."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return {"feed": value, "entry": value, "response": value}
    return value


def _fees(value: object) -> object:
    """Accept one rate for maker and taker."""
    return {"maker": value, "taker": value} if isinstance(value, int | float | Decimal) else value


Fees = Annotated[FeesConfig, BeforeValidator(_fees)]
Slippage = Annotated[SlippageConfig, BeforeValidator(_slippage)]
LatencyTimes = Annotated[LatencyConfig, BeforeValidator(_latency)]


class BacktestConfig(Model):
    """Everything a backtest can be told. Times are UTC; ``since`` is inclusive, ``until`` exclusive."""

    name: str = ""
    strategy: Annotated[str, Field(min_length=1)] | None = None
    params: Params = {}
    strategies: Annotated[list[StrategyConfig], Field(min_length=1)] | None = None
    data: Annotated[Texts, Field(min_length=1)]
    instrument: InstrumentName | None = None
    timeframe: Timeframe | None = None
    format: str | None = None
    detail: Timeframe | None = None
    instruments: dict[InstrumentName, InstrumentConfig] = {}
    since: Time | None = None
    until: Time | None = None
    cash: Annotated[dict[str, dict[CurrencyOrNone, Money]], BeforeValidator(_cash)] = {"": {"": DEFAULT_CASH}}
    currency: Currency | None = None
    rates: dict[Currency, Positive] = {}
    fees: Fees | None = None
    slippage: Slippage = SlippageConfig()
    latency: LatencyTimes = LatencyConfig()
    fills: FillsConfig = FillsConfig()
    clock: Literal["venue", "recorded"] = "venue"
    leverage: Annotated[Amount, Field(ge=1, le=1000)] = Decimal(1)
    funding: Literal["data", "assume-zero"] = "data"
    risk: RiskConfig = RiskConfig()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    report: Annotated[bool | str, BeforeValidator(_report)] = True
    catalog: str | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> BacktestConfig:
        if self.strategy is None and self.strategies is None:
            raise refuse(STRATEGY_EXPECTED, what="no strategy is given")
        if self.strategy is not None and self.strategies is not None:
            raise refuse("one of the two", what="both strategy and strategies are given")
        if self.strategies is not None and self.params:
            raise refuse(
                "params inside each entry of strategies", what="params stands beside a list of strategies"
            )
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise refuse(
                "since before until",
                what=f"the time span is empty: since {format_time(self.since)}, until {format_time(self.until)}",
            )
        if self.clock == "recorded" and self.latency.feed != DelayConfig():
            raise refuse(
                "clock: venue with a delay of the feed, or clock: recorded without one",
                "Leave latency.feed out; latency.entry and latency.response go with either clock.",
                what="both clock: recorded and latency.feed are given",
            )
        allocated = sum(entry.allocation or 0 for entry in self.strategies or [])
        if allocated > 1 + 1e-9:
            raise refuse("a sum of at most 1", what=f"the allocations add up to {allocated:g}")
        return self

    def entries(self) -> list[StrategyConfig]:
        """Return the strategies of the run; those without an allocation share what the others leave."""
        if self.strategies is None:
            assert self.strategy is not None
            return [StrategyConfig(strategy=self.strategy, params=self.params, allocation=1.0)]
        open_ended = sum(entry.allocation is None for entry in self.strategies)
        rest = 1.0 - sum(entry.allocation or 0.0 for entry in self.strategies)
        share = rest / open_ended if open_ended else 0.0
        return [
            entry if entry.allocation is not None else entry.model_copy(update={"allocation": share})
            for entry in self.strategies
        ]

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as plain data that reads back as the same settings; defaults are written out."""
        plain = self.model_dump(mode="json", exclude_none=True)
        if set(self.cash) == {""}:
            amounts = plain["cash"][""]
            plain["cash"] = amounts[""] if set(amounts) == {""} else amounts
        return plain
