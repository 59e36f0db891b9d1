"""Venues for the Binance tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.simulator.binance.stage import Stage


@pytest.fixture
def spot() -> Iterator[Stage]:
    """Serve spot with a quiet book around 60,000."""
    with Stage("binance-spot") as stage:
        stage.book("BTCUSDT", 6_000_000)
        yield stage


@pytest.fixture
def usdm() -> Iterator[Stage]:
    """Serve USD-M with a quiet book around 60,000 and marks."""
    with Stage("binance-usdm") as stage:
        stage.book("BTCUSDT", 600_000, step=10, lots=1_000)
        stage.do(lambda exchange: exchange.set_mark("BTCUSDT", 600_000, 600_000, stage.now_ns()))
        yield stage


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """Collect what clients leave open, and close it after the test."""
    with ExitStack() as stack:
        yield stack
