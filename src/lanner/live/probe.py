"""Look at a product from here: can it be reached, how far is its clock, do its streams come, what may the key do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanner.core.errors import LannerError
from lanner.live.accounts import ask_rights
from lanner.live.connect import Where, connect, load_instruments
from lanner.model.market import MarketData
from lanner.net.wallclock import mono_ns
from lanner.venues.codec import Feed, Subscription
from lanner.venues.market_gateway import MarketGateway

if TYPE_CHECKING:
    from lanner.model.instruments import Instrument
    from lanner.venues.keys import Keys
    from lanner.venues.link import Link

GOOD, POOR, BAD = "green", "amber", "red"
STREAM_S = 15.0
ALARM_MS = 500.0
_LIQUID = ("BTC-PERP", "BTCUSDT-PERP", "BTC-USDT", "BTC-USDC")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its name, green, amber or red, what was found, what to do."""

    name: str
    status: str
    text: str
    fix: str = ""


async def probe(product: str, where: Where, keys: Keys | None) -> AsyncIterator[Finding]:
    """Look at a product, step by step; a step that fails ends the look, because the next ones need it."""
    try:
        async with AsyncExitStack() as stack:
            started = mono_ns()
            link = await stack.enter_async_context(connect(product, where, keys=keys))
            yield Finding(
                product, GOOD, f"{link.codec.endpoints.rest} answers in {(mono_ns() - started) / 1e6:.0f} ms"
            )
            yield _clock(link)
            known = await load_instruments(link)
            yield Finding("instruments", GOOD if known else BAD, f"{len(known):,} can be traded")
            yield await _stream(link, known)
            for finding in await _rights(link, keys):
                yield finding
            yield _limits(link)
    except LannerError as error:
        yield Finding(
            product, BAD, error.message(), "Check the network, the address and the venue's status page."
        )


def _clock(link: Link) -> Finding:
    offset_ms = link.clock.offset_ns / 1e6
    if abs(offset_ms) > ALARM_MS:
        return Finding(
            "clock",
            POOR,
            f"the venue's clock is {offset_ms:+,.0f} ms from ours; requests are signed with its time",
            "Let the system's clock be kept by NTP (chrony).",
        )
    return Finding("clock", GOOD, f"{offset_ms:+,.1f} ms from ours")


async def _stream(link: Link, known: dict[str, Instrument]) -> Finding:
    """Subscribe to quotes of a liquid instrument and wait for the first one."""
    venue = link.codec.spec.venue
    name = next((f"{stem}.{venue}" for stem in _LIQUID if f"{stem}.{venue}" in known), next(iter(known), ""))
    if not name:
        return Finding("streams", BAD, "there is no instrument to listen to")
    came: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def first(message: MarketData) -> None:
        if not came.done():
            came.set_result(message.ts_recv - message.ts_event)

    gateway = MarketGateway(link, on_data=first)
    started = mono_ns()
    try:
        await gateway.start([Subscription(Feed.QUOTES, name), Subscription(Feed.BOOK, name)])
        async with asyncio.timeout(STREAM_S):
            latency = await came
    except TimeoutError:
        reasons = "; ".join(status.reason for status in gateway.status() if status.reason) or "silence"
        return Finding("streams", BAD, f"nothing came for {name} within {STREAM_S:g} s: {reasons}")
    finally:
        await gateway.stop()
    took = (mono_ns() - started) / 1e6
    return Finding("streams", GOOD, f"{name} after {took:.0f} ms, {latency / 1e6:+.1f} ms behind its stamp")


async def _rights(link: Link, keys: Keys | None) -> list[Finding]:
    if keys is None:
        return [
            Finding(
                "key", POOR, "none is set, so only public data can be had", "Add one with `lanner keys add`."
            )
        ]
    rights = await ask_rights(link)
    if rights is None:
        return [Finding("key", GOOD, f"{keys.name}: the venue tells nothing of its rights")]
    if rights.withdraw:
        return [
            Finding(
                "key", BAD, f"{keys.name} may withdraw", "Use a key without that right: no other may trade."
            )
        ]
    if rights.hedge:
        return [
            Finding(
                "account",
                BAD,
                "long and short positions are kept apart (hedge mode)",
                "Switch it to one-way mode.",
            )
        ]
    if rights.trade is False:
        return [Finding("key", POOR, f"{keys.name} may not trade", "Give the key the right to trade.")]
    return [Finding("key", GOOD, f"{keys.name} may trade and may not withdraw")]


def _limits(link: Link) -> Finding:
    status = link.limiter.status()
    buckets = [bucket for bucket in status.buckets if bucket.used]
    used = ", ".join(f"{bucket.name} {bucket.used:,} of {bucket.limit:,}" for bucket in buckets)
    if status.blocked_s:
        return Finding(
            "limits", BAD, f"the venue wants silence for {status.blocked_s:.0f} s: {status.reason}"
        )
    return Finding("limits", GOOD, f"used: {used or 'nothing'}")
