"""Servers on loopback, and channels that remember."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lanner.telemetry import Alert
from lanner.telemetry.channels import DeliveryError
from tests.unit.telemetry.servers import Hook, Mailbox, hook_server, mail_server


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Return a web server that takes alerts."""
    with hook_server() as one:
        yield one


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Return a mail server."""
    with mail_server() as one:
        yield one


class Shelf:
    """A channel of one's own: it keeps what it gets, fails as often as told, and waits while ``gate`` is shut."""

    def __init__(self, name: str = "shelf", *, faults: int = 0, lasting: bool = False) -> None:
        self.name = name
        self.where = "a shelf"
        self.kept: list[Alert] = []
        self.tries = 0
        self.gate = threading.Event()
        self.gate.set()
        self._faults = faults
        self._lasting = lasting

    def deliver(self, alert: Alert) -> None:
        """Keep an alert."""
        self.gate.wait(30)
        self.tries += 1
        if self.tries <= self._faults:
            raise DeliveryError("no room", lasting=self._lasting)
        self.kept.append(alert)

    @property
    def titles(self) -> list[str]:
        """Return what was kept, in words."""
        return [alert.title for alert in self.kept]


@pytest.fixture
def shelf() -> Shelf:
    """Return a channel of one's own."""
    return Shelf()
