"""The ways out of the house."""

from lanner.telemetry.channels.channel import Channel, DeliveryError
from lanner.telemetry.channels.console import ConsoleChannel
from lanner.telemetry.channels.logfile import ALERTS_FILE, LogChannel, read_alerts
from lanner.telemetry.channels.make import make_channel

__all__ = [
    "ALERTS_FILE",
    "Channel",
    "ConsoleChannel",
    "DeliveryError",
    "LogChannel",
    "make_channel",
    "read_alerts",
]
