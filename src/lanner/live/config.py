"""The settings of a paper or live session, as people write them, and the seed's ``LiveTradingConfig``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_serializer, model_validator

from lanner.backtest.config import (
    DEFAULT_CASH,
    Amount,
    Currency,
    Fees,
    FillsConfig,
    InstrumentName,
    LatencyConfig,
    LatencyTimes,
    Model,
    Params,
    Positive,
    RiskConfig,
    Slippage,
    SlippageConfig,
    StrategyConfig,
    Timeframe,
    refuse,
)
from lanner.core.errors import ConfigError
from lanner.storage.ledger.address import redacted_address
from lanner.telemetry.settings import AlertsConfig, LogConfig
from lanner.venues.registry import PRODUCTS, check_base_url, instrument_at


def _instrument(value: object) -> str:
    try:
        return instrument_at(str(value))
    except ConfigError as error:
        raise refuse(error.expected or "INSTRUMENT@VENUE") from None


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _none_is_all(value: object) -> object:
    return 0 if value is None else value


Traded = Annotated[str, BeforeValidator(_instrument)]


class JournalConfig(Model):
    """How the journal is kept; ``sync`` says what a power cut may lose (see ``storage.journal.Sync``)."""

    sync: Literal["none", "interval", "intents", "always"] = "intents"
    segment_mb: Annotated[int, Field(ge=1, le=1024)] = 64
    checkpoint_s: Annotated[float, Field(gt=0)] = 60.0


class RecoveryConfig(Model):
    """What is done about orders and positions that are not ours, how often all is compared with the venue, who watches.

    ``watchdog`` starts another process that ends the session when it is gone, or silent for ``watchdog_s``;
    ``watchdog_key`` is the name of the key that it uses (empty: the session's). ``dead_man_s`` arms the venue's own
    switch, where it has one: it cancels all orders when the session has not been well for so long.

    Checkpoints make the next start fast: the newest ``max_checkpoints`` are kept for ``max_checkpoint_age_h`` (0: none
    are made). One is made every ``journal.checkpoint_s`` and, with ``checkpoint_on_trade``, soon after each fill.
    """

    foreign_orders: Literal["adopt", "ignore", "cancel"] = "ignore"
    foreign_positions: Literal["refuse", "adopt"] = "refuse"
    reconcile_s: Annotated[float, Field(ge=5)] = 60.0
    inquire_s: Annotated[float, Field(gt=0)] = 1.0
    believe_absence_s: Annotated[float, Field(ge=1)] = 10.0
    watchdog: bool = True
    watchdog_s: Annotated[float, Field(ge=2)] = 10.0
    watchdog_key: str = ""
    dead_man_s: Annotated[float, Field(ge=5)] | None = None
    checkpoint_on_trade: bool = True
    max_checkpoints: Annotated[int, Field(ge=0, le=1_000)] = 10
    max_checkpoint_age_h: Annotated[float, Field(gt=0)] = 24.0


class RetentionConfig(Model):
    """How much of what is over a session keeps in memory; its journal and its ledger keep everything.

    Of the orders that have ended the newest ``ended_orders`` are kept (0 or null: all of them), and those that ended
    less than ``min_age_s`` ago. A live session counts that age up to its last comparison with the venue.
    """

    ended_orders: Annotated[int, BeforeValidator(_none_is_all), Field(ge=0)] = 10_000
    min_age_s: Annotated[float, Field(ge=1)] = 3_600.0


class ReloadConfig(Model):
    """How a running session hears of new parameters and limits: ``lanner reload`` always works, ``watch`` adds a file.

    ``file`` is looked at every ``interval_ms``; empty: the settings file that the session was started with. What was
    good last is kept beside the journal, the newest ``max_backups`` of them.
    """

    watch: bool = False
    file: str = ""
    interval_ms: Annotated[int, Field(ge=50)] = 1_000
    backup: bool = True
    max_backups: Annotated[int, Field(ge=1, le=1_000)] = 10


class LedgerConfig(Model):
    """Where sessions, orders, fills and equity are kept, besides the journal (see ``live.ledger``).

    ``url`` is ``postgresql://USER@HOST/NAME`` or ``sqlite:///PATH``, or says where it is kept (``env:NAME``,
    ``file:PATH``, ``keyring:NAME``); empty: a file in Lanner's home. Its password is kept out of everything that is
    written or shown.
    """

    enabled: bool = True
    url: Annotated[str, Field(repr=False)] = ""
    equity_s: Annotated[float, Field(ge=1)] = 10.0
    batch: Annotated[int, Field(ge=1, le=10_000)] = 50
    queue: Annotated[int, Field(ge=1)] = 50_000
    flush_ms: Annotated[int, Field(ge=10)] = 250
    wait_s: Annotated[float, Field(gt=0)] = 5.0

    @field_serializer("url")
    def _without_password(self, url: str) -> str:
        return redacted_address(url)


def _servers(value: object) -> object:
    """Let one address stand for the server of all products."""
    return {"": value} if isinstance(value, str) else value


def _check_servers(urls: dict[str, str]) -> dict[str, str]:
    """Refuse an address that is none, and one for a product that is not there: orders would go to the venue itself."""
    for product, url in urls.items():
        if product and product not in PRODUCTS:
            raise refuse(
                f"one of {', '.join(PRODUCTS)}", what=f"is told for {product!r}, which is no product"
            )
        try:
            check_base_url(url)
        except ConfigError as error:
            raise refuse(str(error.expected), what=f"has {url!r}, which is not a base URL") from None
    return urls


Servers = Annotated[dict[str, str], BeforeValidator(_servers), AfterValidator(_check_servers)]
"""Servers to use instead of the venues, by product; an empty name is any product."""


class SessionConfig(Model):
    """Everything a session can be told. Money, fees, delays and fill rules are those of paper trading.

    A live session sets ``leverage`` (1 on paper where not given) and ``margin_mode`` at the venue when it starts, see
    ``live.leverage``; without ``leverage`` the account's own settings stay.
    ``tick_ms`` adds ``system.tick`` at a fixed pace; None leaves the session driven by events alone. For live sessions
    that are in a hurry ``warm_ms`` keeps the way of an order in the processor's caches (see ``venues.rehearsal``), and
    ``busy_poll`` has the session never sleep: it takes a processor for itself, and ``warm_ms`` is 0.1 where not given.
    """

    name: str = ""
    mode: Literal["paper", "live"] = "paper"
    strategy: Annotated[str, Field(min_length=1)] | None = None
    params: Params = Field(default_factory=dict)
    strategies: Annotated[list[StrategyConfig], Field(min_length=1)] | None = None
    instruments: Annotated[list[Traded], BeforeValidator(_one_or_many), Field(min_length=1)]
    timeframe: Timeframe | None = None
    cash: Annotated[Amount, Field(gt=0, le=10**15)] = DEFAULT_CASH
    currency: Currency | None = None
    rates: dict[Currency, Positive] = Field(default_factory=dict)
    leverage: Annotated[Amount, Field(ge=1, le=1000)] | None = None
    margin_mode: Literal["cross", "isolated"] = "cross"
    fees: Fees | None = None
    slippage: Slippage = SlippageConfig(model="none", value=Decimal(0))
    latency: LatencyTimes = LatencyConfig()
    fills: FillsConfig = FillsConfig()
    risk: RiskConfig = RiskConfig()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    url: Servers = Field(default_factory=dict)
    testnet: bool = False
    ca_file: str = ""
    key: str = "default"
    tick_ms: Annotated[int, Field(ge=1)] | None = None
    warm_ms: Annotated[float, Field(ge=0.05)] | None = None
    busy_poll: bool = False
    heartbeat_ms: Annotated[int, Field(ge=100)] = 30_000
    journal: JournalConfig = JournalConfig()
    recovery: RecoveryConfig = RecoveryConfig()
    retention: RetentionConfig = RetentionConfig()
    ledger: LedgerConfig = LedgerConfig()
    reload: ReloadConfig = ReloadConfig()
    alerts: AlertsConfig = AlertsConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _is_consistent(self) -> SessionConfig:
        if (self.strategy is None) == (self.strategies is None):
            raise refuse("either strategy or strategies", what="which strategy to run is not clear")
        if self.strategies is not None and self.params:
            raise refuse(
                "params inside each entry of strategies", what="params stands beside a list of strategies"
            )
        allocated = sum(entry.allocation or 0 for entry in self.strategies or [])
        if allocated > 1 + 1e-9:
            raise refuse("a sum of at most 1", what=f"the allocations add up to {allocated:g}")
        return self

    def entries(self) -> list[StrategyConfig]:
        """Return the strategies; those without an allocation share what the others leave."""
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
        """Return the settings as plain data that reads back as the same settings. There are no secrets in them."""
        plain: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        return plain


class WebSocketEndpoint(Model):
    """One address to listen to, as the seed has it; everything but ``url`` can be concluded from it.

    ``subscriptions`` are texts that are sent after each opening.
    """

    url: str
    host: str = ""
    port: int = 0
    path: str = ""
    use_tls: bool = True
    subscriptions: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if isinstance(values, str):
            values = {"url": values}
        if not isinstance(values, dict):
            return values
        parts = urlsplit(str(values.get("url", "")))
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise refuse("ws://HOST[:PORT]/PATH or wss://…", what="an endpoint's address")
        tls = parts.scheme == "wss"
        concluded = {
            "host": parts.hostname,
            "port": parts.port or (443 if tls else 80),
            "path": (parts.path or "/ws") + (f"?{parts.query}" if parts.query else ""),
            "use_tls": tls,
        }
        return {**concluded, **values}


class LiveTradingConfig(Model):
    """How a ``LiveTradingEngine`` runs: the seed's seven fields, with its defaults.

    ``tick_interval_ms`` None leaves the engine driven by events alone. ``max_reconnect_attempts`` 0: without limit.
    """

    ws_endpoints: tuple[WebSocketEndpoint, ...] = ()
    heartbeat_interval_ms: Annotated[int, Field(ge=100)] = 30_000
    tick_interval_ms: Annotated[int, Field(ge=1)] | None = None
    enable_recovery: bool = True
    auto_reconnect: bool = True
    reconnect_base_ms: Annotated[int, Field(ge=1)] = 1_000
    reconnect_max_ms: Annotated[int, Field(ge=1)] = 60_000
    max_reconnect_attempts: Annotated[int, Field(ge=0)] = 0


__all__ = [
    "InstrumentName",
    "JournalConfig",
    "LedgerConfig",
    "LiveTradingConfig",
    "RecoveryConfig",
    "ReloadConfig",
    "RetentionConfig",
    "SessionConfig",
    "WebSocketEndpoint",
]
