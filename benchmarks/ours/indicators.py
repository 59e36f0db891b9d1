"""Indicators over a whole column in memory, against TA-Lib's C functions in the same process, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import talib

from benchmarks import columns
from lanner import __version__
from lanner.indicators import ATR, EMA, RSI, SMA

PERIODS = {"SMA": 20, "EMA": 20, "RSI": 14, "ATR": 14}


def pairs(prices: Any) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return for each indicator our computation and TA-Lib's, with the same periods."""
    high, low, close = (np.ascontiguousarray(prices[:, place]) for place in (1, 2, 3))
    bars = {"high": high, "low": low, "close": close}
    return {
        "SMA": (lambda: SMA(20).array(close), lambda: talib.SMA(close, 20)),
        "EMA": (lambda: EMA(20).array(close), lambda: talib.EMA(close, 20)),
        "RSI": (lambda: RSI(14).array(close), lambda: talib.RSI(close, 14)),
        "ATR": (lambda: ATR(14).array(bars), lambda: talib.ATR(high, low, close, 14)),
    }


def main() -> None:
    """Warm up, take turns, report the median seconds of each and how far the last values are apart."""
    args = columns.arguments("all")
    found: dict[str, Any] = {}
    for name, both in pairs(np.load(args.data) / columns.TICKS).items():
        seconds: tuple[list[float], list[float]] = ([], [])
        last = [float(run()[-1]) for run in both]
        for _ in range(args.repeat):
            for run, own in zip(both, seconds, strict=True):
                started = time.process_time()
                run()
                own.append(time.process_time() - started)
        found[name] = {
            "ours": median(seconds[0]),
            "theirs": median(seconds[1]),
            "apart": abs(last[0] - last[1]) / abs(last[1]),
        }
    columns.emit(indicators=found, version=__version__, talib=talib.__version__)


if __name__ == "__main__":
    main()
