"""What a channel is: something that carries one alert out, or says why it could not."""

from __future__ import annotations

from typing import Protocol

from lanner.telemetry.alerts import Alert


class DeliveryError(Exception):
    """An alert was not taken. ``lasting`` faults are the same tomorrow, so that trying again is of no use.

    ``retry_after_s`` is when the other side wants to be asked again, 0 where it does not say.
    """

    def __init__(self, reason: str, *, lasting: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting
        self.retry_after_s = retry_after_s


class Channel(Protocol):
    """A way out. It is used by one thread, which may wait in ``deliver``."""

    @property
    def name(self) -> str:
        """Return the channel's name in the settings."""

    @property
    def where(self) -> str:
        """Return where it leads, without anything secret."""

    def deliver(self, alert: Alert) -> None:
        """Carry an alert out; raise ``DeliveryError`` when it was not taken."""
