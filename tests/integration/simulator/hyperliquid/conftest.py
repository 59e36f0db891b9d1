"""A venue for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.simulator.hyperliquid.local_venue import LocalVenue


@pytest.fixture
def venue() -> Iterator[LocalVenue]:
    """Return a running venue with two users and five levels in every book."""
    local = LocalVenue().start()
    yield local
    local.stop()
