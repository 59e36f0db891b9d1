"""Delays, drawn from seeded randomness (specification E.7)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from lanner.core.rng import Rng
from lanner.sim.settings import Latency, LatencyKind

Delay = Callable[[int], int]
"""From the time a message starts (UNIX ns) to how long it travels (ns)."""


def delay_model(latency: Latency, rng: Rng) -> Delay:
    """Return the function that draws the delay of a message starting at a given time."""
    if latency.kind is LatencyKind.NORMAL:
        mean, sigma = latency.mean_ns, latency.sigma_ns
        return lambda _ts: max(0, round(rng.normal(mean, sigma)))
    if latency.kind is LatencyKind.INTERPOLATED:
        times = [t for t, _ in latency.points]
        delays = [d for _, d in latency.points]
        return lambda ts: _interpolate(times, delays, ts)
    constant = latency.mean_ns
    return lambda _ts: constant


def _interpolate(times: list[int], delays: list[int], ts: int) -> int:
    if not times:
        return 0
    if ts <= times[0]:
        return delays[0]
    if ts >= times[-1]:
        return delays[-1]
    right = bisect_right(times, ts)
    t0, t1 = times[right - 1], times[right]
    d0, d1 = delays[right - 1], delays[right]
    return d0 + (d1 - d0) * (ts - t0) // (t1 - t0)
