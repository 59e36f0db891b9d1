"""What an alert is: how grave, about what, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

import msgspec


class AlertLevel(IntEnum):
    """How grave something is."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    CRITICAL = 3
    EMERGENCY = 4

    @property
    def word(self) -> str:
        """Return the level as it is written in settings and files."""
        return self.name.lower()


LEVELS = tuple(level.word for level in AlertLevel)


class AlertCategory(StrEnum):
    """What an alert is about."""

    RISK_POSITION_EXCEEDED = "risk_position_exceeded"
    RISK_LEVERAGE_EXCEEDED = "risk_leverage_exceeded"
    RISK_DAILY_LOSS = "risk_daily_loss"
    RISK_DRAWDOWN = "risk_drawdown"
    RISK_KILL_SWITCH = "risk_kill_switch"
    TRADE_EXECUTED = "trade_executed"
    TRADE_FAILED = "trade_failed"
    TRADE_STOP_LOSS = "trade_stop_loss"
    TRADE_TAKE_PROFIT = "trade_take_profit"
    TRADE_LIQUIDATION = "trade_liquidation"
    SYSTEM_CONNECTED = "system_connected"
    SYSTEM_DISCONNECTED = "system_disconnected"
    SYSTEM_ERROR = "system_error"
    SYSTEM_PERFORMANCE = "system_performance"
    SYSTEM_MEMORY = "system_memory"
    STRATEGY_STARTED = "strategy_started"
    STRATEGY_STOPPED = "strategy_stopped"
    STRATEGY_SIGNAL = "strategy_signal"
    STRATEGY_ERROR = "strategy_error"


class AlertDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """Figures of an alert; prices and quantities as the venue has them, ratios as fractions."""

    symbol: str | None = None
    price: float | None = None
    quantity: float | None = None
    pnl: float | None = None
    threshold: float | None = None
    actual: float | None = None


class Alert(msgspec.Struct, frozen=True):
    """One alert. ``timestamp`` is UNIX nanoseconds; ``repeats`` counts equal ones that were held back before it.

    ``id`` is the key of throttling: of alerts with the same id only one passes in a window of time.
    """

    id: str
    level: AlertLevel
    category: AlertCategory
    title: str
    message: str
    timestamp: int
    source: str = ""
    details: AlertDetails | None = None
    repeats: int = 0

    @property
    def time(self) -> str:
        """Return the alert's time in UTC."""
        return f"{datetime.fromtimestamp(self.timestamp / 1e9, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"

    def facts(self) -> list[tuple[str, str]]:
        """Return the figures and the count of repeats as pairs of words."""
        pairs = [] if self.details is None else list(msgspec.structs.asdict(self.details).items())
        told = [(name, _show(value)) for name, value in pairs if value is not None]
        return [*told, ("repeats", str(self.repeats))] if self.repeats else told

    def as_dict(self) -> dict[str, Any]:
        """Return the alert as plain data: what a webhook gets and what stands in the log file."""
        return {
            "id": self.id,
            "level": self.level.word,
            "category": self.category.value,
            "title": self.title,
            "message": self.message,
            "time": self.time,
            "timestamp": self.timestamp,
            "source": self.source,
            "details": {} if self.details is None else msgspec.to_builtins(self.details),
            "repeats": self.repeats,
        }


def alert_from(plain: dict[str, Any]) -> Alert:
    """Return the alert that ``as_dict`` told; raise ``KeyError`` or ``ValueError`` for what is none."""
    details = plain.get("details")
    return Alert(
        plain["id"],
        AlertLevel[plain["level"].upper()],
        AlertCategory(plain["category"]),
        plain["title"],
        plain["message"],
        int(plain["timestamp"]),
        plain.get("source", ""),
        msgspec.convert(details, AlertDetails) if details else None,
        int(plain.get("repeats", 0)),
    )


def _show(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
