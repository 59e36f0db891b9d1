"""The path of an invented price: volatility that clusters, regimes, jumps, a daily and weekly rhythm.

The variance of a step is the product of

* the level asked for, and the rhythm of the hour and the weekday;
* the regime (calm, rising, falling, turbulent), a Markov chain on hours;
* two slow log-normal components with half-lives of 10 hours and 6 days;
* a GARCH(1,1) factor with a half-life of 35 minutes, driven by the shocks themselves.

Shocks are a mixture of normals (fat tails); a few of them a week are several times larger (news), and
through the GARCH factor leave a more volatile hour behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from lanner.marketdata.synth.market import YEAR_NS, Market, week_profile
from lanner.marketdata.synth.numbers import exp, interpolate, log, normal, stream, uniform
from lanner.model.timeframes import DAY_NS, HOUR_NS, MINUTE_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_SCALES = (0.72, 1.23, 2.26)
_SCALE_EDGES = (0.70, 0.95)
"""A shock is normal with one of three scales, at 70, 25 and 5 % (unit variance together)."""

_JUMPS_PER_DAY = 0.3
_MAX_GARCH = 40.0
_SLOW = ((10 * HOUR_NS, 0.22), (6 * DAY_NS, 0.30))
"""Half-life and standard deviation of each slow component of log-volatility."""

_REGIMES = (  # volatility, drift in daily standard deviations, mean stay in days
    (0.62, 0.0, 7.0),
    (0.95, 0.22, 5.0),
    (1.05, -0.24, 4.0),
    (1.90, 0.0, 1.5),
)
_NEXT = ((0.0, 0.42, 0.33, 0.25), (0.55, 0.0, 0.2, 0.25), (0.45, 0.2, 0.0, 0.35), (0.4, 0.3, 0.3, 0.0))


@dataclass(frozen=True, slots=True)
class Path:
    """A stretch of the price path in equal steps; ``start`` is the log price before the first step."""

    ts: Ints
    start: float
    returns: Floats
    sigma: Floats
    shock: Floats
    heat: Floats
    """Volatility against what is usual at this time of the week."""
    season: Floats


@dataclass(slots=True)
class _State:
    log_px: float
    garch: float
    slow: list[float]
    regime: int


def simulate(
    market: Market, *, seed: int, since_ns: int, days: int, step_ns: int = MINUTE_NS, chunk_days: int = 7
) -> Iterator[Path]:
    """Yield the path in chunks of days. Every chunk has random streams of its own."""
    per_day = DAY_NS // step_ns
    profile = week_profile()
    state = _State(float(log(np.array([market.start_price]))[0]), 1.0, [0.0, 0.0], 1)
    for number, first in enumerate(range(0, days, chunk_days)):
        count = min(chunk_days, days - first)
        ts = since_ns + first * DAY_NS + np.arange(count * per_day, dtype=np.int64) * step_ns
        minute = (ts // MINUTE_NS + 3 * 1440) % len(profile)
        path, state = _chunk(market, (seed, step_ns, number), ts, profile[minute], state)
        yield path


def _chunk(
    market: Market, key: tuple[int, int, int], ts: Ints, season: Floats, state: _State
) -> tuple[Path, _State]:
    seed, step_ns, number = key
    steps = len(ts)
    hours = steps * step_ns // HOUR_NS
    rng = stream(seed, 1, step_ns // 1_000_000_000, number)
    slow_end, slow = _slow_volatility(rng, hours, state.slow)
    regime_end, level, drift = _regimes(rng, hours, state.regime, market.regimes)
    per_hour = HOUR_NS // step_ns
    outer = np.repeat(level, per_hour) * interpolate(np.arange(steps) / per_hour, slow)
    shock = _shocks(rng, steps, step_ns)
    garch = _garch(shock, state.garch, step_ns)
    heat = outer * np.sqrt(garch[:-1])
    base = market.vol * np.sqrt(step_ns / YEAR_NS)
    sigma = base * season * heat
    trend = market.drift * step_ns / YEAR_NS
    daily = market.vol * np.sqrt(DAY_NS / YEAR_NS)
    returns = sigma * shock + trend + np.repeat(drift, per_hour) * (daily * step_ns / DAY_NS)
    end = np.cumsum(np.concatenate(([state.log_px], returns)))[-1]
    path = Path(ts, state.log_px, returns, sigma, shock, heat, season)
    return path, _State(float(end), float(garch[-1]), slow_end, regime_end)


def _slow_volatility(rng: np.random.Generator, hours: int, start: list[float]) -> tuple[list[float], Floats]:
    """Return the components' end values and their joint volatility factor at each full hour."""
    total = np.zeros(hours + 1)
    ends = []
    for (half_life, deviation), first in zip(_SLOW, start, strict=True):
        keep = 0.5 ** (HOUR_NS / half_life)
        kicks = normal(rng, hours) * (deviation * (1.0 - keep * keep) ** 0.5)
        walk = list(accumulate(kicks.tolist(), lambda x, kick, keep=keep: keep * x + kick, initial=first))  # type: ignore[misc]
        ends.append(walk[-1])
        total += np.array(walk) - deviation * deviation
    return ends, exp(total)


def _regimes(rng: np.random.Generator, hours: int, start: int, wanted: bool) -> tuple[int, Floats, Floats]:
    """Return the last regime, and each hour's volatility factor and drift."""
    if not wanted:
        return start, np.ones(hours), np.zeros(hours)
    regime, visited = start, []
    for leave, choice in zip(rng.random(hours).tolist(), rng.random(hours).tolist(), strict=True):
        if leave < 1.0 / (24.0 * _REGIMES[regime][2]):
            regime = _pick(_NEXT[regime], choice)
        visited.append(regime)
    table = np.array(_REGIMES)
    return regime, table[visited, 0], table[visited, 1]


def _pick(weights: tuple[float, ...], choice: float) -> int:
    for index, weight in enumerate(weights):
        choice -= weight
        if choice < 0.0:
            return index
    return max(range(len(weights)), key=weights.__getitem__)


def _shocks(rng: np.random.Generator, steps: int, step_ns: int) -> Floats:
    pick = rng.random(steps)
    scale = np.where(pick < _SCALE_EDGES[0], _SCALES[0], np.where(pick < _SCALE_EDGES[1], *_SCALES[1:]))
    shock = normal(rng, steps) * scale
    size = 5.0 * exp(-0.4 * log(uniform(rng, steps)))
    jumps = rng.random(steps) < _JUMPS_PER_DAY * step_ns / DAY_NS
    return np.where(jumps, np.where(shock < 0.0, -1.0, 1.0) * np.minimum(size, 18.0), shock)


def _garch(shock: Floats, start: float, step_ns: int) -> Floats:
    """Return the GARCH factor before each step, and behind the last one.

    T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity" (1986), with unit mean.
    """
    persistence = 0.5 ** (step_ns / (35 * MINUTE_NS))
    alpha = 0.05 * (step_ns / MINUTE_NS) ** 0.5
    factor = alpha * np.minimum(shock * shock, 150.0) + (persistence - alpha)
    omega = 1.0 - persistence
    walk = accumulate(factor.tolist(), lambda g, k: min(omega + g * k, _MAX_GARCH), initial=start)
    return np.array(list(walk))
