"""What tells people how trading goes: alerts with their channels, and the log of a session."""

from lanner.telemetry.alerts import Alert, AlertCategory, AlertDetails, AlertLevel
from lanner.telemetry.log import SessionLog
from lanner.telemetry.manager import AlertManager
from lanner.telemetry.secrets import Redactor, SecretText
from lanner.telemetry.settings import AlertsConfig, ChannelConfig, LogConfig

__all__ = [
    "Alert",
    "AlertCategory",
    "AlertDetails",
    "AlertLevel",
    "AlertManager",
    "AlertsConfig",
    "ChannelConfig",
    "LogConfig",
    "Redactor",
    "SecretText",
    "SessionLog",
]
