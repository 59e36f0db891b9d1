"""What happens in a session, told to people: its alerts and its log."""

from lanner.live.alerting.attach import ALERT_STATS, SessionAlerts, attach_alerts, open_log
from lanner.live.alerting.beside import (
    WATCHDOG_FILE,
    WatchdogAlerts,
    secrets_for_children,
    told_settings,
)

__all__ = [
    "ALERT_STATS",
    "WATCHDOG_FILE",
    "SessionAlerts",
    "WatchdogAlerts",
    "attach_alerts",
    "open_log",
    "secrets_for_children",
    "told_settings",
]
