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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from lanner.marketdata.synth.market import YEAR_NS, Market, week_profile
from lanner.marketdata.synth.numbers import exp, interpolate, log, normal, stream, uniform
from lanner.model.timeframes import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_SCALES = (0.72, 1.23, 2.26)
_SCALE_EDGES = (0.70, 0.95)
"""A shock is normal with one of three scales, at 70, 25 and 5 % (unit variance together)."""

_WEEK = 7 * 1440
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

    def levels(self) -> Floats:
        """Return the log price before each step, and behind the last one."""
        return np.cumsum(np.concatenate(([self.start], self.returns)))

    def cut(self, start: int, stop: int) -> Path:
        """Return the steps [start, stop)."""
        part = slice(start, stop)
        return Path(
            self.ts[part], float(self.levels()[start]), self.returns[part], self.sigma[part],
            self.shock[part], self.heat[part], self.season[part],
        )  # fmt: skip


@dataclass(slots=True)
class _State:
    log_px: float
    garch: float
    slow: list[float]
    regime: int


def simulate(market: Market, *, seed: int, since_ns: int, days: int) -> Iterator[Path]:
    """Yield the path in steps of a minute, in whole weeks, of which the last may go beyond the span.

    Every week has random streams of its own and is drawn whole, so that a shorter data set is the
    beginning of a longer one.
    """
    profile = week_profile()
    state = _State(float(log(np.array([market.start_price]))[0]), 1.0, [0.0, 0.0], 1)
    for week, first in enumerate(range(0, days, 7)):
        ts = since_ns + first * DAY_NS + np.arange(_WEEK, dtype=np.int64) * MINUTE_NS
        minute = (ts // MINUTE_NS + 3 * 1440) % len(profile)
        path, state = _week(market, stream(seed, 1, week), ts, profile[minute], state)
        yield path


def by_second(weeks: Iterable[Path], seed: int, days: int) -> Iterator[Path]:
    """Refine a path to steps of a second, a day at a time: a Brownian bridge fills each minute."""
    day = 0
    for week in weeks:
        for start in range(0, min(7, days - day) * 1440, 1440):
            yield _bridge_seconds(week.cut(start, start + 1440), stream(seed, 4, day))
            day += 1


def _bridge_seconds(path: Path, rng: np.random.Generator) -> Path:
    minutes = len(path.ts)
    sigma = path.sigma / 60.0**0.5
    walk = np.cumsum(normal(rng, minutes * 60).reshape(minutes, 60) * sigma[:, None], axis=1)
    done = np.arange(1, 61) / 60.0
    bridge = walk - done * (walk[:, -1:] - path.returns[:, None])
    bridge[:, -1] = path.returns
    steps = np.concatenate((bridge[:, :1], bridge[:, 1:] - bridge[:, :-1]), axis=1).reshape(-1)
    fine = np.repeat(sigma, 60)
    return Path(
        ts=(path.ts[:, None] + np.arange(60, dtype=np.int64) * SECOND_NS).reshape(-1),
        start=path.start,
        returns=steps,
        sigma=fine,
        shock=steps / fine,
        heat=np.repeat(path.heat, 60),
        season=np.repeat(path.season, 60),
    )


def _week(
    market: Market, rng: np.random.Generator, ts: Ints, season: Floats, state: _State
) -> tuple[Path, _State]:
    hours = len(ts) // 60
    slow_end, slow = _slow_volatility(rng, hours, state.slow)
    regime_end, level, drift = _regimes(rng, hours, state.regime, market.regimes)
    shock = _shocks(rng, len(ts))
    garch = _garch(shock, state.garch)
    heat = np.repeat(level, 60) * interpolate(np.arange(len(ts)) / 60.0, slow) * np.sqrt(garch[:-1])
    sigma = market.vol * (MINUTE_NS / YEAR_NS) ** 0.5 * season * heat
    daily = market.vol * (DAY_NS / YEAR_NS) ** 0.5
    trend = market.drift * MINUTE_NS / YEAR_NS + np.repeat(drift, 60) * (daily / 1440.0)
    path = Path(ts, state.log_px, sigma * shock + trend, sigma, shock, heat, season)
    return path, _State(float(path.levels()[-1]), float(garch[-1]), slow_end, regime_end)


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


def _shocks(rng: np.random.Generator, steps: int) -> Floats:
    pick = rng.random(steps)
    scale = np.where(pick < _SCALE_EDGES[0], _SCALES[0], np.where(pick < _SCALE_EDGES[1], *_SCALES[1:]))
    shock = normal(rng, steps) * scale
    size = 5.0 * exp(-0.4 * log(uniform(rng, steps)))
    jumps = rng.random(steps) < _JUMPS_PER_DAY / 1440.0
    return np.where(jumps, np.where(shock < 0.0, -1.0, 1.0) * np.minimum(size, 12.0), shock)


def _garch(shock: Floats, start: float) -> Floats:
    """Return the GARCH factor before each step, and behind the last one.

    T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity" (1986), with unit mean.
    """
    persistence = 0.5 ** (1.0 / 35.0)
    alpha = 0.05
    factor = alpha * np.minimum(shock * shock, 150.0) + (persistence - alpha)
    omega = 1.0 - persistence
    walk = accumulate(factor.tolist(), lambda g, k: min(omega + g * k, _MAX_GARCH), initial=start)
    return np.array(list(walk))
