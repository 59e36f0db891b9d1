"""Resample a series in blocks: p-values and confidence intervals that keep its serial dependence.

A resample is never written out. Each is a row of weights, saying how often it takes every sample, so that the
mean and the variance of thousands of resamples are two matrix products. Memory stays at some tens of megabytes
whatever the number of resamples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError
from lanner.research.significance import checked

# Weights held at a time, 16 MB of them.
_BATCH = 2_000_000
_FEWEST = 8


class Scheme(StrEnum):
    """Name how blocks are drawn: of random length (geometric) or all of one length; both wrap around."""

    STATIONARY = "stationary"
    CIRCULAR = "circular"


class Statistic(StrEnum):
    """Name what is measured on each resample; a Sharpe ratio is per sample, not annualised."""

    MEAN = "mean"
    SHARPE = "sharpe"


@dataclass(frozen=True, slots=True)
class Interval:
    """Hold an estimate with its confidence interval."""

    estimate: float
    low: float
    high: float
    level: float


def block_length(returns: Floats, scheme: Scheme = Scheme.STATIONARY) -> float:
    """Return the (mean) length of blocks that suits a series: 1 for independent samples, more with memory.

    Formula: (2·Ĝ²/D̂)^⅓ · n^⅓, autocovariances under a flat-top window up to twice the lag after which they
    are insignificant; at most min(3·√n, n/3).
    Source: Politis & White (2004), "Automatic Block-Length Selection"; corrected by Patton, Politis & White (2009).
    """
    series = checked(returns, _FEWEST)
    n = series.size
    centred = series - series.mean()
    variance = float(centred @ centred) / n
    most = min(3.0 * math.sqrt(n), n / 3.0)
    if variance <= 0.0:
        return 1.0
    in_a_row = max(5, math.ceil(math.sqrt(math.log10(n))))
    lags = min(math.ceil(math.sqrt(n)) + in_a_row, n - 1)
    covariance = _autocovariances(centred, lags)
    window = min(2 * _last_significant_lag(covariance / covariance[0], n, in_a_row), lags)
    steps = np.arange(1, window + 1)
    taper = np.clip(2.0 * (1.0 - steps / max(window, 1)), 0.0, 1.0)
    tail = taper * covariance[1 : window + 1]
    spread = 2.0 * float(steps @ tail)
    level = covariance[0] + 2.0 * float(np.sum(tail))
    if level <= 0.0:
        return 1.0
    scale = 2.0 if scheme is Scheme.STATIONARY else 4.0 / 3.0
    length = math.cbrt(float(2.0 * spread * spread / (scale * level * level) * n))
    return max(1.0, min(length, most))


def _autocovariances(centred: Floats, lags: int) -> Floats:
    size = 1 << (2 * centred.size - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    return np.asarray(np.fft.irfft(power, size)[: lags + 1] / centred.size, dtype=np.float64)


def _last_significant_lag(correlation: Floats, n: int, in_a_row: int) -> int:
    """Return the lag after which `in_a_row` autocorrelations in a row are inside their noise band, at least 1."""
    noise = 2.0 * math.sqrt(math.log10(n) / n)
    quiet = np.abs(correlation[1:]) < noise
    run = 0
    for lag, silent in enumerate(quiet.tolist(), 1):
        run = run + 1 if silent else 0
        if run == in_a_row:
            return max(1, lag - in_a_row)
    loud = np.flatnonzero(~quiet)
    return int(loud[-1]) + 1 if loud.size else 1


def resample_weights(
    size: int,
    resamples: int,
    rng: np.random.Generator,
    *,
    block: float = 1.0,
    scheme: Scheme = Scheme.STATIONARY,
) -> Iterator[Floats]:
    """Yield the weights of all resamples in batches: arrays of some rows × `size`, each row summing to `size`.

    Source: Politis & Romano (1994), "The Stationary Bootstrap"; Politis & Romano (1992), circular blocks.
    """
    if size < 1 or resamples < 1 or not 1.0 <= block <= size:
        raise ConfigError(
            "this cannot be resampled",
            expected="samples and resamples >= 1, a block of 1 up to all samples",
            found=f"{size} samples, {resamples} resamples, blocks of {block:g}",
        )
    batch = max(1, _BATCH // size)
    for done in range(0, resamples, batch):
        rows = min(batch, resamples - done)
        if block == 1.0:
            yield _independent(size, rows, rng)
        else:
            yield _in_blocks(size, rows, rng, block, scheme)


def _independent(size: int, rows: int, rng: np.random.Generator) -> Floats:
    picks = rng.integers(0, size, size=(rows, size)) + size * np.arange(rows)[:, None]
    return np.bincount(picks.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def _in_blocks(size: int, rows: int, rng: np.random.Generator, block: float, scheme: Scheme) -> Floats:
    """Write out which samples a batch takes, block after block, and count them."""
    begins = _block_begins(size, rows, rng, block, scheme)
    first = rng.integers(0, size, size=begins.size)
    picks = np.arange(rows * size) + np.repeat(first - begins, np.diff(begins, append=rows * size))
    # A block is no longer than the series: it passes the end at most once.
    picks[picks >= size] -= size
    picks += np.repeat(np.arange(rows) * size, size)
    return np.bincount(picks, minlength=rows * size).reshape(rows, size).astype(np.float64)


def _block_begins(
    size: int, rows: int, rng: np.random.Generator, block: float, scheme: Scheme
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return where blocks begin when the resamples lie end to end; every resample begins with a block."""
    if scheme is Scheme.CIRCULAR:
        inside = np.arange(0, size, max(1, round(block)))
        return np.asarray((np.arange(rows)[:, None] * size + inside).ravel(), dtype=np.int64)
    # A geometric length has no memory: cutting a block at the end of a resample leaves both parts geometric.
    marks = rng.random((rows, size), dtype=np.float32) < 1.0 / block
    marks[:, 0] = True
    return np.asarray(np.flatnonzero(marks.ravel()), dtype=np.int64)


def resampled(
    returns: Floats,
    rng: np.random.Generator,
    *,
    statistic: Statistic = Statistic.MEAN,
    resamples: int = 1_000,
    block: float | None = None,
    scheme: Scheme = Scheme.STATIONARY,
) -> Floats:
    """Return the statistic of every resample; `block` is the mean length, chosen by `block_length` without one."""
    series = checked(returns, _FEWEST)
    length = block_length(series, scheme) if block is None else block
    columns = np.stack((series, series * series), axis=1)
    sums = np.concatenate(
        [
            weights @ columns
            for weights in resample_weights(series.size, resamples, rng, block=length, scheme=scheme)
        ]
    )
    return _measure(sums, series.size, statistic)


def _measure(sums: Floats, size: int, statistic: Statistic) -> Floats:
    mean = sums[:, 0] / size
    if statistic is Statistic.MEAN:
        return np.asarray(mean)
    variance = np.maximum(sums[:, 1] / size - mean * mean, 0.0) * size / (size - 1)
    # A resample of one repeated value has no Sharpe ratio; 0 takes no side.
    moving = variance > 1e-14 * np.maximum(mean * mean, 1e-300)
    return np.asarray(np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=moving))


def _estimate(series: Floats, statistic: Statistic) -> float:
    sums = np.array([[float(np.sum(series)), float(series @ series)]])
    return float(_measure(sums, series.size, statistic)[0])


def bootstrap_interval(
    returns: Floats,
    rng: np.random.Generator,
    *,
    statistic: Statistic = Statistic.MEAN,
    level: float = 0.95,
    resamples: int = 1_000,
    block: float | None = None,
    scheme: Scheme = Scheme.STATIONARY,
) -> Interval:
    """Return the range in which the true mean or Sharpe ratio (per sample) lies with probability `level`.

    Formula: the (1 − level)/2 and (1 + level)/2 quantiles of the resampled statistic.
    Source: Efron & Tibshirani (1993), percentile interval; blocks as `resample_weights`.
    """
    if not 0.0 < level < 1.0:
        raise ConfigError("the level of an interval is a probability", expected="inside 0…1", found=level)
    series = checked(returns, _FEWEST)
    draws = resampled(series, rng, statistic=statistic, resamples=resamples, block=block, scheme=scheme)
    low, high = np.quantile(draws, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return Interval(_estimate(series, statistic), float(low), float(high), level)


def bootstrap_p_value(
    returns: Floats,
    rng: np.random.Generator,
    *,
    statistic: Statistic = Statistic.SHARPE,
    resamples: int = 1_000,
    block: float | None = None,
    scheme: Scheme = Scheme.STATIONARY,
) -> float:
    """Return how often a series of this kind with a true mean of 0 does at least as well, one-sided.

    Formula: (1 + #{statistic of resamples of r − mean(r) ≥ statistic of r}) / (1 + resamples).
    Source: Davison & Hinkley (1997), "Bootstrap Methods and their Application", § 4.4.
    """
    series = checked(returns, _FEWEST)
    length = block_length(series, scheme) if block is None else block
    draws = resampled(
        series - series.mean(), rng, statistic=statistic, resamples=resamples, block=length, scheme=scheme
    )
    return (1.0 + int(np.count_nonzero(draws >= _estimate(series, statistic)))) / (1.0 + resamples)
