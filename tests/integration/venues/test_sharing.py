"""Programs of one machine that ask one venue: one budget, one row of nonces."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanner.core.errors import ConfigError
from lanner.live.connect import KEPT_LOCAL_S, Where, connect, load_instruments, shared_files
from lanner.net.ratelimit import RateLimiter
from lanner.net.wallclock import wall_ns
from lanner.venues import link as venue_link
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import HYPERLIQUID
from lanner.venues.keys import Keys
from tests.integration.simulator.hyperliquid.local_venue import LocalVenue

SECOND = 1_000_000_000
BUCKETS = {name: (bucket.limit, bucket.interval_s) for name, bucket in HYPERLIQUID.buckets.items()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANNER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def strict_venue() -> Iterator[LocalVenue]:
    """Serve with the venue's own limits."""
    venue = LocalVenue(limits="1").start()
    yield venue
    venue.stop()


def budget_of(venue: LocalVenue) -> Path:
    return shared_files(HyperliquidCodec(HYPERLIQUID.local(venue.url)))[0]


async def test_a_program_waits_for_what_another_one_has_spent(home: Path, strict_venue: LocalVenue) -> None:
    path = budget_of(strict_venue)
    other = RateLimiter(BUCKETS, shared=path, clock=lambda: wall_ns() - 59 * SECOND)
    began = time.monotonic()
    assert other.try_acquire({"weight": 1_075}) == 0
    other.close()
    async with connect("hyperliquid", Where({"": strict_venue.url})) as link:
        known = await load_instruments(link)
        assert link.http.stats.told_to_wait == 0
    assert known
    assert time.monotonic() - began > 0.5


async def test_a_program_that_met_a_429_tells_the_others_to_wait(
    home: Path, strict_venue: LocalVenue
) -> None:
    where = Where({"": strict_venue.url})
    async with connect("hyperliquid", where) as first, connect("hyperliquid", where) as second:
        began = time.monotonic()
        first.limiter.block(wall_ns() + SECOND, "status 429")
        await load_instruments(second)
        assert time.monotonic() - began > 0.8


async def test_an_urgent_link_does_not_wait_behind_a_download_that_took_the_budget(
    home: Path, strict_venue: LocalVenue
) -> None:
    download = RateLimiter(BUCKETS, shared=budget_of(strict_venue), reserve=0.1)
    while download.try_acquire({"weight": 20}) == 0:
        pass
    began = time.monotonic()
    async with connect("hyperliquid", Where({"": strict_venue.url}), urgent=True) as link:
        assert await load_instruments(link)
    assert time.monotonic() - began < 40
    download.close()


async def test_a_limit_that_strangers_used_up_is_told_in_words(strict_venue: LocalVenue) -> None:
    codec = HyperliquidCodec(HYPERLIQUID.local(strict_venue.url))
    fault = codec.fault(429, {}, b"null")
    assert isinstance(fault, VenueError)
    assert fault.kind is ErrorKind.RATE_LIMITED
    assert "null" not in fault.message()
    assert "in a minute" in fault.what
    assert "Wait a minute" in str(fault.fix)


async def test_two_programs_with_one_wallet_never_give_a_nonce_twice(
    home: Path, strict_venue: LocalVenue
) -> None:
    agent = Keys("wallet", strict_venue.agent.key.hex(), account=strict_venue.wallets[1].address)
    where = Where({"": strict_venue.url})
    async with (
        connect("hyperliquid", where, keys=agent) as first,
        connect("hyperliquid", where, keys=agent) as second,
    ):
        given = [link.nonce() for _ in range(100) for link in (first, second)]
    assert len(set(given)) == 200
    assert given == sorted(given)


async def test_a_links_clock_is_compared_again_and_again(
    home: Path, strict_venue: LocalVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_link, "CLOCK_EVERY_S", 0.1)
    async with connect("hyperliquid", Where({"": strict_venue.url})) as link:
        first = link.clock.measured_ns
        async with asyncio.timeout(60):
            while link.clock.measured_ns == first:
                await asyncio.sleep(0.02)


async def test_a_home_that_cannot_be_written_stops_nobody_from_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict_venue: LocalVenue
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LANNER_HOME", str(tmp_path / "file"))
    async with connect("hyperliquid", Where({"": strict_venue.url})) as link:
        assert await load_instruments(link)


async def test_a_home_that_cannot_be_written_lets_nobody_trade_but_a_kill_switch_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict_venue: LocalVenue
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LANNER_HOME", str(tmp_path / "file"))
    agent = Keys("wallet", strict_venue.agent.key.hex(), account=strict_venue.wallets[1].address)
    where = Where({"": strict_venue.url})
    with pytest.raises(ConfigError) as caught:
        async with connect("hyperliquid", where, keys=agent):
            pass
    fault = caught.value
    assert str(tmp_path / "file" / "shared") in str(fault.expected)
    assert "Not a directory" in str(fault.found)
    assert "LANNER_HOME" in str(fault.fix)
    async with connect("hyperliquid", where, keys=agent, urgent=True) as link:
        assert await load_instruments(link)


async def test_files_about_servers_that_are_gone_are_removed(home: Path, strict_venue: LocalVenue) -> None:
    path = budget_of(strict_venue)
    path.parent.mkdir()
    gone = path.with_name("hyperliquid-127.0.0.1_1-0.budget")
    kept = path.with_name("hyperliquid-api.hyperliquid.xyz-0.budget")
    for one in (gone, kept):
        one.write_bytes(bytes(64))
        long_ago = time.time() - KEPT_LOCAL_S - 10
        os.utime(one, (long_ago, long_ago))
    async with connect("hyperliquid", Where({"": strict_venue.url})):
        assert path.exists()
    assert not gone.exists()
    assert kept.exists()
