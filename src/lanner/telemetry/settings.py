"""The settings of alerts and of a session's log, as people write them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lanner.telemetry.alerts import AlertLevel
from lanner.telemetry.secrets import SecretText

ChannelType = Literal["console", "log", "webhook", "telegram", "email", "slack", "discord", "apprise"]
TYPES = ("console", "log", "webhook", "telegram", "email", "slack", "discord", "apprise")
Mailers = Literal["smtp", "sendgrid", "mailgun", "resend"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_USUAL: dict[str, tuple[AlertLevel, int | None]] = {
    "console": (AlertLevel.INFO, None),
    "log": (AlertLevel.DEBUG, None),
    "webhook": (AlertLevel.WARNING, 60),
    "telegram": (AlertLevel.WARNING, 30),
    "slack": (AlertLevel.WARNING, 30),
    "discord": (AlertLevel.WARNING, 30),
    "apprise": (AlertLevel.WARNING, 30),
    "email": (AlertLevel.CRITICAL, 10),
}
"""From which level on a channel is used, and how many messages it takes in a minute, where nothing is said."""

_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "console": (set(), set()),
    "log": (set(), {"max_mb", "keep"}),
    "webhook": ({"url"}, {"headers"}),
    "telegram": ({"bot_token", "chat_id"}, set()),
    "email": ({"sender", "to"}, {"provider", "host", "port", "security", "user", "password", "api_key"}),
    "slack": ({"url"}, set()),
    "discord": ({"url"}, set()),
    "apprise": ({"url"}, set()),
}
"""Which keys a type of channel needs, and which it may have besides."""


def _refuse(expected: str, what: str) -> PydanticCustomError:
    return PydanticCustomError(
        "lanner", "expected {expected}", {"expected": expected, "fix": "", "what": what, "hide": True}
    )


def _level(value: object) -> object:
    return value.word if isinstance(value, AlertLevel) else value.lower() if isinstance(value, str) else value


def level_of(word: str) -> AlertLevel:
    """Return the level of a word of the settings."""
    return AlertLevel[word.upper()]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Level = Annotated[Literal["debug", "info", "warning", "critical", "emergency"], BeforeValidator(_level)]
Hour = Annotated[int, Field(ge=0, le=23)]


class _Model(BaseModel):
    """Frozen, unknown keys refused; errors do not show what was found, which may be a secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChannelConfig(_Model):
    """One way out. Which keys it needs depends on its ``type``; ``min_level`` and ``per_minute`` have usual values."""

    type: ChannelType
    enabled: bool = True
    min_level: Level | None = None
    per_minute: Annotated[int, Field(ge=1, le=10_000)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 4.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    queue: Annotated[int, Field(ge=1, le=100_000)] = 200
    url: SecretText | None = None
    headers: dict[str, SecretText] | None = None
    bot_token: SecretText | None = None
    chat_id: int | str | None = None
    provider: Mailers | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Literal["starttls", "ssl", "none"] | None = None
    user: str | None = None
    password: SecretText | None = None
    api_key: SecretText | None = None
    sender: Annotated[str, Field(min_length=3)] | None = None
    to: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)] | None = None
    max_mb: Annotated[float, Field(gt=0, le=10_000)] | None = None
    keep: Annotated[int, Field(ge=0, le=100)] | None = None

    @model_validator(mode="after")
    def _has_its_keys(self) -> ChannelConfig:
        needed, allowed = _KEYS[self.type]
        told = {name for name in type(self).model_fields if getattr(self, name) is not None} & _OWN
        missing = sorted(needed - told)
        if missing:
            raise _refuse(", ".join(sorted(needed)), f"lacks {', '.join(missing)}")
        strange = sorted(told - needed - allowed)
        if strange:
            known = ", ".join(sorted(needed | allowed)) or "no keys of its own"
            raise _refuse(known, f"is of type {self.type}, which has no {', '.join(strange)}")
        if self.type == "email":
            self._is_a_mailer()
        return self

    def _is_a_mailer(self) -> None:
        if (self.provider or "smtp") == "smtp":
            if self.host is None:
                raise _refuse("the mail server's host", "lacks host")
            if self.api_key is not None:
                raise _refuse(
                    "provider: sendgrid, mailgun or resend beside api_key", "has an api_key for SMTP"
                )
        elif self.api_key is None:
            raise _refuse("api_key", f"lacks the api_key of {self.provider}")

    @property
    def least(self) -> AlertLevel:
        """Return the level from which on the channel is used."""
        return _USUAL[self.type][0] if self.min_level is None else level_of(self.min_level)

    @property
    def rate(self) -> int | None:
        """Return how many messages may be sent in a minute, None for any number."""
        return _USUAL[self.type][1] if self.per_minute is None else self.per_minute

    def secrets(self) -> dict[str, SecretText]:
        """Return what is secret by the key it stands at."""
        found = {name: getattr(self, name) for name in ("url", "bot_token", "password", "api_key")}
        found |= {f"headers.{name}": value for name, value in (self.headers or {}).items()}
        return {name: value for name, value in found.items() if value}


_OWN = frozenset().union(*(needed | allowed for needed, allowed in _KEYS.values()))


def _named(value: object) -> object:
    """Let the name of a channel stand for its type (``telegram: {…}``); terminal and log file are always there."""
    if not isinstance(value, dict):
        return value
    value = {"console": None, "log": None, **value}
    return {
        name: {"type": name, **(told or {})}
        if name in TYPES and (told is None or (isinstance(told, dict) and "type" not in told))
        else told
        for name, told in value.items()
    }


def _usual_channels() -> dict[str, ChannelConfig]:
    return {"console": ChannelConfig(type="console"), "log": ChannelConfig(type="log")}


class AlertsConfig(_Model):
    """What becomes an alert, and where it goes.

    ``routing`` names the channels of a level, in place of the channels' own ``min_level``; ``all`` stands for all of
    them. In quiet hours (UTC, they may cross midnight) only ``quiet_hours_min_level`` and above passes. Limits at 0
    are off.
    """

    enabled: bool = True
    min_level: Level = "info"
    throttle_window_ms: Annotated[int, Field(ge=0)] = 60_000
    max_alerts_per_hour: Annotated[int, Field(ge=0)] = 100
    max_history_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    quiet_hours_start: Hour | None = None
    quiet_hours_end: Hour | None = None
    quiet_hours_min_level: Level = "critical"
    fills: bool = False
    unknown_order_s: Annotated[float, Field(ge=0)] = 10.0
    stale_feed_s: Annotated[float, Field(ge=0)] = 30.0
    clock_offset_ms: Annotated[float, Field(ge=0)] = 500.0
    drawdown: Annotated[float, Field(ge=0, lt=1)] = 0.10
    daily_loss: Annotated[float, Field(ge=0, lt=1)] = 0.05
    loop_lag_ms: Annotated[float, Field(ge=0)] = 1000.0
    memory_mb: Annotated[float, Field(ge=0)] = 0.0
    channels: Annotated[dict[str, ChannelConfig], BeforeValidator(_named)] = Field(
        default_factory=_usual_channels
    )
    routing: dict[Level, Annotated[list[str], BeforeValidator(_listed)]] = Field(default_factory=dict)

    @field_validator("channels")
    @classmethod
    def _have_good_names(cls, channels: dict[str, ChannelConfig]) -> dict[str, ChannelConfig]:
        for name in channels:
            if not _NAME.fullmatch(name) or name == "all":
                raise _refuse("small letters, digits and single _", f"has a channel named {name!r}")
        return channels

    @field_validator("routing")
    @classmethod
    def _leads_somewhere(cls, routing: dict[str, list[str]], info: ValidationInfo) -> dict[str, list[str]]:
        known = {*info.data.get("channels", {}), "all"}
        for level, names in routing.items():
            strange = [name for name in names if name not in known]
            if strange and "channels" in info.data:
                raise _refuse(", ".join(sorted(known)), f"sends {level} to {strange[0]!r}")
        return routing

    @model_validator(mode="after")
    def _has_whole_quiet_hours(self) -> AlertsConfig:
        if (self.quiet_hours_start is None) != (self.quiet_hours_end is None):
            raise _refuse("quiet_hours_start and quiet_hours_end", "has only one end of the quiet hours")
        if self.quiet_hours_start is not None and self.quiet_hours_start == self.quiet_hours_end:
            raise _refuse("two different hours", "has quiet hours without length")
        return self

    def is_quiet(self, hour: int) -> bool:
        """Tell whether an hour of the day (UTC) is a quiet one."""
        start, end = self.quiet_hours_start, self.quiet_hours_end
        if start is None or end is None:
            return False
        return start <= hour < end if start < end else hour >= start or hour < end

    def goes_to(self, level: AlertLevel, name: str) -> bool:
        """Tell whether alerts of a level go to a channel."""
        names = self.routing.get(cast("Any", level.word))
        if names is not None:
            return name in names or "all" in names
        return level >= self.channels[name].least


class LogConfig(_Model):
    """The log file of a session: rotated at ``max_mb``, of which ``keep`` old ones stay."""

    enabled: bool = True
    level: Level = "info"
    max_mb: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    keep: Annotated[int, Field(ge=0, le=100)] = 3
