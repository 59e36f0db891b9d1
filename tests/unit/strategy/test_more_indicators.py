"""The newer indicators as users reach them: in signals over arrays, bar by bar, and declared in strategies."""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import lanner as ln
from lanner.core.errors import ConfigError, StrategyError
from lanner.indicators import (
    HMA,
    AnchoredVWAP,
    Beta,
    Correlation,
    GarmanKlass,
    Ichimoku,
    Keltner,
    ParabolicSAR,
    Parkinson,
    SessionVWAP,
    StochRSI,
    Volatility,
    YangZhang,
)
from lanner.indicators.base import rows
from lanner.strategy.vector import signal, signal_array
from tests.unit.strategy.play import START, Ohlc, play

HOUR = 3_600_000_000_000
needs_talib = pytest.mark.skipif(importlib.util.find_spec("talib") is None, reason="TA-Lib is not installed")


def market(count: int = 160, seed: int = 1) -> dict[str, list[float]]:
    rng = random.Random(seed)
    closes = [100.0]
    for _ in range(count - 1):
        closes.append(round(closes[-1] * (1 + rng.gauss(0, 0.01)), 2))
    opens = [100.0, *closes[:-1]]
    return {
        "ts_open": [START + i * HOUR for i in range(count)],
        "open": opens,
        "high": [round(max(o, c) + rng.random(), 2) for o, c in zip(opens, closes, strict=True)],
        "low": [round(min(o, c) - rng.random(), 2) for o, c in zip(opens, closes, strict=True)],
        "close": closes,
        "volume": [round(rng.random(), 4) + 0.5 for _ in closes],
    }


DATA = market()
CLOSE, VOLUME = DATA["close"], DATA["volume"]


def changes(values: list[float]) -> list[float]:
    return [math.nan, *(b / a - 1.0 for a, b in pairwise(values))]


CASES: list[tuple[Callable[[Any], Any], Callable[[], Any]]] = [
    (lambda b: b.hma(9), lambda: HMA(9).array(CLOSE)),
    (lambda b: b.stoch_rsi(5, 6, 2, 3).d, lambda: StochRSI(5, 6, 2, 3).arrays(CLOSE)["d"]),
    (lambda b: b.volatility(9, 365), lambda: Volatility(9, 365).array(CLOSE)),
    (lambda b: b.keltner(9, 1.5, 5).upper, lambda: Keltner(9, 1.5, 5).arrays(DATA)["upper"]),
    (lambda b: b.parabolic_sar().sar, lambda: ParabolicSAR().array(DATA)),
    (lambda b: b.parabolic_sar().trend, lambda: ParabolicSAR().arrays(DATA)["trend"]),
    (lambda b: b.ichimoku(3, 5, 8, 4).span_b, lambda: Ichimoku(3, 5, 8, 4).arrays(DATA)["span_b"]),
    (lambda b: b.session_vwap("8h", 3), lambda: SessionVWAP("8h", 3).array(DATA)),
    (lambda b: b.anchored_vwap(START + 9 * HOUR), lambda: AnchoredVWAP(START + 9 * HOUR).array(DATA)),
    (lambda b: b.parkinson(9, 365), lambda: Parkinson(9, 365).array(DATA)),
    (lambda b: b.garman_klass(9, 365), lambda: GarmanKlass(9, 365).array(DATA)),
    (lambda b: b.yang_zhang(9, 365), lambda: YangZhang(9, 365).array(DATA)),
    (
        lambda b: b.correlation(b.volume, 9),
        lambda: Correlation(9).array(changes(CLOSE), changes(VOLUME)),
    ),
    (lambda b: b.correlation(b.volume, 9, changes=False), lambda: Correlation(9).array(CLOSE, VOLUME)),
    (lambda b: b.close.beta(b.volume, 9), lambda: Beta(9).array(changes(CLOSE), changes(VOLUME))),
    (lambda b: b.volume.hma(9), lambda: HMA(9).array(VOLUME)),
]


@pytest.mark.parametrize(("rule", "expected"), CASES)
def test_a_signal_gives_what_the_indicator_gives(
    rule: Callable[[Any], Any], expected: Callable[[], Any]
) -> None:
    strategy = signal("1h")(lambda bars: rule(bars))()
    line = strategy.line()
    stepped = []
    for row in rows(DATA):
        line.update_bar(row)
        stepped.append(line.value)
    whole = signal_array(strategy, {name: np.array(column) for name, column in DATA.items()})
    assert np.array_equal(stepped, list(whole), equal_nan=True)
    known = expected()
    warm = line.warmup - 1
    assert warm >= 0
    assert stepped[warm:] == pytest.approx(known[warm:], nan_ok=True, rel=0, abs=0)
    if warm:
        assert known[warm - 1] != known[warm - 1] or "ichimoku" in line.source


@needs_talib
def test_functions_of_talib_are_reached_in_signals() -> None:
    from lanner.indicators.talib import arranged, spec_of, talib_kind

    def lines(name: str, *series: Any, **params: object) -> dict[str, Any]:
        indicator: Any = talib_kind(name)(*arranged(spec_of(name), params))
        found: dict[str, Any] = indicator.arrays(*series)
        return found

    def values(rule: Callable[[Any], Any]) -> list[float]:
        return list(signal_array(signal("1h")(lambda bars: rule(bars)), DATA))

    kama = lines("KAMA", CLOSE, period=10)["value"]
    assert np.array_equal(values(lambda b: b.talib("KAMA", period=10)), kama, equal_nan=True)
    up = lines("AROON", DATA, period=9)["aroonup"]
    assert values(lambda b: b.talib("AROON", period=9).aroonup)[9:] == up[9:]
    assert values(lambda b: b.talib("AROON", period=9).line("aroonup"))[9:] == up[9:]
    both = lines("CORREL", CLOSE, VOLUME, period=9)["value"]
    assert values(lambda b: b.talib("CORREL", b.volume, period=9))[8:] == both[8:]
    of_volume = lines("KAMA", VOLUME, period=10)["value"]
    assert values(lambda b: b.volume.talib("KAMA", period=10))[10:] == of_volume[10:]


@needs_talib
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda b: b.close.talib("AROON"), r'Say bars.talib\("AROON"\)'),
        (lambda b: b.talib("CORREL"), "expected 2 series"),
        (lambda b: b.talib("KAMA", b.volume), "expected 1 series"),
        (lambda b: b.talib("AROON").up, "has no 'up'"),
        (lambda b: b.talib("KAMA", period=b.close), "cannot change from bar to bar"),
    ],
)
def test_what_cannot_be_computed_by_talib_is_told(rule: Callable[[Any], Any], message: str) -> None:
    with pytest.raises((StrategyError, ConfigError), match=message):
        signal("1h")(lambda bars: rule(bars))().line()


# -- through the engine ---------------------------------------------------------------------------------------


def ohlc(data: dict[str, list[float]]) -> list[float | Ohlc]:
    return list(zip(data["open"], data["high"], data["low"], data["close"], strict=True))


def test_a_signal_of_several_new_indicators_trades_in_the_engine_what_it_says_over_arrays() -> None:
    @signal("1h")
    def cloud(bars, fast=5, slow=13):  # type: ignore[no-untyped-def]
        """Be long above the cloud and the average, while the trend is up and the market is not wild."""
        lines = bars.ichimoku(3, 5, 8, 4)
        up = (bars.close > lines.span_a) & (bars.hma(fast) > bars.hma(slow))
        calm = bars.yang_zhang(10) < bars.parkinson(20) * 4
        turn = (bars.parabolic_sar().trend < 0) | (bars.stoch_rsi(5, 5, 1, 1) > 99.9)
        return (up & calm & (bars.close > bars.keltner(9).lower)).until(turn)

    data = market(400, 7)
    held = [bool(value == 1.0) for value in signal_array(cloud, data)]
    result = play(cloud(), ohlc(data), volumes=data["volume"])
    buys = [i + 1 for i in range(399) if held[i] and (i == 0 or not held[i - 1])]
    sells = [i + 1 for i in range(1, 399) if held[i - 1] and not held[i]]
    bars_of: dict[int, list[int]] = {1: [], -1: []}
    for fill in result.fills:
        bars_of[fill.side].append((fill.ts - START) // HOUR)
    assert len(buys) >= 5
    assert bars_of[1] == buys
    assert bars_of[-1][: len(sells)] == sells


class Watcher(ln.Strategy):
    """Declare what is new and keep what it says."""

    timeframe = "1h"

    def on_start(self) -> None:
        bars = self.bars("1h", "BTC-USDT.TEST")
        other = self.bars("1h", "ETH-USDT.TEST")
        self.lines = {
            "hma": bars.hma(9),
            "sar": bars.parabolic_sar(),
            "yz": bars.yang_zhang(9, 8760),
            "corr": bars.correlation(other, 9),
            "levels": bars.correlation(other, 9, changes=False),
            "beta": bars.beta("volume", 9),
        }
        self.seen: list[dict[str, float]] = []

    def on_bar(self, bar: Any) -> None:
        if bar.instrument_id == "ETH-USDT.TEST":
            self.seen.append({name: line.value for name, line in self.lines.items()})


def test_declared_indicators_of_two_instruments_are_paired_by_time() -> None:
    one, other = market(80, 3), market(80, 4)
    strategy = Watcher()
    play(
        strategy,
        ohlc(one),
        volumes=one["volume"],
        more={"ETH-USDT.TEST": ohlc(other)},
    )
    a, b = one["close"], other["close"]
    expected = {
        "hma": HMA(9).array(a),
        "sar": ParabolicSAR().array(one),
        "yz": YangZhang(9, 8760).array(one),
        "corr": Correlation(9).array(changes(a), changes(b)),
        "levels": Correlation(9).array(a, b),
        "beta": Beta(9).array(changes(a), changes(one["volume"])),
    }
    assert len(strategy.seen) >= 60
    for name, values in expected.items():
        assert [seen[name] for seen in strategy.seen] == pytest.approx(
            values[-len(strategy.seen) :], rel=1e-12, nan_ok=True
        )


@needs_talib
def test_functions_of_talib_are_declared_on_series() -> None:
    class Declares(ln.Strategy):
        timeframe = "1h"

        def on_start(self) -> None:
            bars = self.bars("1h")
            self.kama = bars.talib("KAMA", period=10)
            self.aroon = bars.talib("AROON", period=9)
            self.correl = bars.talib("CORREL", "volume", period=9)
            self.volume = bars.of("volume").talib("EMA", period=5)
            self.seen: list[tuple[float, ...]] = []

        def on_bar(self, bar: Any) -> None:
            lines = (self.kama, self.aroon.line("aroonup"), self.correl, self.volume)
            self.seen.append(tuple(line.value for line in lines))

    strategy = Declares()
    data = market(60, 5)
    play(strategy, ohlc(data), volumes=data["volume"])
    import talib

    c, v = np.array(data["close"]), np.array(data["volume"])
    expected = (
        talib.KAMA(c, 10),
        talib.AROON(np.array(data["high"]), np.array(data["low"]), 9)[1],
        talib.CORREL(c, v, 9),
        talib.EMA(v, 5),
    )
    count = len(strategy.seen)
    assert count == 50
    for index, values in enumerate(expected):
        assert [seen[index] for seen in strategy.seen] == pytest.approx(values[-count:].tolist(), rel=1e-12)


@needs_talib
def test_a_second_series_that_is_missing_or_too_much_is_told() -> None:
    def starts(declare: Callable[[Any], object]) -> type[ln.Strategy]:
        class Wrong(ln.Strategy):
            timeframe = "1h"

            def on_start(self) -> None:
                declare(self.bars("1h"))

        return Wrong

    for declare, message in (
        (lambda bars: bars.talib("CORREL"), "needs a second series"),
        (lambda bars: bars.talib("KAMA", "volume"), "cannot be declared here"),
        (lambda bars: bars.of("volume").talib("AROON"), "cannot be declared here"),
        (lambda bars: bars.correlation("price"), "unknown bar field"),
        (lambda bars: bars.beta(bars), "cannot be compared with itself"),
    ):
        with pytest.raises((ConfigError, StrategyError), match=message):
            play(starts(declare)(), [100.0, 101.0])
